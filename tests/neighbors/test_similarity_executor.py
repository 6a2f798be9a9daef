"""Similar rows on an executor: the same bits for any number of workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import similarity
from aimass_core.similarity import _search


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch):
    monkeypatch.setattr(_search, "_RANGE_NNZ", 60)


@pytest.fixture
def X(rng):
    X = sp.random_array((130, 70), density=0.15, random_state=rng, format="csr", dtype=np.float32)
    X.data = rng.integers(1, 6, X.nnz).astype(np.float32)
    return X


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("measure", similarity.measures())
def test_the_same_for_any_number_of_workers(X, measure, dtype):
    X = X.astype(dtype)
    options = {"midpoint": 3.0} if measure == "constrained_pearson" else {}
    options |= {"measure": measure, "k": 6}
    local = similarity.topk(X, **options)
    found = []
    for n_workers in (1, 2, 3, 8):
        with ThreadPoolExecutor(n_workers) as pool:
            found.append(similarity.topk(X, executor=pool, **options))
    for one in found[1:]:
        np.testing.assert_array_equal(one.indptr, found[0].indptr)
        np.testing.assert_array_equal(one.indices, found[0].indices)
        np.testing.assert_array_equal(one.data, found[0].data)
    assert found[0].dtype == local.dtype
    assert not found[0].diagonal().any()
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    best = (np.sort(one.toarray(), axis=1)[:, -6:] for one in (found[0], local))
    np.testing.assert_allclose(*best, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("measure", ["cosine", "jaccard", "pearson_baseline", "rp3beta"])
def test_two_matrices_have_the_bits_of_one_process(X, measure):
    Y = X[20:90]
    expected = similarity.topk(X, Y, measure=measure, k=9, sort_by="score")
    with ThreadPoolExecutor(3) as pool:
        found = similarity.topk(X, Y, measure=measure, k=9, sort_by="score", executor=pool)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.data, expected.data)


def test_processes_and_place(X, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        expected = similarity.topk(X, executor=pool)
    found = similarity.topk(X, executor="processes:2", place=tmp_path)
    np.testing.assert_array_equal(found.data, expected.data)
    assert list(tmp_path.iterdir()) == []


def test_a_function_stays_in_this_process(X):
    import numba

    @numba.njit
    def dot(d, n, a, b, x, y):  # pragma: no cover
        return d

    with ThreadPoolExecutor(1) as pool, pytest.raises(TypeError, match="needs a named measure"):
        similarity.topk(X, measure=dot, executor=pool)
