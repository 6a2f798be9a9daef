"""An answer for a user is the same bits alone, in any batch and with any block size.

Two parts. `MODELS` spells out the options that change how answers are computed: measures,
weightings, profiles, aggregations, solvers, losses, dtypes, filters. Where the mathematics says so,
a new user with the profile of a user of the fit gets that user's answer, to rounding. Then
hypothesis draws options for every registered model from `VALUES`, which has values of every
parameter of every constructor.
"""

from __future__ import annotations

import inspect
import itertools
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from _small_models import NOT_VARIED, VALUES, missing_library, own_names, small_model
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import (
    BPR,
    EASE,
    EDLAE,
    NMF,
    SLIM,
    SVD,
    WARP,
    AsymmetricSVD,
    Bagging,
    BaselineOnly,
    CoClustering,
    ContextKNN,
    CosineContrastiveMF,
    ExplicitALS,
    GRU4Rec,
    ImplicitALS,
    Interactions,
    ItemKNN,
    LogisticMF,
    Popularity,
    PureSVD,
    RankFusion,
    RatingNMF,
    SampledSoftmaxMF,
    SASRec,
    ScoreFusion,
    SessionKNN,
    Similarity,
    SlopeOne,
    SparseEASE,
    Stacking,
    SVDpp,
    TwoTower,
    UserKNN,
    similarity,
)
from aimass_core.data.weighting import BM25, TfIdf
from aimass_core.retrieval import recommend_blocks

WEIGHTINGS = (None, "bm25", "tf_idf", "log", "binarize", BM25(documents="users"), TfIdf())
PROFILES = ("weighted", "raw", "binary")
KINDS = (ItemKNN, UserKNN)
MEASURES = [
    Similarity(name, midpoint=3.0 if name == "constrained_pearson" else None)
    for name in similarity.measures()
]
NEIGHBORS = [
    *(kind(n_neighbors=9, similarity=measure) for kind in KINDS for measure in MEASURES),
    *(
        kind(
            n_neighbors=9,
            weighting=weighting,
            profile=profile,
            neighbors_of="seen" if number % 2 else "target",
            normalize=number % 3 == 0,
        )
        for number, (kind, weighting, profile) in enumerate(
            itertools.product(KINDS, WEIGHTINGS, PROFILES)
        )
    ),
    *(
        kind(n_neighbors=9, similarity=Similarity("cosine", **options))
        for kind in KINDS
        for options in (
            {"shrink": 5.0},
            {"support_shrink": 3.0, "significance": 4},
            {"amplification": 2.5, "threshold": 0.01, "min_support": 2},
        )
    ),
    *(
        kind(n_neighbors=9, aggregation=aggregation, similarity=measure, **options)
        for kind in KINDS
        for aggregation in ("mean", "centered", "zscore", "baseline")
        for measure, options in (
            ("cosine", {}),
            ("pearson_corated", {"positive_only": False, "min_k": 2, "clip": False}),
            ("pearson_baseline", {"baseline": "sgd"}),
        )
    ),
    ContextKNN(base=ItemKNN(n_neighbors=5, weighting="bm25")),
    ContextKNN(base=UserKNN(n_neighbors=5, weighting="tf_idf", aggregation="sum")),
    SessionKNN(n_neighbors=6),
    SlopeOne(clip=False),
    *(
        BaselineOnly(method=method, clip=clip)
        for method in ("als", "sgd")
        for clip in (True, False)
    ),
    *(Popularity(by=by) for by in ("count", "sum", "mean")),
]
FEW = {"n_factors": 5, "max_iter": 3}
FACTORS = [
    *(
        ImplicitALS(**FEW, solver=solver, confidence=confidence, dtype=dtype)
        for solver in ("cholesky", "cg", "pcg", "subspace", "nonnegative")
        for confidence, dtype in (("linear", "float32"), ("added", "float64"), ("total", "float32"))
    ),
    *(
        ExplicitALS(**FEW, biases=biases, dtype=dtype, nu=nu)
        for biases, dtype, nu in ((True, "float32", 1.0), (False, "float64", 0.0))
    ),
    *(PureSVD(n_factors=4, dtype=dtype) for dtype in ("float32", "float64")),
    *(NMF(**FEW, dtype=dtype) for dtype in ("float32", "float64")),
    *(
        BPR(**FEW, dtype=dtype, biases=biases)
        for dtype, biases in (("float32", True), ("float64", False))
    ),
    *(
        WARP(**FEW, dtype=dtype, biases=biases)
        for dtype, biases in (("float32", True), ("float64", False))
    ),
    *(
        kind(**FEW, dtype=dtype, biases=biases, clip=clip)
        for kind in (SVD, SVDpp, AsymmetricSVD)
        for dtype, biases, clip in (("float32", True, True), ("float64", False, False))
    ),
]
LISTWISE = [
    kind(**FEW, dtype=dtype)
    for kind in (LogisticMF, SampledSoftmaxMF, CosineContrastiveMF)
    for dtype in ("float32", "float64")
]
CLUSTERED = [RatingNMF(n_factors=4, max_iter=3), CoClustering(max_iter=3)]
LINEAR = [
    *(
        kind(regularization=5.0, weighting=weighting, dtype=dtype)
        for kind in (EASE, EDLAE)
        for weighting, dtype in ((None, "float32"), ("bm25", "float64"))
    ),
    EASE(regularization=5.0, n_neighbors=9, weighting="tf_idf"),
    *(SLIM(alpha=0.01, solver=solver, weighting="log") for solver in ("dense", "sparse")),
    SparseEASE(regularization=5.0, n_neighbors=9),
]
MEMBERS = {"knn": ItemKNN(n_neighbors=12), "als": ImplicitALS(**FEW)}
FUSED = [
    *(RankFusion(models=MEMBERS, method=method) for method in ("reciprocal_rank", "borda", "vote")),
    *(ScoreFusion(models=MEMBERS, scale=scale) for scale in ("probability", "z_score")),
    Bagging(model=ImplicitALS(**FEW), n_estimators=2),
    Stacking(
        models=MEMBERS,
        n_folds=2,
        estimator={"steps": [["DecisionTreeClassifier", {"max_depth": 4, "random_state": 0}]]},
    ),
]
DEEP = [
    SASRec(**FEW, n_heads=5, max_length=9),
    SASRec(n_factors=6, max_iter=2, n_layers=1, n_heads=2, n_negatives=20),
    GRU4Rec(**FEW, n_hidden=7),
    GRU4Rec(**FEW, n_hidden=4, n_layers=2, max_length=9),
    TwoTower(**FEW, n_hidden=6),
]
MODELS = NEIGHBORS + FACTORS + LISTWISE + CLUSTERED + LINEAR + DEEP + FUSED


