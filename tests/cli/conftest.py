"""A small shop in files, and the command run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
testing = pytest.importorskip("typer.testing")


@pytest.fixture
def aimass(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``aimass("info", "--json")`` runs the command and returns exit code, stdout and stderr."""
    from aimass_core.cli.app import app

    monkeypatch.setenv("AIMASS_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> Any:
        return testing.CliRunner().invoke(app, [str(word) for word in words])

    return run


@pytest.fixture
def aimass_json(aimass: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """The same with ``--json``, parsed; fails unless the exit code is 0."""

    def run(*words: object) -> dict[str, Any]:
        result = aimass(*words, "--json")
        assert result.exit_code == 0, result.output
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    return run


def shop_table() -> Any:
    """60 customers in two groups that buy from two halves of 30 products; some buy twice."""
    rng = np.random.default_rng(5)
    rows = []
    for customer in range(60):
        half = 15 * (customer % 2)
        for step, item in enumerate(rng.choice(15, size=8, replace=False)):
            for again in range(1 + int(rng.random() < 0.2)):
                bought = 100 + half + int(item)
                rows.append((f"c{customer:02d}", bought, 3.0 + step % 3, step * 10 + again))
    users, items, values, times = zip(*rows, strict=True)
    return pa.table(
        {
            "user_id": list(users),
            "item_id": pa.array(items, pa.int32()),
            "rating": list(values),
            "when": list(times),
            "part": ["test" if time >= 60 else "train" for time in times],
        }
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The shop as a Parquet file."""
    path = tmp_path / "shop.parquet"
    pq.write_table(shop_table(), path)
    return path


@pytest.fixture
def products(tmp_path: Path) -> Path:
    """Titles of the products, as CSV with another name for the id."""
    path = tmp_path / "products.csv"
    lines = ["sku,title", *(f"{item},Product {item}" for item in range(100, 130))]
    path.write_text("\n".join(lines) + "\n")
    return path
