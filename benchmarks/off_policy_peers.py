"""Off-policy estimates beside those of the Open Bandit Pipeline (obp) on generated logs.

Usage: ``python benchmarks/off_policy_peers.py``, in an environment with obp (0.5.7 was compared).
Prints every estimate of both; exits with 1 if two differ by more than rounding.

obp 0.5 asks for Python below 3.11, and pip otherwise takes 0.4.1, whose scikit-learn does not build
on 3.11. The estimators themselves run there with newer versions: ``pip install --no-deps
--ignore-requires-python obp==0.5.7``, then ``pip install "numpy<2" pandas scikit-learn scipy pyyaml
tqdm matplotlib seaborn torch pingouin``.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from aimass_core.effects import off_policy_value

CLIP, SWITCH = 5.0, 2.0


def logs(n: int = 20_000, n_actions: int = 5) -> dict[str, Any]:
    """Generated impressions: actions, rewards, probabilities of both policies, a reward model."""
    rng = np.random.default_rng(0)
    logging = rng.dirichlet(np.ones(n_actions) * 2, n)
    target = rng.dirichlet(np.ones(n_actions) * 2, n)
    actions = (rng.random((n, 1)) > np.cumsum(logging, axis=1)).sum(axis=1).clip(0, n_actions - 1)
    means = rng.uniform(0.05, 0.3, (n, n_actions))
    rewards = (rng.random(n) < means[np.arange(n), actions]).astype(float)
    model = np.clip(means + rng.normal(0, 0.05, means.shape), 0, 1)
    return {
        "actions": actions,
        "rewards": rewards,
        "logging": logging,
        "target": target,
        "model": model,
    }


def here(data: dict[str, Any]) -> dict[str, float]:
    """The estimates of this library."""
    rows = np.arange(len(data["actions"])), data["actions"]
    report = off_policy_value(
        data["rewards"],
        data["logging"][rows],
        data["target"][rows],
        q_logged=data["model"][rows],
        q_target=(data["target"] * data["model"]).sum(axis=1),
        clip=CLIP,
        switch=SWITCH,
    )
    return {name: estimate.value for name, estimate in report.estimates.items()}


def of_obp(data: dict[str, Any]) -> dict[str, float]:
    """The same estimates of obp."""
    from obp import ope

    rows = np.arange(len(data["actions"])), data["actions"]
    known = {
        "reward": data["rewards"],
        "action": data["actions"],
        "pscore": data["logging"][rows],
        "action_dist": data["target"][:, :, None],
    }
    model = {"estimated_rewards_by_reg_model": data["model"][:, :, None]}
    estimators = {
        "ips": ope.InverseProbabilityWeighting(),
        "clipped_ips": ope.InverseProbabilityWeighting(lambda_=CLIP),
        "snips": ope.SelfNormalizedInverseProbabilityWeighting(),
        "dm": ope.DirectMethod(),
        "dr": ope.DoublyRobust(),
        "sndr": ope.SelfNormalizedDoublyRobust(),
        "switch_dr": ope.SwitchDoublyRobust(lambda_=SWITCH),
    }
    return {name: e.estimate_policy_value(**known, **model) for name, e in estimators.items()}


def main() -> int:
    """Print the estimates side by side; return the exit status."""
    data = logs()
    try:
        theirs = of_obp(data)
    except ImportError:
        print("obp is not installed: see the head of this file", file=sys.stderr)
        return 2
    ours = here(data)
    print("| estimator | here | obp |\n|---|---|---|")
    for name, value in theirs.items():
        print(f"| {name} | {ours[name]:.12f} | {float(value):.12f} |")
    equal = all(abs(ours[name] - value) < 1e-12 for name, value in theirs.items())
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
