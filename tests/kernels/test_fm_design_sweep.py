"""fm_design_sweep against its reference, and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from _fm import assert_same_after, model_arguments, sparse_transpose, sums_of
from _levels import LEVELS, at_level
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.exceptions import NumericalError

CHANGED = ("coefficients", "sums", "errors")


def problem(n_cases, n_columns, block_width, n_factors, dtype, seed, *, weights=False, **options):
    rng = np.random.default_rng(seed)
    design, runs, transpose = sparse_transpose(n_cases, n_columns, dtype, rng)
    arguments = model_arguments(runs, block_width, n_factors, rng, **options)
    return {
        **design,
        **arguments,
        "weights": rng.uniform(0.2, 2, n_cases if weights else 0).astype(dtype),
        "sums": sums_of(transpose, arguments["coefficients"], block_width, dtype),
        "errors": rng.normal(size=n_cases).astype(dtype),
    }


def check(arguments, dtype):
    return assert_same_after(
        _core.fm_design_sweep, reference.fm_design_sweep, arguments, CHANGED, dtype
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_reference_at_every_level(dtype, level):
    with at_level(level):
        for block_width, n_factors in ((16, 10), (16, 0), (16, 33), (32, 31)):
            for weights in (False, True):
                check(
                    problem(90, 14, block_width, n_factors, dtype, n_factors, weights=weights),
                    dtype,
                )
        check(problem(90, 14, 16, 8, dtype, 1, noise=False), dtype)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 40), st.integers(0, 12), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_any_shape(n_cases, n_columns, n_factors, seed):
    block_width = (8, 16, 24)[seed % 3]
    check(problem(n_cases, n_columns, block_width, n_factors, np.float64, seed), np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype):
    a = problem(30_000, 40, 16, 9, dtype, 6)
    results = []
    for n_threads in (1, 2, 5):
        own = {**a, **{name: a[name].copy() for name in CHANGED}, "n_threads": n_threads}
        _core.fm_design_sweep(**own)
        results.append([own[name] for name in CHANGED])
    for other in results[1:]:
        for one, same in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_without_noise_the_penalised_error_falls():
    a = problem(400, 30, 16, 5, np.float64, 3, noise=False)
    a["prior"] = np.zeros_like(a["prior"][0]), a["prior"][1]
    losses = []
    for _ in range(8):
        penalty = (a["prior"][1][a["groups"]] * a["coefficients"] ** 2).sum()
        losses.append(a["alpha"] * (a["errors"] ** 2).sum() + penalty)
        _core.fm_design_sweep(**a)
    assert (np.diff(losses) < 1e-9).all()
    assert losses[-1] < losses[0]


def test_draws_have_the_conditional_distribution():
    """Of a linear model with one column, the posterior is known."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=50), rng.normal(size=50)
    a = problem(50, 1, 16, 0, np.float64, 0)
    a |= {"indptr": np.array([0, 50]), "indices": np.arange(50, dtype=np.int32), "data": x}
    a["prior"] = np.full((2, 16), 0.3), np.full((2, 16), 2.0)
    precision = 2.0 + a["alpha"] * x @ x
    mean = (2.0 * 0.3 + a["alpha"] * x @ y) / precision
    a["coefficients"], a["errors"] = np.zeros((1, 16)), y.copy()
    draws = []
    for _ in range(4000):
        a["noise"] = rng.normal(size=(1, 16))
        _core.fm_design_sweep(**a)
        draws.append(a["coefficients"][0, 0])
    np.testing.assert_allclose(np.mean(draws), mean, atol=4 * precision**-0.5 / 4000**0.5)
    np.testing.assert_allclose(np.std(draws), precision**-0.5, rtol=0.06)


def test_overflow_is_named():
    a = problem(50, 4, 16, 3, np.float64, 3)
    a["data"] = a["data"] * 1e200
    with pytest.raises(NumericalError, match=r"no finite coefficients.*standardise them"):
        _core.fm_design_sweep(**a)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block_width": 12}, "block_width must be a multiple of 16"),
        ({"n_factors": -1}, "n_factors must be within"),
        ({"alpha": 0.0}, "alpha must be above 0"),
        ({"runs": np.array([0, 3])}, "runs must start at 0 and end at the number of columns"),
        ({"weights": np.ones(3, np.float32)}, "weights must be 1-D of length 30"),
        ({"sums": np.ones((30, 8), np.float32)}, "sums must have shape"),
        ({"coefficients": np.ones((7, 16))}, "coefficients must have shape"),
        ({"groups": np.zeros(5, np.int32)}, "groups must be 1-D of length 8"),
        ({"noise": np.ones((7, 16))}, "noise must have shape"),
        ({"prior": (np.ones((2, 8)), np.ones((2, 8)))}, "prior means must have a column"),
    ],
)
def test_refusals(change, message):
    a = problem(30, 8, 16, 8, np.float32, 13)
    with pytest.raises(ValueError, match=message):
        _core.fm_design_sweep(**a | change)
