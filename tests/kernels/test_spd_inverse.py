"""spd_inverse against its reference."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.exceptions import NumericalError


def definite(n, ridge, dtype, seed):
    """A Gramian with a ridge, and rubbish above its diagonal."""
    x = np.random.default_rng(seed).normal(size=(n + 3, n))
    a = (x.T @ x + ridge * np.eye(n)).astype(dtype)
    a[np.triu_indices(n, 1)] = np.nan
    return a


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 320),
    ridge=st.sampled_from([1.0, 100.0]),
    dtype=st.sampled_from(DTYPES),
    n_threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_equals_reference(n, ridge, dtype, n_threads, seed):
    a = definite(n, ridge, dtype, seed)
    want = a.copy()
    reference.spd_inverse(want, 1)
    _core.spd_inverse(a, n_threads)
    np.testing.assert_array_equal(a, a.T)
    tolerance = 2e-4 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(a, want, atol=tolerance * np.abs(want).max(initial=0.0), rtol=0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype, level):
    first = definite(700, 50.0, dtype, seed=0)
    with at_level(level):
        one = first.copy()
        _core.spd_inverse(one, 1)
        for n_threads in (2, 5):
            other = first.copy()
            _core.spd_inverse(other, n_threads)
            np.testing.assert_array_equal(other, one)
    exact = np.linalg.inv(np.tril(first).astype(float) + np.tril(first, -1).astype(float).T)
    np.testing.assert_allclose(one, exact, atol=1e-5 * np.abs(exact).max())


def test_small_terms_are_not_rounded_away():
    """A large diagonal with many small elements beside it, as items with few users give."""
    n = 1500
    rng = np.random.default_rng(0)
    x = (rng.random((3000, n)) < 0.02).astype(np.float32)
    a = x.T @ x + np.float32(1000) * np.eye(n, dtype=np.float32)
    exact = np.linalg.inv(a.astype(np.float64))
    _core.spd_inverse(a, 2)
    assert np.abs(a - exact).max() < 2e-6 * exact.max()


@pytest.mark.parametrize("row", [0, 127, 128, 300])
def test_a_matrix_that_is_not_definite_is_an_error(row):
    a = np.eye(301, dtype=np.float32)
    a[row, row] = -1
    with pytest.raises(NumericalError, match=f"row {row}: .*raise the regularization"):
        _core.spd_inverse(a, 2)
    x = np.random.default_rng(0).normal(size=(100, 301)).astype(np.float32)
    with pytest.raises(NumericalError, match="not positive definite at this precision"):
        _core.spd_inverse(x.T @ x, 2)  # of rank 100
    with pytest.raises(NumericalError, match="raise the regularization"):
        _core.spd_inverse(np.full((3, 3), np.nan, np.float32), 1)


def test_refusals():
    with pytest.raises(ValueError, match=r"a must have shape \(3, 3\)"):
        _core.spd_inverse(np.zeros((3, 4)), 1)
    read_only = np.eye(3)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        _core.spd_inverse(read_only, 1)
    with pytest.raises(TypeError):
        _core.spd_inverse(np.eye(6)[::2, ::2], 1)
