"""The command that compares settings on validation data, on a tiny table; nothing is timed."""

from __future__ import annotations

import json
import types

import numpy as np
import pytest

from aimass_core import Interactions

default_settings = pytest.importorskip("default_settings")  # benchmarks/, on the path of the tests


@pytest.fixture
def tiny(monkeypatch):
    """A data set that has a train part only."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(30), 8)
    items = np.concatenate([rng.choice(20, 8, replace=False) for _ in range(30)])
    train = Interactions.from_arrays(users, items)
    task = types.SimpleNamespace(load=lambda: types.SimpleNamespace(train=train))
    monkeypatch.setitem(default_settings.TASKS, "tiny", task)
    monkeypatch.setattr(default_settings, "DATA", {"tiny": 25})
    settings = {"ease": [{"regularization": None}, {"regularization": 1.0}], "edlae": [{}, {}]}
    monkeypatch.setattr(default_settings, "SETTINGS", settings)
    monkeypatch.setattr(default_settings, "MOST_ITEMS", {"edlae": 10})
    return train


def test_results_are_kept_and_shown(tiny, tmp_path, capsys):
    out = tmp_path / "results.json"
    assert default_settings.main(["--out", str(out)]) == 0
    results = json.loads(out.read_text())
    assert set(results) == {"tiny ease regularization=None", "tiny ease regularization=1.0"}
    assert all(one["shape"][0] == 25 and 0 <= one["value"] <= 1 for one in results.values())
    shown = capsys.readouterr().out
    assert "| `regularization=None` (default) | " in shown
    assert "EDLAE" not in shown  # too many items for a dense model

    results["tiny ease regularization=1.0"]["value"] = 0.125
    out.write_text(json.dumps(results))
    assert default_settings.main(["--out", str(out)]) == 0
    assert "| `regularization=1.0` (before) | .1250 | " in capsys.readouterr().out


def test_the_first_setting_is_the_default():
    for name, settings in default_settings.SETTINGS.items():
        known = default_settings.find(name)().get_params(deep=False)
        assert {key: known[key] for key in settings[0]} == settings[0], name
