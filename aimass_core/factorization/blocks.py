"""Matrices larger than memory: row blocks from memory-mapped CSR or from a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.validation import as_int, wrap_csr
from ._block_files import SIDES, Parquet, checked, ranges, scatter
from ._model import as_factor_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._block_files import Triplets

    Array = NDArray[Any]

__all__ = ["RowBlocks"]

_PARTS = ("indptr", "indices", "data")


class RowBlocks:
    """A users x items matrix and its transpose on disk, read in blocks of rows.

    Made by `from_parquet` or `from_triplets`, which read the source three times and keep only
    counts, one part of it and some million entries in memory, or from a folder made before, which
    is read once to check it. `ImplicitALS.fit` trains on it: the same factors, bit for bit, as
    `fit` on the matrix.

    Parameters
    ----------
    folder : path-like
        Holds ``rows.*.npy`` and ``columns.*.npy``: indptr, indices and data of both.
    block_nnz : int, default=4_000_000
        Entries of a block, at most, but for a longer single row: a row is never divided.

    Attributes
    ----------
    shape : tuple of int
        Users, items.
    nnz : int
        Stored entries.

    Raises
    ------
    ValueError
        Where the files are damaged or do not fit together.
    OSError
        Where they can't be read, or the folder was not written to its end.

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
            tuple(_mapped(self.folder / f"{side}.{part}.npy") for part in _PARTS) for side in SIDES
        )
        for parts in (self._rows, self._columns):
            if not _is_ours(*parts) or parts[2].dtype != self._rows[2].dtype:
                raise ValueError(f"{self.folder} holds other arrays than RowBlocks writes")
        self.shape = len(self._rows[0]) - 1, len(self._columns[0]) - 1
        self.nnz = int(self._rows[0][-1])
        for parts, n_cols in ((self._rows, self.shape[1]), (self._columns, self.shape[0])):
            self._check(parts, n_cols)

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
            Arrays of equal length, in any order; read three times, so not a generator. No pair
            twice.
        folder : path-like
            Where to write; made if missing. Until all is written it can't be opened.
        shape : tuple of int
            Users, items: numbers run from 0.
        dtype : float32 or float64, default=float32
            Of the values.
        block_nnz : int, default=4_000_000
            Entries of a block of rows.

        Returns
        -------
        RowBlocks
            Memory: counts of users and items, one part of the stream, and the entries of 4
            million or of the longest row.

        Raises
        ------
        ValueError
            For numbers out of range, values that are not finite, pairs that come twice, a stream
            that is another the second time.
        TypeError
            For a generator, or values that are not real numbers.
        """
        if iter(triplets) is triplets:
            raise TypeError(
                "triplets is read three times: give a list or an object that can start again"
            )
        dtype = as_factor_dtype(dtype)
        n_users, n_items = (as_int(n, "shape", minimum=0, maximum=2**31 - 1) for n in shape)
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for side in SIDES:  # written last: without them nothing half-written opens
            (folder / f"{side}.indptr.npy").unlink(missing_ok=True)
        counts = [np.zeros(n + 1, dtype=np.int64) for n in (n_users, n_items)]
        for part in triplets:
            found = checked(part, (n_users, n_items), dtype)
            for count, ids in zip(counts, found[:2], strict=True):
                count[1:] += np.bincount(ids, minlength=len(count) - 1)
        indptrs = [np.cumsum(count) for count in counts]
        for own, side in enumerate(SIDES):
            scatter(triplets, folder, side, own, indptrs[own], (n_users, n_items), dtype)
        for side, indptr in zip(SIDES, indptrs, strict=True):
            np.save(folder / f"{side}.indptr.npy", indptr)
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
            Memory: as of `from_triplets`; a part of the stream is a row group.
        """
        stream = Parquet(path, user, item, value)
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

    def item_counts(self) -> NDArray[np.int64]:
        """Return the number of stored entries of each item.

        Returns
        -------
        ndarray of int64, shape (n_items,)
        """
        counts: NDArray[np.int64] = np.diff(self._columns[0])
        return counts

    def matrix(self) -> sp.csr_array:
        """Map the whole matrix.

        Returns
        -------
        csr_array of shape ``shape``
            Its arrays are read-only maps of the files.
        """
        indptr, indices, data = self._rows
        return wrap_csr(indptr, indices, data, self.shape)

    def _check(self, parts: Any, n_cols: int) -> None:
        indptr, indices, data = parts
        if not (len(indices) == len(data) == indptr[-1] == self.nnz):
            raise ValueError(f"{self.folder}: the arrays of rows and columns differ in length")
        if indptr[0] != 0 or (np.diff(indptr) < 0).any():
            raise ValueError(f"{self.folder} is damaged: an indptr goes down")
        for begin, block in self._blocks(parts, n_cols):
            status, _, is_sorted, repeated = kernels.csr_check(
                block.indptr, block.indices, block.data, n_cols
            )
            if status or repeated or not is_sorted:
                raise ValueError(
                    f"{self.folder} is damaged: numbers out of range or order, nan or inf from row "
                    f"or column {begin} on; write it anew"
                )

    def _blocks(self, parts: Any, n_cols: int) -> Iterator[tuple[int, sp.csr_array]]:
        indptr, indices, data = parts
        for begin, end in ranges(indptr, self.block_nnz):
            places = slice(int(indptr[begin]), int(indptr[end]))
            block = wrap_csr(
                np.asarray(indptr[begin : end + 1] - indptr[begin]),
                np.array(indices[places]),
                np.array(data[places]),
                (end - begin, n_cols),
            )
            yield begin, block


def _mapped(path: Path) -> Any:
    try:
        array = np.load(path, mmap_mode="r")
    except EOFError:
        raise ValueError(f"{path} is empty or cut short") from None
    if not isinstance(array, np.ndarray) or array.ndim != 1:
        raise ValueError(f"{path} holds no 1-D array")
    return array


def _is_ours(indptr: Array, indices: Array, data: Array) -> bool:
    return (
        indptr.dtype == np.int64
        and indices.dtype == np.int32
        and data.dtype in (np.float32, np.float64)
        and len(indptr) > 0
    )
