"""One sweep over the columns of a relation of a factorization machine, case by case."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._fm_draw import draw, slots

__all__ = ["fm_relation_sweep"]

_GROUP = 4  # slots that are drawn jointly where columns share rows


def fm_relation_sweep(
    indptr: Any,
    indices: Any,
    data: Any,
    runs: Any,
    groups: Any,
    coefficients: Any,
    prior: tuple[Any, Any],
    noise: Any,
    alpha: float,
    weights: Any,
    sums: Any,
    errors: Any,
    case_indptr: Any,
    case_indices: Any,
    others: list[tuple[Any, Any]],
    block_width: int,
    n_factors: int,
    n_threads: int,
) -> None:
    """Draw the coefficients of each column of a relation once, given all other coefficients.

    A sweep draws all columns of one block of factors before those of the next. Within a block, a
    column is drawn jointly where its only row has no other column. The other columns are drawn in
    groups of four slots: the slots of a column in a group jointly, and all columns before the next
    group.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Transpose of the relation, columns x rows, as CSR.
    runs, groups, coefficients, prior, noise, alpha, weights
        As in `fm_design_sweep`.
    sums : ndarray of shape (n_rows, width)
        Sums of the factors of each row of the relation, 1 in slot 0 of each block. Changed.
    errors : ndarray of shape (n_cases,)
        Target less prediction. Changed.
    case_indptr, case_indices : ndarray
        Cases that refer to each row.
    others : list of tuples (sums, rows)
        Sums of another relation, and the row of each case in it, in the order of `case_indices`.
    block_width, n_factors : int
        Slots of a block, and number of factors.
    n_threads : int
        Not used here.
    """
    row_of = np.empty(len(errors), dtype=np.int64)
    row_of[case_indices] = np.repeat(np.arange(len(sums)), np.diff(case_indptr))
    rest = np.zeros((len(errors), sums.shape[1]))
    for table, rows in others:
        rest[case_indices] += table[rows]
    n_columns, n_rows = len(indptr) - 1, len(sums)
    x = np.zeros((n_columns, n_rows))
    stored = np.zeros((n_columns, n_rows), dtype=bool)
    for column in range(n_columns):
        own = slice(indptr[column], indptr[column + 1])
        x[column, indices[own]] = data[own]
        stored[column, indices[own]] = True
    only = (stored.sum(axis=1) == 1) & ~(stored & (stored.sum(axis=0) > 1)).any(axis=1)
    omega = weights.astype(np.float64) if len(weights) else np.ones(len(errors))
    e, q = errors.astype(np.float64), sums.astype(np.float64)

    def draw_column(column: int, begin: int, own: Any) -> None:
        cases = np.flatnonzero(stored[column, row_of])
        x_of_cases = x[column, row_of[cases], None]
        v = coefficients[column, own].copy()
        h = x_of_cases * ((rest + q[row_of])[np.ix_(cases, own)] - x_of_cases * v)
        linear = own == begin
        h[:, linear] = x_of_cases
        z = noise[column, own] if noise.size else None
        mean, precision = (p[groups[column], own] for p in prior)
        drawn = draw(h, e[cases], omega[cases], v, mean, precision, alpha, z)
        coefficients[column, own] = drawn
        e[cases] -= h @ (drawn - v)
        q[:, own[~linear]] += np.outer(x[column], (drawn - v)[~linear])

    for begin, own in slots(block_width, n_factors):
        if len(own) == 0:
            continue
        for column in np.flatnonzero(only).tolist():
            draw_column(column, begin, own)
        for group in np.unique((own - begin) // _GROUP):
            for column in np.flatnonzero(~only).tolist():
                draw_column(column, begin, own[(own - begin) // _GROUP == group])
    sums[...], errors[...] = q, e
