"""slim_sparse against its reference, and its screening of items."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _levels import LEVELS, at_level
from _similarity import DTYPES, csr, parts
from _slim import call, check, dense, problem, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core
from aimass_core.exceptions import NumericalError

KERNEL = "slim_sparse"


@settings(max_examples=30, deadline=None)
@given(
    n_users=st.integers(1, 60),
    n_items=st.integers(1, 16),
    density=st.floats(0.02, 0.8),
    l1=st.sampled_from([0.0, 0.5, 3.0]),
    nonnegative=st.booleans(),
    negative=st.booleans(),
    n_threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_equals_reference(n_users, n_items, density, l1, nonnegative, negative, n_threads, seed):
    matrix = problem(n_users, n_items, density, np.float64, seed, negative=negative)
    arguments = {"l1": l1, "nonnegative": nonnegative, "tol": 1e-7, "n_threads": n_threads}
    check(KERNEL, matrix, atol=1e-4, **arguments)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_the_dense_kernel_at_each_level_for_any_number_of_threads(dtype, nonnegative, level):
    matrix = problem(400, 180, 0.1, dtype, seed=3)
    with at_level(level):
        one = call(KERNEL, matrix, nonnegative=nonnegative, ridge=60.0, tol=1e-5)
        assert (one[4] <= 1e-5).all()
        other = call("slim_dense", matrix, nonnegative=nonnegative, ridge=60.0, tol=1e-5)
        np.testing.assert_allclose(dense(one, 180), dense(other, 180), atol=2e-3)
        for n_threads in (2, 5):
            other = call(
                KERNEL, matrix, nonnegative=nonnegative, ridge=60.0, tol=1e-5, n_threads=n_threads
            )
            for a, b in zip(one, other):
                np.testing.assert_array_equal(a, b)


def test_columns_too_long_to_be_copied():
    """More than 2^22 entries: the columns are read in place, and nothing else changes."""
    mask = np.random.default_rng(0).random((60_000, 90)) < 0.8
    matrix = csr(sp.csr_array(mask.astype(np.float32)))
    arguments = {"targets": [0, 89], "nonnegative": False, "ridge": 1e6, "l1": 300.0, "tol": 1e-5}
    got = call(KERNEL, matrix, **arguments)
    want = call("slim_dense", matrix, **arguments)
    np.testing.assert_allclose(dense(got, 90), dense(want, 90), atol=1e-4)
    assert (got[4] <= 1e-5).all()


def test_items_join_through_other_items():
    """Item 2 shares no user with item 0, and yet belongs to its unconstrained solution."""
    x = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [0, 1, 1], [0, 1, 1]], np.float64)
    matrix = csr(sp.csr_array(x))
    got = check(KERNEL, matrix, atol=1e-8, nonnegative=False, l1=0.1, ridge=0.1, tol=1e-10)
    assert dense(got, 3)[0, 2] < -0.1
    constrained = check(KERNEL, matrix, atol=1e-8, l1=0.1, ridge=0.1, tol=1e-10)
    assert dense(constrained, 3)[0, 2] == 0


def test_candidates_targets_start_and_k():
    matrix = problem(80, 20, 0.3, np.float64, seed=2)
    targets = [7, 0, 7]
    lists = [[19, 1, 2, 7], [], [0, 3]]
    arguments = {"targets": targets, "candidates": rows(lists, 20), "tol": 1e-9, "atol": 1e-7}
    got = check(KERNEL, matrix, **arguments)
    assert got[0][2] == got[0][1]  # no candidates, no coefficients
    start = rows([[1, 4], [2], [0, 3, 5]], 20, np.float64)
    again = check(KERNEL, matrix, **arguments, start=start)
    np.testing.assert_allclose(dense(again, 20), dense(got, 20), atol=1e-7)
    check(KERNEL, matrix, k=2, tol=1e-9, atol=1e-7, nonnegative=False)


def test_a_warm_start_at_the_solution_needs_one_sweep():
    matrix = problem(200, 60, 0.2, np.float64, seed=4)
    for nonnegative in (True, False):
        first = call(KERNEL, matrix, tol=1e-8, nonnegative=nonnegative)
        again = call(KERNEL, matrix, tol=1e-7, nonnegative=nonnegative, start=first[:3])
        assert (again[3] == 1).all()
        np.testing.assert_allclose(dense(again, 60), dense(first, 60), atol=1e-6)


def test_items_without_users():
    matrix = csr(sp.csr_array(np.array([[1.0, 0, 2], [0, 0, 3], [1, 0, 0]])))
    got = dense(call(KERNEL, matrix, ridge=0.0, nonnegative=False, l1=0.0), 3)
    assert (got[1] == 0).all()
    assert (got[:, 1] == 0).all()


def test_gives_up_after_max_sweeps_and_says_so():
    matrix = problem(400, 150, 0.2, np.float64, seed=5)
    got = call(KERNEL, matrix, ridge=1e-6, l1=0.0, nonnegative=False, max_sweeps=2, tol=1e-12)
    assert (got[3] <= 3).all()  # the last one measures the violation
    assert (got[4] > 1e-12).any()


def test_overflow_is_an_error():
    matrix = csr(sp.csr_array(np.array([[1e30, 1], [1, 1]], np.float32)))
    with pytest.raises(NumericalError, match="item 0 overflow when squared"):
        call(KERNEL, matrix)


def test_refusals():
    matrix = problem(20, 5, 0.4, np.float32, seed=0)
    with pytest.raises(ValueError, match=r"targets\[0\] is 5, expected 0 <= value < 5"):
        call(KERNEL, matrix, targets=[5])
    with pytest.raises(ValueError, match=r"start_indices\[0\] is 9"):
        call(KERNEL, matrix, targets=[0], start=rows([[9]], 5, np.float32))
    transposed = parts(csr(sp.csr_array(matrix.T)))
    n = int(matrix.indptr[-2])  # one user fewer in the matrix than in its transpose
    shorter = matrix.indptr[:-1], matrix.indices[:n], matrix.data[:n]
    with pytest.raises(ValueError, match="t is not the transpose of its matrix"):
        _core.slim_sparse(
            *shorter,
            *transposed,
            np.ones(5),
            np.arange(5, dtype=np.int32),
            *(None,) * 5,
            0.0,
            True,
            5,
            1e-4,
            10,
            1,
        )
