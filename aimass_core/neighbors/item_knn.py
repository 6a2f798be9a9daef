"""Item-based neighbourhoods: items similar to those that the user has are recommended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.baselines import new_user_bias
from ..base.csr import (
    common_products,
    dense_scores,
    products_of_rows,
    spgemm_topk,
    take_rows,
    transpose,
)
from ..base.lists import Explanation, TopK
from ..base.ranking import Ranked, rank_by_score
from ..base.registry import register
from ..base.threads import resolve_n_threads
from ..similarity.similarity import Similarity
from ._knn import Neighborhood

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Query
    from ._rating import RatingEngine

__all__ = ["ItemKNN"]


@register("item-knn")
class ItemKNN(Neighborhood):
    r"""Recommend items, or predict ratings, by the similarity of items.

    A list ranks the items i by

    .. math:: s_{ui} = \sum_{j \in N_u} \text{sim}(j, i) \, w_{uj}

    with :math:`N_u` the items of the user, :math:`w_{uj}` their weights in the profile, and 0 for a
    similarity that is not among the neighbours kept. Ratings are predicted as
    :math:`\hat r_{ui} = b_{ui} + \sum_j \text{sim}(j, i) (r_{uj} - b_{uj}) /
    \sum_j |\text{sim}(j, i)|` over the nearest items j that the user rated, where b is 0, a mean
    or the baseline.

    Parameters
    ----------
    n_neighbors : int, default=100
        Neighbours kept of each item; for ratings: the k nearest among the items that the user
        rated.
    similarity : str, callable or Similarity, optional
        Name of a measure, a Numba function, or either with options: `Similarity`. Default: "cosine"
        for ratings and with a ``weighting``; else RP3beta (alpha .6, beta .3) of the items that
        users have, whatever their values, with ``normalize``.
    weighting : {"bm25", "tf_idf", "log", "binarize"} or a weighting, optional
        Learned from the fitted matrix and applied to it before anything is compared, and to the
        profiles of new users; items are the documents. A weighting with options is an object such
        as ``BM25(K1=1.2, B=0.1, documents="items")`` from `aimass_core.data.weighting`.
    profile : {"weighted", "raw", "binary"}, default="weighted"
        What the similarities are multiplied with: the user's values after weighting, the stored
        values, or ones.
    normalize : bool, default=False
        Divide the weights that start from one seen item by their sum of absolute values, after the
        lists were cut to ``n_neighbors``; improves rp3beta on many data sets. Ranking only.
    neighbors_of : {"target", "seen"}, default="target"
        Which neighbour lists are cut to ``n_neighbors``: "target", those of the items to be
        scored, or "seen", those of the items a user has (better for rp3beta). Ranking only.
    aggregation : {"sum", "mean", "centered", "zscore", "baseline"}, default="sum"
        "sum" ranks by the sum of similarities times profile. The others predict ratings from the
        nearest items that the user rated. "mean": the weighted mean of their ratings; "centered":
        of the deviations from their means; "zscore": of these in standard deviations;
        "baseline": of the deviations from the baseline.
    min_k : int, default=1
        With fewer neighbours the prediction is the mean or baseline alone (ratings only).
    positive_only : bool, default=True
        Neighbours with a similarity of 0 or less are not used (ratings only).
    baseline : {"als", "sgd"}, default="als"
        How biases are learned for ``aggregation="baseline"`` and similarity pearson_baseline.
    clip : bool, default=True
        Cut predictions off at the rating scale (ratings only).
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those seen in training.
    n_threads : int, optional
        Threads of ``fit``. Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.
    device : str, default="cpu"
        Where `fit` computes the lists of neighbours (ranking only). "cuda" is an NVIDIA GPU by the
        kernels of this package, which need the optional extension.

    Attributes
    ----------
    similarity_ : csr_array of shape (n_items, n_items) or None
        Row i holds the neighbours kept of item i. None for ratings, which
        compute similarities on demand.
    weighting_ : weighting or None
        What was learned by the weighting.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.
    user_bias_, item_bias_ : ndarray or None
        The baseline's biases where one is used.

    Notes
    -----
    An unsymmetric measure is taken from the seen item to the scored one. Fitting costs what
    `similarity.topk` costs; memory O(n_items n_neighbors). `recommend` adds up the lists of the
    items a user has: O(items of the user x n_neighbors). A rating costs one row of similarities
    computed on demand, in float64. `recommend` with ratings predicts every candidate, n_items per
    user, in blocks; it leaves out items without a neighbour. Where nothing is known about the user
    or the item, the prediction is the mean of all ratings (or the baseline). The default of
    ``similarity`` was chosen on a random fifth of the train items of each user of seven data sets;
    the table is in the documentation.

    References
    ----------
    B. Sarwar, G. Karypis, J. Konstan, J. Riedl, "Item-based collaborative filtering recommendation
    algorithms", 2001. M. Deshpande, G. Karypis, "Item-based top-N recommendation algorithms", 2004.

    Examples
    --------
    >>> from aimass_core import Interactions, ItemKNN
    >>> x = Interactions.from_arrays(
    ...     ["ann", "ann", "bob", "bob", "bob", "cleo"], ["ale", "tea", "ale", "tea", "pie", "ale"]
    ... )
    >>> model = ItemKNN(n_neighbors=2).fit(x)
    >>> model.recommend(["cleo"], k=2).ids.tolist()
    [['tea', 'pie']]
    >>> model.similar_items(["pie"], k=1).ids.tolist()
    [['tea']]
    """

    _entities: ClassVar[str] = "items"
    _ranks_by: ClassVar[tuple[Similarity, str] | None] = (
        Similarity("rp3beta", alpha=0.6, beta=0.3),
        "binarize",
    )

    def _requires_training(self) -> bool:
        return self._rates  # lists for given profiles need the similarities only

    def _prepare(self, n_threads: int) -> None:
        super()._prepare(n_threads)
        self._similarity_by_seen = self._similarity_by_target = self.similarity_
        if self.similarity_ is None:
            return
        if self.neighbors_of == "target":
            self._similarity_by_seen = transpose(self.similarity_, n_threads)
        else:
            self._similarity_by_target = transpose(self.similarity_, n_threads)

    def _weighted_profiles(self, query: Query) -> sp.csr_array:
        """Return the profiles of a query with the values of the options profile and weighting."""
        if query.users is None or self._weighted_training is None:
            return self._profiles(query.profiles)
        if self._weighted_training is self.user_items_:
            return query.profiles
        if len(query) == self.n_users_ and (query.users == np.arange(len(query))).all():
            return self._weighted_training
        return take_rows(self._weighted_training, query.users)

    def score(self, query: Query) -> NDArray[Any]:
        """Return the sum of similarities times profile, or the predicted rating, of every item.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float, shape (n, n_items)
            -inf for an item that no item of the user is a neighbour of.
        """
        if self._similarity_by_seen is None:
            return self._rating_scores(query)
        return dense_scores(self._weighted_profiles(query) @ self._similarity_by_seen)

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user of a query under its filters.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        if self._similarity_by_seen is None or query.candidate_lists is not None:
            return rank_by_score(query, self.score)
        return spgemm_topk(
            self._weighted_profiles(query),
            self._similarity_by_seen,
            query.k,
            query.n_threads,
            exclude=query.exclude,
            candidates=query.mask,
        )

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the score or predicted rating of each pair of a row and a column.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Threads to use for ratings.

        Returns
        -------
        ndarray of float64, shape (n,)
            0 where no item of the user is a neighbour.
        """
        if self._engine is not None:
            ratings, _ = self._rate(self._engine, users, items, n_threads)
            return self._clipped(ratings)
        assert self._similarity_by_target is not None
        assert self._weighted_training is not None
        return products_of_rows(self._weighted_training, users, self._similarity_by_target, items)

    def _engine_with(self, profiles: sp.csr_array, n_threads: int) -> RatingEngine:
        """Return the engine that predicts ratings of new users with these profiles."""
        engine = self._engine
        assert engine is not None
        offset = np.zeros(profiles.shape[0])
        if self.aggregation == "baseline":
            offset = new_user_bias(profiles, engine.offset_entity)
        return engine.with_others(profiles, offset, n_threads)

    def similar_items(
        self,
        items: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the neighbours of items, most similar first.

        Parameters
        ----------
        items : id or array-like of ids
            Column numbers where the model was fitted on a matrix.
        k : int, default=10
            At least 1; a ranking model knows at most ``n_neighbors`` of each.
        candidates, exclude : collection of item ids, mask, sparse matrix or dict, optional
            Only these items, and not these; as in `recommend`.
        n_threads : int, optional
            Used by rating models, which compute the answer on demand.

        Returns
        -------
        TopK
            One list for each item, without the item itself; empty for an item without interactions.

        Raises
        ------
        KeyError
            For an unknown item.
        """
        self._check_fitted()
        return self._similar(self._columns(items, "items"), k, candidates, exclude, n_threads)

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
            Its ``of`` is "items".

        Raises
        ------
        KeyError
            For an unknown user or item.
        """
        self._check_fitted()
        rows, columns = self._rows(user, "user"), self._columns(item, "item")
        (u, i), threads = self._one_pair(rows, columns), resolve_n_threads(None)
        if self._engine is not None:
            rated, parts = self._engine.contributions(i, u, threads)
            score = float(self._engine.estimate(columns, rows, threads)[0][0])
            return self._explained(score, score - float(parts.sum()), "items", rated, parts, k)
        self._require_training("explain scores")
        assert self._similarity_by_target is not None
        common, parts = common_products(self._weighted_training, u, self._similarity_by_target, i)
        kept = parts != 0
        return self._explained(float(parts.sum()), 0.0, "items", common[kept], parts[kept], k)
