"""``aimass audience``."""

from __future__ import annotations

import hashlib
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
    assert "distinct users" in shown
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


def test_a_budget_with_costs_and_values_from_files(
    aimass_json: Callable[..., dict[str, Any]], shop: Path, tmp_path: Path
) -> None:
    costs, values, out = tmp_path / "costs.csv", tmp_path / "margins.csv", tmp_path / "a.csv"
    costs.write_text("item_id,cost\n103,2.5\n117,1\n999,7\n")
    values.write_text("item_id,value\n103,10\n117,1\n")
    words = ("audience", shop, "--items", "103,117", "--out", out, *SMALL)
    money = ("--budget", 20, "--cost", costs, "--item-values", values)
    found = aimass_json(*words, *money)
    users = {row["item"]: row["users"] for row in found["audiences"]}
    assert found["cost"] == pytest.approx(2.5 * users[103] + users[117])
    assert 17.5 < found["cost"] <= 20
    assert aimass_json(*words, "--budget", 20, "--cost", 2)["cost"] == 20


def test_quotas_opt_outs_hashes_and_attributes(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path
) -> None:
    csv = pytest.importorskip("pyarrow.csv")
    people, out = tmp_path / "people.csv", tmp_path / "a.csv"
    rows = [f"c{n:02d},{'north' if n % 3 else 'south'},{n}" for n in range(60)]
    people.write_text("\n".join(["user_id,group,age", *rows, "stranger,north,9"]) + "\n")
    opted_out = tmp_path / "opted_out.txt"
    opted_out.write_text(f"{hashlib.sha256(b'c02').hexdigest()}\n{'0' * 64}\n")
    words = ("audience", shop, "--items", "103,117", "--out", out, *SMALL)
    done = aimass(
        *words,
        "--groups",
        people,
        "--max-per-group",
        "north=5,south=2",
        "--exclude-users",
        opted_out,
        "--hash",
        "sha256",
        "--join",
        people,
    )
    assert done.exit_code == 0, done.output
    table = csv.read_csv(out)
    assert table.column_names == ["item_id", "user_id", "rank", "score", "group", "age"]
    groups = table["group"].to_pylist()
    assert (groups.count("north"), groups.count("south")) == (5, 2)
    assert "c02" not in table["user_id"].to_pylist()
    for user, age in zip(table["user_id"].to_pylist(), table["age"].to_pylist(), strict=True):
        assert int(user[1:]) == age
    assert aimass(*words, "--size", 3, "--hash-output", "sha256").exit_code == 0
    plain = aimass(*words, "--size", 3, "--out", tmp_path / "b.csv")
    assert plain.exit_code == 0
    expected = csv.read_csv(tmp_path / "b.csv")["user_id"].to_pylist()
    hashes = [hashlib.sha256(user.encode()).hexdigest() for user in expected]
    assert csv.read_csv(out)["user_id"].to_pylist() == hashes


def test_types_of_joined_attributes(aimass: Callable[..., Any], shop: Path, tmp_path: Path) -> None:
    """Numbers of a CSV file are written as it has them, also where some are missing."""
    people, out = tmp_path / "people.csv", tmp_path / "a.csv"
    rows = [f"c{n:02d},{n if n % 3 else ''},{n}.5,0{n},{n}" for n in range(60)]
    people.write_text("\n".join(["user_id,age,spent,zip,score", *rows]) + "\n")
    done = aimass("audience", shop, "--items", "103", "--out", out, *SMALL, "--join", people)
    assert done.exit_code == 0, done.output
    header, *lines = out.read_text().replace('"', "'").splitlines()
    assert header == "'item_id','user_id','rank','score','age','spent','zip','user_id_score'"
    for line in lines:
        cells = line.split(",")
        n = int(cells[1].strip("'")[1:])
        assert cells[4:] == [f"{n}" if n % 3 else "", f"{n}.5", f"'0{n}'", f"{n}"]


def test_strangers_in_an_opt_out_list(
    aimass_json: Callable[..., dict[str, Any]], shop: Path, tmp_path: Path
) -> None:
    words = ("audience", shop, "--items", "103", "--size", 3, "--out", tmp_path / "a.csv", *SMALL)
    found = aimass_json(*words, "--exclude-users", "stranger,c01,other")
    assert found["unknown_excluded"] == 2
    assert found["rows_written"] == 3


def test_files_of_users_in_which_one_id_is_text(aimass: Callable[..., Any], tmp_path: Path) -> None:
    """The ids of the file are text then, and those of the data stay numbers."""
    csv = pytest.importorskip("pyarrow.csv")
    shop, people, out = (tmp_path / name for name in ("shop.csv", "people.csv", "a.csv"))
    shop.write_text("user,item\n" + "".join(f"{n},{n % 7}\n{n},{n % 5}\n" for n in range(40)))
    rows = [f"{n},{'north' if n % 2 else 'south'},{n}\n" for n in range(40)]
    people.write_text("user,group,age\n" + "".join(rows) + "A1,west,9\n")
    words = ("audience", shop, "--items", "3", "--size", 9, "--out", out, *SMALL)
    done = aimass(*words, "--groups", people, "--max-per-group", 2, "--join", people)
    assert done.exit_code == 0, done.output
    table = csv.read_csv(out).to_pydict()
    assert sorted(table["group"]) == ["north", "north", "south", "south"]
    assert table["age"] == table["user"]
