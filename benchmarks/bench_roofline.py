"""How near kernels come to the peak of one core; a report, nothing is asserted on time.

For two whole kernels the peak is what a large single-precision matrix product of NumPy's BLAS
reaches on one thread, measured in the same process just before. Counted are the multiplications and
additions that the plain algorithm needs, so work that a kernel skips or does twice moves its rate,
not the count: `score_topk` the full product (factors are random, no bound helps), `als_solve` a
triangle of a rank-one update for each entry and a factorisation for each row. ``report.py``
shows GFLOP/s and the share of the peak. The dense micro-kernels alone are held against a loop of
multiply-adds in registers by the program of ``tools/roofline.sh``, which prints a table of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from als_courses import OBJECTIVE, REGULARIZATION
from bench_als import first, problem
from bench_score_topk import BATCHES, N_USERS, check_against
from factors import factors
from peers import require

from aimass_core import _core, reference
from aimass_core.retrieval import FactorIndex

SIDE = {"small": 256, "medium": 2048, "full": 2048}  # of the square matrices


def peak(scale: str) -> float:
    """GFLOP/s of sgemm on one thread, the best of five."""
    limits = require("threadpoolctl").threadpool_limits
    n = SIDE[scale]
    A, B = np.random.default_rng(0).standard_normal((2, n, n), dtype=np.float32)
    C, best = np.empty_like(A), np.inf
    with limits(1, "blas"):
        np.matmul(A, B, out=C)
        for _ in range(5):
            began = time.perf_counter()
            np.matmul(A, B, out=C)
            best = min(best, time.perf_counter() - began)
    np.testing.assert_allclose(C[0], A[0].astype(np.float64) @ B, rtol=1e-3, atol=1e-3)
    return 2e-9 * n**3 / best


def bench_roofline_score_topk(measure: Callable[..., Any], scale: str) -> None:
    case = BATCHES[scale][0][0]
    U, V = factors(case, "gaussian")
    U, index = U[:N_USERS], FactorIndex(V)
    measure(
        f"roofline: score_topk on one thread, {case}, gaussian factors, k 10",
        "native",
        lambda: index.topk(U, 10, n_threads=1),
        check_against(U, V, None, 10),
        gflop=2e-9 * len(U) * V.size,
        peak=peak(scale),
    )


def bench_roofline_als_solve(measure: Callable[..., Any], scale: str) -> None:
    f = {"small": 16, "medium": 64, "full": 64}[scale]
    indptr, indices, data = problem(scale).rows
    users, items = first(scale, f)
    gramian = _core.als_gramian(items, 1)
    weights = np.full(len(users), REGULARIZATION)
    options = {**OBJECTIVE, "solver": "cholesky", "n_steps": 1, "block_size": 64, "n_threads": 1}

    def check(found: np.ndarray) -> None:
        n = 20
        part = indptr[: n + 1], indices[: indptr[n]], data[: indptr[n]]
        want = reference.als_solve(
            *part, items, gramian, users[:n], weights[:n], items[:0], 0.0, **options
        )
        np.testing.assert_allclose(found[:n], want, rtol=1e-2, atol=1e-4)

    measure(
        f"roofline: als_solve of the users on one thread, cholesky, f = {f}",
        "native",
        lambda: _core.als_solve(
            indptr, indices, data, items, gramian, users, weights, items[:0], 0.0, **options
        ),
        check,
        gflop=1e-9 * (len(data) * f * (f + 3) + len(users) * (f**3 / 3 + 2 * f**2)),
        peak=peak(scale),
    )


def bench_roofline_micro_kernels(measure: Callable[..., Any], scale: str) -> None:
    """The program checks each result before it prints a rate."""
    if scale == "small" or shutil.which("cmake") is None:
        pytest.skip("builds a program: needs cmake and some minutes")
    script = Path(__file__).parent.parent / "tools" / "roofline.sh"

    def call() -> subprocess.CompletedProcess[str]:
        return subprocess.run([script], capture_output=True, text=True, check=False)

    def check(done: subprocess.CompletedProcess[str]) -> None:
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr

    measure("roofline: micro-kernels", "native", call, check, rounds=1, warm_up=False)
