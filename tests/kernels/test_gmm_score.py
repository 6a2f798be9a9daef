"""gmm_score against its reference, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from _mixtures import DTYPES, FORMS, problem
from hypothesis import assume, given
from hypothesis import strategies as st

from aimass_core import _core, reference

OUTPUTS = ["labels", "score", "resp"]


def check(*arguments, n_threads=1):
    found = _core.gmm_score(*arguments, n_threads)
    expected = reference.gmm_score(*arguments, 1)
    assert found.dtype == expected.dtype
    tolerance = 1e-11 if found.dtype == np.float64 else 1e-6
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    return found


@given(
    st.integers(0, 300),
    st.integers(1, 20),
    st.integers(1, 19),
    st.sampled_from(FORMS),
    st.sampled_from(OUTPUTS),
    st.sampled_from(DTYPES),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_equals_reference(n, d, k, form, output, dtype, tied, seed):
    assume(dtype != np.float32 or form != "diag")  # float32, maybe: test_gmm_diag
    X, shift, scale, coefficients = problem(n, d, k, form, dtype, seed)
    common = problem(1, d, 1, "full", dtype, seed)[3] if tied else None
    check(X, shift, scale, coefficients, common, form, output)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype, form, output):
    X, shift, scale, coefficients = problem(5_003, 9, 11, form, dtype)
    one = check(X, shift, scale, coefficients, None, form, output)
    for n_threads in (2, 3, 8):
        many = _core.gmm_score(X, shift, scale, coefficients, None, form, output, n_threads)
        assert (many == one).all()


def test_exp_and_log_are_accurate():
    """Scores from 0 to -800 below the best one: exp to 4 ulp, log to 1e-15."""
    X = np.linspace(0, 800, 20_001)[:, None]
    coefficients = np.array([[0.0, 0.0], [0.0, -1.0]])
    zero, one = np.zeros(1), np.ones(1)
    resp = _core.gmm_score(X, zero, one, coefficients, None, "linear", "resp", 1)
    e = np.exp(-X[:, 0])
    expected = np.where(X[:, 0] <= 708, e / (1 + e), 0)
    np.testing.assert_allclose(resp[:, 1], expected, rtol=1e-15)
    score = _core.gmm_score(X, zero, one, coefficients, None, "linear", "score", 1)
    np.testing.assert_allclose(score, np.log1p(e), rtol=0, atol=4e-16)


def test_many_equal_components():
    for k in (1, 2, 3, 7, 8, 100, 1000, 4097):
        score = _core.gmm_score(
            np.ones((1, 1)), np.zeros(1), np.ones(1), np.zeros((k, 2)), None, "linear", "score", 1
        )
        np.testing.assert_allclose(score, np.log(k), rtol=4e-16)


def test_wrong_words():
    X, shift, scale, coefficients = problem(10, 4, 2, "diag", np.float64)
    with pytest.raises(ValueError, match="output must be labels, score or resp"):
        _core.gmm_score(X, shift, scale, coefficients, None, "diag", "proba", 1)
    with pytest.raises(ValueError, match="common must have one row"):
        _core.gmm_score(X, shift, scale, coefficients, np.zeros((2, 15)), "diag", "score", 1)


def test_no_label_beyond_the_range_of_numbers():
    X, shift, scale, coefficients = problem(300, 3, 4, "full", np.float64)
    X[[0, 250]] = 1e200
    arguments = (X, shift, scale, coefficients, None, "full", "labels", 1)
    with np.errstate(all="ignore"):
        expected = reference.gmm_score(*arguments)
    assert np.flatnonzero(expected < 0).tolist() == [0, 250]
    np.testing.assert_array_equal(_core.gmm_score(*arguments), expected)
