"""Stacking: out-of-fold training, leak tests, and every second stage that a file can hold."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import Interactions, ItemKNN, Popularity, load
from aimass_core.exceptions import DamagedFileError
from aimass_core.fusion import Stacking, candidate_table
from aimass_core.fusion._entries import keep_entries
from aimass_core.fusion._learner import Scorer
from aimass_core.fusion.stacking import area_under_roc

pytest.importorskip("sklearn")
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

MEMBERS = {"knn": ItemKNN(n_neighbors=10), "popular": Popularity()}
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)


def planted(rng, n_users=200, n_items=30):
    groups = rng.integers(0, 3, n_users)
    chance = np.where(np.arange(n_items) // 10 == groups[:, None], 0.5, 0.05)
    return sp.csr_array((rng.random((n_users, n_items)) < chance).astype(np.float32))


# ---- leaks ---------------------------------------------------------------------------------------


def test_without_signal_the_second_stage_is_at_chance(rng):
    """Interactions without any structure: what is left is the chance level, .50 +- .01."""
    matrix = sp.csr_array((rng.random((3000, 40)) < 0.25).astype(np.float32))
    model = Stacking(models=MEMBERS, estimator=TREE, n_folds=3).fit(matrix)
    assert model.n_taken_ > 20_000
    assert model.auc_ == pytest.approx(0.5, abs=0.01)


def test_permuted_labels_leave_the_second_stage_at_chance(rng):
    matrix = planted(rng, 1500)
    is_test = rng.random(matrix.nnz) < 0.3
    train, test = (keep_entries(matrix, kept) for kept in (~is_test, is_test))
    table = candidate_table({n: type(m)().fit(train) for n, m in MEMBERS.items()}, test)
    users = rng.permutation(1500) < 750
    learned, judged = users[table.users], ~users[table.users]

    def area(labels):
        fitted = LogisticRegression(max_iter=500).fit(table.features[learned], labels[learned])
        return area_under_roc(fitted.decision_function(table.features[judged]), labels[judged])

    assert area(table.labels) > 0.75
    assert area(rng.permutation(table.labels)) == pytest.approx(0.5, abs=0.02)


def test_scores_made_on_their_own_training_rows_would_leak(rng):
    """The same noise, scored by models that were fitted on it: what `candidate_table` refuses."""
    matrix = sp.csr_array((rng.random((800, 40)) < 0.25).astype(np.float32))
    knn = ItemKNN(n_neighbors=10).fit(matrix)
    rows, items = np.indices(matrix.shape).reshape(2, -1)
    leaked = area_under_roc(knn.predict(rows, items), matrix.toarray().ravel() > 0)
    assert leaked > 0.55  # against .50 out of fold
    with pytest.raises(ValueError, match=r"interactions that 'knn' was fitted on.*own training"):
        candidate_table({"knn": knn}, matrix)
    part = matrix.copy()
    part.data[: part.nnz // 2] = 0
    part.eliminate_zeros()
    with pytest.raises(ValueError, match="own training rows"):
        candidate_table({"knn": ItemKNN().fit(part)}, matrix)


def test_fitted_members_are_fitted_anew(rng):
    """A member that comes fitted, even on everything, cannot carry its training rows in."""
    matrix = sp.csr_array((rng.random((1500, 30)) < 0.3).astype(np.float32))
    fitted = {name: type(m)().fit(matrix) for name, m in MEMBERS.items()}
    model = Stacking(models=fitted, estimator=TREE, n_folds=2).fit(matrix)
    assert model.auc_ == pytest.approx(0.5, abs=0.02)


def test_table_of_models_without_training_data_is_refused(rng, tmp_path):
    matrix = planted(rng)
    ItemKNN().fit(matrix).save(tmp_path / "m", training=False)
    with pytest.raises(ValueError, match="cannot be shown that its scores were not made"):
        candidate_table({"knn": load(tmp_path / "m")}, matrix)


def test_table_refuses_other_shapes_and_ids(rng):
    x = Interactions.from_arrays(["a", "b", "b"], ["p", "p", "q"])
    knn = ItemKNN().fit(x)
    with pytest.raises(ValueError, match="same shape"):
        candidate_table({"knn": knn}, np.zeros((2, 3)))
    other = Interactions.from_arrays(["a", "c"], ["q", "p"])
    with pytest.raises(ValueError, match="same ids in the same order"):
        candidate_table({"knn": knn}, other)
    with pytest.raises(TypeError, match="dict of name to fitted model"):
        candidate_table([knn], np.zeros((2, 2)))
    assert len(candidate_table({"knn": knn}, np.zeros((2, 2)))) == 0
    with pytest.raises(ValueError, match=r"e\.g\. user 'a' with item 'p'"):
        candidate_table({"knn": knn}, x)


# ---- what is learned -----------------------------------------------------------------------------


def test_the_better_member_is_found(rng):
    matrix = planted(rng)
    model = Stacking(models={"noise": Popularity(by="mean"), "knn": ItemKNN(n_neighbors=10)})
    model.fit(matrix)
    assert model.auc_ > 0.8
    coefficients = np.abs(model.estimator_[-1].coef_[0])
    of = dict(zip(model.feature_names_, coefficients, strict=True))
    assert max(of["knn z-score"], of["knn log rank"]) > 5 * of["noise z-score"]
    lists = model.recommend(k=5)
    groups = [np.bincount(row[row >= 0] // 10, minlength=3).max() for row in lists.indices]
    assert np.mean(groups) > 4


def test_candidates_and_labels_of_a_table(rng):
    matrix = planted(rng, 50)
    later = sp.csr_array((matrix.toarray() == 0) * (rng.random(matrix.shape) < 0.1) * 1.0)
    fitted = {name: type(m)().fit(matrix) for name, m in MEMBERS.items()}
    table = candidate_table(fitted, later, depth=30)
    dense = matrix.toarray(), later.toarray()
    assert (dense[0][table.users, table.items] == 0).all()
    np.testing.assert_array_equal(table.labels, dense[1][table.users, table.items] > 0)
    assert table.labels.sum() == later.nnz  # every unseen item is a candidate here
    columns = table.to_dict()
    assert list(columns)[:2] == ["user", "item"]
    np.testing.assert_allclose(
        columns["log user count"], np.log1p((dense[0] > 0).sum(axis=1)[table.users])
    )
    few = candidate_table(fitted, later, depth=30, max_rows=300)
    assert 0 < len(few) <= 330
    assert "CandidateTable(" in repr(few)


def test_latest_interactions_as_validation(rng):
    matrix = planted(rng)
    times = rng.permutation(matrix.nnz)
    users = np.repeat(np.arange(200), np.diff(matrix.indptr))
    x = Interactions.from_arrays(users, matrix.indices, times=times)
    model = Stacking(models=MEMBERS, estimator=TREE, validation="latest").fit(x)
    assert model.auc_ > 0.75
    with pytest.raises(ValueError, match="needs times"):
        Stacking(models=MEMBERS, validation="latest").fit(matrix)


def test_nothing_to_learn_from_is_logged(caplog):
    model = Stacking(models=MEMBERS, estimator=TREE).fit(np.eye(3))
    assert np.isnan(model.auc_)
    assert model.estimator_ is None
    assert "nothing to learn" in caplog.text
    assert model.recommend(k=2).indices.shape == (3, 2)


# ---- second stages and files ---------------------------------------------------------------------

SAVED = [
    "logistic",
    LogisticRegression(max_iter=500),
    make_pipeline(StandardScaler(), LinearSVC()),
    RidgeClassifier(),
    LinearRegression(),
    TREE,
    RandomForestClassifier(n_estimators=5, max_depth=5, random_state=0),
    ExtraTreesRegressor(n_estimators=5, max_depth=5, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    GradientBoostingRegressor(n_estimators=5, random_state=0),
    HistGradientBoostingRegressor(max_iter=5),
    make_pipeline(
        StandardScaler(),
        MLPClassifier((4,), solver="lbfgs", max_iter=1000, alpha=10.0, tol=0.1, random_state=0),
    ),
]


@pytest.mark.parametrize("estimator", SAVED, ids=repr)
def test_a_second_stage_survives_a_file(estimator, rng, tmp_path):
    matrix = planted(rng, 80)
    model = Stacking(models=MEMBERS, estimator=estimator, n_folds=2).fit(matrix)
    assert model.scorer_parts_, "not converted"
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    lists = model.recommend(k=8)
    np.testing.assert_array_equal(again.recommend(k=8).indices, lists.indices)
    np.testing.assert_array_equal(again.recommend(k=8).scores, lists.scores)
    assert again.auc_ == model.auc_
    refitted = again.fit(matrix).recommend(k=8)  # the description rebuilds the estimator
    np.testing.assert_array_equal(refitted.indices, lists.indices)


@pytest.mark.parametrize("estimator", [SVC(), GaussianNB()], ids=repr)
def test_other_second_stages_answer_but_are_not_saved(estimator, rng, tmp_path):
    model = Stacking(models=MEMBERS, estimator=estimator, n_folds=2).fit(planted(rng, 60))
    assert model.recommend(k=3).indices.shape == (60, 3)
    with pytest.raises(TypeError, match=r"cannot be saved, because aimass_core writes no pickle"):
        model.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_was_not_converted_is_not_saved(rng, tmp_path):
    model = Stacking(models=MEMBERS, estimator=TREE, n_folds=2).fit(planted(rng, 60))
    model.scorer_parts_ = {}
    with pytest.raises(TypeError, match="no form that a file can hold"):
        model.save(tmp_path / "m")


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        ("trees", ValueError, "estimator must be one of logistic, boosting, forest"),
        (LogisticRegression, TypeError, "estimator must be a name"),
        (KMeans(2), TypeError, "estimator must learn from labels, and KMeans does not"),
        (3, TypeError, "estimator must be a name"),
        ({"steps": [["os.system", {}]]}, ValueError, "is not one of"),
        ({"class": "x"}, ValueError, "'steps' only"),
    ],
)
def test_what_is_no_estimator(estimator, error, message):
    with pytest.raises(error, match=message):
        Stacking(models=MEMBERS, estimator=estimator).fit(np.eye(3))


def test_damaged_trees_are_refused(rng, tmp_path):
    model = Stacking(models=MEMBERS, estimator=TREE, n_folds=2).fit(planted(rng, 60))
    parts = model.scorer_parts_
    for name, value in (("left", 0), ("right", 10**6), ("feature", 99), ("roots", -1)):
        broken = {**parts, name: np.full_like(parts[name], value)}
        with pytest.raises(ValueError, match="damaged"):
            Scorer(broken, 6)
    model.scorer_parts_ = {**parts, "left": np.zeros_like(parts["left"])}  # would never end
    model.save(tmp_path / "m")
    with pytest.raises(DamagedFileError, match="damaged"):
        load(tmp_path / "m")
