"""Reference of the kernel ``slope_one_predict``."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from aimass_core.reference._epilogue import Array, pair_sums


def slope_one_predict(
    indptr: Array,
    indices: Array,
    data: Array,
    t_indptr: Array,
    t_indices: Array,
    t_data: Array,
    query_user: Array,
    query_item: Array,
    n_threads: int,
) -> tuple[Array, Array]:
    """Return the sum of the Slope One deviations of each query.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Canonical CSR of ratings, users x items.
    t_indptr, t_indices, t_data : ndarray
        Its transpose.
    query_user, query_item : ndarray of int32, shape (n,)
        Queries, in any order.
    n_threads : int
        Not used here.

    Returns
    -------
    sum_dev : ndarray, shape (n,)
        Sum over the items j of the user that share a user with the item, of the mean of
        r_item - r_j over those users. The item itself, if the user has it, adds 0.
    n_used : ndarray of int32, shape (n,)
        The number of those j.

    References
    ----------
    D. Lemire, A. Maclachlan, "Slope One Predictors for Online Rating-Based Collaborative
    Filtering", 2005.
    """
    n_users, n_items = len(indptr) - 1, len(t_indptr) - 1
    for name, values, limit in (
        ("query_user", query_user, n_users),
        ("query_item", query_item, n_items),
    ):
        bad = (values < 0) | (values >= limit)
        if bad.any():
            i = int(bad.argmax())
            raise ValueError(f"{name}[{i}] is {values[i]}, expected 0 <= value < {limit}")
    ratings = sp.csr_array((data, indices, indptr), shape=(n_users, n_items))
    ratings_t = sp.csr_array((t_data, t_indices, t_indptr), shape=(n_items, n_users))
    sum_dev = np.zeros(len(query_user), data.dtype)
    n_used = np.zeros(len(query_user), np.int32)
    for item in np.unique(query_item):
        sums = pair_sums(ratings_t[[item]], ratings)
        n, difference = sums.n[0], (sums.sx - sums.sy)[0]
        for query in np.flatnonzero(query_item == item):
            rated = indices[indptr[query_user[query]] : indptr[query_user[query] + 1]]
            rated = rated[n[rated] > 0]
            sum_dev[query] = (difference[rated] / n[rated]).sum()
            n_used[query] = len(rated)
    return sum_dev, n_used
