"""bias_epoch against its reference."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import reference
from aimass_core.base.validation import as_csr
from aimass_core.jit.baseline_sgd import baseline_sgd
from aimass_core.jit.bias_epoch import bias_epoch


def trained(step, X, rates, penalties):
    bu, bi, errors = np.zeros(X.shape[0]), np.zeros(X.shape[1]), np.zeros(X.nnz)
    for _ in range(3):
        step(X.indptr, X.indices, X.data, bu, bi, 0.3, rates, penalties, errors)
    return bu, bi, errors


def matrix(shape, density, seed):
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=shape) * (rng.random(shape) < density)
    return as_csr(sp.csr_array(dense), dtype=np.float64)


@settings(deadline=None)  # the first call compiles
@given(
    shape=st.tuples(st.integers(0, 12), st.integers(0, 9)),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_equals_the_reference(shape, density, seed):
    X = matrix(shape, density, seed)
    ours = trained(bias_epoch, X, (0.01, 0.03), (0.1, 0.2))
    expected = trained(reference.bias_epoch, X, (0.01, 0.03), (0.1, 0.2))
    np.testing.assert_allclose(np.concatenate(ours), np.concatenate(expected), rtol=1e-12)


def test_equal_rates_and_penalties_are_those_of_the_baseline():
    X = matrix((12, 9), 0.6, 0)
    bu, bi, _ = trained(bias_epoch, X, (0.01, 0.01), (0.1, 0.1))
    other = np.zeros(12), np.zeros(9)
    for _ in range(3):
        baseline_sgd(X.indptr, X.indices, X.data, *other, 0.3, 0.01, 0.1)
    np.testing.assert_array_equal(bu, other[0])
    np.testing.assert_array_equal(bi, other[1])


def test_an_error_is_that_before_the_step():
    X = as_csr(np.array([[2.0]]), dtype=np.float64)
    bu, bi, errors = np.zeros(1), np.zeros(1), np.zeros(1)
    bias_epoch(X.indptr, X.indices, X.data, bu, bi, 0.5, (0.1, 0.0), (0.0, 0.0), errors)
    assert errors[0] == 1.5
    assert bu[0] == pytest.approx(0.15)
    assert bi[0] == 0
