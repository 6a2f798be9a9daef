"""Factorization machines on a design matrix: what they learn, uncertainty, files, bad input."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import scipy.sparse as sp
from _interrupts import stops_within_half_a_second

from aimass_core import load
from aimass_core.exceptions import (
    ConvergenceWarning,
    DamagedFileError,
    NotFittedError,
    NumericalError,
)
from aimass_core.hybrid import (
    FactorizationMachineClassifier,
    FactorizationMachineOrderedProbit,
    FactorizationMachineRegressor,
    FieldAwareFactorizationMachineClassifier,
    FieldAwareFactorizationMachineRegressor,
    RelationBlock,
    _fm_chain,
)
from aimass_core.hybrid._fm_design import independent_runs

SHORT = {"n_factors": 3, "max_iter": 60, "n_burn_in": 20, "n_threads": 1}
ESTIMATORS = (
    FactorizationMachineRegressor,
    FactorizationMachineClassifier,
    FactorizationMachineOrderedProbit,
)


def products(n, seed, noise=0.3):
    """Features, and the product of the first two with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, 3 + X[:, 0] * X[:, 1] - X[:, 2] + noise * rng.normal(size=n)


def classes_of(y, cls):
    if cls is FactorizationMachineRegressor:
        return y
    return np.digitize(y, [3] if cls is FactorizationMachineClassifier else [2.5, 3.5])


@pytest.mark.parametrize("solver", ["mcmc", "als"])
def test_products_are_learned(solver):
    X, y = products(1500, 0)
    options = SHORT if solver == "mcmc" else {"n_factors": 3, "max_iter": 500, "n_threads": 1}
    model = FactorizationMachineRegressor(solver=solver, **options).fit(X[:1000], y[:1000])
    assert model.score(X[1000:], y[1000:]) > 0.9
    linear = FactorizationMachineRegressor(**SHORT | {"n_factors": 0}).fit(X[:1000], y[:1000])
    assert linear.score(X[1000:], y[1000:]) < 0.8


def test_classes_are_learned_with_calibrated_probabilities():
    X, y = products(3000, 1, noise=1.0)
    for cls in (FactorizationMachineClassifier, FactorizationMachineOrderedProbit):
        labels = classes_of(y, cls)
        options = SHORT | {"max_iter": 120, "n_burn_in": 60}
        model = cls(**options).fit(X[:2000], labels[:2000])
        shares = model.predict_proba(X[2000:])
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        observed = np.eye(shares.shape[1])[labels[2000:]].mean(axis=0)
        np.testing.assert_allclose(shares.mean(axis=0), observed, atol=0.04)
        assert model.score(X[2000:], labels[2000:]) > 0.6 + 0.1 * (shares.shape[1] == 2)
        np.testing.assert_array_equal(
            model.predict(X[2000:]), model.classes_[shares.argmax(axis=1)]
        )


def test_als_classifier():
    X, y = products(1500, 2)
    model = FactorizationMachineClassifier(
        n_factors=3, solver="als", max_iter=1000, n_threads=1
    ).fit(X[:1000], y[:1000] > 3)
    assert model.score(X[1000:], y[1000:] > 3) > 0.85


def test_intervals_cover_and_bounds_are_quantiles():
    X, y = products(3000, 3, noise=1.0)
    model = FactorizationMachineRegressor(**SHORT).fit(X[:1500], y[:1500])
    mean, std, low, high = model.predict(X[1500:], return_std=True, interval=0.9)
    covered = np.mean((low <= y[1500:]) & (y[1500:] <= high))
    assert 0.87 < covered < 0.93
    np.testing.assert_allclose((high - low) / (2 * 1.645 * std), 1, rtol=0.02)
    np.testing.assert_allclose(mean, (low + high) / 2, atol=0.05)
    np.testing.assert_allclose(1 / np.sqrt(model.noise_precisions_.mean()), 1.0, rtol=0.1)


