"""The kind of a column whose kind is not given, by its type, its values and its name."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from .._column import Column
from .._text import dates_of_text
from ._cells import Lists, Vectors
from ._encoder import codes_of
from ._flags import is_flag
from ._tags import usual_separator

if TYPE_CHECKING:
    from ._cells import Cells
    from ._encoder import ColumnOptions

__all__ = ["choose_kind"]

_MIN_ROWS = 20  # with fewer, different values in all rows may be a coincidence
_CODE_WORDS = {"code", "id", "key", "nr", "number", "postcode", "sku", "zip", "zipcode"}
_BLANK = 32
_MANY = 1000  # texts that are looked at
_NUMBER = re.compile(r"\s*[+-]?\d+([.,]\d+)*\s*", re.ASCII)
_DATE = re.compile(
    r"[12]\d{3}-(0[1-9]|1[0-2])-([0-2]\d|3[01])"
    r"([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)?",
    re.ASCII,
)


def choose_kind(name: str, cells: Cells, options: ColumnOptions) -> tuple[str, str]:
    """Return the kind of a column, and why it is left out.

    Parameters
    ----------
    name : str
        The column. Whole numbers are categories where its last word says that they are codes.
    cells : Column, Lists or Vectors
        Its cells.
    options : ColumnOptions
        ``max_categories``, ``separator`` and ``date_format``.

    Returns
    -------
    kind : str
        "skip" for a column that is left out.
    reason : str
        Why; empty for other kinds.
    """
    if isinstance(cells, Vectors):
        return "embedding", ""
    if isinstance(cells, Lists):
        return "tags", ""
    if cells.kind == "null" or (cells.null is not None and cells.null.all()):
        return "skip", "nulls only"
    if cells.kind.startswith("datetime64"):
        return "date", ""
    if cells.kind in ("str", "bytes"):
        return _kind_of_text(cells, options)
    if cells.codes is not None:  # a type of categories, such as that of pandas
        return _kind_of_categories(cells, options)
    if is_flag(cells):
        return "flag", ""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
    if cells.kind in ("int", "uint") and words and words[-1] in _CODE_WORDS:
        return _kind_of_categories(cells, options)
    return "numeric", ""


def _kind_of_categories(
    cells: Column, options: ColumnOptions, distinct: Column | None = None
) -> tuple[str, str]:
    """Return the kind of a column of names or codes."""
    if distinct is None:
        distinct = codes_of(cells, "column", options.n_threads)[1]
    n_known = cells.n_rows - (0 if cells.null is None else int(cells.null.sum()))
    if distinct.n_entries == n_known >= _MIN_ROWS:
        return "skip", "a different value in each row" + _use_of(distinct)
    return ("hash" if distinct.n_entries > options.max_categories else "categorical"), ""


def _use_of(distinct: Column) -> str:
    """Return the kind that uses text of numbers, for the reason why it is left out."""
    if distinct.kind != "str":
        return ""
    if all(_NUMBER.fullmatch(str(text)) for text in islice(distinct.strings(), _MANY)):
        return "; the kind 'numeric' uses the numbers in its text"
    return ""


def _is_text_of_dates(distinct: Column, date_format: str | None) -> bool:
    """Return whether all texts are dates such as 2024-01-31, with or without a time of day.

    Text that looks like dates but cannot be read as such (2023-02-30, 2999-12-31, or times of which
    only some have an offset from UTC) is none.
    """
    if not distinct.n_entries:
        return False
    if not all(_DATE.fullmatch(str(text)) for text in distinct.strings()):
        return False
    try:
        dates_of_text(distinct, "column", date_format, lambda text: "")
    except ValueError:
        return False
    return True


def _kind_of_text(cells: Column, options: ColumnOptions) -> tuple[str, str]:
    _, distinct = codes_of(cells, "column", options.n_threads)
    if cells.kind == "str":
        if _is_text_of_dates(distinct, options.date_format):
            return "date", ""
        if options.separator is not None or usual_separator(distinct) is not None:
            return "tags", ""
        n_known = cells.n_rows - (0 if cells.null is None else int(cells.null.sum()))
        n_blanks = int(np.count_nonzero(distinct.values == _BLANK))
        if 2 * distinct.n_entries > n_known >= _MIN_ROWS and n_blanks >= distinct.n_entries:
            return "text", ""
    return _kind_of_categories(cells, options, distinct)
