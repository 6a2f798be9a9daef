"""Numbers and dates out of text: read as their writer meant them, or refused with the remedy."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._column import Column, unsigned
from ._factorize import factorize

__all__ = [
    "UNIX_UNITS",
    "dates_of_numbers",
    "dates_of_text",
    "looks_like_dates",
    "numbers_of_text",
    "text_of_numbers",
]

Where = Callable[[str], str]  # file and line of a text, for messages

UNIX_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Formats of numbers that count from 1970-01-01 UTC, and the nanoseconds of one unit."""

_ISO = re.compile(
    r"(\d{4})(?:-(\d\d)-(\d\d)|(\d\d)(\d\d))"
    r"(?:[T ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r" ?(Z|UTC|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_SECONDS = 2**63 // 10**9 - 1  # on both sides of 1970, countable in nanoseconds
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d\d)",
    "m": r"(?P<m>1[0-2]|0?[1-9])",
    "d": r"(?P<d>3[01]|[12]\d|0?[1-9])",
    "H": r"(?P<H>2[0-3]|[01]\d|\d)",
    "I": r"(?P<I>1[0-2]|0?[1-9])",
    "M": r"(?P<M>[0-5]\d|\d)",
    "S": r"(?P<S>[0-5]\d|\d)",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[AaPp]\.?[Mm]\.?)",
    "b": r"(?P<b>[A-Za-z]{3})[a-z]*\.?",
    "B": r"(?P<b>[A-Za-z]{3})[a-z]*",
    "z": r"(?P<z>Z|UTC|[+-]\d\d:?\d\d)",
    "a": r"[A-Za-z]+\.?",
    "A": r"[A-Za-z]+",
    "%": "%",
}
_SHORT = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y"}
_GUESSES = tuple(
    day + clock
    for day in (
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d.%m.%Y",
        "%m.%d.%Y",
        "%d-%m-%Y",
        "%m-%d-%Y",
        "%Y/%m/%d",
        "%Y.%m.%d",
        "%Y/%d/%m",
        "%Y-%d-%m",
        "%Y-%m-%d",
        "%d/%m/%y",
        "%m/%d/%y",
        "%d.%m.%y",
        "%d %b %Y",
        "%d-%b-%Y",
        "%d-%b-%y",
        "%b %d, %Y",
        "%a, %d %b %Y",
        "%a %b %d",
        "%Y",
        "%Y-%m",
        "%Y/%m",
        "%m/%Y",
    )
    for clock in (
        "",
        " %H:%M",
        " %H:%M:%S",
        " %I:%M %p",
        " %I:%M:%S %p",
        " %H:%M:%S.%f",
        ", %H:%M",
        ", %H:%M:%S",
        " %H:%M:%S %z",
        " %H:%M:%S %Y",
        " %H:%M:%S %z %Y",
    )
)


def _distinct(column: Column, name: str) -> tuple[NDArray[np.int32], list[str]]:
    """Return codes (null: -1) and the distinct texts of a column."""
    codes, ids = factorize(column, name, 1)
    return codes, [str(text) for text in ids.strings()]


def _earliest(codes: NDArray[np.int32], entries: list[int]) -> int:
    """Return the one of some entries whose first row comes first."""
    return int(codes[np.isin(codes, entries).argmax()])


def text_of_numbers(column: Column) -> Column:
    """Return whole numbers as the text they were written in."""
    if column.kind not in ("int", "uint"):
        return column
    numbers = unsigned(column.values) if column.kind == "uint" else column.values
    texts = [str(number).encode() for number in numbers.tolist()]
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    data = np.frombuffer(b"".join(texts), dtype=np.uint8)
    return Column("str", data, offsets, column.codes, column.null)


# ---- numbers -------------------------------------------------------------------------------------


