"""Categorical columns: the likelihood by its definition, all options, answers, files."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from aimass_core import GaussianMixture, load
from aimass_core.exceptions import ConvergenceWarning

TYPES = ["full", "tied", "diag", "tied_diag", "spherical"]
every_type = pytest.mark.parametrize("kind", TYPES)
SHARES = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])


def groups(n=900, seed=0):
    """Groups that overlap in the continuous columns (0, 2) and differ in the codes (1, 3)."""
    rng = np.random.default_rng(seed)
    label = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    X = np.empty((n, 4))
    X[:, [0, 2]] = np.array([[0, 0], [2.5, 0], [0, 2.5]])[label] + rng.normal(size=(n, 2))
    X[:, 1] = (rng.random(n)[:, None] > np.cumsum(SHARES[label], axis=1)).sum(axis=1)
    X[:, 3] = rng.random(n) < np.array([0.9, 0.5, 0.1])[label]
    return X, label


def fit(X, weight=None, **parameters):
    options = {"n_components": 3, "categorical_features": [1, 3], "random_state": 0} | parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(**options).fit(X, sample_weight=weight)


def matrices(model):
    covariances = model.covariances_
    if model.covariance_type == "spherical":
        return [np.eye(2) * value for value in covariances]
    if model.covariance_type in ("tied", "tied_diag"):
        covariances = [covariances] * 3
    return [c if np.ndim(c) == 2 else np.diag(c) for c in covariances]


def log_joint(model, X):
    """log(weight * density) of each component, by its definition."""
    scores = []
    for k, covariance in enumerate(matrices(model)):
        normal = multivariate_normal(model.means_[k], covariance).logpdf(X[:, [0, 2]])
        codes = sum(
            np.log(table[k][X[:, column].astype(int)])
            for column, table in model.category_probabilities_.items()
        )
        scores.append(np.log(model.weights_[k]) + normal + codes)
    return np.array(scores).T


@every_type
def test_density_and_one_step_by_their_definition(kind):
    X, _ = groups()
    model = fit(X, covariance_type=kind, tol=1e-5, max_iter=300)
    joint = log_joint(model, X)
    total = logsumexp(joint, axis=1)
    np.testing.assert_allclose(model.score_samples(X), total, rtol=1e-9)
    resp = np.exp(joint - total[:, None])
    np.testing.assert_allclose(model.predict_proba(X), resp, atol=1e-9)
    np.testing.assert_array_equal(model.predict(X), resp.argmax(axis=1))
    prior = sum(
        np.log(table).sum() / table.shape[1] for table in model.category_probabilities_.values()
    )
    again = fit(X, covariance_type=kind, warm_start=True, max_iter=1)
    again._adopt_parameters(
        kind,
        model.weights_,
        model.means_,
        model.covariances_,
        model.precisions_cholesky_,
        None,
        model.category_probabilities_,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again.fit(X)
    assert again.lower_bound_ == pytest.approx((total.sum() + prior) / len(X), rel=1e-9)
    counts = resp.sum(axis=0)
    np.testing.assert_allclose(again.weights_, counts / len(X), rtol=1e-8)
    means = resp.T @ X[:, [0, 2]] / counts[:, None]
    np.testing.assert_allclose(again.means_, means, rtol=1e-7, atol=1e-8)
    for column, size in ((1, 3), (3, 2)):
        one_hot = np.eye(size)[X[:, column].astype(int)]
        expected = (resp.T @ one_hot + 1 / size) / (counts[:, None] + 1)
        np.testing.assert_allclose(again.category_probabilities_[column], expected, rtol=1e-8)


@every_type
def test_the_codes_tell_groups_apart_that_overlap(kind):
    X, label = groups(2000)
    options = {"covariance_type": kind, "n_init": 10, "init_params": "random_from_data"}
    mixed = fit(X, **options).predict(X)
    plain = fit(X[:, [0, 2]], categorical_features=None, **options).predict(X[:, [0, 2]])

    def agreement(found):
        return sum(np.bincount(found[label == k]).max() for k in range(3)) / len(label)

    assert agreement(mixed) > 0.85
    assert agreement(mixed) > agreement(plain) + 0.05


@every_type
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accelerate": True},
        {"noise": 0.05},
        {"missing": "marginalize"},
        {"missing": "marginalize", "noise": 0.03, "accelerate": True},
        {"degrees_of_freedom_prior": 4.0},
        {"init_params": "random"},
        {"init_params": "random_from_data"},
    ],
    ids=str,
)
def test_likelihood_never_falls(kind, options):
    X, _ = groups()
    if "missing" in options:
        X[np.random.default_rng(6).random(X.shape) < 0.1] = np.nan
    model = fit(X, covariance_type=kind, tol=1e-7, max_iter=200, reg_covar=1e-9, **options)
    bounds = np.array(model.lower_bounds_)
    assert (np.diff(bounds) >= -1e-8 * (1 + abs(bounds[1:]))).all()
    for table in model.category_probabilities_.values():
        np.testing.assert_allclose(table.sum(axis=1), 1)
        assert (table > 0).all()
    proba = model.predict_proba(X)
    assert proba.shape == (900, 4 if "noise" in options else 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


@every_type
def test_weights_are_repetitions_and_threads_change_nothing(kind):
    X, _ = groups()
    times = np.random.default_rng(1).integers(1, 4, len(X))
    start = {
        "means_init": X[:3, [0, 2]],
        "weights_init": [0.4, 0.3, 0.3],
        "tol": 0.0,
        "max_iter": 8,
        "covariance_type": kind,
    }
    one, two = (fit(X, n_threads=n, **start) for n in (1, 3))
    assert one.lower_bounds_ == two.lower_bounds_
    # The prior counts as one row of average weight, and the start is that of other samples.
    options = {"covariance_type": kind, "tol": 1e-9, "max_iter": 2000}
    weighted, repeated = fit(X, times, **options), fit(np.repeat(X, times, axis=0), **options)
    np.testing.assert_allclose(
        np.sort(weighted.weights_), np.sort(repeated.weights_), rtol=0.05, atol=0.01
    )


def test_rows_with_missing_values_by_their_definition():
    X, _ = groups()
    model = fit(X, missing="marginalize")
    rows = X[:6].copy()
    rows[0, 1] = rows[1, 0] = rows[2, [1, 3]] = rows[3, [0, 2]] = rows[4] = np.nan
    scores = model.score_samples(rows)
    for row, score in zip(rows, scores, strict=True):
        known, parts = ~np.isnan(row[[0, 2]]), np.log(model.weights_)
        for k, covariance in enumerate(matrices(model)):
            if known.any():
                part = multivariate_normal(model.means_[k][known], covariance[np.ix_(known, known)])
                parts[k] += part.logpdf(row[[0, 2]][known])
            for column, table in model.category_probabilities_.items():
                if not np.isnan(row[column]):
                    parts[k] += np.log(table[k][int(row[column])])
        assert score == pytest.approx(logsumexp(parts), abs=1e-9)
    unseen = X[:3].copy()
    unseen[:, 1] = 7  # the fit has seen 0 to 2
    unknown = X[:3].copy()
    unknown[:, 1] = np.nan
    np.testing.assert_allclose(model.predict_proba(unseen), model.predict_proba(unknown))


@every_type
def test_samples_conditions_and_imputation(kind):
    X, _ = groups(3000)
    model = fit(X, covariance_type=kind)
    drawn, component = model.sample(60_000)
    assert drawn.shape == (60_000, 4)
    for column, table in model.category_probabilities_.items():
        own = drawn[component == 1, column].astype(int)
        shares = np.bincount(own, minlength=table.shape[1]) / len(own)
        np.testing.assert_allclose(shares, table[1], atol=0.02)
    given = model.condition({1: 2})
    np.testing.assert_allclose(given.means_, model.means_)
    expected = model.weights_ * model.category_probabilities_[1][:, 2]
    np.testing.assert_allclose(given.weights_, expected / expected.sum())
    assert list(given.category_probabilities_) == [2]  # column 3 without column 1
    assert given.predict(X[:5][:, [0, 2, 3]]).shape == (5,)
    for row in X[:5]:
        joint = model.score_samples(row[None])[0]
        partial = np.array([np.nan, row[1], row[2], np.nan])
        marginal = fit(X, covariance_type=kind, missing="marginalize").score_samples(partial[None])
        rest = model.condition(partial).score_samples(row[None, [0, 3]])[0]
        assert marginal[0] + rest == pytest.approx(joint, abs=1e-8)
    partial = X[:50].copy()
    partial[::2, 1], partial[1::2, 0] = np.nan, np.nan
    completed = model.impute(partial)
    known = ~np.isnan(partial)
    np.testing.assert_array_equal(completed[known], partial[known])
    resp = fit(X, covariance_type=kind, missing="marginalize").predict_proba(partial)
    best = (resp @ model.category_probabilities_[1]).argmax(axis=1)
    np.testing.assert_array_equal(completed[::2, 1], best[::2])


def test_batches_files_names_and_copies(tmp_path):
    pd = pytest.importorskip("pandas")
    X, _ = groups(4000)
    frame = pd.DataFrame(X, columns=["spend", "region", "visits", "member"])
    model = fit(frame, categorical_features=["member", "region"])
    plain = fit(X)
    assert list(model.category_probabilities_) == [1, 3]
    np.testing.assert_array_equal(model.means_, plain.means_)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert (again.predict_proba(frame) == model.predict_proba(frame)).all()
    assert again.get_params()["categorical_features"] == ("member", "region")
    assert model._n_parameters() == 2 + 3 * 2 + 3 * 3 + 3 * (2 + 1)
    stream = GaussianMixture(3, categorical_features=[1, 3], random_state=0, max_iter=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for begin in range(0, 4000, 500):
            stream.partial_fit(X[begin : begin + 500])
    assert abs(stream.score(X) - plain.score(X)) < 0.02 * abs(plain.score(X))


def test_minimum_message_length_counts_the_codes():
    X, label = groups(2000)
    X[:, [0, 2]] += 5 * np.array([[0, 0], [1, 0], [0, 1]])[label]
    model = fit(X, n_components=8, weight_concentration_prior="mml")
    assert len(model.weights_) == 3


@pytest.mark.parametrize(
    ("change", "options", "error", "words"),
    [
        ({}, {"categorical_features": [4]}, ValueError, "must be at most 3"),
        ({}, {"categorical_features": ["x"]}, ValueError, "X has no column names"),
        ({}, {"categorical_features": "1"}, TypeError, "must be a list of column positions"),
        ({}, {"categorical_features": [0, 1, 2, 3]}, ValueError, "whole numbers from 0|continuous"),
        ({}, {"categorical_features": [0]}, ValueError, "column 0 must hold whole numbers from 0"),
        ({1: 5000.0}, {}, ValueError, "column 1 has codes up to 5000"),
        ({1: np.nan}, {}, ValueError, "NaN in row 0, column 1"),
        ({}, {"split_merge": 2}, ValueError, "no moves for categorical columns"),
    ],
)
def test_refused(change, options, error, words):
    X, _ = groups(60)
    for column, value in change.items():
        X[0, column] = value
    with pytest.raises(error, match=words):
        fit(X, **options)


def test_refused_for_other_data_and_conversions(tmp_path):
    X, _ = groups(60)
    with pytest.raises(TypeError, match="categorical_features needs dense rows"):
        fit(sp.csr_array(X), covariance_type="diag")
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="needs rows in memory"):
        fit(tmp_path / "x.parquet", categorical_features=[1])
    with pytest.raises(ValueError, match="categorical columns"):
        fit(X).to_sklearn()
    model = fit(X)
    model.category_probabilities_ = {1: np.ones((3, 3)), 3: np.full((3, 2), 0.5)}
    model.save(tmp_path / "m")
    with pytest.raises(ValueError, match="must sum to 1"):
        load(tmp_path / "m")
