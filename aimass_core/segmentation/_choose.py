"""How many segments: mixtures over K and covariance type, judged by BIC or ICL.

Rows are fitted in an order that depends on their values only, so the result does not depend on
the order of the table. More rows than `MAX_ROWS` are thinned for the choice and the bootstrap, and
all of them are used for the final fit, which starts at the chosen mixture.

BIC: Schwarz, Annals of Statistics 6, 1978. ICL = BIC + 2 x entropy of the memberships (Biernacki,
Celeux, Govaert, IEEE TPAMI 22, 2000): it asks for segments that do not overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._mixture import fit_mixture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Progress = Callable[[str, int, int], None]

__all__ = ["MAX_ROWS", "Choice", "canonical_order", "choose", "drawn", "thinned", "without_ties"]

MAX_ROWS = 20_000
_BLOCK = 1 << 16
_HALF_CELL = 0.5


@dataclass(frozen=True)
class Choice:
    """The chosen mixture and the table of all that were tried."""

    mixture: Any
    tried: dict[str, Any]
    place: int


def canonical_order(Z: Floats) -> NDArray[np.intp]:
    """An order of the rows that depends on their values only (equal rows are interchangeable)."""
    key = np.zeros(len(Z))
    for j in range(Z.shape[1]):  # column by column: the same bits wherever a row stands
        known = np.where(np.isnan(Z[:, j]), -1e7, Z[:, j])  # a null is a value of its own
        key += known * (0.5 + (j + 1) * 0.6180339887498949 % 1.0)
    return np.argsort(key, kind="stable")


def without_ties(Z: Floats, seed: int) -> Floats:
    """Rows whose repeated values are spread over the cell that rounding gave them.

    Whole numbers (and zeros, of which customers have many) have no density: a component narrowed
    down to one value gains likelihood without bound, and BIC would count values, not groups. So a
    value that several rows share becomes uniform between the midpoints to its neighbours, at most
    half a spread to each side. Values that occur once stay as they are.

    Parameters
    ----------
    Z : ndarray of float64, shape (n, d)
        Scaled rows in canonical order, which makes the result independent of the table's order.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray of float64, shape (n, d)
        A new array.
    """
    rng = np.random.default_rng(seed)
    out = np.empty_like(Z)
    for j in range(Z.shape[1]):
        u = rng.uniform(-1.0, 1.0, len(Z))
        known = ~np.isnan(Z[:, j])
        out[~known, j] = np.nan
        u, z = u[known], Z[known, j]
        values, places, counts = np.unique(z, return_inverse=True, return_counts=True)
        half = np.diff(values) / 2
        below = np.append(half[:1], half)  # the ends mirror the side that they have
        above = np.append(half, half[-1:])
        below, above = (np.minimum(side, _HALF_CELL) * (counts > 1) for side in (below, above))
        out[known, j] = z + np.where(u < 0, u * below[places], u * above[places])
    return out


def thinned(Z: Floats, seed: int) -> Floats:
    """At most `MAX_ROWS` rows, drawn without replacement and kept in order."""
    if len(Z) <= MAX_ROWS:
        return Z
    return drawn(Z, MAX_ROWS, np.random.default_rng(seed), replace=False)


def drawn(Z: Floats, n: int, rng: np.random.Generator, *, replace: bool) -> Floats:
    """Rows by chance, in order; drawn again while a column has lost all its known values."""
    empty = np.isnan(Z).all(axis=0)
    while True:
        rows = rng.integers(0, len(Z), n) if replace else rng.choice(len(Z), n, replace=False)
        part = Z[np.sort(rows)]
        if (np.isnan(part).all(axis=0) == empty).all():
            return part


def _entropy_and_sizes(mixture: Any, Z: Floats, k: int) -> tuple[float, NDArray[np.int64]]:
    entropy, sizes = 0.0, np.zeros(k + 1, dtype=np.int64)  # the last one: outliers
    for begin in range(0, len(Z), _BLOCK):
        p = mixture.predict_proba(Z[begin : begin + _BLOCK])
        entropy -= float(np.sum(p * np.log(np.maximum(p, 1e-300))))
        sizes += np.bincount(p.argmax(axis=1), minlength=k + 1)
    return entropy, sizes[:k]


def choose(
    Z: Floats,
    counts: Iterable[int],
    types: Iterable[str],
    criterion: str,
    min_share: float,
    progress: Progress,
    options: dict[str, Any],
) -> Choice:
    """Fit every combination and take the best that has no segment below the smallest share.

    Parameters
    ----------
    Z : ndarray of float64, shape (n, d)
        Scaled rows.
    counts, types : iterable
        Numbers of segments and covariance types.
    criterion : {"bic", "icl"}
        The smallest value wins.
    min_share : float
        Smallest share of the rows that a segment may have.
    progress : callable
        Told a title, how many mixtures are done, and of how many.
    options : dict
        For the mixtures.

    Returns
    -------
    Choice
        With one segment if nothing else passes.
    """
    cells = [(k, kind) for k in counts for kind in (types if k > 1 else list(types)[:1])]
    rows: dict[str, list[Any]] = {
        name: []
        for name in ("n_segments", "covariance_type", "bic", "icl", "smallest", "converged")
    }
    best: tuple[float, int, Any] | None = None
    for place, (k, kind) in enumerate(cells):
        progress("choosing the number of segments", place, len(cells))
        mixture = fit_mixture(Z, k, kind, **options)
        bic = float(mixture.bic(Z))
        entropy, sizes = _entropy_and_sizes(mixture, Z, k)
        icl = bic + 2 * entropy
        smallest = float(sizes.min() / len(Z))
        value = bic if criterion == "bic" else icl
        for name, entry in zip(
            rows, (k, kind, bic, icl, smallest, bool(mixture.converged_)), strict=True
        ):
            rows[name].append(entry)
        passes = smallest >= min_share or len(cells) == 1
        if passes and (best is None or value < best[0]):
            best = (value, place, mixture)
    if best is None:
        kinds = sorted({k for k, _ in cells})
        raise ValueError(
            f"no mixture of {kinds[0]} to {kinds[-1]} segments leaves every segment at least "
            f"{min_share:.1%} of the rows: lower min_share or ask for fewer segments"
        )
    tried = {
        name: tuple(values) if name == "covariance_type" else np.array(values)
        for name, values in rows.items()
    }
    return Choice(best[2], tried, best[1])
