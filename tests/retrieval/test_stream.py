"""Lists asked for and written block by block: the same rows, bounded memory, whole files only."""

from __future__ import annotations

import contextlib
import sqlite3
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import HybridALS, ImplicitALS, Interactions, ItemKNN
from aimass_core.base.lists import TopK
from aimass_core.exceptions import NotFittedError
from aimass_core.retrieval import FactorIndex, recommend_blocks, write_topk

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
csv = pytest.importorskip("pyarrow.csv")
pq = pytest.importorskip("pyarrow.parquet")


def interactions(rng, n_users=400, n_items=60):
    X = sp.coo_array(rng.random((n_users, n_items)) < 0.1)
    users = np.array([f"user {i:04d}" for i in range(n_users)])
    return Interactions.from_arrays(users[X.row], 1000 + X.col)


@pytest.fixture
def model(rng):
    return ImplicitALS(n_factors=8, max_iter=2, random_state=0).fit(interactions(rng))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".feather"])
def test_the_file_has_what_recommend_gives(model, tmp_path, suffix):
    path = tmp_path / f"lists{suffix}"
    whole = model.recommend(k=7).to_arrow()
    rows = write_topk(recommend_blocks(model, k=7, block_size=33), path)
    read = {".parquet": pq.read_table, ".csv": csv.read_csv, ".feather": feather.read_table}
    table = read[suffix](path)
    assert rows == table.num_rows == whole.num_rows
    assert table.column_names == ["user", "item", "rank", "score"]
    assert table["user"].to_pylist() == whole["user"].to_pylist()
    assert table["item"].to_pylist() == whole["item"].to_pylist()
    assert table["rank"].to_pylist() == whole["rank"].to_pylist()
    np.testing.assert_allclose(table["score"], whole["score"], rtol=1e-6)
    assert list(tmp_path.iterdir()) == [path]


def test_blocks_have_the_filters_of_recommend(model, rng):
    users = model.users_.ids[rng.permutation(len(model.users_))[:101]]
    denied = sp.csr_array(rng.random((101, 60)) < 0.2)
    filters = [
        {},
        {"exclude_seen": False},
        {"candidates": [1001, 1005, 1009]},
        {"exclude": [1001]},
        {"exclude": denied},
        {"candidates": denied},
    ]
    for given in filters:
        want = model.recommend(users, k=5, **given)
        blocks = list(recommend_blocks(model, users, k=5, block_size=10, **given))
        assert [len(b) for b in blocks] == [10] * 10 + [1]
        np.testing.assert_array_equal(np.concatenate([b.queries for b in blocks]), users)
        np.testing.assert_array_equal(np.concatenate([b.indices for b in blocks]), want.indices)
        np.testing.assert_array_equal(np.concatenate([b.scores for b in blocks]), want.scores)


def test_items_are_those_given_when_asked(rng):
    X = sp.csr_array(rng.random((50, 20)) < 0.3).astype(np.float32)
    for data in X, interactions(rng, 50, 20):
        model = ItemKNN(n_neighbors=5).fit(data)
        given = np.array([1, 2, 3]) if data is X else np.array([1001, 1002, 1003])
        want = model.recommend(candidates=given, exclude=given[:1], k=3)
        blocks = recommend_blocks(model, candidates=given, exclude=given[:1], k=3)
        given[:] = given[0] + 4
        np.testing.assert_array_equal(np.concatenate([b.ids for b in blocks]), want.ids)


def test_row_numbers_and_topk_blocks(rng, tmp_path):
    X = sp.csr_array(rng.random((50, 20)) < 0.3).astype(np.float32)
    model = ItemKNN(n_neighbors=5).fit(X)
    assert write_topk(recommend_blocks(model, [3, 1], k=2), tmp_path / "a.parquet") == 4
    assert pq.read_table(tmp_path / "a.parquet")["user"].to_pylist() == [3, 3, 1, 1]
    U, V = rng.standard_normal((50, 4)), rng.standard_normal((20, 4))
    write_topk(FactorIndex(V).topk_blocks(U, 3, block_size=7), tmp_path / "b.parquet")
    table = pq.read_table(tmp_path / "b.parquet")
    want = FactorIndex(V).topk(U, 3).indices
    assert table["user"].to_pylist() == np.repeat(np.arange(50), 3).tolist()
    assert table["item"].to_pylist() == want.ravel().tolist()


