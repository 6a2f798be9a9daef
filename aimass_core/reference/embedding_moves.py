"""The moves of embeddings by what gradient steps did to the sums of them, feature by feature."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["embedding_moves"]


def embedding_moves(
    embeddings: tuple[Any, ...],
    transposed: tuple[Any, ...],
    rows: Any,
    factors: Any,
    accumulators: Any,
    factors_before: Any,
    accumulators_before: Any,
    n_threads: int,
) -> None:
    r"""Move embeddings by the changes of their rows and the growth of the rows' accumulators.

    The gradients of row i add up to :math:`G_i = \sqrt{a_i} \, \Delta q_i` for the accumulators
    :math:`a_i` before. With the growth :math:`\gamma_i` of its accumulators, the embedding of the
    row itself moves by :math:`v_i G_i / \sqrt{s_i}`, and :math:`s_i` grows by
    :math:`v_i^2 \gamma_i`. With :math:`g_f = \sum_i w_{if}^2 \gamma_i`, the embedding of a feature
    that :math:`n_f` rows have moves by

    .. math:: \sum_i w_{if} G_i \, \sqrt{\frac{s_f + g_f / n_f}{s_f (s_f + g_f)}},

    and :math:`s_f` grows by :math:`g_f`.

    Parameters
    ----------
    embeddings : tuple of ndarray
        As in `embedding_sums`; all but the first are changed.
    transposed : tuple of ndarray
        indptr, indices and data of the weights as CSR, features x rows.
    rows : ndarray of int32, shape (m,)
        Numbers of the rows, ascending.
    factors, accumulators : ndarray of shape (m, width)
        As steps left them. Become the sums of gradients and the growths.
    factors_before, accumulators_before : ndarray of shape (m, width)
        As `embedding_sums` wrote them.
    n_threads : int
        Not used here.
    """
    own_weights, own, own_squares, table, squares = embeddings
    indptr, indices, data = transposed
    gradients = np.zeros(own.shape)
    growths = np.zeros(own.shape)
    for k, row in enumerate(rows):
        before = accumulators_before[k].astype(np.float64)
        gradients[row] = np.sqrt(before) * (factors[k].astype(np.float64) - factors_before[k])
        growths[row] = accumulators[k] - before
        factors[k], accumulators[k] = gradients[row], growths[row]
        v = float(own_weights[row])
        own[row] += v * gradients[row] / np.sqrt(own_squares[row])
        own_squares[row] += v**2 * growths[row]
    for feature in range(len(table)):
        entries = slice(indptr[feature], indptr[feature + 1])
        of_feature, w = indices[entries], data[entries].astype(np.float64)
        grown = w**2 @ growths[of_feature]
        s = squares[feature].astype(np.float64)
        shortened = np.sqrt((s + grown / max(len(w), 1)) / (s * (s + grown)))
        table[feature] += (w @ gradients[of_feature]) * shortened
        squares[feature] = s + grown
