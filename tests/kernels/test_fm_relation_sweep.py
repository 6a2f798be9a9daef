"""fm_relation_sweep against its reference and against the design matrix of the cases."""

from __future__ import annotations

import numpy as np
import pytest
from _fm import assert_same_after, model_arguments, sparse_transpose, sums_of
from _interrupts import stops_within_half_a_second
from _levels import LEVELS, at_level
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.exceptions import NumericalError

CHANGED = ("coefficients", "sums", "errors")


def problem(
    n_cases, n_rows, n_columns, block_width, n_factors, dtype, seed, *, n_others=1, **options
):
    rng = np.random.default_rng(seed)
    weights = options.pop("weights", False)
    design, runs, transpose = sparse_transpose(n_rows, n_columns, dtype, rng)
    arguments = model_arguments(runs, block_width, n_factors, rng, **options)
    rows = rng.integers(0, n_rows, n_cases)
    others = []
    for _ in range(n_others):
        table = rng.normal(0, 0.5, (7, arguments["coefficients"].shape[1])).astype(dtype)
        table[:, ::block_width] = 1
        others.append((table, rng.integers(0, 7, n_cases).astype(np.int32)))
    return {
        **design,
        **arguments,
        "weights": rng.uniform(0.2, 2, n_cases if weights else 0).astype(dtype),
        "sums": sums_of(transpose, arguments["coefficients"], block_width, dtype),
        "errors": rng.normal(size=n_cases).astype(dtype),
        "case_indptr": np.r_[0, np.bincount(rows, minlength=n_rows).cumsum()].astype(np.int64),
        "case_indices": np.argsort(rows, kind="stable").astype(np.int32),
        "others": others,
    }


def check(arguments, dtype):
    return assert_same_after(
        _core.fm_relation_sweep, reference.fm_relation_sweep, arguments, CHANGED, dtype
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_reference_at_every_level(dtype, level):
    with at_level(level):
        for block_width, n_factors in ((16, 10), (16, 0), (16, 33), (32, 31)):
            for n_others, weights in ((0, False), (1, True), (2, False)):
                a = problem(
                    200,
                    20,
                    14,
                    block_width,
                    n_factors,
                    dtype,
                    n_factors,
                    n_others=n_others,
                    weights=weights,
                )
                check(a, dtype)
        check(problem(90, 12, 14, 16, 8, dtype, 1, noise=False), dtype)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 60),
    st.integers(1, 12),
    st.integers(0, 12),
    st.integers(0, 40),
    st.integers(0, 2**32 - 1),
)
def test_any_shape(n_cases, n_rows, n_columns, n_factors, seed):
    block_width = (8, 16, 24)[seed % 3]
    a = problem(n_cases, n_rows, n_columns, block_width, n_factors, np.float64, seed)
    check(a, np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype):
    a = problem(40_000, 20_000, 16, 16, 9, dtype, 6)
    results = []
    for n_threads in (1, 2, 5):
        own = {**a, **{name: a[name].copy() for name in CHANGED}, "n_threads": n_threads}
        _core.fm_relation_sweep(**own)
        results.append([own[name] for name in CHANGED])
    for other in results[1:]:
        for one, same in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_errors_are_those_of_the_new_coefficients():
    """The errors after a sweep equal the targets less the predictions computed anew."""
    a = problem(500, 30, 12, 16, 6, np.float64, 4)
    row_of = np.empty(500, dtype=np.int64)
    row_of[a["case_indices"]] = np.repeat(np.arange(30), np.diff(a["case_indptr"]))
    dense = np.zeros((12, 30))
    for column in range(12):
        own = slice(a["indptr"][column], a["indptr"][column + 1])
        dense[column, a["indices"][own]] = a["data"][own]
    (table, rows), factors = a["others"][0], slice(1, 7)
    other = np.empty((500, 6))
    other[a["case_indices"]] = table[rows, factors]

    def predictions():
        v = a["coefficients"]
        q = dense.T @ v[:, factors]
        pairs = 0.5 * (q**2 - (dense.T**2) @ v[:, factors] ** 2).sum(axis=1)
        return (dense.T @ v[:, 0] + pairs)[row_of] + (q[row_of] * other).sum(axis=1)

    targets = a["errors"] + predictions()
    _core.fm_relation_sweep(**a)
    np.testing.assert_allclose(a["errors"], targets - predictions(), atol=1e-10)


