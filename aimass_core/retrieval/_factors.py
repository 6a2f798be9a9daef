"""Factor matrices and filters: checked and brought into the kernels' form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.validation import _as_index_array, _as_values, as_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["as_factors", "as_mask", "as_pattern", "normalized", "norms_of", "rows_of"]


def as_factors(values: Any, name: str, dtype: Any = None, *, n_factors: int | None = None) -> Any:
    """A finite, contiguous float32 or float64 matrix; of ``dtype`` where that loses nothing."""
    if values is None or isinstance(values, (str, bytes)) or sp.issparse(values):
        raise TypeError(
            f"{name} must be a 2-D array of numbers (rows x factors), got {type(values).__name__}"
        )
    if np.ma.is_masked(values):
        raise TypeError(f"{name} has masked entries: fill them, or leave out their rows")
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name} must be 2-D, got rows of unequal lengths") from None
    if array.ndim != 2:
        raise ValueError(f"{name} must be 2-D (rows x factors), got {array.ndim}-D")
    if n_factors is not None and array.shape[1] != n_factors:
        raise ValueError(
            f"{name} has {array.shape[1]} factors, but the items have {n_factors}; "
            "both must come from one model"
        )
    if dtype is None or array.dtype != dtype:
        array = _as_values(array, name, None)
        if dtype is not None and array.dtype != dtype:
            if array.dtype == np.float64:
                raise TypeError(
                    f"{name} are float64, but the items were packed as float32: build the index "
                    f"from float64 factors, or give {name}.astype(numpy.float32)"
                )
            array = array.astype(dtype)
    else:
        array = np.ascontiguousarray(array)
    if not array.flags.aligned:
        array = array.copy()
    finite = np.isfinite(array)
    if np.count_nonzero(finite) != finite.size:
        row = int(np.flatnonzero(~finite.all(axis=1))[0])
        raise ValueError(
            f"{name} row {row} holds nan or inf: mend or leave out this row "
            "(a model whose training diverged gives such factors)"
        )
    return array


def as_mask(values: Any, name: str, n: int) -> NDArray[np.bool_] | None:
    """Flags of n items; None stays None."""
    if values is None:
        return None
    mask = np.asarray(values)
    if mask.dtype != np.bool_ or mask.shape != (n,):
        raise (TypeError if mask.dtype != np.bool_ else ValueError)(
            f"{name} must be a boolean array with one flag for each of the {n} items, got "
            f"{mask.dtype} of shape {mask.shape}"
        )
    return mask


def as_pattern(X: Any, name: str, shape: tuple[int, int]) -> tuple[Any, Any]:
    """(indptr, indices) of the stored places; the kernel checks their values.

    A 1-D array of item numbers is the list of the only row.
    """
    if X is None:
        return None, None
    inner = getattr(X, "matrix", None)
    if inner is not None and sp.issparse(inner):  # Interactions
        X = inner
    if not sp.issparse(X):
        ids = np.asarray(X)
        if ids.ndim == 1 and shape[0] == 1:
            if ids.size and ids.dtype.kind not in "iu":
                raise TypeError(f"{name} must be whole numbers of items, got {ids.dtype}")
            ids = _as_index_array(ids if ids.size else ids.astype(np.int32), name, np.int32)
            return np.array([0, len(ids)], dtype=np.int64), ids
        if ids.ndim != 2:
            raise TypeError(
                f"{name} must be a sparse matrix of shape {shape} (or, for a single query, a 1-D "
                f"array of item numbers), got {type(X).__name__}"
            )
    if len(X.shape) != 2 or tuple(X.shape) != shape:
        raise ValueError(
            f"{name} must have shape {shape} (queries x items: a row for each query), got "
            f"{tuple(X.shape)}"
        )
    if not sp.issparse(X) or X.format != "csr":
        X = as_csr(X, name)
    indptr = _as_index_array(X.indptr, f"{name}.indptr", np.int64)
    if len(indptr) != shape[0] + 1:
        raise ValueError(
            f"{name} is not a valid sparse matrix: {shape[0]} rows need {shape[0] + 1} indptr "
            f"entries, got {len(indptr)}"
        )
    indices = _as_index_array(X.indices, f"{name}.indices", np.int32)
    falls = shape[0] > 1 and (indptr[1:] < indptr[:-1]).any()
    if falls or indptr[0] != 0 or indptr[-1] != len(indices):
        raise ValueError(
            f"{name} is not a valid sparse matrix: "
            f"{name}.indptr must go from 0 up to the number of entries without going down"
        )
    return indptr, indices


def rows_of(indptr: Any, indices: Any, rows: slice) -> tuple[Any, Any]:
    """Some rows of a pattern."""
    if indptr is None:
        return None, None
    ends = indptr[rows.start : rows.stop + 1]
    return ends - ends[0], indices[ends[0] : ends[-1]]


def norms_of(X: NDArray[Any]) -> NDArray[np.float64]:
    """Euclidean norms of the rows, without overflow or underflow."""
    if X.dtype == np.float32:  # squares of float32 fit float64
        norms: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))
        return norms
    largest = np.abs(X).max(axis=1, initial=0.0)
    scale = np.where(largest > 0, largest, 1.0)
    scaled = X / scale[:, None]
    with np.errstate(over="ignore"):
        norms = scale * np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    return norms


def normalized(X: NDArray[Any]) -> NDArray[Any]:
    """Rows of length one; rows of zeros stay."""
    largest = np.abs(X).max(axis=1, initial=0.0).astype(np.float64)
    unit = X / np.where(largest > 0, largest, 1.0)[:, None]
    norms = norms_of(unit)
    unit /= np.where(norms > 0, norms, 1.0)[:, None]
    return unit.astype(X.dtype)
