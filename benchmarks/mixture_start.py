"""What the start of a mixture costs: the columns' measures and k-means, in EM steps.

Usage: ``python benchmarks/mixture_start.py [ROWS]`` (default 300,000), 2 threads, 32 columns and
components; scikit-learn's k-means on the same rows beside it.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from aimass_core.mixture._em import Problem
from aimass_core.mixture._gauge import gauge_of
from aimass_core.mixture._seeding import first_parameters
from aimass_core.mixture._sources import Dense

D = K = 32


def main() -> None:
    """Entry point."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, D)) + rng.normal(0, 2, (20, D))[rng.integers(0, 20, n)]
    source = Dense(X, None, 2)
    for kind in ("full", "diag", "spherical"):
        begin = time.perf_counter()
        gauge = gauge_of(source, kind == "spherical")
        problem = Problem(source, gauge, kind, 1e-6)
        parameters = first_parameters(
            source, gauge, kind, K, "kmeans", 1e-6, None, None, np.random.default_rng(0)
        )
        start = time.perf_counter() - begin
        begin = time.perf_counter()
        problem.maximize(problem.step(parameters)[0])
        step = time.perf_counter() - begin
        print(f"{kind}: start {start:.3f} s = {start / step:.1f} EM steps of {step:.4f} s")
    begin = time.perf_counter()
    with threadpool_limits(2):
        KMeans(K, n_init=1, random_state=0).fit(X)
    print(f"scikit-learn's KMeans: {time.perf_counter() - begin:.3f} s")


if __name__ == "__main__":
    main()
