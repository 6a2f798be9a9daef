"""Score fusion: the weighted sum of the scores of several models, on a common scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import expit

from ..base.progress import logger
from ..base.random import as_generator
from ..base.registry import register
from ..base.validation import as_choice, as_int
from ._fused import FusedModel
from ._members import as_members, as_weights
from .candidates import out_of_fold_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._pool import Pool

    Floats = NDArray[np.float64]

__all__ = ["ScoreFusion"]

SCALES = ("z_score", "probability", "none")


@register("score-fusion")
class ScoreFusion(FusedModel):
    r"""Recommend by the weighted sum of the scores of several models.

    Parameters
    ----------
    models : mapping of str to model, list of models, or str, default=("item-knn", "implicit-als")
        Recommenders or registered names; a string holds names joined by "+". They are copied,
        and fitted without features of items and users.
    scale : {"z_score", "probability", "none"}, default="z_score"
        The common scale. "z_score": minus the mean, over the standard deviation, of the user's
        reference list. "probability": the calibrated probability that the user takes the item, by
        a logistic curve of the z-score for each model, learned from out-of-fold scores. "none":
        scores as they are; for models of ratings the result is then a rating.
    weights : array-like of float or mapping of str to float, optional
        Weight of each model. Default: equal weights. They are divided by their sum.
    depth : int, default=200
        Each model contributes this many candidates. The reference list of a user and a model holds
        the model's `depth` best scores among the items that the user does not have.
    n_folds : int, default=5
        Folds of the interactions for ``scale="probability"``: each fold is scored by models that
        were fitted without it.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the folds.

    Attributes
    ----------
    models_ : dict of str to Recommender
        The fitted members.
    curves_ : ndarray of float64, shape (n_models, 2) or None
        Intercept and slope of the logarithm of the odds of each model, for "probability".
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Notes
    -----
    Scores below a reference list approach its last z-score minus 1, the value of an item that the
    model cannot rank. With ``scale="none"`` an item needs a score from every model. Probabilities
    are those among candidates. They cost ``n_folds`` more fits of every member.

    References
    ----------
    E. Fox, J. Shaw, "Combination of multiple searches", TREC-2, 1994. J. Platt, "Probabilistic
    outputs for support vector machines", 1999.

    Examples
    --------
    >>> from aimass_core import Interactions, ItemKNN, Popularity
    >>> from aimass_core.fusion import ScoreFusion
    >>> x = Interactions.from_arrays(
    ...     ["ann", "ann", "bob", "bob", "bob", "cleo"], ["ale", "tea", "ale", "tea", "pie", "ale"]
    ... )
    >>> members = {"knn": ItemKNN(n_neighbors=2), "popular": Popularity()}
    >>> model = ScoreFusion(models=members, weights={"knn": 3, "popular": 1}).fit(x)
    >>> model.recommend(["cleo"], k=2).ids.tolist()
    [['tea', 'pie']]
    """

    _state: ClassVar[tuple[str, ...]] = (*FusedModel._state, "curves_")

    curves_: Floats | None

    def __init__(
        self,
        *,
        models: Any = ("item-knn", "implicit-als"),
        scale: str = "z_score",
        weights: Any = None,
        depth: int = 200,
        n_folds: int = 5,
        random_state: Any = 0,
    ) -> None:
        self.models = models
        self.scale = scale
        self.weights = weights
        self.depth = depth
        self.n_folds = n_folds
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        as_choice(self.scale, "scale", SCALES)
        as_int(self.n_folds, "n_folds", minimum=2)
        as_weights(self.weights, as_members(self.models))
        as_generator(self.random_state)  # raises for what is no seed

    def _learn_fusion(self, X: Any, n_threads: int) -> None:
        self.curves_ = None
        if self.scale != "probability":
            return
        table = out_of_fold_table(
            self._members(),
            X,
            depth=self.depth,
            n_folds=self.n_folds,
            random_state=self.random_state,
            n_threads=n_threads,
        )
        members = as_members(self.models)
        self.curves_ = np.tile([0.0, 1.0], (len(members), 1))
        if not table.labels.any() or table.labels.all():
            logger.warning(
                "ScoreFusion.fit: too few interactions to learn probabilities; all models get the "
                "same logistic curve"
            )
            return
        for m in range(len(members)):
            self.curves_[m] = _logistic_curve(table.standardized(m), table.labels)

    def _prepare(self, n_threads: int) -> None:
        super()._prepare(n_threads)
        self.predicts_ratings = self.scale == "none" and all(
            model.predicts_ratings for model in self.models_.values()
        )

    def _check_state(self) -> None:
        super()._check_state()
        if (self.scale == "probability") != (self.curves_ is not None):
            raise ValueError("the curves do not fit the parameter scale")
        if self.curves_ is not None and self.curves_.shape != (len(self.models_), 2):
            raise ValueError("one logistic curve for each member is needed")

    def _fuse(self, pool: Pool) -> Floats:
        weights = as_weights(self._at_fit("weights"), self.models_)
        fused = np.zeros(len(pool.rows))
        for m, weight in enumerate(weights):
            if self._at_fit("scale") == "none":
                points = pool.scores[m]
            else:
                points = pool.standardized(m)
            if self.curves_ is not None:
                points = expit(self.curves_[m, 0] + self.curves_[m, 1] * points)
            if weight > 0:
                fused += weight * points
        fused[~pool.is_ranked] = -np.inf
        return fused

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> Floats:
        """Return the fused score, or the mean predicted rating, of each pair.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Threads to use.

        Returns
        -------
        ndarray of float64, shape (n,)
            -inf for an item that cannot be ranked.
        """
        if not self.predicts_ratings:
            return super().score_pairs(users, items, n_threads)
        weights = as_weights(self._at_fit("weights"), self.models_)
        ratings = np.zeros(len(users))
        for weight, model in zip(weights, self.models_.values(), strict=True):
            if weight > 0:
                ratings += weight * model.score_pairs(users, items, n_threads)
        return ratings


def _logistic_curve(z: Floats, labels: NDArray[np.bool_]) -> tuple[float, float]:
    """Return intercept and slope of Platt's logistic curve; the slope is at least 0."""
    n_positive = int(labels.sum())
    high, low = (n_positive + 1) / (n_positive + 2), 1 / (len(labels) - n_positive + 2)
    target = np.where(labels, high, low)
    base = float(np.log(target.mean() / (1 - target.mean())))
    intercept, slope = base, 0.0
    for _ in range(50):  # Newton's method on a convex function, with a small ridge on the slope
        p = expit(intercept + slope * z)
        w = np.maximum(p * (1 - p), 1e-12)
        gradient = np.array([(p - target).sum(), ((p - target) * z).sum() + 1e-3 * slope])
        cross = float(w @ z)
        hessian = np.array([[w.sum(), cross], [cross, float(w @ z**2) + 1e-3]])
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        intercept, slope = intercept - float(step[0]), slope - float(step[1])
        if np.abs(step).max() < 1e-9:
            break
    return (intercept, slope) if slope > 0 else (base, 0.0)
