"""Datetimes between units: exact, or a clear error, whichever NumPy is installed."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import IdMap, Interactions
from aimass_core.data import cleaning
from aimass_core.data._datetimes import in_unit

# The length of each unit that has one.
ATTOSECONDS = {
    "as": 1,
    "fs": 10**3,
    "ps": 10**6,
    "ns": 10**9,
    "us": 10**12,
    "ms": 10**15,
    "s": 10**18,
    "m": 60 * 10**18,
    "h": 3600 * 10**18,
    "D": 86_400 * 10**18,
    "W": 7 * 86_400 * 10**18,
}
LIMIT = 2**63 - 1


@given(
    st.lists(st.integers(-LIMIT, LIMIT) | st.integers(-(10**6), 10**6), min_size=1, max_size=9),
    st.sampled_from(sorted(ATTOSECONDS)),
    st.sampled_from(sorted(ATTOSECONDS)),
)
def test_in_unit_is_exact_or_says_so(values: list[int], old: str, new: str) -> None:
    stamps = np.array(values, dtype=np.int64).view(f"M8[{old}]")
    converted, is_exact = in_unit(stamps, f"datetime64[{new}]")
    assert converted.dtype == f"M8[{new}]"
    for value, found, exact in zip(
        values, converted.view(np.int64).tolist(), is_exact.tolist(), strict=True
    ):
        wanted, rest = divmod(value * ATTOSECONDS[old], ATTOSECONDS[new])
        assert exact == (rest == 0 and abs(wanted) <= LIMIT)
        assert not exact or found == wanted


@pytest.mark.parametrize("unit", ["Y", "M"])
def test_in_unit_of_years_and_months(unit: str) -> None:
    stamps = np.array(["1600", "1970", "2024", "NaT", "9999"], dtype=f"M8[{unit}]")
    converted, is_exact = in_unit(stamps, "datetime64[ns]")
    assert is_exact.tolist() == [False, True, True, False, False]
    assert converted[1:3].tolist() == np.array(["1970", "2024"], "M8[ns]").tolist()
    back, is_exact = in_unit(np.array(["2024-01-01", "2024-01-02"], "M8[D]"), f"datetime64[{unit}]")
    assert is_exact.tolist() == [True, False]
    assert str(back[0]).startswith("2024")


def test_times_of_every_unit() -> None:
    def times(values: Any) -> Any:
        rows = list(range(len(values)))
        return Interactions.from_arrays(rows, rows, times=values).timestamps

    day = 86_400 * 10**9
    for unit in ("D", "h", "s", "ms", "us", "ns", "12h", "25s"):
        array = np.array(["1970-01-02", "1969-12-31"], dtype="M8[s]").astype(f"M8[{unit}]")
        expected = array.astype("M8[ns]").view(np.int64)
        np.testing.assert_array_equal(times(array), expected)
    assert times([datetime.date(1970, 1, 2), datetime.datetime(1970, 1, 3)]).tolist() == [
        day,
        2 * day,
    ]
    assert times([np.datetime64(7, "ns"), np.datetime64(1, "D")]).tolist() == [7, day]
    for far in (np.datetime64(10**12, "Y"), datetime.datetime.max, np.datetime64(-(2**62), "s")):
        with pytest.raises(ValueError, match="date"):
            times([far])
        with pytest.raises(ValueError, match="date"):
            times([far, np.datetime64(7, "ns")])
    with pytest.raises(ValueError, match="in row 1 that its unit cannot count"):
        times(np.array([0, 2**62], dtype=np.int64).view("M8[25s]"))


def test_pandas_timestamps_in_a_list_keep_nanoseconds() -> None:
    pd = pytest.importorskip("pandas")
    moments = [pd.Timestamp(5), pd.Timestamp("2024-01-01")]
    x = Interactions.from_arrays([0, 1], [0, 1], times=moments)
    assert x.timestamps.tolist() == [5, pd.Timestamp("2024-01-01").value]
    assert len(IdMap.from_values([pd.Timestamp(5), pd.Timestamp(6)])[0]) == 2


def test_null_dates_in_a_list_are_null() -> None:
    dates = [np.datetime64("2024-01-01"), np.datetime64("NaT", "s")]
    with pytest.raises(ValueError, match="null"):
        IdMap.from_values(dates)


def test_ids_are_found_whatever_their_unit() -> None:
    ids, _ = IdMap.from_values(np.array(["2024-01-01", "1969-12-31"], dtype="M8[ns]"))
    asked = np.array(["2024-01-01", "9999-01-01", "0001-01-01", "1969-12-31"], dtype="M8[s]")
    assert ids.get(asked).tolist() == [1, -1, -1, 0]
    days, _ = IdMap.from_values(np.array(["2024-01-01"], dtype="M8[D]"))
    nanoseconds = ["2024-01-01T00:00:00.000000001", "2024-01-01", "NaT"]
    assert days.get(np.array(nanoseconds, dtype="M8[ns]")).tolist() == [-1, 0, -1]
    assert days.get(np.array([-LIMIT, LIMIT]).view("M8[ns]")).tolist() == [-1, -1]


@pytest.mark.parametrize(
    "end", ["2024-01-15T02:00+02:00", datetime.datetime(2024, 1, 15), np.datetime64("2024-01-15")]
)
def test_a_point_in_time(end: Any) -> None:
    times = np.array(["2024-01-14T23:59:59", "2024-01-15"], dtype="M8[s]")
    x = Interactions.from_arrays([1, 2], [1, 2], times=times)
    assert cleaning.time_window(x, end=end).nnz == 1


@pytest.mark.parametrize("length", [datetime.timedelta(days=1), np.timedelta64(24, "h")])
def test_a_length_of_time(length: Any) -> None:
    times = np.array(["2024-01-14", "2024-01-15"], dtype="M8[D]")
    x = Interactions.from_arrays([1, 2], [1, 2], times=times)
    assert cleaning.time_decay(x, half_life=length).matrix.data.tolist() == [0.5, 1.0]
    longest = cleaning.time_decay(x, half_life=datetime.timedelta.max)
    np.testing.assert_allclose(longest.matrix.data, 1.0)
    for bad in (np.timedelta64(1, "M"), np.timedelta64("NaT", "s")):
        with pytest.raises(ValueError, match="half_life must have a unit of fixed length"):
            cleaning.time_decay(x, half_life=bad)
