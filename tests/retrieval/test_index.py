"""FactorIndex and score_topk: answers, and what is refused with which words."""

from __future__ import annotations

import os
import signal
import threading
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from _interrupts import stops_within_half_a_second

from aimass_core.data import IdMap, Interactions
from aimass_core.exceptions import NumericalError
from aimass_core.retrieval import FactorIndex, score_topk


def oracle(U, V, k, *, exclude=None, candidates=None, biases=0.0):
    scores = U.astype(np.float64) @ V.astype(np.float64).T + biases
    if exclude is not None:
        scores[exclude.toarray() != 0] = -np.inf
    if sp.issparse(candidates):
        scores[candidates.toarray() == 0] = -np.inf
    elif candidates is not None:
        scores[:, ~candidates] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    return np.where(best > -np.inf, order, -1), best


def same(lists, want):
    np.testing.assert_array_equal(lists.indices, want[0])
    np.testing.assert_allclose(lists.scores, want[1], rtol=1e-5)


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
        lists = score_topk(a, b, 5)
        assert lists.scores.dtype == np.float64
        same(lists, oracle(U, V, 5))
    index = FactorIndex(V.astype(np.float64))
    same(index.topk(U, 5), oracle(U, V, 5))
    with pytest.raises(TypeError, match="queries are float64, but the items were packed as float3"):
        FactorIndex(V).topk(U.astype(np.float64), 5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filters(factors, seen, rng, dtype):
    U, V = (a.astype(dtype) for a in factors)
    few, many = rng.random(200) < 0.04, rng.random(200) < 0.8
    own = sp.csr_array((rng.random((20, 200)) < 0.1).astype(np.float32))
    for candidates in (None, few, many, np.zeros(200, bool), np.ones(200, bool), own):
        for exclude in (None, seen):
            filters = {"exclude": exclude, "candidates": candidates}
            same(score_topk(U, V, 9, **filters), oracle(U, V, 9, **filters))
    denied = np.flatnonzero(~many)  # a collection of ids, beside lists of each query
    both = own.toarray() * many
    same(
        score_topk(U, V, 9, candidates=own, exclude=denied),
        oracle(U, V, 9, candidates=sp.csr_array(both)),
    )


def test_filter_forms(factors, seen):
    U, V = factors
    want = oracle(U, V, 9, exclude=seen)
    index = FactorIndex(V)
    zeros = seen.copy()
    zeros.data[:] = 0  # a stored zero is an item that the user has
    flags = seen.toarray() != 0
    mapping = {row: np.flatnonzero(flags[row]) for row in range(20)}
    for exclude in (seen.tocsc(), seen.tocoo(), flags, sp.csr_matrix(seen), zeros, mapping):
        same(index.topk(U, 9, exclude=exclude), want)
    ids = seen[[3]].indices
    for collection in (ids, ids.tolist(), set(ids.tolist()), (i for i in ids.tolist())):
        same(index.topk(U[3:4], 9, exclude=collection), tuple(a[3:4] for a in want))
    nothing = sp.csr_array((20, 200), dtype=np.float32)
    same(index.topk(U, 9, exclude=nothing), oracle(U, V, 9))
    same(index.topk(U[:1], 9, exclude=[]), oracle(U[:1], V, 9))


def test_everything_filtered(factors):
    lists = score_topk(*factors, 3, exclude=np.ones((20, 200), bool))
    assert (lists.indices == -1).all()
    assert np.isneginf(lists.scores).all()
    assert [items for items, _ in lists] == [[]] * 20


def test_ids(factors, seen):
    U, V = factors
    names = np.array([f"item-{n}" for n in range(200)][::-1])
    users = np.array([f"user-{n}" for n in range(20)])
    plain = FactorIndex(V).topk(U, 4, exclude=seen)
    index = FactorIndex(V, ids=names)
    lists = index.topk(U, 4, exclude=seen, query_ids=users)
    np.testing.assert_array_equal(lists.indices, plain.indices)
    np.testing.assert_array_equal(lists.ids, names[plain.indices])
    assert lists.queries.tolist() == users.tolist()
    assert lists.to_dict()["user"][:5] == ["user-0"] * 4 + ["user-1"]
    some = index.topk(U, 2, candidates=["item-3", "item-5", "unknown"])
    assert set(some.ids.ravel()) == {"item-3", "item-5"}
    pairs = Interactions.from_csr(seen, users=users, items=names)
    by_id = {users[3]: {"item-3", "item-9"}, "stranger": ["item-1"]}
    same = index.topk(U, 4, exclude=pairs, query_ids=users)
    np.testing.assert_array_equal(same.indices, plain.indices)
    own = index.topk(U, 4, candidates=by_id, query_ids=users)
    assert own.lengths.tolist() == [0] * 3 + [2] + [0] * 16
    blocks = list(index.topk_blocks(U, 4, candidates=by_id, query_ids=users, block_size=3))
    np.testing.assert_array_equal(np.concatenate([b.indices for b in blocks]), own.indices)
    assert np.concatenate([b.queries for b in blocks]).tolist() == users.tolist()
    known = IdMap.from_values(["a", "b"])[0]
    assert FactorIndex(V[:2], ids=known).ids is known
    for ids, message in ((names[:5], "one id for each of the 200 rows"), (["a"] * 200, "distinct")):
        with pytest.raises(ValueError, match=message):
            FactorIndex(V, ids=ids)
    with pytest.raises(ValueError, match=r"query_ids must have shape \(20,\)"):
        index.topk(U, 4, query_ids=users[:3])
    with pytest.raises(TypeError, match="has no ids"):
        FactorIndex(V).topk(U, 4, exclude=pairs)


def test_biases(factors, rng):
    U, V = factors
    biases = rng.integers(-9, 10, 200) / 2
    same(score_topk(U, V, 7, item_biases=biases), oracle(U, V, 7, biases=biases))
    same(
        score_topk(U[:, :0], V[:, :0], 7, item_biases=biases),
        oracle(U[:, :0], V[:, :0], 7, biases=biases),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cosine(rng, dtype):
    V = rng.standard_normal((300, 12)).astype(dtype)
    V[17] = 0
    V[18] *= dtype(1e-25)
    lists = FactorIndex(V, metric="cosine").topk(V, 2)
    indices, scores = lists.indices, lists.scores
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
    assert [len(part) for part in parts] == [7, 7, 6]
    for name in ("queries", "indices", "scores"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    assert list(index.topk_blocks(factors[0][:0], 4)) == []


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ties(n_threads):
    ones = np.ones((3, 4), np.float32)
    indices = score_topk(ones, np.ones((1000, 4)), 5, n_threads=n_threads).indices
    np.testing.assert_array_equal(indices, [[0, 1, 2, 3, 4]] * 3)
    V = np.ones((400, 1), np.float32)
    V[[7, 390]] = 2
    indices = score_topk(ones[:, :1], V, 4, n_threads=n_threads).indices
    np.testing.assert_array_equal(indices, [[7, 390, 0, 1]] * 3)
    V = np.zeros((90, 1), np.float32)
    V[::2] = -0.0
    indices = score_topk(ones[:, :1], V, 6, n_threads=n_threads).indices
    np.testing.assert_array_equal(indices, [np.arange(6)] * 3)


def test_low_scores_come_back(factors):
    U, V = np.abs(factors[0]) + 1, -np.abs(factors[1]) - 1
    same(score_topk(U, V, 10), oracle(U, V, 10))
    lists = score_topk(np.float32([[1e18]]), np.full((60, 1), -1e19, np.float32), 3)
    np.testing.assert_array_equal(lists.indices, [[0, 1, 2]])


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e25), (np.float64, 1e180)])
def test_products_beyond_the_range_are_refused(dtype, size):
    items = size * np.array([[1, -1], [1, 1], [-1, -1], [1 / size, 1 / size]], dtype)
    index = FactorIndex(items)
    queries = np.array([[1, 1], [size, size]], dtype)
    assert index.topk(queries[:1], 1).indices.tolist() == [[1]]
    with pytest.raises(NumericalError, match=r"^query 1 has scores") as error:
        index.topk(queries, 4)
    assert error.value.row == 1
    with pytest.raises(NumericalError, match=r"^query 1 has scores"):
        list(index.topk_blocks(queries, 4, block_size=1))
    if dtype == np.float32:
        wide = FactorIndex(items.astype(np.float64)).topk(queries.astype(np.float64), 4)
        assert wide.indices[1].tolist() == [1, 3, 0, 2]
    assert FactorIndex(items, metric="cosine").topk(queries, 1).indices.tolist() == [[1], [1]]


