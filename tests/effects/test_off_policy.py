"""Off-policy evaluation: golden values, definitions, small samples, bad input."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from scipy import stats

from aimass_core.effects import (
    EffectiveSampleSizeError,
    EffectiveSampleSizeWarning,
    cross_fitted_rewards,
    off_policy_value,
)
from aimass_core.exceptions import FewClustersWarning

GOLDEN = {  # campaign -> IPS, SNIPS, effective sample size, on-policy; uniform to BTS
    "all": (0.00504, 0.00525, 2639, 0.0042),
    "men": (0.00566, 0.00574, 2869, 0.0069),
    "women": (0.00581, 0.00583, 3492, 0.0046),
}


class TestOpenBandit:
    @pytest.fixture
    def logs(self, real_data):
        """Columns of the impressions of a policy and campaign."""
        pq = pytest.importorskip("pyarrow.parquet")
        table = pq.read_table(real_data("open-bandit-small") / "impressions.parquet")
        policy = np.array(table["policy"].to_pylist())
        campaign = np.array(table["campaign"].to_pylist())
        names = ("position", "item_id", "click", "propensity_score")
        columns = {name: table[name].to_numpy() for name in names}

        def of(which, where):
            rows = (policy == which) & (campaign == where)
            return {name: column[rows] for name, column in columns.items()}

        return of

    @pytest.mark.parametrize("campaign", list(GOLDEN))
    def test_golden_values(self, logs, campaign):
        uniform, bts = logs("random", campaign), logs("bts", campaign)
        n_items = uniform["item_id"].max() + 1
        shown = np.zeros((4, n_items))
        np.add.at(shown, (bts["position"], bts["item_id"]), 1)
        frequency = shown / np.maximum(shown.sum(axis=1, keepdims=True), 1)
        report = off_policy_value(
            uniform["click"],
            uniform["propensity_score"],
            frequency[uniform["position"], uniform["item_id"]],
        )
        ips, snips, size, on_policy = GOLDEN[campaign]
        assert round(report["ips"].value, 5) == ips
        assert round(report["snips"].value, 5) == snips
        assert round(report.effective_sample_size) == size
        assert round(bts["click"].mean(), 4) == on_policy
        assert report.is_reliable
        assert not report.has_suspicious_weights
        assert report["snips"].lower < on_policy < report["snips"].upper

    def test_bts_to_uniform_is_refused(self, logs):
        """Effective sample size 2, largest weight 21,739: nothing can be said."""
        bts = logs("bts", "women")
        arguments = bts["click"], bts["propensity_score"], np.full(len(bts["click"]), 1 / 46)
        with pytest.warns(EffectiveSampleSizeWarning, match="effective sample size is 2"):
            report = off_policy_value(*arguments)
        assert round(report.effective_sample_size) == 2
        assert round(report.max_weight) == 21739
        assert not report.is_reliable
        assert np.isnan([report["ips"].lower, report["snips"].upper]).all()
        assert "WARNING: the effective sample size" in repr(report)
        with pytest.raises(EffectiveSampleSizeError, match="cannot tell the value"):
            off_policy_value(*arguments, on_small_sample="raise")


def logged(rng, n=4000, n_actions=3):
    """Contexts of two kinds, a known reward of each action, logs of a soft policy."""
    context = rng.integers(0, 2, n)
    chances = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])[context]
    action = (rng.random((n, 1)) > np.cumsum(chances, axis=1)).sum(axis=1)
    truth = np.array([[0.05, 0.1, 0.2], [0.3, 0.1, 0.05]])[context]
    rows = np.arange(n)
    reward = (rng.random(n) < truth[rows, action]).astype(float)
    target = np.array([[0.1, 0.3, 0.6], [0.6, 0.3, 0.1]])[context]
    return {
        "context": context,
        "action": action,
        "reward": reward,
        "propensity": chances[rows, action],
        "target": target[rows, action],
        "target_matrix": target,
        "q_logged": truth[rows, action],
        "q_target": (truth * target).sum(axis=1),
        "value": float((truth * target).sum(axis=1).mean()),
    }


def given(logs, *more):
    return {name: logs[name] for name in ("reward", "propensity", "target", *more)}


def test_definitions(rng):
    logs = logged(rng)
    report = off_policy_value(**given(logs, "q_logged", "q_target"), clip=2, switch=2)
    w, r = logs["target"] / logs["propensity"], logs["reward"]
    q, dm = logs["q_logged"], logs["q_target"]
    expected = {
        "dm": dm.mean(),
        "ips": (w * r).mean(),
        "clipped_ips": (np.minimum(w, 2) * r).mean(),
        "snips": (w * r).sum() / w.sum(),
        "dr": (dm + w * (r - q)).mean(),
        "sndr": dm.mean() + (w * (r - q)).sum() / w.sum(),
        "switch_dr": (dm + w * (w <= 2) * (r - q)).mean(),
    }
    assert {n: e.value for n, e in report.estimates.items()} == pytest.approx(expected)
    assert report["ips"].standard_error == pytest.approx((w * r).std(ddof=1) / np.sqrt(4000))
    assert report.effective_sample_size == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert report.max_weight == w.max()
    assert report.logging_value == r.mean()
    for name in ("dm", "clipped_ips", "switch_dr"):
        assert "biased" in report[name].note
        assert np.isnan(report[name].lower)
        assert report[name].standard_error > 0
    for name in ("ips", "snips", "dr", "sndr"):
        assert report[name].lower < logs["value"] < report[name].upper


def test_the_same_policy_gives_the_mean_reward(rng):
    logs = logged(rng)
    report = off_policy_value(logs["reward"], logs["propensity"], logs["propensity"])
    for estimate in report.estimates.values():
        assert estimate.value == pytest.approx(logs["reward"].mean())
    assert report.effective_sample_size == pytest.approx(4000)


def test_without_large_weights_clipping_is_none(rng):
    logs = logged(rng)
    report = off_policy_value(**given(logs, "q_logged", "q_target"))
    assert report["clipped_ips"].value == report["ips"].value
    assert report["switch_dr"].lower == report["dr"].lower


def test_doubly_robust_with_a_wrong_model_or_wrong_weights(rng):
    """Either the weights or the model may be wrong, not both."""
    logs = logged(rng, 100_000)
    wrong_model = off_policy_value(
        **given(logs), q_logged=np.full(100_000, 0.5), q_target=np.full(100_000, 0.5)
    )
    assert wrong_model["dr"].value == pytest.approx(logs["value"], abs=0.01)
    assert wrong_model["dm"].value == 0.5
    wrong_weights = off_policy_value(
        logs["reward"],
        np.full(100_000, 1 / 3),
        logs["target"],
        q_logged=logs["q_logged"],
        q_target=logs["q_target"],
    )
    assert wrong_weights["dr"].value == pytest.approx(logs["value"], abs=0.01)
    assert abs(wrong_weights["ips"].value - logs["value"]) > 0.02


def test_cross_fitted_rewards(rng):
    linear_model = pytest.importorskip("sklearn.linear_model")
    logs = logged(rng, 20_000)
    kind = np.eye(2)[logs["context"]]
    X = np.column_stack([kind, kind[:, :1] * np.eye(3)[logs["action"]] * 0])
    q_logged, q_target = cross_fitted_rewards(
        X,
        logs["action"],
        logs["reward"],
        logs["target_matrix"],
        model=linear_model.LogisticRegression(),
    )
    assert ((q_logged > 0) & (q_logged < 1)).all()
    plain = off_policy_value(**given(logs))
    report = off_policy_value(**given(logs), q_logged=q_logged, q_target=q_target)
    assert report["dr"].lower < logs["value"] < report["dr"].upper
    assert report["dr"].standard_error < plain["ips"].standard_error


def test_shuffled_rewards_leave_the_logging_value(rng):
    """Leak check: if rewards do not depend on actions, no policy is better than another."""
    logs = logged(rng, 20_000)
    shuffled = rng.permutation(logs["reward"])
    report = off_policy_value(shuffled, logs["propensity"], logs["target"])
    assert report["snips"].lower < report.logging_value < report["snips"].upper


def test_clusters_widen_the_error(rng):
    logs = logged(rng, 1000)
    copied = {name: np.repeat(logs[name], 5) for name in ("reward", "propensity", "target")}
    alone = off_policy_value(**given(logs))
    by_cluster = off_policy_value(**copied, clusters=np.repeat(np.arange(1000), 5))
    for name in ("ips", "snips"):
        assert by_cluster[name].standard_error == pytest.approx(alone[name].standard_error)


def test_few_clusters_have_students_t(rng):
    logs = logged(rng, 3000)
    day = np.arange(3000) // 1000
    with pytest.warns(FewClustersWarning, match="only 3 clusters"):
        report = off_policy_value(**given(logs), clusters=day)
    terms = logs["target"] / logs["propensity"] * logs["reward"]
    sums = np.bincount(day, terms - terms.mean())
    error = np.sqrt(3 / 2 * (sums**2).sum()) / 3000
    assert report["ips"].standard_error == pytest.approx(error)
    half = report["ips"].upper - report["ips"].value
    assert half == pytest.approx(stats.t.ppf(0.975, 2) * error)


def test_actions_that_were_never_shown_are_noticed(rng):
    """A target policy that prefers what the logs never show has weights of mean below 1."""
    report = off_policy_value(np.ones(1000), np.full(1000, 0.5), np.full(1000, 0.1))
    assert report.has_suspicious_weights
    assert "the mean weight is not 1" in repr(report)


def test_output(rng):
    report = off_policy_value(**given(logged(rng)))
    text = repr(report)
    assert "effective sample size" in text
    assert "largest weight" in text
    assert list(report.estimates) == ["ips", "clipped_ips", "snips"]
    assert json.loads(json.dumps(report.to_dict()))["is_reliable"] is True
    assert "snips" in repr(report["snips"])


def test_small_samples_can_be_ignored_but_have_no_interval():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = off_policy_value([1, 0, 1], [0.5] * 3, [0.5] * 3, on_small_sample="ignore")
    assert report["ips"].note == "effective sample too small"
    allowed = off_policy_value([1, 0, 1], [0.5] * 3, [0.5] * 3, minimum_effective_size=0)
    assert allowed["ips"].lower < 2 / 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"propensity": [0.5, 0.0, 0.5]}, "propensity must be above 0, got 0 in row 1"),
        ({"propensity": [0.5, -0.1, 0.5]}, "propensity must be above 0"),
        ({"propensity": [0.5, 1.2, 0.5]}, "propensity must be at most 1, got 1.2 in row 1"),
        ({"propensity": [0.5, np.nan, 0.5]}, "propensity holds nan"),
        ({"propensity": [0.5, 0.5]}, "one value per row"),
        ({"target": [0.5, 1.5, 0.5]}, "target must be at most 1"),
        ({"target": [0.5, -0.5, 0.5]}, "target must be at least 0"),
        ({"target": [0, 0, 0]}, "no overlap"),
        ({"reward": [1, np.inf, 0]}, "reward holds inf"),
        ({"reward": [1], "propensity": [1], "target": [1]}, "at least 2 impressions"),
        ({"estimators": ["dr"]}, "needs q_logged and q_target"),
        ({"estimators": ["dm"]}, "needs q_target"),
        ({"estimators": ["ipw"]}, "did you mean 'ips'"),
        ({"estimators": []}, "at least one of"),
        ({"clip": 0}, "clip must be above 0"),
        ({"confidence": 2}, "below 1"),
        ({"q_logged": [0.5]}, "one value per row"),
        ({"clusters": [1, 1, 1]}, "at least 2 clusters"),
        ({"on_small_sample": "stop"}, "must be one of warn, raise, ignore"),
    ],
)
def test_refusals(change, message):
    arguments = {"reward": [1, 0, 1], "propensity": [0.5] * 3, "target": [0.5] * 3}
    arguments |= {"on_small_sample": "ignore"} | change
    with pytest.raises(ValueError, match=message):
        off_policy_value(**arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": [[0.5, 0.6]] * 4}, "sum to 1"),
        ({"target": [0.5] * 4}, "must have shape"),
        ({"action": [0, 1, 2, 0]}, r"within \[0, 2\)"),
        ({"action": [0.0, 1.0, 1.0, 0.0]}, "whole numbers"),
        ({"X": np.zeros(4)}, "X must be 2-D"),
    ],
)
def test_refusals_of_rewards(change, message):
    arguments = {
        "X": np.zeros((4, 1)),
        "action": [0, 1, 1, 0],
        "reward": [0, 1, 1, 0],
        "target": [[0.5, 0.5]] * 4,
    }
    with pytest.raises(ValueError, match=message):
        cross_fitted_rewards(**(arguments | change))


def test_no_reward_has_no_interval():
    """Logs without any reward say nothing of the error: an interval [0, 0] would be wrong."""
    report = off_policy_value(np.zeros(500), np.full(500, 0.5), np.full(500, 0.5))
    for estimate in report.estimates.values():
        assert estimate.value == 0
        assert np.isnan([estimate.lower, estimate.upper]).all()
        assert "no impression has a reward" in estimate.note


def test_propensity_near_zero_is_named():
    propensity = np.full(500, 0.5)
    propensity[7] = 1e-320
    with pytest.raises(ValueError, match="in row 7 gives a weight of inf"):
        off_policy_value(np.ones(500), propensity, np.full(500, 0.5))
