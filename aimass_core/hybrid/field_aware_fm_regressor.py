"""Field-aware factorization machine that predicts numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arrays import as_vector
from ..base.registry import register
from ._field_aware_estimator import FieldAwareEstimator
from ._fm_estimator import determination

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["FieldAwareFactorizationMachineRegressor"]


_LEAST_SCALE = 1e-30  # coefficients some powers of ten below and above still fit into float32


@register("field-aware-fm-regressor")
class FieldAwareFactorizationMachineRegressor(FieldAwareEstimator):
    r"""Predict numbers by a field-aware factorization machine, learned by gradient descent.

    .. math:: \hat y(x) = w_0 + \sum_j w_j x_j + \sum_{j < l} v_{j, f(l)}^T v_{l, f(j)} \, x_j x_l

    f(j) is the field of column j. Each column has a vector for each field. With one field this is a
    plain factorization machine, learned by stochastic gradient descent.

    Parameters
    ----------
    n_factors : int, default=4
        Length of the vectors, 0 to 1024; 0 is a linear model.
    max_iter : int, default=20
        Epochs: passes over all rows, in a random order each.
    learning_rate : float, default=0.1
        Length of a step, which AdaGrad divides by the root of the sum of squared gradients of each
        coefficient.
    regularization : float, default=1e-4
        L2 penalty of linear coefficients and factors, at each step.
    init_scale : float, default=0.1
        Standard deviation of first factors.
    validation_fraction : float, default=0.1
        Share of the rows, drawn at random, that are held out. The epoch with the least loss of
        these rows is kept. 0: all rows are learned from, and the last epoch is kept.
    n_iter_no_change : int, default=3
        The fit ends when the loss of the rows held out has not fallen for so many epochs.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of first factors, of the rows held out and of the order of the rows.

    Attributes
    ----------
    intercept_ : ndarray of float64, shape (1,)
        Constant of the prediction.
    linear_ : ndarray of float32, shape (n_columns,)
        Linear coefficients.
    factors_ : ndarray of float32, shape (n_columns, n_fields, n_factors)
        Factors of each column for each field.
    fields_ : ndarray of int32, shape (n_columns,)
        Number of the field of each column, in the order of the sorted labels.
    losses_ : ndarray of float64, shape (n_epochs,)
        Mean of half the squared error of each epoch, before each step, of standardised targets.
    validation_losses_ : ndarray of float64, shape (n_epochs,)
        The same of the rows held out after each epoch; empty without them.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of object, shape (n_features_in_,)
        Names of the columns of X, where X is a table with names.

    Notes
    -----
    An epoch costs O(entries x fields of a row x n_factors) on one thread. Predictions, and the loss
    of the rows held out, also cost O(n_fields^2) calls. Memory: 40 n_columns n_fields n_factors
    bytes. Steps are made one after another, so results are deterministic.
    Targets are standardised before; standardise numeric columns of X.
    `FactorizationMachineRegressor` samples the posterior of the plain model, gives intervals and
    needs no choice of penalties.

    References
    ----------
    Y. Juan, Y. Zhuang, W.-S. Chin and C.-J. Lin, "Field-aware factorization machines for CTR
    prediction", RecSys 2016. S. Rendle, "Factorization machines", ICDM 2010. J. Duchi, E. Hazan and
    Y. Singer, "Adaptive subgradient methods", JMLR 12, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.hybrid import FieldAwareFactorizationMachineRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 3))
    >>> y = 2 + X[:, 0] * X[:, 1] + 0.1 * rng.normal(size=2000)
    >>> model = FieldAwareFactorizationMachineRegressor(max_iter=40).fit(X, y, fields=[0, 1, 2])
    >>> bool(abs(model.predict(np.array([[1.0, 1.0, 0.0]]))[0] - 3) < 0.2)
    True
    """

    _is_logistic = False

    def __init__(
        self,
        *,
        n_factors: int = 4,
        max_iter: int = 20,
        learning_rate: float = 0.1,
        regularization: float = 1e-4,
        init_scale: float = 0.1,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        random_state: Any = 0,
    ) -> None:
        self.n_factors = n_factors
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.init_scale = init_scale
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def _target(self, y: Any, n: int) -> tuple[Array, float]:
        values = as_vector(y, "y", length=n)
        with np.errstate(over="ignore", invalid="ignore"):
            offset, scale = float(values.mean()), float(values.std())
        if not np.isfinite(offset + scale):
            raise ValueError("y holds values too large to be averaged: divide them by a constant")
        if scale and not _LEAST_SCALE < scale < 1 / _LEAST_SCALE:
            raise ValueError(
                f"y has a standard deviation of {scale:.1g}, which coefficients in float32 cannot "
                "hold: divide or multiply y by a constant"
            )
        self._units = offset, scale or 1.0
        return (values - offset) / self._units[1], 0.0

    def _row_losses(self, predictions: Array, targets: Array) -> Array:
        return 0.5 * (predictions - targets) ** 2

    def _finish(self) -> None:
        offset, scale = self._units
        self.intercept_ = offset + scale * self.intercept_
        self.linear_ *= np.float32(scale)
        self.factors_ *= np.float32(scale**0.5)

    def _learn(self, *arguments: Any) -> None:
        super()._learn(*arguments)
        del self._units

    def predict(self, X: Any) -> Array:
        """Return the prediction of each row.

        Parameters
        ----------
        X : sparse matrix or 2-D array of shape (n, n_columns)
            Features, as in `fit`.

        Returns
        -------
        ndarray of float64, shape (n,)
            Predictions.

        Raises
        ------
        ValueError
            For another number of columns than in the fit.
        NotFittedError
            Before ``fit``.
        """
        return self._predictions(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination R^2 of the predictions.

        Parameters
        ----------
        X : as in `predict`
            Features.
        y : array-like of shape (n,)
            True targets.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            1 for perfect predictions, 0 for those of the mean.
        """
        return determination(self.predict(X), y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True),
            input_tags=InputTags(sparse=True),
            regressor_tags=RegressorTags(),
        )
