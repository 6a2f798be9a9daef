"""Scores of all pairs of queries and items, and the best items of each query.

The kernel ``score_topk`` in the array API: a matrix product for a block of queries, filters, and
the k largest values of each row. Time: 2 n m f flops and a selection over n m scores. Memory: the
items and blocks of scores within the budget of the device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._device import Device

    Array = NDArray[Any]

__all__ = ["score_topk"]


def score_topk(
    queries: Array,
    items: Any,
    biases: Array | None,
    k: int,
    exclude_indptr: Array | None = None,
    exclude_indices: Array | None = None,
    allow_indptr: Array | None = None,
    allow_indices: Array | None = None,
    *,
    device: Device,
) -> tuple[Array, Array]:
    """Return the k best items of every query: score = bias + query . item.

    Parameters
    ----------
    queries, items, biases, k, exclude_indptr, exclude_indices, allow_indptr, allow_indices
        As in `aimass_core.reference.score_topk`, in NumPy. The items may be on the device already.
    device : Device
        Where it is computed.

    Returns
    -------
    indices : ndarray of int32, shape (n_queries, k)
        Best first, ties: lower index first; missing places are -1.
    scores : ndarray, shape (n_queries, k)
        Their scores; missing places are -inf.

    Raises
    ------
    MemoryError
        If the items do not fit on the device.
    """
    xp = device.library
    n, m = len(queries), items.shape[0]
    out_indices = np.full((n, k), -1, np.int32)
    out_scores = np.full((n, k), -np.inf, queries.dtype)
    n_best = min(k, m)
    if n == 0 or n_best == 0:
        return out_indices, out_scores
    if isinstance(items, np.ndarray):
        device.check_memory(items.nbytes, "the item factors")
        items = device.array(items)
    transposed = xp.matrix_transpose(items)
    bias = None if biases is None else xp.expand_dims(device.array(biases), axis=0)
    low = xp.asarray(-np.inf, dtype=transposed.dtype, device=device.place)
    step = int(np.clip(device.budget // (m * (4 * queries.itemsize + 16)), 1, 1 << 14))
    for begin in range(0, n, step):
        end = min(n, begin + step)
        scores = xp.matmul(device.array(queries[begin:end]), transposed)
        scores = scores if bias is None else scores + bias
        scores = xp.where(xp.isnan(scores), low, scores)
        if exclude_indptr is not None and exclude_indices is not None:
            scores = device.hide_pairs(scores, *_pairs(exclude_indptr, exclude_indices, begin, end))
        if allow_indptr is not None and allow_indices is not None:
            allowed = np.zeros((end - begin, m), dtype=np.bool_)
            allowed[_pairs(allow_indptr, allow_indices, begin, end)] = True
            scores = xp.where(device.array(allowed), scores, low)
        positions, values = device.largest(scores, n_best)
        best = device.to_numpy(values)
        out_scores[begin:end, :n_best] = best
        places = np.where(best > -np.inf, device.to_numpy(positions), -1)
        out_indices[begin:end, :n_best] = places
    return out_indices, out_scores


def _pairs(indptr: Array, indices: Array, begin: int, end: int) -> tuple[Array, Array]:
    """Return row and column numbers of the entries of some rows of a CSR pattern."""
    rows = np.repeat(np.arange(end - begin), np.diff(indptr[begin : end + 1]))
    return rows, indices[indptr[begin] : indptr[end]].astype(np.int64)
