"""Results of databases: DB-API cursors, and connections of DB-API, ADBC, SQLAlchemy and DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...base.optional import import_optional
from .._arrow import read_stream
from .._column import Column, concat
from .._convert import from_objects
from .files import is_url
from .frames import library_of
from .options import ReadOptions
from .protocol import Reader, Wanted

__all__ = ["ResultReader", "is_database", "run_query"]

_ROWS = 1 << 16  # fetched at once


def is_database(source: Any) -> bool:
    """Return whether a source is a connection, an engine or a cursor."""
    return any(
        callable(getattr(source, name, None)) for name in ("cursor", "fetchmany", "exec_driver_sql")
    ) or (library_of(source) == "sqlalchemy" and hasattr(source, "connect"))


def run_query(source: Any, options: ReadOptions) -> Any:
    """Return the result of ``options.query`` on a connection, or a cursor as it is."""
    query = options.query
    if callable(getattr(source, "fetchmany", None)) and library_of(source) not in _DUCKDB:
        if query is not None:
            source.execute(query)
        return source
    if query is None:
        if library_of(source) in _DUCKDB and getattr(source, "description", None):
            return source
        raise ValueError(
            f"a connection of type {type(source).__name__} needs a query: pass query='SELECT ...'"
        )
    if library_of(source) in _DUCKDB:
        return source.execute(query)
    if library_of(source) == "sqlalchemy":
        sqlalchemy = import_optional("sqlalchemy")
        connection = source.connect() if hasattr(source, "connect") else source
        return connection.execute(sqlalchemy.text(query))
    cursor = source.cursor()
    cursor.execute(query)
    return cursor


def run_query_on_url(url: str, options: ReadOptions) -> Any:
    """Return the result of a query on a database that SQLAlchemy connects to."""
    assert is_url(url)
    return run_query(import_optional("sqlalchemy").create_engine(url), options)


_DUCKDB = ("duckdb", "_duckdb")


class ResultReader(Reader):
    """The rows that a query gave; they can be read once.

    Parameters
    ----------
    result : object
        A cursor of DB-API or ADBC, or a result of SQLAlchemy or DuckDB.
    options : ReadOptions
    notes : list of str
    """

    def __init__(self, result: Any, options: ReadOptions, notes: list[str]) -> None:
        super().__init__("the query's result", options, notes)
        self.result = result
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
        for method in ("fetch_record_batch", "to_arrow_reader", "fetch_arrow_table"):
            if callable(getattr(self.result, method, None)):  # ADBC, DuckDB and other drivers
                stream = getattr(self.result, method)().__arrow_c_stream__()
                names = [self._names[self._names.index(name)] for name in wanted.values()]
                columns = read_stream(stream, names, list(labels.values()))
                return dict(zip(wanted, columns, strict=True))
        positions = {role: self._names.index(name) for role, name in wanted.items()}
        chunks: dict[str, list[Column]] = {role: [] for role in wanted}
        while True:
            rows = self.result.fetchmany(_ROWS)
            cells = list(zip(*rows, strict=True)) or [()] * len(self._names)
            for role, position in positions.items():
                chunks[role].append(from_objects(cells[position], labels[role]))
            if not rows:
                break
        return {role: concat(parts) for role, parts in chunks.items()}
