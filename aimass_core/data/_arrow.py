"""Columns out of the Arrow PyCapsule interface, buffer by buffer, without a table library."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._column import Column, concat, expand_dictionary, mask_or_none, number_column, take_strings

__all__ = ["errors_of_source", "read_array", "read_stream", "refuse_lists", "uuid_text"]

_NUMBERS = {
    "c": "int8",
    "C": "uint8",
    "s": "int16",
    "S": "uint16",
    "i": "int32",
    "I": "uint32",
    "l": "int64",
    "L": "uint64",
    "e": "float16",
    "f": "float32",
    "g": "float64",
}
_STRINGS = {
    "u": ("str", "int32"),
    "U": ("str", "int64"),
    "z": ("bytes", "int32"),
    "Z": ("bytes", "int64"),
}
_EXTENSION = b"ARROW:extension:name"
_UUID_CHARACTERS = 36
_INLINE = 12  # bytes of a string that a view holds itself
_STEP = 1 << 14  # views per step: the scratch memory stays in the cache


@contextlib.contextmanager
def errors_of_source(rows: str) -> Iterator[None]:
    """Raise errors of the library or driver that delivers rows as ValueErrors.

    Errors of the system (no memory, no file, no permission) and of a missing library stay as they
    are. ``rows`` names the rows in the message.
    """
    try:
        yield
    except (MemoryError, OSError, ImportError):
        raise
    except Exception as error:
        # nanoarrow names its own function first, and pyarrow appends the traceback of a generator.
        reason = re.sub(r"^ArrowArrayStream::\w+\(\) failed \(\d+\): ", "", str(error))
        reason = reason.partition(". Detail: Python exception")[0].strip()
        raise ValueError(f"{rows} cannot be read: {reason or type(error).__name__}") from error


def read_stream(
    capsule: Any, names: list[str], labels: list[str], rows: str = "the rows of the table"
) -> list[Column]:
    """Return the named columns of a stream of record batches.

    ``labels`` name the columns in messages, ``rows`` their rows. The stream comes as the bare
    capsule: not every library takes the argument with which nanoarrow would ask for it.
    """
    import nanoarrow

    source = nanoarrow.c_array_stream(capsule)
    schema = source.get_schema()
    positions = {schema.child(i).name: i for i in range(schema.n_children)}
    formats = [schema.child(positions[name]) for name in names]
    chunks: list[list[Column]] = [[] for _ in names]
    for batch in _batches(source, rows):
        if batch.length == 0:
            continue
        for out, name, label in zip(chunks, names, labels, strict=True):
            out.append(_read(batch.child(positions[name]), batch.offset, batch.length, label))
    return [
        concat(columns) if columns else _empty(form, label)
        for columns, form, label in zip(chunks, formats, labels, strict=True)
    ]


def _batches(source: Any, rows: str) -> Iterator[Any]:
    """Yield the batches of a stream; errors of its producer are those of the rows."""
    batches = iter(source)
    while True:
        with errors_of_source(rows):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def read_array(values: Any, name: str) -> Column:
    """Read one Arrow array, chunked or not."""
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
    """Return bits ``start`` to ``start + n`` of a bitmap."""
    first = start // 8
    packed = _buffer(view, i, np.uint8)[first : (start + n + 7) // 8]
    return np.unpackbits(packed, bitorder="little")[start - 8 * first :][:n].view(bool)


def _read(array: Any, parent_offset: int, n: int, name: str) -> Column:
    """Return rows ``parent_offset`` to ``parent_offset + n`` of one Arrow array."""
    form: str = array.schema.format
    if form == "n":
        return Column("null", np.zeros(n, dtype=np.int64), null=np.ones(n, dtype=bool))
    try:
        view = array.view()
    except RuntimeError:  # of nanoarrow: a type of one library alone, such as Int128 of polars
        raise _unreadable(form, name) from None
    start = parent_offset + array.offset
    null = None
    if array.null_count != 0 and view.buffer(0).size_bytes:
        null = mask_or_none(~_bits(view, 0, start, n))
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
        return number_column(_buffer(view, 1, _NUMBERS[form])[start : start + n], null)
    if form.startswith("w:"):
        return _fixed_size(array.schema, _buffer(view, 1, np.uint8), start, n, null)
    if form[:2] in ("ts", "td"):
        return _datetimes(form, view, start, n, null, name)
    if form.startswith("d:"):
        return _decimals(form, view, start, n, null)
    if form in ("+l", "+L") or form.startswith("+w:"):
        return _lists(array, view, start, n, null, name)
    raise _unreadable(form, name)


_REMEDIES = {
    "tD": "holds durations: convert them to numbers, such as of seconds",
    "tt": "holds times of day: convert them to numbers, or join them with dates",
    "+s": "holds structs: give their fields as columns of their own",
    "+m": "holds maps: give their keys and values as columns of their own; features take Python "
    "dicts, as to_pylist(maps_as_pydicts='strict') of pyarrow makes them, as tags with weights",
}


def _unreadable(form: str, name: str) -> TypeError:
    if form[:2] in _REMEDIES:
        return TypeError(f"{name} {_REMEDIES[form[:2]]}")
    return TypeError(
        f"{name} has the Arrow type {form!r}, which is neither a number, a string nor a datetime: "
        "cast the column"
    )


def refuse_lists(column: Column, name: str) -> Column:
    """Return a column, refused where its cells are lists."""
    if column.kind == "list":
        raise _unreadable("list", name)
    return column


def _lists(
    array: Any, view: Any, start: int, n: int, null: NDArray[np.bool_] | None, name: str
) -> Column:
    """Return lists as offsets into the column of their entries."""
    form = array.schema.format
    if form.startswith("+w:"):
        size = int(form[3:])
        offsets = np.arange(start, start + n + 1, dtype=np.int64) * size
    elif n == 0:
        offsets = np.zeros(1, dtype=np.int64)
    else:
        raw = _buffer(view, 1, "int32" if form == "+l" else "int64")
        offsets = raw[start : start + n + 1].astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    entries = _read(array.child(0), first, last - first, name)
    return Column("list", np.empty(0), offsets - first, null=null, entries=entries)


def _datetimes(
    form: str, view: Any, start: int, n: int, null: NDArray[np.bool_] | None, name: str
) -> Column:
    """Return dates and timestamps; those with a time zone are instants in UTC already."""
    if form == "tdD":
        days = _buffer(view, 1, np.int32)[start : start + n].astype(np.int64)
        return Column("datetime64[D]", days, null=null)
    unit = {"tdm": "ms", "tss": "s", "tsm": "ms", "tsu": "us", "tsn": "ns"}[form[:3]]
    values = _buffer(view, 1, np.int64)[start : start + n]
    return Column(f"datetime64[{unit}]", values, null=null)


def _fixed_size(
    schema: Any, data: NDArray[np.uint8], start: int, n: int, null: NDArray[np.bool_] | None
) -> Column:
    """Return byte strings of one length; UUIDs as their usual text."""
    size = int(schema.format[2:])
    data = data[start * size : (start + n) * size]
    metadata = schema.metadata
    if size == 16 and metadata is not None and metadata.get(_EXTENSION) == b"arrow.uuid":
        return Column("str", uuid_text(data), np.arange(n + 1) * _UUID_CHARACTERS, null=null)
    return Column("bytes", data, np.arange(n + 1, dtype=np.int64) * size, null=null)


def uuid_text(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return UUIDs of 16 bytes as text like 12345678-1234-5678-1234-567812345678."""
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    halves = np.stack([digits[data >> 4], digits[data & 15]], axis=1).reshape(-1, 32)
    text = np.full((len(halves), _UUID_CHARACTERS), ord("-"), dtype=np.uint8)
    for begin, end, at in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        text[:, at : at + end - begin] = halves[:, begin:end]
    return text.reshape(-1)


