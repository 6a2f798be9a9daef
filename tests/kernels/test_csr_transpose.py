"""csr_transpose against its reference and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import _core, reference

DTYPES = (np.float32, np.float64)


def matrix(n_rows, n_cols, density, dtype, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((n_rows, n_cols)) < density * rng.random(n_cols)
    values = rng.integers(0, 9, (n_rows, n_cols))  # zeros among them stay stored
    indptr = np.concatenate(([0], np.cumsum(mask.sum(axis=1))))
    return indptr, np.nonzero(mask)[1].astype(np.int32), values[mask].astype(dtype)


def equal(a, b):
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


@given(
    st.integers(0, 30),
    st.integers(0, 30),
    st.floats(0, 1),
    st.sampled_from(DTYPES),
    st.integers(0, 2**32 - 1),
)
def test_equals_reference_and_goes_back(n_rows, n_cols, density, dtype, seed):
    x = matrix(n_rows, n_cols, density, dtype, seed)
    transposed = _core.csr_transpose(*x, n_cols, 2)
    equal(transposed, reference.csr_transpose(*x, n_cols, 2))
    equal(_core.csr_transpose(*transposed, n_rows, 2), x)


@pytest.mark.parametrize(
    "shape", [(900, 700), (3, 90_000), (90_000, 3), (2_000, 900), (300, 8_192), (300, 8_193)]
)
def test_many_parts_and_any_number_of_threads(shape):
    x = matrix(*shape, 0.9, np.float32, seed=1)
    scipy = sp.csr_array((x[2], x[1], x[0]), shape=shape).T.tocsr()
    for n_threads in (1, 2, 3, 7):
        indptr, indices, data = _core.csr_transpose(*x, shape[1], n_threads)
        np.testing.assert_array_equal(indptr, scipy.indptr)
        np.testing.assert_array_equal(indices, scipy.indices)
        np.testing.assert_array_equal(data, scipy.data)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_cols", [2**19, 2**20])
def test_rows_and_columns_on_both_sides_of_32_bits(n_cols, dtype):
    """Both are held in one word, of 64 bits where 32 are not enough."""
    rng = np.random.default_rng(3)
    n_rows = 2**12
    rows, cols = rng.integers(n_rows, size=5_000), rng.integers(n_cols, size=5_000)
    rows[0], cols[0] = n_rows - 1, n_cols - 1
    x = sp.coo_array((rng.random(5_000).astype(dtype), (rows, cols)), (n_rows, n_cols)).tocsr()
    x.sum_duplicates()
    args = x.indptr.astype(np.int64), x.indices.astype(np.int32), x.data, n_cols
    found, wanted = _core.csr_transpose(*args, 2), x.T.tocsr()
    for got, want in zip(found, (wanted.indptr, wanted.indices, wanted.data), strict=True):
        np.testing.assert_array_equal(got, want)


def test_columns_are_checked_before_they_lead_outside():
    indptr, indices, data = matrix(5, 5, 1, np.float64, seed=2)
    for bad in (-1, 5, 2**31 - 1):
        broken = indices.copy()
        broken[1] = bad
        with pytest.raises(ValueError, match=rf"indices\[1\] is {bad}"):
            _core.csr_transpose(indptr, broken, data, 5, 1)


def test_what_the_border_refuses():
    x = matrix(5, 5, 1, np.float64, seed=3)
    with pytest.raises(ValueError, match="indptr"):
        _core.csr_transpose(x[0][:-1], x[1], x[2], 5, 1)
    with pytest.raises(TypeError):
        _core.csr_transpose(x[0], x[1].astype(np.int64), x[2], 5, 1)
