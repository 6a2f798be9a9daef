"""Values of interactions: finite numbers, as short as they are exact; weights of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..base.validation import as_float
from ._column import Column, unsigned
from ._text import Where, numbers_of_text
from .idmap import IdMap
from .readers.options import ReadOptions

__all__ = ["column_values", "event_weight_of_rows", "narrow"]

_EXACT = 2**24  # whole numbers up to here are exact in float32


def event_weight_of_rows(
    column: Column, name: str, weights: Mapping[Any, float], n_threads: int
) -> NDArray[np.float64]:
    """Return the weight of the event of each row."""
    codes, events = IdMap._number(column, name, n_threads)
    table = np.zeros(len(events) + 1)
    for position, event in enumerate(events.ids.tolist()):
        if event not in weights:
            raise ValueError(
                f"{name} holds the event {event!r}, which weights lacks (it has "
                f"{', '.join(map(repr, weights))}): give it a weight, 0 to leave it out"
            )
        table[position] = as_float(weights[event], f"weights[{event!r}]")
    table[-1] = 1.0  # null rows are dropped under their own cause
    return table[codes]


def column_values(
    column: Column,
    keep: NDArray[np.bool_] | None,
    name: str,
    options: ReadOptions | None = None,
    where: Where = lambda text: "",
) -> NDArray[Any]:
    """Return the kept rows of a column of finite numbers, which may be written as text."""
    if column.kind == "str":
        options = options or ReadOptions()
        column = numbers_of_text(column, name, options.decimal, options.thousands, where)
    if column.kind not in ("int", "uint", "float", "bool", "decimal", "null"):
        raise TypeError(f"{name} must hold numbers, not {column.kind}: convert the column")
    values = column.numbers()
    if column.kind == "uint":
        values = unsigned(values).astype(np.float64)
    values = values if keep is None else values[keep]
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        if not finite.all():
            position = int((~finite).argmax())
            raise ValueError(
                f"{name} holds {values[position]}, and {int((~finite).sum())} infinite values in "
                "all: correct or drop these rows"
            )
    return values


def narrow(values: NDArray[Any], dtype: DTypeLike | None, name: str) -> NDArray[Any]:
    """Return float32 where that is exact for every value, else float64; or the dtype given."""
    if dtype is not None:
        wanted = np.dtype(dtype)
        if wanted not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"dtype must be float32 or float64, got {wanted}")
        with np.errstate(over="ignore"):
            out = np.ascontiguousarray(values, dtype=wanted)
        if not np.isfinite(out).all():
            raise ValueError(f"{name} holds values too large for {wanted}: use float64")
        return out
    if values.dtype == np.float32 or values.dtype.kind == "b" or values.dtype.itemsize < 4:
        return np.ascontiguousarray(values, dtype=np.float32)
    if values.dtype.kind in "iu":
        small = values.size == 0 or (values.min() >= -_EXACT and values.max() <= _EXACT)
        return values.astype(np.float32 if small else np.float64)
    with np.errstate(over="ignore", under="ignore"):
        if np.array_equal(values[:1000].astype(np.float32), values[:1000]):
            short = values.astype(np.float32)
            if np.array_equal(short, values):
                return short
    return np.ascontiguousarray(values, dtype=np.float64)
