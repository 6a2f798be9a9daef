"""The one place that checks values and words messages: argument, expected, given, what to do."""

from __future__ import annotations

import difflib
import math
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from .with_ids import MatrixWithIds, matrix_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    CsrParts: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]

__all__ = [
    "as_bool",
    "as_choice",
    "as_collection",
    "as_csr",
    "as_float",
    "as_indices",
    "as_int",
    "csr_parts",
    "refuse_table",
    "suggest",
    "wrap_csr",
]

MAX_DIM = 2**31 - 1
_MANY_ENTRIES = 1 << 18  # of a matrix that several threads check


def _shown(value: object) -> str:
    """Return a short form of a value for a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def suggest(name: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` where a choice is close to the name, else nothing."""
    close = difflib.get_close_matches(str(name), list(choices), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def as_int(value: Any, name: str, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """Return a whole number within bounds; floats, strings and booleans are refused."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be a whole number, got {_shown(value)} of type {type(value).__name__}"
        ) from None
    if minimum is not None and number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    if maximum is not None and number > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {number}")
    return number


def as_float(
    value: Any,
    name: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
) -> float:
    """Return a finite real number within bounds; strings and booleans are refused."""
    if isinstance(value, (bool, np.bool_, str, bytes)) or not np.isscalar(value):
        raise TypeError(f"{name} must be a number, got {_shown(value)}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be a real number, got {_shown(value)}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}")
    if minimum is not None and number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    if maximum is not None and number > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {number}")
    if above is not None and number <= above:
        raise ValueError(f"{name} must be above {above}, got {number}")
    return number


def as_choice(value: Any, name: str, choices: Iterable[str]) -> str:
    """Return the value where it is one of the given words, else raise ValueError."""
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        hint = suggest(value, choices) if isinstance(value, str) else ""
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {_shown(value)}{hint}")
    return value


def as_bool(value: Any, name: str) -> bool:
    """Return True or False; refuse what merely counts as one of them, such as "no"."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {_shown(value)}")
    return bool(value)


_FLOATS = np.dtype(np.float32), np.dtype(np.float64)


def _no_numbers(name: str, dtype: np.dtype[Any]) -> TypeError:
    """Return the error for values that are not real numbers."""
    is_ids = dtype.kind in "USO" and name in ("X", "user_items")
    hint = ": ids go to Interactions.from_arrays(users, items)" if is_ids else ""
    return TypeError(f"{name} must hold real numbers, got dtype {dtype}{hint}")


def _as_values(data: NDArray[Any], name: str, dtype: DTypeLike | None) -> NDArray[Any]:
    """Return stored values as contiguous, native float32 or float64."""
    if data.dtype.kind not in "biuf":
        raise _no_numbers(name, data.dtype)
    if dtype is None:
        dtype = np.float32 if np.can_cast(data.dtype, np.float32, "safe") else np.float64
    dtype = np.dtype(dtype)
    if dtype not in _FLOATS:
        raise TypeError(f"{name} can be used as float32 or float64, not as {dtype}")
    if data.dtype == dtype:
        return np.ascontiguousarray(data)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(data, dtype=dtype)


_INDEX_BOUNDS = {
    np.dtype(np.int32): (-(1 << 31), (1 << 31) - 1),
    np.dtype(np.int64): (-(1 << 63), (1 << 63) - 1),
}


def _as_index_array(array: Any, name: str, target: DTypeLike) -> NDArray[Any]:
    array = np.asarray(array)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a 1-D array of whole numbers, got {array.ndim}-D of {array.dtype}"
        )
    if array.dtype == target:
        return np.ascontiguousarray(array)
    if array.size and not np.can_cast(array.dtype, target, "safe"):
        least, most = _INDEX_BOUNDS[np.dtype(target)]
        # The reductions, because the methods take twice as long for few numbers.
        for extreme in (int(np.minimum.reduce(array)), int(np.maximum.reduce(array))):
            if not least <= extreme <= most:
                raise ValueError(f"{name} holds {extreme}, which is out of range")
    return np.ascontiguousarray(array, dtype=target)


