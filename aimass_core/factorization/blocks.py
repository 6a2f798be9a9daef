"""Matrices larger than memory: row blocks from memory-mapped CSR or from a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import _core
from .._validation import _wrap_csr, as_int

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Triplets = Iterable[tuple[Array, Array, Array]]

__all__ = ["RowBlocks"]

_PARTS = ("indptr", "indices", "data")


class RowBlocks:
    """A users x items matrix and its transpose on disk, read in blocks of rows.

    Made by `from_parquet` or `from_triplets`, which read the source twice and keep only counts and
    one block in memory, or by `open` from a folder made before. `ImplicitALS.fit` trains on it: the
    same factors, bit for bit, as `fit` on the matrix.

    Parameters
    ----------
    folder : path-like
        Holds ``rows.*.npy`` and ``columns.*.npy``: indptr, indices and data of both.
    block_nnz : int, default=4_000_000
        Entries of a block, at least; a row is never divided.

    Attributes
    ----------
    shape : tuple of int
        Users, items.
    nnz : int
        Stored entries.

    Raises
    ------
    ValueError
        Where the files do not fit together.
    OSError
        Where they can't be read.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from aimass_core.factorization import RowBlocks
    >>> triplets = [(np.array([0, 1]), np.array([2, 0]), np.array([1.0, 3.0]))]
    >>> x = RowBlocks.from_triplets(triplets, tempfile.mkdtemp(), shape=(2, 3))
    >>> [(begin, block.nnz) for begin, block in x.rows()]
    [(0, 2)]
    """

    def __init__(self, folder: str | os.PathLike[str], *, block_nnz: int = 4_000_000) -> None:
        self.folder = Path(folder)
        self.block_nnz = as_int(block_nnz, "block_nnz", minimum=1)
        self._rows, self._columns = (
            tuple(np.load(self.folder / f"{side}.{part}.npy", mmap_mode="r") for part in _PARTS)
            for side in ("rows", "columns")
        )
        self.shape = len(self._rows[0]) - 1, len(self._columns[0]) - 1
        self.nnz = int(self._rows[0][-1])
        for indptr, indices, data in (self._rows, self._columns):
            if not (len(indices) == len(data) == indptr[-1] == self.nnz):
                raise ValueError(f"{self.folder}: the arrays of rows and columns differ in length")

    @classmethod
    def from_triplets(
        cls,
        triplets: Triplets,
        folder: str | os.PathLike[str],
        *,
        shape: tuple[int, int],
        dtype: Any = np.float32,
        block_nnz: int = 4_000_000,
    ) -> RowBlocks:
        """Write the matrix of a stream of entries to disk.

        Parameters
        ----------
        triplets : iterable of (users, items, values)
            Arrays of equal length, in any order; read twice, so not a generator. No pair twice.
        folder : path-like
            Where to write; made if missing.
        shape : tuple of int
            Users, items: numbers run from 0.
        dtype : float32 or float64, default=float32
            Of the values.
        block_nnz : int, default=4_000_000
            Entries of a block of rows.

        Returns
        -------
        RowBlocks
            Memory: counts of users and items and one part of the stream.

        Raises
        ------
        ValueError
            For numbers out of range, values that are not finite, pairs that come twice.
        """
        if iter(triplets) is triplets:
            raise TypeError("triplets is read twice: give a list or an object that can start again")
        n_users, n_items = (as_int(n, "shape", minimum=0, maximum=2**31 - 1) for n in shape)
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        counts = [np.zeros(n + 1, dtype=np.int64) for n in (n_users, n_items)]
        for part in triplets:
            checked = _checked(part, (n_users, n_items), dtype)
            for count, ids in zip(counts, checked[:2], strict=True):
                count[1:] += np.bincount(ids, minlength=len(count) - 1)
        for side, count in zip(("rows", "columns"), counts, strict=True):
            own = 0 if side == "rows" else 1
            _scatter(triplets, folder, side, own, np.cumsum(count), (n_users, n_items), dtype)
        blocks = cls(folder, block_nnz=block_nnz)
        for begin, block in blocks.rows():
            repeated = _core.csr_check(block.indptr, block.indices, block.data, n_items)[3]
            if repeated:
                raise ValueError(
                    f"triplets hold a pair of a user from row {begin} on twice: sum them first"
                )
        return blocks

    @classmethod
    def from_parquet(
        cls,
        path: str | os.PathLike[str],
        folder: str | os.PathLike[str],
        *,
        user: str,
        item: str,
        value: str | None = None,
        shape: tuple[int, int],
        dtype: Any = np.float32,
        block_nnz: int = 4_000_000,
    ) -> RowBlocks:
        """Write the matrix of a Parquet file to disk, row group by row group.

        Parameters
        ----------
        path : path-like
            The file; its users and items are whole numbers from 0.
        folder : path-like
            Where to write; made if missing.
        user, item : str
            Columns of the numbers.
        value : str, optional
            Column of the values; default: each row counts 1.
        shape, dtype, block_nnz
            As in `from_triplets`.

        Returns
        -------
        RowBlocks
            Memory: counts of users and items and one row group.
        """
        stream = _Parquet(path, user, item, value)
        return cls.from_triplets(stream, folder, shape=shape, dtype=dtype, block_nnz=block_nnz)

    def rows(self) -> Iterator[tuple[int, sp.csr_array]]:
        """Blocks of users.

        Returns
        -------
        iterator of (int, csr_array)
            Number of the first row, and some rows, read into memory.
        """
        return self._blocks(self._rows, self.shape[1])

    def columns(self) -> Iterator[tuple[int, sp.csr_array]]:
        """Blocks of items: rows of the transpose.

        Returns
        -------
        iterator of (int, csr_array)
            Number of the first item, and some items, read into memory.
        """
        return self._blocks(self._columns, self.shape[0])

    def matrix(self) -> sp.csr_array:
        """Map the whole matrix.

        Returns
        -------
        csr_array of shape ``shape``
            Its arrays are read-only maps of the files.
        """
        indptr, indices, data = self._rows
        return _wrap_csr(indptr, indices, data, self.shape)

    def _blocks(self, parts: Any, n_cols: int) -> Iterator[tuple[int, sp.csr_array]]:
        indptr, indices, data = parts
        begin, n = 0, len(indptr) - 1
        while begin < n:
            wanted = indptr[begin] + self.block_nnz
            end = max(begin + 1, int(np.searchsorted(indptr, wanted, side="right")) - 1)
            end = min(end, n)
            places = slice(int(indptr[begin]), int(indptr[end]))
            block = _wrap_csr(
                np.asarray(indptr[begin : end + 1] - indptr[begin]),
                np.array(indices[places]),
                np.array(data[places]),
                (end - begin, n_cols),
            )
            yield begin, block
            begin = end


class _Parquet:
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


def _checked(part: Any, shape: tuple[int, int], dtype: Any) -> tuple[Array, Array, Array]:
    users, items, values = (np.asarray(column) for column in part)
    if not (users.shape == items.shape == values.shape and users.ndim == 1):
        raise ValueError("triplets must be 1-D arrays of equal length")
    for ids, n, name in ((users, shape[0], "users"), (items, shape[1], "items")):
        if ids.dtype.kind not in "iu":
            raise TypeError(f"{name} must be whole numbers from 0, got {ids.dtype}")
        if len(ids) and not (ids.min() >= 0 and ids.max() < n):
            raise ValueError(f"{name} hold {ids.min()} to {ids.max()}, expected 0 to {n - 1}")
    values = values.astype(dtype)
    if not np.isfinite(values).all():
        raise ValueError("values hold nan, inf or what is too large: drop these rows")
    return users.astype(np.int64), items.astype(np.int64), values


def _scatter(
    triplets: Triplets,
    folder: Path,
    side: str,
    own: int,
    indptr: Array,
    shape: tuple[int, int],
    dtype: Any,
) -> None:
    """One pass: entries to their rows on disk; then each row in order of its columns."""
    np.save(folder / f"{side}.indptr.npy", indptr)
    open_ = np.lib.format.open_memmap
    nnz = (int(indptr[-1]),)
    indices = open_(folder / f"{side}.indices.npy", mode="w+", dtype=np.int32, shape=nnz)
    data = open_(folder / f"{side}.data.npy", mode="w+", dtype=dtype, shape=nnz)
    next_ = indptr[:-1].copy()
    for part in triplets:
        checked = _checked(part, shape, dtype)
        rows, columns, values = checked[own], checked[1 - own], checked[2]
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        starts = np.searchsorted(rows, rows)
        where = next_[rows] + np.arange(len(rows)) - starts
        indices[where], data[where] = columns[order], values[order]
        next_ += np.bincount(rows, minlength=len(next_))
    step = 1 << 16
    for begin in range(0, len(indptr) - 1, step):
        ends = indptr[begin : begin + step + 1]
        places = slice(int(ends[0]), int(ends[-1]))
        rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
        order = np.lexsort((indices[places], rows))
        indices[places], data[places] = indices[places][order], data[places][order]
    indices.flush()
    data.flush()
