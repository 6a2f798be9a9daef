"""The contract of recommenders that use features of items or users."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .features import columns_of, joined_features
from .fit_options import FitOptions
from .recommender import Recommender
from .threads import resolve_n_threads
from .validation import as_csr

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from typing_extensions import Self

    from .progress import Event
    from .query import Query

__all__ = ["FeatureRecommender"]


class FeatureRecommender(Recommender):
    """Base class of recommenders that use features of items or users.

    A subclass sets the class attribute ``uses_item_features`` (or ``uses_user_features``, or both)
    and finds the features of the fit in ``item_features_`` (``user_features_``), a csr_array with a
    row for each item of the fit. A query may have columns for items that were not in the fit: then
    ``query.item_features`` has a row for each column, else it is None. ``query.user_features`` has
    a row for each user of the query; it is None in a model that was fitted without them.
    ``needs_features = ("item_features",)`` makes `fit` refuse a call without these.

    Everything else is inherited: features are matched by id and encoded as in the fit, and are
    part of the file of the model.

    Examples
    --------
    A model that recommends items by the tags of those that a user has, new items included:

    >>> import numpy as np
    >>> from aimass_core import FeatureRecommender, Interactions
    >>> class ByTags(FeatureRecommender):
    ...     uses_item_features = True
    ...     needs_features = ("item_features",)
    ...     def __init__(self):
    ...         pass
    ...     def score(self, query):
    ...         known = self.item_features_
    ...         items = known if query.item_features is None else query.item_features
    ...         tastes = query.profiles[:, : self.n_items] @ known
    ...         return (tastes @ items.T).toarray().astype(float)
    >>> x = Interactions.from_arrays(["ann", "bob"], ["tea", "pie"])
    >>> tags = {"item": ["tea", "pie"], "tags": ["hot|drink", "sweet|food"]}
    >>> model = ByTags().fit(x, item_features=tags)
    >>> new = {"item": ["ale", "jam"], "tags": ["drink", "sweet"]}
    >>> model.recommend(["ann"], k=1, item_features=new).ids.tolist()
    [['ale']]
    """

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        item_features: Any = None,
        user_features: Any = None,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Learn from users x items, and from features of items and users.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            As in `Recommender.fit`.
        y : None
            Must be None; scikit-learn passes it.
        item_features, user_features : FeatureTable, table, matrix or 2-D array, optional
            A table (pandas, polars, Arrow, dict, path) is encoded by `Features` with its defaults
            and matched by id. A matrix has a row for each item (user) in the order of X.
        callback : callable, optional
            Called with an `Event` after each step. A true result ends the training of a model
            that learns in epochs; other models complete their fit.
        verbose : bool, default=False
            Show a progress bar on standard error once the fit has taken two seconds.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        TypeError
            For features that the model does not use, and for missing ones that it needs.
        ValueError
            For values that are not finite, and for features none of whose ids is one of X.
        """
        options = FitOptions(
            X,
            callback=callback,
            verbose=verbose,
            item_features=item_features,
            user_features=user_features,
        )
        return self._fit(X, y, options)

    def partial_fit(
        self,
        X: Any,
        y: None = None,
        *,
        duplicates: str = "error",
        item_features: Any = None,
        user_features: Any = None,
    ) -> Self:
        """Add new interactions; the model becomes the one that a fit on all of them gives.

        Parameters
        ----------
        X, y, duplicates
            As in `Recommender.partial_fit`.
        item_features, user_features : as in `fit`
            Features of new items and users, encoded as in the first fit. A row of an id that has
            features already replaces them. A matrix has the rows that are added.

        Returns
        -------
        Self
            The object itself. If this raises, the object stays what it was.
        """
        features = {"item_features": item_features, "user_features": user_features}
        if self.__sklearn_is_fitted__():
            X = self._joined(X, duplicates)
            features = self._joined_features(X, item_features, user_features)
        return self.fit(X, y, **features)

    def predict(
        self,
        users: Any,
        items: Any,
        *,
        user_features: Any = None,
        item_features: Any = None,
        n_threads: int | None = None,
    ) -> NDArray[Any]:
        """Return the score or rating of each pair of a user and an item, new ones included.

        Parameters
        ----------
        users, items : array-like of ids, shape (n,)
            One of each for every pair; a single one is paired with all of the other.
        user_features, item_features : FeatureTable, table or matrix, optional
            Features of users and items that were not in the fit, as in `recommend`; a matrix of
            users has a row for each of ``users``.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        ndarray of float64, shape (n,)
            Ratings for models of ratings, else the scores by which `recommend` ranks.

        Raises
        ------
        KeyError
            For a user or an item that is neither in the fit nor in the features.
        ValueError
            Where the lengths do not match.
        """
        if user_features is None and item_features is None:
            return super().predict(users, items, n_threads=n_threads)
        self._check_fitted()
        if self.needs_training:
            self._require_training("score users of the fit")
        table = self._features_of_call(user_features)
        remedy = "give users of the fit"
        if self.user_features_ is not None:
            remedy = "give the features of users that were not in the fit in user_features"
        rows, queries = self._queried_users(users, "error", table, remedy)
        catalog = self._catalog(item_features)
        columns = columns_of(catalog, items, self.n_items)
        n, threads = len(rows), resolve_n_threads(n_threads)
        if n != len(columns) and 1 not in (n, len(columns)):
            raise ValueError(f"users and items must be of equal length, got {n} and {len(columns)}")
        positions, columns = np.broadcast_arrays(np.arange(n), columns)
        is_new = (rows[positions] < 0) | (columns >= self.n_items)
        scores = np.empty(len(columns))
        known = np.flatnonzero(~is_new)
        scores[known] = self.score_pairs(rows[positions[known]], columns[known], threads)
        new = np.flatnonzero(is_new)
        if len(new):
            of_pair = self._numbers_of_users(rows, queries, table)[positions[new]]
            _, first, row = np.unique(of_pair, return_index=True, return_inverse=True)
            queried = positions[new][first]
            features = self._query_features(table, queries, rows, catalog)
            own = (None if features[0] is None else features[0][queried], *features[1:])
            query = self._query(
                self._profiles_of(rows[queried]),
                rows[queried],
                catalog.size,
                False,
                [None, None],
                own,
                catalog,
                threads,
            )
            scores[new] = self._score_new_pairs(query, row.reshape(-1), columns[new])
        return scores

    def _numbers_of_users(
        self, rows: NDArray[np.int64], queries: NDArray[Any], table: Any
    ) -> NDArray[np.int64]:
        """Return one number for each user of pairs: the same where the user is."""
        n = self.n_users_
        if table is None or table.ids is None:  # a matrix has a row for each user of the call
            return np.where(rows >= 0, rows, n + np.arange(len(rows)))
        return np.where(rows >= 0, rows, n + table.ids.get(queries))

    def _score_new_pairs(
        self, query: Query, rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the score of each pair of a user and an item of a query, as in its lists.

        Users of up to 1, 2, 4, ... pairs are ranked together, so that the memory is O(n) also
        where one user has many more pairs than the others.

        Parameters
        ----------
        query : Query
            Users, with the features of users and items.
        rows, columns : ndarray of int64, shape (n,)
            Numbers of users and items in the query.

        Returns
        -------
        ndarray of float64, shape (n,)
            -inf where `rank` has no score.
        """
        pairs = as_csr(
            sp.csr_array(
                (np.ones(len(rows), dtype=np.float32), (rows, columns)),
                shape=(len(query), query.n_items),
            )
        )
        query = self._in_own_dtype(replace(query, candidates=pairs, exclude=None))
        n_pairs = np.diff(pairs.indptr)
        keys, values = [np.empty(0, dtype=np.int64)], [np.empty(0)]
        most, largest = 1, int(n_pairs.max(initial=0))
        while most < 2 * largest:  # users of similar numbers of pairs have lists of one length
            users = np.flatnonzero((n_pairs <= most) & (n_pairs > most // 2))
            if len(users):
                block = replace(query.take(users), k=min(most, query.n_items))
                indices, scores = self.rank(block)
                is_listed = indices >= 0
                keys.append((users[:, None] * np.int64(query.n_items) + indices)[is_listed])
                values.append(scores[is_listed].astype(np.float64))
            most *= 2
        return _values_of_keys(
            np.concatenate(keys), np.concatenate(values), rows * np.int64(query.n_items) + columns
        )

    def _joined_features(
        self, joined: Any, item_features: Any, user_features: Any
    ) -> dict[str, Any]:
        """Return old and new features by argument, for a fit on joined interactions."""
        n_users, n_items = getattr(joined, "matrix", joined).shape
        items, users = getattr(joined, "items", None), getattr(joined, "users", None)
        own = (self.item_features_, self.item_encoder_, self.items_, items, n_items)
        theirs = (self.user_features_, self.user_encoder_, self.users_, users, n_users)
        return {
            "item_features": joined_features(item_features, "item_features", *own),
            "user_features": joined_features(user_features, "user_features", *theirs),
        }


def _values_of_keys(
    keys: NDArray[np.int64], values: NDArray[np.float64], wanted: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the value of each wanted key, -inf for one that is not among the keys."""
    out = np.full(len(wanted), -np.inf)
    if not len(keys):
        return out
    order = np.argsort(keys)
    keys = keys[order]
    positions = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    is_listed = keys[positions] == wanted
    out[is_listed] = values[order[positions[is_listed]]]
    return out
