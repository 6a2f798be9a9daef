"""Any model, with fallbacks for users and items that it knows nothing about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.csr import transpose
from ..base.feature_recommender import FeatureRecommender
from ..base.ranking import padding, rank_by_score
from ..base.registry import register
from ..base.validation import as_csr, suggest
from ._members import as_members, fresh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Query
    from ..base.ranking import Ranked
    from ..base.recommender import Recommender

    Floats = NDArray[np.float64]

__all__ = ["ColdStart"]

_MODEL, _FEATURES, _CATEGORY, _POPULAR = range(4)


@register("cold-start")
class ColdStart(FeatureRecommender):
    r"""Recommend by a model, and by categories and popularity where the model knows nothing.

    The source of each list is chosen for each user, in this order:

    1. the model, for a user with interactions ("history");
    2. the model, for a user without any whose features it uses ("features");
    3. the popularity of items among the users of the fit in the same category ("popular in
       country=DE");
    4. the popularity of items among all users ("popular").

    The lists say which it was: ``recommend(...).reasons``. Items without interactions, in the fit
    or not, are scored by the model where it uses their features. Else such an item gets the mean
    score of the other items of its categories, for each user; without a category, of all items.

    Parameters
    ----------
    model : model or str, default="item-knn"
        A recommender or a registered name. It is copied.
    user_category : str, optional
        The column of ``user_features`` whose categories have a popularity of their own. Default:
        the first categorical column.
    item_category : str, optional
        The column of ``item_features`` whose categories new items are scored by. Default: the first
        column of categories or tags.

    Attributes
    ----------
    model_ : Recommender
        The fitted model.
    category_counts_ : csr_array of shape (n_categories, n_items)
        Number of users of each category who have each item.

    Notes
    -----
    Costs a fit of the model and O(nnz). Where items without interactions are scored by their
    category, a query computes dense scores, in blocks of users.

    References
    ----------
    A. I. Schein, A. Popescul, L. H. Ungar and D. M. Pennock, "Methods and metrics for cold-start
    recommendations", SIGIR 2002.

    Examples
    --------
    >>> from aimass_core import ColdStart, Interactions
    >>> x = Interactions.from_arrays(["ann", "ann", "bob", "eve"], ["tea", "pie", "ale", "ale"])
    >>> countries = {"user": ["ann", "bob", "eve"], "country": ["GB", "DE", "DE"]}
    >>> model = ColdStart().fit(x, user_features=countries)
    >>> lists = model.recommend_new(None, k=1, user_features={"user": ["kim"], "country": ["GB"]})
    >>> lists.ids.tolist(), lists.reasons.tolist()
    ([['pie']], ['popular in country=GB'])
    """

    uses_item_features: ClassVar[bool] = True
    uses_user_features: ClassVar[bool] = True
    needs_history: ClassVar[bool] = False

    _state: ClassVar[tuple[str, ...]] = (*FeatureRecommender._state, "model_", "category_counts_")

    model_: Recommender
    category_counts_: Any

    def __init__(
        self,
        *,
        model: Any = "item-knn",
        user_category: str | None = None,
        item_category: str | None = None,
    ) -> None:
        self.model = model
        self.user_category = user_category
        self.item_category = item_category

    @property
    def needs_training(self) -> bool:  # type: ignore[override]
        """Whether answers for users of the fit read the training matrix: always."""
        return True

    def _requires_training(self) -> bool:
        return bool(self.model_._requires_training())

    @property
    def _orders_profiles(self) -> bool:  # type: ignore[override]
        return hasattr(self, "model_") and bool(self.model_._orders_profiles)

    @property
    def _score_dtype(self) -> Any:
        return np.float64

    # ---- learning ----------------------------------------------------------------------------

    def _learn(self, n_threads: int) -> None:
        (template,) = as_members([self.model], hands_on_features=True).values()
        data = self._options.data
        features = {
            name: getattr(self._options, name)
            for name in ("item_features", "user_features")
            if getattr(template, f"uses_{name}") and getattr(self._options, name) is not None
        }
        self.model_ = fresh(template).fit(data, **features)
        self._user_columns()  # raises for names that are no columns
        self._item_columns()
        self._count_categories(n_threads)

    def _count_categories(self, n_threads: int) -> None:
        columns = self._user_columns()
        if self.user_features_ is None or not len(columns):
            self.category_counts_ = sp.csr_array((0, self.n_items), dtype=np.float64)
            return
        categories = _ones(self.user_features_[:, columns])
        self.category_counts_ = as_csr(
            transpose(as_csr(categories), n_threads) @ _ones(self.user_items_), dtype=np.float64
        )

    def _user_columns(self) -> NDArray[np.int64]:
        return self._columns_of(self.user_encoder_, self.user_category, "user_category")

    def _item_columns(self) -> NDArray[np.int64]:
        return self._columns_of(self.item_encoder_, self.item_category, "item_category")

    @staticmethod
    def _columns_of(encoder: Any, name: str | None, argument: str) -> NDArray[np.int64]:
        """Return the encoded columns of the column of categories; none where there is none."""
        if encoder is None:
            if name is not None:
                raise ValueError(f"{argument}={name!r} needs {argument[:4]}_features")
            return np.empty(0, dtype=np.int64)
        kinds = {column: state["kind"] for column, state in encoder.columns_.items()}
        if name is None:
            wanted = ("categorical", "tags") if argument.startswith("item") else ("categorical",)
            name = next((column for column, kind in kinds.items() if kind in wanted), None)
            if name is None:
                return np.empty(0, dtype=np.int64)
        if kinds.get(name) not in ("categorical", "tags", "flag"):
            raise ValueError(
                f"{argument}={name!r} is no column of categories of the features"
                f"{suggest(name, kinds)}; the columns are {', '.join(kinds) or 'those of a matrix'}"
            )
        return np.flatnonzero(encoder.groups == list(kinds).index(name))

    def _forget_rows(self, kept: NDArray[np.int64]) -> None:
        model = self.model_
        removed = np.setdiff1d(np.arange(model.n_users_), kept)
        ids, model.users_ = model.users_, None  # by row number
        model.forget(removed)
        model.users_ = None if ids is None else ids.take(kept)
        if self.user_items_ is not None:
            self._count_categories(1)

    def _remains(self) -> str:
        return self.model_._remains()

    def _restore(self) -> None:
        super()._restore()
        if self.category_counts_.shape != (len(self._user_columns()), self.n_items):
            raise ValueError("counts of categories that do not fit the features")
        self._item_columns()
        if (self.model_.n_users_, self.model_.n_items) != (self.n_users_, self.n_items):
            raise ValueError("a model of other users or items")

    # ---- answers -----------------------------------------------------------------------------

    def _sources(self, query: Query) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the source of each list, and the category of each user (-1: none)."""
        n = len(query)
        inner = self._inner(query)
        sources = np.full(n, _MODEL)
        lacks = self.model_._without_history(inner)
        has_none = np.diff(query.profiles.indptr) == 0
        sources[~lacks & has_none & self._has_features(inner)] = _FEATURES
        category = np.full(n, -1, dtype=np.int64)
        columns = self._user_columns()
        if len(columns) and query.user_features is not None and lacks.any():
            own = as_csr(query.user_features[:, columns])
            first = np.minimum(own.indptr[:-1], max(own.nnz - 1, 0))
            has_category = np.diff(own.indptr) > 0
            category[has_category] = own.indices[first[has_category]]
            counted = np.diff(self.category_counts_.indptr) > 0
            category[has_category] = np.where(
                counted[category[has_category]], category[has_category], -1
            )
        sources[lacks] = np.where(category[lacks] >= 0, _CATEGORY, _POPULAR)
        return sources, category

    @staticmethod
    def _has_features(query: Query) -> NDArray[np.bool_]:
        if query.user_features is None:
            return np.zeros(len(query), dtype=bool)
        return np.asarray(np.diff(query.user_features.indptr) > 0)

    def _inner(self, query: Query) -> Query:
        """Return the query as the model takes it, over the items that it can score."""
        model = self.model_
        n_items = query.n_items if model.item_features_ is not None else self.n_items
        if n_items < query.n_items:
            query = _first_columns(query, n_items)
        return replace(
            model._in_own_dtype(query),
            item_features=query.item_features if model.item_features_ is not None else None,
            user_features=query.user_features if model.user_features_ is not None else None,
        )

    def _reasons(self, query: Query, popular: bool) -> Any:
        sources, category = self._sources(query)
        reasons = np.array(["history", "features", "", "popular"], dtype=object)[sources]
        in_category = np.flatnonzero(sources == _CATEGORY)
        if len(in_category):
            columns = self._user_columns()
            names = self.user_encoder_.names
            for row in in_category.tolist():
                reasons[row] = f"popular in {names[columns[category[row]]]}"
        return reasons

    def score(self, query: Query) -> Floats:
        """Return the scores of all items by the source of each list.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            Scores of the model, or numbers of users who have an item.
        """
        sources, category = self._sources(query)
        inner = self._inner(query)
        scores = np.full((len(query), inner.n_items), -np.inf)
        by_model = np.flatnonzero(sources <= _FEATURES)
        if len(by_model):
            scores[by_model] = self.model_.score(inner.take(by_model))
        in_category = np.flatnonzero(sources == _CATEGORY)
        if len(in_category):
            counts = self.category_counts_[category[in_category]].toarray()
            scores[in_category, : self.n_items] = np.where(counts > 0, counts, -np.inf)
        counts = self.item_counts_.astype(np.float64)
        popular = np.where(counts > 0, counts, -np.inf)
        scores[np.flatnonzero(sources == _POPULAR), : self.n_items] = popular
        is_cold = self._cold_items(query)
        if not is_cold.any():
            return scores
        filled = np.full((len(query), query.n_items), -np.inf)
        filled[:, : inner.n_items] = scores
        by_category = self._scores_by_category(scores, query.item_features, is_cold)
        if self.model_.item_features_ is None:
            filled[:, is_cold] = by_category
        else:
            fallback = np.flatnonzero(sources > _FEATURES)
            filled[np.ix_(fallback, is_cold)] = by_category[fallback]
        return filled

    def _cold_items(self, query: Query) -> NDArray[np.bool_]:
        """Return which items of a query have no interactions but may have features."""
        if self.item_features_ is None:
            return np.zeros(query.n_items, dtype=bool)
        is_cold = np.ones(query.n_items, dtype=bool)
        is_cold[: self.n_items] = self.item_counts_ == 0
        return is_cold

    def _scores_by_category(
        self, scores: Floats, features: Any, is_cold: NDArray[np.bool_]
    ) -> Floats:
        """Return the mean score of the other items of its categories for each cold item."""
        columns = self._item_columns()
        warm = np.flatnonzero(~is_cold[: self.n_items])
        finite = np.where(np.isfinite(scores[:, warm]), scores[:, warm], 0.0)
        means = finite.mean(axis=1) if len(warm) else np.zeros(len(scores))
        out = np.repeat(means[:, None], int(is_cold.sum()), axis=1)
        if not len(columns):
            return out
        features = self.item_features_ if features is None else features
        own = _ones(features[:, columns])
        known, new = own[warm], own[np.flatnonzero(is_cold)]
        sizes = np.maximum(np.asarray(known.sum(axis=0)).ravel(), 1.0)
        of_category = np.asarray(known.T @ finite.T).T / sizes
        n_own = np.diff(new.indptr)
        means_of_own = np.asarray(new @ of_category.T).T / np.maximum(n_own, 1)
        out[:, n_own > 0] = means_of_own[:, n_own > 0]
        return out

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user by the source of its list.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        sources, _ = self._sources(query)
        indices, scores = padding(len(query), query.k)
        ranks_all = self.model_.item_features_ is not None or not self._cold_items(query).any()
        by_model = (
            np.flatnonzero(sources <= _FEATURES) if ranks_all else np.empty(0, dtype=np.int64)
        )
        others = np.setdiff1d(np.arange(len(query)), by_model)
        if len(by_model):
            indices[by_model], scores[by_model] = self.model_.rank(
                self._inner(query).take(by_model)
            )
        if len(others):
            indices[others], scores[others] = rank_by_score(query.take(others), self.score)
        return indices, scores

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> Floats:
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
            Those of the model; those of the fallback for users that it knows nothing about.
        """
        scores = np.array(self.model_.score_pairs(users, items, n_threads), dtype=np.float64)
        distinct, row = np.unique(users, return_inverse=True)
        sources, _ = self._sources(self._query_of_rows(distinct, n_threads))
        fallback = sources[row.reshape(-1)] > _FEATURES
        if fallback.any():
            scores[fallback] = super().score_pairs(users[fallback], items[fallback], n_threads)
        return scores


def _ones(X: sp.csr_array) -> sp.csr_array:
    """Return the stored entries of a matrix as ones, those that are 0 left out."""
    out = sp.csr_array(X, dtype=np.float64, copy=True)
    out.eliminate_zeros()
    out.data[:] = 1.0
    return out


def _first_columns(query: Query, n_items: int) -> Query:
    """Return a query over its first columns alone, which its profiles do not exceed."""

    def cut(X: Any) -> Any:
        return None if X is None else as_csr(X[:, :n_items])

    profiles = cut(query.profiles)
    candidates: Any = query.candidates
    if candidates is not None:
        candidates = cut(candidates) if sp.issparse(candidates) else candidates[:n_items]
    return replace(
        query,
        profiles=profiles,
        candidates=candidates,
        exclude=profiles if query.exclude is query.profiles else cut(query.exclude),
        k=min(query.k, n_items),
    )
