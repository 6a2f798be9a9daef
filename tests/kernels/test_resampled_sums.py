"""resampled_sums against its reference and against the weights written out."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference

LAWS = ["poisson", "multinomial", "signs"]


@settings(deadline=None)
@given(
    st.integers(0, 1300),
    st.integers(0, 9),
    st.integers(0, 7),
    st.sampled_from(LAWS),
    st.integers(0, 2**32),
    st.sampled_from([1, 2, 5]),
    st.sampled_from(LEVELS),
)
def test_equals_reference(n_rows, n_replicates, n_columns, law, seed, n_threads, level):
    columns = np.random.default_rng(seed).normal(size=(n_columns, n_rows))
    expected = reference.resampled_sums(columns, seed, 3, n_replicates, law, 1)
    with at_level(level):
        sums = _core.resampled_sums(columns, seed, 3, n_replicates, law, n_threads)
    assert sums.shape == (n_replicates, n_columns)
    np.testing.assert_allclose(sums, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("law", LAWS)
def test_bits_do_not_depend_on_threads_or_on_other_columns_and_replicates(law):
    columns = np.random.default_rng(0).normal(size=(5, 2000))
    every = _core.resampled_sums(columns, 9, 0, 200, law, 1)
    for n_threads in (2, 3, 8):
        np.testing.assert_array_equal(
            _core.resampled_sums(columns, 9, 0, 200, law, n_threads), every
        )
    np.testing.assert_array_equal(
        _core.resampled_sums(columns[2:3], 9, 77, 5, law, 1)[:, 0], every[77:82, 2]
    )


@pytest.mark.parametrize("law", LAWS)
def test_sums_of_whole_numbers_are_exact(law):
    columns = np.random.default_rng(0).integers(0, 2, (3, 1537)).astype(float)
    weights = _core.resampling_weights(1537, 4, 0, 70, law, 1)
    np.testing.assert_array_equal(
        _core.resampled_sums(columns, 4, 0, 70, law, 2), weights @ columns.T
    )


def test_input_may_be_read_only_and_is_not_changed():
    columns = np.random.default_rng(0).normal(size=(2, 600))
    before = columns.copy()
    columns.flags.writeable = False
    _core.resampled_sums(columns, 0, 0, 4, "poisson", 2)
    np.testing.assert_array_equal(columns, before)


def test_refusals():
    with pytest.raises(ValueError, match="columns must be 2-D"):
        _core.resampled_sums(np.zeros(3), 0, 0, 1, "poisson", 1)
    with pytest.raises(TypeError):
        _core.resampled_sums(np.zeros((3, 2), np.float32), 0, 0, 1, "poisson", 1)
    with pytest.raises(ValueError, match="law must be one of"):
        _core.resampled_sums(np.zeros((3, 2)), 0, 0, 1, "bayesian", 1)
