"""Checks of the arguments of a mixture: rows, weights, starting values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..array_api import array_device, is_foreign_array, to_numpy
from ..base.arrays import column_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "as_device_matrix",
    "as_matrix",
    "as_start",
    "as_weights",
    "check_finite",
    "column_names",
    "wrong_columns",
]

_REMEDY = "drop or fill these rows"
_MARGINALIZE = ", or set missing='marginalize' to leave them out of the likelihood"
_CHECKED_NUMBERS = 1 << 18  # of a part of the rows


def wrong_columns(n_columns: int, model: str, n_expected: int) -> ValueError:
    """Return the error for rows with another number of columns than in the fit."""
    return ValueError(
        f"X has {n_columns} features, but {model} is expecting {n_expected} features as input"
    )


def as_matrix(
    X: Any, *, n_columns: int | None = None, model: str = "", allows_missing: bool = False
) -> NDArray[Any]:
    """Return a C-contiguous float32 or float64 matrix of finite numbers.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Numbers; pandas' nullable types are accepted, their missing values become NaN. float32 and
        float64 arrays in C order are not copied.
    n_columns : int, optional
        Required number of columns: that of the fit of ``model``.
    model : str
        Name of the model, for messages.
    allows_missing : bool
        Whether NaN may occur.

    Returns
    -------
    ndarray
        Of the shape of ``X``.

    Raises
    ------
    TypeError, ValueError
        If ``X`` is anything else.
    """
    if sp.issparse(X):
        raise TypeError("X is a sparse matrix where a dense one is needed: give X.toarray()")
    if isinstance(X, (str, bytes)) or X is None:
        raise TypeError(f"X must be a 2-D array of numbers, got {type(X).__name__}")
    hint = _columns_of_text(X)
    X = _as_array(X)
    _check_dimensions(X)
    if X.dtype.kind == "O":
        try:
            X = X.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise type(error)(f"X must hold numbers: {error}{hint}") from None
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X must hold real numbers, got dtype {X.dtype}: convert its columns")
    _check_shape(X, n_columns, model)
    dtype = np.float32 if X.dtype in (np.dtype(np.float32), np.dtype(np.float16)) else np.float64
    with np.errstate(over="ignore"):
        matrix: NDArray[Any] = np.ascontiguousarray(X, dtype=dtype)
    check_finite(matrix, allows_missing)
    return matrix


def as_device_matrix(X: Any, *, n_columns: int | None = None, model: str = "") -> Any:
    """Return a float32 or float64 matrix of finite numbers on the device where it lies.

    Parameters
    ----------
    X : array of shape (n, d)
        Of a library of the array API standard. float32 and float64 arrays are not copied.
    n_columns : int, optional
        Required number of columns: that of the fit of ``model``.
    model : str
        Name of the model, for messages.

    Returns
    -------
    array
        Of the library and on the device of ``X``.

    Raises
    ------
    ValueError
        If ``X`` is anything else.
    """
    xp = array_device(X).library
    _check_dimensions(X)
    if not xp.isdtype(X.dtype, ("bool", "integral", "real floating")):
        raise ValueError(f"X must hold real numbers, got dtype {X.dtype}: convert its columns")
    _check_shape(X, n_columns, model)
    if X.dtype not in (xp.float32, xp.float64):
        is_half = xp.isdtype(X.dtype, "real floating")
        X = xp.astype(X, xp.float32 if is_half else xp.float64)
    if not bool(xp.all(xp.isfinite(X))):
        is_wrong = ~xp.isfinite(X)
        row = int(xp.argmax(xp.astype(xp.any(is_wrong, axis=1), xp.int32)))
        check_finite(to_numpy(X[row : row + 1, :]), first_row=row)
    return X


def _check_dimensions(X: Any) -> None:
    if X.ndim != 2:
        raise ValueError(
            f"X must be 2-D (rows x columns), got {X.ndim}-D of shape {tuple(X.shape)}. Reshape "
            "your data with X.reshape(-1, 1) if it has one column, X.reshape(1, -1) if it is one "
            "row"
        )


def _check_shape(X: Any, n_columns: int | None, model: str) -> None:
    """Refuse a matrix without rows or columns, or with other columns than in the fit."""
    n, d = X.shape
    if d == 0:
        raise ValueError(f"0 feature(s) (shape=({n}, 0)) while a minimum of 1 is required: X")
    if n == 0:
        raise ValueError(f"0 sample(s) (shape=(0, {d})) while a minimum of 1 is required: X")
    if n_columns is not None and d != n_columns:
        raise wrong_columns(d, model, n_columns)


def _columns_of_text(X: Any) -> str:
    """Return which columns of a pandas data frame are not of numbers, for a message."""
    dtypes: Any = getattr(X, "dtypes", None)
    if not hasattr(dtypes, "items"):
        return ""
    names = [
        str(name) for name, dtype in dtypes.items() if getattr(dtype, "kind", "O") not in "biuf"
    ]
    if not names:
        return ""
    shown = ", ".join(map(repr, names[:5])) + ", ..." * (len(names) > 5)
    return f" (columns without numbers: {shown}; leave them out or encode them)"


def _as_array(X: Any) -> NDArray[Any]:
    """Return an array of any number of dimensions from an array-like or a data frame."""
    if is_foreign_array(X):
        X = to_numpy(X)
    dtypes: Any = getattr(X, "dtypes", None)
    if dtypes is not None and any(hasattr(dtype, "na_value") for dtype in np.ravel(dtypes)):
        try:  # pandas: columns of nullable types would become objects
            X = X.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise type(error)(f"X must hold numbers: {error}{_columns_of_text(X)}") from None
    X = getattr(X, "to_numpy", lambda: X)()
    if np.ma.is_masked(X):
        raise TypeError("X has masked entries: give X.filled(numpy.nan) with missing='marginalize'")
    try:
        array = np.asarray(X)
    except ValueError:
        raise ValueError("X must be 2-D, got rows of unequal lengths") from None
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X must hold real numbers, got {array.dtype}")
    return array


def check_finite(X: NDArray[Any], allows_missing: bool = False, *, first_row: int = 0) -> None:
    """Refuse infinite values, and NaN unless it is allowed.

    ``first_row`` is the number of the first row of ``X``, for the message.
    """
    step = max(1, _CHECKED_NUMBERS // X.shape[1])
    for begin in range(0, len(X), step):
        part = X[begin : begin + step]
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.add.reduce(part, axis=None)):
                continue
        is_wrong = np.isinf(part) if allows_missing else ~np.isfinite(part)
        if is_wrong.any():
            row, column = np.argwhere(is_wrong)[0]
            value = part[row, column]
            remedy = _REMEDY
            if not allows_missing and np.isnan(value):
                remedy += _MARGINALIZE
            raise ValueError(
                f"Input X contains {'NaN' if np.isnan(value) else 'infinity'} in row "
                f"{first_row + begin + row}, column {column}: {remedy}"
            )


def as_weights(sample_weight: Any, n: int) -> NDArray[np.float64] | None:
    """Return weights of rows, at least 0 and not all 0; None stays None."""
    if sample_weight is None:
        return None
    weights = to_numpy(sample_weight) if is_foreign_array(sample_weight) else sample_weight
    weights = np.asarray(weights)
    if weights.dtype.kind not in "biuf":
        raise TypeError(f"sample_weight must hold real numbers, got dtype {weights.dtype}")
    if weights.ndim == 0:
        weights = np.full(n, weights)
    if weights.shape != (n,):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected ({n},): one weight for each row of X"
        )
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    if not np.isfinite(weights).all():
        raise ValueError("sample_weight must be finite")
    if (weights < 0).any():
        raise ValueError(
            f"sample_weight must not be negative, got {weights.min()}: leave rows out with 0"
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for every row: at least one must be above 0")
    return weights


def as_start(value: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a finite array of the given shape from the caller's starting values."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}"
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array
