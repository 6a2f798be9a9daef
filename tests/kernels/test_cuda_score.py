"""Lists by the bodies of the GPU kernels, emulated on the processor; see `test_cuda_similarity`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import reference
from aimass_core.kernels import cuda
from aimass_core.retrieval import FactorIndex

pytestmark = pytest.mark.usefixtures("emulated")
DTYPES = [np.float32, np.float64]


def pattern(n, m, density, seed):
    matrix = sp.random_array((n, m), density=density, random_state=seed, format="csr")
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)


def check(queries, items, biases, k, patterns=(None,) * 4, devices=range(12)):
    expected = reference.score_topk(queries, items, biases, k, *patterns)
    for device in devices:
        there = cuda.items_on_device(items, device)
        lists = cuda.score_topk(queries, there, biases, k, *patterns)
        for mine, theirs in zip(lists, expected, strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 7, 25, 40])
def test_equals_reference(dtype, k):
    rng = np.random.default_rng(7)
    U = rng.integers(-2, 3, (31, 4)).astype(dtype)  # small integers: many ties, exact scores
    V = rng.integers(-2, 3, (25, 4)).astype(dtype)
    biases = rng.integers(0, 2, 25).astype(dtype)
    biases[3] = -np.inf
    seen, allowed = pattern(31, 25, 0.2, 1), pattern(31, 25, 0.5, 2)
    for patterns in (
        (None, None, None, None),
        (*seen, None, None),
        (None, None, *allowed),
        (*seen, *allowed),
    ):
        check(U, V, biases, k, patterns, devices=(0, 4, 8, 11))


@pytest.mark.parametrize("order", ["rising", "falling", "random", "equal"])
def test_many_items_fill_the_lists(order):
    rng = np.random.default_rng(1)
    values = {
        "rising": np.arange(700.0),
        "falling": -np.arange(700.0),
        "random": rng.permutation(700).astype(float),
        "equal": np.zeros(700),
    }[order]
    queries = np.array([[1.0], [-1.0], [0.0]])
    check(queries, values[:, None], None, 5)


def test_scores_that_are_no_numbers_are_no_candidates():
    items = np.array([[1e300], [1.0], [-1.0], [0.0]])
    queries = np.array([[1e300], [-1e300], [0.0]])
    with np.errstate(all="ignore"):
        check(queries, items, np.array([-np.inf, 0, 0, 0]), 4, devices=(1, 5, 9))


@pytest.mark.parametrize("n", [0, 1, 8, 9])
def test_numbers_of_queries_that_do_not_fill_tiles(n):
    rng = np.random.default_rng(2)
    check(rng.integers(-3, 4, (n, 3)).astype(float), np.eye(3), None, 2, devices=(0, 4, 11))


def test_no_items():
    check(np.ones((2, 3)), np.empty((0, 3)), None, 2, devices=(0,))


@pytest.mark.parametrize(("devices", "n_bytes"), [((0, 1, 2), 4_000), ((9, 10, 11), 75_000)])
def test_queries_in_blocks_on_two_streams(emulated, devices, n_bytes):
    rng = np.random.default_rng(3)
    U, V = (rng.integers(-3, 4, (n, 4)).astype(np.float32) for n in (90, 40))
    seen = pattern(90, 40, 0.3, 4)
    emulated.set_free_memory(n_bytes)  # a few queries travel at a time
    check(U, V, None, 3, (*seen, None, None), devices)


def test_what_does_not_fit_is_refused(emulated):
    rng = np.random.default_rng(3)
    V = rng.normal(size=(40, 4))
    emulated.set_free_memory(1_000)
    with pytest.raises(MemoryError, match="an index needs 1 MiB"):
        cuda.items_on_device(V, 0)
    emulated.set_free_memory(2_000)
    items = cuda.items_on_device(V, 0)
    with pytest.raises(MemoryError, match="a block of lists needs 1 MiB"):
        cuda.score_topk(V, items, None, 5)


@pytest.mark.parametrize("metric", ["dot", "cosine"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_lists_of_an_index(metric, dtype):
    rng = np.random.default_rng(1)
    items, queries = (rng.normal(size=(n, 6)).astype(dtype) for n in (80, 50))
    ids = [f"i{n}" for n in range(80)]
    there, here = (FactorIndex(items, metric=metric, ids=ids, device=d) for d in ("cuda:8", "cpu"))
    own = sp.random_array((50, 80), density=0.3, format="csr", random_state=rng)
    own.indices[: own.indptr[1]] = own.indices[: own.indptr[1]][::-1].copy()  # not sorted
    for filters in (
        {},
        {"exclude": own},
        {"candidates": ids[:9]},
        {"candidates": own, "exclude": ids[:3]},
    ):
        lists, expected = (index.topk(queries, 5, **filters) for index in (there, here))
        np.testing.assert_array_equal(lists.indices, expected.indices)
        np.testing.assert_allclose(lists.scores, expected.scores, rtol=1e-5)
    one = there.rank_one(queries[:1], 4, np.array([7, 2], np.int32), 1)
    expected = here.rank_one(queries[:1], 4, np.array([2, 7], np.int32), 1)
    np.testing.assert_array_equal(one[0], expected[0])
