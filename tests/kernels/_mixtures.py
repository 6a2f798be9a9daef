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


def triangular_problem(n, d, n_components, apart, dtype, seed=0):
    """Rows around means `apart` widths from each other, and scores in the form "triangular"."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0, apart, (n_components, d))
    mixes = rng.normal(0, 0.3 / np.sqrt(d), (n_components, d, d)) + np.eye(d)
    labels = rng.integers(0, n_components, n)
    z = rng.normal(size=(n, d))
    for k in range(n_components):
        z[labels == k] = means[k] + z[labels == k] @ mixes[k]
    shift, scale = rng.normal(0, 1, d), rng.uniform(0.5, 2, d)
    roots = np.linalg.inv(np.linalg.cholesky(mixes.transpose(0, 2, 1) @ mixes)).transpose(0, 2, 1)
    constants = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)[:, None]
    i, j = np.triu_indices(d)
    upper = roots[:, i, j]
    return (z / scale + shift).astype(dtype), shift, scale, np.hstack([constants, means, upper])


def diagonal_problem(n, d, n_components, apart, dtype, seed=0):
    """Rows around means `apart` widths from each other, and scores in the form "diag"."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0, apart, (n_components, d))
    widths = rng.uniform(0.5, 2, (n_components, d))
    labels = rng.integers(0, n_components, n)
    z = means[labels] + rng.normal(size=(n, d)) * widths[labels]
    shift, scale = rng.normal(0, 1, d), rng.uniform(0.5, 2, d)
    constants = -np.log(widths).sum(axis=1) - 0.5 * ((means / widths) ** 2).sum(axis=1)
    coefficients = np.hstack([constants[:, None], means / widths**2, -0.5 / widths**2])
    return (z / scale + shift).astype(dtype), shift, scale, coefficients
