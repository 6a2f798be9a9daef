"""Bad and odd tables that users really bring, one test for each case of the list."""

from __future__ import annotations

import decimal
import resource
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aimass_core import IdMap, Interactions

pd = pytest.importorskip("pandas")

Make = Callable[..., Any]


def read(frame: Any, **options: Any) -> Interactions:
    return Interactions.from_table(frame, user="user", item="item", **options)


def frame_of(user: Any, item: Any, **more: Any) -> Any:
    return pd.DataFrame({"user": user, "item": item, **more})


def cells(x: Interactions) -> dict[tuple[Any, Any], float]:
    return {(user, item): value for user, item, value in x}


def test_basic() -> None:
    x = read(frame_of(["eve", "bob", "eve"], [7, 7, 9], value=[1.0, 2.5, 3.0]), value="value")
    assert cells(x) == {("eve", 7): 1.0, ("bob", 7): 2.5, ("eve", 9): 3.0}
    assert x.users.ids.tolist() == ["bob", "eve"]
    assert x.items.ids.tolist() == [7, 9]
    assert x.matrix.dtype == np.float32


def test_null_item_float() -> None:
    frame = frame_of(["a", "b"], [1.0, np.nan])
    with pytest.raises(ValueError, match=r"item='item' holds 1 null, the first in row 1"):
        read(frame)
    assert read(frame, nulls="drop").report["rows_dropped"] == {"null item": 1}


def test_null_item_int64() -> None:
    frame = frame_of(["a", "b", "c"], pd.array([1, None, 3], dtype="Int64"))
    with pytest.raises(ValueError, match="item='item' holds 1 null"):
        read(frame)
    kept = read(frame, nulls="drop")
    assert kept.items.ids.tolist() == [1, 3]
    assert kept.users.ids.tolist() == ["a", "c"]


def test_value_decimal() -> None:
    frame = frame_of([1, 2], [1, 2], value=[decimal.Decimal("1.5"), decimal.Decimal("0.1")])
    assert cells(read(frame, value="value")) == {(1, 1): 1.5, (2, 2): 0.1}


def test_mixed_type_ids() -> None:
    with pytest.raises(TypeError, match="user='user' holds values of type float, int, str"):
        read(frame_of(pd.Series([1, "1", 1.5], dtype=object), [1, 2, 3]))


def test_unicode_ids() -> None:
    nfc, nfd = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    users = ["🛒", "日本", nfc, nfd, "", "a\0", "a", "a\0b", "\ud800"]
    x = read(frame_of(pd.Series(users, dtype=object), range(len(users))))
    assert x.n_users == len(users)
    assert {user: item for user, item, _ in x} == {user: i for i, user in enumerate(users)}


def test_whitespace_ids() -> None:
    x = read(frame_of(["a", " a", "A", "a "], [1, 1, 1, 1]))
    assert x.users.ids.tolist() == [" a", "A", "a", "a "]


def test_categorical() -> None:
    users = pd.Categorical(["y", "x", "y"], categories=["z", "y", "x", "w"])
    x = read(frame_of(users, [1, 1, 2]))
    assert x.users.ids.tolist() == ["x", "y"]
    assert set(cells(x)) == {("y", 1), ("x", 1), ("y", 2)}


def test_categorical_null() -> None:
    users = pd.Categorical(["y", None, "y"], categories=["y", "x"])
    with pytest.raises(ValueError, match="user='user' holds 1 null, the first in row 1"):
        read(frame_of(users, [1, 1, 2]))
    assert read(frame_of(users, [1, 1, 2]), nulls="drop").users.ids.tolist() == ["y"]


def test_float_ids() -> None:
    x = read(frame_of(["a", "b", "c", "d"], [1.0, 1.5, -0.0, 0.0]))
    assert x.items.ids.tolist() == [0.0, 1.0, 1.5]
    assert cells(x)["c", 0.0] == cells(x)["d", 0.0] == 1.0


