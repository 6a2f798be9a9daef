"""`aimass recommend` and `aimass audience` on real data sets (AIMASS_DATA)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("typer")

CASES = [  # folder, options, items with many users
    ("movielens-1m", ["--value", "rating"], [2858, 260, 1196]),
    ("gowalla", [], [2525, 559, 21536]),
    ("online-retail-ii", [], [4080, 1609, 4058]),
]
SMALL = ["--set", "n_factors=16", "--set", "max_iter=3"]


@pytest.mark.parametrize(("folder", "options", "items"), CASES)
def test_recommend_and_audience(
    aimass: Callable[..., Any],
    aimass_json: Callable[..., dict[str, Any]],
    real_data: Callable[[str], Path],
    tmp_path: Path,
    folder: str,
    options: list[str],
    items: list[int],
) -> None:
    ratings = real_data(folder) / "interactions.parquet"
    table = pq.read_table(ratings)
    users, bought = table["user_id"].to_numpy(), table["item_id"].to_numpy()
    has = np.unique(users.astype(np.int64) << 32 | bought)

    out = tmp_path / "lists.parquet"
    done = aimass("recommend", ratings, "--model", "implicit-als", "--out", out, *SMALL, *options)
    assert done.exit_code == 0, done.stderr
    lists = pq.read_table(out)
    who, what = lists["user_id"].to_numpy(), lists["item_id"].to_numpy()
    assert len(who) == 10 * len(np.unique(users))
    assert set(np.unique(who)) == set(np.unique(users))
    assert not np.isin(who.astype(np.int64) << 32 | what, has).any()
    assert (np.diff(lists["score"].to_numpy().reshape(-1, 10), axis=1) <= 0).all()

    out = tmp_path / "audience.parquet"
    words = ["audience", ratings, "--items", ",".join(map(str, items)), "--size", 300, *SMALL]
    summary = aimass_json(*words, "--max-per-user", 1, "--min-size", 20, "--out", out, *options)
    assert summary["distinct_users"] == summary["rows_written"] == 900
    assert summary["value"] <= summary["value_bound"] <= 2 * summary["value"]
    chosen = pq.read_table(out)
    who, what = chosen["user_id"].to_numpy(), chosen["item_id"].to_numpy()
    assert len(np.unique(who)) == 900
    assert not np.isin(who.astype(np.int64) << 32 | what, has).any()
    assert set(what.tolist()) == set(items)

    # In the top 10 of the lists stand the users that --in-top 10 may choose.
    aimass_json(*words, "--in-top", 10, "--out", out, *options)
    chosen = pq.read_table(out)
    pairs = zip(chosen["user_id"].to_pylist(), chosen["item_id"].to_pylist())
    in_lists = set(zip(lists["user_id"].to_pylist(), lists["item_id"].to_pylist()))
    assert set(pairs) <= in_lists
    for item in items:
        reached = int((lists["item_id"].to_numpy() == item).sum())
        assert (chosen["item_id"].to_numpy() == item).sum() == min(reached, 300)
