"""Where lists are written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import check_output

if TYPE_CHECKING:
    import pyarrow as pa

    from ..data._table_writer import TableWriter
    from .options import OptionalOutputOptions, OutputOptions

__all__ = ["Output", "append_texts", "lists_table"]


class Output:
    """The output of one run of the command.

    Parameters
    ----------
    options : OutputOptions
        Path and format.
    others : list of Path
        Files of the same call, which must not be overwritten.
    table : str
        Name of the table in a database, where ``--out-table`` is not given.

    Raises
    ------
    ValueError, OSError
        For an output that cannot be written; nothing is written here yet.
    """

    def __init__(
        self, options: OutputOptions | OptionalOutputOptions, others: list[Path], table: str
    ) -> None:
        self.path = Path(str(options.out))
        self._format = options.out_format
        self._table = options.out_table or table
        check_output(self.path, "--out", others, self._format)

    def writer(self, schema: pa.Schema) -> TableWriter:
        """Return a writer of tables, to be used in a ``with`` statement.

        Parameters
        ----------
        schema : pyarrow.Schema
            Of the tables.

        Returns
        -------
        TableWriter
        """
        from ..data._table_writer import TableWriter

        return TableWriter(self.path, schema, format=self._format, table=self._table)

    def __str__(self) -> str:
        return "standard output" if str(self.path) == "-" else str(self.path)


def lists_table(lists: Any, schema: pa.Schema) -> pa.Table:
    """Return lists as a table: two columns of ids, rank and score.

    Parameters
    ----------
    lists : TopK or UserLists
        The lists.
    schema : pyarrow.Schema
        Names and types of the four columns.

    Returns
    -------
    pyarrow.Table
    """
    import pyarrow as pa

    columns = lists.columns().values()
    arrays = [pa.array(v).cast(field.type) for v, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def append_texts(table: pa.Table, columns: dict[str, list[str | None]]) -> pa.Table:
    """Return a table with further columns of text.

    Parameters
    ----------
    table : pyarrow.Table
        The table.
    columns : dict of str to list
        One text for each row.

    Returns
    -------
    pyarrow.Table
    """
    import pyarrow as pa

    for name, texts in columns.items():
        table = table.append_column(name, pa.array(texts, pa.string()))
    return table
