"""From a table to the matrix and on to a model: the whole data path, beside pandas and SciPy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from data import SIZES, named
from peers import require

from aimass_core import Interactions

CASES = {"small": "ml1m", "medium": "ml20m", "full": "ml20m"}
MEMBERS = ["native", "peer:pandas"]
PROMISE = 5e6  # rows a second


@cache
def columns(case: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """User numbers, item numbers and ratings in an order that no sorting has touched."""
    matrix = named(case)
    order = np.random.default_rng(1).permutation(matrix.nnz)
    users = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return users[order], matrix.indices[order].astype(np.int64), matrix.data[order]


@cache
def table(case: str, kind: str) -> Any:
    """The same as a pandas data frame with integer or string ids."""
    pd = require("pandas")
    users, items, ratings = columns(case)
    if kind == "strings":
        names = [
            pd.Series([f"{letter}{i:07d}" for i in range(SIZES[case][axis])], dtype="str")
            for axis, letter in enumerate("ui")
        ]
        return pd.DataFrame(
            {
                "user": names[0].take(users).reset_index(drop=True),
                "item": names[1].take(items).reset_index(drop=True),
                "rating": ratings,
            }
        )
    return pd.DataFrame({"user": users * 7, "item": items * 11, "rating": ratings})


def pandas_and_scipy(frame: Any) -> sp.csr_matrix:
    """What people write: factorize both columns in order of the ids, then COO to CSR."""
    pd = require("pandas")
    users, user_ids = pd.factorize(frame["user"], sort=True)
    items, item_ids = pd.factorize(frame["item"], sort=True)
    shape = (len(user_ids), len(item_ids))
    return sp.coo_matrix((frame["rating"].to_numpy(), (users, items)), shape=shape).tocsr()


@pytest.mark.parametrize("kind", ["int", "strings"])
@pytest.mark.parametrize("member", MEMBERS)
def bench_from_table(
    measure: Callable[..., Any],
    benchmark: Any,
    member: str,
    kind: str,
    scale: str,
    n_threads: int,
) -> None:
    """At least 5 million rows a second where the ids are whole numbers."""
    case = CASES[scale]
    frame, matrix = table(case, kind), named(case)
    used = np.unique(matrix.indices)  # items without an interaction have no id

    def check(result: Any) -> None:
        found = result.matrix if isinstance(result, Interactions) else result
        wanted = sp.csr_matrix(matrix)[:, used]
        wanted = wanted[np.diff(wanted.indptr) > 0]
        assert found.shape == wanted.shape
        found = sp.csr_matrix(found)
        found.sort_indices()
        np.testing.assert_array_equal(found.indices, wanted.indices)
        np.testing.assert_array_equal(found.data, wanted.data)

    calls = {
        "native": lambda: Interactions.from_table(
            frame, user="user", item="item", value="rating", n_threads=n_threads
        ),
        "peer:pandas": lambda: pandas_and_scipy(frame),
    }
    group = f"table to matrix: {len(frame):,} rows, {kind} ids, {case}"
    measure(group, member, calls[member], check, rounds=2, rows=len(frame))
    if member == "native" and kind == "int" and scale != "small":
        assert len(frame) / benchmark.stats.stats.min >= PROMISE, "the promise is 5 M rows/s"


# VmHWM, not ru_maxrss, which survives exec and so starts from the peak of the parent process.
_FIT = """
import json, sys, time
sys.path.append(sys.argv[2])
from process_memory import memory_mib
from aimass_core import Interactions, ItemKNN
start = time.perf_counter()
x = Interactions.from_table(sys.argv[1], user="user", item="item", value="rating")
read = time.perf_counter()
model = ItemKNN(n_neighbors=100, similarity="cosine").fit(x)
fitted = time.perf_counter()
print(json.dumps({"peak_mib": memory_mib("VmHWM"), "read_s": read - start, "fit_s": fitted - read,
                  "rows": x.report["rows_read"], "neighbors": model.similarity_.nnz}))
"""


def bench_parquet_to_item_knn(
    measure: Callable[..., Any], scale: str, n_threads: int, tmp_path: Path
) -> None:
    """A Parquet file to a fitted ItemKNN in one fresh process, which must stay under 3 GiB."""
    case = CASES[scale]
    path = tmp_path / "ratings.parquet"
    table(case, "int").to_parquet(path)

    def fit() -> dict[str, float]:
        command = [sys.executable, "-c", _FIT, str(path), str(Path(__file__).parent)]
        # Not from the source tree, which may hold no built module.
        done = subprocess.run(command, check=True, capture_output=True, cwd=path.parent)
        return json.loads(done.stdout.splitlines()[-1])

    def check(result: dict[str, float]) -> None:
        assert result["rows"] == SIZES[case][2]
        assert result["neighbors"] > SIZES[case][1]
        assert not result["peak_mib"] > 3 * 1024, "the promise is 3 GiB for 20 M rows"

    result = fit()
    measure(
        f"Parquet to fitted ItemKNN: {SIZES[case][2]:,} rows, {case}",
        "native",
        fit,
        check,
        rounds=1,
        **result,
    )
