"""Lists of all users in a folder of Parquet files: the same as those of one table, resumed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS, Interactions, ItemKNN
from aimass_core.retrieval import recommend_blocks, write_recommendations, write_topk

pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def model(small_ratings):
    users = np.array([f"u{i}" for i in range(40)], dtype=object)
    coo = small_ratings.tocoo()
    x = Interactions.from_arrays(users[coo.row], coo.col + 100, values=coo.data)
    return ImplicitALS(n_factors=4, max_iter=2).fit(x)


class Counting(ThreadPoolExecutor):
    def __init__(self, n_left=10**6):
        super().__init__(2)
        self.n_left = n_left

    def submit(self, fn, /, *args, **kwargs):
        self.n_left -= 1
        if self.n_left < 0:
            raise InterruptedError("stopped by the test")
        return super().submit(fn, *args, **kwargs)


def table_of(folder):
    paths = sorted(folder.glob("part-*.parquet"))
    assert {p.name for p in folder.iterdir()} == {*(p.name for p in paths), "_SUCCESS"}
    rows = [pq.read_table(p) for p in paths]
    return [row for table in rows for row in table.to_pylist()]


def expected_of(model, tmp_path, **options):
    write_topk(recommend_blocks(model, **options), tmp_path / "one.parquet")
    return pq.read_table(tmp_path / "one.parquet").to_pylist()


@pytest.mark.parametrize("executor", [None, "threads", "processes:2"])
def test_the_same_rows_as_one_table(model, tmp_path, executor):
    expected = expected_of(model, tmp_path, k=3)
    pool = ThreadPoolExecutor(3) if executor == "threads" else executor
    n = write_recommendations(model, tmp_path / "lists", k=3, block_size=7, executor=pool)
    assert n == len(expected)
    assert table_of(tmp_path / "lists") == expected
    assert len(list((tmp_path / "lists").glob("part-*"))) == -(-len(model.users_) // 7)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lists", "one.parquet"]


def test_users_and_filters(model, tmp_path, small_ratings):
    users = ["u3", "nobody", "u9", "u1", "u3"]
    options = {"users": users, "unknown": "popular", "k": 4, "candidates": list(range(100, 115))}
    expected = expected_of(model, tmp_path, **options)
    write_recommendations(model, tmp_path / "a", block_size=2, executor=Counting(), **options)
    assert table_of(tmp_path / "a") == expected
    plain = ItemKNN(n_neighbors=5).fit(small_ratings)
    mask = sp.random_array((40, 25), density=0.3, random_state=1, format="coo")
    expected = expected_of(plain, tmp_path, exclude=mask, exclude_seen=False)
    write_recommendations(
        plain, tmp_path / "a", exclude=mask, exclude_seen=False, block_size=9, executor=Counting()
    )
    assert table_of(tmp_path / "a") == expected
    assert write_recommendations(plain, tmp_path / "none", users=[]) == 0
    assert table_of(tmp_path / "none") == []


def test_an_interrupted_call_writes_the_missing_files_only(model, tmp_path):
    place, target = tmp_path / "place", tmp_path / "lists"
    options = {"k": 3, "block_size": 4, "place": place}
    with pytest.raises(InterruptedError):
        write_recommendations(model, target, executor=Counting(5), **options)
    assert not target.exists()
    parts = sorted((tmp_path / ".lists.partial").glob("part-*"))
    assert parts
    times = [p.stat().st_mtime_ns for p in parts]
    write_recommendations(model, target, executor=Counting(), **options)
    assert [(target / p.name).stat().st_mtime_ns for p in parts] == times
    assert table_of(target) == expected_of(model, tmp_path, k=3)
    with pytest.raises(InterruptedError):
        write_recommendations(model, target, executor=Counting(5), **options)
    assert table_of(target) == expected_of(model, tmp_path, k=3)  # the older lists stay
    options["k"] = 2  # other lists: nothing is resumed
    write_recommendations(model, target, executor=Counting(), **options)
    assert table_of(target) == expected_of(model, tmp_path, k=2)
    assert not list(tmp_path.glob(".lists*"))


def test_the_callback_can_end_the_work(model, tmp_path):
    steps = []

    def after(event):
        steps.append((event.step, event.n_steps, event.values["rows"]))
        return event.step == 2

    with pytest.raises(InterruptedError, match="callback ended the work"):
        write_recommendations(model, tmp_path / "lists", k=1, block_size=10, callback=after)
    assert [s[:2] for s in steps] == [(1, 4), (2, 4)]
    assert list(tmp_path.iterdir()) == []


def test_refusals(model, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(FileExistsError, match=r"holds 'mine\.txt', which is not a file of lists"):
        write_recommendations(model, tmp_path / "other")
    with pytest.raises(FileExistsError, match="is a file"):
        write_recommendations(model, tmp_path / "other" / "mine.txt")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_recommendations(model, tmp_path / "x" / "y")
    with pytest.raises(KeyError):
        write_recommendations(model, tmp_path / "x", users=["nobody"])
    with pytest.raises(ValueError, match="place has no effect"):
        write_recommendations(model, tmp_path / "x", place=tmp_path)
