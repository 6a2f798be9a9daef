"""``aimass audience``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")
pq = pytest.importorskip("pyarrow.parquet")

SMALL = ("--set", "n_factors=4")


def test_audiences_under_limits(
    aimass_json: Callable[..., dict[str, Any]], shop: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audience.parquet"
    words = ("--items", "103,117", "--size", 12, "--max-per-user", 1, "--exclude-users", "c01,c02")
    answer = aimass_json("audience", shop, "--out", out, *words, *SMALL)
    table = pq.read_table(out)
    assert table.column_names == ["item_id", "user_id", "rank", "score"]
    assert answer["rows_written"] == table.num_rows == 24
    rows = table.to_pylist()
    assert len({row["user_id"] for row in rows}) == 24
    assert not {"c01", "c02"} & {row["user_id"] for row in rows}
    bought = {(r["user_id"], r["item_id"]) for r in pq.read_table(shop).to_pylist()}
    assert not bought & {(row["user_id"], row["item_id"]) for row in rows}
    for item in (103, 117):
        mine = [row for row in rows if row["item_id"] == item]
        assert [row["rank"] for row in mine] == list(range(1, 13))
        scores = [row["score"] for row in mine]
        assert scores == sorted(scores, reverse=True)
    assert answer["value"] <= answer["value_bound"]
    # Customers buy from one half: even ones from items below 115.
    half = [int(row["user_id"][1:]) % 2 == (row["item_id"] >= 115) for row in rows]
    assert sum(half) >= 20


def test_top_lists_method_and_privacy(
    aimass_json: Callable[..., dict[str, Any]], shop: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audience.csv"
    common = ("audience", shop, "--items", "103,117", "--out", out, "--size", 8, *SMALL)
    greedy = aimass_json(*common, "--in-top", 5, "--max-per-user", 1)
    exact = aimass_json(*common, "--in-top", 5, "--max-per-user", 1, "--method", "exact")
    assert greedy["value"] <= exact["value"] * (1 + 1e-6) <= greedy["value_bound"] * (1 + 2e-6)
    guarded = aimass_json(*common, "--min-size", 9)
    assert guarded["items_dropped"] == 2
    assert guarded["rows_written"] == 0
    assert [row["users"] for row in guarded["audiences"]] == [0, 0]


def test_as_a_table(aimass: Callable[..., Any], shop: Path, tmp_path: Path) -> None:
    shown = aimass("audience", shop, "--items", "103", "--out", tmp_path / "a.csv", *SMALL).stdout
    assert "users addressed" in shown
    assert "lowest score" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--items", "999"), "--items: this id is not in the ratings: '999'"),
        (("--items", "103", "--model", "popularity"), "audiences need a factor model"),
        (("--items", "103", "--size", "0"), "--size must be at least 1, got 0"),
        (("--items", "103,103"), "items must be given once each"),
        (("--items", "103", "--method", "best"), "--method must be one of greedy, exact"),
        (("--items", "103", "--in-top", "0"), "--in-top must be at least 1"),
    ],
)
def test_refusals(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "a.csv"
    result = aimass("audience", shop, "--out", out, *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not out.exists()
