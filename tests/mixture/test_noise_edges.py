"""The noise component at its edges: rows whose density overflows, files, sparse bounds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import GaussianMixture, load
from aimass_core.mixture._sparse_rows import SparseRows

every_type = pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])


def planted(n=3000):
    """Three groups, and rows anywhere."""
    rng = np.random.default_rng(0)
    X = rng.normal(0, 8, (3, 3))[rng.integers(0, 3, n)] + rng.normal(size=(n, 3))
    X[: n // 20] = rng.uniform(-40, 40, (n // 20, 3))
    return X[::-1].copy()


def fit(X, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianMixture(3, noise=0.05, random_state=0, **parameters).fit(X)


@every_type
@pytest.mark.parametrize("form", ["dense", "holes", "sparse"])
def test_rows_whose_density_overflows_are_outliers(kind, form):
    if form == "sparse" and kind in ("full", "tied"):
        pytest.skip("sparse rows have diagonal covariances")
    X = planted()
    model = fit(X, covariance_type=kind, missing="marginalize")
    rows = np.array([X[0], [1e200, 0, 0], [-1e300, 1e300, 1e200], [1e160, 1e160, 1e160]])
    low, high = model.noise_bounds_
    expected = np.full(3, np.log(model.noise_weight_) - np.log(high - low).sum())
    if form == "holes":
        rows[2, 1] = np.nan
        expected[1] += np.log(high - low)[1]
    given = sp.csr_array(rows) if form == "sparse" else rows
    with np.errstate(all="ignore"):
        labels, shares = model.predict(given), model.predict_proba(given)
        scores = model.score_samples(given)
    assert labels.tolist() == [model.predict(X[:1])[0], -1, -1, -1]
    assert (shares[1:] == [0, 0, 0, 1]).all()
    np.testing.assert_allclose(scores[1:], expected, rtol=1e-9)
    np.testing.assert_allclose(scores[0], model.score_samples(X[:1])[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("noise_weight_", 1.0, "noise_weight_ must be from 0 to below 1, got 1.0"),
        ("noise_weight_", -0.1, "noise_weight_ must be"),
        ("noise_weight_", np.nan, "noise_weight"),
        ("noise_bounds_", np.full((2, 3), np.nan), "noise_bounds_ must be finite"),
        ("noise_bounds_", np.array([[1.0] * 3, [0.0] * 3]), "the lower ones first"),
        ("noise_bounds_", np.zeros((2, 4)), "noise_bounds_ has a wrong shape"),
        ("noise_bounds_", None, "noise_bounds_"),
        ("_noise_log_widths", np.full(3, np.inf), "widths of the noise's box must be finite"),
    ],
)
def test_files_with_a_wrong_box_are_refused(name, value, words, tmp_path):
    model = fit(planted(500))
    setattr(model, name, value)
    model.save(tmp_path / "m")
    with pytest.raises(ValueError, match=words):
        load(tmp_path / "m")


def test_dense_bounds_of_sparse_rows_are_flat(monkeypatch):
    """SciPy before 1.13 gives the least value of each column with the shape (1, d)."""
    X = sp.csr_array([[1.0, 0, -2], [0, 4, 0], [3, 0, 9]])
    low, high = SparseRows(X, None, 1).bounds()
    assert low.tolist() == [0, 0, -2]
    assert high.tolist() == [3, 4, 9]
    for name in ("min", "max"):
        own = getattr(sp.csr_array, name)
        monkeypatch.setattr(
            sp.csr_array,
            name,
            lambda self, axis, own=own: sp.coo_matrix(
                np.atleast_2d(own(self, axis=axis).toarray())
            ),
        )
    low, high = SparseRows(X, np.array([1.0, 1, 0]), 1).bounds()
    assert low.tolist() == [0, 0, -2]
    assert high.tolist() == [1, 4, 0]
