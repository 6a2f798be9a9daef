"""A saved model in every command, and the daily update."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
csv = pytest.importorskip("pyarrow.csv")
pq = pytest.importorskip("pyarrow.parquet")

Run = Callable[..., Any]
RunJson = Callable[..., dict[str, Any]]


@pytest.fixture
def saved(aimass: Run, shop: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return the file of a model that was fitted on the shop."""

    def save(model: str = "item-knn") -> Path:
        path = tmp_path / f"{model.partition(':')[0]}.aimass"
        words = ("--model", model, "--out", tmp_path / "first.parquet", "--save", path)
        done = aimass("recommend", shop, *words)
        assert done.exit_code == 0, done.output
        return path

    return save


@pytest.mark.parametrize("model", ["item-knn", "implicit-als:n_factors=4", "popularity"])
def test_lists_of_a_saved_model(
    aimass: Run, saved: Callable[[str], Path], tmp_path: Path, model: str
) -> None:
    path = saved(model)
    out = tmp_path / "second.parquet"
    assert aimass("recommend", "--model-file", path, "--out", out).exit_code == 0
    first, second = pq.read_table(tmp_path / "first.parquet"), pq.read_table(out)
    assert second.column_names == ["user_id", "item_id", "rank", "score"]
    assert second.to_pydict() == first.to_pydict()


def test_a_saved_model_and_users_it_does_not_know(
    aimass: Run, saved: Callable[[str], Path], shop: Path, tmp_path: Path
) -> None:
    visitors = tmp_path / "visitors.csv"
    visitors.write_text("user_id,item_id\nnew,100\nnew,101\nc00,117\n")
    out = tmp_path / "lists.csv"
    words = ("--model-file", saved("item-knn"), "--k", 3, "--out", out)
    assert aimass("recommend", visitors, *words).exit_code == 0
    rows = csv.read_csv(out).to_pylist()
    assert [row["user_id"] for row in rows] == ["c00"] * 3 + ["new"] * 3
    assert all(row["item_id"] < 115 for row in rows if row["user_id"] == "new")
    assert aimass("recommend", visitors, *words, "--users", "new").exit_code == 0
    assert {row["user_id"] for row in csv.read_csv(out).to_pylist()} == {"new"}


def test_similar_explain_and_audience(
    aimass_json: RunJson, saved: Callable[[str], Path], shop: Path, tmp_path: Path
) -> None:
    knn, als = saved("item-knn:similarity=cosine"), saved("implicit-als:n_factors=4")
    neighbors = aimass_json("similar", "117", "--model-file", knn)["neighbours"]
    assert neighbors == aimass_json("similar", shop, "117")["neighbours"]
    found = aimass_json("explain", "c00", "114", "--model-file", knn, "--k", 3)
    assert len(found["contributions"]) == 3
    all_of_them = aimass_json("explain", shop, "c00", "114", "--k", 100)
    total = sum(row["contribution"] for row in all_of_them["contributions"])
    assert total + all_of_them["offset"] == pytest.approx(all_of_them["score"])
    out = tmp_path / "audience.csv"
    words = ("--items", "103", "--size", 5, "--out", out)
    assert aimass_json("audience", "--model-file", als, *words)["rows_written"] == 5


def test_evaluate_a_saved_model(
    aimass_json: RunJson, saved: Callable[[str], Path], shop: Path, tmp_path: Path
) -> None:
    table = pq.read_table(shop)
    is_test = pa.compute.equal(table["part"], "test")
    train, test = tmp_path / "train.parquet", tmp_path / "test.parquet"
    pq.write_table(table.filter(pa.compute.invert(is_test)), train)
    pq.write_table(table.filter(is_test), test)
    model = tmp_path / "train.aimass"
    aimass_json("recommend", train, "--out", tmp_path / "lists.csv", "--save", model)
    found = aimass_json("evaluate", test, "--model-file", model, "--model", "popularity")
    expected = aimass_json(
        "evaluate", shop, "--split", "column:part", "--model", "item-knn", "--model", "popularity"
    )
    for name, other in ((str(model), "item-knn"), ("popularity", "popularity")):
        for metric in ("recall@10", "ndcg@10"):
            row, same = found["models"][name], expected["models"][other]
            assert row[metric] == pytest.approx(same[metric])


