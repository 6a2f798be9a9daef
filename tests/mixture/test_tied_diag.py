"""Covariances of the type "tied_diag": one diagonal matrix for all components."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp

from aimass_core import GaussianMixture, load
from aimass_core.exceptions import ConvergenceWarning
from aimass_core.mixture import select


def groups(n=900, seed=0):
    """Three groups of equal diagonal covariance, and their labels."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    centres = np.array([[0.0, 0, 0, 0], [6, 3, 0, 9], [0, 9, -4, 4]])
    return centres[label] + rng.normal(size=(n, 4)) * [1.0, 0.5, 2.0, 3.0], label


def fit(X, weight=None, **parameters):
    options = {"n_components": 3, "covariance_type": "tied_diag", "random_state": 0} | parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(**options).fit(X, sample_weight=weight)


def start(X):
    return {
        "weights_init": [0.5, 0.3, 0.2],
        "means_init": X[:3],
        "precisions_init": np.ones(4),
        "tol": 0.0,
        "max_iter": 12,
        "reg_covar": 0.0,
    }


def plain_em(X, weight, n_iter):
    """EM by its definition, from `start`."""
    pi, means, variance = np.array([0.5, 0.3, 0.2]), X[:3].copy(), np.ones(4)
    for _ in range(n_iter):
        squares = ((X[:, None] - means) ** 2 / variance).sum(axis=2)
        scores = np.log(pi) - 0.5 * (squares + np.log(2 * np.pi * variance).sum())
        total = logsumexp(scores, axis=1)
        resp = np.exp(scores - total[:, None]) * weight[:, None]
        counts = resp.sum(axis=0)
        means = resp.T @ X / counts[:, None]
        deviations = (X[:, None] - means) ** 2
        variance = np.einsum("nk,nkd->d", resp, deviations) / weight.sum()
        pi = counts / weight.sum()
    return pi, means, variance, float(weight @ total / weight.sum())


@pytest.mark.parametrize("is_weighted", [False, True])
def test_it_is_em_by_its_definition(is_weighted):
    X, _ = groups()
    weight = np.random.default_rng(1).uniform(0.5, 2, len(X)) if is_weighted else np.ones(len(X))
    model = fit(X, weight if is_weighted else None, **start(X))
    pi, means, variance, bound = plain_em(X, weight, 12)
    np.testing.assert_allclose(model.weights_, pi, rtol=1e-9)
    np.testing.assert_allclose(model.means_, means, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(model.covariances_, variance, rtol=1e-9)
    assert model.lower_bound_ == pytest.approx(bound, rel=1e-10)
    np.testing.assert_allclose(model.precisions_, 1 / variance, rtol=1e-9)


@pytest.mark.parametrize("data", ["sparse", "missing", "parquet", "float32"])
def test_other_data_give_the_same(data, tmp_path):
    X, _ = groups()
    X = np.where(np.random.default_rng(3).random(X.shape) < 0.7, X, 0)
    weight, given = None, X
    expected = fit(X, **start(X))
    if data == "sparse":
        given = sp.csr_array(X)
    elif data == "missing":
        given, weight = np.vstack([X, np.full((1, 4), np.nan)]), np.append(np.ones(len(X)), 0.0)
    elif data == "float32":
        given = X.astype(np.float32)
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table(dict(zip("abcd", X.T, strict=True))), tmp_path / "x.parquet")
        given = tmp_path / "x.parquet"
    model = fit(given, weight, **start(X), missing="marginalize" if data == "missing" else "error")
    tolerance = 1e-5 if data == "float32" else 1e-9
    np.testing.assert_allclose(model.lower_bounds_, expected.lower_bounds_, rtol=tolerance)
    np.testing.assert_allclose(model.covariances_, expected.covariances_, rtol=1e-4)
    if data == "sparse":
        for name in ("score_samples", "predict_proba", "predict"):
            one, two = getattr(model, name)(given), getattr(expected, name)(X)
            np.testing.assert_allclose(one, two, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"accelerate": True},
        {"split_merge": 2},
        {"noise": 0.05},
        {"noise": 0.05, "split_merge": 2, "missing": "marginalize"},
        {"degrees_of_freedom_prior": 6.0, "mean_precision_prior": 0.1},
        {"init_params": "random"},
        {"weight_concentration_prior": 2.0},
    ],
    ids=str,
)
def test_with_other_options(options):
    X, label = groups()
    options = {"tol": 1e-7, "max_iter": 1000} | options
    if "noise" in options:
        X[::40] = np.random.default_rng(5).uniform(-60, 60, X[::40].shape)
    if "missing" in options:
        X[np.random.default_rng(6).random(X.shape) < 0.05] = np.nan
    model = fit(X, **options)
    bounds = np.array(model.lower_bounds_)
    assert (np.diff(bounds) >= -1e-6 * (1 + abs(bounds[1:]))).all()
    assert model.covariances_.shape == (4,)
    resp = model.predict_proba(X)
    np.testing.assert_allclose(resp.sum(axis=1), 1)
    if "init_params" not in options:
        kept = model.predict(X) >= 0
        assert len(np.unique(label[kept] * 10 + model.predict(X)[kept])) <= 6
        assert kept.mean() > 0.9


def test_batches_samples_and_files(tmp_path):
    X, _ = groups(6000)
    model = GaussianMixture(3, covariance_type="tied_diag", random_state=0, max_iter=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for begin in range(0, 6000, 1000):
            model.partial_fit(X[begin : begin + 1000])
    whole = fit(X)
    assert abs(model.score(X) - whole.score(X)) < 0.01 * abs(whole.score(X))
    drawn, component = whole.sample(60_000)
    deviations = drawn - whole.means_[component]
    np.testing.assert_allclose(deviations.var(axis=0), whole.covariances_, rtol=0.05)
    whole.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert (again.predict_proba(X) == whole.predict_proba(X)).all()
    with pytest.raises(ValueError, match="tied_diag"):
        whole.to_sklearn()


def test_units_threads_and_the_number_of_parameters():
    X, _ = groups()
    unit = np.array([1e-9, 1.0, 1e12, 1e3])
    one, two = fit(X), fit(X * unit)
    np.testing.assert_allclose(two.covariances_ / unit**2, one.covariances_, rtol=1e-6)
    assert fit(X, n_threads=1).lower_bounds_ == fit(X, n_threads=3).lower_bounds_
    assert one._n_parameters() == 4 + 3 * 4 + 2
    selection = select(
        X,
        n_components=[2, 3, 4],
        covariance_types=["full", "diag", "tied_diag"],
        random_state=0,
        n_init=3,
    )
    assert (selection.best.covariance_type, selection.best.n_components) == ("tied_diag", 3)
