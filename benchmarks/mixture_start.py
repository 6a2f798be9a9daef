"""Time the start of a mixture (measuring the columns and k-means) in units of an EM step.

Usage: ``python benchmarks/mixture_start.py [ROWS ...]`` (default 20,000, 100,000 and 1,000,000), 2
threads, 32 columns and components; scikit-learn's k-means on the same rows beside it. The start is
to cost at most ten EM steps and half of scikit-learn's k-means. The best of three runs each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from aimass_core.mixture._dense_rows import DenseRows
from aimass_core.mixture._em import Problem
from aimass_core.mixture._initialization import initial_parameters
from aimass_core.mixture._parameters import COVARIANCE_TYPES, Parameters
from aimass_core.mixture._standardizer import measure

D = K = 32
THREADS = 2


def timed(call: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    """Seconds of the best round, and the result."""
    seconds, result = [], None
    for _ in range(rounds):
        begin = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), result


def start(X: np.ndarray, kind: str) -> tuple[Problem, Parameters]:
    """All that a fit does before its first EM step."""
    source = DenseRows(X, None, THREADS)
    standardizer = measure(source, kind == "spherical")
    problem = Problem(source, standardizer, kind, 1e-6)
    return problem, initial_parameters(problem, K, "kmeans", np.random.default_rng(0))


def inertia(Z: np.ndarray, means: np.ndarray) -> float:
    """Mean squared distance of rows to the nearest centre."""
    distances = (Z**2).sum(axis=1)[:, None] - 2 * Z @ means.T + (means**2).sum(axis=1)
    return float(distances.min(axis=1).mean())


def main() -> None:
    """Entry point."""
    sizes = [int(n) for n in sys.argv[1:]] or [20_000, 100_000, 1_000_000]
    print("| rows | type | start | EM step | start in steps | scikit-learn's KMeans | factor |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for n in sizes:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n, D)) + rng.normal(0, 2, (20, D))[rng.integers(0, 20, n)]
        X = (X - X.mean(axis=0)) / X.std(axis=0)  # both k-means see the same coordinates
        rounds = 3 if n < 500_000 else 1
        with threadpool_limits(THREADS):
            peer, model = timed(lambda X=X: KMeans(K, n_init=1, random_state=0).fit(X), rounds)
            own: dict[str, Any] = {
                kind: timed(lambda X=X, kind=kind: start(X, kind), rounds)
                for kind in COVARIANCE_TYPES
            }
        few = X[:10_000]
        right = inertia(few, model.cluster_centers_)
        for kind, (seconds, (problem, begin)) in own.items():
            # The centres of the start are the means of its groups.
            assert inertia(few, begin.unscaled(problem.standardizer)[0]) < 1.05 * right
            step, _ = timed(
                lambda problem=problem, begin=begin: problem.maximize(problem.step(begin)[0])
            )
            print(
                f"| {n:,} | {kind} | {seconds * 1e3:.1f} ms | {step * 1e3:.1f} ms "
                f"| {seconds / step:.1f} | {peer * 1e3:.0f} ms | {peer / seconds:.1f}x |",
                flush=True,
            )


if __name__ == "__main__":
    main()
