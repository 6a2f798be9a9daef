"""What every recommender here shares: ids in and out, filters under one rule, refits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from .csr import take_rows
from .estimator import Estimator
from .lists import TopK
from .merge import merged, renumbered
from .query import Ask, check_n_items, which_allowed, with_denied
from .threads import resolve_n_threads
from .validation import as_bool, as_csr, as_indices, as_int

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..data import IdMap

__all__ = ["Recommender"]


class Recommender(Estimator):
    """Base of all models: subclasses say how to learn, to rank and to score pairs."""

    user_items_: sp.csr_array
    users_: IdMap | None
    items_: IdMap | None
    predicts_ratings: bool = False  # else scores that only rank

    _state: ClassVar[tuple[str, ...]] = ("user_items_", "users_", "items_")
    _dtype: ClassVar[Any] = None  # of the values, None: as given
    _keeps_times: ClassVar[bool] = False

    def _learn(self, n_threads: int) -> None:
        """Set the learned attributes from ``user_items_``."""

    def _prepare(self, n_threads: int) -> None:
        """Set what is derived from the learned attributes; also called after loading."""

    def _rank(self, ask: Ask) -> tuple[NDArray[np.int32], NDArray[Any]]:
        raise NotImplementedError

    def _score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        raise NotImplementedError

    def _check_state(self) -> None:
        """Raise ValueError where the learned attributes do not fit together (a foreign file)."""
        for ids, n in zip((self.users_, self.items_), self.user_items_.shape, strict=True):
            if ids is not None and len(ids) != n:
                raise ValueError(f"{len(ids)} ids for {n} rows or columns")

    # ---- learning ----------------------------------------------------------------------------

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn from users x items.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            If it is `Interactions`, all other calls take and give its ids, else row and column
            numbers. Never changed; shared where it is canonical, so don't change it afterwards.
        y : None
            Ignored; scikit-learn passes it.

        Returns
        -------
        Self
            The object itself; where this raises, it stays what it was.
        """
        return self._fit(X)

    def _fit(self, X: Any, *how: Any) -> Self:
        threads = resolve_n_threads(getattr(self, "n_threads", None))
        fresh = type(self)(**self.get_params(deep=False))
        fresh._take(X)
        fresh._learn(threads, *how)
        fresh._prepare(threads)
        return self._become(fresh)

    def _restore(self) -> None:
        """Complete a model whose ``_state`` came from a file."""
        self._check_state()
        self.n_features_in_ = self.user_items_.shape[1]
        self._fitted_with = self.get_params(deep=False)
        self._prepare(resolve_n_threads(None))

    def _take(self, X: Any) -> None:
        self.user_items_ = as_csr(X, dtype=self._dtype)
        self.users_, self.items_ = getattr(X, "users", None), getattr(X, "items", None)
        if self._keeps_times:
            self.timestamps_ = getattr(X, "timestamps", None)
            self.time_unit_ = getattr(X, "time_unit", None)
        self.n_features_in_ = self.user_items_.shape[1]

    def partial_fit(self, X: Any, y: None = None, *, duplicates: str = "error") -> Self:
        """Add new interactions; the model becomes the one that a fit on all of them gives.

        Parameters
        ----------
        X : as in `fit`
            `Interactions`: users and items are matched by id, both may be new. A matrix: its rows
            are new users, numbered on from the last; further columns are new items.
        y : None
            Ignored.
        duplicates : {"error", "sum", "last", "mean", "max", "min"}, default="error"
            What becomes of a user and item that already have a value. "last": the new one.

        Returns
        -------
        Self
            The object itself; where this raises, it stays what it was. Costs a fit on the joined
            data: truncated neighbour lists can't be kept exact otherwise.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X)
        times = getattr(self, "timestamps_", None), getattr(self, "time_unit_", None)
        return self.fit(merged(self.user_items_, self.users_, self.items_, times, X, duplicates))

    # ---- answers -----------------------------------------------------------------------------

    def recommend(
        self,
        users: Any = None,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        items: Any = None,
        exclude_items: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """The k best items for each user.

        Parameters
        ----------
        users : id or array-like of ids, optional
            Row numbers where the model was fitted on a matrix. Default: everyone, in row order.
        k : int, default=10
            At least 1; more than there are items is the same as all items.
        exclude_seen : bool, default=True
            Leave out items that the user has a stored value for, zeros included.
        items : array-like of item ids, optional
            Only these may come back.
        exclude_items : array-like of item ids, or sparse matrix, optional
            These may not; a matrix of shape (n asked users, n_items) denies its stored entries
            user by user.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            ``min(k, n_items)`` columns; a user with fewer candidates has padding (-1, -inf).

        Raises
        ------
        KeyError
            For an unknown user or item.
        NotFittedError
            Before ``fit``.
        """
        self._check_fitted()
        if users is None:
            rows = np.arange(self.user_items_.shape[0])
            queries = rows if self.users_ is None else self.users_.ids
            profiles = self.user_items_
        else:
            rows = self._rows(users, "users")
            queries = rows if self.users_ is None else self.users_.ids[rows]
            profiles = take_rows(self.user_items_, rows)
        filters = (exclude_seen, items, exclude_items)
        return self._answer(profiles, rows, queries, k, filters, n_threads)

    def fold_in(
        self,
        user_items: Any,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        items: Any = None,
        exclude_items: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """The k best items for users the model has not seen; it does not change.

        Parameters
        ----------
        user_items : Interactions, sparse matrix or 2-D array of shape (n, n_items)
            What these users have. `Interactions` are matched by item id, and their user ids are
            not looked up.
        k, exclude_seen, items, exclude_items, n_threads
            As in `recommend`.

        Returns
        -------
        TopK
            One list for each row.

        Raises
        ------
        ValueError
            Where the number of columns is not that of the fitted items.
        KeyError
            For an unknown item.
        """
        self._check_fitted()
        profiles = as_csr(user_items, "user_items", dtype=self.user_items_.dtype)
        queries = np.arange(profiles.shape[0])
        if hasattr(user_items, "items") and self.items_ is not None:
            queries = user_items.users.ids
            columns = self.items_.index(user_items.items.ids, what="item")
            profiles = renumbered(profiles, columns, len(self.items_))
        check_n_items(profiles, self.user_items_.shape[1])
        filters = (exclude_seen, items, exclude_items)
        return self._answer(profiles, None, queries, k, filters, n_threads)

    def predict(self, users: Any, items: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """The score or rating of each pair of a user and an item.

        Parameters
        ----------
        users, items : array-like of ids, shape (n,)
            One of each for every pair; a single one is paired with all of the other.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        ndarray of float64, shape (n,)
            Ratings for models of ratings, else the scores by which `recommend` ranks.

        Raises
        ------
        KeyError
            For an unknown user or item.
        ValueError
            Where the lengths do not match.
        """
        self._check_fitted()
        rows, columns = self._rows(users, "users"), self._columns(items, "items")
        if len(rows) != len(columns) and 1 not in (len(rows), len(columns)):
            raise ValueError(
                f"users and items must be of equal length, got {len(rows)} and {len(columns)}"
            )
        rows, columns = (np.ascontiguousarray(a) for a in np.broadcast_arrays(rows, columns))
        return self._score_pairs(rows, columns, resolve_n_threads(n_threads))

    # ---- helpers -----------------------------------------------------------------------------

    def _rows(self, users: Any, name: str) -> NDArray[np.int64]:
        if self.users_ is not None:
            return self.users_.index(users, what="user")
        return as_indices(users, name, self.user_items_.shape[0], what="users")

    def _columns(self, items: Any, name: str) -> NDArray[np.int64]:
        if self.items_ is not None:
            return self.items_.index(items, what="item")
        return as_indices(items, name, self.user_items_.shape[1], what="items")

    def _answer(
        self,
        profiles: sp.csr_array,
        rows: NDArray[np.int64] | None,
        queries: NDArray[Any],
        k: int,
        filters: tuple[bool, Any, Any],
        n_threads: int | None,
    ) -> TopK:
        """Put the question in row numbers, and the answer in ids."""
        k = min(as_int(k, "k", minimum=1), profiles.shape[1])
        exclude_seen, items, denied = filters
        exclude = profiles if as_bool(exclude_seen, "exclude_seen") else None
        if sp.issparse(denied):
            exclude, denied = with_denied(exclude, denied, profiles.shape), None
        allowed = which_allowed(
            profiles.shape[1],
            None if items is None else self._columns(items, "items"),
            None if denied is None else self._columns(denied, "exclude_items"),
        )
        ask = Ask(profiles, rows, k, exclude, allowed, resolve_n_threads(n_threads))
        if len(queries) and k:
            indices, scores = self._rank(ask)
        else:
            indices = np.empty((len(queries), k), dtype=np.int32)
            scores = np.empty((len(queries), k), dtype=profiles.dtype)
        return TopK(queries, indices, scores, self.items_)
