"""Tables from databases, remote file systems, streams and data sets, beside the same in memory."""

from __future__ import annotations

import collections
import csv
import dataclasses
import gzip
import http.server
import io
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import scipy.sparse as sp

from aimass_core import Interactions

pa = pytest.importorskip("pyarrow")

ROWS = [("ann", 7, 2.0, 5), ("ann", 9, 1.5, 6), ("bob", 7, 3.0, 7), ("bob", 9, None, 8)]
EXPECTED = {("ann", 7): 2.0, ("ann", 9): 1.5, ("bob", 7): 3.0}
SELECT = "SELECT who, what, stars, day FROM events ORDER BY day"
TEXT = "who,what,stars,day\n" + "".join(
    f"{who},{what},{'' if stars is None else stars},{day}\n" for who, what, stars, day in ROWS
)


def read(source: Any, **options: Any) -> dict[Any, float]:
    x = Interactions.from_table(
        source, user="who", item="what", value="stars", time="day", nulls="drop", **options
    )
    assert x.report["rows_read"] == 4
    assert x.report["rows_dropped"] == {"null value": 1}
    assert x.timestamps.tolist() == [5, 6, 7]
    return {(user, item): value for user, item, value in x}


def arrow_table() -> Any:
    names = ["who", "what", "stars", "day"]
    return pa.table(dict(zip(names, map(list, zip(*ROWS, strict=True)), strict=True)))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE events (who TEXT, what INTEGER, stars REAL, day INTEGER)")
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", ROWS)
    connection.commit()
    connection.close()
    return path


# ---- databases -----------------------------------------------------------------------------------


def test_db_api(database: Path) -> None:
    connection = sqlite3.connect(database)
    try:
        assert read(connection, query=SELECT) == EXPECTED
        assert read(connection.cursor(), query=SELECT) == EXPECTED
        assert read(connection.execute(SELECT)) == EXPECTED
        with pytest.raises(ValueError, match="needs a query: pass query='SELECT"):
            read(connection)
        with pytest.raises(ValueError, match="holds no result: execute a SELECT first"):
            read(connection.cursor())
        with pytest.raises(ValueError, match="the query's result has no such column; it has 'who'"):
            Interactions.from_table(connection, user="usr", item="what", query=SELECT)
        with pytest.raises(ValueError, match="query cannot be run: no such table"):
            read(connection, query="SELECT * FROM nowhere")
    finally:
        connection.close()


def test_adbc(database: Path) -> None:
    adbc = pytest.importorskip("adbc_driver_sqlite.dbapi")
    with adbc.connect(str(database)) as connection:
        assert read(connection, query=SELECT) == EXPECTED
        with connection.cursor() as cursor:
            cursor.execute(SELECT)
            assert read(cursor) == EXPECTED


def test_sqlalchemy(database: Path) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    url = f"sqlite:///{database}"
    engine = sqlalchemy.create_engine(url)
    try:
        assert read(engine, query=SELECT) == EXPECTED
        with engine.connect() as connection:
            assert read(connection, query=SELECT) == EXPECTED
            assert read(connection.execute(sqlalchemy.text(SELECT))) == EXPECTED
    finally:
        engine.dispose()
    assert read(url, query=SELECT) == EXPECTED


def test_session_of_sqlalchemy(database: Path) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy import orm

    class OwnSession(orm.Session):  # as in SQLModel
        pass

    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    try:
        for session in (orm.Session(engine), orm.scoped_session(orm.sessionmaker(engine))):
            assert read(session, query=SELECT) == EXPECTED
            assert read(session, query=sqlalchemy.text(SELECT)) == EXPECTED
            with pytest.raises(ValueError, match="needs a query: pass query='SELECT"):
                read(session)
            session.close()
        with OwnSession(engine) as session:
            assert read(session, query=SELECT) == EXPECTED
            assert session.execute(sqlalchemy.text("SELECT 1")).scalar() == 1  # is not closed
    finally:
        engine.dispose()


