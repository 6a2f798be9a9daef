"""What a caller can say about the format of a table: `ReadOptions`."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...base.validation import as_bool, as_choice, as_int, suggest

__all__ = ["FORMATS", "ReadOptions"]

FORMATS = ("parquet", "csv", "json", "excel", "arrow")


@dataclass(frozen=True)
class ReadOptions:
    """How files, text cells and connections are read; the fields are those of `from_table`.

    Parameters
    ----------
    format : str, optional
        One of "parquet", "csv", "json", "excel", "arrow"; default: by name, then by content.
    separator, decimal, thousands, quote, escape : str or None
        Marks of text files.
    encoding : str, optional
        Encoding of text files; default: by the byte order mark, else UTF-8.
    skip_rows : int
        Lines before the header.
    header : bool, optional
        Whether the first line holds the names; default: unless ``names`` is given.
    names : sequence of str, optional
        Names of the columns of text files.
    date_format : str, optional
        Format of dates in text, "s", "ms", "us", "ns" (since 1970), "excel" or "number".
    null_values : sequence of str
        Words for missing values, in addition to the usual ones.
    default_nulls : bool
        Whether the usual words for missing values count.
    sheet : str, int or sequence of these, optional
        Sheets of a workbook.
    member : str, optional
        File in a zip archive.
    query : str or clause of SQLAlchemy, optional
        SQL text for a connection.
    storage_options : mapping, optional
        Options of the file system of a URL.
    """

    format: str | None = None
    separator: str | None = None
    decimal: str = "."
    thousands: str | None = None
    quote: str | None = '"'
    escape: str | None = None
    encoding: str | None = None
    skip_rows: int = 0
    header: bool | None = None
    names: Sequence[str] | None = None
    date_format: str | None = None
    null_values: Sequence[str] = ()
    default_nulls: bool = True
    sheet: Any = None
    member: str | None = None
    query: Any = None
    storage_options: Mapping[str, Any] | None = field(default=None)

    def __post_init__(self) -> None:
        if self.format is not None:
            as_choice(self.format, "format", FORMATS)
        _check_mark(self.decimal, "decimal")
        _check_mark(self.thousands, "thousands")
        for name in ("quote", "escape"):
            _check_mark(getattr(self, name) or None, name)
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal must differ, both are {self.decimal!r}")
        _check_text(self.separator, "separator")
        texts = ["encoding", "date_format", "member"]
        if not is_clause(self.query):
            texts.append("query")
        for name in texts:
            _check_text(getattr(self, name), name)
        if self.separator in ("\n", "\r", "\r\n"):
            raise ValueError("separator must stand within a line, got a line break")
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise ValueError(
                    f"encoding={self.encoding!r} is unknown: use a name such as 'utf-8', "
                    "'latin-1', 'cp1252' or 'utf-16'"
                ) from None
        as_int(self.skip_rows, "skip_rows", minimum=0)
        as_bool(self.default_nulls, "default_nulls")
        if self.header is not None:
            as_bool(self.header, "header")
        object.__setattr__(self, "names", _as_words(self.names, "names"))
        object.__setattr__(self, "null_values", _as_words(self.null_values, "null_values") or ())

    @classmethod
    def names_of_fields(cls) -> list[str]:
        """Return the names of all options."""
        return [one.name for one in dataclasses.fields(cls)]

    @classmethod
    def of(cls, given: Mapping[str, Any], known: Sequence[str] = ()) -> ReadOptions:
        """Return options out of keyword arguments.

        Parameters
        ----------
        given : mapping of str to object
            Names and values of options.
        known : sequence of str
            All names that the caller could have given, for the message.

        Returns
        -------
        ReadOptions
            With the defaults of the options that are not given.

        Raises
        ------
        TypeError
            For a name that is no option.
        """
        names = cls.names_of_fields()
        for name in given:
            if name not in names:
                hint = suggest(name, known or names)
                raise TypeError(f"there is no argument {name!r}{hint}")
        return cls(**given)

    @property
    def has_header(self) -> bool:
        """Whether the first line that is not skipped holds names."""
        return self.names is None if self.header is None else self.header

    def replaced(self, **changes: Any) -> ReadOptions:
        """Return the same options with some of them changed."""
        return dataclasses.replace(self, **changes)


def _check_text(value: Any, name: str) -> None:
    if value is not None and (not isinstance(value, str) or not value):
        raise TypeError(f"{name} must be a text of at least one character, got {value!r}")


def is_clause(query: Any) -> bool:
    """Return whether a query is made by SQLAlchemy, such as by text() or select()."""
    return any(cls.__module__.startswith("sqlalchemy") for cls in type(query).__mro__)


def _check_mark(value: Any, name: str) -> None:
    if value is None:
        return
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in "\r\n":
        if name == "thousands" and isinstance(value, str) and len(value) == 1:
            return  # such as a narrow no-break space
        raise ValueError(f"{name} must be one character, got {value!r}")


def _as_words(values: Any, name: str) -> tuple[str, ...] | None:
    if values is None:
        return None
    if isinstance(values, (str, bytes)) or not all(isinstance(word, str) for word in values):
        raise TypeError(f"{name} must be a list of texts, such as ['a', 'b'], got {values!r}")
    return tuple(values)
