"""Cleaning against plain definitions."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import Interactions
from aimass_core.data import cleaning

MATRICES = st.integers(0, 2**32 - 1).map(
    lambda seed: (np.random.default_rng(seed).random((9, 7)) < 0.4).astype(np.float32)
)


@pytest.fixture
def dated() -> Interactions:
    return Interactions.from_arrays(
        ["a", "a", "b", "b"],
        ["x", "y", "x", "z"],
        [1.0, 2.0, 3.0, 4.0],
        np.array(["2024-01-01", "2024-01-11", "2024-01-21", "2024-01-31"], dtype="M8[s]"),
    )


@given(MATRICES, st.integers(0, 4), st.integers(0, 4))
def test_k_core(dense: np.ndarray, users: int, items: int) -> None:
    x = Interactions.from_csr(dense)
    core = cleaning.k_core(x, users=users, items=items)
    rows, cols = list(range(9)), list(range(7))
    while True:  # one at a time, the slow way
        part = dense[np.ix_(rows, cols)] > 0
        weak_rows = [r for r, n in zip(rows, part.sum(1)) if n < users]
        weak_cols = [c for c, n in zip(cols, part.sum(0)) if n < items]
        if weak_rows:
            rows.remove(weak_rows[0])
        elif weak_cols:
            cols.remove(weak_cols[-1])
        else:
            break
    assert core.users.ids.tolist() == rows
    assert core.items.ids.tolist() == cols
    assert (core.matrix.toarray() == dense[np.ix_(rows, cols)]).all()


def test_min_support_is_applied_once() -> None:
    x = Interactions.from_csr([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    once = cleaning.min_support(x, users=2, items=1)
    assert once.users.ids.tolist() == [0, 1]
    assert once.items.ids.tolist() == [0, 1, 2]
    assert cleaning.min_support(x) is x


@given(MATRICES, st.integers(1, 4), st.sampled_from(["last", "largest", "random"]))
def test_caps(dense: np.ndarray, n: int, keep: str) -> None:
    rng = np.random.default_rng(0)
    matrix = sp.csr_array(dense * rng.integers(1, 4, dense.shape))
    plain = Interactions.from_csr(matrix)
    x = Interactions(
        plain.matrix,
        plain.users,
        plain.items,
        timestamps=rng.permutation(plain.nnz),
        time_unit="raw",
    )
    capped = cleaning.cap_users(x, n, keep=keep, random_state=1)
    counts = np.diff(x.matrix.indptr)
    assert np.diff(capped.matrix.indptr).tolist() == np.minimum(counts, n).tolist()
    key = {"last": x.timestamps, "largest": x.matrix.data}.get(keep)
    if key is not None:
        left = capped.timestamps if keep == "last" else capped.matrix.data
        for row in range(x.n_users):
            mine = np.sort(key[x.row_indices() == row])[::-1][:n]
            assert sorted(left[capped.row_indices() == row]) == sorted(mine)
    by_item = cleaning.cap_items(x, n, keep=keep, random_state=1)
    per_item = np.bincount(x.matrix.indices, minlength=x.n_items)
    assert (
        np.bincount(by_item.matrix.indices, minlength=7).tolist()
        == np.minimum(per_item, n).tolist()
    )


def test_caps_need_what_they_go_by() -> None:
    x = Interactions.from_csr([[1, 1]])
    with pytest.raises(ValueError, match="build the interactions with time="):
        cleaning.cap_users(x, 1)
    with pytest.raises(ValueError, match="keep must be one of"):
        cleaning.cap_users(x, 1, keep="newest")
    with pytest.raises(ValueError, match="n must be at least 1"):
        cleaning.cap_items(x, 0, keep="random")


def test_drop_bots() -> None:
    dense = np.tril(np.ones((10, 10)))  # user i has i + 1 entries
    x = Interactions.from_csr(dense)
    assert cleaning.drop_bots(x, quantile=0.5).users.ids.tolist() == list(range(5))
    assert cleaning.drop_bots(x, quantile=1.0) is x
    assert cleaning.drop_bots(x, max_entries=3).n_users == 3
    equal = Interactions.from_csr(np.ones((4, 3)))
    assert cleaning.drop_bots(equal).n_users == 4
    with pytest.raises(ValueError, match="quantile must be"):
        cleaning.drop_bots(x, quantile=99)


def test_clip_values() -> None:
    x = Interactions.from_csr([[1, 2, 3, 4, 100]])
    assert cleaning.clip_values(x, low=2, high=4).matrix.data.tolist() == [2, 2, 3, 4, 4]
    assert cleaning.clip_values(x, quantiles=(0.25, 0.75)).matrix.data.tolist() == [2, 2, 3, 4, 4]
    assert x.matrix.data.tolist() == [1, 2, 3, 4, 100]
    for bad in (
        {},
        {"low": 5, "high": 1},
        {"low": 1, "quantiles": (0, 1)},
        {"quantiles": (0.9, 0.1)},
    ):
        with pytest.raises(ValueError):
            cleaning.clip_values(x, **bad)


def test_time_window(dated: Interactions) -> None:
    assert [v for *_, v in cleaning.time_window(dated, start="2024-01-11", end="2024-01-31")] == [
        2,
        3,
    ]
    noon = datetime.datetime(2024, 1, 11, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    assert cleaning.time_window(dated, end=noon).nnz == 1
    assert cleaning.time_window(dated, start=datetime.date(2024, 1, 12)).nnz == 2
    assert cleaning.time_window(dated, start=np.datetime64("2024-01-31")).nnz == 1
    assert cleaning.time_window(dated, start="2025-01-01").shape == dated.shape
    raw = Interactions.from_arrays([1, 2], [1, 2], times=[10, 20])
    assert cleaning.time_window(raw, end=15.5).nnz == 1
    with pytest.raises(TypeError, match="start must be a datetime"):
        cleaning.time_window(dated, start=5)
    with pytest.raises(TypeError, match="end must be a number"):
        cleaning.time_window(raw, end="2024-01-01")
    assert cleaning.time_window(dated, start="1678", end="2261-12-31").nnz == dated.nnz
    for far in ("1677-12-31", "2262-01-01", np.datetime64(10**12, "Y"), datetime.date.max):
        with pytest.raises(ValueError, match="end must be a date from 1678 to 2261"):
            cleaning.time_window(dated, end=far)
    for none in ("yesterday noon", "", "NaT"):
        with pytest.raises(ValueError, match="end must be a point in time"):
            cleaning.time_window(dated, end=none)


def test_time_decay(dated: Interactions) -> None:
    ten = datetime.timedelta(days=10)
    assert cleaning.time_decay(dated, half_life=ten).matrix.data.tolist() == [0.125, 0.5, 1.5, 4.0]
    later = cleaning.time_decay(dated, half_life=np.timedelta64(10, "D"), now="2024-02-10")
    assert later.matrix.data.tolist() == [0.0625, 0.25, 0.75, 2.0]
    assert dated.matrix.data.tolist() == [1, 2, 3, 4]
    assert (later.timestamps == dated.timestamps).all()
    with pytest.raises(ValueError, match="2 timestamps are later than now"):
        cleaning.time_decay(dated, half_life=ten, now="2024-01-15")
    with pytest.raises(TypeError, match="half_life must be a timedelta"):
        cleaning.time_decay(dated, half_life=10)
    raw = Interactions.from_arrays([1, 2], [1, 2], times=[10, 20])
    assert cleaning.time_decay(raw, half_life=10).matrix.data.tolist() == [0.5, 1.0]
    with pytest.raises(ValueError, match="half_life must be above 0"):
        cleaning.time_decay(raw, half_life=0)
    with pytest.raises(TypeError, match="half_life must be a number"):
        cleaning.time_decay(raw, half_life=ten)


EMPTY = Interactions.from_arrays([], [], [], np.array([], dtype=np.int64))


@pytest.mark.parametrize(
    "clean",
    [
        cleaning.k_core,
        cleaning.min_support,
        cleaning.drop_bots,
        lambda x: cleaning.cap_users(x, 2),
        lambda x: cleaning.cap_items(x, 2, keep="random"),
        lambda x: cleaning.clip_values(x, high=1),
        lambda x: cleaning.clip_values(x, quantiles=(0, 1)),
        lambda x: cleaning.time_window(x, start=1),
        lambda x: cleaning.time_decay(x, half_life=1),
    ],
)
def test_nothing_to_clean(clean: Callable[[Interactions], Interactions]) -> None:
    assert clean(EMPTY).shape == (0, 0)
