"""Matrices larger than memory: row blocks from memory-mapped CSR or from a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.array_files import checksum_of
from ..base.csr import row_ranges
from ..base.persistence import load
from ..base.threads import resolve_n_threads
from ..base.validation import as_csr, as_int, wrap_csr
from ._block_files import (
    PARTS,
    SIDES,
    CsrBlock,
    Manifest,
    Parquet,
    Writer,
    checksum,
    write_matrix,
)
from ._model import as_factor_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.executor import ExecutorRunner
    from ..data import IdMap
    from ._als import Block
    from ._block_files import Triplets

    Array = NDArray[Any]

__all__ = ["RowBlocks"]


class RowBlocks:
    """A users x items matrix and its transpose on disk, read in blocks of rows.

    Made by `from_triplets`, `from_parquet` or `from_partitions`, which keep only counts, one part
    of the source and some million entries in memory; or from a folder made before, which is read
    once to check it. `ImplicitALS.fit` trains on it and learns the same factors, bit for
    bit, as on the matrix in memory.

    A folder may be built again while it is in use: the new files have new names, and open objects
    and fitted models keep the arrays that they mapped. Where a build fails, the folder stays what
    it was.

    Parameters
    ----------
    folder : path-like
        Holds ``row_blocks.json`` and the six arrays that it names.
    block_nnz : int, default=4_000_000
        Maximum number of entries of a block. A longer single row is a block of its own.

    Attributes
    ----------
    shape : tuple of int
        Users, items.
    nnz : int
        Stored entries.
    users, items : IdMap or None
        Ids of rows and columns, which a model fitted on the blocks takes and returns; None: their
        numbers.

    Raises
    ------
    ValueError
        Where the files are damaged or do not fit together.
    OSError
        Where they cannot be read, or there is no complete build in the folder.

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
        manifest, arrays = self._open()
        self._rows, self._columns = (
            tuple(arrays[f"{side}.{part}"] for part in PARTS) for side in SIDES
        )
        self._files = {
            side: tuple(
                str((self.folder / manifest.files[f"{side}.{part}"]).absolute()) for part in PARTS
            )
            for side in SIDES
        }
        self.checksums = dict(manifest.checksums)
        for parts in (self._rows, self._columns):
            if not _has_types(*parts) or parts[2].dtype != self._rows[2].dtype:
                raise ValueError(f"{self.folder} holds other arrays than RowBlocks writes")
        self.shape = len(self._rows[0]) - 1, len(self._columns[0]) - 1
        self.nnz = int(self._rows[0][-1])
        if self.shape != manifest.shape:
            raise ValueError(f"{self.folder} is damaged: its arrays are not of its shape")
        self.users, self.items = self._id_maps(manifest)
        self._descriptions = {
            "rows": self._check("rows", self._rows, self.shape[1]),
            "columns": self._check("columns", self._columns, self.shape[0]),
        }
        for name, array in arrays.items():
            if checksum(array) != manifest.checksums[name]:
                raise ValueError(
                    f"{self.folder} is damaged: the checksum of {name} is wrong; build it again"
                )

    def _open(self) -> tuple[Manifest, dict[str, Any]]:
        """Map the arrays that the manifest names; again if the folder was just built anew."""
        for attempt in range(3):
            manifest = Manifest.read(self.folder)
            try:
                arrays = {n: _mapped(self.folder / f) for n, f in manifest.files.items()}
            except FileNotFoundError:
                if attempt == 2:
                    raise
            else:
                return manifest, arrays
        raise AssertionError  # not reached

    def _id_maps(self, manifest: Manifest) -> tuple[IdMap | None, IdMap | None]:
        """Return the ids of users and items, refused where they do not fit the arrays."""
        if not manifest.ids:
            return None, None
        users, items = (load(self.folder / manifest.ids[side]) for side in ("users", "items"))
        if (len(users), len(items)) != self.shape:
            raise ValueError(f"{self.folder} is damaged: its ids do not fit its arrays")
        return users, items

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
            Arrays of equal length, in any order; read three times, so not a generator. No pair may
            occur twice.
        folder : path-like
            Where to write; made if missing. A folder with row blocks keeps them until the new ones
            are complete.
        shape : tuple of int
            Users, items: numbers run from 0.
        dtype : float32 or float64, default=float32
            Type of the values.
        block_nnz : int, default=4_000_000
            Maximum number of entries of a block of rows.

        Returns
        -------
        RowBlocks
            Takes memory for the counts of users and items, one part of the stream, and the entries
            of 4 million or of the longest row.

        Raises
        ------
        ValueError
            For numbers out of range, values that are not finite, pairs that occur twice, a stream
            that differs between its passes.
        TypeError
            For a generator, or values that are not real numbers.
        """
        if iter(triplets) is triplets:
            raise TypeError(
                "triplets is read three times: give a list or an object that can start again"
            )
        n_users, n_items = (as_int(n, "shape", minimum=0, maximum=2**31 - 1) for n in shape)
        writer = Writer(Path(folder), (n_users, n_items), as_factor_dtype(dtype))
        Path(folder).mkdir(parents=True, exist_ok=True)
        writer.write(triplets)
        return cls(folder, block_nnz=block_nnz)

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
        """Write the matrix of a Parquet file to disk, batch by batch.

        Parameters
        ----------
        path : path-like
            The file; its users and items are whole numbers from 0.
        folder : path-like
            Where to write; made if missing.
        user, item : str
            Columns of the numbers.
        value : str, optional
            Column of the values. Default: each row counts 1.
        shape, dtype, block_nnz
            As in `from_triplets`.

        Returns
        -------
        RowBlocks
            Memory as of `from_triplets`; a part of the stream is a batch of 1,048,576 rows.
        """
        stream = Parquet(path, user, item, value)
        return cls.from_triplets(stream, folder, shape=shape, dtype=dtype, block_nnz=block_nnz)

    @classmethod
    def from_partitions(
        cls,
        dataset: Any,
        folder: str | os.PathLike[str],
        *,
        user: str,
        item: str,
        value: str | None = None,
        event: str | None = None,
        weights: Mapping[Any, float] | None = None,
        duplicates: str | None = None,
        nulls: str = "error",
        users: IdMap | None = None,
        items: IdMap | None = None,
        unknown: str = "error",
        dtype: Any = np.float32,
        block_nnz: int = 4_000_000,
        executor: Any = None,
        place: Any = None,
        n_threads: int | None = None,
    ) -> RowBlocks:
        """Write the matrix of a data set of Dask, Ray, Spark or a folder of files to disk.

        Parameters
        ----------
        dataset : DataFrame of Dask or Spark, Dataset of Ray, path, or iterable of tables and paths
            As in `aimass_core.data.distributed.read_partitions`.
        folder : path-like
            Where to write; made if missing.
        user, item, value, event : str
            Columns, as in `Interactions.from_table`.
        weights, duplicates, nulls, users, items, unknown
            As in `Interactions.from_table`.
        dtype : float32 or float64, default=float32
            Type of the values.
        block_nnz : int, default=4_000_000
            Maximum number of entries of a block of rows.
        executor, place, n_threads
            As in `read_partitions`.

        Returns
        -------
        RowBlocks
            With the ids of users and items. This process takes memory for the ids, the counts, and
            some million entries; `place` needs about 30 bytes a row.

        Raises
        ------
        ValueError, TypeError, KeyError
            As `Interactions.from_table`; the message names the number of the partition.
        OSError
            Where a disk is full.

        Examples
        --------
        >>> import tempfile
        >>> from aimass_core.factorization import RowBlocks
        >>> monday = {"user": ["eve", "bob"], "item": [7, 7]}
        >>> tuesday = {"user": ["eve", "ann"], "item": [9, 7]}
        >>> x = RowBlocks.from_partitions(
        ...     [monday, tuesday], tempfile.mkdtemp(), user="user", item="item"
        ... )
        >>> x.shape, list(x.users.ids)
        ((3, 2), ['ann', 'bob', 'eve'])
        """
        from ..data.distributed import merge_partitions

        block_nnz = as_int(block_nnz, "block_nnz", minimum=1)
        options = {
            "user": user,
            "item": item,
            "value": value,
            "event": event,
            "weights": weights,
            "duplicates": duplicates,
            "nulls": nulls,
            "unknown": unknown,
            "dtype": as_factor_dtype(dtype),
        }
        given = {"users": users, "items": items}
        with merge_partitions(dataset, options, given, executor, place, n_threads) as merged:
            ids = {"users": merged.users, "items": merged.items}
            shape = len(merged.users), len(merged.items)
            writer = Writer(Path(folder), shape, as_factor_dtype(dtype), ids)
            Path(folder).mkdir(parents=True, exist_ok=True)
            writer.write(merged)
        return cls(folder, block_nnz=block_nnz)

    @classmethod
    def from_matrix(
        cls,
        X: Any,
        folder: str | os.PathLike[str],
        *,
        dtype: Any = np.float32,
        block_nnz: int = 4_000_000,
    ) -> RowBlocks:
        """Write a matrix in memory to disk, for workers that read it.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            The matrix.
        folder : path-like
            Where to write; made if missing. If it holds this very matrix, it is left as it is.
        dtype : float32 or float64, default=float32
            Type of the values.
        block_nnz : int, default=4_000_000
            Maximum number of entries of a block of rows.

        Returns
        -------
        RowBlocks
        """
        block_nnz = as_int(block_nnz, "block_nnz", minimum=1)
        write_matrix(as_csr(X, dtype=as_factor_dtype(dtype)), Path(folder))
        return cls(folder, block_nnz=block_nnz)

    def rows(self) -> Iterator[tuple[int, sp.csr_array]]:
        """Yield blocks of users.

        Returns
        -------
        iterator of (int, csr_array)
            Number of the first row, and some rows, read into memory.
        """
        return self._blocks(self._rows, self.shape[1])

    def columns(self) -> Iterator[tuple[int, sp.csr_array]]:
        """Yield blocks of items, as rows of the transpose.

        Returns
        -------
        iterator of (int, csr_array)
            Number of the first item, and some items, read into memory.
        """
        return self._blocks(self._columns, self.shape[0])

    def item_counts(self) -> NDArray[np.int64]:
        """Return the number of stored entries of each item.

        Returns
        -------
        ndarray of int64, shape (n_items,)
        """
        counts: NDArray[np.int64] = np.diff(self._columns[0])
        return counts

    def matrix(self) -> sp.csr_array:
        """Return the complete matrix on the mapped files.

        Returns
        -------
        csr_array of shape ``shape``
            Its arrays are read-only maps of the files.
        """
        indptr, indices, data = self._rows
        return wrap_csr(indptr, indices, data, self.shape)

    def blocks(self, side: str) -> list[Block]:
        """Return the blocks of users or of items, read from the mapped files.

        Parameters
        ----------
        side : {"rows", "columns"}
            Users, or items as rows of the transpose.

        Returns
        -------
        list of Block
            Each with ``begin``, its first row, and ``load()``, its rows in memory.
        """
        parts = self._rows if side == "rows" else self._columns
        n_cols = self.shape[1 if side == "rows" else 0]
        return [_MappedBlock(b.begin, b.end, parts, n_cols) for b in self._descriptions[side]]

    def named_blocks(self, side: str, runner: ExecutorRunner) -> list[CsrBlock]:
        """Return the same blocks by the names of their files, as tasks on workers get them.

        Parameters
        ----------
        side : {"rows", "columns"}
            Users, or items as rows of the transpose.
        runner : ExecutorRunner
            Whose tasks read the blocks. In an object store it stores the files once.

        Returns
        -------
        list of CsrBlock
        """
        files = tuple(
            runner.publish(file, self.checksums[f"{side}.{part}"])
            for part, file in zip(PARTS, self._files[side], strict=True)
        )
        return [replace(block, files=files) for block in self._descriptions[side]]

    def _check(self, side: str, parts: Any, n_cols: int) -> list[CsrBlock]:
        """Check the files of a side, and return the descriptions of its blocks."""
        indptr, indices, data = parts
        blocks = []
        if not (len(indices) == len(data) == indptr[-1] == self.nnz):
            raise ValueError(f"{self.folder}: the arrays of rows and columns differ in length")
        if indptr[0] != 0 or (np.diff(indptr) < 0).any():
            raise ValueError(f"{self.folder} is damaged: an indptr decreases")
        for begin, block in self._blocks(parts, n_cols):
            status, _, is_sorted, repeated = kernels.csr_check(
                block.indptr, block.indices, block.data, n_cols, resolve_n_threads(None)
            )
            if status or repeated or not is_sorted:
                raise ValueError(
                    f"{self.folder} is damaged: numbers out of range or order, nan or inf from row "
                    f"or column {begin} on; build it again"
                )
            entries = slice(int(indptr[begin]), int(indptr[begin + block.shape[0]]))
            end = begin + block.shape[0]
            parts_of_block = indptr[begin : end + 1], block.indices, block.data
            sums = tuple(map(checksum_of, parts_of_block))
            blocks.append(
                CsrBlock(begin, end, entries.start, entries.stop, n_cols, self._files[side], sums)
            )
        return blocks

    def _blocks(self, parts: Any, n_cols: int) -> Iterator[tuple[int, sp.csr_array]]:
        for begin, end in row_ranges(parts[0], self.block_nnz):
            yield begin, _MappedBlock(begin, end, parts, n_cols).load()


@dataclass(frozen=True)
class _MappedBlock:
    """Some rows of mapped arrays, which stay valid if the files are removed."""

    begin: int
    end: int
    parts: tuple[Array, ...]
    n_columns: int

    def load(self) -> sp.csr_array:
        """Return the rows, read into memory."""
        indptr, indices, data = self.parts
        begin, end = self.begin, self.end
        entries = slice(int(indptr[begin]), int(indptr[end]))
        return wrap_csr(
            np.asarray(indptr[begin : end + 1] - indptr[begin]),
            np.array(indices[entries]),
            np.array(data[entries]),
            (end - begin, self.n_columns),
        )


def _mapped(path: Path) -> Any:
    try:
        array = np.load(path, mmap_mode="r")
    except EOFError:
        raise ValueError(f"{path} is empty or cut short") from None
    if not isinstance(array, np.ndarray) or array.ndim != 1:
        raise ValueError(f"{path} holds no 1-D array")
    return array


def _has_types(indptr: Array, indices: Array, data: Array) -> bool:
    return (
        indptr.dtype == np.int64
        and indices.dtype == np.int32
        and data.dtype in (np.float32, np.float64)
        and len(indptr) > 0
    )