def numbers_of_text(
    column: Column, name: str, decimal: str, thousands: str | None, where: Where
) -> Column:
    """Read numbers that are written as text.

    Raises
    ------
    ValueError
        Naming the first text that is no number, its line, and the option that may help.
    """
    codes, texts = _distinct(column, name)
    mark = re.escape(decimal)
    digits = r"\d+"
    if thousands is not None:
        group = re.escape(thousands)
        digits = rf"(?:\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}|\d+)"
    pattern = re.compile(rf"[+-]?(?:{digits}(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?", re.ASCII)
    unreadable = [i for i, text in enumerate(texts) if not pattern.fullmatch(text.strip())]
    if unreadable:
        text = texts[_earliest(codes, unreadable)]
        raise ValueError(
            f"{name} holds {text!r}{where(text)}, which is not a number{_remedy(text.strip())}"
        )
    numbers = np.zeros(len(texts) + 1)
    for i, text in enumerate(texts):
        plain = text.strip()
        if thousands is not None:
            plain = plain.replace(thousands, "")
        numbers[i] = float(plain if decimal == "." else plain.replace(decimal, "."))
    return Column("float", numbers[codes], null=column.null)


def _remedy(text: str) -> str:
    """Return what may make a number of a text."""
    marks = re.sub(r"[\d+-]", "", text)
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d*)?", text):
        return ": pass thousands=','" + (" if the comma groups digits" if "." not in text else "")
    if re.fullmatch(r"\d{1,3}(\.\d{3})+(,\d*)?", text):
        return ": pass decimal=',' and thousands='.'"
    if re.fullmatch(r"\d{1,3}([ '\u00a0\u202f]\d{3})+([.,]\d*)?", text):
        point = " and decimal=','" if "," in text else ""
        return f": pass thousands={next(m for m in marks if m not in '.,')!r}{point}"
    if marks == ",":
        return ": pass decimal=',' if the comma is the decimal mark"
    if any(mark in "$%" or not mark.isascii() or mark.isalpha() for mark in marks):
        return ": remove what is not part of the number, or name its words in null_values"
    return ": correct it, or name it in null_values if it stands for a missing value"


# ---- dates ---------------------------------------------------------------------------------------


def looks_like_dates(numbers: NDArray[Any]) -> bool:
    """Return whether all numbers are dates such as 20240131."""
    if not len(numbers):
        return False
    low, high = numbers.min(), numbers.max()
    if low < 19000101 or high > 21001231:
        return False
    months, days = numbers // 100 % 100, numbers % 100
    return bool(
        (months >= 1).all() and (months <= 12).all() and (days >= 1).all() and (days <= 31).all()
    )


def dates_of_numbers(column: Column, name: str, date_format: str, where: Where) -> Column:
    """Read numbers as dates: digits (20240131), days ("excel"), or units since 1970 ("s")."""
    if date_format in UNIX_UNITS:
        return _dates_of_unix(column, name, UNIX_UNITS[date_format])
    if date_format != "excel":
        integers = column.values.astype(np.int64)
        if not np.array_equal(integers, column.values):
            raise ValueError(
                f"{name} holds fractions, which date_format={date_format!r} cannot read"
            )
        texts = text_of_numbers(Column("int", integers, None, column.codes, column.null))
        return dates_of_text(texts, name, date_format, where)
    days = column.values.astype(np.float64)
    known = (
        np.ones(len(days), dtype=bool)
        if column.null is None or column.codes is not None
        else ~column.null
    )
    outside = known & ~((days >= 1) & (days < 2958466))
    if outside.any():
        raise ValueError(
            f"{name} holds {days[outside][0]:g}, which is no serial number of a day (1 is the "
            "first day of 1900)"
        )
    days = np.where(days < 60, days + 1, days)  # spreadsheets count a 29 February 1900
    milliseconds = np.round(np.where(known, days - 25569.0, 0.0) * 86_400_000).astype(np.int64)
    return Column("datetime64[ms]", milliseconds, None, column.codes, column.null)


