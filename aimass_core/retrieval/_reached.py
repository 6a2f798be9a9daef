"""Users in the form of the kernel of reverse top-k, and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from ._factors import norms_of
from ._packing import PANEL_COLS, to_panels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Reached", "pack_users", "reached_of"]


class Reached(NamedTuple):
    """Users of each asked item, best first: score descending, then user ascending.

    Those of the i-th item are ``users[indptr[i]:indptr[i + 1]]``.

    Parameters
    ----------
    indptr : ndarray of int64, shape (n + 1,)
        Where the users of each item begin.
    users : ndarray of int32
        Best first within an item.
    scores : ndarray
        Their scores.
    """

    indptr: NDArray[np.int64]
    users: NDArray[np.int32]
    scores: NDArray[Any]

    def of(self, place: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Users and scores of one of the asked items.

        Parameters
        ----------
        place : int
            Its place in the question.

        Returns
        -------
        users : ndarray of int32
            Best first.
        scores : ndarray
            Their scores.
        """
        part = slice(self.indptr[place], self.indptr[place + 1])
        return self.users[part], self.scores[part]


def reached_of(items: Any, users: Any, scores: Any, n_items: int) -> Reached:
    """Pairs of item and user, given by ascending user, as lists by item.

    Sorting by three keys would take longer than finding the pairs: they are sorted by score alone,
    dealt out to the items (which keeps the order), and mended where equal scores changed places.
    """
    places = np.arange(len(items) + 1, dtype=np.int64)
    order = np.argsort(-scores)
    nothing = np.zeros(len(items), dtype=np.float32)
    columns = np.ascontiguousarray(items[order], dtype=np.int32)
    indptr, rank, _ = _core.csr_transpose(places, columns, nothing, n_items, 1)
    order = order[rank]
    items, who, values = items[order], users[order], scores[order]
    same = (items[1:] == items[:-1]) & (values[1:] == values[:-1]) & (who[1:] < who[:-1])
    if same.any():
        chosen = np.flatnonzero(np.isin(items, items[1:][same]))
        mended = chosen[np.lexsort((who[chosen], -values[chosen], items[chosen]))]
        who[chosen], values[chosen] = who[mended], values[mended]
    return Reached(indptr, who, values)


def pack_users(users: Any, thresholds: Any, ties: Any) -> tuple[Any, ...]:
    """Users in panels, by what an item's length has to be to reach them."""
    n, cols = len(users), PANEL_COLS
    n_panels = -(-n // cols)
    norms = norms_of(users)
    needed = np.full(n, -np.inf)
    with np.errstate(over="ignore"):
        np.divide(thresholds, norms, out=needed, where=norms > 0, dtype=np.float64)
    order = np.argsort(needed, kind="stable").astype(np.int32)

    def padded(values: NDArray[Any], fill: Any) -> NDArray[Any]:
        out = np.full((n_panels * cols, *values.shape[1:]), fill, dtype=values.dtype)
        out[:n] = values[order]
        return out

    limits = [
        padded(needed, np.inf).reshape(n_panels, cols).min(axis=1),
        padded(norms, np.inf).reshape(n_panels, cols).min(axis=1),
        padded(norms, 0).reshape(n_panels, cols).max(axis=1),
    ]
    who = np.zeros(n_panels * cols, dtype=np.int32)
    who[:n] = order
    return (
        to_panels(padded(users, 0), cols),
        who,
        padded(thresholds, np.nan),
        padded(ties, -1),
        np.ascontiguousarray(np.stack(limits, axis=1)),
    )
