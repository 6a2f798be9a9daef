"""Conditional distributions and imputation, against the formulas of the normal distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from aimass_core import GaussianMixture, load
from aimass_core.exceptions import NumericalError

TYPES = ["full", "tied", "diag", "tied_diag", "spherical"]
every_type = pytest.mark.parametrize("kind", TYPES)


def rows(n=600):
    rng = np.random.default_rng(0)
    mix = rng.normal(0, 0.5, (4, 4)) + np.eye(4)
    X = rng.normal(0, 4, (3, 4))[rng.integers(0, 3, n)] + rng.normal(size=(n, 4)) @ mix
    return X * [1.0, 100.0, 0.01, 1.0] + [0.0, 1e6, 0.0, -3.0]


def fitted(kind, **options):
    options = {"random_state": 0, "tol": 1e-5, "max_iter": 500} | options
    return GaussianMixture(3, covariance_type=kind, **options).fit(rows())


def matrices(model):
    d = model.n_features_in_
    covariances = model.covariances_
    if model.covariance_type == "spherical":
        return [np.eye(d) * value for value in covariances]
    if model.covariance_type in ("tied", "tied_diag"):
        covariances = [covariances] * 3
    return [c if np.ndim(c) == 2 else np.diag(c) for c in covariances]


@every_type
def test_the_formulas_of_the_normal_distribution(kind):
    model, known, values = fitted(kind), [1, 3], np.array([1e6 + 50, -4.0])
    given = model.condition({1: values[0], 3: values[1]})
    assert given.n_features_in_ == 2
    assert given.covariance_type == kind
    densities, means, others = [], [], [0, 2]
    for weight, mean, covariance in zip(model.weights_, model.means_, matrices(model), strict=True):
        inside = covariance[np.ix_(known, known)]
        gain = covariance[np.ix_(others, known)] @ np.linalg.inv(inside)
        densities.append(weight * multivariate_normal(mean[known], inside).pdf(values))
        means.append(mean[others] + gain @ (values - mean[known]))
        expected = covariance[np.ix_(others, others)] - gain @ covariance[np.ix_(known, others)]
        own = matrices(given)[len(means) - 1]
        np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(given.weights_, np.array(densities) / sum(densities), rtol=1e-6)
    np.testing.assert_allclose(given.means_, means, rtol=1e-6, atol=1e-9)


@every_type
def test_joint_density_is_marginal_times_conditional(kind):
    model = fitted(kind)
    X = rows()[:20]
    marginal = GaussianMixture(
        3, covariance_type=kind, missing="marginalize", random_state=0, tol=1e-5, max_iter=500
    ).fit(rows())
    partial = X.copy()
    partial[:, [0, 2]] = np.nan
    for row, known, log_marginal in zip(X, partial, marginal.score_samples(partial), strict=True):
        log_given = model.condition(known).score_samples(row[None, [0, 2]])[0]
        assert log_marginal + log_given == pytest.approx(model.score_samples(row[None])[0])


@every_type
def test_with_noise(kind):
    X = rows() / [1.0, 100.0, 0.01, 1.0]
    X[::30] = np.random.default_rng(2).uniform(X.min(axis=0), X.max(axis=0), X[::30].shape)
    model = GaussianMixture(3, covariance_type=kind, noise=0.05, random_state=0).fit(X)
    inside = model.condition({0: float(np.median(X[:, 0]))})
    outside = model.condition({0: 1e4})
    assert inside.noise_weight_ < 0.3
    assert outside.noise_weight_ == pytest.approx(1)
    np.testing.assert_array_equal(inside.noise_bounds_, model.noise_bounds_[:, 1:])
    assert inside.weights_.sum() + inside.noise_weight_ == pytest.approx(1)
    assert inside.predict(X[:5, 1:]).shape == (5,)


def test_names_files_and_further_conditions(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(rows(), columns=["age", "income", "rate", "score"])
    model = GaussianMixture(2, random_state=0).fit(table)
    given = model.condition({"age": 1.0, "rate": 0.0})
    assert list(given.feature_names_in_) == ["income", "score"]
    twice = model.condition({"age": 1.0}).condition({"rate": 0.0})
    np.testing.assert_allclose(twice.means_, given.means_)
    np.testing.assert_allclose(twice.weights_, given.weights_)
    given.save(tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(again.means_, given.means_)
    assert given.sample(10)[0].shape == (10, 2)


@pytest.mark.parametrize(
    ("known", "error", "words"),
    [
        ({}, ValueError, "known must have a value for some of the 4 columns"),
        ({0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}, ValueError, "leave out at least one"),
        ({4: 1.0}, KeyError, "no column 4"),
        ({"age": 1.0}, KeyError, "no column 'age'"),
        ({0: np.nan}, ValueError, "must be finite"),
        ({0: "x"}, TypeError, "must be a number"),
        ({0: 1e12}, NumericalError, "so far from the components"),
        ({0: 1e300}, NumericalError, "too far from every component"),
        ([1.0, np.nan], ValueError, r"known must have the shape \(4,\)"),
        ([np.inf, np.nan, np.nan, np.nan], ValueError, "infinite"),
    ],
)
def test_refused(known, error, words):
    with pytest.raises(error, match=words):
        fitted("full").condition(known)


@every_type
def test_impute_is_the_conditional_mean(kind):
    model = fitted(kind)
    X = rows()[:30]
    partial = X.copy()
    partial[np.random.default_rng(1).random(X.shape) < 0.4] = np.nan
    partial[0] = np.nan
    completed = model.impute(partial)
    known = ~np.isnan(partial)
    np.testing.assert_array_equal(completed[known], partial[known])
    np.testing.assert_allclose(completed[0], model.weights_ @ model.means_)
    for row, full in zip(partial, completed, strict=True):
        if np.isnan(row).any() and not np.isnan(row).all():
            given = model.condition(row)
            np.testing.assert_allclose(full[np.isnan(row)], given.weights_ @ given.means_)
    np.testing.assert_array_equal(model.impute(X), X)
    assert np.isnan(partial).any()  # the argument is not changed
