"""Where steps in float32 end: at their own rounding, or where they fail."""

from __future__ import annotations

import numpy as np
import pytest

from aimass_core import GaussianMixture
from aimass_core.mixture._dense_rows import DenseRows


def overlapping():
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (6_000, 16))
    X[:2_100] += 1
    X[2_100:3_600] -= 1
    return X.astype(np.float32)


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("kind", ["full", "diag"])
def test_a_small_tol_is_reached_as_in_float64(kind, accelerate):
    X, found = overlapping(), []
    for rows in (X, X.astype(np.float64)):
        model = GaussianMixture(
            3, covariance_type=kind, tol=1e-10, max_iter=300, random_state=0, accelerate=accelerate
        )
        found.append(model.fit(rows))
    single, double = found
    assert single.converged_
    assert double.converged_
    assert single.n_iter_ <= 1.2 * double.n_iter_ + 10
    assert np.diff(single.lower_bounds_).min() > -1e-6
    np.testing.assert_allclose(single.lower_bound_, double.lower_bound_, rtol=1e-8)


@pytest.mark.parametrize("fault", ["raises", "falls"])
@pytest.mark.parametrize("kind", ["full", "diag"])
def test_a_step_that_fails_is_done_again_in_float64(monkeypatch, kind, fault):
    """What float32 may do at worst: squares that are lost, or a likelihood that falls."""
    X, step, calls = overlapping(), DenseRows.step, []

    def faulty(self, standardizer, coefficients, score_form, sums_form, hard):
        sums, score = step(self, standardizer, coefficients, score_form, sums_form, hard)
        if self.X.dtype == np.float32 and score_form in ("triangular", "diag"):
            calls.append(score_form)
            if len(calls) == 3:
                if fault == "raises":
                    sums[:, 17:] *= np.nan
                else:
                    score -= 1e-3 * len(self.X)
        return sums, score

    def fitted(rows):
        model = GaussianMixture(3, covariance_type=kind, tol=1e-5, max_iter=300, random_state=0)
        return model.fit(rows)

    expected = fitted(X.astype(np.float64))
    monkeypatch.setattr(DenseRows, "step", faulty)
    found = fitted(X)
    assert len(calls) == 3
    assert np.diff(found.lower_bounds_).min() > -1e-6
    np.testing.assert_allclose(found.lower_bound_, expected.lower_bound_, atol=1e-4)
