"""spmm_topk against its reference."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from _similarity import DTYPES, parts, skewed
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference

NOTHING = (None, None, None)


def product(n_rows, inner, n_cols, density, dtype, seed):
    """X with values that are multiples of 1/2, Y with few different whole numbers: exact, tied."""
    rng = np.random.default_rng(seed)
    x = skewed(n_rows, inner, density, dtype, seed)
    return parts(x), rng.integers(-3, 4, (inner, n_cols)).astype(dtype)


def filters(n_rows, n_cols, seed):
    """Excluded columns of each row in no order, and allowed columns."""
    rng = np.random.default_rng(seed)
    lists = [rng.permutation(n_cols)[: rng.integers(0, n_cols // 2 + 1)] for _ in range(n_rows)]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)
    indices = np.concatenate([*lists, np.empty(0)]).astype(np.int32)
    return indptr, indices, (rng.random(n_cols) < 0.7).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    n_rows=st.integers(0, 80),
    inner=st.integers(1, 60),
    n_cols=st.integers(1, 200),
    density=st.floats(0.01, 0.9),
    k=st.integers(1, 210),
    dtype=st.sampled_from(DTYPES),
    filtered=st.booleans(),
    n_threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_equals_reference(n_rows, inner, n_cols, density, k, dtype, filtered, n_threads, seed):
    x, y = product(n_rows, inner, n_cols, density, dtype, seed)
    left_out = filters(n_rows, n_cols, seed) if filtered else NOTHING
    got = _core.spmm_topk(*x, y, k, *left_out, n_threads)
    want = reference.spmm_topk(*x, y, k, *left_out, n_threads)
    for a, b in zip(got, want):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_do_not_depend_on_each_other_or_on_threads(dtype, level):
    x, _ = product(300, 700, 1, 0.1, dtype, seed=1)
    y = np.random.default_rng(0).normal(size=(700, 2500)).astype(dtype)
    with at_level(level):
        one = _core.spmm_topk(*x, y, 30, *NOTHING, 1)
        for n_threads in (2, 5):
            for a, b in zip(one, _core.spmm_topk(*x, y, 30, *NOTHING, n_threads)):
                np.testing.assert_array_equal(a, b)
        for row in (0, 17, 299):
            part = slice(x[0][row], x[0][row + 1])
            alone = np.array([0, part.stop - part.start]), x[1][part], x[2][part]
            for a, b in zip(one, _core.spmm_topk(*alone, y, 30, *NOTHING, 1)):
                np.testing.assert_array_equal(a[[row]], b)


def test_no_score_is_made_up():
    y = np.array([[np.inf, np.nan, -1, 0]], np.float32)
    x = np.array([0, 1]), np.array([0], np.int32), np.ones(1, np.float32)
    indices, scores = _core.spmm_topk(*x, y, 6, *NOTHING, 1)
    assert indices.tolist() == [[0, 3, 2, -1, -1, -1]]
    assert scores.tolist() == [[np.inf, 0, -1, -np.inf, -np.inf, -np.inf]]


def test_refusals():
    x, y = product(5, 4, 6, 0.5, np.float32, seed=0)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        _core.spmm_topk(*x, y, 0, *NOTHING, 1)
    with pytest.raises(ValueError, match="allowed must be 1-D of length 6"):
        _core.spmm_topk(*x, y, 1, None, None, np.ones(5, np.uint8), 1)
    with pytest.raises(ValueError, match="must be given together"):
        _core.spmm_topk(*x, y, 1, np.zeros(6, np.int64), None, None, 1)
    with pytest.raises(TypeError):
        _core.spmm_topk(*x, y.T, 1, *NOTHING, 1)
