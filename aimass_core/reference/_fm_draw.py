"""How the coefficients of one column of a factorization machine are drawn given everything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["draw", "slots"]


def slots(block_width: int, n_factors: int) -> Iterator[tuple[int, Any]]:
    """Yield the first slot of each block, and the slots of the block that hold coefficients."""
    per_block = block_width - 1
    for block in range(max(1, -(-n_factors // per_block))):
        begin = block * block_width
        last = 1 + min(per_block, max(n_factors - block * per_block, 0))
        yield begin, begin + np.arange(0 if block == 0 else 1, last)


def draw(
    h: Any,
    e: Any,
    omega: Any,
    v: Any,
    prior_mean: Any,
    prior_precision: Any,
    alpha: float,
    noise: Any,
) -> Any:
    """Return new coefficients of a column from derivatives, errors and weights of its cases.

    Parameters
    ----------
    h : ndarray of shape (n, b)
        Derivatives of the predictions by the coefficients.
    e, omega : ndarray of shape (n,)
        Errors and weights of the cases.
    v, prior_mean, prior_precision : ndarray of shape (b,)
        Present coefficients, and the prior.
    alpha : float
        Precision of an error of weight 1.
    noise : ndarray of shape (b,) or None
        Standard normal numbers; None: the mean is returned.

    Returns
    -------
    ndarray of shape (b,)
        A draw of the conditional distribution, or its mean.
    """
    precision = np.diag(prior_precision) + alpha * (h.T * omega) @ h
    right = prior_precision * prior_mean + alpha * h.T @ (omega * (e + h @ v))
    factor = np.linalg.cholesky(precision)
    drawn = np.linalg.solve(precision, right)
    return drawn if noise is None else drawn + np.linalg.solve(factor.T, noise)
