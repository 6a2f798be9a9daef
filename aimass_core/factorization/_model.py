"""What all models of factors share: exact retrieval, similar users and items, scores of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.filters import Catalog, as_filter, combine_filters
from ..base.lists import TopK
from ..base.recommender import Recommender
from ..base.threads import resolve_n_threads
from ..base.validation import as_int, wrap_csr
from ..retrieval import FactorIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Query
    from ..base.ranking import Ranked

__all__ = ["FactorModel"]

_PAIRS = 1 << 16  # scored at once


class FactorModel(Recommender):
    """Base of models whose score is the product of a user's and an item's factors."""

    _state: ClassVar[tuple[str, ...]] = (*Recommender._state, "user_factors_", "item_factors_")

    user_factors_: NDArray[Any]
    item_factors_: NDArray[Any]
    dtype: str
    _indexes: dict[tuple[str, str], FactorIndex]
    _per_user: ClassVar[tuple[str, ...]] = ("user_factors_",)
    needs_training = False

    @property
    def _dtype(self) -> Any:
        return _as_factor_dtype(self.dtype)

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> NDArray[Any]:
        """Factors of users that the model does not know."""
        raise NotImplementedError

    def _item_biases(self) -> NDArray[Any] | None:
        return None

    def _prepare(self, n_threads: int) -> None:
        self._indexes = {}

    def _check_state(self) -> None:
        super()._check_state()
        factors = (self.user_factors_, self.item_factors_)
        for side, n in zip(factors, (self.n_users_, self.n_items), strict=True):
            if side.ndim != 2 or len(side) != n or side.dtype.kind != "f":
                raise ValueError(f"factors of shape {side.shape} for {n} rows")
            if not np.isfinite(side).all():
                raise ValueError("factors that are not finite numbers")
        if factors[0].shape[1] != factors[1].shape[1] or factors[0].dtype != factors[1].dtype:
            raise ValueError("factors of users and items that do not fit together")

    def _index(self, side: str, metric: str) -> FactorIndex:
        """Items (or users) packed for retrieval, on first use."""
        if (side, metric) not in self._indexes:
            factors = self.item_factors_ if side == "items" else self.user_factors_
            biases = self._item_biases() if (side, metric) == ("items", "dot") else None
            self._indexes[side, metric] = FactorIndex(factors, biases, metric=metric)
        return self._indexes[side, metric]

    def embed(self, profiles: sp.csr_array, n_threads: int = 1) -> NDArray[Any]:
        """Return the factors of users from their interactions alone.

        Parameters
        ----------
        profiles : csr_array of shape (n, n_items)
            Interactions of the users.
        n_threads : int, default=1
            Threads to use.

        Returns
        -------
        ndarray of shape (n, n_factors)
            In the type of ``item_factors_``.
        """
        return self._solve_users(profiles, n_threads)

    def fold_in(
        self, user_items: Any, *, unknown_items: str = "warn", n_threads: int | None = None
    ) -> NDArray[Any]:
        """Return the factors of users who were not in the fit; the model does not change.

        Parameters
        ----------
        user_items : Interactions, sparse matrix or 2-D array of shape (n, n_items)
            Interactions of these users; `Interactions` are matched by item id.
        unknown_items : {"warn", "error"}, default="warn"
            Items that the model does not know are dropped with one warning, or raise.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        ndarray of shape (n, n_factors)
            One row for each user.
        """
        self._check_fitted()
        profiles, _ = self._new_profiles(user_items, unknown_items)
        return self.embed(profiles, resolve_n_threads(n_threads))

    def _vectors(self, query: Query) -> NDArray[Any]:
        """Return the factors of the users of a query."""
        if query.users is not None:
            return self.user_factors_[query.users]
        return self.embed(query.profiles, query.n_threads)

    def score(self, query: Query) -> NDArray[Any]:
        """Return the inner product of each user of a query with each item.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float, shape (n, n_items)
            Plus the items' biases where the model has some.
        """
        scores: NDArray[Any] = self._vectors(query) @ self.item_factors_.T
        biases = self._item_biases()
        return scores if biases is None else scores + biases

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user of a query by exact retrieval.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        allowed = None if query.mask is None else query.mask.astype(bool)
        return self._index("items", "dot").topk(
            self._vectors(query),
            query.k,
            exclude=query.exclude,
            allowed=allowed,
            allowed_rows=query.candidate_lists,
            n_threads=query.n_threads,
        )

    def _without_history(self, query: Query) -> NDArray[np.bool_]:
        if self.user_items_ is not None or query.users is None:
            return super()._without_history(query)
        unknown = query.users < 0
        return unknown | ~self.user_factors_[np.where(unknown, 0, query.users)].any(axis=1)

    def _remains(self) -> str:
        return (
            "The item factors were learned from the interactions of the forgotten users, too; the "
            "next fit removes that influence."
        )

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the inner product of user and item of each pair of a row and a column.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Not used.

        Returns
        -------
        ndarray of float64, shape (n,)
            Computed in float64.
        """
        scores = np.empty(len(users))
        for begin in range(0, len(users), _PAIRS):
            part = slice(begin, begin + _PAIRS)
            scores[part] = np.einsum(
                "ij,ij->i",
                self.user_factors_[users[part]],
                self.item_factors_[items[part]],
                dtype=np.float64,
            )
        return scores

    def similar_items(
        self,
        items: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the items whose factors have the highest cosine with those of each item.

        Parameters
        ----------
        items : id or array-like of ids
            Column numbers where the model was fitted on a matrix.
        k : int, default=10
            At least 1; more than there are items is the same as all items.
        candidates, exclude : collection of item ids, mask, sparse matrix or dict, optional
            Only these items, and not these; as in `recommend`.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            One list for each item, without the item itself; empty where its factors are zero.

        Raises
        ------
        KeyError
            For an unknown item.
        """
        self._check_fitted()
        return self._similar(
            "items", self._columns(items, "items"), k, candidates, exclude, n_threads
        )

    def similar_users(
        self,
        users: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the users whose factors have the highest cosine with those of each user.

        Parameters
        ----------
        users : id or array-like of ids
            Row numbers where the model was fitted on a matrix.
        k : int, default=10
            At least 1; more than there are users is the same as all users.
        candidates, exclude : collection of user ids, mask, sparse matrix or dict, optional
            Only these users, and not these; as in `recommend`.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            One list for each user, without the user itself; empty where its factors are zero.

        Raises
        ------
        KeyError
            For an unknown user.
        """
        self._check_fitted()
        return self._similar("users", self._rows(users, "users"), k, candidates, exclude, n_threads)

    def _similar(
        self,
        side: str,
        rows: NDArray[np.int64],
        k: int,
        candidates: Any,
        exclude: Any,
        n_threads: int | None,
    ) -> TopK:
        k = as_int(k, "k", minimum=1)
        of_items = side == "items"
        factors = self.item_factors_ if of_items else self.user_factors_
        ids, name = (self.items_, self._names[1]) if of_items else (self.users_, self._names[0])
        queries = rows if ids is None else ids.ids[rows]
        own = wrap_csr(
            np.arange(len(rows) + 1, dtype=np.int64),
            rows.astype(np.int32),
            np.ones(len(rows), dtype=np.float32),
            (len(rows), len(factors)),
        )
        catalog = Catalog(ids, len(factors), side[:-1])
        allowed, denied = combine_filters(
            as_filter(candidates, "candidates", catalog, queries),
            as_filter(exclude, "exclude", catalog, queries),
            own,
        )
        mask = allowed.astype(bool) if isinstance(allowed, np.ndarray) else None
        indices, scores = self._index(side, "cosine").topk(
            factors[rows],
            k,
            exclude=denied,
            allowed=mask,
            allowed_rows=allowed if mask is None else None,
            n_threads=resolve_n_threads(n_threads),
        )
        nothing = ~factors[rows].any(axis=1)
        indices[nothing], scores[nothing] = -1, -np.inf
        return TopK(queries, indices, scores, ids, name, f"similar_{name}")


def _as_factor_dtype(dtype: Any) -> Any:
    """``"float32"`` or ``"float64"``, or the NumPy type of that name."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if dtype is None or found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    return found
