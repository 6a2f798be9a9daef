"""Table files written in pieces, which replace older ones only when they are complete."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from ..base.persistence import replacing

__all__ = ["TableWriter", "output_format"]

_OUTPUTS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".feather": "feather",
    ".arrow": "feather",
}


def output_format(path: Path, name: str) -> str:
    """Return the format that a suffix names; ``name`` is the argument's, for the message."""
    try:
        return _OUTPUTS[path.suffix.lower()]
    except KeyError:
        raise ValueError(
            f"{name}: cannot tell the format of '{path}' from its name: "
            f"end it with one of {', '.join(_OUTPUTS)}"
        ) from None


class TableWriter:
    """Write tables to one file that appears, or replaces an older one, only when it is complete.

    Parameters
    ----------
    path : Path
        The target; its suffix names the format.
    schema : pyarrow.Schema
        Of every table written.

    Notes
    -----
    Memory is that of the tables handed in: a Parquet row group or Arrow batch is on disk when
    `write` returns.

    Examples
    --------
    >>> with TableWriter(Path("recs.parquet"), table.schema) as out:  # doctest: +SKIP
    ...     out.write(table)
    """

    def __init__(self, path: Path, schema: Any) -> None:
        self.path = path
        self.schema = schema
        self.rows = 0
        self._open = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> TableWriter:
        kind = output_format(self.path, "path")
        with ExitStack() as stack:
            file = stack.enter_context(replacing(self.path))
            if kind == "parquet":
                import pyarrow.parquet as pq

                writer: Any = pq.ParquetWriter(file, self.schema, compression="zstd")
            elif kind == "csv":
                from pyarrow import csv

                writer = csv.CSVWriter(file, self.schema)
            else:
                from pyarrow import ipc

                writer = ipc.new_file(file, self.schema)
            self._writer = stack.enter_context(writer)
            self._open = stack.pop_all()
        return self

    def write(self, table: Any) -> None:
        """Append a table of the announced schema.

        Parameters
        ----------
        table : pyarrow.Table
            The rows; an empty table is allowed.
        """
        if table.num_rows:
            self._writer.write_table(table)
            self.rows += table.num_rows

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)
