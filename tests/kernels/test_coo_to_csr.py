"""coo_to_csr against its reference and against SciPy, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import _core, reference

RULES = ("sum", "last", "first", "mean", "max", "min", "count", "error")
DTYPES = (np.float32, np.float64)


def triplets(n, n_rows, n_cols, dtype, seed, *, times=False):
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, n_rows, n, np.int32),
        (rng.random(n) ** 3 * n_cols).astype(np.int32),
        (rng.integers(-10, 20, n) / 4).astype(dtype),
        rng.integers(0, 6, n) if times else None,
        n_rows,
        n_cols,
    )


def equal(a, b):
    for x, y in zip(a, b, strict=True):
        if x is None or y is None:
            assert x is y
        else:
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, 4),
            st.integers(-9, 9),
            st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=40,
    ),
    st.sampled_from(RULES[:-1]),
    st.sampled_from(DTYPES),
    st.booleans(),
)
def test_equals_reference(entries, rule, dtype, with_times):
    rows, cols, data, times = np.array(entries, dtype=object).reshape(-1, 4).T
    arguments = (
        rows.astype(np.int32),
        cols.astype(np.int32),
        data.astype(dtype) / 4,
        times.astype(np.int64) if with_times else None,
    )
    got = _core.coo_to_csr(*arguments, 6, 5, rule, 2)
    equal(got, reference.coo_to_csr(*arguments, 6, 5, rule, 2))
    assert _core.csr_check(*got[:3], 5) == (0, 0, True, False)


@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("rule", RULES[:-1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_many_parts_and_any_number_of_threads(rule, dtype, times):
    x = triplets(300_000, 900, 500, dtype, seed=1, times=times)
    expected = reference.coo_to_csr(*x, rule, 1)
    for n_threads in (1, 2, 3, 7):
        equal(_core.coo_to_csr(*x, rule, n_threads), expected)


@pytest.mark.parametrize("shape", [(3, 100_000), (100_000, 3), (1, 1), (70_000, 70_000)])
def test_equals_scipy(shape):
    x = triplets(200_000, *shape, np.float64, seed=2)
    matrix = sp.coo_array((x[2], x[:2]), shape=shape).tocsr()
    matrix.sum_duplicates()
    indptr, indices, data, _ = _core.coo_to_csr(*x, "sum", 2)
    np.testing.assert_array_equal(indptr, matrix.indptr)
    np.testing.assert_array_equal(indices, matrix.indices)
    np.testing.assert_array_equal(data, matrix.data)  # multiples of 1/4: exact in any order


@pytest.mark.parametrize("order", ["sorted", "reversed", "one row", "one cell"])
def test_unfriendly_orders(order):
    rows, cols, data, _, n_rows, n_cols = triplets(150_000, 5_000, 300, np.float32, seed=3)
    if order in ("sorted", "reversed"):
        by = np.lexsort((cols, rows))[:: 1 if order == "sorted" else -1]
        rows, cols, data = rows[by], cols[by], data[by]
    if order in ("one row", "one cell"):
        rows[:] = n_rows - 1
    if order == "one cell":
        cols[:] = n_cols - 1
    for rule in ("sum", "last", "first"):
        arguments = (rows, cols, data, None, n_rows, n_cols, rule)
        equal(_core.coo_to_csr(*arguments, 3), reference.coo_to_csr(*arguments, 1))


@pytest.mark.parametrize("n_cols", [2**31 - 1, 40])
def test_few_entries_in_a_huge_matrix(n_cols):
    n_rows = 5_000_000  # the word of row, column and place would need more than 64 bits
    rng = np.random.default_rng(4)
    rows = rng.integers(0, n_rows, 3_000).astype(np.int32)
    cols = rng.integers(0, n_cols, 3_000).astype(np.int32)
    rows, cols = np.tile(rows, 2), np.tile(cols, 2)
    data = np.arange(6_000, dtype=np.float64)
    arguments = (rows, cols, data, None, n_rows, n_cols)
    equal(_core.coo_to_csr(*arguments, "last", 2), reference.coo_to_csr(*arguments, "last", 1))


def test_last_and_first_go_by_time_then_by_place():
    one = np.zeros(4, np.int32)
    data = np.array([1, 2, 3, 4], np.float64)
    times = np.array([5, 9, 9, 5])
    for rule, value, time in (("last", 3, 9), ("first", 1, 5), ("sum", 10, 9)):
        result = _core.coo_to_csr(one, one, data, times, 1, 1, rule, 1)
        assert (result[2][0], result[3][0]) == (value, time)


def test_sums_are_computed_in_double():
    data = np.array([2**24, 1, 1], np.float32)
    zero = np.zeros(3, np.int32)
    assert _core.coo_to_csr(zero, zero, data, None, 1, 1, "sum", 1)[2][0] == 2**24 + 2


def test_error_names_the_first_duplicate():
    rows = np.array([3, 1, 3, 1, 0], np.int32)
    cols = np.array([2, 4, 2, 4, 4], np.int32)
    data = np.ones(5, np.float32)
    for kernel in (_core.coo_to_csr, reference.coo_to_csr):
        with pytest.raises(ValueError, match=r"row 1, col 4"):
            kernel(rows, cols, data, None, 4, 5, "error", 2)
    equal(
        _core.coo_to_csr(rows[2:], cols[2:], data[2:], None, 4, 5, "error", 2),
        reference.coo_to_csr(rows[2:], cols[2:], data[2:], None, 4, 5, "error", 2),
    )


@pytest.mark.parametrize("bad", [-1, 5, -(2**31), 2**31 - 1])
@pytest.mark.parametrize("name", ["rows", "cols"])
def test_bounds(name, bad):
    rows, cols = np.zeros(100, np.int32), np.zeros(100, np.int32)
    {"rows": rows, "cols": cols}[name][[17, 60]] = bad
    for kernel in (_core.coo_to_csr, reference.coo_to_csr):
        with pytest.raises(ValueError, match=rf"{name}\[17\] is {bad}"):
            kernel(rows, cols, np.ones(100), None, 5, 5, "sum", 2)


def test_empty():
    none = np.empty(0, np.int32)
    for shape in ((0, 0), (0, 3), (3, 0), (4, 2)):
        arguments = (none, none, np.empty(0, np.float32), np.empty(0, np.int64), *shape, "max", 2)
        equal(_core.coo_to_csr(*arguments), reference.coo_to_csr(*arguments))


def test_what_the_border_refuses():
    x = triplets(10, 4, 4, np.float32, seed=0)
    with pytest.raises(ValueError, match="duplicates must be one of"):
        _core.coo_to_csr(*x, "average", 1)
    with pytest.raises(ValueError, match="cols"):
        _core.coo_to_csr(x[0], x[1][:5], *x[2:], "sum", 1)
    with pytest.raises(ValueError, match="n_rows"):
        _core.coo_to_csr(*x[:4], 2**31, 4, "sum", 1)
    with pytest.raises(TypeError):
        _core.coo_to_csr(x[0].astype(np.int64), *x[1:], "sum", 1)


def test_input_is_not_changed_and_may_be_read_only():
    x = triplets(1_000, 30, 20, np.float32, seed=5, times=True)
    copies = [array.copy() for array in x[:4]]
    for array in x[:4]:
        array.flags.writeable = False
    _core.coo_to_csr(*x, "last", 2)
    equal(x[:4], copies)
