"""Tables of features in the commands: fit, new items and users, reasons, evaluation, update."""

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
def features(tmp_path: Path) -> tuple[Path, Path]:
    """Items 100 to 135, the last six of them new; customers with a segment, one of them new."""
    numbers = list(range(100, 136))
    half = ["a" if (n - 100) % 30 < 15 else "b" for n in numbers]
    items = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item_id": pa.array(numbers, pa.int32()), "half": half}), items)
    users = tmp_path / "users.csv"
    rows = [f"c{n:02d},{'even' if n % 2 == 0 else 'odd'}" for n in range(61)]
    users.write_text("\n".join(["user_id,segment", *rows]) + "\n")
    return items, users


def test_new_items_and_new_users(
    aimass: Run, aimass_json: RunJson, shop: Path, features: tuple[Path, Path], tmp_path: Path
) -> None:
    items, users = features
    tables = ("--item-features", items, "--user-features", users)
    out, saved = tmp_path / "lists.csv", tmp_path / "model.aimass"
    chosen = ("--users", "c00,c60", "--unknown", "popular", "--explain")
    options = ("--model", "cold-start", *tables, *chosen, "--out", out, "--save", saved)
    assert aimass("recommend", shop, *options, "--k", 40).exit_code == 0
    rows = csv.read_csv(out).to_pylist()
    new = [row for row in rows if row["item_id"] >= 130]
    assert {row["item_id"] for row in new} == set(range(130, 136))
    assert {row["reason"] for row in new} == {"new: by its features"}
    of_new_user = {row["reason"] for row in rows if row["user_id"] == "c60"}
    assert of_new_user == {"new: by its features", "popular in segment=even"}
    out2 = tmp_path / "second.parquet"
    words = ("--candidates", "130,131", "--item-features", items, "--out", out2)
    found = aimass_json("recommend", "--model-file", saved, *words)
    assert found["model"].startswith("cold-start of")
    assert set(pq.read_table(out2)["item_id"].to_pylist()) == {130, 131}


def test_codes_of_new_items_need_no_leading_zeros(aimass: Run, shop: Path, tmp_path: Path) -> None:
    items, new, out = (tmp_path / name for name in ("items.csv", "new.csv", "lists.csv"))
    lines = [f"{n},{'007' if n < 115 else '123'},{'S' if n < 115 else 42}" for n in range(100, 130)]
    items.write_text("\n".join(["item_id,code,size", *lines]) + "\n")
    new.write_text("item_id,code,size\n130,123,42\n")
    saved = tmp_path / "model.aimass"
    words = ("--model", "cold-start", "--item-features", items, "--out", out, "--save", saved)
    assert aimass("recommend", shop, *words).exit_code == 0
    words = ("--candidates", "130", "--item-features", new, "--out", out)
    done = aimass("recommend", "--model-file", saved, *words)
    assert done.exit_code == 0, done.output
    assert set(csv.read_csv(out)["item_id"].to_pylist()) == {130}


def test_columns_and_keys(aimass: Run, shop: Path, tmp_path: Path) -> None:
    items = tmp_path / "products.csv"
    lines = [f"{n},{'x' if n < 115 else 'y'},{n / 7}" for n in range(100, 130)]
    items.write_text("\n".join(["thing,group,price", *lines]) + "\n")
    out = tmp_path / "lists.csv"
    words = ("--model", "cold-start", "--item-features", items, "--out", out)
    failed = aimass("recommend", shop, *words)
    assert failed.exit_code == 2
    assert "--item-features" in failed.output
    good = (*words, "--item-key", "thing", "--item-columns", "group:categorical,price")
    assert aimass("recommend", shop, *good).exit_code == 0
    wrong = (*words, "--item-key", "thing", "--item-columns", "group:categoric")
    failed = aimass("recommend", shop, *wrong)
    assert failed.exit_code == 2
    assert "categorical" in failed.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "item-knn"), "the model does not use them"),
        (("--model", "cold-start", "--user-key", "x"), "--user-key needs --user-features"),
    ],
)
def test_features_without_use(
    aimass: Run,
    shop: Path,
    features: tuple[Path, Path],
    tmp_path: Path,
    words: tuple[str, ...],
    message: str,
) -> None:
    out = tmp_path / "lists.csv"
    failed = aimass("recommend", shop, "--item-features", features[0], "--out", out, *words)
    assert failed.exit_code == 2
    assert message in failed.output
    assert not out.exists()


def test_a_missing_file(aimass: Run, shop: Path, tmp_path: Path) -> None:
    words = ("--model", "cold-start", "--item-features", tmp_path / "no.csv")
    failed = aimass("recommend", shop, *words, "--out", tmp_path / "lists.csv")
    assert failed.exit_code == 2
    assert "--item-features" in failed.output


