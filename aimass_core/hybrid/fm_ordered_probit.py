"""Factorization machine that predicts one of several ordered classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import ndtr

from ..base.arrays import as_classes, ordered_labels
from ..base.registry import register
from ._fm_estimator import FactorizationMachineEstimator, share_of_hits
from ._fm_targets import Ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ._fm_chain import Draws
    from ._fm_targets import Target
    from .relation import RelationBlock

    Array = NDArray[np.float64]

__all__ = ["FactorizationMachineOrderedProbit"]


@register("fm-ordered-probit")
class FactorizationMachineOrderedProbit(FactorizationMachineEstimator):
    r"""Predict probabilities of ordered classes, such as stars, by products of factors.

    .. math:: P(y \le c) = \Phi\Big(\gamma_c - \sum_j w_j x_j
              - \sum_{j < l} v_j^T v_l \, x_j x_l\Big)

    Unlike a regression, the model does not take the steps between the classes for equal.

    Parameters
    ----------
    n_factors : int, default=10
        Length of the vectors v_j, 0 to 1024; 0 is a linear model.
    max_iter : int, default=200
        Gibbs sweeps over all coefficients.
    n_burn_in : int, default=60
        First sweeps that are not kept; the steps of the cut points are adapted in them.
    thin : int, default=1
        Every how many sweeps a draw is kept.
    init_scale : float, default=0.1
        Standard deviation of first factors.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of first factors and of all draws.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in the order of the classes: that of an ordered categorical type of pandas or an
        Enum of polars, else the ascending one. Classes without a row are left out. Labels are
        text, booleans, int64 or float64.
    cutpoints_ : ndarray of float64, shape (n_draws, n_classes - 1)
        Bounds between the classes, ascending.
    linear_, factors_ : ndarray
        Draws, as of `FactorizationMachineRegressor`; there is no intercept.
    losses_ : ndarray of float64, shape (n_sweeps,)
        Root of the mean squared error of the latent values of each sweep.

    Notes
    -----
    Cost and memory are those of `FactorizationMachineRegressor`, and a few passes over the targets
    for the cut points.

    References
    ----------
    J. Albert and S. Chib, "Bayesian analysis of binary and polychotomous response data", JASA
    88(422), 1993. M. Cowles, "Accelerating Monte Carlo Markov chain convergence for
    cumulative-link generalized linear models", Statistics and Computing 6, 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.hybrid import FactorizationMachineOrderedProbit
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> y = np.digitize(X[:, 0] * X[:, 1], [-0.5, 0.5])
    >>> model = FactorizationMachineOrderedProbit(n_factors=2, max_iter=120).fit(X, y)
    >>> model.predict(np.array([[2.0, 2.0], [-2.0, 2.0], [0.1, 0.0]])).tolist()
    [2, 0, 1]
    """

    _state: ClassVar[tuple[str, ...]] = (
        *FactorizationMachineEstimator._state,
        "classes_",
        "cutpoints_",
    )
    _solvers: ClassVar[tuple[str, ...]] = ("mcmc",)

    classes_: NDArray[Any]
    cutpoints_: Array

    def __init__(
        self,
        *,
        n_factors: int = 10,
        max_iter: int = 200,
        n_burn_in: int = 60,
        thin: int = 1,
        init_scale: float = 0.1,
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.max_iter = max_iter
        self.n_burn_in = n_burn_in
        self.thin = thin
        self.init_scale = init_scale
        self.random_state = random_state
        self.n_threads = n_threads

    def _target(self, y: Any, n: int) -> Target:
        labels, codes = ordered_labels(y, "y", length=n)
        self.classes_ = as_classes(labels, "y")
        if len(self.classes_) < 2:
            raise ValueError("y must hold at least two classes, got 1: drop the constant target")
        if len(self.classes_) > 100:
            raise ValueError(
                f"y holds {len(self.classes_)} different values, at most 100 ordered classes are "
                "possible: use FactorizationMachineRegressor for numbers"
            )
        return Ordered(codes, len(self.classes_))

    def _keep(self, draws: Draws, losses: NDArray[Any]) -> None:
        super()._keep(draws, losses)
        self.cutpoints_ = draws.cutpoints

    def _restore(self) -> None:
        super()._restore()
        shape = (len(self.intercepts_), len(self.classes_) - 1)
        if self.classes_.ndim != 1:
            raise ValueError("classes that are not a list of labels")
        if self.cutpoints_.shape != shape or (np.diff(self.cutpoints_, axis=1) < 0).any():
            raise ValueError("cut points that are not ascending")

    def predict_proba(self, X: Any, *, relations: Sequence[RelationBlock] = ()) -> Array:
        """Return the probability of each class for each row.

        Parameters
        ----------
        X : sparse matrix or 2-D array of shape (n, n_columns), or None
            Features, as in `fit`.
        relations : sequence of RelationBlock, default=()
            As in `fit`; rows of the tables may be new.

        Returns
        -------
        ndarray of float64, shape (n, n_classes)
            In the order of ``classes_``; rows sum to 1.
        """
        predictions = self._predictions(X, relations)
        below = [ndtr(c[:, None] - predictions).mean(axis=0) for c in self.cutpoints_.T]
        n = predictions.shape[1]
        edges = np.column_stack([np.zeros(n), *below, np.ones(n)])
        return np.asarray(np.diff(edges, axis=1))

    def predict(self, X: Any, *, relations: Sequence[RelationBlock] = ()) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X, relations
            As in `predict_proba`.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        self._check_fitted()
        labels: NDArray[Any] = self.classes_[
            self.predict_proba(X, relations=relations).argmax(axis=1)
        ]
        return labels

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, relations: Sequence[RelationBlock] = ()
    ) -> float:
        """Return the share of rows whose class is predicted.

        Parameters
        ----------
        X : as in `predict_proba`
            Features.
        y : array-like of shape (n,)
            True labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        relations : sequence of RelationBlock, default=()
            As in `predict_proba`.

        Returns
        -------
        float
            Within [0, 1].
        """
        return share_of_hits(self.predict(X, relations=relations), y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            input_tags=InputTags(sparse=True),
            classifier_tags=ClassifierTags(),
        )
