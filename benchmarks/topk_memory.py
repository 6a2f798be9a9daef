"""Peak memory of top-k for all users above the factors, each measured in a process of its own.

Usage: ``python benchmarks/topk_memory.py [CASE] [K]`` (default "ml20m f64", 10; Linux) prints MiB
above the loaded factors and lists of what users have: for the packed items alone, for the answer
for everyone at once (its own size beside it), for the same in blocks, written to Parquet, and for
an `AudienceIndex`. Random factors: the sizes are those of the case, no training is needed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from factors import factors, seen
from process_memory import PeakMemory

MEMBERS = ("packed items", "all at once", "in blocks, to Parquet", "AudienceIndex")


def call(member: str, U: Any, V: Any, X: Any, k: int, folder: str) -> Any:
    """What is measured."""
    from aimass_core.retrieval import AudienceIndex, FactorIndex, write_topk

    if member == "AudienceIndex":
        return AudienceIndex(U, V, k=k, exclude=X)
    index = FactorIndex(V)
    if member == "all at once":
        return index.topk(U, k, exclude=X)
    if member == "in blocks, to Parquet":
        rows = write_topk(index.topk_blocks(U, k, exclude=X), Path(folder) / "lists.parquet")
        assert rows == len(U) * k
    return index


def child(member: str, case: str, k: int, folder: str) -> None:
    """One measurement; prints MiB."""
    U, V = factors(case, "gaussian")
    X = seen(case)
    call(member, U[:100], V[:1000], X[:100, :1000], k, folder)  # imports, thread stacks
    with PeakMemory() as peak:
        result = call(member, U, V, X, k, folder)
    print(peak.mib)
    del result


def main() -> None:
    """Entry point."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
        return
    case = sys.argv[1] if len(sys.argv) > 1 else "ml20m f64"
    k = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    U, V = factors(case, "gaussian")
    size = U.shape[0] * k * 8 / 2**20
    print(
        f"{len(U):,} users, {len(V):,} items x {V.shape[1]} ({V.nbytes / 2**20:.1f} MiB), k {k}, "
        f"lists {size:.1f} MiB\n\n| MiB above the input | |\n|---|---|"
    )
    for member in MEMBERS:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "child", member, case, str(k), folder]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peak = float(out.split()[-1])
        print(f"| {member} | {peak:.1f} |", flush=True)
        if member == "all at once":
            assert peak < 2 * size + 3 * V.nbytes / 2**20 + 64, "O(users x k) and the packed items"


if __name__ == "__main__":
    main()
