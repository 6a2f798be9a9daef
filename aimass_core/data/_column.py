"""One column of a table as arrays of one type, which the native kernels take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Column",
    "concat",
    "expand_dictionary",
    "mask_or_none",
    "number_column",
    "take_strings",
    "unsigned",
]

TOP_BIT = np.uint64(1 << 63)
_BLOCK = 1 << 20  # rows per step where a step needs scratch memory


@dataclass(slots=True)
class Column:
    """Values of one column; strings as one run of bytes, dictionaries not yet expanded.

    Attributes
    ----------
    kind : str
        ``int``, ``uint``, ``float``, ``bool``, ``str``, ``bytes``, ``decimal``,
        ``datetime64[unit]``, ``list`` or ``null`` (a column of nothing but nulls).
    values : ndarray
        One number per entry (datetimes as int64, unsigned numbers above 2**63 - 1 as int64 after
        subtraction of 2**63), or for strings their bytes as uint8.
    offsets : ndarray, optional
        For strings: entry ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    codes : ndarray, optional
        For dictionary (categorical) columns: the entry of each row.
    null : ndarray of bool, optional
        Which rows are null; their values mean nothing.
    words : ndarray of uint64, shape (n_entries, 1 to 4), optional
        For decimals, whose ``values`` may be rounded: the exact numbers times ``10**scale`` in
        two's complement, least significant word first.
    scale : int
        For decimals: number of digits after the point.
    entries : Column, optional
        For lists: their entries one after another; list ``i`` has the rows from ``offsets[i]`` to
        before ``offsets[i + 1]``.
    """

    kind: str
    values: NDArray[Any]
    offsets: NDArray[Any] | None = None
    codes: NDArray[Any] | None = None
    null: NDArray[np.bool_] | None = None
    words: NDArray[np.uint64] | None = None
    scale: int = 0
    entries: Column | None = None

    @property
    def n_entries(self) -> int:
        """Number of entries: rows, or the size of the dictionary."""
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.n_entries if self.codes is None else len(self.codes)

    def strings(self) -> Iterator[str | bytes]:
        """Return each entry of a string column as a Python object."""
        assert self.offsets is not None
        raw = self.values.tobytes()
        if self.kind == "bytes":
            bounds = self.offsets.tolist()
            return (raw[a:b] for a, b in pairwise(bounds))
        text = raw.decode("utf-8", "surrogatepass")
        if len(text) == len(raw):
            bounds = self.offsets.tolist()
        else:  # offsets in bytes -> offsets in characters
            starts = np.zeros(len(self.values) + 1, dtype=np.int64)
            np.cumsum((self.values & 0xC0) != 0x80, out=starts[1:])
            bounds = starts[self.offsets].tolist()
        return (text[a:b] for a, b in pairwise(bounds))

    def numbers(self) -> NDArray[Any]:
        """Return one number per row, dictionaries expanded."""
        return self.values if self.codes is None else self.values[self.codes]


def number_column(values: NDArray[Any], null: NDArray[np.bool_] | None = None) -> Column:
    """Return a column of booleans, whole numbers or floats; NaN is null."""
    if values.dtype.kind == "b":
        return Column("bool", values, null=null)
    if values.dtype.kind == "f":
        if values.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            values = values.astype(np.float64)
        is_nan = np.isnan(values)
        return Column("float", values, null=mask_or_none(is_nan if null is None else null | is_nan))
    if values.dtype == np.uint64:
        if values.size and values.max() > np.iinfo(np.int64).max:
            return Column("uint", (values ^ TOP_BIT).view(np.int64), null=null)
        values = values.astype(np.int64)
    return Column("int", values, null=null)


def unsigned(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the numbers of a column of kind ``uint``."""
    return values.view(np.uint64) ^ TOP_BIT


