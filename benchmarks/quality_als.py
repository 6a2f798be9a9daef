"""Factor models measured against published figures on real data, each from the public API.

Usage: ``python benchmarks/quality_als.py ncf|gowalla|ratings [--search]`` with AIMASS_DATA
naming the folder of the data sets. Prints a markdown table; exits with 1 if a figure misses its
target. ``--search`` chooses settings on a validation part of train: for Gowalla, and for the
ratings in each fold anew.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import product
from typing import Any

import numpy as np
from quality import USER_ITEM, Figure, folder, ncf_data

from aimass_core import NMF, SVD, ExplicitALS, ImplicitALS, Interactions, PureSVD
from aimass_core.data import split
from aimass_core.evaluation import evaluate, rmse

# Settings of the iALS paper's authors for MovieLens 1M (Rendle et al. 2021).
NCF = {"n_factors": 192, "regularization": 0.007, "unobserved_weight": 0.3, "max_iter": 12}
# Best on the validation part, see `search`.
GOWALLA = {
    "n_factors": 1024,
    "regularization": 0.006,
    "unobserved_weight": 0.01,
    "max_iter": 10,
    "solver": "cg",
}
# From this grid, on a random fifth of all ratings; `ratings --search` chooses anew in every fold.
RATINGS = {"n_factors": 128, "regularization": 0.05, "constant_regularization": 6.0}
RATINGS_GRID = [
    {"n_factors": n, "regularization": lam, "constant_regularization": c}
    for n, lam, c in product((64, 128), (0.03, 0.05, 0.08), (3.0, 6.0, 12.0))
]
# The best of our own SGD on the same part.
SVD_RATINGS = {"n_factors": 20, "max_iter": 30, "learning_rate": 0.01, "regularization": 0.05}


def ncf(search: bool) -> list[Figure]:
    """Leave-one-out on MovieLens 1M: HR@10 and NDCG@10 among 99 published negatives."""
    data = ncf_data(folder("movielens-1m"))
    figures = []
    models = {
        "iALS, exact": (ImplicitALS(**NCF, solver="cholesky"), 0.728, 0.448),
        "iALS, conjugate gradient": (ImplicitALS(**NCF, solver="cg"), 0.728, 0.448),
        "iALS, the same preconditioned": (ImplicitALS(**NCF, solver="pcg"), 0.728, 0.448),
        "iALS, subspaces (iALS++)": (
            ImplicitALS(**NCF, solver="subspace", n_steps=1),
            0.728,
            0.448,
        ),
        "iALS, defaults": (ImplicitALS(), None, None),
        "PureSVD, 32 factors": (PureSVD(n_factors=32), None, None),
        "NMF, 32 factors": (NMF(), None, None),
    }
    for name, (model, hits, gain) in models.items():
        started = time.perf_counter()
        found = data.score(model)
        shown = f"{name} ({time.perf_counter() - started:.0f} s)"
        figures += [
            Figure(shown, "HR@10", found[0], hits, 0.0, "above"),
            Figure(shown, "NDCG@10", found[1], gain, 0.0, "above"),
        ]
    return figures


def gowalla(search: bool) -> list[Figure]:
    """All-item ranking on Gowalla: iALS must pass EASE."""
    parts = split.by_column(folder("gowalla") / "interactions.parquet", column="split", **USER_ITEM)
    asked: dict[str, Any] = {"metrics": ["recall", "ndcg"], "k": 20}
    best = dict(GOWALLA)
    if search:
        inner = split.per_user(parts.train, test_size=0.2, random_state=0)
        grid = [
            GOWALLA
            | {"n_factors": 256, "max_iter": 12, "regularization": lam, "unobserved_weight": w}
            for w, lam in product((0.005, 0.01, 0.02), (0.001, 0.002, 0.004, 0.008))
        ]
        grid += [
            GOWALLA | {"n_factors": 512, "max_iter": 12, "regularization": 0.004},
            GOWALLA,
        ]
        scores = []
        for options in grid:
            table = evaluate({"": ImplicitALS(**options)}, inner, **asked)[""]
            scores.append(table["recall@20"])
            print(options, round(scores[-1], 4), flush=True)
        best = grid[int(np.argmax(scores))]
    found = evaluate({"": ImplicitALS(**best)}, parts, **asked)[""]
    name = f"iALS, {', '.join(f'{n} {v}' for n, v in best.items())} ({found['fit_s']:.0f} s)"
    return [
        Figure(name, "Recall@20", found["recall@20"], 0.1765, 0.0, "above"),
        Figure(name, "NDCG@20", found["ndcg@20"], 0.1467, 0.0, "above"),
    ]


def rating_error(options: dict[str, Any], part: Any, cls: type = ExplicitALS) -> float:
    """RMSE of the test ratings of a split."""
    model = cls(**options, rating_scale=(1, 5)).fit(part.train)
    test = part.test.matrix
    rows = np.repeat(np.arange(test.shape[0]), np.diff(test.indptr))
    pairs = part.test.users.ids[rows], part.test.items.ids[test.indices]
    return float(rmse(test.data, model.predict(*pairs)))


def ratings(search: bool) -> list[Figure]:
    """Five random folds of MovieLens 1M; a search chooses anew in each fold's train part."""
    data = Interactions.from_table(
        folder("movielens-1m") / "interactions.parquet", value="rating", **USER_ITEM
    )
    errors, of_svd, started = [], [], time.perf_counter()
    for number, part in enumerate(split.k_fold(data, n_splits=5, random_state=0), 1):
        best = dict(RATINGS)
        if search:  # on a tenth of the fold's train part: its test part is not seen
            inner = split.random(part.train, test_size=0.1, random_state=0)
            found = []
            for options in RATINGS_GRID:
                found.append(rating_error(options, inner))
                print(f"fold {number}", options, round(found[-1], 4), flush=True)
            best = RATINGS_GRID[int(np.argmin(found))]
        errors.append(rating_error(best, part))
        of_svd.append(rating_error(SVD_RATINGS, part, SVD))
        print(f"fold {number}: {best}, test {errors[-1]:.4f}, SVD {of_svd[-1]:.4f}", flush=True)
    options = "chosen by fold" if search else ", ".join(f"{n} {v}" for n, v in RATINGS.items())
    name = f"ExplicitALS, {options} ({time.perf_counter() - started:.0f} s for 5 folds)"
    mean = float(np.mean(errors))
    # "above": the error's distance to the target, so that less error is more.
    return [
        Figure(name, "RMSE", mean),
        Figure(name, "0.86 - RMSE", 0.86 - mean, 0.0, 0.0, "above"),
        Figure("SVD, 20 factors, 30 epochs", "RMSE", float(np.mean(of_svd))),
        Figure(name, "SVD - RMSE", float(np.mean(of_svd)) - mean, 0.0, 0.0, "above"),
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["ncf", "gowalla", "ratings"])
    parser.add_argument("--search", action="store_true")
    arguments = parser.parse_args()
    figures = globals()[arguments.what](arguments.search)
    print("| model | metric | value | target | holds |\n|---|---|---|---|---|")
    for figure in figures:
        print(figure.row())
    sys.exit(0 if all(figure.holds for figure in figures) else 1)


if __name__ == "__main__":
    main()
