"""Triplets to canonical CSR (`coo_to_csr`), `csr_transpose` and `csr_check`, beside SciPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from data import power_law

from aimass_core import _core, reference

SHAPES = {
    "small": (2_000, 1_000, 100_000),
    "medium": (40_000, 10_000, 4_000_000),
    "full": (138_493, 26_744, 20_000_000),
}


@cache
def triplets(scale: str) -> tuple[np.ndarray, ...]:
    """(rows, cols, values) in random order; some pairs come twice."""
    X = power_law(*SHAPES[scale])
    rng = np.random.default_rng(1)
    order = rng.permutation(X.nnz)
    order[: X.nnz // 50] = order[-(X.nnz // 50) :]
    rows = np.repeat(np.arange(X.shape[0], dtype=np.int32), np.diff(X.indptr))
    return rows[order], X.indices[order].astype(np.int32), X.data[order]


def scipy_csr(scale: str) -> sp.csr_array:
    """SciPy's way: COO to CSR, then duplicates summed, which sorts."""
    rows, cols, values = triplets(scale)
    matrix = sp.coo_array((values, (rows, cols)), shape=SHAPES[scale][:2]).tocsr()
    matrix.sum_duplicates()
    return matrix


@cache
def canonical(scale: str) -> sp.csr_array:
    """The answer, by SciPy."""
    return scipy_csr(scale)


def parts(matrix: Any) -> tuple[np.ndarray, ...]:
    """CSR arrays of a SciPy matrix or of a kernel's answer."""
    if isinstance(matrix, tuple):
        return matrix[:3]
    return matrix.indptr, matrix.indices, matrix.data


def equals(expected: sp.csr_array) -> Callable[[Any], None]:
    """Check that compares all arrays: values are multiples of 1/2, so sums are exact."""

    def check(result: Any) -> None:
        for got, wanted in zip(parts(result), parts(expected), strict=True):
            np.testing.assert_array_equal(got, wanted)

    return check


@pytest.mark.parametrize("member", ["native", "reference", "peer:scipy"])
def bench_coo_to_csr(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    arguments = (*triplets(scale), None, *SHAPES[scale][:2], "sum", n_threads)
    calls = {
        "native": lambda: _core.coo_to_csr(*arguments),
        "reference": lambda: reference.coo_to_csr(*arguments),
        "peer:scipy": lambda: scipy_csr(scale),
    }
    group = f"coo_to_csr: {SHAPES[scale][2]:,} rows"
    measure(group, member, calls[member], equals(canonical(scale)))


@pytest.mark.parametrize("member", ["native", "reference", "peer:scipy"])
def bench_csr_transpose(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    X = canonical(scale)
    arguments = (X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data, X.shape[1])
    calls = {
        "native": lambda: _core.csr_transpose(*arguments, n_threads),
        "reference": lambda: reference.csr_transpose(*arguments, n_threads),
        "peer:scipy": lambda: X.T.tocsr(),
    }
    measure(f"csr_transpose: {X.nnz:,} entries", member, calls[member], equals(X.T.tocsr()))


@pytest.mark.parametrize("member", ["native", "reference", "peer:scipy"])
def bench_csr_check(measure: Callable[..., Any], member: str, scale: str) -> None:
    X = canonical(scale)
    arguments = (X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data, X.shape[1])

    def by_scipy() -> tuple[int, int, bool, bool]:
        fresh = sp.csr_array((X.data, X.indices, X.indptr), shape=X.shape)  # knows nothing yet
        fresh.check_format(full_check=True)
        finite = bool(np.isfinite(fresh.data).all())
        return 0 if finite else 3, 0, bool(fresh.has_sorted_indices), not fresh.has_canonical_format

    calls = {
        "native": lambda: _core.csr_check(*arguments),
        "reference": lambda: reference.csr_check(*arguments),
        "peer:scipy": by_scipy,
    }

    def check(result: Any) -> None:
        assert result == (0, 0, True, False)

    measure(f"csr_check: {X.nnz:,} entries", member, calls[member], check)
