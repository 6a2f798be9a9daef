"""gmm_em_step and gmm_score of the form "diag" in float32 against their references."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from _mixtures import diagonal_problem
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import _core, reference


def step(home, X, shift, scale, weight, coefficients, n_threads=1):
    modes = ("diag", "diag", False, n_threads)
    return home.gmm_em_step(X, shift, scale, weight, coefficients, None, *modes)


def ask(home, X, shift, scale, coefficients, output, n_threads=1):
    return home.gmm_score(X, shift, scale, coefficients, None, "diag", output, n_threads)


def check(X, shift, scale, weight, coefficients):
    sums, score = step(_core, X, shift, scale, weight, coefficients)
    expected, expected_score = step(reference, X, shift, scale, weight, coefficients)
    np.testing.assert_allclose(
        sums, expected, rtol=2e-5, atol=2e-6 * np.abs(expected).max(initial=1.0)
    )
    rows = len(X) if weight is None else weight.sum()
    np.testing.assert_allclose(score, expected_score, rtol=1e-6, atol=1e-6 * (1 + rows))
    shares = [ask(home, X, shift, scale, coefficients, "resp") for home in (_core, reference)]
    np.testing.assert_allclose(*shares, rtol=0, atol=2e-4)
    scores = [ask(home, X, shift, scale, coefficients, "score") for home in (_core, reference)]
    np.testing.assert_allclose(*scores, rtol=1e-6, atol=1e-4)
    labels = ask(_core, X, shift, scale, coefficients, "labels")
    best = shares[1].max(axis=1, initial=0)
    assert (shares[1][np.arange(len(X)), labels] >= best - 4e-4).all()
    return sums


@given(
    st.integers(0, 300),
    st.integers(1, 40),
    st.integers(1, 19),
    st.sampled_from([0.0, 1.0, 3.0, 10.0]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_equals_reference(n, d, k, apart, weighted, seed):
    X, shift, scale, coefficients = diagonal_problem(n, d, k, apart, np.float32, seed)
    weight = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 3.0], n) if weighted else None
    check(X, shift, scale, weight, coefficients)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("d", [1, 2, 3, 8, 15, 16, 17, 23, 24, 25, 33, 70])
def test_every_level_and_width(level, d):
    with at_level(level):
        for k in (1, 2, 3, 4, 7, 8, 9, 15, 17):
            X, shift, scale, coefficients = diagonal_problem(211, d, k, 1.0, np.float32, seed=d)
            check(X, shift, scale, None, coefficients)


def test_bits_do_not_depend_on_threads():
    X, shift, scale, coefficients = diagonal_problem(20_011, 9, 11, 1.0, np.float32)
    weight = np.random.default_rng(1).uniform(0, 2, len(X))
    sums, score = step(_core, X, shift, scale, weight, coefficients)
    shares = ask(_core, X, shift, scale, coefficients, "resp")
    for n_threads in (2, 3, 8):
        again, score_again = step(_core, X, shift, scale, weight, coefficients, n_threads)
        assert (again == sums).all()
        assert score_again == score
        assert (ask(_core, X, shift, scale, coefficients, "resp", n_threads) == shares).all()


@pytest.mark.parametrize("ratio", [10.0**e for e in range(7)])
def test_float32_is_used_where_it_is_safe(ratio):
    """Spread of the data over the width of the components from 1 to 1e6: next variances."""
    X, shift, scale, coefficients = diagonal_problem(3_000, 16, 5, ratio, np.float32)
    variances = []
    for home in (_core, reference):
        sums, _ = step(home, X, shift, scale, None, coefficients)
        means = sums[:, 1:17] / sums[:, :1]
        variances.append(sums[:, 17:] / sums[:, :1] - means**2)
    tolerance = max(1e-3, 5e-14 * ratio**2)  # what sums in float64 lose
    np.testing.assert_allclose(*variances, rtol=tolerance)
    shares = [ask(home, X, shift, scale, coefficients, "resp") for home in (_core, reference)]
    np.testing.assert_allclose(*shares, atol=2e-4)


def test_rows_far_from_everything():
    """Their distances are so large that float32 would lose the differences between components."""
    X, shift, scale, coefficients = diagonal_problem(2_000, 20, 6, 0.5, np.float32)
    X[::100] *= 1e4
    X[50] = 1e30
    for output in ("labels", "score"):
        found, expected = (
            ask(h, X, shift, scale, coefficients, output) for h in (_core, reference)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    sums, score = step(_core, X, shift, scale, None, coefficients)
    expected, expected_score = step(reference, X, shift, scale, None, coefficients)
    np.testing.assert_allclose(sums, expected, rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(score, expected_score, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e290])
def test_weights_of_any_size(size):
    X, shift, scale, coefficients = diagonal_problem(1_500, 16, 5, 1.0, np.float32)
    weight = np.random.default_rng(0).uniform(0.5, 1, len(X))
    sums, score = step(_core, X, shift, scale, weight, coefficients)
    scaled, scaled_score = step(_core, X, shift, scale, weight * size, coefficients)
    np.testing.assert_allclose(scaled / size, sums, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(scaled_score / size, score, rtol=1e-6)


def test_flat_components_and_those_without_weight():
    """A density that is the same everywhere (noise), no weight, and equal components."""
    X, shift, scale, coefficients = diagonal_problem(2_000, 12, 6, 2.0, np.float32)
    coefficients[0, 0] = -np.inf
    coefficients[3] = coefficients[2]
    coefficients[5, 1:] = 0
    coefficients[5, 0] = coefficients[1, 0] - 20
    sums = check(X, shift, scale, None, coefficients)
    assert not sums[0].any()
    np.testing.assert_array_equal(sums[2], sums[3])
    assert not np.isin(ask(_core, X, shift, scale, coefficients, "labels"), [0, 3]).any()


def test_variances_are_not_negative():
    """Columns of few values, of none but one, and far from 0 before they are shifted."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 2, 1_000), np.full(1_000, 3), rng.normal(5, 1, 1_000)])
    X = X.astype(np.float32) + np.float32(4096)
    shift, scale = X.mean(axis=0, dtype=np.float64), np.array([2.0, 1.0, 1.0])
    coefficients = np.array([[0.0, 0, 0, 0, -0.5, -0.5, -0.5], [-1.0, 1, 0, 1, -0.5, -0.5, -0.5]])
    sums, _ = step(_core, X, shift, scale, None, coefficients)
    variances = sums[:, 4:] / sums[:, :1] - (sums[:, 1:4] / sums[:, :1]) ** 2
    assert (variances > -1e-6).all()
    np.testing.assert_allclose(variances[:, 1], 0, atol=1e-6)


