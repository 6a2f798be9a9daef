"""``aimass evaluate``: every split, several models, the same figures as from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")

SPLITS = ["random", "per-user", "leave-last", "temporal", "strong", "k-fold", "column:part"]


@pytest.mark.parametrize("split", SPLITS)
def test_every_split(aimass_json: Callable[..., dict[str, Any]], shop: Path, split: str) -> None:
    answer = aimass_json(
        "evaluate", shop, "--time", "when", "--split", split, "--folds", 3,
        "--model", "item-knn", "--model", "popularity", "--k", 5,
    )  # fmt: skip
    assert set(answer["models"]) == {"item-knn", "popularity"}
    assert len(answer["parts"]) == (3 if split == "k-fold" else 1)
    better = answer["models"]["item-knn"]["recall@5"]
    assert answer["models"]["popularity"]["recall@5"] < better <= 1


def test_a_table_of_models_and_metrics(aimass: Callable[..., Any], shop: Path) -> None:
    result = aimass(
        "evaluate", shop, "--model", "item-knn:n_neighbors=3,measure=jaccard",
        "--model", "item-knn", "--metric", "hit_rate", "--metric", "ndcg@3", "--k", 5, "--k", 7,
    )  # fmt: skip
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
        "evaluate", shop, "--value", "rating", "--duplicates", "last", "--model", "baseline",
        "--model", "slope-one", "--metric", "rmse", "--metric", "mae",
    )  # fmt: skip
    for row in answer["models"].values():
        assert 0 < row["mae"] <= row["rmse"] < 2


def test_the_seed_decides(aimass_json: Callable[..., dict[str, Any]], shop: Path) -> None:
    def recall(seed: int) -> float:
        words = ("evaluate", shop, "--model", "item-knn", "--seed", seed, "--k", 3)
        return float(aimass_json(*words)["models"]["item-knn"]["recall@3"])

    assert recall(1) == recall(1)
    assert len({recall(seed) for seed in range(4)}) > 1
