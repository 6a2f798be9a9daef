"""User-based neighbourhoods: an item is recommended because similar users have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.baselines import Baseline, new_user_bias
from ..base.csr import (
    as_lists,
    common_products,
    dense_scores,
    products_of_rows,
    renumber_columns,
    spgemm_topk,
    take_rows,
    transpose,
)
from ..base.lists import Explanation, TopK
from ..base.query import Query
from ..base.ranking import Ranked, rank_by_score
from ..base.registry import register
from ..base.threads import resolve_n_threads
from ..similarity._compare import epilogue, features_of, prepare
from ._knn import Neighborhood

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Query
    from ..similarity._compare import Compared, Features
    from ._rating import RatingEngine

__all__ = ["UserKNN"]


@register("user-knn")
class UserKNN(Neighborhood):
    r"""Recommend items, or predict ratings, by the similarity of users.

    A list ranks the items i by

    .. math:: s_{ui} = \sum_{v \in N_k(u)} \text{sim}(v, u) \, w_{vi}

    with :math:`N_k(u)` the nearest users and :math:`w_{vi}` the weights in their profiles. Ratings
    are predicted as :math:`\hat r_{ui} = b_{ui} + \sum_v \text{sim}(v, u) (r_{vi} - b_{vi}) /
    \sum_v |\text{sim}(v, u)|` over the nearest users v who rated the item, where b is 0, a mean or
    the baseline.

    Parameters
    ----------
    n_neighbors : int, default=100
        Neighbours kept of each user; for ratings: the k nearest among the users who rated the
        item.
    similarity : str, callable or Similarity, optional
        Name of a measure, a Numba function, or either with options: `Similarity`. Default:
        "cosine".
    weighting : {"bm25", "tf_idf", "log", "binarize"} or a weighting, optional
        Learned from the fitted matrix and applied to it before anything is compared, and to the
        profiles of new users; users are the documents. A weighting with options is an object such
        as ``BM25(K1=1.2, B=0.1, documents="users")`` from `aimass_core.data.weighting`.
    profile : {"weighted", "raw", "binary"}, default="weighted"
        What of the neighbours is multiplied with the similarities: values after weighting, stored
        values, or ones.
    normalize : bool, default=False
        Divide the weights that start from one neighbour by their sum of absolute values, after the
        lists were cut to ``n_neighbors``. Ranking only; `recommend_new` does not take it.
    neighbors_of : {"target", "seen"}, default="target"
        Which neighbour lists are cut to ``n_neighbors``: "target", those of the users who get the
        recommendations, or "seen", those of the users whose items are recommended. Ranking only;
        `recommend_new` always cuts the lists of the new users.
    aggregation : {"sum", "mean", "centered", "zscore", "baseline"}, default="sum"
        "sum" ranks by the sum of similarities times profile. The others predict ratings from the
        nearest among those who rated: their weighted mean, or the same of deviations from their
        means, of these in standard deviations, or of deviations from the baseline.
    min_k : int, default=1
        Fewer neighbours than that make no prediction, only the mean or baseline (ratings only).
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
    similarity_ : csr_array of shape (n_users, n_users) or None
        Row u holds the neighbours kept of user u. None for ratings, which
        compute similarities on demand.
    weighting_ : weighting or None
        What was learned by the weighting.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.
    user_bias_, item_bias_ : ndarray or None
        The baseline's biases where one is used.

    Notes
    -----
    An asymmetric measure is taken from the neighbour to the queried user. Fitting costs what
    `similarity.topk` costs; memory O(n_users n_neighbors). `recommend` adds up the rows of a
    user's neighbours. A rating costs one row of similarities computed on demand, in float64;
    `recommend` with ratings predicts every candidate, n_items per user, in blocks, and leaves out
    items without a neighbour. Predictions where nothing is known of user or item are the mean of
    all ratings (or the baseline).

    References
    ----------
    J. Herlocker, J. Konstan, A. Borchers, J. Riedl, "An algorithmic framework for performing
    collaborative filtering", 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import UserKNN
    >>> ratings = np.array([[5.0, 3.0, 0.0], [4.0, 0.0, 2.0], [0.0, 4.0, 5.0]])
    >>> model = UserKNN(n_neighbors=2, similarity="msd", aggregation="mean").fit(ratings)
    >>> model.predict(0, 2).round(3).tolist()
    [3.5]
    """

    _entities: ClassVar[str] = "users"

    def _prepare(self, n_threads: int) -> None:
        super()._prepare(n_threads)
        self._item_owners: sp.csr_array | None = None
        self._fitted_users: tuple[Compared, Features, sp.csr_array] | None = None
        self._neighbors = self.similarity_
        if self.similarity_ is not None and self.neighbors_of == "seen":
            self._neighbors = transpose(self.similarity_, n_threads)

    def _compared_users(self, n_threads: int) -> tuple[Compared, Features, sp.csr_array]:
        """Return the users of the fit, prepared for the measure, and scaled; made once."""
        if self._fitted_users is None:
            fitted = transpose(self._weighted(self.user_items_), n_threads)
            features = features_of(fitted)
            y = prepare(fitted, self._m, features=features, baseline=self._baseline_of_entities())
            self._fitted_users = y, features, y.scaled()
        return self._fitted_users

    def _new_users(self, profiles: sp.csr_array, n_threads: int) -> Compared:
        """Return new users, prepared for the measure."""
        known = self._baseline_of_entities()
        baseline = None
        if known is not None:
            bias = new_user_bias(profiles, known.mean + known.feature)
            baseline = Baseline(known.mean, known.feature, bias)
        queried = transpose(self._weighted(profiles), n_threads)
        _, features, _ = self._compared_users(n_threads)
        return prepare(queried, self._m, features=features, baseline=baseline)

    def _neighbors_of(self, query: Query) -> sp.csr_array:
        """Return the neighbour lists of the users of a query; rows in any order."""
        assert self._neighbors is not None
        n_users = self.n_users_
        if query.users is None:
            if self.normalize:
                raise ValueError(
                    "normalize=True cannot be applied to users who were not in the fit: fit with "
                    "normalize=False, or add them with partial_fit"
                )
            x = self._new_users(query.profiles, query.n_threads)
            y, _, scaled = self._compared_users(query.n_threads)
            rows = transpose(x.scaled(), query.n_threads)
            if self._m.function is None:  # measures run from the neighbour to the queried user
                x, y = x.swapped(), y.swapped()
            k = max(min(self.n_neighbors, n_users), 1)
            best = spgemm_topk(rows, scaled, k, query.n_threads, score=epilogue(self._m, x, y))
            return as_lists(*best, n_users)
        if len(query) == n_users and (query.users == np.arange(n_users)).all():
            return self._neighbors
        return take_rows(self._neighbors, query.users)

    def score(self, query: Query) -> NDArray[Any]:
        """Return the sum of similarities times profile, or the predicted rating, of every item.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float, shape (n, n_items)
            -inf for an item that no neighbour of the user has.
        """
        if self._neighbors is None:
            return self._rating_scores(query)
        return dense_scores(self._neighbors_of(query) @ self._weighted_training)

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
        if self._neighbors is None or query.candidate_lists is not None:
            return rank_by_score(query, self.score)
        assert self._weighted_training is not None
        return spgemm_topk(
            self._neighbors_of(query),
            self._weighted_training,
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
            0 where no neighbour of the user has the item.
        """
        if self._engine is not None:
            ratings, _ = self._rate(self._engine, users, items, n_threads)
            return self._clipped(ratings)
        assert self._neighbors is not None
        return products_of_rows(self._neighbors, users, self._owners(), items)

    def _owners(self) -> sp.csr_array:
        """Return what is multiplied, items x users; made once."""
        if self._item_owners is None:
            assert self._weighted_training is not None
            self._item_owners = transpose(self._weighted_training, 1)
        return self._item_owners

    def _forget_rows(self, kept: NDArray[np.int64]) -> None:
        if self.similarity_ is None:
            return
        renumbered = np.full(self.similarity_.shape[1], -1, dtype=np.int64)
        renumbered[kept] = np.arange(len(kept))
        self.similarity_ = renumber_columns(
            take_rows(self.similarity_, kept), renumbered, len(kept)
        )

    def _engine_with(self, profiles: sp.csr_array, n_threads: int) -> RatingEngine:
        engine = self._engine
        assert engine is not None
        x = self._new_users(profiles, n_threads)
        offset = None
        if self.aggregation == "baseline":
            known = self._baseline_of_entities()
            assert known is not None
            offset = known.mean + new_user_bias(profiles, known.mean + known.feature)
        return engine.with_entities(profiles, x, offset, n_threads)

    def similar_users(
        self,
        users: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the neighbours of users, most similar first.

        Parameters
        ----------
        users : id or array-like of ids
            Row numbers where the model was fitted on a matrix.
        k : int, default=10
            At least 1; a ranking model knows at most ``n_neighbors`` of each.
        candidates, exclude : collection of user ids, mask, sparse matrix or dict, optional
            Only these users, and not these; as in `recommend`.
        n_threads : int, optional
            Used by rating models, which compute the answer on demand.

        Returns
        -------
        TopK
            One list for each user, without the user itself; empty for a user without interactions.

        Raises
        ------
        KeyError
            For an unknown user.
        """
        self._check_fitted()
        return self._similar(self._rows(users, "users"), k, candidates, exclude, n_threads)

    def explain(self, user: Any, item: Any, *, k: int | None = 10) -> Explanation:
        """Return which similar users contribute to the score of an item.

        Parameters
        ----------
        user, item : id
            One of each.
        k : int or None, default=10
            Largest contributions listed; None: all, which add up to the score.

        Returns
        -------
        Explanation
            Its ``of`` is "users".

        Raises
        ------
        KeyError
            For an unknown user or item.
        """
        self._check_fitted()
        rows, columns = self._rows(user, "user"), self._columns(item, "item")
        (u, i), threads = self._one_pair(rows, columns), resolve_n_threads(None)
        if self._engine is not None:
            neighbors, parts = self._engine.contributions(u, i, threads)
            score = float(self._engine.estimate(rows, columns, threads)[0][0])
            return self._explained(score, score - float(parts.sum()), "users", neighbors, parts, k)
        assert self._neighbors is not None
        common, parts = common_products(self._neighbors, u, self._owners(), i)
        kept = parts != 0
        return self._explained(float(parts.sum()), 0.0, "users", common[kept], parts[kept], k)
