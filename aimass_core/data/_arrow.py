"""Columns out of the Arrow PyCapsule interface, buffer by buffer, without a table library."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._column import Column, concat, expand_dictionary, number_column, some, take_strings

__all__ = ["read_array", "read_stream"]

_NUMBERS = {
    "c": "int8", "C": "uint8", "s": "int16", "S": "uint16", "i": "int32", "I": "uint32",
    "l": "int64", "L": "uint64", "e": "float16", "f": "float32", "g": "float64",
}  # fmt: skip
_STRINGS = {
    "u": ("str", "int32"),
    "U": ("str", "int64"),
    "z": ("bytes", "int32"),
    "Z": ("bytes", "int64"),
}
_INLINE = 12  # bytes of a string that a view holds itself
_STEP = 1 << 14  # views per step: the scratch memory stays in the cache


def read_stream(capsule: Any, names: list[str], labels: list[str]) -> list[Column]:
    """The named columns of a stream of record batches; ``labels`` name them in messages.

    The stream comes as the bare capsule: not every library takes the argument with which nanoarrow
    would ask for it.
    """
    import nanoarrow

    source = nanoarrow.c_array_stream(capsule)
    schema = source.get_schema()
    places = {schema.child(i).name: i for i in range(schema.n_children)}
    formats = [schema.child(places[name]) for name in names]
    chunks: list[list[Column]] = [[] for _ in names]
    for batch in source:
        if batch.length == 0:
            continue
        for out, name, label in zip(chunks, names, labels, strict=True):
            out.append(_read(batch.child(places[name]), batch.offset, batch.length, label))
    return [
        concat(columns) if columns else _empty(form, label)
        for columns, form, label in zip(chunks, formats, labels, strict=True)
    ]


def read_array(values: Any, name: str) -> Column:
    """One Arrow array, chunked or not."""
    import nanoarrow

    if not hasattr(values, "__arrow_c_stream__"):
        array = nanoarrow.c_array(values)
        return _read(array, 0, array.length, name)
    source = nanoarrow.c_array_stream(values)
    form = source.get_schema()
    chunks = [_read(array, 0, array.length, name) for array in source if array.length]
    return concat(chunks) if chunks else _empty(form, name)


def _empty(schema: Any, name: str) -> Column:
    import nanoarrow

    if schema.dictionary is not None:
        schema = schema.dictionary
    return _read(nanoarrow.c_array([], schema), 0, 0, name)


def _buffer(view: Any, i: int, dtype: Any) -> NDArray[Any]:
    buffer = view.buffer(i)
    if buffer.size_bytes == 0:
        return np.empty(0, dtype=dtype)
    return np.frombuffer(buffer, dtype=dtype)


def _bits(view: Any, i: int, start: int, n: int) -> NDArray[np.bool_]:
    """Bits ``start`` to ``start + n`` of a bitmap."""
    first = start // 8
    packed = _buffer(view, i, np.uint8)[first : (start + n + 7) // 8]
    return np.unpackbits(packed, bitorder="little")[start - 8 * first :][:n].view(bool)


def _read(array: Any, parent_offset: int, n: int, name: str) -> Column:
    """Rows ``parent_offset`` to ``parent_offset + n`` of one Arrow array."""
    form: str = array.schema.format
    if form == "n":
        return Column("null", np.zeros(n, dtype=np.int64), null=np.ones(n, dtype=bool))
    view = array.view()
    start = parent_offset + array.offset
    null = None
    if array.null_count != 0 and view.buffer(0).size_bytes:
        null = some(~_bits(view, 0, start, n))
    if array.dictionary is not None:
        codes = _buffer(view, 1, _NUMBERS[form])[start : start + n]
        entries = _read(array.dictionary, 0, array.dictionary.length, name)
        return expand_dictionary(entries, codes, null)
    if form == "b":
        return Column("bool", _bits(view, 1, start, n), null=null)
    if form in _STRINGS:
        kind, offset_type = _STRINGS[form]
        offsets = _buffer(view, 1, offset_type)[start : start + n + 1]
        if n == 0:
            offsets = np.zeros(1, dtype=np.int64)
        return Column(kind, _buffer(view, 2, np.uint8), offsets, null=null)
    if form in ("vu", "vz"):
        offsets, data = _from_views(view, start, n, null)
        return Column("str" if form == "vu" else "bytes", data, offsets, null=null)
    if form in _NUMBERS:
        return number_column(_buffer(view, 1, _NUMBERS[form])[start : start + n], name, null)
    if form[:2] in ("ts", "td"):
        return _datetimes(form, view, start, n, null, name)
    if form.startswith("d:") and form.count(",") == 1:
        return Column("decimal", _decimals(form, view, start, n), null=null)
    raise TypeError(
        f"{name} has the Arrow type {array.schema.format!r}, which is neither a number, a string "
        "nor a datetime: cast the column"
    )


def _datetimes(
    form: str, view: Any, start: int, n: int, null: NDArray[np.bool_] | None, name: str
) -> Column:
    """Dates and timestamps; those with a time zone are instants in UTC already."""
    if form == "tdD":
        days = _buffer(view, 1, np.int32)[start : start + n].astype(np.int64)
        return Column("datetime64[D]", days, null=null)
    unit = {"tdm": "ms", "tss": "s", "tsm": "ms", "tsu": "us", "tsn": "ns"}[form[:3]]
    values = _buffer(view, 1, np.int64)[start : start + n]
    return Column(f"datetime64[{unit}]", values, null=null)


def _decimals(form: str, view: Any, start: int, n: int) -> NDArray[np.float64]:
    """128-bit decimals as the nearest float64 (their halves are added in double)."""
    scale = int(form[2:].split(",")[1])
    halves = _buffer(view, 1, np.uint64).reshape(-1, 2)[start : start + n]
    low, high = halves[:, 0], halves[:, 1].view(np.int64)
    small = high == (low.view(np.int64) >> 63)  # the number fits in 64 bits: no rounding yet
    whole = np.where(small, low.view(np.int64), high * 2.0**64 + low)
    return np.asarray(whole / 10.0**scale, dtype=np.float64)


def _from_views(
    view: Any, start: int, n: int, null: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """String views (polars) as offsets and bytes: short ones sit in the view itself."""
    views = _buffer(view, 1, np.uint8).reshape(-1, 16)[start : start + n]
    words = views.view(np.int32)
    lengths = words[:, 0] if null is None else np.where(null, 0, words[:, 0])
    offsets = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    short = lengths <= _INLINE
    if short.all():
        data = np.empty(int(offsets[-1]), dtype=np.uint8)
        place = np.arange(16) - 4
        inside = (place >= 0) & (place < np.arange(_INLINE + 1)[:, None])  # by length
        for lo in range(0, n, _STEP):
            hi = min(lo + _STEP, n)
            data[offsets[lo] : offsets[hi]] = views[lo:hi][inside[lengths[lo:hi]]]
        return offsets, data
    # One run of bytes holds the views and all data buffers; every string has a place in it.
    n_data = view.n_buffers - 3
    buffers = [views.reshape(-1), *(_buffer(view, 2 + i, np.uint8) for i in range(n_data))]
    ends = np.cumsum([len(b) for b in buffers])
    place = np.arange(n, dtype=np.int64) * 16 + 4
    place[~short] = ends[words[~short, 2]] + words[~short, 3]
    bounds = np.empty(2 * n + 1, dtype=np.int64)
    bounds[:-1:2], bounds[1::2], bounds[-1] = place, place + lengths, 0
    return take_strings(bounds, np.concatenate(buffers), 2 * np.arange(n))
