"""symmetric_update against its reference."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference


def update(n, rank, dtype, seed):
    """A matrix, of which the upper triangle is rubbish, and u, v of whole numbers."""
    rng = np.random.default_rng(seed)
    a = np.tril(rng.integers(-5, 6, (n, n))).astype(dtype)
    a[np.triu_indices(n, 1)] = np.nan
    v = rng.integers(-3, 4, (n, rank)).astype(dtype)
    signs = rng.choice([-1, 1], rank).astype(dtype)
    return a, np.ascontiguousarray(v * signs), v


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 260),
    rank=st.integers(0, 40),
    dtype=st.sampled_from(DTYPES),
    n_threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_equals_reference(n, rank, dtype, n_threads, seed):
    a, u, v = update(n, rank, dtype, seed)
    want = a.copy()
    with np.errstate(invalid="ignore"):
        reference.symmetric_update(want, u, v, 1)
    _core.symmetric_update(a, u, v, n_threads)
    np.testing.assert_array_equal(a, want)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype, level):
    rng = np.random.default_rng(0)
    v = rng.normal(size=(500, 600)).astype(dtype)
    first = (v[:, :500] + v[:, :500].T).copy()
    with at_level(level):
        one = first.copy()
        _core.symmetric_update(one, v, v, 1)
        other = first.copy()
        _core.symmetric_update(other, v, v, 3)
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one, first + v @ v.T, atol=2e-3 if dtype == np.float32 else 1e-10)


def test_refusals():
    a = np.zeros((3, 3))
    with pytest.raises(ValueError, match=r"v must have shape \(3, 2\)"):
        _core.symmetric_update(a, np.zeros((3, 2)), np.zeros((2, 2)), 1)
    with pytest.raises(ValueError, match="a and u must be 2-D"):
        _core.symmetric_update(a, np.zeros(3), np.zeros(3), 1)
