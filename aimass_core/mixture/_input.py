"""Checks of what a mixture is given: tables of numbers, weights, starting values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["as_matrix", "as_start", "as_weights", "check_finite", "column_names"]

_REMEDY = "drop or fill these rows"
_MARGINALIZE = ", or set missing='marginalize' to leave them out of the likelihood"


def column_names(X: Any) -> NDArray[np.object_] | None:
    """Names of the columns where all are words, else None."""
    names = getattr(X, "columns", None)
    if names is None:
        return None
    names = list(names)
    return np.array(names, dtype=object) if all(isinstance(n, str) for n in names) else None


def as_matrix(
    X: Any, *, n_columns: int | None = None, what: str = "", missing: bool = False
) -> NDArray[Any]:
    """A C-contiguous float32 or float64 matrix of finite numbers.

    Parameters
    ----------
    X : array-like of shape (n, d)
        float32 and float64 in C order are not copied.
    n_columns : int, optional
        How many columns it must have, those that the model ``what`` was fitted on.
    what : str
        Name of the model.
    missing : bool
        Whether NaN may occur.

    Returns
    -------
    ndarray
        Of the shape of ``X``.
    """
    if sp.issparse(X):
        raise TypeError("X is a sparse matrix where a dense one is needed: give X.toarray()")
    if isinstance(X, (str, bytes)) or X is None:
        raise TypeError(f"X must be a 2-D array of numbers, got {type(X).__name__}")
    X = getattr(X, "to_numpy", lambda: X)()
    if np.ma.is_masked(X):
        raise TypeError("X has masked entries: give X.filled(numpy.nan) with missing='marginalize'")
    try:
        X = np.asarray(X)
    except ValueError:
        raise ValueError("X must be 2-D, got rows of unequal lengths") from None
    if X.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X must hold real numbers, got {X.dtype}")
    if X.ndim != 2:
        raise ValueError(
            f"X must be 2-D (rows x columns), got {X.ndim}-D of shape {X.shape}. Reshape your data "
            "with X.reshape(-1, 1) if it has one column, X.reshape(1, -1) if it is one row"
        )
    if X.dtype.kind == "O":
        try:
            X = X.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise type(error)(f"X must hold numbers: {error}") from None
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X must hold real numbers, got dtype {X.dtype}: convert its columns")
    n, d = X.shape
    if d == 0:
        raise ValueError(f"0 feature(s) (shape=({n}, 0)) while a minimum of 1 is required: X")
    if n == 0:
        raise ValueError(f"0 sample(s) (shape=(0, {d})) while a minimum of 1 is required: X")
    if n_columns is not None and d != n_columns:
        raise ValueError(
            f"X has {d} features, but {what} is expecting {n_columns} features as input"
        )
    dtype = np.float32 if X.dtype in (np.dtype(np.float32), np.dtype(np.float16)) else np.float64
    with np.errstate(over="ignore"):
        matrix: NDArray[Any] = np.ascontiguousarray(X, dtype=dtype)
    check_finite(matrix, missing)
    return matrix


def check_finite(
    X: NDArray[Any], missing: bool = False, *, first_row: int = 0, remedy: str = _MARGINALIZE
) -> None:
    """Refuse infinite numbers, and NaN where it is not expected; the message names the place.

    ``first_row`` is the number of the first one where these are a part of the rows; ``remedy`` what
    else can be done about NaN.
    """
    step = max(1, (1 << 18) // X.shape[1])
    for begin in range(0, len(X), step):
        part = X[begin : begin + step]
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.add.reduce(part, axis=None)):
                continue
        wrong = np.isinf(part) if missing else ~np.isfinite(part)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            value = part[row, column]
            hint = _REMEDY if missing or not np.isnan(value) else f"{_REMEDY}{remedy}"
            raise ValueError(
                f"Input X contains {'NaN' if np.isnan(value) else 'infinity'} in row "
                f"{first_row + begin + row}, column {column}: {hint}"
            )


def as_weights(sample_weight: Any, n: int) -> NDArray[np.float64] | None:
    """Weights of rows, at least 0 and not all 0; None stays None."""
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight)
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
    """A finite array of the given shape from a user's starting values."""
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
