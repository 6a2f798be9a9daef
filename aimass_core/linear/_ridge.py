"""Ridge regression of every item on all others by one inverse: what EASE and EDLAE share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.validation import as_float, as_int, csr_parts, wrap_csr
from ..exceptions import NumericalError
from ._descent import check_squares
from ._memory import check_dense_memory
from ._model import LinearModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["RidgeModel", "largest_of_columns", "normal_residual", "penalty_of"]

_ROWS = 256  # rows or columns of a dense matrix handled at once
_PROBES = 16
_LARGEST_RESIDUAL = 0.01
_DEFAULT_PENALTY = 200.0  # for values of 1
_STEPS = 99  # of a fit: shares of X'X, then of the inverse
_SPARSE_COST = 50.0  # of a sparse product, in products of dense matrices


class RidgeModel(LinearModel):
    """Weights B with B_ij = -P_ij / P_jj, where P is the inverse of X'X plus a diagonal ridge."""

    _state: ClassVar[tuple[str, ...]] = (
        *LinearModel._state,
        "precision_diagonal_",
        "regularization_",
        "residual_",
    )

    precision_diagonal_: NDArray[np.float64]
    regularization_: float
    residual_: float
    regularization: float | None
    n_neighbors: int | None

    def _ridge(self, squares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what is added to each diagonal element of X'X, given these elements.

        ``regularization_`` is set before.
        """
        raise NotImplementedError

    def _learn(self, n_threads: int) -> None:
        n = self.n_items
        k = None if self.n_neighbors is None else as_int(self.n_neighbors, "n_neighbors", minimum=1)
        X = self._learn_weighting()
        check_squares(X)
        self.regularization_ = penalty_of(self.regularization, X)
        self._ridge(np.zeros(0))  # checks the parameters before anything is allocated
        check_dense_memory(type(self).__name__, n, X.dtype.itemsize)
        progress = self._progress(_STEPS)
        split = 1 + int((_STEPS - 2) * _share_of_products(X))
        precision = kernels.gram_matrix(*csr_parts(X), n, n_threads, progress.within(0, split))
        progress.step(split)
        squares = precision.diagonal().astype(np.float64)
        ridge = self._ridge(squares)
        precision[np.diag_indices(n)] = squares + ridge
        kernels.spd_inverse(precision, n_threads, progress.within(split, _STEPS))
        progress.step(_STEPS)
        self._set_weights(precision, X, ridge)
        if k is not None and k < n:
            self.weights_ = largest_of_columns(self.weights_, k)

    def _set_weights(self, precision: Array, X: sp.csr_array, ridge: Array) -> None:
        """Set the learned attributes from P, which becomes the weights in place."""
        self.residual_ = normal_residual(precision, X, ridge)
        if not self.residual_ <= _LARGEST_RESIDUAL:
            raise NumericalError(
                f"the inverse of X'X has a relative residual of {self.residual_:.2g} in "
                f"{precision.dtype}: raise regularization, or use dtype='float64'"
            )
        self.precision_diagonal_ = precision.diagonal().astype(np.float64)
        scale = (-1 / self.precision_diagonal_).astype(precision.dtype)
        for begin in range(0, len(precision), _ROWS):
            precision[begin : begin + _ROWS] *= scale
        precision[np.diag_indices(len(precision))] = 0
        self.weights_ = precision

    def _check_state(self) -> None:
        super()._check_state()
        if self.precision_diagonal_.shape != (self.n_items,):
            raise ValueError(f"a diagonal of shape {self.precision_diagonal_.shape}")
        as_float(self.regularization_, "regularization_", above=0.0)


def penalty_of(regularization: Any, X: sp.csr_array) -> float:
    """Return the L2 penalty for a parameter ``regularization``; None: the default for the data.

    The default grows with the square of the values, so that scaled values give the same weights.
    """
    if regularization is not None:
        return as_float(regularization, "regularization", above=0.0)
    values = np.abs(X.data[X.data != 0])
    median = float(np.median(values)) if len(values) else 1.0
    return _DEFAULT_PENALTY * max(median**2, float(np.finfo(X.dtype).tiny))


def _share_of_products(X: sp.csr_array) -> float:
    """Return about which share of the time of X'X and its inverse X'X takes."""
    lengths = np.diff(X.indptr).astype(np.float64)
    products = _SPARSE_COST * float((lengths**2).sum()) / 2
    return products / max(products + float(X.shape[1]) ** 3, 1.0)


def normal_residual(precision: Array, X: sp.csr_array, ridge: Array) -> float:
    """Return the largest norm of a column of (X'X + ridge) P - I, in float64.

    A few columns are looked at, from the most to the least popular item; P stays what it was.
    """
    n = len(precision)
    if n == 0:
        return 0.0
    counts = np.bincount(X.indices, minlength=n)
    checked = np.linspace(0, n - 1, min(_PROBES, n)).astype(np.int64)
    probes = np.unique(np.argsort(-counts, kind="stable")[checked])
    P = precision[probes].T.astype(np.float64)  # symmetric: rows are read at once
    exact = X.astype(np.float64)
    residual = exact.T @ (exact @ P) + ridge[:, None] * P
    residual[probes, np.arange(len(probes))] -= 1
    return float(np.sqrt((residual**2).sum(axis=0)).max())


def largest_of_columns(weights: Array, k: int) -> sp.csr_array:
    """Return the k weights of each column that are largest by absolute value, as a CSR matrix."""
    n = len(weights)
    rows, columns = [], []
    for begin in range(0, n, _ROWS):
        part = np.abs(weights[:, begin : begin + _ROWS])
        best = np.argpartition(-part, k - 1, axis=0)[:k]
        rows.append(best.T.ravel())
        columns.append(np.repeat(np.arange(begin, begin + part.shape[1]), k))
    row, column = np.concatenate(rows), np.concatenate(columns)
    kept = weights[row, column] != 0
    row, column = row[kept], column[kept]
    order = np.lexsort((column, row))
    row, column = row[order], column[order]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)
    return wrap_csr(indptr, column.astype(np.int32), weights[row, column], (n, n))
