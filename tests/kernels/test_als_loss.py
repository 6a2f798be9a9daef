"""als_loss against its reference and against the loss written out over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _als import WEIGHTS, problem
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference


def arguments(a):
    names = ("indptr", "indices", "data", "factors", "alpha", "weight_shift", "target_shift")
    return {n: a[n] for n in (*names, "preferences")} | {"row_factors": a["start"]}


@settings(deadline=None)
@given(
    st.integers(0, 12),
    st.integers(0, 30),
    st.integers(1, 40),
    st.floats(0, 1),
    st.sampled_from(list(WEIGHTS)),
    st.sampled_from(DTYPES),
    st.integers(0, 2**32 - 1),
)
def test_equals_reference(n_rows, n_cols, f, density, weights, dtype, seed):
    a = arguments(problem(n_rows, n_cols, f, dtype, seed, density=density, weights=weights))
    got, expected = (m.als_loss(**a, n_threads=1) for m in (_core, reference))
    rtol = 2e-5 if dtype == np.float32 else 1e-10
    assert got == pytest.approx(expected, rel=rtol, abs=rtol * len(a["data"]) * 10)


def test_with_the_gramians_it_is_the_loss_over_all_pairs():
    a = problem(40, 30, 6, np.float64, 1, weights="hu")
    x, y = a["start"], a["factors"]
    gramians = (reference.als_gramian(x, 1) * reference.als_gramian(y, 1)).sum()
    got = _core.als_loss(**arguments(a), n_threads=2) + gramians
    values = sp.csr_array((a["data"], a["indices"], a["indptr"]), shape=(40, 30)).toarray()
    confidence = 1 + a["alpha"] * np.abs(values)
    assert got == pytest.approx((confidence * ((values > 0) - x @ y.T) ** 2).sum())


def test_bits_do_not_depend_on_threads():
    a = arguments(problem(3000, 90, 33, np.float32, 6, density=0.4))
    one = _core.als_loss(**a, n_threads=1)
    assert [_core.als_loss(**a, n_threads=n) for n in (2, 3, 7)] == [one] * 3


def test_refusals():
    a = arguments(problem(30, 40, 8, np.float32, 13))
    with pytest.raises(ValueError, match=r"row_factors must have shape \(30, 8\)"):
        _core.als_loss(**a | {"row_factors": np.zeros((30, 7), np.float32)}, n_threads=1)
