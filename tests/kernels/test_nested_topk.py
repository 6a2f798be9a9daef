"""nested_topk against its reference, and against spgemm_topk at every level."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import reference
from aimass_core.base.csr import spgemm_topk
from aimass_core.base.validation import as_csr, csr_parts
from aimass_core.jit.nested_topk import nested_topk
from aimass_core.tuning._nested_lists import by_level


def run(kernel, X, Y, levels, exclude, n_levels, k):
    indices = np.full((n_levels, X.shape[0], k), -1, dtype=np.int32)
    scores = np.full((n_levels, X.shape[0], k), -np.inf)
    columns, values, bounds = by_level(Y, levels, n_levels)
    kernel(
        *csr_parts(X), bounds, columns, values, Y.shape[1], *csr_parts(exclude)[:2], indices, scores
    )
    return indices, scores


@settings(deadline=None, max_examples=60)  # the first call compiles
@given(
    seed=st.integers(0, 9999),
    dtype=st.sampled_from(["float32", "float64"]),
    n_cols=st.integers(1, 20),
    n_levels=st.integers(1, 5),
    k=st.integers(1, 25),
)
def test_equals_the_reference(seed, dtype, n_cols, n_levels, k):
    rng = np.random.default_rng(seed)

    def matrix(n, m, share):
        values = rng.integers(-4, 5, (n, m)) * (rng.random((n, m)) < share)
        return as_csr(values.astype(dtype))

    X, Y, exclude = matrix(12, 9, 0.4), matrix(9, n_cols, 0.5), matrix(12, n_cols, 0.2)
    levels = rng.integers(0, n_levels, Y.nnz)
    results = [
        run(kernel, X, Y, levels, exclude, n_levels, k)
        for kernel in (nested_topk, reference.nested_topk)
    ]
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)  # whole numbers: sums are exact


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_level_is_the_product_of_its_entries(dtype):
    rng = np.random.default_rng(0)

    def matrix(n, m, share):
        values = rng.random((n, m)) * (rng.random((n, m)) < share)
        return as_csr(values.astype(dtype))

    X, Y, exclude = matrix(60, 50, 0.3), matrix(50, 70, 0.4), matrix(60, 70, 0.1)
    levels = rng.integers(0, 4, Y.nnz)
    indices, scores = run(nested_topk, X, Y, levels, exclude, 4, 10)
    for level in range(4):
        kept = levels <= level
        indptr = np.concatenate([[0], np.cumsum(kept)])[Y.indptr]
        part = as_csr(sp.csr_array((Y.data[kept], Y.indices[kept], indptr), shape=Y.shape))
        expected = spgemm_topk(X, part, 10, 2, exclude=exclude)
        np.testing.assert_array_equal(indices[level], expected[0])
        np.testing.assert_allclose(scores[level], expected[1], rtol=1e-5)


def test_nothing_to_do():
    X, Y, exclude = (as_csr(np.zeros(s, np.float32)) for s in ((3, 4), (4, 5), (3, 5)))
    indices, scores = run(nested_topk, X, Y, np.empty(0), exclude, 2, 3)
    assert (indices == -1).all()
    assert (scores == -np.inf).all()
