"""Items in packed panels, with their codes: the form in which `score_topk` scans them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.validation import MAX_DIM
from ._factors import norms_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PANEL_COLS", "Packed", "pack", "restrict", "to_panels"]

PANEL_COLS = 48  # items of a panel; kPanelCols in cpp/simd/score_kernels.hpp
_MAX_CODE_DEPTH = 8192  # kMaxCodeDepth in cpp/simd/code_kernels.hpp
_CODE_GROUP = 4  # kCodeGroup there


class Packed(NamedTuple):
    """Items in the kernel's form; see `aimass_core.reference.score_topk`."""

    panels: NDArray[Any]
    biases: NDArray[Any]
    order: NDArray[np.int32]
    norms: NDArray[np.float64]
    offsets: NDArray[np.float64]
    codes: NDArray[np.uint8]
    grids: NDArray[np.float64]


def _suffix_max(values: NDArray[Any], cols: int) -> NDArray[np.float64]:
    """The largest value in each panel and those after it."""
    highest = values.reshape(-1, cols).max(axis=1).astype(np.float64)
    return np.ascontiguousarray(np.maximum.accumulate(highest[::-1])[::-1])


def pack(
    items: NDArray[Any], biases: NDArray[Any] | None, ids: NDArray[np.int32] | None = None
) -> Packed:
    """Sort by length and lay out in panels; O(n_items * n_factors) time and memory."""
    n, n_factors = items.shape
    cols = PANEL_COLS
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
    codes, grids = _codes(packed, lengths)
    if biases is not None:
        grids[:, 3] = _largest_bias(offsets)
    return Packed(
        to_panels(packed, cols),
        offsets,
        places,
        _suffix_max(lengths, cols),
        _suffix_max(offsets, cols),
        codes,
        grids,
    )


def to_panels(rows: NDArray[Any], cols: int) -> NDArray[Any]:
    """Rows side by side: (n, width) to (n / cols, width, cols)."""
    n, width = rows.shape
    return np.ascontiguousarray(rows.reshape(n // cols, cols, width).transpose(0, 2, 1))


def _codes(
    rows: NDArray[Any], norms: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Items in whole numbers of 8 bits, and how far off these are.

    A panel's factors are ``step * (code - 128)`` plus an error; of each panel: 1 / step, the
    length of the longest error, the largest norm, -1 (no biases).
    """
    n, n_factors = rows.shape
    n_panels, longest = n // PANEL_COLS, norms.max(initial=0.0)
    grids = np.full((n_panels, 4), -1.0)
    if not 0 < n_factors <= _MAX_CODE_DEPTH or not 1e-9 < longest < 1e9:
        return np.empty((n_panels, 0, PANEL_COLS, _CODE_GROUP), np.uint8), grids
    n_groups = -(-n_factors // _CODE_GROUP)
    codes = np.full((n_panels, n_groups, PANEL_COLS, _CODE_GROUP), 128, np.uint8)
    step = max(1, 2**20 // (PANEL_COLS * n_factors))  # so that copies in float64 stay small
    for begin in range(0, n_panels, step):
        part = slice(begin, min(begin + step, n_panels))
        panels = rows[begin * PANEL_COLS : part.stop * PANEL_COLS].astype(np.float64)
        panels = panels.reshape(-1, PANEL_COLS, n_factors)
        steps = np.maximum(np.abs(panels).max(axis=(1, 2)) / 127, 1e-12 * longest)[:, None, None]
        whole = np.rint(panels / steps)
        off = panels - steps * whole
        error = np.sqrt(np.einsum("pcl,pcl->pc", off, off)).max(axis=1)
        length = norms[begin * PANEL_COLS : part.stop * PANEL_COLS].reshape(-1, PANEL_COLS)
        grids[part, 0] = 1 / steps[:, 0, 0]
        grids[part, 1] = error * (1 + 1e-12) + 1e-14 * longest
        grids[part, 2] = length.max(axis=1)
        wide = np.zeros((len(panels), PANEL_COLS, n_groups * _CODE_GROUP))
        wide[:, :, :n_factors] = whole
        wide = wide.reshape(-1, PANEL_COLS, n_groups, _CODE_GROUP).transpose(0, 2, 1, 3)
        codes[part] = wide + 128
    return codes, grids


def _largest_bias(biases: NDArray[Any]) -> NDArray[np.float64]:
    """The largest finite bias of each panel in absolute value."""
    finite = np.where(np.isfinite(biases), np.abs(biases), 0).astype(np.float64)
    largest: NDArray[np.float64] = finite.reshape(-1, PANEL_COLS).max(axis=1)
    return largest


def restrict(packed: Packed, allowed: NDArray[np.bool_], n_queries: int) -> Packed:
    """The same items with only some of them as candidates."""
    cols = packed.panels.shape[2]
    is_open = (packed.order >= 0) & allowed[packed.order] if len(allowed) else packed.order >= 0
    places = np.flatnonzero(is_open)
    if len(places) * 100 < n_queries * (len(is_open) - len(places)):  # packing anew pays
        items = packed.panels.transpose(0, 2, 1)[places // cols, places % cols]
        return pack(np.ascontiguousarray(items), packed.biases[places], packed.order[places])
    biases = np.where(is_open, packed.biases, -np.inf).astype(packed.biases.dtype)
    grids = packed.grids.copy()
    grids[:, 3] = _largest_bias(biases)
    return packed._replace(biases=biases, offsets=_suffix_max(biases, cols), grids=grids)
