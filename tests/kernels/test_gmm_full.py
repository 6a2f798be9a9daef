"""gmm_em_step and gmm_score of the form "triangular" (full covariances) and their references."""

from __future__ import annotations

import numpy as np
import pytest
from _interrupts import stops_within_half_a_second
from _levels import LEVELS, at_level
from _mixtures import DTYPES, triangular_problem
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import _core, reference

FORMS = ("triangular", "full")


def step(home, X, shift, scale, weight, coefficients, n_threads=1):
    modes = (*FORMS, False, n_threads)
    return home.gmm_em_step(X, shift, scale, weight, coefficients, None, *modes)


def check(X, shift, scale, weight, coefficients):
    """Equal to the reference; float32 rows to what float32 gives."""
    sums, score = step(_core, X, shift, scale, weight, coefficients)
    expected, expected_score = step(reference, X, shift, scale, weight, coefficients)
    exact = X.dtype == np.float64
    size = np.abs(expected).max(initial=1.0)
    tolerance = 1e-12 if exact else 2e-6
    np.testing.assert_allclose(sums, expected, rtol=10 * tolerance, atol=tolerance * size)
    rows = len(X) if weight is None else weight.sum()
    close = 1e-12 if exact else 1e-6
    np.testing.assert_allclose(score, expected_score, rtol=close, atol=close * (1 + rows))
    return sums, score


@given(
    st.integers(0, 300),
    st.integers(1, 40),
    st.integers(1, 12),
    st.sampled_from([0.0, 1.0, 3.0, 10.0]),
    st.sampled_from(DTYPES),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_equals_reference(n, d, k, apart, dtype, weighted, seed):
    problem = triangular_problem(n, d, k, apart, dtype, seed)
    weight = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 3.0], n) if weighted else None
    check(*problem[:3], weight, problem[3])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [12, 13, 23, 24, 25, 32, 48, 70, 129])
def test_every_level_and_width(level, dtype, d):
    with at_level(level):
        for k, apart in ((1, 0.0), (4, 2.0), (9, 0.5)):
            problem = triangular_problem(1_500, d, k, apart, dtype, seed=d)
            check(*problem[:3], None, problem[3])


@pytest.mark.parametrize("apart", [0.0, 0.7, 2.0, 20.0])
@pytest.mark.parametrize("d", [12, 40, 70])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_left_out_does_not_count(dtype, d, apart):
    """Groups that overlap, or lie apart so that few components matter to a row."""
    X, shift, scale, coefficients = triangular_problem(3_000, d, 20, apart, dtype)
    check(X, shift, scale, None, coefficients)
    for output in ("labels", "score", "resp"):
        arguments = (X, shift, scale, coefficients, None, "triangular", output)
        found, expected = (home.gmm_score(*arguments, 2) for home in (_core, reference))
        if output == "labels":
            assert (found != expected).mean() <= (0 if dtype == np.float64 else 1e-3)
        else:
            exact = dtype == np.float64
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 if exact else 2e-4)


@pytest.mark.parametrize("apart", [0.2, 3.0])
@pytest.mark.parametrize("d", [12, 20, 50])
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype, d, apart):
    X, shift, scale, coefficients = triangular_problem(20_011, d, 11, apart, dtype)
    weight = np.random.default_rng(1).uniform(0, 2, len(X))
    sums, score = step(_core, X, shift, scale, weight, coefficients)
    shares = _core.gmm_score(X, shift, scale, coefficients, None, "triangular", "resp", 1)
    for n_threads in (2, 3, 8):
        again, score_again = step(_core, X, shift, scale, weight, coefficients, n_threads)
        assert (again == sums).all()
        assert score_again == score
        arguments = (X, shift, scale, coefficients, None, "triangular", "resp", n_threads)
        assert (_core.gmm_score(*arguments) == shares).all()


