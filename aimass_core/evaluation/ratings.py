"""Metrics of predicted ratings and of scored labels.

All take the truth first, then the prediction, and optional sample weights; all need O(n) time and
memory but for the curves, which sort once: O(n log n).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._judged import Floats

__all__ = ["accuracy", "mae", "mse", "r2", "rmse", "roc_auc", "roc_curve"]


def _numbers(values: Any, name: str) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, got dtype {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must be 1-D, got {array.ndim}-D")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or inf; drop or fill these entries")
    return array.astype(np.float64)


def _weights(sample_weight: Any, n: int) -> Floats:
    if sample_weight is None:
        return np.ones(n)
    weights = _numbers(sample_weight, "sample_weight")
    if len(weights) != n:
        raise ValueError(f"sample_weight has {len(weights)} entries, y_true has {n}")
    if (weights < 0).any() or not weights.any():
        raise ValueError("sample_weight must not be negative, and not all zero")
    return weights


def _same_length(y_true: NDArray[Any], other: NDArray[Any], name: str) -> None:
    if len(y_true) != len(other):
        raise ValueError(f"y_true has {len(y_true)} entries, {name} has {len(other)}")
    if not len(y_true):
        raise ValueError("y_true is empty, so the metric is not defined")


def _pair(y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Floats, Floats, Floats]:
    truth, predicted = _numbers(y_true, "y_true"), _numbers(y_pred, "y_pred")
    _same_length(truth, predicted, "y_pred")
    return truth, predicted, _weights(sample_weight, len(truth))


def mse(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean squared error.

    Parameters
    ----------
    y_true, y_pred : array of shape (n,)
        True and predicted ratings, finite.
    sample_weight : array of shape (n,), optional
        Non-negative weights; default all 1.

    Returns
    -------
    float
        Weighted mean of (y_true - y_pred)**2.

    Raises
    ------
    ValueError
        For unequal lengths, no entries, or values that are not finite.

    Examples
    --------
    >>> from aimass_core.evaluation import mse
    >>> mse([1, 2], [1, 4])
    2.0
    """
    truth, predicted, weights = _pair(y_true, y_pred, sample_weight)
    return float(np.average((truth - predicted) ** 2, weights=weights))


