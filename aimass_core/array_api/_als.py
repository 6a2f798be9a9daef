"""One half-step of alternating least squares, as batches of dense systems.

The kernel ``als_solve`` in the array API. Rows are taken in the order of their number of entries
and padded to the longest of their batch, so that the normal equations of a batch are one batched
matrix product and their solution one batched factorisation. Time: 2 nnz f^2 + n f^3 / 3 flops plus
the padding (at most the entries again). Memory: batches within the budget of the device, besides
the factors of the other side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import NumericalError
from ..kernels.cuda import preconditioner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._device import Device

    Array = NDArray[Any]

__all__ = ["als_solve"]

_MAX_ROWS = 1 << 14  # of a batch


def als_solve(
    indptr: Array,
    indices: Array,
    data: Array,
    factors: Array,
    gramian: NDArray[np.float64],
    start: Array,
    ridge: NDArray[np.float64],
    linear: Array,
    common_ridge: float,
    alpha: float,
    weight_shift: float,
    target_shift: float,
    preferences: bool,
    solver: str,
    n_steps: int,
    block_size: int,
    device: Device,
) -> Array:
    """Return the factors of every row, with those of the other side fixed.

    Parameters
    ----------
    indptr, indices, data, factors, gramian, start, ridge, linear, common_ridge
        As in the kernel `aimass_core.kernels.als_solve`, in NumPy.
    alpha, weight_shift, target_shift, preferences, solver, n_steps, block_size
        As in the kernel.
    device : Device
        Where it is computed, in the dtype of ``data``.

    Returns
    -------
    ndarray of shape (n_rows, f)
        On the host, of the dtype of ``data``.

    Raises
    ------
    NumericalError
        Where a system has no finite solution; ``row`` is its number.
    MemoryError
        If the factors do not fit on the device.
    """
    f, dtype = factors.shape[1], data.dtype
    device.check_memory(factors.nbytes, "the factors")
    problem = _Problem(device, factors, gramian, common_ridge, solver, n_steps, block_size)
    solution = np.zeros(start.shape, dtype=dtype)
    weights, targets = _weights(data, alpha, weight_shift, target_shift, preferences)
    lengths = np.diff(indptr)
    is_needed = _any_of_rows(targets != 0, indptr)
    if len(linear):
        is_needed |= linear.any(axis=1)
    for rows in _batches(lengths, is_needed, f, device.budget, dtype.itemsize):
        longest = int(lengths[rows[-1]])
        places = indptr[rows][:, None] + np.arange(longest)
        is_entry = np.arange(longest) < lengths[rows][:, None]
        places = np.where(is_entry, places, 0)
        batch = problem.solve(
            indices[places],
            np.where(is_entry, weights[places], 0).astype(dtype),
            np.where(is_entry, targets[places], 0).astype(dtype),
            ridge[rows],
            linear[rows] if len(linear) else None,
            start[rows],
            rows,
        )
        is_finite = np.isfinite(batch).all(axis=1)
        if not is_finite.all():
            raise NumericalError("has no finite solution", row=int(rows[~is_finite].min()))
        solution[rows] = batch
    return solution


def _weights(
    data: Array, alpha: float, weight_shift: float, target_shift: float, preferences: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weight and the target of each entry; a stored zero is no entry."""
    values = data.astype(np.float64)
    if not preferences:
        return np.full(len(values), weight_shift), values
    scaled = alpha * np.abs(values)
    weight = np.where(values != 0, scaled + weight_shift, 0.0)
    return weight, np.where(values > 0, scaled + target_shift, 0.0)


def _any_of_rows(is_true: NDArray[np.bool_], indptr: Array) -> NDArray[np.bool_]:
    """Return for each row whether any of its entries is true."""
    counts = np.concatenate([[0], np.cumsum(is_true)])
    is_any: NDArray[np.bool_] = counts[indptr[1:]] > counts[indptr[:-1]]
    return is_any


