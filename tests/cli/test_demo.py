"""``aimass demo``: from nothing to tables, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("typer")


def test_the_whole_way(aimass: Callable[..., Any], tmp_path: Path) -> None:
    result = aimass("demo", tmp_path / "shop", "--interactions", 20_000, "--seed", 3)
    assert result.exit_code == 0, result.output
    for words in ("$ aimass recommend", "$ aimass evaluate", "$ aimass similar", "ndcg@10"):
        assert words in result.stdout
    recommended = pq.read_table(tmp_path / "shop" / "recommendations.parquet")
    assert recommended.schema.names == ["user_id", "item_id", "rank", "score"]
    assert set(recommended["rank"].to_pylist()) == set(range(1, 11))
