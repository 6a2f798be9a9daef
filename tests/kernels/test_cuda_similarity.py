"""The bodies of the kernels for GPUs, run on the processor, against the references.

The module ``_cuda_emulated`` is built by ``make cuda``, with the same bodies and the same binding
as ``_cuda``. Its devices differ in the number of threads of a block and in their order.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _similarity import DTYPES, FORMULAS, PLAIN, check_row, csr, options, parts, rtol_of, skewed

from aimass_core import ItemKNN, UserKNN, similarity
from aimass_core.kernels import cuda
from aimass_core.reference import gram_topk as reference

N_DEVICES = 12
pytestmark = pytest.mark.usefixtures("emulated")


def call(kernel, matrix, k, **arguments):
    names = {"p": None, "q": None, "row_scale": None, "col_scale": None, **PLAIN, **arguments}
    return kernel(*parts(matrix), n_cols=matrix.shape[1], k=k, **names)


def check(matrix, k, devices=range(N_DEVICES), **arguments):
    everything = call(reference, matrix, matrix.shape[1] + 1, n_threads=1, **arguments)
    first = None
    for device in devices:
        lists = call(cuda.gram_topk, matrix, k, device=device, **arguments)
        if first is None:
            first = lists
            indptr, indices, scores = lists
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
        for one, other in zip(first, lists, strict=True):  # any order of threads: the same bits
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize("formula", FORMULAS)
def test_equals_reference(formula, post, dtype):
    binary = formula in ("llr", "pmi", "npmi")
    matrix = skewed(90, 50, 0.15, dtype, seed=3, binary=binary)
    check(matrix, 7, **options(formula, dtype, 50, 50, seed=4, post=post))


@pytest.mark.parametrize("k", [1, 3, 49, 50, 200])
def test_lengths(k):
    check(skewed(60, 50, 0.2, np.float32, seed=5), k)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scales(dtype):
    rng = np.random.default_rng(0)
    matrix = skewed(40, 30, 0.3, dtype, seed=6)
    scales = {"row_scale": rng.random(40).astype(dtype), "col_scale": rng.random(30).astype(dtype)}
    check(matrix, 5, **scales)


def test_ties_are_by_column():
    matrix = csr(sp.csr_array(np.ones((3, 300), np.float32)))
    indptr, indices, scores = call(cuda.gram_topk, matrix, 4, device=11)
    assert indices[indptr[0] : indptr[1]].tolist() == [1, 2, 3, 4]
    assert indices[indptr[299] : indptr[300]].tolist() == [0, 1, 2, 3]
    assert set(scores.tolist()) == {3.0}
    check(matrix, 4, devices=(0, 5, 11))


@pytest.mark.parametrize("value", [-1.0, 1e-15, 2.0**40])
def test_extreme_values(value):
    rng = np.random.default_rng(1)
    dense = np.where(rng.random((20, 15)) < 0.3, rng.choice([value, -value], (20, 15)), 0)
    check(csr(sp.csr_array(dense.astype(np.float32))), 4)


def test_empty_rows_and_columns():
    dense = np.zeros((6, 5), np.float64)
    dense[2, [1, 4]] = 1
    check(csr(sp.csr_array(dense)), 3)
    for shape in ((0, 4), (4, 0)):
        matrix = csr(sp.csr_array(shape, dtype=np.float32))
        assert len(call(cuda.gram_topk, matrix, 2, device=0)[1]) == 0


@pytest.mark.parametrize("measure", ["cosine", "jaccard", "pearson", "p3alpha", "msd", "lift"])
def test_similarity_on_a_device(measure):
    X = abs(skewed(40, 30, 0.2, np.float32, seed=7))
    there = similarity.topk(X, measure=measure, k=6, device="cuda:10")
    here = similarity.topk(X, measure=measure, k=6)
    np.testing.assert_allclose(there.toarray(), here.toarray(), rtol=1e-4, atol=1e-6)


def test_what_a_device_does_not_do():
    X = skewed(10, 8, 0.4, np.float32, seed=8)
    with pytest.raises(ValueError, match="compares the rows of one matrix"):
        similarity.topk(X, X, device="cuda")
    with pytest.raises(ValueError, match="device must be 'cpu', 'cuda'"):
        similarity.topk(X, device="gpu")
    with pytest.raises(RuntimeError, match="there is no device 99"):
        similarity.topk(X, device="cuda:99")
    with pytest.raises(ValueError, match="a function as measure runs on the processor only"):
        call(cuda.gram_topk, X, 2, device=0, formula="custom", function=1)
    assert cuda.device_info(0)["n_multiprocessors"] >= 1


def test_what_does_not_fit_is_refused(emulated):
    X = skewed(40, 30, 0.2, np.float32, seed=7)
    emulated.set_free_memory(5_000)
    with pytest.raises(MemoryError, match=r"similarity needs 1 MiB .* where 0 MiB are free"):
        call(cuda.gram_topk, X, 3, device=0)
    emulated.set_free_memory(40_000)  # fewer blocks of threads
    check(X, 3)


@pytest.mark.parametrize("model", [ItemKNN, UserKNN])
def test_neighbors_on_a_device(model):
    X = abs(skewed(40, 30, 0.2, np.float32, seed=7))
    there, here = (model(n_neighbors=6, device=d).fit(X) for d in ("cuda:10", "cpu"))
    np.testing.assert_allclose(
        there.similarity_.toarray(), here.similarity_.toarray(), rtol=1e-4, atol=1e-6
    )
    with pytest.raises(ValueError, match="is for ranking"):
        model(aggregation="mean", device="cuda").fit(X)


def test_the_arguments_are_checked(emulated):
    X = skewed(10, 8, 0.4, np.float32, seed=9)
    arguments = {"k": 2, "p": None, "q": None, "device": 0, "n_threads": 1, **PLAIN}
    with pytest.raises(ValueError, match="not the transpose of its matrix"):
        emulated.gram_topk(*parts(X), *parts(csr(sp.csr_array(X[:9].T))), **arguments)
    with pytest.raises(ValueError, match="k must be at least 1"):
        emulated.gram_topk(*parts(X), *parts(csr(sp.csr_array(X.T))), **arguments | {"k": 0})
