"""The check of matrices uses the threads that a call asks for; random rows come in blocks."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ItemKNN, Popularity, kernels, similarity
from aimass_core.base import random, validation
from aimass_core.base.validation import as_csr


@pytest.fixture
def threads(monkeypatch):
    """Return the list of threads of each check, every matrix being large."""
    monkeypatch.setattr(validation, "_MANY_ENTRIES", 1)
    seen = []

    def csr_check(indptr, indices, data, n_cols, n_threads):
        seen.append(n_threads)
        return check(indptr, indices, data, n_cols, n_threads)

    check = kernels.csr_check
    monkeypatch.setattr(kernels, "csr_check", csr_check)
    return seen


@pytest.fixture
def X():
    return sp.random_array(
        (60, 40), density=0.2, format="csr", random_state=np.random.default_rng(0)
    )


def test_threads_are_those_of_the_call(X, threads, monkeypatch):
    as_csr(X, n_threads=3)
    monkeypatch.setenv("AIMASS_NUM_THREADS", "2")
    as_csr(X)
    as_csr(X.tocsc(), n_threads=5)
    assert threads == [3, 2, 5]


def test_models_and_searches_pass_their_threads_on(X, threads, monkeypatch):
    monkeypatch.setenv("AIMASS_NUM_THREADS", "2")
    ItemKNN(n_threads=3).fit(X)
    assert threads[0] == 3
    threads.clear()
    Popularity().fit(X)
    assert threads[0] == 2
    threads.clear()
    similarity.topk(X, k=2, n_threads=4)
    assert threads == [4]


def test_a_small_matrix_is_checked_by_one_thread(X, threads, monkeypatch):
    monkeypatch.setattr(validation, "_MANY_ENTRIES", 10**6)
    as_csr(X, n_threads=7)
    assert threads == [1]


@pytest.mark.parametrize("make", ["csr", "csc", "coo", "unsorted"])
def test_threads_change_nothing(make):
    """Every form is converted to the same bits; entries that stand twice are summed."""
    rng = np.random.default_rng(0)
    n = validation._MANY_ENTRIES + 1000
    rows, columns = rng.integers(0, 3000, n), rng.integers(0, 2000, n)
    X = sp.coo_array((rng.normal(size=n), (rows, columns)), shape=(3000, 2000))
    if make == "unsorted":
        X = X.tocsr(copy=True)
        X.sum_duplicates()
        X.indices, X.data = X.indices[::-1].copy(), X.data[::-1].copy()
        X.indptr = (X.nnz - X.indptr[::-1]).astype(X.indptr.dtype)
        X.has_sorted_indices = False
    elif make != "coo":
        X = X.asformat(make)
    one, several = as_csr(X, n_threads=1), as_csr(X, n_threads=5)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(one, name), getattr(several, name))


def test_errors_name_the_first_bad_entry():
    X = sp.random_array(
        (2000, 2000), density=0.1, format="csr", random_state=np.random.default_rng(0)
    )
    X.data[[1000, 300_000]] = np.nan
    messages = set()
    for n_threads in (1, 4):
        with pytest.raises(ValueError, match="not a finite number") as error:
            as_csr(X, n_threads=n_threads)
        messages.add(str(error.value))
    assert len(messages) == 1


def test_rows_filled_by_blocks_hold_the_values_of_one_call(monkeypatch):
    monkeypatch.setattr(random, "_CHUNK", 10)
    for columns, dtype in ((3, np.float64), (3, np.float32), (25, np.float64), (0, np.float64)):
        rng, whole = np.random.default_rng(5), np.random.default_rng(5)
        out = np.empty((11, columns), dtype)

        def draw(shape, rng=rng, dtype=dtype):
            return rng.standard_normal(shape, dtype)

        random.fill_rows(out, draw)
        np.testing.assert_array_equal(out, whole.standard_normal((11, columns), dtype))
