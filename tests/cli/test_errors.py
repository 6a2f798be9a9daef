"""Every mistake of the caller is one line with the fix, exit code 2 and no file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASES: dict[str, tuple[list[str], str]] = {
    "missing file": (["recommend", "NOWHERE.parquet", "--out", "OUT"], "does not exist"),
    "a folder": (["recommend", "FOLDER", "--out", "OUT"], "is a folder"),
    "wrong contents": (["recommend", "BROKEN", "--out", "OUT"], "cannot be read"),
    "unknown format": (["recommend", "FOLDER/shop.xyz", "--out", "OUT"], "does not exist"),
    "bad column": (
        ["recommend", "SHOP", "--user", "user_ids", "--out", "OUT"],
        "did you mean 'user_id'?",
    ),
    "no obvious column": (["recommend", "ODD", "--out", "OUT"], "--user is needed"),
    "unknown model": (
        ["recommend", "SHOP", "--model", "item-knm", "--out", "OUT"],
        "did you mean 'item-knn'?",
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
        "--duplicates how",
    ),
    "a column of text as value": (
        ["recommend", "SHOP", "--value", "part", "--out", "OUT"],
        "part",
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
    "threads of zero": (["recommend", "SHOP", "--threads", "0", "--out", "OUT"], "n_threads"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_no_file(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path, case: str
) -> None:
    (tmp_path / "folder").mkdir()
    names = ("bad.parquet", "odd.csv", "nulls.csv", "bare.csv")
    broken, odd, nulls, bare = (tmp_path / name for name in names)
    broken.write_bytes(b"PAR1 not really")
    bare.write_text("user_id,item_id\n")
    odd.write_text("who,what\na,x\n")
    nulls.write_text("user_id,item_id\na,x\n,y\n")
    out = tmp_path / "recs.parquet"
    paths = {"SHOP": shop, "OUT": out, "FOLDER": tmp_path / "folder", "BROKEN": broken,
             "ODD": odd, "NULLS": nulls, "BARE": bare}  # fmt: skip
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


def test_debug_shows_the_error_itself(aimass: Callable[..., Any], shop: Path) -> None:
    result = aimass("--debug", "similar", shop, "999")
    assert isinstance(result.exception, KeyError)


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
    assert result.exit_code == 2
    assert "memory" in result.stderr
    assert out.read_text() == "what was there before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["recs.parquet", "shop.parquet"]


def test_a_defect_of_ours_says_so(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("impossible")

    monkeypatch.setattr("aimass_core.cli.recommend.read_ratings", broken)
    result = aimass("recommend", shop, "--out", tmp_path / "r.csv")
    assert result.exit_code == 1
    assert "--debug" in result.stderr
    assert result.stderr.count("\n") == 1
