"""Parquet files and Arrow IPC (Feather) files, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._arrow import read_array
from .._column import Column, concat
from .files import File, pyarrow, unreadable
from .options import ReadOptions
from .protocol import Reader, Wanted, unnamed_index_of

__all__ = ["ArrowFileReader", "ParquetReader", "parquet_batches", "parquet_schema"]

_ROWS = 1 << 20


class _BatchReader(Reader):
    """A file of typed columns that yields record batches."""

    kind: str

    def __init__(self, file: File, options: ReadOptions, notes: list[str]) -> None:
        super().__init__(f"file {file.name}", options, notes, file.partitions)
        self.file = file
        pa = pyarrow()
        try:
            self.schema = self._read_schema()
        except (pa.ArrowException, OSError) as error:
            raise unreadable(file.name, self.kind, error) from None

    def _read_schema(self) -> Any:
        raise NotImplementedError

    def _batches(self, names: list[str]) -> Iterator[Any]:
        raise NotImplementedError

    def names(self) -> list[Any]:
        """Return the names of the columns, and of those that folders are named after."""
        own = list(self.schema.names)
        return [*own, *(name for name in self.partitions if name not in own)]

    def unnamed_index(self) -> list[str]:
        """Return the columns that hold an index of pandas without a name."""
        return unnamed_index_of(self.schema)

    def read(self, wanted: Wanted, labels: Mapping[str, str]) -> dict[str, Column]:
        """Read the wanted columns."""
        pa = pyarrow()
        own = {role: name for role, name in wanted.items() if name in self.schema.names}
        names = list(dict.fromkeys(own.values()))
        chunks: dict[str, list[Column]] = {role: [] for role in own}
        n_rows = 0
        try:
            for batch in self._batches(names):
                n_rows += batch.num_rows
                for role, name in own.items():
                    chunks[role].append(read_array(batch.column(name), labels[role]))
        except (pa.ArrowException, OSError) as error:
            self.file.check_unchanged()
            raise unreadable(self.file.name, self.kind, error) from None
        self.file.check_unchanged()
        columns = {role: concat(chunks.pop(role)) for role in own}  # frees the chunks one by one
        pa.default_memory_pool().release_unused()  # else the pool keeps it for later tables
        others = {role: name for role, name in wanted.items() if role not in own}
        return {**columns, **self._partition_columns(others, n_rows)}


class ParquetReader(_BatchReader):
    """One Parquet file; strings come as dictionaries, which is how Parquet stores them.

    Parameters
    ----------
    file : File
    options : ReadOptions
    notes : list of str
    """

    kind = "parquet"

    def _read_schema(self) -> Any:
        import pyarrow.parquet as pq

        with self.file.open_for_arrow() as source:
            return pq.read_schema(source)

    def _batches(self, names: list[str]) -> Iterator[Any]:
        with self.file.open_for_arrow() as source:
            yield from parquet_batches(source, names, schema=self.schema)


def parquet_schema(path: Any) -> tuple[Any, int]:
    """Return the schema of a Parquet file and its number of rows.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    schema : pyarrow.Schema
    n_rows : int

    Raises
    ------
    ValueError
        For a file that is not Parquet, or damaged.
    OSError
        For a file that does not exist or cannot be opened.
    """
    pa = pyarrow()
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(str(path), "parquet", error) from None
    return metadata.schema.to_arrow_schema(), metadata.num_rows


def parquet_batches(
    source: Any,
    names: list[str],
    *,
    schema: Any = None,
    batch_rows: int = _ROWS,
    read_ahead: bool = True,
) -> Iterator[Any]:
    """Yield record batches of some columns of a Parquet file, and an empty one at the end.

    Parameters
    ----------
    source : path or file
        As pyarrow takes it.
    names : list of str
        Columns to read.
    schema : pyarrow.Schema, optional
        Of the file, where it is known already.
    batch_rows : int
        Rows of a batch.
    read_ahead : bool, default=True
        Read columns in advance, in threads of pyarrow. Without, memory is that of few batches.

    Yields
    ------
    pyarrow.RecordBatch
        The last one is empty, so that the types of an empty file are known.
    """
    pa = pyarrow()
    import pyarrow.parquet as pq

    if schema is None:
        schema = pq.read_schema(source)
    texts = [n for n in names if str(schema.field(n).type) in ("string", "large_string")]
    with pq.ParquetFile(source, read_dictionary=texts, pre_buffer=read_ahead) as file:
        yield from file.iter_batches(batch_rows, columns=names, use_threads=read_ahead)
    yield pa.RecordBatch.from_pylist([], schema=pa.schema([schema.field(n) for n in names]))


class ArrowFileReader(_BatchReader):
    """One Arrow IPC file (Feather), or a stream of record batches in a file.

    Parameters
    ----------
    file : File
    options : ReadOptions
    notes : list of str
    """

    kind = "arrow"

    def _open(self, names: list[str] | None = None) -> Any:
        """Return an open table reader: of an IPC file, of a stream, or of Feather version 1."""
        pa = pyarrow()
        if self.file.head.startswith(b"FEA1"):
            from pyarrow import feather

            return feather.read_table(self.file.open_for_arrow(), columns=names)
        fields = None if names is None else [self.schema.names.index(name) for name in names]
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        if self.file.head.startswith(b"ARROW1"):
            return pa.ipc.open_file(self.file.open_for_arrow(), options=options)
        return pa.ipc.open_stream(self.file.open_for_arrow(), options=options)

    def _read_schema(self) -> Any:
        opened = self._open()
        return opened.schema

    def _batches(self, names: list[str]) -> Iterator[Any]:
        pa = pyarrow()
        opened = self._open(names)
        if hasattr(opened, "to_batches"):
            yield from opened.to_batches()
        elif hasattr(opened, "num_record_batches"):
            for number in range(opened.num_record_batches):
                yield opened.get_batch(number)
        else:
            yield from opened
        fields = [self.schema.field(name) for name in names]
        yield pa.RecordBatch.from_pylist([], schema=pa.schema(fields))
