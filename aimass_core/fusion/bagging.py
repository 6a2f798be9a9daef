"""Bagging: the mean of copies of one model that differ in their seed or in their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.random import as_seed
from ..base.registry import register
from ..base.validation import as_float, as_int
from ..base.with_ids import matrix_of
from ._entries import keep_entries
from ._fused import FusedModel
from ._members import Members, as_members, fresh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._pool import Pool

    Floats = NDArray[np.float64]

__all__ = ["Bagging"]


@register("bagging")
class Bagging(FusedModel):
    """Recommend by the mean score of copies of a model with different seeds or different data.

    Parameters
    ----------
    model : model or str, default="implicit-als"
        A recommender or a registered name. It is copied, and fitted without features of items and
        users.
    n_estimators : int, default=5
        Number of copies.
    share : float, default=1.0
        Share of the interactions that each copy is fitted on, drawn without replacement. With 1.0
        the copies differ in their seed only, so the model must have a ``random_state``.
    depth : int, default=200
        Candidates that each copy contributes.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the seeds and of the samples of interactions.

    Attributes
    ----------
    models_ : dict of str to Recommender
        The fitted copies.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Notes
    -----
    The mean reduces the part of the error that differs between copies; it does not change what they
    have in common. An item's mean is over the copies that can rank it. Costs ``n_estimators`` fits
    and answers.

    References
    ----------
    L. Breiman, "Bagging predictors", Machine Learning 24, 1996. L. Breiman, "Pasting small votes
    for classification in large databases and on-line", Machine Learning 36, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import BPR
    >>> from aimass_core.fusion import Bagging
    >>> X = (np.random.default_rng(0).random((30, 12)) < 0.3).astype(float)
    >>> model = Bagging(model=BPR(n_factors=4, max_iter=5), n_estimators=3).fit(X)
    >>> len({m.random_state for m in model.models_.values()})
    3
    >>> model.recommend([0], k=2).indices.shape
    (1, 2)
    """

    _state: ClassVar[tuple[str, ...]] = FusedModel._state

    model: Any

    def __init__(
        self,
        *,
        model: Any = "implicit-als",
        n_estimators: int = 5,
        share: float = 1.0,
        depth: int = 200,
        random_state: Any = 0,
    ) -> None:
        self.model = model
        self.n_estimators = n_estimators
        self.share = share
        self.depth = depth
        self.random_state = random_state

    @property
    def _members_sharing_data(self) -> bool:  # type: ignore[override]
        return bool(self._at_fit("share") >= 1.0)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        as_int(self.n_estimators, "n_estimators", minimum=1)
        self._seed = as_seed(self.random_state)
        if as_float(self.share, "share", above=0.0) > 1.0:
            raise ValueError(f"share must be at most 1, got {self.share}")

    def _members(self) -> Members:
        (template,) = as_members([self.model]).values()
        has_seed = "random_state" in template.get_params(deep=False)
        if not has_seed and self.share == 1.0 and self.n_estimators > 1:
            raise ValueError(
                f"model: {type(template).__name__} has no random_state, so all copies would be the "
                "same: pass share below 1, or take another model"
            )
        rng = np.random.default_rng(self._seed)
        members = {}
        for number, seed in enumerate(rng.integers(0, 2**30, self.n_estimators).tolist(), 1):
            copied = fresh(template)
            members[str(number)] = copied.set_params(random_state=seed) if has_seed else copied
        return members

    def _fitted_members(self, X: Any) -> Members:
        if self.share == 1.0:
            return super()._fitted_members(X)
        rng = np.random.default_rng([self._seed, 1])
        matrix = matrix_of(X)
        n_kept = int(np.ceil(self.share * matrix.nnz))
        members = {}
        for name, model in self._members().items():
            kept = np.zeros(matrix.nnz, dtype=bool)
            kept[rng.permutation(matrix.nnz)[:n_kept]] = True
            members[name] = model.fit(keep_entries(X, kept))
        return members

    def _prepare(self, n_threads: int) -> None:
        super()._prepare(n_threads)
        self.predicts_ratings = all(model.predicts_ratings for model in self.models_.values())

    def _fuse(self, pool: Pool) -> Floats:
        is_known = pool.scores > -np.inf
        total = np.where(is_known, pool.scores, 0.0).sum(axis=0)
        n = is_known.sum(axis=0)
        if self.predicts_ratings:  # the mean of all copies, as predict has it
            n = np.where(n == len(self.models_), n, 0)
        mean: Floats = np.where(n > 0, total / np.maximum(n, 1), -np.inf)
        return mean

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> Floats:
        """Return the mean score, or the mean predicted rating, of each pair.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Threads to use.

        Returns
        -------
        ndarray of float64, shape (n,)
            -inf for an item that no copy can rank.
        """
        if not self.predicts_ratings:
            return super().score_pairs(users, items, n_threads)
        ratings = [m.score_pairs(users, items, n_threads) for m in self.models_.values()]
        mean: Floats = np.mean(ratings, axis=0)
        return mean
