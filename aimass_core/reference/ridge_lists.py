"""Reference of the kernel ``ridge_lists``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def ridge_lists(
    t_indptr: NDArray[np.int64],
    t_indices: NDArray[np.int32],
    t_data: NDArray[Any],
    n_users: int,
    gramian: NDArray[Any] | None,
    ridge: NDArray[np.float64],
    targets: NDArray[np.int32],
    lists_indptr: NDArray[np.int64],
    lists_indices: NDArray[np.int32],
    k: int,
    n_threads: int,
    report: Callable[[int, int], None] | None = None,
) -> NDArray[Any]:
    r"""Return the ridge regression of target items on k items out of lists of other items.

    Parameters
    ----------
    t_indptr, t_indices, t_data : ndarray of int64, int32, float32 or float64
        The transpose of X as canonical CSR: items x users.
    n_users : int
        Number of columns of the transpose.
    gramian : ndarray of shape (n_items, n_items) or None
        X'X where it is at hand; the kernel then does not sum what it needs of it.
    ridge : ndarray of float64, shape (n_items,)
        Penalty of the weight of each item.
    targets : ndarray of int32, shape (n_targets,)
        Items that are regressed.
    lists_indptr, lists_indices : ndarray of int64, int32
        The items out of which those that each target is regressed on are chosen, best first,
        without itself.
    k : int
        Items that a target is regressed on at most.
    n_threads : int
        Not used here.
    report : callable, optional
        Not used here.

    Returns
    -------
    ndarray
        The weights in the order of ``lists_indices``, of the dtype of ``t_data``, zero for items
        that are not in the set S: they solve (G_SS + diag(ridge_S)) w = G_Sj for target j. S is
        first the beginning of the list; then, where the list is longer, the k items with the
        largest \|w_i + g_i / d_i\| sqrt(d_i), where g is the gradient and d_i = G_ii + ridge_i.
    """
    T = sp.csr_array(
        (t_data.astype(np.float64), t_indices, t_indptr), shape=(len(t_indptr) - 1, n_users)
    )
    G = (T @ T.T).toarray()
    out = np.zeros(len(lists_indices))
    for t, target in enumerate(targets):
        part = slice(lists_indptr[t], lists_indptr[t + 1])
        items, w = lists_indices[part], out[part]
        w[:k] = _regress(G, ridge, items[:k], target)
        if len(items) > k:
            d = G[items, items] + ridge[items]
            step = (G[items, target] - G[np.ix_(items, items)] @ w - ridge[items] * w) / d
            chosen = np.argsort(-np.abs(w + step) * np.sqrt(d), kind="stable")[:k]
            w[:] = 0
            w[chosen] = _regress(G, ridge, items[chosen], target)
    return out.astype(t_data.dtype)


def _regress(G: Any, ridge: Any, items: Any, target: int) -> Any:
    return np.linalg.solve(G[np.ix_(items, items)] + np.diag(ridge[items]), G[items, target])
