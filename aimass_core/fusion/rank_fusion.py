"""Rank fusion: lists of several models in one, by the ranks of their items alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.registry import register
from ..base.validation import as_choice, as_float, as_int
from ._fused import FusedModel
from ._members import as_members, as_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._pool import Pool

__all__ = ["RankFusion"]

METHODS = ("reciprocal_rank", "borda", "vote")


@register("rank-fusion")
class RankFusion(FusedModel):
    r"""Recommend what several models rank high, whatever the scale of their scores.

    Parameters
    ----------
    models : mapping of str to model, list of models, or str, default=("item-knn", "implicit-als")
        Recommenders or registered names; a string holds names joined by "+". They are copied,
        and fitted without features of items and users.
    method : {"reciprocal_rank", "borda", "vote"}, default="reciprocal_rank"
        How ranks become points: 1 / (`rank_constant` + rank); ``depth`` + 1 - rank over ``depth``;
        or one vote for each of the `n_votes` best items, with ties decided by reciprocal ranks.
    weights : array-like of float or mapping of str to float, optional
        Weight of each model. Default: equal weights. They are divided by their sum.
    depth : int, default=200
        Each model contributes this many candidates. Ranks are counted among a model's `depth` best
        items that the user does not have.
    rank_constant : float, default=60.0
        Larger values level the ranks. Above -1.
    n_votes : int, default=10
        Items that a model votes for.

    Attributes
    ----------
    models_ : dict of str to Recommender
        The fitted members.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Notes
    -----
    The rank of an item is 1 plus the number of items that the user does not have and the model
    scores higher; equal scores share a rank. Beyond `depth`, ranks go on linearly in the score. A
    model that cannot rank an item gives it no points. A list costs one list of length `depth` from
    each model, and the scores of at most ``n_models * depth`` candidates from each.

    References
    ----------
    G. Cormack, C. Clarke, S. Buettcher, "Reciprocal rank fusion outperforms Condorcet and
    individual rank learning methods", SIGIR 2009. J. Aslam, M. Montague, "Models for metasearch",
    SIGIR 2001.

    Examples
    --------
    >>> from aimass_core import Interactions, ItemKNN, Popularity
    >>> from aimass_core.fusion import RankFusion
    >>> x = Interactions.from_arrays(
    ...     ["ann", "ann", "bob", "bob", "bob", "cleo"], ["ale", "tea", "ale", "tea", "pie", "ale"]
    ... )
    >>> model = RankFusion(models=[ItemKNN(n_neighbors=2), Popularity()]).fit(x)
    >>> lists = model.recommend(["cleo"], k=2)
    >>> lists.ids.tolist(), [round(60 * score, 3) for score in lists.scores[0].tolist()]
    ([['tea', 'pie']], [0.984, 0.968])
    """

    _state: ClassVar[tuple[str, ...]] = FusedModel._state

    def __init__(
        self,
        *,
        models: Any = ("item-knn", "implicit-als"),
        method: str = "reciprocal_rank",
        weights: Any = None,
        depth: int = 200,
        rank_constant: float = 60.0,
        n_votes: int = 10,
    ) -> None:
        self.models = models
        self.method = method
        self.weights = weights
        self.depth = depth
        self.rank_constant = rank_constant
        self.n_votes = n_votes

    def _check_parameters(self) -> None:
        super()._check_parameters()
        as_choice(self.method, "method", METHODS)
        as_float(self.rank_constant, "rank_constant", above=-1.0)
        as_int(self.n_votes, "n_votes", minimum=1)
        as_weights(self.weights, as_members(self.models))

    def _fuse(self, pool: Pool) -> NDArray[np.float64]:
        method, constant = self._at_fit("method"), self._at_fit("rank_constant")
        weights = as_weights(self._at_fit("weights"), self.models_)
        fused = np.zeros(len(pool.rows))
        largest = 1.0 / (1.0 + constant)
        smallest = weights[weights > 0].min()
        depth = max(pool.references.shape[2], 1)
        for m, weight in enumerate(weights):
            ranks = pool.ranks(m)
            reciprocal = 1.0 / (constant + ranks)
            if method == "reciprocal_rank":
                points = reciprocal
            elif method == "borda":
                points = np.maximum(depth + 1 - ranks, 0.0) / depth
            else:  # ties are decided by less than the weight of any vote
                points = (ranks <= self._at_fit("n_votes")) + 0.5 * smallest * reciprocal / largest
            fused += weight * points
        fused[~pool.is_ranked] = -np.inf
        return fused