def take_strings(
    offsets: NDArray[Any], data: NDArray[np.uint8], rows: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the strings of the given rows, in this order, as new offsets and bytes."""
    starts = offsets[rows].astype(np.int64)
    lengths = offsets[rows + 1] - starts
    out_offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(lengths, out=out_offsets[1:])
    out = np.empty(int(out_offsets[-1]), dtype=np.uint8)
    for lo in range(0, len(rows), _BLOCK):
        hi = min(lo + _BLOCK, len(rows))
        first, last = out_offsets[lo], out_offsets[hi]
        source = np.repeat(starts[lo:hi] - out_offsets[lo:hi], lengths[lo:hi])
        out[first:last] = data[source + np.arange(first, last)]
    return out_offsets, out


def mask_or_none(null: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return the mask, if it marks anything."""
    return null if null.any() else None


def expand_dictionary(
    column: Column, codes: NDArray[Any], null: NDArray[np.bool_] | None
) -> Column:
    """Return rows that point into the entries of a column; entries may be null themselves."""
    if null is not None:
        codes = np.where(null, 0, codes)
    if column.null is not None:
        entry_null = column.null[codes]
        null = mask_or_none(entry_null if null is None else entry_null | null)
    if column.n_entries == 0:  # every row is null
        return Column("null", np.zeros(len(codes), dtype=np.int64), null=null)
    return Column(column.kind, column.values, column.offsets, codes, null)


def concat(columns: list[Column]) -> Column:
    """Return columns below one another: chunks of one and the same column."""
    columns = [c for c in columns if c.n_rows] or columns[:1]
    if len(columns) == 1:
        return columns[0]
    null = None
    if any(c.null is not None for c in columns):
        null = np.concatenate(
            [np.zeros(c.n_rows, dtype=bool) if c.null is None else c.null for c in columns]
        )
    real = [c for c in columns if c.kind != "null"] or columns[:1]
    kind = real[0].kind
    if any(c.kind == "uint" for c in real):  # a chunk of small ones looks like signed numbers
        kind = "uint"
        columns = [_as_unsigned(c) for c in columns]
    if kind == "list":
        return _concat_lists(columns, null)
    sizes = np.cumsum([0] + [c.n_entries for c in columns])
    codes = None
    if any(c.codes is not None for c in columns):
        codes = np.concatenate(
            [
                (np.arange(c.n_rows) if c.codes is None else c.codes).astype(np.int64) + lo
                for c, lo in zip(columns, sizes, strict=False)
            ]
        )
    if real[0].offsets is None:
        words = None
        if kind == "decimal" and len({(c.scale, c.words is None) for c in real}) == 1:
            words = _concat_words(columns)
        values = np.concatenate([c.values for c in columns])
        return Column(kind, values, None, codes, null, words, real[0].scale)
    return _concat_strings(columns, kind, codes, null)


def _as_unsigned(column: Column) -> Column:
    if column.kind != "int":
        return column
    values = (column.values.astype(np.uint64) ^ TOP_BIT).view(np.int64)
    return Column("uint", values, None, column.codes, column.null)


def _concat_words(columns: list[Column]) -> NDArray[np.uint64] | None:
    """Return the exact decimals of chunks of one width; chunks of nulls have none."""
    widths = {c.words.shape[1] for c in columns if c.words is not None}
    if len(widths) != 1:
        return None
    (width,) = widths
    nothing = np.zeros((1, width), dtype=np.uint64)
    return np.concatenate(
        [nothing.repeat(c.n_entries, axis=0) if c.words is None else c.words for c in columns]
    )


def _concat_lists(columns: list[Column], null: NDArray[np.bool_] | None) -> Column:
    """Return chunks of lists; the entries of all lists are one column."""
    lengths = [
        np.zeros(c.n_rows, dtype=np.int64) if c.offsets is None else np.diff(c.offsets)
        for c in columns
    ]
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    entries = concat([c.entries for c in columns if c.entries is not None])
    return Column("list", np.empty(0), offsets, null=null, entries=entries)


def _concat_strings(
    columns: list[Column],
    kind: str,
    codes: NDArray[Any] | None,
    null: NDArray[np.bool_] | None,
) -> Column:
    offsets, data, end = [np.zeros(1, dtype=np.int64)], [], 0
    for c in columns:
        if c.offsets is None:  # a chunk of nulls
            offsets.append(np.full(c.n_entries, end, dtype=np.int64))
            continue
        lo, hi = int(c.offsets[0]), int(c.offsets[-1])
        offsets.append(c.offsets[1:].astype(np.int64) + (end - lo))
        data.append(c.values[lo:hi])
        end += hi - lo
    return Column(kind, np.concatenate(data), np.concatenate(offsets), codes, null)
