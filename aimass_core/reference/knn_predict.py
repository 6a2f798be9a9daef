"""Reference of the kernel ``knn_predict``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from aimass_core.reference._epilogue import Array, Epilogue, pair_sums, scores


def knn_predict(
    indptr: Array,
    indices: Array,
    data: Array,
    t_indptr: Array,
    t_indices: Array,
    t_data: Array,
    s_indptr: Array,
    s_indices: Array,
    s_data: Array,
    st_indptr: Array,
    st_indices: Array,
    st_data: Array,
    query_entity: Array,
    query_other: Array,
    k: int,
    min_k: int,
    positive_only: bool,
    formula: str,
    p: Array | None,
    q: Array | None,
    total: float,
    weight: tuple[float, float],
    shrink: float,
    min_support: int,
    support_shrink: float,
    support_offset: float,
    significance: float,
    amplification: float,
    threshold: float,
    function: int,
    n_threads: int,
    report: Callable[[int, int], None] | None = None,
) -> tuple[Array, Array, Array]:
    """Return the sums over the k nearest neighbours of each query.

    A neighbour of (entity, other) is another entity with an entry in that column and with a score
    against the entity; pairs without a common entry have none.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Canonical CSR of shape (n_entities, n_others): what neighbours say.
    t_indptr, t_indices, t_data : ndarray
        Its transpose.
    s_indptr, s_indices, s_data, st_indptr, st_indices, st_data : ndarray
        The matrix that similarity looks at, of the same shape, and its transpose.
    query_entity, query_other : ndarray of int32, shape (n,)
        Queries, in any order.
    k : int
        Neighbours per query: the largest scores, ties: lower entity first.
    min_k : int
        With fewer neighbours the sums are 0.
    positive_only : bool
        Leave out scores <= 0.
    formula, total, weight, shrink : str, float, (float, float), float
        The score, see ``cpp/kernels/epilogue.hpp``.
    p, q : ndarray or None, shape (n_entities,)
        Values of the formula, for the queried entity and for its neighbour; None: all ones.
    min_support, support_shrink, support_offset, significance, amplification, threshold
        Post-processing, applied in this order.
    function : int
        Address of a C function when ``formula`` is "custom", else 0.
    n_threads : int
        Not used here.
    report : callable, optional
        Not used here.

    Returns
    -------
    sum_weighted, sum_abs : ndarray, shape (n,)
        Sum of score * value and of abs(score) over the neighbours used.
    n_used : ndarray of int32, shape (n,)
        Their number.
    """
    epilogue = Epilogue(
        formula,
        total,
        weight,
        shrink,
        min_support,
        support_shrink,
        support_offset,
        significance,
        amplification,
        threshold,
        function,
    )
    n_entities, n_others = len(indptr) - 1, len(t_indptr) - 1
    for name, values, limit in (
        ("query_entity", query_entity, n_entities),
        ("query_other", query_other, n_others),
    ):
        bad = (values < 0) | (values >= limit)
        if bad.any():
            i = int(bad.argmax())
            raise ValueError(f"{name}[{i}] is {values[i]}, expected 0 <= value < {limit}")
    s = sp.csr_array((s_data, s_indices, s_indptr), shape=(n_entities, n_others))
    st = sp.csr_array((st_data, st_indices, st_indptr), shape=(n_others, n_entities))
    p_all = np.ones(n_entities) if p is None else p.astype(np.float64)
    q_all = np.ones(n_entities) if q is None else q.astype(np.float64)
    sum_weighted, sum_abs = np.zeros((2, len(query_entity)), data.dtype)
    n_used = np.zeros(len(query_entity), np.int32)
    for entity in np.unique(query_entity):
        row = slice(entity, entity + 1)
        sums = pair_sums(s[row], st)
        score = scores(sums, p_all[row, None], q_all[None, :], epilogue, data.dtype)[0]
        score[entity] = np.nan
        if positive_only:
            score[score <= 0] = np.nan
        for query in np.flatnonzero(query_entity == entity):
            column = slice(t_indptr[query_other[query]], t_indptr[query_other[query] + 1])
            raters, values = t_indices[column], t_data[column].astype(np.float64)
            weights = score[raters].astype(data.dtype).astype(np.float64)
            nearest = np.argsort(-weights, kind="stable")[: min(k, (~np.isnan(weights)).sum())]
            n_used[query] = len(nearest)
            if len(nearest) >= min_k:
                sum_weighted[query] = weights[nearest] @ values[nearest]
                sum_abs[query] = np.abs(weights[nearest]).sum()
    return sum_weighted, sum_abs, n_used
