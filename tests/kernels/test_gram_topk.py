"""gram_topk against its reference, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _levels import LEVELS, at_level
from _similarity import DTYPES, FORMULAS, PLAIN, check_row, csr, options, parts, rtol_of, skewed
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core
from aimass_core.reference import gram_topk as reference


def call(kernel, matrix, k, *, n_threads=1, row_scale=None, col_scale=None, **arguments):
    names = {"p": None, "q": None, **PLAIN, **arguments}
    return kernel(
        *parts(matrix),
        n_cols=matrix.shape[1],
        k=k,
        row_scale=row_scale,
        col_scale=col_scale,
        n_threads=n_threads,
        **names,
    )


def check(matrix, k, **arguments):
    indptr, indices, scores = call(_core.gram_topk, matrix, k, **arguments)
    everything = call(reference, matrix, matrix.shape[1] + 1, **arguments)
    assert indptr.dtype == np.int64
    assert indices.dtype == np.int32
    assert scores.dtype == matrix.dtype
    for j in range(matrix.shape[1]):
        mine, theirs = (slice(p[j], p[j + 1]) for p in (indptr, everything[0]))
        check_row(
            indices[mine],
            scores[mine],
            everything[1][theirs],
            everything[2][theirs],
            k,
            rtol_of(matrix.dtype),
        )
    return indptr, indices, scores


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize("formula", FORMULAS)
def test_equals_reference(formula, post, dtype):
    binary = formula in ("llr", "pmi", "npmi")
    matrix = skewed(150, 70, 0.15, dtype, seed=3, binary=binary)
    arguments = options(formula, dtype, 70, 70, seed=4, post=post)
    one = check(matrix, 7, **arguments)
    two = call(_core.gram_topk, matrix, 7, n_threads=3, **arguments)
    for a, b in zip(one, two):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=60, deadline=None)
@given(
    n_rows=st.integers(0, 60),
    n_cols=st.integers(0, 60),
    density=st.floats(0.01, 0.9),
    k=st.integers(1, 70),
    formula=st.sampled_from(FORMULAS),
    dtype=st.sampled_from(DTYPES),
    post=st.booleans(),
    n_threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_any_shape(n_rows, n_cols, density, k, formula, dtype, post, n_threads, seed):
    binary = formula in ("llr", "pmi", "npmi")
    matrix = skewed(n_rows, n_cols, density, dtype, seed, binary=binary)
    arguments = options(formula, dtype, n_cols, n_cols, seed, post=post)
    check(matrix, k, n_threads=n_threads, **arguments)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scales(dtype):
    matrix = skewed(40, 30, 0.3, dtype, seed=1)
    rng = np.random.default_rng(0)
    row_scale = rng.choice([0.5, 1, 2], 40).astype(dtype)
    col_scale = rng.choice([0.5, 1, 2], 30).astype(dtype)
    check(matrix, 5, row_scale=row_scale, col_scale=col_scale)
    scaled = csr(sp.csr_array(matrix.toarray() * row_scale[:, None] * col_scale))
    first = call(_core.gram_topk, matrix, 5, row_scale=row_scale, col_scale=col_scale)
    for a, b in zip(first, call(_core.gram_topk, scaled, 5)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_part(dtype, level):
    """Large and skewed enough that the dense part is used; every level and thread count agrees."""
    matrix = skewed(3000, 400, 0.12, dtype, seed=5)
    norm = np.sqrt((matrix.toarray().astype(np.float64) ** 2).sum(0)).astype(dtype)
    with at_level(level):
        one = check(matrix, 20, p=norm, q=norm)
        for n_threads in (2, 5):
            other = call(_core.gram_topk, matrix, 20, p=norm, q=norm, n_threads=n_threads)
            for a, b in zip(one, other):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("k", [1, 5, 49, 60])
def test_equal_columns_tie_by_index(k):
    """Equal columns have bit-equal scores wherever the dense part ends: lower index first."""
    rng = np.random.default_rng(0)
    base = (rng.random((600, 8)) < 0.3) * rng.random((600, 8))
    dense = np.repeat(base, 20, axis=1).astype(np.float32)[:, rng.permutation(160)]
    matrix = csr(sp.csr_array(dense))
    norm = np.sqrt((dense.astype(np.float64) ** 2).sum(0)).astype(np.float32)
    indptr, indices, scores = call(_core.gram_topk, matrix, k, p=norm, q=norm, n_threads=2)
    for j in range(160):
        row, s = indices[indptr[j] : indptr[j + 1]], scores[indptr[j] : indptr[j + 1]]
        twins = np.flatnonzero((dense == dense[:, [j]]).all(0))
        twins = twins[twins != j]
        np.testing.assert_array_equal(row[: len(twins)], twins[:k])
        assert len(set(s[: len(twins)].tolist())) == 1


def near_copies(n, width, dtype, seed):
    """Columns that differ from one random column in at most two entries."""
    rng = np.random.default_rng(seed)
    dense = np.repeat(rng.random((width, 1)) < 0.5, n, axis=1)
    for column in dense.T:
        column[rng.integers(0, width, rng.integers(0, 3))] ^= True
    return csr(sp.csr_array(dense.astype(dtype)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weight", [(50.7, 50.7), (0.3, 1e6), (1.0, 1.0), (1e30, 1e-30)])
def test_near_copies(weight, dtype, level):
    """Scores that differ in the last digits only, for weights of the contrast model far from 1."""
    matrix = near_copies(750, 60, dtype, seed=1)
    count = np.asarray(matrix.sum(axis=0)).astype(dtype)
    arguments = {"formula": "ratio", "p": count, "q": count, "weight": weight}
    with at_level(level):
        one = call(_core.gram_topk, matrix, 2, **arguments)
        for n_threads in (1, 2, 3, 7):
            other = call(_core.gram_topk, matrix, 2, n_threads=n_threads, **arguments)
            for a, b in zip(one, other):
                np.testing.assert_array_equal(a, b)
    want = call(reference, matrix, 2, **arguments)
    np.testing.assert_array_equal(one[0], want[0])
    np.testing.assert_allclose(one[2], want[2], rtol=rtol_of(dtype) / 50)


def test_negative_and_zero_scores():
    matrix = csr(sp.csr_array(np.array([[1, -1, 0.0], [1, 1, 0], [0, 2, -3]], np.float32)))
    indptr, indices, scores = call(_core.gram_topk, matrix, 2)
    assert indptr.tolist() == [0, 0, 1, 2]  # columns 0 and 1: the dot is exactly 0
    assert indices.tolist() == [2, 1]
    assert scores.tolist() == [-6, -6]


def test_zero_norm_is_no_candidate():
    dense = np.array([[1, 2, 0.0], [3, 4, 0]], np.float32)
    matrix = csr(sp.csr_array(dense))
    norm = np.array([0, 5, 0], np.float32)
    indptr, _, scores = call(_core.gram_topk, matrix, 3, p=norm, q=norm)
    assert indptr.tolist() == [0, 0, 0, 0]
    assert len(scores) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_custom_function(dtype):
    numba = pytest.importorskip("numba")
    number = numba.from_dtype(np.dtype(dtype))
    pointer = numba.types.CPointer(number)
    signature = numba.void(pointer, pointer, pointer, pointer, pointer, numba.int64)

    @numba.cfunc(signature)
    def score(dot, n, p, q, out, m):
        for i in range(m):
            out[i] = dot[i] / (p[0] + q[i]) + n[i]

    matrix = skewed(60, 40, 0.2, dtype, seed=2)
    arguments = options("custom", dtype, 40, 40, seed=1, post=True)
    check(matrix, 6, **{**arguments, "function": score.address})


def test_read_only_input_and_input_unchanged():
    matrix = skewed(50, 30, 0.2, np.float32, seed=9)
    copies = [a.copy() for a in parts(matrix)]
    for array in parts(matrix):
        array.flags.writeable = False
    call(_core.gram_topk, matrix, 3, n_threads=2)
    for a, b in zip(parts(matrix), copies):
        np.testing.assert_array_equal(a, b)


def test_huge_k_allocates_little():
    matrix = skewed(40, 40, 0.2, np.float32, seed=9)
    indptr, _, _ = call(_core.gram_topk, matrix, 2**31 - 1)
    assert indptr[-1] <= 40 * 39


def test_refusals():
    matrix = skewed(10, 8, 0.4, np.float32, seed=0)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        call(_core.gram_topk, matrix, 0)
    with pytest.raises(ValueError, match="unknown name 'cosinus'"):
        call(_core.gram_topk, matrix, 2, formula="cosinus")
    with pytest.raises(ValueError, match="p must be 1-D of length 8"):
        call(_core.gram_topk, matrix, 2, p=np.ones(7, np.float32))
    with pytest.raises(ValueError, match="function must be"):
        call(_core.gram_topk, matrix, 2, formula="custom")
    with pytest.raises(TypeError):
        call(_core.gram_topk, matrix, 2, p=np.ones(8))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [200, 450])
def test_long_lists_full_of_ties(k, dtype):
    """Lists that are selected and sorted by digits: sums are exact, so the order must be exact."""
    matrix = skewed(120, 1500, 0.05, dtype, seed=5)
    indptr, indices, scores = call(_core.gram_topk, matrix, k, n_threads=2)
    want = call(reference, matrix, k)
    np.testing.assert_array_equal(indptr, want[0])
    np.testing.assert_array_equal(scores, want[2])
    np.testing.assert_array_equal(indices, want[1])
    assert (np.diff(indptr) == k).any()
    assert (scores < 0).any()
