"""Meta-learners over scikit-learn: recovery of known uplift, cross-fitting, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core.effects import (
    DRLearner,
    SLearner,
    TLearner,
    XLearner,
    auuc,
    campaign_effect,
    out_of_fold_uplift,
    uplift_report,
)

linear_model = pytest.importorskip("sklearn.linear_model")
ensemble = pytest.importorskip("sklearn.ensemble")
Linear = linear_model.LinearRegression


@pytest.fixture(autouse=True)
def _one_thread():
    """Boosting of so few rows gains nothing from threads and waits for them."""
    with pytest.importorskip("threadpoolctl").threadpool_limits(1):
        yield


def learners():
    return {
        "S": SLearner(ensemble.GradientBoostingRegressor(random_state=0)),
        "T": TLearner(Linear()),
        "X": XLearner(Linear(), Linear()),
        "DR": DRLearner(Linear(), Linear(), n_folds=3),
    }


def data(rng, n=4000, share=0.5):
    X = rng.normal(size=(n, 3))
    treated = rng.random(n) < share
    uplift = 0.5 + X[:, 0]
    y = X[:, 1] + uplift * treated + rng.normal(0, 0.5, n)
    return X, treated, y, uplift


@pytest.mark.parametrize("name", list(learners()))
def test_recovers_a_linear_uplift(name, rng):
    X, treated, y, uplift = data(rng)
    learner = learners()[name].fit(X, treated, y)
    new = rng.normal(size=(2000, 3))
    error = np.sqrt(np.mean((learner.predict(new) - (0.5 + new[:, 0])) ** 2))
    assert error < (0.35 if name == "S" else 0.06)
    assert np.corrcoef(learner.predict(X), uplift)[0, 1] > 0.95


@pytest.mark.parametrize("name", list(learners()))
def test_treatments_of_few(name, rng):
    X, treated, y, _ = data(rng, share=0.1)
    learner = learners()[name].fit(X, treated, y)
    assert np.corrcoef(learner.predict(X), X[:, 0])[0, 1] > 0.85


@pytest.mark.parametrize("kind", [bool, int, float])
@pytest.mark.parametrize("name", list(learners()))
def test_kinds_of_input_agree(name, kind, rng):
    pd = pytest.importorskip("pandas")
    X, treated, y, _ = data(rng, 300)
    expected = learners()[name].fit(X, treated, y).predict(X)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    learner = learners()[name].fit(frame, treated.astype(kind), pd.Series(y))
    if name == "S":  # the treatment is the last column of a frame and the first of an array
        assert np.corrcoef(learner.predict(frame), expected)[0, 1] > 0.95
    else:
        np.testing.assert_allclose(learner.predict(frame), expected)
        sparse = sp.csr_array(X)
        got = learners()[name].fit(sparse, treated, y).predict(sparse)
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_binary_outcomes_use_probabilities(rng):
    X, treated, _, _ = data(rng, 1500)
    bought = rng.random(1500) < 0.1 + 0.3 * treated * (X[:, 0] > 0)
    for learner in (
        TLearner(),
        SLearner(),
        XLearner(),
        DRLearner(n_folds=2),
        TLearner(linear_model.LogisticRegression()),
    ):
        uplift = learner.fit(X, treated, bought).predict(X)
        assert (np.abs(uplift) < 2).all()
        assert uplift[X[:, 0] > 0].mean() > uplift[X[:, 0] < 0].mean() + 0.1


def test_an_arm_without_any_purchase(rng):
    X, treated, _, _ = data(rng, 400)
    bought = treated & (rng.random(400) < 0.2)
    uplift = TLearner(linear_model.LogisticRegression()).fit(X, treated, bought).predict(X)
    assert (uplift > 0).all()


class TestDoublyRobust:
    def test_average_effect(self, rng):
        X, treated, y, uplift = data(rng)
        learner = DRLearner(Linear(), Linear()).fit(X, treated, y)
        effect = learner.average_effect_
        assert effect.lower < uplift.mean() < effect.upper
        assert learner.pseudo_outcomes_.mean() == pytest.approx(effect.estimate)
        plain = campaign_effect(treated, y).effects[0]
        assert effect.standard_error < 0.8 * plain.standard_error

    def test_confounded_treatment_needs_the_propensity_model(self, rng):
        n = 20_000
        X = rng.normal(size=(n, 1))
        treated = rng.random(n) < 1 / (1 + np.exp(-1.5 * X[:, 0]))
        y = np.exp(X[:, 0] / 2) + 0.3 * treated + rng.normal(0, 0.3, n)
        biased = campaign_effect(treated, y).effects[0]
        assert biased.lower > 0.5
        constant = Linear()  # a linear model of the outcome is wrong: the propensities mend it
        learner = DRLearner(constant, Linear(), linear_model.LogisticRegression())
        effect = learner.fit(X, treated, y).average_effect_
        assert effect.estimate == pytest.approx(0.3, abs=0.03)

    def test_folds_are_seeded(self, rng):
        X, treated, y, _ = data(rng, 400)
        one, same, other = (
            DRLearner(Linear(), Linear(), random_state=s).fit(X, treated, y) for s in (0, 0, 1)
        )
        np.testing.assert_array_equal(one.pseudo_outcomes_, same.pseudo_outcomes_)
        assert (one.pseudo_outcomes_ != other.pseudo_outcomes_).any()


class TestOutOfFold:
    def test_has_no_leak(self, rng):
        """A model that learns the noise looks good on its own rows, and not out of fold."""
        tree = pytest.importorskip("sklearn.tree")
        X, treated = rng.normal(size=(2000, 5)), rng.random(2000) < 0.5
        noise = (rng.random(2000) < 0.3).astype(float)
        learner = TLearner(tree.DecisionTreeRegressor(random_state=0))
        own = learner.fit(X, treated, noise).predict(X)
        held_out = out_of_fold_uplift(learner, X, treated, noise)
        random = auuc(np.zeros(2000), treated, noise)
        assert auuc(own, treated, noise) > random + 0.1
        report = uplift_report(held_out, treated, noise, n_resamples=300)
        assert report.qini.lower < 0 < report.qini.upper

    def test_finds_what_is_there(self, rng):
        X, treated, y, _ = data(rng, 1500)
        scores = out_of_fold_uplift(TLearner(Linear()), X, treated, y)
        assert uplift_report(scores, treated, y, n_resamples=200).qini.lower > 0


@pytest.mark.parametrize(("name", "n_steps"), [("T", 2), ("X", 3), ("DR", 4)])
def test_a_fit_reports_its_steps(name, n_steps, rng):
    X, treated, y, _ = data(rng, 100)
    events = []
    learners()[name].fit(X, treated, y, callback=events.append)
    assert [(e.stage, e.step, e.n_steps) for e in events] == [
        ("fit", step, n_steps) for step in range(1, n_steps + 1)
    ]


def test_scikit_learn_conventions(rng):
    base = pytest.importorskip("sklearn.base")
    learner = DRLearner(Linear(), n_folds=3)
    assert repr(learner) == "DRLearner(n_folds=3, outcome_model=LinearRegression())"
    assert base.clone(learner).get_params()["n_folds"] == 3
    with pytest.raises(ValueError, match="not fitted"):
        learner.predict(np.zeros((2, 2)))
    X, treated, y, _ = data(rng, 100)
    learner.fit(X, treated, y)
    with pytest.raises(ValueError, match="must have 3 features"):
        learner.predict(X[:, :2])
    with pytest.raises(NotImplementedError, match="skops or joblib"):
        learner.save("file")


def test_text_columns_are_named(rng):
    pd = pytest.importorskip("pandas")
    learner = TLearner(linear_model.LogisticRegression())
    X = pd.DataFrame({"age": rng.random(60), "zip_code": ["Rural", "Urban"] * 30})
    with pytest.raises(ValueError, match="column 'zip_code' of X holds text"):
        learner.fit(X, np.arange(60) // 30, np.arange(60) % 3 == 0)


@pytest.mark.parametrize("name", list(learners()))
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"treatment": [1] * 60}, ValueError, "everybody or nobody had"),
        ({"treatment": [0] * 60}, ValueError, "everybody or nobody had"),
        ({"treatment": ["a", "b"] * 30}, ValueError, "give treatment == 'b' if 'a' is the control"),
        ({"treatment": ["a", "b", "c"] * 20}, ValueError, "Keep the rows of two arms"),
        ({"treatment": [0, 1]}, ValueError, "one value per row"),
        ({"y": [np.nan] * 60}, ValueError, "y holds nan"),
        ({"y": [0.0]}, ValueError, "one value per row"),
        ({"X": np.zeros(60)}, ValueError, "X must be 2-D"),
        ({"X": np.zeros((0, 2))}, ValueError, "at least one row"),
        ({"X": np.full((60, 2), "a", dtype=object)}, TypeError, "encode categories"),
    ],
)
def test_refusals(name, change, error, message):
    arguments = {"X": np.zeros((60, 2)), "treatment": [0, 1] * 30, "y": np.arange(60.0)}
    with pytest.raises(error, match=message):
        learners()[name].fit(**(arguments | change))


def test_more_refusals(rng):
    X, treated, y, _ = data(rng, 60)
    with pytest.raises(ValueError, match="give a regressor"):
        TLearner(linear_model.LogisticRegression()).fit(X, treated, y)
    with pytest.raises(ValueError, match="propensity must be below 1"):
        XLearner(Linear(), Linear(), propensity=2.0).fit(X, treated, y)
    with pytest.raises(ValueError, match="customers in each arm"):
        DRLearner(Linear(), Linear(), n_folds=40).fit(X, treated, y)
    with pytest.raises(ValueError, match="as many customers in each arm"):
        out_of_fold_uplift(TLearner(Linear()), X, treated, y, n_folds=50)


def test_classifier_without_probabilities_is_refused(rng):
    """The difference of two predicted classes is no effect."""
    svm = pytest.importorskip("sklearn.svm")
    X, treated = rng.normal(size=(100, 2)), np.arange(100) % 2
    y = (rng.random(100) < 0.5).astype(float)
    for learner in (
        SLearner(svm.LinearSVC()),
        TLearner(svm.LinearSVC()),
        XLearner(svm.LinearSVC()),
    ):
        with pytest.raises(TypeError, match="predicts classes without probabilities"):
            learner.fit(X, treated, y)
    for model in ("logistic", svm.LinearSVC):
        with pytest.raises(TypeError, match="must be a scikit-learn estimator"):
            TLearner(model).fit(X, treated, y)
