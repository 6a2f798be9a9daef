"""gmm_em_step against its reference, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from _interrupts import stops_within_half_a_second
from _levels import LEVELS, at_level
from _mixtures import DTYPES, FORMS, problem
from hypothesis import assume, given
from hypothesis import strategies as st

from aimass_core import _core, reference


def check(X, shift, scale, weight, coefficients, resp, *modes, n_threads=1):
    arguments = (X, shift, scale, weight, coefficients, resp, *modes)
    sums, score = _core.gmm_em_step(*arguments, n_threads)
    expected, expected_score = reference.gmm_em_step(*arguments, 1)
    size = np.abs(expected).max(initial=1.0)
    np.testing.assert_allclose(sums, expected, rtol=1e-11, atol=1e-12 * size)
    np.testing.assert_allclose(score, expected_score, rtol=1e-11, atol=1e-10)
    return sums, score


@given(
    st.integers(0, 300),
    st.integers(1, 20),
    st.integers(1, 19),
    st.sampled_from(FORMS),
    st.sampled_from(FORMS),
    st.sampled_from(DTYPES),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_equals_reference(n, d, k, score_form, sums_form, dtype, hard, weighted, seed):
    # Diagonal ones may be computed in float32: test_gmm_diag.
    assume(hard or dtype != np.float32 or (score_form, sums_form) != ("diag", "diag"))
    X, shift, scale, coefficients = problem(n, d, k, score_form, dtype, seed)
    weight = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 3.0], n) if weighted else None
    check(X, shift, scale, weight, coefficients, None, score_form, sums_form, hard)


@pytest.mark.parametrize("form", FORMS)
def test_given_responsibilities(form):
    X, shift, scale, _ = problem(250, 7, 5, form, np.float64)
    resp = np.random.default_rng(1).dirichlet(np.ones(5), 250)
    weight = np.random.default_rng(2).uniform(0, 2, 250)
    _, score = check(X, shift, scale, weight, None, resp, form, form, False)
    assert score == 0


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [1, 2, 3, 23, 24, 25, 48, 70, 129])
def test_every_level_and_width(level, form, d):
    with at_level(level):
        for k in (1, 4, 8, 9, 17):
            problem_ = problem(211, d, k, form, np.float64, seed=d)
            check(*problem_[:3], None, problem_[3], None, form, form, False)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype, form, hard):
    X, shift, scale, coefficients = problem(20_011, 9, 11, form, dtype)
    weight = np.random.default_rng(1).uniform(0, 2, len(X))
    arguments = (X, shift, scale, weight, coefficients, None, form, form, hard)
    sums, score = check(*arguments)
    for n_threads in (2, 3, 8):
        again, score_again = _core.gmm_em_step(*arguments, n_threads)
        assert (again == sums).all()
        assert score_again == score


def test_scores_far_apart_and_infinite():
    """Exponents of 10^5, equal scores, and a component that has no weight."""
    X, shift, scale, coefficients = problem(500, 3, 6, "diag", np.float64)
    coefficients *= 1e5
    coefficients[1] = coefficients[0]
    coefficients[4, 0] = -np.inf
    sums, _ = check(X, shift, scale, None, coefficients, None, "diag", "full", False)
    np.testing.assert_array_equal(sums[0], sums[1])
    assert not sums[4].any()
    sums, _ = check(X, shift, scale, None, coefficients, None, "diag", "full", True)
    assert not sums[1].any()  # the first of equals


def test_weights_are_repetitions():
    X, shift, scale, coefficients = problem(400, 5, 4, "full", np.float64)
    times = np.random.default_rng(0).integers(0, 4, len(X))
    modes = (coefficients, None, "full", "full", False, 2)
    sums, score = _core.gmm_em_step(X, shift, scale, times.astype(float), *modes)
    repeated = np.repeat(X, times, axis=0)
    again, score_again = _core.gmm_em_step(repeated, shift, scale, None, *modes)
    np.testing.assert_allclose(sums, again, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(score, score_again, rtol=1e-13)


def test_input_is_left_alone():
    X, shift, scale, coefficients = problem(300, 4, 3, "full", np.float32)
    weight = np.ones(300)
    for array in (X, shift, scale, coefficients, weight):
        array.flags.writeable = False
    check(X, shift, scale, weight, coefficients, None, "full", "full", False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shift": np.zeros(3)}, "shift must be 1-D of length 4"),
        ({"scale": np.zeros(5)}, "scale must be 1-D of length 4"),
        ({"sample_weight": np.zeros(9)}, "sample_weight must be 1-D of length 10"),
        ({"coefficients": np.zeros((2, 5))}, "coefficients must have one row per component and 15"),
        ({"coefficients": None}, "either coefficients or resp"),
        ({"resp": np.zeros((10, 2))}, "either coefficients or resp"),
        ({"coefficients": None, "resp": np.zeros((9, 2))}, "resp must have one row per row"),
        ({"score_form": "banana"}, "score_form must be linear"),
        ({"sums_form": ""}, "sums_form must be linear"),
    ],
)
def test_shapes_are_checked(change, words):
    X, shift, scale, coefficients = problem(10, 4, 2, "full", np.float64)
    arguments = {
        "X": X,
        "shift": shift,
        "scale": scale,
        "sample_weight": None,
        "resp": None,
        "coefficients": coefficients,
        "score_form": "full",
        "sums_form": "full",
        "hard": False,
        "n_threads": 1,
    }
    with pytest.raises(ValueError, match=words):
        _core.gmm_em_step(**arguments | change)


def test_no_hidden_copy():
    X, shift, scale, coefficients = problem(10, 4, 2, "full", np.float64)
    for wrong in (X.astype(int), np.asfortranarray(X), X[:, ::2]):
        with pytest.raises(TypeError):
            _core.gmm_em_step(
                wrong, shift, scale, None, coefficients, None, "full", "full", False, 1
            )


LONG_STEP = """
import numpy as np
from test_gmm_em_step import problem
from aimass_core import _core
X, shift, scale, coefficients = problem(60_000, 100, 64, "full", np.float64)
arguments = X, shift, scale, None, coefficients, None, "full", "full", False, 2
"""


def test_ctrl_c_stops_it():
    assert stops_within_half_a_second(LONG_STEP, "_core.gmm_em_step(*arguments)")
