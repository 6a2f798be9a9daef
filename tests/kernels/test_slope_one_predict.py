"""slope_one_predict against its reference, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _similarity import DTYPES, parts, skewed
from hypothesis import given
from hypothesis import strategies as st

from aimass_core import _core, reference


def call(kernel, x, users, items, n_threads=1):
    t = _core.csr_transpose(*parts(x), x.shape[1], 1)
    return kernel(*parts(x), *t, users, items, n_threads)


def queries(x, n, seed):
    rng = np.random.default_rng(seed)
    return (rng.integers(0, max(size, 1), n, np.int32) for size in x.shape)


def check(x, users, items, n_threads=1):
    sum_dev, n_used = call(_core.slope_one_predict, x, users, items, n_threads)
    expected, expected_n = call(reference.slope_one_predict, x, users, items)
    np.testing.assert_array_equal(n_used, expected_n)
    eps = np.finfo(x.dtype).eps
    np.testing.assert_allclose(sum_dev, expected, rtol=8 * eps, atol=200 * eps)
    assert sum_dev.dtype == x.dtype
    return sum_dev, n_used


@given(
    st.integers(1, 15),
    st.integers(1, 12),
    st.floats(0, 1),
    st.sampled_from(DTYPES),
    st.integers(0, 2**32 - 1),
)
def test_equals_reference(n_users, n_items, density, dtype, seed):
    x = skewed(n_users, n_items, density, dtype, seed)
    check(x, *queries(x, 20, seed))


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads_or_order(dtype):
    x = skewed(400, 300, 0.2, dtype, seed=1)
    users, items = queries(x, 5_000, seed=2)
    one = check(x, users, items)
    for n_threads in (2, 3, 7):
        many = call(_core.slope_one_predict, x, users, items, n_threads)
        assert all((a == b).all() for a, b in zip(one, many, strict=True))
    turned = call(_core.slope_one_predict, x, users[::-1].copy(), items[::-1].copy(), 2)
    assert all((a == b[::-1]).all() for a, b in zip(one, turned, strict=True))


def test_by_hand():
    # Lemire & Maclachlan's first figure: user B, item J: 2 + (1.5 - 1) = 2.5.
    x = sp.csr_array(np.array([[1.0, 1.5], [2.0, 0.0]]))
    x.indptr, x.indices = x.indptr.astype(np.int64), x.indices.astype(np.int32)
    sum_dev, n_used = call(
        _core.slope_one_predict, x, np.array([1], np.int32), np.array([1], np.int32)
    )
    assert (sum_dev[0], n_used[0]) == (0.5, 1)


def test_no_rating_and_no_query():
    x = skewed(4, 3, 0.0, np.float64, seed=0)
    none = np.empty(0, np.int32)
    assert [len(a) for a in call(_core.slope_one_predict, x, none, none)] == [0, 0]
    check(x, *queries(x, 5, seed=0))


@pytest.mark.parametrize("bad", [-1, 10, 2**31 - 1])
def test_queries_are_checked(bad):
    x = skewed(10, 10, 0.5, np.float64, seed=3)
    good, wrong = np.zeros(3, np.int32), np.array([0, bad, 0], np.int32)
    for kernel in (_core.slope_one_predict, reference.slope_one_predict):
        with pytest.raises(ValueError, match=r"query_user\[1\]"):
            call(kernel, x, wrong, good)
        with pytest.raises(ValueError, match=r"query_item\[1\]"):
            call(kernel, x, good, wrong)


def test_the_transpose_has_to_fit():
    x = skewed(10, 8, 0.5, np.float64, seed=4)
    other = skewed(7, 10, 0.5, np.float64, seed=4)
    one = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="transpose"):
        _core.slope_one_predict(*parts(x), *parts(other), one, one, 1)