def relational(seed, n=600, n_numbers=2):
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 30, n), rng.integers(0, 20, n)
    tables = [
        sp.hstack([sp.eye(size), sp.csr_matrix(rng.normal(size=(size, n_numbers)))]).tocsr()
        for size in (30, 20)
    ]
    y = rng.normal(size=n)
    return tables, [users, items], y


@pytest.mark.parametrize(("n_factors", "n_numbers"), [(0, 2), (4, 0), (20, 0)])
def test_relations_are_the_joined_design_matrix(n_factors, n_numbers):
    """Without draws, both are the same sweeps; rows of the tables are never repeated.

    Columns of relations that share rows are drawn four coefficients at a time, so only linear
    models have them here.
    """
    tables, rows, y = relational(0, n_numbers=n_numbers)
    options = {"n_factors": n_factors, "solver": "als", "max_iter": 4, "tol": 0.0, "n_threads": 1}
    joined = sp.hstack([t[r] for t, r in zip(tables, rows, strict=True)]).tocsr()
    plain = FactorizationMachineRegressor(**options).fit(joined, y)
    blocks = [RelationBlock(t, r) for t, r in zip(tables, rows, strict=True)]
    related = FactorizationMachineRegressor(**options).fit(None, y, relations=blocks)
    mixed = FactorizationMachineRegressor(**options).fit(
        tables[0][rows[0]], y, relations=blocks[1:]
    )
    for other in (related, mixed):
        if n_factors <= 15:  # else blocks of factors come in another order
            np.testing.assert_allclose(other.linear_, plain.linear_, atol=1e-5)
            np.testing.assert_allclose(other.factors_, plain.factors_, atol=1e-5)
    predictions = related.predict(None, relations=blocks)
    if n_factors <= 15:
        np.testing.assert_allclose(predictions, plain.predict(joined), atol=1e-4)


def test_bits_do_not_depend_on_threads_and_seeds_repeat():
    tables, rows, y = relational(1)
    blocks = [RelationBlock(t, r) for t, r in zip(tables, rows, strict=True)]
    X = sp.csr_matrix(np.random.default_rng(0).normal(size=(600, 3)))
    fits = [
        FactorizationMachineRegressor(**SHORT | {"n_threads": n}).fit(X, y, relations=blocks)
        for n in (1, 3)
    ]
    np.testing.assert_array_equal(fits[0].factors_, fits[1].factors_)
    other = FactorizationMachineRegressor(**SHORT, random_state=1).fit(X, y, relations=blocks)
    assert (other.factors_ != fits[0].factors_).any()


def test_weights_stand_for_repeated_rows():
    X, y = products(200, 4)
    repeated = np.repeat(np.arange(200), 2)
    options = {"n_factors": 2, "solver": "als", "max_iter": 5, "tol": 0.0, "n_threads": 1}
    weighted = FactorizationMachineRegressor(**options).fit(X, y, sample_weight=np.full(200, 2.0))
    doubled = FactorizationMachineRegressor(**options).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(weighted.factors_, doubled.factors_, atol=1e-5)


def test_groups_have_their_own_priors():
    """The large coefficients of one group widen the prior of the other, where they share one."""
    options = {"n_factors": 0, "max_iter": 800, "n_burn_in": 200, "n_threads": 1}
    groups = ["strong"] * 2 + ["noise"] * 38
    sizes = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(60, 40))
        y = 100 * X[:, 0] + 100 * X[:, 1] + 10 * rng.normal(size=60)
        models = [
            FactorizationMachineRegressor(**options).fit(X, y, groups=of) for of in (groups, None)
        ]
        sizes.append([np.abs(model.linear_.mean(axis=0)[2:]).mean() for model in models])
    grouped, single = np.mean(sizes, axis=0)
    assert grouped < 0.85 * single


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_files(cls, tmp_path):
    X, y = products(200, 6)
    model = cls(**SHORT | {"n_burn_in": 30}).fit(X, classes_of(y, cls))
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert type(again) is cls
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.get_params() == model.get_params()


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_callbacks_get_models_that_predict(cls):
    X, y = products(100, 7)
    events = []

    def callback(event):
        events.append((event.step, event.values["rmse"], event.model.predict(X[:3])))
        return event.step == 25

    model = cls(**SHORT | {"n_burn_in": 20}).fit(X, classes_of(y, cls), callback=callback)
    assert [step for step, *_ in events] == list(range(1, 26))
    assert len(model.losses_) == 25
    assert len(model.linear_) == 5


