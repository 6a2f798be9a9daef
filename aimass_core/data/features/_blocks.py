"""Encoded columns side by side as one CSR matrix.

Most kinds of columns make the same number of entries in every row, so that their entries have
known positions; a block of tags or of text is a CSR matrix itself. Cost: O(entries).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import scipy.sparse as sp

from ...base.validation import wrap_csr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["Block", "Dense", "OneEach", "Sparse", "join_blocks"]

_ROWS = 1 << 13  # rows that are written at once


@dataclass(frozen=True)
class OneEach:
    """One entry in each row, or none.

    Parameters
    ----------
    columns : ndarray of int32, shape (n,)
        Column of the entry of each row, -1 for a row without one.
    values : ndarray of float32, shape (n,), optional
        Default: all are 1.
    is_complete : bool, default=False
        Whether no column is -1.
    """

    columns: NDArray[np.int32]
    values: Floats | None = None
    is_complete: bool = False


@dataclass(frozen=True)
class Dense:
    """An entry for every row and column.

    Parameters
    ----------
    values : ndarray of float32, shape (n, width)
        The entries.
    kept : ndarray of bool, shape (n,), optional
        Rows that have entries. Default: all.
    """

    values: Floats
    kept: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Sparse:
    """Any entries.

    Parameters
    ----------
    matrix : csr_array of float32, shape (n, width)
        Canonical.
    """

    matrix: sp.csr_array


Block: TypeAlias = OneEach | Dense | Sparse


def _lengths(block: Block) -> NDArray[np.int64] | int:
    """Return the number of entries of each row, one number where all rows have as many."""
    if isinstance(block, OneEach):
        return 1 if block.is_complete else (block.columns >= 0).astype(np.int64)
    if isinstance(block, Dense):
        width = block.values.shape[1]
        return width if block.kept is None else block.kept * np.int64(width)
    lengths: NDArray[np.int64] = np.diff(block.matrix.indptr).astype(np.int64)
    return lengths


def join_blocks(blocks: Sequence[Block], widths: Sequence[int], n_rows: int) -> sp.csr_array:
    """Return blocks side by side.

    Parameters
    ----------
    blocks : sequence of OneEach, Dense or Sparse
        The encoded columns.
    widths : sequence of int
        Number of columns of each block.
    n_rows : int
        Number of rows.

    Returns
    -------
    csr_array of float32, shape (n_rows, sum(widths))
        Canonical.
    """
    n_columns = int(sum(widths))
    if n_columns >= 2**31:
        raise ValueError(
            f"the features have {n_columns} columns, at most {2**31 - 1} are possible: hash the "
            "columns of most categories"
        )
    lengths = [_lengths(block) for block in blocks]
    offsets = np.concatenate([[0], np.cumsum(np.asarray(widths, dtype=np.int64))]).astype(np.int32)
    if all(isinstance(length, int) for length in lengths):
        return _join_equal(blocks, lengths, offsets, n_rows, n_columns)  # type: ignore[arg-type]
    total = np.zeros(n_rows, dtype=np.int64)
    for length in lengths:
        total += length
    indptr = np.concatenate([[0], np.cumsum(total)]).astype(np.int64)
    indices = np.empty(int(indptr[-1]), dtype=np.int32)
    data = np.empty(len(indices), dtype=np.float32)
    at = indptr[:-1].copy()
    for block, length, offset in zip(blocks, lengths, offsets.tolist(), strict=False):
        _write(block, at, offset, indices, data)
        at += length
    return wrap_csr(indptr, indices, data, (n_rows, n_columns))


def _join_equal(
    blocks: Sequence[Block],
    lengths: Sequence[int],
    offsets: NDArray[np.int32],
    n_rows: int,
    n_columns: int,
) -> sp.csr_array:
    """Return blocks of as many entries in every row side by side."""
    per_row = sum(lengths)
    indices = np.empty((n_rows, per_row), dtype=np.int32)
    data = np.empty((n_rows, per_row), dtype=np.float32)
    for begin in range(0, n_rows, _ROWS):  # so that the rows stay in the cache
        rows = slice(begin, min(begin + _ROWS, n_rows))
        at = 0
        for block, length, offset in zip(blocks, lengths, offsets.tolist(), strict=False):
            if isinstance(block, OneEach):
                np.add(block.columns[rows], offset, out=indices[rows, at])
                data[rows, at] = 1.0 if block.values is None else block.values[rows]
            elif isinstance(block, Dense):
                columns = np.arange(offset, offset + length, dtype=np.int32)
                indices[rows, at : at + length] = columns
                data[rows, at : at + length] = block.values[rows]
            at += length
    indptr = np.arange(n_rows + 1, dtype=np.int64) * per_row
    return wrap_csr(indptr, indices.reshape(-1), data.reshape(-1), (n_rows, n_columns))


def _write(
    block: Block,
    at: NDArray[np.int64],
    offset: int,
    indices: NDArray[np.int32],
    data: Floats,
) -> None:
    """Write the entries of a block from position ``at[i]`` of each row i."""
    if isinstance(block, OneEach):
        if block.is_complete:
            positions, columns, values = at, block.columns, block.values
        else:
            kept = block.columns >= 0
            positions, columns = at[kept], block.columns[kept]
            values = None if block.values is None else block.values[kept]
        indices[positions] = columns + np.int32(offset)
        data[positions] = 1.0 if values is None else values
    elif isinstance(block, Dense):
        width = block.values.shape[1]
        positions = at if block.kept is None else at[block.kept]
        rows = block.values if block.kept is None else block.values[block.kept]
        cells = positions[:, None] + np.arange(width)
        indices[cells] = np.arange(offset, offset + width, dtype=np.int32)
        data[cells] = rows
    else:
        own = block.matrix
        cells = np.repeat(at - own.indptr[:-1], np.diff(own.indptr)) + np.arange(len(own.indices))
        indices[cells] = own.indices + np.int32(offset)
        data[cells] = own.data
