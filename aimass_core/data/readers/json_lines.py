"""JSON: one object a line, one array of objects, or one object of columns (pandas' default)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .._arrow import read_stream
from .._column import Column
from .._convert import from_objects
from .files import File, pyarrow, unreadable
from .options import ReadOptions
from .protocol import Reader, Wanted

__all__ = ["JsonReader"]

# What pandas writes by orient="columns" (its default), and by the others that are no list of rows.
_BY_COLUMN = re.compile(rb'\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\{\s*"0"\s*:')
_BY_ROW = re.compile(rb'\{\s*"0"\s*:\s*\{|\{\s*"(?:columns|schema|index)"\s*:\s*[\[{]')
_BLOCK = 1 << 24  # bytes parsed at once; no object may be larger


class JsonReader(Reader):
    """One JSON file; members of nested objects are columns such as ``user.id``.

    Parameters
    ----------
    file : File
    options : ReadOptions
    notes : list of str
    """

    def __init__(self, file: File, options: ReadOptions, notes: list[str]) -> None:
        super().__init__(f"file {file.name}", options, notes, file.partitions)
        self.file = file
        self._arrow: Any = None
        self._columns: dict[str, list[Any]] = {}
        head = file.head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if head.startswith(b"["):
            self._read_array()
        elif _BY_COLUMN.match(head):
            self._read_columns()
        elif _BY_ROW.match(head):
            raise ValueError(
                f"{file.name} holds neither a list of objects nor one object a line: write it by "
                "to_json(path, orient='records', lines=True)"
            )
        else:
            self._read_lines()
        file.check_unchanged()

    def _read_lines(self) -> None:
        pa = pyarrow()
        from pyarrow import json as arrow_json

        try:
            with self.file.open() as stream:
                table = arrow_json.read_json(stream, arrow_json.ReadOptions(block_size=_BLOCK))
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise self._explained(error) from None
        while any(pa.types.is_struct(kind) for kind in table.schema.types):
            table = table.flatten()
        self._arrow = table

    def _loaded(self) -> Any:
        """Return the content of the file, parsed as one value."""
        with self.file.open() as stream:
            try:
                return json.loads(stream.read())
            except ValueError as error:
                raise ValueError(f"{self.file.name} cannot be read as json: {error}") from None

    def _read_columns(self) -> None:
        columns = self._loaded()
        rows = list(next(iter(columns.values())))
        for name, cells in columns.items():
            if not isinstance(cells, dict) or list(cells) != rows:
                raise ValueError(
                    f"{self.file.name} is an object of columns, but {name!r} has other rows than "
                    "the first column"
                )
            self._columns[name] = list(cells.values())

    def _read_array(self) -> None:
        objects = self._loaded()
        for number, one in enumerate(objects):
            if not isinstance(one, dict):
                raise ValueError(f"{self.file.name}: element {number} of the array is no object")
            for name, value in _flat(one).items():
                column = self._columns.setdefault(name, [None] * number)
                column += [None] * (number - len(column))
                column.append(value)
        for column in self._columns.values():
            column += [None] * (len(objects) - len(column))

    def _explained(self, error: Exception) -> Exception:
        """Return the error of pyarrow with the number of the line, where a line is no object."""
        kinds: dict[str, tuple[type, int]] = {}
        with self.file.open() as stream:
            lines = (stream.read()).splitlines()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                one = json.loads(line)
            except ValueError as reason:
                return ValueError(f"{self.file.name}, line {number} is no JSON: {reason}")
            if not isinstance(one, dict):
                return ValueError(f"{self.file.name}, line {number} is no JSON object")
            for name, value in _flat(one).items():
                kind = float if isinstance(value, int) and value is not True else type(value)
                known, first = kinds.setdefault(name, (kind, number))
                if value is not None and known is type(None):
                    kinds[name] = kind, number
                elif value is not None and kind is not known:
                    return ValueError(
                        f"{self.file.name}, line {number}: {name} is {value!r}, but in line "
                        f"{first} it is of type {known.__name__}: make it one type"
                    )
        return unreadable(self.file.name, "json", error)

    def names(self) -> list[Any]:
        """Return the names of the members."""
        own = list(self._columns) if self._arrow is None else list(self._arrow.column_names)
        return [*own, *self.partitions]

    def where_else(self, name: Any) -> str:
        """Return how a file is written that pandas wrote as one object of columns."""
        by_row = re.compile(re.escape(str(name)) + r"\.-?\d+")
        if any(by_row.fullmatch(str(column)) for column in self.names()):
            return "; if pandas wrote it, use to_json(path, orient='records', lines=True)"
        return ""

    def read(self, wanted: Wanted, labels: Mapping[str, str]) -> dict[str, Column]:
        """Return the wanted columns."""
        own = {role: name for role, name in wanted.items() if name not in self.partitions}
        if self._arrow is None:
            columns = {r: from_objects(self._columns[name], labels[r]) for r, name in own.items()}
            n_rows = len(next(iter(self._columns.values()), ()))
        else:
            columns = {}
            for role, name in own.items():
                stream = self._arrow.select([name]).__arrow_c_stream__()
                columns[role] = read_stream(stream, [name], [labels[role]])[0]
            n_rows = self._arrow.num_rows
        return {**columns, **self._partition_columns(wanted, n_rows)}


def _flat(one: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return members of nested objects under names such as ``user.id``."""
    flat: dict[str, Any] = {}
    for name, value in one.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat
