"""The cells of one column of a table of features: values, lists of values, or vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from .._column import Column, expand_dictionary, mask_or_none, unsigned
from .._convert import from_any, from_any_or_lists
from .._factorize import factorize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Cells", "Lists", "Vectors", "cells_of", "vectors_of", "without_words"]

_LISTS = (list, tuple, set, frozenset, np.ndarray)


@dataclass(frozen=True)
class Lists:
    """A column whose cells are lists of values.

    Parameters
    ----------
    entries : Column
        The values of all lists, one after another.
    offsets : ndarray of int64, shape (n + 1,)
        The list of row i is ``entries[offsets[i]:offsets[i + 1]]``.
    null : ndarray of bool, shape (n,), optional
        Rows without a list.
    weights : ndarray of float64, optional
        One finite number for each entry. Default: all are 1.
    """

    entries: Column
    offsets: NDArray[np.int64]
    null: NDArray[np.bool_] | None = None
    weights: NDArray[np.float64] | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.offsets) - 1


@dataclass(frozen=True)
class Vectors:
    """A column whose cells are vectors of one length, or several dense columns.

    Parameters
    ----------
    values : ndarray of float, shape (n, n_dimensions)
        One row for each cell.
    null : ndarray of bool, shape (n,), optional
        Rows without a vector; their values are 0.
    """

    values: NDArray[Any]
    null: NDArray[np.bool_] | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.values)


Cells = Column | Lists | Vectors


def cells_of(values: Any, name: str) -> Cells:
    """Return the cells of a column of any kind.

    Parameters
    ----------
    values : array-like of shape (n,) or (n, d)
        Array, list, Series or Arrow array of values, of lists, or of dicts of tag to weight.
    name : str
        The column, for messages.

    Returns
    -------
    Column, Lists or Vectors
        Lists of numbers that all have one length above 1 are vectors.

    Raises
    ------
    TypeError
        For cells of several kinds.
    """
    if isinstance(values, (Lists, Vectors)):
        return values
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return _vectors(values, None, name)
    objects = _objects(values)
    if objects is not None:
        first = next((cell for cell in objects if not _is_null(cell)), None)
        if isinstance(first, _LISTS):
            return _lists(objects, name)
        if isinstance(first, Mapping):
            return _weighted_lists(objects, name)
    column = from_any_or_lists(values, name)
    if column.kind == "list" and column.entries is not None and column.offsets is not None:
        return as_vectors(_without_null_lists(column.entries, column.offsets, column.null), name)
    return column


def without_words(cells: Cells, words: Sequence[str], name: str) -> Cells:
    """Return a column of text in which the cells of some words are null."""
    if not isinstance(cells, Column) or cells.kind != "str":
        return cells
    codes, distinct = factorize(cells, name, 1)
    is_word = np.fromiter((text in words for text in distinct.strings()), bool, distinct.n_entries)
    if not is_word.any():
        return cells
    null = np.append(is_word, True)[codes]
    if null.all():
        return Column("null", np.zeros(cells.n_rows, dtype=np.int64), null=null)
    return Column("str", cells.values, cells.offsets, cells.codes, null)


def _without_null_lists(
    entries: Column, offsets: NDArray[Any], null: NDArray[np.bool_] | None
) -> Lists:
    """Return lists of which those of null rows are empty (in Arrow they may have entries)."""
    lengths = np.diff(offsets)
    if null is None or not lengths[null].any():
        return Lists(entries, offsets, null)
    rows = np.flatnonzero(np.repeat(~null, lengths))
    lengths = np.where(null, 0, lengths)
    if entries.codes is None:
        kept = expand_dictionary(entries, rows, None)
    else:
        gone = None if entries.null is None else entries.null[rows]
        kept = Column(entries.kind, entries.values, entries.offsets, entries.codes[rows], gone)
    return Lists(kept, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), null)


def _objects(values: Any) -> Sequence[Any] | None:
    """Return the cells as Python objects, where they may be lists."""
    if isinstance(values, (list, tuple)):
        return values
    if getattr(values, "dtype", None) == np.dtype(object) and hasattr(values, "tolist"):
        objects: Sequence[Any] = values.tolist()
        return objects
    return None


def _is_null(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def _lists(objects: Sequence[Any], name: str) -> Lists | Vectors:
    """Return Python lists as one run of values."""
    gone = np.fromiter((_is_null(cell) for cell in objects), bool, len(objects))
    for row, cell in enumerate(objects):
        if not gone[row] and not isinstance(cell, _LISTS):
            raise TypeError(
                f"{name} mixes lists with {type(cell).__name__} (row {row}): give every row a "
                "list, or None"
            )
    rows = [() if null else cell for cell, null in zip(objects, gone.tolist(), strict=True)]
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    entries = from_any(list(chain.from_iterable(rows)), name)
    return as_vectors(Lists(entries, offsets, mask_or_none(gone)), name)


def _weighted_lists(objects: Sequence[Any], name: str) -> Lists:
    """Return dicts of tag to weight as lists of tags with weights."""
    gone = np.fromiter((_is_null(cell) for cell in objects), bool, len(objects))
    for row, cell in enumerate(objects):
        if not gone[row] and not isinstance(cell, Mapping):
            raise TypeError(
                f"{name} mixes dicts with {type(cell).__name__} (row {row}): give every row a dict "
                "of tag to weight, or None"
            )
    rows = [{} if null else cell for cell, null in zip(objects, gone.tolist(), strict=True)]
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    entries = from_any(list(chain.from_iterable(rows)), name)
    label = f"the weights in {name}"
    numbers = from_any(list(chain.from_iterable(row.values() for row in rows)), label)
    if numbers.kind not in ("int", "uint", "float", "bool", "decimal", "null"):
        raise TypeError(f"{label} must be numbers, got values of kind {numbers.kind!r}")
    weights = (unsigned(numbers.values) if numbers.kind == "uint" else numbers.values).astype(
        np.float64
    )
    wrong = ~np.isfinite(weights)
    if numbers.null is not None:
        wrong |= numbers.null
    if wrong.any():
        row = int(np.searchsorted(offsets, int(wrong.argmax()), side="right")) - 1
        raise ValueError(f"{label} hold NaN, infinity or None in row {row}: drop these tags")
    return Lists(entries, offsets, mask_or_none(gone), weights)


def as_vectors(lists: Lists, name: str) -> Lists | Vectors:
    """Return lists of floats of one length above 1 as vectors, other lists as they are."""
    lengths = _lengths(lists)
    size = int(lengths[0]) if len(lengths) else 0
    if size < 2 or lists.entries.kind != "float" or (lengths != size).any():
        return lists
    return _stacked(lists, size, name)


def vectors_of(cells: Cells, name: str) -> Vectors:
    """Return vectors, also of lists of whole numbers.

    Raises
    ------
    TypeError, ValueError
        For cells that are no vectors of one length.
    """
    if isinstance(cells, Vectors):
        return cells
    if isinstance(cells, Column):
        if cells.kind == "null" or (cells.null is not None and cells.null.all()):
            return Vectors(np.zeros((cells.n_rows, 0)), np.ones(cells.n_rows, dtype=bool))
        remedy = ": parse it first, by json.loads" if cells.kind == "str" else ""
        raise TypeError(
            f"{name} must hold vectors of one length (a 2-D array, or lists), got values of kind "
            f"{cells.kind!r}{remedy}"
        )
    if cells.weights is not None or cells.entries.kind not in ("int", "uint", "float", "bool"):
        kind = "dicts" if cells.weights is not None else f"lists of kind {cells.entries.kind!r}"
        raise TypeError(f"{name} must hold vectors of numbers, got {kind}")
    lengths = _lengths(cells)
    size = int(lengths[0]) if len(lengths) else 0
    if (lengths != size).any():
        wrong = lengths[(lengths != size).argmax()]
        raise ValueError(
            f"{name} has vectors of lengths {size} and {wrong}: give every row a vector of one "
            "length, or None"
        )
    return _stacked(cells, size, name)


def _lengths(lists: Lists) -> NDArray[np.int64]:
    """Return the lengths of the lists that are not null."""
    lengths = np.diff(lists.offsets)
    return lengths if lists.null is None else lengths[~lists.null]


def _stacked(lists: Lists, size: int, name: str) -> Vectors:
    """Return lists of one length as the rows of an array."""
    entries = lists.entries.numbers()
    if lists.entries.kind == "uint":
        entries = unsigned(entries)
    if entries.dtype.kind != "f":
        entries = entries.astype(np.float64)
    if lists.entries.null is not None:
        entries = np.where(lists.entries.null, np.nan, entries)
    values = np.zeros((lists.n_rows, size), dtype=entries.dtype)
    values[slice(None) if lists.null is None else ~lists.null] = entries.reshape(-1, size)
    return _vectors(values, lists.null, name)


def _vectors(values: NDArray[Any], null: NDArray[np.bool_] | None, name: str) -> Vectors:
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold vectors of real numbers, got {values.dtype}")
    wrong = ~np.isfinite(values).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{name} has a vector with NaN or infinity in row {row}: give None for rows without"
        )
    return Vectors(values, null)
