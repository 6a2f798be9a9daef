"""Factorization machine that predicts one of two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import ndtr

from ..base.arrays import as_classes, as_labels
from ..base.registry import register
from ._fm_estimator import FactorizationMachineEstimator, share_of_hits
from ._fm_targets import Binary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ._fm_targets import Target
    from .relation import RelationBlock

    Array = NDArray[np.float64]

__all__ = ["FactorizationMachineClassifier"]


@register("fm-classifier")
class FactorizationMachineClassifier(FactorizationMachineEstimator):
    r"""Predict the probability of one of two classes by products of factors of features (probit).

    .. math:: P(y = 1) = \Phi\Big(w_0 + \sum_j w_j x_j + \sum_{j < l} v_j^T v_l \, x_j x_l\Big)

    Parameters
    ----------
    n_factors : int, default=10
        Length of the vectors v_j, 0 to 1024; 0 is a linear model.
    solver : {"mcmc", "als"}, default="mcmc"
        "mcmc": draws of the posterior by Gibbs sampling; probabilities are means over the draws.
        "als": one estimate by expectation maximisation, each step a sweep of least squares with a
        fixed penalty.
    max_iter : int, default=200
        Sweeps over all coefficients.
    n_burn_in : int, default=20
        First sweeps of "mcmc" that are not kept.
    thin : int, default=1
        Every how many sweeps a draw is kept.
    regularization : float, default=1.0
        L2 penalty of "als" on all coefficients.
    tol : float, default=1e-4
        "als" ends when a sweep changes the error of the latent values by less, relatively.
    init_scale : float, default=0.1
        Standard deviation of first factors.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of first factors and of all draws.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Both labels, in ascending order; the second is the class y = 1. Labels are text, booleans,
        int64 or float64.
    intercepts_, linear_, factors_ : ndarray
        Draws, as of `FactorizationMachineRegressor`.
    losses_ : ndarray of float64, shape (n_sweeps,)
        Root of the mean squared error of the latent values of each sweep.

    Notes
    -----
    Cost and memory are those of `FactorizationMachineRegressor`.

    References
    ----------
    J. Albert and S. Chib, "Bayesian analysis of binary and polychotomous response data", JASA
    88(422), 1993. S. Rendle, "Factorization machines with libFM", ACM TIST 3(3), 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.hybrid import FactorizationMachineClassifier
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    >>> model = FactorizationMachineClassifier(n_factors=2, max_iter=100).fit(X, y)
    >>> model.predict(np.array([[2.0, 2.0], [-2.0, 2.0]])).tolist()
    ['same', 'other']
    """

    _state: ClassVar[tuple[str, ...]] = (*FactorizationMachineEstimator._state, "classes_")

    classes_: NDArray[Any]

    def __init__(
        self,
        *,
        n_factors: int = 10,
        solver: str = "mcmc",
        max_iter: int = 200,
        n_burn_in: int = 20,
        thin: int = 1,
        regularization: float = 1.0,
        tol: float = 1e-4,
        init_scale: float = 0.1,
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.solver = solver
        self.max_iter = max_iter
        self.n_burn_in = n_burn_in
        self.thin = thin
        self.regularization = regularization
        self.tol = tol
        self.init_scale = init_scale
        self.random_state = random_state
        self.n_threads = n_threads

    def _target(self, y: Any, n: int) -> Target:
        labels, codes = as_labels(y, "y", length=n)
        self.classes_ = as_classes(labels, "y")
        if len(self.classes_) != 2:
            remedy = (
                "drop the constant target"
                if len(self.classes_) < 2
                else "use FactorizationMachineOrderedProbit where they are ordered"
            )
            raise ValueError(f"y must hold two classes, got {len(self.classes_)}: {remedy}")
        return Binary(codes)

    def _restore(self) -> None:
        super()._restore()
        if self.classes_.shape != (2,):
            raise ValueError("another number of classes than two")

    def decision_function(self, X: Any, *, relations: Sequence[RelationBlock] = ()) -> Array:
        """Return the mean over the draws of the latent prediction of each row.

        Parameters
        ----------
        X : sparse matrix or 2-D array of shape (n, n_columns), or None
            Features, as in `fit`.
        relations : sequence of RelationBlock, default=()
            As in `fit`; rows of the tables may be new.

        Returns
        -------
        ndarray of float64, shape (n,)
            Above 0 where the second class is the more probable one, in most cases.
        """
        mean: Array = self._predictions(X, relations).mean(axis=0)
        return mean

    def predict_proba(self, X: Any, *, relations: Sequence[RelationBlock] = ()) -> Array:
        """Return the probability of each class for each row.

        Parameters
        ----------
        X, relations
            As in `decision_function`.

        Returns
        -------
        ndarray of float64, shape (n, 2)
            In the order of ``classes_``; rows sum to 1.
        """
        second = ndtr(self._predictions(X, relations)).mean(axis=0)
        return np.column_stack([1 - second, second])

    def predict(self, X: Any, *, relations: Sequence[RelationBlock] = ()) -> NDArray[Any]:
        """Return the more probable class of each row.

        Parameters
        ----------
        X, relations
            As in `decision_function`.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        self._check_fitted()
        labels: NDArray[Any] = self.classes_[
            (self.predict_proba(X, relations=relations)[:, 1] > 0.5).astype(np.intp)
        ]
        return labels

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, relations: Sequence[RelationBlock] = ()
    ) -> float:
        """Return the share of rows whose class is predicted.

        Parameters
        ----------
        X : as in `decision_function`
            Features.
        y : array-like of shape (n,)
            True labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        relations : sequence of RelationBlock, default=()
            As in `decision_function`.

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
            classifier_tags=ClassifierTags(multi_class=False),
        )
