"""Fused models beside their members on MovieLens 1M, with intervals and paired tests.

Usage: ``python benchmarks/quality_fusion.py [--data NAME] [--models NAME ...]`` with AIMASS_DATA
naming the folder of the data sets. A random fifth of the ratings is the test part. Prints a
markdown table, then which differences from the best member are significant (paired permutation
tests, Holm's correction); exits with 1 if no fused model is better than every member.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from quality import USER_ITEM, folder

from aimass_core import ImplicitALS, Interactions, ItemKNN, PureSVD
from aimass_core.data import split
from aimass_core.evaluation import evaluate
from aimass_core.fusion import RankFusion, ScoreFusion, Stacking

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
    return 0 if any(table[n]["ndcg@10"] > table[best]["ndcg@10"] for n in models) else 1


if __name__ == "__main__":
    sys.exit(main())