@pytest.mark.parametrize("shape", [(0, 50, 4), (5, 0, 4), (5, 50, 0), (1, 1, 1)])
def test_small_shapes(shape):
    n, m, f = shape
    lists = score_topk(np.ones((n, f)), np.ones((m, f)), 3)
    assert lists.indices.shape == lists.scores.shape == (n, min(3, m))
    np.testing.assert_array_equal(lists.indices, np.tile(np.arange(min(3, m)), (n, 1)))


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
            if not (index.topk(factors[0], 5, n_threads=2).indices == want[0]).all():
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
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia", "flags"])
def test_blocks_take_the_filters_that_topk_takes(factors, seen, form):
    index, U = FactorIndex(factors[1]), factors[0]
    lists = seen.toarray() != 0 if form == "flags" else seen.asformat(form)
    mask = np.arange(200) % 3 > 0
    for name, other in (("exclude", "candidates"), ("candidates", "exclude")):
        want = index.topk(U, 4, **{name: seen, other: mask})
        blocks = list(index.topk_blocks(U, 4, **{name: lists, other: mask}, block_size=7))
        for part in ("indices", "scores"):
            joined = np.concatenate([getattr(block, part) for block in blocks])
            np.testing.assert_array_equal(joined, getattr(want, part))
    (one,) = index.topk_blocks(U[:1], 4, exclude=[5, 9])
    np.testing.assert_array_equal(one.indices, index.topk(U[:1], 4, exclude=[5, 9]).indices)


