"""csr_check against its reference; it has to be safe on any garbage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import _core, reference

DTYPES = (np.float32, np.float64)


def triple(indptr, indices, data, dtype=np.float32):
    return np.array(indptr, np.int64), np.array(indices, np.int32), np.array(data, dtype)


small = st.integers(-2, 7)
values = st.sampled_from([0.0, 1.0, -2.5, float("nan"), float("inf"), -float("inf"), 1e-40])


@given(
    st.lists(small, min_size=1, max_size=8),
    st.lists(st.tuples(small, values), max_size=8),
    st.integers(0, 6),
    st.sampled_from(DTYPES),
)
def test_equals_reference_on_garbage(indptr, entries, n_cols, dtype):
    x = triple(indptr, [c for c, _ in entries], [v for _, v in entries], dtype)
    assert _core.csr_check(*x, n_cols=n_cols) == reference.csr_check(*x, n_cols=n_cols)


@given(
    st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=8),
    st.sampled_from(DTYPES),
)
def test_order_and_duplicates(rows, dtype):
    indices = [c for row in rows for c in row]
    x = triple(np.cumsum([0, *map(len, rows)]), indices, np.ones(len(indices)), dtype)
    is_sorted = all(row == sorted(row) for row in rows)
    status = _core.csr_check(*x, n_cols=6)
    assert status[:3] == (0, 0, is_sorted)
    if is_sorted:
        assert status[3] == any(len(set(row)) < len(row) for row in rows)
    assert status == reference.csr_check(*x, n_cols=6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", [0, 65_535, 65_536, 200_000 - 1])
def test_the_first_bad_place_in_a_long_matrix(place, dtype):
    n = 200_000
    indptr, indices, data = triple([0, n], np.arange(n), np.ones(n), dtype)
    assert _core.csr_check(indptr, indices, data, n_cols=n) == (0, 0, True, False)
    data[[place, -1]] = np.nan
    assert _core.csr_check(indptr, indices, data, n_cols=n) == (3, place, False, False)
    indices[place] = -(2**31)
    assert _core.csr_check(indptr, indices, data, n_cols=n) == (2, place, False, False)


@pytest.mark.parametrize(
    ("indptr", "place"),
    [([1, 2], 0), ([0, 2**62, 2], 1), ([0, -(2**62), 2], 1), ([0, 1], 1), ([0, 2, 1, 2], 2)],
)
def test_row_starts_that_lead_outside(indptr, place):
    x = triple(indptr, [0, 1], [1, 1])
    assert _core.csr_check(*x, n_cols=2) == (1, place, False, False)


def test_lengths_and_dtypes_are_refused():
    indptr, indices, data = triple([0, 2], [0, 1], [1, 1])
    with pytest.raises(ValueError, match="data"):
        _core.csr_check(indptr, indices, data[:1], n_cols=2)
    with pytest.raises(ValueError, match="indptr"):
        _core.csr_check(indptr[:0], indices, data, n_cols=2)
    with pytest.raises(TypeError):
        _core.csr_check(indptr.astype(np.int32), indices, data, n_cols=2)


def test_read_only_input():
    x = triple([0, 2], [0, 1], [1, 1])
    for array in x:
        array.flags.writeable = False
    assert _core.csr_check(*x, n_cols=2) == (0, 0, True, False)


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_change_nothing(dtype):
    rng = np.random.default_rng(3)
    n_rows, nnz = 200_000, 400_000
    indptr = np.sort(np.concatenate([[0, nnz], rng.integers(0, nnz, n_rows - 1)]))
    x = triple(indptr, rng.integers(0, 50, nnz), np.ones(nnz), dtype)
    good = triple(np.arange(n_rows + 1), rng.integers(0, 50, n_rows), np.ones(n_rows), dtype)
    bad = triple(indptr, rng.integers(0, 50, nnz), np.ones(nnz), dtype)
    bad[2][[70_000, 390_000]] = np.inf
    bad[1][300_000] = 50
    falling = indptr[::-1], *bad[1:]
    for matrix in (x, good, bad, tuple(map(np.ascontiguousarray, falling))):
        expected = reference.csr_check(*matrix, n_cols=50)
        for n_threads in (1, 2, 7):
            assert _core.csr_check(*matrix, n_cols=50, n_threads=n_threads) == expected
