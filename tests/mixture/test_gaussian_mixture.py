"""GaussianMixture against scikit-learn from the same start, and what EM must do."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from aimass_core import GaussianMixture, load
from aimass_core.exceptions import ConvergenceWarning, NotFittedError, NumericalError
from aimass_core.mixture._dense_rows import DenseRows
from aimass_core.mixture._em import Problem, Result
from aimass_core.mixture._prior import Prior
from aimass_core.mixture._standardizer import measure

sklearn_mixture = pytest.importorskip("sklearn.mixture")
TYPES = ["full", "tied", "diag", "spherical"]
every_type = pytest.mark.parametrize("kind", TYPES)


def groups(n=1500, d=4, k=3, seed=0, apart=4.0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, apart, (k, d))
    label = rng.integers(0, k, n)
    mix = rng.normal(0, 0.3, (d, d)) + np.diag(rng.uniform(0.5, 3, d))
    return centres[label] + rng.normal(size=(n, d)) @ mix, label


def same_start(X, k, kind, seed=0):
    """Parameters that start both libraries at the same place."""
    d = X.shape[1]
    covariance = np.cov(X.T).reshape(d, d)
    precision = np.linalg.inv(covariance)
    precisions = {
        "full": np.repeat(precision[None], k, 0),
        "tied": precision,
        "diag": np.repeat(1 / X.var(axis=0)[None], k, 0),
        "spherical": np.full(k, 1 / X.var(axis=0).mean()),
    }[kind]
    means = X[np.random.default_rng(seed).choice(len(X), k, replace=False)]
    return {
        "n_components": k,
        "covariance_type": kind,
        "weights_init": np.full(k, 1 / k),
        "means_init": means,
        "precisions_init": precisions,
    }


def fitted(X, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(**parameters).fit(X)


def theirs(X, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sklearn_mixture.GaussianMixture(**parameters).fit(X)


@every_type
@pytest.mark.parametrize(("d", "k"), [(1, 2), (4, 3), (11, 5)])
def test_fifty_iterations_like_scikit_learn(kind, d, k):
    X, _ = groups(d=d, k=k, apart=1.5)
    start = same_start(X, k, kind) | {"tol": 0.0, "max_iter": 50}
    ours = fitted(X, **start, reg_unit="absolute")
    other = theirs(X, **start)
    assert ours.n_iter_ == other.n_iter_ == 50
    np.testing.assert_allclose(ours.lower_bounds_, other.lower_bounds_, rtol=1e-9)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(other, name), rtol=1e-6, atol=1e-8)
    for name in ("score_samples", "predict_proba", "score", "bic", "aic"):
        np.testing.assert_allclose(
            getattr(ours, name)(X), getattr(other, name)(X), rtol=1e-7, atol=1e-8
        )
    np.testing.assert_array_equal(ours.predict(X), other.predict(X))


@every_type
@pytest.mark.parametrize("d", [3, 20])
def test_float32_is_as_good_as_float64(kind, d):
    """Computed in float32 where that is safe: full from 12 columns on, and diag."""
    X, _ = groups(d=d)
    start = same_start(X, 3, kind)
    X = (X + 1000).astype(np.float32)
    start["means_init"] = start["means_init"] + 1000
    low, high = fitted(X, **start), fitted(X.astype(np.float64), **start)
    # On the way from a saddle a difference grows.
    np.testing.assert_allclose(low.lower_bounds_, high.lower_bounds_, rtol=1e-5)
    assert (np.diff(low.lower_bounds_) > -1e-6).all()
    assert (low.covariances_[0] > 0).any()
    assert low.predict_proba(X).dtype == np.float32


@every_type
@settings(max_examples=15, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 10_000), st.booleans(), st.booleans())
def test_likelihood_never_falls(kind, d, k, seed, accelerate, prior):
    X, _ = groups(300, d, k, seed, apart=1.0)
    extra = {"mean_precision_prior": 0.5, "degrees_of_freedom_prior": d + 2.0} if prior else {}
    # Without reg_covar: what is added to the variances is not part of the likelihood.
    model = GaussianMixture(
        k,
        covariance_type=kind,
        tol=1e-7,
        reg_covar=0.0,
        accelerate=accelerate,
        init_params="k-means++",
        random_state=seed,
        **extra,
    )
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        try:
            model.fit(X)
        except NumericalError:  # a component collapsed on a row, where the likelihood has no bound
            reject()
    assume(not any("re-initialised" in str(note.message) for note in notes))
    bounds = np.array(model.lower_bounds_)
    assert (np.diff(bounds) >= -1e-10 * (1 + np.abs(bounds[1:]))).all()


@every_type
def test_planted_groups_are_found(kind):
    X, label = groups(4000, d=5, k=4, apart=12.0)
    model = GaussianMixture(4, covariance_type=kind, random_state=0).fit(X)
    found = model.predict(X)
    assert all(len(np.unique(found[label == k])) == 1 for k in range(4))
    assert len(np.unique(found)) == 4
    np.testing.assert_allclose(
        np.sort(model.weights_), np.sort(np.bincount(label) / 4000), atol=1e-3
    )


@every_type
def test_bits_do_not_depend_on_threads(kind):
    X, _ = groups(20_000, apart=1.0)
    one, two, five = (
        fitted(X, n_components=6, covariance_type=kind, random_state=3, n_threads=t)
        for t in (1, 2, 5)
    )
    for other in (two, five):
        assert one.lower_bounds_ == other.lower_bounds_
        assert (one.covariances_ == other.covariances_).all()
        assert (one.predict_proba(X) == other.predict_proba(X)).all()


@every_type
@pytest.mark.parametrize("reg_unit", ["variance", "absolute"])
def test_weights_are_repetitions(kind, reg_unit):
    X, _ = groups(500)
    times = np.random.default_rng(1).integers(0, 4, len(X))
    start = same_start(X, 3, kind) | {"max_iter": 20, "tol": 0.0, "reg_unit": reg_unit}
    repeated = fitted(np.repeat(X, times, axis=0), **start)
    with pytest.warns(ConvergenceWarning):
        weighted = GaussianMixture(**start).fit(X, sample_weight=times)
    np.testing.assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-9)
    np.testing.assert_allclose(
        weighted.bic(X, sample_weight=times), repeated.bic(np.repeat(X, times, axis=0))
    )


@every_type
def test_order_of_rows_changes_nothing(kind):
    X, _ = groups()
    start = same_start(X, 3, kind)
    turned = fitted(X[np.random.default_rng(0).permutation(len(X))], **start)
    np.testing.assert_allclose(fitted(X, **start).means_, turned.means_, rtol=1e-9)


@every_type
def test_units_change_nothing(kind):
    X, _ = groups()
    X *= [1e-9, 1.0, 1.0, 1e12] if kind != "spherical" else 1e-9
    factor = X.std(axis=0) if kind != "spherical" else X.std()
    plain = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X / factor)
    odd = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    np.testing.assert_allclose(odd.means_ / factor, plain.means_, rtol=1e-6, atol=1e-9)
    assert (odd.predict(X) == plain.predict(X / factor)).all()


@every_type
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_every_start_arrives(kind, init_params):
    X, label = groups(1500, k=2, apart=6.0)
    model = GaussianMixture(
        2,
        covariance_type=kind,
        init_params=init_params,
        n_init=5,
        random_state=0,
        max_iter=2000,
        tol=1e-10,
        accelerate=True,
    ).fit(X)
    one = GaussianMixture(covariance_type=kind).fit(X)
    assert model.lower_bound_ > one.lower_bound_
    if init_params != "random":  # which begins at a saddle and may end anywhere
        assert abs(np.corrcoef(model.predict(X), label)[0, 1]) > 0.95


@every_type
def test_acceleration_arrives_sooner_at_the_same_place(kind):
    X, _ = groups(3000, d=2, k=3, apart=1.2, seed=5)
    start = same_start(X, 3, kind) | {"tol": 1e-9, "max_iter": 5000}
    plain, fast = GaussianMixture(**start).fit(X), GaussianMixture(**start, accelerate=True).fit(X)
    assert fast.lower_bound_ >= plain.lower_bound_ - 1e-5
    assert fast.n_iter_ <= plain.n_iter_


@every_type
@pytest.mark.parametrize("accelerate", [False, True])
def test_too_many_components_end_by_minimum_message_length(kind, accelerate):
    rng = np.random.default_rng(2)
    X = np.concatenate([rng.normal(m, 1, (400, 3)) for m in (0, 12, 24)])
    model = fitted(
        X,
        n_components=12,
        covariance_type=kind,
        weight_concentration_prior="mml",
        random_state=0,
        max_iter=500,
        tol=1e-6,
        accelerate=accelerate,
    )
    k = len(model.means_)
    # A spherical component costs little and a tied one next to nothing, so more of them stay.
    assert 3 <= k <= {"full": 3, "diag": 3, "spherical": 6, "tied": 12}[kind]
    if k == 3:
        np.testing.assert_allclose(np.sort(model.means_[:, 0]), [0, 12, 24], atol=0.3)
    assert model.predict_proba(X).shape == (1200, k)
    assert GaussianMixture(12, covariance_type=kind, random_state=0).fit(X).means_.shape == (12, 3)


@pytest.mark.parametrize("kind", ["full", "diag"])  # in the others, 3 or 4 parameters pay easily
@pytest.mark.parametrize("more", [{"n_init": 5}, {"split_merge": 3}, {"n_init": 3, "noise": 0.01}])
def test_results_of_unlike_numbers_of_components_are_compared_by_message_length(kind, more):
    """The prior's density alone grows with each that survives."""
    X = np.random.default_rng(0).normal(size=(3000, 3))
    X[:1000] += 8
    for seed in range(3):
        model = fitted(
            X,
            n_components=6,
            covariance_type=kind,
            weight_concentration_prior="mml",
            tol=1e-6,
            max_iter=1000,
            random_state=seed,
            **more,
        )
        assert len(model.weights_) == 2


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "tied_diag", "spherical"])
def test_minimum_message_length_finds_two_of_ten_at_default_tolerance(kind):
    """In 20 of 20 seeds, though EM stops before superfluous components vanish (#8632)."""
    first, second = (np.random.default_rng(seed) for seed in (0, 1))
    X = np.concatenate([first.normal(0, 1, (300, 2)), second.normal(8, 1, (300, 2))])
    numbers = [
        len(
            GaussianMixture(
                10,
                covariance_type=kind,
                weight_concentration_prior="mml",
                random_state=seed,
                max_iter=500,
            )
            .fit(X)
            .weights_
        )
        for seed in range(20)
    ]
    assert numbers == [2] * 20


