"""Files as people have them: each is read as its writer meant it, or refused with the remedy."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import Interactions

pa = pytest.importorskip("pyarrow")

SHOP = {("ann", "tea"): 2.0, ("ann", "pie"): 1.5, ("bob", "tea"): 3.0}
COLUMNS = {"user": "user", "item": "item", "value": "value"}
PLAIN = "user,item,value\nann,tea,2\nann,pie,1.5\nbob,tea,3\n"


def entries(x: Interactions) -> dict[Any, float]:
    return {(user, item): value for user, item, value in x}


def read(source: Any, **options: Any) -> Interactions:
    return Interactions.from_table(source, **{**COLUMNS, **options})


def swapped(text: str, old: str, new: str) -> str:
    return text.replace(old, new)


# name: (content, options); all of them are the shop above.
SHOP_FILES: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "comma.csv": (PLAIN, {}),
    "semicolon.csv": (swapped(PLAIN, ",", ";"), {}),
    "semicolon_decimal_comma.csv": (
        swapped(swapped(PLAIN, ",", ";"), "1.5", "1,5"),
        {"decimal": ","},
    ),
    "tabs.csv": (swapped(PLAIN, ",", "\t"), {}),
    "tabs.tsv": (swapped(PLAIN, ",", "\t"), {}),
    "pipes.txt": (swapped(PLAIN, ",", "|"), {}),
    "double_colons.dat": (
        "ann::tea::2\nann::pie::1.5\nbob::tea::3\n",
        {"separator": "::", "names": ["user", "item", "value"]},
    ),
    "whitespace.txt": (
        "user   item \t value\nann   tea  2\nann pie\t1.5\n  bob tea 3\n",
        {"separator": "whitespace"},
    ),
    "names_its_separator.csv": ("sep=;\n" + swapped(PLAIN, ",", ";"), {}),
    "no_header.csv": (PLAIN.partition("\n")[2], {"names": ["user", "item", "value"]}),
    "other_header.csv": (
        swapped(PLAIN, "user,item,value", "A,B,C"),
        {"names": ["user", "item", "value"], "header": True},
    ),
    "byte_order_mark.csv": (PLAIN.encode("utf-8-sig"), {}),
    "utf_16.csv": (PLAIN.encode("utf-16"), {}),
    "utf_16_big_endian.txt": (b"\xfe\xff" + swapped(PLAIN, ",", "\t").encode("utf-16-be"), {}),
    "utf_16_without_mark.csv": (PLAIN.encode("utf-16-le"), {"encoding": "utf-16-le"}),
    "windows_line_ends.csv": (swapped(PLAIN, "\n", "\r\n"), {}),
    "old_line_ends.csv": (swapped(PLAIN, "\n", "\r"), {}),
    "no_last_line_end.csv": (PLAIN.rstrip("\n"), {}),
    "blank_lines.csv": (swapped(PLAIN, "\n", "\n\n"), {}),
    "title_lines.csv": ("Export of the shop\nmade on Monday\n" + PLAIN, {"skip_rows": 2}),
    "all_quoted.csv": (
        "".join('"' + '","'.join(line.split(",")) + '"\n' for line in PLAIN.splitlines()),
        {},
    ),
    "single_quotes.csv": (swapped(swapped(PLAIN, "tea", "'tea'"), "ann", "'ann'"), {"quote": "'"}),
    "other_columns.csv": (
        'row,note,value,user,item\n1,,2,ann,tea\n2,x,1.5,ann,pie\n3,"a, b",3,bob,tea\n',
        {},
    ),
    "scientific.csv": (swapped(swapped(PLAIN, ",2\n", ",0.2e1\n"), "1.5", "15E-1"), {}),
    "lines.jsonl": (
        '{"user":"ann","item":"tea","value":2}\n{"item":"pie","user":"ann","value":1.5}\n'
        '{"user":"bob","item":"tea","value":3,"more":{"deep":[1]}}\n',
        {},
    ),
    "array.json": (
        '[{"user":"ann","item":"tea","value":2},{"user":"ann","item":"pie","value":1.5},'
        '{"user":"bob","item":"tea","value":3}]',
        {},
    ),
    "lines_without_suffix": (
        '{"user":"ann","item":"tea","value":2}\n{"user":"ann","item":"pie","value":1.5}\n'
        '{"user":"bob","item":"tea","value":3}\n',
        {},
    ),
    "gzip.csv.gz": (gzip.compress(PLAIN.encode()), {}),
    "gzip_without_its_suffix.csv": (gzip.compress(PLAIN.encode()), {}),
    "bzip2.csv.bz2": (bz2.compress(PLAIN.encode()), {}),
    "xz.csv.xz": (lzma.compress(PLAIN.encode()), {}),
    "two_gzip_members.csv.gz": (
        gzip.compress(PLAIN[:20].encode()) + gzip.compress(PLAIN[20:].encode()),
        {},
    ),
}


@pytest.mark.parametrize("name", sorted(SHOP_FILES))
def test_the_shop_in_every_form(name: str, tmp_path: Path) -> None:
    content, options = SHOP_FILES[name]
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert entries(read(path, **options)) == SHOP
    with path.open("rb") as file:  # the same bytes without a name
        assert entries(read(file, **options)) == SHOP


def test_what_was_recognised_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(swapped(PLAIN, ",", ";"))
    assert any("separated by ';'" in note for note in read(path).report["notes"])
    path.write_text("sep=;\n" + swapped(PLAIN, ",", ";"))
    assert any("as its first line says" in note for note in read(path).report["notes"])


def zipped(**members: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "."), text)
    return target.getvalue()


def test_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(shop__csv=PLAIN))
    assert entries(read(path)) == SHOP
    path.write_bytes(zipped(shop__csv=PLAIN, other__csv="a,b\n"))
    with pytest.raises(ValueError, match=r"holds 2 files .*choose one by member="):
        read(path)
    assert entries(read(path, member="shop.csv")) == SHOP
    with pytest.raises(ValueError, match=r"member='no.csv': .* it holds 'shop.csv', 'other.csv'"):
        read(path, member="no.csv")
    path.write_bytes(zipped())
    with pytest.raises(ValueError, match="holds no file"):
        read(path)


def test_zstandard(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as out:
        out.write(PLAIN.encode())
    assert entries(read(path)) == SHOP


# ---- ids -----------------------------------------------------------------------------------------

IDS: dict[str, tuple[str, list[Any]]] = {
    "leading zeros": ("007,7,0", ["0", "007", "7"]),
    "whole numbers": ("3,1,2", [1, 2, 3]),
    "numbers as pandas writes them after a null": ("1.0,2.0,3.0", [1, 2, 3]),
    "fractions": ("1.5,2.0,3.0", ["1.5", "2.0", "3.0"]),
    "negative numbers": ("-5,0,5", [-5, 0, 5]),
    "numbers and text": ("85048,79323P,22041", ["22041", "79323P", "85048"]),
    "unsigned 64 bits": (f"{2**63},{2**64 - 1},5", [5, 2**63, 2**64 - 1]),
    "longer than 64 bits": (f"{2**64},1,2", ["1", "18446744073709551616", "2"]),
    "plus signs": ("+1,+2,+3", ["+1", "+2", "+3"]),
    "blanks around": (" a, b,c ", [" a", " b", "c "]),
    "letters of other scripts": ("ä,茶,🍵", ["ä", "茶", "🍵"]),
    "truth values": ("true,false,true ", ["false", "true", "true "]),
    "dates": ("2024-01-01,2024-01-02,x", ["2024-01-01", "2024-01-02", "x"]),
    "hexadecimal": ("0x10,1e5,10", ["0x10", "10", "1e5"]),
}


@pytest.mark.parametrize("name", sorted(IDS))
def test_ids_keep_their_writing(name: str, tmp_path: Path) -> None:
    cells, expected = IDS[name]
    path = tmp_path / "ids.csv"
    path.write_text("user,item\n" + "".join(f"{cell},x\n" for cell in cells.split(",")))
    x = Interactions.from_table(path, user="user", item="item")
    assert x.users.ids.tolist() == expected
    assert x.nnz == 3


def test_ids_of_arrow_types(tmp_path: Path) -> None:
    import decimal
    import uuid

    import pyarrow.parquet as pq

    uuids = [uuid.UUID(int=n) for n in (7, 3)]
    arrays = {
        "uint64": pa.array([2**64 - 1, 5], pa.uint64()),
        "decimal": pa.array([decimal.Decimal("12345678901234567890.00"), decimal.Decimal("7.00")]),
        "fixed": pa.array([u.bytes for u in uuids], pa.binary(16)),
        "binary": pa.array([b"\xff\x00", b"a"]),
        "large": pa.array(["a", "b"], pa.large_string()),
        "date": pa.array([1, 2], pa.date32()),
        "dictionary": pa.array(["b", "a"]).dictionary_encode(),
        "half": pa.array([1.0, None]).cast(pa.float32()),
    }
    expected = {
        "uint64": [5, 2**64 - 1],
        "decimal": ["12345678901234567890", "7"],
        "fixed": [uuids[1].bytes, uuids[0].bytes],
        "binary": [b"a", b"\xff\x00"],
        "large": ["a", "b"],
        "dictionary": ["a", "b"],
        "half": [1],
    }
    for name, array in arrays.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"user": array, "item": ["x"] * len(array)}), path)
        x = Interactions.from_table(path, user="user", item="item", nulls="drop")
        if name in expected:
            assert x.users.ids.tolist() == expected[name], name
        else:
            assert x.n_users == 2


# ---- nulls ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["", "NA", "N/A", "NULL", "null", "NaN", "#N/A", "<NA>"])
def test_usual_words_for_missing_values(word: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(PLAIN + f"{word},tea,1\n")
    with pytest.raises(
        ValueError, match=r"user='user' holds 1 null, .*a.csv, line 5.*nulls='drop'"
    ):
        read(path)
    x = read(path, nulls="drop")
    assert entries(x) == SHOP
    assert x.report["rows_dropped"] == {"null user": 1}


def test_own_words_and_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(PLAIN + "\\N,tea,1\n-,tea,1\nann,nut,none\n")
    x = read(path, nulls="drop", null_values=["\\N", "-", "none"])
    assert entries(x) == SHOP
    assert x.report["rows_dropped"] == {"null user": 2, "null value": 1}
    path.write_text("user,item,value\nNA,tea,1\nDE,tea,2\n")  # countries
    assert read(path, default_nulls=False).users.ids.tolist() == ["DE", "NA"]
    path.write_text("user,item\n" + "(not set),tea\nann,tea\n" * 3)
    notes = Interactions.from_table(path, user="user", item="item").report["notes"]
    assert any("'(not set)'" in note and "null_values=" in note for note in notes)


# ---- numbers and dates ---------------------------------------------------------------------------

NUMBERS: dict[str, tuple[str, dict[str, Any], float]] = {
    "1,234.5": ('"1,234.5"', {"thousands": ","}, 1234.5),
    "1.234,5": ('"1.234,5"', {"thousands": ".", "decimal": ","}, 1234.5),
    "1 234,5 with a thin space": (
        '"1\u202f234,5"',
        {"thousands": "\u202f", "decimal": ","},
        1234.5,
    ),
    "1'234.5": ("1'234.5", {"thousands": "'"}, 1234.5),
    "-0,5": ('"-0,5"', {"decimal": ","}, -0.5),
    "12,34,567 as in India": ('"12,34,567"', {"thousands": ","}, 1234567.0),
    ".5": (".5", {}, 0.5),
    "1e-3": ("1e-3", {}, 0.001),
}


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_numbers(name: str, tmp_path: Path) -> None:
    cell, options, expected = NUMBERS[name]
    path = tmp_path / "a.csv"
    path.write_text(f"user,item,value\nann,tea,{cell}\n", encoding="utf-8")
    assert entries(read(path, **options)) == {("ann", "tea"): pytest.approx(expected, rel=1e-6)}


DATES: dict[str, tuple[str, str | None, str]] = {
    "ISO": ("2024-02-03", None, "2024-02-03"),
    "ISO with a time": ("2024-02-03T04:05:06", None, "2024-02-03T04:05:06"),
    "ISO with a zone": ("2024-02-03 04:05:06+02:00", None, "2024-02-03T02:05:06"),
    "ISO in Zulu time": ("2024-02-03T04:05:06.789Z", None, "2024-02-03T04:05:06.789"),
    "day first": ("03.02.2024 04:05", "%d.%m.%Y %H:%M", "2024-02-03T04:05"),
    "month first": ("02/03/2024", "%m/%d/%Y", "2024-02-03"),
    "name of the month": ("3 Feb 2024", "%d %b %Y", "2024-02-03"),
    "half a day": ("2/3/24 4:05 PM", "%m/%d/%y %I:%M %p", "2024-02-03T16:05"),
    "digits": ("20240203", "%Y%m%d", "2024-02-03"),
    "spreadsheet": ("45325.25", "excel", "2024-02-03T06:00"),
}


@pytest.mark.parametrize("name", sorted(DATES))
def test_dates(name: str, tmp_path: Path) -> None:
    cell, date_format, expected = DATES[name]
    path = tmp_path / "a.csv"
    path.write_text(f"user,item,when\nann,tea,{cell}\n")
    x = Interactions.from_table(
        path, user="user", item="item", time="when", date_format=date_format
    )
    assert x.time_unit == "ns"
    assert x.timestamps.view("M8[ns]").tolist() == np.array([expected], "M8[ns]").tolist()
    assert x.timestamps.view("M8[ns]")[0] == np.datetime64(expected, "ns")


# ---- what is refused -----------------------------------------------------------------------------

REFUSED: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "empty": ("", {}, "is empty"),
    "only line ends": ("\n\n", {}, "has no line|has no such column"),
    "totals line": (PLAIN + "total\n", {}, "line 5 has 1 cell, but the first line has 3: 'total'"),
    "too many cells": (PLAIN + "cid,tea,1,2\n", {}, "line 5 has 4 cells, .* has 3: 'cid,tea,1,2'"),
    "latin-1": (
        swapped(PLAIN, "tea", "té").encode("latin-1"),
        {},
        "is not utf-8: it cannot be decoded at byte .*encoding=, such as 'latin-1'",
    ),
    "utf-16 without a mark": (PLAIN.encode("utf-16-le") * 20, {}, "encoding='utf-16-le'"),
    "two columns of one name": (
        "user,item,item,value\na,b,c,1\n",
        {},
        "item='item': .* has 2 columns of this name",
    ),
    "missing column": (PLAIN, {"user": "usr"}, "user='usr': .* has no such column; .*'user'"),
    "one column twice": (PLAIN, {"item": "user"}, "user and item both name the column 'user'"),
    "blank before a name": (
        swapped(PLAIN, ",item", ", item"),
        {},
        "the name has blanks around it: write item=' item', or separator=', '",
    ),
    "unknown separator": (
        swapped(PLAIN, ",", "^"),
        {},
        r"user\^item\^value'; pass separator= if another mark than ',' is used, such as '\^'",
    ),
    "no header": ("7,8,2\n7,9,1\n", {}, r"it has '7', '8', '2'; if the first line is data.*names="),
    "rows by name": ('{"0": {"user": 1}}', {"format": "json"}, r"orient='records', lines=True"),
    "columns by name": (
        '{"user": {"7": 1, "9": 2}, "item": {"7": 3, "9": 4}}',
        {"format": "json"},
        r"orient='records', lines=True",
    ),
    "split": ('{"columns": ["user"], "data": [[1]]}', {"format": "json"}, "orient='records'"),
    "columns of other rows": (
        '{"user": {"0": 1}, "item": {"1": 2}, "value": {"0": 1}}',
        {"format": "json"},
        "'item' has other rows than the first column",
    ),
    "currency": (PLAIN + "cid,tea,$5\n", {}, r"holds '\$5' \(.*line 5\), which is not a number"),
    "decimal comma": (
        swapped(swapped(PLAIN, ",", ";"), "1.5", "1,5"),
        {},
        "holds '1,5' .*line 3.*pass decimal=','",
    ),
    "thousands": (PLAIN + 'cid,tea,"1,234.5"\n', {}, "thousands=','"),
    "infinity": (PLAIN + "cid,tea,inf\n", {}, "value='value' holds .*inf"),
    "word": (PLAIN + "cid,tea,many\n", {}, "'many' .*line 5.*null_values"),
    "repeated pair": (PLAIN + "ann,tea,9\n", {}, "rows repeat a pair .*'ann' .*'tea'.*duplicates="),
    "names of another number": (PLAIN, {"names": ["user", "item"]}, "names has 2 names"),
    "unknown encoding": (PLAIN, {"encoding": "utf8000"}, "encoding='utf8000' is unknown"),
    "broken gzip": (gzip.compress(PLAIN.encode() * 50)[:-20], {}, "damaged|cannot be read"),
    "broken zip": (b"PK\x03\x04" + b"\0" * 40, {}, "damaged|cannot be read"),
    "broken parquet": (b"PAR1" + b"\0" * 40, {}, "cannot be read as parquet"),
    "broken json": ('{"user": "a", \n', {"format": "json"}, "a.csv.*line 1|line 1"),
    "html instead of data": (
        "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
        {},
        "has no such column",
    ),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    content, options, message = REFUSED[name]
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=message) as raised:
        read(path, **options)
    if name not in ("one column twice", "repeated pair", "infinity", "unknown encoding"):
        assert "a.csv" in str(raised.value)


BAD_DATES = {
    "either": (
        ["03/02/2024", "04/05/2024"],
        "day and month cannot be told apart.*%d/%m/%Y.*%m/%d/%Y",
    ),
    "one only": (["31.01.2024", "01.02.2024"], "pass date_format='%d.%m.%Y'"),
    "another line": (["2024-01-01", "yesterday"], "'yesterday' .*line 3"),
    "some with a zone": (["2024-01-01T00:00Z", "2024-01-01T00:00"], "offset from UTC and some"),
    "long ago": (["0001-01-01", "2024-01-01"], "outside of 1678 to 226[12]"),
    "numbers like dates": (["20240131", "20240201"], "date_format='%Y%m%d'"),
    "no day of the calendar": (["2024-02-30", "2024-01-01"], "'2024-02-30'"),
}


@pytest.mark.parametrize("name", sorted(BAD_DATES))
def test_dates_that_are_refused(name: str, tmp_path: Path) -> None:
    cells, message = BAD_DATES[name]
    path = tmp_path / "a.csv"
    path.write_text("user,item,when\n" + "".join(f"{i},x,{c}\n" for i, c in enumerate(cells)))
    with pytest.raises(ValueError, match=message):
        Interactions.from_table(path, user="user", item="item", time="when")


def test_header_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("user,item,value,day\n")
    x = Interactions.from_table(path, user="user", item="item", value="value", time="day")
    assert x.shape == (0, 0)
    assert x.report["rows_read"] == 0


def test_json_of_columns(tmp_path: Path) -> None:
    """`DataFrame.to_json` writes it by default."""
    path = tmp_path / "a.json"
    path.write_text('{"user": {"0": "ann", "1": "bob"}, "item": {"0": 7, "1": 8}}')
    x = Interactions.from_table(path, user="user", item="item")
    assert list(x) == [("ann", 7, 1.0), ("bob", 8, 1.0)]


def test_blanks_around_ids_are_kept_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("user,item\n 1,tea\n1,tea \n2,tea\n")
    x = Interactions.from_table(path, user="user", item="item")
    assert x.users.ids.tolist() == [" 1", "1", "2"]
    assert x.report["notes"] == [
        "user='user': 1 id with blanks around, such as ' 1', which is not '1': strip the column if "
        "they are the same",
        "item='item': 1 id with blanks around, such as 'tea ', which is not 'tea': strip the "
        "column if they are the same",
    ]


KUAI = (
    "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio\n"
    "0,3649,13838,10867,2020-07-05 00:08:23.438,20200705.0,1593878903.438,1.2733965215790926\n"
    "0,5262,851,7908,,,1593879366.687,0.10761254425897825\n"
)


@pytest.mark.parametrize(
    ("column", "date_format", "expected"),
    [
        ("timestamp", "s", ["2020-07-04T16:08:23.438", "2020-07-04T16:16:06.687"]),
        ("date", "%Y%m%d", ["2020-07-05"]),
        ("time", None, ["2020-07-05T00:08:23.438"]),
    ],
)
def test_times_of_kuairec(
    column: str, date_format: str | None, expected: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "big_matrix.csv"
    path.write_text(KUAI)
    x = Interactions.from_table(
        path,
        user="user_id",
        item="video_id",
        value="watch_ratio",
        time=column,
        nulls="drop",
        date_format=date_format,
    )
    assert x.timestamps.view("M8[ns]").tolist() == np.array(expected, "M8[ns]").tolist()
    with pytest.raises(
        ValueError, match=r"1593878903\.438, not a whole number: pass date_format='s'"
    ):
        Interactions.from_table(path, user="user_id", item="video_id", time="timestamp")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_numbers_that_count_from_1970(unit: str, tmp_path: Path) -> None:
    stamps = np.array(["2024-01-31T18:30:05", "1969-12-31T23:59:59"], "M8[s]").astype(f"M8[{unit}]")
    numbers = stamps.view(np.int64).tolist()
    path = tmp_path / "a.csv"
    path.write_text("".join(["user,item,t\n", *(f"{i},{i},{n}\n" for i, n in enumerate(numbers))]))
    for table in (path, {"user": [0, 1], "item": [0, 1], "t": [str(n) for n in numbers]}):
        x = Interactions.from_table(table, user="user", item="item", time="t", date_format=unit)
        assert (x.timestamps.view("M8[ns]") == stamps).all()
    with pytest.raises(ValueError, match="outside of 1678 to 2261 in this unit: pass another"):
        Interactions.from_table(
            {"user": [0], "item": [0], "t": [10**18]},
            user="user",
            item="item",
            time="t",
            date_format="s",
        )


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64", "float32", "float64"])
def test_unix_times_of_each_type(dtype: str) -> None:
    stamps = np.array([1_700_000_000, 0], dtype=dtype)  # the first is a multiple of 128
    table = {"user": [0, 1], "item": [0, 1], "t": stamps}
    x = Interactions.from_table(table, user="user", item="item", time="t", date_format="s")
    assert x.timestamps.tolist() == [1_700_000_000 * 10**9, 0]


def test_texts_of_digits_that_are_no_dates() -> None:
    def read_times(*texts: str) -> None:
        table = {"user": [1], "item": [1], "t": list(texts)}
        Interactions.from_table(table, user="user", item="item", time="t")

    with pytest.raises(
        ValueError, match=r"'1593878903', .* such as 's' or 'ms' for a time since 1970"
    ):
        read_times("1593878903")
    with pytest.raises(ValueError, match="pass date_format='%Y'"):
        read_times("2024")


def test_a_saved_model_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "model"
    Interactions.from_arrays(["ann"], ["tea"]).save(path)
    with pytest.raises(ValueError, match="model is a saved model or saved interactions, not a tab"):
        read(path)


def test_ids_that_are_no_numbers_are_named() -> None:
    old = Interactions.from_arrays([1, 2], ["tea", "tea"])
    new = Interactions.from_arrays(["1", "A12"], ["tea", "tea"])
    with pytest.raises(
        TypeError, match="of kind str, such as 'A12', cannot be added to ids of kind"
    ):
        old.merge(new)
