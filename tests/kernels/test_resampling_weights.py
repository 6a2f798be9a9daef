"""resampling_weights against its reference, and what the weights must be."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.reference._philox import philox

LAWS = ["poisson", "multinomial", "signs"]


def test_philox_gives_the_published_numbers():
    """Known answers of the authors' test suite (kat_vectors of Random123)."""
    assert [f"{w:08x}" for w in philox(0, 0, 0, 0, 1)[0]] == [
        "6627e8d5",
        "e169c58d",
        "bc57ac4c",
        "9b00dbd8",
    ]
    ones = 2**32 - 1
    assert [f"{w:08x}" for w in philox(2**64 - 1, 2**64 - 1, ones, ones, 1)[0]] == [
        "408f276d",
        "41c83b0e",
        "a20bc7c6",
        "6d5451fd",
    ]


@settings(deadline=None)
@given(
    st.integers(0, 1300),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 200),
    st.integers(0, 9),
    st.sampled_from(LAWS),
    st.sampled_from([1, 2, 5]),
    st.sampled_from(LEVELS),
)
def test_equals_reference(n_rows, seed, first, n_replicates, law, n_threads, level):
    expected = reference.resampling_weights(n_rows, seed, first, n_replicates, law, 1)
    with at_level(level):
        weights = _core.resampling_weights(n_rows, seed, first, n_replicates, law, n_threads)
    assert weights.dtype == np.int16
    np.testing.assert_array_equal(weights, expected)


@pytest.mark.parametrize("law", LAWS)
def test_a_replicate_depends_on_its_number_alone(law):
    every = _core.resampling_weights(700, 5, 0, 130, law, 2)
    for first, n in [(0, 1), (63, 3), (65, 65), (129, 1)]:
        np.testing.assert_array_equal(
            _core.resampling_weights(700, 5, first, n, law, 1), every[first : first + n]
        )


def test_moments():
    counts = _core.resampling_weights(1000, 1, 0, 4000, "poisson", 2).astype(float)
    assert counts.mean() == pytest.approx(1, abs=0.003)
    assert counts.var() == pytest.approx(1, abs=0.01)
    assert ((counts - 1) ** 3).mean() == pytest.approx(1, abs=0.03)
    # Rows and replicates are independent: every correlation is noise of size n**-0.5.
    rows = np.corrcoef(counts[:, :200].T)[np.triu_indices(200, 1)]
    assert rows.std() == pytest.approx(4000**-0.5, rel=0.05)
    replicates = np.corrcoef(counts[:200])[np.triu_indices(200, 1)]
    assert replicates.std() == pytest.approx(1000**-0.5, rel=0.05)
    drawn = _core.resampling_weights(50, 1, 0, 4000, "multinomial", 2)
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.var(axis=0).mean() == pytest.approx(1 - 1 / 50, rel=0.03)
    signs = _core.resampling_weights(1000, 1, 0, 1000, "signs", 2)
    assert set(np.unique(signs)) == {-1, 1}
    assert abs(signs.mean()) < 0.004


def test_the_poisson_law_has_mean_and_variance_one_exactly():
    shares = np.array([24113, 24099, 12062, 4020, 1003, 200, 33, 5, 1])
    counts = np.arange(9)
    assert shares.sum() == (shares * counts).sum() == (shares * (counts - 1) ** 2).sum() == 65536


def test_refusals():
    with pytest.raises(ValueError, match="law must be one of poisson, multinomial, signs"):
        _core.resampling_weights(10, 0, 0, 1, "normal", 1)
    with pytest.raises(ValueError, match="n_rows must be within"):
        _core.resampling_weights(-1, 0, 0, 1, "poisson", 1)
    with pytest.raises(ValueError, match="n_replicates must be at least 0"):
        _core.resampling_weights(1, 0, 0, -1, "poisson", 1)