def _batches(
    lengths: Array, is_needed: NDArray[np.bool_], f: int, budget: int, itemsize: int
) -> Iterator[Array]:
    """Yield numbers of rows of similar lengths, the longest of each batch last."""
    rows = np.flatnonzero(is_needed)
    rows = rows[np.argsort(lengths[rows], kind="stable")]
    begin = 0
    while begin < len(rows):
        end = min(begin + _MAX_ROWS, len(rows))
        # Rows of up to twice the entries of the first one, as many as the budget allows.
        limit = 2 * max(int(lengths[rows[begin]]), f // 2, 8)
        end = begin + int(np.searchsorted(lengths[rows[begin:end]], limit, side="right"))
        end = max(end, begin + 1)
        longest = int(lengths[rows[end - 1]])
        per_row = itemsize * (2 * longest * (f + 2) + 3 * f * f)
        end = min(end, begin + max(1, budget // per_row))
        yield rows[begin:end]
        begin = end


class _Problem:
    """What all rows of a half-step have in common, on the device."""

    def __init__(
        self,
        device: Device,
        factors: Array,
        gramian: NDArray[np.float64],
        common_ridge: float,
        solver: str,
        n_steps: int,
        block_size: int,
    ) -> None:
        self.device, self.xp = device, device.library
        self.solver, self.n_steps = solver, n_steps
        self.factors = device.array(factors)
        self.gramian = device.array(gramian, factors.dtype)
        f = factors.shape[1]
        self.identity = device.array(np.eye(f), factors.dtype)
        pad = 64 // factors.dtype.itemsize
        self.block_size = -(-block_size // pad) * pad
        inverse, self.resolved = preconditioner(gramian, common_ridge, solver, factors.dtype)
        self.inverse = self.identity if inverse is None else device.array(inverse)

    def solve(
        self,
        indices: Array,
        weight: Array,
        target: Array,
        ridge: Array,
        linear: Array | None,
        start: Array,
        rows: Array,
    ) -> Array:
        """Return the factors of a batch of rows; entries that pad a row have the weight 0."""
        xp, device = self.xp, self.device
        n, longest = indices.shape
        f = self.factors.shape[1]
        flat = device.array(indices.reshape(-1), np.int64)
        y = xp.reshape(xp.take(self.factors, flat, axis=0), (n, longest, f))
        transposed = xp.matrix_transpose(y)
        weights = xp.expand_dims(device.array(weight), axis=1)
        A = xp.matmul(transposed * weights, y) + xp.expand_dims(self.gramian, axis=0)
        ridges = xp.reshape(device.array(ridge, weight.dtype), (n, 1, 1))
        A = A + ridges * xp.expand_dims(self.identity, axis=0)
        b = self._times(transposed, device.array(target))
        if linear is not None:
            b = b + device.array(linear, weight.dtype)
        x = device.array(start)
        if self.solver == "cholesky":
            try:
                x = device.solve_positive(A, b)
            except NumericalError as error:
                row = None if error.row is None else int(rows[error.row])
                raise NumericalError("has no finite solution", row=row) from None
        elif self.solver in ("cg", "pcg"):
            x = self._conjugate_gradient(A, b, x)
        elif self.solver == "subspace":
            x = self._sweeps_of_blocks(A, b, x)
        else:
            x = self._nonnegative_sweeps(A, b, x)
        return device.to_numpy(x)

    def _times(self, A: Any, x: Any) -> Any:
        """Return the products of matrices and vectors of a batch."""
        xp = self.xp
        return xp.matmul(A, xp.expand_dims(x, axis=2))[:, :, 0]

    def _dot(self, x: Any, y: Any) -> Any:
        """Return the inner products of the vectors of a batch, as a column."""
        return self.xp.sum(x * y, axis=1, keepdims=True)

    def _conjugate_gradient(self, A: Any, b: Any, x: Any) -> Any:
        """Return x after steps of preconditioned conjugate gradient; rows stop one by one."""
        xp = self.xp
        r = b - self._times(A, x)
        p = z = xp.matmul(r, self.inverse)
        is_running = xp.ones((*x.shape[:1], 1), dtype=xp.bool, device=self.device.place)
        for _ in range(self.n_steps):
            now, Ap = self._dot(r, z), self._times(A, p)
            curvature = self._dot(p, Ap)
            is_running = is_running & (now > 0) & (curvature > self.resolved * self._dot(p, p))
            step = xp.where(is_running, now / xp.where(is_running, curvature, now * 0 + 1), now * 0)
            x = x + step * p
            r = r - step * Ap
            z = xp.matmul(r, self.inverse)
            growth = self._dot(r, z) / xp.where(is_running, now, now * 0 + 1)
            p = z + growth * p
        return x

    def _sweeps_of_blocks(self, A: Any, b: Any, x: Any) -> Any:
        """Return x after sweeps over blocks of coordinates, each solved exactly (iALS++)."""
        xp, f = self.xp, x.shape[1]
        for _ in range(self.n_steps):
            for begin in range(0, f, self.block_size):
                end = min(f, begin + self.block_size)
                residual = (b - self._times(A, x))[:, begin:end]
                change = self.device.solve_positive(A[:, begin:end, begin:end], residual)
                x = xp.concat([x[:, :begin], x[:, begin:end] + change, x[:, end:]], axis=1)
        return x

    def _nonnegative_sweeps(self, A: Any, b: Any, x: Any) -> Any:
        """Return x after sweeps of coordinate descent that keep x at least 0."""
        xp, f = self.xp, x.shape[1]
        for _ in range(self.n_steps):
            for k in range(f):
                diagonal = A[:, k, k]
                is_positive = diagonal > 0
                residual = b[:, k] - xp.sum(A[:, k, :] * x, axis=1)
                moved = x[:, k] + residual / xp.where(is_positive, diagonal, diagonal * 0 + 1)
                moved = xp.where(is_positive & (moved > 0), moved, moved * 0)
                x = xp.concat([x[:, :k], xp.expand_dims(moved, axis=1), x[:, k + 1 :]], axis=1)
        return x