def test_clause_of_sqlalchemy_for_another_driver(database: Path) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    clause = sqlalchemy.text(SELECT)
    connection = sqlite3.connect(database)
    try:
        for source in (database, connection, connection.cursor()):
            with pytest.raises(TypeError, match="of sqlite3 cannot run: pass the SQL as a string"):
                read(source, query=clause)
    finally:
        connection.close()
    duckdb = pytest.importorskip("duckdb")
    with pytest.raises(TypeError, match="of duckdb cannot run: pass the SQL as a string"):
        read(duckdb.connect(), query=clause)


def test_duckdb() -> None:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    connection.register("events", arrow_table())
    assert read(connection, query=SELECT) == EXPECTED
    assert read(connection.sql(SELECT)) == EXPECTED
    assert read(connection.execute(SELECT)) == EXPECTED
    assert read(connection.table("events")) == EXPECTED
    connection.close()


# ---- Arrow ---------------------------------------------------------------------------------------


class Stream:
    """Anything with the protocol of Arrow C streams, and nothing else."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


def test_streams_and_datasets(tmp_path: Path) -> None:
    dataset = pytest.importorskip("pyarrow.dataset")
    import pyarrow.parquet as pq

    table = arrow_table()
    for part in range(2):
        folder = tmp_path / "parts" / f"shop={part}"
        folder.mkdir(parents=True)
        pq.write_table(table.slice(2 * part, 2), folder / "part-0.parquet")
    assert read(Stream(table)) == EXPECTED
    assert read(table.to_reader(max_chunksize=1)) == EXPECTED
    assert read(dataset.dataset(tmp_path / "parts", partitioning="hive")) == EXPECTED
    assert read(tmp_path / "parts") == EXPECTED
    assert read([table.slice(0, 1), table.slice(1)]) == EXPECTED
    shops = Interactions.from_table(tmp_path / "parts", user="who", item="shop")
    assert {item for _, item, _ in shops} == {"0", "1"}


# ---- URLs, open files, standard input ------------------------------------------------------------


@pytest.fixture
def memory() -> Iterator[Any]:
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe_file("/shop/a.csv", TEXT.encode())
    system.pipe_file("/shop/gz/a.csv.gz", gzip.compress(TEXT.encode()))
    first, rest = TEXT.splitlines(keepends=True)[:2], TEXT.splitlines(keepends=True)[2:]
    system.pipe_file("/shop/parts/1.csv", "".join(first).encode())
    system.pipe_file("/shop/parts/2.csv", (first[0] + "".join(rest)).encode())
    system.pipe_file("/shop/parts/_SUCCESS", b"")
    target = io.BytesIO()
    import pyarrow.parquet as pq

    pq.write_table(arrow_table(), target)
    system.pipe_file("/shop/a.parquet", target.getvalue())
    yield system
    system.rm("/shop", recursive=True)


@pytest.mark.parametrize(
    "url",
    [
        "memory://shop/a.csv",
        "memory://shop/gz/a.csv.gz",
        "memory://shop/parts/",
        "memory://shop/parts/*.csv",
        "memory://shop/a.parquet",
    ],
)
def test_file_systems_of_fsspec(memory: Any, url: str) -> None:
    assert read(url) == EXPECTED


def test_urls_that_cannot_be_opened(memory: Any) -> None:
    with pytest.raises(FileNotFoundError):
        read("memory://shop/nothing.csv")
    with pytest.raises(FileNotFoundError, match="no file matches memory://shop/no"):
        read("memory://shop/no*.csv")
    with pytest.raises(ValueError, match=r"nonsense://shop/a.csv cannot be opened"):
        read("nonsense://shop/a.csv")


@pytest.fixture
def server() -> Iterator[str]:
    """A server whose file "cut.csv" ends before the length that it states."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/no.csv":
                self.send_error(404)
                return
            if self.path == "/secret.csv":
                self.send_error(403)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(TEXT)))
            self.end_headers()
            self.wfile.write(TEXT.encode()[: -20 if self.path == "/cut.csv" else None])

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_files_from_the_network(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)  # fsspec cannot open it then
    assert read(f"{server}/a.csv") == EXPECTED
    with pytest.raises(ConnectionError, match=r"ended after \d+ of \d+ bytes; try again"):
        read(f"{server}/cut.csv")
    with pytest.raises(FileNotFoundError, match=r"no such file: http://.*/no\.csv"):
        read(f"{server}/no.csv")
    with pytest.raises(ConnectionError, match=r"http://.*/secret\.csv is refused: 403 Forbidden"):
        read(f"{server}/secret.csv")
    with pytest.raises(ConnectionError, match=r"http://.*/a\.csv cannot be read: .*; check the"):
        read("http://127.0.0.1:9/a.csv")  # a port on which nobody listens


