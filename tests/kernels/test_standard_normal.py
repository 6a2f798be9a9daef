"""standard_normal against its reference, and its distribution."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aimass_core import _core, reference


def drawn(function, key, shape, n_threads=1):
    out = np.full(shape, np.nan)
    function(key, out, n_threads)
    return out


@pytest.mark.parametrize("level", LEVELS)
@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**64 - 1), st.integers(0, 300))
def test_equals_reference_at_every_level(level, key, n):
    with at_level(level):
        ours = drawn(_core.standard_normal, key, n)
    expected = drawn(reference.standard_normal, key, n)
    np.testing.assert_allclose(ours, expected, rtol=1e-13, atol=1e-14)


def test_fills_arrays_of_any_shape_in_order_of_memory():
    flat = drawn(_core.standard_normal, 5, 60)
    np.testing.assert_array_equal(drawn(_core.standard_normal, 5, (3, 5, 4)).ravel(), flat)
    np.testing.assert_array_equal(drawn(reference.standard_normal, 5, (4, 15)).shape, (4, 15))


def test_bits_do_not_depend_on_threads():
    one = drawn(_core.standard_normal, 7, 300_001)
    for n_threads in (2, 5):
        np.testing.assert_array_equal(drawn(_core.standard_normal, 7, 300_001, n_threads), one)
    np.testing.assert_array_equal(drawn(_core.standard_normal, 7, 1_000), one[:1_000])


def test_distribution():
    """Moments, the distribution function, and no correlation within pairs or between keys."""
    n = 1 << 20
    z, other = (drawn(_core.standard_normal, key, n) for key in (1, 2))
    moments = [(z**power).mean() for power in (1, 2, 3, 4, 6)]
    deviations = np.sqrt(np.array([1, 2, 15, 96, 10_170]) / n)
    assert (np.abs(np.array(moments) - [0, 1, 0, 3, 15]) < 4.5 * deviations).all()
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert np.abs(np.sort(z)[[0, -1]]).max() < 8.6
    left, right = z.reshape(-1, 2, 8)[:, 0].ravel(), z.reshape(-1, 2, 8)[:, 1].ravel()
    for a, b in ((left, right), (left**2, right**2), (z[1:], z[:-1]), (z, other)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / np.sqrt(len(a))


def test_refusals():
    with pytest.raises(TypeError):
        _core.standard_normal(-1, np.empty(3), 1)
    with pytest.raises(TypeError):
        _core.standard_normal(0, np.empty(3, np.float32), 1)
    frozen = np.empty(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        _core.standard_normal(0, frozen, 1)
