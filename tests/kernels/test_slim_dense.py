"""slim_dense against its reference, and its working sets."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _levels import LEVELS, at_level
from _similarity import DTYPES, csr, parts, skewed
from _slim import call, check, dense, problem, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.exceptions import NumericalError

KERNEL = "slim_dense"


@settings(max_examples=30, deadline=None)
@given(
    n_users=st.integers(1, 60),
    n_items=st.integers(1, 16),
    density=st.floats(0.05, 0.8),
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
def test_larger_at_each_level_and_for_any_number_of_threads(dtype, nonnegative, level):
    matrix = problem(400, 180, 0.1, dtype, seed=3)
    with at_level(level):
        one = call(KERNEL, matrix, nonnegative=nonnegative, ridge=60.0, tol=1e-5)
        assert (one[4] <= 1e-5).all()
        for n_threads in (2, 5):
            other = call(
                KERNEL, matrix, nonnegative=nonnegative, ridge=60.0, tol=1e-5, n_threads=n_threads
            )
            for a, b in zip(one, other):
                np.testing.assert_array_equal(a, b)


def test_more_nonzeros_than_a_working_set_holds():
    """Without L1 and sign constraint the answer is a dense ridge regression."""
    rng = np.random.default_rng(0)
    n = 2200
    matrix = csr(skewed(300, n, 0.2, np.float32, seed=0))
    matrix.data = rng.random(matrix.nnz).astype(np.float32)
    targets = [0, 5]
    ridge = 50.0
    got = call(KERNEL, matrix, targets=targets, l1=0.0, nonnegative=False, tol=1e-4, ridge=ridge)
    assert (np.diff(got[0]) > 2048).all()
    x = matrix.toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + ridge * np.eye(n))
    for t, j in enumerate(targets):
        exact = -inverse[:, j] / inverse[j, j]
        exact[j] = 0
        np.testing.assert_allclose(dense(got, n)[t], exact, atol=2e-4)


def test_candidates_targets_start_and_k():
    matrix = problem(80, 20, 0.3, np.float64, seed=2)
    targets = [7, 0, 7]
    lists = [[1, 2, 7, 19], [], [0, 3]]
    arguments = {"targets": targets, "candidates": rows(lists, 20), "tol": 1e-9, "atol": 1e-7}
    got = check(KERNEL, matrix, **arguments)
    assert got[0][2] == got[0][1]  # no candidates, no coefficients
    start = rows([[1, 4], [2], [0, 3, 5]], 20, np.float64)
    again = check(KERNEL, matrix, **arguments, start=start)
    np.testing.assert_allclose(dense(again, 20), dense(got, 20), atol=1e-7)
    check(KERNEL, matrix, k=2, tol=1e-9, atol=1e-7, nonnegative=False)


def test_a_warm_start_at_the_solution_needs_no_sweep():
    matrix = problem(200, 60, 0.2, np.float64, seed=4)
    first = call(KERNEL, matrix, tol=1e-8)
    again = call(KERNEL, matrix, tol=1e-7, start=first[:3])
    assert (again[3] == 0).all()
    np.testing.assert_array_equal(dense(again, 60), dense(first, 60))


def test_items_without_users_and_no_ridge():
    matrix = skewed(30, 6, 0.4, np.float64, seed=0)
    keep = matrix.indices != 2
    lengths = np.bincount(np.repeat(np.arange(30), np.diff(matrix.indptr))[keep], minlength=30)
    matrix.indices, matrix.data = matrix.indices[keep], matrix.data[keep]
    matrix.indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    got = dense(call(KERNEL, matrix, ridge=0.0, nonnegative=False, l1=0.1), 6)
    assert np.isfinite(got).all()
    assert (got[2] == 0).all()
    assert (got[:, 2] == 0).all()


def violations(gramian, weights, *, ridge, l1, nonnegative):
    """The relative violation of optimality of each target, by its definition and in float64.

    Target t is item t. The violation of a coordinate is its distance from the minimiser along it,
    times the curvature.
    """
    gramian = gramian.astype(np.float64)
    n = len(gramian)
    w = dense(weights, n).astype(np.float64)
    z = gramian - w @ gramian + np.diag(gramian) * w
    curvature = np.diag(gramian) + ridge
    size = np.maximum((z if nonnegative else np.abs(z)) - l1, 0)
    violation = np.abs(np.sign(z) * size / curvature - w) * curvature
    scale = np.abs(gramian)
    for matrix in (violation, scale):
        np.fill_diagonal(matrix, 0)
    return violation.max(axis=1) / scale.max(axis=1)


@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("ridge", [0.5, 20.0])
@pytest.mark.parametrize(
    ("dtype", "tol"),
    [
        (np.float32, 1e-2),
        (np.float32, 1e-3),
        (np.float32, 1e-4),
        (np.float64, 1e-4),
        (np.float64, 1e-7),
        (np.float64, 1e-10),
    ],
)
def test_every_target_satisfies_the_optimality_conditions(dtype, tol, ridge, nonnegative):
    """A dense random X of 60 items, where many sweeps pass before the violation is below tol."""
    rng = np.random.default_rng(6)
    matrix = csr(sp.csr_array(rng.random((90, 60)).astype(dtype)))
    options = {"ridge": ridge, "l1": 0.5, "nonnegative": nonnegative}
    got = call(KERNEL, matrix, tol=tol, max_sweeps=20_000, **options)
    assert (got[4] <= tol).all()
    gramian = reference.gram_matrix(*parts(matrix), 60, 1)
    rounding = 30 * np.finfo(dtype).eps  # of the kernel's gradient and of its coefficients
    measured = violations(gramian, got, **options)
    assert measured.max() <= tol + rounding


def test_gives_up_after_max_sweeps_and_says_so():
    matrix = problem(400, 150, 0.2, np.float64, seed=5)
    got = call(KERNEL, matrix, ridge=1e-6, l1=0.0, nonnegative=False, max_sweeps=2, tol=1e-12)
    assert (got[3] <= 2).all()
    assert (got[4] > 1e-12).any()


def test_overflow_is_an_error():
    gramian = np.full((3, 3), np.inf, np.float32)
    none = (None,) * 5
    with pytest.raises(NumericalError, match="scale the values of X down"):
        _core.slim_dense(
            gramian, np.ones(3), np.arange(3, dtype=np.int32), *none, 0.0, True, 5, 1e-4, 10, 1
        )


def test_refusals():
    matrix = problem(20, 5, 0.4, np.float32, seed=0)
    with pytest.raises(ValueError, match=r"targets\[0\] is 5, expected 0 <= value < 5"):
        call(KERNEL, matrix, targets=[5])
    with pytest.raises(ValueError, match=r"candidates_indices\[1\] is -1"):
        call(KERNEL, matrix, targets=[0], candidates=rows([[1, -1]], 5))
    with pytest.raises(ValueError, match="candidates_indptr must be 1-D of length 2"):
        call(KERNEL, matrix, targets=[0], candidates=rows([[1], [2]], 5))
    with pytest.raises(ValueError, match="ridge must be 1-D of length 5"):
        call(KERNEL, matrix, ridge=np.ones(4))
    for name, value in {"l1": -1.0, "k": 0, "tol": -1.0, "max_sweeps": 0}.items():
        with pytest.raises(ValueError, match=f"{name} must be at least"):
            call(KERNEL, matrix, **{name: value})
