"""Dates: age in standardised units; month, weekday and hour as points on a circle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...base.validation import wrap_csr
from .._column import Column
from .._text import dates_of_numbers, dates_of_text, looks_like_dates
from ._blocks import Dense, Sparse
from ._encoder import ColumnEncoder, ColumnOptions, wrong_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._blocks import Block
    from ._cells import Cells

    Floats = NDArray[np.float64]

__all__ = ["DATE_PARTS", "DateEncoder", "dates_of"]

DATE_PARTS = ("age", "year", "month", "weekday", "hour")
_YEAR = 365.2425
_FIRST_YEAR, _LAST_YEAR = 1678, 2261  # that nanoseconds can count


def dates_of(
    cells: Cells, name: str, date_format: str | None
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_] | None]:
    """Return one date per row, in seconds, and which rows are null.

    Raises
    ------
    TypeError, ValueError
        For cells that are no dates.
    """
    if not isinstance(cells, Column):
        raise wrong_cells(name, "dates", cells)
    if cells.kind == "null":
        return np.zeros(cells.n_rows, dtype="datetime64[s]"), np.ones(cells.n_rows, dtype=bool)
    if cells.kind == "str":
        cells = dates_of_text(cells, name, date_format, lambda text: "")
    elif cells.kind in ("int", "float"):
        cells = _dates_of_numbers(cells, name, date_format)
    if not cells.kind.startswith("datetime64"):
        raise wrong_cells(name, "dates", cells)
    dates = cells.numbers().astype(np.int64).view(cells.kind)
    if cells.null is not None:
        dates = np.where(cells.null, np.datetime64("1970-01-01", "D").astype(dates.dtype), dates)
    return dates.astype("datetime64[s]"), cells.null


def _dates_of_numbers(cells: Column, name: str, date_format: str | None) -> Column:
    """Return the dates that numbers stand for by a format; years and days such as 20240131."""
    numbers = cells.numbers()
    known = numbers if cells.null is None else numbers[~cells.null]
    if not len(known):
        return Column("datetime64[s]", np.zeros(len(numbers), dtype=np.int64), null=cells.null)
    if date_format is None:
        if looks_like_dates(known):
            date_format = "%Y%m%d"
        elif known.min() >= _FIRST_YEAR and known.max() <= _LAST_YEAR:
            date_format = "%Y"
        else:
            raise ValueError(
                f"{name} holds numbers such as {known[0]:g}: say by "
                "date_format which dates they are, such as 's' or 'ms' since 1970, or give the "
                "column the kind 'numeric'"
            )
    if cells.null is not None:
        numbers = np.where(cells.null, known[0], numbers)  # a date, though of no meaning
    column = Column(cells.kind, numbers, null=cells.null)
    return dates_of_numbers(column, name, date_format, lambda text: "")


def _parts_of(dates: NDArray[np.datetime64], parts: list[str], latest: int) -> Floats:
    """Return the dense columns of dates, by `_names_of`, before they are standardised."""
    seconds = dates.astype(np.int64)
    days = np.floor_divide(seconds, 86_400)
    columns: list[NDArray[Any]] = []
    for part in parts:
        if part == "age":
            columns.append((latest - seconds) / (86_400 * _YEAR))
        elif part == "year":
            columns.append(dates.astype("datetime64[Y]").astype(np.int64) + 1970.0)
        else:
            if part == "month":
                share = (dates.astype("datetime64[M]").astype(np.int64) % 12) / 12
            elif part == "weekday":  # 1 January 1970 was a Thursday
                share = ((days + 3) % 7) / 7
            else:
                share = (seconds - days * 86_400) / 86_400
            columns += [np.sin(2 * np.pi * share), np.cos(2 * np.pi * share)]
    return np.stack(columns, axis=1) if columns else np.empty((len(dates), 0))


def _names_of(parts: list[str]) -> list[str]:
    names = []
    for part in parts:
        names += [part] if part in ("age", "year") else [f"{part}_sin", f"{part}_cos"]
    return names


@dataclass(frozen=True)
class DateEncoder(ColumnEncoder):
    """Parts of a date as dense columns, and an indicator for null.

    Age counts from the latest date of the fit. Parts that are the same in all rows of the fit are
    left out, such as the month of dates that are years.
    """

    kind: ClassVar[str] = "date"

    parts: tuple[str, ...]
    latest: int
    center: Floats
    scale: Floats
    has_null: bool

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> DateEncoder | None:
        """Learn the latest date, and the parts that differ; None where there is none."""
        dates, null = dates_of(cells, name, options.date_format)
        known = dates if null is None else dates[~null]
        if not len(known):
            return None
        latest = int(known.max().astype(np.int64))
        kept, centers, scales = [], [], []
        for part in options.parts:
            values = _parts_of(known, [part], latest)
            if not np.ptp(values, axis=0).max() > 1e-9:
                continue
            kept.append(part)
            is_linear = values.shape[1] == 1
            centers += [float(values.mean())] if is_linear else [0.0, 0.0]
            scales += [float(values.std())] if is_linear else [1.0, 1.0]
        if not kept:
            return None
        has_null = null is not None and bool(null.any())
        return cls(tuple(kept), latest, np.array(centers), np.array(scales), has_null)

    @property
    def width(self) -> int:
        """Columns of the parts, null."""
        return len(self.center) + self.has_null

    def names(self, source: str) -> list[str]:
        """Return ``source:age``, ``source:month_sin``, ..."""
        own = [f"{source}:{name}" for name in _names_of(list(self.parts))]
        return own + [f"{source}=null"] * self.has_null

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> Block:
        """Return the parts of each date."""
        dates, null = dates_of(cells, name, options.date_format)
        parts = _parts_of(dates, list(self.parts), self.latest)
        values = ((parts - self.center) / self.scale).astype(np.float32)
        if null is None or not self.has_null:
            return Dense(values, None if null is None else ~null)
        lengths = np.where(null, 1, values.shape[1])
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        indices = np.full(int(indptr[-1]), self.width - 1, dtype=np.int32)
        data = np.ones(len(indices), dtype=np.float32)
        cells_of_known = indptr[:-1][~null][:, None] + np.arange(values.shape[1])
        indices[cells_of_known] = np.arange(values.shape[1], dtype=np.int32)
        data[cells_of_known] = values[~null]
        return Sparse(wrap_csr(indptr, indices, data, (len(dates), self.width)))

    def check(self) -> None:
        """Raise ValueError for parts and arrays that do not fit together."""
        n = len(_names_of(list(self.parts)))
        if (
            any(part not in DATE_PARTS for part in self.parts)
            or self.center.shape != (n,)
            or self.scale.shape != (n,)
        ):
            raise ValueError("a column of dates with parts that do not fit together")
