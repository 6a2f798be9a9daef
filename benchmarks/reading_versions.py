"""CPU time of reading plain Parquet and CSV, by this version and by an earlier one: PYTHON.

    python benchmarks/reading_versions.py /path/to/venv-of-0.1.0/bin/python [--rows N] [--repeats N]

The two interpreters take turns in fresh processes, so that both meet the same load of the machine.
The smallest CPU time (user and system, all threads) of each counts, and the ratio of the two. With
``--old-path FOLDER`` the earlier version is the package in that folder, run by the same Python.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

READ = """
import json, sys, time
from aimass_core import Interactions
path, n_threads = sys.argv[1], int(sys.argv[2])
names = {"user": "user_id", "item": "item_id", "value": "stars", "time": "seconds"}
def read():
    return Interactions.from_table(path, **names, duplicates="last", n_threads=n_threads)
read()  # imports, caches of the file system
seconds = []
for _ in range(3):
    started = time.process_time()
    x = read()
    seconds.append(time.process_time() - started)
print(json.dumps([min(seconds), x.nnz, float(x.matrix.data.sum())]))
"""


def make_files(folder: Path, n: int) -> list[Path]:
    """Write the same interactions as Parquet and CSV, with ids as numbers and as text."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv, parquet

    rng = np.random.default_rng(0)
    users, items = rng.integers(0, n // 50, n), (rng.zipf(1.2, n) % 20_000).astype(np.int64)
    stars, seconds = rng.integers(1, 6, n).astype(float), rng.integers(1.6e9, 1.7e9, n)
    paths = []
    for kind in ("numbers", "texts"):
        ids = (
            (users, items)
            if kind == "numbers"
            else ([f"C{u:07d}" for u in users], [f"SKU-{i:05d}" for i in items])
        )
        columns = {"user_id": ids[0], "item_id": ids[1], "stars": stars, "seconds": seconds}
        table = pa.table(columns)
        parquet.write_table(table, folder / f"{kind}.parquet")
        csv.write_csv(table, folder / f"{kind}.csv")
        paths += [folder / f"{kind}.parquet", folder / f"{kind}.csv"]
    return paths


def measure(python: str, path: Path, n_threads: int, package: str | None) -> list[float]:
    """Return the smallest CPU seconds of three readings in a fresh process, and what was read."""
    environment = dict(os.environ)
    if package is not None:
        environment["PYTHONPATH"] = package
    words = [python, "-W", "ignore", "-c", READ, str(path), str(n_threads)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr.strip().splitlines()[-1]}")
    found: list[float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print one line for each file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", nargs="?", default=sys.executable)
    parser.add_argument("--old-path")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    here = str(Path(__file__).resolve().parent.parent)
    print(f"{'file':16} {'now, CPU s':>11} {'before':>8} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for path in make_files(Path(folder), given.rows):
            now, before = [], []
            for _ in range(given.repeats):
                now.append(measure(sys.executable, path, given.threads, here))
                before.append(measure(given.python, path, given.threads, given.old_path))
            assert now[0][1:] == before[0][1:], "the two versions read different interactions"
            best = min(now)[0], min(before)[0]
            print(f"{path.name:16} {best[0]:11.3f} {best[1]:8.3f} {best[0] / best[1]:6.2f}")


if __name__ == "__main__":
    main()
