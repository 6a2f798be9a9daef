"""Philox4x32-10, the counter-based random number generator of the resampling kernels.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["philox"]

_MASK = 0xFFFFFFFF


def philox(
    seed: int, replicate: int, stream: int, first: int, n_counters: int
) -> NDArray[np.uint32]:
    """Return the four random words of each of the counters ``first``, ``first + 1``, ...

    Parameters
    ----------
    seed : int
        Key, 64 bits.
    replicate : int
        Words 2 and 3 of the counter, 64 bits.
    stream : int
        Word 1 of the counter.
    first : int
        Word 0 of the first counter.
    n_counters : int
        How many counters.

    Returns
    -------
    ndarray of uint32, shape (n_counters, 4)
    """
    index = (np.arange(n_counters, dtype=np.uint64) + np.uint64(first)) & np.uint64(_MASK)
    words = [
        index,
        *(
            np.full(n_counters, word, dtype=np.uint64)
            for word in (stream, replicate & _MASK, replicate >> 32)
        ),
    ]
    keys = [seed & _MASK, seed >> 32]
    for _ in range(10):
        products = [words[0] * np.uint64(0xD2511F53), words[2] * np.uint64(0xCD9E8D57)]
        low = [product & np.uint64(_MASK) for product in products]
        high = [product >> np.uint64(32) for product in products]
        words = [
            high[1] ^ words[1] ^ np.uint64(keys[0]),
            low[1],
            high[0] ^ words[3] ^ np.uint64(keys[1]),
            low[0],
        ]
        keys = [(keys[0] + 0x9E3779B9) & _MASK, (keys[1] + 0xBB67AE85) & _MASK]
    return np.stack(words, axis=1).astype(np.uint32)
