"""``aimass evaluate``: every split, several models, the same figures as from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")

SPLITS = [
    "random",
    "per-user",
    "leave-last",
    "temporal",
    "expanding",
    "rolling",
    "strong",
    "k-fold",
    "k-fold-per-user",
    "k-fold-items",
    "column:part",
]


@pytest.mark.parametrize("split", SPLITS)
def test_every_split(aimass_json: Callable[..., dict[str, Any]], shop: Path, split: str) -> None:
    answer = aimass_json(
        "evaluate",
        shop,
        "--time",
        "when",
        "--split",
        split,
        "--folds",
        3,
        "--model",
        "item-knn",
        "--model",
        "popularity",
        "--k",
        5,
    )
    assert set(answer["models"]) == {"item-knn", "popularity"}
    is_folds = split.startswith(("k-fold", "expanding", "rolling"))
    assert len(answer["parts"]) == (3 if is_folds else 1)
    better = answer["models"]["item-knn"]["recall@5"]
    if split == "k-fold-items":  # nobody has the items of the test part in train
        assert better == 0
    else:
        assert answer["models"]["popularity"]["recall@5"] < better <= 1


def test_a_table_of_models_and_metrics(aimass: Callable[..., Any], shop: Path) -> None:
    result = aimass(
        "evaluate",
        shop,
        "--model",
        "item-knn:n_neighbors=3,measure=jaccard",
        "--model",
        "item-knn",
        "--metric",
        "hit_rate",
        "--metric",
        "ndcg@3",
        "--k",
        5,
        "--k",
        7,
    )
    assert result.exit_code == 0, result.output
    for words in ("item-knn:n_neighbors=3,measure=jaccard", "hit_rate@5", "hit_rate@7", "ndcg@3"):
        assert words in result.stdout
    assert "ndcg@5" not in result.stdout


def test_options_reach_the_models(aimass_json: Callable[..., dict[str, Any]], shop: Path) -> None:
    words = ("evaluate", shop, "--model", "item-knn", "--model", "popularity")
    few = aimass_json(*words, "--set", "n_neighbors=1")["models"]
    many = aimass_json(*words)["models"]
    assert few["item-knn"]["ndcg@10"] != many["item-knn"]["ndcg@10"]
    assert few["popularity"]["ndcg@10"] == many["popularity"]["ndcg@10"]


def test_ratings(aimass_json: Callable[..., dict[str, Any]], shop: Path) -> None:
    answer = aimass_json(
        "evaluate",
        shop,
        "--value",
        "rating",
        "--duplicates",
        "last",
        "--model",
        "baseline",
        "--model",
        "slope-one",
        "--metric",
        "rmse",
        "--metric",
        "mae",
    )
    for row in answer["models"].values():
        assert 0 < row["mae"] <= row["rmse"] < 2


def test_the_seed_decides(aimass_json: Callable[..., dict[str, Any]], shop: Path) -> None:
    def recall(seed: int) -> float:
        words = ("evaluate", shop, "--model", "item-knn", "--seed", seed, "--k", 3)
        return float(aimass_json(*words)["models"]["item-knn"]["recall@3"])

    assert recall(1) == recall(1)
    assert len({recall(seed) for seed in range(4)}) > 1


def test_intervals_and_significance(
    aimass: Callable[..., Any], aimass_json: Callable[..., dict[str, Any]], shop: Path
) -> None:
    words = ("evaluate", shop, "--model", "item-knn", "--model", "popularity", "--k", 3)
    answer = aimass_json(*words)
    for model, row in answer["models"].items():
        interval = answer["intervals"][model]["ndcg@3"]
        assert interval["lower"] < row["ndcg@3"] < interval["upper"]
    (test,) = [t for t in answer["tests"] if t["metric"] == "ndcg@3"]
    assert test["p_value"] < 0.05
    shown = aimass(*words, "--intervals").stdout
    assert "95% confidence interval over users" in shown
    assert "not significantly different" in shown
    assert "intervals" not in aimass_json(*words, "--no-intervals")


def test_the_table_in_a_file(aimass: Callable[..., Any], shop: Path, tmp_path: Path) -> None:
    csv = pytest.importorskip("pyarrow.csv")
    out = tmp_path / "table.csv"
    words = ("--model", "item-knn", "--model", "popularity", "--metric", "recall@5", "--out", out)
    done = aimass("evaluate", shop, *words)
    assert done.exit_code == 0, done.output
    rows = csv.read_csv(out).to_pylist()
    assert [row["model"] for row in rows] == ["item-knn", "popularity"]
    for row in rows:
        assert row["recall@5 lower"] <= row["recall@5"] <= row["recall@5 upper"]


def test_folds_have_a_spread(aimass_json: Callable[..., dict[str, Any]], shop: Path) -> None:
    answer = aimass_json(
        "evaluate", shop, "--split", "k-fold", "--folds", 3, "--model", "popularity"
    )
    assert len(answer["folds"]) == 3
    assert answer["spread"]["popularity"]["recall@10"] > 0


def test_folds_of_a_column(aimass_json: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    source = tmp_path / "folds.csv"
    rows = [f"{n % 7},{n // 7 % 5},{1 + n % 3}" for n in range(35)]
    source.write_text("\n".join(["user,item,fold", *rows]) + "\n")
    answer = aimass_json("evaluate", source, "--split", "column:fold", "--model", "popularity")
    assert [part["test"] for part in answer["parts"]] == [12, 12, 11]


def test_a_split_at_a_moment(aimass_json: Callable[..., dict[str, Any]], shop: Path) -> None:
    words = ("evaluate", shop, "--time", "when", "--split", "temporal", "--model", "popularity")
    by_time = aimass_json(*words, "--at", 60)["parts"]
    by_label = aimass_json("evaluate", shop, "--split", "column:part", "--model", "popularity")
    assert by_time[0]["train"] == by_label["parts"][0]["train"]
    more = aimass_json(*words, "--at", 60, "--repeats", "include")["parts"]
    assert more[0]["test"] >= by_time[0]["test"]