@pytest.fixture(scope="module")
def ratings():
    """Ratings with values that sums round; one user and one item have none, one user has all."""
    rng = np.random.default_rng(7)
    n_users, n_items = 70, 45
    share = 0.5 / np.arange(1, n_items + 1) ** 0.5
    X = (rng.random((n_users, n_items)) < share) * (1 + 4 * rng.random((n_users, n_items)))
    X[11] = 0
    X[12] = 1 + 4 * rng.random(n_items)
    X[:, 44] = 0
    return sp.csr_array(X.astype(np.float32))


@pytest.fixture(scope="module")
def new_users(ratings):
    """Profiles of users who were not in the fit."""
    rng = np.random.default_rng(8)
    X = ratings.toarray()[rng.permutation(70)[:30]]
    X[rng.random(X.shape) < 0.3] = 0
    return sp.csr_array(X)


every = pytest.mark.parametrize("model", MODELS, ids=repr)


def assert_same(lists, expected, rows):
    """Equal bits: the lists are those of some rows of the expected ones."""
    np.testing.assert_array_equal(lists.indices, expected.indices[rows])
    np.testing.assert_array_equal(lists.scores, expected.scores[rows])
    assert lists.scores.dtype == expected.scores.dtype


@every
def test_users_of_the_fit(model, ratings):
    model.fit(ratings)
    n = ratings.shape[0]
    rng = np.random.default_rng(0)
    own = sp.csr_array((rng.random(ratings.shape) < 0.5).astype(np.float32))
    mask = rng.random(ratings.shape[1]) < 0.6
    for options in (
        {"exclude_seen": True},
        {"exclude_seen": False, "candidates": mask},
        {"exclude_seen": True, "exclude": own},
        {"exclude_seen": True, "candidates": own},
    ):
        everyone = model.recommend(k=8, **options)

        def of(rows, options=options):
            matrices = {m: v[rows] for m, v in options.items() if sp.issparse(v)}
            return options | matrices

        for row in (0, 11, 12, 33, n - 1):
            assert_same(model.recommend([row], k=8, **of([row])), everyone, [row])
        some = rng.integers(0, n, 25)  # in any order, some twice
        assert_same(model.recommend(some, k=8, n_threads=2, **of(some)), everyone, some)
        for block_size in (1, 7, 64):
            begin = 0
            for lists in recommend_blocks(model, k=8, block_size=block_size, **options):
                assert_same(lists, everyone, np.arange(begin, begin + len(lists)))
                begin += len(lists)
            assert begin == n


@pytest.mark.parametrize(
    "model",
    [m for m in MODELS if not (isinstance(m, UserKNN) and m.normalize)],  # refused for new users
    ids=repr,
)
def test_new_users(model, ratings, new_users):
    model.fit(ratings)
    together = model.recommend_new(new_users, k=8)
    n = new_users.shape[0]
    for row in (0, 5, n - 1):
        assert_same(model.recommend_new(new_users[[row]], k=8), together, [row])
    more = sp.csr_array(sp.vstack([ratings[:40], new_users[::-1]]))
    assert_same(model.recommend_new(more, k=8, n_threads=2)[40:], together, np.arange(n)[::-1])


