"""Field-aware factorization machine that predicts one of two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import expit

from ..base.arrays import as_classes, as_labels
from ..base.registry import register
from ._field_aware_estimator import FieldAwareEstimator
from ._fm_estimator import share_of_hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["FieldAwareFactorizationMachineClassifier"]


@register("field-aware-fm-classifier")
class FieldAwareFactorizationMachineClassifier(FieldAwareEstimator):
    r"""Predict the probability of one of two classes by a field-aware factorization machine.

    .. math:: P(y = 1) = \sigma\Big(w_0 + \sum_j w_j x_j
              + \sum_{j < l} v_{j, f(l)}^T v_{l, f(j)} \, x_j x_l\Big)

    f(j) is the field of column j. Each column has a vector for each field. With one field this is a
    plain factorization machine. The logistic loss is minimised by stochastic gradient descent.

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
    classes_ : ndarray of shape (2,)
        Both labels, in ascending order; the second is the class y = 1. Labels are text, booleans,
        int64 or float64.
    intercept_ : ndarray of float64, shape (1,)
        Constant of the prediction.
    linear_ : ndarray of float32, shape (n_columns,)
        Linear coefficients.
    factors_ : ndarray of float32, shape (n_columns, n_fields, n_factors)
        Factors of each column for each field.
    fields_ : ndarray of int32, shape (n_columns,)
        Number of the field of each column, in the order of the sorted labels.
    losses_ : ndarray of float64, shape (n_epochs,)
        Mean logistic loss of each epoch, before each step.
    validation_losses_ : ndarray of float64, shape (n_epochs,)
        The same of the rows held out after each epoch; empty without them.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of object, shape (n_features_in_,)
        Names of the columns of X, where X is a table with names.

    Notes
    -----
    Cost and memory are those of `FieldAwareFactorizationMachineRegressor`.

    References
    ----------
    Y. Juan, Y. Zhuang, W.-S. Chin and C.-J. Lin, "Field-aware factorization machines for CTR
    prediction", RecSys 2016. S. Rendle, "Factorization machines", ICDM 2010. J. Duchi, E. Hazan and
    Y. Singer, "Adaptive subgradient methods", JMLR 12, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.hybrid import FieldAwareFactorizationMachineClassifier
    >>> X = np.random.default_rng(0).normal(size=(2000, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    >>> model = FieldAwareFactorizationMachineClassifier().fit(X, y, fields=["a", "b"])
    >>> model.predict(np.array([[2.0, 2.0], [-2.0, 2.0]])).tolist()
    ['same', 'other']
    """

    _state: ClassVar[tuple[str, ...]] = (*FieldAwareEstimator._state, "classes_")
    _is_logistic = True

    classes_: NDArray[Any]

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
        labels, codes = as_labels(y, "y", length=n)
        self.classes_ = as_classes(labels, "y")
        if len(self.classes_) != 2:
            raise ValueError(
                f"y must hold two classes, got {len(self.classes_)}: drop a constant target or "
                "fit one classifier for each class"
            )
        share = codes.mean()
        return codes.astype(np.float64), float(np.log(share / (1 - share)))

    def _row_losses(self, predictions: Array, targets: Array) -> Array:
        losses: Array = np.logaddexp(0, predictions) - targets * predictions
        return losses

    def _restore(self) -> None:
        super()._restore()
        if self.classes_.shape != (2,):
            raise ValueError("another number of classes than two")

    def decision_function(self, X: Any) -> Array:
        """Return the log-odds of the second class for each row.

        Parameters
        ----------
        X : sparse matrix or 2-D array of shape (n, n_columns)
            Features, as in `fit`.

        Returns
        -------
        ndarray of float64, shape (n,)
            Above 0 where the second class is the more probable one.
        """
        return self._predictions(X)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class for each row.

        Parameters
        ----------
        X : as in `decision_function`
            Features.

        Returns
        -------
        ndarray of float64, shape (n, 2)
            In the order of ``classes_``; rows sum to 1.
        """
        second = expit(self._predictions(X))
        return np.column_stack([1 - second, second])

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the more probable class of each row.

        Parameters
        ----------
        X : as in `decision_function`
            Features.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        self._check_fitted()
        labels: NDArray[Any] = self.classes_[(self._predictions(X) > 0).astype(np.intp)]
        return labels

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows whose class is predicted.

        Parameters
        ----------
        X : as in `decision_function`
            Features.
        y : array-like of shape (n,)
            True labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            Within [0, 1].
        """
        return share_of_hits(self.predict(X), y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            input_tags=InputTags(sparse=True),
            classifier_tags=ClassifierTags(multi_class=False),
        )
