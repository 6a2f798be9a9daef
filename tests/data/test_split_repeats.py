"""Splits of repeated purchases: the past is in train, whatever the future holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import Interactions
from aimass_core.data import split
from aimass_core.data.split import Split

SEEDS = st.integers(0, 10_000)


def purchases(seed: int, n: int = 120) -> tuple[Interactions, list[tuple[int, int, int]]]:
    """Purchases of few items at distinct times, and the same as a list of events."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 8, n), rng.integers(0, 6, n)
    times = rng.permutation(n)
    x = Interactions.from_arrays(users, items, times=times)
    return x, list(zip(users.tolist(), items.tolist(), times.tolist(), strict=True))


def entries(x: Interactions) -> dict[tuple[Any, Any], float]:
    return {(user, item): value for user, item, value in x}


def counted(events: list[tuple[int, int, int]]) -> dict[tuple[int, int], float]:
    """The number of events of each pair."""
    counts: dict[tuple[int, int], float] = {}
    for user, item, _ in events:
        counts[user, item] = counts.get((user, item), 0) + 1
    return counts


def by_rule(train: dict[Any, float], test: dict[Any, float], repeats: str) -> dict[Any, float]:
    if repeats == "include":
        return test
    return {pair: v for pair, v in test.items() if (pair in train) == (repeats == "only")}


@given(SEEDS, st.integers(20, 100), st.sampled_from(["exclude", "include", "only"]))
def test_temporal_keeps_the_past(seed: int, at: int, repeats: str) -> None:
    x, events = purchases(seed)
    parts = split.temporal(x, at=at, repeats=repeats)
    before = counted([e for e in events if e[2] < at])
    after = counted([e for e in events if e[2] >= at])
    assert entries(parts.train) == before
    assert entries(parts.test) == by_rule(before, after, repeats)
    assert parts.repeats == repeats
    parts.check()


@given(SEEDS, st.integers(1, 3), st.sampled_from(["exclude", "include", "only"]))
def test_leave_last_by_hand(seed: int, n: int, repeats: str) -> None:
    x, events = purchases(seed)
    parts = split.leave_last(x, n=n, repeats=repeats)
    train: list[tuple[int, int, int]] = []
    test: list[tuple[int, int, int]] = []
    for user in {e[0] for e in events}:
        own = sorted((e for e in events if e[0] == user), key=lambda e: e[2])
        first = {item: min(e[2] for e in own if e[1] == item) for item in {e[1] for e in own}}
        wanted = {
            "exclude": [e for e in own if e[2] == first[e[1]]],
            "include": own,
            "only": [e for e in own if e[2] != first[e[1]]],
        }[repeats]
        if len(wanted) < n:
            train += own
            continue
        chosen = wanted[len(wanted) - n :]
        past = [e for e in own if e[2] < chosen[0][2]]
        if not past:
            train += own
            continue
        if repeats == "exclude":
            chosen = [e for e in own if e[1] in {c[1] for c in chosen}]
        train += past
        test += chosen
    assert entries(parts.train) == counted(train)
    assert entries(parts.test) == by_rule(counted(train), counted(test), repeats)


def test_the_rule_is_checked() -> None:
    x, _ = purchases(0)
    with pytest.raises(ValueError, match="repeats must be one of exclude, include, only"):
        split.temporal(x, repeats="yes")
    parts = split.temporal(x, at=60, repeats="include")
    with pytest.raises(ValueError, match="pass repeats='include' to Split"):
        Split(parts.train, parts.test)
    with pytest.raises(ValueError, match=r"\d+ pairs of user and item of test are not in train"):
        Split(parts.train, parts.test, repeats="only")
    assert parts.drop_unknown().repeats == "include"


def test_without_single_events_an_entry_stays_whole() -> None:
    x = Interactions.from_arrays(list("aab"), list("xxy"), times=[1, 9, 2], keep_events=False)
    parts = split.temporal(x, at=5)
    assert entries(parts.test) == {("a", "x"): 2.0}


@given(SEEDS, st.integers(2, 5))
def test_expanding_and_rolling_folds(seed: int, n_splits: int) -> None:
    x, events = purchases(seed)
    for window in (None, 30):
        folds = list(
            split.expanding(x, n_splits=n_splits, repeats="include")
            if window is None
            else split.rolling(x, n_splits=n_splits, window=window, repeats="include")
        )
        assert len(folds) == n_splits
        tests = [fold.test.single_events().times for fold in folds]
        # 120 events at the times 0 to 119: the newest half in equal parts
        together = np.sort(np.concatenate(tests))
        np.testing.assert_array_equal(together, np.arange(60, 120))
        np.testing.assert_array_equal(np.concatenate([np.sort(t) for t in tests]), together)
        assert max(map(len, tests)) - min(map(len, tests)) <= 1
        for fold, times in zip(folds, tests, strict=True):
            start = times.min()
            past = [
                e for e in events if e[2] < start and (window is None or e[2] >= start - window)
            ]
            assert entries(fold.train) == counted(past)


