"""Random row weights of bootstrap and permutation replicates, one replicate after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._philox import philox

__all__ = ["resampling_weights"]

# Rows with weight 0, 1, 2, ... among 65,536: mean 1, variance 1, third central moment 1.00003.
_POISSON = (24113, 24099, 12062, 4020, 1003, 200, 33, 5, 1)
_BLOCK = 512  # rows that share a block of 64 counters


def _draws(seed: int, replicate: int, stream: int, n_rows: int) -> NDArray[np.int16]:
    """Return a signed 16-bit draw for each row.

    A block of 512 rows takes the words 0 and 1 of its 64 counters for its first half and the words
    2 and 3 for its second half; a word gives two draws, its low half first.
    """
    n_blocks = -(-n_rows // _BLOCK)
    words = philox(seed, replicate, stream, 0, n_blocks * _BLOCK // 8)
    halves = words.reshape(n_blocks, _BLOCK // 8, 2, 2).transpose(0, 2, 1, 3)
    draws = np.stack([halves & np.uint32(0xFFFF), halves >> np.uint32(16)], axis=-1)
    return draws.reshape(-1)[:n_rows].astype(np.uint16).view(np.int16)


def _weights(n_rows: int, seed: int, replicate: int, law: str) -> NDArray[np.int16]:
    if law == "multinomial":
        words = philox(seed, replicate, 1, 0, -(-n_rows // 4)).reshape(-1)[:n_rows]
        rows = (words.astype(np.uint64) * np.uint64(n_rows)) >> np.uint64(32)
        return np.bincount(rows.astype(np.int64), minlength=n_rows).astype(np.int16)
    if law == "poisson":
        bounds = np.cumsum(_POISSON)[:-1] - 32768
        draws = _draws(seed, replicate, 0, n_rows)
        return np.searchsorted(bounds, draws, side="right").astype(np.int16)
    if law == "signs":
        draws = _draws(seed, replicate, 2, n_rows)
        return np.where(draws >= 0, -1, 1).astype(np.int16)
    raise ValueError(f"law must be one of poisson, multinomial, signs, got {law}")


def resampling_weights(
    n_rows: int,
    seed: int,
    first_replicate: int,
    n_replicates: int,
    law: str,
    n_threads: int,
) -> NDArray[np.int16]:
    """Return the weight of each row in each replicate.

    Parameters
    ----------
    n_rows : int
        Number of rows, below 2**31.
    seed : int
        Seed of all replicates, within [0, 2**64).
    first_replicate : int
        Number of the first replicate.
    n_replicates : int
        How many replicates.
    law : {"poisson", "multinomial", "signs"}
        Poisson(1) counts, counts of `n_rows` draws with replacement, or random signs.
    n_threads : int
        Not used.

    Returns
    -------
    ndarray of int16, shape (n_replicates, n_rows)
        They depend on the seed, the number of the replicate, the law, and for "multinomial" on
        `n_rows`; on nothing else.
    """
    weights = np.empty((n_replicates, n_rows), dtype=np.int16)
    for r in range(n_replicates):
        weights[r] = _weights(n_rows, seed, first_replicate + r, law)
    return weights
