"""Options of all commands: version, verbosity, configuration, list of models."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import aimass_core
from aimass_core.base.progress import Event
from aimass_core.base.registry import model_names
from aimass_core.cli.models import parse_models

pytest.importorskip("typer")
pq = pytest.importorskip("pyarrow.parquet")

Run = Callable[..., Any]
RunJson = Callable[..., dict[str, Any]]


def test_version(aimass: Run) -> None:
    done = aimass("--version")
    assert (done.exit_code, done.stdout) == (0, f"aimass {aimass_core.__version__}\n")


def test_models(aimass: Run, aimass_json: RunJson) -> None:
    rows = {row["model"]: row for row in aimass_json("models")["models"]}
    assert set(rows) >= set(model_names())
    assert all(row["description"] for row in rows.values())
    assert rows["implicit-als"]["vectors"]
    assert rows["item-knn"]["reasons"]
    assert not rows["item-knn"]["vectors"]
    assert rows["sasrec"]["needs"] == "aimass_core[deep]"
    assert rows["item-knn"]["needs"] == ""
    assert "pip install 'aimass_core[deep]'" in aimass("models", "sasrec").stdout
    assert "implicit-als" in aimass("models").stdout


@pytest.mark.parametrize("name", model_names())
def test_options_of_a_model(aimass_json: RunJson, name: str) -> None:
    for option in aimass_json("models", name)["options"]:
        assert option["meaning"], f"{name} does not describe {option['option']}"


def test_options_of_a_similarity_are_listed(aimass: Run) -> None:
    shown = aimass("models", "item-knn").stdout
    for word in ("n_neighbors", "measure", "shrink"):
        assert word in shown


def test_blocks_within_a_step_are_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from aimass_core.cli import console

    monkeypatch.setattr(console, "_LINE_EVERY", 0.0)
    show = console.shown_events(console._Lines())
    show(Event("fit", 1, 9, 0.0))
    show.blocks(2, 30)  # type: ignore[attr-defined]
    assert capsys.readouterr().err.splitlines() == [
        "fit",
        "fit: 1 of 9",
        "fit: 1 of 9, block 2 of 30",
    ]


def test_options_of_a_weighting(aimass: Run) -> None:
    assert "(of the weighting)" in aimass("models", "ease").stdout
    (spec,) = parse_models(["item-knn:similarity=cosine,weighting=bm25,K1=2,B=0.1,shrink=5"], None)
    model = spec.build()
    assert (model.weighting.K1, model.weighting.B, model.weighting.documents) == (2, 0.1, "items")
    assert model.similarity.shrink == 5
    (spec,) = parse_models(["user-knn:weighting=tf_idf"], ["tf=sublinear", "norm=l2"])
    model = spec.build()
    assert (model.weighting.tf, model.weighting.norm, model.weighting.documents) == (
        "sublinear",
        "l2",
        "users",
    )
    for text, needed in (("ease:B=0.1", "bm25"), ("slim:weighting=bm25,tf=raw", "tf_idf")):
        (spec,) = parse_models([text], None)
        with pytest.raises(ValueError, match=f"needs weighting={needed}, got weighting="):
            spec.build()


def test_verbose_reports_progress_without_a_terminal(
    aimass: Run, shop: Path, tmp_path: Path
) -> None:
    words = ("recommend", shop, "--out", tmp_path / "o.csv", "--json")
    assert aimass(*words).stderr == ""
    said = aimass(*words, "-v").stderr
    for line in ("reading shop.parquet", "fitting item-knn", "recommending"):
        assert line in said.splitlines()
    assert aimass(*words).stderr == ""


def test_quiet(aimass: Run, shop: Path, tmp_path: Path) -> None:
    done = aimass("recommend", shop, "--out", tmp_path / "o.csv", "-q")
    assert (done.exit_code, done.output) == (0, "")


def test_every_command_has_help(aimass: Run) -> None:
    shown = aimass("--help").stdout
    for name in (
        "recommend",
        "similar",
        "explain",
        "audience",
        "evaluate",
        "tune",
        "effects",
        "update",
        "segment",
        "models",
        "info",
        "demo",
    ):
        assert name in shown
        help_of_command = aimass(name, "--help")
        assert help_of_command.exit_code == 0
        assert "Usage: aimass" in help_of_command.stdout or name in help_of_command.stdout


needs_toml = pytest.mark.skipif(sys.version_info < (3, 11), reason="TOML is read by Python 3.11")


@needs_toml
def test_config(aimass_json: RunJson, shop: Path, tmp_path: Path) -> None:
    config = tmp_path / "aimass.toml"
    config.write_text(
        'user = "user_id"\nk = 3\n[recommend]\nmodel = "popularity"\n'
        f"out = {json.dumps(str(tmp_path / 'lists.csv'))}\n[tune]\ntrials = 2\n"
    )
    found = aimass_json("recommend", shop, "--config", config)
    assert found["model"] == "popularity"
    assert found["guessed_columns"] == ["item"]
    assert found["rows_written"] == 180
    found = aimass_json("recommend", "--config", config, shop, "--k", 1, "--model", "item-knn")
    assert (found["model"], found["rows_written"]) == ("item-knn", 60)


@needs_toml
def test_config_with_options_of_the_model(aimass_json: RunJson, shop: Path, tmp_path: Path) -> None:
    config = tmp_path / "aimass.toml"
    config.write_text("[recommend.set]\nn_neighbors = 1\n")
    words = ("recommend", shop, "--out", tmp_path / "a.parquet")
    aimass_json(*words, "--config", config)
    aimass_json("recommend", shop, "--out", tmp_path / "b.parquet", "--set", "n_neighbors=1")
    assert pq.read_table(tmp_path / "a.parquet").equals(pq.read_table(tmp_path / "b.parquet"))


@needs_toml
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle = 1\n", "'modle'"),
        ("[recommend]\nmetric = 'ndcg'\n", "of [recommend]"),
        ("model = \n", "is not TOML"),
        ("recommend = 3\n", "must be a table"),
    ],
)
def test_mistakes_in_config(
    aimass: Run, shop: Path, tmp_path: Path, text: str, message: str
) -> None:
    config = tmp_path / "aimass.toml"
    config.write_text(text)
    done = aimass("recommend", shop, "--config", config, "--out", tmp_path / "o.csv")
    assert done.exit_code == 2, done.output
    assert message in done.stderr


def test_a_missing_config(aimass: Run, shop: Path, tmp_path: Path) -> None:
    done = aimass("recommend", shop, "--config", tmp_path / "no", "--out", tmp_path / "o.csv")
    assert done.exit_code == 2
    assert "--config: there is no file" in done.stderr


def test_no_option_is_declared_twice() -> None:
    declared: list[str] = []
    for path in (Path(aimass_core.__file__).parent / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Option":
                flags = [ast.unparse(argument) for argument in node.args]
                texts = [ast.unparse(k.value) for k in node.keywords if k.arg == "help"]
                declared.append(" ".join([*flags, *texts]))
    assert len(declared) > 50
    assert [text for text in declared if declared.count(text) > 1] == []
