"""Text files of separated cells (CSV, TSV and their relatives), read by pyarrow.

What the caller does not say is recognised by the first lines: byte order mark, a line ``sep=;``,
and the separator. Cells of ids are read as text and become whole numbers only if every one of them
is written as a whole number is, so that ``007`` stays different from ``7``.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .._arrow import read_stream
from .._column import Column, concat
from .._text import UNIX_UNITS
from .files import File, is_refusal, pyarrow, unreadable
from .options import ReadOptions
from .protocol import FEATURE_ROLE, ID_ROLES, TEXT_FEATURE_ROLE, Reader, Wanted

__all__ = ["DEFAULT_NULLS", "TextReader"]

DEFAULT_NULLS = (
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "n/a",
    "nan",
    "null",
)
_SEPARATORS = (",", ";", "\t", "|")
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SNIFFED_LINES = 50
_LONGEST_LINE = 1 << 24
_BLOCK = 1 << 20  # bytes that pyarrow parses at once
_UNIT = "\x1f"  # stands for a separator of several characters; Unicode's unit separator
_LIKE_DATA = re.compile(r"\s*[-+]?\d+([.,]\d+)*\s*|\s*\d{1,4}[-/.]\d\d?[-/.]\d{1,4}.*")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)(\.0)?")


class TextReader(Reader):
    """One text file.

    Parameters
    ----------
    file : File
    options : ReadOptions
    notes : list of str
        What was recognised is appended.
    """

    is_text = True
    uses = frozenset({"skip_rows", "header", "names"})

    def __init__(self, file: File, options: ReadOptions, notes: list[str]) -> None:
        super().__init__(f"file {file.name}", options, notes, file.partitions)
        self.file = file
        self.encoding = options.encoding or _encoding_by_mark(file.head)
        self.separator = ","
        self._skipped = options.skip_rows
        self._names = self._read_head()

    # ---- the first lines ---------------------------------------------------------------------

    def _text(self) -> io.TextIOBase:
        """Return the decoded text from its beginning, line ends as they are."""
        stream = self.file.open()
        if not isinstance(stream, io.BufferedIOBase):
            stream = io.BufferedReader(_Raw(stream))
        return io.TextIOWrapper(stream, encoding=self.encoding or "utf-8-sig", newline="")

    def _read_head(self) -> list[Any]:
        """Recognise the dialect and return the names of the columns."""
        if self.encoding is None and self.file.head[:512].count(b"\0") > 64:
            raise ValueError(
                f"{self.file.name} holds zero bytes, as UTF-16 does: pass encoding='utf-16-le'"
            )
        try:
            with self._text() as text:
                lines = self._first_lines(text)
        except UnicodeDecodeError as error:
            raise self._undecodable(error) from None
        if not lines:
            raise ValueError(
                f"{self.file.name} has no line after the {self._skipped} that are skipped"
            )
        self.separator = self._choose_separator(lines)
        try:
            first = next(self._cells(lines))
        except csv.Error as error:
            raise ValueError(f"{self.file.name} cannot be read as csv: {error}") from None
        self.n_columns = len(first)
        given = self.options.names
        if given is not None:
            if len(given) != len(first):
                raise ValueError(
                    f"names has {len(given)} names, but the first line of {self.file.name} has "
                    f"{len(first)} cells: {_shown(lines[0])}"
                )
            return list(given)
        return first if self.options.has_header else list(range(len(first)))

    def _first_lines(self, text: io.TextIOBase) -> list[str]:
        """Return some complete lines from the header on."""
        first = text.readline(_LONGEST_LINE)
        named = re.fullmatch(r'"?sep=(.)"?[\r\n]*', first)
        if named is not None:
            self._skipped = max(self._skipped, 1)
            if self.options.separator is None:
                self.options = self.options.replaced(separator=named[1])
                self._note(f"separated by {named[1]!r}, as its first line says")
        lines = [first]
        while len(lines) < self._skipped + _SNIFFED_LINES and lines[-1]:
            lines.append(text.readline(_LONGEST_LINE))
        lines = [line for line in lines[self._skipped :] if line]
        self._n_before = self._skipped
        while lines and not lines[0].strip("\r\n"):  # pyarrow ignores empty lines, too
            del lines[0]
            self._n_before += 1
        self._head = lines
        return lines

    def _choose_separator(self, lines: list[str]) -> str:
        given = self.options.separator
        if given is not None:
            return given
        usual = "\t" if self.file.is_tabular_text else ","
        counts = {}
        for separator in (usual, *(s for s in _SEPARATORS if s != usual)):
            try:
                counts[separator] = [
                    len(cells) for cells in self._cells(lines[:-1] or lines, separator)
                ]
            except csv.Error:
                continue
        even = {s: c[0] for s, c in counts.items() if c and c[0] > 1 and len(set(c)) == 1}
        by_header = {s: c[0] for s, c in counts.items() if c and c[0] > 1}
        for candidates in (even, by_header):
            if candidates:
                best = max(candidates, key=lambda s: candidates[s])
                chosen = usual if candidates.get(usual) == candidates[best] else best
                if chosen != usual:
                    name = {"\t": "tabs"}.get(chosen, repr(chosen))
                    self._note(f"separated by {name}, as its first lines show")
                return chosen
        return usual

    def _cells(self, lines: Any, separator: str | None = None) -> Iterator[list[str]]:
        """Return rows of cells by Python's parser; empty lines are left out."""
        separator = separator or self.separator
        if separator == "whitespace":
            lines, separator = (
                (re.sub(r"[ \t]+", _UNIT, line.strip(" \t")) for line in lines),
                _UNIT,
            )
        elif len(separator) > 1:
            given, separator = separator, _UNIT
            lines = (line.replace(given, _UNIT) for line in lines)
        options: dict[str, Any] = {"quoting": csv.QUOTE_NONE}
        if self.options.quote:
            options = {"quotechar": self.options.quote, "escapechar": self.options.escape}
        rows = csv.reader(lines, delimiter=separator, **options)
        return (row for row in rows if row)

    # ---- the columns -------------------------------------------------------------------------

    def names(self) -> list[Any]:
        """Return the names of the columns; numbers from 0 where the file has none."""
        return [*self._names, *self.partitions]

    def where_else(self, name: Any) -> str:
        """Return the option to pass where title lines, a separator or no header explain a name."""
        if not self.options.has_header:
            return ""
        rows = [_cells_of(line) for line in self._head]
        for number, cells in enumerate(rows[1:], 1):
            if name in cells and _is_below_titles(rows, number):
                number += self._n_before
                return f"; line {number + 1} has it: pass skip_rows={number}"
        header = self._names
        if len(header) == 1 and isinstance(name, str) and name in header[0]:
            after = header[0][header[0].index(name) + len(name) :]
            mark = re.match(r"\W+", after) or re.search(
                r"\W+(?=" + re.escape(name) + ")", header[0]
            )
            separator = "" if mark is None else f", such as {mark[0]!r}"
            return f"; pass separator= if another mark than {self.separator!r} is used{separator}"
        if any(_LIKE_DATA.fullmatch(cell) for cell in header):
            return "; if the first line is data, name the columns: names=['user', 'item', ...]"
        return ""

    def read(self, wanted: Wanted, labels: Mapping[str, str]) -> dict[str, Column]:
        """Read the wanted columns."""
        own = {role: name for role, name in wanted.items() if name not in self.partitions}
        positions = {role: str(self._names.index(name)) for role, name in own.items()}
        table = self._table(own, positions, labels)
        codes = self._columns_of_codes(table, own, positions, labels)
        columns = {}
        for role, position in positions.items():
            column = table.column(position) if position not in codes else codes[position]
            if role in ID_ROLES:
                columns[role] = self._ids(column, labels[role])
            else:
                columns[role] = _column_of(column, labels[role])
        n_rows = table.num_rows
        del table, codes
        pyarrow().default_memory_pool().release_unused()  # else the pool keeps it for later tables
        return {**columns, **self._partition_columns(wanted, n_rows)}

    def _columns_of_codes(
        self, table: Any, own: Wanted, positions: Mapping[str, str], labels: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the text of columns of features whose numbers have leading zeros, as 007 has."""
        pa = pyarrow()
        roles = [
            role
            for role, position in positions.items()
            if role.startswith(FEATURE_ROLE) and pa.types.is_integer(table.column(position).type)
        ]
        if not roles:
            return {}
        chosen = {role: positions[role] for role in roles}
        texts = self._table({role: own[role] for role in roles}, chosen, labels, as_text=True)
        columns = {position: texts.column(position) for position in chosen.values()}
        return {at: column for at, column in columns.items() if not _is_canonical(column)}

    def _table(
        self,
        own: Wanted,
        positions: Mapping[str, str],
        labels: Mapping[str, str],
        as_text: bool = False,
    ) -> Any:
        pa = pyarrow()
        from pyarrow import csv as arrow_csv

        needs_text = {
            "value": self.options.thousands is not None,
            "time": self.options.date_format not in (None, "number", "excel", *UNIX_UNITS),
        }
        types = {
            position: pa.string()
            for role, position in positions.items()
            if as_text
            or role in ID_ROLES
            or role.startswith(TEXT_FEATURE_ROLE)
            or needs_text.get(role, False)
        }
        nulls = (*(DEFAULT_NULLS if self.options.default_nulls else ()), *self.options.null_values)
        source: Any = None
        try:
            source, separator, encoding = self._source()
            table = arrow_csv.read_csv(
                source,
                arrow_csv.ReadOptions(
                    column_names=[str(i) for i in range(self.n_columns)],
                    skip_rows=self._skipped,
                    skip_rows_after_names=int(self.options.has_header),
                    encoding=encoding,
                    block_size=_BLOCK,
                ),
                arrow_csv.ParseOptions(
                    delimiter=separator,
                    quote_char=self.options.quote or False,
                    escape_char=self.options.escape or False,
                    newlines_in_values=self._may_break_lines(),
                ),
                arrow_csv.ConvertOptions(
                    include_columns=list(dict.fromkeys(positions.values())),
                    column_types=types,
                    null_values=list(nulls),
                    strings_can_be_null=True,
                    decimal_point=self.options.decimal,
                ),
            )
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            self.file.check_unchanged()
            raise self._explained(error, own, labels) from None
        finally:
            if hasattr(source, "close"):
                source.close()
        self.file.check_unchanged()
        return table

    def _source(self) -> tuple[Any, str, str]:
        """Return what pyarrow reads: a stream (or path), its separator and its encoding."""
        encoding = {None: "utf8", "utf-8-sig": "utf8"}.get(self.encoding, self.encoding or "utf8")
        if len(self.separator) == 1:
            return self.file.path or self.file.open(), self.separator, encoding
        stream = self.file.open()
        if encoding != "utf8":
            stream = pyarrow().transcoding_input_stream(stream, encoding, "utf8")
        return _OneCharacter(stream, self.separator), _UNIT, "utf8"

    def _may_break_lines(self) -> bool:
        """Return whether quoted cells may hold line breaks; True where the file is not scanned."""
        if not self.options.quote:
            return False
        if self.file.path is None or self.encoding not in (None, "utf-8-sig"):
            return True
        mark = self.options.quote.encode()
        with open(self.file.path, "rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                if mark in block:
                    return True
        return False

    def _ids(self, column: Any, label: str) -> Column:
        """Return text as whole numbers, if every cell is written as a whole number is."""
        pa = pyarrow()
        compute = _compute()
        shown = next((cell for cell in column.slice(0, 1000).to_pylist() if cell is not None), None)
        if shown is not None and _WHOLE.fullmatch(shown):
            numbers = column
            if not _is_canonical(column):
                numbers = None
            elif "." in shown or not _casts(compute, column, pa.int64()):
                integer = r"^-?(0|[1-9][0-9]*)(\.0)?$"
                matches = compute.all(compute.match_substring_regex(column, integer)).as_py()
                numbers = compute.replace_substring_regex(column, r"\.0$", "") if matches else None
                if matches and _casts(compute, numbers, pa.int64()):
                    self._note(f"{label}: ids such as 1.0 are read as the whole number 1")
            for kind in (pa.int64(), pa.uint64()):
                if numbers is not None and _casts(compute, numbers, kind):
                    return _column_of(numbers.cast(kind), label)
        return _column_of(column, label)

    # ---- errors ------------------------------------------------------------------------------

    def _undecodable(self, error: UnicodeDecodeError) -> ValueError:
        encoding = self.encoding or "utf-8"
        return ValueError(
            f"{self.file.name} is not {encoding}: it cannot be decoded at byte {error.start}; pass "
            "encoding=, such as 'latin-1', 'cp1252' or 'utf-16'"
        )

    def _explained(self, error: Exception, own: Wanted, labels: Mapping[str, str]) -> Exception:
        """Return the error of pyarrow with the line, the value and a remedy."""
        if is_refusal(error):
            return error
        try:
            return self._found_in_text(own, labels) or unreadable(self.file.name, "csv", error)
        except UnicodeDecodeError as undecodable:
            return self._undecodable(undecodable)
        except (csv.Error, OSError, EOFError):
            return unreadable(self.file.name, "csv", error)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield all rows with the number of their last line, by Python's parser."""
        with self._text() as text:
            for _ in range(self._skipped):
                text.readline()
            counted = _Counted(text, self._skipped)
            rows = self._cells(counted)
            if self.options.has_header:
                next(rows, None)
            for row in rows:
                yield counted.line, row

    def _found_in_text(self, own: Wanted, labels: Mapping[str, str]) -> ValueError | None:
        """Return the first line that does not fit, in plain words."""
        for line, row in self.rows():
            if len(row) != self.n_columns:
                cells = "cell" if len(row) == 1 else "cells"
                return ValueError(
                    f"{self.file.name}, line {line} has {len(row)} {cells}, but the first line has "
                    f"{self.n_columns}: {_shown(self.separator.join(row))}. Correct the line, or "
                    f"pass separator= (it is {self.separator!r}) or quote="
                )
        return None

    def line_of(self, name: Any, text: str) -> int | None:
        """Return the line where a column first has this text."""
        if name in self.partitions:
            return None
        position = self._names.index(name)
        return self._line(lambda _, row: row[position : position + 1] == [text])

    def line_of_row(self, number: int) -> int | None:
        """Return the line of a row, counted from 0."""
        return self._line(lambda i, _: i == number)

    def _line(self, is_it: Callable[[int, list[str]], bool]) -> int | None:
        try:
            rows = enumerate(self.rows())
            return next((line for i, (line, row) in rows if is_it(i, row)), None)
        except (csv.Error, OSError, EOFError, UnicodeDecodeError):
            return None


def _cells_of(line: str) -> list[str]:
    """Return the cells of a line whatever its separator, for a hint."""
    return [cell.strip(' "') for cell in re.split(r"[,;\t|]", line.rstrip("\r\n"))]


def _is_below_titles(rows: list[list[str]], number: int) -> bool:
    """Return whether a row is the header of the rows below it, and the first row is a title.

    A title has another number of cells than the table, or empty ones. Without this rule a row of
    data that happens to hold the name of a column would pass for a header.
    """
    n_cells = Counter(map(len, rows[number + 1 :] or rows[number:])).most_common(1)[0][0]
    return len(rows[number]) == n_cells and (len(rows[0]) != n_cells or "" in rows[0])


def _encoding_by_mark(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def _shown(text: str) -> str:
    text = text.rstrip("\r\n")
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _compute() -> Any:
    import pyarrow.compute

    return pyarrow.compute


def _casts(compute: Any, column: Any, kind: Any) -> bool:
    try:
        compute.cast(column, kind)
    except pyarrow().ArrowInvalid:
        return False
    return True


def _is_canonical(column: Any) -> bool:
    """Return whether no text begins with an idle zero, as 007, 0x1F and -0 do."""
    for chunk in column.chunks:
        if not len(chunk):
            continue
        _, offsets, data = chunk.buffers()
        bounds = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        data = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        data = np.append(data[: bounds[-1]], np.zeros(2, np.uint8))
        lengths = np.diff(bounds)
        first, second = data[bounds[:-1]], data[bounds[:-1] + 1]
        idle = (first == ord("0")) & (lengths > 1) & (second != ord("."))
        idle |= (first == ord("-")) & (lengths > 1) & (second == ord("0"))
        if idle.any():
            return False
    return True


def _column_of(column: Any, label: str) -> Column:
    """Read a chunked array of pyarrow."""
    pa = pyarrow()
    if pa.types.is_binary(column.type):
        raise ValueError(f"{label} is not UTF-8: pass encoding=, such as 'latin-1' or 'cp1252'")
    if pa.types.is_time(column.type):
        raise TypeError(
            f"{label} holds times of day such as {column[0].as_py()}, without a date: join date "
            "and time in one column"
        )
    stream = pa.table([column], names=["column"]).__arrow_c_stream__()
    return concat(read_stream(stream, ["column"], [label]))


class _Counted:
    """Lines of a text, counted."""

    def __init__(self, text: io.TextIOBase, line: int) -> None:
        self._text = text
        self.line = line

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self.line += 1
            yield line


class _Raw(io.RawIOBase):
    """A readable object, such as a stream of pyarrow, as a raw stream of Python."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        super().close()
        self._stream.close()


class _OneCharacter(io.RawIOBase):
    """UTF-8 text whose separators of several characters are replaced by one that nobody uses."""

    def __init__(self, stream: Any, separator: str) -> None:
        self._stream = stream
        self._separator = separator.encode()
        self._is_whitespace = separator == "whitespace"
        self._rest = b""
        self._ready = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        super().close()
        self._stream.close()

    def _fill(self) -> None:
        block = self._stream.read(_BLOCK)
        if _UNIT.encode() in block:
            raise ValueError(
                f"the file holds the character {_UNIT!r}, which must stand for the separator of "
                "several characters: replace it"
            )
        text = self._rest + block
        if not block:
            self._rest, complete = b"", text
        elif self._is_whitespace:
            end = text.rfind(b"\n") + 1
            complete, self._rest = text[:end], text[end:]
        else:  # a separator may go over the end of the block
            end = len(text) - len(self._separator) + 1
            position = text.rfind(self._separator)
            end = max(end, position + len(self._separator)) if position >= 0 else max(end, 0)
            complete, self._rest = text[:end], text[end:]
        if self._is_whitespace:
            complete = re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", complete)
            self._ready += re.sub(rb"[ \t]+", _UNIT.encode(), complete)
        else:
            self._ready += complete.replace(self._separator, _UNIT.encode())
        self._is_done = not block

    def readinto(self, buffer: Any) -> int:
        self._is_done = False
        while not self._ready and not self._is_done:
            self._fill()
        data, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)