def test_evaluation_of_cold_items(
    aimass_json: RunJson, shop: Path, features: tuple[Path, Path]
) -> None:
    words = ("--split", "cold-items", "--new-items-only", "--item-features", features[0])
    found = aimass_json(
        "evaluate", shop, "--model", "cold-start", "--model", "item-knn", *words, "--k", 6
    )
    assert found["split"] == "cold-items"
    recall = {name: row["recall@6"] for name, row in found["models"].items()}
    assert recall["cold-start"] > recall["item-knn"] == 0


def test_an_update_with_new_items(
    aimass: Run, aimass_json: RunJson, shop: Path, features: tuple[Path, Path], tmp_path: Path
) -> None:
    items, _ = features
    saved = tmp_path / "model.aimass"
    words = ("--model", "cold-start", "--item-features", items)
    assert aimass("recommend", shop, *words, "--out", tmp_path / "a.csv", "--save", saved)
    new = tmp_path / "new.csv"
    new.write_text("user_id,item_id\nc00,133\nc99,101\n")
    updated = tmp_path / "updated.aimass"
    found = aimass_json(
        "update", "--model-file", saved, "--new", new, "--save", updated, "--item-features", items
    )
    assert found["new_items"] == 1
    from aimass_core import load

    model = load(updated)
    assert (model.item_features_.indptr[1:] > model.item_features_.indptr[:-1]).all()


def test_audiences_of_new_items_and_items_like_them(
    aimass: Run, aimass_json: RunJson, shop: Path, features: tuple[Path, Path], tmp_path: Path
) -> None:
    items, _ = features
    out, saved = tmp_path / "audience.csv", tmp_path / "model.aimass"
    settings = ("--model", "hybrid-als", "--set", "n_factors=4", "--item-features", items)
    words = ("--items", "130,115", "--size", 5, "--out", out, "--save", saved)
    assert aimass("audience", shop, *settings, *words).exit_code == 0
    rows = csv.read_csv(out).to_pylist()
    assert [row["item_id"] for row in rows].count(130) == 5
    found = aimass_json("similar", "--model-file", saved, "130", "--item-features", items)
    neighbors = [row["item_id"] for row in found["neighbours"]]
    assert 130 not in neighbors
    assert set(neighbors[:5]) <= {*range(100, 115), *range(131, 136)}
    found = aimass_json("similar", shop, "131", "--item-features", items, "--k", 3)
    assert found["model"].startswith("content")
    assert len(found["neighbours"]) == 3
    why = aimass_json("explain", "--model-file", saved, "c00", "130", "--item-features", items)
    assert (why["item"], why["of"]) == (130, "items")
    why = aimass_json("explain", shop, "c00", "130", "--item-features", items)
    assert why["model"].startswith("content")
    assert why["contributions"][0]["feature"].startswith("half=")
    failed = aimass("explain", "--model-file", saved, "c00", "130")
    assert failed.exit_code == 2
    failed = aimass("similar", "--model-file", saved, "130")
    assert failed.exit_code == 2
    assert "130" in failed.output
    failed = aimass("audience", shop, "--item-features", items, "--items", "130", "--out", out)
    assert failed.exit_code == 2
    assert "--item-features: the model does not use them" in failed.output


def test_reasons_by_features(
    aimass: Run, aimass_json: RunJson, shop: Path, features: tuple[Path, Path], tmp_path: Path
) -> None:
    out, saved = tmp_path / "lists.csv", tmp_path / "m.aimass"
    words = ("--model", "content", "--item-features", features[0], "--users", "c00", "--out", out)
    options = (*words, "--k", 2, "--explain")
    assert aimass("recommend", shop, *options, "--save", saved).exit_code == 0
    assert set(csv.read_csv(out)["reason"].to_pylist()) == {"because of half=a in your items"}
    assert aimass("recommend", shop, *options, "--reason", "{item}: {items}").exit_code == 0
    first = csv.read_csv(out).to_pylist()[0]
    assert first["reason"] == f"{first['item_id']}: half=a"
    why = aimass_json("explain", "--model-file", saved, "c00", str(first["item_id"]))
    assert why["contributions"][0]["feature"] == "half=a"


