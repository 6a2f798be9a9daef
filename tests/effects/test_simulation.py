"""Audience plans and simulated campaigns: closed forms, limits, bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from aimass_core.effects import plan_audience, simulate_campaign


class TestPlan:
    def test_expected_values(self, rng):
        p, value, cost = rng.random(200) * 0.2, rng.gamma(2, 20, 200), rng.random(200) * 3
        plan = plan_audience(p, value, cost=cost)
        rows = plan.selected
        assert set(rows) == set(np.flatnonzero(p * value > cost))
        assert plan.expected_revenue == pytest.approx(p[rows] @ value[rows])
        assert plan.expected_cost == pytest.approx(cost[rows].sum())
        assert plan.expected_profit == pytest.approx((p * value - cost)[rows].sum())
        assert plan.revenue_sd == pytest.approx(np.sqrt((p * (1 - p))[rows] @ value[rows] ** 2))

    def test_equal_costs_are_optimal_within_the_budget(self, rng):
        p = rng.random(9) * 0.5
        plan = plan_audience(p, 10.0, cost=1.0, budget=4.0)
        best = max(
            (10 * p[list(rows)] - 1).sum()
            for n in range(5)
            for rows in itertools.combinations(range(9), n)
        )
        assert len(plan) == 4
        assert plan.expected_profit == pytest.approx(best)

    def test_budget_is_kept_and_the_greedy_bound_holds(self, rng):
        for _ in range(30):
            p, cost = rng.random(8), rng.integers(1, 8, 8).astype(float)
            budget = float(rng.integers(1, 25))
            plan = plan_audience(p, 20.0, cost=cost, budget=budget)
            assert plan.expected_cost <= budget
            profit = 20 * p - cost
            best = max(
                profit[list(rows)].sum()
                for n in range(9)
                for rows in itertools.combinations(range(8), n)
                if cost[list(rows)].sum() <= budget
            )
            assert best <= plan.expected_profit + max(profit.max(), 0) + 1e-9

    def test_budget_of_many_equal_costs_is_not_lost_to_rounding(self):
        assert len(plan_audience(np.full(1000, 0.5), 10.0, cost=0.1, budget=10.0)) == 100

    def test_incremental(self):
        plan = plan_audience([0.3, 0.3, 0.3], 10.0, cost=1.0, baseline=[0.3, 0.1, 0.4])
        assert plan.selected.tolist() == [1]
        assert plan.expected_profit == pytest.approx(1.0)

    def test_limits(self):
        assert len(plan_audience([0.5] * 10, 10.0, max_contacts=3)) == 3
        assert len(plan_audience([0.5] * 10, 10.0, cost=1.0, budget=0.0)) == 0
        assert len(plan_audience([0.01] * 10, 10.0, cost=1.0)) == 0
        assert len(plan_audience([], 10.0)) == 0
        plan = plan_audience([0.5, 0.5], 10.0, budget=0.0)  # free contacts
        assert plan.selected.tolist() == [0, 1]
        assert plan.to_dict()["selected"] == [0, 1]
        assert "2 contacts" in repr(plan)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"probability": [0.5, 1.5], "value": 1}, "at most 1, got 1.5 in row 1"),
            ({"probability": [0.5, np.nan], "value": 1}, "holds nan"),
            ({"probability": [0.5], "value": [1, 2]}, "one value per row"),
            ({"probability": [0.5], "value": 1, "cost": -1}, "cost must be at least 0"),
            ({"probability": [0.5], "value": 1, "budget": -1}, "budget must be at least 0"),
            ({"probability": [0.5], "value": np.inf}, "value must be finite"),
            ({"probability": [0.5], "value": 1, "baseline": [2]}, "baseline must be at most 1"),
            ({"probability": [0.5], "value": 1, "max_contacts": -1}, "at least 0"),
        ],
    )
    def test_refusals(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            plan_audience(**arguments)


class TestSimulation:
    def test_moments_are_those_of_the_plan(self, rng):
        p, value = rng.random(3000) * 0.1, rng.gamma(2, 20, 3000)
        plan = plan_audience(p, value, cost=0.5)
        rows = plan.selected
        result = simulate_campaign(p[rows], value[rows], cost=0.5, n_simulations=4000)
        assert result.profit[0] == pytest.approx(
            plan.expected_profit, abs=4 * plan.revenue_sd / np.sqrt(4000)
        )
        assert result.profits.std() == pytest.approx(plan.revenue_sd, rel=0.05)
        low, high = np.quantile(result.profits, [0.05, 0.95])
        assert result.profit[1:] == pytest.approx((low, high))
        assert result.cost == pytest.approx(plan.expected_cost)

    def test_common_errors_widen_the_band_and_keep_the_mean(self):
        p = np.full(5000, 0.02)
        alone, common = (
            simulate_campaign(p, 30.0, common_sd=sd, n_simulations=4000) for sd in (0.0, 0.3)
        )
        width = [r.revenue[2] - r.revenue[1] for r in (alone, common)]
        assert width[1] > 2.5 * width[0]
        assert common.revenue[0] == pytest.approx(alone.revenue[0], rel=0.02)

    def test_draws(self, rng):
        draws = np.clip(0.02 + 0.01 * rng.normal(size=(50, 1)), 0, 1) * np.ones(4000)
        result = simulate_campaign(draws.mean(axis=0), 1.0, draws=draws, n_simulations=3000)
        expected = np.sqrt(4000 * 0.02 + draws[:, 0].var() * 4000**2)
        assert result.profits.std() == pytest.approx(expected, rel=0.1)

    def test_values_of_purchases_vary(self):
        p = np.full(2000, 0.05)
        fixed, random = (
            simulate_campaign(p, 40.0, value_sd=sd, n_simulations=4000) for sd in (0.0, 60.0)
        )
        assert random.revenue[0] == pytest.approx(fixed.revenue[0], rel=0.02)
        assert random.profits.std() == pytest.approx(
            np.sqrt(2000 * 0.05 * (40**2 * 0.95 + 60**2)), rel=0.06
        )

    def test_incremental(self):
        result = simulate_campaign(
            np.full(3000, 0.1), 1.0, baseline=np.full(3000, 0.08), n_simulations=4000
        )
        assert result.revenue[0] == pytest.approx(60, abs=1.5)
        assert result.profits.std() == pytest.approx(
            np.sqrt(3000 * (0.1 * 0.9 + 0.08 * 0.92)), rel=0.06
        )

    def test_certain_purchases(self):
        result = simulate_campaign([1.0, 0.0, 1.0], 5.0, cost=1.0, n_simulations=200)
        assert result.conversions == (2, 2, 2)
        assert result.profit == (7, 7, 7)
        assert result.probability_of_loss == 0

    def test_seeded_and_independent_of_blocks(self):
        p = np.full(100, 0.1)
        assert simulate_campaign(p, 1.0).profit == simulate_campaign(p, 1.0).profit
        other = simulate_campaign(p, 1.0, random_state=5)
        assert (other.profits != simulate_campaign(p, 1.0).profits).any()
        assert "chance of a loss" in repr(other)
        assert "profits" not in other.to_dict()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"probability": []}, "probability is empty"),
            ({"probability": [0.5, -0.1]}, "at least 0, got -0.1 in row 1"),
            ({"probability": [0.5, np.nan]}, "holds nan"),
            ({"value": [1.0]}, "one value per row"),
            ({"value_sd": -1}, "value_sd must be at least 0"),
            ({"value": 0.0, "value_sd": 1}, "value must be positive"),
            ({"common_sd": -1}, "common_sd must be at least 0"),
            ({"band": 1}, "band must be below 1"),
            ({"n_simulations": 1}, "at least 100"),
            ({"draws": [0.5, 0.5]}, r"shape \(n_draws, 2\)"),
            ({"draws": [[0.5, 1.5]]}, "probabilities within"),
        ],
    )
    def test_refusals(self, change, message):
        with pytest.raises(ValueError, match=message):
            simulate_campaign(**({"probability": [0.5, 0.5], "value": 1.0} | change))


def test_tiny_probabilities_are_exact():
    """Of 10**8 contacts 0.1 buys; random numbers of single precision would give 6."""
    result = simulate_campaign(np.full(50_000, 1e-9), 1.0, n_simulations=2000)
    assert result.conversions[0] * 2000 <= 1


def test_deviations_of_any_size():
    p = np.full(50, 0.5)
    exact = simulate_campaign(p, 50.0)
    assert simulate_campaign(p, 50.0, value_sd=1e-200).revenue == exact.revenue
    with pytest.raises(ValueError, match="value_sd must be at most"):
        simulate_campaign(p, 50.0, value_sd=1e9)
    with pytest.raises(ValueError, match=r"value holds 1e\+308"):
        simulate_campaign(p, 1e308)


def test_plot():
    pytest.importorskip("matplotlib").use("Agg")
    result = simulate_campaign(np.full(200, 0.03), 40.0, cost=1.0)
    axes = result.plot()
    assert sum(bar.get_height() for bar in axes.containers[0]) == result.n_simulations