def _decimals(form: str, view: Any, start: int, n: int, null: NDArray[np.bool_] | None) -> Column:
    """Return decimals of 32 to 256 bits: the nearest float64, and the exact numbers beside it."""
    _, scale, *bits = (int(part) for part in form[2:].split(","))
    width = bits[0] if bits else 128
    if width < 128:
        narrow = _buffer(view, 1, np.dtype(f"int{width}"))[start : start + n]
        words = narrow.astype(np.int64).view(np.uint64).reshape(-1, 1)
    else:
        words = _buffer(view, 1, np.uint64).reshape(-1, width // 64)[start : start + n]
    low = words[:, 0].view(np.int64)
    is_short = (words[:, 1:].view(np.int64) == (low >> 63)[:, None]).all(axis=1)
    high = words[:, -1].view(np.int64).astype(np.float64)
    for word in words.T[-2::-1]:
        high = high * 2.0**64 + word
    high = np.where(is_short, low, high)  # what fits in 64 bits is rounded once only
    return Column("decimal", high / 10.0**scale, null=null, words=words, scale=scale)


def _from_views(
    view: Any, start: int, n: int, null: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return string views (polars) as offsets and bytes; short strings are in the view itself."""
    views = _buffer(view, 1, np.uint8).reshape(-1, 16)[start : start + n]
    words = views.view(np.int32)
    lengths = words[:, 0] if null is None else np.where(null, 0, words[:, 0])
    offsets = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    short = lengths <= _INLINE
    if short.all():
        data = np.empty(int(offsets[-1]), dtype=np.uint8)
        position = np.arange(16) - 4
        inside = (position >= 0) & (position < np.arange(_INLINE + 1)[:, None])  # by length
        for lo in range(0, n, _STEP):
            hi = min(lo + _STEP, n)
            data[offsets[lo] : offsets[hi]] = views[lo:hi][inside[lengths[lo:hi]]]
        return offsets, data
    # One run of bytes holds the views and all data buffers; every string has a position in it.
    n_data = view.n_buffers - 3
    buffers = [views.reshape(-1), *(_buffer(view, 2 + i, np.uint8) for i in range(n_data))]
    ends = np.cumsum([len(b) for b in buffers])
    position = np.arange(n, dtype=np.int64) * 16 + 4
    position[~short] = ends[words[~short, 2]] + words[~short, 3]
    bounds = np.empty(2 * n + 1, dtype=np.int64)
    bounds[:-1:2], bounds[1::2], bounds[-1] = position, position + lengths, 0
    return take_strings(bounds, np.concatenate(buffers), 2 * np.arange(n))
