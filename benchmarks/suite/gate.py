"""The regression gate: CPU time of the NumPy reference over that of the kernel, at small sizes.

A ratio within one process depends little on the machine or on what else it does. The gate fails
where a ratio falls below a third of the stored one, which a noisy minute does not do and a lost
vectorisation or a quadratic loop does. Everything runs on one thread, because threads of a BLAS
that wait for each other on a busy machine use CPU time. ``python benchmarks/suite/gate.py --write``
stores the ratios of this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

SUITE = Path(__file__).resolve().parent
STORED = SUITE / "gate.json"
ALLOWED = 3.0
MINIMUM = 1e-5  # seconds: below, the call itself is measured
LIMIT = 900

sys.path.insert(0, str(SUITE.parent))

from suite.record import RECORD, ROUNDS  # noqa: E402

# One case of each kernel with a reference; the wide grids are for the full suite.
FILES = (
    "bench_als.py",
    "bench_baseline_sgd.py",
    "bench_coo_to_csr.py",
    "bench_factorize.py",
    "bench_gram_topk.py",
    "bench_knn_predict.py",
    "bench_linear.py",
    "bench_resampling.py",
    "bench_score_topk.py",
    "bench_sgd.py",
    "bench_spgemm_topk.py",
)


def ratios() -> dict[str, float]:
    """Reference CPU time over native CPU time of each case, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.jsonl"
        environment = {
            **os.environ,
            RECORD: str(path),
            ROUNDS: "5",
            "AIMASS_BENCH_SCALE": "small",
            "AIMASS_BENCH_THREADS": "1",
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        }
        files = [str(SUITE.parent / name) for name in FILES]
        command = [
            sys.executable,
            "-m",
            "pytest",
            *files,
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-k",
            "native or reference",
        ]
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment,
            timeout=LIMIT,
            cwd=SUITE.parent.parent,
        )
        if run.returncode or not path.exists():
            raise RuntimeError(f"a benchmark failed: {run.stdout[-1500:]}{run.stderr[-500:]}")
        entries = [json.loads(line) for line in path.read_text().splitlines()]
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    for entry in entries:
        groups[entry["group"]][entry["member"]] = min(entry["cpu"])
    return {
        group: members["reference"] / members["native"]
        for group, members in sorted(groups.items())
        if {"native", "reference"} <= members.keys() and members["native"] >= MINIMUM
    }


def compared(found: dict[str, float], stored: dict[str, float]) -> list[str]:
    """A line for each ratio that fell too far, and for each stored case that is gone."""
    bad = []
    for group, ratio in stored.items():
        if group not in found:
            bad.append(f"{group}: no longer measured; write the ratios anew if that is meant")
        elif found[group] < ratio / ALLOWED:
            bad.append(
                f"{group}: {found[group]:.1f}x the speed of the reference, stored {ratio:.1f}x"
            )
    return bad


def gate() -> int:
    """Compare with the stored ratios; a suspect is measured twice. Return the exit status."""
    if not STORED.exists():
        raise FileNotFoundError(f"{STORED} is missing: python benchmarks/suite/gate.py --write")
    stored = json.loads(STORED.read_text())
    found = ratios()
    bad = compared(found, stored)
    if bad:  # once more, for the noise of a shared machine
        again = ratios()
        found = {g: max(v, again.get(g, 0.0)) for g, v in found.items()}
        bad = compared(found, stored)
    for group, ratio in found.items():
        print(f"{ratio:8.1f}x  (stored {stored.get(group, float('nan')):.1f}x)  {group}")
    for line in bad:
        print(f"regression: {line}", file=sys.stderr)
    return 1 if bad else 0


def main() -> int:
    """Write the ratios, or compare them."""
    if sys.argv[1:] == ["--write"]:
        STORED.write_text(
            json.dumps({g: round(v, 2) for g, v in ratios().items()}, indent=1) + "\n"
        )
        return 0
    return gate()


if __name__ == "__main__":
    sys.exit(main())
