"""Tables of every library and files of every format give the same interactions."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import Interactions

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

LONG = "a user name of more than twelve bytes, "


@pytest.fixture(scope="module")
def frame() -> Any:
    rng = np.random.default_rng(1)
    n = 600
    users = [LONG + str(i) if i % 3 else f"ü{i}" for i in rng.integers(0, 50, n)]
    return pd.DataFrame(
        {
            "who": users,
            "what": rng.integers(-5, 40, n),
            "stars": rng.integers(1, 11, n) / 2,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, n), "s"),
            "unused": [object()] * n,
        }
    )


def read(table: Any, **options: Any) -> Interactions:
    names = {"user": "who", "item": "what", "value": "stars", "time": "when", "duplicates": "last"}
    return Interactions.from_table(table, **(names | options))


def assert_same(x: Interactions, y: Interactions) -> None:
    assert x.users == y.users
    assert x.items.ids.tolist() == y.items.ids.tolist()  # 1 == 1.0: pandas turns ints to floats
    for name in ("indptr", "indices", "data"):
        a, b = getattr(x.matrix, name), getattr(y.matrix, name)
        assert a.dtype == b.dtype
        assert (a == b).all()
    assert x.time_unit == y.time_unit
    assert np.array_equal(x.timestamps, y.timestamps)


def in_chunks(table: Any) -> Any:
    return pa.concat_tables([table.slice(lo, 97) for lo in range(0, len(table), 97)])


def duck(table: Any) -> Any:
    duckdb = pytest.importorskip("duckdb")
    return duckdb.from_arrow(table)


FORMS = {
    "polars": pl.from_arrow,
    "polars_lazy": lambda t: pl.from_arrow(t).lazy(),
    "polars_categorical": lambda t: pl.from_arrow(t).cast({"who": pl.Categorical}),
    "polars_slice": lambda t: pl.from_arrow(pa.concat_tables([t.slice(3, 9), t]))[9:],
    "pyarrow": lambda t: t,
    "pyarrow_chunks": in_chunks,
    "pyarrow_batch": lambda t: t.combine_chunks().to_batches()[0],
    "pyarrow_reader": lambda t: in_chunks(t).to_reader(),
    "pyarrow_large": lambda t: t.set_column(0, "who", t["who"].cast(pa.large_string())),
    "pyarrow_dictionary": lambda t: in_chunks(t.set_column(0, "who", t["who"].dictionary_encode())),
    "pyarrow_small_ints": lambda t: t.set_column(1, "what", t["what"].cast(pa.int8())),
    "duckdb": duck,
    "pandas_arrow": lambda t: t.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas_nullable": lambda t: t.to_pandas().convert_dtypes(dtype_backend="numpy_nullable"),
    "pandas_object": lambda t: t.to_pandas().astype(object),
    "pandas_category": lambda t: t.to_pandas().astype({"who": "category", "what": "category"}),
    "dict_of_arrays": lambda t: {n: t[n].to_numpy() for n in t.column_names},
    "dict_of_lists": lambda t: {n: t[n].to_pylist() for n in t.column_names},
    "dict_of_series": lambda t: dict(t.to_pandas().items()),
    "dict_of_polars": lambda t: {n: pl.from_arrow(t)[n] for n in t.column_names},
    "dict_of_arrow": lambda t: {n: t[n] for n in t.column_names},
    "structured_array": lambda t: t.to_pandas().to_records(
        index=False, column_dtypes={"when": "M8[ns]"}
    ),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_is_read_alike(frame: Any, form: str) -> None:
    table = pa.Table.from_pandas(frame.drop(columns="unused"), preserve_index=False)
    assert_same(read(FORMS[form](table)), read(frame))


def test_pandas_without_arrow(frame: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = frame.assign(
        who=frame["who"].astype("string"), what=pd.array(frame["what"], dtype="Int64")
    )
    expected = read(frame)
    monkeypatch.delattr(pd.DataFrame, "__arrow_c_stream__", raising=False)
    assert_same(read(mixed), expected)


@pytest.mark.parametrize("chunked", [False, True])
def test_nulls_in_every_form(chunked: bool) -> None:
    n = 40
    table = pa.table(
        {
            "who": pa.array([None if i % 7 == 0 else f"{LONG * (i % 2)}{i % 5}" for i in range(n)]),
            "what": pa.array([None if i % 5 == 0 else i for i in range(n)]),
            "stars": pa.array(
                [float("nan") if i == 1 else None if i == 2 else i / 2 for i in range(n)]
            ),
            "when": pa.array([i if i != 3 else None for i in range(n)], type=pa.timestamp("s")),
        }
    )
    if chunked:
        table = pa.concat_tables([table.slice(lo, 11) for lo in range(0, n, 11)])
    good = [i for i in range(n) if i % 7 and i % 5 and i > 3]
    expected = read(table.take(good))
    causes = {"null user": 6, "null item": 6, "null value": 2, "null time": 1}
    for form in sorted(set(FORMS) - {"structured_array", "dict_of_arrays", "pyarrow_batch"}):
        converted = FORMS[form](table)
        x = read(converted, nulls="drop")
        assert_same(x, expected)
        assert x.report["rows_read"] == n
        assert x.report["rows_dropped"] == causes, form
        with pytest.raises(ValueError, match="user='who' holds 6 nulls, the first in row 0"):
            read(FORMS[form](table))


def test_other_arrow_types_are_refused() -> None:
    for column in (
        pa.array([[1], [2]]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([1, 2], pa.duration("s")),
    ):
        with pytest.raises(
            TypeError, match=r"user='u' (has the Arrow type|holds structs|holds durations)"
        ):
            Interactions.from_table(pa.table({"u": column, "i": [1, 2]}), user="u", item="i")
    nothing = pa.table({"u": pa.nulls(2), "i": [1, 2]})
    with pytest.raises(ValueError, match="user='u' holds 2 nulls"):
        Interactions.from_table(nothing, user="u", item="i")
    assert Interactions.from_table(nothing, user="u", item="i", nulls="drop").shape == (0, 0)


def test_odd_column_names() -> None:
    duckdb = pytest.importorskip("duckdb")
    table = pa.table({'the "user"': ["b", "a"], "item; --": [1, 2]})
    for form in (table, duckdb.from_arrow(table), pl.from_arrow(table), table.to_pandas()):
        x = Interactions.from_table(form, user='the "user"', item="item; --")
        assert x.users.ids.tolist() == ["a", "b"]
    numbered = pd.DataFrame([["a", 5]])
    assert list(Interactions.from_table(numbered, user=0, item=1)) == [("a", 5, 1.0)]


def test_one_column_in_two_roles() -> None:
    table = pl.DataFrame({"u": ["a"], "i": [3], "t": [7]})
    for roles, shown in [
        ({"user": "u", "item": "u"}, "user and item both name the column 'u'"),
        ({"user": "u", "item": "i", "value": "i"}, "item and value both name the column 'i'"),
    ]:
        with pytest.raises(ValueError, match=shown):
            Interactions.from_table(table, **roles)
    days = Interactions.by_context(table, user="u", item="i", time="t", context="t")
    assert list(days[7]) == [("a", 3, 1.0)]


def test_files_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'aimass_core\[io\]'"):
        Interactions.from_table(tmp_path / "x.parquet", user="u", item="i")
    with pytest.raises(ImportError, match="pip install pyarrow"):
        Interactions.from_arrays([1], [1]).to_arrow()


def test_decimals_of_databases() -> None:
    numbers = ["1.25", "-0.10", "12345678901234567890.5", "3.00"]
    values = pa.array(numbers).cast(pa.decimal128(38, 2))
    x = Interactions.from_table(
        pa.table({"u": range(4), "i": range(4), "v": values}), user="u", item="i", value="v"
    )
    assert [value for _, _, value in x] == [float(number) for number in numbers]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz", ".tsv", ".feather", ".arrow"])
def test_files(frame: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ratings{suffix}"
    table = pa.Table.from_pandas(frame.drop(columns="unused"), preserve_index=False)
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, path, row_group_size=100)
    elif suffix in (".feather", ".arrow"):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=100)
    else:
        frame.drop(columns="unused").to_csv(
            path, sep="\t" if suffix == ".tsv" else ",", index=False
        )
    assert_same(read(path), read(frame))
    assert_same(read(str(path)), read(frame))
    with pytest.raises(ValueError, match=rf"value='star': file .*{path.name} has no such column"):
        read(path, value="star")


def test_csv_keeps_ids_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item,number\n007,1,1\n7,2,2\n+7,3,3\n")
    x = Interactions.from_table(path, user="user", item="item")
    assert x.users.ids.tolist() == ["+7", "007", "7"]
    assert x.items.ids.tolist() == [1, 2, 3]
    path.write_text("user,item\n1,1\n,2\nNA,3\n")
    x = Interactions.from_table(path, user="user", item="item", nulls="drop")
    assert x.report["rows_dropped"] == {"null user": 2}
    assert x.users.ids.tolist() == [1]


def test_empty_tables_and_files(tmp_path: Path) -> None:
    schema = pa.schema([("who", pa.string()), ("what", pa.int64())])
    empty = schema.empty_table()
    path = tmp_path / "x.parquet"
    pl.from_arrow(empty).write_parquet(path)
    for table in (empty, empty.to_reader(), pl.from_arrow(empty), empty.to_pandas(), path):
        assert Interactions.from_table(table, user="who", item="what").shape == (0, 0)


def test_bad_files(tmp_path: Path) -> None:
    def refused(name: str, kind: type[Exception], match: str, content: bytes | None = b"") -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(kind, match=match):
            Interactions.from_table(tmp_path / name, user="user", item="item")

    refused("none.csv", FileNotFoundError, "no such file", None)
    for name in ("ratings.xlsx", "ratings", "empty.csv", "empty.parquet"):
        refused(name, ValueError, f"{name} is empty")
    refused("ratings.pdf", ValueError, "cannot tell the format", b"%PDF-1.7 \0\1\2")
    refused("ratings.xls", ValueError, "save it as .xlsx", b"\xd0\xcf\x11\xe0 old")
    refused("ratings.xlsx", ValueError, "cannot be read as a workbook", b"PK\3\4 no")
    refused("broken.parquet", ValueError, "cannot be read as parquet", b"PAR1 no")
    refused("broken.feather", ValueError, "cannot be read as arrow", b"what")
    refused("ragged.csv", ValueError, "line 3 has 1 cell, but", b"user,item\n1,2\n3\n")
    refused("broken.csv.gz", ValueError, "is damaged", gzip.compress(b"user,item\n1,2\n")[:-12])
    (tmp_path / "folder.csv").mkdir()
    refused("folder.csv", ValueError, "folder without table files", None)
    refused("twice.csv", ValueError, "2 columns of this name", b"user,user,item\n1,2,3\n")


def test_no_library_is_loaded_for_its_own_sake() -> None:
    code = (
        "import sys, numpy as np, aimass_core as a\n"
        "a.Interactions.from_arrays(np.arange(3), ['a', 'b', 'c'])\n"
        "assert not {'pandas', 'polars', 'pyarrow', 'duckdb', 'nanoarrow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
