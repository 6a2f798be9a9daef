"""FactorIndex and score_topk: answers, and what is refused with which words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core.data import IdMap, Interactions
from aimass_core.exceptions import NumericalError
from aimass_core.retrieval import FactorIndex, score_topk


def oracle(U, V, k, *, exclude=None, allowed=None, allowed_rows=None, biases=0.0):
    scores = U.astype(np.float64) @ V.astype(np.float64).T + biases
    if exclude is not None:
        scores[exclude.toarray() != 0] = -np.inf
    if allowed is not None:
        scores[:, ~allowed] = -np.inf
    if allowed_rows is not None:
        scores[allowed_rows.toarray() == 0] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    return np.where(best > -np.inf, order, -1), best


def same(got, want):
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_allclose(got[1], want[1], rtol=1e-5)


@pytest.fixture
def factors(rng):
    """20 users and 200 items whose products are exact."""
    return tuple(rng.integers(-8, 9, (n, 6)).astype(np.float32) / 4 for n in (20, 200))


@pytest.fixture
def seen(rng):
    return sp.csr_array((rng.random((20, 200)) < 0.2).astype(np.float32))


# ---- answers ------------------------------------------------------------------------------------


def test_oracle(factors):
    same(score_topk(*factors, 10), oracle(*factors, 10))


def unaligned(a):
    raw = bytearray(a.nbytes + 1)
    out = np.frombuffer(raw, a.dtype, a.size, 1).reshape(a.shape)
    out[:] = a
    return out


FORMS = {
    "big_endian": lambda a: a.astype(">f4"),
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "list": lambda a: a.tolist(),
    "matrix": np.asmatrix,
    "float64": lambda a: a.astype(np.float64),
    "float16": lambda a: a.astype(np.float16),
    "unaligned": unaligned,
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("form", sorted(FORMS))
def test_forms(factors, form):
    given = [FORMS[form](a) for a in factors]
    same(score_topk(*given, 10), oracle(*factors, 10))


def test_readonly_and_mapped_input_is_not_changed(factors, tmp_path):
    U, V = factors
    np.save(tmp_path / "v.npy", V)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    U.flags.writeable = False
    same(score_topk(U, mapped, 10), oracle(U, V, 10))
    same(score_topk(U, V.astype(int), 10), oracle(U, V.astype(int), 10))


def test_mixed_dtypes_give_the_wider(factors):
    U, V = factors
    for a, b in ((U, V.astype(np.float64)), (U.astype(np.float64), V)):
        got = score_topk(a, b, 5)
        assert got[1].dtype == np.float64
        same(got, oracle(U, V, 5))
    index = FactorIndex(V.astype(np.float64))
    same(index.topk(U, 5), oracle(U, V, 5))
    with pytest.raises(TypeError, match="queries are float64, but the items were packed as float3"):
        FactorIndex(V).topk(U.astype(np.float64), 5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filters(factors, seen, rng, dtype):
    U, V = (a.astype(dtype) for a in factors)
    few, many = rng.random(200) < 0.04, rng.random(200) < 0.8
    own = sp.csr_array((rng.random((20, 200)) < 0.1).astype(np.float32))
    for allowed in (None, few, many, np.zeros(200, bool), np.ones(200, bool)):
        for exclude in (None, seen):
            for rows in (None, own):
                filters = {"exclude": exclude, "allowed": allowed, "allowed_rows": rows}
                same(score_topk(U, V, 9, **filters), oracle(U, V, 9, **filters))


def test_filter_forms(factors, seen):
    U, V = factors
    want = oracle(U, V, 9, exclude=seen)
    index = FactorIndex(V)
    zeros = seen.copy()
    zeros.data[:] = 0  # a stored zero is an item that the user has
    places = seen.tocoo()
    ids = {"user_map": IdMap.from_range(20), "item_map": IdMap.from_range(200)}
    interactions = Interactions.from_arrays(places.row, places.col, **ids)
    for exclude in (seen.tocsc(), seen.tocoo(), seen.toarray(), sp.csr_matrix(seen), zeros):
        same(index.topk(U, 9, exclude=exclude), want)
    same(index.topk(U, 9, exclude=interactions), want)
    ids = seen[[3]].indices
    same(index.topk(U[3:4], 9, exclude=ids), tuple(a[3:4] for a in want))
    nothing = sp.csr_array((20, 200), dtype=np.float32)
    same(index.topk(U, 9, exclude=nothing), oracle(U, V, 9))
    same(index.topk(U[:1], 9, exclude=[]), oracle(U[:1], V, 9))


def test_everything_filtered(factors):
    indices, scores = score_topk(*factors, 3, exclude=np.ones((20, 200)))
    assert (indices == -1).all()
    assert np.isneginf(scores).all()


def test_biases(factors, rng):
    U, V = factors
    biases = rng.integers(-9, 10, 200) / 2
    same(score_topk(U, V, 7, item_biases=biases), oracle(U, V, 7, biases=biases))
    same(score_topk(U[:, :0], V[:, :0], 7, item_biases=biases),
         oracle(U[:, :0], V[:, :0], 7, biases=biases))  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cosine(rng, dtype):
    V = rng.standard_normal((300, 12)).astype(dtype)
    V[17] = 0
    V[18] *= dtype(1e-25)
    indices, scores = FactorIndex(V, metric="cosine").topk(V, 2)
    unit = V.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1), 1e-300)[:, None]
    np.testing.assert_allclose(scores, oracle(unit, unit, 2)[1], atol=1e-6)
    others = np.arange(300) != 17
    np.testing.assert_array_equal(indices[others, 0], np.flatnonzero(others))
    np.testing.assert_allclose(scores[others, 0], 1, rtol=1e-6)
    assert scores[17, 0] == 0


def test_blocks_are_the_whole(factors, seen):
    index = FactorIndex(factors[1])
    whole = index.topk(factors[0], 4, exclude=seen)
    parts = list(index.topk_blocks(factors[0], 4, exclude=seen, block_size=7))
    assert [p[0] for p in parts] == [slice(0, 7), slice(7, 14), slice(14, 20)]
    for i in (0, 1):
        np.testing.assert_array_equal(np.concatenate([p[i + 1] for p in parts]), whole[i])
    assert list(index.topk_blocks(factors[0][:0], 4)) == []


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ties(n_threads):
    ones = np.ones((3, 4), np.float32)
    indices, _ = score_topk(ones, np.ones((1000, 4)), 5, n_threads=n_threads)
    np.testing.assert_array_equal(indices, [[0, 1, 2, 3, 4]] * 3)
    V = np.ones((400, 1), np.float32)
    V[[7, 390]] = 2
    indices, _ = score_topk(ones[:, :1], V, 4, n_threads=n_threads)
    np.testing.assert_array_equal(indices, [[7, 390, 0, 1]] * 3)
    V = np.zeros((90, 1), np.float32)
    V[::2] = -0.0
    indices, _ = score_topk(ones[:, :1], V, 6, n_threads=n_threads)
    np.testing.assert_array_equal(indices, [np.arange(6)] * 3)


def test_low_scores_come_back(factors):
    U, V = np.abs(factors[0]) + 1, -np.abs(factors[1]) - 1
    same(score_topk(U, V, 10), oracle(U, V, 10))
    indices, _ = score_topk(np.float32([[1e19]]), np.full((60, 1), -1e19, np.float32), 3)
    np.testing.assert_array_equal(indices, [[0, 1, 2]])


def test_scores_beyond_the_range_are_refused(factors):
    """Of these items, number 0 has the true score 0, and float32 makes it inf - inf."""
    U, V = (np.array(side[:, :2], np.float32) for side in factors)
    V[0], U[3] = (1e25, -1e25), (1e25, 1e25)
    index = FactorIndex(V)
    with pytest.raises(NumericalError, match=r"^query 3 has scores .* use float64") as error:
        index.topk(U, 3)
    assert error.value.row == 3
    with pytest.raises(NumericalError, match=r"^query 3 has"):
        list(index.topk_blocks(U, 3, block_size=2))
    same(score_topk(U.astype(np.float64), V, 3), oracle(U.astype(np.float64), V, 3))


@pytest.mark.parametrize("shape", [(0, 50, 4), (5, 0, 4), (5, 50, 0), (1, 1, 1)])
def test_small_shapes(shape):
    n, m, f = shape
    indices, scores = score_topk(np.ones((n, f)), np.ones((m, f)), 3)
    assert indices.shape == scores.shape == (n, min(3, m))
    np.testing.assert_array_equal(indices, np.tile(np.arange(min(3, m)), (n, 1)))


def test_large_k_allocates_little(factors):
    tracemalloc.start()
    for k in (200, 500, 2**40):
        same(score_topk(*factors, k), oracle(*factors, 200))
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_several_python_threads(factors):
    index, want = FactorIndex(factors[1]), oracle(*factors, 5)
    failures = []

    def ask():
        for _ in range(50):
            if not (index.topk(factors[0], 5, n_threads=2)[0] == want[0]).all():
                failures.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


# ---- refusals -----------------------------------------------------------------------------------


def test_bad_factors(factors):
    U, V = factors
    with pytest.raises(TypeError, match="item_factors must hold real numbers, got dtype object"):
        score_topk(U, V.astype(object), 3)
    with pytest.raises(TypeError, match="item_factors must be a 2-D array of numbers"):
        score_topk(U, sp.csr_array(V), 3)
    with pytest.raises(ValueError, match=r"item_factors must be 2-D \(rows x factors\), got 1-D"):
        score_topk(U, V[:, 0], 3)
    with pytest.raises(ValueError, match="user_factors has 5 factors, but the items have 6"):
        score_topk(U[:, :5], V, 3)
    for value in (np.nan, np.inf):
        bad = V.copy()
        bad[7, 2] = value
        with pytest.raises(ValueError, match="item_factors row 7 holds nan or inf"):
            score_topk(U, bad, 3)
    U[3] = np.nan
    with pytest.raises(ValueError, match="user_factors row 3 holds nan or inf"):
        score_topk(U, V, 3)
    with pytest.raises(ValueError, match="unequal lengths"):
        FactorIndex([[1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match="metric must be one of dot, cosine, got 'cos'"):
        FactorIndex(V, metric="cos")


def test_bad_biases(factors):
    V = factors[1]
    with pytest.raises(ValueError, match=r"item_biases must have shape \(200,\), got \(3,\)"):
        FactorIndex(V, [1, 2, 3])
    with pytest.raises(ValueError, match="item_biases hold nan, inf"):
        FactorIndex(V, np.full(200, 1e200))
    with pytest.raises(TypeError, match="item_biases must be real numbers"):
        FactorIndex(V, ["a"] * 200)
    with pytest.raises(ValueError, match="no meaning with metric='cosine'"):
        FactorIndex(V, np.zeros(200), metric="cosine")


@pytest.mark.parametrize(
    ("k", "error"), [(0, ValueError), (-1, ValueError), (2.5, TypeError), (None, TypeError)]
)
def test_bad_k(factors, k, error):
    with pytest.raises(error, match="k must be"):
        score_topk(*factors, k)


def test_bad_n_threads(factors):
    for n in (0, -1):
        with pytest.raises(ValueError, match="n_threads must be at least 1"):
            score_topk(*factors, 3, n_threads=n)
    same(score_topk(*factors, 3, n_threads=10**6), oracle(*factors, 3))


def broken(seen, **parts):
    for name, value in parts.items():
        setattr(seen, name, value)
    return seen


@pytest.mark.filterwarnings("ignore:Constructing a DIA matrix")
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia", "dense", "ids"])
def test_blocks_take_the_filters_that_topk_takes(factors, seen, form):
    index, U = FactorIndex(factors[1]), factors[0]
    lists = {"dense": seen.toarray, "ids": lambda: Interactions.from_csr(seen)}.get(
        form, lambda: seen.asformat(form)
    )()
    allowed = np.arange(200) % 3 > 0
    for name in ("exclude", "allowed_rows"):
        want = index.topk(U, 4, **{name: seen}, allowed=allowed)
        for rows, *found in index.topk_blocks(
            U, 4, **{name: lists}, allowed=allowed, block_size=7
        ):  # fmt: skip
            for a, b in zip(found, want, strict=True):
                np.testing.assert_array_equal(a, b[rows])
    ((_, one, _),) = index.topk_blocks(U[:1], 4, exclude=[5, 9])
    np.testing.assert_array_equal(one, index.topk(U[:1], 4, exclude=[5, 9])[0])


def test_unsorted_lists_of_a_large_catalogue(rng):
    V, U = rng.standard_normal((50_000, 4)), rng.standard_normal((3, 4))
    seen = np.concatenate([rng.permutation(50_000)[:20_000] for _ in range(3)]).astype(np.int32)
    lists = sp.csr_array((np.ones(60_000), seen, np.arange(4) * 20_000), shape=(3, 50_000))
    index = FactorIndex(V)
    found, _ = index.topk(U, 40, exclude=lists)
    np.testing.assert_array_equal(found, index.topk(U, 40, exclude=lists.sorted_indices())[0])


def test_bad_filters(factors, seen):
    index, U = FactorIndex(factors[1]), factors[0]
    with pytest.raises(ValueError, match=r"exclude must have shape \(20, 200\)"):
        index.topk(U, 3, exclude=seen[:19])
    with pytest.raises(ValueError, match=r"allowed_rows must have shape \(20, 200\)"):
        index.topk(U, 3, allowed_rows=seen.T)
    far = seen.indices.copy()
    far[5] = 2**31 - 1
    with pytest.raises(ValueError, match="exclude holds item 2147483647, outside of"):
        index.topk(U, 3, exclude=broken(seen.copy(), indices=far))
    with pytest.raises(ValueError, match="20 rows need 21 indptr entries, got 20"):
        index.topk(U, 3, exclude=broken(seen.copy(), indptr=seen.indptr[:-1]))
    down = seen.indptr.copy()
    down[4] = -3
    with pytest.raises(ValueError, match=r"exclude\.indptr must go from 0 up"):
        index.topk(U, 3, exclude=broken(seen.copy(), indptr=down))
    with pytest.raises(TypeError, match="exclude must be whole numbers of items"):
        index.topk(U[:1], 3, exclude=[1.5])
    with pytest.raises(ValueError, match="exclude holds item 200, outside of"):
        index.topk(U[:1], 3, exclude=[200])
    with pytest.raises(ValueError, match="out of range"):
        index.topk(U[:1], 3, exclude=np.array([2**63 + 1], np.uint64))
    with pytest.raises(TypeError, match="masked"):
        FactorIndex(np.ma.masked_less(factors[1], 0))
    with pytest.raises(TypeError, match="exclude must be a sparse matrix"):
        index.topk(U, 3, exclude=[1, 2])
    with pytest.raises(TypeError, match="allowed must be a boolean array"):
        index.topk(U, 3, allowed=[1, 2])
    with pytest.raises(ValueError, match="one flag for each of the 200 items"):
        index.topk(U, 3, allowed=np.ones(5, bool))


INTERRUPTED = """
import numpy as np, os, signal, threading, time
from aimass_core.retrieval import FactorIndex
rng = np.random.default_rng(0)
index = FactorIndex(rng.standard_normal((20000, 128)).astype(np.float32))
queries = rng.standard_normal((400000, 128)).astype(np.float32)
times = []
def press():
    times.append(time.perf_counter()); os.kill(os.getpid(), signal.SIGINT)
threading.Timer(0.5, press).start()
try:
    index.topk(queries, 10, n_threads=2)
except KeyboardInterrupt:
    print(time.perf_counter() - times[0])
"""


def test_ctrl_c():
    out = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=True
    ).stdout
    assert float(out.split()[-1]) < 0.5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_after_fork(factors):
    index = FactorIndex(factors[1])
    want, _ = index.topk(factors[0], 5, n_threads=2)
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        got, _ = index.topk(factors[0], 5, n_threads=2)
        os._exit(0 if (got == want).all() else 1)
    assert os.waitpid(pid, 0)[1] == 0
