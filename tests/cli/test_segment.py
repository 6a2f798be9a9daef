"""``aimass segment`` from customers and from transactions, and every mistake in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pa = pytest.importorskip("pyarrow")
pa_csv_module = pytest.importorskip("pyarrow.csv")
pq = pytest.importorskip("pyarrow.parquet")

FAST = ("--max-segments", "3", "--bootstrap", "2")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], [120, 80])
    path = tmp_path / "people.parquet"
    table = {
        "customer_id": [f"c{i}" for i in range(200)],
        "spend": np.exp(rng.normal(3 + 3 * group, 0.3)),
        "visits": rng.normal(20 - 12 * group, 2),
        "region": ["north", "south"] * 100,
    }
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(100), np.where(np.arange(100) < 60, 3, 40))
    path = tmp_path / "lines.parquet"
    days = rng.integers(0, 300, len(who))
    table = {
        "customer": who,
        "day": np.datetime64("2024-01-01", "s") + days * np.timedelta64(86400, "s"),
        "quantity": rng.integers(1, 5, len(who)),
        "price": rng.gamma(3, 2, len(who)),
        "name": ["x"] * len(who),
    }
    pq.write_table(pa.table(table), path)
    return path


@pytest.mark.parametrize("suffix", ["parquet", "csv", "feather"])
def test_customers(people: Path, aimass_json: Callable[..., Any], suffix: str) -> None:
    out, report = people.parent / f"out.{suffix}", people.parent / "r.html"
    answer = aimass_json("segment", people, "--out", out, "--report", report, *FAST)
    assert [row["size"] for row in answer["segments"]] == [120, 80]
    assert answer["columns"] == {"spend": "log", "visits": "standard"}
    assert answer["id"] == "customer_id"
    assert answer["rows_written"] == 200
    read = {"parquet": pq.read_table, "csv": pa_csv, "feather": pa_feather}[suffix]
    rows = read(out).to_pydict()
    assert list(rows) == ["customer_id", "segment", "name", "probability", "p_A", "p_B"]
    assert rows["segment"] == ["A"] * 120 + ["B"] * 80
    assert rows["customer_id"][:2] == ["c0", "c1"]
    assert report.read_text().startswith("<!doctype html>")
    assert sorted(p.name for p in people.parent.iterdir()) == sorted(
        [people.name, out.name, report.name]
    )


def pa_csv(path: Path) -> Any:
    from pyarrow import csv

    return csv.read_csv(path)


def pa_feather(path: Path) -> Any:
    from pyarrow import feather

    return feather.read_table(path)


def test_tables_for_people(people: Path, aimass: Callable[..., Any]) -> None:
    result = aimass("segment", people, "--out", people.parent / "o.csv", *FAST)
    assert result.exit_code == 0, result.output
    for words in ("200 customers in 2 segments", "high spend", "log scale", "200 rows to"):
        assert words in result.stdout


def test_save_and_use(people: Path, aimass_json: Callable[..., Any]) -> None:
    folder = people.parent
    aimass_json("segment", people, "--out", folder / "a.parquet", "--save", folder / "m", *FAST)
    aimass_json("segment", people, "--out", folder / "b.parquet", "--use", folder / "m")
    assert pq.read_table(folder / "a.parquet") == pq.read_table(folder / "b.parquet")


def test_options(people: Path, aimass_json: Callable[..., Any]) -> None:
    answer = aimass_json(
        "segment",
        people,
        "--out",
        people.parent / "o.parquet",
        "--columns",
        "vis*,spend",
        "--segments",
        "4",
        "--criterion",
        "icl",
        "--form",
        "diag",
        "--scaling",
        "spend=robust",
        "--missing",
        "median",
        "--bootstrap",
        "0",
        "--seed",
        "3",
        "--id",
        "region",
    )
    assert len(answer["segments"]) == 4
    assert answer["form"] == "diag"
    assert answer["columns"] == {"visits": "standard", "spend": "robust"}
    assert answer["adjusted_rand"] is None


def test_outliers_and_nulls(people: Path, aimass: Callable[..., Any], aimass_json: Any) -> None:
    table = pq.read_table(people).to_pydict()
    rng = np.random.default_rng(0)
    for i in range(0, 200, 25):  # spend like nobody's and visits unknown by turns
        if i % 2:
            table["visits"][i] = None
        else:
            table["spend"][i], table["visits"][i] = rng.uniform(1e6, 1e9), rng.uniform(100, 900)
    pq.write_table(pa.table(table), people)
    out = people.parent / "o.parquet"
    words = ("segment", people, "--out", out, "--noise", "0.05", "--missing", "marginalize", *FAST)
    answer = aimass_json(*words)
    assert answer["segments"][-1]["segment"] == "outlier"
    assert answer["segments"][-1]["size"] == 4
    rows = pq.read_table(out).to_pydict()
    assert rows["segment"].count("outlier") == 4
    assert list(rows)[-1] == "p_outlier"
    assert None not in rows["segment"]
    result = aimass(*words)
    assert "200 customers in 2 segments" in result.stdout
    assert "outliers" in result.stdout


def test_transactions(lines: Path, aimass_json: Callable[..., Any]) -> None:
    out = lines.parent / "o.parquet"
    words = ("--rfm", "--user", "customer", "--time", "day", "--amount", "quantity*price")
    answer = aimass_json("segment", lines, "--out", out, *words, *FAST)
    assert set(answer["columns"]) == {"recency", "frequency", "monetary"}
    rows = pq.read_table(out).to_pydict()
    assert rows["customer"] == list(range(100))
    assert list(rows)[-3:] == ["recency", "frequency", "monetary"]
    assert set(rows["segment"][:60]) != set(rows["segment"][60:])


CASES: dict[str, tuple[list[str], str]] = {
    "missing file": (["NOWHERE.parquet", "--out", "OUT"], "no such file"),
    "a folder": (["FOLDER", "--out", "OUT"], "is a folder"),
    "wrong contents": (["BROKEN", "--out", "OUT"], "cannot be read"),
    "no out": (["PEOPLE"], "--out"),
    "out of unknown format": (["PEOPLE", "--out", "o.xlsx"], ".parquet"),
    "out over the input": (["PEOPLE", "--out", "PEOPLE"], "another file"),
    "report over the output": (["PEOPLE", "--out", "OUT", "--report", "OUT"], "another file"),
    "report in no folder": (["PEOPLE", "--out", "OUT", "--report", "no/r.html"], "no folder"),
    "unknown id": (["PEOPLE", "--out", "OUT", "--id", "customer"], "did you mean 'customer_id'?"),
    "unknown column": (["PEOPLE", "--out", "OUT", "--columns", "spent"], "did you mean 'spend'?"),
    "a column of text": (["PEOPLE", "--out", "OUT", "--columns", "region"], "not text"),
    "too many": (["PEOPLE", "--out", "OUT", "--segments", "500"], "only 200 different rows"),
    "zero": (["PEOPLE", "--out", "OUT", "--segments", "0"], "--segments must be at least 1"),
    "criterion": (["PEOPLE", "--out", "OUT", "--criterion", "aic"], "one of bic, icl"),
    "scaling": (["PEOPLE", "--out", "OUT", "--scaling", "spend=lg"], "did you mean 'log'?"),
    "two scalings": (
        ["PEOPLE", "--out", "OUT", "--scaling", "log", "--scaling", "log"],
        "COL=KIND",
    ),
    "nulls": (["GAPS", "--out", "OUT"], "pass --missing median"),
    "no features": (["WORDS", "--out", "OUT"], "can tell customers apart"),
    "rfm without user": (["PEOPLE", "--out", "OUT", "--rfm"], "--user is needed"),
    "rfm words without rfm": (["PEOPLE", "--out", "OUT", "--user", "x"], "add --rfm"),
    "rfm of a wrong column": (
        [
            "PEOPLE",
            "--out",
            "OUT",
            "--rfm",
            "--user",
            "customer_id",
            "--time",
            "visits",
            "--amount",
            "spend*visit",
        ],
        "did you mean 'visits'?",
    ),
    "noise": (["PEOPLE", "--out", "OUT", "--noise", "2"], "noise must be at most 0.5"),
    "use of nothing": (["PEOPLE", "--out", "OUT", "--use", "none"], "there is no file"),
    "use of a table": (["PEOPLE", "--out", "OUT", "--use", "PEOPLE"], "not of aimass_core"),
    "use and save": (["PEOPLE", "--out", "OUT", "--use", "x", "--save", "y"], "nothing is fitted"),
}


@pytest.mark.parametrize("name", CASES)
def test_mistakes(name: str, people: Path, tmp_path: Path, aimass: Callable[..., Any]) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    (tmp_path / "folder").mkdir()
    gaps = pa.table({"a": [1.0, None, 2.0, 3.0], "b": [3.0, 1.0, 2.0, 5.0]})
    pq.write_table(gaps, tmp_path / "gaps.parquet")
    pq.write_table(pa.table({"a": ["x", "y"]}), tmp_path / "words.parquet")
    places = {
        "PEOPLE": people,
        "OUT": tmp_path / "out.parquet",
        "FOLDER": tmp_path / "folder",
        "BROKEN": tmp_path / "broken.parquet",
        "GAPS": tmp_path / "gaps.parquet",
        "WORDS": tmp_path / "words.parquet",
    }
    words, expected = CASES[name]
    before = sorted(p.name for p in tmp_path.iterdir())
    result = aimass("segment", *(places.get(word, word) for word in words))
    assert result.exit_code == 2, result.output
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 or name == "no out"
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_nothing_is_left_when_the_report_fails(
    people: Path, aimass: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from aimass_core import Segmentation

    def broken(*args: object, **kwargs: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Segmentation, "report", broken)
    folder = people.parent
    result = aimass(
        "segment", people, "--out", folder / "o.parquet", "--report", folder / "r.html", *FAST
    )
    assert result.exit_code == 1
    assert "the disk is full" in result.stderr
    assert [p.name for p in folder.iterdir()] == [people.name]


def test_pictures_of_a_folder(people: Path, aimass: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    words = ("segment", people, "--out", tmp_path / "out.csv", "--pictures", folder, *FAST)
    assert "--pictures: there is no folder" in aimass(*words).output
    (folder / "profile.png").mkdir(parents=True)
    taken = aimass(*words)
    assert taken.exit_code == 2
    assert "--pictures: " in taken.output
    assert "profile.png' is a folder" in taken.output
    assert not (tmp_path / "out.csv").exists()
    (folder / "profile.png").rmdir()
    assert aimass(*words).exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "map.png",
        "profile.png",
        "selection.png",
    ]


def test_pictures_without_matplotlib_name_the_option(
    people: Path, aimass: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for option, path in (("--report", "report.html"), ("--pictures", ".")):
        done = aimass("segment", people, "--out", tmp_path / "out.csv", option, tmp_path / path)
        assert done.exit_code == 2
        assert f"{option} needs matplotlib: pip install 'aimass_core[plot]'" in done.output
        assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("option", ["--out", "--report"])
def test_the_model_in_use_is_not_overwritten(
    people: Path, aimass: Callable[..., Any], option: str
) -> None:
    model, out = people.parent / "m.parquet", people.parent / "out.parquet"
    assert aimass("segment", people, "--out", out, "--save", model, *FAST).exit_code == 0
    before = model.read_bytes()
    outputs = ("--out", model) if option == "--out" else ("--out", out, "--report", model)
    answer = aimass("segment", people, "--use", model, *outputs)
    assert answer.exit_code == 2
    assert "is another file of this command" in answer.stderr
    assert model.read_bytes() == before


def test_no_report_of_a_model_that_could_not_be_saved(
    people: Path, aimass: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("aimass_core.segmentation.Segmentation.save", full)
    out, report, model = (people.parent / name for name in ("o.csv", "r.html", "m"))
    answer = aimass("segment", people, "--out", out, "--report", report, "--save", model, *FAST)
    assert answer.exit_code == 1
    assert not any(path.exists() for path in (out, report, model))


def test_codes_categories_and_unit(people: Path, aimass_json: Callable[..., Any]) -> None:
    table = pq.read_table(people)
    zips = pa.array([10000 + 7 * (n % 50) for n in range(200)])
    path, out = people.parent / "more.parquet", people.parent / "o.csv"
    pq.write_table(table.append_column("zip", zips), path)
    found = aimass_json("segment", path, "--out", out, "--unit", "sessions", *FAST)
    assert list(found["columns"]) == ["spend", "visits"]
    assert any("zip" in note for note in found["notes"])
    assert found["unit"] == "sessions"
    words = ("--include", "zip", "--categorical", "region", *FAST)
    found = aimass_json("segment", path, "--out", out, *words)
    assert list(found["columns"]) == ["spend", "visits", "zip"]
    assert found["categories"] == {"region": ["north", "south"]}


def test_segments_of_a_previous_run(people: Path, aimass_json: Callable[..., Any]) -> None:
    model, out = people.parent / "m", people.parent / "o.csv"
    first = aimass_json("segment", people, "--out", out, "--save", model, *FAST)
    assert first["drift"] == {}
    later = aimass_json("segment", people, "--out", out, "--previous", model, *FAST)
    assert [row["segment"] for row in later["segments"]] == ["A", "B"]
    assert later["drift"]["changed"] == 0
    assert later["drift"]["psi"] == pytest.approx(0, abs=1e-9)
    assert any("since the previous segments" in note for note in later["notes"])


def test_scores_of_transactions(lines: Path, aimass: Callable[..., Any]) -> None:
    path, out = lines.parent / "lines.csv", lines.parent / "o.csv"
    table = pq.read_table(lines)
    days = pa.compute.strftime(table["day"], "%d.%m.%Y")
    pa_csv_module.write_csv(table.set_column(1, "day", days), path)
    words = ("--rfm", "--user", "customer", "--time", "day", "--amount", "quantity*price")
    more = ("--date-format", "%d.%m.%Y", "--scores", "--now", "2025-01-31", *FAST)
    done = aimass("segment", path, "--out", out, *words, *more)
    assert done.exit_code == 0, done.output
    rows = pa_csv(out).to_pylist()
    assert {row["recency_score"] for row in rows} == {1, 2, 3, 4, 5}
    assert min(row["recency"] for row in rows) > 90
    champions = [row for row in rows if row["rfm_segment"] == "champions"]
    assert champions
    assert all(row["recency_score"] == 5 for row in champions)


def test_customers_of_standard_input(people: Path, aimass: Callable[..., Any]) -> None:
    testing = pytest.importorskip("typer.testing")
    from aimass_core.cli.app import app

    table = pq.read_table(people)
    pa_csv_module.write_csv(table, people.parent / "p.csv")
    content = (people.parent / "p.csv").read_bytes()
    words = ["segment", "-", "--out", "-", "--quiet", *FAST]
    done = testing.CliRunner().invoke(app, words, input=content)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith('"customer_id","segment","name","probability"')
    assert len(done.stdout.splitlines()) == 201
