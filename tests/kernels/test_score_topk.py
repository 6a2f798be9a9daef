"""score_topk against its reference, and what must hold for any input."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from _interrupts import stops_within_half_a_second
from _levels import LEVELS, at_level
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core
from aimass_core.exceptions import NumericalError
from aimass_core.reference import score_topk as reference
from aimass_core.retrieval._packing import _codes, pack

DTYPES = (np.float32, np.float64)


@pytest.fixture(params=LEVELS)
def _level(request):
    with at_level(request.param):
        yield


def whole(rng, shape, dtype):
    """Whole numbers: products are exact, and ties are many."""
    return rng.integers(-3, 4, shape).astype(dtype)


def pattern(rng, shape, density):
    lists = sp.csr_array(rng.random(shape) < density)
    return lists.indptr.astype(np.int64), lists.indices.astype(np.int32)


def call(kernel, queries, items, k, *, biases=None, exclude=None, allow=None, n_threads=1):
    lists = *(exclude or (None, None)), *(allow or (None, None))
    if kernel is reference:
        return kernel(queries, items, biases, k, *lists)
    return kernel(queries, *pack(items, biases), len(items), k, *lists, n_threads)


def check(queries, items, k, **arguments):
    got = call(_core.score_topk, queries, items, k, **arguments)
    want = call(reference, queries, items, k, **arguments)
    for a, b in zip(got, want):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    return got


@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 150), st.integers(0, 300), st.integers(0, 40)),
    k=st.integers(1, 320),
    dtype=st.sampled_from(DTYPES),
    biased=st.booleans(),
    exclude=st.booleans(),
    allow=st.booleans(),
    density=st.floats(0, 1),
    decay=st.booleans(),
    n_threads=st.integers(1, 4),
    level=st.sampled_from(LEVELS),
    seed=st.integers(0, 1000),
)
def test_any_shape(shape, k, dtype, biased, exclude, allow, density, decay, n_threads, level, seed):
    n, m, f = shape
    rng = np.random.default_rng(seed)
    items = whole(rng, (m, f), dtype)
    if decay:
        items *= 2.0 ** -rng.integers(0, 8, (m, 1)).astype(dtype)
    with at_level(level):
        check(
            whole(rng, (n, f), dtype),
            items,
            k,
            biases=whole(rng, m, dtype) if biased else None,
            exclude=pattern(rng, (n, m), density) if exclude else None,
            allow=pattern(rng, (n, m), density) if allow else None,
            n_threads=n_threads,
        )


@pytest.mark.usefixtures("_level")
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads_or_batch(rng, dtype):
    """Tiles of 1, 2, 4 and 8 queries, full and packed together, make the same sums."""
    U = rng.standard_normal((333, 37)).astype(dtype)
    V = (rng.standard_normal((3000, 37)) / np.arange(1, 3001)[:, None] ** 0.6).astype(dtype)
    one = call(_core.score_topk, U, V, 20)
    for n_threads in (2, 5):
        for a, b in zip(one, call(_core.score_topk, U, V, 20, n_threads=n_threads)):
            np.testing.assert_array_equal(a, b)
    for rows in ([0], [332], [5, 9], [7, 1, 3], list(range(50, 55)), list(range(100, 175))):
        part = call(_core.score_topk, np.ascontiguousarray(U[rows]), V, 20)
        for a, b in zip(one, part):
            np.testing.assert_array_equal(a[rows], b)
    scores = U.astype(np.float64) @ V.astype(np.float64).T
    want = -np.sort(-scores, axis=1)[:, :20]
    np.testing.assert_allclose(one[1], want, rtol=1e-4 if dtype == np.float32 else 1e-11)
    found = np.take_along_axis(scores, one[0].astype(np.int64), axis=1)
    np.testing.assert_allclose(found, one[1], rtol=1e-4 if dtype == np.float32 else 1e-11)


@pytest.mark.usefixtures("_level")
def test_the_bound_holds_with_ties_and_biases(rng):
    """Items of one direction: the bound is as tight as it gets; equal scores at the cut."""
    direction = whole(rng, 24, np.float32)
    lengths = rng.integers(1, 40, 2000).astype(np.float32)
    V = lengths[:, None] * direction
    for k in (1, 7, 60):
        check(direction[None] * np.float32([[1], [-1], [0], [2.5]]), V, k)
    biases = rng.integers(-20, 20, 2000).astype(np.float32)
    check(direction[None], V, 50, biases=biases)


@pytest.mark.usefixtures("_level")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [1, 5, 64, 130])
@pytest.mark.parametrize("biased", [None, 0.1, 1e3])
def test_codes_change_no_bit(rng, dtype, depth, biased):
    """Whatever the codes rule out, a scan without codes does not find either."""
    n, m = 101, 3000
    items = rng.standard_normal((m, depth))
    for scales in (
        1.0,
        np.exp(rng.normal(0, 3, (m, 1))),
        1e-6 * 10.0 ** rng.integers(-3, 4, m)[:, None],
    ):
        V = (items * scales).astype(dtype)
        V[rng.random(m) < 0.02] = 0
        V[:, 0] *= 50  # one coordinate that coarsens the others' codes
        U = rng.standard_normal((n, depth)).astype(dtype)
        U[::7] = V[rng.integers(0, m, len(U[::7]))] * 3
        U[::13] = 0
        U[5] *= dtype(1e-12)
        biases = None
        if biased is not None:
            biases = (rng.standard_normal(m) * biased * np.std(V)).astype(dtype)
            biases[rng.random(m) < 0.3] = -np.inf
        packed = pack(V, biases)
        assert packed.codes.size
        without = packed._replace(codes=packed.codes[:0])
        exclude = pattern(rng, (n, m), 0.02)
        for k in (1, 10, 200):
            got, want = (
                _core.score_topk(U, *p, m, k, *exclude, None, None, 2) for p in (packed, without)
            )
            np.testing.assert_array_equal(got[0], want[0])
            np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.usefixtures("_level")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [128, 203, 384])
def test_bounds_after_some_factors_change_no_bit(rng, dtype, depth):
    """Embeddings of one length: some have all of it in the first, or in the last factors."""
    n, m = 37, 2500
    topics = rng.standard_normal((40, depth))
    topics[:10, : depth // 2] = 0
    topics[10:20, depth // 4 :] = 0
    V, U = (
        topics[rng.integers(0, len(topics), count)] + 0.1 * rng.standard_normal((count, depth))
        for count in (m, n)
    )
    V[::9] = V[0]  # near-copies and copies
    V[1::9] = V[1] * (1 + 1e-7 * rng.standard_normal((len(V[1::9]), 1)))
    V, U = (X / np.linalg.norm(X, axis=1, keepdims=True) for X in (V, U))
    V, U = V.astype(dtype), U.astype(dtype)
    for biases in (None, (0.1 * rng.standard_normal(m)).astype(dtype)):
        packed = pack(V, biases)
        without = packed._replace(codes=packed.codes[:0])
        for k in (1, 10, 100):
            got, want = (
                _core.score_topk(U, *p, m, k, None, None, None, None, 2) for p in (packed, without)
            )
            np.testing.assert_array_equal(got[0], want[0])
            np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize("depth", [10, 128, 387])
def test_bounds_of_the_factors_after_a_cut(rng, depth):
    """The lengths of what follows 2, 3, 4 and 6 eighths of the groups of four factors."""
    packed = pack(rng.standard_normal((200, depth)).astype(np.float32), None)
    items = packed.panels.transpose(0, 2, 1).reshape(-1, depth).astype(float)
    n_groups = -(-depth // 4)
    for number, eighths in enumerate((2, 3, 4, 6)):
        tails = np.linalg.norm(items[:, n_groups * eighths // 8 * 4 :], axis=1)
        longest = tails.reshape(-1, 48).max(axis=1)
        expected = longest if n_groups >= 32 else np.full(len(longest), -1.0)
        np.testing.assert_allclose(packed.grids[:, 4 + number], expected, rtol=1e-11)


def test_codes_stand_for_the_items(rng):
    V = (rng.standard_normal((1000, 10)) * np.exp(rng.normal(0, 2, (1000, 1)))).astype(np.float32)
    packed = pack(V, None)
    codes = packed.codes.transpose(0, 2, 1, 3).reshape(-1, 12)[:, :10].astype(float) - 128
    steps = np.repeat(1 / packed.grids[:, 0], 48)[:, None]
    items = packed.panels.transpose(0, 2, 1).reshape(-1, 10).astype(float)
    error = np.linalg.norm(items - steps * codes, axis=1).reshape(-1, 48).max(axis=1)
    assert (error <= packed.grids[:, 1]).all()
    assert (error >= 0.9 * packed.grids[:, 1]).all()
    assert (np.abs(items - steps * codes) <= steps * 0.5000001).all()
    lengths = np.linalg.norm(items, axis=1).reshape(-1, 48).max(axis=1)
    np.testing.assert_allclose(packed.grids[:, 2], lengths, rtol=1e-12)


@pytest.mark.parametrize("n_items", [300, 70_000])
def test_long_lists_in_wide_catalogues(rng, n_items):
    """More items than bits in a row's bitmap; long, unsorted and repeating lists."""
    U, V = whole(rng, (20, 6), np.float32), whole(rng, (n_items, 6), np.float32)
    lengths = rng.integers(0, n_items // 2, 20)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    lists = indptr, rng.integers(0, n_items, indptr[-1]).astype(np.int32)
    check(U, V, 25, exclude=lists, n_threads=2)
    check(U, V, 25, allow=lists, n_threads=2)
    check(U, V, 25, exclude=lists, allow=lists)


@pytest.mark.usefixtures("_level")
@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_numbers(rng, dtype):
    """Denormal numbers, and numbers whose scores are just within the range of the type."""
    tiny, root = np.finfo(dtype).tiny, np.sqrt(np.finfo(dtype).max)
    values = np.array([tiny, -tiny, root / 16, -root / 16, 0, 1, tiny / 8, -0.0], dtype=dtype)
    U = rng.choice(values, (40, 3)).astype(dtype)
    V = rng.choice(values, (500, 3)).astype(dtype)
    biases = rng.choice(np.array([0, 1, -np.inf, -np.finfo(dtype).max / 2], dtype), 500)
    for offsets in (None, biases):
        got = call(_core.score_topk, U, V, 30, biases=offsets)
        want = call(reference, U, V, 30, biases=offsets)
        np.testing.assert_allclose(got[1], want[1], rtol=1e-5)
        for row in got[0]:
            matches = row[row >= 0]
            assert len(set(matches.tolist())) == len(matches)


@pytest.mark.usefixtures("_level")
@pytest.mark.parametrize("n_threads", [1, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_query_whose_scores_overflow_is_reported(rng, dtype, n_threads):
    """inf - inf is no score: the true score of item 0 is 0, and all others are below it."""
    root = dtype(np.sqrt(np.finfo(dtype).max) * 3)
    U, V = whole(rng, (300, 8), dtype), whole(rng, (100, 8), dtype)
    V[7, :2] = root, -root
    U[200, :2] = U[250, :2] = root
    with pytest.raises(NumericalError, match=r"^row 200 has scores .* beyond the range") as error:
        call(_core.score_topk, U, V, 5, n_threads=n_threads)
    assert error.value.row == 200
    assert ("use float64" in str(error.value)) == (dtype == np.float32)


def test_refusals(rng):
    U, V = whole(rng, (3, 4), np.float32), whole(rng, (60, 4), np.float32)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        call(_core.score_topk, U, V, 0)
    with pytest.raises(ValueError, match=r"queries must have shape \(n_queries, 4\)"):
        call(_core.score_topk, U[:, :3].copy(), V, 2)
    bad = np.array([0, 1, 2, 3], np.int64), np.array([5, 60, 1], np.int32)
    with pytest.raises(ValueError, match=r"exclude holds item 60, outside of \[0, 60\)"):
        call(_core.score_topk, U, V, 2, exclude=bad)
    down = np.array([0, 3, 1, 3], np.int64), np.array([5, 6, 1], np.int32)
    with pytest.raises(ValueError, match=r"allow\.indptr must go from 0 up"):
        call(_core.score_topk, U, V, 2, allow=down)
    with pytest.raises(TypeError):
        call(_core.score_topk, U.astype(np.float64), V, 2)


LONG_LISTS = """
import numpy as np
from aimass_core.retrieval import FactorIndex
n, level = 3_000_000, {level}
index = FactorIndex(np.random.default_rng(0).normal(size=(n, 1)).astype(np.float32))
"""
LONG_CALL = "index.topk(np.full((4, 1), level, np.float32), n if level else n // 2, n_threads=1)"


@pytest.mark.parametrize(("level", "share"), [(1, 0.3), (1, 0.6), (0, 0.3)])
def test_ctrl_c_within_long_lists(level, share):
    assert stops_within_half_a_second(LONG_LISTS.format(level=level), LONG_CALL, share=share)


def test_codes_of_many_factors_take_little_memory(rng):
    rows = rng.normal(size=(48 * 40, 2048)).astype(np.float32)
    tracemalloc.start()
    _codes(rows, np.linalg.norm(rows, axis=1).astype(np.float64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * rows.nbytes
