"""Problems of SLIM for both kernels, and what must hold of any answer."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from _similarity import csr, parts, skewed

from aimass_core import _core, reference


def problem(n_users, n_items, density, dtype, seed, *, negative=False):
    """A matrix with power-law columns; positive values unless `negative`."""
    matrix = skewed(n_users, n_items, density, dtype, seed)
    if not negative:
        matrix.data = np.abs(matrix.data) + dtype(0.5)
    return matrix


def rows(lists, n_cols, dtype=None):
    """(indptr, indices) or, with a dtype, (indptr, indices, random data) of lists of items."""
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)
    indices = np.concatenate([*lists, np.empty(0)]).astype(np.int32)
    if dtype is None:
        return indptr, indices
    data = np.random.default_rng(len(indices)).normal(size=len(indices)).astype(dtype)
    return indptr, indices, data


def call(
    kernel,
    matrix,
    *,
    targets=None,
    ridge=5.0,
    candidates=(None, None),
    start=(None, None, None),
    l1=0.5,
    nonnegative=True,
    k=10**6,
    tol=1e-6,
    max_sweeps=2000,
    n_threads=1,
    module=_core,
):
    """One of the kernels or of their references, by name, on a matrix."""
    n = matrix.shape[1]
    targets = np.arange(n, dtype=np.int32) if targets is None else np.asarray(targets, np.int32)
    ridge = np.full(n, ridge, dtype=np.float64) if np.isscalar(ridge) else ridge
    if kernel == "slim_dense":
        first = (module.gram_matrix(*parts(matrix), n, 1),)
    else:
        transposed = csr(sp.csr_array(matrix.T))
        first = (*parts(matrix), *parts(transposed))
    return getattr(module, kernel)(
        *first, ridge, targets, *candidates, *start, l1, nonnegative, k, tol, max_sweeps, n_threads
    )


def dense(weights, n_items):
    """The rows of an answer as a dense matrix (targets x items)."""
    indptr, indices, data = weights[:3]
    return sp.csr_array((data, indices, indptr), shape=(len(indptr) - 1, n_items)).toarray()


def check(kernel, matrix, *, atol, **arguments):
    """Equal to the reference, canonical, converged; returns the answer."""
    got = call(kernel, matrix, **arguments)
    want = call(kernel, matrix, **arguments, module=reference)
    n = matrix.shape[1]
    assert [a.dtype for a in got] == [a.dtype for a in want]
    for row in range(len(got[0]) - 1):
        assert (np.diff(got[1][got[0][row] : got[0][row + 1]]) > 0).all()
    np.testing.assert_allclose(dense(got, n), dense(want, n), atol=atol, rtol=0)
    assert (got[4] <= arguments.get("tol", 1e-6)).all()
    return got
