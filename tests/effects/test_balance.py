"""Balance of covariates between arms: the formula, the level of the test, what reports say."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from scipy import stats

from aimass_core.effects import CovariateImbalanceWarning, campaign_effect

ALARM = "it was not known before the campaign, or the assignment was not random"


def test_covariate_after_the_campaign_is_named(rng):
    treated = rng.random(4000) < 0.5
    visit = (rng.random(4000) < 0.1 + 0.08 * treated).astype(float)
    age = rng.normal(size=4000)
    with pytest.warns(CovariateImbalanceWarning, match=f"covariate 'visit' differs .* {ALARM}"):
        report = campaign_effect(treated, 5 * visit, covariates={"age": age, "visit": visit})
    assert [test.is_imbalanced for test in report.balance] == [False, True]
    assert "COVARIATE IMBALANCE: covariate 'visit' differs between the arms" in repr(report)
    assert "COVARIATE IMBALANCE" in report._repr_html_()
    balance = json.loads(json.dumps(report.to_dict()))["balance"]
    assert [test["covariate"] for test in balance] == ["age", "visit"]
    assert [test["is_imbalanced"] for test in balance] == [False, True]


def test_series_are_named(rng):
    pd = pytest.importorskip("pandas")
    treated = np.arange(400) % 2
    visit = pd.Series(treated * (rng.random(400) < 0.5), name="visit")
    with pytest.warns(CovariateImbalanceWarning, match="covariate 'visit' differs"):
        campaign_effect(treated, rng.random(400), covariates=visit)


def test_is_the_score_test(rng):
    arm = np.arange(900) % 3
    age = rng.normal(size=900)
    report = campaign_effect(arm, rng.random(900), covariates=age)
    for test, code in zip(report.balance, (1, 2)):
        treated, control = age[arm == code], age[arm == 0]
        pooled = np.concatenate([treated, control]).mean()
        variance = max(
            sum(((x - pooled) ** 2).sum() / len(x) ** 2 for x in (treated, control)),
            np.concatenate([treated, control]).var() * (1 / len(treated) + 1 / len(control)),
        )
        z = (treated.mean() - control.mean()) / np.sqrt(variance)
        assert test.p_value == pytest.approx(2 * stats.norm.sf(abs(z)))
        assert test.adjusted_p_value == min(1.0, 2 * test.p_value)
    smallest = min(test.adjusted_p_value for test in report.balance)
    assert f"covariates balanced between the arms: smallest p = {smallest:.4f}" in repr(report)


def test_clusters_assigned_together_are_no_alarm(rng):
    """The covariate of a store is shared by its customers: 40 stores, not 4,000 customers."""
    store = np.arange(4000) // 100
    age = rng.normal(size=40)[store]
    treated = store % 2
    with pytest.warns(CovariateImbalanceWarning):
        campaign_effect(treated, rng.random(4000), covariates=age)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        campaign_effect(treated, rng.random(4000), covariates=age, clusters=store)


@pytest.mark.filterwarnings("ignore::aimass_core.effects.CovariateImbalanceWarning")
def test_random_assignments_are_no_alarm(rng):
    """Skewed spend and a rare flag in an arm of 200: few of 500 p-values are below 0.01."""
    small = []
    for _ in range(250):
        treated = rng.permutation(1000) < 200
        columns = {"spend": rng.lognormal(0, 2, 1000), "flag": rng.random(1000) < 0.01}
        report = campaign_effect(treated, rng.random(1000), covariates=columns, adjustment="none")
        small += [test.p_value < 0.01 for test in report.balance]
    assert np.mean(small) <= 0.01 + 3.5 * np.sqrt(0.01 * 0.99 / 500)


def test_constant_covariate_is_balanced(rng):
    report = campaign_effect(np.arange(50) % 2, rng.random(50), covariates=np.full(50, 0.1))
    assert report.balance[0].p_value == 1
    assert report.balance[0].standardised_difference == 0