def _bad_csr(name: str, status: int, position: int, indices: Any, n_cols: int) -> ValueError:
    if status == 1:
        what = "its indptr does not go from 0 up to the number of entries without going down"
    elif status == 2:
        what = f"entry {position} has index {indices[position]}, outside of [0, {n_cols})"
    else:
        what = f"entry {position} is not a finite number (nan or inf)"
    return ValueError(f"{name} is not a valid sparse matrix: {what}; mend or drop these entries")


# What the columns of a table of interactions are often called, in order of preference.
_COLUMN_WORDS = {
    "user": ("user", "customer", "member", "client", "account", "visitor", "session"),
    "item": ("item", "product", "article", "sku", "movie", "song", "stock", "book"),
    "value": ("rating", "value", "score", "quantity", "amount", "count", "weight"),
    "time": ("time", "date"),
}


def column_like(role: str, names: Sequence[str]) -> str | None:
    """Return the first name of a column that suggests a role such as "user", None without one."""
    words = _COLUMN_WORDS[role]
    return next((name for name in names if any(word in name.lower() for word in words)), None)


def refuse_table(X: Any, name: str) -> None:
    """Raise TypeError for a data frame or Arrow table, with the call that reads it."""
    is_table = any(
        hasattr(X, attribute)
        for attribute in ("__arrow_c_stream__", "__dataframe__", "collect_schema", "to_frame")
    ) or (isinstance(X, np.ndarray) and X.dtype.names is not None)
    if not is_table or isinstance(X, MatrixWithIds):
        return
    names = _column_names(X)
    if names is None:
        raise TypeError(
            f"{name} is one column ({type(X).__name__}): Interactions.from_arrays(users, items, "
            "values) takes columns of users, items and values"
        )
    chosen: dict[str, str] = {}
    for role in _COLUMN_WORDS:
        column = column_like(role, [name for name in names if name not in chosen.values()])
        if column is not None:
            chosen[role] = column
    for role in ("user", "item"):
        chosen.setdefault(role, f"<column of {role}s>")
    order = [role for role in _COLUMN_WORDS if role in chosen]
    call = ", ".join(f"{role}={chosen[role]!r}" for role in order)
    raise TypeError(
        f"{name} is a table with the columns {', '.join(names[:8])}{', ...' * (len(names) > 8)}: "
        f"read it with Interactions.from_table(table, {call}) first. A table of users x items is "
        "given as table.to_numpy(), with 0 where there is no interaction"
    )


def _column_names(X: Any) -> list[str] | None:
    """Return the names of a table's columns, None for a single column."""
    if isinstance(X, np.ndarray):
        return list(X.dtype.names or ())
    if hasattr(X, "collect_schema"):  # polars, without the warning of LazyFrame.columns
        return list(X.collect_schema().names())
    for names in (
        getattr(X, "column_names", None),  # Arrow
        getattr(X, "columns", None),
        getattr(getattr(X, "schema", None), "names", None),
    ):
        if names is not None and not callable(names):
            return [str(column) for column in names]
    return None


def _no_matrix(X: Any, name: str) -> TypeError:
    """Return the error for what is no matrix, with the call that makes one of it."""
    text = f"{name} must be a sparse matrix, a 2-D array or Interactions, got {_shown(X)}"
    if isinstance(X, (str, os.PathLike)):
        return TypeError(f"{text}: Interactions.from_table(path, user=..., item=...) reads a file")
    if isinstance(X, Mapping):
        return TypeError(
            f"{text}: Interactions.from_table(columns, user=..., item=...) reads a dictionary of "
            "columns, and Interactions.from_arrays(users, items) takes one id for each interaction"
        )
    return TypeError(text)


