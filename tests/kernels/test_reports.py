"""Kernels with the argument ``report`` tell what is complete while they run."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
from _similarity import PLAIN, csr, parts
from _slow_measure import SLOW

from aimass_core import _core
from aimass_core.base.csr import transpose

SLOWLY = {**PLAIN, "formula": "custom", "function": SLOW}


def dense(n_rows, n_cols, seed=0):
    """A sparse matrix that stores each of its values: whole numbers, so that sums are exact."""
    values = np.random.default_rng(seed).integers(1, 6, (n_rows, n_cols))
    return csr(sp.csr_array(values.astype(np.float64)))


def gram_topk(n, **run):
    """Each column has enough entries for some tasks, each pair takes a millisecond."""
    X = dense(200, n)
    return _core.gram_topk(*parts(X), n, 5, None, None, p=np.ones(n), q=np.ones(n), **SLOWLY, **run)


def spgemm_topk(n, **run):
    X = dense(10 * n, n)
    score = SLOWLY | {"p": np.ones(10 * n), "q": np.ones(n)}
    return _core.spgemm_topk(*parts(X), *parts(dense(n, n)), n, 5, None, None, None, **score, **run)


def knn_predict(n, **run):
    X = dense(n, n)
    every = np.arange(n, dtype=np.int32)
    return _core.knn_predict(
        *parts(X), *parts(transpose(X, 1)), *parts(X), *parts(transpose(X, 1)),
        np.repeat(every, 8), np.tile(every[:8], n), 5, 1, True,
        **SLOWLY | {"p": np.ones(n), "q": np.ones(n)}, **run,
    )  # fmt: skip


def gram_matrix(n, **run):
    return _core.gram_matrix(*parts(dense(n, n)), n, **run)


def spd_inverse(n, **run):
    a = np.eye(n) * n + 1
    _core.spd_inverse(a, **run)
    return a


def slim(kernel, n, **run):
    X = dense(2 * n, n)
    first = (_core.gram_matrix(*parts(X), n, 1),)
    if kernel is _core.slim_sparse:
        first = (*parts(X), *parts(transpose(X, 1)))
    none = (None,) * 5
    ridge, targets = np.full(n, 0.1), np.arange(n, dtype=np.int32)
    return kernel(*first, ridge, targets, *none, 0.5, True, n, 1e-9, 50, **run)


def slim_dense(n, **run):
    return slim(_core.slim_dense, n, **run)


def slim_sparse(n, **run):
    return slim(_core.slim_sparse, n, **run)


def ridge_lists(n, **run):
    X = dense(n, n)
    width = min(n - 1, 60)
    lists = (np.arange(n)[:, None] + 1 + np.arange(width)).ravel() % n
    return _core.ridge_lists(
        *parts(transpose(X, 1)), n, None, np.full(n, 1.0), np.arange(n, dtype=np.int32),
        np.arange(0, n * width + 1, width), lists.astype(np.int32), width, **run,
    )  # fmt: skip


CALLS = [
    gram_topk,
    spgemm_topk,
    knn_predict,
    gram_matrix,
    spd_inverse,
    slim_dense,
    slim_sparse,
    ridge_lists,
]


def as_arrays(result):
    return result if isinstance(result, tuple) else (result,)


def test_all_kernels_that_report_are_here():
    with_report = {
        name
        for name in dir(_core)
        if "report: object = None" in (inspect.getdoc(getattr(_core, name)) or "")
    }
    assert with_report == {call.__name__ for call in CALLS}


def call_until(has_reported, call, **run):
    """Return the result of the first call that takes long enough for a report, and its size."""
    n = 30
    while not has_reported:
        n = n * 3 // 2
        got = call(n, **run)
    return got, n


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_reports_rise_to_the_total_and_change_nothing(call, n_threads):
    reports = []

    def report(done, total):
        reports.append((done, total))

    got, n = call_until(reports, call, n_threads=n_threads, report=report)
    done, total = np.array(reports).T
    assert (np.diff(done) >= 0).all()
    assert len(set(total.tolist())) == 1
    assert done[0] >= 0
    assert done[-1] <= total[0]
    for mine, plain in zip(as_arrays(got), as_arrays(call(n, n_threads=1))):
        np.testing.assert_array_equal(mine, plain)


class Stop(Exception):
    pass


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_what_the_function_raises_ends_the_kernel(call, n_threads):
    reports = []

    def stop(done, total):
        reports.append((done, total))
        raise Stop(f"at {done} of {total}")

    with pytest.raises(Stop, match=r"at \d+ of \d+"):
        call_until(reports, call, n_threads=n_threads, report=stop)
    assert len(reports) == 1


def test_units_are_complete_one_after_the_other():
    """The calling thread reports between the blocks that it works on."""
    reports = []
    gram_topk(30, n_threads=1, report=lambda *report: reports.append(report))
    shares = [done / total for done, total in reports]
    assert len(shares) > 1  # 435 pairs of a millisecond
    assert any(0 < share < 1 for share in shares)