def test_periods_by_dates() -> None:
    days = np.arange("2024-01-01", "2024-03-01", dtype="M8[D]")
    x = Interactions.from_arrays(np.zeros(60, int), np.arange(60), times=days)
    folds = list(split.expanding(x, at=["2024-02-01", "2024-02-15"]))
    assert [(f.train.nnz, f.test.nnz) for f in folds] == [(31, 14), (45, 15)]
    week = np.timedelta64(7, "D")
    folds = list(split.expanding(x, at=["2024-02-01", "2024-02-15"], horizon=week))
    assert [(f.train.nnz, f.test.nnz) for f in folds] == [(31, 7), (45, 7)]
    folds = list(split.rolling(x, n_splits=2, horizon=week, window=2 * week))
    assert [(f.train.nnz, f.test.nnz) for f in folds] == [(14, 7), (14, 7)]
    with pytest.raises(ValueError, match="ascending order"):
        split.expanding(x, at=["2024-02-15", "2024-02-01"])
    with pytest.raises(ValueError, match="not both"):
        split.expanding(x, at=["2024-02-15"], test_size=0.2)
    with pytest.raises(ValueError, match="leaves its train part empty"):
        list(split.expanding(x, at=["2024-01-01"]))
    with pytest.raises(TypeError, match="horizon must be a timedelta"):
        split.expanding(x, horizon=7)


def matrix(seed: int) -> Interactions:
    rng = np.random.default_rng(seed)
    return Interactions.from_csr((rng.random((20, 15)) < 0.4) * 1.0)


@given(SEEDS, st.integers(2, 6))
def test_folds_by_user_item_and_within_users(seed: int, n_splits: int) -> None:
    x = matrix(seed)
    whole = entries(x)
    within = list(split.k_fold_per_user(x, n_splits=n_splits, random_state=seed))
    tests = [entries(fold.test) for fold in within]
    lonely = {(u, i) for u, i in whole if np.diff(x.matrix.indptr)[u] < 2}
    assert sorted(pair for test in tests for pair in test) == sorted(set(whole) - lonely)
    for fold in within:
        assert {**entries(fold.train), **entries(fold.test)} == whole
        assert not (fold.test.matrix.sum(axis=1) > 0)[fold.train.matrix.sum(axis=1) == 0].any()
    counts = np.stack([np.diff(fold.test.matrix.indptr) for fold in within])
    assert (np.ptp(counts, axis=0) <= 1).all()

    cold = split.k_fold_items(x, n_splits=n_splits, random_state=seed)
    items = [np.unique(fold.test.matrix.indices) for fold in cold]
    np.testing.assert_array_equal(np.sort(np.concatenate(items)), np.unique(x.matrix.indices))
    for fold in split.k_fold_items(x, n_splits=n_splits, random_state=seed):
        assert not set(fold.test.matrix.indices) & set(fold.train.matrix.indices)

    folds = split.k_fold_users(x, n_splits=n_splits, holdout_size=0.5, random_state=seed)
    users = [fold.test.users.ids for fold in folds]
    np.testing.assert_array_equal(
        np.sort(np.concatenate(users)), np.flatnonzero(np.diff(x.matrix.indptr))
    )


def test_nested_parts_hold_nothing_of_the_outer_test() -> None:
    x, _ = purchases(3)
    folds = list(
        split.nested(
            x,
            outer=lambda part: split.expanding(part, n_splits=2),
            inner=lambda part: split.temporal(part, test_size=0.3),
        )
    )
    assert len(folds) == 2
    for fold in folds:
        assert entries(fold.train) == entries(fold.outer.train)
        (inner,) = fold.inner
        assert inner.test.single_events().times.max() < fold.test.single_events().times.min()
    with pytest.raises(TypeError, match="outer must be a function"):
        split.nested(x, outer=3, inner=split.temporal)
    with pytest.raises(TypeError, match="inner must give a Split"):
        list(split.nested(x, outer=split.temporal, inner=lambda part: [part]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: split.k_fold_items(x, n_splits=9), "as many items with entries, there are 2"),
        (lambda x: split.k_fold_users(x, n_splits=9), "as many users with entries, there are 2"),
        (lambda x: split.k_fold_per_user(x.take([0], [0])), "no user has 2 entries"),
        (lambda x: split.expanding(x), "needs timestamps"),
        (lambda x: split.rolling(x, window=3), "needs timestamps"),
    ],
)
def test_impossible_folds(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(Interactions.from_csr(np.ones((2, 2))))
