"""Recency, frequency and monetary value against a plain loop."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import rfm, segments
from aimass_core.segmentation import rfm_scores


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
    early = table["when"] < np.datetime64("2023-06-02")
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
        ({"time": "who"}, "date_format"),
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


def test_a_day_includes_its_lines() -> None:
    table = {
        "who": ["a", "a", "b"],
        "when": np.array(["2025-01-01T10:00", "2025-01-31T18:00", "2025-02-01T00:00"], "M8[s]"),
        "paid": [1.0, 2.0, 4.0],
    }
    names = {"user": "who", "time": "when", "amount": "paid"}
    for now in ("2025-01-31", np.datetime64("2025-01-31"), datetime.date(2025, 1, 31)):
        found = rfm(table, now=now, **names)
        assert {name: values.tolist() for name, values in found.items()} == {
            "who": ["a"],
            "recency": [0.25],
            "frequency": [2],
            "monetary": [3.0],
        }
    until_noon = rfm(table, now="2025-01-31 12:00", **names)
    assert until_noon["monetary"].tolist() == [1.0]
    days = table | {"when": table["when"].astype("M8[D]")}
    assert rfm(days, now="2025-01-31", **names)["recency"].tolist() == [0.0]


def test_dates_in_the_future_are_reported() -> None:
    table = {
        "who": ["a", "b"],
        "when": np.array(["2025-01-01", "2099-01-01"], "M8[D]"),
        "paid": [1.0, 2.0],
    }
    names = {"user": "who", "time": "when", "amount": "paid"}
    with pytest.warns(UserWarning, match="1 lines lie in the future, the latest at 2099-01-01"):
        rfm(table, **names)
    assert rfm(table, now="2025-01-05", **names)["recency"].tolist() == [4.0]


def test_dates_as_text() -> None:
    names = {"user": "who", "time": "when", "amount": "paid"}
    table = {"who": ["a", "b"], "when": ["31.12.2024", "02.01.2025"], "paid": [1.0, 2.0]}
    found = rfm(table, date_format="%d.%m.%Y", **names)
    assert found["recency"].tolist() == [2.0, 0.0]


def test_scores_are_quintiles() -> None:
    table = {
        "recency": np.arange(100.0)[::-1],
        "frequency": np.arange(100),
        "monetary": np.arange(100.0),
    }
    scores = rfm_scores(table)
    for name in ("recency_score", "frequency_score", "monetary_score"):
        assert scores[name].tolist() == np.repeat([1, 2, 3, 4, 5], 20).tolist()
    assert scores["rfm_segment"][0] == "hibernating"
    assert scores["rfm_segment"][-1] == "champions"


def test_equal_customers_have_equal_scores() -> None:
    rng = np.random.default_rng(0)
    table = {
        "recency": rng.integers(0, 5, 500).astype(float),
        "frequency": rng.integers(1, 4, 500),
        "monetary": np.ones(500),
    }
    scores = rfm_scores(table, n_scores=4)
    assert list(scores) == ["recency_score", "frequency_score", "monetary_score"]
    for name in ("recency", "frequency", "monetary"):
        pairs = set(zip(table[name].tolist(), scores[f"{name}_score"].tolist(), strict=True))
        assert len(pairs) == len(set(table[name].tolist()))
    assert set(scores["monetary_score"].tolist()) == {3}
    order = np.argsort(table["frequency"], kind="stable")
    assert (np.diff(scores["frequency_score"][order]) >= 0).all()


def test_scores_need_the_columns_of_rfm() -> None:
    with pytest.raises(ValueError, match="no column 'frequency'"):
        rfm_scores({"recency": [1.0]})
    with pytest.raises(ValueError, match="finite numbers"):
        rfm_scores({"recency": [np.nan], "frequency": [1], "monetary": [1.0]})


def test_no_lines() -> None:
    empty = {n: v[:0] for n, v in lines(5).items()}
    with pytest.raises(ValueError, match="no line of the table can be used"):
        rfm(empty, **NAMES)


def test_segments_take_it() -> None:
    found = segments(rfm(lines(), **NAMES), id="who", n_segments=2, n_bootstrap=0)
    assert found.columns_ == ["recency", "frequency", "monetary"]


def test_amount_as_a_product() -> None:
    """The same in the command and in Python; a column of this very name comes first."""
    table = lines()
    names = {key: value for key, value in NAMES.items() if key != "amount"}
    expected = rfm(table, **names, amount=("quantity", "price"))
    for amount in ("quantity*price", "quantity * price"):
        found = rfm(table, **names, amount=amount)
        assert found["monetary"].tolist() == expected["monetary"].tolist()
    own = {**table, "quantity*price": np.ones(len(table["who"]))}
    assert rfm(own, **names, amount="quantity*price")["monetary"].max() < 100
    with pytest.raises(ValueError, match=r"or 'quantity\*price', got 'a\*b\*c'"):
        rfm(table, **names, amount="a*b*c")
    with pytest.raises(ValueError, match="no such column"):
        rfm(table, **names, amount="quantity*rebate")


def test_lines_of_a_file_with_options_of_the_readers(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("user;day;paid\nann;31.01.2024;1,5\nbob;01.02.2024;2\nann;01.02.2024;1\n")
    names = {"user": "user", "time": "day", "amount": "paid", "date_format": "%d.%m.%Y"}
    with pytest.raises(ValueError, match="pass decimal=','"):
        rfm(path, **names)
    table = rfm(path, **names, decimal=",")
    assert table["user"].tolist() == ["ann", "bob"]
    assert table["recency"].tolist() == [0.0, 0.0]
    assert table["frequency"].tolist() == [2, 1]
    assert table["monetary"].tolist() == [2.5, 2.0]
    with pytest.raises(TypeError, match=r"no argument 'decimals'.*'decimal'"):
        rfm(path, **names, decimals=",")


def test_a_header_without_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("user,day,paid\n")
    with pytest.raises(ValueError, match="no line of the table can be used"):
        rfm(path, user="user", time="day", amount="paid")