def test_update_equals_a_fit_on_everything(
    aimass: Run, aimass_json: RunJson, shop: Path, tmp_path: Path
) -> None:
    table = pq.read_table(shop)
    is_new = pa.compute.greater_equal(table["when"], 60)
    old, new = tmp_path / "old.parquet", tmp_path / "new.csv"
    pq.write_table(table.filter(pa.compute.invert(is_new)), old)
    rows = table.filter(is_new)
    bought = table.filter(pa.compute.invert(is_new)).to_pylist()[0]
    extra = pa.table(
        {
            "user_id": ["zz", bought["user_id"]],
            "item_id": pa.array([999, bought["item_id"]], pa.int32()),
        }
    )
    csv.write_csv(pa.concat_tables([rows.select(["user_id", "item_id"]), extra]), new)
    yesterday, today = tmp_path / "yesterday", tmp_path / "today"
    words = ("recommend", old, "--out", tmp_path / "o.csv", "--save", yesterday)
    assert aimass(*words).exit_code == 0
    report = aimass_json(
        "update",
        "--model-file",
        yesterday,
        "--new",
        new,
        "--save",
        today,
        "--compare-refit",
        "--out",
        tmp_path / "updated.csv",
    )
    assert report["new_users"] == report["new_items"] == 1
    assert report["repeats"] == "sum"
    assert report["new_pairs"] + report["repeated_pairs"] == len(
        {(r["user_id"], r["item_id"]) for r in csv.read_csv(new).to_pylist()}
    )
    assert report["repeated_pairs"] == 1
    assert report["refit_items_equal"] == report["refit_lists_equal"] == 1.0
    assert 0 < report["lists_changed"] <= 1
    both = pa.concat_tables([table.select(["user_id", "item_id"]), extra])
    pq.write_table(both, tmp_path / "both.parquet")
    words = ("recommend", tmp_path / "both.parquet", "--out", tmp_path / "all.csv")
    assert aimass(*words).exit_code == 0
    updated = csv.read_csv(tmp_path / "updated.csv").sort_by([("user_id", "ascending")])
    expected = csv.read_csv(tmp_path / "all.csv").sort_by([("user_id", "ascending")])
    assert updated["user_id"].to_pylist() == expected["user_id"].to_pylist()
    assert updated["score"].to_pylist() == pytest.approx(expected["score"].to_pylist(), rel=1e-5)


def test_update_in_place_with_a_rule(aimass: Run, aimass_json: RunJson, tmp_path: Path) -> None:
    ratings, new = tmp_path / "ratings.csv", tmp_path / "new.csv"
    ratings.write_text("user,item,stars\n1,a,3\n1,b,4\n2,a,5\n")
    new.write_text("user,item,stars\n1,a,1\n3,b,2\n")
    model = tmp_path / "model"
    fit = ("recommend", ratings, "--value", "stars", "--model", "slope-one")
    assert aimass(*fit, "--out", tmp_path / "o.csv", "--save", model).exit_code == 0
    words = ("update", "--model-file", model, "--new", new, "--save", model, "--value", "stars")
    refused = aimass(*words)
    assert refused.exit_code == 2
    assert "--repeats" in refused.stderr
    report = aimass_json(*words, "--repeats", "last")
    assert (report["new_pairs"], report["repeated_pairs"], report["new_users"]) == (1, 1, 1)
    import aimass_core

    fitted = aimass_core.load(model)
    row, column = fitted.users_.index([1])[0], fitted.items_.index(["a"])[0]
    assert fitted.user_items_.toarray()[row, column] == 1.0


@pytest.mark.parametrize("name", ["popularity", "context-knn"])
def test_update_counts_each_event_by_its_own_time(
    aimass: Run, aimass_json: RunJson, tmp_path: Path, name: str
) -> None:
    """The lists of the update are those of a new fit on all events."""
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    header = "user,item,time\n"
    old.write_text(header + "1,a,1\n1,a,40\n1,b,2\n2,a,3\n2,c,50\n3,c,1\n3,b,9\n")
    new.write_text(header + "1,b,90\n3,c,70\n4,a,80\n4,b,95\n")
    model = tmp_path / "model"
    setting = {"popularity": "start=35", "context-knn": "half_life=20"}[name]
    fit = ("recommend", old, "--time", "time", "--model", name, "--set", setting)
    assert aimass(*fit, "--out", tmp_path / "o.csv", "--save", model).exit_code == 0
    words = ("update", "--model-file", model, "--new", new, "--save", model, "--time", "time")
    report = aimass_json(*words, "--compare-refit", "--out", tmp_path / "updated.csv")
    assert report["refit_lists_equal"] == 1
    every = tmp_path / "all.csv"
    every.write_text(old.read_text() + new.read_text().removeprefix(header))
    assert aimass("recommend", every, *fit[2:], "--out", tmp_path / "all-lists.csv").exit_code == 0
    lists = [csv.read_csv(tmp_path / file) for file in ("updated.csv", "all-lists.csv")]
    rows = [
        {(row["user"], row["item"]): pytest.approx(row["score"]) for row in table.to_pylist()}
        for table in lists
    ]
    assert rows[0] == rows[1]


