"""Factors of rows that are weighted sums of embeddings, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["embedding_sums"]

SMALLEST_RATE = 1e-6


def embedding_sums(
    embeddings: tuple[Any, ...],
    weights: tuple[Any, ...],
    rows: Any,
    factors: Any,
    accumulators: Any,
    n_threads: int,
) -> None:
    r"""Write factors of rows, and the accumulators of AdaGrad that stand for their embeddings.

    Parameters
    ----------
    embeddings : tuple of ndarray
        own_weights (n_rows,), own and own_squares (n_rows, width), table and squares
        (n_features, width): embeddings of rows and of features, and their accumulators.
    weights : tuple of ndarray
        indptr, indices and data of the weights of features as CSR, rows x features.
    rows : ndarray of int32, shape (m,)
        Numbers of the rows, ascending.
    factors, accumulators : ndarray of shape (m, width)
        Written: :math:`q_i = v_i o_i + \sum_f w_{if} e_f` and :math:`1 / r_i^2` with
        :math:`r_i = v_i^2 / \sqrt{s_i} + \sum_f w_{if}^2 / \sqrt{s_f}`, at least 1e-6.
    n_threads : int
        Not used here.
    """
    own_weights, own, own_squares, table, squares = embeddings
    indptr, indices, data = weights
    for k, row in enumerate(rows):
        entries = slice(indptr[row], indptr[row + 1])
        features, w = indices[entries], data[entries].astype(np.float64)
        v = float(own_weights[row])
        factors[k] = v * own[row] + w @ table[features]
        rate = v**2 / np.sqrt(own_squares[row]) + w**2 @ (1 / np.sqrt(squares[features]))
        accumulators[k] = np.maximum(rate, SMALLEST_RATE) ** -2
