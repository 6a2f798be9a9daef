"""rating_nmf_epoch against its reference."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import reference
from aimass_core.base.validation import as_csr
from aimass_core.jit.baseline_sgd import baseline_sgd
from aimass_core.jit.rating_nmf_epoch import rating_nmf_epoch

RATES, PENALTIES = (0.01, 0.03), (0.06, 0.04, 0.1, 0.2)


def matrix(shape, density, seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 6, shape) * (rng.random(shape) < density)
    return as_csr(sp.csr_array(dense), dtype=dtype)


def trained(step, X, n_factors, rates=RATES, penalties=PENALTIES, moves_items=True):
    """Return factors, biases and losses of three epochs."""
    rng = np.random.default_rng(1)
    users, items = (rng.random((n, n_factors)).astype(X.dtype) for n in X.shape)
    biases = np.zeros(X.shape[0]), np.zeros(X.shape[1])
    parts = X.indptr, X.indices, X.data, users, items, *biases
    losses = [step(*parts, 0.3, rates, penalties, moves_items) for _ in range(3)]
    return users, items, *biases, np.array(losses)


@settings(deadline=None)  # the first call compiles
@given(
    shape=st.tuples(st.integers(0, 12), st.integers(0, 9)),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
    n_factors=st.integers(1, 9),
    moves_items=st.booleans(),
)
def test_equals_the_reference(shape, density, seed, n_factors, moves_items):
    X = matrix(shape, density, seed)
    ours, expected = (
        trained(step, X, n_factors, moves_items=moves_items)
        for step in (rating_nmf_epoch, reference.rating_nmf_epoch)
    )
    for got, want in zip(ours, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_single_precision_equals_the_reference():
    X = matrix((30, 20), 0.4, 0, np.float32)
    ours, expected = (
        trained(step, X, 7) for step in (rating_nmf_epoch, reference.rating_nmf_epoch)
    )
    assert ours[0].dtype == np.float32
    for got, want in zip(ours, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_without_factors_the_biases_are_those_of_the_baseline():
    X = matrix((12, 9), 0.6, 0)
    users, items, bu, bi, _ = trained(rating_nmf_epoch, X, 0, (0.01, 0.01), (0.0, 0.0, 0.1, 0.1))
    assert users.size == items.size == 0
    other = np.zeros(12), np.zeros(9)
    for _ in range(3):
        baseline_sgd(X.indptr, X.indices, X.data, *other, 0.3, 0.01, 0.1)
    np.testing.assert_allclose(bu, other[0], rtol=1e-12)
    np.testing.assert_allclose(bi, other[1], rtol=1e-12)


def test_an_error_is_that_before_the_step():
    X = as_csr(np.array([[2.0]]), dtype=np.float64)
    bu, bi, none = np.zeros(1), np.zeros(1), np.zeros((1, 1))
    parts = X.indptr, X.indices, X.data, none, none.copy(), bu, bi
    total = rating_nmf_epoch(*parts, 0.5, (0.1, 0.0), (0.0,) * 4, True)
    assert total == pytest.approx(1.5**2)
    assert bu[0] == pytest.approx(0.15)
    assert bi[0] == 0
