"""One rule for the ``random_state`` of every function and model."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["as_generator", "as_seed"]


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
    """Return a seed below 2^63 drawn from a ``random_state``: an integer stays itself."""
    if isinstance(random_state, (int, np.integer)) and 0 <= random_state < 2**63:
        as_generator(random_state)  # refuses booleans
        return int(random_state)
    return int(as_generator(random_state).integers(0, 2**63 - 1))
