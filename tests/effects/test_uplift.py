"""Uplift curves and areas: closed forms, ties, intervals, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import trapezoid

from aimass_core.effects import auuc, qini, qini_coefficient, uplift_curve, uplift_report


def exact(effect=0.2, base=0.1, n=1000):
    """The first half of the customers has the effect, exactly; both arms are of equal size.

    Rows: 4 groups (half x arm) of n customers with a rate that is met exactly.
    """
    half, arm, outcome = [], [], []
    for first in (1, 0):
        for treated in (1, 0):
            rate = base + effect * first * treated
            half += [first] * n
            arm += [treated] * n
            outcome += (np.arange(n) < round(rate * n)).tolist()
    return np.array(half), np.array(arm), np.array(outcome, dtype=float)


def test_closed_form():
    """V rises to a/2 at phi = 1/2 and stays: AUUC = 3a/8, qini = a/8, q0 by the formula."""
    half, arm, outcome = exact(0.2)
    curve = uplift_curve(half, arm, outcome)
    np.testing.assert_allclose(curve.share, [0, 0.5, 1])
    np.testing.assert_allclose(curve.uplift, [0, 0.1, 0.1])
    np.testing.assert_allclose(curve.qini, [0, 0.1, 0.1])
    assert auuc(half, arm, outcome) == pytest.approx(3 * 0.2 / 8)
    assert qini(half, arm, outcome) == pytest.approx(0.2 / 8)
    assert qini_coefficient(half, arm, outcome) == pytest.approx(0.2 / 8 / (0.1 * 0.9 / 2))


def test_the_worst_order_has_the_opposite_qini():
    half, arm, outcome = exact()
    assert qini(-half, arm, outcome) == pytest.approx(-qini(half, arm, outcome))
    assert auuc(-half, arm, outcome) == pytest.approx(0.2 / 8)


def test_a_constant_score_is_random_targeting():
    _, arm, outcome = exact()
    constant = np.zeros(len(arm))
    assert qini(constant, arm, outcome) == pytest.approx(0, abs=1e-15)
    assert auuc(constant, arm, outcome) == pytest.approx(0.1 / 2)


def test_unequal_arms_scale_as_defined():
    """With three control customers for each treated one, the Qini curve is the same."""
    half, arm, outcome = exact()
    repeats = np.where(arm == 1, 1, 3)
    parts = [np.repeat(x, repeats) for x in (half, arm, outcome)]
    assert qini(*parts) == pytest.approx(0.2 / 8)
    assert auuc(*parts) == pytest.approx(3 * 0.2 / 8)


def test_rows_of_equal_score_have_no_order(rng):
    score = rng.integers(0, 20, 500)
    arm, outcome = rng.random(500) < 0.4, rng.random(500)
    order = rng.permutation(500)
    for area in (auuc, qini):
        assert area(score, arm, outcome) == pytest.approx(
            area(score[order], arm[order], outcome[order])
        )


def test_by_hand_with_distinct_scores(rng):
    """The definitions written out, point by point."""
    n = 60
    score, arm, outcome = rng.random(n), rng.random(n) < 0.5, rng.random(n)
    order = np.argsort(-score)
    treated, y = arm[order], outcome[order]
    gain, incremental = [0.0], [0.0]
    for k in range(1, n + 1):
        t, c = y[:k][treated[:k]], y[:k][~treated[:k]]
        mean_t, mean_c = (x.mean() if len(x) else 0.0 for x in (t, c))
        gain.append(k / n * (mean_t - mean_c))
        incremental.append((t.sum() - mean_c * len(t)) / arm.sum())
    share = np.arange(n + 1) / n
    curve = uplift_curve(score, arm, outcome)
    np.testing.assert_allclose(curve.uplift, gain)
    np.testing.assert_allclose(curve.qini, incremental)
    assert auuc(score, arm, outcome) == pytest.approx(trapezoid(gain, share))
    assert qini(score, arm, outcome) == pytest.approx(
        trapezoid(incremental, share) - incremental[-1] / 2
    )


def test_shuffled_scores_find_nothing(rng):
    """Leak check: the qini of a score without content is 0 within its interval."""
    half, arm, outcome = exact()
    good = uplift_report(half + rng.random(4000), arm, outcome, n_resamples=300)
    none = uplift_report(rng.random(4000), arm, outcome, n_resamples=300)
    assert good.qini.lower > 0
    assert none.qini.lower < 0 < none.qini.upper


class TestReport:
    def test_content(self, rng):
        half, arm, outcome = exact()
        report = uplift_report(half, arm, outcome, shares=[0.5, 1.0], n_resamples=400)
        assert report.effect_at[0.5].estimate == pytest.approx(0.2)
        assert report.effect_at[1.0].estimate == pytest.approx(report.effect.estimate)
        expected = np.sqrt(2 * 0.3 * 0.7 / 1000 * 0.5 + 2 * 0.1 * 0.9 / 1000 * 0.5)
        assert report.effect_at[0.5].standard_error == pytest.approx(expected, rel=0.2)
        assert report.qini_coefficient.estimate > 0
        assert "qini coefficient" in repr(report)
        assert report.to_dict()["auuc"]["n_resamples"] == 400

    def test_does_not_depend_on_threads(self, rng):
        half, arm, outcome = exact()
        one, three = (
            uplift_report(half, arm, outcome, n_resamples=100, n_threads=n) for n in (1, 3)
        )
        assert one == three

    def test_values_have_no_coefficient(self, rng):
        half, arm, outcome = exact()
        report = uplift_report(half, arm, 7.5 * outcome, n_resamples=100)
        assert report.qini_coefficient is None
        with pytest.raises(ValueError, match="outcomes of 0 and 1"):
            qini_coefficient(half, arm, 7.5 * outcome)

    def test_negative_effects_have_no_coefficient(self):
        half, arm, outcome = exact(-0.05)
        assert uplift_report(half, arm, outcome, n_resamples=100).qini_coefficient is None
        with pytest.raises(ValueError, match="overall effect between 0 and 1"):
            qini_coefficient(half, arm, outcome)


@pytest.mark.parametrize(
    ("score", "treatment", "outcome", "message"),
    [
        ([1, 2, 3], [1, 1, 1], [0, 1, 0], "everybody or nobody"),
        ([1, 2, 3], [0, 0, 0], [0, 1, 0], "everybody or nobody"),
        ([1, 2, 3], ["t", "c", "c"], [0, 1, 0], "1 or True for treated"),
        ([1, 2, 3], [1, 2, 1], [0, 1, 0], "1 or True for treated"),
        ([1, 2, 3], [0, 1, 2], [0, 1, 0], "two values"),
        ([1, np.nan, 3], [0, 1, 1], [0, 1, 0], "score holds nan in row 1"),
        ([1, 2, 3], [0, 1, 1], [0, np.nan, 0], "outcome holds nan in row 1"),
        ([1, 2], [0, 1, 1], [0, 1, 0], "one value per row"),
        ([], [], [], "two values"),
    ],
)
def test_refusals(score, treatment, outcome, message):
    with pytest.raises(ValueError, match=message):
        uplift_curve(score, treatment, outcome)


def test_refusals_of_the_report():
    half, arm, outcome = exact(n=10)
    with pytest.raises(ValueError, match="shares must be at most 1"):
        uplift_report(half, arm, outcome, shares=[10])
    with pytest.raises(ValueError, match="n_resamples must be at least 100"):
        uplift_report(half, arm, outcome, n_resamples=5)


def test_replicates_without_an_arm_give_no_interval():
    """With one treated customer, a third of the replicates has none and so no effect."""
    report = uplift_report([3, 2, 1, 0, 5, 6.0], [1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1, 0], shares=0.5)
    for interval in (report.auuc, report.qini, report.effect, report.effect_at[0.5]):
        assert np.isfinite(interval.estimate)
        assert np.isnan([interval.lower, interval.upper]).all()


def test_plot():
    pytest.importorskip("matplotlib").use("Agg")
    curve = uplift_curve([2, 2, 1, 1], [1, 0, 1, 0], [1, 0, 1, 1])
    by_score, at_random = curve.plot().lines
    np.testing.assert_array_equal(by_score.get_ydata(), curve.uplift)
    assert at_random.get_ydata()[-1] == curve.uplift[-1]
