"""Columns out of arrays, lists and Series, whatever they hold."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._arrow import read_array, read_stream, refuse_lists, uuid_text
from ._column import Column, expand_dictionary, mask_or_none, number_column
from ._datetimes import from_scalars, single_unit

__all__ = ["from_any", "from_any_or_lists", "from_numpy", "from_objects"]

_EXACT = 2**53  # whole numbers up to here are exact in float64
_MAY_BE_NULL = (float, np.floating, decimal.Decimal, np.datetime64)  # NaN and NaT: x != x


def from_any(values: Any, name: str) -> Column:
    """Read a column out of an array, a list, a Series of any table library or an Arrow array."""
    return refuse_lists(from_any_or_lists(values, name), name)


def from_any_or_lists(values: Any, name: str) -> Column:
    """Read a column as `from_any` does; the cells of Arrow data may be lists."""
    if isinstance(values, Column):
        return values
    if isinstance(values, np.ndarray):
        return from_numpy(values, name)
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise TypeError(f"{name} must be an array or a list of values, got {type(values).__name__}")
    module = type(values).__module__.partition(".")[0]
    if module == "pandas" and hasattr(values, "dtype"):
        import pandas

        series = values if isinstance(values, pandas.Series) else pandas.Series(values, copy=False)
        return _from_pandas(series, name)
    if module == "polars" and hasattr(values, "to_frame"):  # older ones export frames only well
        return read_stream(values.to_frame("column").__arrow_c_stream__(), ["column"], [name])[0]
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return read_array(values, name)
    if isinstance(values, (list, tuple)):
        return from_objects(values, name)
    return from_numpy(np.asarray(values), name)


def from_numpy(array: NDArray[Any], name: str) -> Column:
    """Read a one-dimensional array of numbers, datetimes, strings or objects."""
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got an array of shape {array.shape}")
    if isinstance(array, np.ma.MaskedArray):
        column = from_numpy(array.data, name)
        masked = np.ma.getmaskarray(array)
        column.null = mask_or_none(masked if column.null is None else column.null | masked)
        return column
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    kind = array.dtype.kind
    if kind in "biuf":
        return number_column(array)
    if kind == "M" and np.datetime_data(array.dtype)[0] != "generic":
        null = mask_or_none(np.isnat(array))
        array = single_unit(array, name)
        return Column(str(array.dtype), array.view(np.int64), null=null)
    if kind in "OUT":
        return from_objects(array.tolist(), name)
    if kind == "S":
        return _encode(array.tolist(), "bytes")
    if kind == "m":
        raise TypeError(f"{name} holds durations: convert them to numbers, such as of seconds")
    raise TypeError(
        f"{name} must hold numbers, strings or datetimes, got an array of {array.dtype}"
    )


def from_objects(values: Sequence[Any], name: str) -> Column:
    """Return Python objects of one type (nulls aside) as a column; all of them are looked at."""
    values = list(values)
    if not values:
        return Column("null", np.zeros(0, dtype=np.int64))
    if isinstance(values[0], str):
        strings = _join_strings(values)
        if strings is not None:
            return strings
    types = set(map(type, values))
    nothing = {t for t in types if t.__name__ in ("NoneType", "NAType", "NaTType")}
    null = None
    if nothing or any(issubclass(t, _MAY_BE_NULL) for t in types):
        null = mask_or_none(
            np.fromiter((type(x) in nothing or x != x for x in values), bool, len(values))
        )
    if null is not None:
        rest = [x for x, gone in zip(values, null.tolist(), strict=True) if not gone]
        if not rest:
            return Column("null", np.zeros(len(values), dtype=np.int64), null=null)
        types = set(map(type, rest))
        values = [rest[0] if gone else x for x, gone in zip(values, null.tolist(), strict=True)]
    column = _of_types(values, types, name)
    column.null = null
    return column


def _of_types(values: list[Any], types: set[type], name: str) -> Column:
    def all_of(*wanted: type) -> bool:
        return all(issubclass(t, wanted) for t in types)

    if all_of(str):
        return _join_strings(values) or _encode(values, "str")
    if all_of(bytes):
        return _encode(values, "bytes")
    if all_of(bool, np.bool_):
        return Column("bool", np.array(values, dtype=bool))
    if not any(issubclass(t, (bool, np.bool_)) for t in types):
        if all_of(int, np.integer):
            return _whole_numbers(values, name)
        if all_of(int, float, np.integer, np.floating):
            if any(abs(x) > _EXACT for x in values if not isinstance(x, (float, np.floating))):
                raise ValueError(f"{name} mixes floats with whole numbers beyond 2**53")
            return Column("float", np.array(values, dtype=np.float64))
        if all_of(int, decimal.Decimal):
            return _decimals(values)
    if all_of(uuid.UUID):
        data = np.frombuffer(b"".join(x.bytes for x in values), dtype=np.uint8)
        return Column("str", uuid_text(data), np.arange(len(values) + 1) * 36)
    if all_of(datetime.date, np.datetime64):  # datetime and pandas.Timestamp are dates too
        zones = {getattr(x, "tzinfo", None) is not None for x in values}
        if zones == {True}:
            utc = datetime.timezone.utc
            values = [x.astimezone(utc).replace(tzinfo=None) for x in values]
        if len(zones) == 1:
            stamps = from_scalars(values, name)
            return Column(str(stamps.dtype), stamps.view(np.int64))
    shown = ", ".join(sorted(t.__name__ for t in types))
    raise TypeError(
        f"{name} holds values of type {shown}: make it one type out of whole numbers, floats, "
        "strings, bytes, UUIDs, booleans or datetimes"
    )


def _whole_numbers(values: list[Any], name: str) -> Column:
    try:
        return Column("int", np.array(values, dtype=np.int64))
    except OverflowError:
        if min(values) < 0 or max(values) >= 2**64:
            raise ValueError(
                f"{name} holds whole numbers beyond 64 bits: convert the column to strings"
            ) from None
    return number_column(np.array(values, dtype=np.uint64))


def _decimals(values: list[Any]) -> Column:
    """Return decimals, exact beside the nearest float64 (those beyond 256 bits only rounded)."""
    rounded = np.array([float(x) for x in values])
    exact = [decimal.Decimal(x).as_tuple() for x in values]
    if not np.isfinite(rounded).all():
        return Column("decimal", rounded)
    scale = max(0, *(-int(x.exponent) for x in exact))
    raw = bytearray()
    for sign, digits, exponent in exact:
        number = int("".join(map(str, digits))) * 10 ** (scale + int(exponent))
        if number.bit_length() > 255:
            return Column("decimal", rounded)
        raw += (-number if sign else number).to_bytes(32, "little", signed=True)
    words = np.frombuffer(bytes(raw), dtype="<u8").reshape(-1, 4)
    return Column("decimal", rounded, words=words, scale=scale)


def _join_strings(values: list[Any]) -> Column | None:
    """Return strings as offsets and UTF-8 bytes; None for other values and zero bytes.

    Joined with zeros between, their ends are where the zeros are: no string is looked at in Python.
    """
    try:
        text = "\0".join(values)
    except TypeError:
        return None
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    is_end = data == 0
    ends = np.flatnonzero(is_end)
    n = len(values)
    if len(ends) != n - 1:
        return None
    offsets = np.zeros(n + 1, dtype=np.int64)
    np.subtract(ends, np.arange(n - 1), out=offsets[1:n])
    offsets[n] = len(data) - (n - 1)
    return Column("str", data[~is_end], offsets)


def _encode(values: list[Any], kind: str) -> Column:
    """Return Python strings as offsets and UTF-8 bytes; lone surrogates are kept."""
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=offsets[1:])
    if kind == "bytes":
        return Column(kind, np.frombuffer(b"".join(values), dtype=np.uint8), offsets)
    text = "".join(values)
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    if len(data) != len(text):  # offsets in characters -> offsets in bytes
        starts = np.flatnonzero((data & 0xC0) != 0x80)
        offsets = np.append(starts, len(data))[offsets]
    return Column(kind, data, offsets)


def _from_pandas(series: Any, name: str) -> Column:
    """Read a pandas Series; where pandas holds Arrow data, it is taken without a copy."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return from_numpy(series.to_numpy(), name)
    if hasattr(dtype, "categories"):  # categorical
        codes = series.cat.codes.to_numpy()
        column = from_any(dtype.categories, name)
        return expand_dictionary(column, codes, mask_or_none(codes < 0))
    if hasattr(dtype, "tz"):
        return from_numpy(series.to_numpy(dtype=f"datetime64[{dtype.unit}]"), name)
    if hasattr(dtype, "numpy_dtype") and hasattr(dtype, "na_value"):  # Int64, Float32, boolean
        null = np.asarray(series.isna())
        numpy_dtype = dtype.numpy_dtype
        if numpy_dtype.kind in "biuf":
            filled = series.to_numpy(dtype=numpy_dtype, na_value=numpy_dtype.type(0))
            column = from_numpy(filled, name)
            column.null = mask_or_none(null if column.null is None else null | column.null)
            return column
    if hasattr(series.array, "__arrow_array__") and not hasattr(dtype, "freq"):  # not for Periods
        try:
            array = series.array.__arrow_array__()
        except (ImportError, TypeError, ValueError):  # no pyarrow, or nothing Arrow knows
            pass
        else:
            return read_array(array, name)
    return from_objects(series.to_numpy(dtype=object).tolist(), name)
