"""Seeded matrices of the sizes that the benchmarks name."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

SIZES = {
    "ml1m": (6_040, 3_706, 1_000_000),
    "ml20m": (138_493, 26_744, 20_000_000),
    "wide": (1_000_000, 200_000, 20_000_000),
}


def power_law(n_users: int, n_items: int, nnz: int, random_state: int = 0) -> sp.csr_array:
    """Ratings with log-normal user activity and power-law item popularity, float32 CSR.

    User weights are log-normal (sigma 1.3), item weights 1 / (rank + 50) with ranks shuffled; pairs
    are drawn by weight, without repetition, until there are ``nnz`` of them.
    """
    rng = np.random.default_rng(random_state)
    user_cdf = np.cumsum(rng.lognormal(0.0, 1.3, n_users))
    item_cdf = np.cumsum(1.0 / (rng.permutation(n_items) + 50.0))
    keys = np.empty(0, np.int64)
    while len(keys) < nnz:
        n = int((nnz - len(keys)) * 1.3) + 1000
        draws = np.sort(rng.random(n))  # in order, so that the searches stay in the cache
        users = np.searchsorted(user_cdf, draws * user_cdf[-1], side="right")
        items = np.searchsorted(item_cdf, rng.random(n) * item_cdf[-1], side="right")
        keys = np.concatenate([keys, users * np.int64(n_items) + items])
        keys.sort()
        keys = keys[np.diff(keys, prepend=-1) > 0]
    keys = np.delete(keys, rng.choice(len(keys), len(keys) - nnz, replace=False))
    users, items = np.divmod(keys, n_items)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=n_users))])
    ratings = rng.integers(1, 11, nnz).astype(np.float32) / 2
    matrix = sp.csr_array((n_users, n_items), dtype=np.float32)
    matrix.indptr, matrix.indices, matrix.data = indptr, items.astype(np.int32), ratings
    return matrix


def named(name: str) -> sp.csr_array:
    """One of ``SIZES``, the same in every process."""
    return power_law(*SIZES[name], random_state=0)
