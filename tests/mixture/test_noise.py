"""Outliers as a component of constant density: planted ones are found, and all else goes on."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from aimass_core import GaussianMixture, load
from aimass_core.exceptions import ConvergenceWarning
from aimass_core.mixture import select

TYPES = ["full", "tied", "diag", "spherical"]
every_type = pytest.mark.parametrize("kind", TYPES)


def planted(n=3000, share=0.05, d=3, seed=0):
    """Three groups, the last rows spread over a box ten times as wide; -1 marks these."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0] * d, [9.0] + [0.0] * (d - 1), [0.0, 9.0] + [0.0] * (d - 2)])
    outliers = int(share * n)
    label = rng.integers(0, 3, n - outliers)
    clean = centres[label] + rng.normal(size=(n - outliers, d)) * rng.uniform(0.7, 1.4, d)
    X = np.concatenate([clean, rng.uniform(-40, 40, (outliers, d))])
    return X, np.append(label, np.full(outliers, -1))


def fit(X, weight=None, **parameters):
    parameters = {"n_components": 3, "random_state": 0, "noise": 0.03} | parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(**parameters).fit(X, sample_weight=weight)


def by_first_column(model):
    """Order of the components along the first column, then the second."""
    return np.lexsort(np.round(model.means_.T[::-1]))


@every_type
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_planted_outliers_do_not_stretch_the_components(kind, dtype):
    X, label = planted()
    X = X.astype(dtype)
    clean = fit(X[label >= 0], covariance_type=kind, noise=0.0, tol=1e-6)
    model = fit(X, covariance_type=kind, tol=1e-6)
    assert model.noise_weight_ == pytest.approx(0.05, abs=0.005)
    assert model.weights_.sum() + model.noise_weight_ == pytest.approx(1)
    found = model.predict(X)
    assert (found[label < 0] == -1).mean() > 0.95
    assert (found[label >= 0] == -1).mean() < 0.005
    a, b = by_first_column(model), by_first_column(clean)
    np.testing.assert_allclose(model.means_[a], clean.means_[b], atol=0.1)
    one, two = model.covariances_, clean.covariances_
    if kind != "tied":
        one, two = one[a], two[b]
    np.testing.assert_allclose(one, two, atol=0.12)
    plain = fit(X, covariance_type=kind, noise=0.0, tol=1e-6)
    size = {"full": lambda c: np.linalg.det(c).max(), "tied": np.linalg.det}.get(kind, np.max)
    assert size(plain.covariances_) > 3 * size(clean.covariances_)  # what noise is for


