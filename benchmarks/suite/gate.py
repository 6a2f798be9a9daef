"""The regression gate: CPU time of the NumPy reference over that of the kernel, at small sizes.

Both members run in one process and take turns, and a ratio is the median over the rounds. It
therefore depends little on the load of the machine. The gate fails where a ratio is below two
fifths of the stored one in two runs: a kernel that became three times slower is found, and other
versions of Python and NumPy, which change the time of the reference, are not. Everything runs on
one thread, because threads of a BLAS that wait for each other on a busy machine use CPU time, and
at one instruction-set level. NumPy chooses its own instructions, so the gate fails only on the kind
of processor whose ratios are stored; on others it prints the ratios.

``python benchmarks/suite/gate.py --write`` stores the medians of five runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = Path(__file__).resolve().parent
STORED = SUITE / "gate.json"
ALLOWED = 2.5
ISA = "v3"
LIMIT = 1800

sys.path.insert(0, str(SUITE.parent))

from suite.record import ONLY, PAIRS, cpu_name  # noqa: E402

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
# References that are one call of BLAS or LAPACK, whose speed is that of its own instruction set.
OF_BLAS = ("als_gramian", "spd_inverse", "symmetric_update", "gram_matrix")


def ratios(only: list[str] | None = None) -> dict[str, float]:
    """Reference CPU time over native CPU time of each case, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl"
        environment = {
            **os.environ,
            PAIRS: str(path),
            ONLY: json.dumps(only),
            "AIMASS_BENCH_SCALE": "small",
            "AIMASS_BENCH_THREADS": "1",
            "AIMASS_ISA": isa(),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        }
        command = [sys.executable, "-m", "pytest", *(str(SUITE.parent / name) for name in FILES)]
        command += ["-q", "-p", "no:cacheprovider", "-p", "pytest_benchmark.plugin"]
        command += ["-k", "native or reference"]
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
    return {
        entry["group"]: entry["ratio"]
        for entry in sorted(entries, key=lambda entry: str(entry["group"]))
        if not entry["group"].startswith(OF_BLAS)
    }


def processor() -> str:
    """The kind of this processor: its name, and its best instruction-set level."""
    from aimass_core import kernels

    return f"{cpu_name()}, {kernels.isa_available()[-1]}"


def isa() -> str:
    """The instruction-set level of the gate: AVX2 where the processor has it."""
    from aimass_core import kernels

    return ISA if ISA in kernels.isa_available() else kernels.isa()


def compared(found: dict[str, float], stored: dict[str, float]) -> dict[str, str]:
    """A line for each ratio that fell too far, and for each stored case that is gone."""
    bad = {}
    for group, ratio in stored.items():
        if group not in found:
            bad[group] = f"{group}: no longer measured; write the ratios anew if that is meant"
        elif found[group] < ratio / ALLOWED:
            bad[group] = (
                f"{group}: {found[group]:.1f}x the speed of the reference, stored {ratio:.1f}x"
            )
    return bad


def gate() -> int:
    """Compare with the stored ratios; what fails is measured twice. Return the exit status."""
    if not STORED.exists():
        raise FileNotFoundError(f"{STORED} is missing: python benchmarks/suite/gate.py --write")
    if isa() != ISA:
        print(f"skipped: the stored ratios are those of {ISA}, this processor has {isa()}")
        return 0
    content = json.loads(STORED.read_text())
    stored = content["ratios"]
    found = ratios()
    bad = compared(found, stored)
    if bad:
        again = ratios(list(bad))
        found = {g: max(found.get(g, 0.0), again.get(g, 0.0)) for g in found.keys() | again.keys()}
        bad = compared(found, stored)
    for group, ratio in sorted(found.items()):
        print(f"{ratio:8.1f}x  (stored {stored.get(group, float('nan')):.1f}x)  {group}")
    for line in bad.values():
        print(f"regression: {line}", file=sys.stderr)
    if content["processor"] != processor():
        print(f"no gate here: stored on {content['processor']}, this is {processor()}")
        return 0
    return 1 if bad else 0


def main() -> int:
    """Write the ratios, or compare them."""
    if sys.argv[1:] == ["--write"]:
        runs = [ratios() for _ in range(5)]
        medians = {g: round(statistics.median(run[g] for run in runs), 2) for g in runs[0]}
        content = {"processor": processor(), "ratios": medians}
        STORED.write_text(json.dumps(content, indent=1) + "\n")
        return 0
    return gate()


if __name__ == "__main__":
    sys.exit(main())
