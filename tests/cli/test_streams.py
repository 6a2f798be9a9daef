"""Standard input and output, formats of both, and the options of the readers."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
csv = pytest.importorskip("pyarrow.csv")
pq = pytest.importorskip("pyarrow.parquet")
testing = pytest.importorskip("typer.testing")

Run = Callable[..., Any]


def piped(content: bytes, *words: object) -> Any:
    """Run the command with standard input."""
    from aimass_core.cli.app import app

    return testing.CliRunner().invoke(app, [str(word) for word in words], input=content)


def as_csv(table: Any) -> bytes:
    out = io.BytesIO()
    csv.write_csv(table, out)
    return out.getvalue()


def as_json_lines(table: Any) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()


def as_arrow_stream(table: Any) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


@pytest.mark.parametrize("write", [as_csv, as_json_lines, as_arrow_stream])
def test_standard_input(
    aimass: Run, shop: Path, tmp_path: Path, write: Callable[[Any], bytes]
) -> None:
    content = write(pq.read_table(shop).select(["user_id", "item_id"]))
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    assert aimass("recommend", shop, "--out", first).exit_code == 0
    done = piped(content, "recommend", "-", "--out", second)
    assert done.exit_code == 0, done.output
    assert second.read_text() == first.read_text()


def test_standard_output_holds_the_lists_alone(aimass: Run, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "lists.csv"
    assert aimass("recommend", shop, "--k", 2, "--out", out).exit_code == 0
    done = aimass("recommend", shop, "--k", 2, "--out", "-")
    assert done.stdout == out.read_text()
    assert "users/s" in done.stderr
    quiet = aimass("recommend", shop, "--k", 2, "--out", "-", "--quiet")
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")
    lines = aimass("recommend", shop, "--k", 2, "--out", "-", "--out-format", "jsonl", "-q").stdout
    rows = [json.loads(line) for line in lines.splitlines()]
    assert rows == [{**row, "score": pytest.approx(row["score"])} for row in rows]
    assert [row["item_id"] for row in rows] == csv.read_csv(out)["item_id"].to_pylist()
    arrow = aimass("recommend", shop, "--k", 2, "--out", "-", "--out-format", "arrow", "-q")
    table = pa.ipc.open_stream(arrow.stdout_bytes).read_all()
    assert table["item_id"].to_pylist() == csv.read_csv(out)["item_id"].to_pylist()


def test_the_commands_can_be_piped(aimass: Run, shop: Path) -> None:
    lists = aimass("recommend", shop, "--k", 3, "--out", "-", "-q").stdout
    done = piped(lists.encode(), "recommend", "-", "--k", 1, "--out", "-", "-q")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith('"user_id","item_id","rank","score"\n')


@pytest.mark.parametrize("name", ["l.csv.gz", "l.jsonl", "l.jsonl.gz", "l.sqlite", "l.duckdb"])
def test_formats_of_the_output(aimass: Run, shop: Path, tmp_path: Path, name: str) -> None:
    if name.endswith("duckdb"):
        duckdb = pytest.importorskip("duckdb")
    expected, out = tmp_path / "l.parquet", tmp_path / name
    assert aimass("recommend", shop, "--k", 2, "--out", expected).exit_code == 0
    for _ in range(2):  # the second time an older output is replaced
        done = aimass("recommend", shop, "--k", 2, "--out", out)
        assert done.exit_code == 0, done.output
    rows = [tuple(row.values()) for row in pq.read_table(expected).to_pylist()]
    if name.endswith("sqlite"):
        with contextlib.closing(sqlite3.connect(out)) as connection, connection:
            found = connection.execute("SELECT * FROM recommend").fetchall()
    elif name.endswith("duckdb"):
        with duckdb.connect(str(out)) as connection:
            found = connection.execute("SELECT * FROM recommend").fetchall()
    else:
        raw = out.read_bytes()
        content = gzip.decompress(raw) if name.endswith(".gz") else raw
        if "jsonl" in name:
            found = [tuple(json.loads(line).values()) for line in content.splitlines()]
        else:
            table = csv.read_csv(io.BytesIO(content))
            found = [tuple(row.values()) for row in table.to_pylist()]
    assert [row[:3] for row in found] == [row[:3] for row in rows]
    assert [row[3] for row in found] == pytest.approx([row[3] for row in rows], rel=1e-6)


def test_other_tables_of_a_database_stay(aimass: Run, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(out)) as connection, connection:
        connection.execute("CREATE TABLE prices (item INTEGER, price REAL)")
        connection.execute("INSERT INTO prices VALUES (1, 2.5)")
    done = aimass("recommend", shop, "--out", out, "--out-table", "my lists")
    assert done.exit_code == 0, done.output
    with contextlib.closing(sqlite3.connect(out)) as connection, connection:
        assert connection.execute("SELECT * FROM prices").fetchall() == [(1, 2.5)]
        (n,) = connection.execute('SELECT count(*) FROM "my lists"').fetchone()
    assert n > 0


def test_an_error_half_way_leaves_the_database_as_it_was(
    aimass: Run, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "shop.sqlite"
    assert aimass("recommend", shop, "--k", 2, "--out", out).exit_code == 0
    with contextlib.closing(sqlite3.connect(out)) as connection, connection:
        before = connection.execute("SELECT * FROM recommend").fetchall()

    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("aimass_core.data._table_writer._SqliteSink.write_table", fails)
    assert aimass("recommend", shop, "--k", 1, "--out", out).exit_code == 1
    with contextlib.closing(sqlite3.connect(out)) as connection, connection:
        assert connection.execute("SELECT * FROM recommend").fetchall() == before
    assert aimass("recommend", shop, "--out", tmp_path / "new.sqlite").exit_code == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shop.parquet", "shop.sqlite"]


def test_options_of_the_readers(aimass: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "export.txt", tmp_path / "lists.csv"
    text = (
        "Export of the shop\nKäufer;Artikel;Menge;Tag\n1;tee;1,5;31.12.2024\n2;tee;-;02.01.2025\n"
    )
    text += "2;kuchen;2,0;02.01.2025\n1;brot;1.000,0;03.01.2025\n"
    source.write_bytes(text.encode("latin-1"))
    done = aimass(
        "recommend",
        source,
        "--encoding",
        "latin-1",
        "--skip-rows",
        1,
        "--separator",
        ";",
        "--decimal",
        ",",
        "--thousands",
        ".",
        "--user",
        "Käufer",
        "--item",
        "Artikel",
        "--value",
        "Menge",
        "--time",
        "Tag",
        "--date-format",
        "%d.%m.%Y",
        "--null-values",
        "-",
        "--nulls",
        "drop",
        "--out",
        out,
        "--json",
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["rows_read"], found["interactions"]) == (4, 3)


def test_weights_of_events(aimass: Run, tmp_path: Path) -> None:
    source = tmp_path / "events.csv"
    source.write_text("user,item,kind\n1,a,view\n1,b,buy\n2,a,buy\n2,b,other\n")
    words = ("--event", "kind", "--weights", "view=1,buy=5,other=0", "--out", tmp_path / "o.csv")
    done = aimass("recommend", source, *words, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["interactions"] == 3


def test_a_file_without_names(aimass: Run, tmp_path: Path) -> None:
    source = tmp_path / "u.data"
    source.write_text("1\t10\t5\n1\t11\t3\n2\t10\t4\n")
    words = ("--names", "user,item,stars", "--value", "stars", "--out", tmp_path / "o.csv")
    done = aimass("recommend", source, "--separator", "\\t", *words)
    assert done.exit_code == 0, done.output
