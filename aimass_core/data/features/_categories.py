"""Categories: one column for each, one for the rare ones, one for nulls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...base.progress import logger
from .._column import Column
from ..idmap import IdMap
from ._blocks import OneEach
from ._encoder import ColumnEncoder, ColumnOptions, codes_of, wrong_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._blocks import Block
    from ._cells import Cells

__all__ = ["TEXT_KINDS", "CategoryEncoder", "report_new", "rows_of_categories", "text_of"]

TEXT_KINDS = ("str", "bytes")
_NUMBERS = {
    "int": re.compile(r"-?(0|[1-9]\d{0,17})", re.ASCII),
    "float": re.compile(r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII),
}


def text_of(value: Any) -> str:
    """Return a category as it stands in the name of a feature."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def rows_of_categories(
    known: IdMap, values: Column, name: str, is_text: bool = False
) -> NDArray[np.int64]:
    """Return the row of each distinct value among known categories, -1 for new ones.

    ``is_text`` says that the values come from a text file. Numbers of the fit are then found in
    text, too, because one new category such as ``4a`` makes text of all cells of such a column.

    Raises
    ------
    TypeError
        For values of another kind than all categories, which would all be new.
    """
    if not values.n_entries:
        return np.empty(0, dtype=np.int64)
    if not len(known):
        return np.full(values.n_entries, -1, dtype=np.int64)
    if is_text and values.kind == "str" and known.kind in _NUMBERS:
        return _rows_of_numbers(known, values)
    if (known.kind in TEXT_KINDS) != (values.kind in TEXT_KINDS):
        raise TypeError(
            f"{name} holds values of kind {values.kind!r}, but those of the fit are of kind "
            f"{known.kind!r}, such as {known.take(np.arange(1)).ids.tolist()[0]!r}: convert them"
        )
    try:
        return known._find(values)
    except (TypeError, ValueError):  # of another kind in another way
        return np.full(values.n_entries, -1, dtype=np.int64)


def _rows_of_numbers(known: IdMap, values: Column) -> NDArray[np.int64]:
    """Return the row of each text among known numbers, -1 for one that is not such a number."""
    rows = np.full(values.n_entries, -1, dtype=np.int64)
    texts = [str(text) for text in values.strings()]
    at = [i for i, text in enumerate(texts) if _NUMBERS[known.kind].fullmatch(text)]
    dtype = np.int64 if known.kind == "int" else np.float64
    rows[at] = known._find(Column(known.kind, np.array([texts[i] for i in at]).astype(dtype)))
    return rows


def report_new(
    rows: NDArray[np.int64], codes: NDArray[np.int32], name: str, things: str = "rows"
) -> None:
    """Log how many rows have categories that the fit did not have."""
    if len(rows) and rows.min() < 0:
        n = int(np.count_nonzero(np.append(rows < 0, False)[codes]))
        logger.info(
            "%s: %d of %d %s have categories that the fit did not have",
            name,
            n,
            len(codes),
            things,
        )


@dataclass(frozen=True)
class CategoryEncoder(ColumnEncoder):
    """One column for each category."""

    kind: ClassVar[str] = "categorical"

    categories: IdMap
    has_other: bool
    has_null: bool

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> Any:
        """Learn the categories; return the encoder and the block, or None for one value only."""
        if not isinstance(cells, Column):
            raise wrong_cells(name, "one category in each cell", cells)
        codes, values = codes_of(cells, name, options.n_threads)
        has_null = cells.null is not None and bool(cells.null.any())
        ids = IdMap._of(values)
        if len(ids) + has_null < 2:
            return None
        has_other = False
        if options.min_frequency > 1:
            counts = np.bincount(codes[codes >= 0] if has_null else codes, minlength=len(ids))
            frequent = np.flatnonzero(counts >= options.min_frequency)
            has_other = len(frequent) < len(ids)
            if has_other:
                column_of = np.full(len(ids), len(frequent), dtype=np.int32)
                column_of[frequent] = np.arange(len(frequent), dtype=np.int32)
                codes = np.where(codes >= 0, column_of[codes], np.int32(-1))
                ids = ids.take(frequent)
        encoder = cls(ids, has_other, has_null)
        return encoder, encoder._block(codes)

    def _block(self, codes: NDArray[np.int32]) -> Block:
        if self.has_null:
            codes = np.where(codes < 0, np.int32(self.width - 1), codes)
            return OneEach(codes, None, True)
        return OneEach(codes, None, not len(codes) or int(codes.min()) >= 0)

    @property
    def width(self) -> int:
        """Categories, other, null."""
        return len(self.categories) + self.has_other + self.has_null

    @property
    def holds_text(self) -> bool:
        """Whether the categories are text."""
        return self.categories.kind in TEXT_KINDS

    def names(self, source: str) -> list[str]:
        """Return ``source=category`` for each."""
        own = [f"{source}={text_of(value)}" for value in self.categories.ids.tolist()]
        return own + [f"{source}=other"] * self.has_other + [f"{source}=null"] * self.has_null

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> Block:
        """Return the column of each row; new categories count as rare ones, or have no entry."""
        if not isinstance(cells, Column):
            raise wrong_cells(name, "one category in each cell", cells)
        codes, values = codes_of(cells, name, options.n_threads)
        column_of = rows_of_categories(self.categories, values, name, options.is_text)
        report_new(column_of, codes, name)
        new = len(self.categories) if self.has_other else -1
        column_of = np.where(column_of >= 0, column_of, new).astype(np.int32)
        null = self.width - 1 if self.has_null else -1
        columns = np.append(column_of, null).astype(np.int32)[codes]  # code -1 is the last
        return OneEach(columns, None, not len(columns) or int(columns.min()) >= 0)

    def check(self) -> None:
        """Raise ValueError for categories that are none."""
        if not isinstance(self.categories, IdMap):
            raise ValueError("a categorical column without its categories")