def _dates_of_unix(column: Column, name: str, unit: int) -> Column:
    """Return numbers of a unit since 1970 as nanoseconds; fractions are exact to microseconds."""
    values = column.values
    known = ~column.null if column.null is not None and column.codes is None else True
    outside = known & ~(np.abs(values.astype(np.float64)) < 2.0**63 / unit)
    if outside.any():
        raise ValueError(
            f"{name} holds {values[outside][0]}, outside of 1678 to 2261 in this unit: pass "
            f"another date_format, one of {', '.join(map(repr, UNIX_UNITS))}"
        )
    if values.dtype.kind == "i":
        times = values.astype(np.int64) * unit
    else:
        units = np.where(known, values.astype(np.float64), 0.0)
        micros = np.rint(units * (unit / 1e3)).astype(np.int64)
        times = micros * 1000
    return Column("datetime64[ns]", times, None, column.codes, column.null)


def dates_of_text(column: Column, name: str, date_format: str | None, where: Where) -> Column:
    """Read dates that are written as text, in nanoseconds since 1970 (those with an offset in UTC).

    Raises
    ------
    ValueError
        Naming the first text that is not in the format, its line, and a format that fits.
    """
    codes, texts = _distinct(column, name)
    if date_format == "excel" or date_format in UNIX_UNITS:
        if all(re.fullmatch(r"-?\d{1,18}", text) for text in texts):  # floats have 53 bits
            numbers = Column(
                "int", np.array([*map(int, texts), 0], dtype=np.int64)[codes], null=column.null
            )
        else:
            numbers = numbers_of_text(column, name, ".", None, where)
        return dates_of_numbers(numbers, name, date_format, where)
    if date_format is not None and all(re.fullmatch(r"\d+\.0", text) for text in texts):
        texts = [text[:-2] for text in texts]  # pandas writes 20240131.0 in a column with nulls
    times = _quick_iso(texts) if date_format is None else None
    if times is None:
        parsed = [_parsed(text, date_format) for text in texts]
        unreadable = [i for i, time in enumerate(parsed) if time is None]
        if unreadable:
            text = texts[_earliest(codes, unreadable)]
            raise ValueError(_no_date(name, text, texts, date_format, where))
        if len({time[2] for time in parsed if time is not None}) > 1:
            bare = next(t for t, time in zip(texts, parsed, strict=True) if time and not time[2])
            raise ValueError(
                f"{name} holds dates with an offset from UTC and some without, such as {bare!r}"
                f"{where(bare)}: write all of them in one form"
            )
        for text, time in zip(texts, parsed, strict=True):
            if time is not None and not -_SECONDS < time[0] < _SECONDS:
                raise ValueError(
                    f"{name} holds {text!r}{where(text)}, outside of 1678 to 2261, which "
                    f"nanoseconds cannot count: correct it, or pass null_values=({text!r},) if it "
                    "stands for a missing value"
                )
        times = np.array([f[0] * 10**9 + f[1] for f in parsed if f is not None], dtype=np.int64)
    return Column("datetime64[ns]", np.append(times, 0)[codes], null=column.null)


def _quick_iso(texts: list[str]) -> NDArray[np.int64] | None:
    """Return ISO 8601 times parsed by pyarrow, else None: not installed, or of several forms."""
    if len(texts) < 1000:
        return None
    try:
        import pyarrow as pa
        import pyarrow.compute
    except ImportError:
        return None
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            stamps = pa.compute.cast(pa.array(texts, pa.string()), kind)
        except pa.ArrowInvalid:
            continue
        times: NDArray[np.int64] = stamps.cast(pa.int64()).to_numpy()
        return times
    return None


def _parsed(text: str, date_format: str | None) -> tuple[int, int, bool] | None:
    """Return seconds since 1970, nanoseconds, and whether there was an offset, or None."""
    text = text.strip()
    if date_format is not None:
        match = _pattern(date_format).fullmatch(text)
        return None if match is None else _by_names(match.groupdict())
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, m, d, hour, minute, second, fraction, offset = match.groups()
    fields = {
        "Y": year,
        "m": month or m,
        "d": day or d,
        "H": hour,
        "M": minute,
        "S": second,
        "f": fraction,
    }
    return _by_names({**fields, "z": offset})


