"""Databases: cursors, connections (DB-API, ADBC, SQLAlchemy, DuckDB) and files (SQLite, DuckDB)."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...base.optional import import_optional
from .._arrow import errors_of_source, read_stream
from .._column import Column, concat
from .._convert import from_objects
from .frames import library_of
from .options import ReadOptions, is_clause
from .protocol import Reader, Wanted

__all__ = ["ResultReader", "database_kind", "is_database", "open_database", "open_result"]

_ROWS = 1 << 16  # fetched at once
_RESULT_ROWS = "the rows of the query"  # for messages


def is_database(source: Any) -> bool:
    """Return whether a source is a connection, an engine or a cursor."""
    return (
        any(
            callable(getattr(source, name, None))
            for name in ("cursor", "fetchmany", "exec_driver_sql")
        )
        or (library_of(source) == "sqlalchemy" and hasattr(source, "connect"))
        or _is_session(source)
    )


def _is_session(source: Any) -> bool:
    """Return whether a source is a session of SQLAlchemy's ORM, or of a library on top of it."""
    modules = [cls.__module__ for cls in type(source).__mro__]
    is_of_orm = any(module.startswith("sqlalchemy.orm") for module in modules)
    return is_of_orm and callable(getattr(source, "execute", None))


def open_result(source: Any, options: ReadOptions, notes: list[str]) -> Reader:
    """Return a reader of a cursor, or of ``options.query`` on a connection, an engine or a URL.

    Parameters
    ----------
    source : object or str
        A cursor, connection or engine; or the URL of a database that SQLAlchemy connects to.
    options : ReadOptions
    notes : list of str
        Passed to the reader.

    Returns
    -------
    Reader
        It closes after reading what was opened here: cursors, connections, engines.

    Raises
    ------
    ValueError
        For a connection without a query, or a cursor without a result.
    """
    query = options.query
    opened = contextlib.ExitStack()
    if isinstance(source, str):
        source = _engine(source)
        opened.callback(source.dispose)
    with opened:  # closed where anything below raises
        result = _result(source, query, opened)
        return ResultReader(result, options, notes, opened.pop_all())


def _engine(url: str) -> Any:
    """Return the engine of SQLAlchemy for a URL."""
    sqlalchemy = import_optional("sqlalchemy")
    try:
        return sqlalchemy.create_engine(url)
    except (ImportError, sqlalchemy.exc.ArgumentError) as error:
        kind = url.partition("://")[0]
        raise ValueError(
            f"SQLAlchemy cannot open {kind}:// ({error}): install its driver, or pass a connection"
        ) from None


# ---- files of databases --------------------------------------------------------------------------

_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    "duckdb": "SELECT table_name FROM information_schema.tables ORDER BY table_name",
}


def database_kind(path: Any) -> str | None:
    """Return "sqlite" or "duckdb" for the path of a database file, None for any other source."""
    path = os.path.expanduser(path)
    if isinstance(path, bytes) or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        head = file.read(16)
    if head == b"SQLite format 3\0":
        return "sqlite"
    return "duckdb" if head[8:12] == b"DUCK" else None


def open_database(path: Any, kind: str, options: ReadOptions, notes: list[str]) -> Reader:
    """Return a reader of ``options.query``, or of the only table, of a database file.

    Parameters
    ----------
    path : path
        Of the file, which is opened for reading only.
    kind : {"sqlite", "duckdb"}
        Its format.
    options : ReadOptions
    notes : list of str
        The name of the table is appended where there is no query.

    Returns
    -------
    Reader
        It closes the file after reading.

    Raises
    ------
    ValueError
        Without a query, for a file of several tables or none; for SQL that fails.
    ImportError
        For a file of DuckDB where duckdb is not installed.
    """
    path = Path(os.path.expanduser(path)).absolute()
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    with contextlib.ExitStack() as opened:
        connection = _connected(path, kind)
        opened.callback(connection.close)
        query = options.query
        if query is None:
            tables = [row[0] for row in _executed(connection, _TABLES[kind]).fetchall()]
            if len(tables) != 1:
                shown = ", ".join(map(repr, tables[:20])) + ", ..." * (len(tables) > 20)
                raise ValueError(
                    f"{path.name} holds {len(tables)} tables ({shown}): choose one by "
                    f"query='SELECT * FROM {_quoted(tables[0])}'"
                    if tables
                    else f"{path.name} holds no table"
                )
            notes.append(f"file {path.name}: read the table {tables[0]!r}, the only one")
            query = f"SELECT * FROM {_quoted(tables[0])}"
        result = _executed(connection, query)
        return ResultReader(result, options, notes, opened.pop_all())