def rmse(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the root of the mean squared error.

    Parameters
    ----------
    y_true, y_pred : array of shape (n,)
        True and predicted ratings, finite.
    sample_weight : array of shape (n,), optional
        Non-negative weights; default all 1.

    Returns
    -------
    float
        Square root of `mse`.

    Examples
    --------
    >>> from aimass_core.evaluation import rmse
    >>> rmse([1, 2], [3, 4])
    2.0
    """
    return float(np.sqrt(mse(y_true, y_pred, sample_weight=sample_weight)))


def mae(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean absolute error.

    Parameters
    ----------
    y_true, y_pred : array of shape (n,)
        True and predicted ratings, finite.
    sample_weight : array of shape (n,), optional
        Non-negative weights; default all 1.

    Returns
    -------
    float
        Weighted mean of abs(y_true - y_pred).

    Examples
    --------
    >>> from aimass_core.evaluation import mae
    >>> mae([1, 2], [1, 4])
    1.0
    """
    truth, predicted, weights = _pair(y_true, y_pred, sample_weight)
    return float(np.average(np.abs(truth - predicted), weights=weights))


def r2(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the coefficient of determination: 1 - residual sum of squares / that of the mean.

    Parameters
    ----------
    y_true, y_pred : array of shape (n,)
        True and predicted ratings, finite.
    sample_weight : array of shape (n,), optional
        Non-negative weights; default all 1.

    Returns
    -------
    float
        1 is perfect, 0 as good as the mean of the true values, negative worse.

    Raises
    ------
    ValueError
        When all true values are equal, and as `mse`.

    Examples
    --------
    >>> from aimass_core.evaluation import r2
    >>> r2([1, 2, 3], [1, 2, 4])
    0.5
    """
    truth, predicted, weights = _pair(y_true, y_pred, sample_weight)
    total = weights @ (truth - np.average(truth, weights=weights)) ** 2
    if np.ptp(truth[weights > 0]) == 0:
        raise ValueError("y_true holds one value only, so r2 is not defined")
    return float(1 - weights @ (truth - predicted) ** 2 / total)


def accuracy(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the share of labels predicted exactly.

    Parameters
    ----------
    y_true, y_pred : array of shape (n,)
        Labels of any one kind: numbers, strings, booleans.
    sample_weight : array of shape (n,), optional
        Non-negative weights; default all 1.

    Returns
    -------
    float
        Weighted share of equal labels.

    Examples
    --------
    >>> from aimass_core.evaluation import accuracy
    >>> accuracy(["a", "b"], ["a", "c"])
    0.5
    """
    truth, predicted = np.asarray(y_true), np.asarray(y_pred)
    if truth.ndim != 1 or predicted.ndim != 1:
        raise ValueError("y_true and y_pred must be 1-D")
    for labels, name in ((truth, "y_true"), (predicted, "y_pred")):
        if labels.dtype.kind == "f" and np.isnan(labels).any():
            raise ValueError(f"{name} holds NaN; drop or fill these entries")
    _same_length(truth, predicted, "y_pred")
    weights = _weights(sample_weight, len(truth))
    return float(np.average(truth == predicted, weights=weights))


def roc_curve(
    y_true: Any, y_score: Any, *, sample_weight: Any = None
) -> tuple[Floats, Floats, Floats]:
    """Return the ROC curve: false and true positive rate at each distinct score.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels 0/1 or booleans, both occurring.
    y_score : array of shape (n,)
        Scores, higher for label 1; finite.
    sample_weight : array of shape (n,), optional
        Non-negative weights; default all 1.

    Returns
    -------
    fpr : ndarray of float64, shape (n_distinct + 1,)
        Share of label 0 with a score of at least the threshold.
    tpr : ndarray of float64, shape (n_distinct + 1,)
        Share of label 1 with a score of at least the threshold.
    thresholds : ndarray of float64, shape (n_distinct + 1,)
        The distinct scores, falling, after inf, where both rates are 0.

    Raises
    ------
    ValueError
        For labels other than 0/1, one class only, unequal lengths, values that are not finite.

    References
    ----------
    .. [1] T. Fawcett, "An Introduction to ROC Analysis", Pattern Recognition Letters 27, 2006.

    Examples
    --------
    >>> from aimass_core.evaluation import roc_curve
    >>> fpr, tpr, thresholds = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> fpr.tolist(), tpr.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    truth, scores = _numbers(y_true, "y_true"), _numbers(y_score, "y_score")
    _same_length(truth, scores, "y_score")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("y_true must hold labels 0 and 1; compare with a threshold first")
    weights = _weights(sample_weight, len(truth))
    order = np.argsort(-scores, kind="stable")
    scores, truth, weights = scores[order], truth[order], weights[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    true_positive = np.cumsum(weights * truth)[last]
    false_positive = np.cumsum(weights * (1 - truth))[last]
    if not true_positive[-1] or not false_positive[-1]:
        raise ValueError("y_true must hold both labels, with weight, got one only")
    return (
        np.append(0.0, false_positive / false_positive[-1]),
        np.append(0.0, true_positive / true_positive[-1]),
        np.append(np.inf, scores[last]),
    )


def roc_auc(y_true: Any, y_score: Any, *, sample_weight: Any = None) -> float:
    """Return the area under the ROC curve: P(positive scores above negative), ties one half.

    For the AUC of each user's ranking see `auc`.

    Parameters
    ----------
    y_true : array of shape (n,)
        Labels 0/1 or booleans, both occurring.
    y_score : array of shape (n,)
        Scores, higher for label 1; finite.
    sample_weight : array of shape (n,), optional
        Non-negative weights; default all 1.

    Returns
    -------
    float
        Within [0, 1]; 0.5 for scores that say nothing.

    Examples
    --------
    >>> from aimass_core.evaluation import roc_auc
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    fpr, tpr, _ = roc_curve(y_true, y_score, sample_weight=sample_weight)
    return float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1])) / 2)
