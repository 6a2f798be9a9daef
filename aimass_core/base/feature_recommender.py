"""The contract of recommenders that use features of items or users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .features import joined_features
from .fit_options import FitOptions
from .recommender import Recommender

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from .progress import Event

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