def as_csr(
    X: Any,
    name: str = "X",
    *,
    dtype: DTypeLike | None = None,
    n_threads: int | None = None,
) -> sp.csr_array:
    """Turn what users have into the one canonical CSR, checked once and for all.

    Parameters
    ----------
    X : sparse matrix or array of any SciPy format, 2-D array, or Interactions
        Never changed. Explicit zeros are kept: they are ratings of zero.
    name : str
        The argument's name in messages.
    dtype : float32 or float64, optional
        Wanted type of the values. By default float64 for float64, longdouble and 32- and 64-bit
        integers, float32 for anything smaller.
    n_threads : int, optional
        Threads that check and convert a large matrix. Default: ``AIMASS_NUM_THREADS``, else the
        CPUs of this process.

    Returns
    -------
    csr_array
        ``indptr`` int64, ``indices`` int32, values finite, rows sorted, duplicates summed.
        Shares memory with ``X`` where nothing had to change.

    Raises
    ------
    ValueError
        For broken structure, non-finite values, more than 2^31 - 1 rows or columns.
    TypeError
        For values that are not real numbers.
    """
    from .. import kernels

    X = matrix_of(X)
    if not sp.issparse(X):
        if X is None or isinstance(X, (str, bytes, os.PathLike, Mapping)):
            raise _no_matrix(X, name)
        X = _from_dense(X, name)
    if len(X.shape) != 2:
        raise ValueError(f"{name} must be 2-D (users x items), got {len(X.shape)}-D")
    n_rows, n_cols = (int(n) for n in X.shape)
    if max(n_rows, n_cols) > MAX_DIM:
        raise ValueError(
            f"{name} has shape {n_rows} x {n_cols}, at most {MAX_DIM} rows and columns "
            "are possible: build it through Interactions, which numbers the ids that occur"
        )
    if X.dtype.kind not in "biuf":
        raise _no_numbers(name, X.dtype)
    if X.format == "csc":
        matrix = as_csr(X.T, f"{name} (CSC)", dtype=dtype, n_threads=n_threads)
        return _transposed(matrix, _threads_for(matrix.nnz, n_threads))
    if X.format == "coo":  # SciPy converts triplets without checking them
        return _from_triplets(X, name, dtype, n_threads)
    if X.format != "csr":
        X = X.tocsr()
    indptr = _as_index_array(X.indptr, f"{name}.indptr", np.int64)
    indices = _as_index_array(X.indices, f"{name}.indices", np.int32)
    raw = np.asarray(X.data)
    if raw.ndim != 1 or len(indptr) != n_rows + 1 or len(raw) != len(indices):
        raise ValueError(
            f"{name} is not a valid sparse matrix: {n_rows} rows need {n_rows + 1} indptr entries "
            f"(got {len(indptr)}), and data and indices equal lengths (got {raw.size} and "
            f"{len(indices)})"
        )
    data = _as_values(raw, name, dtype)
    threads = _threads_for(max(n_rows, len(data)), n_threads)
    status, position, is_sorted, has_duplicates = kernels.csr_check(
        indptr, indices, data, n_cols, threads
    )
    if status:
        if status == 3 and np.isfinite(raw[position]):
            raise ValueError(
                f"{name} holds {raw[position]:g}, too large for {data.dtype}: scale it down"
            )
        raise _bad_csr(name, status, position, indices, n_cols)
    if not is_sorted or has_duplicates:
        rows = np.repeat(np.arange(n_rows, dtype=np.int32), np.diff(indptr))
        return _merged(rows, indices, data, (n_rows, n_cols), name, threads)
    return wrap_csr(indptr, indices, data, (n_rows, n_cols))


def _from_dense(X: Any, name: str) -> sp.csr_array:
    if np.ma.is_masked(X):
        raise TypeError(f"{name} has masked entries: give X.filled(0), or a sparse matrix")
    try:
        dense = np.asarray(X)
    except ValueError:
        raise ValueError(f"{name} must be 2-D, got rows of unequal lengths") from None
    if dense.ndim != 2:
        is_text = dense.ndim == 1 and dense.dtype.kind in "OUS"
        hint = ": Interactions.from_arrays(users, items) takes ids" if is_text else ""
        raise ValueError(f"{name} must be 2-D (users x items), got {dense.ndim}-D{hint}")
    return sp.csr_array(_as_values(dense, name, None))


def _threads_for(n_entries: int, n_threads: int | None) -> int:
    """Return the threads for a matrix: one where starting others takes longer than the work."""
    if n_entries < _MANY_ENTRIES:
        return 1
    from .threads import resolve_n_threads

    return resolve_n_threads(n_threads)


