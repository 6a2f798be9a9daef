"""Columns with several tags in a cell: lists, dicts of weights, or text with a separator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...base.validation import wrap_csr
from .._column import Column, take_strings
from ..idmap import IdMap
from ._blocks import Sparse
from ._categories import TEXT_KINDS, report_new, rows_of_categories, text_of
from ._cells import Lists
from ._encoder import ColumnEncoder, ColumnOptions, codes_of, wrong_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._blocks import Block
    from ._cells import Cells

__all__ = ["SEPARATORS", "TagEncoder", "lists_of", "usual_separator"]

SEPARATORS = ("|", ";", ",")
_BLANK = 32


def usual_separator(column: Column) -> str | None:
    """Return the separator of tags that a text column seems to have, None where it has none.

    A separator occurs in a tenth of the distinct cells at least. Splitting at a comma or semicolon,
    which occur in sentences, too, must leave fewer distinct tags than there are distinct cells.
    """
    if column.offsets is None or not column.n_entries:
        return None
    data, offsets = np.asarray(column.values), np.asarray(column.offsets)
    for separator in SEPARATORS:
        at = np.flatnonzero(data[offsets[0] : offsets[-1]] == ord(separator)) + offsets[0]
        cells = np.unique(np.searchsorted(offsets, at, side="right"))
        if 10 * len(cells) < column.n_entries:
            continue
        plain = Column(column.kind, column.values, column.offsets)
        lists = split_text(plain, separator)
        if separator == "|" or codes_of(lists.entries, "tags", 1)[1].n_entries < column.n_entries:
            return separator
    return None


def split_text(column: Column, separator: str) -> Lists:
    """Return the parts of each entry of a text column between separators, without blanks.

    Empty parts are left out. All parts of all entries are found at once, by the positions of the
    separator in the bytes of the column.
    """
    assert column.offsets is not None
    offsets = np.asarray(column.offsets, dtype=np.int64)
    data = np.ascontiguousarray(column.values)
    mark = separator.encode()
    at = _occurrences(data, mark)
    row_of = np.searchsorted(offsets, at, side="right") - 1
    inside = (at >= offsets[0]) & (
        at + len(mark) <= offsets[np.minimum(row_of, len(offsets) - 2) + 1]
    )
    inside &= row_of < len(offsets) - 1
    at, row_of = at[inside], row_of[inside]
    n = len(offsets) - 1
    rows = np.concatenate([np.arange(n), row_of])
    starts = np.concatenate([offsets[:-1], at + len(mark)])
    order = np.lexsort((starts, rows))
    rows, starts = rows[order], starts[order]
    ends = np.empty_like(starts)
    ends[:-1] = starts[1:] - len(mark)
    is_last = np.append(rows[1:] != rows[:-1], True)[: len(rows)]
    ends[is_last] = offsets[rows[is_last] + 1]
    starts, ends = _without_blanks(data, starts, ends)
    kept = ends > starts
    rows, starts, ends = rows[kept], starts[kept], ends[kept]
    bounds = np.empty(2 * len(starts) + 1, dtype=np.int64)
    bounds[:-1:2], bounds[1::2], bounds[-1] = starts, ends, 0
    out_offsets, out = take_strings(bounds, data, 2 * np.arange(len(starts)))
    per_row = np.bincount(rows, minlength=n)
    return Lists(
        Column(column.kind, out, out_offsets),
        np.concatenate([[0], np.cumsum(per_row)]).astype(np.int64),
    )


def _occurrences(data: NDArray[np.uint8], mark: bytes) -> NDArray[np.int64]:
    """Return the positions of a separator that do not overlap."""
    is_mark = data[: max(len(data) - len(mark) + 1, 0)] == mark[0]
    for i, byte in enumerate(mark[1:], 1):
        is_mark &= data[i : i + len(is_mark)] == byte
    at = np.flatnonzero(is_mark)
    if len(mark) > 1 and len(at):
        kept, last = [], -len(mark)
        for position in at.tolist():
            if position >= last + len(mark):
                kept.append(position)
                last = position
        at = np.array(kept, dtype=np.int64)
    return at.astype(np.int64)


def _without_blanks(
    data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bounds of parts without blanks at their begin and end."""
    starts, ends = starts.copy(), ends.copy()
    if not len(data):
        return starts, ends
    last = len(data) - 1
    while (blank := (starts < ends) & (data[np.minimum(starts, last)] == _BLANK)).any():
        starts += blank
    while (blank := (starts < ends) & (data[ends - 1] == _BLANK)).any():
        ends -= blank
    return starts, ends


def lists_of(
    cells: Cells, name: str, separator: str | None, n_threads: int
) -> tuple[Lists, NDArray[np.int64] | None]:
    """Return the lists of tags, and which list each row has where several rows share one.

    Parameters
    ----------
    cells : Lists or Column of text
        The column.
    name : str
        Its name, for messages.
    separator : str or None
        Between the tags of a cell of text. None: each cell is one tag.
    n_threads : int
        Threads for numbering the distinct cells.

    Returns
    -------
    lists : Lists
        Of the rows, or of the distinct cells.
    rows : ndarray of int64, shape (n,), or None
        The list of each row, -1 for null.
    """
    if isinstance(cells, Lists):
        return cells, None
    if not isinstance(cells, Column):
        raise wrong_cells(name, "lists of tags, or text", cells)
    codes, distinct = codes_of(cells, name, n_threads)
    if distinct.kind != "str":
        n = distinct.n_entries
        return Lists(distinct, np.arange(n + 1, dtype=np.int64)), codes.astype(np.int64)
    if separator is None:
        n = distinct.n_entries
        return Lists(distinct, np.arange(n + 1, dtype=np.int64)), codes.astype(np.int64)
    return split_text(distinct, separator), codes.astype(np.int64)