def is_own_row_alone(model) -> bool:
    """Whether the row of a user and what was learned of the items decide the user's answer."""
    if model in LISTWISE + CLUSTERED:
        return False  # factors and clusters of users come from training
    if isinstance(
        model, (UserKNN, SessionKNN, SlopeOne, NMF, SVD, SVDpp, AsymmetricSVD, BPR, WARP)
    ):
        return False  # the user is its own neighbour, or its factors come from training
    if type(model) in {type(fused) for fused in FUSED}:
        return False  # the members decide
    if isinstance(model, ContextKNN):
        return is_own_row_alone(model._base_model())
    if isinstance(model, BaselineOnly):
        return model.method == "als"
    if isinstance(model, ItemKNN) and model.aggregation == "baseline":
        return model.baseline == "als"
    return not (isinstance(model, ImplicitALS) and model.solver == "nonnegative")


@pytest.mark.parametrize("model", [m for m in MODELS if is_own_row_alone(m)], ids=repr)
def test_a_new_user_with_a_known_profile(model, ratings):
    known = model.fit(ratings).recommend(k=45, exclude_seen=False)
    new = model.recommend_new(ratings, k=45, exclude_seen=False)
    rtol = 1e-3 if known.scores.dtype == np.float32 else 1e-6
    for row, (items, scores) in enumerate(known):
        others = dict(zip(*next(iter(new[row])), strict=True))
        assert set(items) == set(others)
        expected = [others[item] for item in items]
        np.testing.assert_allclose(scores, expected, rtol=rtol, atol=rtol)


# ---- every option of every registered model ------------------------------------------------------


def options_of(model) -> list[str]:
    """Return the names of the constructor's parameters."""
    return list(inspect.signature(type(model)).parameters)


def test_values_of_every_option_of_every_model():
    known = {option for name in own_names() for option in options_of(small_model(name))}
    assert not VALUES.keys() & NOT_VARIED.keys()
    assert known == VALUES.keys() | NOT_VARIED.keys()


@pytest.fixture(scope="module")
def events():
    """Ratings with times, and features of the items and users."""
    rng = np.random.default_rng(3)
    users, items = np.nonzero(rng.random((40, 25)) < 0.25)
    x = Interactions.from_arrays(
        users, items, 1 + 4 * rng.random(len(users)), rng.integers(0, 1000, len(users))
    )
    features = {
        "item_features": sp.csr_array((rng.random((x.n_items, 6)) < 0.4).astype(np.float32)),
        "user_features": sp.csr_array((rng.random((x.n_users, 3)) < 0.5).astype(np.float32)),
    }
    return x, features


def fitted_with(model, options, x, features):
    """Return the model fitted with each option in turn; those that it refuses are left out."""
    given_features = {n: f for n, f in features.items() if getattr(model, f"uses_{n}")}
    model.fit(x, **given_features)
    for name, value in options:
        previous = model.get_params(deep=False)
        try:
            model.set_params(**{name: value}).fit(x, **given_features)
        except (ValueError, TypeError):  # without effect in this mode, or no value of this model
            model.set_params(**previous)
    return model


@pytest.mark.parametrize("name", own_names())
@given(data=st.data())
@settings(max_examples=6, deadline=None, database=None, derandomize=True)
def test_any_options(name, events, data):
    x, features = events
    model = small_model(name)
    if reason := missing_library(model):
        pytest.skip(reason)
    pairs = [(o, v) for o in options_of(model) if o not in NOT_VARIED for v in VALUES[o]]
    options = data.draw(st.lists(st.sampled_from(pairs), max_size=4), label="options")
    with_features = data.draw(st.booleans(), label="features") or bool(model.needs_features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence
        model = fitted_with(model, options, x, features if with_features else {})
    everyone = model.recommend(k=6)
    rows = [0, 7, x.n_users - 1]
    for row in rows:
        assert_same(model.recommend(everyone.queries[[row]], k=6), everyone, [row])
    assert_same(
        model.recommend(everyone.queries[rows[::-1]], k=6, n_threads=2), everyone, rows[::-1]
    )
    items = x.items.ids[: len(rows)]
    together = model.predict(everyone.queries[rows], items)
    for at, row in enumerate(rows):
        alone = model.predict(everyone.queries[[row]], items[[at]])
        np.testing.assert_array_equal(alone, together[[at]])
    if getattr(model, "normalize", False) and isinstance(model, UserKNN):
        return  # refused for new users
    new = x.matrix[::-1][:12]
    together = model.recommend_new(new, k=6)
    for row in (0, 11):
        assert_same(model.recommend_new(new[[row]], k=6), together, [row])
