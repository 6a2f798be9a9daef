"""Reference of the kernel ``reverse_topk``."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .score_topk import score_topk

Array: TypeAlias = NDArray[Any]


def reverse_topk(
    users: Array,
    items: Array,
    biases: Array | None,
    targets: Array,
    k: int,
    exclude_indptr: Array | None = None,
    exclude_indices: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Return for each target item the users among whose k best items it is.

    The kernel takes the users with their k-th best scores, in the layout of the machine that it
    runs on; `AudienceIndex` of ``aimass_core.retrieval`` makes it from these arguments.

    Parameters
    ----------
    users : ndarray, shape (n_users, depth)
        Float32 or float64, finite.
    items : ndarray, shape (n_items, depth)
        Of the same dtype.
    biases : ndarray, shape (n_items,), or None
        Added to the scores. None: 0.
    targets : ndarray of int, shape (n,)
        Rows of the items in question.
    k : int
        Length of the users' lists.
    exclude_indptr, exclude_indices : ndarray or None
        CSR pattern of shape (n_users, n_items): pairs that are no candidates.

    Returns
    -------
    indptr : ndarray of int64, shape (n + 1,)
        Where the users of each item begin.
    users : ndarray of int32
        Score descending, then user ascending.
    scores : ndarray
        Their scores.

    Notes
    -----
    O(n_users * n_items * depth) time: all lists are computed.
    """
    lists, values = score_topk(users, items, biases, k, exclude_indptr, exclude_indices)
    indptr, members, scores = [0], [], []
    for item in targets:
        rows, ranks = np.nonzero(lists == item)
        best = np.lexsort((rows, -values[rows, ranks]))
        members.append(rows[best])
        scores.append(values[rows, ranks][best])
        indptr.append(indptr[-1] + len(best))
    return (
        np.array(indptr, dtype=np.int64),
        np.concatenate([*members, np.empty(0)]).astype(np.int32),
        np.concatenate([*scores, np.empty(0)]).astype(users.dtype),
    )
