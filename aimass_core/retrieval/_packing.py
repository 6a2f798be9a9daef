"""Items in panels, with codes of 8 bits: the layout that the kernel `score_topk` reads."""

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
_LEAST_GROUPS = 32  # that have cuts: CodeCuts in cpp/kernels/score_items.hpp
_CUTS = (2, 3, 4, 6)  # eighths of the groups, as there


class Packed(NamedTuple):
    """Items in the layout of the kernel; see `aimass_core.reference.score_topk`."""

    panels: NDArray[Any]
    biases: NDArray[Any]
    order: NDArray[np.int32]
    norms: NDArray[np.float64]
    offsets: NDArray[np.float64]
    codes: NDArray[np.uint8]
    grids: NDArray[np.float64]


def _suffix_max(values: NDArray[Any], cols: int) -> NDArray[np.float64]:
    """Return the largest value of each panel and the panels after it."""
    highest = values.reshape(-1, cols).max(axis=1).astype(np.float64)
    return np.ascontiguousarray(np.maximum.accumulate(highest[::-1])[::-1])


def pack(
    items: NDArray[Any], biases: NDArray[Any] | None, ids: NDArray[np.int32] | None = None
) -> Packed:
    """Return items sorted by length in panels; O(n_items * n_factors) time and memory."""
    n, n_factors = items.shape
    cols = PANEL_COLS
    n_panels = -(-n // cols)
    if n_panels * cols > MAX_DIM:
        raise ValueError(f"at most {MAX_DIM - cols} items are possible, got {n}")
    norms = norms_of(items)
    # Any order is correct; with biases this one ends the scan early.
    lengths = norms if biases is None else np.hypot(norms, biases)
    order = np.argsort(-lengths, kind="stable")
    packed = np.zeros((n_panels * cols, n_factors), dtype=items.dtype)
    packed[:n] = items[order]
    rows = np.full(n_panels * cols, -1, dtype=np.int32)
    rows[:n] = order if ids is None else ids[order]
    padded_norms = np.zeros(n_panels * cols)
    padded_norms[:n] = norms[order]
    offsets = np.full(n_panels * cols, -np.inf, dtype=items.dtype)
    offsets[:n] = 0 if biases is None else biases[order]
    codes, grids = _codes(packed, padded_norms)
    if biases is not None:
        grids[:, 3] = _largest_bias(offsets)
    return Packed(
        to_panels(packed, cols),
        offsets,
        rows,
        _suffix_max(padded_norms, cols),
        _suffix_max(offsets, cols),
        codes,
        grids,
    )


def to_panels(rows: NDArray[Any], cols: int) -> NDArray[Any]:
    """Return rows of shape (n, width) as panels of shape (n / cols, width, cols)."""
    n, width = rows.shape
    return np.ascontiguousarray(rows.reshape(n // cols, cols, width).transpose(0, 2, 1))


def _codes(
    rows: NDArray[Any], norms: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return items as integers of 8 bits, and the error bounds of each panel.

    A panel's factors are ``step * (code - 128)`` plus an error. The bounds are 1 / step, the
    length of the longest error, the largest norm, -1 (no biases), and the largest norms of
    the factors after each cut.
    """
    n, n_factors = rows.shape
    n_panels, longest = n // PANEL_COLS, norms.max(initial=0.0)
    grids = np.full((n_panels, 4 + len(_CUTS)), -1.0)
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
        rounded = np.rint(panels / steps)
        difference = panels - steps * rounded
        error = np.sqrt(np.einsum("pcl,pcl->pc", difference, difference)).max(axis=1)
        length = norms[begin * PANEL_COLS : part.stop * PANEL_COLS].reshape(-1, PANEL_COLS)
        grids[part, 0] = 1 / steps[:, 0, 0]
        grids[part, 1] = error * (1 + 1e-12) + 1e-14 * longest
        grids[part, 2] = length.max(axis=1)
        for number, eighths in enumerate(_CUTS if n_groups >= _LEAST_GROUPS else ()):
            tail = panels[:, :, n_groups * eighths // 8 * _CODE_GROUP :]
            tails = np.sqrt(np.einsum("pcl,pcl->pc", tail, tail)).max(axis=1)
            grids[part, 4 + number] = tails * (1 + 1e-12) + 1e-14 * longest
        wide = np.zeros((len(panels), PANEL_COLS, n_groups * _CODE_GROUP))
        wide[:, :, :n_factors] = rounded
        wide = wide.reshape(-1, PANEL_COLS, n_groups, _CODE_GROUP).transpose(0, 2, 1, 3)
        codes[part] = wide + 128
    return codes, grids


def _largest_bias(biases: NDArray[Any]) -> NDArray[np.float64]:
    """Return the largest absolute value of the finite biases of each panel."""
    finite = np.where(np.isfinite(biases), np.abs(biases), 0).astype(np.float64)
    largest: NDArray[np.float64] = finite.reshape(-1, PANEL_COLS).max(axis=1)
    return largest


def restrict(packed: Packed, allowed: NDArray[np.bool_], n_queries: int) -> Packed:
    """Return the same items with only some of them as candidates."""
    cols = packed.panels.shape[2]
    is_candidate = packed.order >= 0
    if len(allowed):
        is_candidate &= allowed[packed.order]
    columns = np.flatnonzero(is_candidate)
    if len(columns) * 100 < n_queries * (len(is_candidate) - len(columns)):  # worth packing anew
        items = packed.panels.transpose(0, 2, 1)[columns // cols, columns % cols]
        return pack(np.ascontiguousarray(items), packed.biases[columns], packed.order[columns])
    biases = np.where(is_candidate, packed.biases, -np.inf).astype(packed.biases.dtype)
    grids = packed.grids.copy()
    grids[:, 3] = _largest_bias(biases)
    return packed._replace(biases=biases, offsets=_suffix_max(biases, cols), grids=grids)