@pytest.mark.parametrize("ratio", [10.0**e for e in range(7)])
def test_float32_is_used_where_it_is_safe(ratio):
    """Spread of the data over the width of the components from 1 to 1e6: next covariances."""
    X, shift, scale, coefficients = triangular_problem(3_000, 16, 5, ratio, np.float32)
    covariances = []
    for home in (_core, reference):
        sums, _ = step(home, X, shift, scale, None, coefficients)
        second = np.zeros((5, 16, 16))
        i, j = np.triu_indices(16)
        second[:, i, j] = sums[:, 17:] / sums[:, :1]
        means = sums[:, 1:17] / sums[:, :1]
        upper = second - np.triu(means[:, :, None] * means[:, None])
        covariances.append(upper + np.triu(upper, 1).transpose(0, 2, 1))
    found, expected = covariances
    roots = np.linalg.inv(np.linalg.cholesky(expected))
    error = roots @ (found - expected) @ roots.transpose(0, 2, 1)  # in widths of the component
    assert np.abs(error).max() < max(1e-3, 2e-14 * ratio**2)  # what sums in float64 lose
    shares = [
        home.gmm_score(X, shift, scale, coefficients, None, "triangular", "resp", 1)
        for home in (_core, reference)
    ]
    np.testing.assert_allclose(*shares, atol=2e-4)


def test_float32_rows_far_from_everything():
    """Their distances are so large that float32 would lose the differences between components."""
    X, shift, scale, coefficients = triangular_problem(2_000, 20, 6, 0.5, np.float32)
    X[::100] *= 1e4
    X[50] = 1e30
    arguments = (X, shift, scale, coefficients, None, "triangular")
    for output in ("labels", "score"):
        found, expected = (h.gmm_score(*arguments, output, 1) for h in (_core, reference))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    sums, score = step(_core, X, shift, scale, None, coefficients)
    expected, expected_score = step(reference, X, shift, scale, None, coefficients)
    np.testing.assert_allclose(sums, expected, rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(score, expected_score, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e290])
