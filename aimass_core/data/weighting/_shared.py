"""What all weightings share: entries by row, and the result as the kind that came in."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ...base.validation import _wrap_csr

__all__ = ["SIDES", "Weightable", "entry_rows", "like", "refuse_negative"]

Weightable = TypeVar("Weightable")  # Interactions, or a matrix
SIDES = ("users", "items")


def entry_rows(matrix: sp.csr_array) -> NDArray[np.int32]:
    """The row of each stored entry."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def like(X: Weightable, matrix: sp.csr_array, data: NDArray[Any]) -> Weightable:
    """The matrix with other values, as the kind of thing that came in."""
    data = np.ascontiguousarray(data, dtype=matrix.dtype)
    out = _wrap_csr(matrix.indptr, matrix.indices, data, matrix.shape)
    return cast("Weightable", X.with_matrix(out) if hasattr(X, "with_matrix") else out)


def refuse_negative(matrix: sp.csr_array, what: str) -> None:
    """Counts are at least 0."""
    if matrix.nnz and matrix.data.min() < 0:
        raise ValueError(
            f"{what} needs values of at least 0, got {matrix.data.min()}: they are counts of how "
            "often a term occurs"
        )