@every_type
def test_density_and_shares_against_scipy(kind):
    X, _ = planted(600)
    model = fit(X, covariance_type=kind, max_iter=5)
    covariances = {
        "full": lambda: model.covariances_,
        "tied": lambda: [model.covariances_] * 3,
        "diag": lambda: [np.diag(c) for c in model.covariances_],
        "spherical": lambda: [np.eye(3) * c for c in model.covariances_],
    }[kind]()
    scores = [
        np.log(w) + multivariate_normal(m, c).logpdf(X)
        for w, m, c in zip(model.weights_, model.means_, covariances)
    ]
    low, high = model.noise_bounds_
    np.testing.assert_array_equal([low, high], [X.min(axis=0), X.max(axis=0)])
    scores.append(np.full(len(X), np.log(model.noise_weight_) - np.log(high - low).sum()))
    total = logsumexp(scores, axis=0)
    np.testing.assert_allclose(model.score_samples(X), total, rtol=1e-10)
    shares = np.exp(np.array(scores) - total).T
    np.testing.assert_allclose(model.predict_proba(X), shares, atol=1e-10)
    best = shares.argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X), np.where(best == 3, -1, best))
    # One M-step by hand leads to what one more pass gives.
    again = model.set_params(warm_start=True, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again.fit(X)
    assert again.noise_weight_ == pytest.approx(shares[:, 3].mean(), rel=1e-9)
    np.testing.assert_allclose(again.weights_, shares[:, :3].mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(
        again.means_, (shares[:, :3].T @ X) / shares[:, :3].sum(axis=0)[:, None], atol=1e-9
    )


@settings(max_examples=40, deadline=None)
@example(37, 3, 3, "full", 0.03125, False, 4962490)  # an empty component at the start
@example(36, 3, 2, "tied", 0.03125, False, 186)  # and one during EM, with a prior
@given(
    st.integers(10, 200),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from(TYPES),
    st.floats(0.001, 0.6),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_likelihood_never_falls(n, d, k, kind, share, accelerate, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.uniform(0.1, 5, d)
    X[: n // 4] += 6
    X[: n // 10] *= 10
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        model = GaussianMixture(
            k,
            covariance_type=kind,
            noise=share,
            tol=1e-7,
            reg_covar=1e-9,
            accelerate=accelerate,
            random_state=seed,
            degrees_of_freedom_prior=d + 2.0,
        ).fit(X)
    if any("re-initialised" in str(note.message) for note in notes):
        return
    bounds = np.array(model.lower_bounds_)
    assert (np.diff(bounds) >= -1e-7 * (1 + np.abs(bounds[1:]))).all()
    assert 0 <= model.noise_weight_ < 1
    assert model.weights_.sum() + model.noise_weight_ == pytest.approx(1)


@every_type
@pytest.mark.parametrize("accelerate", [False, True])
def test_weights_are_repetitions(kind, accelerate):
    X, _ = planted(400)
    times = np.random.default_rng(1).integers(0, 4, len(X))
    start = {
        "covariance_type": kind,
        "means_init": X[:3],
        "weights_init": np.full(3, 1 / 3),
        "precisions_init": {
            "full": np.eye(3)[None].repeat(3, 0),
            "tied": np.eye(3),
            "diag": np.ones((3, 3)),
            "spherical": np.ones(3),
        }[kind],
        "max_iter": 25,
        "tol": 0.0,
        "accelerate": accelerate,
    }
    repeated = np.repeat(X, times, axis=0)
    one, two = fit(X, times, **start), fit(repeated, **start)
    np.testing.assert_allclose(one.lower_bounds_, two.lower_bounds_, rtol=1e-10)
    np.testing.assert_allclose(one.noise_weight_, two.noise_weight_, rtol=1e-8)
    np.testing.assert_array_equal(
        one.noise_bounds_, two.noise_bounds_
    )  # not of rows without weight
    assert one.bic(X, sample_weight=times) == pytest.approx(two.bic(repeated))


@every_type
def test_bits_do_not_depend_on_threads(kind):
    X, _ = planted(20_000)
    one, two = (fit(X, covariance_type=kind, n_threads=t) for t in (1, 3))
    assert one.lower_bounds_ == two.lower_bounds_
    assert one.noise_weight_ == two.noise_weight_
    assert (one.predict_proba(X) == two.predict_proba(X)).all()


@every_type
def test_units_change_nothing(kind):
    X, _ = planted()
    factor = [1e-9, 1.0, 1e12] if kind != "spherical" else 1e-9
    plain, odd = fit(X, covariance_type=kind), fit(X * factor, covariance_type=kind)
    assert odd.noise_weight_ == pytest.approx(plain.noise_weight_, rel=1e-6)
    assert (odd.predict(X * factor) == plain.predict(X)).mean() > 0.999


@every_type
def test_constant_columns_say_nothing(kind):
    X, _ = planted()
    wide = np.column_stack([X, np.full(len(X), 1e8), np.zeros(len(X))])
    one, two = fit(X, covariance_type=kind), fit(wide, covariance_type=kind)
    same = (one.predict(X) < 0) == (two.predict(wide) < 0)
    assert same.mean() > (0.999 if kind != "spherical" else 0.97)
    assert two.noise_weight_ == pytest.approx(one.noise_weight_, abs=0.03)


def test_clean_rows_leave_no_noise():
    X, _ = planted(share=0.0)
    model = fit(X, tol=1e-7, max_iter=500)
    assert model.noise_weight_ < 0.01
    assert (model.predict(X) == -1).mean() < 0.01
    assert len(np.unique(model.predict(X[:1000]))) >= 3


def test_criteria_count_its_weight_and_volume():
    X, _ = planted()
    model, plain = fit(X), fit(X, noise=0.0)
    assert model._n_parameters() == plain._n_parameters() + 2
    assert model.bic(X) < plain.bic(X)
    expected = -2 * model.score_samples(X).sum() + model._n_parameters() * np.log(len(X))
    assert model.bic(X) == pytest.approx(expected)
    assert model.aic(X) < plain.aic(X)


def test_select_takes_it_on():
    X, _ = planted(1500)
    chosen = select(
        X, n_components=range(1, 6), covariance_types=["diag"], noise=0.03, random_state=0, n_init=3
    )
    assert chosen.best.n_components == 3
    without = select(X, n_components=range(1, 6), covariance_types=["diag"], random_state=0)
    assert without.best.n_components > 3  # one component or more for the outliers


# ---- every source ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["diag", "spherical"])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_equals_dense(kind, weighted):
    X, _ = planted()
    X *= np.random.default_rng(0).random(X.shape) < 0.7
    weight = np.random.default_rng(1).choice([0.0, 0.5, 2.0], len(X)) if weighted else None
    start = {
        "covariance_type": kind,
        "means_init": X[:3],
        "weights_init": np.full(3, 1 / 3),
        "precisions_init": np.ones((3, 3) if kind == "diag" else 3),
        "tol": 0.0,
        "max_iter": 15,
    }
    one, two = fit(X, weight, **start), fit(sp.csr_array(X), weight, **start)
    np.testing.assert_allclose(one.lower_bounds_, two.lower_bounds_, rtol=1e-9)
    assert one.noise_weight_ == pytest.approx(two.noise_weight_, rel=1e-6)
    for name in ("score_samples", "predict_proba", "predict"):
        ours, theirs = getattr(one, name)(X), getattr(one, name)(sp.csr_array(X))
        np.testing.assert_allclose(ours, theirs, atol=1e-8)
    assert (fit(sp.csr_array(X), weight, covariance_type=kind).predict(X) == -1).any()


@every_type
def test_missing_values_are_left_out_of_the_box_too(kind):
    X, label = planted()
    holed = X.copy()
    holed[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    model = fit(holed, covariance_type=kind, missing="marginalize", tol=1e-5)
    assert model.noise_weight_ == pytest.approx(0.05, abs=0.02)
    whole = ~np.isnan(holed).any(axis=1)
    found = model.predict(holed)
    assert ((found == -1) == (label == -1))[whole].mean() > 0.98
    # A row of which one column is known has the density of that column alone.
    low, high = model.noise_bounds_
    assert model.score_samples([[np.nan, 35.0, np.nan]])[0] == pytest.approx(
        np.log(model.noise_weight_ / (high - low)[1]), rel=1e-3
    )
    bounds = np.array(model.lower_bounds_)
    assert (np.diff(bounds) > -1e-8).all()
    # Without a hole the same rows give the same by the kernel as pattern by pattern.
    rows = np.vstack([X, np.full(3, np.nan)])
    for name in ("score_samples", "predict_proba", "predict"):
        ours = getattr(model, name)(rows)[:-1]
        np.testing.assert_allclose(ours, getattr(model, name)(X), atol=1e-8)


@every_type
def test_files(kind, tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    X, _ = planted(2000)
    weight = np.random.default_rng(7).choice([0.0, 1.0, 2.5], len(X))
    pq.write_table(
        pa.table({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "w": weight}),
        tmp_path / "x.parquet",
        row_group_size=300,
    )
    np.save(tmp_path / "x.npy", X)
    model = fit(X, weight, covariance_type=kind)
    mapped = fit(tmp_path / "x.npy", weight, covariance_type=kind)
    assert mapped.lower_bounds_ == model.lower_bounds_
    read = fit(tmp_path / "x.parquet", "w", covariance_type=kind, tol=1e-7)
    np.testing.assert_array_equal(read.noise_bounds_, model.noise_bounds_)
    model = fit(X, weight, covariance_type=kind, tol=1e-7)  # from another sample's seeds
    assert read.noise_weight_ == pytest.approx(model.noise_weight_, rel=0.01)


@every_type
def test_batches(kind):
    X, label = planted(12_000)
    order = np.random.default_rng(0).permutation(len(X))
    X, label = X[order], label[order]
    model = GaussianMixture(3, covariance_type=kind, noise=0.2, random_state=0, max_iter=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for begin in range(0, len(X), 1000):
            model.partial_fit(X[begin : begin + 1000])
    assert model.noise_weight_ == pytest.approx(0.05, abs=0.01)
    assert ((model.predict(X) == -1) == (label == -1)).mean() > 0.98
    batch = fit(X, covariance_type=kind)
    assert abs(model.score(X) - batch.score(X)) < 0.01 * abs(batch.score(X))


# ---- the rest of the life --------------------------------------------------------------------


@every_type
def test_samples(kind):
    X, _ = planted()
    model = fit(X, covariance_type=kind)
    drawn, y = model.sample(40_000)
    assert drawn.shape == (40_000, 3)
    assert (y == -1).mean() == pytest.approx(model.noise_weight_, abs=0.005)
    out = drawn[y == -1]
    low, high = model.noise_bounds_
    assert ((out >= low) & (out <= high)).all()
    np.testing.assert_allclose(out.mean(axis=0), (low + high) / 2, atol=3)
    np.testing.assert_allclose(drawn[y == 1].mean(axis=0), model.means_[1], atol=0.1)


@every_type
def test_save_load_and_warm_start(kind, tmp_path):
    X, _ = planted()
    model = fit(X, covariance_type=kind, tol=0.0, max_iter=12, warm_start=True)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    assert again.noise_weight_ == model.noise_weight_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again.fit(X)
        model.fit(X)
    assert again.lower_bounds_ == model.lower_bounds_
    assert model.lower_bounds_[0] >= model.score(X) - 1.0
    long = fit(X, covariance_type=kind, tol=0.0, max_iter=24)
    np.testing.assert_allclose(long.lower_bounds_[12:], model.lower_bounds_, rtol=1e-9)
    plain = model.set_params(noise=0.0)  # another model, which starts anew
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain.fit(X)
    assert plain.noise_weight_ == 0
    assert plain.predict_proba(X).shape == (len(X), 3)


def test_scikit_learn_has_no_place_for_it():
    pytest.importorskip("sklearn")
    with pytest.raises(ValueError, match="no noise component"):
        fit(planted()[0]).to_sklearn()


@pytest.mark.parametrize(
    ("noise", "error", "words"),
    [
        (1.0, ValueError, "be below 1"),
        (-0.1, ValueError, "be at least 0"),
        (np.nan, ValueError, "be finite"),
        ("yes", TypeError, "be a number"),
        (True, TypeError, "be a number"),
    ],
)
def test_refused(noise, error, words):
    with pytest.raises(error, match=f"noise must {words}"):
        GaussianMixture(noise=noise).fit(planted()[0])


@every_type
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_few_equal_and_hostile_rows(kind, init_params):
    rng = np.random.default_rng(0)
    cases = [
        rng.normal(size=(4, 2)),
        np.ones((20, 2)),
        np.repeat(rng.normal(size=(3, 2)), 5, axis=0),
        np.append(rng.normal(size=(60, 2)), [[1e12, -1e12]], axis=0),
        rng.normal(size=(60, 2)) + 1e8,
        rng.integers(0, 2, (80, 2)),
    ]
    for X in cases:
        before = X.copy()
        model = fit(X, covariance_type=kind, init_params=init_params, reg_covar=1e-3)
        shares = model.predict_proba(X)
        assert shares.shape == (len(X), 4)
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        assert np.isfinite(model.score(X))
        assert ((model.predict(X) >= -1) & (model.predict(X) < 3)).all()
        assert (before == X).all()


@every_type
def test_far_rows_are_outliers(kind):
    model = fit(planted()[0], covariance_type=kind)
    far = np.array([[1e9, 0, 0], [-1e30, 1e30, 0], [0, 0, 1e100]])
    assert model.predict(far).tolist() == [-1, -1, -1]
    np.testing.assert_allclose(model.predict_proba(far)[:, 3], 1)
    assert np.isfinite(model.score_samples(far)).all()


@every_type
def test_minimum_message_length_beside_noise(kind):
    X, _ = planted()
    model = fit(
        X,
        n_components=8,
        covariance_type=kind,
        weight_concentration_prior="mml",
        max_iter=500,
        tol=1e-6,
    )
    assert 3 <= len(model.weights_) <= {"full": 4, "diag": 4}.get(kind, 8)
    assert model.predict_proba(X).shape[1] == len(model.weights_) + 1
    assert model.noise_weight_ == pytest.approx(0.05, abs=0.02)
