"""Random problems for the sweeps of factorization machines."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def sparse_transpose(n_rows, n_columns, dtype, rng, *, density=0.3):
    """One-hot columns, then columns with any values; as the arrays of the transpose."""
    n_hot = n_columns // 2
    dense = np.where(
        rng.random((n_rows, n_columns)) < density, rng.normal(size=(n_rows, n_columns)), 0
    )
    dense[:, :n_hot] = 0
    if n_hot and n_rows:
        dense[np.arange(n_rows), rng.integers(0, n_hot, n_rows)] = 1
    t = sp.csr_matrix(dense.T.astype(dtype))
    arrays = t.indptr.astype(np.int64), t.indices.astype(np.int32), t.data
    bounds = [0, *range(n_hot, n_columns + 1)] if n_hot else [*range(n_columns + 1)]
    return dict(zip(("indptr", "indices", "data"), arrays, strict=True)), np.array(bounds), t


def width_of(block_width, n_factors):
    return max(1, -(-n_factors // (block_width - 1))) * block_width


def factor_slots(block_width, n_factors):
    """Slots of the factors in a row of coefficients."""
    slots = np.arange(width_of(block_width, n_factors))
    return slots[slots % block_width > 0][:n_factors]


def model_arguments(runs, block_width, n_factors, rng, *, n_groups=2, noise=True, scale=0.4):
    """Coefficients, priors and noise; slots that hold nothing are zero."""
    n_columns, width = int(runs[-1]), width_of(block_width, n_factors)
    used = np.zeros(width, dtype=bool)
    used[[0, *factor_slots(block_width, n_factors)]] = True
    coefficients = np.where(used, rng.normal(0, scale, (n_columns, width)), 0.0)
    prior = rng.normal(0, 0.2, (n_groups, width)), rng.uniform(0.5, 4, (n_groups, width))
    return {
        "runs": runs.astype(np.int64),
        "groups": rng.integers(0, n_groups, n_columns).astype(np.int32),
        "coefficients": coefficients,
        "prior": prior,
        "noise": rng.normal(size=(n_columns, width)) if noise else np.zeros((0, 0)),
        "alpha": 1.7,
        "block_width": block_width,
        "n_factors": n_factors,
        "n_threads": 1,
    }


def sums_of(transpose, coefficients, block_width, dtype):
    """Sums of factors of each row, 1 in the first slot of each block."""
    sums = np.asarray(transpose.T @ coefficients)
    sums[:, ::block_width] = 1
    return np.ascontiguousarray(sums.astype(dtype))


def assert_same_after(kernel, reference, arguments, changed, dtype):
    """Run both on copies and compare what they change; return the kernel's."""
    results = []
    for function in (kernel, reference):
        own = {**arguments, **{name: arguments[name].copy() for name in changed}}
        function(**own)
        results.append([own[name] for name in changed])
    tolerance = 2e-3 if dtype == np.float32 else 1e-9
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    return results[0]
