"""Checks of one-dimensional arrays, and of the names of columns."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from .progress import logger
from .random import as_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LARGEST",
    "as_classes",
    "as_labels",
    "as_seed",
    "as_vector",
    "column_names",
    "is_missing",
    "ordered_labels",
]

# Values up to this bound have squares whose sums over 10**8 rows are finite.
LARGEST = 1e150


def is_missing(value: Any) -> bool:
    """Return whether a single object stands for a missing value.

    Parameters
    ----------
    value : object
        None, NaN, NaT and ``pandas.NA`` are missing.

    Returns
    -------
    bool
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


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
    largest: float | None = None,
) -> NDArray[np.float64]:
    """Return one-dimensional numbers as a contiguous float64 array, checked.

    Parameters
    ----------
    values : array-like of numbers or booleans
        Never changed. Objects may be Python numbers, decimals and missing values.
    name : str
        The argument's name in messages.
    length : int, optional
        Expected number of values.
    allow_nan : bool, default False
        Whether values may be missing (NaN). Infinite values are always refused.
    minimum, maximum : float, optional
        Bounds of the values that are not missing.
    largest : float, optional
        Bound of the absolute values, such as `LARGEST`, for numbers that are squared.

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
    if array.dtype.kind == "O":
        array = _numbers(array, name)
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
    if largest is not None and len(array):
        row = int(np.argmax(np.abs(np.nan_to_num(array))))
        if abs(array[row]) > largest:
            raise ValueError(
                f"{name} holds {array[row]:g} in row {row}, whose square overflows: divide all "
                "values by one factor"
            )
    return array


def _numbers(objects: NDArray[Any], name: str) -> NDArray[Any]:
    """Return numbers that are held as objects, as nullable columns of data frames are."""
    numbers = np.empty(len(objects))
    for row, value in enumerate(objects):
        if is_missing(value):
            numbers[row] = np.nan
        elif isinstance(value, (int, float, Decimal, np.number, np.bool_)):
            try:
                numbers[row] = value
            except (OverflowError, TypeError, ValueError):
                raise TypeError(f"{name} must hold numbers, got {value!r} in row {row}") from None
        else:
            raise TypeError(
                f"{name} must hold numbers, got {value!r} of type {type(value).__name__} in row "
                f"{row}"
            )
    return numbers


def _has_missing(values: Any, array: NDArray[Any]) -> bool:
    """Return whether labels are missing or infinite.

    The given values count, too, because NumPy makes the text 'nan' of a NaN in a list of texts.
    """
    if array.dtype.kind == "f":
        return not np.isfinite(array).all()
    if array.dtype.kind in "mM":
        return bool(np.isnat(array).any())
    if array.dtype.kind == "O":
        return any(map(is_missing, array))
    if array.dtype.kind in "US" and isinstance(values, (list, tuple)):
        return any(map(is_missing, values))
    return False


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
    if _has_missing(values, array):
        raise ValueError(f"{name} has missing or infinite labels: drop these rows or name them")
    if array.dtype.kind in "US" and isinstance(values, (list, tuple)):
        kinds = {type(value) for value in values}
        if not all(issubclass(kind, (str, bytes)) for kind in kinds):
            raise TypeError(
                f"{name} must hold labels of one kind, got "
                f"{' and '.join(sorted(kind.__name__ for kind in kinds))}"
            )
    try:
        labels, codes = np.unique(array, return_inverse=True)
    except TypeError:
        raise TypeError(
            f"{name} must hold labels of one kind without missing ones, got dtype {array.dtype}"
        ) from None
    return labels, codes.astype(np.int64)


def as_classes(labels: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the distinct labels of a classifier in a type that files can hold.

    Parameters
    ----------
    labels : ndarray of shape (n_classes,)
        Distinct labels, as `as_labels` and `ordered_labels` return them.
    name : str
        The argument's name in messages.

    Returns
    -------
    ndarray of shape (n_classes,)
        Text as it was given, booleans, int64 or float64, in the order of ``labels``.

    Raises
    ------
    TypeError
        For labels of another kind, such as intervals and dates, and for numbers that int64 and
        float64 cannot hold.
    """
    kind: str = labels.dtype.kind
    if kind == "T":  # strings of variable width of NumPy 2
        return labels.astype(object)
    if kind == "O":
        kind = _kind_of_objects(labels.tolist())
    if kind == "U":
        return labels
    types: dict[str, Any] = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float64}
    if kind not in types:
        label = labels[0]
        raise TypeError(
            f"{name} must hold text, numbers or booleans as labels, got {label!r} of type "
            f"{type(label).__name__}: give the codes of a categorical column (.codes, or "
            ".cat.codes of a Series), or turn the labels into text (astype(str))"
        )
    try:
        with np.errstate(over="ignore"):
            classes = labels.astype(types[kind])
        is_exact = bool((classes == labels).all())
    except OverflowError:
        is_exact = False
    if not is_exact:
        raise TypeError(
            f"{name} holds numbers as labels that {np.dtype(types[kind])} cannot hold: turn the "
            "labels into text (astype(str))"
        )
    return classes


