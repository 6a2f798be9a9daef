"""Rating and label metrics against scikit-learn, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from aimass_core import evaluation as ev

PAIRS = [
    (ev.mse, oracle.mean_squared_error),
    (ev.rmse, oracle.root_mean_squared_error),
    (ev.mae, oracle.mean_absolute_error),
    (ev.r2, oracle.r2_score),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda f: f.__name__)
def test_errors_equal_sklearn(ours, theirs, rng):
    truth = rng.integers(1, 6, 300)
    predicted = (truth + rng.normal(size=300)).astype(np.float32)
    weights = rng.random(300)
    assert ours(truth, predicted) == pytest.approx(theirs(truth, predicted))
    expected = theirs(truth, predicted, sample_weight=weights)
    assert ours(truth, predicted, sample_weight=weights) == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_roc_equals_sklearn(rng, weighted):
    labels = rng.random(500) < 0.3
    scores = np.round(labels + rng.normal(size=500), 1)  # many ties
    weights = rng.random(500) if weighted else None
    expected = oracle.roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    for found, wanted in zip(ev.roc_curve(labels, scores, sample_weight=weights), expected):
        np.testing.assert_allclose(found, wanted, atol=1e-12)
    area = oracle.roc_auc_score(labels, scores, sample_weight=weights)
    assert ev.roc_auc(labels, scores, sample_weight=weights) == pytest.approx(area)


def test_roc_of_equal_scores_is_the_diagonal():
    fpr, tpr, thresholds = ev.roc_curve([0, 1, 1], [2.0, 2.0, 2.0])
    assert (fpr.tolist(), tpr.tolist(), thresholds.tolist()) == ([0, 1], [0, 1], [np.inf, 2])
    assert ev.roc_auc([0, 1, 1], [2.0, 2.0, 2.0]) == 0.5


def test_accuracy():
    assert ev.accuracy(["a", "b", "c", "a"], ["a", "b", "b", "a"]) == 0.75
    assert ev.accuracy([1, 0], [True, True], sample_weight=[3, 1]) == 0.75


@pytest.mark.parametrize("metric", [one for one, _ in PAIRS])
def test_refusals_of_the_errors(metric):
    with pytest.raises(ValueError, match="y_true has 2 entries, y_pred has 1"):
        metric([1, 2], [1])
    with pytest.raises(ValueError, match="y_true is empty"):
        metric([], [])
    with pytest.raises(ValueError, match="y_pred holds NaN"):
        metric([1, 2], [1, np.nan])
    with pytest.raises(TypeError, match="y_true must be numbers"):
        metric(["1", "2"], [1, 2])
    with pytest.raises(ValueError, match="1-D"):
        metric([[1, 2]], [[1, 2]])
    with pytest.raises(ValueError, match="not be negative"):
        metric([1, 2], [1, 2], sample_weight=[-1, 2])
    with pytest.raises(ValueError, match="sample_weight has 1 entries"):
        metric([1, 2], [1, 2], sample_weight=[1])


def test_undefined_values_are_refused():
    with pytest.raises(ValueError, match="y_true holds NaN"):
        ev.accuracy([1, np.nan], [1, np.nan])
    with pytest.raises(ValueError, match="one value only"):
        ev.r2([3, 3], [1, 2])
    with pytest.raises(ValueError, match="both labels"):
        ev.roc_auc([1, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="labels 0 and 1"):
        ev.roc_auc([1, 5], [0.1, 0.2])
    with pytest.raises(ValueError, match="y_true is empty"):
        ev.accuracy([], [])