def _from_triplets(
    X: Any, name: str, dtype: DTypeLike | None, n_threads: int | None
) -> sp.csr_array:
    rows = _as_index_array(X.row, f"{name}.row", np.int32)
    cols = _as_index_array(X.col, f"{name}.col", np.int32)
    data = _as_values(np.asarray(X.data), name, dtype)
    wrong = np.flatnonzero(~np.isfinite(data))
    if wrong.size:
        raise _bad_csr(name, 3, int(wrong[0]), cols, 0)
    threads = _threads_for(max(len(data), *X.shape), n_threads)
    return _merged(rows, cols, data, X.shape, name, threads)


def _merged(
    rows: Any, cols: Any, data: Any, shape: tuple[int, int], name: str, n_threads: int
) -> sp.csr_array:
    """Return the matrix of entries in any order; entries of the same row and column are summed."""
    from .. import kernels

    n_rows, n_cols = shape
    try:
        indptr, indices, data, _ = kernels.coo_to_csr(
            rows, cols, data, None, n_rows, n_cols, "sum", n_threads
        )
    except ValueError as error:
        raise ValueError(f"{name} is not a valid sparse matrix: {error}") from None
    if not np.isfinite(data).all():
        raise ValueError(f"{name}: the sum of duplicate entries overflows {data.dtype}")
    return wrap_csr(indptr, indices, data, shape)


def _transposed(X: sp.csr_array, n_threads: int) -> sp.csr_array:
    from .. import kernels

    arrays = kernels.csr_transpose(*csr_parts(X), X.shape[1], n_threads)
    return wrap_csr(*arrays, (X.shape[1], X.shape[0]))


def wrap_csr(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[Any],
    shape: tuple[int, int],
) -> sp.csr_array:
    """Return a csr_array on exactly these arrays, taken as canonical.

    The constructor would copy to one index dtype, and takes longer than many a kernel on one row.
    """
    matrix = sp.csr_array.__new__(sp.csr_array)
    vars(matrix).update(_CANONICAL)
    vars(matrix).update(_shape=shape, indptr=indptr, indices=indices, data=data)
    return matrix


def _canonical_template() -> dict[str, Any]:
    """Return the attributes of an empty csr_array without duplicates."""
    matrix = sp.csr_array((1, 1))
    matrix.has_canonical_format = True
    attributes: dict[str, Any] = vars(matrix)
    if attributes["_shape"] != matrix.shape:
        raise ImportError("this SciPy keeps the shape of a matrix elsewhere: install SciPy < 2")
    return attributes


_CANONICAL = _canonical_template()


def csr_parts(X: sp.csr_array) -> CsrParts:
    """Return the arrays of a canonical CSR in the kernels' dtypes, uncopied where they fit."""
    return (
        np.ascontiguousarray(X.indptr, dtype=np.int64),
        np.ascontiguousarray(X.indices, dtype=np.int32),
        np.ascontiguousarray(X.data),
    )


def as_collection(values: Any) -> Any:
    """Return a set, a view or a generator as a list, and anything else as it is."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return values
    if isinstance(values, Sequence) or hasattr(values, "__array__"):
        return values
    return values if hasattr(values, "__arrow_c_stream__") else list(values)


def as_indices(values: Any, name: str, n: int | None, *, what: str) -> NDArray[np.int64]:
    """Return row or column numbers as int64, each within ``[0, n)`` where n is given.

    ``what`` says what they number, e.g. ``"users"``; a scalar becomes an array of one.
    """
    array = np.atleast_1d(np.asarray(as_collection(values)))
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must be row or column numbers of {what} (one or a 1-D array), got "
            f"{array.ndim}-D of {array.dtype}; to use your own ids, fit on Interactions"
        )
    if n is not None and array.size and (array.min() < 0 or array.max() >= n):
        outside = array[(array < 0) | (array >= n)]
        shown = ", ".join(map(str, outside[:5]))
        more = f" and {len(outside) - 5} more" if len(outside) > 5 else ""
        raise KeyError(f"{name} holds {shown}{more}, but the model was fitted on {n} {what}")
    return array.astype(np.int64)
