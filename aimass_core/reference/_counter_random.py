"""Random numbers by counter: those of SplitMix64 started at a key."""

from __future__ import annotations

from typing import Any

__all__ = ["derived_key", "random_bits", "shuffle", "uniform_below"]

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def _mix_bits(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def random_bits(key: int, counter: int) -> int:
    """Return 64 random bits, a function of a key and a number."""
    return _mix_bits((key + (counter + 1) * GOLDEN) & MASK)


def derived_key(key: int, part: int) -> int:
    """Return a key of its own for a part of what a key governs."""
    return _mix_bits(key ^ _mix_bits((part + GOLDEN) & MASK))


def uniform_below(bits: int, n: int) -> int:
    """Return a number in [0, n), from the upper half of the bits."""
    return ((bits >> 32) * n) >> 32


def shuffle(key: int, values: list[Any]) -> None:
    """Put a list into random order, in place (Fisher and Yates)."""
    for i in range(len(values) - 1, 0, -1):
        j = uniform_below(random_bits(key, i), i + 1)
        values[i], values[j] = values[j], values[i]
