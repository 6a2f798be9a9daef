"""Power and sample size by simulation, against the closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from aimass_core.evaluation import power, sample_size


def test_power_of_a_rate_is_that_of_the_closed_form():
    p, q, n = 0.05, 0.06, 20_000
    found = power(np.arange(100) < 5, n, effect=0.01, n_simulations=4000)
    error = np.sqrt((p * (1 - p) + q * (1 - q)) / (n / 2))
    z = stats.norm.ppf(0.975)
    expected = stats.norm.sf(z - 0.01 / error) + stats.norm.cdf(-z - 0.01 / error)
    assert found.lower - 0.01 <= expected <= found.upper + 0.01


def test_power_of_paired_differences_is_that_of_the_t_test(rng):
    pilot = rng.normal(0.3, 1.0, 500)
    found = power(pilot, 60, effect=0.4, design="paired", n_simulations=4000)
    scale = pilot.std()
    expected = stats.nct.sf(stats.t.ppf(0.975, 59), 59, 0.4 / scale * np.sqrt(60))
    assert found.power == pytest.approx(expected, abs=0.03)


def test_sample_size_reaches_the_power(rng):
    found = sample_size(np.arange(100) < 5, effect=0.01, power=0.9)
    assert found.lower <= 0.9 <= found.upper
    p, q = 0.05, 0.06
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.9)
    closed = 2 * z**2 * (p * (1 - p) + q * (1 - q)) / 0.01**2
    assert found.n == pytest.approx(closed, rel=0.05)
    spend = np.where(rng.random(3000) < 0.1, rng.lognormal(3, 0.7, 3000), 0)
    skewed = sample_size(spend, effect=0.2 * spend.mean(), share=0.3)
    assert skewed.lower <= 0.8 <= skewed.upper


def test_effects_by_kind_of_outcome():
    """A sample with negative values is shifted, a non-negative one scaled."""
    assert power([-1.0, 0.0, 1.0], 500, effect=0.3).power > 0.8
    assert power([0.0, 0.0, 3.0], 500, effect=0.3).power < 0.8


def test_seeded_and_readable():
    pilot = np.arange(100) < 20
    assert power(pilot, 100, effect=0.1) == power(pilot, 100, effect=0.1)
    assert power(pilot, 100, effect=0.1) != power(pilot, 100, effect=0.1, random_state=1)
    assert power(pilot, 100, effect=0.1).to_dict()["n"] == 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [1, 1, 1], "n": 10, "effect": 1}, "two different values"),
        ({"values": [], "n": 10, "effect": 1}, "two different values"),
        ({"values": [0, 1], "n": 10, "effect": 0}, "effect must not be 0"),
        ({"values": [0, 1], "n": 10, "effect": 0.6}, r"out of \(0, 1\)"),
        ({"values": [0, 1], "n": 3, "effect": 0.1}, "n must be at least 4"),
        ({"values": [0, 1], "n": 10, "effect": 0.1, "share": 1}, "share must be below 1"),
        ({"values": [0, 1], "n": 10, "effect": 0.1, "alpha": 1}, "alpha must be below 1"),
        ({"values": [0, 1], "n": 10, "effect": 0.1, "design": "cluster"}, "design must be one of"),
        ({"values": [0, np.inf], "n": 10, "effect": 0.1}, "holds inf"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        power(**arguments)


def test_sample_size_refusals():
    with pytest.raises(ValueError, match="power must be above alpha"):
        sample_size([0, 1], effect=0.1, power=0.01)
    with pytest.raises(ValueError, match="more than"):
        sample_size([0, 1], effect=1e-9)


def test_effects_that_no_data_can_have():
    spend = np.where(np.arange(1000) < 50, 40.0, 0.0)
    for function, arguments in ((power, (spend, 1000)), (sample_size, (spend,))):
        with pytest.raises(ValueError, match="takes the mean 2 of non-negative values"):
            function(*arguments, effect=-50)
    with pytest.raises(ValueError, match="needs more than"):
        sample_size(spend, effect=1e-200)
    with pytest.raises(ValueError, match="whose square overflows"):
        power(spend * 1e200, 1000, effect=1.0)


def test_a_rate_and_a_relative_effect():
    pilot = np.arange(1000) < 9
    for share in (0.5, 0.2):
        by_rate = sample_size(0.009, effect=0.5, relative=True, share=share)
        assert by_rate.n == sample_size(pilot, effect=0.0045, share=share).n
        assert by_rate.effect == pytest.approx(0.0045)
        assert sum(by_rate.n_per_group) == by_rate.n
        assert by_rate.n_per_group[1] == round(share * by_rate.n)
        assert f"{by_rate.n_per_group[1]:,} treated" in repr(by_rate)
    paired = power([0.0, 1.0, -0.5], 50, effect=0.1, design="paired")
    assert paired.n_per_group == [50] == paired.to_dict()["n_per_group"]


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (9, {}, "a rate below 1, got 9"),
        (0.0, {}, "values must be above 0"),
        (0.9, {"relative": True}, "out of"),
        ([-1.0, 0.5], {"relative": True}, "mean above 0"),
        ([0.0, 1.0], {"relative": True, "design": "paired"}, "needs design='two-sample'"),
    ],
)
def test_refusals_of_rates(values, options, message):
    with pytest.raises(ValueError, match=message):
        power(values, 100, **({"effect": 0.2} | options))
