"""Users in the form of the kernel of reverse top-k, and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._factors import norms_of
from ._packing import PANEL_COLS, to_panels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._index import FactorIndex

__all__ = ["Reached", "inverted", "kth_best", "pack_users", "reached_of"]

_BLOCK = 1 << 14  # users whose lists are held at once
_LAST = np.iinfo(np.int32).max


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

    def take(self, places: NDArray[np.int64]) -> Reached:
        """The same for some of the asked items, in this order.

        Parameters
        ----------
        places : ndarray of int64
            Their places in the question.

        Returns
        -------
        Reached
            With copies of their lists.
        """
        sizes = np.diff(self.indptr)[places]
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        entries = np.arange(indptr[-1]) + np.repeat(self.indptr[places] - indptr[:-1], sizes)
        return Reached(indptr, self.users[entries], self.scores[entries])


def kth_best(
    index: FactorIndex, users: Any, k: int, exclude: Any, keep: bool, n_threads: int | None
) -> tuple[NDArray[Any], NDArray[np.int32], Any]:
    """Score and number of every user's k-th item; where there are fewer, all are in.

    With ``keep`` the lists too, else None.
    """
    scores = np.full(len(users), np.finfo(users.dtype).min, dtype=users.dtype)
    items = np.full(len(users), _LAST, dtype=np.int32)
    if k > index.n_items:
        return scores, items, None
    shape = len(users) if keep else 0, k
    lists = np.empty(shape, np.int32), np.empty(shape, users.dtype)
    for rows, found, values in index.topk_blocks(
        users, k, exclude=exclude, block_size=_BLOCK, n_threads=n_threads
    ):
        is_full = found[:, -1] >= 0
        scores[rows] = np.where(is_full, values[:, -1], scores[rows])
        items[rows] = np.where(is_full, found[:, -1], items[rows])
        if keep:
            lists[0][rows], lists[1][rows] = found, values
    return scores, items, lists if keep else None


def reached_of(items: Any, users: Any, scores: Any, n_items: int) -> Reached:
    """Pairs of item and user, given by ascending user, as lists by item, best first."""
    if scores.dtype == np.float32:  # item and falling score in one word: half the time of two keys
        bits = (scores + np.float32(0)).view(np.uint32)  # -0 and 0 are one score
        falling = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFFFFFF))
        order = np.argsort(items.astype(np.uint64) << np.uint64(32) | falling, kind="stable")
    else:
        order = np.lexsort((-scores, items))
    indptr = np.zeros(n_items + 1, dtype=np.int64)
    np.cumsum(np.bincount(items, minlength=n_items), out=indptr[1:])
    return Reached(indptr, users[order], scores[order])


def inverted(found: Any, scores: Any, user_biases: Any, n_items: int) -> Reached:
    """Lists of items by user as lists of users by item."""
    is_in = found.ravel() >= 0
    users = np.repeat(np.arange(len(found), dtype=np.int32), found.shape[1])[is_in]
    values = scores.ravel()[is_in]
    if user_biases is not None:
        values = values + user_biases[users]
    return reached_of(found.ravel()[is_in], users, values, n_items)


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