@pytest.mark.parametrize("bad", [(1, 2), [1, 2], {"a": 1}], ids=["tuples", "lists", "dicts"])
def test_tuple_ids_and_list_ids(bad: Any) -> None:
    with pytest.raises(TypeError, match=f"user='user' holds values of type {type(bad).__name__}"):
        read(frame_of(pd.Series([bad, bad], dtype=object), [1, 2]))


def test_tz_timestamps() -> None:
    moments = pd.to_datetime(["2024-01-01 01:00", "2024-07-01 00:00"]).tz_localize("Europe/Berlin")
    x = read(frame_of(["a", "b"], moments))
    utc = np.array(["2024-01-01T00:00", "2024-06-30T22:00"], dtype="datetime64[us]")
    assert (x.items.ids == utc).all()
    assert x.items.index(moments).tolist() == [0, 1]


def test_arrow_strings() -> None:
    pytest.importorskip("pyarrow")
    users = pd.Series(["b", "a", "b"], dtype="string[pyarrow]")
    assert read(frame_of(users, [1, 1, 1])).users.ids.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="user='user' holds 1 null"):
        read(frame_of(pd.Series(["b", None], dtype="string[pyarrow]"), [1, 1]))


def test_odd_index() -> None:
    frame = frame_of(["a", "b", "c"], [1, 2, 3], value=[1.0, 2.0, 3.0])
    frame["value"] = frame["value"].astype("Float64")
    frame["user"] = frame["user"].astype("category")
    frame.index = [2, 0, 2]
    assert cells(read(frame, value="value")) == {("a", 1): 1, ("b", 2): 2, ("c", 3): 3}


def test_filtered_view() -> None:
    frame = frame_of(["a", "b", "c", "d"], [1, 2, 3, 4], value=[1.0, 2.0, 3.0, 4.0])
    x = read(frame[frame["item"] % 2 == 0], value="value")
    assert cells(x) == {("b", 2): 2.0, ("d", 4): 4.0}


@pytest.mark.parametrize("user", [[], np.array([], dtype=np.int64), np.array([], dtype="U3")])
def test_empty(user: Any) -> None:
    x = read(frame_of(user, user))
    assert (x.shape, x.nnz, list(x)) == ((0, 0), 0, [])


def test_one_row() -> None:
    assert cells(read(frame_of(["a"], [5]))) == {("a", 5): 1.0}


def test_dup_columns() -> None:
    frame = pd.DataFrame([["a", 1, 1.0, 2.0]], columns=["user", "item", "value", "value"])
    with pytest.raises(ValueError, match="value='value': the table has 2 columns of this name"):
        read(frame, value="value")
    assert read(frame).nnz == 1


def test_value_zero() -> None:
    x = read(frame_of(["a", "b"], [1, 2], value=[0.0, 3.0]), value="value")
    assert cells(x) == {("a", 1): 0.0, ("b", 2): 3.0}


def test_value_huge() -> None:
    x = read(frame_of(["a", "b"], [1, 2], value=[1e300, 3.0]), value="value")
    assert x.matrix.dtype == np.float64
    assert cells(x)["a", 1] == 1e300
    with pytest.raises(ValueError, match="too large for float32"):
        read(frame_of(["a"], [1], value=[1e300]), value="value", dtype=np.float32)
    with pytest.raises(ValueError, match="overflows"):
        read(frame_of(["a"] * 2, [1] * 2, value=[1.7e308] * 2), value="value", duplicates="sum")


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_value_infinite(bad: float) -> None:
    with pytest.raises(ValueError, match=r"value='value' holds -?inf"):
        read(frame_of(["a"], [1], value=[bad]), value="value", nulls="drop")


def test_missing_column() -> None:
    with pytest.raises(
        ValueError, match=r"no such column; it has 'user', 'itme'; did you mean 'itme'"
    ):
        read(pd.DataFrame({"user": [1], "itme": [1]}))


