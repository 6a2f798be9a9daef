"""ridge_lists against its reference."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from _similarity import DTYPES, parts
from _slim import problem, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.base.csr import transpose
from aimass_core.exceptions import NumericalError


def call(matrix, targets, lists, *, ridge=5.0, dense=False, k=1000, n_threads=1, module=_core):
    n_users, n = matrix.shape
    gramian = _core.gram_matrix(*parts(matrix), n, 1) if dense else None
    return module.ridge_lists(
        *parts(transpose(matrix, 1)),
        n_users,
        gramian,
        np.full(n, ridge),
        np.asarray(targets, np.int32),
        *rows(lists, n),
        k,
        n_threads,
    )


def some_lists(n, targets, length, seed):
    """Up to ``length`` other items for each target, in no order."""
    rng = np.random.default_rng(seed)
    return [
        rng.permutation(np.delete(np.arange(n), t))[: rng.integers(0, length + 1)] for t in targets
    ]


@settings(max_examples=50, deadline=None)
@given(
    n_users=st.integers(1, 80),
    n_items=st.integers(1, 40),
    density=st.floats(0.02, 0.9),
    length=st.integers(0, 40),
    k=st.integers(1, 50),
    dense=st.booleans(),
    negative=st.booleans(),
    n_threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_equals_reference(n_users, n_items, density, length, k, dense, negative, n_threads, seed):
    matrix = problem(n_users, n_items, density, np.float64, seed, negative=negative)
    rng = np.random.default_rng(seed)  # values without ties, which rounding would decide
    matrix.data *= rng.random(matrix.nnz) + 0.5
    targets = rng.integers(0, n_items, 7)
    lists = some_lists(n_items, targets, length, seed)
    got = call(matrix, targets, lists, dense=dense, k=k, n_threads=n_threads)
    want = call(matrix, targets, lists, k=k, module=reference)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, atol=1e-9, rtol=0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_long_lists_at_each_level_and_for_any_number_of_threads(dtype, level):
    matrix = problem(900, 400, 0.05, dtype, seed=1)
    targets = np.arange(40)
    lists = [np.delete(np.arange(400), t)[: 399 - t] for t in targets]
    with at_level(level):
        for dense in (False, True):
            for k in (400, 90):
                arguments = {"ridge": 50.0, "dense": dense, "k": k}
                one = call(matrix, targets, lists, **arguments)
                for n_threads in (2, 5):
                    other = call(matrix, targets, lists, **arguments, n_threads=n_threads)
                    np.testing.assert_array_equal(one, other)
                assert np.count_nonzero(one) <= 40 * k
    want = call(matrix, targets, lists, ridge=50.0, k=90, module=reference)
    tolerance = 1e-3 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(one, want, atol=tolerance)


def test_the_second_set_is_better_than_the_first():
    """The best single item stands last in the list, and is found."""
    matrix = problem(300, 30, 0.3, np.float64, seed=3)
    gramian = reference.gram_matrix(*parts(matrix), 30, 1)
    for target in range(5):
        gain = gramian[target] ** 2 / (gramian.diagonal() + 5.0)
        gain[target] = np.inf
        worst_first = np.argsort(gain)[:-1]
        got = call(matrix, [target], [worst_first], k=10)
        assert got[-1] != 0


def test_a_regression_without_a_solution_is_an_error():
    matrix = problem(5, 10, 1.0, np.float64, seed=0)  # more items than users and no ridge
    with pytest.raises(NumericalError, match=r"the regression of item 3 .*raise"):
        call(matrix, [3], [[0, 1, 2, 4, 5, 6, 7, 8]], ridge=0.0)


def test_refusals():
    matrix = problem(20, 5, 0.4, np.float32, seed=0)
    with pytest.raises(ValueError, match=r"targets\[0\] is 5"):
        call(matrix, [5], [[1]])
    with pytest.raises(ValueError, match=r"lists_indices\[0\] is 7"):
        call(matrix, [1], [[7]])
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        call(matrix, [1], [[2]], k=0)
    with pytest.raises(ValueError, match="list of item 2 must not hold the item itself"):
        call(matrix, [2], [[1, 2]])
    with pytest.raises(ValueError, match="lists_indptr must be 1-D of length 2"):
        call(matrix, [2], [[1], [2]])
