"""Weighted column sums of bootstrap and permutation replicates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .resampling_weights import resampling_weights

__all__ = ["resampled_sums"]


def resampled_sums(
    columns: NDArray[np.float64],
    seed: int,
    first_replicate: int,
    n_replicates: int,
    law: str,
    n_threads: int,
) -> NDArray[np.float64]:
    """Return the sum of each column under the random row weights of each replicate.

    Parameters
    ----------
    columns : ndarray of float64, shape (n_columns, n_rows)
        One row per column, so that a column is contiguous.
    seed : int
        Seed of all replicates, within [0, 2**64).
    first_replicate : int
        Number of the first replicate.
    n_replicates : int
        How many replicates.
    law : {"poisson", "multinomial", "signs"}
        Law of the weights, as in `resampling_weights`.
    n_threads : int
        Not used.

    Returns
    -------
    ndarray of float64, shape (n_replicates, n_columns)
    """
    sums = np.empty((n_replicates, len(columns)))
    for r in range(n_replicates):
        weights = resampling_weights(columns.shape[1], seed, first_replicate + r, 1, law, n_threads)
        sums[r] = columns @ weights[0]
    return sums
