"""Columns to codes and distinct ids by the native kernels, and ids back to codes."""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ._column import TOP_BIT, Column, take_strings, unsigned
from ._datetimes import in_unit

__all__ = [
    "Lookup",
    "compact",
    "exact_ids",
    "factorize",
    "n_distinct",
    "take_entries",
    "unsigned",
]

_FLOAT_SIGN = np.int64(2**63 - 1)
_DIGITS = Context(prec=100)


def _float_keys(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return whole numbers in the order of the floats; -0.0 and 0.0 get one key."""
    bits = (values.astype(np.float64) + 0.0).view(np.int64)
    return np.where(bits < 0, bits ^ _FLOAT_SIGN, bits)


def take_entries(column: Column, rows: NDArray[np.int64]) -> Column:
    """Return some entries of a column without dictionary and nulls."""
    if column.offsets is None:
        return Column(column.kind, column.values[rows])
    offsets, data = take_strings(column.offsets, column.values, rows)
    return Column(column.kind, data, offsets)


def factorize(column: Column, name: str, n_threads: int) -> tuple[NDArray[np.int32], Column]:
    """Return the codes of all rows and the distinct ids, ascending.

    Null rows get -1; dictionary entries that no row uses are no ids.
    """
    codes, ids = _factorize_entries(column, name, n_threads)
    if column.codes is not None:
        codes = codes[column.codes]
    if column.null is not None:
        codes = np.where(column.null, np.int32(-1), codes)
    if column.codes is not None or column.null is not None:
        codes, ids = compact(codes, ids)
    return codes, ids


def compact(codes: NDArray[np.int32], ids: Column) -> tuple[NDArray[np.int32], Column]:
    """Renumber the ids that occur and drop the others; -1 stays -1."""
    used = np.zeros(ids.n_entries + 1, dtype=bool)
    used[codes] = True
    used[-1] = False
    if used[:-1].all():
        return codes, ids
    renumber = np.cumsum(used, dtype=np.int32) - np.int32(1)
    renumber[-1] = -1
    return renumber[codes], take_entries(ids, np.flatnonzero(used))


def _factorize_entries(
    column: Column, name: str, n_threads: int
) -> tuple[NDArray[np.int32], Column]:
    if column.kind == "decimal":
        column = exact_ids(column, name)
    kind, values = column.kind, column.values
    if column.offsets is not None:
        data = np.ascontiguousarray(values)
        offsets = np.ascontiguousarray(column.offsets)
        codes, first = kernels.factorize_bytes(offsets, data, n_threads)
        return codes, take_entries(Column(kind, data, offsets), first)
    if kind == "float":
        if np.isinf(values).any():
            raise ValueError(f"{name} holds infinite ids: correct or drop these rows")
        codes, keys = kernels.factorize_int64(_float_keys(values), n_threads)
        bits = np.where(keys < 0, keys ^ _FLOAT_SIGN, keys)
        return codes, Column(kind, bits.view(np.float64))
    codes, uniques = kernels.factorize_int64(
        np.ascontiguousarray(values, dtype=np.int64), n_threads
    )
    return codes, Column("int" if kind == "null" else kind, uniques)


def exact_ids(column: Column, name: str) -> Column:
    """Return decimals as whole numbers where all of them are, else as text such as "12.50"."""
    if column.words is None:
        raise TypeError(f"{name} holds decimals as ids: convert them to strings or whole numbers")
    words, scale = column.words, column.scale
    low = words[:, 0].view(np.int64)
    sign = (low >> 63).view(np.uint64)
    if (words[:, 1:] == sign[:, None]).all() and 0 <= scale <= 18:
        whole, rest = np.divmod(low, 10**scale)
        null = column.null if column.codes is None else None
        if not (rest if null is None else rest[~null]).any():
            return Column("int", whole, None, column.codes, column.null)
    bits = 64 * words.shape[1]
    numbers = []
    for row in words.tolist():
        number = sum(word << (64 * i) for i, word in enumerate(row))
        numbers.append(number - (1 << bits) if number >> (bits - 1) else number)
    whole_only = all(number % 10**scale == 0 for number in numbers) if scale >= 0 else True
    if whole_only:
        numbers = [n // 10**scale if scale >= 0 else n * 10**-scale for n in numbers]
        if all(-(2**63) <= n < 2**63 for n in numbers):
            values = np.array(numbers, dtype=np.int64)
            return Column("int", values, None, column.codes, column.null)
        scale = 0
    texts = [str(Decimal(n).scaleb(-scale, _DIGITS)).encode() for n in numbers]
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    data = np.frombuffer(b"".join(texts), dtype=np.uint8)
    return Column("str", data, offsets, column.codes, column.null)


def n_distinct(column: Column) -> int:
    """Return the number of distinct entries."""
    return _factorize_entries(column, "ids", 1)[1].n_entries


class Lookup:
    """From ids to their rows: binary search for numbers, a dictionary for strings."""

    def __init__(self, ids: Column) -> None:
        self.ids = ids
        self.order: NDArray[np.int64] | None = None
        self.table: dict[str | bytes, int] = {}
        if ids.offsets is not None:
            self.table = {key: row for row, key in enumerate(ids.strings())}
        elif not (ids.values[1:] > ids.values[:-1]).all():
            self.order = np.argsort(ids.values)

    def find(self, column: Column) -> NDArray[np.int64]:
        """Return the row of each entry of a column, -1 where there is none."""
        if column.kind == "decimal":
            column = exact_ids(column, "ids")
        mine, theirs, values = self.ids.kind, column.kind, column.values
        if theirs == mine and column.offsets is not None:
            get = self.table.get
            keys = column.strings()
            return np.fromiter((get(key, -1) for key in keys), np.int64, column.n_entries)
        if theirs in ("int", "uint", "float") and mine in ("int", "uint"):
            return self._find_whole_numbers(column)
        if mine == "float" and theirs in ("int", "float"):
            return self._search(values.astype(np.float64), True)
        if theirs == mine and mine == "bool":
            return self._search(values.astype(np.int64), True)
        if theirs.startswith("datetime64") and mine.startswith("datetime64"):
            same, is_exact = in_unit(values.astype(np.int64).view(theirs), mine)
            return self._search(same.view(np.int64), is_exact)
        return np.full(column.n_entries, -1, dtype=np.int64)

    def _find_whole_numbers(self, column: Column) -> NDArray[np.int64]:
        """Return rows of numbers among ids of kind "int" or "uint", compared by value."""
        if column.kind == self.ids.kind:
            return self._search(column.values.astype(np.int64), True)
        top = TOP_BIT.view(np.int64)
        if column.kind == "uint":  # the sign is set in those that int64 can hold
            return self._search(column.values ^ top, column.values < 0)
        numbers = self.exact_ints(column)
        same = numbers == column.values
        if self.ids.kind == "int":
            return self._search(numbers, same)
        return self._search(numbers ^ top, same & (numbers >= 0))

    @staticmethod
    def exact_ints(column: Column) -> NDArray[np.int64]:
        """Return the entries as whole numbers, -1 for those that are none."""
        if column.kind == "int":
            return column.values.astype(np.int64)
        if column.kind != "float":
            return np.full(column.n_entries, -1, dtype=np.int64)
        is_integer = (np.abs(column.values) < 2.0**63) & (column.values == np.floor(column.values))
        return np.where(is_integer, column.values, -1).astype(np.int64)

    def _search(
        self, values: NDArray[np.generic], same: NDArray[np.bool_] | bool
    ) -> NDArray[np.int64]:
        mine = self.ids.values
        if len(mine) == 0:
            return np.full(len(values), -1, dtype=np.int64)
        positions = np.minimum(np.searchsorted(mine, values, sorter=self.order), len(mine) - 1)
        rows = positions if self.order is None else self.order[positions]
        return np.where(same & (mine[rows] == values), rows, -1).astype(np.int64)
