"""Peak memory of SparseEASE on a generated catalogue of 100,000 items, which must stay under 6 GiB.

Usage: ``python benchmarks/sparse_ease_memory.py [--items N] [--users N] [--interactions N]
[--neighbors N] [--limit GIB]``. Prints seconds, CPU seconds, the peak of the process above the
data, the residual of the normal equations and the agreement with the exact weights; exits with 1
where the peak exceeds the limit. A dense model of 100,000 items would need 37 GiB for one matrix.
"""

from __future__ import annotations

import argparse
import math
import sys
import time

from data import power_law
from process_memory import PeakMemory

from aimass_core import SparseEASE


def main(words: list[str] | None = None) -> int:
    """Fit once and print the figures; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--interactions", type=int, default=5_000_000)
    parser.add_argument("--neighbors", type=int, default=200)
    parser.add_argument("--limit", type=float, default=6.0, help="GiB")
    options = parser.parse_args(words)
    X = power_law(options.users, options.items, options.interactions)
    X.data[:] = 1
    with PeakMemory() as memory:
        wall, cpu = time.perf_counter(), time.process_time()
        model = SparseEASE(regularization=100.0, n_neighbors=options.neighbors).fit(X)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = memory.mib / 1024
    print(
        f"{X.shape[1]:,} items, {X.nnz:,} interactions, {options.neighbors} neighbours: "
        f"{wall:.0f} s, {cpu:.0f} s of CPU time, peak {peak:.2f} GiB above the data, "
        f"{model.weights_.nnz:,} weights, residual {model.residual_:.3f}, agreement "
        f"{model.agreement_:.3f}"
    )
    if math.isnan(peak):
        print("the system does not tell the peak: the limit is not checked", file=sys.stderr)
        return 1
    if peak > options.limit:
        print(f"the peak exceeds {options.limit:g} GiB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
