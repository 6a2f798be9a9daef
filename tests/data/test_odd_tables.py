"""Odd tables of files and memory: the right entries, or an error with the remedy."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import Interactions

pa = pytest.importorskip("pyarrow")


def read(table: Any, **options: Any) -> list[Any]:
    return list(Interactions.from_table(table, user="user", item="item", **options))


TEXTS: dict[str, tuple[str | bytes, dict[str, Any], list[Any]]] = {
    "byte order mark": ("\ufeffuser,item\r\n1,a\r\n2,b\r\n", {}, [(1, "a", 1.0), (2, "b", 1.0)]),
    "lines of old Macs": ("user,item\r1,a\r2,b\r", {}, [(1, "a", 1.0), (2, "b", 1.0)]),
    "bars": ("user|item\n1|a\n2|b\n", {}, [(1, "a", 1.0), (2, "b", 1.0)]),
    "a separator at the end": ("user,item,\n1,a,\n2,b,\n", {}, [(1, "a", 1.0), (2, "b", 1.0)]),
    "single quotes": ("user,item\n1,'a,b'\n", {"quote": "'"}, [(1, "a,b", 1.0)]),
    "title lines": ("Export\n\nnr;user;item\n1;1;a\n", {"skip_rows": 2}, [(1, "a", 1.0)]),
    "a separator in a name": ('"user","item","na,me"\n1,a,"x, y"\n', {}, [(1, "a", 1.0)]),
    "ids beyond 64 bits": (
        "user,item\n99999999999999999999,a\n2,b\n",
        {},
        [("2", "b", 1.0), ("99999999999999999999", "a", 1.0)],
    ),
    "compressed under a plain name": (gzip.compress(b"user,item\n1,a\n"), {}, [(1, "a", 1.0)]),
    "an array of objects": (
        json.dumps([{"user": 1, "item": "a"}, {"user": 2, "item": "b"}]),
        {"format": "json"},
        [(1, "a", 1.0), (2, "b", 1.0)],
    ),
    "tiny values": ("user,item,v\n1,a,-0.0\n2,b,5\n", {"value": "v"}, [(1, "a", 0), (2, "b", 5)]),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts(case: str, tmp_path: Path) -> None:
    text, options, expected = TEXTS[case]
    path = tmp_path / "events.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert read(path, **options) == expected


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "infinite value": ("user,item,v\n1,a,inf\n", {"value": "v"}, "holds inf"),
    "no such day": ("user,item,t\n1,a,2024-02-30\n", {"time": "t"}, "'2024-02-30'.*line 2"),
    "day or month": ("user,item,t\n1,a,01/02/2024\n", {"time": "t"}, "date_format='%d/%m/%Y'"),
    "year of two digits": ("user,item,t\n1,a,01/02/24\n", {"time": "t"}, "date_format='%d/%m/%y'"),
    "thousands": ("user;item;v\n1;a;1.234,5\n", {"value": "v"}, "decimal=',' and thousands='.'"),
    "a comment above the names": (
        "# today\nuser,item\n1,a\n",
        {},
        "line 2 has it: pass skip_rows=1",
    ),
    "titles above the names": (
        "Export\n\nnr;user;item\n1;1;a\n",
        {},
        "line 3 has it: pass skip_rows=2",
    ),
    "a page of a web site": ("<html><body>Not found</body></html>", {}, "has no such column"),
}


@pytest.mark.parametrize("case", WRONG)
def test_refused_texts(case: str, tmp_path: Path) -> None:
    text, options, message = WRONG[case]
    path = tmp_path / "events.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(path, **options)


@pytest.mark.parametrize(
    "text",
    [
        "who,what,v\nann,user,1\nbob,pie,2\n",  # a cell of data
        "who,what\nann,tea\nann,tea,user\nbob,pie\n",  # a row of data with a further cell
    ],
)
def test_a_row_of_data_is_no_header(text: str, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match="has no such column") as error:
        Interactions.from_table(path, user="user", item="what")
    assert "skip_rows" not in str(error.value)


def test_tables_in_memory() -> None:
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    pairs = [(1, 3, 1.0), (2, 4, 1.0)]
    tables = [
        pd.DataFrame({"user": pd.arrays.SparseArray([1, 2]), "item": [3, 4]}),
        pd.DataFrame({"user": [1, 2], "item": pd.Categorical([3, 4])}),
        pl.LazyFrame({"user": [1, 2], "item": [3, 4]}),
        np.array([(1, 3), (2, 4)], dtype=[("user", "i8"), ("item", "i8")]),
        pa.table({"user": [1, 2], "item": pa.array([3, 4], pa.uint8())}),
        [{"user": np.array([1]), "item": [3]}, {"user": [2], "item": np.array([4])}],
    ]
    for table in tables:
        assert read(table) == pairs
    flags = pd.DataFrame({"user": [True, False], "item": ["a", "b"]})
    assert read(flags) == [(False, "b", 1.0), (True, "a", 1.0)]
    money = pa.table({"user": [1], "item": [2], "v": [Decimal("1.25")]})
    assert read(money, value="v") == [(1, 2, 1.25)]
    refunds = pd.DataFrame({"user": [1, 2], "item": [1, 2], "event": ["buy", "refund"]})
    weights = {"buy": 1, "refund": -1}
    assert read(refunds, event="event", weights=weights) == [(1, 1, 1.0), (2, 2, -1.0)]


def _in_the_index(pd: Any) -> Any:
    return pd.DataFrame({"user": [1, 2], "item": [3, 4]}).set_index("user")


def _of_groups(pd: Any) -> Any:
    return pd.DataFrame({"user": [1, 1], "item": [3, 3]}).groupby(["user", "item"]).size()


MEMORY: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "ids in the index": (_in_the_index, ValueError, r"in the index: pass table\.reset_index\(\)"),
    "counts of groups": (_of_groups, ValueError, r"in the index: pass table\.reset_index\(\)"),
    "null in rows as dictionaries": (
        lambda pd: [{"user": 1, "item": 2}, {"user": 3, "item": None}],
        ValueError,
        "item='item' holds 1 null, the first in row 1",
    ),
    "rows as tuples": (lambda pd: [(1, 2), (3, 4)], TypeError, "list of rows"),
    "text and numbers": (
        lambda pd: pd.DataFrame({"user": [1, "1"], "item": [1, 2]}),
        TypeError,
        "values of type int, str: make it one type",
    ),
    "lists in cells": (
        lambda pd: pa.table({"user": [1], "item": [[3, 4]]}),
        TypeError,
        "Arrow type 'list'",
    ),
    "unequal lengths": (
        lambda pd: {"user": [1, 2], "item": [1]},
        ValueError,
        "unequal numbers of rows",
    ),
    "another case": (
        lambda pd: pd.DataFrame({"User": [1], "item": [2]}),
        ValueError,
        "did you mean 'User'",
    ),
}


@pytest.mark.parametrize("case", MEMORY)
def test_refused_tables(case: str) -> None:
    make, error, message = MEMORY[case]
    table = make(pytest.importorskip("pandas"))
    with pytest.raises(error, match=message):
        read(table)


def test_a_column_on_another_sheet(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    path = tmp_path / "book.xlsx"
    with pd.ExcelWriter(path) as writer:
        pd.DataFrame({"x": [1]}).to_excel(writer, sheet_name="info", index=False)
        pd.DataFrame({"user": [1], "item": [2]}).to_excel(writer, sheet_name="data", index=False)
    with pytest.raises(ValueError, match="only the first sheet was read: pass sheet= for 'data'"):
        read(path)
    assert read(path, sheet="data") == [(1, 2, 1.0)]
