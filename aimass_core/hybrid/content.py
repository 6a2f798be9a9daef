"""Content-based recommendation: items like those that a user has, by their features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.csr import (
    spgemm_topk,
    take_rows,
    take_rows_or_empty,
    transpose,
    with_scipy_indices,
)
from ..base.feature_recommender import FeatureRecommender
from ..base.features import no_features
from ..base.lists import Explanation, TopK
from ..base.query import Query
from ..base.ranking import filter_lists
from ..base.registry import register
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, as_csr, as_int, wrap_csr
from ..data.cleaning import time_decay
from ..retrieval._index import FactorIndex
from ._design import normalized_rows
from ._feature_factors import explanation_by_features, item_to_explain
from ._new_items import similar_in_catalog

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.filters import Filter
    from ..base.ranking import Ranked

    Array = NDArray[Any]

__all__ = ["ContentBased"]

_VALUES = ("binary", "raw", "log")
_DENSE_SHARE = 0.25  # of stored entries from which features are searched as dense vectors


@register("content")
class ContentBased(FeatureRecommender):
    r"""Recommend items whose features are like those of the items that a user has.

    The profile of a user is the weighted sum of the feature vectors of the user's items,

    .. math:: p_u = \sum_i w_{ui} \, t_i / |t_i|, \quad s_{uj} = \cos(p_u, t_j),

    where :math:`t_i` are the features of an item, each times its inverse document frequency. New
    items need nothing but their features.

    Parameters
    ----------
    values : {"binary", "raw", "log"}, default="binary"
        :math:`w_{ui}`: the sign of the value, the value itself, or its sign times
        ``log(1 + |value|)``. Negative values are dislikes and are subtracted.
    idf : bool, default=True
        Weigh feature f by ``1 + ln((1 + n) / (1 + n_f))``, where n_f of the n items of the fit have
        the feature. Has no effect on features that all items have, such as vectors of texts.
    half_life : timedelta or number, optional
        Age after which an interaction counts half. Needs `Interactions` with times. Default: age
        has no effect.
    now : datetime, str or number, optional
        Time from which ages count. Default: that of the latest interaction.

    Attributes
    ----------
    feature_weights_ : ndarray of float64, shape (n_features,)
        Inverse document frequencies; ones without ``idf``.
    user_profiles_ : csr_array of shape (n_users, n_features)
        Profiles of the users of the fit, scaled to length one.
    item_features_ : csr_array of float32, shape (n_items, n_features)
        Features of the items as given.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions; all of them count as seen.

    Notes
    -----
    `fit` takes O(sum of the numbers of features of all interactions) time. A list takes that of a
    sparse product, or of exact retrieval where vectors are dense. Items that have no feature in
    common with a profile are not in its list. A new user's interactions have no age.

    References
    ----------
    M. Pazzani and D. Billsus, "Content-based recommendation systems", The Adaptive Web, 2007. P.
    Lops, M. de Gemmis and G. Semeraro, "Content-based recommender systems: state of the art and
    trends", Recommender Systems Handbook, 2011.

    Examples
    --------
    >>> from aimass_core import ContentBased, Interactions
    >>> x = Interactions.from_arrays(["ann", "bob"], ["tea", "pie"])
    >>> tags = {"item": ["tea", "pie", "ale"], "tags": ["hot|drink", "sweet|food", "drink"]}
    >>> model = ContentBased().fit(x, item_features=tags)
    >>> new = {"item": ["ale", "jam"], "tags": ["drink", "sweet"]}
    >>> model.recommend(["ann", "bob"], k=1, item_features=new).ids.tolist()
    [['ale'], ['jam']]
    """

    uses_item_features: ClassVar[bool] = True
    needs_features: ClassVar[tuple[str, ...]] = ("item_features",)
    needs_training = False
    _state: ClassVar[tuple[str, ...]] = (
        *FeatureRecommender._state,
        "feature_weights_",
        "user_profiles_",
    )
    _per_user: ClassVar[tuple[str, ...]] = ("user_profiles_",)

    feature_weights_: NDArray[np.float64]
    user_profiles_: Any

    def __init__(
        self,
        *,
        values: str = "binary",
        idf: bool = True,
        half_life: Any = None,
        now: Any = None,
    ) -> None:
        self.values = values
        self.idf = idf
        self.half_life = half_life
        self.now = now

    # ---- learning ----------------------------------------------------------------------------

    def _learn(self, n_threads: int) -> None:
        as_choice(self.values, "values", _VALUES)
        features, n = self.item_features_, self.n_items
        self.feature_weights_ = np.ones(features.shape[1])
        if as_bool(self.idf, "idf"):
            counts = np.bincount(features.indices, minlength=features.shape[1])
            self.feature_weights_ = 1 + np.log((1 + n) / (1 + counts))
        weights = _weights(self.user_items_, self.values)
        if self.half_life is None:
            self._refuse_idle(("now",), "half_life=None")
        else:
            given = self._options.data
            if getattr(given, "timestamps", None) is None:
                raise ValueError(
                    "half_life needs times: fit on Interactions.from_table(..., time=COLUMN)"
                )
            decayed = time_decay(given.with_matrix(weights), half_life=self.half_life, now=self.now)
            weights = as_csr(decayed.matrix)
        self._prepare(n_threads)
        self.user_profiles_ = self._sums(weights)

    def _prepare(self, n_threads: int) -> None:
        self._items = self._vectors(self.item_features_)
        self._is_dense = self._items.nnz > _DENSE_SHARE * max(np.prod(self._items.shape), 1)
        self._scipy_items = with_scipy_indices(self._items)
        self._packed: FactorIndex | None = None
        self._columns_of_features: sp.csr_array | None = None

    def _vectors(self, features: sp.csr_array) -> sp.csr_array:
        """Return the weighted features of items, scaled to length one."""
        data = features.data * self.feature_weights_[features.indices]
        return normalized_rows(wrap_csr(features.indptr, features.indices, data, features.shape))

    def _sums(self, weights: sp.csr_array) -> sp.csr_array:
        """Return the weighted sums of the vectors of items, scaled to length one."""
        if not weights.nnz:
            return no_features(weights.shape[0], self._items.shape[1]).astype(np.float64)
        return normalized_rows(as_csr(with_scipy_indices(weights) @ self._scipy_items))

    def _check_state(self) -> None:
        super()._check_state()
        n_features = self.item_features_.shape[1] if self.item_features_ is not None else -1
        if (
            self.feature_weights_.shape != (n_features,)
            or not np.isfinite(self.feature_weights_).all()
        ):
            raise ValueError("feature weights that do not fit the features")
        if as_csr(self.user_profiles_).shape != (self.n_users_, n_features):
            raise ValueError("profiles of users that do not fit the features")

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
            As in `Recommender.partial_fit`. A fitted model with ``half_life`` raises ValueError.
        item_features : as in `fit`
            Features of new items, encoded as in the first fit.
        user_features : None
            Must be None.

        Returns
        -------
        Self
            The object itself. If this raises, the object stays what it was.
        """
        if self.__sklearn_is_fitted__() and self._fitted_parameters()["half_life"] is not None:
            raise ValueError(
                "half_life needs the time of each single event, which the fitted model does not "
                "keep: call fit on all interactions, joined by Interactions.merge"
            )
        return super().partial_fit(
            X,
            y,
            duplicates=duplicates,
            item_features=item_features,
            user_features=user_features,
        )

    # ---- answers -----------------------------------------------------------------------------

    def _profiles(self, query: Query) -> sp.csr_array:
        """Return the profiles of the users of a query."""
        if query.users is not None:
            return take_rows_or_empty(self.user_profiles_, query.users)
        X = query.profiles
        if X.shape[1] > self.n_items:  # the columns of new items have no entries
            X = wrap_csr(X.indptr, X.indices, X.data, (X.shape[0], self.n_items))
        return self._sums(_weights(X, self._fitted_parameters()["values"]))

    def _ranked_vectors(
        self,
        vectors: sp.csr_array,
        k: int,
        candidates: Filter,
        exclude: sp.csr_array | None,
        n_threads: int,
        item_features: sp.csr_array | None = None,
    ) -> Ranked:
        """Return the k items whose vectors have the highest products with each given vector."""
        items = self._items
        if item_features is not None:
            items = self._vectors(item_features)
        if self._is_dense:
            index = FactorIndex(items.toarray()) if item_features is not None else self._index()
            return index.rank(vectors.toarray(), k, candidates, exclude, n_threads)
        own = sp.issparse(candidates)
        indices, scores = spgemm_topk(
            vectors,
            transpose(items, n_threads) if item_features is not None else self._transposed(),
            items.shape[0] if own else k,
            n_threads,
            exclude=None if own else exclude,
            candidates=None if own else candidates,
        )
        if own:  # each query has its own candidates
            indices, scores = filter_lists(indices, scores, k, candidates, exclude)
        return indices, scores

    def _index(self) -> FactorIndex:
        if self._packed is None:
            self._packed = FactorIndex(self._items.toarray())
        return self._packed

    def _transposed(self) -> sp.csr_array:
        if self._columns_of_features is None:
            self._columns_of_features = transpose(self._items, resolve_n_threads(None))
        return self._columns_of_features

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user of a query under its filters.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers; perhaps with features of new
            items.

        Returns
        -------
        indices : ndarray of int32, shape (n, k)
            Score descending, then column ascending; -1 after the end of a shorter list.
        scores : ndarray of float64, shape (n, k)
            Cosines; -inf after the end of a shorter list.
        """
        return self._ranked_vectors(
            self._profiles(query),
            query.k,
            query.candidates,
            query.exclude,
            query.n_threads,
            query.item_features,
        )

    def score(self, query: Query) -> Array:
        """Return the cosine of each user of a query with every item.

        Parameters
        ----------
        query : Query
            Some users, in row numbers; perhaps with features of new items.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            -inf for an item that has no feature in common with the user's profile.
        """
        vectors, n_items = self._profiles(query), query.n_items
        scores = np.full((len(query), n_items), -np.inf)
        if n_items:
            indices, values = self._ranked_vectors(
                vectors, n_items, None, None, query.n_threads, query.item_features
            )
            rows, places = np.nonzero(indices >= 0)
            scores[rows, indices[rows, places]] = values[rows, places]
        return scores

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the cosine of each pair of a user and an item.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Not used.

        Returns
        -------
        ndarray of float64, shape (n,)
            0 where the two have no feature in common.
        """
        scores = super().score_pairs(users, items, n_threads)
        return np.where(np.isneginf(scores), 0.0, scores)

    def _score_new_pairs(
        self, query: Query, rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        scores = super()._score_new_pairs(query, rows, columns)
        return np.where(np.isneginf(scores), 0.0, scores)

    def similar_items(
        self,
        items: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        item_features: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the items whose features have the highest cosine with those of each item.

        Parameters
        ----------
        items : id or array-like of ids
            Column numbers where the model was fitted on a matrix.
        k : int, default=10
            At least 1; more than there are items is the same as all items.
        candidates, exclude : collection of item ids, mask, sparse matrix or dict, optional
            Only these items, and not these; as in `recommend`.
        item_features : FeatureTable, table or matrix, optional
            Features of new items, which may be among ``items`` and are in the lists.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            One list for each item, without the item itself. Items without interactions have lists,
            too; items without features have none.

        Raises
        ------
        KeyError
            For an unknown item.
        """
        self._check_fitted()
        catalog = self._catalog(item_features)
        features = self.item_features_ if catalog.features is None else catalog.features

        def rank(columns: Any, k: int, allowed: Any, excluded: Any) -> Ranked:
            vectors = self._vectors(take_rows(features, columns))
            threads = resolve_n_threads(n_threads)
            return self._ranked_vectors(vectors, k, allowed, excluded, threads, catalog.features)

        return similar_in_catalog(self, catalog, items, k, candidates, exclude, rank)

    def explain(
        self,
        user: Any,
        item: Any,
        *,
        k: int | None = 10,
        by: str = "features",
        item_features: Any = None,
    ) -> Explanation:
        """Return what contributes to the score of an item.

        Parameters
        ----------
        user, item : id
            One of each.
        k : int or None, default=10
            Number of contributions to list, largest absolute values first; None: all.
        by : {"features", "items"}, default="features"
            "features": those that the item and the user's profile share. "items": the user's
            items, by their cosine with this one and their weight in the profile.
        item_features : FeatureTable, table or matrix, optional
            Features of new items, of which ``item`` may be one.

        Returns
        -------
        Explanation
            Its ``of`` is "features" or "items"; contributions and offset add up to the score.

        Raises
        ------
        KeyError
            For an unknown user, and an item neither in the fit nor in ``item_features``.
        ValueError
            For a model that was saved without its training data, and for ``by="items"`` with
            ``half_life``.
        """
        as_choice(by, "by", ("features", "items"))
        self._check_fitted()
        self._require_training("explain scores")
        row, _, features, score = item_to_explain(self, user, item, item_features)
        rows = np.array([row])
        profile, vector = take_rows(self.user_profiles_, rows), self._vectors(features)
        if by == "features":
            shared, of_profile, of_item = np.intersect1d(
                profile.indices, vector.indices, assume_unique=True, return_indices=True
            )
            parts = profile.data[of_profile] * vector.data[of_item]
            return explanation_by_features(score, shared, parts, self.item_encoder_, k)
        if self._fitted_parameters()["half_life"] is not None:
            raise ValueError("by='items' is not available with half_life: use by='features'")
        weights = _weights(take_rows(self.user_items_, rows), self._fitted_parameters()["values"])
        own = take_rows(self._items, weights.indices.astype(np.int64))
        sums = with_scipy_indices(weights) @ self._scipy_items
        length = float(np.sqrt(np.square(sums.data).sum())) or 1.0
        cosines = (with_scipy_indices(own) @ with_scipy_indices(vector).T).toarray()[:, 0]
        parts = weights.data * cosines / length
        return Explanation.of_parts(
            score,
            score - float(parts.sum()),
            "items",
            weights.indices,
            parts,
            k=None if k is None else as_int(k, "k", minimum=1),
            id_map=self.items_,
        )

    def _remains(self) -> str:
        return "Nothing: profiles are those of the remaining users, and features name no user."


def _weights(X: sp.csr_array, values: str) -> sp.csr_array:
    """Return the weights of interactions in the profiles of users."""
    data = X.data.astype(np.float64)
    if values == "binary":
        data = np.sign(data)
    elif values == "log":
        data = np.sign(data) * np.log1p(np.abs(data))
    return wrap_csr(X.indptr, X.indices, data, X.shape)