def test_message_length_by_its_definition():
    X = groups(600, d=2)[0]
    rows, prior = DenseRows(X, None, 1), Prior(concentration=1 - 5 / 2)
    problem = Problem(rows, measure(rows, common=False), "full", 1e-6, prior)
    n, size = len(X), 5
    lengths, scores = [], []
    for k in (1, 2, 4):
        model = fitted(X, n_components=k, random_state=0)
        parameters = model._parameters(problem.standardizer)
        bound = problem.step(parameters)[1]
        scores.append(problem.score(Result(parameters, [bound], 1, True)))
        lengths.append(
            size / 2 * np.log(n * model.weights_ / 12).sum()
            + k / 2 * np.log(n / 12)
            + k * (size + 1) / 2
            - model.score_samples(X).sum()
        )
    np.testing.assert_allclose(scores, -np.array(lengths) / n, rtol=1e-9)


def test_a_prior_keeps_small_segments_alive():
    """Three rows of their own in four dimensions: without a prior the variance collapses."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (500, 4)), rng.normal(9, 0.01, (3, 4))])
    start = {"means_init": [[0.0] * 4, [9.0] * 4], "tol": 1e-6, "max_iter": 500}
    plain = GaussianMixture(2, **start).fit(X)
    held = GaussianMixture(2, **start, degrees_of_freedom_prior=6.0).fit(X)
    smallest = [np.linalg.eigvalsh(m.covariances_[1]).min() for m in (plain, held)]
    assert smallest[0] < 1e-4
    assert smallest[1] > 1e-2
    np.testing.assert_allclose(held.means_[1], 9, atol=0.05)


def test_warm_start_goes_on():
    X, _ = groups(apart=1.0)
    start = same_start(X, 3, "full") | {"tol": 0.0}
    model = GaussianMixture(**start, max_iter=5, warm_start=True)
    with pytest.warns(ConvergenceWarning):
        first = model.fit(X).lower_bounds_
    with pytest.warns(ConvergenceWarning):
        second = model.fit(X).lower_bounds_
    long = fitted(X, **start, max_iter=10)
    np.testing.assert_allclose(first + second, long.lower_bounds_, rtol=1e-10)


def test_one_component_has_the_moments():
    X, _ = groups()
    model = GaussianMixture(reg_covar=0.0).fit(X)
    np.testing.assert_allclose(model.means_[0], X.mean(axis=0))
    np.testing.assert_allclose(model.covariances_[0], np.cov(X.T, bias=True))


@every_type
def test_samples_have_the_moments(kind):
    X, _ = groups()
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    drawn, y = model.sample(200_000)
    again = model.sample(200_000)[0]
    assert (drawn == again).all()
    np.testing.assert_allclose(np.bincount(y) / 200_000, model.weights_, atol=0.01)
    one = drawn[y == 1]
    np.testing.assert_allclose(one.mean(axis=0), model.means_[1], atol=0.1)
    shape = {
        "full": lambda: model.covariances_[1],
        "tied": lambda: model.covariances_,
        "diag": lambda: np.diag(model.covariances_[1]),
        "spherical": lambda: np.eye(4) * model.covariances_[1],
    }[kind]()
    np.testing.assert_allclose(np.cov(one.T), shape, atol=0.06 * np.abs(shape).max())


@every_type
def test_save_and_load(kind, tmp_path):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(groups()[0], columns=list("abcd"))
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.get_params() == model.get_params()
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    assert again.lower_bounds_ == model.lower_bounds_
    assert list(again.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        again.predict(X[list("dcba")])


@every_type
def test_to_scikit_learn_and_back(kind, tmp_path):
    X, _ = groups()
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    other = model.to_sklearn()
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(other.score_samples(X), model.score_samples(X), rtol=1e-9)
    assert other.get_params()["covariance_type"] == kind
    back = GaussianMixture.from_sklearn(theirs(X, n_components=2, covariance_type=kind))
    other = back.to_sklearn()
    np.testing.assert_allclose(other.predict_proba(X), back.predict_proba(X), atol=1e-9)
    assert back.bic(X) == pytest.approx(other.bic(X))
    back.save(tmp_path / "m")
    assert (load(tmp_path / "m").predict(X) == back.predict(X)).all()
    with pytest.raises(ValueError, match="fit it first"):
        GaussianMixture.from_sklearn(sklearn_mixture.GaussianMixture())


@pytest.mark.slow
def test_acceleration_halves_the_passes():
    """20 seeded problems of overlapping groups: passes until the same tolerance, and likelihood."""
    ratios, gains = [], []
    for seed in range(20):
        X, _ = groups(2000, d=2 + seed % 4, k=3 + seed % 3, apart=1.5, seed=seed)
        k = 3 + seed % 3
        start = same_start(X, k, "full", seed) | {"tol": 1e-6, "max_iter": 5000}
        plain, fast = (GaussianMixture(**start, accelerate=a).fit(X) for a in (False, True))
        ratios.append(plain.n_iter_ / fast.n_iter_)
        gains.append(fast.lower_bound_ - plain.lower_bound_)
    print(np.round(ratios, 1), np.round(gains, 5))
    assert np.median(ratios) >= 1.7
    assert np.median(gains) >= 0


def test_a_start_can_be_saved(tmp_path):
    X, _ = groups()
    model = fitted(X, **same_start(X, 3, "full"), callback=lambda event: event.step == 2)
    assert model.n_iter_ == 2
    model.save(tmp_path / "m")
    assert load(tmp_path / "m").n_iter_ == 2


def test_progress_and_events(capsys, monkeypatch):
    from aimass_core.base import progress

    X, _ = groups()
    monkeypatch.setattr(progress, "_BAR_AFTER", -1.0)
    fitted(X, n_components=3, verbose=True, n_init=2, random_state=0)
    text = capsys.readouterr().err
    assert "EM from start 1 of 2 [" in text
    assert "lower_bound" in text
    events = []
    model = fitted(X, n_components=3, n_init=2, random_state=0, callback=events.append)
    assert [e.stage for e in events if e.step == 1] == [f"EM from start {n} of 2" for n in (1, 2)]
    assert events[-1].n_steps == 100
    assert model.lower_bound_ in [e.values["lower_bound"] for e in events]
    best = next(e for e in events if e.values["lower_bound"] == model.lower_bound_)
    assert (best.model.predict_proba(X) == model.predict_proba(X)).all()


@pytest.mark.parametrize("n_components", [1, 2])
def test_estimator_checks_of_scikit_learn(n_components):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    model = GaussianMixture(n_components, max_iter=500)
    other_seeds = "repeated rows draw other seeds, so another optimum may be found"
    expected = {"check_sample_weight_equivalence_on_dense_data": other_seeds}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = checks.check_estimator(
            model, on_fail=None, expected_failed_checks=expected if n_components > 1 else None
        )
    assert len(results) > 40
    assert not [r["check_name"] for r in results if r["status"] == "failed"]


def test_unfitted():
    model = GaussianMixture()
    for call in (model.predict, model.predict_proba, model.score_samples, model.score, model.bic):
        with pytest.raises(NotFittedError, match="not fitted"):
            call(np.ones((3, 2)))
    with pytest.raises(NotFittedError):
        model.sample()
