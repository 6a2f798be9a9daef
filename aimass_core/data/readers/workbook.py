"""Excel workbooks, read by openpyxl."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.optional import import_optional
from ...base.validation import suggest
from .._column import Column
from .._convert import from_objects
from .files import File, is_refusal
from .options import ReadOptions
from .protocol import ID_ROLES, Reader, Wanted

__all__ = ["WorkbookReader", "sheet_rows"]


def sheet_rows(stream: Any) -> Iterator[tuple[str, Iterator[tuple[Any, ...]]]]:
    """Yield the name and the rows of each sheet of a workbook.

    Parameters
    ----------
    stream : binary file
        In which openpyxl can seek.

    Yields
    ------
    name : str
        Of the sheet.
    rows : iterator of tuple
        Values of the cells; what formulas gave when the workbook was saved.

    Raises
    ------
    ImportError
        If openpyxl is not installed.
    """
    import warnings

    openpyxl = import_optional("openpyxl")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns about styles it does not know
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        try:
            for sheet in book.worksheets:
                yield sheet.title, sheet.iter_rows(values_only=True)
        finally:
            book.close()


class WorkbookReader(Reader):
    """Some sheets of a workbook, below one another.

    Parameters
    ----------
    file : File
    options : ReadOptions
    notes : list of str
    """

    uses = frozenset({"sheet", "skip_rows", "header", "names"})

    def __init__(self, file: File, options: ReadOptions, notes: list[str]) -> None:
        super().__init__(f"file {file.name}", options, notes, file.partitions)
        self.file = file
        self._names: list[Any] = []
        self._rows: list[tuple[Any, ...]] = []
        self._unread: list[str] = []
        try:
            with file.open_seekable() as stream:
                self._read_sheets(stream)
        except (zipfile.BadZipFile, KeyError, OSError) as error:
            if is_refusal(error):
                raise
            raise ValueError(f"{file.name} cannot be read as a workbook: {error}") from None
        file.check_unchanged()

    def _read_sheets(self, stream: Any) -> None:
        wanted = self.options.sheet
        wanted = [wanted] if isinstance(wanted, (str, int)) and wanted != "*" else wanted
        titles: list[str] = []
        read: list[str] = []
        for number, (title, rows) in enumerate(sheet_rows(stream)):
            titles.append(title)
            is_wanted = (
                number == 0
                if wanted is None
                else wanted == "*" or (title in wanted or number in wanted)
            )
            if is_wanted:
                self._append(title, rows, is_first=not read)
                read.append(title)
        missing = (
            []
            if wanted in (None, "*")
            else [w for w in wanted if w not in titles and w not in range(len(titles))]
        )
        if missing:
            raise ValueError(
                f"sheet={missing[0]!r}: {self.file.name} has no such sheet; it has "
                f"{', '.join(map(repr, titles))}{suggest(str(missing[0]), titles)}"
            )
        if wanted is None and len(titles) > 1:
            self._unread = titles[1:]
            others = ", ".join(map(repr, titles[1:]))
            self._note(f"only the sheet {titles[0]!r} is read, not {others}; sheet='*' reads all")

    def where_else(self, name: Any) -> str:
        """Return the sheets that were not read."""
        if not self._unread:
            return ""
        others = ", ".join(map(repr, self._unread))
        return f"; only the first sheet was read: pass sheet= for {others}"

    def _append(self, title: str, rows: Iterator[tuple[Any, ...]], is_first: bool) -> None:
        for _ in range(self.options.skip_rows):
            next(rows, None)
        names: list[Any] | None = None
        given = self.options.names
        width = 0
        for row in rows:
            if all(cell is None for cell in row):
                continue
            if names is None:
                width = len(row)
                if self.options.has_header:
                    names = ["" if cell is None else str(cell) for cell in row]
                else:
                    names = list(range(width))
                if given is not None:
                    if len(given) > width:
                        raise ValueError(
                            f"names has {len(given)} names, but the sheet {title!r} of "
                            f"{self.file.name} has {width} columns"
                        )
                    names = [*given, *range(len(given), width)]
                if is_first:
                    self._names = names
                elif names != self._names:
                    raise ValueError(
                        f"the sheet {title!r} of {self.file.name} has other columns than the first "
                        "one: read them one by one with sheet="
                    )
                if self.options.has_header:
                    continue
            self._rows.append(row)

    def names(self) -> list[Any]:
        """Return the names of the columns."""
        return [*self._names, *self.partitions]

    def read(self, wanted: Wanted, labels: Mapping[str, str]) -> dict[str, Column]:
        """Return the wanted columns; ids of mixed type become text."""
        columns = {}
        for role, name in wanted.items():
            if name in self.partitions:
                continue
            position = self._names.index(name)
            cells = [row[position] if position < len(row) else None for row in self._rows]
            cells = self._without_null_words(cells)
            if role in ID_ROLES:
                cells = self._of_one_type(cells, labels[role])
            columns[role] = from_objects(cells, labels[role])
        return {**columns, **self._partition_columns(wanted, len(self._rows))}

    def _without_null_words(self, cells: list[Any]) -> list[Any]:
        words = {*self.options.null_values, *(("", "#N/A") if self.options.default_nulls else ())}
        return [None if isinstance(cell, str) and cell in words else cell for cell in cells]

    def _of_one_type(self, cells: list[Any], label: str) -> list[Any]:
        """Return ids as text where spreadsheets hold 85048 as a number beside the text 79323P."""
        kinds = {type(cell) for cell in cells if cell is not None}
        if str not in kinds or kinds == {str}:
            return cells
        self._note(f"{label} holds numbers and text: all of them are read as text")
        return [
            cell
            if cell is None or isinstance(cell, str)
            else str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)
            for cell in cells
        ]
