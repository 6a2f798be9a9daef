"""The anytime-valid test: level under daily peeking, power, state, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import ndtri

from aimass_core.effects import SequentialTest

N_DAYS = 60


def peeked(draw, n_campaigns, n_per_day, seed):
    """Shares of campaigns that the sequential and the daily fixed-horizon test ever reject."""
    rng = np.random.default_rng(seed)
    always, fixed = 0, 0
    z = ndtri(0.975)
    for _ in range(n_campaigns):
        test = SequentialTest(expected_total=N_DAYS * n_per_day)
        has_alarm = False
        for _ in range(N_DAYS):
            treated = rng.random(n_per_day) < 0.5
            result = test.update(treated, draw(rng, treated))
            has_alarm |= abs(result.difference) > z * result.standard_error
        always += result.is_significant
        fixed += has_alarm
    return always / n_campaigns, fixed / n_campaigns


def test_false_alarms_of_60_days_of_peeking():
    """At most 5 %, where a fixed-horizon test that is repeated daily has several times as many."""
    share, fixed = peeked(lambda rng, treated: rng.random(len(treated)) < 0.08, 200, 100, 1)
    assert share <= 0.05
    assert fixed > 0.2


@pytest.mark.slow
def test_false_alarms_of_1000_campaigns():
    for draw in (
        lambda rng, treated: rng.random(len(treated)) < 0.08,
        lambda rng, treated: rng.random(len(treated)) < 0.02,
        lambda rng, treated: np.where(
            rng.random(len(treated)) < 0.1, rng.lognormal(3.4, 0.7, len(treated)), 0
        ),
    ):
        share, fixed = peeked(draw, 1000, 200, 2)
        assert share <= 0.05
        assert fixed > 0.25


def test_finds_an_effect(rng):
    test = SequentialTest(expected_total=20_000)
    for _ in range(50):
        treated = rng.random(400) < 0.5
        result = test.update(treated, rng.random(400) < 0.10 + 0.04 * treated)
    assert result.is_significant
    assert result.lower > 0
    assert result.difference == pytest.approx(0.04, abs=0.02)


def test_interval_and_p_value_agree(rng):
    """Without looks before, the p-value is at most alpha exactly where the interval leaves 0."""
    for shift in np.linspace(0, 0.3, 40):
        treated = np.arange(2000) % 2 == 0
        result = SequentialTest(expected_total=2000).update(
            treated, rng.normal(size=2000) + shift * treated
        )
        assert result.is_significant == (result.lower > 0 or result.upper < 0)


def test_is_tightest_near_the_expected_total(rng):
    treated = np.arange(4000) % 2 == 0
    values = rng.normal(size=4000)
    widths = {
        total: (lambda r: r.upper - r.lower)(SequentialTest(total).update(treated, values))
        for total in (400, 2000, 4000, 8000, 40_000)
    }
    assert min(widths, key=lambda total: widths[total]) == 4000
    plain = 2 * 1.96 * np.sqrt(4 * values.var() / 4000)
    assert 1.3 < widths[4000] / plain < 1.6  # the price of peeking


def test_parts_of_a_day_are_one_day(rng):
    treated, values = rng.random(3000) < 0.5, rng.normal(5, 2, 3000)
    whole, parts = SequentialTest(3000), SequentialTest(3000)
    expected = whole.update(treated, values)
    for rows in np.array_split(np.arange(3000), 7):
        got = parts.update(treated[rows], values[rows])
    assert (got.difference, got.standard_error) == pytest.approx(
        (expected.difference, expected.standard_error)
    )


def test_state_goes_through_json(rng):
    test = SequentialTest(1000, alpha=0.1, min_per_arm=20)
    for n in (30, 0, 200):
        test.update(rng.random(n) < 0.5, rng.random(n))
    again = SequentialTest.from_dict(json.loads(json.dumps(test.to_dict())))
    assert again.result() == test.result()
    treated, values = rng.random(100) < 0.5, rng.random(100)
    assert again.update(treated, values) == test.update(treated, values)
    with pytest.raises(ValueError, match="state has no 'look'"):
        SequentialTest.from_dict({"expected_total": 5, "alpha": 0.05, "min_per_arm": 2})


def test_too_little_data_decides_nothing():
    test = SequentialTest(1000)
    for result in (
        test.update([], []),
        test.update([1, 1], [1.0, 1.0]),
        test.update([0] * 50 + [1] * 50, np.arange(100.0)),
        SequentialTest(1000).update([0] * 500 + [1] * 500, np.repeat([0.0, 1.0], 500)),
    ):
        assert result.p_value == 1
        assert (result.lower, result.upper) == (-np.inf, np.inf)
        assert "look" in repr(result)
        assert not result.to_dict()["is_significant"]


@pytest.mark.parametrize(
    ("treatment", "outcome", "message"),
    [
        (["a", "b"], [1, 2], "0 and 1"),
        ([0, 2], [1, 2], "0 and 1"),
        ([0, 1], [1, np.nan], "holds nan"),
        ([0, 1], [1], "one value per row"),
    ],
)
def test_refusals(treatment, outcome, message):
    with pytest.raises(ValueError, match=message):
        SequentialTest(1000).update(treatment, outcome)


def test_refusals_of_options():
    with pytest.raises(ValueError, match="alpha must be below 1"):
        SequentialTest(1000, alpha=5)
    with pytest.raises(ValueError, match="expected_total must be at least 2"):
        SequentialTest(0)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.9])
@pytest.mark.parametrize("outcome", ["rare conversion", "spend"])
def test_false_alarms_of_unequal_arms_with_rare_events(share, outcome):
    """A small arm without any event yet has no variance, which must not count as certainty."""
    rng = np.random.default_rng(3)
    n_days, n_per_day, n_campaigns = 40, 500, 100
    alarms = 0
    for _ in range(n_campaigns):
        test = SequentialTest(expected_total=n_days * n_per_day)
        for _ in range(n_days):
            values = (rng.random(n_per_day) < 0.005).astype(float)
            if outcome == "spend":
                values *= rng.lognormal(3, 1.5, n_per_day)
            result = test.update(rng.random(n_per_day) < share, values)
        alarms += result.is_significant
    assert alarms <= 0.05 * n_campaigns


def test_error_of_equal_arms_is_that_of_welch(rng):
    treated, values = np.arange(1000) % 2 == 0, rng.normal(size=1000)
    result = SequentialTest(1000).update(treated, values)
    welch = np.sqrt(values[treated].var(ddof=1) / 500 + values[~treated].var(ddof=1) / 500)
    assert result.standard_error == pytest.approx(welch)


def test_refusals_of_states():
    state = SequentialTest(1000).to_dict()
    with pytest.raises(ValueError, match="must hold a count, a mean and a sum of squares"):
        SequentialTest.from_dict({**state, "treated": [1, 2]})
    with pytest.raises(TypeError, match="got list"):
        SequentialTest.from_dict([1])
    with pytest.raises(ValueError, match="whose square overflows"):
        SequentialTest(1000).update([0, 1], [1e200, 0])
