"""Bootstrap intervals, paired tests and corrections: definitions, calibration, bad input."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from aimass_core import reference
from aimass_core.evaluation import (
    adjust_p_values,
    bootstrap_interval,
    compare_models,
    hit_rate,
    paired_test,
)


class TestBootstrapInterval:
    @pytest.mark.parametrize("scheme", ["multinomial", "poisson"])
    def test_percentiles_are_those_of_the_weights(self, scheme, rng):
        values = rng.exponential(size=60)
        values[[3, 17]] = np.nan
        got = bootstrap_interval(
            values, method="percentile", n_resamples=500, scheme=scheme, random_state=7
        )
        known = values[~np.isnan(values)]
        weights = reference.resampling_weights(58, 7, 0, 500, scheme, 1)
        means = weights @ known / weights.sum(axis=1)
        np.testing.assert_allclose([got.lower, got.upper], np.quantile(means, [0.025, 0.975]))
        assert got.standard_error == pytest.approx(means.std(ddof=1))
        assert got.estimate == pytest.approx(known.mean())
        assert got.n_rows == 58

    def test_bca_agrees_with_scipy(self, rng):
        values = rng.exponential(size=80)
        expected = stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=20_000,
            method="BCa",
            random_state=np.random.default_rng(0),
        ).confidence_interval
        got = bootstrap_interval(values, n_resamples=20_000)
        np.testing.assert_allclose([got.lower, got.upper], expected, atol=0.012)

    def test_bca_follows_monotone_transformations(self, rng):
        squares = rng.exponential(size=200)
        mean = bootstrap_interval(squares)
        root = bootstrap_interval(squares, statistic="root_mean")
        np.testing.assert_allclose(
            [root.estimate, root.lower, root.upper],
            np.sqrt([mean.estimate, mean.lower, mean.upper]),
            rtol=1e-6,
        )

    def test_does_not_depend_on_threads_and_is_seeded(self, rng):
        values = rng.random(5000)
        one = bootstrap_interval(values, n_resamples=300, n_threads=1)
        assert bootstrap_interval(values, n_resamples=300, n_threads=3) == one
        other = bootstrap_interval(values, n_resamples=300, random_state=1)
        assert other != one
        drawn = [
            bootstrap_interval(values, n_resamples=300, random_state=np.random.default_rng(5))
            for _ in range(2)
        ]
        assert drawn[0] == drawn[1]
        assert bootstrap_interval(values, n_resamples=300, random_state=None) != one

    def test_weights_are_counts(self, rng):
        values, counts = rng.random(300), rng.integers(0, 4, 300)
        got = bootstrap_interval(values, weights=counts)
        assert got.estimate == pytest.approx(np.repeat(values, counts).mean())
        assert got.n_rows == (counts > 0).sum()

    def test_clusters_are_resampled_whole(self, rng):
        """Copies of a user add nothing: the interval is that of the distinct users."""
        values = rng.random(100)
        alone = bootstrap_interval(values)
        copied = bootstrap_interval(np.repeat(values, 5), clusters=np.repeat(np.arange(100), 5))
        ignored = bootstrap_interval(np.repeat(values, 5))
        assert (copied.lower, copied.upper) == pytest.approx((alone.lower, alone.upper))
        assert copied.n_rows == 100
        assert ignored.standard_error < 0.6 * alone.standard_error
        named = bootstrap_interval(
            np.repeat(values, 5), clusters=np.repeat([f"c{i:03d}" for i in range(100)], 5)
        )
        assert named == copied

    def test_callable_statistic_agrees_with_the_named_one(self, rng):
        values = rng.exponential(size=150)

        def mean(values, counts):
            return (values * counts).sum() / counts.sum()

        ours = bootstrap_interval(values, n_resamples=1000)
        theirs = bootstrap_interval(values, statistic=mean, n_resamples=1000)
        np.testing.assert_allclose(
            [theirs.lower, theirs.upper], [ours.lower, ours.upper], rtol=1e-3
        )
        assert theirs.standard_error == pytest.approx(ours.standard_error)

    def test_callable_statistic_of_lists(self, rng):
        """Coverage of the catalogue is no mean over users, but has an interval this way."""
        lists = rng.integers(0, 500, (200, 10))
        interval = bootstrap_interval(
            lists,
            statistic=lambda lists, counts: len(np.unique(lists[counts > 0])) / 500,
            method="percentile",
            n_resamples=200,
            clusters=np.arange(200) // 2,
        )
        assert interval.n_rows == 100
        assert 0 < interval.lower < interval.upper <= 1

    @pytest.mark.parametrize("method", ["bca", "percentile"])
    def test_constant_values_have_an_interval_of_width_0(self, method):
        got = bootstrap_interval(np.full(50, 0.1), method=method, n_resamples=200)
        assert (got.lower, got.upper) == pytest.approx((0.1, 0.1))
        assert got.standard_error == pytest.approx(0, abs=1e-12)

    def test_large_offset_does_not_cancel(self, rng):
        values = rng.random(1000)
        near, far = (bootstrap_interval(values + shift, n_resamples=500) for shift in (0, 1e9))
        assert far.lower - 1e9 == pytest.approx(near.lower, abs=1e-5)

    def test_covers_the_truth(self, rng):
        """95 % intervals of a rate and of a skewed mean, from samples of 200."""
        for draw, truth in (
            (lambda: rng.random(200) < 0.1, 0.1),
            (lambda: rng.gamma(1, 1, 200), 1),
        ):
            hits = 0
            for seed in range(400):
                got = bootstrap_interval(draw(), n_resamples=500, random_state=seed, n_threads=1)
                hits += got.lower <= truth <= got.upper
            assert 0.92 <= hits / 400 <= 0.98  # 3 standard errors of the simulation

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"values": []}, ValueError, "no value that counts"),
            ({"values": [np.nan] * 3}, ValueError, "no value that counts"),
            ({"values": [0.5]}, ValueError, "at least 2 users"),
            ({"values": [0.5, np.nan]}, ValueError, "at least 2 users"),
            ({"values": [0.5, np.inf]}, ValueError, "holds inf in row 1"),
            ({"values": [[0.5, 0.2]]}, ValueError, "1-D array"),
            ({"values": ["a", "b"]}, TypeError, "must hold numbers"),
            ({"values": None}, TypeError, "1-D array"),
            ({"values": [[1], [1, 2]]}, ValueError, "unequal lengths"),
            ({"values": [1, 2], "weights": [1, -1]}, ValueError, "weights must be at least 0"),
            ({"values": [1, 2], "weights": [1]}, ValueError, "one value per row"),
            ({"values": [1, 2], "weights": [0, 0]}, ValueError, "no value that counts"),
            ({"values": [1, 2], "clusters": [1, 1]}, ValueError, "at least 2 clusters"),
            ({"values": [1, 2], "clusters": [1.0, np.nan]}, ValueError, "missing"),
            ({"values": [1, 2], "clusters": ["a", None]}, ValueError, "missing or infinite labels"),
            ({"values": [1, 2], "clusters": ["a", np.nan]}, ValueError, "missing or infinite"),
            ({"values": [1, 1e200]}, ValueError, "whose square overflows"),
            ({"values": [1, 2], "confidence": 95}, ValueError, "below 1"),
            ({"values": [1, 2], "confidence": 0}, ValueError, "above 0"),
            ({"values": [1, 2], "n_resamples": 10}, ValueError, "at least 100"),
            ({"values": [1, 2], "method": "BCa"}, ValueError, "must be one of bca, percentile"),
            ({"values": [1, 2], "statistic": "median"}, ValueError, "mean, root_mean"),
            ({"values": [1, -2], "statistic": "root_mean"}, ValueError, "at least 0"),
            ({"values": [1, 2], "random_state": -1}, ValueError, "at least 0"),
            ({"values": [1, 2], "scheme": "auto", "weights": "ab"}, TypeError, "1-D array"),
        ],
    )
    def test_refusals(self, arguments, error, message):
        with pytest.raises(error, match=message):
            bootstrap_interval(**arguments)

    def test_callable_refusals(self):
        with pytest.raises(ValueError, match="no finite number"):
            bootstrap_interval([1, 2], statistic=lambda v, c: np.nan, n_resamples=100)
        with pytest.raises(ValueError, match="weights is for named"):
            bootstrap_interval([1, 2], weights=[1, 1], statistic=lambda v, c: 0.0)


class TestPairedTest:
    def test_few_users_are_enumerated(self, rng):
        a, b = rng.normal(size=(2, 9))
        got = paired_test(a, b)
        means = [np.mean(np.array(s) * (a - b)) for s in itertools.product([1, -1], repeat=9)]
        assert got.p_value == pytest.approx(np.mean(np.abs(means) >= abs((a - b).mean()) - 1e-12))
        assert got.method == "exact permutation"
        assert got.n_resamples == 512

    def test_random_flips_agree_with_scipy(self, rng):
        a = rng.normal(size=60)
        b = a + rng.normal(0.15, 0.6, size=60)
        got = paired_test(a, b)
        expected = stats.permutation_test(
            (a, b),
            lambda x, y: (x - y).mean(),
            permutation_type="samples",
            n_resamples=10_000,
            random_state=np.random.default_rng(1),
        )
        assert got.method == "permutation"
        assert got.p_value == pytest.approx(expected.pvalue, abs=0.02)

    def test_equal_models(self):
        values = np.random.default_rng(0).random(500)
        got = paired_test(values, values)
        assert (got.difference, got.lower, got.upper, got.p_value) == (0, 0, 0, 1)
        assert not got.is_significant

    def test_ties_of_discrete_metrics_are_exact(self):
        """Hits of 0 and 1: the p-value is that of the binomial sign test."""
        a, b = np.zeros((2, 400))
        a[:30], b[30:45] = 1, 1
        got = paired_test(a, b, n_resamples=100_000)
        expected = stats.binomtest(30, 45).pvalue
        assert got.p_value == pytest.approx(expected, abs=0.004)

    @pytest.mark.parametrize("test", ["permutation", "bootstrap"])
    def test_false_alarms_happen_at_the_level(self, test):
        rng = np.random.default_rng(3)
        p_values = []
        for seed in range(400):
            a, b = rng.exponential(size=(2, 80))
            p_values.append(
                paired_test(a, b, test=test, n_resamples=400, random_state=seed).p_value
            )
        assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.085
        assert np.mean(p_values) == pytest.approx(0.5, abs=0.06)

    def test_shuffled_labels_leave_nothing(self, rng):
        """Leak check: a good model is significant, and is not when the truth is shuffled."""
        relevant = [[int(i)] for i in rng.integers(0, 20, 600)]
        good = [[r[0] if rng.random() < 0.5 else 99, 98] for r in relevant]
        chance = [[int(i), 98] for i in rng.integers(0, 20, 600)]
        shuffled = [relevant[i] for i in rng.permutation(600)]
        for truth, is_significant in ((relevant, True), (shuffled, False)):
            a, b = (hit_rate(lists, truth, k=2, mean=False) for lists in (good, chance))
            assert paired_test(a, b).is_significant is is_significant

    def test_clusters_widen_the_interval(self, rng):
        base = np.repeat(rng.normal(0.4, 1, 60), 10)
        a, b = base + rng.normal(0, 0.1, 600), np.zeros(600)
        clusters = np.repeat(np.arange(60), 10)
        alone, clustered = paired_test(a, b), paired_test(a, b, clusters=clusters)
        assert clustered.p_value > 5 * alone.p_value
        assert clustered.upper - clustered.lower > 2 * (alone.upper - alone.lower)

    def test_rmse(self, rng):
        errors = rng.normal(size=(2, 800)) * np.array([[1.0], [1.1]])
        n_ratings = rng.integers(1, 20, 800)
        got = paired_test(*errors**2, weights=n_ratings, statistic="root_mean")
        roots = np.sqrt(np.average(errors**2, axis=1, weights=n_ratings))
        assert got.difference == pytest.approx(roots[0] - roots[1])
        assert got.lower < got.difference < got.upper

    @pytest.mark.parametrize(
        ("a", "b", "message"),
        [
            ([1, 2, 3], [1, 2], r"one value per row \(3\), got 2"),
            ([1, np.nan, 3], [1, 2, 3], "row 1 has a value"),
            ([1, np.nan, 3], [1, np.nan, np.nan], "row 2 has a value"),
            ([np.nan, np.nan], [np.nan, np.nan], "no value that counts"),
            ([1], [2], "at least 2 users"),
            ([1, np.inf], [1, 2], "holds inf"),
        ],
    )
    def test_refusals(self, a, b, message):
        with pytest.raises(ValueError, match=message):
            paired_test(a, b)


class TestCompareModels:
    @staticmethod
    def per_user(rng, n_users=500):
        level = rng.random(n_users)
        return {
            name: {
                "recall@10": np.clip(level + shift + rng.normal(0, 0.2, n_users), 0, 1),
                "rmse": (rng.normal(1 - shift, 0.1, n_users)) ** 2,
            }
            for name, shift in (("popular", 0.0), ("item-kNN", 0.1), ("ALS", 0.105))
        }

    def test_equals_single_calls(self, rng):
        values = self.per_user(rng)
        result = compare_models(values, correction="none", statistics={"rmse": "root_mean"})
        assert len(result.tests) == 6
        for test in result.tests:
            kind = "root_mean" if test.metric == "rmse" else "mean"
            alone = paired_test(
                values[test.a][test.metric], values[test.b][test.metric], statistic=kind
            )
            assert (test.p_value, test.lower) == (alone.p_value, alone.lower)
        alone = bootstrap_interval(values["ALS"]["recall@10"])
        assert result.intervals["ALS"]["recall@10"] == alone

    def test_best_and_correction(self, rng):
        values = self.per_user(rng)
        result = compare_models(values, statistics={"rmse": "root_mean"})
        assert "popular" not in result.best("recall@10")
        assert "popular" not in result.best("rmse")  # lower is better
        by_hand = [t for t in result.tests if t.metric == "recall@10"]
        np.testing.assert_allclose(
            [t.adjusted_p_value for t in by_hand],
            adjust_p_values([t.p_value for t in by_hand]),
        )
        assert result.metrics == ["recall@10", "rmse"]

    def test_baseline(self, rng):
        result = compare_models(self.per_user(rng), baseline="popular")
        assert all("popular" in (test.a, test.b) for test in result.tests)
        assert len(result.tests) == 4

    def test_output(self, rng):
        result = compare_models(self.per_user(rng, 100), n_resamples=200)
        text = repr(result)
        assert text.splitlines()[0].split() == ["model", "recall@10", "rmse"]
        assert "95% confidence interval" in text
        assert json.loads(json.dumps(result.to_dict()))["correction"] == "holm"
        single = compare_models({"one": {"recall": [0.1, 0.2, 0.3]}}, n_resamples=200)
        assert single.tests == []
        assert single.best("recall") == ["one"]
        assert "one" in repr(single)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({}, "at least one model"),
            ([1, 2], "per_user must be"),
            ({"a": {}}, "not empty"),
            ({"a": [1, 2]}, "must be {metric: values}"),
            ({"a": {"x": [1, 2]}, "b": {"y": [1, 2]}}, "the same metrics"),
            ({"a": {"x": [1, 2]}, "b": {"x": [1, np.nan]}}, "compare models on the same users"),
        ],
    )
    def test_refusals(self, values, message):
        with pytest.raises(ValueError, match=message):
            compare_models(values)

    def test_refusal_of_names(self, rng):
        values = self.per_user(rng, 20)
        with pytest.raises(ValueError, match="did you mean 'popular'"):
            compare_models(values, baseline="populr")
        with pytest.raises(ValueError, match="a key of statistics"):
            compare_models(values, statistics={"mse": "root_mean"})


class TestAdjustment:
    def test_benjamini_hochberg_agrees_with_scipy(self, rng):
        p_values = rng.random(40) ** 3
        np.testing.assert_allclose(
            adjust_p_values(p_values, method="benjamini-hochberg"),
            stats.false_discovery_control(p_values),
        )

    def test_holm_by_hand(self):
        np.testing.assert_allclose(adjust_p_values([0.01, 0.5, 0.02]), [0.03, 0.5, 0.04])
        np.testing.assert_allclose(adjust_p_values([0.4, 0.45]), [0.8, 0.8])

    def test_others(self):
        np.testing.assert_allclose(adjust_p_values([0.2, 0.6], method="bonferroni"), [0.4, 1])
        np.testing.assert_allclose(adjust_p_values([0.2, 0.6], method="none"), [0.2, 0.6])

    def test_missing_and_empty(self):
        np.testing.assert_allclose(adjust_p_values([np.nan, 0.02, 0.03]), [np.nan, 0.04, 0.04])
        assert adjust_p_values([]).shape == (0,)

    def test_refusals(self):
        with pytest.raises(ValueError, match="p_values must be at most 1"):
            adjust_p_values([0.5, 1.5])
        with pytest.raises(ValueError, match="method must be one of"):
            adjust_p_values([0.5], method="sidak")