def test_scikit_learn_searches_and_clones():
    selection = pytest.importorskip("sklearn.model_selection")
    base = pytest.importorskip("sklearn.base")
    X, y = products(200, 8)
    search = selection.GridSearchCV(
        FactorizationMachineRegressor(**SHORT), {"n_factors": [0, 3]}, cv=2
    ).fit(X, y)
    assert search.best_params_ == {"n_factors": 3}
    assert base.is_classifier(FactorizationMachineClassifier())
    assert base.is_regressor(base.clone(FactorizationMachineRegressor()))


def test_runs_of_columns_that_share_no_row():
    rng = np.random.default_rng(9)
    hot = [np.eye(5)[rng.integers(0, 5, 40)] for _ in range(2)]
    X = sp.csr_array(np.hstack([*hot, np.ones((40, 2))]))
    assert independent_runs(X).tolist() == [0, 5, 10, 11, 12]
    assert independent_runs(sp.csr_array((3, 4))).tolist() == [0, 4]
    assert independent_runs(sp.csr_array((3, 0))).tolist() == [0]


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"y": np.ones(3)}, r"one value per row \(20\), got 3"),
        ({"y": np.full(20, np.nan)}, "y holds nan in row 0"),
        ({"y": np.full(20, 1e308)}, "too large to be averaged"),
        ({"groups": [0, 1, 2]}, "one label for each of the 2 columns"),
        ({"sample_weight": np.ones(3)}, "one number for each of the 20 rows"),
        ({"sample_weight": -np.ones(20)}, "at least 0"),
        ({"X": np.full((20, 2), np.nan)}, "not a finite number"),
        ({"X": np.ones((20, 0))}, "0 columns"),
        ({"X": np.ones((0, 2)), "y": np.ones(0)}, "0 rows"),
        ({"X": None}, "X is None and there are no relations"),
        ({"relations": [RelationBlock(np.eye(3), [0, 1, 2])]}, "the same cases, got 20, 3 rows"),
    ],
)
def test_refused_data(options, message):
    arguments = {"X": np.eye(20)[:, :2] + 1, "y": np.arange(20.0)} | options
    with pytest.raises(ValueError, match=message):
        FactorizationMachineRegressor(**SHORT).fit(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_factors": -1}, "n_factors"),
        ({"solver": "adam"}, "solver"),
        ({"n_burn_in": 60}, "leaves no draw of max_iter=60"),
        ({"thin": 0}, "thin"),
        ({"tol": 0.1}, "tol=0.1 has no effect with solver='mcmc'"),
        ({"solver": "als", "n_burn_in": 30}, "n_burn_in=30 has no effect with solver='als'"),
    ],
)
def test_refused_parameters(options, message):
    X, y = products(20, 0)
    with pytest.raises(ValueError, match=message):
        FactorizationMachineRegressor(**SHORT | options).fit(X, y)


def test_refused_classes_and_relations():
    X, y = products(20, 0)
    with pytest.raises(ValueError, match="two classes, got 1: drop the constant"):
        FactorizationMachineClassifier().fit(X, np.ones(20))
    with pytest.raises(ValueError, match="two classes, got 20: use FactorizationMachineOrdered"):
        FactorizationMachineClassifier().fit(X, y)
    with pytest.raises(ValueError, match="at least two classes"):
        FactorizationMachineOrderedProbit().fit(X, np.ones(20))
    with pytest.raises(ValueError, match="at most 100 ordered classes"):
        FactorizationMachineOrderedProbit().fit(np.ones((200, 1)), np.arange(200))
    with pytest.raises(TypeError, match="RelationBlock"):
        FactorizationMachineRegressor().fit(X, y, relations=[X])
    with pytest.raises((IndexError, KeyError, ValueError)):
        RelationBlock(np.eye(2), [0, 2])


