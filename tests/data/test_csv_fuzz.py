"""Text files of random dialects and cells, beside Python's csv module and pandas."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimass_core import Interactions
from aimass_core.data.readers.text import DEFAULT_NULLS

pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

CELLS = st.text(alphabet="ab01.-,;|\t\"' \n\\äß茶é#=", min_size=1, max_size=8).filter(
    lambda text: text not in DEFAULT_NULLS
)
NUMBERS = st.floats(-1e6, 1e6, width=32).filter(math.isfinite)
ROWS = st.lists(st.tuples(CELLS, CELLS, NUMBERS), min_size=1, max_size=12)


@st.composite
def dialects(draw: Any) -> dict[str, Any]:
    return {
        "delimiter": draw(st.sampled_from([",", ";", "\t", "|"])),
        "quotechar": draw(st.sampled_from(['"', "'"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "lineterminator": draw(st.sampled_from(["\n", "\r\n"])),
    }


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=ROWS, dialect=dialects(), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_as_python_and_pandas_read_it(
    tmp_path: Path, rows: Any, dialect: dict[str, Any], encoding: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows([("user", "item", "value"), *rows])
    content = text.getvalue()
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode(encoding))
    options = {"separator": dialect["delimiter"], "quote": dialect["quotechar"]}
    if encoding == "utf-16":
        options["encoding"] = encoding
    x = Interactions.from_table(
        path, user="user", item="item", value="value", duplicates="count", **options
    )
    by_python = list(csv.reader(io.StringIO(content, newline=""), **dialect))[1:]
    by_pandas = pd.read_csv(
        path,
        sep=dialect["delimiter"],
        quotechar=dialect["quotechar"],
        encoding=encoding,
        dtype=str,
        keep_default_na=False,
    )
    assert by_pandas[["user", "item"]].to_numpy().tolist() == [row[:2] for row in by_python]
    counts: dict[tuple[str, str], int] = {}
    for user, item, _ in by_python:
        counts[user, item] = counts.get((user, item), 0) + 1
    assert {(str(user), str(item)): value for user, item, value in x} == counts


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.text("abc", min_size=1), st.integers(0, 9), NUMBERS), min_size=3, max_size=9
    ),
    separator=st.sampled_from([",", ";", "\t", "|"]),
)
def test_the_separator_is_recognised(rows: Any, separator: str) -> None:
    lines = ["user,item,value", *(f"{u},{i},{v}" for u, i, v in rows)]
    content = "\n".join(lines).replace(",", separator).encode()
    x = Interactions.from_table(
        io.BytesIO(content), user="user", item="item", value="value", duplicates="sum"
    )
    sums: dict[Any, float] = {}
    for user, item, value in rows:
        sums[user, item] = sums.get((user, item), 0.0) + value
    assert {(u, i): v for u, i, v in x} == pytest.approx(sums, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_line_breaks_in_large_files(tmp_path: Path, line_end: str) -> None:
    path = tmp_path / "a.csv"
    rows = [(f"user{line_end}{i % 700}", f"it,em {i}", "x" * 40 + line_end) for i in range(30_000)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator=line_end).writerows([("user", "item", "note"), *rows])
    assert path.stat().st_size > 1 << 20
    x = Interactions.from_table(path, user="user", item="item")
    assert x.shape == (700, 30_000)
    assert {(u, i) for u, i, _ in x} == {(u, i) for u, i, _ in rows}
