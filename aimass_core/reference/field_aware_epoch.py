"""One epoch of gradient descent for a field-aware factorization machine, pair by pair."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

__all__ = ["field_aware_epoch"]


def field_aware_epoch(
    indptr: Any,
    indices: Any,
    data: Any,
    fields: Any,
    order: Any,
    targets: Any,
    weights: Any,
    intercept: Any,
    linear: Any,
    factors: Any,
    n_fields: int,
    learning_rate: float,
    regularization: float,
    is_logistic: bool,
) -> float:
    """Make one step of gradient descent for each row of an order; return the sum of the losses.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Design matrix as CSR.
    fields : ndarray of int32, shape (n_columns,)
        Field of each column.
    order : ndarray of int64
        Rows, one step each.
    targets : ndarray of float64, shape (n_rows,)
        Targets; 0 or 1 for the logistic loss.
    weights : ndarray of float64, shape (n_rows,) or (0,)
        Weights of the rows; none: all 1. Rows of weight 0 make no step.
    intercept : ndarray of float64, shape (2,)
        The intercept and the sum of its squared gradients. Changed, as the next two.
    linear : ndarray of float64, shape (2, n_columns)
        Linear coefficients, and sums of squared gradients.
    factors : ndarray of float64, shape (2, n_columns, n_fields * n_factors)
        Factors of each column for each field, and sums of squared gradients.
    n_fields : int
        Number of fields.
    learning_rate, regularization : float
        Length of steps, and L2 penalty of linear coefficients and factors.
    is_logistic : bool
        Logistic loss; else half the squared error.

    Returns
    -------
    float
        Weighted sum of the losses, each before its step.
    """
    values, squares = (part.reshape(len(fields), n_fields, -1) for part in factors)
    loss = 0.0
    for row in order:
        weight = weights[row] if len(weights) else 1.0
        if weight == 0:
            continue
        columns = indices[indptr[row] : indptr[row + 1]]
        x = data[indptr[row] : indptr[row + 1]]
        present = np.unique(fields[columns])
        prediction = intercept[0] + linear[0, columns] @ x
        slopes = np.zeros((len(columns), n_fields, values.shape[2]))
        for a, b in combinations(range(len(columns)), 2):
            j, k = columns[a], columns[b]
            v, u = values[j, fields[k]], values[k, fields[j]]
            prediction += x[a] * x[b] * (v @ u)
            slopes[a, fields[k]] += x[a] * x[b] * u
            slopes[b, fields[j]] += x[a] * x[b] * v
        if is_logistic:
            loss += weight * (np.logaddexp(0, prediction) - targets[row] * prediction)
            slope = weight * (1 / (1 + np.exp(-prediction)) - targets[row])
        else:
            loss += weight * 0.5 * (prediction - targets[row]) ** 2
            slope = weight * (prediction - targets[row])
        intercept[1] += slope**2
        intercept[0] -= learning_rate * slope / np.sqrt(intercept[1])
        gradient = slope * x + regularization * linear[0, columns]
        linear[1, columns] += gradient**2
        linear[0, columns] -= learning_rate * gradient / np.sqrt(linear[1, columns])
        own = np.ix_(columns, present)
        of_factors = slope * slopes[:, present] + regularization * values[own]
        squares[own] += of_factors**2
        values[own] -= learning_rate * of_factors / np.sqrt(squares[own])
    return float(loss)
