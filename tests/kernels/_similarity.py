"""Random input for the similarity kernels, and a comparison that knows about ties."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

FORMULAS = (
    "product",
    "ratio",
    "llr",
    "pmi",
    "npmi",
    "corated_cosine",
    "corated_pearson",
    "corated_msd",
)
DTYPES = (np.float32, np.float64)
PLAIN = {
    "formula": "product",
    "total": 0.0,
    "weight": (0.0, 0.0),
    "shrink": 0.0,
    "min_support": 0,
    "support_shrink": 0.0,
    "support_offset": 0.0,
    "significance": 0.0,
    "amplification": 1.0,
    "threshold": -np.inf,
    "function": 0,
}


def skewed(n_rows, n_cols, density, dtype, seed, *, binary=False):
    """Power-law columns; values are multiples of 1/2 so that sums are exact; some stored zeros."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, n_cols + 1) ** 0.8
    probability = np.minimum(1, weight / weight.mean() * density) if n_cols else weight
    mask = rng.random((n_rows, n_cols)) < probability[rng.permutation(n_cols)]
    rows, cols = np.nonzero(mask)
    values = np.ones(len(rows)) if binary else rng.integers(-4, 11, len(rows)) / 2
    return csr(sp.csr_array((values.astype(dtype), (rows, cols)), shape=(n_rows, n_cols)))


def csr(matrix):
    matrix.sort_indices()
    matrix.indptr = matrix.indptr.astype(np.int64)
    matrix.indices = matrix.indices.astype(np.int32)
    return matrix


def parts(matrix):
    return matrix.indptr, matrix.indices, matrix.data


def options(formula, dtype, n_row_values, n_col_values, seed, *, post=False):
    """Arguments of a formula that make sense, with random p and q."""
    rng = np.random.default_rng(seed)
    out = dict(PLAIN, formula=formula)
    out["p"] = rng.integers(1, 40, n_row_values).astype(dtype)
    out["q"] = rng.integers(1, 40, n_col_values).astype(dtype)
    out["total"] = 50.0
    if formula == "ratio":
        out.update(weight=(1.0, 1.0) if seed % 2 else (0.75, 1.5), shrink=2.5)
    if post:
        out.update(
            shrink=1.5,
            min_support=2,
            support_shrink=3.0,
            support_offset=1.0,
            significance=5.0,
            amplification=1.5,
            threshold=0.01037,
        )
    return out


def check_row(indices, scores, all_indices, all_scores, k, rtol):
    """One row of top-k against all candidates of the reference."""
    expected = dict(zip(all_indices.tolist(), all_scores.tolist()))
    assert len(indices) == min(k, len(expected))
    assert len(set(indices.tolist())) == len(indices)
    order = np.lexsort((indices, -scores))
    np.testing.assert_array_equal(order, np.arange(len(indices)))
    assert set(indices.tolist()) <= set(expected)
    np.testing.assert_allclose(scores, [expected[i] for i in indices.tolist()], rtol, rtol * 1e-2)
    left_out = [s for i, s in expected.items() if i not in set(indices.tolist())]
    if left_out and len(scores):
        assert max(left_out) <= scores.min() + rtol * max(1.0, abs(scores.min()))


def rtol_of(dtype):
    return 2e-5 if dtype == np.float32 else 1e-11
