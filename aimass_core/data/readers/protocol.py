"""What every reader of a table offers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from .._column import Column
from .options import ReadOptions

__all__ = [
    "FEATURE_ROLE",
    "ID_ROLES",
    "TEXT_FEATURE_ROLE",
    "Reader",
    "Wanted",
    "unnamed_index_of",
]

Wanted: TypeAlias = Mapping[str, Any]
"""Role of a column ("user", "item", "value", ...) to its name."""

ID_ROLES = frozenset({"user", "item", "event", "label", "context", "column", "order"})
"""Roles of columns that name things; all others hold quantities or times."""

FEATURE_ROLE = "feature"
"""What the roles of columns begin with whose cells may be lists."""

TEXT_FEATURE_ROLE = f"{FEATURE_ROLE} of text"
"""What the roles of such columns begin with that a text file holds as text, numbers included."""


def unnamed_index_of(schema: Any) -> list[str]:
    """Return the columns of an Arrow schema that hold an index of pandas without a name.

    Parameters
    ----------
    schema : pyarrow.Schema
        Its metadata say what pandas wrote as an index.

    Returns
    -------
    list of str
        Such as "__index_level_0__", the row numbers of a table that was filtered before it was
        written. Empty where pandas did not write the table.
    """
    metadata = getattr(schema, "metadata", None)
    if not isinstance(metadata, Mapping) or b"pandas" not in metadata:
        return []
    try:
        written = json.loads(metadata[b"pandas"])["index_columns"]
    except (ValueError, KeyError, TypeError):  # written by something else
        return []
    return [
        name
        for name in written
        if isinstance(name, str) and re.fullmatch(r"__index_level_\d+__", name)
    ]


class Reader:
    """One table: its columns' names, and the columns that are wanted.

    Parameters
    ----------
    source : str
        What it reads, for messages.
    options : ReadOptions
    notes : list of str
        What was recognised, not given, is appended.
    partitions : mapping, optional
        Constant columns, from names of folders.
    """

    is_text = False  # whether ids come as text that stands for numbers
    uses: frozenset[str] = frozenset()  # options by which it finds rows and columns

    def __init__(
        self,
        source: str,
        options: ReadOptions,
        notes: list[str],
        partitions: Mapping[str, str | None] | None = None,
    ) -> None:
        self.source = source
        self.options = options
        self.notes = notes
        self.partitions = dict(partitions or {})

    def names(self) -> list[Any]:
        """Return the names of all columns, repeated ones included."""
        raise NotImplementedError

    def unnamed_index(self) -> list[str]:
        """Return the columns that hold an index of pandas without a name, which is no data."""
        return []

    def where_else(self, name: Any) -> str:
        """Return where a missing column may be found and how it is reached, or ""."""
        return ""

    def read(self, wanted: Wanted, labels: Mapping[str, str]) -> dict[str, Column]:
        """Return the wanted columns by role; ``labels`` name them in messages."""
        raise NotImplementedError

    def line_of(self, name: Any, text: str) -> int | None:
        """Return the line of a text file where a column first has this text."""
        return None

    def line_of_row(self, number: int) -> int | None:
        """Return the line of a row of a text file, counted from 0."""
        return None

    def _note(self, note: str) -> None:
        note = f"{self.source}: {note}"
        if note not in self.notes:
            self.notes.append(note)

    def _partition_columns(self, wanted: Wanted, n_rows: int) -> dict[str, Column]:
        """Return constant columns that the names of folders hold, as text."""
        columns = {}
        for role, name in wanted.items():
            if name not in self.partitions:
                continue
            text = self.partitions[name]
            if text is None:
                null = np.ones(n_rows, dtype=bool)
                columns[role] = Column("null", np.zeros(n_rows, dtype=np.int64), null=null)
                continue
            codes = np.zeros(n_rows, dtype=np.int32)
            data = np.frombuffer(text.encode(), dtype=np.uint8)
            columns[role] = Column("str", data, np.array([0, len(data)]), codes)
        return columns