_patterns: dict[str, re.Pattern[str]] = {}


def _pattern(date_format: str) -> re.Pattern[str]:
    """Return a format of `datetime.strptime` as a regular expression; English names of months."""
    if date_format in _patterns:
        return _patterns[date_format]
    for short, complete in _SHORT.items():
        date_format = date_format.replace(f"%{short}", complete)
    parts = []
    for part in re.findall(r"%-?.|\s+|[^%\s]+|%$", date_format):
        directive = part[-1]
        if part.startswith("%"):
            if directive not in _DIRECTIVES or part == "%":
                raise ValueError(
                    f"date_format={date_format!r} holds {part!r}, which is unknown: known are "
                    f"{', '.join('%' + d for d in _DIRECTIVES)}"
                )
            parts.append(_DIRECTIVES[directive])
        else:
            parts.append(r"\s+" if part.isspace() else re.escape(part))
    text = "".join(parts)
    if not re.search(r"<[Yy]>", text):
        raise ValueError(f"date_format={date_format!r} names no year (%Y or %y)")
    try:
        pattern = re.compile(text, re.ASCII)
    except re.error:
        raise ValueError(f"date_format={date_format!r} names a part of the date twice") from None
    _patterns[date_format] = pattern
    return pattern


def _by_names(fields: dict[str, Any]) -> tuple[int, int, bool] | None:
    def number(name: str, default: int = 0) -> int:
        return int(fields[name]) if fields.get(name) is not None else default

    year = number("Y")
    if fields.get("Y") is None:
        year = number("y") + (1900 if number("y") >= 69 else 2000)
    month = number("m", 1)
    if fields.get("b") is not None:
        name = fields["b"].lower()
        if name not in _MONTHS:
            return None
        month = _MONTHS.index(name) + 1
    hour = number("H")
    if fields.get("I") is not None:
        hour = number("I") % 12
        if fields.get("p") is None:
            return None
        hour += 12 * (fields["p"][0] in "Pp")
    offset = fields.get("z")
    try:
        moment = datetime.datetime(year, month, number("d", 1), hour, number("M"), number("S"))
    except ValueError:
        return None
    since = moment - datetime.datetime(1970, 1, 1)
    seconds = since.days * 86_400 + since.seconds
    if offset not in (None, "Z", "UTC"):
        minutes = int(offset[-2:]) if len(offset) > 3 else 0
        shift = int(offset[1:3]) * 3600 + minutes * 60
        seconds -= -shift if offset[0] == "-" else shift
    fraction = int((fields.get("f") or "0").ljust(9, "0"))
    return seconds, fraction, offset is not None


def _no_date(name: str, text: str, texts: list[str], date_format: str | None, where: Where) -> str:
    """Return the error for a text that is no date, with the format that would read the column."""
    form = (
        "written as in ISO 8601 (2024-01-31 18:30:00)"
        if date_format is None
        else f"of the format {date_format!r}"
    )
    sample = texts[:200] + texts[-200:]
    fitting = [g for g in _GUESSES if all(_fits(t, g) for t in sample)]
    remedy = "correct it, or name it in null_values if it stands for a missing value"
    if len(fitting) == 1:
        remedy = f"pass date_format={fitting[0]!r}"
    elif fitting:
        shown = " or ".join(f"date_format={g!r}" for g in fitting[:3])
        remedy = f"day and month cannot be told apart, so pass {shown}"
    elif date_format is None and not re.search(r"\d{4}-\d\d-\d\d", text):
        is_number = re.fullmatch(r"-?\d{8,}(\.\d+)?", text.strip())
        example = "'s' or 'ms' for a time since 1970" if is_number else "'%d.%m.%Y %H:%M'"
        remedy = f"pass date_format=, such as {example}"
    return f"{name} holds {text!r}{where(text)}, which is not {form}: {remedy}"


def _fits(text: str, date_format: str) -> bool:
    try:
        return _parsed(text, date_format) is not None
    except ValueError:  # of two parts of a guess, both name the year
        return False
