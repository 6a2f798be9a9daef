"""Checks of the one-dimensional arrays that evaluation and effects take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .random import as_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["as_labels", "as_seed", "as_vector"]


def _as_1d(values: Any, name: str, length: int | None, expected: str) -> NDArray[Any]:
    if isinstance(values, (str, bytes)) or values is None:
        raise TypeError(f"{name} must be {expected}, got {values!r}")
    if np.ma.isMaskedArray(values) and np.ma.is_masked(values):
        raise TypeError(f"{name} has masked entries: drop them or fill them first")
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name} must be {expected}, got rows of unequal lengths") from None
    if array.ndim != 1:
        raise ValueError(f"{name} must be {expected}, got {array.ndim}-D of shape {array.shape}")
    if length is not None and len(array) != length:
        raise ValueError(f"{name} must have one value per row ({length}), got {len(array)}")
    return array


def as_vector(
    values: Any,
    name: str,
    *,
    length: int | None = None,
    allow_nan: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
) -> NDArray[np.float64]:
    """Return one-dimensional numbers as a contiguous float64 array, checked.

    Parameters
    ----------
    values : array-like of numbers or booleans
        Never changed.
    name : str
        The argument's name in messages.
    length : int, optional
        Expected number of values.
    allow_nan : bool, default False
        Whether values may be missing (NaN). Infinite values are always refused.
    minimum, maximum : float, optional
        Bounds of the values that are not missing.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    TypeError
        For values that are not numbers.
    ValueError
        For other shapes, and for values that are not finite or out of bounds.
    """
    array = _as_1d(values, name, length, "a 1-D array of numbers")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers, got dtype {array.dtype}")
    array = np.ascontiguousarray(array, dtype=np.float64)
    wrong = np.isinf(array) if allow_nan else ~np.isfinite(array)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"{name} holds {array[row]} in row {row}: drop or replace such values")
    for bound, is_outside, word in (
        (minimum, np.less, "at least"),
        (maximum, np.greater, "at most"),
    ):
        if bound is not None:
            outside = is_outside(array, bound)
            if outside.any():
                row = int(np.flatnonzero(outside)[0])
                raise ValueError(
                    f"{name} must be {word} {bound:g}, got {array[row]:g} in row {row}"
                )
    return array


def as_labels(
    values: Any, name: str, *, length: int | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the distinct labels in ascending order, and the number of each row's label.

    Parameters
    ----------
    values : array-like of str, int, bool or float
        One label per row; a missing label is refused.
    name : str
        The argument's name in messages.
    length : int, optional
        Expected number of labels.

    Returns
    -------
    labels : ndarray, shape (n_labels,)
        Distinct labels.
    codes : ndarray of int64, shape (n,)
        ``labels[codes]`` are the given values.

    Raises
    ------
    TypeError
        For labels that cannot be compared with each other.
    ValueError
        For other shapes and for missing labels.
    """
    array = _as_1d(values, name, length, "a 1-D array of labels")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} has missing or infinite labels: drop these rows or name them")
    try:
        labels, codes = np.unique(array, return_inverse=True)
    except TypeError:
        raise TypeError(
            f"{name} must hold labels of one kind without missing ones, got dtype {array.dtype}"
        ) from None
    return labels, codes.astype(np.int64)
