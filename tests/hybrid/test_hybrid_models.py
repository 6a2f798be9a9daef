"""Models with features: new items and users, updates, files, explanations, unfriendly features."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import (
    BPR,
    WARP,
    ContentBased,
    HybridALS,
    HybridBPR,
    HybridSampledSoftmax,
    HybridWARP,
    ImplicitALS,
    Interactions,
    VectorMap,
    load,
)
from aimass_core.exceptions import NumericalError

KINDS = ("drink", "food", "book")


def matrix(rng, n_users=60, n_items=30, share=0.6):
    """Return users x items: a user likes one kind; items 0 to 9 are drinks and so on."""
    group, kind = np.arange(n_users) % 3, np.arange(n_items) * 3 // n_items
    liked = (group[:, None] == kind) & (rng.random((n_users, n_items)) < share)
    noise = rng.random((n_users, n_items)) < 0.03
    return sp.csr_array((liked | noise).astype(np.float32))


def features(n_items=30, n_colours=4, seed=1):
    """Return items x features: the kind, and a colour that means nothing."""
    rng = np.random.default_rng(seed)
    kind, colour = np.arange(n_items) * 3 // n_items, rng.integers(0, n_colours, n_items)
    rows = np.repeat(np.arange(n_items), 2)
    columns = np.ravel(np.column_stack([kind, 3 + colour]))
    ones = np.ones(2 * n_items, dtype=np.float32)
    return sp.csr_array((ones, (rows, columns)), shape=(n_items, 3 + n_colours))


def named(X):
    users = [f"u{n:02}" for n in range(X.shape[0])]
    items = [f"i{n:02}" for n in range(X.shape[1])]
    return Interactions.from_csr(X, users=users, items=items)


def table(n_items=30):
    return {
        "item": [f"i{n:02}" for n in range(n_items)],
        "kind": [KINDS[n * 3 // n_items] for n in range(n_items)],
        "colour": ["red" if n % 2 else "blue" for n in range(n_items)],
    }


NEW = {"item": ["n0", "n1", "n2"], "kind": list(KINDS), "colour": ["red", "red", "blue"]}


STEPS = {"n_factors": 6, "max_iter": 30}
ALS = {"n_factors": 6, "regularization": 0.05}
MODELS = [
    HybridALS(**ALS),
    HybridALS(**ALS, prior_weight=1.0, feature_regularization="gcv", dtype="float64"),
    HybridALS(**ALS, solver="subspace", prior_weight=0.0, normalize=False),
    HybridBPR(**STEPS),
    HybridBPR(**STEPS, feature_share=1.0, biases=False, dtype="float64"),
    HybridSampledSoftmax(**STEPS, n_negatives=8),
    HybridSampledSoftmax(**STEPS, n_negatives=8, negatives="popularity", dtype="float64"),
    HybridWARP(**STEPS),
    HybridWARP(**STEPS, n_positives=3, k_positive=2, feature_share=0.8),
    VectorMap(**ALS),
    VectorMap(**ALS, support=3.0, penalty=0.5),
    ContentBased(),
    ContentBased(values="log", idf=False),
]
LEARNED = [model for model in MODELS if not isinstance(model, ContentBased)]
every = pytest.mark.parametrize("model", MODELS, ids=repr)
learned = pytest.mark.parametrize("model", LEARNED, ids=repr)


@pytest.fixture
def X(rng):
    return matrix(rng)


def fit(model, X, **options):
    return copy.deepcopy(model).fit(X, item_features=features(X.shape[1]), **options)


@every
def test_new_items_go_to_the_users_of_their_kind(model, X):
    new = np.zeros((3, 7))
    new[[0, 1, 2], [0, 1, 2]] = 1
    new[:, 3] = 1
    lists = fit(model, X).recommend(k=1, item_features=new, candidates=[30, 31, 32])
    assert (lists.indices[:, 0] - 30 == np.arange(60) % 3).mean() > 0.9


@every
def test_items_without_interactions_are_known_by_their_features(model, X):
    hidden = X.toarray()
    hidden[:, [4, 14, 24]] = 0
    lists = fit(model, hidden).recommend(k=1, candidates=[4, 14, 24])
    assert ((lists.indices[:, 0] - 4) // 10 == np.arange(60) % 3).mean() > 0.9


@every
def test_ids_and_tables(model, X):
    fitted = copy.deepcopy(model).fit(named(X), item_features=table())
    lists = fitted.recommend(
        ["u00", "u01", "u02"], k=1, item_features=NEW, candidates=["n0", "n1", "n2"]
    )
    assert lists.ids[:, 0].tolist() == ["n0", "n1", "n2"]
    together = fitted.recommend(k=33, item_features=NEW)
    alone = fitted.recommend(["u07"], k=33, item_features=NEW)
    np.testing.assert_array_equal(alone.ids[0], together.ids[7])
    np.testing.assert_array_equal(alone.scores[0], together.scores[7])
    known = fitted.recommend(["u07"], k=30)
    kept = [i for i in together.ids[7].tolist() if i is not None and not i.startswith("n")]
    assert kept == [i for i in known.ids[0].tolist() if i is not None]


@every
def test_new_users_with_new_items(model, X):
    fitted = fit(model, X)
    new = np.zeros((2, 7))
    new[[0, 1], [0, 2]] = 1
    lists = fitted.recommend_new(X[[0, 2]], k=1, item_features=new, candidates=[30, 31])
    assert lists.indices[:, 0].tolist() == [30, 31]
    both = fitted.recommend_new(X[:9], k=4)
    one = fitted.recommend_new(X[[5]], k=4)
    np.testing.assert_array_equal(one.indices[0], both.indices[5])
    np.testing.assert_array_equal(one.scores[0], both.scores[5])


@every
def test_files(model, X, tmp_path):
    fitted = copy.deepcopy(model).fit(named(X), item_features=table())
    fitted.save(tmp_path / "m")
    again = load(tmp_path / "m")
    for options in ({}, {"item_features": NEW}):
        a, b = fitted.recommend(k=5, **options), again.recommend(k=5, **options)
        assert a.ids.tolist() == b.ids.tolist()
        np.testing.assert_array_equal(a.scores, b.scores)
    fitted.save(tmp_path / "bare", training=False)
    bare = load(tmp_path / "bare")
    a = fitted.recommend(["u03"], k=5, exclude_seen=False, item_features=NEW)
    b = bare.recommend(["u03"], k=5, exclude_seen=False, item_features=NEW)
    assert a.ids.tolist() == b.ids.tolist()


@every
def test_bits_do_not_depend_on_threads(model, X):
    answers = []
    for n in (1, 3):
        fitted = copy.deepcopy(model)
        if "n_threads" in fitted.get_params():
            fitted.set_params(n_threads=n)
        fitted.fit(X, item_features=features())
        answers.append(fitted.recommend(k=8, n_threads=n))
    np.testing.assert_array_equal(answers[0].indices, answers[1].indices)
    np.testing.assert_array_equal(answers[0].scores, answers[1].scores)


@every
def test_partial_fit_takes_new_items_with_features(model, X, tmp_path):
    first, more = named(X[:50, :29]), named(X)
    more = more.subset(users=more.users.ids[50:])
    rows = {name: values[:29] for name, values in table().items()}
    fitted = copy.deepcopy(model).fit(first, item_features=rows)
    last = {name: values[29:] for name, values in table().items()}
    fitted.partial_fit(more, item_features=last)
    assert fitted.n_users_ == 60
    assert fitted.item_features_.shape[0] == fitted.n_items == 30
    assert np.diff(fitted.item_features_.indptr).min() > 0
    users = [f"u{n:02}" for n in range(50, 60)]
    lists = fitted.recommend(users, k=3)
    assert (lists.indices >= 0).all()
    fitted.save(tmp_path / "m")
    again = load(tmp_path / "m").recommend(users, k=3)
    np.testing.assert_array_equal(again.ids, lists.ids)
    assert fitted.forget(users[:3]).n_users == 3
    left = fitted.recommend(users[3:], k=3)
    np.testing.assert_array_equal(left.ids, lists.ids[3:])


@learned
def test_users_known_by_their_features_alone(model, X):
    if not model.uses_user_features:
        with pytest.raises(TypeError, match="does not use user_features"):
            copy.deepcopy(model).fit(X, user_features=np.eye(60))
        return
    groups = np.eye(3)[np.arange(60) % 3]
    fitted = fit(model, X, user_features=groups)
    lists = fitted.recommend_new(None, k=5, user_features=np.eye(3))
    assert (lists.indices // 10 == np.arange(3)[:, None]).mean() > 0.8
    hidden = X.toarray()
    hidden[7] = 0
    lists = fit(model, hidden, user_features=groups).recommend([7], k=5)
    assert (lists.indices // 10 == 1).mean() > 0.7


def test_without_features_the_models_are_those_of_interactions_alone(X):
    for hybrid, plain in (
        (HybridALS(**ALS), ImplicitALS(**ALS)),
        (VectorMap(**ALS), ImplicitALS(**ALS)),
    ):
        a, b = hybrid.fit(X), plain.fit(X)
        np.testing.assert_array_equal(a.item_factors_, b.item_factors_)
        np.testing.assert_array_equal(a.user_factors_, b.user_factors_)


def test_one_part_of_an_epoch_is_adagrad_on_the_rows(X):
    for hybrid, plain in (
        (HybridBPR(**STEPS), BPR(**STEPS)),
        (HybridWARP(**STEPS), WARP(**STEPS, regularization=1e-5)),
    ):
        a, b = hybrid.fit(X), plain.fit(X)
        scores = [m.recommend(k=10, exclude_seen=False).indices // 10 for m in (a, b)]
        agreement = [(s == (np.arange(60) % 3)[:, None]).mean() for s in scores]
        assert agreement[0] > agreement[1] - 0.05


def test_prior_weight_of_zero_leaves_known_items_alone(X):
    plain = ImplicitALS(**ALS).fit(X)
    hybrid = fit(HybridALS(**ALS, prior_weight=0.0), X)
    np.testing.assert_array_equal(hybrid.item_factors_, plain.item_factors_)
    pulled = fit(HybridALS(**ALS, prior_weight=1.0), X)
    of_features = pulled._factors_of("item", pulled.item_features_)
    far = np.linalg.norm(hybrid.item_factors_ - of_features)
    assert np.linalg.norm(pulled.item_factors_ - of_features) < far


def test_factors_of_known_items_solve_their_systems(X):
    """The gradient of the loss in the factors of an item vanishes after an exact half-step."""
    model = fit(HybridALS(**ALS, solver="cholesky", dtype="float64", prior_weight=0.7), X)
    objective, Y = model._objective(), model.item_factors_
    user = 5
    own = X[[user]]
    weight, target = objective.weights_and_targets(own.data)
    y = Y[own.indices]
    ridge = objective.ridge(np.array([own.nnz]), 30)[0]
    system = objective.unobserved_weight * Y.T @ Y + ridge * np.eye(6)
    system += y.T @ (weight[:, None] * y)
    np.testing.assert_allclose(system @ model.user_factors_[user], y.T @ target, atol=1e-9)


def test_the_penalty_by_cross_validation_is_the_best_of_the_grid(X):
    from aimass_core.hybrid._design import design
    from aimass_core.hybrid._regression import FeatureRegression

    rng = np.random.default_rng(0)
    G = design(sp.csr_array(rng.random((80, 12)) * (rng.random((80, 12)) < 0.5)), True)
    Y = G @ rng.standard_normal((13, 3)) + 0.5 * rng.standard_normal((80, 3))
    rows = np.ones(80, dtype=bool)
    chosen = FeatureRegression(G, rows, "gcv", 1)
    chosen.fit(Y)
    D = G.toarray()

    def error(mu):
        H = D @ np.linalg.solve(D.T @ D + mu * np.eye(13), D.T)
        return np.square(Y - H @ Y).sum() / (80 - np.trace(H)) ** 2

    grid = np.linalg.eigvalsh(D.T @ D)[-1] * np.geomspace(1e-7, 10, 80)
    assert chosen.penalty == pytest.approx(grid[np.argmin([error(mu) for mu in grid])], rel=1e-6)


def test_steps_of_conjugate_gradient_reach_the_direct_solution(monkeypatch):
    from aimass_core.hybrid import _regression
    from aimass_core.hybrid._design import design

    rng = np.random.default_rng(0)
    G = design(sp.csr_array(rng.random((200, 40)) * (rng.random((200, 40)) < 0.1)), True)
    Y, rows = rng.standard_normal((200, 5)), rng.random(200) < 0.8
    direct = _regression.FeatureRegression(G, rows, 0.3, 1).fit(Y)
    monkeypatch.setattr(_regression, "_MAX_DIRECT", 10)
    by_steps = _regression.FeatureRegression(G, rows, 0.3, 1).fit(Y, None, 200)
    np.testing.assert_allclose(by_steps, direct, atol=1e-4)
    monkeypatch.setattr(_regression, "_MAX_EIGEN", 10)
    with pytest.raises(ValueError, match="41 features are too many for the choice"):
        _regression.FeatureRegression(G, rows, "gcv", 1)


@learned
def test_explanations_add_up(model, X):
    fitted = fit(model, X)
    if not hasattr(fitted, "explain"):
        return
    for by in ("items", "features"):
        why = fitted.explain(3, 7, k=None, by=by)
        assert why.of == by
        assert why.offset + why.contributions.sum() == pytest.approx(why.score, abs=1e-5)
        new = features()[[2]]  # of the items that follow those of the fit
        why = fitted.explain(3, 30, k=None, by=by, item_features=new)
        assert why.offset + why.contributions.sum() == pytest.approx(why.score, abs=1e-5)
        assert why.score == pytest.approx(fitted.predict(3, 30, item_features=new)[0], rel=1e-6)
        with pytest.raises(KeyError, match="give the features of further new items"):
            fitted.explain(3, 31, by=by, item_features=new)
    with pytest.raises(ValueError, match="by must be one of"):
        fitted.explain(3, 7, by="magic")


def test_content_explains_by_names_of_features(X):
    model = ContentBased().fit(named(X), item_features=table())
    why = model.explain("u00", "i04")
    assert why.ids[0] == "kind=drink"
    assert why.contributions.sum() == pytest.approx(why.score)
    items = model.explain("u00", "i04", by="items", k=None)
    assert items.contributions.sum() == pytest.approx(items.score)


def test_content_profiles_and_neighbours_are_cosines(X):
    model = fit(ContentBased(idf=False), X)
    F = features().toarray() / np.sqrt(2)
    profiles = X.toarray() @ F
    profiles /= np.maximum(np.linalg.norm(profiles, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(model.user_profiles_.toarray(), profiles, atol=1e-6)
    lists = model.recommend([3], k=30, exclude_seen=False)
    expected = profiles[3] @ F.T
    np.testing.assert_allclose(lists.scores[0], expected[lists.indices[0]], atol=1e-6)
    similar = model.similar_items([4], k=29)
    known = similar.indices[0] >= 0
    np.testing.assert_allclose(
        similar.scores[0][known], (F @ F[4])[similar.indices[0][known]], atol=1e-6
    )
    assert 4 not in similar.indices[0]


def test_content_of_dense_vectors_is_exact_retrieval(X):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((30, 12)).astype(np.float32)
    model = ContentBased(idf=False).fit(X, item_features=vectors)
    V = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    lists = model.similar_items([4, 9], k=3)
    scores = V[[4, 9]] @ V.T
    scores[[0, 1], [4, 9]] = -np.inf
    np.testing.assert_array_equal(lists.indices, np.argsort(-scores, axis=1)[:, :3])


def test_content_forgets_old_interactions():
    x = Interactions.from_arrays(
        ["a"] * 4, ["i00", "i01", "i10", "i11"], times=np.array([1, 2, 100, 101])
    )
    tags = {"item": ["i00", "i01", "i10", "i11"], "kind": ["drink", "drink", "food", "food"]}
    new = {"item": ["gin", "bun"], "kind": ["drink", "food"]}
    model = ContentBased(half_life=10).fit(x, item_features=tags)
    assert model.recommend(["a"], k=1, item_features=new).ids.tolist() == [["bun"]]
    with pytest.raises(ValueError, match="half_life needs the time of each single event"):
        model.partial_fit(x)
    with pytest.raises(ValueError, match="half_life needs times"):
        ContentBased(half_life=10).fit(np.ones((2, 2)), item_features=np.eye(2))
    with pytest.raises(ValueError, match="now=3 has no effect"):
        ContentBased(now=3).fit(np.ones((2, 2)), item_features=np.eye(2))


def test_vectors_of_a_fitted_als(X):
    als = ImplicitALS(**ALS).fit(X)
    model = VectorMap.from_als(als, features())
    np.testing.assert_array_equal(model.user_factors_, als.user_factors_)
    np.testing.assert_array_equal(model.item_factors_, als.item_factors_)
    fitted = fit(VectorMap(**ALS), X)
    np.testing.assert_array_equal(model.item_feature_factors_, fitted.item_feature_factors_)
    assert model.penalty_ == fitted.penalty_ > 0
    with pytest.raises(TypeError, match="model must be an ImplicitALS, got HybridALS"):
        VectorMap.from_als(fit(HybridALS(**ALS), X), features())
    with pytest.raises(ValueError, match="not fitted"):
        VectorMap.from_als(ImplicitALS(), features())


@learned
def test_early_stopping_keeps_the_factors_of_features(model, X, rng):
    held_out = X.toarray() * (rng.random(X.shape) < 0.2)
    fitted = fit(model, X.toarray() - held_out, validation=held_out)
    assert len(fitted.scores_) >= 1
    assert np.isfinite(fitted.item_feature_factors_).all()
    events = []
    fit(model, X, callback=lambda event: events.append(event.model.recommend([3], k=2)))
    assert events


def test_start_from_a_fitted_model(X):
    model = fit(HybridWARP(**STEPS), X)
    again = fit(HybridWARP(n_factors=6, max_iter=1, learning_rate=1e-6), X, start=model)
    np.testing.assert_allclose(again.item_factors_, model.item_factors_, atol=1e-3)
    np.testing.assert_allclose(again.item_bias_, model.item_bias_, atol=1e-3)
    with pytest.raises(TypeError, match="start must be a fitted HybridWARP"):
        fit(HybridWARP(**STEPS), X, start=fit(HybridBPR(**STEPS), X))
    with pytest.raises(ValueError, match="another number of factors"):
        fit(HybridWARP(n_factors=3), X, start=model)


# ---- unfriendly features -------------------------------------------------------------------------


@every
@pytest.mark.parametrize("kind", ["zero", "constant", "some rows empty", "huge"])
def test_features_that_say_nothing(model, kind, X):
    F = features().toarray()
    F = {
        "zero": 0 * F,
        "constant": np.ones_like(F),
        "some rows empty": F * (np.arange(30) % 2)[:, None],
        "huge": F * 1e18,
    }[kind]
    fitted = copy.deepcopy(model).fit(X, item_features=F)
    lists = fitted.recommend(k=3)
    assert np.isfinite(lists.scores[lists.indices >= 0]).all()
    fitted.recommend(k=3, item_features=np.zeros((2, F.shape[1])))


@every
def test_features_that_are_refused(model, X):
    with pytest.raises(ValueError, match=r"finite|nan"):
        copy.deepcopy(model).fit(X, item_features=np.full((30, 2), np.nan))
    with pytest.raises(ValueError, match="item_features"):
        copy.deepcopy(model).fit(X, item_features=np.zeros((30, 0)))
    with pytest.raises(ValueError, match="item_features has 7 rows"):
        copy.deepcopy(model).fit(X, item_features=np.eye(7))
    with pytest.raises(ValueError, match="none of its 2 ids"):
        copy.deepcopy(model).fit(named(X), item_features={"item": ["x", "y"], "kind": ["a", "b"]})


@every
def test_empty_and_tiny_data_with_features(model):
    for shape in ((6, 5), (0, 4), (1, 1)):
        fitted = copy.deepcopy(model).fit(np.zeros(shape), item_features=np.eye(shape[1]))
        assert fitted.recommend(k=3).indices.shape == (shape[0], min(3, shape[1]))


def test_content_needs_features(X):
    with pytest.raises(TypeError, match="ContentBased needs item_features"):
        ContentBased().fit(X)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (HybridALS(feature_regularization=0), "feature_regularization must be"),
        (HybridALS(feature_regularization="best"), "'gcv' or a number above 0"),
        (HybridALS(prior_weight=1.5), "prior_weight must be"),
        (HybridALS(solver="nonnegative"), "solver='nonnegative' cannot be used with features"),
        (VectorMap(penalty=-1.0), "penalty must be"),
        (VectorMap(support=-1.0), "support must be"),
        (VectorMap(solver="nonnegative"), "solver='nonnegative' cannot be used with vectors"),
        (HybridBPR(feature_share=-0.1), "feature_share must be"),
        (HybridSampledSoftmax(temperature=0.0), "temperature must be above 0"),
        (HybridWARP(margin=0), "margin must be"),
        (ContentBased(values="rank"), "values must be one of"),
    ],
    ids=repr,
)
def test_parameters_out_of_range(model, message, X):
    with pytest.raises(ValueError, match=message):
        fit(model, X)


def test_divergence_is_reported(X):
    with pytest.raises(NumericalError, match="diverged"):
        fit(HybridBPR(learning_rate=1e30, n_factors=4), X)
