"""Adapters: the same work done by other libraries in their fastest form; comparison of results.

An adapter imports its library when called and skips the benchmark when it is not installed.
Neighbour lists are compared in one form: ``Lists(indices, scores)``, padded with (-1, -inf), scores
descending.
"""

from __future__ import annotations

from itertools import pairwise
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp


class Lists(NamedTuple):
    """The k best of every row: ``indices`` int (n, k), ``scores`` float (n, k)."""

    indices: np.ndarray
    scores: np.ndarray


def require(
    module: str, package: str | None = None, install: str = "aimass_core[bench]"
) -> ModuleType:
    """Import a peer, or skip the benchmark with the command that installs it."""
    return pytest.importorskip(
        module, reason=f"the peer {package or module} is not installed: pip install {install}"
    )


def normalized_columns(X: sp.csr_array) -> sp.csr_matrix:
    """`X` with columns of length one, as the peers want it (a csr_matrix with int32 indices)."""
    norms = np.sqrt(np.bincount(X.indices, X.data.astype(np.float64) ** 2, minlength=X.shape[1]))
    data = (X.data / norms[X.indices]).astype(X.data.dtype)
    return sp.csr_matrix(
        (data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape
    )


# --- k nearest columns by dot product: each peer also returns the column itself, hence k + 1 ---


def implicit_knn(weighted: sp.csr_matrix, k: int, n_threads: int) -> sp.coo_matrix:
    """implicit's `all_pairs_knn` over the columns of a users x items matrix."""
    require("implicit")
    from implicit._nearest_neighbours import all_pairs_knn

    return all_pairs_knn(weighted, k + 1, num_threads=n_threads, show_progress=False)


def sparse_dot_topn_knn(weighted: sp.csr_matrix, k: int, n_threads: int) -> sp.csr_matrix:
    """sparse_dot_topn of the transpose and the matrix, transposition included."""
    package = require("sparse_dot_topn")
    return package.sp_matmul_topn(
        weighted.T.tocsr(), weighted, top_n=k + 1, sort=False, n_threads=n_threads
    )


def scipy_knn(weighted: sp.csr_matrix, k: int, n_threads: int) -> sp.csr_matrix:
    """The whole product by SciPy (one thread), then the k + 1 best of each row by argpartition."""
    product = (weighted.T.tocsr() @ weighted).tocsr()
    best = []
    for begin, end in pairwise(product.indptr):
        row = product.data[begin:end]
        best.append(
            begin
            + (row.argpartition(-k - 1)[-k - 1 :] if len(row) > k + 1 else np.arange(len(row)))
        )
    indptr = np.cumsum([0, *map(len, best)])
    kept = np.concatenate(best)
    return sp.csr_matrix((product.data[kept], product.indices[kept], indptr), shape=product.shape)


def sklearn_knn(weighted: sp.csr_matrix, k: int, n_threads: int) -> sp.csr_matrix:
    """scikit-learn's brute force cosine neighbours of the columns."""
    neighbors = require("sklearn.neighbors", "scikit-learn")
    columns = weighted.T.tocsr()
    k = min(k + 1, columns.shape[0])
    model = neighbors.NearestNeighbors(
        n_neighbors=k, metric="cosine", algorithm="brute", n_jobs=n_threads
    ).fit(columns)
    distances, indices = model.kneighbors(columns)
    rows = np.repeat(np.arange(columns.shape[0]), k)
    return sp.csr_matrix(
        (1 - distances.ravel(), (rows, indices.ravel())), shape=(len(indices),) * 2
    )


def surprise_similarities(X: sp.csr_array, measure: str) -> np.ndarray:
    """Surprise's dense similarity matrix between the rows of `X` (one thread, n x n)."""
    similarities = require("surprise.similarities", "scikit-surprise")
    columns = X.tocsc()
    by_column = {
        j: list(
            zip(
                *(
                    part[columns.indptr[j] : columns.indptr[j + 1]].tolist()
                    for part in (columns.indices, columns.data)
                ),
                strict=True,
            )
        )
        for j in range(X.shape[1])
    }
    return getattr(similarities, measure)(X.shape[0], by_column, 1)


KNN_PEERS = {
    "implicit": implicit_knn,
    "sparse_dot_topn": sparse_dot_topn_knn,
    "scipy": scipy_knn,
    "sklearn": sklearn_knn,
}


def prepared(peer: str, weighted: sp.csr_matrix) -> sp.csr_matrix:
    """The input as a peer needs it, made before its time counts: implicit takes float64 only."""
    return weighted.astype(np.float64) if peer == "implicit" else weighted


# --- one form of result, and its comparison ---


def lists(result: Any, k: int, *, drop: np.ndarray | None = None, drop_zero: bool = True) -> Lists:
    """Any result as `Lists`: a sparse matrix, ``(indptr, indices, scores)`` or padded arrays.

    ``drop`` names for each row an index that is left out: that of the row itself.
    """
    if sp.issparse(result):
        matrix = result.tocsr()
        indptr, indices, scores = matrix.indptr, matrix.indices, matrix.data
    elif len(result) == 2:
        return Lists(np.asarray(result[0]), np.asarray(result[1]))
    else:
        indptr, indices, scores = result
    n = len(indptr) - 1
    rows = np.repeat(np.arange(n), np.diff(indptr))
    keep = np.ones(len(rows), bool)
    if drop is not None:
        keep &= drop[rows] != indices
    if drop_zero:
        keep &= scores != 0
    rows, indices, scores = rows[keep], indices[keep], scores[keep]
    order = np.lexsort((indices, -scores, rows))
    rows, indices, scores = rows[order], indices[order], scores[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    best = place < k
    out = Lists(np.full((n, k), -1, np.int64), np.full((n, k), -np.inf))
    out.indices[rows[best], place[best]] = indices[best]
    out.scores[rows[best], place[best]] = scores[best]
    return out


def assert_same_lists(got: Lists, want: Lists, *, rtol: float = 2e-4) -> None:
    """Scores agree place by place, and so do the members, except among ties at the k-th score."""
    assert got.scores.shape == want.scores.shape
    np.testing.assert_allclose(got.scores, want.scores, rtol=rtol, atol=1e-6)
    last = want.scores[:, -1:]
    full = np.isfinite(last)  # of a list that is not full every member is sure
    bar = np.where(full, last + rtol * np.abs(np.where(full, last, 0)) + 1e-6, -np.inf)
    width = int(max(got.indices.max(), want.indices.max(), 0)) + 1
    rows = np.arange(len(bar))[:, None] * width
    for one, other in ((got, want), (want, got)):
        sure = (one.indices >= 0) & (one.scores > bar)
        members = (rows + other.indices)[other.indices >= 0]
        missing = ~np.isin((rows + one.indices)[sure], members)
        assert not missing.any(), f"{missing.sum()} neighbours are on one side only"
