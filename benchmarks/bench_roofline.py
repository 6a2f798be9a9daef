"""How near kernels come to the roofline of one core; a report, nothing is asserted on time.

The roof (Williams, Waterman, Patterson, "Roofline: an insightful visual performance model for
multicore architectures", CACM 2009) has two parts, measured in the same process just before: what
a large single-precision matrix product of NumPy's BLAS reaches on one thread, and the memory
bandwidth of one thread. Counted are the multiplications and additions that the plain algorithm
needs, so work that a kernel skips or does twice moves its rate, not the count: `score_topk` the
full product (factors are random, no bound helps), `als_solve` a triangle of a rank-one update for
each entry and a factorisation for each row. Bytes are the least that must be moved: each input is
read once, each output is written once. Everything runs on one thread.
The suite takes CPU times, so that other programs on the machine do not lower a rate; ``report.py``
shows GFLOP/s and the share of the peak by wall time. The dense micro-kernels alone are held against
a loop of multiply-adds in registers by the program of ``tools/roofline.sh``, which prints a table
of its own.
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
from data import power_law
from factors import factors
from peers import require

from aimass_core import _core, reference
from aimass_core.retrieval import FactorIndex

SIDE = {"small": 256, "medium": 2048, "full": 2048}  # of the square matrices
BANDWIDTH_MIB = 128  # of each array: larger than the caches


def peak(scale: str) -> float:
    """GFLOP/s of sgemm on one thread by its CPU time, the best of five."""
    limits = require("threadpoolctl").threadpool_limits
    n = SIDE[scale]
    A, B = np.random.default_rng(0).standard_normal((2, n, n), dtype=np.float32)
    C, best = np.empty_like(A), np.inf
    with limits(1, "blas"):
        np.matmul(A, B, out=C)
        for _ in range(5):
            began = time.process_time()
            np.matmul(A, B, out=C)
            best = min(best, time.process_time() - began)
    np.testing.assert_allclose(C[0], A[0].astype(np.float64) @ B, rtol=1e-3, atol=1e-3)
    return 2e-9 * n**3 / best


def bandwidth() -> float:
    """GB/s between memory and one thread: the better of a copy and a dot product, best of five."""
    limits = require("threadpoolctl").threadpool_limits
    A, B = np.ones((2, BANDWIDTH_MIB << 18), dtype=np.float32)
    best = np.inf
    with limits(1, "blas"):
        for call in (lambda: np.copyto(A, B), lambda: np.dot(A, B)):
            for _ in range(5):
                began = time.process_time()
                call()
                best = min(best, time.process_time() - began)
    return 1e-9 * (A.nbytes + B.nbytes) / best


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
        gbyte=1e-9 * (U.nbytes + V.nbytes + len(U) * 10 * 8),
        peak=peak(scale),
        bandwidth=bandwidth(),
    )


def bench_roofline_score_topk_of_one_user(measure: Callable[..., Any], scale: str) -> None:
    """A single query that reads all item factors once is bound by the bandwidth.

    `score_topk` first reads 8-bit codes, a quarter of these bytes, and so may exceed the roof.
    """
    rng = np.random.default_rng(0)
    U, V = (rng.standard_normal((n, 64), dtype=np.float32) for n in (1, 500_000))
    V /= np.linalg.norm(V, axis=1, keepdims=True)  # of one length: their norms bound nothing
    index = FactorIndex(V)
    measure(
        "roofline: score_topk of one user on one thread, 500,000 items, f = 64",
        "native",
        lambda: index.topk(U, 10, n_threads=1),
        check_against(U, V, None, 10),
        gflop=2e-9 * V.size,
        gbyte=1e-9 * V.nbytes,
        peak=peak(scale),
        bandwidth=bandwidth(),
    )


def bench_roofline_csr_transpose(measure: Callable[..., Any]) -> None:
    """No arithmetic: held against the bandwidth alone."""
    X = power_law(40_000, 10_000, 4_000_000)
    want = X.T.tocsr()

    def check(found: tuple[np.ndarray, ...]) -> None:
        for array, wanted in zip(found, (want.indptr, want.indices, want.data)):
            np.testing.assert_array_equal(array, wanted)

    indptr, indices = X.indptr.astype(np.int64), X.indices.astype(np.int32)
    entries = indices.nbytes + X.data.nbytes
    measure(
        f"roofline: csr_transpose on one thread, {X.nnz:,} entries",
        "native",
        lambda: _core.csr_transpose(indptr, indices, X.data, X.shape[1], 1),
        check,
        gbyte=1e-9 * (2 * entries + indptr.nbytes + 8 * (X.shape[1] + 1)),
        bandwidth=bandwidth(),
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
        gbyte=1e-9 * (indices.nbytes + data.nbytes + items.nbytes + 2 * users.nbytes),
        peak=peak(scale),
        bandwidth=bandwidth(),
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
