"""Peak memory of Gaussian mixtures above the data, each measured in a process of its own (Linux).

Usage: ``python benchmarks/mixture_memory.py [ROWS]`` (default 1,000,000) prints MiB above the
loaded matrix for a fit of two passes on ROWS x 32 with 32 components, and MiB in all above the
imports for a fit from a Parquet file of ten times as many rows x 16, written first, then deleted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from process_memory import PeakMemory

KINDS = ("full", "tied", "diag", "spherical")


def _model(member: str, kind: str, k: int) -> Any:
    if member == "native":
        from aimass_core import GaussianMixture as Model

        return Model(k, covariance_type=kind, max_iter=2, random_state=0)
    from sklearn.mixture import GaussianMixture as Theirs

    # Its k-means alone would take longer than all the rest here.
    return Theirs(
        k, covariance_type=kind, max_iter=2, random_state=0, init_params="random_from_data"
    )


def child(member: str, kind: str, n: int, path: str) -> None:
    """One measurement; prints MiB."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    _model(member, kind, 2).fit(rng.normal(size=(2000, 16)))  # imports, thread stacks
    X: Any = path
    if path == "":
        X = rng.normal(size=(n, 32))
        X += rng.integers(0, 5, n)[:, None]
    elif member == "native":
        import pyarrow.parquet  # noqa: F401
    with PeakMemory() as peak:
        model = _model(member, kind, 32 if path == "" else 8).fit(X)
    assert np.isfinite(model.lower_bound_)
    print(peak.mib)


def write(path: Path, n: int) -> None:
    """A Parquet file of n x 16 float32, written group by group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    schema = pa.schema([(f"x{j}", pa.float32()) for j in range(16)])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for begin in range(0, n, 100_000):
            m = min(100_000, n - begin)
            X = rng.normal(size=(m, 16)) + 3 * rng.integers(0, 8, m)[:, None]
            writer.write_table(pa.table([*X.astype(np.float32).T], schema=schema))


def measure(*arguments: Any) -> float:
    """MiB of one child process."""
    command = [sys.executable, __file__, "child", *map(str, arguments)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(out.split()[-1])


def main() -> None:
    """Entry point."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
        return
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"| MiB above X, {n:,} x 32, K = 32 | aimass_core | scikit-learn |\n|---|---|---|")
    for kind in KINDS:
        ours, theirs = (measure(member, kind, n, "") for member in ("native", "sklearn"))
        print(f"| {kind} | {ours:.1f} | {theirs:.0f} |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write(path, 10 * n)
        size = path.stat().st_size / 2**20
        peak = measure("native", "full", 10 * n, path)
    print(f"\nParquet, {10 * n:,} x 16 ({size:.0f} MiB on disk), full, K = 8: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
