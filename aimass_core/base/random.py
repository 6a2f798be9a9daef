"""One rule for the ``random_state`` of every function and model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_generator", "as_seed", "fill_rows"]

_CHUNK = 1 << 20  # values drawn at once


def as_generator(random_state: Any) -> np.random.Generator:
    """Return the random generator of a ``random_state`` argument.

    Parameters
    ----------
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        A seed of at least 0; a generator, which the call advances; or None for fresh entropy.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For a negative seed.
    """
    if random_state is None or isinstance(random_state, np.random.Generator):
        return np.random.default_rng(random_state)
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 2**31 - 1, size=4))
    if isinstance(random_state, (bool, np.bool_)) or not isinstance(
        random_state, (int, np.integer)
    ):
        raise TypeError(
            "random_state must be a whole number, a numpy.random.Generator or None, got "
            f"{type(random_state).__name__}"
        )
    if random_state < 0:
        raise ValueError(f"random_state must be at least 0, got {random_state}")
    return np.random.default_rng(int(random_state))


def as_seed(random_state: Any) -> int:
    """Return the 64-bit seed of counter-based random numbers.

    Parameters
    ----------
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        An int below 2**64 is the seed itself; a generator gives the next of its numbers; None gives
        fresh entropy.

    Returns
    -------
    int
        Within [0, 2**64).

    Raises
    ------
    TypeError, ValueError
        As `as_generator`.
    """
    rng = as_generator(random_state)
    if isinstance(random_state, (int, np.integer)) and random_state < 2**64:
        return int(random_state)
    return int(rng.integers(0, 2**64, dtype=np.uint64))


def fill_rows(out: NDArray[Any], draw: Callable[[tuple[int, int]], NDArray[Any]]) -> None:
    """Fill an array by blocks of rows, so that Ctrl-C ends the work soon.

    Parameters
    ----------
    out : ndarray, shape (n, d)
        What is filled.
    draw : callable
        Returns random values for a shape. Generators of NumPy give the values of one call for all
        rows.
    """
    step = max(1, _CHUNK // max(1, out.shape[1]))
    for begin in range(0, len(out), step):
        block = out[begin : begin + step]
        block[...] = draw(block.shape)
