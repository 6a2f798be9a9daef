"""baseline_sgd against its reference, and what a step must do."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import reference
from aimass_core.base.validation import as_csr, csr_parts
from aimass_core.jit.baseline_sgd import baseline_sgd


def trained(step, X, n_epochs, rate, regularization):
    bu, bi = np.zeros(X.shape[0]), np.zeros(X.shape[1])
    mean = float(X.data.mean()) if X.nnz else 0.0
    for _ in range(n_epochs):
        step(*csr_parts(X), bu, bi, mean, rate, regularization)
    return bu, bi


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(deadline=None)  # the first call compiles
@given(
    shape=st.tuples(st.integers(0, 12), st.integers(0, 9)),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_equals_the_reference(dtype, shape, density, seed):
    rng = np.random.default_rng(seed)
    X = as_csr(sp.csr_array(rng.normal(size=shape) * (rng.random(shape) < density)), dtype=dtype)
    ours = trained(baseline_sgd, X, 3, 0.01, 0.1)
    expected = trained(reference.baseline_sgd, X, 3, 0.01, 0.1)
    np.testing.assert_allclose(np.concatenate(ours), np.concatenate(expected), rtol=1e-12)


def test_converges_to_the_regularised_optimum(small_ratings):
    X = as_csr(small_ratings, dtype=np.float64)
    bu, bi = trained(baseline_sgd, X, 20000, 0.0005, 0.5)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    error = X.data - X.data.mean() - bu[rows] - bi[X.indices]
    gradient = np.bincount(X.indices, weights=error - 0.5 * bi[X.indices], minlength=X.shape[1])
    assert np.abs(gradient).max() < 0.05


def test_users_and_items_without_ratings_stay_zero(small_ratings):
    bu, bi = trained(baseline_sgd, as_csr(small_ratings), 5, 0.01, 0.02)
    assert bu[7] == 0
    assert bi[11] == 0
    assert np.count_nonzero(bu) == 39
