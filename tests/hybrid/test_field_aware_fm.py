"""Field-aware factorization machines: what they learn, files, early stopping, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import load
from aimass_core.exceptions import NotFittedError, NumericalError
from aimass_core.hybrid import FieldAwareFactorizationMachineClassifier as Classifier
from aimass_core.hybrid import FieldAwareFactorizationMachineRegressor as Regressor

BOTH = (Regressor, Classifier)


def products(n, seed, noise=0.1):
    """Features, and the product of the first two with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, 3 + X[:, 0] * X[:, 1] - X[:, 2] + noise * rng.normal(size=n)


def targets_of(y, cls):
    return y if cls is Regressor else y > 3


@pytest.mark.parametrize("fields", [None, [0, 1, 2, 3], ["a", "a", "b", "b"]])
@pytest.mark.parametrize("cls", BOTH)
def test_products_are_learned(cls, fields):
    X, y = products(3000, 0)
    y = targets_of(y, cls)
    model = cls(max_iter=30).fit(X[:2000], y[:2000], fields=fields)
    assert model.score(X[2000:], y[2000:]) > 0.9
    linear = cls(max_iter=30, n_factors=0).fit(X[:2000], y[:2000], fields=fields)
    assert linear.score(X[2000:], y[2000:]) < 0.85


@pytest.mark.parametrize("cls", BOTH)
def test_predictions_are_sums_over_pairs_of_columns(cls):
    X, y = products(60, 1)
    fields = np.array([0, 1, 0, 2])
    model = cls(max_iter=2).fit(X, targets_of(y, cls), fields=fields)
    v, w = model.factors_.astype(float), model.linear_.astype(float)
    expected = model.intercept_ + X @ w
    for j in range(4):
        for other in range(j):
            product = v[j, fields[other]] @ v[other, fields[j]]
            expected = expected + product * X[:, j] * X[:, other]
    ours = model.predict(X) if cls is Regressor else model.decision_function(X)
    np.testing.assert_allclose(ours, expected, atol=1e-10)
    alone = [model.predict(X[i : i + 1])[0] for i in range(60)]
    np.testing.assert_array_equal(alone, model.predict(X))


def test_fields_tell_pairs_apart_that_one_field_cannot():
    """Effects of pairs of three categories that no single vector of one number expresses."""
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 6, (6000, 3))
    X = np.hstack([np.eye(6)[c] for c in codes.T])
    effects = rng.normal(size=(3, 6, 1))
    others = rng.normal(size=(3, 6, 1))
    pairs = ((0, 1), (1, 2), (2, 0))
    y = sum(
        effects[i, codes[:, a], 0] * others[i, codes[:, b], 0] for i, (a, b) in enumerate(pairs)
    )
    fields = np.repeat([0, 1, 2], 6)
    options = {"n_factors": 1, "max_iter": 60, "learning_rate": 0.2}
    scores = [
        Regressor(**options).fit(X[:4000], y[:4000], fields=f).score(X[4000:], y[4000:])
        for f in (fields, None)
    ]
    assert scores[0] > 0.9 > scores[1] + 0.1


def test_classes_have_calibrated_probabilities():
    X, y = products(4000, 3, noise=1.0)
    labels = np.where(y > 3, "yes", "no")
    model = Classifier().fit(X[:3000], labels[:3000])
    shares = model.predict_proba(X[3000:])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert model.classes_.tolist() == ["no", "yes"]
    assert abs(shares[:, 1].mean() - np.mean(labels[3000:] == "yes")) < 0.05


def test_early_stopping_keeps_the_best_epoch():
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(60, 30)), rng.normal(size=60)  # nothing to learn: it overfits
    model = Regressor(max_iter=200, n_factors=8, learning_rate=0.5).fit(X, y)
    held_out = model.validation_losses_
    assert len(held_out) == len(model.losses_) < 200
    assert len(held_out) - 1 - int(np.argmin(held_out)) == 3
    shorter = Regressor(max_iter=int(np.argmin(held_out)) + 1, n_factors=8, learning_rate=0.5)
    np.testing.assert_array_equal(shorter.fit(X, y).factors_, model.factors_)
    full = Regressor(max_iter=5, validation_fraction=0.0).fit(X, y)
    assert len(full.losses_) == 5
    assert len(full.validation_losses_) == 0