def test_a_model_without_its_features_is_named(
    aimass: Run, aimass_json: RunJson, shop: Path, features: tuple[Path, Path], tmp_path: Path
) -> None:
    model = ("--model", "hybrid-als", "--set", "n_factors=4")
    out = ("--out", tmp_path / "lists.csv", "--k", 2)

    def row_of(*words: object) -> list[str]:
        shown = aimass(*words)
        assert shown.exit_code == 0, shown.output
        return [line for line in shown.stdout.splitlines() if "none given" in line]

    (line,) = row_of("recommend", shop, *model, *out)
    assert "features" in line
    assert len(row_of("audience", shop, *model, "--items", "115", *out[:2])) == 1
    (line,) = row_of("evaluate", shop, *model, "--model", "popularity")
    assert "none given for hybrid-als" in line
    assert not row_of("recommend", shop, *model, "--user-features", features[1], *out)
    assert not row_of("recommend", shop, *out)
    found = aimass_json("recommend", shop, *model, "--item-features", features[0], *out)
    assert found["features"] == ["item_features"]


def hybrid(users: Path) -> tuple[object, ...]:
    return ("--model", "hybrid-als", "--set", "n_factors=4", "--user-features", users)


def test_users_known_by_their_features(
    aimass: Run, aimass_json: RunJson, shop: Path, features: tuple[Path, Path], tmp_path: Path
) -> None:
    saved, out, new = tmp_path / "m.aimass", tmp_path / "lists.csv", tmp_path / "new.csv"
    new.write_text("user_id,segment\nc99,even\nc98,odd\nc01,odd\n")
    options = hybrid(features[1])
    found = aimass_json("recommend", shop, *options, "--out", out, "--save", saved, "--k", 3)
    rows = csv.read_csv(out).to_pylist()
    assert (found["users_by_features"], found["lists_written"]) == (1, 61)
    assert [row["user_id"] for row in rows[-3:]] == ["c60"] * 3  # after the users of the fit
    of_file = ("recommend", "--model-file", saved, "--user-features", new, "--out", out, "--k", 3)
    found = aimass_json(*of_file, "--users", "c99,c00,c98")
    lists = csv.read_csv(out).to_pydict()
    assert (found["users_by_features"], found["unknown_users"]) == (2, 0)
    assert lists["user_id"][::3] == ["c99", "c00", "c98"]
    from aimass_core import load

    model = load(saved)
    expected = model.recommend(["c99", "c00", "c98"], k=3, user_features=new)
    assert lists["item_id"] == expected.ids.ravel().tolist()
    shown = aimass(*of_file)
    assert "users by their features" in shown.output
    assert csv.read_csv(out).to_pydict()["user_id"][-6:] == ["c99"] * 3 + ["c98"] * 3
    failed = aimass(*of_file, "--users", "c99,c97")
    assert failed.exit_code == 2
    assert "'c97'" in failed.output
    assert "not in the ratings or in --user-features" in failed.output
    for rule, n_lists in (("skip", 1), ("popular", 2)):
        found = aimass_json(*of_file, "--users", "c99,c97", "--unknown", rule)
        counts = ("lists_written", "users_by_features", "unknown_users")
        assert [found[name] for name in counts] == [n_lists, 1, 1]


def test_users_by_features_beside_the_users_of_another_table(
    aimass: Run, aimass_json: RunJson, shop: Path, features: tuple[Path, Path], tmp_path: Path
) -> None:
    saved, out, table = tmp_path / "m.aimass", tmp_path / "lists.csv", tmp_path / "t.csv"
    words = ("--out", out, "--k", 3)
    assert aimass("recommend", shop, *hybrid(features[1]), *words, "--save", saved).exit_code == 0
    table.write_text("user_id,item_id\nc80,101\nc80,103\n")
    new = tmp_path / "new.csv"
    new.write_text("user_id,segment\nc99,even\nc80,even\nc01,odd\n")
    options = ("recommend", table, "--model-file", saved, "--user-features", new, *words)
    found = aimass_json(*options)
    assert csv.read_csv(out).to_pydict()["user_id"] == ["c80"] * 3 + ["c99"] * 3
    assert found["users_by_features"] == 1
    assert aimass_json(*options, "--users", "c99")["lists_written"] == 1
    assert csv.read_csv(out).to_pydict()["user_id"] == ["c99"] * 3


def test_user_ids_of_another_type(aimass: Run, tmp_path: Path) -> None:
    table, users, saved = (tmp_path / name for name in ("t.csv", "users.csv", "m.aimass"))
    table.write_text("user_id,item_id\n1,5\n1,6\n2,5\n2,7\n")
    users.write_text("user_id,segment\n1,odd\n2,even\n")
    out = ("--out", tmp_path / "lists.csv")
    assert aimass("recommend", table, *hybrid(users), *out, "--save", saved).exit_code == 0
    users.write_text("user_id,segment\nx,even\ny,odd\n")
    failed = aimass("recommend", "--model-file", saved, "--user-features", users, *out)
    assert failed.exit_code == 2
    assert "--user-features: ids of kind str" in failed.output
