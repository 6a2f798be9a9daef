"""The files of `RowBlocks`: entries from a stream, checked and put in order on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..base.validation import _as_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Triplets: TypeAlias = Iterable[tuple[Array, Array, Array]]

__all__ = ["SIDES", "Parquet", "checked", "ranges", "scatter"]

SIDES = ("rows", "columns")
_SORTED = 4_000_000  # entries put in order at once


def ranges(indptr: Array, nnz: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows with at most ``nnz`` entries, or of one row."""
    begin, n = 0, len(indptr) - 1
    while begin < n:
        last = int(np.searchsorted(indptr, indptr[begin] + nnz, side="right")) - 1
        end = min(n, max(begin + 1, last))
        yield begin, end
        begin = end


class Parquet:
    """A Parquet file as triplets, row group by row group, as often as asked for."""

    def __init__(self, path: Any, user: str, item: str, value: str | None) -> None:
        try:
            import pyarrow.parquet
        except ImportError:
            raise ImportError("this needs pyarrow: pip install aimass_core[io]") from None
        self._file = pyarrow.parquet.ParquetFile(path)
        self._names = [user, item] + ([] if value is None else [value])
        known = self._file.schema_arrow.names
        for name in self._names:
            if name not in known:
                raise ValueError(f"{path} has no column {name!r}; it has {', '.join(known)}")

    def __iter__(self) -> Iterator[tuple[Array, Array, Array]]:
        for number in range(self._file.num_row_groups):
            table = self._file.read_row_group(number, columns=self._names)
            columns = [table[name].to_numpy() for name in self._names]
            values = columns[2] if len(columns) > 2 else np.ones(len(columns[0]), np.float32)
            yield columns[0], columns[1], values


def checked(part: Any, shape: tuple[int, int], dtype: Any) -> tuple[Array, Array, Array]:
    users, items, values = (np.asarray(column) for column in part)
    if not (users.shape == items.shape == values.shape and users.ndim == 1):
        raise ValueError("triplets must be 1-D arrays of equal length")
    for ids, n, name in ((users, shape[0], "users"), (items, shape[1], "items")):
        if ids.dtype.kind not in "iu":
            raise TypeError(f"{name} must be whole numbers from 0, got {ids.dtype}")
        if len(ids) and not (ids.min() >= 0 and ids.max() < n):
            raise ValueError(f"{name} hold {ids.min()} to {ids.max()}, expected 0 to {n - 1}")
    values = _as_values(values, "values", dtype)
    if not np.isfinite(values).all():
        raise ValueError("values hold nan, inf or what is too large: drop these rows")
    return users.astype(np.int64), items.astype(np.int64), values


def scatter(
    triplets: Triplets,
    folder: Path,
    side: str,
    own: int,
    indptr: Array,
    shape: tuple[int, int],
    dtype: Any,
) -> None:
    """One pass: entries to their rows on disk; then each row in order of its columns."""
    open_ = np.lib.format.open_memmap
    nnz = (int(indptr[-1]),)
    indices = open_(folder / f"{side}.indices.npy", mode="w+", dtype=np.int32, shape=nnz)
    data = open_(folder / f"{side}.data.npy", mode="w+", dtype=dtype, shape=nnz)
    next_ = indptr[:-1]
    other = ValueError("triplets gave other entries the second time: they must not change")
    for part in triplets:
        found = checked(part, shape, dtype)
        rows, columns, values = found[own], found[1 - own], found[2]
        first, next_ = next_, next_ + np.bincount(rows, minlength=len(next_))
        if (next_ > indptr[1:]).any():
            raise other
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        starts = np.searchsorted(rows, rows)
        where = first[rows] + np.arange(len(rows)) - starts
        indices[where], data[where] = columns[order], values[order]
    if (next_ != indptr[1:]).any():
        raise other
    for begin, end in ranges(indptr, _SORTED):
        ends = indptr[begin : end + 1]
        places = slice(int(ends[0]), int(ends[-1]))
        rows = np.repeat(np.arange(end - begin), np.diff(ends))
        order = np.lexsort((indices[places], rows))
        columns = indices[places][order]
        same = (columns[1:] == columns[:-1]) & (rows[1:] == rows[:-1])
        if same.any():
            what = "user" if own == 0 else "item"
            raise ValueError(
                f"triplets hold a pair of {what} {begin + rows[:-1][same][0]} twice: sum them first"
            )
        indices[places], data[places] = columns, data[places][order]
    indices.flush()
    data.flush()