def _kind_of_objects(labels: list[Any]) -> str:
    """Return the kind of a NumPy type that holds labels given as objects, "O" for none."""
    kinds: dict[str, tuple[type, ...]] = {
        "U": (str,),
        "b": (bool, np.bool_),
        "i": (int, np.integer),
        "f": (int, float, np.integer, np.floating),
    }
    for kind, types in kinds.items():
        if all(isinstance(label, types) for label in labels):
            return kind
    return "O"


def column_names(X: Any) -> NDArray[np.object_] | None:
    """Return the names of the columns of a table if all are strings, else None.

    Parameters
    ----------
    X : object
        A table of pandas, polars or Arrow has names; a matrix has none.

    Returns
    -------
    ndarray of object, shape (n_columns,), or None
    """
    if hasattr(X, "collect_schema"):  # polars, without the warning of LazyFrame.columns
        return np.array(X.collect_schema().names(), dtype=object)
    # The columns of an Arrow table are its values. Those of pandas come first, as a column may be
    # called "column_names".
    for names in (getattr(X, attribute, None) for attribute in ("columns", "column_names")):
        if names is None or callable(names):
            continue
        names = list(names)
        if all(isinstance(name, str) for name in names):
            return np.array(names, dtype=object)
    return None


def ordered_labels(
    values: Any, name: str, *, length: int | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the distinct labels in their order, and the number of each row's label.

    The order is that of an ordered categorical type of pandas, or of an Enum of polars; else the
    ascending one, which a log message names for text.

    Parameters
    ----------
    values, name, length
        As in `as_labels`.

    Returns
    -------
    labels : ndarray, shape (n_labels,)
        Distinct labels.
    codes : ndarray of int64, shape (n,)
        ``labels[codes]`` are the given values.
    """
    categories = _ordered_categories(values)
    labels, codes = as_labels(values, name, length=length)
    if categories is None:
        if labels.dtype.kind in "SUO":
            shown = ", ".join(repr(label) for label in labels[:4].tolist())
            logger.warning(
                "%s holds text, whose order is taken to be the alphabetical one (%s): give numbers "
                "or an ordered categorical column where it is another one",
                name,
                shown,
            )
        return labels, codes
    ranks = {label: rank for rank, label in enumerate(categories)}
    order = np.argsort([ranks[label] for label in labels.tolist()], kind="stable")
    return labels[order], np.argsort(order)[codes]


def _ordered_categories(values: Any) -> list[Any] | None:
    """Return the categories of an ordered categorical column, in their order."""
    dtype = getattr(values, "dtype", None)
    categories = getattr(dtype, "categories", None)
    is_enum = type(dtype).__name__ == "Enum"
    if categories is None or not (is_enum or getattr(dtype, "ordered", False)):
        return None
    return list(categories.to_list() if hasattr(categories, "to_list") else categories)
