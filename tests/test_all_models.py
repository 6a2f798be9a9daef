"""The command that makes the table of all models, on a tiny table; nothing is timed."""

from __future__ import annotations

import json

import numpy as np
import pytest

all_models = pytest.importorskip("all_models")  # benchmarks/, on the path of the tests
tasks = pytest.importorskip("standard_tasks")


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "ratings.csv"
    rows = [
        f"{user},{item},{rng.integers(1, 6)}"
        for user in range(40)
        for item in rng.choice(20, 8, replace=False)
    ]
    path.write_text("\n".join(["user,item,rating", *rows]) + "\n")
    return path


def words(table, out, *more):
    return ["--data", str(table), "--value", "rating", "--out", str(out), *more]


def test_models_in_processes_are_kept_and_shown(table, tmp_path, monkeypatch):
    out = tmp_path / "out"
    chosen = ["--models", "popularity", "baseline"]
    assert all_models.main(words(table, out, *chosen)) == 0
    results = json.loads((out / "results.json").read_text())["ratings.csv"]
    assert set(results) == {"popularity", "baseline"}
    assert all(one["status"] == "done" for one in results.values())
    value, lower, upper = results["baseline"]["values"]["rmse"]
    assert lower < value < upper
    assert "rmse" not in results["popularity"]["values"]
    text = (out / "table.md").read_text()
    assert "| `BaselineOnly` |" in text
    assert "| RMSE | fit s | lists s | CPU s | MiB |" in text
    monkeypatch.setattr(all_models, "start", lambda *a: pytest.fail("measured again"))
    assert all_models.main([*words(table, out, *chosen), "--cpu-only"]) == 0
    assert "| RMSE | CPU s | MiB |" in (out / "table.md").read_text()


def test_failures_are_results_and_can_be_repeated(table, tmp_path, monkeypatch):
    out = tmp_path / "out"
    asked = []
    found = [{"status": "failed", "note": "no memory"}, {"status": "timed out", "note": "slow"}]

    def start(words, limit):
        asked.append(words)
        return found[len(asked) - 1]

    monkeypatch.setattr(all_models, "start", start)
    one = words(table, out, "--models", "popularity")
    assert all_models.main(one) == 0
    assert all_models.main(one) == 0
    assert len(asked) == 1
    assert all_models.main([*one, "--again"]) == 0
    assert len(asked) == 2
    assert "| `Popularity` | slow |" in (out / "table.md").read_text()


def test_an_interruption_loses_nothing_finished(table, tmp_path, monkeypatch):
    out = tmp_path / "out"
    done = {
        "status": "done",
        "values": {"recall@20": [0.5, 0.4, 0.6], "ndcg@20": [0.5, None, None]},
        "fit_s": 1.0,
        "recommend_s": 1.0,
        "cpu_s": 1.0,
        "peak_mib": 1.0,
    }
    calls = []

    def start(words, limit):
        calls.append(words)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(all_models, "start", start)
    some = words(table, out, "--models", "popularity", "baseline")
    assert all_models.main(some) == 130
    assert len(json.loads((out / "results.json").read_text())["ratings.csv"]) == 1
    assert all_models.main(some) == 0
    assert len(calls) == 3


def test_models_of_ratings_are_left_out_where_there_are_none():
    task = tasks.TASKS["gowalla"]
    names = all_models.models_of(task, [])
    assert {"item-knn", "ease", "stacking"} <= set(names)
    assert not {"svd", "slope-one", "explicit-als"} & set(names)
    rated = all_models.models_of(tasks.TASKS["movielens-100k"], [])
    assert {"svd", "slope-one", "explicit-als"} <= set(rated)


def test_only_models_of_ratings_where_no_lists_are_evaluated():
    task = tasks.TASKS["jester-1"]
    names = all_models.models_of(task, [])
    assert {"svd", "slope-one"} <= set(names)
    assert not {"item-knn", "ease", "stacking"} & set(names)


def test_models_that_need_features_are_left_out_and_named(table, tmp_path, capsys, monkeypatch):
    assert all_models.left_out(tasks.TASKS["gowalla"]) == {"content": "item_features"}
    assert all_models.left_out(tasks.TASKS["movielens-100k"]) == {}
    assert "content" not in all_models.models_of(tasks.TASKS["gowalla"], [])
    assert "content" in all_models.models_of(tasks.TASKS["movielens-100k"], [])
    out = tmp_path / "out"
    assert all_models.main(words(table, out, "--models", "popularity")) == 0
    monkeypatch.setattr(all_models, "start", lambda *a: pytest.fail("measured"))
    assert all_models.main(words(table, out, "--models", "content")) == 0
    assert "left out of ratings.csv: content needs item_features" in capsys.readouterr().err
    assert "| `ContentBased` | needs `item_features` |" in (out / "table.md").read_text()


def test_published_values_have_a_source_and_a_value_for_each_metric():
    for task in tasks.TASKS.values():
        for published in task.published:
            assert published.source
            assert all(len(v) == len(task.metrics) for v in published.values.values())


def result(**values):
    costs = {"fit_s": 1.0, "recommend_s": 1.0, "cpu_s": 1.0, "peak_mib": 1.0}
    found = {name.replace("_at_", "@"): [v, None, None] for name, v in values.items()}
    return {"status": "done", "model": "Model()", "values": found, **costs}


def test_published_values_stand_between_our_models():
    task = tasks.Task(
        "a part",
        ("recall@20", "rmse"),
        lambda: None,
        (tasks.Published("A paper", {"X": (0.4, None), "Y": (None, 0.9)}),),
    )
    models = {
        "ease": result(recall_at_20=0.3),
        "item-knn": result(recall_at_20=0.5),
        "svd": result(recall_at_20=0.1, rmse=0.8),
    }
    text = all_models.markdown({"data": task}, {"data": models}, wall=False)
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:6] == [
        "| `ItemKNN`",
        "| published: X (1)",
        "| `EASE`",
        "| `SVD`",
        "| published: Y (1)",
    ]
    assert "Published: (1) A paper." in text
    (others,) = (line for line in text.splitlines() if line.startswith("Not measured: "))
    assert "`SlopeOne`" in others
    assert "`EASE`" not in others
    assert all_models.panels(task, models) == ["recall@20", "rmse"]


def test_a_picture_for_each_task(tmp_path):
    pytest.importorskip("matplotlib")
    task = tasks.Task("a part", ("recall@20",), lambda: None)
    models = {"ease": result(recall_at_20=0.3), "slim": {"status": "failed", "note": "slow"}}
    files = all_models.pictures({"data": task, "empty": task}, {"data": models}, tmp_path)
    assert [file.name for file in files] == ["data.png"]
    assert files[0].read_bytes().startswith(b"\x89PNG")


def test_labels_are_spread_as_little_as_needed():
    positions = [5.0, 1.0, 1.2, 9.0]
    spread = all_models.spread(positions, 1.0)
    np.testing.assert_allclose(spread, [5.0, 0.6, 1.6, 9.0])
    ordered = np.sort(all_models.spread(np.zeros(7), 0.5))
    np.testing.assert_allclose(np.diff(ordered), 0.5)
    assert abs(ordered.mean()) < 1e-12


def test_bad_options(tmp_path, capsys):
    for bad in (["--tasks", "netflix"], ["--data", str(tmp_path / "missing.csv")]):
        with pytest.raises(SystemExit):
            all_models.main(bad)
    assert "is not a file" in capsys.readouterr().err
