"""Random problems for the mixture kernels."""

from __future__ import annotations

import numpy as np

DTYPES = [np.float32, np.float64]
FORMS = ["linear", "spherical", "diag", "full"]


def n_features(form, d):
    return 1 + d + {"linear": 0, "spherical": 1, "diag": d, "full": d * (d + 1) // 2}[form]


def problem(n, d, n_components, form, dtype, seed=0):
    """X, shift, scale and coefficients of scores that are neither all alike nor all clear."""
    rng = np.random.default_rng(seed)
    X = rng.normal(3.0, 2.0, (n, d)).astype(dtype)
    shift, scale = rng.normal(3.0, 0.1, d), rng.uniform(0.3, 0.6, d)
    coefficients = rng.normal(0, 1 / np.sqrt(d), (n_components, n_features(form, d)))
    return X, shift, scale, coefficients