@pytest.mark.parametrize("cls", BOTH)
def test_seeds_repeat_and_files_hold_the_model(cls, tmp_path):
    X, y = products(300, 5)
    y = targets_of(y, cls)
    model = cls(max_iter=3).fit(sp.csr_matrix(X), y, fields=[0, 0, 1, 1])
    again = cls(max_iter=3).fit(X, y, fields=[0, 0, 1, 1])
    np.testing.assert_array_equal(model.factors_, again.factors_)
    assert (cls(max_iter=3, random_state=1).fit(X, y).linear_ != model.linear_).any()
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.n_features_in_ == 4


def test_weights_of_zero_leave_rows_out():
    X, y = products(200, 6)
    weights = (np.arange(200) < 150).astype(float)
    options = {"max_iter": 4, "validation_fraction": 0.0}
    weighted = Regressor(**options).fit(
        X, np.where(weights > 0, y, y.mean()), sample_weight=weights
    )
    other = X.copy()
    other[150:] = 7
    same = Regressor(**options).fit(
        other, np.where(weights > 0, y, y.mean()), sample_weight=weights
    )
    np.testing.assert_array_equal(weighted.factors_, same.factors_)


def test_callbacks_see_a_model_and_end_the_fit():
    X, y = products(200, 7)
    seen = []

    def callback(event):
        seen.append(event.model.predict(X))
        return len(seen) == 2

    model = Regressor().fit(X, y, callback=callback)
    assert len(model.losses_) == len(seen) == 2
    assert np.corrcoef(seen[-1], y)[0, 1] > 0.2


def test_scikit_learn_searches_and_clones():
    selection = pytest.importorskip("sklearn.model_selection")
    base = pytest.importorskip("sklearn.base")
    X, y = products(600, 8)
    search = selection.GridSearchCV(Regressor(), {"n_factors": [0, 3]}, cv=2).fit(X, y)
    assert search.best_params_ == {"n_factors": 3}
    assert base.is_classifier(Classifier())
    assert base.is_regressor(base.clone(Regressor()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"y": np.ones(3)}, r"one value per row \(20\), got 3"),
        ({"y": np.full(20, np.nan)}, "y holds nan in row 0"),
        ({"y": np.full(20, 1e308)}, "too large to be averaged"),
        ({"y": np.arange(20.0) * 1e40}, "standard deviation of 6e"),
        ({"y": np.arange(20.0) * 1e-50}, "multiply y by a constant"),
        ({"fields": [0, 1, 2]}, "one label for each of the 2 columns"),
        ({"sample_weight": -np.ones(20)}, "at least 0"),
        ({"X": np.full((20, 2), np.nan)}, "not a finite number"),
        ({"X": np.ones((20, 0))}, "0 columns"),
        ({"X": np.ones((0, 2)), "y": np.ones(0)}, "0 rows"),
    ],
)
def test_refused_data(options, message):
    arguments = {"X": np.eye(20)[:, :2] + 1, "y": np.arange(20.0)} | options
    with pytest.raises(ValueError, match=message):
        Regressor().fit(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_factors": -1}, "n_factors"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"regularization": -1.0}, "regularization"),
        ({"validation_fraction": 1.0}, "validation_fraction must be below 1"),
        ({"validation_fraction": 0.001}, "leaves a part without rows"),
        ({"n_iter_no_change": 0}, "n_iter_no_change"),
    ],
)
def test_refused_parameters(options, message):
    X, y = products(20, 0)
    with pytest.raises(ValueError, match=message):
        Regressor(**options).fit(X, y)


def test_divergence_other_columns_and_models_without_a_fit_are_named():
    X, y = products(50, 9)
    with pytest.raises(NumericalError, match=r"epoch 1 is not finite.*learning_rate"):
        Regressor().fit(X * 1e200, y)
    X[7] *= 1e200  # one of all rows, which may be held out
    with pytest.raises(NumericalError, match=r"epoch \d+ is not finite.*learning_rate"):
        Regressor(validation_fraction=0.9).fit(X, y)
    X[7] /= 1e200
    with pytest.raises(TypeError, match="fields must hold labels of one kind"):
        Regressor().fit(X, y, fields=["a", None, "b", "b"])
    classifier = Classifier().fit(X, y > 0)
    with pytest.raises(ValueError, match="one label for each of the 50 rows"):
        classifier.score(X, [True])
    with pytest.raises(ValueError, match="two classes, got 1"):
        Classifier().fit(X, np.ones(50))
    model = Regressor()
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
        model.predict(X[:, :3])
    with pytest.raises(NumericalError, match="too large"):
        model.predict(X * 1e200)
    with pytest.raises(ValueError, match="one value per row"):
        model.fit(X, y[:5])
    np.testing.assert_array_equal(model.predict(X), before)
