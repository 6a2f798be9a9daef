"""Random rows that are sums of embeddings, and steps on them, for both kernels."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def problem(n, n_features, width, dtype, seed, *, density=0.3, share_of_rows=0.6):
    """Embeddings, their weights, and some rows with the arrays that steps move."""
    rng = np.random.default_rng(seed)
    mask = rng.random((n, n_features)) < density
    mask[: n // 5] = False  # rows without features
    if n_features:
        mask[:, n_features // 2 :][:, :1] = True  # a feature of all rows
    dense = np.where(mask, rng.normal(0.2, 0.5, mask.shape), 0).astype(dtype)
    csr = sp.csr_array(dense)
    rows = np.flatnonzero(rng.random(n) < share_of_rows).astype(np.int32)
    own_weights = rng.choice([0.0, 0.7, 1.0], n).astype(dtype)
    arrays = [rng.normal(0, 0.5, (size, width)).astype(dtype) for size in (n, n_features)]
    squares = [1 + rng.gamma(1.0, 3.0, (size, width)).astype(dtype) for size in (n, n_features)]
    shape = (len(rows), width)
    return {
        "embeddings": (own_weights, arrays[0], squares[0], arrays[1], squares[1]),
        "weights": parts(csr, dtype),
        "transposed": parts(sp.csr_array(csr.T), dtype),
        "rows": rows,
        "factors": np.full(shape, np.nan, dtype),
        "accumulators": np.full(shape, np.nan, dtype),
    }


def parts(csr, dtype):
    """The arrays of a matrix as kernels take them."""
    csr.sort_indices()
    return csr.indptr.astype(np.int64), csr.indices.astype(np.int32), csr.data.astype(dtype)


def steps(factors, accumulators, seed):
    """Move some of the rows as AdaGrad would, the others not at all."""
    rng = np.random.default_rng(seed)
    moved = rng.random(len(factors)) < 0.7
    gradients = rng.normal(0, 1, factors.shape) * moved[:, None]
    accumulators += (gradients**2).astype(factors.dtype)
    factors += (0.1 * gradients / np.sqrt(accumulators)).astype(factors.dtype)


def copied(value):
    if isinstance(value, tuple):
        return tuple(part.copy() for part in value)
    return value.copy()


def run_kernels(module, arguments, seed, n_threads=1):
    """Sums, steps and moves; returns every array that may have changed after each kernel."""
    a = {name: copied(value) for name, value in arguments.items()}
    transposed, weights = a.pop("transposed"), a.pop("weights")
    module.embedding_sums(**a, weights=weights, n_threads=n_threads)
    before = a["factors"].copy(), a["accumulators"].copy()
    steps(a["factors"], a["accumulators"], seed)
    module.embedding_moves(
        **a,
        transposed=transposed,
        factors_before=before[0],
        accumulators_before=before[1],
        n_threads=n_threads,
    )
    return [*before, a["factors"], a["accumulators"], *a["embeddings"]]


def assert_parity(kernels, reference, arguments, seed):
    """Both kernels, with steps between them, do what their references do."""
    tolerance = 2e-4 if arguments["factors"].dtype == np.float32 else 1e-10
    results = run_kernels(kernels, arguments, seed), run_kernels(reference, arguments, seed)
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


PREPARED = """
import numpy as np
from aimass_core import _core
n, entries, width = 20_000, 100, 64
embeddings = (np.ones(n, "f4"), *np.ones((4, n, width), "f4"))
indptr = np.arange(n + 1) * entries
indices = np.random.default_rng(0).integers(0, n, n * entries).astype(np.int32)
weights = indptr, indices, np.full(n * entries, 0.1, "f4")
rows = np.arange(n, dtype=np.int32)
arrays = np.ones((4, n, width), "f4")
"""
