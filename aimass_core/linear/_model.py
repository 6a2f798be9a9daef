"""What all linear item-item models share: scores from a matrix of weights, and explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.csr import (
    common_products,
    dense_scores,
    one_entry_rows,
    products_of_rows,
    row_numbers,
    row_range,
    spgemm_topk,
    take_rows,
    transpose,
)
from ..base.filters import Catalog, as_filters
from ..base.lists import Explanation, TopK
from ..base.query import Query
from ..base.ranking import rank_by_score
from ..base.recommender import Recommender
from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_int, csr_parts
from ..data.weighting._by_name import as_weighting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.ranking import Ranked
    from ..data.weighting._weighting import Weighting

    Weights = NDArray[Any] | sp.csr_array

__all__ = ["LinearModel"]

_ENTRIES = 1 << 20  # profile entries whose weights are gathered at once


class LinearModel(Recommender):
    """Base of the models whose scores are profile times weights; subclasses learn the weights."""

    _state: ClassVar[tuple[str, ...]] = (*Recommender._state, "weights_", "weighting_")

    weights_: Any  # ndarray or csr_array: row = item of the user, column = item that is scored
    weighting_: Weighting | None
    weighting: str | Weighting | None
    dtype: str

    @property
    def _dtype(self) -> Any:
        return np.dtype(as_choice(self.dtype, "dtype", ("float32", "float64")))

    def _requires_training(self) -> bool:
        return False  # lists for given profiles need the weights only

    def _remains(self) -> str:
        return (
            "The weights were learned from the interactions of the forgotten users, too; the next "
            "fit removes that influence."
        )

    # ---- learning ----------------------------------------------------------------------------

    def _learn_weighting(self) -> sp.csr_array:
        """Set ``weighting_`` and return the weighted training matrix."""
        self.weighting_ = as_weighting(self.weighting, documents="items")
        if self.weighting_ is not None:
            self.weighting_.fit(self.user_items_)
        return self._weighted(self.user_items_)

    def _weighted(self, X: sp.csr_array) -> sp.csr_array:
        """Return profiles weighted by what was learned from the training matrix."""
        if self.weighting_ is None:
            return X
        weighted: sp.csr_array = self.weighting_.transform(X)
        return weighted

    def _prepare(self, n_threads: int) -> None:
        self._profiles = None if self.user_items_ is None else self._weighted(self.user_items_)
        self._to_target = transpose(self.weights_, n_threads) if self._is_sparse else None

    @property
    def _is_sparse(self) -> bool:
        return bool(sp.issparse(self.weights_))

    def _check_state(self) -> None:
        super()._check_state()
        weights, n = self.weights_, self.n_items
        if weights.ndim != 2 or weights.shape != (n, n) or weights.dtype.kind != "f":
            raise ValueError(f"weights of shape {weights.shape} for {n} items")
        if not self._is_sparse and not all(
            np.isfinite(weights[begin : begin + 256]).all() for begin in range(0, n, 256)
        ):
            raise ValueError("weights that are not finite numbers")

    # ---- answers -----------------------------------------------------------------------------

    def _query_profiles(self, query: Query) -> sp.csr_array:
        """Return what is multiplied with the weights for each user of a query."""
        if query.users is None or self._profiles is None:
            profiles = self._weighted(query.profiles)
        elif self._profiles is self.user_items_:
            profiles = query.profiles
        elif len(query) == self.n_users_ and (query.users == np.arange(len(query))).all():
            profiles = self._profiles
        else:
            profiles = take_rows(self._profiles, query.users)
        return profiles.astype(self.weights_.dtype, copy=False)

    def score(self, query: Query) -> NDArray[Any]:
        """Return the sum of the weights of a user's items, times their values, for every item.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float, shape (n, n_items)
            -inf where sparse weights connect none of the user's items with the item.
        """
        product = self._query_profiles(query) @ self.weights_
        if not sp.issparse(product):
            return np.asarray(product)
        return dense_scores(product)

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user of a query under its filters.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf. No users x items matrix is made.
        """
        if query.candidate_lists is not None:
            return rank_by_score(query, self.score)
        return self._best_of(self._query_profiles(query), query)

    def _best_of(self, profiles: sp.csr_array, query: Query) -> Ranked:
        """Return the k best columns of profiles times weights under the query's filters."""
        if self._is_sparse:
            return spgemm_topk(
                profiles,
                self.weights_,
                query.k,
                query.n_threads,
                exclude=query.exclude,
                candidates=query.mask,
            )
        exclude: tuple[Any, Any] = (None, None)
        if query.exclude is not None:
            exclude = csr_parts(query.exclude)[:2]
        indices, scores = kernels.spmm_topk(
            *csr_parts(profiles), self.weights_, query.k, *exclude, query.mask, query.n_threads
        )
        return indices, scores

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the score of each pair of a row and a column.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Not used.

        Returns
        -------
        ndarray of float64, shape (n,)
            Computed in float64; 0 where no item of the user has a weight.
        """
        assert self._profiles is not None
        if self._to_target is not None:
            return products_of_rows(self._profiles, users, self._to_target, items)
        ends = np.cumsum(np.diff(self._profiles.indptr)[users])
        out = np.empty(len(users), dtype=np.float64)
        begin = 0
        while begin < len(users):
            before = ends[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + _ENTRIES, side="right")))
            rows = take_rows(self._profiles, users[begin:end])
            owner = row_numbers(rows)
            parts = rows.data * self.weights_[rows.indices, items[begin:end][owner]].astype(float)
            out[begin:end] = np.bincount(owner, parts, minlength=end - begin)
            begin = end
        return out

    def similar_items(
        self,
        items: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the items whose scores each item raises most.

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
            One list for each item, without the item itself: the largest weights of its row. Empty
            for an item without interactions, whose weights are all 0.

        Raises
        ------
        KeyError
            For an unknown item.
        """
        self._check_fitted()
        k = as_int(k, "k", minimum=1)
        rows = self._columns(items, "items")
        queries = rows if self.items_ is None else self.items_.ids[rows]
        own = one_entry_rows(rows, self.n_items, self.weights_.dtype)
        catalog = Catalog(self.items_, self.n_items, "item")
        allowed, excluded = as_filters(candidates, exclude, catalog, queries, own)
        threads = resolve_n_threads(n_threads)
        query = Query(
            own,
            candidates=allowed,
            exclude=excluded,
            k=min(k, max(self.n_items, 1)),
            n_threads=threads,
        )
        if query.candidate_lists is None:
            indices, scores = self._best_of(own, query)
        else:
            indices, scores = rank_by_score(query, self._scores_of_rows)
        is_empty = self.item_counts_[rows] == 0
        indices[is_empty], scores[is_empty] = -1, -np.inf
        name = self._names[1]
        return TopK(queries, indices, scores, self.items_, name, f"similar_{name}")

    def _scores_of_rows(self, query: Query) -> NDArray[Any]:
        """Return the weights of the single item of each profile; -inf where there is none."""
        rows = self.weights_[query.profiles.indices]
        return dense_scores(rows) if self._is_sparse else np.array(rows)

    def explain(self, user: Any, item: Any, *, k: int | None = 10) -> Explanation:
        """Return which of the user's items contribute to the score of an item.

        Parameters
        ----------
        user, item : id
            One of each.
        k : int or None, default=10
            Largest contributions listed; None: all, which add up to the score.

        Returns
        -------
        Explanation
            Its ``of`` is "items"; contributions may be negative.

        Raises
        ------
        KeyError
            For an unknown user or item.
        ValueError
            For a model saved without its training data.
        """
        self._check_fitted()
        if self._profiles is None:
            raise ValueError(
                "the model was saved without its training data (training=False) and does not know "
                "what users have"
            )
        u, i = self._one_pair(self._rows(user, "user"), self._columns(item, "item"))
        if self._to_target is not None:
            items, parts = common_products(self._profiles, u, self._to_target, i)
        else:
            profile = row_range(self._profiles, u, u + 1)
            items = profile.indices
            parts = profile.data * self.weights_[items, i].astype(np.float64)
        kept = parts != 0
        return Explanation.of_parts(
            float(parts.sum()),
            0.0,
            "items",
            items[kept],
            parts[kept],
            k=None if k is None else as_int(k, "k", minimum=1),
            id_map=self.items_,
        )
