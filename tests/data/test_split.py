"""Splits: what they promise, that nothing leaks, and what they refuse."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import Interactions
from aimass_core.data import split
from aimass_core.data.split import Split


def some(seed: int, n: int = 300) -> Interactions:
    rng = np.random.default_rng(seed)
    return Interactions.from_arrays(
        rng.integers(0, 30, n),
        rng.integers(0, 40, n).astype(str),
        rng.integers(1, 6, n),
        rng.integers(0, 50, n),
        duplicates="last",
    )


def pairs(x: Interactions) -> set[tuple[Any, Any]]:
    return {(user, item) for user, item, _ in x}


def assert_is_partition(parts: Split, x: Interactions) -> None:
    assert pairs(parts.train) | pairs(parts.test) == pairs(x)
    assert not pairs(parts.train) & pairs(parts.test)
    assert parts.train.nnz + parts.test.nnz == x.nnz
    assert parts.train.users is parts.test.users is x.users
    assert parts.train.shape == parts.test.shape == x.shape


SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.floats(0.01, 0.99))
def test_random(seed: int, size: float) -> None:
    x = some(seed)
    parts = split.random(x, test_size=size, random_state=seed)
    assert_is_partition(parts, x)
    assert parts.test.nnz == round(size * x.nnz)
    again = split.random(x, test_size=size, random_state=seed)
    assert pairs(again.test) == pairs(parts.test)


@given(SEEDS, st.floats(0.1, 0.9))
def test_per_user(seed: int, size: float) -> None:
    x = some(seed)
    parts = split.per_user(x, test_size=size, random_state=seed)
    assert_is_partition(parts, x)
    n, n_test = np.diff(x.matrix.indptr), np.diff(parts.test.matrix.indptr)
    assert (n_test == np.floor(n * size + 1e-9)).all()
    assert (n_test < n).all()


@given(SEEDS, st.integers(1, 4), st.integers(0, 3))
def test_leave_last(seed: int, n: int, min_train: int) -> None:
    x = some(seed)
    parts = split.leave_last(x, n=n, min_train=min_train)
    assert_is_partition(parts, x)
    counts, n_test = np.diff(x.matrix.indptr), np.diff(parts.test.matrix.indptr)
    assert (n_test == np.where(counts >= n + min_train, n, 0)).all()
    for row in range(x.n_users):
        before = parts.train.timestamps[parts.train.row_indices() == row]
        after = parts.test.timestamps[parts.test.row_indices() == row]
        assert not len(before) or not len(after) or before.max() <= after.min()


@given(SEEDS, st.floats(0.05, 0.9))
def test_temporal(seed: int, size: float) -> None:
    x = some(seed)
    parts = split.temporal(x, test_size=size)
    assert_is_partition(parts, x)
    cut = parts.test.single_events().times.min()
    times = x.single_events().times
    assert parts.train.single_events().times.max() < cut
    cut = split.temporal(x, test_size=size, repeats="include").test.single_events().times.min()
    assert (times >= cut).sum() >= int(size * len(times))


def test_temporal_at() -> None:
    days = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="M8[D]")
    x = Interactions.from_arrays([1, 2, 3], [1, 2, 3], times=days)
    for at in ("2024-01-02", datetime.datetime(2024, 1, 2), np.datetime64("2024-01-02")):
        assert split.temporal(x, at=at).train.nnz == 1
    parts = split.temporal(x, at="2024-01-03")
    assert parts.drop_unknown().test.nnz == 0
    with pytest.raises(ValueError, match="leaves one part empty; the timestamps go from"):
        split.temporal(x, at="2020-01-01")
    with pytest.raises(ValueError, match="not both"):
        split.temporal(x, at="2024-01-02", test_size=0.5)


@given(SEEDS, st.one_of(st.floats(0.1, 0.9), st.integers(1, 20)), st.floats(0.3, 0.8))
def test_strong_generalization(seed: int, test_users: Any, holdout: float) -> None:
    x = some(seed)
    parts = split.strong_generalization(
        x, test_users=test_users, holdout_size=holdout, random_state=seed
    )
    shown, hidden = parts.fold_in, parts.holdout
    assert shown is not None
    assert hidden is not None
    assert not set(parts.train.users.ids) & set(shown.users.ids)
    assert shown.users == hidden.users
    assert parts.train.items == shown.items == hidden.items
    assert not pairs(shown) & pairs(hidden)
    assert np.bincount(parts.train.matrix.indices).min() > 0
    known = set(parts.train.items.ids)
    test = set(shown.users.ids)
    assert pairs(shown) | pairs(hidden) == {p for p in pairs(x) if p[0] in test and p[1] in known}
    n = test_users if isinstance(test_users, int) else round(test_users * x.n_users)
    assert len(test) == n


@given(SEEDS, st.integers(2, 9))
def test_k_fold(seed: int, n_splits: int) -> None:
    x = some(seed)
    folds = list(split.k_fold(x, n_splits=n_splits, random_state=seed))
    assert len(folds) == n_splits
    for parts in folds:
        assert_is_partition(parts, x)
    tests = [pairs(parts.test) for parts in folds]
    assert set.union(*tests) == pairs(x)
    assert sum(map(len, tests)) == x.nnz
    assert max(map(len, tests)) - min(map(len, tests)) <= 1


def test_by_column() -> None:
    table = {"u": [1, 1, 2, 2], "i": [1, 2, 1, 3], "fold": [1, 2, 3, 1], "split": list("abca")}
    names = {"user": "u", "item": "i"}
    parts = split.by_column(table, column="fold", test=1, **names)
    assert pairs(parts.test) == {(1, 1), (2, 3)}
    assert pairs(parts.train) == {(1, 2), (2, 1)}
    only = split.by_column(table, column="split", test="a", train="b", **names)
    assert pairs(only.train) == {(1, 2)}
    assert only.train.users == parts.train.users
    with pytest.raises(
        ValueError, match="test='test': column 'split' has no such label; it has 'a'"
    ):
        split.by_column(table, column="split", **names)
    with pytest.raises(ValueError, match="column='flod': the table has no such column"):
        split.by_column(table, column="flod", **names)
    doubled = {**table, "i": [1, 1, 1, 1]}
    with pytest.raises(ValueError, match="leak: 2 pairs of user and item are in both parts"):
        split.by_column(doubled, column="fold", test=1, **names)


def test_official_parts_of_real_data(real_data: Callable[[str], Path]) -> None:
    names = {"user": "user_id", "item": "item_id"}
    path = real_data("movielens-100k") / "interactions.parquet"
    folds = split.folds_by_column(path, column="fold", value="rating", **names)
    assert {fold: parts.test.nnz for fold, parts in folds.items()} == dict.fromkeys(
        (1, 2, 3, 4, 5), 20_000
    )
    gowalla = real_data("gowalla") / "interactions.parquet"
    parts = split.by_column(gowalla, column="split", **names)
    assert parts.train.shape == (29_858, 40_981)
    assert (parts.train.nnz, parts.test.nnz) == (810_128, 217_242)


def test_folds_by_column() -> None:
    table = {"u": [1, 1, 2, 2], "i": [1, 2, 1, 3], "fold": ["b", "a", "c", "a"]}
    folds = split.folds_by_column(table, column="fold", user="u", item="i")
    assert list(folds) == ["a", "b", "c"]
    for fold, parts in folds.items():
        alone = split.by_column(table, column="fold", test=fold, user="u", item="i")
        assert pairs(parts.test) == pairs(alone.test)
        assert pairs(parts.train) == pairs(alone.train)
    with pytest.raises(ValueError, match="names 1 folds"):
        split.folds_by_column(table | {"fold": [1] * 4}, column="fold", user="u", item="i")


def test_leaks_are_found() -> None:
    x = some(0)
    parts = split.leave_last(x)
    with pytest.raises(ValueError, match=r"leak: \d+ pairs of user and item are in both parts"):
        Split(x, parts.test)
    with pytest.raises(ValueError, match="train holds entries newer"):
        Split(parts.train, parts.test, order="global")
    with pytest.raises(ValueError, match="train holds entries newer"):
        Split(parts.test, parts.train, order="user")
    strong = split.strong_generalization(x, random_state=0)
    with pytest.raises(ValueError, match=r"leak: \d+ test users are in train"):
        Split(parts.train, parts.test, parts.train, parts.test)
    with pytest.raises(ValueError, match="same id maps"):
        Split(strong.train, strong.test)
    plain = Interactions.from_csr(x.matrix)
    with pytest.raises(ValueError, match="needs timestamps"):
        Split(
            *(plain.keep_entries(k) for k in (np.arange(x.nnz) > 5, np.arange(x.nnz) <= 5)),
            order="global",
        )


def test_drop_unknown() -> None:
    x = Interactions.from_arrays([1, 1, 2, 1], [1, 2, 1, 3], times=[1, 2, 3, 4])
    parts = split.temporal(x, at=3)
    assert pairs(parts.test) == {(2, 1), (1, 3)}
    assert split.temporal(x, at=2).drop_unknown().test.nnz == 0
    strong = split.strong_generalization(some(1), random_state=1)
    assert pairs(strong.drop_unknown().test) <= pairs(strong.test)
    assert strong.drop_unknown().holdout is not None


IMPOSSIBLE: list[tuple[Callable[[Interactions], Any], str]] = [
    (lambda x: split.random(x, test_size=1.0), "between 0 and 1"),
    (lambda x: split.random(x, test_size=0), "between 0 and 1"),
    (lambda x: split.random(x, test_size=0.01), "leaves one part empty"),
    (lambda x: split.per_user(x, test_size=0.1), "below one entry for every user"),
    (lambda x: split.per_user(x, test_size=-0.1), "between 0 and 1"),
    (lambda x: split.leave_last(x), "needs timestamps"),
    (lambda x: split.leave_last(x, n=0), "needs timestamps"),
    (lambda x: split.temporal(x), "needs timestamps"),
    (lambda x: split.k_fold(x, n_splits=9), "n_splits=9 needs as many entries, there are 4"),
    (lambda x: split.k_fold(x, n_splits=1), "n_splits must be at least 2"),
    (lambda x: split.strong_generalization(x, test_users=2), "leaves one part empty"),
    (lambda x: split.strong_generalization(x, test_users=1.5), "between 0 and 1"),
    (lambda x: split.strong_generalization(x, test_users=1, holdout_size=0.1), "holdout_size=0.1"),
]


@pytest.mark.parametrize(("make", "message"), IMPOSSIBLE)
def test_impossible_requests(make: Callable[[Interactions], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(Interactions.from_csr([[1, 1], [1, 1]]))


def test_impossible_in_time() -> None:
    x = Interactions.from_arrays([1, 2], [1, 2], times=[5, 5])
    with pytest.raises(ValueError, match="leaves one part empty"):
        split.temporal(x, test_size=0.5)
    with pytest.raises(ValueError, match="no user has the 2 entries"):
        split.leave_last(x)
    empty = Interactions.from_arrays([], [], times=np.array([], dtype=np.int64))
    for make in (split.temporal, split.leave_last, split.random, split.per_user, split.k_fold):
        with pytest.raises(ValueError):
            make(empty)


def test_a_matrix_is_not_interactions(small_ratings):
    with pytest.raises(TypeError, match="x must be Interactions, got csr_array"):
        split.random(small_ratings)
