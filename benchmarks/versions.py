"""This version beside an earlier one: the same calls on the same data, results compared.

    python benchmarks/versions.py --old-path FOLDER [--only TEXT] [--repeats N] [--threads N]

FOLDER holds the earlier package, compiled in place, and is run by the same Python; or give the
Python of an environment in which that version is installed (``--old-python``). The two take turns
in fresh processes, so that both meet the same load of the machine. The smallest CPU time (user and
system, all threads) of each counts. Calls whose defaults have changed since name their options.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from data import power_law

RUN = """
import inspect, json, sys, time
import numpy as np, scipy.sparse as sp
import aimass_core as a
from aimass_core import retrieval, similarity
folder, n_threads = sys.argv[1], int(sys.argv[2])
X = sp.csr_array(sp.load_npz(folder + "/ratings.npz"))
U, V = np.load(folder + "/users.npy"), np.load(folder + "/items.npy")
rows = np.load(folder + "/rows.npy")
old = "n_iter" in inspect.signature(a.ImplicitALS).parameters
EPOCHS, WAYS = ("n_iter", "max_iter")[not old], ("measure", "similarity")[not old]
{prepare}
def call():
    return {call}
result = np.asarray(call(), np.float64)
seconds = []
for _ in range({n}):
    begin = time.process_time()
    call()
    seconds.append(time.process_time() - begin)
print(json.dumps([min(seconds), float(result.sum()), float(np.abs(result).sum())]))
"""
READ = """
names = {"user": "user_id", "item": "item_id", "value": "stars", "time": "seconds"}
def read(file):
    x = a.Interactions.from_table(
        folder + "/" + file, **names, duplicates="last", n_threads=n_threads
    )
    return x.nnz, x.matrix.data.sum()
"""
FACTORS = "index = retrieval.FactorIndex(V)"
MIXTURE = """
import warnings; warnings.simplefilter("ignore")
def mixture(kind):
    start = {"means_init": rows[:16], "weights_init": np.full(16, 1 / 16)}
    m = a.GaussianMixture(
        16, covariance_type=kind, max_iter=5, tol=0.0, n_threads=n_threads, **start
    )
    return m.fit(rows).means_
"""
ALS = "als = {'n_factors': 64, 'random_state': 0, 'n_threads': n_threads, EPOCHS: 3}"
PAIRS = "users, items = np.arange(6_000).repeat(10), np.arange(60_000) * 7 % 3_700"

# name -> what comes before, the call, how often
CALLS = {
    "similarity.topk, cosine": (
        "",
        "similarity.topk(X.T, measure='cosine', k=100, n_threads=n_threads).data",
        3,
    ),
    "similarity.topk, co-rated Pearson": (
        "",
        "similarity.topk(X.T, measure='pearson_corated', k=100, n_threads=n_threads).data",
        2,
    ),
    "ItemKNN: fit and lists of all users": (
        "",
        "a.ItemKNN(**{WAYS: 'cosine'}, n_threads=n_threads).fit(X).recommend(k=10).scores",
        2,
    ),
    "UserKNN: 60,000 predictions": (
        PAIRS + "; m = a.UserKNN(**{WAYS: 'cosine'}, aggregation='mean').fit(X)",
        "m.predict(users, items)",
        2,
    ),
    "SlopeOne: 60,000 predictions": (
        PAIRS + "; m = a.SlopeOne().fit(X)",
        "m.predict(users, items)",
        2,
    ),
    "ImplicitALS, exact, 3 iterations": (
        ALS,
        "a.ImplicitALS(solver='cholesky', **als).fit(X).item_factors_",
        2,
    ),
    "ImplicitALS, pcg, 3 iterations": (
        ALS,
        "a.ImplicitALS(solver='pcg', **als).fit(X).item_factors_",
        2,
    ),
    "PureSVD, 64 factors": (
        "",
        "np.abs(a.PureSVD(n_factors=64, random_state=0).fit(X).item_factors_)",
        2,
    ),
    "FactorIndex.topk, 2,000 users": (FACTORS, "index.topk(U, 100, n_threads=n_threads).scores", 3),
    "FactorIndex.topk, one user, 1,000 times": (
        FACTORS,
        "[index.topk(u[None], 10, n_threads=1).scores for u in U[:1000]]",
        3,
    ),
    "GaussianMixture, full, 5 iterations": (MIXTURE, "mixture('full')", 2),
    "GaussianMixture, diagonal, 5 iterations": (MIXTURE, "mixture('diag')", 2),
    **{
        f"reading {name}": (READ, f"read({name!r})", 3)
        for name in (
            f"{kind}.{form}" for kind in ("numbers", "texts") for form in ("parquet", "csv")
        )
    },
}


def make_files(folder: Path, n: int) -> None:
    """Write the data of all calls: matrix, factors, rows, and tables with ids of two kinds."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    rng = np.random.default_rng(0)
    sp.save_npz(folder / "ratings.npz", power_law(6_040, 3_706, 1_000_000))
    np.save(folder / "users.npy", rng.normal(size=(2_000, 64)).astype(np.float32))
    np.save(folder / "items.npy", rng.normal(size=(20_000, 64)).astype(np.float32))
    centres = 3 * rng.normal(size=(16, 32))
    np.save(folder / "rows.npy", centres[np.arange(50_000) % 16] + rng.normal(size=(50_000, 32)))
    users, items = rng.integers(0, n // 50, n), (rng.zipf(1.2, n) % 20_000).astype(np.int64)
    stars, seconds = rng.integers(1, 6, n).astype(float), rng.integers(1.6e9, 1.7e9, n)
    texts = [f"C{u:07d}" for u in users], [f"SKU-{i:05d}" for i in items]
    for kind, ids in {"numbers": (users, items), "texts": texts}.items():
        columns = {"user_id": ids[0], "item_id": ids[1], "stars": stars, "seconds": seconds}
        table = pa.table(columns)
        parquet.write_table(table, folder / f"{kind}.parquet")
        csv.write_csv(table, folder / f"{kind}.csv")


def measure(python: str, package: str | None, name: str, folder: str, n_threads: int) -> np.ndarray:
    """Return the smallest CPU seconds of a few calls in a fresh process, and two sums."""
    prepare, call, n = CALLS[name]
    code = RUN.format(prepare=prepare, call=call, n=n)
    environment = dict(os.environ)
    if package is not None:
        environment["PYTHONPATH"] = package
    words = [python, "-W", "ignore", "-c", code, folder, str(n_threads)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{python}: {name}: {done.stderr.strip().splitlines()[-1]}")
    return np.array(json.loads(done.stdout))


def main() -> None:
    """Print one line of a Markdown table for each call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--old-python", default=sys.executable)
    parser.add_argument("--old-path")
    parser.add_argument("--only", default="", help="only calls whose name holds this text")
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the tables to read")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    here = str(Path(__file__).resolve().parent.parent)
    print("| call | now, CPU s | before | now / before |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), given.rows)
        for name in (name for name in CALLS if given.only in name):
            now, before = [], []
            for _ in range(given.repeats):
                now.append(measure(sys.executable, here, name, folder, given.threads))
                before.append(
                    measure(given.old_python, given.old_path, name, folder, given.threads)
                )
            np.testing.assert_allclose(now[0][1:], before[0][1:], rtol=1e-3, err_msg=name)
            best = min(t[0] for t in now), min(t[0] for t in before)
            ratio = best[0] / best[1]
            print(f"| {name} | {best[0]:.3f} | {best[1]:.3f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
