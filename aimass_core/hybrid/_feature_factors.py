"""What factor models share that compute factors of items and users from their features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.csr import take_rows
from ..base.feature_recommender import FeatureRecommender
from ..base.features import columns_of, encoded_features
from ..base.lists import Explanation
from ..base.validation import as_int, wrap_csr
from ..retrieval._index import FactorIndex
from ._new_items import NewItems

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Query
    from ..base.ranking import Ranked

    Array = NDArray[Any]

__all__ = ["FeatureFactors", "explanation_by_features", "item_to_explain"]


class FeatureFactors(FeatureRecommender, NewItems):
    """Base of factor models that compute factors of new items and users from their features.

    A subclass defines ``_factors_of(side, features)`` and ``_solve_new``; one with item biases
    also ``_biases_of``.
    """

    uses_item_features: ClassVar[bool] = True
    uses_user_features: ClassVar[bool] = True

    def _factors_of(self, side: str, features: sp.csr_array) -> Array:
        """Return the factors that features alone give to "item" or "user" rows."""
        raise NotImplementedError

    def _biases_of(self, features: sp.csr_array) -> Array:
        """Return the biases that features alone give to items."""
        return np.zeros(features.shape[0], dtype=self.item_factors_.dtype)

    def _solve_new(
        self, profiles: sp.csr_array, features: sp.csr_array | None, n_threads: int
    ) -> Array:
        """Return the factors of users that were not in the fit, by interactions and features."""
        raise NotImplementedError

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        return self._solve_new(profiles, None, n_threads)

    def _user_vectors(self, query: Query) -> Array:
        profiles = query.profiles
        if profiles.shape[1] > self.n_items:  # the columns of new items have no entries
            shape = (profiles.shape[0], self.n_items)
            profiles = wrap_csr(profiles.indptr, profiles.indices, profiles.data, shape)
        if query.users is None:
            return self._solve_new(profiles, query.user_features, query.n_threads)
        known = query.users >= 0
        vectors: Array = self.user_factors_[np.where(known, query.users, 0)]
        if not known.all():
            others = np.flatnonzero(~known)
            vectors[others] = 0
            if query.user_features is not None:
                own = take_rows(query.user_features, others)
                vectors[others] = self._factors_of("user", own)
        return vectors

    def _vectors_of_items(self, features: sp.csr_array) -> tuple[Array, Array | None]:
        new = take_rows(features, np.arange(self.n_items, features.shape[0]))
        factors = np.vstack([self.item_factors_, self._factors_of("item", new)])
        biases = self._item_biases()
        if biases is None:
            return factors, None
        return factors, np.concatenate([biases, self._biases_of(new)])

    def score(self, query: Query) -> Array:
        """Return the score of every item for each user of a query.

        Parameters
        ----------
        query : Query
            Some users, in row numbers; perhaps with features of new items.

        Returns
        -------
        ndarray of float, shape (n, n_items)
            Inner products, plus the biases where the model has some.
        """
        items, biases = self.item_factors_, self._item_biases()
        if query.item_features is not None:
            items, biases = self._vectors_of_items(query.item_features)
        scores: Array = self._user_vectors(query) @ items.T
        return scores if biases is None else scores + biases

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user of a query by exact retrieval.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers; perhaps with features of new
            items, whose factors are then packed for this call.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        index = self._index("items", "dot")
        if query.item_features is not None:
            index = FactorIndex(*self._vectors_of_items(query.item_features))
        return index.rank(
            self._user_vectors(query), query.k, query.candidates, query.exclude, query.n_threads
        )


def item_to_explain(
    model: Any, user: Any, item: Any, item_features: Any
) -> tuple[int, int, sp.csr_array, float]:
    """Return the user and the item of a score to explain, which may be new.

    Parameters
    ----------
    model : FeatureRecommender
        Fitted with features of items.
    user, item : id
        One of each.
    item_features : FeatureTable, table, matrix or None
        Features of new items.

    Returns
    -------
    row : int
        Row of the user in the fit.
    column : int
        Column of the item; not below ``model.n_items`` for a new one.
    features : csr_array of shape (1, n_features)
        Of the item.
    score : float
        As `predict` gives it.

    Raises
    ------
    KeyError
        For a user who is not in the fit, and an item neither in the fit nor in ``item_features``.
    """
    if item_features is not None:
        model._check_uses("item_features")
        id_name = getattr(model.items_, "name", None)
        item_features = encoded_features(
            item_features, "item_features", model.item_encoder_, id_name
        )
    catalog = model._catalog(item_features)
    rows = model._rows(user, "user")
    columns = columns_of(catalog, item, model.n_items)
    row, column = model._one_pair(rows, columns)
    features = model.item_features_ if catalog.features is None else catalog.features
    new_items = item_features if column >= model.n_items else None
    score = float(model.predict(user, item, item_features=new_items, n_threads=1)[0])
    return row, column, take_rows(features, columns), score


def explanation_by_features(
    score: float, columns: Array, parts: Array, encoder: Any, k: int | None
) -> Explanation:
    """Return the contributions of an item's features to a score.

    Parameters
    ----------
    score : float
        The score; what the features do not contribute is the offset.
    columns, parts : ndarray of shape (n,)
        Numbers of features, and what each adds.
    encoder : Features
        Knows the names of the features.
    k : int or None
        Contributions to list; None: all.

    Returns
    -------
    Explanation
        Its ``of`` is "features" and its ``ids`` are names of features.
    """
    k = None if k is None else as_int(k, "k", minimum=1)
    total = float(parts.sum())
    largest = np.lexsort((columns, -np.abs(parts)))[:k]
    indices = np.asarray(columns, dtype=np.int64)[largest]
    names = np.array([encoder.names[column] for column in indices.tolist()], dtype=object)
    contributions = np.asarray(parts, dtype=np.float64)[largest]
    return Explanation(score, score - total, "features", indices, names, contributions)
