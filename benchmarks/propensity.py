"""Do segments help a purchase-propensity model? Bank marketing, without the leaking ``duration``.

Usage: ``python benchmarks/propensity.py [logistic|boosting]`` with AIMASS_DATA naming the folder of
the data sets.
Prints a markdown table: the same classifier with and without soft memberships as features, on the
same folds of repeated stratified cross-validation. The interval of the difference is that of
Nadeau and Bengio (Machine Learning 52, 2003), which allows for the overlap of the training sets.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from aimass_core import Segmentation

NUMBERS = ["age", "balance", "day", "campaign", "pdays", "previous"]
WORDS = [
    "job",
    "marital",
    "education",
    "default",
    "housing",
    "loan",
    "contact",
    "month",
    "poutcome",
]
OF_SEGMENTS = ["age", "balance", "campaign", "pdays", "previous"]
METRICS = {"AUC": roc_auc_score, "average precision": average_precision_score}
CLASSIFIERS = {
    "logistic regression": LogisticRegression(max_iter=2000),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
}


def read(folder: Path) -> tuple[Any, Any]:
    """Customers and whether they bought; ``duration`` is known only after the call."""
    import pandas as pd

    table = pd.read_parquet(folder / "bank-marketing" / "bank_full.parquet")
    return table[NUMBERS + WORDS], (table["y"] == "yes").to_numpy()


def pipeline(classifier: Any, n_segments: int | None) -> Pipeline:
    """The classifier on numbers and words, and with `n_segments` on soft memberships too."""
    parts: list[tuple[Any, list[str]]] = [
        (StandardScaler(), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), WORDS),
    ]
    if n_segments is not None:  # fitted on the training rows of each fold only
        parts.append((Segmentation(n_segments=n_segments, n_bootstrap=0), OF_SEGMENTS))
    return make_pipeline(make_column_transformer(*parts), clone(classifier))


def interval(differences: Any, test_share: float) -> tuple[float, float, float]:
    """Mean of paired differences over folds, and its corrected 95 % interval."""
    n = len(differences)
    mean = float(np.mean(differences))
    variance = np.var(differences, ddof=1) * (1 / n + test_share / (1 - test_share))
    half = float(student.ppf(0.975, n - 1) * np.sqrt(variance))
    return mean, mean - half, mean + half


def scores(model: Any, X: Any, y: Any, n_splits: int, n_repeats: int) -> dict[str, Any]:
    """Each metric on each fold."""
    folds = RepeatedStratifiedKFold(n_splits=n_splits, n_repeats=n_repeats, random_state=0)
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for train, test in folds.split(X, y):
        fitted = clone(model).fit(X.iloc[train], y[train])
        p = fitted.predict_proba(X.iloc[test])[:, 1]
        for name, metric in METRICS.items():
            found[name].append(float(metric(y[test], p)))
    return {name: np.array(values) for name, values in found.items()}


def compare(
    X: Any,
    y: Any,
    *,
    n_segments: int = 8,
    n_splits: int = 5,
    n_repeats: int = 2,
    classifiers: dict[str, Any] = CLASSIFIERS,
) -> list[dict[str, Any]]:
    """One row for each classifier and metric."""
    rows = []
    for name, classifier in classifiers.items():
        plain = scores(pipeline(classifier, None), X, y, n_splits, n_repeats)
        more = scores(pipeline(classifier, n_segments), X, y, n_splits, n_repeats)
        for metric in METRICS:
            mean, low, high = interval(more[metric] - plain[metric], 1 / n_splits)
            rows.append(
                {
                    "classifier": name,
                    "metric": metric,
                    "without": plain[metric].mean(),
                    "with": more[metric].mean(),
                    "difference": mean,
                    "low": low,
                    "high": high,
                }
            )
    return rows


def main() -> int:
    """Entry point; returns the exit status."""
    if not os.environ.get("AIMASS_DATA"):
        print("AIMASS_DATA must name the folder of the data sets", file=sys.stderr)
        return 2
    chosen = {n: c for n, c in CLASSIFIERS.items() if all(word in n for word in sys.argv[1:])}
    X, y = read(Path(os.environ["AIMASS_DATA"]))
    print("| classifier | metric | without | with 8 segments | difference (95 % interval) |")
    print("|---|---|---:|---:|---:|")
    for row in compare(X, y, classifiers=chosen):
        print(
            f"| {row['classifier']} | {row['metric']} | {row['without']:.4f} | {row['with']:.4f} | "
            f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f}) |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
