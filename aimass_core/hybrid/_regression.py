"""Ridge regression of factors on features, for one penalty or for the best of all penalties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.csr import take_rows
from ..base.progress import logger
from ..base.validation import as_float

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["FeatureRegression", "as_penalty"]

_MAX_DIRECT = 2048  # columns up to which the normal equations are factorised
_MAX_EIGEN = 4096  # columns up to which all penalties are compared
_N_PENALTIES = 80
_DENSE_SHARE = 0.25  # of stored entries from which a design is handled as a dense matrix
_DENSE_BLOCK = 1 << 24  # values of a dense block


def as_penalty(value: Any, name: str) -> float | str:
    """Return a penalty of a model's parameters: "gcv", or a number above 0."""
    if isinstance(value, str):
        if value != "gcv":
            raise ValueError(f"{name} must be 'gcv' or a number above 0, got {value!r}")
        return value
    return as_float(value, name, above=0.0)


class FeatureRegression:
    r"""The regression :math:`\min_B |Y - D B|^2 + \mu |B|^2` on some rows of a design.

    Parameters
    ----------
    design : csr_array of float64, shape (n, p)
        From `_design.design`.
    rows : ndarray of bool, shape (n,)
        Rows that are regressed on; the others are predicted only.
    penalty : float or "gcv"
        :math:`\mu`, or its choice by generalised cross-validation in the first call of `fit`.
    n_threads : int
        Threads of the Gramian of a dense design.

    Notes
    -----
    With up to 2048 columns the normal equations are factorised once, in O(p^3). With more, `fit`
    takes steps of the conjugate gradient method from the last solution, each in O(nnz f).
    Generalised cross-validation takes one eigendecomposition of the Gramian, whose eigenvalues are
    the squared singular values of the design; every penalty is then O(p).

    References
    ----------
    G. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for choosing a good
    ridge parameter", Technometrics 21(2), 1979.
    """

    def __init__(
        self, design: sp.csr_array, rows: NDArray[np.bool_], penalty: float | str, n_threads: int
    ) -> None:
        used = take_rows(design, np.flatnonzero(rows))
        self.n, self.p = used.shape
        self.penalty = penalty
        if penalty == "gcv" and self.p > _MAX_EIGEN:
            raise ValueError(
                f"{self.p} features are too many for the choice of the penalty by 'gcv', which "
                f"takes at most {_MAX_EIGEN}: give a number, such as 1.0, or encode fewer features"
            )
        is_dense = used.nnz > _DENSE_SHARE * max(self.n * self.p, 1)
        self._rows = np.flatnonzero(rows)
        self._used = used.toarray() if is_dense else used
        self._transposed = self._used.T if is_dense else used.T.tocsr()
        self._gramian: Array | None = None
        if self.p <= (_MAX_EIGEN if penalty == "gcv" else _MAX_DIRECT):
            if is_dense:
                self._gramian = np.asarray(kernels.als_gramian(self._used, n_threads))
            else:
                self._gramian = (self._transposed @ used).toarray()
        self._cholesky: Any = None

    def fit(self, factors: Array, start: Array | None = None, n_steps: int = 20) -> Array:
        """Return B of shape (p, f) for the factors Y of all rows.

        Parameters
        ----------
        factors : ndarray of shape (n_all, f)
            Those of the rows that are not regressed on have no effect.
        start : ndarray of shape (p, f), optional
            Where the conjugate gradient method starts. Default: zero.
        n_steps : int, default=20
            Its steps at most.

        Returns
        -------
        ndarray of float64, shape (p, f)
        """
        Y = factors[self._rows].astype(np.float64)
        moments = self._transposed @ Y
        if not self.n:
            return np.zeros((self.p, factors.shape[1]))
        if self.penalty == "gcv" and self._gramian is not None:
            total = float(np.square(Y).sum())
            self.penalty = self._best_penalty(self._gramian, moments, total)
            logger.info("features: penalty %.4g by generalised cross-validation", self.penalty)
        if self._gramian is None:
            return self._conjugate(moments, start, n_steps)
        from scipy.linalg import cho_factor, cho_solve  # here, because importing it takes long

        if self._cholesky is None:
            self._cholesky = cho_factor(self._gramian + float(self.penalty) * np.eye(self.p))
        solution: Array = cho_solve(self._cholesky, moments)
        return solution

    def _best_penalty(self, gramian: Array, moments: Array, total: float) -> float:
        """Return the penalty with the lowest generalised cross-validation error."""
        values, vectors = np.linalg.eigh(gramian)
        values = np.maximum(values, 0.0)
        largest = float(values[-1])
        if largest <= 0 or total <= 0:
            return 1.0
        squares = np.square(vectors.T @ moments).sum(axis=1)
        penalties = largest * np.geomspace(1e-7, 10.0, _N_PENALTIES)[:, None]
        shrunk = values / (values + penalties)
        residual = total - (
            (squares * (1 + penalties / (values + penalties))) / (values + penalties)
        ).sum(axis=1)
        freedom = self.n - shrunk.sum(axis=1)
        error = np.where(freedom > 0, residual / np.maximum(freedom, 1e-300) ** 2, np.inf)
        return float(penalties[int(np.argmin(error)), 0])

    def _conjugate(self, moments: Array, start: Array | None, n_steps: int) -> Array:
        """Return the solution by steps of the conjugate gradient method, column by column."""
        mu = float(self.penalty)
        used, transposed = self._used, self._transposed
        diagonal = np.bincount(used.indices, used.data**2, minlength=self.p)[:, None] + mu
        B = np.zeros_like(moments) if start is None else start.astype(np.float64)
        residual = moments - transposed @ (used @ B) - mu * B
        z = residual / diagonal
        direction = z.copy()
        size = (residual * z).sum(axis=0)
        smallest = 1e-10 * np.maximum((moments * moments / diagonal).sum(axis=0), 1e-300)
        for _ in range(n_steps):
            going = size > smallest
            if not going.any():
                break
            image = transposed @ (used @ direction) + mu * direction
            curvature = (direction * image).sum(axis=0)
            step = np.where(going, size / np.where(curvature > 0, curvature, 1.0), 0.0)
            B += step * direction
            residual -= step * image
            z = residual / diagonal
            after = (residual * z).sum(axis=0)
            direction = z + np.where(going, after / np.where(size > 0, size, 1.0), 0.0) * direction
            size = after
        return B
