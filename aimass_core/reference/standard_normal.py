"""Standard normal random numbers by counter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["standard_normal"]

_BLOCK = 16  # numbers that are drawn together
_GOLDEN = 0x9E3779B97F4A7C15


def _random_bits(key: int, counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the numbers of SplitMix64 started at a key."""
    z = np.uint64(key) + (counters + np.uint64(1)) * np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def standard_normal(key: int, out: NDArray[np.float64], n_threads: int) -> None:
    """Fill an array with standard normal random numbers that depend on a key and their position.

    Numbers i and i + 8 of a block of 16 are a pair by the transform of Box and Muller. The radius
    comes from random number 16 b + i of the key, b the block. The angle comes from number
    16 b + i + 8: an angle within a quarter around 0 from its upper 52 bits, then bit 0 exchanges
    both coordinates and bit 1 negates both.

    Parameters
    ----------
    key : int
        Within [0, 2**64).
    out : ndarray of float64
        Filled in order of memory.
    n_threads : int
        Not used.
    """
    n_blocks = -(-out.size // _BLOCK)
    counters = np.arange(n_blocks * _BLOCK, dtype=np.uint64).reshape(n_blocks, 2, _BLOCK // 2)
    with np.errstate(over="ignore"):
        bits = _random_bits(key, counters)
    uniform = ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    radius = np.sqrt(-2 * np.log(uniform[:, 0]))
    angle = (uniform[:, 1] - 0.5) * np.pi / 2
    sign = np.where(bits[:, 1] & np.uint64(2), -1.0, 1.0)
    pair = sign * radius * np.cos(angle), sign * radius * np.sin(angle)
    exchanged = (bits[:, 1] & np.uint64(1)).astype(bool)
    pairs = np.stack(
        [np.where(exchanged, pair[1], pair[0]), np.where(exchanged, pair[0], pair[1])], axis=1
    )
    out[...] = pairs.reshape(-1)[: out.size].reshape(out.shape)
