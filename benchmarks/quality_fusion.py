"""Fused models beside their members on MovieLens 1M, with intervals and paired tests.

Usage: ``python benchmarks/quality_fusion.py [--data NAME] [--models NAME ...]`` with AIMASS_DATA
naming the folder of the data sets. A random fifth of the ratings is the test part. Prints a
markdown table, then which differences from the best member are significant (paired permutation
tests, Holm's correction), and the area under the ROC curve of second stages with their own and with
permuted labels on users that they did not learn from. Exits with 1 if no fused model is better than
every member, or if an area with permuted labels is not .50 +- .01.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from quality import USER_ITEM, folder

from aimass_core import ImplicitALS, Interactions, ItemKNN, PureSVD
from aimass_core.data import split
from aimass_core.evaluation import evaluate
from aimass_core.fusion import RankFusion, ScoreFusion, Stacking, candidate_table

METRICS = ["ndcg@10", "recall@10"]
MEMBERS = {
    "item-kNN": ItemKNN(n_neighbors=100, weighting="bm25"),
    "iALS": ImplicitALS(n_factors=64, regularization=0.05),
    "PureSVD": PureSVD(n_factors=32),
}


def fused() -> dict[str, Any]:
    """The fused models; each fits its own copies of the members."""
    return {
        "reciprocal rank": RankFusion(models=MEMBERS),
        "Borda": RankFusion(models=MEMBERS, method="borda"),
        "z-scores": ScoreFusion(models=MEMBERS),
        "probabilities": ScoreFusion(models=MEMBERS, scale="probability"),
        "stacking, logistic": Stacking(models=MEMBERS),
    }


def areas(parts: Any, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Area under the ROC curve of second stages: with their own labels, and with permuted ones.

    The candidates of half of the users are learned from, the others are judged.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(seed)
    table = candidate_table({n: m.fit(parts.train) for n, m in MEMBERS.items()}, parts.test)
    is_learned = (rng.permutation(parts.test.n_users) % 2 == 0)[table.users]
    permuted = rng.permutation(table.labels)
    stages = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "gradient boosting": HistGradientBoostingClassifier(random_state=seed),
    }
    found = {}
    for name, stage in stages.items():
        both = []
        for labels in (table.labels, permuted):
            stage.fit(table.features[is_learned], labels[is_learned])
            scores = stage.predict_proba(table.features[~is_learned])[:, 1]
            both.append(float(roc_auc_score(labels[~is_learned], scores)))
        found[name] = both[0], both[1]
    return found


def main(words: list[str] | None = None) -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="movielens-1m", help="a data set with ratings")
    parser.add_argument("--models", nargs="*", default=[], help="fused models; default: all")
    options = parser.parse_args(words)
    path = folder(options.data) / "interactions.parquet"
    x = Interactions.from_table(path, value="rating", **USER_ITEM)
    models = {n: m for n, m in fused().items() if not options.models or n in options.models}
    parts = split.random(x, test_size=0.2, random_state=0)
    table = evaluate({**MEMBERS, **models}, parts, metrics=METRICS, intervals=True)
    print("| model | nDCG@10 [95 %] | recall@10 [95 %] | fit s |\n|---|---|---|---|")
    for name in (*MEMBERS, *models):
        cells = []
        for metric in METRICS:
            interval = table.intervals[name][metric]
            cells.append(f"{table[name][metric]:.4f} [{interval.lower:.4f}, {interval.upper:.4f}]")
        print(f"| {name} | {' | '.join(cells)} | {table[name]['fit_s']:.1f} |")
    best = max(MEMBERS, key=lambda name: table[name]["ndcg@10"])
    print()
    for test in table.tests:
        if best in (test.a, test.b) and test.metric == "ndcg@10":
            print(test)
    print("\n| second stage | AUC | AUC, permuted labels |\n|---|---|---|")
    found = areas(parts)
    for name, (own, permuted) in found.items():
        print(f"| {name} | {own:.4f} | {permuted:.4f} |")
    is_better = any(table[n]["ndcg@10"] > table[best]["ndcg@10"] for n in models)
    is_at_chance = all(abs(permuted - 0.5) <= 0.01 for _, permuted in found.values())
    return 0 if is_better and is_at_chance else 1


if __name__ == "__main__":
    sys.exit(main())
