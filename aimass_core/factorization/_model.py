"""What all factor models share: exact retrieval, similar users and items, scores of pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.csr import one_entry_rows
from ..base.figures import draw_curves, new_axes
from ..base.filters import Catalog, as_filters
from ..base.lists import TopK
from ..base.recommender import Recommender
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_int
from ..retrieval._index import FactorIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.query import Query
    from ..base.ranking import Ranked

    Array = NDArray[Any]

__all__ = ["FactorModel", "as_factor_dtype"]

_PAIRS = 1 << 16  # pairs scored at once


class FactorModel(Recommender):
    """Base of models whose score is the product of a user's and an item's factors.

    A subclass defines ``_learn(n_threads)``, which sets ``user_factors_`` and
    ``item_factors_``, and ``_solve_users`` for users that were not in the fit. A model with item
    biases overrides ``_item_biases``, one with user biases ``_vectors_and_offsets``.
    """

    _state: ClassVar[tuple[str, ...]] = (*Recommender._state, "user_factors_", "item_factors_")
    _per_user: ClassVar[tuple[str, ...]] = ("user_factors_",)
    needs_training = False
    learns_in_epochs = True

    user_factors_: Array
    item_factors_: Array
    dtype: str
    n_threads: int | None
    _fit_cache: dict[str, Any]

    @property
    def _dtype(self) -> Any:
        return as_factor_dtype(self.dtype)

    # ---- learning ----------------------------------------------------------------------------

    def _prepare(self, n_threads: int) -> None:
        self._fit_cache = {}

    def _prepare_to_answer(self) -> None:
        """Make a model that is still being fitted answer with its present factors."""
        self._prepare(1)
        self._fitted_with = self.get_params(deep=False)

    def _model_of_epoch(self) -> Self:
        """Return the model that a fit of as many epochs as were taken gives; for callbacks."""
        return self

    def _cached(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return what depends on the fit alone, computed on first use."""
        if name not in self._fit_cache:
            self._fit_cache[name] = compute()
        return self._fit_cache[name]

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

    @property
    def _score_dtype(self) -> Any:
        return np.float64 if self.predicts_ratings else self.item_factors_.dtype

    def _facts(self) -> dict[str, str]:
        facts = {**super()._facts(), "factors": f"{self.item_factors_.shape[1]:,}"}
        if hasattr(self, "n_iter_"):
            facts["epochs"] = f"{self.n_iter_:,}"
        return facts

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the learning curve: loss and validation metric over the epochs.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw into. Default: those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes; a second metric has an axis of its own on the right.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install 'aimass_core[plot]'``).
        ValueError
            Where the fit recorded nothing.
        """
        self._check_fitted()
        curves = {}
        losses, scores = (np.asarray(getattr(self, n, ())) for n in ("losses_", "scores_"))
        if len(losses):
            curves["loss"] = np.arange(1, len(losses) + 1), losses
        if len(scores):
            interval = int(getattr(self, "validation_interval", 1))
            epochs = np.arange(1, len(scores) + 1) * interval
            metric = str(self._fitted_parameters()["metric"])
            curves[metric] = np.minimum(epochs, max(len(losses), len(scores))), scores
        if not curves:
            options = ["track_loss=True"] if "track_loss" in self.get_params() else []
            options += ["fit(X, validation=...)"] if hasattr(self, "scores_") else []
            remedy = f": use {' or '.join(options)}" if options else ""
            raise ValueError(f"this {type(self).__name__} recorded no learning curve{remedy}")
        return draw_curves(new_axes(ax), curves)

    def _remains(self) -> str:
        return (
            "The item factors were learned from the interactions of the forgotten users, too; the "
            "next fit removes that influence."
        )

    # ---- factors of users --------------------------------------------------------------------

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        """Return the factors of users that were not in the fit."""
        raise NotImplementedError

    def _item_biases(self) -> Array | None:
        """Return what is added to each item's scores; None: nothing."""
        return None

    def _vectors_and_offsets(
        self, users: NDArray[np.int64] | None, profiles: sp.csr_array | None, n_threads: int
    ) -> tuple[Array, NDArray[np.float64] | None]:
        """Return factors of users, and what is added to all scores of each user.

        Parameters
        ----------
        users : ndarray of int64 or None
            Rows of users of the fit; None: the profiles decide.
        profiles : csr_array or None
            Interactions of users that were not in the fit.
        n_threads : int
            Threads to use.
        """
        if users is not None:
            return self.user_factors_[users], None
        assert profiles is not None
        return self._solve_users(profiles, n_threads), None

    def _vectors_of_query(self, query: Query) -> tuple[Array, NDArray[np.float64] | None]:
        """Return factors of the users of a query, and what is added to all scores of each user."""
        return self._vectors_and_offsets(query.users, query.profiles, query.n_threads)

    def embed(self, profiles: sp.csr_array, n_threads: int = 1) -> Array:
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
    ) -> Array:
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

    # ---- answers -----------------------------------------------------------------------------

    def _index(self, side: str, metric: str) -> FactorIndex:
        """Return "items" or "users" packed for retrieval by "dot" or "cosine"."""

        def build() -> FactorIndex:
            factors = self.item_factors_ if side == "items" else self.user_factors_
            biases = self._item_biases() if (side, metric) == ("items", "dot") else None
            return FactorIndex(factors, biases, metric=metric)

        index: FactorIndex = self._cached(f"{side} by {metric}", build)
        return index

    def score(self, query: Query) -> Array:
        """Return the score of every item for each user of a query.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float, shape (n, n_items)
            Inner products, plus the biases where the model has some.
        """
        vectors, offsets = self._vectors_of_query(query)
        scores: Array = vectors @ self.item_factors_.T
        biases = self._item_biases()
        if biases is not None:
            scores = scores + biases
        return scores if offsets is None else scores + offsets[:, None]

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
        vectors, offsets = self._vectors_of_query(query)
        indices, scores = self._index("items", "dot").rank(
            vectors, query.k, query.candidates, query.exclude, query.n_threads
        )
        return indices, scores if offsets is None else scores + offsets[:, None]

    def _recommend_rows(
        self,
        rows: NDArray[np.int64],
        queries: NDArray[Any],
        *,
        k: Any,
        exclude_seen: Any,
        filters: Sequence[Any],
        popular: bool,
        features: Sequence[Any] | None = None,
        catalog: Catalog | None = None,
        n_threads: int | None = None,
    ) -> TopK:
        X = self.user_items_
        if len(rows) == 1 and X is not None and rows[0] >= 0:  # the usual call of a service
            begin, end = X.indptr[rows[0] : rows[0] + 2].tolist()
            if end > begin and all(part is None for part in (*filters, *(features or ()))):
                k = min(as_int(k, "k", minimum=1), self.n_items)
                seen = X.indices[begin:end] if as_bool(exclude_seen, "exclude_seen") else None
                threads = resolve_n_threads(n_threads)
                vectors, offsets = self._vectors_and_offsets(rows, None, threads)
                index = self._index("items", "dot")
                indices, scores = index.rank_one(vectors, k, seen, threads)
                scores = scores if offsets is None else scores + offsets
                return TopK(queries, indices, scores, self.items_, *self._names)
        return super()._recommend_rows(
            rows,
            queries,
            k=k,
            exclude_seen=exclude_seen,
            filters=filters,
            popular=popular,
            features=features,
            catalog=catalog,
            n_threads=n_threads,
        )

    def _without_history(self, query: Query) -> NDArray[np.bool_]:
        if self.user_items_ is not None or query.users is None:
            return super()._without_history(query)
        unknown = query.users < 0
        return unknown | ~self.user_factors_[np.where(unknown, 0, query.users)].any(axis=1)

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
            One list for each item, without the item itself; empty for an item without interactions
            or with factors of zero.

        Raises
        ------
        KeyError
            For an unknown item.
        """
        self._check_fitted()
        columns = self._columns(items, "items")
        queries = columns if self.items_ is None else self.items_.ids[columns]
        return self._similar("items", columns, queries, k, candidates, exclude, n_threads)

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
        rows = self._rows(users, "users")
        queries = rows if self.users_ is None else self.users_.ids[rows]
        return self._similar("users", rows, queries, k, candidates, exclude, n_threads)

    def _similar(
        self,
        side: str,
        rows: NDArray[np.int64],
        queries: NDArray[Any],
        k: int,
        candidates: Any,
        exclude: Any,
        n_threads: int | None,
    ) -> TopK:
        """Return the rows of "users" or "items" with the highest cosine, without the row itself."""
        vectors = (self.item_factors_ if side == "items" else self.user_factors_)[rows]
        own = one_entry_rows(rows, self.n_items if side == "items" else self.n_users_)
        name = self._names[1 if side == "items" else 0]
        lists = self._rank_side(
            side,
            "cosine",
            vectors,
            queries,
            (name, f"similar_{name}"),
            k=k,
            candidates=candidates,
            exclude=exclude,
            own=own,
            n_threads=n_threads,
        )
        # The factors of a row without interactions are zero, or still the random first ones.
        is_empty = ~vectors.any(axis=1) | ~self._has_interactions(side, rows)
        lists.indices[is_empty], lists.scores[is_empty] = -1, -np.inf
        return lists

    def _has_interactions(self, side: str, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return flags of the rows of "users" or "items" that have an interaction of the fit."""
        has_some: NDArray[np.bool_]
        if side == "items":
            has_some = self.item_counts_[rows] > 0
        elif self.user_items_ is None:  # saved without its training data: not known
            has_some = np.ones(len(rows), dtype=bool)
        else:
            has_some = np.diff(self.user_items_.indptr)[rows] > 0
        return has_some

    def _rank_side(
        self,
        side: str,
        metric: str,
        vectors: Array,
        queries: NDArray[Any],
        names: tuple[str, str],
        *,
        k: int,
        candidates: Any,
        exclude: Any,
        own: sp.csr_array,
        n_threads: int | None,
    ) -> TopK:
        """Return the best "users" or "items" for vectors under filters; ``own`` is excluded too."""
        ids = self.items_ if side == "items" else self.users_
        size = self.n_items if side == "items" else self.n_users_
        catalog = Catalog(ids, size, side[:-1])
        allowed, excluded = as_filters(candidates, exclude, catalog, queries, own)
        k = min(as_int(k, "k", minimum=1), size)
        threads = resolve_n_threads(n_threads)
        indices, scores = self._index(side, metric).rank(vectors, k, allowed, excluded, threads)
        return TopK(queries, indices, scores, ids, *names)


def as_factor_dtype(dtype: Any) -> Any:
    """Return float32 or float64 from its name or the NumPy type."""
    try:
        known = np.dtype(dtype)
    except TypeError:
        known = None
    # A type equals None where NumPy's default is that type, so None is excluded by itself.
    if dtype is None or known is None or known not in (np.dtype("f4"), np.dtype("f8")):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    return known
