"""The contract of all recommenders: ids in and out, filters, unknown users, updates, files."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from .arguments import MEMBERS, features_refused
from .caller import warn_caller
from .csr import (
    renumber_columns,
    share_with_scipy,
    stack_rows,
    take_rows,
    take_rows_or_empty,
)
from .estimator import Estimator
from .events import check_events, group_rows, take_events
from .features import (
    check_features,
    encoded_features,
    extended_catalog,
    features_of_queries,
    features_of_rows,
    learned_features,
)
from .filters import Catalog, as_filter, combine_filters
from .fit_options import FitOptions
from .lists import TopK, column_names_of_lists
from .progress import log_duration, logger
from .query import Query
from .ranking import padding, rank_by_score, rank_shared, scores_of_pairs
from .threads import resolve_n_threads
from .validation import (
    as_bool,
    as_choice,
    as_collection,
    as_csr,
    as_indices,
    as_int,
    refuse_table,
    wrap_csr,
)
from .with_ids import MatrixWithIds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..data import IdMap
    from .progress import Event, Progress
    from .ranking import Ranked

__all__ = ["DUPLICATE_RULES", "UNKNOWN", "Forgotten", "Recommender"]

UNKNOWN = ("error", "skip", "popular")  # what to do with unknown users
DUPLICATE_RULES = ("error", "sum", "last", "mean", "max", "min")


@dataclass(frozen=True)
class Forgotten:
    """What `Recommender.forget` did.

    Parameters
    ----------
    n_users : int
        Users removed from the model.
    remains : str
        What the removed users' interactions still influence until the next `fit`.
    """

    n_users: int
    remains: str


def _of_query(score: Callable[..., NDArray[Any]]) -> Callable[..., NDArray[Any]]:
    """Make ``score`` refuse what scikit-learn gives where no scorer is named."""

    @functools.wraps(score)
    def checked(self: Any, query: Any, *others: Any, **named: Any) -> NDArray[Any]:
        if others or not hasattr(query, "profiles"):
            raise TypeError(
                f"{type(self).__name__}.score takes a Query, got {type(query).__name__}: in "
                "scikit-learn's model selection pass scoring=ranking_scorer('ndcg@10') of "
                "aimass_core.evaluation, or wrap a model of ratings in RatingRegressor"
            )
        return score(self, query, **named)

    return checked


def _in_type_of(ids: NDArray[Any], queries: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return queried ids where the known ones are those of the fit: 7, not 7.0."""
    if queries.dtype.kind == ids.dtype.kind or not len(ids):
        return queries
    known = rows >= 0
    if known.all():
        return ids[rows]
    if queries.dtype.kind == "f":
        strangers = [int(x) if float(x).is_integer() else None if x != x else x for x in queries]
    else:
        strangers = queries.tolist()
    typed = np.empty(len(rows), dtype=object)
    typed[:] = strangers
    of_fit = ids[rows[known]]
    typed[known] = list(of_fit) if of_fit.dtype.kind == "M" else of_fit.tolist()
    return typed


def _warn_of_pairs(X: Any) -> None:
    """Warn of an array whose columns look like users, items and ratings, not like items."""
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "iu" or X.ndim != 2:
        return
    n_rows, n_columns = X.shape
    if n_rows > 20 and 2 <= n_columns <= 4 and min(len(np.unique(c)) for c in X.T[:2]) > 10:
        warn_caller(
            f"X is read as {n_rows} users x {n_columns} items: rows of a user and an item go to "
            "Interactions.from_arrays(X[:, 0], X[:, 1])"
        )


