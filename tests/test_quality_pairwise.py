"""The command of pairwise and linear models, on a tiny table with a column of its split."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyarrow")
quality_pairwise = pytest.importorskip("quality_pairwise")  # benchmarks/, on the path of the tests

from aimass_core import BPR, ItemKNN, Popularity  # noqa: E402


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A data set of 60 users in two groups with their own items, and settings for it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    rows = [
        (user, 20 * (user % 2) + item, "test" if number < 2 else "train")
        for user in range(60)
        for number, item in enumerate(rng.permutation(20)[:8].tolist())
    ]
    users, items, parts = zip(*rows, strict=True)
    (tmp_path / "tiny").mkdir()
    table = pa.table({"user_id": users, "item_id": items, "split": parts})
    pq.write_table(table, tmp_path / "tiny" / "interactions.parquet")
    monkeypatch.setenv("AIMASS_DATA", str(tmp_path))
    settings = {
        "RP3beta": [ItemKNN()],
        "BPR": [BPR(n_factors=4, max_iter=20), BPR(n_factors=2, max_iter=2)],
        "Popularity": [Popularity()],
    }
    monkeypatch.setitem(quality_pairwise.SETTINGS, "tiny", settings)
    monkeypatch.setitem(quality_pairwise.TARGETS, "tiny", {"BPR": (0.2, 0.1)})
    return "tiny"


def test_tables_with_intervals_and_paired_differences(tiny, capsys):
    assert quality_pairwise.main([tiny]) == 0
    metrics, differences = capsys.readouterr().out.strip().split("\n\n")
    lines = metrics.splitlines()
    assert len(lines) == 2 + 3
    assert lines[3].startswith("| BPR | `BPR(")
    assert "max_iter=20" in lines[3]
    rows = [line.split(" | ") for line in differences.splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("| BPR", "recall@20"),
        ("| Popularity", "recall@20"),
        ("| BPR", "ndcg@20"),
        ("| Popularity", "ndcg@20"),
    ]
    value = float(rows[1][2].split()[0])
    lower, upper = (float(end.strip("[],")) for end in rows[1][2].split()[1:])
    assert lower <= value <= upper < 0  # the groups are not known to the most popular items


def test_the_baseline_is_always_fitted(tiny, capsys):
    assert quality_pairwise.main([tiny, "--models", "Popularity"]) == 0
    text = capsys.readouterr().out
    assert "| RP3beta |" in text
    assert "BPR" not in text


def test_missed_targets_are_named(tiny, capsys, monkeypatch):
    monkeypatch.setitem(quality_pairwise.TARGETS, tiny, {"BPR": (0.2, 1.1)})
    monkeypatch.setitem(quality_pairwise.BEST, tiny, (1.5, 1.5))
    assert quality_pairwise.main([tiny]) == 1
    text = capsys.readouterr().out
    assert "Missed: BPR: ndcg@20 is" in text
    assert "Missed: no model reaches (1.5, 1.5)" in text


def test_the_search_reads_the_train_part_only(tiny, capsys, monkeypatch):
    load = quality_pairwise.load

    class TrainOnly:
        train = load(tiny).train

    monkeypatch.setattr(quality_pairwise, "load", lambda data: TrainOnly)
    assert quality_pairwise.main([tiny, "--search", "--models", "BPR"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.endswith("| chosen |") for line in lines] == [True, True, False]


def test_recorded_settings_belong_to_targets():
    for data, targets in quality_pairwise.TARGETS.items():
        assert set(targets) <= set(quality_pairwise.SETTINGS[data])


def test_unknown_models_are_refused(tiny, capsys):
    with pytest.raises(SystemExit):
        quality_pairwise.main([tiny, "--models", "GRU"])
    assert "the models are RP3beta, BPR, Popularity" in capsys.readouterr().err
