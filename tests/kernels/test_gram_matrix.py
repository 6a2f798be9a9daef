"""gram_matrix against its reference."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from _similarity import DTYPES, parts, skewed
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference


@settings(max_examples=60, deadline=None)
@given(
    n_rows=st.integers(0, 300),
    n_cols=st.integers(0, 150),
    density=st.floats(0.01, 0.9),
    dtype=st.sampled_from(DTYPES),
    n_threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_equals_reference(n_rows, n_cols, density, dtype, n_threads, seed):
    matrix = skewed(n_rows, n_cols, density, dtype, seed)  # sums are exact
    got = _core.gram_matrix(*parts(matrix), n_cols, n_threads)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, reference.gram_matrix(*parts(matrix), n_cols, n_threads))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_part_at_each_level(dtype, level):
    matrix = skewed(3000, 400, 0.12, dtype, seed=5)
    matrix.data = np.random.default_rng(0).normal(size=matrix.nnz).astype(dtype)
    want = reference.gram_matrix(*parts(matrix), 400, 1)
    with at_level(level):
        one = _core.gram_matrix(*parts(matrix), 400, 1)
        np.testing.assert_array_equal(one, one.T)
        np.testing.assert_allclose(one, want, atol=1e-3 if dtype == np.float32 else 1e-10)
        for n_threads in (2, 5):
            np.testing.assert_array_equal(_core.gram_matrix(*parts(matrix), 400, n_threads), one)


def test_sparse_part_with_sums_that_cancel():
    rng = np.random.default_rng(1)
    matrix = skewed(4000, 900, 0.01, np.float32, seed=1)
    matrix.data = rng.choice([-1.0, 1.0], matrix.nnz).astype(np.float32)
    got = _core.gram_matrix(*parts(matrix), 900, 2)
    np.testing.assert_array_equal(got, reference.gram_matrix(*parts(matrix), 900, 1))


def test_input_is_read_only_and_refusals():
    matrix = skewed(20, 10, 0.3, np.float32, seed=0)
    for array in parts(matrix):
        array.flags.writeable = False
    _core.gram_matrix(*parts(matrix), 10, 1)
    indptr, indices, data = parts(matrix)
    with pytest.raises(ValueError, match="indptr must start at 0"):
        _core.gram_matrix(indptr[:-1], indices, data, 10, 1)
    with pytest.raises(TypeError):
        _core.gram_matrix(indptr, indices, data.astype(np.float16), 10, 1)
