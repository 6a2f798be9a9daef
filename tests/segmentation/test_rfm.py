"""Recency, frequency and monetary value against a plain loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import rfm, segments


def lines(n: int = 2000, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    minutes = rng.integers(0, 60 * 24 * 300, n)
    return {
        "who": np.array([f"c{i:03d}" for i in rng.integers(0, 150, n)], dtype=object),
        "when": np.datetime64("2023-01-01T00:00", "m") + minutes,
        "quantity": rng.integers(-2, 10, n),
        "price": np.round(rng.gamma(2, 3, n), 2),
        "invoice": rng.integers(0, 700, n),
    }


NAMES: dict[str, Any] = {"user": "who", "time": "when", "amount": ("quantity", "price")}


def plain(table: dict[str, Any], key: str) -> dict[str, tuple[float, int, float]]:
    """The definition: one customer after the other."""
    out = {}
    end = table["when"].max()
    for who in sorted(set(table["who"])):
        rows = table["who"] == who
        paid = (table["quantity"] * table["price"])[rows]
        times, orders = table["when"][rows], table[key][rows]
        bought = paid > 0
        if bought.any():
            recency = (end - times[bought].max()) / np.timedelta64(1, "D")
            out[who] = (recency, len(set(orders[bought].tolist())), paid.sum())
    return out


@pytest.mark.parametrize("order", ["invoice", None])
def test_is_the_plain_loop(order: str | None) -> None:
    table = lines()
    found = rfm(table, order=order, **NAMES)
    expected = plain(table | {"day": table["when"].astype("M8[D]")}, order or "day")
    assert found["who"].tolist() == list(expected)
    for name, values in zip(("recency", "frequency", "monetary"), zip(*expected.values())):
        assert np.allclose(found[name].astype(float), values)


def test_now_leaves_out_what_came_later() -> None:
    table = lines()
    early = table["when"] <= np.datetime64("2023-06-01")
    part = rfm({n: v[early] for n, v in table.items()}, now="2023-06-01", **NAMES)
    found = rfm(table, now="2023-06-01", **NAMES)
    assert all((part[name] == found[name]).all() for name in part)
    assert found["recency"].min() >= 0


def test_numbers_as_times_and_every_library(tmp_path: Path) -> None:
    pd, pl, pa = (pytest.importorskip(n) for n in ("pandas", "polars", "pyarrow"))
    table = lines()
    expected = rfm(table, order="invoice", **NAMES)
    frame = pd.DataFrame(table)
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    frame.to_csv(tmp_path / "t.csv", index=False)
    for source in (frame, pl.DataFrame(frame), pa.table(frame), path, tmp_path / "t.csv"):
        found = rfm(source, order="invoice", **NAMES)
        assert all(list(found[name]) == list(expected[name]) for name in expected)
    seconds = table | {"when": table["when"].astype("M8[s]").astype(np.int64)}
    found = rfm(seconds, order="invoice", **NAMES)
    assert np.allclose(found["recency"], expected["recency"] * 86400)
    assert (found["frequency"] == expected["frequency"]).all()


def test_order_of_the_lines_does_not_matter() -> None:
    table = lines()
    order = np.random.default_rng(1).permutation(2000)
    a, b = rfm(table, **NAMES), rfm({n: v[order] for n, v in table.items()}, **NAMES)
    assert (a["recency"] == b["recency"]).all()
    assert (a["frequency"] == b["frequency"]).all()
    assert np.allclose(a["monetary"], b["monetary"])


def test_nulls() -> None:
    table = lines()
    who = table["who"].copy()
    who[:100] = None
    with pytest.raises(ValueError, match="100 nulls, the first in row 0: pass nulls='drop'"):
        rfm(table | {"who": who}, **NAMES)
    found = rfm(table | {"who": who}, nulls="drop", now=table["when"].max(), **NAMES)
    part = rfm({n: v[100:] for n, v in table.items()}, now=table["when"].max(), **NAMES)
    assert all((found[name] == part[name]).all() for name in part)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"user": "whom"}, "did you mean 'who'"),
        ({"time": "who"}, "must hold datetimes or whole numbers"),
        ({"amount": "who"}, "is not a number"),
        ({"amount": ("quantity", "price", "invoice")}, "a pair of columns"),
        ({"now": "yesterday"}, "now must be a point in time"),
        ({"now": 5}, "now must be a datetime"),
        ({"now": "1500-01-01"}, "now must be a date from 1678 to 2261"),
        ({"now": "1999-01-01"}, "no line has a positive"),
        ({"nulls": "keep"}, "nulls must be one of"),
    ],
)
def test_refused(changed: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        rfm(lines(50), **(NAMES | changed))


def test_no_lines() -> None:
    empty = {n: v[:0] for n, v in lines(5).items()}
    with pytest.raises(ValueError, match="no line of the table can be used"):
        rfm(empty, **NAMES)


def test_segments_take_it() -> None:
    found = segments(rfm(lines(), **NAMES), id="who", n_segments=2, n_bootstrap=0)
    assert found.columns_ == ["recency", "frequency", "monetary"]