def test_update_writes_changed_lists_only(
    aimass: Run, saved: Callable[[str], Path], tmp_path: Path
) -> None:
    new = tmp_path / "new.csv"
    new.write_text("user_id,item_id\nc01,100\nc02,100\n")
    words = ("--new", new, "--save", tmp_path / "today", "--out", tmp_path / "lists.csv")
    done = aimass("update", "--model-file", saved("item-knn"), *words, "--changed-only")
    assert done.exit_code == 0, done.output
    lists = csv.read_csv(tmp_path / "lists.csv")
    assert set(lists["user_id"].to_pylist()) == {"c01", "c02"}


def test_ids_that_are_text_and_look_like_numbers_today(aimass: Run, tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("user,item\n1,a\nx2,a\nx2,b\n1,b\n")
    new.write_text("user,item\n1,c\n")
    model = tmp_path / "model"
    assert aimass("recommend", old, "--out", tmp_path / "o.csv", "--save", model).exit_code == 0
    done = aimass("update", "--model-file", model, "--new", new, "--save", model, "--json")
    assert done.exit_code == 0, done.output
    assert '"new_users": 0' in done.stdout


def test_unknown_users_of_a_list(aimass: Run, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "lists.csv"
    words = ("recommend", shop, "--users", "c00,stranger", "--k", 2, "--out", out)
    refused = aimass(*words)
    assert refused.exit_code == 2
    assert "'stranger'" in refused.stderr
    assert aimass(*words, "--unknown", "skip").exit_code == 0
    assert set(csv.read_csv(out)["user_id"].to_pylist()) == {"c00"}
    assert aimass(*words, "--unknown", "popular").exit_code == 0
    assert csv.read_csv(out)["user_id"].to_pylist() == ["c00", "c00", "stranger", "stranger"]


@pytest.mark.parametrize("unknown", ["error", "skip", "popular"])
def test_repeated_users_have_one_list(
    aimass: Run, shop: Path, tmp_path: Path, unknown: str
) -> None:
    out = tmp_path / "lists.csv"
    words = ("--users", "c01,c00,c01", "--unknown", unknown, "--k", 1, "--out", out)
    done = aimass("recommend", shop, *words)
    assert done.exit_code == 0, done.output
    assert "repeated users of --users, listed once" in done.stdout
    assert csv.read_csv(out)["user_id"].to_pylist() == ["c01", "c00"]


def test_titles_and_reasons(aimass: Run, shop: Path, products: Path, tmp_path: Path) -> None:
    out = tmp_path / "lists.csv"
    words = ("--items", products, "--item-id", "sku", "--explain", "--k", 3, "--out", out)
    done = aimass("recommend", shop, *words)
    assert done.exit_code == 0, done.output
    rows = csv.read_csv(out).to_pylist()
    assert list(rows[0]) == ["user_id", "item_id", "rank", "score", "title", "reason"]
    bought = {(r["user_id"], f"Product {r['item_id']}") for r in pq.read_table(shop).to_pylist()}
    for row in rows:
        assert row["title"] == f"Product {row['item_id']}"
        assert row["reason"].startswith("because you bought Product ")
        for name in row["reason"].removeprefix("because you bought ").split(" and "):
            assert (row["user_id"], name) in bought
    template = ("--reason", "{item} goes with {items}", "--reasons", 1)
    assert aimass("recommend", shop, *words, *template).exit_code == 0
    first = csv.read_csv(out).to_pylist()[0]
    assert first["reason"].startswith(f"{first['title']} goes with Product ")
