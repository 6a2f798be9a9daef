"""Columns of files, read by pyarrow and only as far as needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ._arrow import read_array, read_stream
from ._column import Column, concat

__all__ = ["names", "read"]

_CSV = (".csv", ".tsv", ".tab", ".txt")
_IPC = (".feather", ".arrow", ".ipc")
_PARQUET = (".parquet", ".pq")


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ImportError(
            "reading and writing files needs pyarrow: pip install 'aimass_core[io]'"
        ) from None
    return pyarrow


def _format(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes]
    last = suffixes[-1] if suffixes else ""
    if last in (".gz", ".bz2", ".zst") and len(suffixes) > 1 and suffixes[-2] in _CSV:
        return "csv"
    for name, known in (("parquet", _PARQUET), ("csv", _CSV), ("ipc", _IPC)):
        if last in known:
            return name
    raise ValueError(
        f"cannot tell the format of {path}: the name must end in "
        f"{', '.join(_PARQUET + _IPC + _CSV)} or .csv.gz"
    )


def _csv_options(path: Path) -> dict[str, Any]:
    import pyarrow.csv as csv

    tabs = any(s.lower() in (".tsv", ".tab") for s in path.suffixes)
    return {"parse_options": csv.ParseOptions(delimiter="\t" if tabs else ",")}


def _unreadable(path: Path, kind: str, error: Exception) -> Exception:
    """Damage as a ValueError; what the system refused (no permission, ...) as it is."""
    if getattr(error, "errno", None) is not None:
        return error
    return ValueError(f"{path} cannot be read as {kind}: {error}")


def names(path: Path) -> list[str]:
    pa = _pyarrow()
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory: give one file")
    kind = _format(path)
    try:
        if kind == "parquet":
            import pyarrow.parquet as pq

            return list(pq.read_schema(path).names)
        if kind == "ipc":
            with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
                return list(reader.schema.names)
        import pyarrow.csv as csv

        with csv.open_csv(path, **_csv_options(path)) as reader:
            return list(reader.schema.names)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, kind, error) from None


def read(path: Path, wanted: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, Column]:
    pa = _pyarrow()
    kind = _format(path)
    needed = list(dict.fromkeys(wanted.values()))
    try:
        if kind == "csv":
            return _read_csv(path, wanted, labels)
        batches = (
            _parquet_batches(path, needed) if kind == "parquet" else _ipc_batches(path, needed)
        )
        chunks: dict[str, list[Column]] = {role: [] for role in wanted}
        for batch in batches:
            for role, name in wanted.items():
                chunks[role].append(read_array(batch.column(name), labels[role]))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, kind, error) from None
    columns = {role: concat(chunks.pop(role)) for role in wanted}  # frees the chunks one by one
    pa.default_memory_pool().release_unused()  # the pool would keep it for tables to come
    return columns


def _parquet_batches(path: Path, names: list[str]) -> Iterator[Any]:
    """Row groups' worth at a time; strings as dictionaries, which is how Parquet stores them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    texts = [n for n in names if str(schema.field(n).type) in ("string", "large_string")]
    with pq.ParquetFile(path, read_dictionary=texts, memory_map=True) as file:
        yield from file.iter_batches(batch_size=1 << 20, columns=names)
        yield pa.RecordBatch.from_pylist([], schema=pa.schema([schema.field(n) for n in names]))


def _ipc_batches(path: Path, names: list[str]) -> Iterator[Any]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i).select(names)
        yield pa.RecordBatch.from_pylist(
            [], schema=pa.schema([reader.schema.field(n) for n in names])
        )


def _read_csv(
    path: Path, wanted: Mapping[str, str], labels: Mapping[str, str]
) -> dict[str, Column]:
    import pyarrow as pa
    import pyarrow.csv as csv

    ids = {
        name
        for role, name in wanted.items()
        if role in ("user", "item", "event", "context", "column")
    }
    table = csv.read_csv(
        path,
        convert_options=csv.ConvertOptions(
            include_columns=list(dict.fromkeys(wanted.values())),
            column_types={name: pa.dictionary(pa.int32(), pa.string()) for name in ids},
            strings_can_be_null=True,
        ),
        **_csv_options(path),
    )
    found = read_stream(table.__arrow_c_stream__(), list(wanted.values()), list(labels.values()))
    columns = dict(zip(wanted, found, strict=True))
    return {
        role: _whole_numbers(column) if wanted[role] in ids else column
        for role, column in columns.items()
    }


def _whole_numbers(column: Column) -> Column:
    """The same column as whole numbers, if all its strings are written as whole numbers are."""
    if column.kind != "str" or column.codes is None:
        return column
    texts = list(column.strings())
    numbers = []
    for text in texts:
        try:
            number = int(text)
        except ValueError:
            return column
        if str(number) != text or abs(number) >= 2**63:
            return column
        numbers.append(number)
    entries = np.array(numbers, dtype=np.int64)
    return Column("int", entries, None, column.codes, column.null)