def test_overflow_is_named():
    a = problem(50, 9, 4, 16, 3, np.float64, 3)
    a["data"] = a["data"] * 1e200
    with pytest.raises(NumericalError, match=r"no finite coefficients.*standardise them"):
        _core.fm_relation_sweep(**a)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block_width": 72}, "block_width must be a multiple of 16 and at most 64"),
        ({"case_indptr": np.array([0, 1])}, "case_indptr must be 1-D of length 11"),
        ({"case_indptr": np.zeros(11, np.int64)}, "case_indptr must start at 0"),
        ({"case_indices": np.zeros(3, np.int32)}, "case_indices must be 1-D of length 60"),
        ({"others": [(np.ones((3, 8), np.float32), np.zeros(60, np.int32))]}, "a column for each"),
        ({"others": [(np.ones((3, 16), np.float32), np.zeros(6, np.int32))]}, "of length 60"),
    ],
)
def test_refusals(change, message):
    a = problem(60, 10, 8, 16, 8, np.float32, 13)
    with pytest.raises(ValueError, match=message):
        _core.fm_relation_sweep(**a | change)


PREPARE = """
import numpy as np
from aimass_core import _core

n, width = 2_000_000, 64
rng = np.random.default_rng(0)
table = rng.normal(0, 0.1, (7, width))
table[:, 0] = 1
rows = rng.integers(0, 7, n).astype(np.int32)
cases = np.arange(n, dtype=np.int32)
one = np.ones(1)
"""

CALL = """
_core.fm_relation_sweep(
    np.array([0, 1]), np.zeros(1, np.int32), one, np.array([0, 1]), np.zeros(1, np.int32),
    np.zeros((1, width)), (np.zeros((1, width)), np.ones((1, width))), np.zeros((0, 0)), 1.0,
    np.empty(0), np.eye(1, width), np.zeros(n), np.array([0, n]), cases, [(table, rows)],
    block_width=width, n_factors=width - 1, n_threads=1,
)
"""


def test_is_interrupted_among_the_cases_of_one_row():
    assert stops_within_half_a_second(PREPARE, CALL, share=0.3)


def test_columns_with_the_same_rows_are_drawn_by_their_conditional_distributions():
    """Linear coefficient and factor are drawn jointly: their normal distribution is known."""
    a = problem(300, 12, 2, 16, 1, np.float64, 5, n_groups=1)
    dense = np.ones((2, 12))
    dense[1] = np.linspace(-1, 1, 12)
    a |= {"indptr": np.array([0, 12, 24]), "indices": np.tile(np.arange(12), 2).astype(np.int32)}
    a |= {"data": dense.ravel(), "runs": np.array([0, 1, 2]), "groups": np.zeros(2, np.int32)}
    v = a["coefficients"]
    a["sums"][:, 1] = dense.T @ v[:, 1]
    row_of = np.empty(300, dtype=np.int64)
    row_of[a["case_indices"]] = np.repeat(np.arange(12), np.diff(a["case_indptr"]))
    (table, rows), o = a["others"][0], np.empty(300)
    o[a["case_indices"]] = table[rows, 1]
    own = {**a, **{name: a[name].copy() for name in CHANGED}}
    _core.fm_relation_sweep(**own)
    e, q, mean, precision = a["errors"].copy(), dense.T @ v[:, 1], a["prior"][0], a["prior"][1]
    for column in (0, 1):
        x = dense[column, row_of]
        h = np.column_stack([x, x * (o + q[row_of] - x * v[column, 1])])
        total = np.diag(precision[0, :2]) + a["alpha"] * h.T @ h
        right = precision[0, :2] * mean[0, :2] + a["alpha"] * h.T @ (e + h @ v[column, :2])
        noise = np.linalg.solve(np.linalg.cholesky(total).T, a["noise"][column, :2])
        drawn = np.linalg.solve(total, right) + noise
        np.testing.assert_allclose(own["coefficients"][column, :2], drawn, rtol=1e-9)
        step = drawn - v[column, :2]
        e -= h @ step
        q += step[1] * dense[column]
        v[column, :2] = drawn
