"""Factors to retrieve from: trained on the suite's matrices by implicit, or random ones."""

from __future__ import annotations

from functools import cache

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


@cache
def seen(case: str) -> sp.csr_array:
    """What every user has."""
    return power_law(*CASES[case][:3])


@cache
def factors(case: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """User and item factors, float32: ``kind`` is "trained" or "gaussian"."""
    n_users, n_items, _, n_factors, n_iter = CASES[case]
    if kind == "gaussian":
        rng = np.random.default_rng(0)
        U, V = (rng.standard_normal((n, n_factors), dtype=np.float32) for n in (n_users, n_items))
        return U, V
    X = seen(case)
    matrix = sp.csr_matrix((X.data, X.indices, X.indptr.astype(np.int32)), shape=X.shape)
    als = require("implicit.als", "implicit")
    model = als.AlternatingLeastSquares(
        factors=n_factors, regularization=0.05, iterations=n_iter, num_threads=2, random_state=0
    )
    model.fit(matrix, show_progress=False)
    return model.user_factors, model.item_factors
