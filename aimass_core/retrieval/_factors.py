"""Factor matrices, filters and packed panels: checked and brought into the kernels' form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from .._validation import MAX_DIM, _as_index_array, _as_values, as_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "PANEL_BYTES",
    "Packed",
    "as_factors",
    "as_mask",
    "as_pattern",
    "normalized",
    "norms_of",
    "pack",
    "restrict",
    "rows_of",
]

PANEL_BYTES = 192  # of items for each factor in a panel; kPanelBytes in cpp/simd/score_kernels.hpp


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
    if not finite.all():
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
    if indptr[0] != 0 or indptr[-1] != len(indices) or (indptr[1:] < indptr[:-1]).any():
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


class Packed(NamedTuple):
    """Items in the kernel's form; see `aimass_core.reference.score_topk`."""

    panels: NDArray[Any]
    biases: NDArray[Any]
    order: NDArray[np.int32]
    norms: NDArray[np.float64]
    offsets: NDArray[np.float64]
    heads: NDArray[Any]
    axes: NDArray[np.float64]


def _suffix_max(values: NDArray[Any], cols: int) -> NDArray[np.float64]:
    """The largest value in each panel and those after it."""
    highest = values.reshape(-1, cols).max(axis=1).astype(np.float64)
    return np.ascontiguousarray(np.maximum.accumulate(highest[::-1])[::-1])


def pack(
    items: NDArray[Any], biases: NDArray[Any] | None, ids: NDArray[np.int32] | None = None
) -> Packed:
    """Sort by length and lay out in panels; O(n_items * n_factors) time and memory."""
    n, n_factors = items.shape
    cols = PANEL_BYTES // items.dtype.itemsize
    n_panels = -(-n // cols)
    if n_panels * cols > MAX_DIM:
        raise ValueError(f"at most {MAX_DIM - cols} items are possible, got {n}")
    norms = norms_of(items)
    # With biases what counts is both; any order is right, this one ends the scan early.
    by = norms if biases is None else np.hypot(norms, biases)
    order = np.argsort(-by, kind="stable")
    packed = np.zeros((n_panels * cols, n_factors), dtype=items.dtype)
    packed[:n] = items[order]
    places = np.full(n_panels * cols, -1, dtype=np.int32)
    places[:n] = order if ids is None else ids[order]
    lengths = np.zeros(n_panels * cols)
    lengths[:n] = norms[order]
    offsets = np.full(n_panels * cols, -np.inf, dtype=items.dtype)
    offsets[:n] = 0 if biases is None else biases[order]
    axes, heads = _heads(packed, lengths, None if biases is None else offsets)
    return Packed(
        _panels(packed, cols),
        offsets,
        places,
        _suffix_max(lengths, cols),
        _suffix_max(offsets, cols),
        _panels(heads, cols),
        axes,
    )


def _panels(rows: NDArray[Any], cols: int) -> NDArray[Any]:
    n, width = rows.shape
    return np.ascontiguousarray(rows.reshape(n // cols, cols, width).transpose(0, 2, 1))


_N_AXES = 8
_HEAD_SHARE = 0.25  # of the squared lengths that has to lie along the axes


def _heads(
    rows: NDArray[Any], norms: NDArray[np.float64], biases: NDArray[Any] | None
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """The directions in which the items are longest, and what each item has along them.

    Trained factors are long in a few directions, so that a product with these few bounds the
    score; where they are not (or too few, or extreme), there are no axes.
    """
    n, n_factors = rows.shape
    none = np.empty((0, n_factors)), np.empty((n, 0), dtype=rows.dtype)
    longest = norms.max(initial=0.0)
    if not 4 * _N_AXES <= n_factors <= 1024 or n < 20 * n_factors or not 1e-9 < longest < 1e9:
        return none
    gram = (rows.T @ rows).astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    if values[-_N_AXES:].sum() < _HEAD_SHARE * values.sum():
        return none
    axes = np.ascontiguousarray(vectors[:, -_N_AXES:].T)
    heads = np.empty((n, _N_AXES + 2 + (biases is not None)), dtype=rows.dtype)
    eps = float(np.finfo(rows.dtype).eps)
    up, error = 1 + 8 * eps, (4 * n_factors + 64) * eps
    for begin in range(0, n, 1 << 16):
        part = slice(begin, begin + (1 << 16))
        along = rows[part] @ axes.T  # float64
        rest = np.maximum(norms[part] ** 2 - np.einsum("ij,ij->i", along, along), 0)
        heads[part, :_N_AXES] = along
        heads[part, _N_AXES] = np.sqrt(rest + 1e-12 * norms[part] ** 2) * up
        heads[part, _N_AXES + 1] = norms[part] * error
    if biases is not None:
        heads[:, -1] = np.where(np.isfinite(biases), np.abs(biases), 0) * error
    return axes, heads


def restrict(packed: Packed, allowed: NDArray[np.bool_], n_queries: int) -> Packed:
    """The same items with only some of them as candidates."""
    cols = packed.panels.shape[2]
    is_open = (packed.order >= 0) & allowed[packed.order] if len(allowed) else packed.order >= 0
    places = np.flatnonzero(is_open)
    if len(places) * 100 < n_queries * (len(is_open) - len(places)):  # packing anew pays
        items = packed.panels.transpose(0, 2, 1)[places // cols, places % cols]
        return pack(np.ascontiguousarray(items), packed.biases[places], packed.order[places])
    biases = np.where(is_open, packed.biases, -np.inf).astype(packed.biases.dtype)
    return packed._replace(biases=biases, offsets=_suffix_max(biases, cols))