@dataclass(frozen=True)
class TagEncoder(ColumnEncoder):
    """One column for each tag, with 1, or its weight, where a row has it."""

    kind: ClassVar[str] = "tags"

    tags: IdMap
    has_null: bool
    separator: str | None

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> TagEncoder | None:
        """Learn the tags that occur in enough rows; None where there is none."""
        separator = options.separator
        if separator is None and isinstance(cells, Column):
            separator = usual_separator(cells)
        lists, rows = lists_of(cells, name, separator, options.n_threads)
        null = cells.null if isinstance(cells, (Column, Lists)) else None
        has_null = null is not None and bool(null.any())
        codes, values = codes_of(lists.entries, name, options.n_threads)
        ids = IdMap._of(values)
        if options.min_frequency > 1 and len(ids):
            weights = None
            if rows is not None:
                per_list = np.bincount(rows[rows >= 0], minlength=lists.n_rows)
                weights = np.repeat(per_list, np.diff(lists.offsets))
            counts = np.bincount(codes, weights=weights, minlength=len(ids))
            ids = ids.take(np.flatnonzero(counts >= options.min_frequency))
        if not len(ids):
            return None
        encoder = cls(ids, has_null, separator)
        if not has_null and lists.weights is None and _is_constant(lists, rows, codes, len(ids)):
            return None
        return encoder

    @property
    def width(self) -> int:
        """Tags, null."""
        return len(self.tags) + self.has_null

    @property
    def holds_text(self) -> bool:
        """Whether the tags are text."""
        return self.tags.kind in TEXT_KINDS

    def names(self, source: str) -> list[str]:
        """Return ``source=tag`` for each."""
        own = [f"{source}={text_of(tag)}" for tag in self.tags.ids.tolist()]
        return own + [f"{source}=null"] * self.has_null

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> Block:
        """Return the tags of each row, each once; new tags have no entry."""
        lists, rows = lists_of(cells, name, self.separator, options.n_threads)
        codes, values = codes_of(lists.entries, name, options.n_threads)
        rows_of_tags = rows_of_categories(self.tags, values, name, options.is_text)
        report_new(rows_of_tags, codes, name, "tags")
        columns = rows_of_tags.astype(np.int32)
        columns = np.append(columns, np.int32(-1))[codes]
        of_list = np.repeat(np.arange(lists.n_rows), np.diff(lists.offsets))
        known = columns >= 0
        cells_of_tags = of_list[known] * np.int64(max(self.width, 1)) + columns[known]
        keys, first = np.unique(cells_of_tags, return_index=True)
        weights = None  # a dict has each tag once
        if lists.weights is not None:
            weights = _as_float32(lists.weights[known][first], name)
        of_list, tags = np.divmod(keys, np.int64(max(self.width, 1)))
        n_lists = lists.n_rows
        lengths = np.bincount(of_list, minlength=n_lists)
        if rows is None:
            null = lists.null
        else:
            null = rows < 0
        if self.has_null:
            return self._with_null(tags, lengths, rows, null, weights)
        return _rows_of_lists(tags, lengths, rows, self.width, weights)

    def _with_null(
        self,
        tags: NDArray[np.int64],
        lengths: NDArray[np.int64],
        rows: NDArray[np.int64] | None,
        null: NDArray[np.bool_] | None,
        weights: NDArray[np.float32] | None,
    ) -> Block:
        """Return the rows of the lists, where a null row has the list of the column of nulls."""
        tags, lengths = np.append(tags, self.width - 1), np.append(lengths, 1)
        if weights is not None:
            weights = np.append(weights, np.float32(1.0))
        last = len(lengths) - 1
        if rows is None:
            rows = np.arange(last)
        rows = rows if null is None else np.where(null, last, rows)
        return _rows_of_lists(tags, lengths, rows, self.width, weights)


def _is_constant(
    lists: Lists, rows: NDArray[np.int64] | None, codes: NDArray[np.int32], n_tags: int
) -> bool:
    """Return whether all rows have the same tags: each list has all of them."""
    n_lists = lists.n_rows
    if rows is not None and n_lists != 1:  # lists of distinct cells
        return False
    return n_lists > 0 and len(np.unique(codes)) == n_tags and len(codes) == n_lists * n_tags


def _as_float32(weights: NDArray[np.float64], name: str) -> NDArray[np.float32]:
    """Return weights as float32, refused where they are too large."""
    with np.errstate(over="ignore"):
        narrow = weights.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise ValueError(
            f"{name} has the weight {np.abs(weights).max():.3g}, which is too large for float32: "
            "scale the weights down"
        )
    return narrow


def _rows_of_lists(
    tags: NDArray[np.int64],
    lengths: NDArray[np.int64],
    rows: NDArray[np.int64] | None,
    width: int,
    weights: NDArray[np.float32] | None,
) -> Block:
    """Return the list of each row as a row of a CSR matrix; none for row -1."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if rows is None:
        indptr, at = offsets, np.arange(len(tags))
    else:
        per_row = np.append(lengths, 0)[rows]  # row -1 is the last: no list
        indptr = np.concatenate([[0], np.cumsum(per_row)]).astype(np.int64)
        begins = np.append(offsets[:-1], 0)[rows]
        at = np.repeat(begins - indptr[:-1], per_row) + np.arange(indptr[-1])
    indices = tags[at]
    data = np.ones(len(indices), dtype=np.float32) if weights is None else weights[at]
    return Sparse(wrap_csr(indptr, indices.astype(np.int32), data, (len(indptr) - 1, width)))
