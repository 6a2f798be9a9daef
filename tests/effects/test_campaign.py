"""Effects of campaigns: golden values, closed forms, adjustment, clusters, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from aimass_core.effects import campaign_effect, sample_ratio_test

GOLDEN = {  # arm, outcome -> difference to no e-mail, standard error
    ("Mens E-Mail", "visit"): (0.07659, 0.00339),
    ("Mens E-Mail", "conversion"): (0.00681, 0.00092),
    ("Mens E-Mail", "spend"): (0.7698, 0.1453),
    ("Womens E-Mail", "visit"): (0.04523, 0.00323),
    ("Womens E-Mail", "conversion"): (0.00311, 0.00082),
    ("Womens E-Mail", "spend"): (0.4244, 0.1303),
}


def campaign(rng, n=4000, effect=0.05):
    treated = rng.random(n) < 0.5
    before = rng.gamma(2, 1, n)
    spend = before + rng.normal(0, 1, n) + effect * treated
    return treated, before, spend


class TestHillstrom:
    @pytest.fixture
    def table(self, real_data):
        pq = pytest.importorskip("pyarrow.parquet")
        return pq.read_table(real_data("hillstrom") / "hillstrom.parquet")

    def test_golden_values(self, table):
        outcomes = {name: table[name].to_numpy() for name in ("visit", "conversion", "spend")}
        segment = table["segment"].to_pylist()
        report = campaign_effect(
            segment, outcomes, control="No E-Mail", expected=dict.fromkeys(set(segment), 1)
        )
        for key, (difference, error) in GOLDEN.items():
            digits = 4 if key[1] == "spend" else 5
            assert round(report[key].difference, digits) == difference
            assert report[key].standard_error == pytest.approx(error, abs=1.01 * 10**-digits)
            assert report[key].is_significant
        assert not report.sample_ratio.is_mismatch

    def test_cuped_gains_little_here(self, table):
        """1.5 % of the standard error of visits and nothing for spend, as published."""
        covariates = {
            name: table[name].to_numpy()
            for name in ("recency", "history", "mens", "womens", "newbie")
        }
        outcomes = {name: table[name].to_numpy() for name in ("visit", "spend")}
        for adjustment in ("cuped", "regression"):
            report = campaign_effect(
                table["segment"].to_pylist(),
                outcomes,
                control="No E-Mail",
                covariates=covariates,
                adjustment=adjustment,
            )
            visit, spend = report["Mens E-Mail", "visit"], report["Mens E-Mail", "spend"]
            assert 0.01 < 1 - np.sqrt(1 - visit.variance_reduction) < 0.02
            assert abs(spend.variance_reduction) < 0.002
            assert visit.difference == pytest.approx(0.0766, abs=0.0005)


class TestClosedForms:
    def test_means_are_welch(self, rng):
        treated, _, spend = campaign(rng)
        effect = campaign_effect(treated, spend).effects[0]
        expected = stats.ttest_ind(spend[treated], spend[~treated], equal_var=False)
        interval = expected.confidence_interval()
        np.testing.assert_allclose([effect.lower, effect.upper], interval)
        assert effect.p_value == pytest.approx(expected.pvalue)
        assert effect.interval == "welch"

    def test_rates_are_newcombe(self):
        """Newcombe (1998), table II, case a: 56/70 and 48/80, method 10."""
        treated = np.repeat([1, 0], [70, 80])
        outcome = np.concatenate([np.arange(70) < 56, np.arange(80) < 48])
        effect = campaign_effect(treated, outcome).effects[0]
        assert effect.difference == pytest.approx(0.2)
        assert (round(effect.lower, 4), round(effect.upper, 4)) == (0.0524, 0.3339)
        table = [[56, 14], [48, 32]]
        assert effect.p_value == pytest.approx(
            stats.chi2_contingency(table, correction=False).pvalue
        )

    def test_no_events_have_an_interval(self):
        """Newcombe (1998), table II, case h: 0/10 and 0/10."""
        effect = campaign_effect(np.repeat([1, 0], 10), np.zeros(20)).effects[0]
        assert (round(effect.lower, 4), round(effect.upper, 4)) == (-0.2775, 0.2775)
        assert effect.p_value == 1
        assert np.isnan(effect.relative_lift)

    def test_relative_lift_is_the_delta_method(self, rng):
        treated = rng.random(50_000) < 0.5
        bought = rng.random(50_000) < np.where(treated, 0.06, 0.05)
        effect = campaign_effect(treated, bought).effects[0]
        p1, p0 = bought[treated].mean(), bought[~treated].mean()
        assert effect.relative_lift == pytest.approx(p1 / p0 - 1)
        error = np.sqrt((1 - p1) / p1 / treated.sum() + (1 - p0) / p0 / (~treated).sum())
        expected = p1 / p0 * np.exp(1.959964 * error) - 1
        assert effect.relative_upper == pytest.approx(expected, rel=1e-4)

    def test_constant_outcomes(self):
        treated = [0, 0, 1, 1]
        same = campaign_effect(treated, [2.0, 2, 2, 2]).effects[0]
        assert (same.difference, same.lower, same.upper, same.p_value) == (0, 0, 0, 1)
        other = campaign_effect(treated, [2.0, 2, 3, 3]).effects[0]
        assert (other.difference, other.lower, other.upper, other.p_value) == (1, 1, 1, 0)

    def test_cuped_is_the_residual_of_the_covariate(self, rng):
        treated, before, spend = campaign(rng)
        effect = campaign_effect(treated, spend, covariates=before, adjustment="cuped").effects[0]
        within = before - np.where(treated, before[treated].mean(), before[~treated].mean())
        theta = (within @ spend) / (within @ before)
        residual = spend - theta * before
        plain = campaign_effect(treated, residual).effects[0]
        assert effect.difference == pytest.approx(plain.difference)
        assert effect.standard_error == pytest.approx(plain.standard_error, rel=1e-3)

    def test_regression_is_that_of_both_arms(self, rng):
        treated, before, spend = campaign(rng)
        effect = campaign_effect(treated, spend, covariates=before).effects[0]
        centred = before - before.mean()
        design = np.column_stack([np.ones(4000), treated, centred, centred * treated])
        expected = np.linalg.lstsq(design, spend, rcond=None)[0][1]
        assert effect.difference == pytest.approx(expected)
        assert effect.variance_reduction == pytest.approx(2 / 3, abs=0.03)  # 2 of 3 parts

    def test_covariates_without_content_change_nothing(self, rng):
        treated, before, spend = campaign(rng, 500)
        plain = campaign_effect(treated, spend).effects[0]
        constant = campaign_effect(treated, spend, covariates=np.ones(500)).effects[0]
        assert constant.difference == pytest.approx(plain.difference)
        assert constant.standard_error == pytest.approx(plain.standard_error)
        twice = campaign_effect(treated, spend, covariates=np.stack([before, before], 1))
        once = campaign_effect(treated, spend, covariates=before)
        assert twice.effects[0].difference == pytest.approx(once.effects[0].difference)

    def test_clusters(self, rng):
        """Copies add no information; a treatment by cluster is judged by the clusters."""
        treated, _, spend = campaign(rng, 300)
        alone = campaign_effect(treated, spend).effects[0]
        copied = campaign_effect(
            np.repeat(treated, 4), np.repeat(spend, 4), clusters=np.repeat(np.arange(300), 4)
        ).effects[0]
        assert copied.difference == pytest.approx(alone.difference)
        assert copied.standard_error == pytest.approx(alone.standard_error, rel=0.01)
        assert copied.interval == "normal"

    def test_arms_and_corrections(self, rng):
        arm = np.array(["none", "a", "b"])[rng.integers(0, 3, 3000)]
        values = rng.normal(size=3000) + 0.3 * (arm == "b")
        report = campaign_effect(arm, {"spend": values, "visits": rng.random(3000)}, control="none")
        assert len(report) == 4
        assert report["b", "spend"].is_significant
        assert report["a", "visits"].adjusted_p_value >= report["a", "visits"].p_value
        text = repr(report)
        assert "holm correction" in text
        assert len(text.splitlines()) == 7
        assert json.loads(json.dumps(report.to_dict()))["adjustment"] == "none"
        with pytest.raises(KeyError, match="no effect of"):
            report["c", "spend"]

    def test_data_frames_in_and_out(self, rng):
        pd = pytest.importorskip("pandas")
        pl = pytest.importorskip("polars")
        arm = np.array(["none", "a", "b"])[rng.integers(0, 3, 300)]
        outcomes = {"spend": rng.normal(size=300), "visits": rng.random(300)}
        covariates = {"age": rng.normal(size=300), "past": rng.random(300)}
        expected = campaign_effect(arm, outcomes, control="none", covariates=covariates)
        for frame in (pd.DataFrame, pl.DataFrame):
            report = campaign_effect(
                pd.Series(arm), frame(outcomes), control="none", covariates=frame(covariates)
            )
            assert report.effects == expected.effects
        pa = pytest.importorskip("pyarrow")
        report = campaign_effect(
            pa.array(arm), pa.table(outcomes), control="none", covariates=pa.table(covariates)
        )
        assert report.effects == expected.effects
        table = expected.to_pandas()
        assert table["outcome"].tolist() == ["spend", "spend", "visits", "visits"]
        assert table["difference"].tolist() == [effect.difference for effect in expected.effects]
        assert expected.to_polars()["arm"].to_list() == table["arm"].tolist()
        assert expected.to_arrow()["arm"].to_pylist() == table["arm"].tolist()

    def test_boolean_and_number_labels_have_a_control(self, rng):
        treated, _, spend = campaign(rng, 100)
        by_bool, by_int, by_float = (
            campaign_effect(treated.astype(kind), spend).effects[0] for kind in (bool, int, float)
        )
        assert by_bool.difference == by_int.difference == by_float.difference
        flipped = campaign_effect(treated, spend, control=True).effects[0]
        assert flipped.difference == -by_bool.difference


@pytest.mark.parametrize(
    ("treatment", "outcome", "options", "message"),
    [
        ([1, 1, 1], [1, 2, 3], {}, "at least two arms"),
        ([], [], {}, "at least two arms"),
        (["a", "b"], [1, 2], {}, "control must name the control arm"),
        ([0, 1], [1, 2], {}, "at least 2 customers"),
        ([0, 0, 1, 1], [1, 2, np.nan, 3], {}, "holds nan in row 2"),
        ([0, 0, 1, 1], [1, 2, np.inf, 3], {}, "holds inf in row 2"),
        ([0, 0, 1, 1], [1, 2, 3], {}, "one value per row"),
        ([0, 0, 1, np.nan], [1, 2, 3, 4], {}, "missing or infinite labels"),
        ([0, 0, 1, 1], {}, {}, "at least one outcome"),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"control": "x"}, "one of the arms 0, 1"),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"adjustment": "cuped"}, "needs covariates"),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"covariates": [1, 2, 3, np.nan]}, "holds nan"),
        (
            [0, 0, 1, 1],
            [1, 2, 3, 4],
            {"covariates": np.eye(4)[:, :3], "adjustment": "regression"},
            "3 covariates, but the arms have only 2",
        ),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"clusters": [1, 1, 2, 2]}, "at least 2 clusters"),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"confidence": 95}, "below 1"),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"correction": "tukey"}, "must be one of"),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"expected": {0: 1}}, "expected has no share of 1"),
    ],
)
def test_refusals(treatment, outcome, options, message):
    with pytest.raises(ValueError, match=message):
        campaign_effect(treatment, outcome, **options)


class TestSampleRatio:
    def test_is_the_chi_square_test(self):
        labels = np.repeat(["a", "b", "c"], [1010, 950, 1040])
        result = sample_ratio_test(labels)
        assert result.p_value == pytest.approx(stats.chisquare([1010, 950, 1040]).pvalue)
        assert not result.is_mismatch
        assert result.to_dict()["counts"] == {"a": 1010, "b": 950, "c": 1040}

    def test_planned_shares(self):
        labels = np.repeat([0, 1], [9000, 1000])
        assert not sample_ratio_test(labels, expected={0: 0.9, 1: 0.1}).is_mismatch
        assert sample_ratio_test(labels, expected={0: 0.85, 1: 0.15}).is_mismatch
        assert "SAMPLE RATIO MISMATCH" in repr(sample_ratio_test(labels))

    def test_an_arm_without_customers_is_a_mismatch(self):
        assert sample_ratio_test(["a"] * 100, expected={"a": 1, "b": 1}).is_mismatch

    def test_refusals(self):
        with pytest.raises(ValueError, match="at least two arms"):
            sample_ratio_test(["a"] * 10)
        with pytest.raises(ValueError, match="must be above 0"):
            sample_ratio_test(["a", "b"], expected={"a": 1, "b": 0})


class TestDegenerateCovariates:
    """A covariate that is constant in an arm has no slope there; rounding must not give it one."""

    @pytest.mark.parametrize("adjustment", ["cuped", "regression"])
    @pytest.mark.parametrize("offset", [0.0, 1e6])
    def test_rare_flag_of_one_arm_changes_little(self, rng, adjustment, offset):
        treated = np.arange(400) % 2 == 0
        bought = (rng.random(400) < 0.1).astype(float)
        flag = np.zeros(400)
        flag[6] = 1  # one treated customer
        plain = campaign_effect(treated, bought).effects[0]
        effect = campaign_effect(
            treated, bought, covariates=flag + offset, adjustment=adjustment
        ).effects[0]
        assert effect.difference == pytest.approx(plain.difference, abs=0.01)
        assert effect.standard_error == pytest.approx(plain.standard_error, rel=0.02)

    @pytest.mark.parametrize("adjustment", ["cuped", "regression"])
    def test_covariate_that_tells_the_arm_is_refused(self, rng, adjustment):
        treated = np.arange(400) % 2 == 0
        with pytest.raises(ValueError, match="it only tells the arm"):
            campaign_effect(treated, rng.random(400), covariates=3 * treated, adjustment=adjustment)

    def test_covariate_that_varies_in_a_third_arm_only(self, rng):
        arm, values = np.arange(600) % 3, rng.random(600)
        other = np.where(arm == 2, rng.random(600), 0.0)
        report = campaign_effect(arm, values, covariates=other)
        plain = campaign_effect(arm, values)
        assert report["1", "outcome"].difference == plain["1", "outcome"].difference

    def test_more_covariates_than_customers(self, rng):
        with pytest.raises(ValueError, match=r"use fewer covariates$"):
            campaign_effect(
                np.arange(40) % 2,
                rng.random(40),
                covariates=rng.random((40, 40)),
                adjustment="cuped",
            )

    def test_cuped_with_an_arm_of_one_more_customer_than_covariates(self):
        """The slope is 1.5: the difference is 2.5 - 1.5 * 2, of residuals with variance 1/8."""
        effect = campaign_effect(
            [0, 0, 1, 1], [1.0, 2, 3, 5], covariates=[1.0, 2, 3, 4], adjustment="cuped"
        ).effects[0]
        assert effect.difference == pytest.approx(-0.5)
        assert effect.standard_error == pytest.approx(np.sqrt(2 * (2 / 1) * (1 / 8) / 2))

    def test_cuped_with_an_arm_of_fewer_customers_than_covariates(self, rng):
        treated, covariates = np.arange(100) < 3, rng.normal(size=(100, 4))
        spend = covariates.sum(axis=1) + rng.normal(size=100)
        effect = campaign_effect(treated, spend, covariates=covariates, adjustment="cuped")
        design = np.column_stack([np.ones(100), treated, covariates])
        coefficients = np.linalg.lstsq(design, spend, rcond=None)[0]
        assert effect.effects[0].difference == pytest.approx(coefficients[1])
        residual = spend - covariates @ coefficients[2:]
        plain = campaign_effect(treated, residual).effects[0]
        assert effect.effects[0].standard_error == pytest.approx(plain.standard_error, rel=0.05)

    def test_cuped_is_unbiased_in_its_error_with_many_covariates(self, rng):
        """The mean squared error of the effect is that of its standard error."""
        differences, errors = [], []
        for _ in range(300):
            treated = rng.permutation(60) < 30
            effect = campaign_effect(
                treated,
                rng.normal(size=60),
                covariates=rng.normal(size=(60, 20)),
                adjustment="cuped",
            ).effects[0]
            differences.append(effect.difference)
            errors.append(effect.standard_error)
        assert np.mean(np.square(errors)) == pytest.approx(np.mean(np.square(differences)), rel=0.4)


class TestArms:
    @pytest.mark.parametrize(
        "treatment", [[0, 0, 1, 1], [False, False, True, True], [0.0, 0, 1, 1]]
    )
    @pytest.mark.parametrize("control", [0, False, 0.0, np.int8(0), np.bool_(False)])
    def test_control_is_found_by_value(self, treatment, control):
        report = campaign_effect(treatment, [1.0, 2, 3, 4], control=control, expected={1: 1, 0: 1})
        assert report.effects[0].difference == 2
        assert sum(report.sample_ratio.counts.values()) == 4
        assert report[report.effects[0].arm, "outcome"] is report.effects[0]

    def test_effect_by_the_value_of_the_arm(self):
        report = campaign_effect([False, False, True, True], [1.0, 2, 3, 4])
        assert report[True, "outcome"].difference == 2
        for key in ((1, "outcome"), (1.0, "outcome"), (np.int8(1), "outcome"), ["True", "outcome"]):
            assert report[key] is report.effects[0]
        for key in ("True", (), (2, "outcome"), (False, "outcome"), ("True", "outcome", 1)):
            with pytest.raises(KeyError, match="there are"):
                report[key]

    @pytest.mark.parametrize("treatment", [[0, 0, 1, 1], [0.0, 0, 1, 1], ["0", "0", "1", "1"]])
    def test_effect_by_another_type_of_number(self, treatment):
        report = campaign_effect(treatment, {"a": [1.0, 2, 3, 4]}, control=treatment[0])
        for key in ((1, "a"), (True, "a"), (1.0, "a"), [1, "a"], [report.effects[0].arm, "a"]):
            assert report[key] is report.effects[0]

    def test_planned_shares_may_be_a_series(self):
        pd = pytest.importorskip("pandas")
        for index in (["none", "mail"], [False, True], [0, 1]):
            treatment = [index[0], index[1], index[1]]
            found = sample_ratio_test(treatment, expected=pd.Series([0.4, 0.6], index=index))
            assert found == sample_ratio_test(treatment, expected={index[0]: 0.4, index[1]: 0.6})
            assert found.expected[str(index[1])] == 0.6

    def test_planned_shares_are_a_dictionary(self):
        with pytest.raises(TypeError, match="expected must be a dictionary"):
            sample_ratio_test([0, 1], expected=[0.5, 0.5])
        with pytest.raises(ValueError, match="names the arm 1 twice"):
            sample_ratio_test([0, 1], expected={0: 1, 1: 1, "1": 1})

    @pytest.mark.parametrize(
        "treatment",
        [
            ["mail", "mail", "none", "none", float("nan")],
            ["mail", "mail", "none", "none", None],
            np.array([0, 0, 1, 1, float("nan")], dtype=object),
            np.array(["2024-01-01"] * 2 + ["2024-01-02"] * 2 + ["NaT"], dtype="M8[D]"),
        ],
    )
    def test_missing_arms_are_refused(self, treatment):
        with pytest.raises(ValueError, match="missing or infinite labels"):
            campaign_effect(treatment, [1.0, 2, 3, 4, 5])

    def test_labels_of_several_kinds_are_refused(self):
        with pytest.raises(TypeError, match="labels of one kind, got int and str"):
            campaign_effect(["1", "1", 1, "0", "0"], [1.0, 2, 3, 4, 5], control="0")

    def test_an_arm_may_be_called_nan(self):
        report = campaign_effect(["nan", "nan", "a", "a"], [1.0, 2, 3, 4], control="nan")
        assert report["a", "outcome"].difference == 2

    def test_nullable_columns_and_decimals(self):
        pd = pytest.importorskip("pandas")
        from decimal import Decimal

        treated = pd.Series([True, True, False, False], dtype="boolean")
        spend = [Decimal("3"), Decimal("4"), Decimal("1"), 2]
        assert campaign_effect(treated, spend).effects[0].difference == 2
        bought = pd.Series([True, None, False, True], dtype="boolean")
        with pytest.raises(ValueError, match="holds nan in row 1"):
            campaign_effect(treated, bought)
        with pytest.raises(TypeError, match="got 'x' of type str in row 3"):
            campaign_effect(treated, np.array([1, 2, 3, "x"], dtype=object))

    def test_values_whose_squares_overflow_are_named(self):
        with pytest.raises(ValueError, match=r"outcome 'spend' holds 1e\+200 in row 2"):
            campaign_effect([0, 0, 1, 1], {"spend": [1, 2, 1e200, 4]})
        with pytest.raises(ValueError, match=r"covariates holds -1e\+200 in row 0"):
            campaign_effect([0, 0, 1, 1], [1, 2, 3, 4], covariates=[-1e200, 0, 1, 2])


def test_plot(rng):
    pytest.importorskip("matplotlib").use("Agg")
    arm = np.arange(300) % 3
    report = campaign_effect(arm, {"bought": rng.random(300) < 0.3, "spend": rng.random(300)})
    axes = report.plot("spend")
    effects = [effect for effect in report.effects if effect.outcome == "spend"]
    intervals = [line.get_xdata() for line in axes.lines[0:4:2]]
    np.testing.assert_array_equal(intervals, [[e.lower, e.upper] for e in effects])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "2"]
    assert "bought" in report.plot().get_xlabel()
    with pytest.raises(ValueError, match="outcome must be one of"):
        report.plot("visits")
    arms = ["none", "none", "$5_a_b$ off", "$5_a_b$ off"]
    prices = campaign_effect(arms, {"$_a_b$": [1.0, 2, 3, 4]}, control="none")
    prices.plot().figure.draw_without_rendering()
