"""Uplift figures beside causalml's on one generated campaign: T-learner, AUUC, Qini.

Usage: ``python benchmarks/uplift_peers.py``, in an environment with causalml (0.18 was compared).
Its gain curve times 1 / n is the uplift curve here, and its Qini curve over the number of treated
is the Qini curve here; its areas are means over the customers instead of the trapezoidal rule.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.linear_model import LogisticRegression

from aimass_core.effects import TLearner, auuc, qini


def campaign(n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, treatment and conversion of a randomised campaign with a varying effect."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    treatment = (rng.random(n) < 0.5).astype(int)
    log_odds = -2 + 0.5 * X[:, 0] + treatment * (0.3 + 0.4 * X[:, 1])
    return X, treatment, (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(int)


def main() -> int:
    """Print the figures side by side; return the exit status."""
    try:
        import pandas as pd
        from causalml.inference.meta import BaseTClassifier
        from causalml.metrics import get_cumgain, get_qini
    except ImportError:
        print("causalml is not installed: pip install causalml", file=sys.stderr)
        return 2
    X, treatment, y = campaign()
    model = LogisticRegression(max_iter=1000)
    ours = np.ravel(TLearner(model).fit(X, treatment, y).predict(X))
    theirs = BaseTClassifier(model, control_name=0).fit_predict(X, treatment, y).ravel()
    print(f"T-learner: largest difference {np.abs(ours - theirs).max():.1e}")
    table = pd.DataFrame({"model": ours, "w": treatment, "y": y})
    names = {"outcome_col": "y", "treatment_col": "w", "normalize": False}
    gain = get_cumgain(table, **names)["model"].to_numpy() / len(y)
    curve = get_qini(table, **names)["model"].to_numpy() / treatment.sum()
    print(f"AUUC: {auuc(ours, treatment, y):.6f} here, {gain.mean():.6f} causalml")
    area = curve.mean() - curve[-1] / 2
    print(f"qini: {qini(ours, treatment, y):.6f} here, {area:.6f} causalml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
