"""Interactions from partitions: the same bits as from the partitions below one another."""

from __future__ import annotations

import numpy as np
import pytest

from aimass_core import IdMap, ImplicitALS, Interactions
from aimass_core.base.persistence import save
from aimass_core.data import distributed
from aimass_core.data.distributed import read_partitions
from aimass_core.factorization import RowBlocks

N = 2000
RULES = ("sum", "last", "first", "mean", "max", "min", "count")


def make_table(seed=0, n=N):
    """Return events of which one user has a third, and one pair a tenth."""
    rng = np.random.default_rng(seed)
    users = np.where(rng.random(n) < 0.3, "hot", rng.integers(0, 150, n).astype(str))
    items = rng.integers(-20, 20, n)
    users[: n // 10], items[: n // 10] = "hot", 5
    order = rng.permutation(n)
    return {
        "u": users[order],
        "i": items[order],
        "v": rng.random(n) * 3,
        "t": np.datetime64("2024-01-01", "s") + rng.integers(0, 5000, n),
        "e": np.where(rng.random(n) < 0.5, "view", "buy"),
    }


def parts_of(table, size=333):
    n = len(next(iter(table.values())))
    return [{c: a[i : i + size] for c, a in table.items()} for i in [*range(0, n, size), n]]


def assert_same(x, expected):
    assert (x.users, x.items, x.time_unit) == (expected.users, expected.items, expected.time_unit)
    assert (x.users.name, x.items.name) == (expected.users.name, expected.items.name)
    for name in ("indptr", "indices", "data"):
        mine, other = getattr(x.matrix, name), getattr(expected.matrix, name)
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine, other)
    assert {**x.report, "notes": []} == {**expected.report, "notes": []}
    for name in ("timestamps", "events"):
        assert (getattr(x, name) is None) == (getattr(expected, name) is None)
    if expected.timestamps is not None:
        np.testing.assert_array_equal(x.timestamps, expected.timestamps)
    if expected.events is not None:
        assert x.events.rule == expected.events.rule
        for name in ("indptr", "values", "times"):
            np.testing.assert_array_equal(getattr(x.events, name), getattr(expected.events, name))


@pytest.fixture(autouse=True)
def _short_ranges(monkeypatch):
    monkeypatch.setattr(distributed, "_ROWS_OF_RANGE", 200)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("time", ["t", None])
def test_the_same_as_one_table(rule, time):
    table = make_table()
    columns = {"user": "u", "item": "i", "value": "v", "time": time, "duplicates": rule}
    assert_same(
        read_partitions(parts_of(table), **columns), Interactions.from_table(table, **columns)
    )


def test_options_are_those_of_one_table():
    table = make_table(1)
    table["i"] = np.where(np.arange(N) % 40 == 3, np.nan, table["i"])  # whole numbers as floats
    known = IdMap.from_values([5.0, 7, -3])[0]
    columns = {"user": "u", "item": "i", "time": "t", "event": "e", "nulls": "drop"}
    for more in ({}, {"items": known, "unknown": "drop"}, {"keep_events": False}, {"dtype": float}):
        options = {**columns, "weights": {"view": 0, "buy": 2.5}, **more}
        assert_same(
            read_partitions(parts_of(table), **options), Interactions.from_table(table, **options)
        )


def test_a_hot_user_is_divided_between_ranges():
    with distributed.merge_partitions(
        parts_of(make_table()),
        {"user": "u", "item": "i", "value": None, "duplicates": "sum"},
        {"users": None, "items": None},
        None,
        None,
        1,
    ) as merged:
        hot = int(merged.users.index(["hot"])[0])
        ranges_of_hot = sum(hot in users for users, _, _ in merged)
        assert ranges_of_hot > 1
        assert len(merged.ranges) > 5


def test_folders_of_files_on_workers(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = make_table(2)
    for number, part in enumerate(parts_of(table)):
        pq.write_table(pa.table(part), tmp_path / f"part-{number:02d}.parquet")
    columns = {"user": "u", "item": "i", "value": "v", "time": "t", "duplicates": "sum"}
    place = tmp_path / "place"
    x = read_partitions(tmp_path, **columns, executor="processes:2", place=place)
    assert_same(x, Interactions.from_table(table, **columns))
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ([[1, 2], [2**63 + 1]], "uint"),
        ([[1, 2], [2.5]], "float"),
        ([["b", "a"], ["c", "a"]], "str"),
        ([[True], [False]], "bool"),
        (
            [np.array(["2024-01-02"], "M8[s]"), np.array(["2024-01-01T00:00:00.001"], "M8[ms]")],
            "datetime64[ms]",
        ),
    ],
)
def test_kinds_of_ids(ids, kind):
    parts = [{"u": part, "i": [1] * len(part)} for part in ids]
    x = read_partitions(parts, user="u", item="i")
    assert x.users.kind == kind
    assert len(x.users) == len({value for part in ids for value in np.asarray(part).tolist()})


