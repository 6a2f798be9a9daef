"""factorize_int64 against its reference, over small ranges (table) and large ones (hash)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aimass_core import _core, reference

LOW, HIGH = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def check(values, n_threads=2):
    codes, uniques = _core.factorize_int64(values, n_threads)
    expected_codes, expected_uniques = reference.factorize_int64(values, 1)
    assert (codes.dtype, uniques.dtype) == (np.int32, np.int64)
    np.testing.assert_array_equal(codes, expected_codes)
    np.testing.assert_array_equal(uniques, expected_uniques)


@given(
    hnp.arrays(
        np.int64,
        st.integers(0, 60),
        elements=st.one_of(
            st.integers(-3, 12), st.integers(LOW, HIGH), st.sampled_from([LOW, HIGH, 0])
        ),
    )
)
def test_equals_reference(values):
    check(values)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
@pytest.mark.parametrize("spread", [1, 10**9 + 7, 2**32, 2**44])
@pytest.mark.parametrize("n_distinct", [1, 1_000, 400_000])
def test_pieces_tables_and_threads(n_distinct, spread, n_threads):
    rng = np.random.default_rng(n_distinct)
    check(rng.integers(0, n_distinct, 500_000) * spread - 77 * spread, n_threads)


def test_pieces_that_share_no_key():
    check(np.arange(300_000)[::-1] * 10**10, n_threads=3)


def test_the_extremes_alone():
    check(np.array([HIGH, LOW, HIGH]))
    check(np.array([HIGH]))
    check(np.array([LOW, LOW + 1]))


def test_what_the_border_refuses():
    with pytest.raises(TypeError):
        _core.factorize_int64(np.arange(3, dtype=np.int32), 1)
    with pytest.raises(ValueError, match="values"):
        _core.factorize_int64(np.zeros((2, 2), np.int64), 1)
