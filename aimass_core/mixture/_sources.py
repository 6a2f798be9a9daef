"""The source of rows that suits what the caller gave: an array, a sparse matrix, a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from ..array_api import Device, is_foreign_array, is_on_host
from ..base.validation import as_csr, as_int
from ._dense_rows import DenseRows
from ._device_rows import DeviceRows
from ._missing_rows import MissingRows
from ._mixed_rows import MixedRows, split_codes
from ._parameters import SPARSE_TYPES
from ._parquet_rows import ParquetRows
from ._sparse_rows import SparseRows
from ._validation import as_device_matrix, as_matrix, as_weights, column_names, wrong_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RowsInMemory", "category_columns", "is_path", "names_of", "rows_in_memory", "source_of"]

RowsInMemory: TypeAlias = DenseRows | SparseRows | MissingRows | MixedRows


def names_of(X: Any, source: Any) -> NDArray[np.object_] | None:
    """Return the column names of a table or file, None without names."""
    if isinstance(source, ParquetRows):
        return np.array(source.columns, dtype=object)
    return column_names(X)


def category_columns(
    categorical_features: Any, names: Any, n_columns: int
) -> dict[int, int | None]:
    """Return the positions of the categorical columns, in order, and their numbers of values.

    A number of values is None unless ``categorical_features`` is a mapping that gives it.
    """
    if categorical_features is None:
        return {}
    if isinstance(categorical_features, (str, bytes)) or not np.iterable(categorical_features):
        raise TypeError(
            "categorical_features must be a list of column positions or names, or a mapping of "
            f"these to numbers of values, got {categorical_features!r}"
        )
    names = None if names is None else list(names)
    sizes = categorical_features if isinstance(categorical_features, Mapping) else None
    positions: dict[int, int | None] = {}
    for column in categorical_features:
        size = None
        if sizes is not None:
            size = as_int(sizes[column], f"categorical_features[{column!r}]", minimum=1)
        if isinstance(column, str):
            if names is None or column not in names:
                known = "X has no column names" if names is None else f"there are {names}"
                raise ValueError(f"categorical_features: no column {column!r}; {known}")
            positions[names.index(column)] = size
        else:
            position = as_int(
                column, "categorical_features: a column", minimum=0, maximum=n_columns - 1
            )
            positions[position] = size
    return dict(sorted(positions.items()))


def is_path(X: Any) -> bool:
    """Return whether rows are given as the name of a file."""
    return isinstance(X, (str, os.PathLike))


def source_of(
    X: Any,
    sample_weight: Any,
    n_threads: int,
    covariance_type: str,
    missing: str,
    categorical_features: Any = None,
    device: str = "cpu",
) -> RowsInMemory | ParquetRows:
    """Return the source for a fit; ``X`` may be the path of a ``.npy`` or Parquet file.

    Dense rows are moved to ``device`` unless that is "cpu".
    """
    on_device = Device.unless_cpu(device)
    if is_path(X):
        path = Path(X)
        if not path.exists():
            raise FileNotFoundError(f"X: there is no file {path}")
        if path.suffix != ".npy":
            if on_device is not None:
                raise ValueError(
                    f"device={device!r} needs rows in memory: read the Parquet file and give the "
                    "table"
                )
            if categorical_features is not None:
                raise ValueError(
                    "categorical_features needs rows in memory: read the Parquet file and give the "
                    "table"
                )
            return ParquetRows(path, sample_weight, n_threads, missing == "marginalize")
        X = _mapped_array(path)
    source = rows_in_memory(
        X,
        sample_weight,
        n_threads,
        covariance_type,
        missing,
        categorical_features=categorical_features,
    )
    return source if on_device is None else _on_device(source, on_device)


def _on_device(source: RowsInMemory, device: Device) -> DeviceRows:
    """Return dense rows as rows of a device."""
    if isinstance(source, DeviceRows):
        return source
    if not isinstance(source, DenseRows):
        raise TypeError(
            f"device={device.name!r} takes dense rows without missing values and categorical "
            "columns: fit these with device='cpu'"
        )
    device.check_memory(source.X.nbytes, "the rows")
    return DeviceRows(device.array(source.X), source.weight, source.n_threads)


def rows_in_memory(
    X: Any,
    sample_weight: Any,
    n_threads: int,
    covariance_type: str,
    missing: str,
    *,
    n_columns: int | None = None,
    model: str = "",
    categorical_features: Any = None,
    n_values: tuple[int, ...] | None = None,
) -> RowsInMemory:
    """Return the source for an array-like or sparse matrix.

    ``n_columns`` is the required number of columns, that of the fit of ``model``, and ``n_values``
    the number of values of each categorical column there.
    """
    if sp.issparse(X):
        if categorical_features is not None:
            raise TypeError("categorical_features needs dense rows: give X.toarray()")
        if covariance_type not in SPARSE_TYPES:
            raise TypeError(
                f"X is a sparse matrix, which covariance_type={covariance_type!r} can't take "
                f"({', '.join(SPARSE_TYPES[:-1])} and {SPARSE_TYPES[-1]} can): give X.toarray()"
            )
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        matrix = as_csr(X, dtype=dtype, n_threads=n_threads)
        n, d = matrix.shape
        if n == 0 or d == 0:
            raise ValueError(f"X has shape {n} x {d}: at least one row and column are needed")
        if n_columns is not None and d != n_columns:
            raise wrong_columns(d, model, n_columns)
        return SparseRows(matrix, as_weights(sample_weight, n), n_threads)
    allows_missing = missing == "marginalize"
    if is_foreign_array(X) and not is_on_host(X):
        if allows_missing or categorical_features is not None:
            raise TypeError(
                "missing='marginalize' and categorical_features need rows in the memory of the "
                "host: give X.cpu() of PyTorch or X.get() of CuPy"
            )
        matrix = as_device_matrix(X, n_columns=n_columns, model=model)
        return DeviceRows(matrix, as_weights(sample_weight, matrix.shape[0]), n_threads)
    dense = as_matrix(X, n_columns=n_columns, model=model, allows_missing=allows_missing)
    weights = as_weights(sample_weight, len(dense))
    columns = category_columns(categorical_features, column_names(X), dense.shape[1])
    if columns:
        sizes = list(columns.values()) if n_values is None else list(n_values)
        continuous, codes = split_codes(dense, list(columns), sizes, refuses=n_values is None)
        return MixedRows(_dense_or_missing(continuous, weights, n_threads), codes)
    return _dense_or_missing(dense, weights, n_threads)


def _dense_or_missing(
    X: NDArray[Any], weights: NDArray[np.float64] | None, n_threads: int
) -> DenseRows | MissingRows:
    if np.isnan(X.sum()):
        return MissingRows(X, weights, n_threads)
    return DenseRows(X, weights, n_threads)


def _mapped_array(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or not array.flags.c_contiguous or array.dtype.str not in ("<f4", "<f8"):
        raise ValueError(
            f"{path} must hold a 2-D float32 or float64 array in C order to be used from disk, got "
            f"{array.ndim}-D of {array.dtype}: load it with numpy.load and give the array"
        )
    return array
