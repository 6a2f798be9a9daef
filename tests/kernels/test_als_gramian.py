"""als_gramian against its reference."""

from __future__ import annotations

import numpy as np
import pytest
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference


@settings(deadline=None)
@given(st.integers(0, 3000), st.integers(1, 70), st.sampled_from(DTYPES), st.integers(0, 2**32 - 1))
def test_equals_reference(n, f, dtype, seed):
    factors = np.random.default_rng(seed).normal(size=(n, f)).astype(dtype)
    got = _core.als_gramian(factors, n_threads=1)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, got.T)
    np.testing.assert_allclose(got, reference.als_gramian(factors, 1), rtol=1e-10, atol=1e-9)


def test_bits_do_not_depend_on_threads():
    factors = np.random.default_rng(0).normal(size=(40_000, 24)).astype(np.float32)
    one = _core.als_gramian(factors, 1)
    for n_threads in (2, 3, 9):
        np.testing.assert_array_equal(_core.als_gramian(factors, n_threads), one)


def test_refusals():
    for shape in ((3,), (3, 0), (1, 20_000)):
        with pytest.raises(ValueError, match="1 to 16384 columns"):
            _core.als_gramian(np.zeros(shape, np.float32), 1)
    assert _core.als_gramian(np.zeros((0, 3)), 1).tolist() == np.zeros((3, 3)).tolist()
