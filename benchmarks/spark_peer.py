"""Implicit ALS of Spark, ``local[2]``, against `ImplicitALS`: an iteration, and all lists.

``python benchmarks/spark_peer.py`` uses MovieLens-1M from the folder ``AIMASS_DATA``, or with
``--data ml20m`` a generated matrix of 20 million entries. Both models have 64 factors. The time of
an iteration is that of a fit with ``--iterations`` of them, less that of a fit with one, divided by
the others. Lists are the ten best items of all users; ``--no-lists`` leaves them out, which take
Spark long on the larger matrix. It needs pyspark and Java.

Both minimise the same loss, with penalties that differ by row. What is compared before a ratio
counts is how many of the ten best items a user has: of 1,000 users, ours may not have fewer by more
than .01.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import data as matrices
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from aimass_core import ImplicitALS, Interactions

FACTORS, K = 64, 10
N_JUDGED, TOLERANCE = 1000, 0.01
PENALTY = 1.0  # of each row; that of Spark is 0.01 times its number of entries


def load(name: str) -> sp.csr_array:
    """Return the matrix of a name."""
    if name == "ml20m":
        return matrices.named(name)
    path = Path(os.environ["AIMASS_DATA"]) / "movielens-1m" / "interactions.parquet"
    names = pq.read_schema(path).names
    x = Interactions.from_table(path, user=names[0], item=names[1], duplicates="count")
    return x.matrix


def per_iteration(fit: Callable[[int], Any], n: int) -> tuple[float, Any]:
    """Return the seconds of an iteration, and the model with all iterations."""
    seconds, model = [], None
    for n_iterations in (1, 1, n):  # the first call compiles
        begin = time.perf_counter()
        model = fit(n_iterations)
        seconds.append(time.perf_counter() - begin)
    return (seconds[2] - seconds[1]) / (n - 1), model


def share_of_own(X: sp.csr_array, users: np.ndarray, items: np.ndarray) -> float:
    """Return the share of the ten best items that the users have themselves."""
    chosen = np.random.default_rng(0).permutation(X.shape[0])[:N_JUDGED]
    scores = users[chosen] @ items.T
    best = np.argpartition(-scores, K, axis=1)[:, :K]
    has = X[chosen].toarray() != 0
    return float(np.take_along_axis(has, best, axis=1).mean())


def as_array(factors: Any, n: int) -> np.ndarray:
    """Return factors of Spark as rows by id; zeros for ids without entries."""
    rows = np.zeros((n, FACTORS), dtype=np.float32)
    for row in factors.toLocalIterator():
        rows[row["id"]] = row["features"]
    return rows


def spark(X: sp.csr_array, n: int, lists: bool) -> tuple[float, float, float]:
    """Return Spark's seconds of an iteration and of all lists, and its share of own items.

    The seconds of lists are NaN without lists.
    """
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import SparkSession

    folder = tempfile.mkdtemp()
    rows = np.repeat(np.arange(X.shape[0], dtype=np.int32), np.diff(X.indptr))
    columns = {"user": rows, "item": X.indices, "rating": X.data}
    pq.write_table(pa.table(columns), f"{folder}/entries.parquet")
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "6g")
        .config("spark.sql.shuffle.partitions", "4")
    )
    engine = session.getOrCreate()
    engine.sparkContext.setLogLevel("ERROR")
    try:
        table = engine.read.parquet(f"{folder}/entries.parquet").repartition(4).cache()
        table.count()

        def fit(max_iter: int) -> Any:
            model = ALS(
                rank=FACTORS,
                maxIter=max_iter,
                implicitPrefs=True,
                regParam=0.01,
                alpha=1.0,
                userCol="user",
                itemCol="item",
                ratingCol="rating",
                numUserBlocks=4,
                numItemBlocks=4,
                seed=0,
            ).fit(table)
            model.userFactors.count()
            return model

        seconds, model = per_iteration(fit, n)
        found = (as_array(model.userFactors, X.shape[0]), as_array(model.itemFactors, X.shape[1]))
        share = share_of_own(X, *found)
        if not lists:
            return seconds, np.nan, share
        begin = time.perf_counter()
        model.recommendForAllUsers(K).write.format("noop").mode("overwrite").save()
        return seconds, time.perf_counter() - begin, share
    finally:
        engine.stop()


def ours(X: sp.csr_array, n: int) -> tuple[float, float, float]:
    """Return our seconds of an iteration and of all lists with two threads, and the same share."""

    def fit(max_iter: int) -> ImplicitALS:
        model = ImplicitALS(
            n_factors=FACTORS,
            max_iter=max_iter,
            solver="cholesky",
            confidence="linear",  # the loss of Spark with alpha 1
            unobserved_weight=1.0,
            regularization=PENALTY,
            nu=0.0,
            random_state=0,
            n_threads=2,
        )
        return model.fit(X)

    seconds, model = per_iteration(fit, n)
    begin = time.perf_counter()
    lists = model.recommend(np.arange(X.shape[0]), k=K, exclude_seen=False, n_threads=2)
    passed = time.perf_counter() - begin
    assert len(lists) == X.shape[0]
    return seconds, passed, share_of_own(X, model.user_factors_, model.item_factors_)


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=("ml1m", "ml20m"), default="ml1m")
    parser.add_argument("--iterations", type=int, default=6)
    parser.add_argument("--no-lists", action="store_true")
    arguments = parser.parse_args()
    X = load(arguments.data)
    print(f"{X.shape[0]:,} x {X.shape[1]:,}, {X.nnz:,} entries, {FACTORS} factors", flush=True)
    mine = ours(X, arguments.iterations)
    print(f"aimass_core, exact, 2 threads: {mine[0]:.3f} s an iteration, lists {mine[1]:.3f} s")
    other = spark(X, arguments.iterations, not arguments.no_lists)
    print(f"Spark ALS, local[2]: {other[0]:.3f} s an iteration, lists {other[1]:.3f} s")
    print(f"share of own items among the ten best: {mine[2]:.4f}, Spark {other[2]:.4f}")
    assert mine[2] >= other[2] - TOLERANCE, "the lists are worse than those of Spark"
    print(f"ratios: iteration {other[0] / mine[0]:.1f}, lists {other[1] / mine[1]:.1f}")


if __name__ == "__main__":
    main()
