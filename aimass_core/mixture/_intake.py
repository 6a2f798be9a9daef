"""The source that suits what the user gave: an array, a sparse matrix, a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.validation import as_csr
from ._input import as_matrix, as_weights, column_names
from ._missing import Missing
from ._sources import Dense
from ._sparse import Sparse
from ._stream import Parquet

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["names_of", "rows_of", "source_of"]


def _mapped(path: Any) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or not array.flags.c_contiguous or array.dtype.str not in ("<f4", "<f8"):
        raise ValueError(
            f"{path} must hold a 2-D float32 or float64 array in C order to be used from disk, got "
            f"{array.ndim}-D of {array.dtype}: load it with numpy.load and give the array"
        )
    return array


def names_of(X: Any, source: Any) -> NDArray[np.object_] | None:
    """Column names of a table or file."""
    if isinstance(source, Parquet):
        return np.array(source.columns, dtype=object)
    return column_names(X)


def source_of(
    X: Any, sample_weight: Any, n_threads: int, covariance_type: str, missing: str
) -> Dense | Sparse | Parquet:
    """Rows to learn from."""
    if isinstance(X, (str, os.PathLike)):
        path = Path(X)
        if not path.exists():
            raise FileNotFoundError(f"X: there is no file {path}")
        if path.suffix != ".npy":
            if missing != "error":
                raise ValueError(
                    f"missing={missing!r} is for arrays, a Parquet file is read batch by batch and "
                    "may hold no missing values: read it and give the array"
                )
            return Parquet(path, sample_weight, n_threads)
        X = _mapped(path)
    return rows_of(X, sample_weight, n_threads, covariance_type, missing)


def rows_of(
    X: Any,
    sample_weight: Any,
    n_threads: int,
    covariance_type: str,
    missing: str,
    *,
    n_columns: int | None = None,
    what: str = "",
) -> Dense | Sparse:
    """Rows in memory; ``n_columns`` and ``what`` as in `as_matrix`."""
    if sp.issparse(X):
        if covariance_type not in ("diag", "spherical"):
            raise TypeError(
                f"X is a sparse matrix, which covariance_type={covariance_type!r} can't take "
                "(diag and spherical can): give X.toarray()"
            )
        matrix = as_csr(X, dtype=np.float32 if X.dtype == np.float32 else np.float64)
        n, d = matrix.shape
        if n == 0 or d == 0:
            raise ValueError(f"X has shape {n} x {d}: at least one row and column are needed")
        if n_columns is not None and d != n_columns:
            raise ValueError(
                f"X has {d} features, but {what} is expecting {n_columns} features as input"
            )
        return Sparse(matrix, as_weights(sample_weight, n), n_threads)
    allowed = missing == "marginalize"
    dense = as_matrix(X, n_columns=n_columns, what=what, missing=allowed)
    weights = as_weights(sample_weight, len(dense))
    if allowed and np.isnan(dense.sum()):
        return Missing(dense, weights, n_threads)
    return Dense(dense, weights, n_threads)