@pytest.mark.parametrize("weight_of_row", [0.0, 1.0])
@pytest.mark.parametrize("far", [1e25, 3e38])
def test_rows_beyond_float32_beside_a_flat_density(far, weight_of_row):
    X, shift, scale, coefficients = diagonal_problem(2_000, 12, 3, 1.0, np.float32)
    coefficients[2] = 0
    coefficients[2, 0] = -20
    X[77] = far
    weight = np.ones(len(X))
    weight[77] = weight_of_row
    sums, score = step(_core, X, shift, scale, weight, coefficients)
    expected, expected_score = step(reference, X, shift, scale, weight, coefficients)
    np.testing.assert_allclose(sums, expected, rtol=2e-5, atol=1e-2)
    np.testing.assert_allclose(score, expected_score, rtol=1e-6)


@pytest.mark.parametrize(("d", "k", "apart"), [(3, 20, 0.3), (8, 8, 1.0), (32, 32, 1.0)])
def test_float32_rounds_once(d, k, apart):
    """Components near each other: no error beyond that of the distances in float32."""
    X, shift, scale, coefficients = diagonal_problem(2_000, d, k, apart, np.float32, seed=3)
    shares, expected = (ask(h, X, shift, scale, coefficients, "resp") for h in (_core, reference))
    np.testing.assert_allclose(shares, expected, rtol=0, atol=4e-6)
    np.testing.assert_allclose(shares.sum(axis=1, dtype=np.float64), 1, rtol=1e-6)
    scores, expected = (ask(h, X, shift, scale, coefficients, "score") for h in (_core, reference))
    np.testing.assert_allclose(scores, expected, atol=3e-5)
    assert abs((scores - expected).mean()) < 1e-6
    sums, _ = step(_core, X, shift, scale, None, coefficients)
    np.testing.assert_allclose(sums[:, 0].sum(), len(X), rtol=1e-6)


def test_the_range_of_exp():
    """Components from 0 to 1e5 nats below the best one, and one without weight."""
    below = np.concatenate([np.linspace(0, 200, 401), [500.0, 1e5, np.inf]])
    coefficients = np.zeros((len(below), 3))
    coefficients[:, 0] = 700 - below
    coefficients[:, 2] = -0.5
    X, shift, scale = np.zeros((100, 1), np.float32), np.zeros(1), np.ones(1)
    shares, expected = (ask(h, X, shift, scale, coefficients, "resp") for h in (_core, reference))
    seen = expected[0] > 1e-30
    np.testing.assert_allclose(shares[:, seen], expected[:, seen], rtol=1e-5)
    assert shares[:, ~seen].max() < 1e-29
    assert not shares[:, -3:].any()
    assert (ask(_core, X, shift, scale, coefficients, "labels") == 0).all()