@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_of_any_size(dtype, size):
    X, shift, scale, coefficients = triangular_problem(1_500, 16, 5, 1.0, dtype)
    weight = np.random.default_rng(0).uniform(0.5, 1, len(X))
    sums, score = step(_core, X, shift, scale, weight, coefficients)
    scaled, scaled_score = step(_core, X, shift, scale, weight * size, coefficients)
    np.testing.assert_allclose(scaled / size, sums, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(scaled_score / size, score, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_components_without_weight_and_equal_ones(dtype):
    X, shift, scale, coefficients = triangular_problem(2_000, 24, 6, 2.0, dtype)
    coefficients[0, 0] = -np.inf
    coefficients[3] = coefficients[2]
    sums, _ = check(X, shift, scale, None, coefficients)
    assert not sums[0].any()
    np.testing.assert_array_equal(sums[2], sums[3])
    labels = _core.gmm_score(X, shift, scale, coefficients, None, "triangular", "labels", 1)
    assert not np.isin(labels, [0, 3]).any()  # the first of equals


@pytest.mark.parametrize("dtype", DTYPES)
def test_order_of_rows_changes_rounding_alone(dtype):
    X, shift, scale, coefficients = triangular_problem(5_000, 18, 8, 1.5, dtype)
    order = np.random.default_rng(3).permutation(len(X))
    sums, score = step(_core, X, shift, scale, None, coefficients)
    again, score_again = step(_core, X[order], shift, scale, None, coefficients)
    tolerance = 1e-13 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(again, sums, rtol=0, atol=tolerance * np.abs(sums).max())
    np.testing.assert_allclose(score_again, score, rtol=tolerance)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("form", ["linear", "spherical", "diag", "full"])
def test_other_sums(form, hard):
    X, shift, scale, coefficients = triangular_problem(700, 14, 4, 1.0, np.float64)
    arguments = (X, shift, scale, None, coefficients, None, "triangular", form, hard, 1)
    (sums, score), (expected, expected_score) = (
        home.gmm_em_step(*arguments) for home in (_core, reference)
    )
    np.testing.assert_allclose(sums, expected, rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(score, expected_score, rtol=1e-12)


def test_no_label_beyond_the_range_of_numbers():
    for dtype, far in ((np.float64, 1e200), (np.float32, 1e38)):
        X, shift, scale, coefficients = triangular_problem(2_000, 16, 5, 3.0, dtype)
        X[[0, 250]] = far
        scale *= 1 if dtype == np.float64 else 1e150
        coefficients[:, 1 + 16 :] *= 1 if dtype == np.float64 else 1e-150
        arguments = (X, shift, scale, coefficients, None, "triangular", "labels", 1)
        with np.errstate(all="ignore"):
            expected = reference.gmm_score(*arguments)
        np.testing.assert_array_equal(_core.gmm_score(*arguments), expected)


def test_input_is_left_alone():
    arrays = triangular_problem(300, 14, 3, 1.0, np.float32)
    for array in arrays:
        array.flags.writeable = False
    check(*arrays[:3], None, arrays[3])


def test_shapes_are_checked():
    X, shift, scale, coefficients = triangular_problem(10, 14, 3, 1.0, np.float64)
    with pytest.raises(ValueError, match=r"one row per component and 120 .* form 'triangular'"):
        step(_core, X, shift, scale, None, coefficients[:, 1:].copy())
    with pytest.raises(ValueError, match="sums_form must be linear"):
        _core.gmm_em_step(X, shift, scale, None, coefficients, None, "full", "triangular", False, 1)


LONG_STEP = """
import numpy as np
from test_gmm_full import step, triangular_problem
from aimass_core import _core
arguments = triangular_problem(30_000, 100, 64, 0.1, np.float64)
"""


def test_ctrl_c_stops_it():
    call = "step(_core, *arguments[:3], None, arguments[3], 2)"
    assert stops_within_half_a_second(LONG_STEP, call)


def test_a_component_that_becomes_narrow_is_summed_in_float64():
    """One column is the same in all rows of a group: its variance is lost in float32."""
    X, shift, scale, coefficients = triangular_problem(3_000, 16, 3, 20.0, np.float32)
    labels = _core.gmm_score(X, shift, scale, coefficients, None, "triangular", "labels", 1)
    X[labels == 1, 4] = X[labels == 1, 4].mean()
    sums, _ = step(_core, X, shift, scale, None, coefficients)
    expected, _ = step(reference, X, shift, scale, None, coefficients)
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-9)


def test_few_rows_of_a_wide_component_do_not_pass_for_safe():
    """Its columns are nearly the same; a sample of all rows need not hold one of it."""
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (60_000, 16))
    near = rng.normal(0, 1000, (40, 16))
    near[:, 1] = near[:, 0] + rng.normal(0, 0.3, 40)
    near[20:] = -near[:20]  # its mean is 0
    X[1:41] = near  # between the rows that are sampled
    X = X.astype(np.float32)
    upper = np.triu_indices(16)
    coefficients = []
    for rows in (X[41:], X[1:41]):
        covariance = np.cov(rows.T.astype(float))
        root = np.linalg.inv(np.linalg.cholesky(covariance)).T
        constant = np.log(len(rows) / len(X)) + np.log(np.diag(root)).sum()
        coefficients.append([constant, *rows.mean(axis=0, dtype=float), *root[upper]])
    gauge = (np.zeros(16), np.ones(16))
    sums, _ = step(_core, X, *gauge, None, np.array(coefficients))
    expected, _ = step(reference, X, *gauge, None, np.array(coefficients))
    np.testing.assert_allclose(sums, expected, rtol=1e-9, atol=1e-6)
    arguments = (X, *gauge, np.array(coefficients), None, "triangular", "score", 1)
    scores = [home.gmm_score(*arguments) for home in (_core, reference)]
    np.testing.assert_allclose(*scores, rtol=1e-7)


def test_shares_too_small_to_be_summed_are_not_counted():
    """Else the mean of a component that has no others would be 0."""
    X, shift, scale, coefficients = triangular_problem(3_000, 16, 3, 0.2, np.float32)
    coefficients[1, 0] -= 60
    sums, _ = step(_core, X, shift, scale, None, coefficients)
    assert not sums[1].any()
    np.testing.assert_allclose(sums[:, 0].sum(), len(X), rtol=1e-6)


@pytest.mark.parametrize("weight_of_row", [0.0, 1.0])
@pytest.mark.parametrize("far", [1e25, 3e38])
def test_rows_beyond_float32_beside_a_flat_density(far, weight_of_row):
    X, shift, scale, coefficients = triangular_problem(2_000, 16, 3, 1.0, np.float32)
    coefficients[2] = 0
    coefficients[2, 0] = -20
    X[77, ::2], X[77, 1::2] = far, -far
    weight = np.ones(len(X))
    weight[77] = weight_of_row
    sums, score = step(_core, X, shift, scale, weight, coefficients)
    expected, expected_score = step(reference, X, shift, scale, weight, coefficients)
    np.testing.assert_allclose(sums, expected, rtol=2e-5, atol=1e-2)
    np.testing.assert_allclose(score, expected_score, rtol=1e-6)
