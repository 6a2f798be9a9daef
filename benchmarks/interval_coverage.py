"""Study: how often do 95 % intervals hold the truth of simulated campaigns, and false alarms?

``python benchmarks/interval_coverage.py [n_campaigns] [n_customers]`` simulates campaigns with
`make_store`, whose truth is known, and prints for each estimator the share of the campaigns whose
interval holds the truth. It then looks at campaigns without any effect on each of 60 days, and
prints how often the sequential test and the repeated fixed-horizon test ever reject.

`tests/effects/test_coverage.py` runs the same with fewer campaigns, and with 1,000 as a slow test.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import defaultdict
from typing import Any

import numpy as np
from scipy.special import ndtri

from aimass_core import datasets
from aimass_core.effects import (
    DRLearner,
    SequentialTest,
    campaign_effect,
    off_policy_value,
    plan_audience,
    simulate_campaign,
    uplift_report,
)
from aimass_core.evaluation import bootstrap_interval, paired_test

MEAN_SPEND = float(np.exp(3.4 + 0.7**2 / 2))  # of a conversion, in make_store
N_DAYS = 60

Limits = tuple[float, float]


def _limits(interval: Any) -> Limits:
    return interval.lower, interval.upper


def _campaign_intervals(store: Any) -> dict[str, tuple[Limits, float]]:
    """Differences, lifts and adjusted differences with their truth."""
    table, truth = store.campaign, store.truth
    treated = table["treatment"]
    outcomes = {"conversion": table["conversion"], "spend": table["spend"]}
    # The number of events of each customer is known before the campaign.
    n_users = len(treated)
    n_events = np.bincount(store.interactions["user_id"], minlength=n_users)
    covariates = np.log1p(n_events)
    true = {"conversion": truth.uplift.mean(), "spend": truth.uplift.mean() * MEAN_SPEND}
    found = {}
    for adjustment in ("none", "cuped", "regression"):
        report = campaign_effect(
            treated,
            outcomes,
            covariates=None if adjustment == "none" else covariates,
            adjustment=adjustment,
        )
        for effect in report.effects:
            name = f"{effect.outcome}, {effect.interval} ({adjustment})"
            found[name] = _limits(effect), true[effect.outcome]
            lift = truth.outcome_with.mean() / truth.outcome_without.mean() - 1
            limits = effect.relative_lower, effect.relative_upper
            found[f"{effect.outcome}, relative lift ({adjustment})"] = limits, lift
    clusters = np.arange(n_users) // 2
    shared = treated[2 * clusters]  # two customers of a household are treated alike
    chance = np.where(shared, truth.outcome_with, truth.outcome_without)
    rng = np.random.default_rng(truth.parameters["random_state"])
    bought = rng.random(n_users) < chance
    report = campaign_effect(shared, bought, clusters=clusters)
    found["conversion, by household"] = _limits(report.effects[0]), truth.uplift.mean()
    return found


def _bootstrap_intervals(store: Any, seed: int) -> dict[str, tuple[Limits, float]]:
    table, truth = store.campaign, store.truth
    rows = ~table["treatment"]
    found = {}
    for method in ("percentile", "bca"):
        options = {"method": method, "n_resamples": 1000, "random_state": seed, "n_threads": 1}
        true_rate = truth.outcome_without[rows].mean()
        rate = bootstrap_interval(table["conversion"][rows], **options)
        found[f"rate, bootstrap {method}"] = _limits(rate), true_rate
        poisson = bootstrap_interval(table["conversion"][rows], scheme="poisson", **options)
        found[f"rate, Poisson bootstrap {method}"] = _limits(poisson), true_rate
        spend = bootstrap_interval(table["spend"][rows], **options)
        mean = true_rate * MEAN_SPEND
        found[f"spend, bootstrap {method}"] = _limits(spend), mean
        # Two outcomes of the same customers, one under each policy: a paired difference.
        rng = np.random.default_rng(seed)
        pair = [rng.random(len(rows)) < p for p in (truth.outcome_with, truth.outcome_without)]
        difference = paired_test(*pair, **options)
        found[f"paired difference, bootstrap {method}"] = _limits(difference), truth.uplift.mean()
        chance = truth.outcome_without
        error = bootstrap_interval(
            ((rng.random(len(rows)) < chance) - chance.mean()) ** 2,
            statistic="root_mean",
            **options,
        )
        mean = (chance * (1 - chance.mean()) ** 2 + (1 - chance) * chance.mean() ** 2).mean()
        found[f"root mean squared error, bootstrap {method}"] = _limits(error), mean**0.5
        bought, clusters = _shared_draw(rng, chance)
        rate = bootstrap_interval(bought, clusters=clusters, **options)
        found[f"rate by household, bootstrap {method}"] = _limits(rate), chance.mean()
    return found


def _shared_draw(rng: np.random.Generator, chance: Any) -> tuple[Any, Any]:
    """Outcomes that the two customers of a household share as far as their chances allow."""
    clusters = np.arange(len(chance)) // 2
    return rng.random(len(chance))[clusters] < chance, clusters


def _uplift_intervals(store: Any, seed: int) -> dict[str, tuple[Limits, float]]:
    table, truth = store.campaign, store.truth
    rng = np.random.default_rng(seed)
    score = truth.uplift + rng.normal(0, truth.uplift.std(), len(truth.uplift))
    report = uplift_report(
        score,
        table["treatment"],
        table["conversion"],
        n_resamples=400,
        random_state=seed,
        n_threads=1,
    )
    gain = np.concatenate([[0], np.cumsum(truth.uplift[np.argsort(-score)])]) / len(score)
    area = float((gain[1:] + gain[:-1]).sum() / 2 / len(score))
    found = {
        "AUUC": (_limits(report.auuc), area),
        "qini": (_limits(report.qini), area - gain[-1] / 2),
        "uplift, overall": (_limits(report.effect), float(gain[-1])),
    }
    if report.qini_coefficient is not None:
        best = gain[-1] * (1 - gain[-1]) / 2
        found["qini coefficient"] = _limits(report.qini_coefficient), (area - gain[-1] / 2) / best
    for share, interval in report.effect_at.items():
        first = round(share * len(score))
        found[f"uplift, first {share:.0%}"] = _limits(interval), gain[first] / share
    return found


def _policy_intervals(store: Any, seed: int) -> dict[str, tuple[Limits, float]]:
    """Logs of a policy that depends on the channel; the target policy treats by age."""
    truth, rng = store.truth, np.random.default_rng(seed)
    chances = np.stack([truth.outcome_without, truth.outcome_with], axis=1)
    mailed = {"web": 0.3, "app": 0.6, "store": 0.5}
    logging = np.array([mailed[channel] for channel in store.customers["channel"]])
    is_young = np.isin(store.customers["age_band"], ("18-24", "25-34", "35-44"))
    target = np.where(is_young, 0.9, 0.2)
    n = len(target)
    action = (rng.random(n) < logging).astype(int)
    reward = rng.random(n) < chances[np.arange(n), action]
    predicted = chances.mean(axis=0) + np.array([0.02, -0.01])  # a model that is a bit off
    report = off_policy_value(
        reward,
        np.where(action == 1, logging, 1 - logging),
        np.where(action == 1, target, 1 - target),
        q_logged=predicted[action],
        q_target=target * predicted[1] + (1 - target) * predicted[0],
    )
    value = float((target * chances[:, 1] + (1 - target) * chances[:, 0]).mean())
    shared, clusters = _shared_draw(rng, chances[np.arange(n), action])
    by_household = off_policy_value(
        shared,
        np.where(action == 1, logging, 1 - logging),
        np.where(action == 1, target, 1 - target),
        clusters=clusters,
    )
    return {
        f"policy value, {name}{suffix}": (_limits(estimate), value)
        for suffix, one in (("", report), (" by household", by_household))
        for name, estimate in one.estimates.items()
        if not np.isnan(estimate.lower)
    }


def _learner_interval(store: Any) -> dict[str, tuple[Limits, float]]:
    """The average effect of the DR-learner; without scikit-learn there is none."""
    if importlib.util.find_spec("sklearn") is None:
        return {}
    from sklearn.linear_model import LinearRegression, LogisticRegression

    table, customers = store.campaign, store.customers
    n_events = np.bincount(store.interactions["user_id"], minlength=len(table["treatment"]))
    channels = [np.asarray(customers["channel"]) == name for name in ("web", "app")]
    X = np.column_stack([*channels, np.log1p(n_events)]).astype(float)
    learner = DRLearner(LogisticRegression(), LinearRegression(), n_folds=2)
    learner.fit(X, table["treatment"], table["conversion"])
    limits = _limits(learner.average_effect_)
    return {"conversion, DRLearner.average_effect_": (limits, store.truth.uplift.mean())}


def risk_bands(n_campaigns: int, n_contacts: int = 1000) -> float:
    """Share of the campaigns whose revenue lies in the 90 % band of `simulate_campaign`.

    The odds of all customers of a campaign share an error, as `common_sd` says.
    """
    inside = 0
    for seed in range(n_campaigns):
        rng = np.random.default_rng(seed)
        chance = rng.beta(2, 30, n_contacts)
        plan = plan_audience(chance, MEAN_SPEND, cost=1.0, budget=n_contacts / 2)
        chosen = chance[plan.selected]
        simulated = simulate_campaign(
            chosen, MEAN_SPEND, cost=1.0, value_sd=20.0, common_sd=0.2, random_state=seed
        )
        odds = chosen / (1 - chosen) * np.exp(rng.normal(-(0.2**2) / 2, 0.2))
        n_bought = int((rng.random(len(chosen)) < odds / (1 + odds)).sum())
        shape = (MEAN_SPEND / 20.0) ** 2
        revenue = rng.gamma(shape, MEAN_SPEND / shape, n_bought).sum()
        inside += simulated.revenue[1] <= revenue <= simulated.revenue[2]
    return inside / n_campaigns


def coverage(n_campaigns: int, n_customers: int = 2000) -> dict[str, float]:
    """Share of the intervals that hold the truth, by estimator; not all campaigns have each."""
    hits: dict[str, int] = defaultdict(int)
    n_intervals: dict[str, int] = defaultdict(int)
    for seed in range(n_campaigns):
        store = datasets.make_store(
            n_users=n_customers, n_items=20, n_interactions=5 * n_customers, random_state=seed
        )
        found = _campaign_intervals(store)
        found |= _bootstrap_intervals(store, seed)
        found |= _uplift_intervals(store, seed)
        found |= _policy_intervals(store, seed)
        found |= _learner_interval(store)
        for name, ((lower, upper), true) in found.items():
            if not np.isnan(lower):
                n_intervals[name] += 1
                hits[name] += lower <= true <= upper
    return {name: hits[name] / n for name, n in n_intervals.items()}


def false_alarms(n_campaigns: int, n_per_day: int = 200, rate: float = 0.05) -> tuple[float, float]:
    """Shares of campaigns without an effect in which the sequential test, and the fixed-horizon
    test that is repeated every day, ever reject in 60 days."""
    sequential, fixed = 0, 0
    z = ndtri(0.975)
    for seed in range(n_campaigns):
        rng = np.random.default_rng(seed)
        test = SequentialTest(expected_total=N_DAYS * n_per_day)
        has_alarm = False
        for _ in range(N_DAYS):
            treated = rng.random(n_per_day) < 0.5
            result = test.update(treated, rng.random(n_per_day) < rate)
            has_alarm |= abs(result.difference) > z * result.standard_error
        sequential += result.is_significant
        fixed += has_alarm
    return sequential / n_campaigns, fixed / n_campaigns


def main() -> None:
    """Print both tables."""
    n_campaigns = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    n_customers = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    print(f"share of {n_campaigns} campaigns of {n_customers} customers whose 95 % interval")
    print(f"holds the truth (standard error {np.sqrt(0.05 * 0.95 / n_campaigns):.2%})\n")
    for name, share in coverage(n_campaigns, n_customers).items():
        print(f"{name:42s} {share:.1%}{'' if 0.93 <= share <= 0.97 else '   <- out of 93-97 %'}")
    print(f"\nrevenue within the 90 % risk band: {risk_bands(n_campaigns):.1%}")
    print("\nany false alarm in 60 days of peeking: sequential test, repeated fixed-horizon test")
    for rate in (0.02, 0.05, 0.2):
        sequential, fixed = false_alarms(n_campaigns, rate=rate)
        print(f"conversion rate {rate:.0%}: {sequential:.1%}, {fixed:.1%}")


if __name__ == "__main__":
    main()