class Recommender(Estimator):
    """Base class of all recommenders.

    A subclass defines `score`. It may define `rank` and `score_pairs` where there is a faster way
    than dense scores, and ``embed(profiles)`` where users have vectors. A model that learns
    something beyond the interactions themselves overrides ``fit(X)`` and calls ``super().fit(X)``
    first, which sets ``user_items_``, ``users_`` and ``items_``. Everything else is
    inherited: ids, filters, lists for new users, evaluation, the command and files.

    A model that uses features of items or users derives from `FeatureRecommender`.

    Attributes
    ----------
    user_items_ : csr_array of shape (n_users, n_items) or None
        The fitted interactions. None in a model that was saved with ``training=False``.
    users_, items_ : IdMap or None
        Ids of rows and columns; None after a fit on a matrix.
    item_counts_ : ndarray of int64, shape (n_items,)
        Number of users who have each item.
    n_users_ : int
        Number of users of the fit.
    item_features_, user_features_ : csr_array of float32, shape (n, n_features), or None
        Features of the items and users of the fit, of models that use them. A row without
        entries belongs to an item or user without features.
    item_encoder_, user_encoder_ : Features or None
        How these features were encoded; its ``names`` are the names of the columns.

    Examples
    --------
    A model that recommends the items with the highest prices:

    >>> import numpy as np
    >>> from aimass_core import Interactions, Recommender
    >>> class MostExpensive(Recommender):
    ...     def __init__(self, *, prices):
    ...         self.prices = prices
    ...     def score(self, query):
    ...         return np.tile([self.prices[i] for i in self.items_.ids], (len(query), 1))
    >>> x = Interactions.from_arrays(["ann", "bob"], ["tea", "pie"])
    >>> MostExpensive(prices={"tea": 2.0, "pie": 3.5}).fit(x).recommend(["ann"]).ids.tolist()
    [['pie', None]]
    """

    user_items_: Any  # csr_array, or None in a model saved without its training data
    users_: IdMap | None
    items_: IdMap | None
    item_counts_: NDArray[np.int64]
    n_users_: int
    predicts_ratings: bool = False  # else scores that only rank

    _state: ClassVar[tuple[str, ...]] = (
        "user_items_",
        "users_",
        "items_",
        "item_counts_",
        "n_users_",
    )
    # Learned arrays with a row for each user, beside user_items_.
    _per_user: ClassVar[tuple[str, ...]] = ()
    # Whether `fit` and the calls that return lists take features of items or users.
    uses_item_features: ClassVar[bool] = False
    uses_user_features: ClassVar[bool] = False
    # Those of both without which `fit` raises, such as ("item_features",).
    needs_features: ClassVar[tuple[str, ...]] = ()
    item_features_: Any = None
    user_features_: Any = None
    item_encoder_: Any = None
    user_encoder_: Any = None
    # Extra of this package that `fit` needs, such as "deep"; answers and files do without it.
    needs_extra: ClassVar[str | None] = None
    # Fields of a Query that must be given, beside profiles.
    requires: ClassVar[tuple[str, ...]] = ()
    # Whether the model cannot rank items for a user without any interaction.
    needs_history: ClassVar[bool] = True
    # Whether answers for users of the fit need the training matrix.
    needs_training: bool = True
    _dtype: ClassVar[Any] = None  # type of the values of user_items_; None: as given
    # Whether lists for new users depend on the times of their interactions.
    _orders_profiles: bool = False
    # Whether the state has timestamps_, time_unit_ and events_.
    _keeps_times: ClassVar[bool] = False
    # Whether the model of an event can answer, and a true result of the callback ends the fit.
    learns_in_epochs: ClassVar[bool] = False
    # The arguments and the progress reporter of the call of `fit` that is under way.
    _options: FitOptions = FitOptions()
    _reporter: Progress | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "score" in vars(cls):
            cls.score = _of_query(cls.score)  # type: ignore[method-assign]
        for side in ("item", "user"):
            if getattr(cls, f"uses_{side}_features"):
                own = (f"{side}_features_", f"{side}_encoder_")
                cls._state = tuple(dict.fromkeys((*cls._state, *own)))
        if cls.uses_user_features:
            cls._per_user = tuple(dict.fromkeys((*cls._per_user, "user_features_")))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name not in MEMBERS or hasattr(type(self), name):
                return object.__getattribute__(self, name)  # raises; a property, its own error
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}: {MEMBERS[name]}"
            )

    # ---- what a model defines ----------------------------------------------------------------

    def score(self, query: Query) -> NDArray[Any]:
        """Return the score of every item for each user of a query.

        Parameters
        ----------
        query : Query
            Some users, in row numbers. Filters need not be honoured here.

        Returns
        -------
        ndarray of float, shape (n, n_items)
            Higher is better; -inf or NaN marks an item that cannot be recommended.
        """
        raise NotImplementedError(f"{type(self).__name__} must define score(query)")

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user of a query under its filters.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices : ndarray of int32, shape (n, k)
            Score descending, then column ascending; -1 after the end of a shorter list.
        scores : ndarray of float, shape (n, k)
            -inf after the end of a shorter list.
        """
        return rank_by_score(query, self.score)

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the score of each pair of a row and a column.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Threads to use.

        Returns
        -------
        ndarray of float64, shape (n,)
            The scores that `score` gives.
        """

        def score_users(rows: NDArray[np.int64]) -> NDArray[Any]:
            return self.score(self._query_of_rows(rows, n_threads))

        return scores_of_pairs(users, items, score_users, self.n_items)

    def _learn(self, n_threads: int) -> None:
        """Set the learned attributes from ``user_items_``; other arguments are in ``_options``."""

    def _progress(self, n_steps: int) -> Progress:
        """Return the progress reporter of the call of `fit` that is under way.

        ``n_steps`` are those that the model reports itself. For a model that does not learn in
        epochs `_fit` reports one more, which holds the complete model.
        """
        if self._reporter is None:
            return self._options.progress(n_steps)
        self._reporter.set_n_steps(n_steps + (not self.learns_in_epochs))
        return self._reporter

    def _prepare(self, n_threads: int) -> None:
        """Compute what answering derives from the learned attributes; also called after loading."""

    def _check_state(self) -> None:
        """Raise ValueError where the learned attributes of a loaded file do not fit together."""
        n_items = len(self.item_counts_)
        if self.item_counts_.ndim != 1 or self.item_counts_.dtype.kind not in "iu":
            raise ValueError("item counts that are not whole numbers")
        shape = (self.n_users_, n_items)
        if self.user_items_ is not None and self.user_items_.shape != shape:
            raise ValueError(f"a matrix of shape {self.user_items_.shape} instead of {shape}")
        self._check_times()
        for ids, n in ((self.users_, self.n_users_), (self.items_, n_items)):
            if ids is not None and len(ids) != n:
                raise ValueError(f"{len(ids)} ids for {n} rows or columns")
        check_features(self.item_features_, self.item_encoder_, n_items, "item")
        check_features(self.user_features_, self.user_encoder_, self.n_users_, "user")

    def _check_times(self) -> None:
        times, events = getattr(self, "timestamps_", None), getattr(self, "events_", None)
        if self.user_items_ is None and (times is not None or events is not None):
            raise ValueError("times without interactions")
        if times is not None and (
            times.dtype != np.int64 or times.shape != (self.user_items_.nnz,)
        ):
            raise ValueError("the times do not fit the entries of the matrix")
        if events is not None:
            check_events(events, self.user_items_.nnz, self.user_items_.dtype)

    def _facts(self) -> dict[str, str]:
        """Return the facts about the fit that a notebook shows."""
        facts = {"users": f"{self.n_users_:,}", "items": f"{self.n_items:,}"}
        if self.user_items_ is not None:
            facts["interactions"] = f"{self.user_items_.nnz:,}"
        else:
            facts["interactions"] = "not kept (training=False)"
        facts["ids"] = "row numbers" if self.users_ is None else "as in the data"
        return facts

    # ---- learning ----------------------------------------------------------------------------

    @property
    def n_items(self) -> int:
        """Number of items of the fit."""
        return len(self.item_counts_)

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Learn from users x items.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            If it is `Interactions`, all other calls take and return its ids, else row and column
            numbers. Never changed. The model may share its arrays, so do not change it afterwards.
        y : None
            Must be None; scikit-learn passes it.
        callback : callable, optional
            Called with an `Event` after each step. Where a fit is one search or one inverse, a step
            is a hundredth of it, and events come at most ten times in a second. A true result ends
            the training of a model that learns in epochs; other models complete their fit.
        verbose : bool, default=False
            Show a progress bar on standard error once the fit has taken two seconds.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        TypeError
            For a table or a list of pairs; the message shows the call that reads it.
        ValueError
            For a broken matrix or values that are not finite.
        """
        return self._fit(X, y, FitOptions(X, callback=callback, verbose=verbose))

    def _fit(self, X: Any, y: Any = None, options: FitOptions | None = None) -> Self:
        if y is not None:
            raise TypeError(
                "y must be None: ratings are the values of X. For columns of users, items and "
                "ratings call Interactions.from_arrays(users, items, values=ratings) first. In "
                "scikit-learn's searches wrap the model: evaluation.RatingRegressor(model=...)"
            )
        threads = resolve_n_threads(getattr(self, "n_threads", None))
        fresh = type(self)(**self.get_params(deep=False))
        fresh._options = options or FitOptions(X)
        fresh._reporter = fresh._options.progress(1)
        with fresh._reporter as progress, log_duration("%s.fit", type(self).__name__):
            fresh._set_training_data(X)
            fresh._set_features()
            n_users, n_items = fresh.n_users_, fresh.n_items
            logger.info(
                "%s.fit: %d users x %d items, %d interactions, %d threads",
                type(self).__name__,
                n_users,
                n_items,
                fresh.item_counts_.sum(),
                threads,
            )
            fresh._learn(threads)
            fresh._prepare(threads)
            if not self.learns_in_epochs:
                progress.step(progress.n_steps, model=fresh)
        del fresh._options, fresh._reporter
        return self._adopt_state(fresh)

    def _adopt_state(self, fresh: Self) -> Self:
        share_with_scipy(fresh)
        return super()._adopt_state(fresh)

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes without those of a call of `fit`: a callback may copy its model."""
        return {n: v for n, v in vars(self).items() if n not in ("_options", "_reporter")}

    def _restore(self) -> None:
        """Complete a model whose ``_state`` came from a file."""
        self._check_state()
        self.n_features_in_ = self.n_items
        self._fitted_with = self.get_params(deep=False)
        if self.user_items_ is None and self._requires_training():
            raise ValueError(f"{type(self).__name__} cannot answer without its training data")
        self._prepare(resolve_n_threads(None))
        share_with_scipy(self)

    def _set_training_data(self, X: Any) -> None:
        refuse_table(X, "X")
        _warn_of_pairs(X)
        threads = getattr(self, "n_threads", None)
        self.user_items_ = as_csr(X, dtype=self._dtype, n_threads=threads)
        has_ids = isinstance(X, MatrixWithIds)
        self.users_ = X.users if has_ids else None
        self.items_ = X.items if has_ids else None
        if self._keeps_times:
            self.timestamps_ = X.timestamps if has_ids else None
            self.time_unit_ = X.time_unit if has_ids else None
            events = X.events if has_ids and self._keeps_events() else None
            self.events_ = None if events is None else events.to_arrays()
            if self.events_ is not None:  # the matrix may have another type of values than X
                values = self.events_["values"].astype(self.user_items_.dtype, copy=False)
                self.events_["values"] = values
        self._count_items()

    def _keeps_events(self) -> bool:
        """Return whether the answers depend on the time of each single event."""
        return False

    def _set_features(self) -> None:
        """Match the features of this call of `fit` to items and users."""
        sides = (("item", self.items_, self.n_items), ("user", self.users_, self.n_users_))
        for side, ids, n in sides:
            name = f"{side}_features"
            given = getattr(self._options, name)
            if not getattr(self, f"uses_{name}"):
                if given is not None:
                    raise features_refused(type(self).__name__, name)
                continue
            if given is None and name in self.needs_features:
                raise TypeError(
                    f"{type(self).__name__} needs {name}: give fit a table with a column of ids, "
                    f"or a matrix with a row for each {side}"
                )
            features, encoder = learned_features(given, name, ids, n)
            setattr(self, f"{name}_", features)
            setattr(self, f"{side}_encoder_", encoder)

    def _count_items(self) -> None:
        X = self.user_items_
        self.item_counts_ = np.bincount(X.indices, minlength=X.shape[1]).astype(np.int64)
        self.n_users_, self.n_features_in_ = X.shape

    def _requires_training(self) -> bool:
        """Return whether the model cannot answer anything without the training matrix."""
        return self.needs_training

    def _joined(self, X: Any, duplicates: str) -> Any:
        """Return the interactions of the fit and new ones together, in a form that `fit` takes."""
        as_choice(duplicates, "duplicates", DUPLICATE_RULES)
        refuse_table(X, "X")
        if self.user_items_ is None:
            raise ValueError(
                "the model was saved without its training data (training=False), so new "
                "interactions cannot be added: call fit on all of them"
            )
        if self.users_ is None or self.items_ is None:
            new = as_csr(X, n_threads=getattr(self, "n_threads", None))
            if new.shape[1] < self.n_items:
                raise ValueError(
                    f"X has {new.shape[1]} items, but the model was fitted on {self.n_items}; is "
                    "it transposed? Its rows are new users, further columns are new items"
                )
            return stack_rows(self.user_items_, new)
        if not isinstance(X, MatrixWithIds):
            call = "from_csr(X, users=ids, items=ids) gives a matrix its ids"
            if isinstance(X, (str, os.PathLike)):
                call = "from_table(path, user=..., item=...) reads a file"
            raise TypeError(
                "X must be Interactions, because the model was fitted on Interactions and knows "
                f"its users and items by id; got {type(X).__name__}: Interactions.{call}"
            )
        times, unit = getattr(self, "timestamps_", None), getattr(self, "time_unit_", None)
        return X.merge_onto(
            self.user_items_,
            self.users_,
            self.items_,
            times,
            unit,
            duplicates,
            getattr(self, "events_", None),
        )

    def partial_fit(self, X: Any, y: None = None, *, duplicates: str = "error") -> Self:
        """Add new interactions; the model becomes the one that a fit on all of them gives.

        Parameters
        ----------
        X : as in `fit`
            `Interactions`: users and items are matched by id, both may be new. A matrix: its rows
            are new users, numbered on from the last; further columns are new items.
        y : None
            Must be None.
        duplicates : {"error", "sum", "last", "mean", "max", "min"}, default="error"
            How a user and item that already have a value are combined. "last": the new value.

        Returns
        -------
        Self
            The object itself. If this raises, the object stays what it was. Costs a fit on the
            joined data: truncated neighbour lists cannot be kept exact otherwise.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y)
        return self.fit(self._joined(X, duplicates), y)

    def forget(self, users: Any) -> Forgotten:
        """Remove users and their interactions from the fitted model.

        Parameters
        ----------
        users : id or array-like of ids
            Users of the fit. The others keep their order; without ids they are renumbered.

        Returns
        -------
        Forgotten
            How many users were removed, and what their interactions still influence.

        Raises
        ------
        KeyError
            For an unknown user.
        """
        self._check_fitted()
        removed = np.zeros(self.n_users_, dtype=bool)
        removed[self._rows(users, "users")] = True
        kept = np.flatnonzero(~removed)
        self.n_users_ = len(kept)
        if self.user_items_ is not None:
            self._keep_times_of(kept)
            self.user_items_ = take_rows(self.user_items_, kept)
            self._count_items()
        if self.users_ is not None:
            self.users_ = self.users_.take(kept)
        for name in self._per_user:
            values = getattr(self, name)
            if values is not None:
                setattr(
                    self, name, take_rows(values, kept) if sp.issparse(values) else values[kept]
                )
        self._forget_rows(kept)
        self._prepare(resolve_n_threads(getattr(self, "n_threads", None)))
        share_with_scipy(self)
        return Forgotten(int(removed.sum()), self._remains())

    def _keep_times_of(self, kept: NDArray[np.int64]) -> None:
        """Keep the times and events of the entries of some users."""
        times = getattr(self, "timestamps_", None)
        if times is None:
            return
        _, entries = group_rows(self.user_items_.indptr.astype(np.int64), kept)
        self.timestamps_ = times[entries]
        if self.events_ is not None:
            self.events_ = take_events(self.events_, entries)

    def _forget_rows(self, kept: NDArray[np.int64]) -> None:
        """Remove users from learned attributes that `_per_user` does not name."""

    def _remains(self) -> str:
        """Return what the interactions of forgotten users still influence."""
        return "Nothing: the model holds only what the remaining users' interactions say."

    def save(self, path: Any, *, training: bool = True) -> None:
        """Write the fitted model to one file, atomically and without pickle.

        Parameters
        ----------
        path : str or path-like
            The file; an older one is replaced only once the new one is complete.
        training : bool, default=True
            Store the interactions of the fit. Without them the file holds no customer's history;
            the loaded model then excludes seen items only where the call gives the profiles
            (`recommend_new`, or ``exclude``), and `partial_fit` is refused.

        Raises
        ------
        ValueError
            For ``training=False`` with a model that answers from the interactions themselves.
        """
        if as_bool(training, "training"):
            super().save(path)
            return
        self._check_fitted()
        if self._requires_training():
            raise ValueError(
                f"{type(self).__name__} answers from the interactions of the fit and cannot be "
                "saved without them: leave out training=False"
            )
        bare = copy.copy(self)
        bare.user_items_ = None
        if self.uses_user_features:
            bare.user_features_ = None
        if self._keeps_times:
            bare.timestamps_ = bare.time_unit_ = bare.events_ = None
        Estimator.save(bare, path)

    # ---- answers -----------------------------------------------------------------------------

    def recommend(
        self,
        users: Any = None,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
        unknown: str = "error",
        user_features: Any = None,
        item_features: Any = None,
        context: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the k best items for each user of the fit.

        Parameters
        ----------
        users : id or array-like of ids, optional
            Row numbers where the model was fitted on a matrix. Default: all users, in row order.
        k : int, default=10
            At least 1; more than there are items is the same as all items.
        exclude_seen : bool, default=True
            Leave out items that the user has a stored value for, zeros included.
        candidates : collection of item ids, mask, sparse matrix, Interactions or dict, optional
            Only these items may be recommended. A list, set, array, Series or generator of ids or
            an array of bool with a flag for each item holds for all users; a sparse matrix of shape
            (n queried users, n_items), `Interactions`, or a dict of user id to item ids gives each
            user its own. Ids that the model does not know have no effect and are logged.
        exclude : as ``candidates``, optional
            These items are not recommended.
        unknown : {"error", "skip", "popular"}, default="error"
            What to do with users that the model does not know, and that have no row in
            ``user_features``: raise; leave them out of the result; or give them the most popular
            items, which with this choice users without any interaction get, too.
        user_features : FeatureTable, table or matrix, optional
            For models that use them: features of users who were not in the fit, who get lists by
            their features. A matrix has a row for each user of the call. Users of the fit keep
            their features.
        item_features : FeatureTable, table or matrix, optional
            For models that use them: features of new items. Items without history are ranked after
            the same scores as those of the fit, among the ``candidates``. The rows of a matrix
            are new items, numbered on from the last. Items of the fit keep their features.
        context : object, optional
            For models that use it.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            ``min(k, n_items)`` columns; a list with fewer items is padded with (-1, -inf). A user
            without any interaction has an empty list, unless ``unknown="popular"`` or the model
            needs no history.

        Raises
        ------
        KeyError
            For an unknown user.
        NotFittedError
            Before ``fit``.
        """
        self._check_fitted()
        as_choice(unknown, "unknown", UNKNOWN)
        user_features = self._features_of_call(user_features)
        rows, queries = self._queried_users(users, unknown, user_features)
        catalog = self._catalog(item_features)
        return self._recommend_rows(
            rows,
            queries,
            k=k,
            exclude_seen=exclude_seen,
            filters=self._filters(candidates, exclude, queries, catalog),
            popular=unknown == "popular",
            features=self._query_features(user_features, queries, rows, catalog, context),
            catalog=catalog,
            n_threads=n_threads,
        )

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
        """Return the lists of users of the fit (row -1: unknown), with filters from `_filters`.

        ``features`` come from `_query_features`, ``catalog`` from `_catalog`.
        """
        if self.user_items_ is None and as_bool(exclude_seen, "exclude_seen"):
            raise ValueError(
                "the model was saved without its training data (training=False) and does not know "
                "what users have: pass exclude_seen=False, with the items to leave out in exclude, "
                "or call recommend_new with the users' interactions"
            )
        if self.user_items_ is None and self.needs_training:
            raise ValueError(
                "the model was saved without its training data (training=False): call "
                "recommend_new with the users' interactions"
            )
        profiles = self._profiles_of(rows)
        if catalog is None:
            catalog = self._catalog(None)
        if features is None:
            features = self._query_features(None, queries, rows, catalog)
        query = self._query(profiles, rows, k, exclude_seen, filters, features, catalog, n_threads)
        return self._lists(query, queries, popular, catalog)

    def recommend_new(
        self,
        user_items: Any,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
        unknown: str = "skip",
        unknown_items: str = "warn",
        user_features: Any = None,
        item_features: Any = None,
        context: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the k best items for users who were not in the fit; the model does not change.

        Parameters
        ----------
        user_items : Interactions, sparse matrix or 2-D array of shape (n, n_items); or None
            Interactions of these users. `Interactions` are matched by item id; their user ids are
            those of the result, whether or not the model knows them. None with ``user_features``:
            the users of that table, without interactions.
        k, exclude_seen, candidates, exclude
            As in `recommend`.
        unknown : {"skip", "popular"}, default="skip"
            A user without any known item gets an empty list, or the most popular items.
        unknown_items : {"warn", "error"}, default="warn"
            Items that the model does not know are dropped with one warning that counts them, or
            raise.
        user_features : FeatureTable, table or matrix, optional
            For models that use them: features of these users. A matrix has a row for each.
        item_features, context, n_threads
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
            For an unknown item with ``unknown_items="error"``.
        """
        self._check_fitted()
        as_choice(unknown, "unknown", ("skip", "popular"))
        if user_items is None and user_features is not None and self.uses_user_features:
            user_features = self._encoded_users(user_features)
            profiles, queries = self._profiles_without_history(user_features)
        else:
            profiles, queries = self._new_profiles(user_items, unknown_items)
        catalog = self._catalog(item_features)
        filters = self._filters(candidates, exclude, queries, catalog)
        features = self._query_features(user_features, queries, None, catalog, context)
        query = self._query(profiles, None, k, exclude_seen, filters, features, catalog, n_threads)
        if self._orders_profiles:
            query = replace(query, times=self._new_times(user_items))
        return self._lists(query, queries, unknown == "popular", catalog)

    def predict(self, users: Any, items: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """Return the score or rating of each pair of a user and an item.

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
        if self.needs_training:
            self._require_training("score users of the fit")
        rows, columns = self._rows(users, "users"), self._columns(items, "items")
        if len(rows) != len(columns) and 1 not in (len(rows), len(columns)):
            raise ValueError(
                f"users and items must be of equal length, got {len(rows)} and {len(columns)}"
            )
        rows, columns = (np.ascontiguousarray(a) for a in np.broadcast_arrays(rows, columns))
        return self.score_pairs(rows, columns, resolve_n_threads(n_threads))

    # ---- helpers -----------------------------------------------------------------------------

    def _require_training(self, purpose: str) -> None:
        """Raise ValueError for a model that was saved without its training data."""
        if self.user_items_ is None:
            raise ValueError(
                f"the model was saved without its training data (training=False) and cannot "
                f"{purpose}: save it with training=True, or call recommend_new with the users' "
                "interactions"
            )

    @property
    def _names(self) -> tuple[str, str]:
        """Column names of users and items in tables of lists."""
        return column_names_of_lists(self.users_, self.items_)

    def _rows(self, users: Any, name: str) -> NDArray[np.int64]:
        if self.users_ is not None:
            return self.users_.index(users, what="user")
        return as_indices(users, name, self.n_users_, what="users")

    def _columns(self, items: Any, name: str) -> NDArray[np.int64]:
        if self.items_ is not None:
            return self.items_.index(items, what="item")
        return as_indices(items, name, self.n_items, what="items")

    @staticmethod
    def _one_pair(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[int, int]:
        """Return the only user and the only item of a call that explains one score."""
        if len(rows) != 1 or len(columns) != 1:
            raise ValueError(
                f"user and item must be one of each, got {len(rows)} users and {len(columns)} items"
            )
        return int(rows[0]), int(columns[0])

    def _features_of_call(self, user_features: Any) -> Any:
        """Return features of the users of a call as a table; as given where a model takes any."""
        if user_features is None or "user_features" in self.requires:
            return user_features
        return self._encoded_users(user_features)

    def _queried_users(
        self,
        users: Any,
        unknown: str,
        user_features: Any = None,
        remedy: str = "pass unknown='popular' for the most popular items, or unknown='skip'",
    ) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the rows of the queried users (-1: unknown) and their ids.

        Users in a table of ``user_features`` count as known. ``remedy`` ends the message of the
        error for unknown users.
        """
        if users is None:
            rows = np.arange(self.n_users_)
            return rows, rows if self.users_ is None else self.users_.ids
        if user_features is not None and "user_features" not in self.requires:
            return self._users_with_features(users, unknown, user_features, remedy)
        if unknown == "error":
            try:
                rows = self._rows(users, "users")
            except KeyError as error:
                raise KeyError(f"{error.args[0]}: {remedy}") from None
            return rows, rows if self.users_ is None else self.users_.ids[rows]
        users = as_collection(users)
        if not hasattr(users, "__len__") or isinstance(users, (str, bytes)):
            users = [users]
        queries = np.asarray(users)
        if self.users_ is not None:
            rows = self.users_.get(users)
            self.users_._refuse_twins(users, rows, "users")
            queries = _in_type_of(self.users_.ids, queries, rows)
        else:
            rows = as_indices(users, "users", None, what="users")
            rows = np.where((rows >= 0) & (rows < self.n_users_), rows, -1)
        missing = np.count_nonzero(rows < 0)
        if missing:
            logger.info("users: %d of %d are unknown to the model", missing, len(rows))
        if unknown == "skip":
            known = rows >= 0
            rows = rows[known]
            return rows, rows if self.users_ is None else self.users_.ids[rows]
        return rows, queries

    def _users_with_features(
        self, users: Any, unknown: str, table: Any, remedy: str
    ) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return what `_queried_users` does, with new users who have a row in a table."""
        rows, queries = self._queried_users(users, "popular")
        if self.users_ is None and len(queries) and queries.min() < 0:
            shown = ", ".join(map(str, queries[queries < 0][:5]))
            raise KeyError(f"users holds {shown}, but numbers of users are at least 0")
        if unknown == "popular":
            return rows, queries
        has_row = np.ones(len(rows), dtype=bool)  # a matrix has a row for each user of the call
        if table.ids is not None:
            has_row = table.ids.get(queries) >= 0
        is_known = (rows >= 0) | has_row
        if is_known.all() or unknown == "skip":
            return rows[is_known], queries[is_known]
        self._queried_users(queries[~is_known], "error", remedy=remedy)  # raises
        return rows, queries

    def _profiles_of(self, rows: NDArray[np.int64]) -> sp.csr_array:
        """Return the interactions of users of the fit: empty for row -1 and where none are kept."""
        X = self.user_items_
        if X is None:
            return wrap_csr(
                np.zeros(len(rows) + 1, dtype=np.int64),
                np.empty(0, dtype=np.int32),
                np.empty(0, dtype=np.float32),
                (len(rows), self.n_items),
            )
        if len(rows) == X.shape[0] and (rows == np.arange(len(rows))).all():
            return X
        return take_rows_or_empty(X, rows)

    @property
    def _score_dtype(self) -> Any:
        """Type of the scores of empty lists, where no user of the call has a history."""
        if self.predicts_ratings or self.user_items_ is None:
            return np.float64
        return self.user_items_.dtype

    def _query_of_rows(self, rows: NDArray[np.int64], n_threads: int) -> Query:
        """Return a query without filters for users of the fit."""
        return Query(
            self._profiles_of(rows),
            rows,
            user_features=features_of_rows(self.user_features_, rows),
            k=max(self.n_items, 1),
            n_threads=n_threads,
        )

    def _new_profiles(
        self, user_items: Any, unknown_items: str = "warn"
    ) -> tuple[sp.csr_array, NDArray[Any]]:
        """Return new users' interactions with the fitted items, and their ids."""
        as_choice(unknown_items, "unknown_items", ("warn", "error"))
        refuse_table(user_items, "user_items")
        dtype = self._dtype if self.user_items_ is None else self.user_items_.dtype
        profiles = as_csr(user_items, "user_items", dtype=dtype)
        queries: NDArray[Any] = np.arange(profiles.shape[0])
        if isinstance(user_items, MatrixWithIds) and self.items_ is not None:
            queries = user_items.users.ids
            if unknown_items == "error":
                columns = self.items_.index(user_items.items.ids, what="item")
            else:
                columns = self.items_.get(user_items.items.ids)
                self.items_._refuse_twins(user_items.items.ids, columns, "user_items")
                self._warn_of_items(int(np.count_nonzero(columns < 0)), len(columns))
            profiles = renumber_columns(profiles, columns, self.n_items)
        if profiles.shape[1] != self.n_items:
            raise ValueError(
                f"user_items has {profiles.shape[1]} items, but the fitted matrix has "
                f"{self.n_items}; is it transposed? Rows are users, columns are items"
            )
        return profiles, queries

    def _new_times(self, user_items: Any) -> NDArray[np.int64] | None:
        """Return the times of the entries of what `_new_profiles` returns; None without times."""
        if not isinstance(user_items, MatrixWithIds) or user_items.timestamps is None:
            return None
        times: NDArray[np.int64] = user_items.timestamps
        if self.items_ is None:
            return times
        X = user_items.matrix
        numbers = wrap_csr(X.indptr, X.indices, np.arange(X.nnz, dtype=np.float64), X.shape)
        columns = self.items_.get(user_items.items.ids)
        kept = renumber_columns(numbers, columns, self.n_items).data
        ordered: NDArray[np.int64] = times[kept.astype(np.int64)]
        return ordered

    @staticmethod
    def _warn_of_items(n_unknown: int, n: int) -> None:
        """Warn that some items of new users' profiles are unknown to the model."""
        if n_unknown:
            warn_caller(
                f"user_items: {n_unknown} of {n} items are unknown to the model and are dropped; "
                "pass unknown_items='error' to refuse them",
            )

    def _catalog(self, item_features: Any) -> Catalog:
        """Return the items of the fit, and the new ones that a call has features of."""
        if item_features is None or "item_features" in self.requires:
            return Catalog(self.items_, self.n_items, "item", item_features)
        self._check_uses("item_features")
        return extended_catalog(item_features, self.items_, self.item_features_, self.item_encoder_)

    def _check_uses(self, name: str) -> None:
        """Raise where features are given to a model that does not use them, or has learned none."""
        if not getattr(self, f"uses_{name}"):
            raise features_refused(type(self).__name__, name)
        if getattr(self, f"{name}_") is None:
            raise ValueError(
                f"the model was fitted without {name} (or saved without its training data): give "
                f"{name} to fit, too"
            )

    def _encoded_users(self, user_features: Any) -> Any:
        """Return features of the users of a call, encoded as those of the fit were."""
        if self.user_encoder_ is None:
            self._check_uses("user_features")
        return encoded_features(
            user_features, "user_features", self.user_encoder_, getattr(self.users_, "name", None)
        )

    def _profiles_without_history(self, table: Any) -> tuple[sp.csr_array, NDArray[Any]]:
        """Return empty interactions of the users of a table of features, and their ids."""
        rows = np.full(len(table), -1, dtype=np.int64)
        queries = np.arange(len(table)) if table.ids is None else table.ids.ids
        return self._profiles_of(rows), queries

    def _query_features(
        self,
        user_features: Any,
        queries: NDArray[Any],
        rows: NDArray[np.int64] | None,
        catalog: Catalog,
        context: Any = None,
    ) -> tuple[Any, Any, Any]:
        """Return features of users and items, and the context, as a `Query` has them."""
        if "user_features" in self.requires:
            return user_features, catalog.features, context
        own = None
        if user_features is not None:
            table = self._encoded_users(user_features)
            own = features_of_queries(table, queries, rows, self.user_features_)
        elif self.user_features_ is not None:
            absent = np.full(len(queries), -1, dtype=np.int64)
            own = features_of_rows(self.user_features_, absent if rows is None else rows)
        return own, catalog.features, context

    def _filters(
        self, candidates: Any, exclude: Any, queries: NDArray[Any], catalog: Catalog | None = None
    ) -> list[Any]:
        """Return both filters as masks or as matrices with a row for each query."""
        items = Catalog(self.items_, self.n_items, "item") if catalog is None else catalog
        return [
            as_filter(values, name, items, queries)
            for name, values in (("candidates", candidates), ("exclude", exclude))
        ]

    def _query(
        self,
        profiles: sp.csr_array,
        rows: NDArray[np.int64] | None,
        k: Any,
        exclude_seen: Any,
        filters: Sequence[Any],
        features: Sequence[Any],
        catalog: Catalog,
        n_threads: int | None,
    ) -> Query:
        """Translate the arguments of a call into row and column numbers."""
        k = min(as_int(k, "k", minimum=1), catalog.size)
        if profiles.shape[1] < catalog.size:  # new items, which nobody has
            shape = (profiles.shape[0], catalog.size)
            profiles = wrap_csr(profiles.indptr, profiles.indices, profiles.data, shape)
        seen = profiles if as_bool(exclude_seen, "exclude_seen") else None
        allowed, excluded = combine_filters(filters[0], filters[1], seen)
        given = dict(zip(("user_features", "item_features", "context"), features, strict=True))
        for name, value in given.items():
            if value is None and name in self.requires:
                raise TypeError(f"{type(self).__name__} needs {name}")
        if given["context"] is not None and "context" not in self.requires:
            raise TypeError(f"{type(self).__name__} does not use context: leave it out")
        return Query(
            profiles,
            rows,
            candidates=allowed,
            exclude=excluded,
            k=k,
            n_threads=resolve_n_threads(n_threads),
            **given,
        )

    def _lists(self, query: Query, queries: NDArray[Any], popular: bool, catalog: Catalog) -> TopK:
        """Return the lists of a query; users without history get none or the most popular items."""
        indices, scores = self._ranked(query, popular)
        user, item = self._names
        reasons = self._reasons(query, popular)
        return TopK(queries, indices, scores, catalog.ids, user, item, reasons=reasons)

    def _reasons(self, query: Query, popular: bool) -> NDArray[Any] | None:
        """Return what the list of each user is based on; None where it is the history of all."""
        uses_features = self.user_features_ is not None or query.user_features is not None
        if not popular and not uses_features:
            return None
        without = self._without_history(query)
        reasons = np.full(len(query), "history", dtype=object)
        reasons[np.diff(query.profiles.indptr) == 0] = "features" if uses_features else "model"
        reasons[without] = "popular" if popular else "none"
        return reasons

    def _ranked(self, query: Query, popular: bool) -> Ranked:
        """Return what `rank` returns, and empty or popular lists for users without history."""
        n = len(query)
        if not n or not query.k:
            return padding(n, query.k, self._score_dtype)
        query = self._in_own_dtype(query)
        without = self._without_history(query)
        if not without.any():
            return self.rank(query)
        known = np.flatnonzero(~without)
        indices, scores = padding(n, query.k, self._score_dtype)
        if len(known):
            some_indices, some_scores = self.rank(query.take(known))
            scores = scores.astype(some_scores.dtype, copy=False)
            indices[known], scores[known] = some_indices, some_scores
        if popular:
            others = np.flatnonzero(without)
            counts = np.full(query.n_items, -np.inf)  # new items are not popular yet
            known_items = self.item_counts_ > 0
            counts[: self.n_items][known_items] = self.item_counts_[known_items]
            indices[others], scores[others] = rank_shared(counts, query.take(others))
        return indices, scores

    def _in_own_dtype(self, query: Query) -> Query:
        """Return a query whose profiles have the type of the values that this model computes with.

        A model that answers for another model gets profiles of the type that the other one takes.
        """
        dtype = self._dtype if self.user_items_ is None else self.user_items_.dtype
        profiles = query.profiles
        if dtype is None or profiles.dtype == dtype:
            return query
        data = profiles.data.astype(dtype)
        own = wrap_csr(profiles.indptr, profiles.indices, data, profiles.shape)
        exclude = own if query.exclude is profiles else query.exclude
        return replace(query, profiles=own, exclude=exclude)

    def _without_history(self, query: Query) -> NDArray[np.bool_]:
        """Return a flag for each user of a query: whether the model cannot rank items for it."""
        nothing: NDArray[np.bool_] = np.diff(query.profiles.indptr) == 0
        unknown = nothing if query.users is None else query.users < 0
        if self.uses_user_features and query.user_features is not None:
            has_none = np.diff(query.user_features.indptr) == 0
            nothing, unknown = nothing & has_none, unknown & has_none
        if not self.needs_history:
            return np.zeros(len(query), dtype=bool) if query.users is None else unknown
        if self.user_items_ is None and query.users is not None:
            return unknown
        return nothing | unknown
