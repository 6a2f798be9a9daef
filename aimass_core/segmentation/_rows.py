"""Scaled rows for the fit: their order, their repeated values, and samples of them.

Rows are fitted in an order that depends on their values only, so that the result does not depend
on the order of the table. More rows than `MAX_ROWS` are thinned for the choice of the number of
segments and for the bootstrap; the final fit uses all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "MAX_ROWS",
    "canonical_order",
    "n_distinct_rows",
    "sample_rows",
    "spread_ties",
    "thinned",
]

MAX_ROWS = 20_000
_NULL = -1e7  # stands for a null where rows are compared
_HALF_CELL = 0.5  # of a standard deviation


def canonical_order(Z: Floats) -> NDArray[np.intp]:
    """Return an order of the rows that depends on their values only.

    Equal rows are interchangeable, so their order among each other does not matter.
    """
    key = np.zeros(len(Z))
    for j in range(Z.shape[1]):  # column by column: the same bits wherever a row stands
        values = np.where(np.isnan(Z[:, j]), _NULL, Z[:, j])
        key += values * (0.5 + (j + 1) * 0.6180339887498949 % 1.0)
    return np.argsort(key, kind="stable")


def n_distinct_rows(Z: Floats) -> int:
    """Return the number of different rows among rows in canonical order."""
    values = np.nan_to_num(Z, nan=_NULL)
    return 1 + int(np.any(values[1:] != values[:-1], axis=1).sum())


def spread_ties(Z: Floats, seed: int) -> Floats:
    """Return rows whose repeated values are spread over the cell that rounding gave them.

    Whole numbers (and zeros, of which customers have many) have no density: a component that
    narrows down to one value gains likelihood without bound, and BIC would count values, not
    groups. So a value that several rows share becomes uniform between the midpoints to its
    neighbours, at most half a standard deviation to each side. Values that occur once stay.

    Parameters
    ----------
    Z : ndarray of float64, shape (n, d)
        Scaled rows in canonical order, which makes the result independent of the table's order.
    seed : int
        Seed of the draws.

    Returns
    -------
    ndarray of float64, shape (n, d)
        A new array.
    """
    rng = np.random.default_rng(seed)
    out = np.empty_like(Z)
    for j in range(Z.shape[1]):
        u = rng.uniform(-1.0, 1.0, len(Z))
        is_known = ~np.isnan(Z[:, j])
        out[~is_known, j] = np.nan
        u, z = u[is_known], Z[is_known, j]
        values, positions, counts = np.unique(z, return_inverse=True, return_counts=True)
        half = np.diff(values) / 2
        below = np.append(half[:1], half)  # the ends mirror the side that they have
        above = np.append(half, half[-1:])
        below, above = (np.minimum(side, _HALF_CELL) * (counts > 1) for side in (below, above))
        out[is_known, j] = z + np.where(u < 0, u * below[positions], u * above[positions])
    return out


def thinned(Z: Floats, seed: int) -> Floats:
    """Return at most `MAX_ROWS` rows, drawn without replacement and kept in order."""
    if len(Z) <= MAX_ROWS:
        return Z
    return sample_rows(Z, MAX_ROWS, np.random.default_rng(seed), replace=False)


def sample_rows(Z: Floats, n: int, rng: np.random.Generator, *, replace: bool) -> Floats:
    """Return random rows in order; they are drawn again if a column lost all known values."""
    is_empty = np.isnan(Z).all(axis=0)
    while True:
        rows = rng.integers(0, len(Z), n) if replace else rng.choice(len(Z), n, replace=False)
        sample = Z[np.sort(rows)]
        if (np.isnan(sample).all(axis=0) == is_empty).all():
            return sample
