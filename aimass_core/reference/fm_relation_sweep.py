"""One sweep over the columns of a relation of a factorization machine, case by case."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fm_design_sweep import fm_design_sweep

__all__ = ["fm_relation_sweep"]


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

    Every case gets the columns of its row, and the sweep is that of the design matrix of the
    cases. A sweep draws all columns of one block of factors before those of the next.

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
    n_columns = len(indptr) - 1
    dense = np.zeros((n_columns, len(sums)), dtype=data.dtype)
    for column in range(n_columns):
        own = slice(indptr[column], indptr[column + 1])
        dense[column, indices[own]] = data[own]
    of_cases = dense[:, row_of]
    own_sums = dense.T.astype(np.float64) @ coefficients
    present = np.zeros(n_columns + 1, dtype=np.int64)
    present[1:] = np.cumsum((of_cases != 0).sum(axis=1))
    stored = np.nonzero(of_cases)
    e = errors.astype(np.float64)
    for begin in range(0, sums.shape[1], block_width):
        block = slice(begin, begin + block_width)
        held = max(0, min(n_factors - begin // block_width * (block_width - 1), block_width - 1))
        if begin and not held:
            continue
        q = (rest + own_sums[row_of])[:, block]
        q[:, 0] = 1
        part = coefficients[:, block].copy()
        noise_part = noise[:, block] if noise.size else noise
        means, precisions = (p[:, block].copy() for p in prior)
        if begin:  # no linear coefficients here: a prior that holds them at 0
            means[:, 0], precisions[:, 0] = 0, 1e30
        fm_design_sweep(
            present,
            stored[1],
            of_cases[stored],
            runs,
            groups,
            part,
            (means, precisions),
            noise_part,
            alpha,
            weights,
            q,
            e,
            block_width,
            held,
            n_threads,
        )
        coefficients[:, block.start + (begin > 0) : block.stop] = part[:, int(begin > 0) :]
    errors[...] = e
    after = dense.T.astype(np.float64) @ coefficients
    linear = np.zeros(sums.shape[1], dtype=bool)
    linear[::block_width] = True
    sums[:, ~linear] = after[:, ~linear]
