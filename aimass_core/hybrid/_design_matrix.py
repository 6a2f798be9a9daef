"""The design matrix of the factorization machines: its values, and the names of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.arrays import column_names
from ..base.validation import as_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NamedColumns", "as_design_matrix"]


def as_design_matrix(X: Any) -> sp.csr_array:
    """Return a design matrix as canonical CSR of float64.

    Raises
    ------
    TypeError
        For text and other values that are no numbers.
    ValueError
        For another number of dimensions than two, and values that are not finite.
    """
    if sp.issparse(X):
        return as_csr(X, dtype="float64")
    array = X if isinstance(X, np.ndarray) else np.asarray(X)
    if array.dtype.kind in "SU" or (array.dtype.kind == "O" and _has_text(array)):
        raise TypeError(
            f"X must hold real numbers, got text (dtype {array.dtype}): encode categories by "
            "Features, or by OneHotEncoder of scikit-learn"
        )
    if array.ndim == 1:
        raise ValueError(
            "X must be 2-D (rows x columns), got 1-D: X.reshape(1, -1) is a single row"
        )
    return as_csr(X, dtype="float64")


def _has_text(array: NDArray[Any]) -> bool:
    return any(isinstance(value, (str, bytes)) for value in array.ravel().tolist())


class NamedColumns:
    """Names of the columns of X: `fit` notes them, predictions compare them."""

    feature_names_in_: NDArray[np.object_]

    def _note_names(self, X: Any) -> None:
        names = None if X is None else column_names(X)
        if names is not None:
            self.feature_names_in_ = names

    def _check_names(self, X: Any) -> None:
        names = None if X is None else column_names(X)
        own = self._column_names
        if names is not None and own is not None and list(names) != own:
            raise ValueError(
                "The feature names should match those that were passed during fit: got "
                f"{list(names)[:5]}, fitted on {own[:5]}"
            )

    @property
    def _column_names(self) -> list[str] | None:
        """The names as a file holds them."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [str(name) for name in names]

    @_column_names.setter
    def _column_names(self, names: Any) -> None:
        if names is not None:
            self.feature_names_in_ = np.array([str(name) for name in names], dtype=object)

    def _check_n_names(self, n_columns: int) -> None:
        """Raise ValueError where a file has another number of names than of columns."""
        names = self._column_names
        if names is not None and len(names) != n_columns:
            raise ValueError(f"{len(names)} names for {n_columns} columns")