def test_scores_keep_their_precision(rng, tmp_path):
    path = tmp_path / "lists.parquet"
    for dtype, size in (np.float64, 1e30), (np.float64, 1.0), (np.float32, 1.0):
        U, V = ((size * rng.standard_normal((n, 4))).astype(dtype) for n in (20, 30))
        write_topk(FactorIndex(V).topk_blocks(U, 3, block_size=6), path)
        got = pq.read_table(path)["score"]
        assert got.type == pa.from_numpy_dtype(np.dtype(dtype))
        np.testing.assert_array_equal(got, FactorIndex(V).topk(U, 3).scores.ravel())
    assert write_topk([], path) == 0
    assert pq.read_schema(path).field("score").type == pa.float32()


def test_a_score_too_large_for_the_schema(tmp_path):
    path = tmp_path / "lists.parquet"
    names = ("user", pa.int64()), ("item", pa.int32()), ("rank", pa.int32())
    blocks = list(FactorIndex([[1e30], [1.0]]).topk_blocks([[1e30]], 2))
    with pytest.raises(ValueError, match=r"column 'points' is float, too small for the score 1"):
        write_topk(blocks, path, schema=pa.schema([*names, ("points", pa.float32())]))
    assert not path.exists()
    assert write_topk(blocks, path, schema=pa.schema([*names, ("points", pa.float64())])) == 2
    blocks = list(FactorIndex([[0.5], [0.25]]).topk_blocks([[1.0]], 2))
    assert write_topk(blocks, path, schema=pa.schema([*names, ("points", pa.string())])) == 2


def test_nobody_and_nothing(model, tmp_path):
    path = tmp_path / "empty.parquet"
    assert write_topk(recommend_blocks(model, []), path) == 0
    assert pq.read_table(path).column_names == ["user", "item", "rank", "score"]
    assert write_topk([], path) == 0
    assert write_topk(recommend_blocks(model, candidates=[], k=3), path) == 0
    assert pq.read_schema(path).field("user").type in (pa.string(), pa.large_string())


@pytest.mark.parametrize(
    "ids",
    [
        ["eve", "bob"],
        [b"eve", b"bob"],
        [7, 9],
        [0.5, 1.5],
        np.array(["2026-01-01", "2026-01-02"], "datetime64[s]"),
        None,
    ],
)
def test_a_file_of_nobody_has_the_types_of_a_file_of_some(ids, tmp_path):
    X = np.eye(2) if ids is None else Interactions.from_arrays(ids, ids)
    model, schemas = ItemKNN(n_neighbors=1).fit(X), []
    for asked in None, [], None if ids is None else np.asarray(ids)[:0]:
        write_topk(recommend_blocks(model, asked, k=1), tmp_path / "lists.parquet")
        schemas.append(pq.read_schema(tmp_path / "lists.parquet"))
    assert schemas[0] == schemas[1] == schemas[2]
    nobody = TopK(np.empty(0, object), np.empty((0, 1), np.int32), np.empty((0, 1)), None)
    write_topk([nobody], tmp_path / "lists.parquet")
    assert pq.read_schema(tmp_path / "lists.parquet").field("user").type == pa.string()


def test_no_blocks_have_the_types_of_some(rng, tmp_path):
    index, schemas = FactorIndex(rng.standard_normal((9, 4)).astype(np.float32)), []
    for n in 5, 0:
        blocks = index.topk_blocks(rng.standard_normal((n, 4)).astype(np.float32), 3)
        write_topk(blocks, tmp_path / "lists.parquet")
        schemas.append(pq.read_schema(tmp_path / "lists.parquet"))
    assert schemas[0] == schemas[1]


def test_one_topk_is_a_block(model, tmp_path):
    lists = model.recommend(k=3)
    assert write_topk(lists, tmp_path / "a.parquet") == 3 * len(lists)
    write_topk([lists], tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "a.parquet").equals(pq.read_table(tmp_path / "b.parquet"))


@pytest.mark.parametrize("blocks", [5, [(1, 2)], [(1, 2, 3)], (slice(0, 1), [[0]], [[1.0]]), "abc"])
def test_what_is_no_block(blocks, tmp_path):
    with pytest.raises(TypeError, match=r"blocks must be TopK.*got"):
        write_topk(blocks, tmp_path / "lists.parquet")
    assert list(tmp_path.iterdir()) == []


def test_the_table_of_a_database_is_named(model, tmp_path):
    path = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE lists (title TEXT)")  # of the shop itself
        rows = write_topk(model.recommend(k=2), path, table="top items")
        assert rows == write_topk(model.recommend(k=2), path, table="top items")
        assert connection.execute('SELECT count(*) FROM "top items"').fetchone() == (rows,)
        assert connection.execute("SELECT count(*) FROM lists").fetchone() == (0,)
    with pytest.raises(ValueError, match="table must be the name of a table, got ''"):
        write_topk(model.recommend(k=2), path, table="")


