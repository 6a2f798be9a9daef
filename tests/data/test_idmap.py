"""IdMap: every kind of id there and back."""

from __future__ import annotations

import copy
import datetime
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import IdMap

INTS = st.integers(-(2**63), 2**63 - 1)
KINDS = {
    "int": INTS,
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "str": st.text(),
    "bytes": st.binary(),
    "bool": st.booleans(),
}
LISTS = st.one_of([st.lists(elements) for elements in KINDS.values()])


@given(LISTS)
def test_round_trip(values: list[Any]) -> None:
    ids, codes = IdMap.from_values(values)
    assert codes.dtype == np.int32
    assert ids.ids.tolist() == sorted(set(values))
    assert ids.to_ids(codes).tolist() == values
    assert (ids.get(values) == codes).all()
    assert (ids.index(values) == codes).all()
    assert all(value in ids for value in values)


@given(LISTS)
def test_arrays_and_pickle(values: list[Any]) -> None:
    ids, _ = IdMap.from_values(values)
    assert IdMap.from_arrays(ids.kind, ids.to_arrays()) == ids
    assert pickle.loads(pickle.dumps(ids)) == ids
    assert copy.deepcopy(ids) == ids
    assert all(array.dtype != object for array in ids.to_arrays().values())


@given(
    st.sampled_from(sorted(KINDS)).flatmap(
        lambda k: st.tuples(st.lists(KINDS[k]), st.lists(KINDS[k]))
    )
)
def test_extend(two: tuple[list[Any], list[Any]]) -> None:
    first, second = two
    ids, _ = IdMap.from_values(first)
    longer, codes = ids.extend(second)
    assert longer.ids[: len(ids)].tolist() == ids.ids.tolist()
    assert longer.ids[len(ids) :].tolist() == sorted(set(second) - set(first))
    assert longer.to_ids(codes).tolist() == second
    assert longer.get(first + second).tolist() == [
        longer.ids.tolist().index(v) for v in first + second
    ]


@given(st.lists(st.text(max_size=3), unique=True), st.data())
def test_take(values: list[str], data: st.DataObject) -> None:
    ids, _ = IdMap.from_values(values)
    rows = data.draw(st.permutations(range(len(values))))[: len(values) // 2 + 1]
    taken = ids.take(rows)
    assert taken.ids.tolist() == [ids.ids[row] for row in rows]
    assert taken.index(taken.ids).tolist() == list(range(len(rows)))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([3, 1], dtype=np.int16), "int"),
        (np.array([3, 1], dtype=">i8"), "int"),
        (np.array([3, 1, 2])[::2], "int"),
        (np.array([1.5, 0.5], dtype=np.float16), "float"),
        (np.array(["b", "ä"]), "str"),
        (np.array([b"b", b"a"]), "bytes"),
        ([datetime.datetime(2024, 1, 2), datetime.datetime(2024, 1, 1, 5)], "datetime64[us]"),
        (np.array(["2024-01-02", "2024-01-01"], dtype="datetime64[D]"), "datetime64[D]"),
        (range(3), "int"),
        ((True, False), "bool"),
        (np.ma.masked_array([1, 2], mask=[False, False]), "int"),
    ],
)
def test_kinds(values: Any, kind: str) -> None:
    ids, codes = IdMap.from_values(values)
    assert ids.kind == kind
    assert ids.to_ids(codes).tolist() == np.asarray(values).tolist()
    assert IdMap.from_arrays(kind, ids.to_arrays()) == ids


@pytest.mark.skipif(
    not hasattr(np, "dtypes") or not hasattr(np.dtypes, "StringDType"), reason="NumPy 1"
)
def test_numpy_strings() -> None:
    ids, _ = IdMap.from_values(np.array(["b", "a\0", "日本"], dtype=np.dtypes.StringDType()))
    assert ids.ids.tolist() == ["a\0", "b", "日本"]


@pytest.mark.parametrize(
    "values",
    [[1, None], ["a", None], [1.0, float("nan")], np.array(["NaT"], dtype="M8[s]"), [None]],
)
def test_nulls_are_refused(values: Any) -> None:
    with pytest.raises(ValueError, match="holds 1 null,"):
        IdMap.from_values(values)


