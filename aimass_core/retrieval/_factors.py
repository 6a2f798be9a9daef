"""Factor matrices, biases, ids and filters: checked, in the form that kernels take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.validation import _as_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import IdMap

__all__ = [
    "as_biases",
    "as_factors",
    "as_id_map",
    "as_query_ids",
    "largest_absolute",
    "normalized",
    "norms_of",
]

_SMALL = 1 << 13  # numbers whose sum of squares is one call that uses one thread


def as_factors(values: Any, name: str, dtype: Any = None, *, n_factors: int | None = None) -> Any:
    """Return a finite, contiguous float32 or float64 matrix.

    Parameters
    ----------
    values : array-like of shape (n, n_factors)
        Factors.
    name : str
        The argument's name, for messages.
    dtype : float32 or float64, optional
        Wanted type; float64 is not converted to float32. Default: float32 stays float32, other
        types become float64.
    n_factors : int, optional
        Wanted number of columns.
    """
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
    if not math.isfinite(largest_absolute(array)) and not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise ValueError(
            f"{name} row {row} holds nan or inf: correct or leave out this row "
            "(a model whose training diverged gives such factors)"
        )
    return array


def largest_absolute(array: NDArray[Any]) -> float:
    """Return an upper bound of the absolute values, NaN or inf where one is not finite."""
    if array.size <= _SMALL:
        flat = array.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(np.dot(flat, flat))
        if 1e-30 < squares < 1e30:  # no square overflows or underflows in float32
            return math.sqrt(squares) * 1.001
        if not array.size:
            return 0.0
    return max(float(array.max()), -float(array.min()))


def as_biases(values: Any, n: int, dtype: Any, name: str) -> NDArray[Any]:
    """Return n finite biases of a type."""
    biases = np.asarray(values)
    if biases.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got {biases.dtype}")
    if biases.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {biases.shape}")
    with np.errstate(over="ignore"):
        biases = biases.astype(dtype)
    if not (np.abs(biases) <= np.finfo(dtype).max / 2).all():
        raise ValueError(
            f"{name} hold nan, inf or a number too large for {dtype}: correct these entries"
        )
    return biases


def as_id_map(ids: Any, n: int, name: str) -> IdMap | None:
    """Return the ids of n rows as a map that keeps their order; None stays None."""
    from ..data import IdMap

    if ids is None:
        return None
    if isinstance(ids, IdMap):
        known = ids
    else:
        distinct, codes = IdMap.from_values(ids)
        if len(distinct) < len(codes):
            raise ValueError(f"{name} must be distinct, got {len(codes) - len(distinct)} repeated")
        known = distinct.take(codes)
    if len(known) != n:
        raise ValueError(f"{name} must have one id for each of the {n} rows, got {len(known)}")
    return known


def as_query_ids(ids: Any, n: int) -> NDArray[Any]:
    """Return the ids of n queries; by default their row numbers."""
    if ids is None:
        return np.arange(n)
    array = np.asarray(ids)
    if array.shape != (n,):
        raise ValueError(f"query_ids must have shape ({n},), got {array.shape}")
    return array


def norms_of(X: NDArray[Any]) -> NDArray[np.float64]:
    """Return the Euclidean norms of the rows, without overflow or underflow."""
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
    """Return the rows scaled to length one; rows of zeros stay."""
    largest = np.abs(X).max(axis=1, initial=0.0).astype(np.float64)
    unit = X / np.where(largest > 0, largest, 1.0)[:, None]
    norms = norms_of(unit)
    unit /= np.where(norms > 0, norms, 1.0)[:, None]
    return unit.astype(X.dtype)
