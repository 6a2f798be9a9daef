"""Columns of yes and no: one entry where it is yes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .._column import Column
from ._blocks import OneEach
from ._encoder import ColumnEncoder, ColumnOptions, wrong_cells
from ._numeric import numbers_of

if TYPE_CHECKING:
    from ._blocks import Block
    from ._cells import Cells

__all__ = ["FlagEncoder", "is_flag"]


def is_flag(cells: Column) -> bool:
    """Return whether a column of numbers holds nothing but 0 and 1."""
    if cells.kind == "bool":
        return True
    if cells.kind not in ("int", "float"):
        return False
    values = cells.values
    known = values if cells.null is None or cells.codes is not None else values[~cells.null]
    return bool(len(known)) and bool(((known == 0) | (known == 1)).all())


@dataclass(frozen=True)
class FlagEncoder(ColumnEncoder):
    """1 where a column of booleans, or of 0 and 1, is true."""

    kind: ClassVar[str] = "flag"

    has_null: bool

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> FlagEncoder | None:
        """Note whether there are nulls; None for a column of one value."""
        numbers, null = numbers_of(cells, name, options)
        if not isinstance(cells, Column) or not is_flag(cells):
            raise wrong_cells(name, "booleans, or 0 and 1", cells)
        known = numbers if null is None else numbers[~null]
        has_null = null is not None and bool(null.any())
        if not len(known) or (known.min() == known.max() and not has_null):
            return None
        return cls(has_null)

    @property
    def width(self) -> int:
        """One, and one for nulls."""
        return 1 + self.has_null

    def names(self, source: str) -> list[str]:
        """Return the name of the column, and ``source=null``."""
        return [source, f"{source}=null"][: self.width]

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> Block:
        """Return an entry for each true row."""
        numbers, null = numbers_of(cells, name, options)
        known = numbers if null is None else numbers[~null]
        if not ((known == 0) | (known == 1)).all():
            raise ValueError(
                f"{name} holds {known[(known != 0) & (known != 1)][0]:g}, but in the fit it held 0 "
                "and 1 only: give it the kind 'numeric'"
            )
        columns = np.where(numbers == 1, np.int32(0), np.int32(-1))
        if null is not None:
            columns[null] = 1 if self.has_null else -1
        return OneEach(columns)