def test_predictions_refuse_other_columns():
    X, y = products(50, 0)
    model = FactorizationMachineRegressor(**SHORT)
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.fit(X, y)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
        model.predict(X[:, :3])
    with pytest.raises(ValueError, match="expects X of 4 columns, got"):
        model.predict(X, relations=[RelationBlock(np.eye(2), [0] * 50)])
    with pytest.raises(ValueError, match="interval must be above 0 and below 1"):
        model.predict(X, interval=1.0)
    with pytest.raises(NumericalError, match="too large"):
        model.predict(X * 1e200)


def test_constant_columns_empty_rows_and_huge_units():
    X, y = products(300, 10)
    X[:, 3] = 1.0
    X[:20] = 0
    model = FactorizationMachineRegressor(**SHORT).fit(X, 1e9 * y)
    assert model.score(X, 1e9 * y) > 0.8
    constant = FactorizationMachineRegressor(**SHORT).fit(X, np.full(300, 7.0))
    np.testing.assert_allclose(constant.predict(X), 7, atol=0.5)
    with pytest.raises(NumericalError, match="standardise"):
        FactorizationMachineRegressor(**SHORT).fit(X * 1e200, y)


def test_a_failed_fit_changes_nothing():
    X, y = products(100, 11)
    model = FactorizationMachineRegressor(**SHORT).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="one value per row"):
        model.fit(X, y[:5])
    np.testing.assert_array_equal(model.predict(X), before)


def test_memory_is_estimated_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(_fm_chain, "available_memory", lambda: 1000.0)
    X, y = products(50, 12)
    with pytest.raises(MemoryError, match=r"40 draws of 4 x 4 .* keep fewer draws"):
        FactorizationMachineRegressor(**SHORT).fit(X, y)


def test_als_that_does_not_converge_warns():
    X, y = products(100, 13)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 sweeps did not reach tol"):
        FactorizationMachineRegressor(solver="als", max_iter=1).fit(X, y)


def test_an_interrupted_fit_leaves_nothing_fitted():
    X, y = products(400, 14)
    model = FactorizationMachineRegressor(max_iter=100, n_burn_in=10)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, callback=interrupt)
    with pytest.raises(NotFittedError):
        model.predict(X)


def interrupt(event):
    if event.step == 3:
        raise KeyboardInterrupt


def test_ctrl_c_within_half_a_second():
    prepare = """
import numpy as np
from aimass_core.hybrid import FactorizationMachineRegressor
rng = np.random.default_rng(14)
X, y = rng.normal(size=(4000, 20)), rng.normal(size=4000)
"""
    call = (
        "FactorizationMachineRegressor(n_factors=30, max_iter=100_000, n_burn_in=99_990).fit(X, y)"
    )
    assert stops_within_half_a_second(prepare, call, wait=0.5)


NAMED = (
    FactorizationMachineRegressor(n_factors=2, max_iter=30),
    FactorizationMachineClassifier(n_factors=2, max_iter=30),
    FactorizationMachineOrderedProbit(n_factors=2, max_iter=70),
    FieldAwareFactorizationMachineRegressor(n_factors=2, max_iter=3),
    FieldAwareFactorizationMachineClassifier(n_factors=2, max_iter=3),
)