@pytest.mark.parametrize(
    "values", [[[1], [2]], [1, "1"], [True, 1], [1j], ["a", b"a"], "abc", 5, [[1, 2], [3, 4]]]
)
def test_other_values_are_refused(values: Any) -> None:
    with pytest.raises(TypeError, match="values"):
        IdMap.from_values(values)


def test_unknown_ids() -> None:
    users, _ = IdMap.from_values(["bob", "eve"])
    with pytest.raises(KeyError, match=r"unknown user 'Eve' \(at position 1; 1 of 2 are unknown"):
        users.index(["eve", "Eve"], what="user")
    assert users.get(["eve", "x", None]).tolist() == [1, -1, -1]
    assert users.get("bob").tolist() == [0]
    assert "x" not in users
    assert None not in users
    assert ["eve"] not in users


def test_types_do_not_mix() -> None:
    ints, _ = IdMap.from_values([1, 2, 2**53 + 1])
    assert ints.get([1.0, 1.5, float("nan"), float("inf")]).tolist() == [0, -1, -1, -1]
    assert ints.get(["1", "2"]).tolist() == [-1, -1]
    assert ints.get([True]).tolist() == [-1]
    floats, _ = IdMap.from_values([-1.5, 2.0])
    assert floats.get([2, 3]).tolist() == [1, -1]
    assert floats.get([-0.0]).tolist() == [-1]
    with pytest.raises(TypeError, match="cannot be added"):
        ints.extend(["a"])


def test_range() -> None:
    ids = IdMap.from_range(3)
    assert ids.index([2, 0]).tolist() == [2, 0]
    assert ids.get([-1, 3, 1.0, 0.5, 7e300]).tolist() == [-1, -1, 1, -1, -1]
    assert ids == IdMap.from_values([0, 1, 2])[0]
    assert ids.extend([7, 1])[0].ids.tolist() == [0, 1, 2, 7]
    assert ids.take([2, 0]).ids.tolist() == [2, 0]
    assert IdMap.from_arrays("range", ids.to_arrays()) == ids


def test_to_ids_marks_what_is_missing() -> None:
    ids, _ = IdMap.from_values([10, 20])
    assert ids.to_ids([[1, -1], [0, 0]]).tolist() == [[20, None], [10, 10]]
    filled = ids.to_ids([[1, -1]], missing=-1)
    assert filled.dtype == np.int64
    assert filled.tolist() == [[20, -1]]
    assert IdMap.from_range(0).to_ids([-1]).tolist() == [None]
    for bad in ([2], [-2]):
        with pytest.raises(IndexError):
            ids.to_ids(bad)


def test_immutable_and_equal() -> None:
    ids, _ = IdMap.from_values([1, 2])
    with pytest.raises(ValueError, match="read-only"):
        ids.ids[0] = 5
    assert ids != IdMap.from_values([1, 3])[0]
    assert ids != IdMap.from_values(["1", "2"])[0]
    assert ids != [1, 2]
    assert repr(ids) == "IdMap(2 ids of kind 'int': 1, 2)"


@pytest.mark.parametrize(
    ("kind", "arrays"),
    [
        ("int", {"values": np.array([1, 1])}),
        ("int", {"values": np.array([1.0])}),
        ("int", {"values": np.array([[1]])}),
        ("object", {"values": np.array([1])}),
        ("range", {"values": np.array([-1])}),
        ("str", {"values": np.zeros(2, np.uint8), "offsets": np.array([0, 3])}),
        ("str", {"values": np.zeros(2, np.uint8), "offsets": np.array([0, 2, 1, 2])}),
        ("str", {"values": np.zeros(2, np.uint8), "offsets": np.array([0, 1, 2])}),
        ("str", {"values": np.zeros(0, np.uint8), "offsets": np.zeros(0, np.int64)}),
    ],
)
def test_damaged_arrays_are_refused(kind: str, arrays: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="id map"):
        IdMap.from_arrays(kind, arrays)


def test_same_codes_for_every_number_of_threads(rng: np.random.Generator) -> None:
    for values in (rng.integers(-500, 500, 20_000), rng.integers(0, 999, 20_000).astype(str)):
        one, codes = IdMap.from_values(values, n_threads=1)
        for n_threads in (2, 3):
            other, same = IdMap.from_values(values, n_threads=n_threads)
            assert one == other
            assert (codes == same).all()
