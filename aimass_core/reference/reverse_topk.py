"""Reference of the kernel ``reverse_topk``."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def reverse_topk(
    queries: Array,
    biases: Array,
    items: Array,
    panels: Array,
    order: Array,
    thresholds: Array,
    ties: Array,
    limits: Array,
    n_users: int,
    exclude_indptr: Array | None,
    exclude_indices: Array | None,
    n_threads: int,
) -> tuple[Array, Array, Array]:
    """Return for each queried item the users whose threshold it reaches.

    Parameters
    ----------
    queries : ndarray, shape (n, depth)
        Factors of the queried items, float32 or float64, finite.
    biases : ndarray, shape (n,)
        Added to their scores.
    items : ndarray of int32, shape (n,)
        Their numbers, which decide ties.
    panels : ndarray, shape (n_panels, depth, cols)
        Packed users of the same dtype; ``cols`` is 192 bytes of users.
    order : ndarray of int32, shape (n_panels * cols,)
        The user at a position.
    thresholds : ndarray, shape (n_panels * cols,)
        The k-th best score of the user; nan at positions without one.
    ties : ndarray of int32, shape (n_panels * cols,)
        The k-th best item: with a score equal to the threshold, items up to it are in.
    limits : ndarray of float64, shape (n_panels, 3)
        Not used here: bounds by which the kernel prunes.
    n_users : int
        Number of users.
    exclude_indptr, exclude_indices : ndarray or None
        CSR pattern of shape (n, n_users): users that are excluded.
    n_threads : int
        Not used here.

    Returns
    -------
    indptr : ndarray of int64, shape (n + 1,)
        Where the users of each item begin.
    users : ndarray of int32
        Score descending, then user ascending.
    scores : ndarray
        Their scores.
    """
    packed = panels.transpose(0, 2, 1).reshape(len(order), panels.shape[1])
    indptr, users, scores = [0], [], []
    for row, query in enumerate(queries):
        score = packed @ query + biases[row]
        is_in = (score > thresholds) | ((score == thresholds) & (items[row] <= ties))
        if exclude_indptr is not None and exclude_indices is not None:
            excluded = exclude_indices[exclude_indptr[row] : exclude_indptr[row + 1]]
            is_in &= ~np.isin(order, excluded)
        found = order[is_in]
        best = np.lexsort((found, -score[is_in]))
        users.append(found[best])
        scores.append(score[is_in][best])
        indptr.append(indptr[-1] + len(best))
    return (
        np.array(indptr, dtype=np.int64),
        np.concatenate(users or [order[:0]]).astype(np.int32),
        np.concatenate(scores or [thresholds[:0]]).astype(thresholds.dtype),
    )
