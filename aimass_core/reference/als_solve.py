"""One half-step of alternating least squares: a linear system for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._als_weights import als_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["als_solve"]


def als_solve(
    indptr: Array,
    indices: Array,
    data: Array,
    factors: Array,
    gramian: Array,
    start: Array,
    ridge: Array,
    linear: Array,
    common_ridge: float,
    alpha: float,
    weight_shift: float,
    target_shift: float,
    preferences: bool,
    solver: str,
    n_steps: int,
    block_size: int,
    n_threads: int,
) -> Array:
    """Return the factors of every row, with those of the other side fixed.

    Row by row the minimum over x of ``x' (gramian + ridge I) x - 2 linear'x`` plus the sum over its
    entries of ``weight (y'x)^2 - 2 target y'x``, in float64.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Canonical CSR of shape (n_rows, n_columns).
    factors : ndarray of shape (n_columns, f)
        The other side's, of the dtype of `data`.
    gramian : ndarray of float64, shape (f, f)
        What all columns together add to the matrix of every row.
    start : ndarray of shape (n_rows, f)
        Where iterations start from; not used by "cholesky".
    ridge : ndarray of float64, shape (n_rows,)
        Added to the diagonal.
    linear : ndarray of shape (n_rows, f) or (0, f)
        Added to the right-hand side; (0, f): zero. With ``linear = ridge[:, None] * m`` the ridge
        pulls a row's factors towards m instead of zero. Of the dtype of `data`.
    common_ridge : float
        In the preconditioner, raised to the largest diagonal element of gramian times the root of
        the dtype's epsilon; where both are 0, it is 1. Where it was raised, steps end at a
        direction with less than 1/64 of it as curvature.
    alpha, weight_shift, target_shift, preferences : float, float, float, bool
        Weight and target of an entry: with `preferences` ``alpha |v| + weight_shift`` and, for
        v > 0, ``alpha v + target_shift``, else 0; without, ``weight_shift`` and v.
    solver : {"cholesky", "cg", "pcg", "subspace", "nonnegative"}
        Exact; conjugate gradient; the same preconditioned by ``gramian + common_ridge I``; sweeps
        over blocks of coordinates, each exact; coordinate descent
        with x >= 0.
    n_steps : int
        Steps or sweeps.
    block_size : int
        Coordinates of a block of "subspace", rounded up to a multiple of 64 bytes.
    n_threads : int
        Not used here.

    Returns
    -------
    ndarray of shape (n_rows, f)
        Zero for a row all of whose targets and linear terms are zero.
    """
    f = factors.shape[1]
    solution = np.zeros(start.shape)
    for row in range(len(indptr) - 1):
        entries = slice(indptr[row], indptr[row + 1])
        weight, target = als_weights(data[entries], alpha, weight_shift, target_shift, preferences)
        shift = linear[row].astype(np.float64) if len(linear) else np.zeros(f)
        if not (target.any() or shift.any()):
            continue
        y = factors[indices[entries]].astype(np.float64)
        matrix = gramian + ridge[row] * np.eye(f) + y.T @ (weight[:, None] * y)
        b = shift + y.T @ target
        x = start[row].astype(np.float64)
        largest, epsilon = np.diag(gramian).max(), np.finfo(data.dtype).eps
        resolved = 8 * epsilon * largest
        if solver == "cholesky":
            x = np.linalg.solve(matrix, b)
        elif solver == "cg":
            x = _conjugate(matrix, b, x, n_steps, np.eye(f), resolved)
        elif solver == "pcg":
            smallest = epsilon**0.5 * largest
            common = max(common_ridge, smallest) or 1.0
            if common_ridge < smallest:
                resolved = max(resolved, common / 64)
            inverse = np.linalg.inv(gramian + common * np.eye(f))
            x = _conjugate(matrix, b, x, n_steps, inverse, resolved)
        elif solver == "subspace":
            pad = 64 // data.dtype.itemsize
            x = _subspace(matrix, b, x, n_steps, -(-block_size // pad) * pad)
        else:
            x = _nonnegative(matrix, b, x, n_steps)
        solution[row] = x
    return solution.astype(data.dtype)


def _conjugate(
    a: Array, b: Array, x: Array, n_steps: int, inverse: Array, resolved: float
) -> Array:
    r = b - a @ x
    p = z = inverse @ r
    for _ in range(n_steps):
        now, curvature = r @ z, p @ a @ p
        if now <= 0 or curvature <= resolved * (p @ p):
            break
        x = x + now / curvature * p
        r = r - now / curvature * (a @ p)
        z = inverse @ r
        p = z + r @ z / now * p
    return x


def _subspace(a: Array, b: Array, x: Array, n_steps: int, block_size: int) -> Array:
    for _ in range(n_steps):
        for begin in range(0, len(x), block_size):
            block = slice(begin, begin + block_size)
            x[block] += np.linalg.solve(a[block, block], (b - a @ x)[block])
    return x


def _nonnegative(a: Array, b: Array, x: Array, n_steps: int) -> Array:
    for _ in range(n_steps):
        for k in range(len(x)):
            x[k] = max(0.0, x[k] + (b[k] - a[k] @ x) / a[k, k]) if a[k, k] > 0 else 0.0
    return x
