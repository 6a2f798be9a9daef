"""What split-and-merge moves are worth: likelihood and passes over the data on seeded problems.

Usage: ``python benchmarks/mixture_moves.py [PROBLEMS]`` (default 20). Each has 6,000 rows of 15
overlapping groups, in two columns or in six by turns; 15 components with full covariances. Beside
the moves: more starts, which cost passes too. A fit is better where its mean log-likelihood of a
row is 0.001 higher (6 for all rows) than that of one start from k-means. Passes are those over all
rows; what moves do on their sample shows in the CPU time alone (one thread).
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

import numpy as np

from aimass_core import GaussianMixture

WAYS: dict[str, dict[str, Any]] = {
    "one start": {},
    "n_init=5": {"n_init": 5},
    "n_init=20": {"n_init": 20},
    "split_merge=1": {"split_merge": 1},
    "split_merge=3": {"split_merge": 3},
    "split_merge=10": {"split_merge": 10},
}


K = 15


def problem(seed: int, n: int = 6000) -> np.ndarray:
    """Groups of unequal sizes and shapes."""
    k, (d, apart) = K, ((2, 4.0), (6, 1.5))[seed % 2]
    rng = np.random.default_rng(seed)
    label = rng.choice(k, n, p=rng.dirichlet(np.full(k, 3.0)))
    shapes = rng.normal(0, 0.5, (k, d, d)) + np.eye(d)
    centres = rng.normal(0, apart, (k, d))
    return centres[label] + np.einsum("nd,nde->ne", rng.normal(size=(n, d)), shapes[label])


def main() -> None:
    """Entry point."""
    warnings.simplefilter("ignore")
    n_problems = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    bounds = {way: np.empty(n_problems) for way in WAYS}
    passes = {way: np.zeros(n_problems, int) for way in WAYS}
    seconds = {way: np.zeros(n_problems) for way in WAYS}
    for seed in range(n_problems):
        X = problem(seed)
        for way, parameters in WAYS.items():

            def count(*_: Any, way: str = way, seed: int = seed) -> None:
                passes[way][seed] += 1

            begin = time.process_time()
            model = GaussianMixture(
                K,
                random_state=seed,
                tol=1e-5,
                max_iter=1000,
                callback=count,
                n_threads=1,
                **parameters,
            ).fit(X)
            seconds[way][seed] = time.process_time() - begin
            assert np.isfinite(model.score(X))
            bounds[way][seed] = model.lower_bound_
    best = np.max(list(bounds.values()), axis=0)
    print(
        "| way | better than one start | worse | median gain of a row | within 0.001 of the best "
        "| passes, median | CPU time, median |\n|---|---:|---:|---:|---:|---:|---:|"
    )
    for way in WAYS:
        gain = bounds[way] - bounds["one start"]
        print(
            f"| {way} | {(gain > 1e-3).sum()} | {(gain < -1e-3).sum()} | {np.median(gain):.4f} "
            f"| {(bounds[way] > best - 1e-3).sum()} | {np.median(passes[way]):.0f} "
            f"| {np.median(seconds[way]):.2f} s |"
        )


if __name__ == "__main__":
    main()
