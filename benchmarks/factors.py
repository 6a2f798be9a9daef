"""Factors to retrieve from: trained on the suite's matrices by implicit, or random ones.

``AIMASS_BENCH_CACHE`` names a folder where trained factors and their matrices are kept between
runs; without it each run trains anew (minutes at full scale).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from data import power_law
from peers import require

# name -> (users, items, entries, factors, iterations of training)
CASES = {
    "small": (2_000, 1_000, 40_000, 32, 3),
    "ml1m f64": (6_040, 3_706, 1_000_000, 64, 5),
    "ml20m f64": (138_493, 26_744, 20_000_000, 64, 5),
    "ml20m f128": (138_493, 26_744, 20_000_000, 128, 5),
    "200k items f64": (200_000, 200_000, 6_000_000, 64, 5),
}


def kept(name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays from the cache folder, made when they are not there."""
    folder = os.environ.get("AIMASS_BENCH_CACHE")
    if not folder:
        return make()
    path = Path(folder) / f"{name.replace(' ', '-')}.npz"
    if not path.exists():
        np.savez(path, **make())
    with np.load(path) as arrays:
        return dict(arrays)


@cache
def seen(case: str) -> sp.csr_array:
    """What every user has."""
    n_users, n_items, nnz = CASES[case][:3]

    def make() -> dict[str, np.ndarray]:
        X = power_law(n_users, n_items, nnz)
        return {"indptr": X.indptr, "indices": X.indices, "data": X.data}

    parts = kept(f"{n_users}x{n_items}x{nnz}", make)
    X = sp.csr_array((n_users, n_items), dtype=np.float32)
    X.indptr, X.indices, X.data = parts["indptr"], parts["indices"], parts["data"]
    return X


@cache
def factors(case: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """User and item factors, float32: ``kind`` is "trained" or "gaussian"."""
    n_users, n_items, _, n_factors, n_iter = CASES[case]
    if kind == "gaussian":
        rng = np.random.default_rng(0)
        U, V = (rng.standard_normal((n, n_factors), dtype=np.float32) for n in (n_users, n_items))
        return U, V

    def make() -> dict[str, np.ndarray]:
        X = seen(case)
        matrix = sp.csr_matrix((X.data, X.indices, X.indptr.astype(np.int32)), shape=X.shape)
        als = require("implicit.als", "implicit")
        model = als.AlternatingLeastSquares(
            factors=n_factors, regularization=0.05, iterations=n_iter, num_threads=2, random_state=0
        )
        model.fit(matrix, show_progress=False)
        return {"U": model.user_factors, "V": model.item_factors}

    found = kept(f"{case} {n_iter}", make)
    return found["U"], found["V"]
