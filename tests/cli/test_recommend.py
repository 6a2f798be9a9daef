"""``aimass recommend``: what is written, in which types and order, from which formats."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimass_core.base.registry import find, model_names

pa = pytest.importorskip("pyarrow")
csv = pytest.importorskip("pyarrow.csv")
feather = pytest.importorskip("pyarrow.feather")
pq = pytest.importorskip("pyarrow.parquet")

MODELS = [name for name in model_names() if name != "context-knn" and not find(name).needs_features]


def seen(shop: Path) -> set[tuple[str, int]]:
    table = pq.read_table(shop)
    return set(zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True))


@pytest.mark.parametrize("model", MODELS)
def test_every_user_gets_unseen_items_in_the_files_ids(
    aimass_json: Callable[..., dict[str, Any]], shop: Path, tmp_path: Path, model: str
) -> None:
    out = tmp_path / "recs.parquet"
    summary = aimass_json(
        "recommend",
        shop,
        "--user",
        "user_id",
        "--item",
        "item_id",
        "--value",
        "rating",
        "--duplicates",
        "last",
        "--model",
        model,
        "--k",
        5,
        "--out",
        out,
    )
    table = pq.read_table(out)
    assert table.schema.names == ["user_id", "item_id", "rank", "score"]
    assert table.schema.field("item_id").type == pa.int32()
    pairs = set(zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True))
    assert len(pairs) == table.num_rows == summary["rows_written"]
    assert not pairs & seen(shop)
    assert len(set(table["user_id"].to_pylist())) == 60
    assert set(table["rank"].to_pylist()) <= {1, 2, 3, 4, 5}
    by_user = table.sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()
    for better, worse in itertools.pairwise(by_user):
        if better["user_id"] == worse["user_id"]:
            assert better["score"] >= worse["score"]


def test_item_knn_recovers_the_groups(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path
) -> None:
    out = tmp_path / "recs.parquet"
    assert aimass("recommend", shop, "--k", 3, "--out", out).exit_code == 0
    for row in pq.read_table(out).to_pylist():
        assert (row["item_id"] >= 115) == bool(int(row["user_id"][1:]) % 2)


@pytest.mark.parametrize("suffix", [".csv", ".feather", ".parquet"])
def test_formats_in_and_out_agree(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path, suffix: str
) -> None:
    table = pq.read_table(shop)
    source = tmp_path / f"in{suffix}"
    write = {".csv": csv.write_csv, ".feather": feather.write_feather, ".parquet": pq.write_table}
    read = {".csv": csv.read_csv, ".feather": feather.read_table, ".parquet": pq.read_table}
    write[suffix](table, source)
    first, second = tmp_path / "a.parquet", tmp_path / f"b{suffix}"
    assert aimass("recommend", shop, "--out", first).exit_code == 0
    assert aimass("recommend", source, "--out", second).exit_code == 0
    expected, found = pq.read_table(first), read[suffix](second)
    for name in ("user_id", "item_id", "rank"):
        assert found[name].to_pylist() == expected[name].to_pylist()
    assert found["score"].to_pylist() == pytest.approx(expected["score"].to_pylist(), rel=1e-6)


def test_blocks_do_not_change_the_answer(
    aimass: Callable[..., Any], shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole.parquet", tmp_path / "parts.parquet"
    assert aimass("recommend", shop, "--out", whole).exit_code == 0
    monkeypatch.setattr("aimass_core.retrieval._stream._block_rows", lambda k: 7)
    assert aimass("recommend", shop, "--out", parts).exit_code == 0
    assert pq.read_table(whole).equals(pq.read_table(parts))
    assert pq.ParquetFile(parts).num_row_groups == 9


def test_filters(aimass_json: Callable[..., dict[str, Any]], shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "recs.csv"
    users = tmp_path / "users.txt"
    users.write_text("c03\nc01\n")
    allow = tmp_path / "allow.csv"
    allow.write_text("item_id\n115\n116\n117\n118\n999\n")
    summary = aimass_json(
        "recommend",
        shop,
        "--users",
        users,
        "--allow",
        allow,
        "--deny",
        "116",
        "--no-exclude-seen",
        "--out",
        out,
    )
    table = csv.read_csv(out)
    assert list(dict.fromkeys(table["user_id"].to_pylist())) == ["c03", "c01"]
    assert set(table["item_id"].to_pylist()) <= {115, 117, 118}
    assert summary["unknown_candidates"] == 1
    assert summary["lists_written"] == 2


def test_summary_counts_rows(aimass_json: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("customer,product\na,x\na,x\n,y\nb,y\nb,x\nc,y\n")
    summary = aimass_json("recommend", source, "--nulls", "drop", "--out", tmp_path / "r.csv")
    assert summary["columns"] == {"user": "customer", "item": "product"}
    assert summary["guessed_columns"] == ["user", "item"]
    assert summary["rows_read"] == 6
    assert summary["rows_merged"] == 1
    assert sum(summary["rows_dropped"].values()) == 1


def test_summary_as_a_table(aimass: Callable[..., Any], shop: Path, tmp_path: Path) -> None:
    result = aimass("recommend", shop, "--out", tmp_path / "r.parquet")
    assert result.exit_code == 0
    for words in ("rows read", "rows merged", "rows dropped", "users/s", "(chosen by its name)"):
        assert words in result.stdout


def test_save_writes_a_model(aimass: Callable[..., Any], shop: Path, tmp_path: Path) -> None:
    import aimass_core

    model, out = tmp_path / "model.aimass", tmp_path / "recs.parquet"
    assert aimass("recommend", shop, "--out", out, "--save", model).exit_code == 0
    again = aimass_core.load(model).recommend(["c00"], k=10)
    first = [r["item_id"] for r in pq.read_table(out).to_pylist() if r["user_id"] == "c00"]
    ids, _ = next(iter(again))
    assert list(ids)[: len(first)] == first


def test_columns_named_rank_and_score(aimass: Callable[..., Any], tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("rank,score\na,x\na,y\nb,y\nb,z\n")
    named = ("--user", "rank", "--item", "score")
    assert aimass("recommend", source, *named, "--out", out).exit_code == 0
    assert csv.read_csv(out).schema.names == ["user", "item", "rank", "score"]


def test_workers_write_a_folder_with_the_same_rows(
    aimass: Callable[..., Any],
    aimass_json: Callable[..., dict[str, Any]],
    shop: Path,
    tmp_path: Path,
) -> None:
    common = ["recommend", shop, "--duplicates", "last", "--model", "implicit-als:n_factors=4"]
    one = aimass_json(*common, "--out", tmp_path / "one.parquet")
    workers = ["--executor", "processes:2", "--place", tmp_path / "place"]
    many = aimass_json(*common, *workers, "--out", f"{tmp_path}/many/")
    assert many["rows_written"] == one["rows_written"]
    paths = sorted((tmp_path / "many").glob("*.parquet"))
    tables = [pq.read_table(path) for path in paths]
    assert pa.concat_tables(tables) == pq.read_table(tmp_path / "one.parquet")
    here = aimass_json(*common, "--out", f"{tmp_path}/here/", "--k", 2)
    assert here["rows_written"] == 120
    for words, message in (
        (["--place", tmp_path, "--out", tmp_path / "x.parquet"], "--place has no effect without"),
        (["--executor", "spark", "--out", tmp_path / "x.parquet"], "executor must be 'processes"),
        (["--explain", "--out", f"{tmp_path}/x/"], "go with a file as --out, not with a folder"),
        (["--out-format", "csv", "--out", f"{tmp_path}/x/"], "as Parquet files only"),
    ):
        result = aimass(*common, *words)
        assert result.exit_code == 2, result.output
        assert message in result.output