def test_errors_name_the_partition(tmp_path):
    parts = parts_of(make_table())
    options = {"user": "u", "item": "i"}
    with pytest.raises(ValueError, match=r"rows repeat a pair .* e\.g\. user 'hot' with item 5 in"):
        read_partitions(parts, **options, value="v")
    parts[2]["v"][3] = np.inf
    with pytest.raises(ValueError, match=r"partition 2: value='v' holds inf"):
        read_partitions(parts, **options, value="v", duplicates="sum")
    with pytest.raises(ValueError, match=r"partition 0: user='x': the table has no such column"):
        read_partitions(parts, user="x", item="i")
    with pytest.raises(TypeError, match=r"ids are of several kinds .*\(int, str\)"):
        read_partitions([{"u": ["a"], "i": [1]}, {"u": [1], "i": [1]}], **options)
    times = [{"u": [1], "i": [1], "t": [5]}, {"u": [1], "i": [1], "t": ["2024-01-01"]}]
    with pytest.raises(TypeError, match="partition 1 holds dates and partition 0 whole numbers"):
        read_partitions(times, **options, time="t")
    with pytest.raises(FileNotFoundError, match=r"holds no \*\.parquet file"):
        read_partitions(tmp_path, **options)
    with pytest.raises(TypeError, match=r"Interactions\.from_table reads one table"):
        read_partitions(3, **options)
    with pytest.raises(ValueError, match="dataset holds no partition"):
        read_partitions([], **options)


def test_one_table_names_the_function_for_distributed_data():
    dataset = type("DataFrame", (), {"__module__": "dask.dataframe"})()
    with pytest.raises(TypeError, match=r"got DataFrame: data\.distributed\.read_partitions reads"):
        Interactions.from_table(dataset, user="u", item="i")


def test_the_sum_of_rows_overflows():
    parts = [{"u": [1], "i": [1], "v": np.array([3e38], np.float32)} for _ in range(2)]
    with pytest.raises(ValueError, match="overflows"):
        read_partitions(parts, user="u", item="i", value="v", duplicates="sum")


def test_partitions_without_rows():
    x = read_partitions([{"u": [], "i": []}, {"u": [], "i": []}], user="u", item="i")
    assert_same(x, Interactions.from_table({"u": [], "i": []}, user="u", item="i"))


def test_row_blocks_with_ids(tmp_path):
    table = make_table(3)
    columns = {"user": "u", "item": "i", "value": "v", "duplicates": "sum"}
    whole = Interactions.from_table(table, **columns, dtype="float32")
    blocks = RowBlocks.from_partitions(parts_of(table), tmp_path / "x", **columns, block_nnz=300)
    assert (blocks.users, blocks.items) == (whole.users, whole.items)
    assert (blocks.matrix() != whole.matrix).nnz == 0
    options = {"n_factors": 4, "max_iter": 2, "random_state": 0}
    model = ImplicitALS(**options).fit(RowBlocks(tmp_path / "x"))
    expected = ImplicitALS(**options).fit(whole)
    np.testing.assert_array_equal(model.item_factors_, expected.item_factors_)
    lists, same = (m.recommend(["hot"], k=3).columns() for m in (model, expected))
    assert {n: list(c) for n, c in lists.items()} == {n: list(c) for n, c in same.items()}
    held_out = Interactions.from_arrays(["hot", "3"], [-20, 19])
    stopped = ImplicitALS(**options, metric="recall@5").fit(blocks, validation=held_out)
    assert len(stopped.scores_) == 2
    for file in (tmp_path / "x").glob("users.*.safetensors"):
        save(IdMap.from_values(["a"])[0], file)
    with pytest.raises(ValueError, match="its ids do not fit its arrays"):
        RowBlocks(tmp_path / "x")


@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
@pytest.mark.parametrize("n_parts", [1, 3])
def test_empty_partitions_keep_the_type_of_values(dtype, n_parts):
    empty = {"u": np.zeros(0, np.int64), "i": np.zeros(0, np.int64), "v": np.zeros(0)}
    columns = {"user": "u", "item": "i", "value": "v", "dtype": dtype}
    assert_same(
        read_partitions([empty] * n_parts, **columns), Interactions.from_table(empty, **columns)
    )


@pytest.mark.parametrize("name", ["users", "items"])
@pytest.mark.parametrize("ids", [[1], np.array([1]), "x"])
def test_ids_that_are_no_map_are_refused(name, ids):
    table = {"u": [1], "i": [1]}
    kind = type(ids).__name__
    message = rf"{name} must be an IdMap, .* got {kind}: .*IdMap\.from_values"
    for read, data in ((read_partitions, [table]), (Interactions.from_table, table)):
        with pytest.raises(TypeError, match=message):
            read(data, user="u", item="i", **{name: ids})


def test_a_url_is_no_place():
    with pytest.raises(ValueError, match="does not support object stores"):
        read_partitions([{"u": [1], "i": [1]}], user="u", item="i", place="s3://bucket/x")