def _quoted(name: str) -> str:
    """Return the name of a table in the quotation marks of SQL."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _connected(path: Path, kind: str) -> Any:
    """Open the file of a database for reading."""
    if kind == "sqlite":
        import sqlite3

        return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    duckdb = import_optional("duckdb", "reading a DuckDB file")
    try:
        return duckdb.connect(str(path), read_only=True)
    except duckdb.Error as error:
        raise ValueError(f"{path.name} cannot be opened: {error}") from None


def _described(source: Any) -> str:
    return f"a {type(source).__name__} of {library_of(source).removeprefix('_')}"


def _executed(source: Any, query: Any) -> Any:
    """Run a query on a connection or cursor; errors of the driver are those of the query."""
    if is_clause(query) and not (library_of(source) == "sqlalchemy" or _is_session(source)):
        raise TypeError(
            f"query= is a clause of SQLAlchemy, which {_described(source)} cannot run: pass the "
            "SQL as a string, or an engine, a connection or a URL of SQLAlchemy as the table"
        )
    try:
        return source.execute(query)
    except (MemoryError, OSError):
        raise
    except Exception as error:
        word = str(query).strip()
        hint = f": write 'SELECT * FROM {word}'" if re.fullmatch(r"\w+", word) else ""
        raise ValueError(f"the query cannot be run: {error}{hint}") from error


# ---- results -------------------------------------------------------------------------------------


def _result(source: Any, query: Any, opened: contextlib.ExitStack) -> Any:
    library = library_of(source)
    if library in _DUCKDB:
        if query is not None:
            return _executed(source, query)
        if getattr(source, "description", None):
            return source
    elif callable(getattr(source, "fetchmany", None)):
        if query is not None:
            _executed(source, query)
        return source
    if query is None:
        raise ValueError(
            f"a connection of type {type(source).__name__} needs a query: pass query='SELECT ...'"
        )
    if library == "sqlalchemy" or _is_session(source):
        if hasattr(source, "connect"):
            source = opened.enter_context(source.connect())
        is_text = isinstance(query, str)
        return _executed(source, import_optional("sqlalchemy").text(query) if is_text else query)
    cursor = _cursor(source)
    opened.callback(cursor.close)
    _executed(cursor, query)
    return cursor


def _cursor(connection: Any) -> Any:
    """Return a cursor; errors of the driver, such as of a closed connection, are ValueErrors."""
    try:
        return connection.cursor()
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise ValueError(f"the connection cannot be used: {error}") from error


_DUCKDB = ("duckdb", "_duckdb")


class ResultReader(Reader):
    """The rows that a query gave; they can be read once.

    Parameters
    ----------
    result : object
        A cursor of DB-API or ADBC, or a result of SQLAlchemy or DuckDB.
    options : ReadOptions
    notes : list of str
    opened : ExitStack, optional
        What is closed after reading.
    """

    uses = frozenset({"query"})

    def __init__(
        self,
        result: Any,
        options: ReadOptions,
        notes: list[str],
        opened: contextlib.ExitStack | None = None,
    ) -> None:
        super().__init__("the query's result", options, notes)
        self.result = result
        self._opened = opened or contextlib.ExitStack()
        if self._description() is None:
            raise ValueError("the cursor holds no result: execute a SELECT first, or pass query=")
        self._names = [column[0] for column in self._description()]

    def _description(self) -> Any:
        result = self.result
        if getattr(result, "description", None) is not None:
            return result.description
        if hasattr(result, "keys") and callable(result.keys):  # SQLAlchemy
            return [(name,) for name in result.keys()]  # noqa: SIM118 - not a mapping
        return None

    def names(self) -> list[Any]:
        """Return the names of the columns."""
        return list(self._names)

    def read(self, wanted: Wanted, labels: Mapping[str, str]) -> dict[str, Column]:
        """Fetch all rows and return the wanted columns."""
        with self._opened, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Arrow output on a DB-API result")  # of DuckDB
            return self._read(wanted, labels)

    def _read(self, wanted: Wanted, labels: Mapping[str, str]) -> dict[str, Column]:
        for method in ("to_arrow_reader", "fetch_record_batch", "fetch_arrow_table"):
            if callable(getattr(self.result, method, None)):  # ADBC, DuckDB and other drivers
                with errors_of_source(_RESULT_ROWS):
                    stream = getattr(self.result, method)().__arrow_c_stream__()
                columns = read_stream(
                    stream, list(wanted.values()), list(labels.values()), _RESULT_ROWS
                )
                return dict(zip(wanted, columns, strict=True))
        positions = {role: self._names.index(name) for role, name in wanted.items()}
        chunks: dict[str, list[Column]] = {role: [] for role in wanted}
        while True:
            rows = self._fetched()
            cells = list(zip(*rows, strict=True)) or [()] * len(self._names)
            for role, position in positions.items():
                chunks[role].append(from_objects(cells[position], labels[role]))
            if not rows:
                break
        return {role: concat(parts) for role, parts in chunks.items()}

    def _fetched(self) -> Any:
        try:
            return self.result.fetchmany(_ROWS)
        except Exception as error:
            # The base class of all errors of a driver is called Error (PEP 249).
            if not any(cls.__name__ == "Error" for cls in type(error).__mro__):
                raise
            raise ValueError(f"{_RESULT_ROWS} cannot be read: {error}") from error
