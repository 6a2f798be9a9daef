"""``aimass tune``: search, journal, table of trials, saved winner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

csv = pytest.importorskip("pyarrow.csv")
pytest.importorskip("typer")

Run = Callable[..., Any]
RunJson = Callable[..., dict[str, Any]]
SMALL = ("--model", "item-knn", "--model", "popularity", "--trials", 2)


def test_search(aimass_json: RunJson, shop: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "trials.csv", tmp_path / "best"
    found = aimass_json(
        "tune",
        shop,
        *SMALL,
        "--try",
        "n_neighbors=2,20",
        "--try",
        "item-knn.weighting=None",
        "--try",
        "item-knn.similarity=cosine",
        "--method",
        "grid",
        "--out",
        out,
        "--save",
        model,
    )
    assert {trial["model"] for trial in found["trials"]} == {"item-knn", "popularity"}
    settings = [t["params"]["n_neighbors"] for t in found["trials"] if t["model"] == "item-knn"]
    assert sorted(settings) == [2, 20]
    assert found["best"]["model"] == "item-knn"
    interval = found["test_interval"]
    assert interval["lower"] <= interval["estimate"] <= interval["upper"]
    assert found["spec"].startswith("item-knn:n_neighbors=")
    table = csv.read_csv(out).to_pylist()
    assert len(table) == 3
    assert table[0]["score"] == max(row["score"] for row in table)
    import aimass_core

    fitted = aimass_core.load(model)
    assert fitted.user_items_.nnz == found["interactions"]  # the test part included
    again = aimass_json("recommend", shop, "--model", found["spec"], "--out", tmp_path / "l.csv")
    assert again["rows_written"] > 0


def test_picture(aimass: Run, shop: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "trials.csv"
    refused = aimass("tune", shop, *SMALL, "--out", out, "--picture", tmp_path / "trials.foo")
    assert refused.exit_code == 2
    assert "--picture: the suffix of" in refused.output
    assert not out.exists()
    done = aimass("tune", shop, *SMALL, "--out", out, "--picture", tmp_path / "trials.SVG")
    assert done.exit_code == 0, done.output
    assert "<svg" in (tmp_path / "trials.SVG").read_text()
    assert out.exists()


def test_a_weighting_with_options_is_written_as_the_command_takes_it() -> None:
    from aimass_core.cli.models import parse_models
    from aimass_core.cli.tune import _spec_text
    from aimass_core.data.weighting import BM25

    given = {"n_neighbors": 5, "weighting": BM25(B=0.1, documents="items")}
    text = _spec_text("item-knn", given)
    assert text == "item-knn:n_neighbors=5,weighting=bm25,B=0.1"
    (spec,) = parse_models([text], None)
    assert spec.build().weighting.get_params() == given["weighting"].get_params()


def test_an_interrupted_search_goes_on(
    aimass_json: RunJson, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "search.jsonl"
    words = ("tune", shop, *SMALL, "--journal", journal)
    first = aimass_json(*words)

    def refuses(*_: object) -> None:
        raise AssertionError("a finished trial was fitted again")

    monkeypatch.setattr("aimass_core.tuning._scoring.fit_settings", refuses)
    assert aimass_json(*words)["trials"] == first["trials"]


def test_as_text(aimass: Run, shop: Path) -> None:
    shown = aimass("tune", shop, "--model", "popularity", "--trials", 1).stdout
    assert "best on the test part" in shown
    assert "best setting: --model popularity" in shown


def test_ratings(aimass_json: RunJson, shop: Path) -> None:
    found = aimass_json(
        "tune",
        shop,
        "--value",
        "rating",
        "--duplicates",
        "last",
        "--metric",
        "rmse",
        "--model",
        "baseline",
        "--trials",
        2,
        "--folds",
        2,
    )
    assert found["metric"] == "rmse"
    assert len(found["best"]["fold_scores"]) == 2


def test_features(aimass: Run, aimass_json: RunJson, shop: Path, tmp_path: Path) -> None:
    import aimass_core

    items = tmp_path / "items.csv"
    lines = [f"{n},{'a' if n < 115 else 'b'}" for n in range(100, 136)]
    items.write_text("\n".join(["item_id,half", *lines]) + "\n")
    saved = tmp_path / "best.aimass"
    tables = ("--item-features", items, "--item-columns", "half:categorical")
    words = ("--model", "hybrid-als", "--try", "max_iter=1,2", "--trials", 2, "--save", saved)
    found = aimass_json("tune", shop, *tables, *words)
    assert [trial["state"] for trial in found["trials"]] == ["done", "done"]
    assert aimass_core.load(saved).item_features_.shape[1] == 2
    refused = aimass("tune", shop, *tables, *SMALL)
    assert refused.exit_code == 2
    assert "--item-features: the model does not use them; models that do:" in refused.output
    refused = aimass("tune", shop, *tables, *words[:-1], items)
    assert refused.exit_code == 2
    assert "half" in items.read_text()
