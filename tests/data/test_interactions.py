"""Interactions: rules, reports, derived objects and the way back to tables."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import IdMap, Interactions

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from("abc"), st.integers(-8, 8), st.integers(0, 5)),
    min_size=1,
    max_size=30,
)
RULES: dict[str, Any] = {
    "sum": sum,
    "mean": lambda v: sum(v) / len(v),
    "max": max,
    "min": min,
    "count": len,
    "first": lambda v: v[0],
    "last": lambda v: v[-1],
}


def build(rows: list[Any], duplicates: str, *, times: bool = False) -> Interactions:
    users, items, values, stamps = zip(*rows)
    return Interactions.from_arrays(
        list(users),
        list(items),
        list(values),
        list(stamps) if times else None,
        duplicates=duplicates,
    )


def cells(x: Interactions) -> dict[tuple[Any, Any], float]:
    return {(user, item): value for user, item, value in x}


@given(ROWS, st.sampled_from(sorted(RULES)), st.booleans())
def test_duplicates_rules(rows: list[Any], rule: str, times: bool) -> None:
    groups: dict[Any, list[Any]] = {}
    for row in sorted(rows, key=lambda r: r[3]) if times else rows:  # a stable sort
        groups.setdefault(row[:2], []).append(row)
    if times and rule == "last":  # of rows at the same time, the later row
        expected = {
            key: max(enumerate(g), key=lambda e: (e[1][3], e[0]))[1][2] for key, g in groups.items()
        }
    else:
        expected = {key: RULES[rule]([row[2] for row in g]) for key, g in groups.items()}
    x = build(rows, rule, times=times)
    assert cells(x) == {key: np.float32(value) for key, value in expected.items()}
    assert x.report["rows_merged"] == len(rows) - len(groups)
    if times and rule != "first":
        latest = [max(row[3] for row in groups[key]) for key in cells(x)]
        assert x.timestamps.tolist() == latest


def test_default_rules() -> None:
    assert list(Interactions.from_arrays([1, 1], [2, 2])) == [(1, 2, 2.0)]
    with pytest.raises(
        ValueError, match=r"e.g. user 1 with item 'b' in 2 rows: say by duplicates="
    ):
        Interactions.from_arrays([1, 1, 1], ["b", "b", "a"], [1, 2, 3])
    with pytest.raises(ValueError, match="duplicates must be one of"):
        Interactions.from_arrays([1], [2], duplicates="latest")


def test_event_weights() -> None:
    table = {
        "u": [1, 1, 2, 2],
        "i": [1, 1, 2, 3],
        "e": ["view", "buy", "buy", "ad"],
        "v": [2, 3, 4, 5],
    }
    names = {"user": "u", "item": "i", "event": "e"}
    weights = {"view": 1, "buy": 5, "ad": 0}
    x = Interactions.from_table(table, **names, weights=weights)
    assert cells(x) == {(1, 1): 6.0, (2, 2): 5.0}
    assert x.report["rows_dropped"] == {"event of weight 0": 1}
    y = Interactions.from_table(table, **names, value="v", weights=weights, duplicates="sum")
    assert cells(y) == {(1, 1): 17.0, (2, 2): 20.0}
    with pytest.raises(ValueError, match=r"the event 'ad', which weights lacks \(it has 'view'"):
        Interactions.from_table(table, **names, weights={"view": 1, "buy": 5})
    with pytest.raises(ValueError, match="go together"):
        Interactions.from_table(table, **names)


def test_values_are_as_short_as_they_are_exact() -> None:
    def dtype(values: Any) -> Any:
        return Interactions.from_arrays(range(len(values)), range(len(values)), values).matrix.dtype

    assert dtype([1.5, 2.25]) == np.float32
    assert dtype([0.1]) == np.float64
    assert dtype([1.5] * 2000 + [0.1]) == np.float64
    assert dtype(np.array([0.1], dtype=np.float32)) == np.float32
    assert dtype([2**24]) == np.float32
    assert dtype([2**24 + 1]) == np.float64
    assert dtype([True, False]) == np.float32
    assert dtype([1e-320]) == np.float64
    x = Interactions.from_arrays([1], [1], [0.1], dtype="float32")
    assert x.matrix.data[0] == np.float32(0.1)
    with pytest.raises(ValueError, match="dtype must be float32 or float64"):
        Interactions.from_arrays([1], [1], [0.1], dtype=np.int64)


def test_times() -> None:
    def unit(times: Any) -> tuple[Any, list[int]]:
        x = Interactions.from_arrays([1], [1], times=times)
        return x.time_unit, x.timestamps.tolist()

    assert unit([7]) == ("raw", [7])
    assert unit([7.0]) == ("raw", [7])
    assert unit(np.array(["1970-01-02"], dtype="M8[D]")) == ("ns", [86_400 * 10**9])
    with pytest.raises(ValueError, match=r"7.5, not a whole number"):
        unit([7.5])
    for unit_of_time in ("D", "s", "ms", "us"):
        for day in ("1677-09-20", "2262-04-12", "3000-01-01"):
            with pytest.raises(ValueError, match="outside of 1678 to 2262"):
                unit(np.array([day], dtype=f"M8[{unit_of_time}]"))
    assert unit(np.array([1000], dtype="M8[ps]")) == ("ns", [1])
    assert unit(["1970-01-02"]) == ("ns", [86_400 * 10**9])
    with pytest.raises(TypeError, match="must hold datetimes or whole numbers, not bool"):
        unit([True])


def test_test_data_share_the_train_maps() -> None:
    train = Interactions.from_arrays(["a", "b"], [10, 20])
    names = {"user": "u", "item": "i", "users": train.users, "items": train.items}
    table = {"u": ["b", "c", "a"], "i": [10, 10, 30]}
    with pytest.raises(KeyError, match=r"user='u' holds 1 ids that the given map lacks, e.g. 'c'"):
        Interactions.from_table(table, **names)
    test = Interactions.from_table(table, **names, unknown="drop")
    assert test.users is train.users
    assert cells(test) == {("b", 10): 1.0}
    assert test.report["rows_dropped"] == {"unknown user": 1, "unknown item": 1}
    assert test.shape == train.shape


def test_by_context() -> None:
    table = {"u": [1, 1, 2, 3], "i": [1, 2, 2, 9], "day": ["sat", "sun", "sat", None]}
    parts = Interactions.by_context(table, context="day", user="u", item="i", nulls="drop")
    assert list(parts) == ["sat", "sun"]
    assert cells(parts["sat"]) == {(1, 1): 1.0, (2, 2): 1.0}
    assert parts["sat"].users is parts["sun"].users
    assert parts["sun"].shape == (2, 2)
    with pytest.raises(TypeError, match="usr"):
        Interactions.by_context(table, context="day", usr="u", item="i")


def test_from_csr(small_ratings: sp.csr_array) -> None:
    x = Interactions.from_csr(small_ratings)
    assert x.users.kind == "range"
    assert (x.matrix != small_ratings).nnz == 0
    names = [f"item {i}" for i in range(25)][::-1]
    y = Interactions.from_csr(small_ratings, users=range(40, 0, -1), items=names)
    assert y.items.ids.tolist() == names
    assert y.users.index([40, 1]).tolist() == [0, 39]
    with pytest.raises(ValueError, match="items has 2 ids, but the matrix has 25"):
        Interactions.from_csr(small_ratings, items=[1, 2])
    with pytest.raises(ValueError, match="users must be distinct: 39 are repeated"):
        Interactions.from_csr(small_ratings, users=[1] * 40)
    with pytest.raises(ValueError, match="is it transposed"):
        Interactions(small_ratings.T, x.users, x.items)
    unsorted = sp.csr_array(([1.0, 2.0], [1, 0], [0, 2]), shape=(1, 2))
    with pytest.raises(ValueError, match="sorted rows"):
        Interactions(
            unsorted, IdMap.from_range(1), IdMap.from_range(2), timestamps=np.array([1, 2])
        )


@given(ROWS)
def test_subset_take_and_transpose(rows: list[Any]) -> None:
    x = build(rows, "last", times=True)
    users, items = x.users.ids[::-2], x.items.ids[::-1]
    part = x.subset(users, items)
    assert part.users.ids.tolist() == users.tolist()
    assert cells(part) == {k: v for k, v in cells(x).items() if k[0] in users}
    assert sorted(part.timestamps) == sorted(
        t for (user, _, _), t in zip(x, x.timestamps) if user in users
    )
    turned = x.T
    assert cells(turned) == {(item, user): value for (user, item), value in cells(x).items()}
    assert (turned.T.timestamps == x.timestamps).all()
    assert (turned.matrix.toarray() == x.matrix.toarray().T).all()


def test_subset_refuses_what_is_unknown_or_twice() -> None:
    x = Interactions.from_arrays([1, 2], [1, 2])
    with pytest.raises(KeyError, match="unknown user 3"):
        x.subset(users=[1, 3])
    with pytest.raises(ValueError, match="distinct"):
        x.subset(items=[1, 1])
    assert x.subset(users=[]).shape == x.take([]).shape == (0, 2)
    assert x.subset(users=[2]).drop_empty().shape == (1, 1)


@given(ROWS, ROWS, st.sampled_from(["sum", "last", "first", "max", "min", "count"]), st.booleans())
def test_merge_equals_building_at_once(a: list[Any], b: list[Any], rule: str, times: bool) -> None:
    merged = build(a, rule, times=times).merge(build(b, rule, times=times))
    whole = build(a + b, rule, times=times)
    assert cells(merged) == cells(whole)
    if times:
        by_id = dict(zip(cells(whole), whole.timestamps.tolist()))
        assert dict(zip(cells(merged), merged.timestamps.tolist())) == by_id


def test_merge_keeps_rows_and_refuses_what_cannot_be() -> None:
    x = Interactions.from_arrays(["b"], [5])
    y = x.merge(Interactions.from_arrays(["a", "b"], [4, 5]))
    assert y.users.ids.tolist() == ["b", "a"]
    assert cells(y) == {("b", 5): 2.0, ("a", 4): 1.0}
    assert x.shape == (1, 1)
    means = Interactions.from_arrays([1], [1], [1], duplicates="mean")
    with pytest.raises(ValueError, match="means of their duplicates"):
        means.merge(means)
    with pytest.raises(
        ValueError, match="timestamps do not match: no times here, whole numbers in"
    ):
        x.merge(Interactions.from_arrays(["a"], [4], times=[1]))
    with pytest.raises(TypeError, match="cannot be added"):
        x.merge(Interactions.from_arrays([1], [4]))
    with pytest.raises(TypeError, match="other must be Interactions"):
        x.merge(x.matrix)
    rated = Interactions.from_arrays([1], [1], [3])
    with pytest.raises(ValueError, match=r"among the old rows and the new ones, .*duplicates="):
        rated.merge(rated)
    assert cells(rated.merge(rated, duplicates="last")) == {(1, 1): 3.0}


def test_with_matrix_and_keep_entries() -> None:
    x = Interactions.from_arrays([1, 1, 2], [1, 2, 2], times=[5, 6, 7])
    assert x.with_matrix(x.matrix * 2).timestamps.tolist() == [5, 6, 7]
    assert x.with_matrix(x.matrix * 0 + sp.csr_array([[1.0, 0], [0, 1]])).timestamps is None
    with pytest.raises(ValueError, match="transposed"):
        x.with_matrix(sp.csr_array((3, 2)))
    kept = x.keep_entries(np.array([True, False, True]))
    assert (kept.shape, list(kept), kept.timestamps.tolist()) == (
        (2, 2),
        [(1, 1, 1.0), (2, 2, 1.0)],
        [5, 7],
    )
    with pytest.raises(ValueError, match="boolean array of shape"):
        x.keep_entries(np.array([1, 0, 1]))


@pytest.mark.parametrize("to", ["to_arrow", "to_pandas", "to_polars"])
@pytest.mark.parametrize("users", [["b", "日本", "a\0"], [3, 1, 2], [1.5, 0.5, 2.5]])
def test_back_to_tables(to: str, users: list[Any]) -> None:
    pytest.importorskip({"to_arrow": "pyarrow", "to_pandas": "pandas", "to_polars": "polars"}[to])
    times = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="M8[ns]")
    x = Interactions.from_arrays(users, ["x", "y", "x"], [1.0, 2.0, 3.0], times)
    table = getattr(x, to)(user="who", value="stars")
    y = Interactions.from_table(table, user="who", item="item", value="stars", time="time")
    assert list(x) == list(y)
    assert x.users == y.users
    assert (x.timestamps == y.timestamps).all()
    assert "time" not in getattr(Interactions.from_arrays([1], [1]), to)().__dir__()


def test_copies() -> None:
    x = Interactions.from_arrays(["a", "b"], [1, 2], times=[1, 2])
    for y in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert list(x) == list(y)
        assert x.users == y.users
        assert y.timestamps.tolist() == [1, 2]


def test_same_for_every_number_of_threads(rng: np.random.Generator) -> None:
    users, items = rng.integers(0, 300, (2, 30_000))
    values = rng.random(30_000).astype(np.float32)
    one = Interactions.from_arrays(users, items, values, duplicates="sum", n_threads=1)
    two = Interactions.from_arrays(users, items, values, duplicates="sum", n_threads=3)
    assert (one.matrix.data == two.matrix.data).all()
    assert (one.matrix.indices == two.matrix.indices).all()
