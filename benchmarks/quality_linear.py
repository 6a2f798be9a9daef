"""Linear and pairwise models measured against published figures on real data.

Usage: ``python benchmarks/quality_linear.py ncf|gowalla [--models NAME ...]`` with AIMASS_DATA
naming the folder of the data sets. Prints a markdown table; exits with 1 if a figure misses its
target. The targets are those of published tables for the same split and settings.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from quality import USER_ITEM, Figure, folder, ncf_data

from aimass_core import EASE, EDLAE, SLIM, SparseEASE
from aimass_core.data import split
from aimass_core.evaluation import evaluate

# Model, HR@10 and NDCG@10; None: nothing is published for the split.
NCF: dict[str, tuple[Any, float | None, float | None]] = {
    "EASE": (EASE(regularization=1320.0), 0.7192, 0.4494),
    "EDLAE": (EDLAE(regularization=1000.0, dropout=0.1), None, None),
    "SLIM": (SLIM(alpha=0.0788, l1_ratio=1.19e-5, n_neighbors=544), 0.7162, 0.4468),
    "SparseEASE": (SparseEASE(regularization=1320.0, n_neighbors=500), None, None),
}
# Model, Recall@20 and NDCG@20.
GOWALLA: dict[str, tuple[Any, float | None, float | None]] = {
    "EASE": (EASE(regularization=80.0), 0.1765, 0.1467),
    "SLIM": (SLIM(alpha=0.005, l1_ratio=1e-6, n_candidates=500), 0.1699, 0.1382),
    "SparseEASE": (SparseEASE(regularization=80.0, n_neighbors=300), None, None),
}


def shown(model: Any, started: float) -> str:
    """The model as it is written in Python, and its seconds."""
    return f"{model!r} ({time.perf_counter() - started:.0f} s)"


def ncf(names: list[str]) -> list[Figure]:
    """Leave-one-out on MovieLens 1M: HR@10 and NDCG@10 among 99 published negatives."""
    data = ncf_data(folder("movielens-1m"))
    figures = []
    for name, (model, hits, gain) in NCF.items():
        if names and name not in names:
            continue
        started = time.perf_counter()
        found = data.score(model)
        title = shown(model, started)
        figures += [
            Figure(title, "HR@10", found[0], hits, 0.003),
            Figure(title, "NDCG@10", found[1], gain, 0.003),
        ]
        print(*(figure.row() for figure in figures[-2:]), sep="\n", file=sys.stderr, flush=True)
    return figures


def gowalla(names: list[str]) -> list[Figure]:
    """All-item ranking on Gowalla, items of train removed."""
    parts = split.by_column(folder("gowalla") / "interactions.parquet", column="split", **USER_ITEM)
    figures = []
    for name, (model, recall, gain) in GOWALLA.items():
        if names and name not in names:
            continue
        started = time.perf_counter()
        found = evaluate({name: model}, parts, metrics=["recall", "ndcg"], k=20)[name]
        title = shown(model, started)
        kind, tolerance = ("equal", 0.001) if name == "EASE" else ("above", 0.0)
        figures += [
            Figure(title, "Recall@20", found["recall@20"], recall, tolerance, kind),
            Figure(title, "NDCG@20", found["ndcg@20"], gain, tolerance, kind),
        ]
        print(*(figure.row() for figure in figures[-2:]), sep="\n", file=sys.stderr, flush=True)
    return figures


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["ncf", "gowalla"])
    parser.add_argument("--models", nargs="*", default=[], help="names; default: all")
    arguments = parser.parse_args()
    figures = globals()[arguments.what](arguments.models)
    print("| model | metric | value | target | holds |\n|---|---|---|---|---|")
    for figure in figures:
        print(figure.row())
    sys.exit(0 if all(figure.holds for figure in figures) else 1)


if __name__ == "__main__":
    main()