def test_paths_and_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text(TEXT)
    assert read(path.as_uri()) == EXPECTED
    assert read(str(tmp_path / "*.csv")) == EXPECTED
    assert read([path]) == EXPECTED
    with path.open("rb") as file:
        assert read(file) == EXPECTED
        assert not file.closed
    with gzip.open(tmp_path / "b.gz", "wb") as out:
        out.write(TEXT.encode())
    with gzip.open(tmp_path / "b.gz", "rb") as file:
        assert read(file) == EXPECTED
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read("~/a.csv") == EXPECTED


def test_standard_input() -> None:
    code = (
        "from aimass_core import Interactions\n"
        "x = Interactions.from_table('-', user='who', item='what', value='stars', nulls='drop')\n"
        "print(sorted(x))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], input=TEXT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str(sorted((u, i, v) for (u, i), v in EXPECTED.items()))


def test_events_with_weights_dates_and_several_files(tmp_path: Path) -> None:
    days = {
        "monday.csv": "who;what;did;when\nann;tea;view;01.07.2024 09:00\nann;tea;buy;01.07.2024\n",
        "tuesday.csv": "who;what;did;when\nann;tea;view;02.07.2024\nbob;pie;cart;02.07.2024\n",
    }
    days = {name: text.replace("2024\n", "2024 00:00\n") for name, text in days.items()}
    for name, text in days.items():
        (tmp_path / name).write_text(text)
    columns = {
        "user": "who",
        "item": "what",
        "event": "did",
        "time": "when",
        "weights": {"view": 1, "cart": 3, "buy": 10},
        "date_format": "%d.%m.%Y %H:%M",
    }
    both = Interactions.from_table([tmp_path / name for name in days], **columns)
    assert {(u, i): v for u, i, v in both} == {("ann", "tea"): 12.0, ("bob", "pie"): 3.0}
    assert sorted(both.single_events().times.view("M8[ns]").astype("M8[h]").astype(str)) == [
        "2024-07-01T00",
        "2024-07-01T09",
        "2024-07-02T00",
        "2024-07-02T00",
    ]
    assert both.report["rows_read"] == 4
    # Merged day by day it is the same, single events included.
    first, second = (Interactions.from_table(tmp_path / name, **columns) for name in days)
    merged = first.merge(second)
    assert list(merged) == list(both)
    assert merged.single_events().times.tolist() == both.single_events().times.tolist()
    assert merged.single_events().values.tolist() == both.single_events().values.tolist()
    with pytest.raises(ValueError, match=r"weights lacks .*'view', 'cart'"):
        Interactions.from_table(
            [tmp_path / name for name in days], **{**columns, "weights": {"view": 1, "cart": 2}}
        )


# ---- files of databases --------------------------------------------------------------------------


def test_sqlite_file_with_a_query_or_one_table(database: Path) -> None:
    assert read(database, query=SELECT) == EXPECTED
    assert read(str(database)) == EXPECTED
    x = Interactions.from_table(
        database, user="who", item="what", value="stars", time="day", nulls="drop"
    )
    assert x.report["notes"] == ["file shop.db: read the table 'events', the only one"]


def test_duckdb_file_with_a_query_or_one_table(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "shop.duckdb"
    events = arrow_table()
    connection = duckdb.connect(str(path))
    connection.register("given", events)
    connection.execute("CREATE TABLE events AS SELECT * FROM given")
    connection.close()
    assert read(path) == EXPECTED
    assert read(path, query=SELECT) == EXPECTED
    assert read(f"duckdb:///{path}", query=SELECT) == EXPECTED


def test_database_files_that_need_a_query(database: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE stock (what INTEGER)")
    connection.commit()
    connection.close()
    with pytest.raises(ValueError, match=r"2 tables \('events', 'stock'\): choose one by query="):
        read(database)
    with pytest.raises(ValueError, match="query cannot be run: no such table: orders"):
        read(database, query="SELECT * FROM orders")
    with pytest.raises(ValueError, match=r"syntax error: write 'SELECT \* FROM events'"):
        read(database, query="events")
    empty = tmp_path / "empty.db"
    connection = sqlite3.connect(empty)
    connection.execute("CREATE TABLE a (b)")
    connection.execute("DROP TABLE a")
    connection.close()
    with pytest.raises(ValueError, match="holds no table"):
        read(empty)
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(f"duckdb:///{tmp_path}/none.duckdb")


def test_database_files_with_names_that_need_quotation_marks(tmp_path: Path) -> None:
    path = tmp_path / "a #1?.db"
    connection = sqlite3.connect(path)
    connection.execute('CREATE TABLE "order ""1""" (user, item)')
    connection.execute('INSERT INTO "order ""1""" VALUES (1, 2)')
    connection.commit()
    for source in (path, f"sqlite:///{path}"):
        assert list(Interactions.from_table(source, user="user", item="item")) == [(1, 2, 1.0)]
    connection.execute("CREATE TABLE t (a)")
    connection.commit()
    connection.close()
    with pytest.raises(
        ValueError, match=r"choose one by query='SELECT \* FROM \"order \"\"1\"\"\""
    ):
        Interactions.from_table(path, user="user", item="item")


def test_rows_of_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "bytes.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (user, item)")
    connection.execute("INSERT INTO t VALUES (CAST(x'ff' AS TEXT), 1)")
    connection.commit()
    connection.close()
    # Python 3.10 reads the first row while it runs the query, later versions when rows are fetched.
    with pytest.raises(ValueError, match=r"query cannot be (run|read): Could not decode"):
        Interactions.from_table(path, user="user", item="item")
    with path.open("rb") as file:
        for source in (tmp_path / "*.db", file):
            with pytest.raises(ValueError, match=r"bytes\.db is a database: give its path itself"):
                Interactions.from_table(source, user="user", item="item")
    with pytest.raises(FileNotFoundError, match="no such file"):
        Interactions.from_table(f"sqlite:///{tmp_path}/none.db", user="user", item="item")


def test_url_of_a_database_without_a_query() -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(ValueError, match="URL of a database needs query='SELECT"):
        read("postgresql://localhost/shop")


def test_url_of_a_database_without_a_driver() -> None:
    pytest.importorskip("sqlalchemy")
    with pytest.raises(ValueError, match="cannot open nothing://"):
        read("nothing:///x", query=SELECT)


# ---- iterators and rows --------------------------------------------------------------------------


def test_parts_from_an_iterator(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    table = arrow_table()
    assert read(part for part in (table.slice(0, 1), table.slice(1))) == EXPECTED
    assert read(iter(table.to_batches())) == EXPECTED
    path = tmp_path / "events.csv"
    path.write_text(TEXT)
    assert read(pd.read_csv(path, chunksize=3)) == EXPECTED


def test_rows_that_are_dictionaries(tmp_path: Path) -> None:
    rows = arrow_table().to_pylist()
    assert read(rows) == EXPECTED
    assert read(iter(rows)) == EXPECTED
    del rows[-1]["stars"]  # a missing member is a null
    assert read(rows) == EXPECTED
    names = {"user": "user", "item": "item", "nulls": "drop"}
    assert list(Interactions.from_table([{"user": 1, "item": 2}, {}], **names)) == [(1, 2, 1.0)]


@dataclasses.dataclass
class Event:
    who: str
    what: int
    stars: float | None
    day: int


def test_rows_that_name_their_cells(database: Path) -> None:
    named = collections.namedtuple("named", ["who", "what", "stars", "day"])
    assert read([named(*row) for row in ROWS]) == EXPECTED
    assert read([Event(*row) for row in ROWS]) == EXPECTED
    pd = pytest.importorskip("pandas")
    assert read(pd.DataFrame(arrow_table().to_pylist()).itertuples()) == EXPECTED
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    try:
        assert read(connection.execute(SELECT).fetchall()) == EXPECTED
        assert read(connection, query=SELECT) == EXPECTED
    finally:
        connection.close()
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    with engine.connect() as opened:
        assert read(opened.execute(sqlalchemy.text(SELECT)).all()) == EXPECTED
        assert read(opened.execute(sqlalchemy.text(SELECT)).mappings().all()) == EXPECTED
        assert read(opened, query=sqlalchemy.text(SELECT)) == EXPECTED
    engine.dispose()


def test_rows_and_columns_without_names() -> None:
    with pytest.raises(TypeError, match="list of rows without names"):
        read(list(ROWS))
    pd = pytest.importorskip("pandas")
    users, items = pd.Series([1, 2]), pd.Series([5, 6])
    with pytest.raises(TypeError, match="list of columns: pass a dictionary"):
        read((users, items))
    with pytest.raises(TypeError, match="got Series"):
        read(users)
    with pytest.raises(TypeError, match=r"got bytes: wrap it in io\.BytesIO"):
        read(TEXT.encode())
    with pytest.raises(TypeError, match=r"got csr_array: use Interactions\.from_csr\(X"):
        read(sp.csr_array((2, 2)))
    with pytest.raises(ValueError, match="list of tables is empty"):
        read(iter(()))


def test_rows_of_the_csv_module(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"csv\.reader.* pass the path .*csv\.DictReader"):
        read(csv.reader(io.StringIO(TEXT)))
    with pytest.raises(TypeError, match="list of rows without names"):
        read(list(csv.reader(io.StringIO(TEXT))))
    rows = csv.DictReader(io.StringIO("who,what\nann,7\nbob,9\n"))
    assert list(Interactions.from_table(rows, user="who", item="what")) == [
        ("ann", "7", 1.0),
        ("bob", "9", 1.0),
    ]
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("who,what\nann,7\n")
    nested = [[str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]]
    x = Interactions.from_table(nested, user="who", item="what")
    assert list(x) == [("ann", 7, 2.0)]


# ---- options for another kind of table -----------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"query": "SELECT * FROM events"}, "a connection or the file of a database"),
        ({"sheet": "2011"}, "a workbook"),
        ({"member": "events.csv"}, "a zip archive"),
    ],
)
def test_options_of_another_kind_of_table(
    options: dict[str, str], kind: str, tmp_path: Path
) -> None:
    (tmp_path / "events.csv").write_text(TEXT)
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(arrow_table(), tmp_path / "events.parquet")
    for table in (tmp_path / "events.csv", tmp_path / "events.parquet", arrow_table()):
        with pytest.raises(ValueError, match=f"{next(iter(options))}= is for {kind}.*leave it"):
            read(table, **options)


@pytest.mark.parametrize("options", [{"skip_rows": 1}, {"header": False}, {"names": ["a", "b"]}])
def test_options_of_text_files_for_tables_with_names(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is for a text file or a workbook, not for the table"):
        read(arrow_table(), **options)


def test_options_that_one_of_several_files_uses(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("events.csv", "who,what\nann,7\n")
        archive.writestr("notes.txt", "nothing")
    (tmp_path / "b.csv").write_text("who,what\nann,7\n")
    paths = [tmp_path / "a.zip", tmp_path / "b.csv"]
    x = Interactions.from_table(paths, user="who", item="what", member="events.csv")
    assert list(x) == [("ann", 7, 2.0)]


# ---- sources that fail while they deliver rows ---------------------------------------------------


def test_streams_that_break(tmp_path: Path) -> None:
    def batches() -> Iterator[Any]:
        yield from arrow_table().to_batches()
        raise RuntimeError("connection lost")

    reader = pa.RecordBatchReader.from_batches(arrow_table().schema, batches())
    with pytest.raises(ValueError, match=r"rows of the table cannot be read: .*connection lost$"):
        read(reader)

    class Closed:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            raise RuntimeError("server gone")

    with pytest.raises(ValueError, match="columns of the table cannot be read: server gone"):
        read(Closed())


def test_rows_of_duckdb_that_cannot_be_read() -> None:
    duckdb = pytest.importorskip("duckdb")
    late = "SELECT range AS who, CASE WHEN range > 100000 THEN error('x') ELSE 1 END AS what "
    late += "FROM range(200000)"
    with (
        duckdb.connect() as connection,
        pytest.raises(ValueError, match=r"rows of the query cannot be read: .*x"),
    ):
        Interactions.from_table(connection, query=late, user="who", item="what")
    with pytest.raises(ValueError, match="rows of the table cannot be read: Conversion Error"):
        Interactions.from_table(
            duckdb.sql("SELECT 1 AS who, CAST(x AS INT) AS what FROM (VALUES ('1'), ('b')) t(x)"),
            user="who",
            item="what",
        )


def test_rows_of_adbc_that_cannot_be_read(tmp_path: Path) -> None:
    adbc = pytest.importorskip("adbc_driver_sqlite.dbapi")
    path = tmp_path / "kinds.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (who, what)")
    connection.executemany("INSERT INTO t VALUES (?, 1)", [(i,) for i in range(3000)] + [("ann",)])
    connection.commit()
    connection.close()
    with (
        adbc.connect(str(path)) as source,
        pytest.raises(ValueError, match=r"rows of the query cannot be read: .*Type mismatch"),
    ):
        Interactions.from_table(source, query="SELECT * FROM t", user="who", item="what")


def test_closed_connections() -> None:
    connection = sqlite3.connect(":memory:")
    connection.close()
    with pytest.raises(ValueError, match=r"connection cannot be used: .*closed"):
        read(connection, query=SELECT)
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    connection.close()
    with pytest.raises(ValueError, match=r"query cannot be run: .*closed"):
        read(connection, query=SELECT)


def test_scanners_of_data_sets(tmp_path: Path) -> None:
    ds = pytest.importorskip("pyarrow.dataset")
    pytest.importorskip("pyarrow.parquet").write_table(arrow_table(), tmp_path / "a.parquet")
    data = ds.dataset(tmp_path)
    assert read(data.scanner()) == EXPECTED
    x = Interactions.from_table(
        data.scanner(filter=ds.field("what") < 9), user="who", item="what", value="stars"
    )
    assert list(x) == [("ann", 7, 2.0), ("bob", 7, 3.0)]


def test_types_of_one_library_alone() -> None:
    pl = pytest.importorskip("polars", minversion="1.18")
    frame = pl.DataFrame({"who": pl.Series([1, 2], dtype=pl.Int128), "what": [7, 9]})
    with pytest.raises(TypeError, match=r"user='who' has the Arrow type .* cast the column"):
        Interactions.from_table(frame, user="who", item="what")


def test_lazy_frames_that_fail() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.LazyFrame({"who": ["a"], "what": [1]})
    with pytest.raises(ValueError, match="rows of the table cannot be read: conversion from `str`"):
        Interactions.from_table(
            frame.with_columns(pl.col("who").cast(pl.Int64)), user="who", item="what"
        )
    with pytest.raises(ValueError, match="columns of the table cannot be read"):
        Interactions.from_table(frame.select("nothing"), user="who", item="what")


def test_missing_file_of_a_url() -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(FileNotFoundError, match=r"no such file: memory://none\.parquet"):
        read("memory://none.parquet")
