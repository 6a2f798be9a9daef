"""Reference of the kernel ``spd_inverse``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def spd_inverse(
    a: NDArray[Any], n_threads: int, report: Callable[[int, int], None] | None = None
) -> None:
    """Invert a symmetric positive definite matrix in place.

    Parameters
    ----------
    a : ndarray of float32 or float64, shape (n, n)
        Its lower triangle is read; becomes the inverse, both triangles.
    n_threads : int
        Not used here.
    report : callable, optional
        Not used here.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where the matrix is not positive definite; the kernel raises `NumericalError`.
    """
    lower = np.tril(a).astype(np.float64)
    symmetric = lower + np.tril(lower, -1).T
    half = np.linalg.inv(np.linalg.cholesky(symmetric))
    a[...] = half.T @ half
