"""spgemm_topk against its reference, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from _similarity import DTYPES, FORMULAS, PLAIN, check_row, options, parts, rtol_of, skewed
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core
from aimass_core.reference import spgemm_topk as reference


def call(kernel, x, y, k, *, exclude=None, allowed=None, n_threads=1, **arguments):
    names = {"p": None, "q": None, **PLAIN, **arguments}
    return kernel(
        *parts(x),
        *parts(y),
        n_cols=y.shape[1],
        k=k,
        exclude_indptr=None if exclude is None else exclude.indptr,
        exclude_indices=None if exclude is None else exclude.indices,
        allowed=allowed,
        n_threads=n_threads,
        **names,
    )


def check(x, y, k, **arguments):
    indices, scores = call(_core.spgemm_topk, x, y, k, **arguments)
    all_indices, all_scores = call(reference, x, y, y.shape[1] + 1, **arguments)
    assert indices.shape == scores.shape == (x.shape[0], k)
    assert scores.dtype == x.dtype
    for r in range(x.shape[0]):
        found = indices[r] >= 0
        n = int(found.sum())
        assert not found[n:].any()
        assert np.isneginf(scores[r, n:]).all()
        expected = all_indices[r] >= 0
        check_row(
            indices[r, :n],
            scores[r, :n],
            all_indices[r, expected],
            all_scores[r, expected],
            k,
            rtol_of(x.dtype),
        )
    return indices, scores


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize("formula", FORMULAS)
def test_equals_reference(formula, post, dtype):
    binary = formula in ("llr", "pmi", "npmi")
    x = skewed(60, 45, 0.2, dtype, seed=3, binary=binary)
    y = skewed(45, 80, 0.15, dtype, seed=4, binary=binary)
    arguments = options(formula, dtype, 60, 80, seed=5, post=post)
    one = check(x, y, 9, **arguments)
    three = call(_core.spgemm_topk, x, y, 9, n_threads=3, **arguments)
    for a, b in zip(one, three):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(0, 60)),
    density=st.floats(0.01, 0.9),
    k=st.integers(1, 70),
    formula=st.sampled_from(FORMULAS),
    dtype=st.sampled_from(DTYPES),
    post=st.booleans(),
    exclude=st.booleans(),
    deny=st.booleans(),
    n_threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_any_shape(shape, density, k, formula, dtype, post, exclude, deny, n_threads, seed):
    n_rows, n_inner, n_cols = shape
    binary = formula in ("llr", "pmi", "npmi")
    x = skewed(n_rows, n_inner, density, dtype, seed, binary=binary)
    y = skewed(n_inner, n_cols, density, dtype, seed + 1, binary=binary)
    rng = np.random.default_rng(seed)
    check(
        x,
        y,
        k,
        exclude=skewed(n_rows, n_cols, 0.3, dtype, seed + 2) if exclude else None,
        allowed=(rng.random(n_cols) < 0.7).astype(np.uint8) if deny else None,
        n_threads=n_threads,
        **options(formula, dtype, n_rows, n_cols, seed, post=post),
    )


@pytest.mark.parametrize("n_cols", [300, 5000])
def test_wide_and_narrow_rows(n_cols):
    """Rows that touch nearly all and hardly any of the columns."""
    x = skewed(200, 100, 0.1, np.float32, seed=1)
    y = skewed(100, n_cols, 0.02, np.float32, seed=2)
    check(x, y, 10, exclude=skewed(200, n_cols, 0.02, np.float32, seed=3), n_threads=2)


def test_everything_excluded():
    x = skewed(5, 4, 0.9, np.float32, seed=1)
    y = skewed(4, 6, 0.9, np.float32, seed=2)
    indices, scores = call(_core.spgemm_topk, x, y, 3, allowed=np.zeros(6, np.uint8))
    assert (indices == -1).all()
    assert np.isneginf(scores).all()


def test_refusals():
    x = skewed(5, 4, 0.9, np.float32, seed=1)
    y = skewed(4, 6, 0.9, np.float32, seed=2)
    with pytest.raises(ValueError, match="k must be at least 1, got -3"):
        call(_core.spgemm_topk, x, y, -3)
    with pytest.raises(ValueError, match="allowed must be 1-D of length 6"):
        call(_core.spgemm_topk, x, y, 3, allowed=np.zeros(5, np.uint8))
    with pytest.raises(ValueError, match="q must be 1-D of length 6"):
        call(_core.spgemm_topk, x, y, 3, q=np.zeros(5, np.float32))
