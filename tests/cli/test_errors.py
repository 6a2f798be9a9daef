"""Every mistake of the caller is one line with the fix, exit code 2 and no file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASES: dict[str, tuple[list[str], str]] = {
    "missing file": (["recommend", "NOWHERE.parquet", "--out", "OUT"], "no such file"),
    "an empty folder": (["recommend", "FOLDER", "--out", "OUT"], "without table files"),
    "wrong contents": (["recommend", "BROKEN", "--out", "OUT"], "cannot be read"),
    "unknown format": (["recommend", "FOLDER/shop.xyz", "--out", "OUT"], "no such file"),
    "bad column": (
        ["recommend", "SHOP", "--user", "user_ids", "--out", "OUT"],
        "did you mean 'user_id'?",
    ),
    "no obvious column": (["recommend", "ODD", "--out", "OUT"], "--user is needed"),
    "unknown model": (
        ["recommend", "SHOP", "--model", "item-knm", "--out", "OUT"],
        "did you mean 'item-knn'?",
    ),
    "a model by its class": (
        ["recommend", "SHOP", "--model", "content-based", "--out", "OUT"],
        "did you mean 'content'?",
    ),
    "a model with an underscore": (
        ["recommend", "SHOP", "--model", "hybrid_als", "--out", "OUT"],
        "did you mean 'hybrid-als'?",
    ),
    "a parameter of a model": (
        ["recommend", "SHOP", "--model", "fm:max_iter=30", "--out", "OUT"],
        "--model fm: max_iter=30 sweeps hold no 20 draws",
    ),
    "a parameter of a model in an evaluation": (
        ["evaluate", "SHOP", "--model", "popularity", "--model", "fm:max_iter=30"],
        "--model fm: max_iter=30 sweeps hold no 20 draws",
    ),
    "unknown option of a model": (
        ["recommend", "SHOP", "--set", "n_neighbours=3", "--out", "OUT"],
        "did you mean 'n_neighbors'?",
    ),
    "option without a value": (["recommend", "SHOP", "--set", "n_neighbors", "--out", "OUT"], "="),
    "option out of range": (
        ["recommend", "SHOP", "--set", "n_neighbors=-1", "--out", "OUT"],
        "n_neighbors",
    ),
    "unknown option": (["recommend", "SHOP", "--ouput", "OUT"], "--ouput"),
    "unknown command": (["recomend", "SHOP"], "recommend"),
    "missing option": (["recommend", "SHOP"], "--out"),
    "k of zero": (["recommend", "SHOP", "--k", "0", "--out", "OUT"], "--k must be at least 1"),
    "output of unknown format": (["recommend", "SHOP", "--out", "recs.xlsx"], ".parquet"),
    "output in no folder": (["recommend", "SHOP", "--out", "none/recs.csv"], "no folder"),
    "output over the input": (["recommend", "SHOP", "--out", "SHOP"], "another file"),
    "output is a folder": (["recommend", "SHOP", "--out", "FOLDER"], "folder"),
    "model saved in no folder": (
        ["recommend", "SHOP", "--out", "OUT", "--save", "none/model"],
        "--save: there is no folder",
    ),
    "model saved over the output": (
        ["recommend", "SHOP", "--out", "OUT", "--save", "OUT"],
        "another file",
    ),
    "no rows": (["recommend", "BARE", "--out", "OUT"], "no row of"),
    "unknown user": (["recommend", "SHOP", "--users", "c00,zz", "--out", "OUT"], "'zz'"),
    "items of a wrong type": (["recommend", "SHOP", "--deny", "abc", "--out", "OUT"], "'abc'"),
    "missing list": (["recommend", "SHOP", "--allow", "no.csv", "--out", "OUT"], "no.csv"),
    "duplicates without a rule": (
        ["recommend", "SHOP", "--value", "rating", "--out", "OUT"],
        "--duplicates",
    ),
    "a column of text as value": (
        ["recommend", "SHOP", "--value", "part", "--out", "OUT"],
        "part",
    ),
    "a date format with a blank": (
        ["recommend", "DATED", "--time", "when", "--out", "OUT"],
        "pass --date-format '%d.%m.%Y %H:%M'",
    ),
    "nulls": (["recommend", "NULLS", "--out", "OUT"], "pass --nulls drop"),
    "no such split": (
        ["evaluate", "SHOP", "--model", "popularity", "--split", "temporl"],
        "temporal",
    ),
    "temporal split without time": (
        ["evaluate", "SHOP", "--model", "popularity", "--split", "temporal"],
        "--time",
    ),
    "split by a missing column": (
        ["evaluate", "SHOP", "--model", "popularity", "--split", "column:parts"],
        "did you mean 'part'?",
    ),
    "unknown metric": (
        ["evaluate", "SHOP", "--model", "popularity", "--metric", "recal"],
        "recall",
    ),
    "test share of 1": (
        ["evaluate", "SHOP", "--model", "popularity", "--test-size", "1.0"],
        "test",
    ),
    "unknown item": (["similar", "SHOP", "999"], "999"),
    "item of a wrong type": (["similar", "SHOP", "abc"], "'abc'"),
    "similar without items": (["similar", "SHOP", "100", "--model", "baseline"], "item-knn"),
    "items without a title": (["similar", "SHOP", "100", "--items", "SHOP"], "--title"),
    "no ratings and no model": (["recommend", "--out", "OUT"], "RATINGS is needed"),
    "a model file that does not exist": (
        ["recommend", "--model-file", "no.aimass", "--out", "OUT"],
        "--model-file: there is no file",
    ),
    "a model file that is a table": (
        ["recommend", "--model-file", "SHOP", "--out", "OUT"],
        "--model-file",
    ),
    "a model and its file": (
        ["recommend", "--model-file", "SHOP", "--model", "item-knn", "--out", "OUT"],
        "leave out --model",
    ),
    "similar without an item": (["similar", "SHOP"], "RATINGS ITEM"),
    "explain without reasons": (["explain", "SHOP", "c00", "100", "--model", "nmf"], "no reasons"),
    "evaluate without a model": (["evaluate", "SHOP"], "--model is needed"),
    "update without a model": (
        ["update", "--model-file", "no", "--new", "SHOP", "--save", "OUT"],
        "there is no file",
    ),
    "budget without a cost": (
        ["audience", "SHOP", "--items", "100", "--budget", "5", "--out", "OUT"],
        "--cost",
    ),
    "groups without a quota": (
        ["audience", "SHOP", "--items", "100", "--groups", "SHOP", "--out", "OUT"],
        "--max-per-group",
    ),
    "a sum instead of weights": (
        ["recommend", "SHOP", "--event", "part", "--weights", "a=b", "--out", "OUT"],
        "expected a number",
    ),
    "a word for a number": (
        ["recommend", "SHOP", "--model", "implicit-als", "--set", "n_factors=abc", "--out", "OUT"],
        "n_factors must be a whole number, got 'abc'",
    ),
    "an option of a model without a value": (
        ["recommend", "SHOP", "--set", "n_factors", "--out", "OUT"],
        "expected OPTION=VALUE",
    ),
    "a cut-off of 0 in a metric": (
        ["evaluate", "SHOP", "--model", "popularity", "--metric", "map@0"],
        "k must be at least 1",
    ),
    "an encoding that does not exist": (
        ["recommend", "SHOP", "--encoding", "utf-99", "--out", "OUT"],
        "utf-99",
    ),
    "a shell without completion": (["completion", "tcsh"], "bash, zsh, fish"),
    "events without weights": (["recommend", "SHOP", "--event", "part", "--out", "OUT"], "weights"),
    "unknown rule for users": (
        ["recommend", "SHOP", "--unknown", "drop", "--out", "OUT"],
        "--unknown must be one of error, skip, popular",
    ),
    "unknown encoding": (
        ["recommend", "SHOP", "--encoding", "latin-99", "--out", "OUT"],
        "--encoding",
    ),
    "unknown output format": (
        ["recommend", "SHOP", "--out-format", "xml", "--out", "OUT"],
        "--out-format must be one of",
    ),
    "parquet to standard output": (
        ["recommend", "SHOP", "--out-format", "parquet", "--out", "-"],
        "standard output",
    ),
    "a reason with other words": (
        ["recommend", "SHOP", "--explain", "--reason", "{what}", "--out", "OUT"],
        "--reason",
    ),
    "values to try of no model": (
        ["tune", "SHOP", "--model", "item-knn", "--try", "n_factors=2"],
        "n_factors",
    ),
    "unknown model of models": (["models", "item-knm"], "did you mean 'item-knn'?"),
    "a query for a file": (
        ["recommend", "SHOP", "--query", "SELECT 1", "--out", "OUT"],
        "--query is for a connection or the file of a database",
    ),
    "a sheet of a file that is no workbook": (
        ["recommend", "SHOP", "--sheet", "2011", "--out", "OUT"],
        "--sheet is for a workbook",
    ),
    "a line above the names": (
        ["recommend", "TITLED", "--user", "who", "--item", "what", "--out", "OUT"],
        "line 2 has it: pass --skip-rows 1",
    ),
    "threads of zero": (["recommend", "SHOP", "--threads", "0", "--out", "OUT"], "n_threads"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_no_file(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path, case: str
) -> None:
    (tmp_path / "folder").mkdir()
    names = ("bad.parquet", "odd.csv", "nulls.csv", "bare.csv", "titled.csv", "dated.csv")
    broken, odd, nulls, bare, titled, dated = (tmp_path / name for name in names)
    dated.write_text("user_id,item_id,when\na,x,31.01.2024 18:30\n")
    broken.write_bytes(b"PAR1 not really")
    bare.write_text("user_id,item_id\n")
    odd.write_text("who,what\na,x\n")
    titled.write_text("# export\nwho,what\na,x\n")
    nulls.write_text("user_id,item_id\na,x\n,y\n")
    out = tmp_path / "recs.parquet"
    paths = {
        "SHOP": shop,
        "OUT": out,
        "FOLDER": tmp_path / "folder",
        "BROKEN": broken,
        "ODD": odd,
        "NULLS": nulls,
        "BARE": bare,
        "TITLED": titled,
        "DATED": dated,
    }
    words, expected = CASES[case]
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    result = aimass(*(str(paths.get(word, word)) for word in words))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr
    after = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


def test_new_rows_are_named_where_there_are_none(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path
) -> None:
    model, bare = tmp_path / "model.aimass", tmp_path / "bare.csv"
    assert aimass("recommend", shop, "--save", model, "--out", tmp_path / "a.csv").exit_code == 0
    bare.write_text("user_id,item_id\n")
    result = aimass("update", "--model-file", model, "--new", bare, "--save", tmp_path / "next")
    assert result.exit_code == 2
    assert result.stderr == "error: --new: no row of 'bare.csv' can be used; it has 0 rows\n"


@pytest.mark.parametrize("option", ["-v", "--verbose", "--debug"])
def test_verbose_shows_the_traceback(aimass: Callable[..., Any], shop: Path, option: str) -> None:
    result = aimass("similar", shop, "999", option)
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ITEM")


def test_an_error_half_way_leaves_the_old_file(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import aimass_core

    out = tmp_path / "recs.parquet"
    out.write_text("what was there before")
    monkeypatch.setattr("aimass_core.retrieval._stream._block_rows", lambda k: 7)
    whole = aimass_core.ItemKNN.rank
    calls = []

    def fails_later(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise MemoryError
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(aimass_core.ItemKNN, "rank", fails_later)
    result = aimass("recommend", shop, "--out", out)
    assert result.exit_code == 1
    assert "memory" in result.stderr
    assert "defect" not in result.stderr
    assert out.read_text() == "what was there before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["recs.parquet", "shop.parquet"]


def test_a_defect_of_ours_says_so(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("impossible")

    monkeypatch.setattr("aimass_core.cli.ratings.Ratings.read", broken)
    result = aimass("recommend", shop, "--out", tmp_path / "r.csv")
    assert result.exit_code == 1
    assert "report it" in result.stderr
    assert "-v" in result.stderr
    assert result.stderr.count("\n") == 1
    result = aimass("recommend", shop, "--out", tmp_path / "r.csv", "-v")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError, ZeroDivisionError])
def test_errors_that_no_statement_raised_are_defects(
    aimass: Callable[..., Any],
    shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    operations: dict[type[Exception], Callable[[], object]] = {
        ValueError: lambda: int("x"),
        TypeError: lambda: "a" + 1,  # type: ignore[operator]
        KeyError: lambda: {}["x"],
        ZeroDivisionError: lambda: 1 / 0,
    }
    monkeypatch.setattr("aimass_core.cli.ratings.Ratings.read", lambda self: operations[error]())
    result = aimass("recommend", shop, "--out", tmp_path / "r.csv")
    assert result.exit_code == 1
    assert f"error: {error.__name__}" in result.stderr


def test_a_full_disk_is_no_defect(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = aimass("recommend", shop, "--out", tmp_path / "r.csv")
    assert result.exit_code == 1
    assert result.stderr == "error: [Errno 28] No space left on device\n"
    assert [path.name for path in tmp_path.iterdir()] == ["shop.parquet"]


def test_the_command_does_not_ask_for_an_import(aimass: Callable[..., Any], shop: Path) -> None:
    failed = aimass("recommend", shop, "--model", "NMF2", "--out", "-")
    assert "there is no model 'NMF2'; the models are" in failed.output
    assert "Import" not in failed.output