def test_huge_id_no_alloc() -> None:
    x = read(frame_of([1, 1], [0, 2**40]))
    assert x.shape == (1, 2)
    assert x.items.ids.tolist() == [0, 2**40]
    extreme = [np.iinfo(np.int64).min, np.iinfo(np.int64).max]
    assert read(frame_of([1, 1], extreme)).items.ids.tolist() == extreme


def test_row_order(rng: np.random.Generator) -> None:
    frame = frame_of(rng.integers(0, 50, 500), rng.integers(0, 80, 500).astype(str))
    x, y = read(frame), read(frame.sample(frac=1, random_state=1))
    assert x.users == y.users
    assert x.items == y.items
    assert (x.matrix != y.matrix).nnz == 0


def test_million_rows(rng: np.random.Generator) -> None:
    n = 1_000_000
    frame = frame_of(rng.integers(0, 100_000, n).astype(str), rng.integers(0, 10_000, n))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    x = read(frame)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB
    assert x.matrix.sum() == n
    assert x.report["rows_merged"] == n - x.nnz


def test_ids_beyond_int64() -> None:
    top = 2**64 - 1
    ids = np.array([1, 2**63, top, 2**63], dtype=np.uint64)
    for users in (ids, ids.tolist()):
        x = read(frame_of(users, [1, 2, 3, 4]))
        assert x.users.kind == "uint"
        assert x.users.ids.dtype == np.uint64
        assert x.users.ids.tolist() == [1, 2**63, top]
        assert x.users.get([top, 1, 2, 2**63]).tolist() == [2, 0, -1, 1]
        assert x.users.get(np.array([1.0, -1.0])).tolist() == [0, -1]
        again = IdMap.from_arrays("uint", x.users.to_arrays())
        assert again == x.users
    small, _ = IdMap.from_values([5, 1])
    assert small.get(ids).tolist() == [0, -1, -1, -1]
    more, rows = small.extend(ids)
    assert more.ids.tolist() == [1, 5, 2**63, top]
    assert rows.tolist() == [0, 2, 3, 2]
    with pytest.raises(TypeError, match=r"of kind uint, .* cannot be added to ids of kind int"):
        IdMap.from_values([-5, 1])[0].extend(ids)
    with pytest.raises(ValueError, match="beyond 64 bits"):
        read({"user": [1, 2**70], "item": [1, 2]})
    assert read(frame_of(np.array([1, 2], dtype=np.uint64), [1, 2])).users.ids.tolist() == [1, 2]


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="value='value' holds 'five', which is not a number"):
        read(frame_of([1], [1], value=["five"]), value="value")
    with pytest.raises(ValueError, match="infinite ids"):
        read(frame_of([np.inf], [1]))
    with pytest.raises(TypeError, match="complex"):
        read(frame_of([1], [1], value=[1j]), value="value")
    with pytest.raises(TypeError, match="holds durations: convert them to numbers"):
        read(frame_of([1], pd.to_timedelta([1], "D")))
    with pytest.raises(ValueError, match="unequal numbers of rows"):
        read({"user": [1, 2], "item": [1]})
    with pytest.raises(TypeError, match="table must be"):
        read(42)
    with pytest.raises(ValueError, match="user and item both name the column 'user'"):
        Interactions.from_table({"user": [1]}, user="user", item="user")


def test_input_is_not_changed(rng: np.random.Generator) -> None:
    frame = frame_of(rng.integers(0, 9, 50).astype(str), rng.normal(size=50).round(), value=1.5)
    frame["item"] *= -0.0
    copy = frame.copy(deep=True)
    read(frame, value="value", duplicates="last")
    pd.testing.assert_frame_equal(frame, copy)
    arrays = [np.array([3, 1, 3]), np.array([2, 2, 1]), np.array([1.0, 2.0, 3.0])]
    for array in arrays:
        array.flags.writeable = False
    Interactions.from_arrays(*arrays)
