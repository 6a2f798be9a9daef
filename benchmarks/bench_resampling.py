"""Bootstrap of six metrics: `resampled_sums` and `resampling_weights` beside NumPy's ways to do it.

The bar: 10,000 replicates of six metrics of 100,000 users at least 20 times as fast as a vectorised
NumPy loop over the replicates (an index draw and the mean of the drawn rows), in less than 500 MB.
The loop is timed on a part of the replicates, since its time per replicate does not depend on
their number; every row of the table is the time of `REPLICATES` of them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import kernels, reference
from aimass_core.evaluation import bootstrap_interval, compare_models

SIZES = {"small": 5_000, "medium": 100_000, "full": 100_000}  # users
REPLICATES = 200  # of every member
N_METRICS = 6
MEMBERS = [
    "native",
    "reference",
    "peer:numpy rows",
    "peer:numpy take",
    "peer:numpy bincount",
    "peer:numpy poisson",
]
PROMISE, PROMISED_MIB = 20, 500 * 1e6 / 2**20


@cache
def values(n_users: int) -> np.ndarray:
    """Six metrics of every user, one row per user."""
    rng = np.random.default_rng(0)
    return rng.random((n_users, N_METRICS)) * (rng.random((n_users, N_METRICS)) < 0.4)


def numpy_means(kind: str, x: np.ndarray, n_resamples: int) -> np.ndarray:
    """Means of the replicates in a loop over them, each step vectorised over users and metrics."""
    rng, n = np.random.default_rng(1), len(x)
    means = np.empty((n_resamples, x.shape[1]))
    for b in range(n_resamples):
        if kind == "rows":
            means[b] = x[rng.integers(0, n, n)].mean(axis=0)
        elif kind == "take":
            means[b] = x.take(rng.integers(0, n, n), axis=0).mean(axis=0)
        elif kind == "bincount":
            means[b] = np.bincount(rng.integers(0, n, n), minlength=n) @ x / n
        else:
            counts = rng.poisson(1.0, n)
            means[b] = counts @ x / counts.sum()
    return means


def kernel_means(module: Any, columns: np.ndarray, n_resamples: int, n_threads: int) -> np.ndarray:
    """The same from weighted sums; the last column counts the users."""
    sums = module.resampled_sums(columns, 1, 0, n_resamples, "poisson", n_threads)
    return sums[:, :-1] / sums[:, -1:]


def check(means: np.ndarray, x: np.ndarray) -> None:
    """Centre and spread of the replicates are those of the central limit theorem."""
    error = x.std(axis=0) / np.sqrt(len(x))
    n = len(means)
    assert means.shape == (n, x.shape[1])
    np.testing.assert_allclose(means.std(axis=0), error, rtol=6 / np.sqrt(2 * n))
    assert (np.abs(means.mean(axis=0) - x.mean(axis=0)) < 6 * error / np.sqrt(n)).all()


@pytest.mark.parametrize("member", MEMBERS)
def bench_resampled_sums(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    n_users = SIZES[scale]
    x = values(n_users)
    columns = np.ascontiguousarray(np.vstack([x.T, np.ones(n_users)]))
    if member.startswith("peer:"):
        call = lambda: numpy_means(member.split()[1], x, REPLICATES)  # noqa: E731
    else:
        module = kernels if member == "native" else reference
        call = lambda: kernel_means(module, columns, REPLICATES, n_threads)  # noqa: E731
    rounds = {} if member == "native" else {"rounds": 1}
    group = f"bootstrap: {REPLICATES} replicates, {N_METRICS} metrics, {n_users:,} users"
    measure(group, member, call, lambda means: check(means, x), **rounds)


@pytest.mark.parametrize("member", ["native", "reference"])
@pytest.mark.parametrize("law", ["poisson", "multinomial", "signs"])
def bench_resampling_weights(
    measure: Callable[..., Any], member: str, law: str, scale: str, n_threads: int
) -> None:
    n_users, n = SIZES[scale], 50
    module = kernels if member == "native" else reference
    expected = reference.resampling_weights(n_users, 1, 0, 2, law, 1)

    def right(weights: np.ndarray) -> None:
        np.testing.assert_array_equal(weights[:2], expected)

    measure(
        f"weights, {law}: {n} replicates, {n_users:,} users",
        member,
        lambda: module.resampling_weights(n_users, 1, 0, n, law, n_threads),
        right,
        **({} if member == "native" else {"rounds": 1}),
    )


def bench_compare_ten_models(measure: Callable[..., Any], scale: str, n_threads: int) -> None:
    """What `evaluate` adds for ten models and six metrics: 60 intervals and 270 paired tests."""
    n_users = SIZES[scale]
    base, rng = values(n_users), np.random.default_rng(2)
    per_user = {
        f"model {i}": {
            f"metric {j}": np.clip(base[:, j] + rng.normal(0.002 * i, 0.1, n_users), 0, 1)
            for j in range(N_METRICS)
        }
        for i in range(10)
    }

    def right(result: Any) -> None:
        assert len(result.tests) == 45 * N_METRICS
        interval = result.intervals["model 0"]["metric 0"]
        column = per_user["model 0"]["metric 0"]
        assert interval.standard_error == pytest.approx(column.std() / n_users**0.5, rel=0.06)

    measure(
        f"compare_models: 10 models, {N_METRICS} metrics, {n_users:,} users, 2,000 replicates",
        "native",
        lambda: compare_models(per_user, n_resamples=2000, n_threads=n_threads),
        right,
        rounds=1,
        warm_up=False,
    )


def _cpu_seconds(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def bench_the_promise(measure: Callable[..., Any], scale: str, n_threads: int) -> None:
    """10,000 replicates of six intervals against the loop, in CPU seconds of the same run."""
    n_users = SIZES[scale]
    x, n_resamples = values(n_users), 10_000
    loop = {
        kind: min(_cpu_seconds(partial(numpy_means, kind, x, 20)) for _ in range(3)) * 500
        for kind in ("rows", "take", "bincount", "poisson")
    }
    columns = np.ascontiguousarray(np.vstack([x.T, np.ones(n_users)]))
    own = _cpu_seconds(lambda: kernel_means(kernels, columns, n_resamples, 1))
    peak = _peak_mib(n_users, n_resamples)

    def right(interval: Any) -> None:
        assert interval.estimate == pytest.approx(x[:, 0].mean())
        if scale != "small":
            assert loop["rows"] / own >= PROMISE, f"{loop['rows']:.1f} s / {own:.2f} s"
            assert not peak > PROMISED_MIB  # NaN where the system does not tell

    measure(
        f"bootstrap: 10,000 replicates, one interval of {n_users:,} users",
        "native",
        lambda: bootstrap_interval(x[:, 0], n_resamples=n_resamples, n_threads=n_threads),
        right,
        rounds=1,
        peak_mib=peak,
        cpu_seconds_of_six_metrics=own,
        cpu_seconds_of_numpy=loop,
    )


_SIX = """
import sys, numpy as np
from process_memory import PeakMemory
from aimass_core.evaluation import compare_models
n, b = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
per_user = {"model": {f"metric {j}": rng.random(n) for j in range(6)}}
compare_models(per_user, n_resamples=100, n_threads=2)
with PeakMemory() as peak:
    compare_models(per_user, n_resamples=b, n_threads=2)
print(peak.mib)
"""


def _peak_mib(n_users: int, n_resamples: int) -> float:
    """MiB above the values while six intervals are computed, in a fresh process."""
    command = [sys.executable, "-c", _SIX, str(n_users), str(n_resamples)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent
    )
    return float(done.stdout)
