"""Random problems for the kernels of alternating least squares."""

from __future__ import annotations

import numpy as np
from _similarity import parts, skewed

SOLVERS = ("cholesky", "cg", "pcg", "subspace", "nonnegative")
HU = {"alpha": 2.0, "weight_shift": 0.0, "target_shift": 1.0, "preferences": True}
TOTAL = {"alpha": 2.0, "weight_shift": -1.0, "target_shift": 0.0, "preferences": True}
VALUES = {"alpha": 0.0, "weight_shift": 1.0, "target_shift": 0.0, "preferences": False}
FROBENIUS = {"alpha": 0.0, "weight_shift": 0.0, "target_shift": 0.0, "preferences": False}
WEIGHTS = {"hu": HU, "total": TOTAL, "values": VALUES, "frobenius": FROBENIUS}


def problem(n_rows, n_cols, f, dtype, seed, *, density=0.2, weights="hu", linear=False):
    """Arguments of als_solve but for solver, n_steps, block_size and n_threads."""
    rng = np.random.default_rng(seed)
    x = skewed(n_rows, n_cols, density, dtype, seed)
    factors = rng.normal(0, 0.5, (n_cols, f)).astype(dtype)
    exact = factors.astype(np.float64)
    return {
        **dict(zip(("indptr", "indices", "data"), parts(x), strict=True)),
        "factors": factors,
        "gramian": 0 * np.eye(f) if weights == "values" else exact.T @ exact,
        "start": np.abs(rng.normal(0, 0.5, (n_rows, f))).astype(dtype),
        "ridge": rng.uniform(0.5, 2, n_rows),
        "linear": rng.normal(0, 0.5, (n_rows if linear else 0, f)).astype(dtype),
        "common_ridge": 0.5,
        **WEIGHTS[weights],
    }