def test_unsorted_lists_of_a_large_catalogue(rng):
    V, U = rng.standard_normal((50_000, 4)), rng.standard_normal((3, 4))
    seen = np.concatenate([rng.permutation(50_000)[:20_000] for _ in range(3)]).astype(np.int32)
    lists = sp.csr_array((np.ones(60_000), seen, np.arange(4) * 20_000), shape=(3, 50_000))
    index = FactorIndex(V)
    found = index.topk(U, 40, exclude=lists).indices
    want = index.topk(U, 40, exclude=lists.sorted_indices()).indices
    np.testing.assert_array_equal(found, want)


def test_bad_filters(factors, seen):
    index, U = FactorIndex(factors[1]), factors[0]
    with pytest.raises(ValueError, match=r"exclude must have shape \(20, 200\)"):
        index.topk(U, 3, exclude=seen[:19])
    with pytest.raises(ValueError, match=r"candidates must have shape \(20, 200\)"):
        index.topk(U, 3, candidates=seen.T)
    far = seen.indices.copy()
    far[5] = 2**31 - 1
    with pytest.raises(ValueError, match="has index 2147483647, outside of"):
        index.topk(U, 3, exclude=broken(seen.copy(), indices=far))
    with pytest.raises(ValueError, match="exclude is not a valid sparse matrix"):
        index.topk(U, 3, exclude=broken(seen.copy(), indptr=seen.indptr[:-1]))
    down = seen.indptr.copy()
    down[4] = -3
    with pytest.raises(ValueError, match="its indptr does not go from 0 up"):
        index.topk(U, 3, exclude=broken(seen.copy(), indptr=down))
    for wrong in ([1.5], seen.toarray(), ["tea"]):
        with pytest.raises(TypeError, match="exclude must hold whole numbers"):
            index.topk(U, 3, exclude=wrong)
    plain = index.topk(U, 3).indices
    for strangers in ([200], [-1], np.array([2**63 + 1], np.uint64)):
        np.testing.assert_array_equal(index.topk(U, 3, exclude=strangers).indices, plain)
    with pytest.raises(TypeError, match="masked"):
        FactorIndex(np.ma.masked_less(factors[1], 0))
    with pytest.raises(
        ValueError, match=r"candidates as an array of bool must have shape \(200,\)"
    ):
        index.topk(U, 3, candidates=np.ones(5, bool))


MANY_QUERIES = """
import numpy as np
from aimass_core.retrieval import FactorIndex
rng = np.random.default_rng(0)
index = FactorIndex(rng.standard_normal((20000, 128)).astype(np.float32))
queries = rng.standard_normal((400000, 128)).astype(np.float32)
"""


def test_ctrl_c():
    assert stops_within_half_a_second(
        MANY_QUERIES, "index.topk(queries, 10, n_threads=2)", wait=0.5
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_after_fork(factors):
    index = FactorIndex(factors[1])
    want = index.topk(factors[0], 5, n_threads=2).indices
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        got = index.topk(factors[0], 5, n_threads=2).indices
        os._exit(0 if (got == want).all() else 1)
    assert os.waitpid(pid, 0)[1] == 0