@pytest.mark.parametrize("model", NAMED, ids=lambda model: type(model).__name__)
def test_columns_are_matched_by_name(model, tmp_path):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pandas.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    y = np.arange(60) % 2
    model = copy.deepcopy(model)
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.fit(X, y)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    expected = model.predict(X)
    np.testing.assert_array_equal(model.predict(X.to_numpy()), expected)
    model.save(tmp_path / "model")
    for one in (model, load(tmp_path / "model")):
        np.testing.assert_array_equal(one.predict(X), expected)
        with pytest.raises(ValueError, match="feature names should match"):
            one.predict(X[["c", "a", "b"]])
    model.fit(X.to_numpy(), y)
    assert not hasattr(model, "feature_names_in_")
    model.predict(X)


@pytest.mark.parametrize("model", NAMED, ids=lambda model: type(model).__name__)
def test_files_without_the_names_of_columns_are_refused_with_a_remedy(model, tmp_path, monkeypatch):
    """Files of releases that did not keep the names."""
    model = copy.deepcopy(model).fit(np.random.default_rng(0).normal(size=(60, 3)), [0, 1] * 30)
    with monkeypatch.context() as patch:
        state = tuple(name for name in model._state if name != "_column_names")
        patch.setattr(type(model), "_state", state)
        model.save(tmp_path / "model")
    remedy = r"lacks '_column_names', as a file of another release may: fit .* and save it again"
    with pytest.raises(DamagedFileError, match=remedy):
        load(tmp_path / "model")


@pytest.mark.parametrize("model", NAMED, ids=lambda model: type(model).__name__)
def test_text_in_the_design_matrix_has_a_remedy(model):
    for X in (np.array([["a"], ["b"]]), np.array([["a"], [1.0]], dtype=object)):
        with pytest.raises(TypeError, match="OneHotEncoder"):
            copy.deepcopy(model).fit(X, [0, 1])
    with pytest.raises(ValueError, match="X must be 2-D"):
        copy.deepcopy(model).fit([1.0, 2.0], [0, 1])


def test_ordered_classes_have_the_order_of_their_type(caplog):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 1))
    codes = np.digitize(X[:, 0], [-0.5, 0.5])
    names = np.array(["low", "middle", "high"])
    order = ["none", "low", "middle", "high"]
    y = pandas.Series(pandas.Categorical(names[codes], categories=order, ordered=True))
    model = FactorizationMachineOrderedProbit(n_factors=1, max_iter=80).fit(X, y)
    assert model.classes_.tolist() == ["low", "middle", "high"]
    by_code = FactorizationMachineOrderedProbit(n_factors=1, max_iter=80).fit(X, codes)
    np.testing.assert_array_equal(model.predict_proba(X), by_code.predict_proba(X))
    np.testing.assert_array_equal(model.predict(X), names[by_code.predict(X)])
    polars = pytest.importorskip("polars")
    enum = polars.Series(names[codes], dtype=polars.Enum(order))
    same = FactorizationMachineOrderedProbit(n_factors=1, max_iter=80).fit(X, enum)
    np.testing.assert_array_equal(same.predict_proba(X), by_code.predict_proba(X))
    assert "alphabetical" not in caplog.text
    text = FactorizationMachineOrderedProbit(n_factors=1, max_iter=80).fit(X, names[codes])
    assert text.classes_.tolist() == ["high", "low", "middle"]
    assert "alphabetical one ('high', 'low', 'middle')" in caplog.text


def test_rows_of_relations():
    with pytest.raises(ValueError, match="rows holds 3 at position 1, but features has the rows 0"):
        RelationBlock(np.eye(3), [0, 3])
    with pytest.raises(ValueError, match="holds -1 at position 0"):
        RelationBlock(np.eye(3), [-1, 2])
    y = np.arange(6.0)
    one = RelationBlock(np.eye(3), [0, 1, 2, 0, 1, 2])
    model = FactorizationMachineRegressor(n_factors=1, max_iter=25)
    alone = copy.deepcopy(model).fit(None, y, relations=one).predict(None, relations=one)
    listed = model.fit(None, y, relations=[one]).predict(None, relations=[one])
    np.testing.assert_array_equal(alone, listed)
