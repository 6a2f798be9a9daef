"""list_gains against its reference, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from _similarity import DTYPES, parts, skewed
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import kernels, reference


@settings(max_examples=60, deadline=None)
@given(
    n_rows=st.integers(0, 60),
    n_cols=st.integers(0, 40),
    width=st.integers(0, 50),
    density=st.floats(0.01, 0.9),
    dtype=st.sampled_from(DTYPES),
    n_threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_equals_reference(n_rows, n_cols, width, density, dtype, n_threads, seed):
    relevant = skewed(n_rows, n_cols, density, dtype, seed)
    lists = np.random.default_rng(seed).integers(-2, n_cols + 2, (n_rows, width))
    lists[::3, : width // 2] = 2**40
    arguments = (lists, *parts(relevant), n_cols)
    got = kernels.list_gains(*arguments, n_threads)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, reference.list_gains(*arguments, 1))


def test_many_blocks_and_threads_change_nothing():
    relevant = skewed(3000, 500, 0.05, np.float32, seed=1)
    lists = np.random.default_rng(2).integers(0, 500, (3000, 100))
    one = kernels.list_gains(lists, *parts(relevant), 500, 1)
    np.testing.assert_array_equal(one, reference.list_gains(lists, *parts(relevant), 500, 1))
    for n_threads in (2, 7):
        again = kernels.list_gains(lists, *parts(relevant), 500, n_threads)
        np.testing.assert_array_equal(again, one)


def test_a_repeated_item_counts_at_its_first_rank():
    arrays = np.array([0, 2]), np.array([1, 3], np.int32), np.array([0.5, 2.0])
    lists = np.array([[3, 1, 3, 1, -1, 0]])
    gains = kernels.list_gains(lists, *arrays, 4, 1)
    assert gains.tolist() == [[2.0, 0.5, 0, 0, 0, 0]]


def test_refusals():
    arrays = np.array([0, 1]), np.array([1], np.int32), np.array([1.0])
    with pytest.raises(ValueError, match="lists must be 2-D with 1 rows"):
        kernels.list_gains(np.zeros((2, 3), np.int64), *arrays, 4, 1)
    with pytest.raises(TypeError):
        kernels.list_gains(np.zeros((1, 3), np.int32), *arrays, 4, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_few_lists_of_a_large_catalogue(dtype):
    """No table of the catalogue is made for them."""
    relevant = skewed(5, 20_000, 0.01, dtype, seed=4)
    rng = np.random.default_rng(5)
    lists = np.array(
        [
            rng.permutation(np.repeat(row, 2))[:30]
            for row in (rng.choice(relevant.indices, 40) for _ in range(5))
        ]
    ).astype(np.int64)
    arguments = (lists, *parts(relevant), 20_000)
    few = kernels.list_gains(*arguments, 1)
    np.testing.assert_array_equal(few, reference.list_gains(*arguments, 1))
    many = np.repeat(lists, 400, axis=1)  # a table is made for these
    again = kernels.list_gains(many, *parts(relevant), 20_000, 1)
    np.testing.assert_array_equal(again, reference.list_gains(many, *parts(relevant), 20_000, 1))
    assert (few > 0).any()