def test_a_path_that_cannot_be_written_is_named_first(tmp_path):
    def never():
        raise AssertionError("a block was computed")
        yield

    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(IsADirectoryError, match=r"path: .*folder\.parquet' is a folder"):
        write_topk(never(), tmp_path / "folder.parquet")
    with pytest.raises(FileNotFoundError, match=r"path: there is no folder '.*missing'"):
        write_topk(never(), tmp_path / "missing" / "lists.parquet")


def test_memory_is_that_of_a_block(rng, tmp_path):
    n, k = 60_000, 50
    index = FactorIndex(rng.standard_normal((300, 8)).astype(np.float32))
    U = rng.standard_normal((n, 8)).astype(np.float32)
    write_topk(index.topk_blocks(U[:100], k), tmp_path / "warm.parquet")
    tracemalloc.start()
    rows = write_topk(index.topk_blocks(U, k, block_size=1000), tmp_path / "lists.parquet")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == n * k
    assert peak < 0.2 * rows * 12, "NumPy's arrays of all lists would be 12 bytes a row"


def test_an_error_half_way_leaves_the_old_file(model, tmp_path):
    path = tmp_path / "lists.parquet"
    path.write_text("what was there before")

    def breaks():
        yield from list(recommend_blocks(model, block_size=100))[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_topk(breaks(), path)
    assert path.read_text() == "what was there before"
    assert list(tmp_path.iterdir()) == [path]


def test_refusals(model, tmp_path):
    with pytest.raises(ValueError, match=r"path: cannot tell the format of .*\.parquet"):
        write_topk(recommend_blocks(model), tmp_path / "lists.xyz")
    with pytest.raises(TypeError, match=r"model must be a recommender .* got object"):
        recommend_blocks(object())
    with pytest.raises(NotFittedError):
        recommend_blocks(ImplicitALS())
    with pytest.raises(KeyError, match="nobody"):
        recommend_blocks(model, ["nobody"])
    for name in "candidates", "exclude":  # ids that the model does not know have no effect
        (known,), (both,) = (
            recommend_blocks(model, k=5, **{name: ids}) for ids in ([1001], [1001, 999])
        )
        np.testing.assert_array_equal(known.indices, both.indices)
    with pytest.raises(TypeError, match="exclude_seen"):
        recommend_blocks(model, exclude_seen="no")
    with pytest.raises(ValueError, match="n_threads"):
        recommend_blocks(model, n_threads=-1)
    with pytest.raises(ValueError, match="block_size must be at least 1, got 0"):
        recommend_blocks(model, block_size=0)
    with pytest.raises(ValueError, match=r"exclude must have shape \(\d+, 60\)"):
        recommend_blocks(model, exclude=sp.csr_array((3, 60)))
    numbers = pa.schema([(n, pa.int32()) for n in "abcd"])
    with pytest.raises(ValueError, match=r"column 'a' is int32, which these values .* 'user 0"):
        write_topk(recommend_blocks(model), tmp_path / "lists.parquet", schema=numbers)
    small = pa.schema([("u", pa.string()), ("i", pa.int8()), ("r", pa.int8()), ("s", pa.float32())])
    with pytest.raises(ValueError, match=r"column 'i' is int8, which these values .* 10"):
        write_topk(recommend_blocks(model), tmp_path / "lists.parquet", schema=small)
    with pytest.raises(TypeError, match=r"schema must be a pyarrow\.Schema, got list"):
        write_topk(recommend_blocks(model), tmp_path / "lists.parquet", schema=list("abcd"))
    with pytest.raises(ValueError, match=r"schema must have 4 columns .* got 3"):
        write_topk(recommend_blocks(model), tmp_path / "lists.parquet", schema=numbers.remove(0))
    assert list(tmp_path.iterdir()) == []


def test_users_known_by_their_features():

    x = Interactions.from_arrays([1, 1, 2, 3], [10, 11, 10, 12])
    ages = {"user": [1, 2, 3], "age": ["young", "young", "old"]}
    model = HybridALS(n_factors=2, max_iter=2, random_state=0).fit(x, user_features=ages)
    options = {"k": 2, "user_features": {"user": [9], "age": ["old"]}}
    expected = model.recommend([9, 1], **options)
    (block,) = recommend_blocks(model, [9, 1], **options)
    assert block.queries.tolist() == [9, 1]
    assert block.ids.tolist() == expected.ids.tolist()
