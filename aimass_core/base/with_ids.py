"""Matrices that carry the ids of their rows and columns, as models see them.

`data.Interactions` is one. The base and the models know only this class, so that they import
nothing from the layer of data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import scipy.sparse as sp
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..data import IdMap

__all__ = ["MatrixWithIds", "matrix_of"]


class MatrixWithIds:
    """A users x items matrix with the ids of its rows and columns.

    Attributes
    ----------
    matrix : csr_array of shape (n_users, n_items)
        Canonical.
    users, items : IdMap
        Ids of rows and columns.
    timestamps : ndarray of int64, shape (nnz,), or None
        One for each stored entry.
    time_unit : str or None
        Unit of the timestamps.
    """

    matrix: sp.csr_array
    users: IdMap
    items: IdMap
    timestamps: NDArray[np.int64] | None
    time_unit: str | None

    def with_matrix(self, matrix: Any) -> Self:
        """Return the same ids around another matrix of the same shape."""
        raise NotImplementedError

    def keep_entries(self, keep: NDArray[np.bool_]) -> Self:
        """Return some of the stored entries; shape and ids stay."""
        raise NotImplementedError

    def merge_onto(
        self,
        matrix: Any,
        users: IdMap,
        items: IdMap,
        timestamps: NDArray[np.int64] | None,
        time_unit: str | None,
        duplicates: str,
        events: Mapping[str, Any] | None = None,
    ) -> MatrixWithIds:
        """Return older interactions and these together, rows and columns matched by id."""
        raise NotImplementedError


def matrix_of(X: Any) -> Any:
    """Return the matrix of X if X carries ids, else X itself."""
    return X.matrix if isinstance(X, MatrixWithIds) else X
