"""Fused models: closed forms, scales, files, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit

from aimass_core import (
    BPR,
    BaselineOnly,
    ContentBased,
    ExplicitALS,
    HybridALS,
    ImplicitALS,
    Interactions,
    ItemKNN,
    Popularity,
    Recommender,
    load,
    register,
)
from aimass_core.evaluation import evaluate
from aimass_core.exceptions import NumericalError
from aimass_core.fusion import Bagging, RankFusion, ScoreFusion, Stacking, candidate_table


@register("test-fixed-scores")
class FixedScores(Recommender):
    """Scores given by the caller, the same for all users."""

    needs_history = False
    needs_training = False

    def __init__(self, *, scores=(0.0,)):
        self.scores = scores

    def score(self, query):
        return np.tile(np.array(self.scores, dtype=float), (len(query), 1))


X = np.zeros((2, 5))
X[0, 4] = X[1, 0] = 1.0  # user 0 has item 4, user 1 has item 0
A = FixedScores(scores=(5.0, 4.0, 3.0, 2.0, 9.0))
B = FixedScores(scores=(1.0, 2.0, 3.0, float("-inf"), 9.0))


def dense(model, **options):
    lists = model.fit(X).recommend(k=5, **options)
    out = np.full(lists.indices.shape, -np.inf)
    rows, places = np.nonzero(lists.indices >= 0)
    out[rows, lists.indices[rows, places]] = lists.scores[rows, places]
    return out


@pytest.mark.parametrize(
    "fused",
    [
        RankFusion(models={"als": ImplicitALS(n_factors=4), "c": ContentBased()}),
        ScoreFusion(models=[Popularity(), ContentBased()]),
        RankFusion(models="popularity+content"),
        Bagging(model=ContentBased()),
        Stacking(models=["popularity", "content"]),
    ],
    ids=lambda fused: type(fused).__name__,
)
def test_members_that_need_features_are_refused(fused):
    x = Interactions.from_arrays(list("aabbc"), list("xyyzx"))
    message = r"'(c|content)' needs item_features, which a fused model does not hand on"
    with pytest.raises(ValueError, match=message):
        fused.fit(x)


def test_members_with_features_are_combined_by_candidate_table():
    rng = np.random.default_rng(0)
    X = (rng.random((40, 15)) < 0.3).astype(float)
    is_test = rng.random(X.shape) < 0.3
    train, test = X * ~is_test, X * is_test
    features = (rng.random((15, 4)) < 0.5).astype(float)
    models = {
        "als": HybridALS(n_factors=4).fit(train, item_features=features),
        "content": ContentBased().fit(train, item_features=features),
    }
    table = candidate_table(models, test)
    assert table.features.shape == (len(table), len(table.names))
    assert "content z-score" in table.names
    # alone in a fused model, a member that can use features does without them
    fused = RankFusion(models={"als": HybridALS(n_factors=4), "popular": Popularity()}).fit(train)
    plain = HybridALS(n_factors=4).fit(train)
    np.testing.assert_array_equal(fused.models_["als"].item_factors_, plain.item_factors_)
    with pytest.raises(TypeError, match="RankFusion does not use item_features"):
        fused.fit(train, item_features=features)


def test_reciprocal_rank_is_its_closed_form():
    scores = dense(RankFusion(models=[A, B], rank_constant=10.0))
    # User 0 without item 4: A ranks items 0..3 first to fourth; B ranks 2, 1, 0 and not 3.
    a, b = 1 / (10 + np.array([1, 2, 3, 4.0])), np.array([1 / 13, 1 / 12, 1 / 11, 0])
    np.testing.assert_allclose(scores[0, :4], (a + b) / 2)
    assert scores[0, 4] == -np.inf
    # User 1 has item 0, so that item 4 is first in both and item 1 second in A.
    assert scores[1, 4] == pytest.approx(1 / 11)
    assert scores[1, 1] == pytest.approx((1 / 12 + 1 / 13) / 2)


def test_borda_and_votes_are_their_closed_forms():
    scores = dense(RankFusion(models=[A, B], method="borda", depth=5, weights=[3, 1]))
    a, b = np.array([5, 4, 3, 2]) / 5, np.array([3, 4, 5, 0]) / 5
    np.testing.assert_allclose(scores[0, :4], 0.75 * a + 0.25 * b)
    votes = dense(RankFusion(models=[A, B], method="vote", n_votes=2))
    assert votes[0, 1] >= 1  # the only item among the two best of both
    assert (votes[0, [0, 2]] >= 0.5).all()
    assert (votes[0, [0, 2]] < 1).all()
    assert votes[0, 3] < 0.5


def test_equal_scores_share_a_rank():
    tied = FixedScores(scores=(1.0, 1.0, 0.5, 0.5, 2.0))
    scores = dense(RankFusion(models=[tied], rank_constant=0.0))
    np.testing.assert_allclose(scores[0, :4], [1, 1, 1 / 3, 1 / 3])


def test_scores_do_not_depend_on_filters():
    for model in (RankFusion(models=[A, B], depth=2), ScoreFusion(models=[A, B], depth=2)):
        plain = dense(model, exclude_seen=False)
        asked = dense(model, candidates=[1, 3], exclude_seen=False)
        for item in (1, 3):
            assert asked[0, item] == pytest.approx(model.predict([0], [item])[0])
            assert asked[0, item] > -np.inf  # beyond the depth, yet a candidate
        found = plain > -np.inf
        users, items = np.nonzero(found)
        np.testing.assert_allclose(model.predict(users, items), plain[found])


def test_order_beyond_the_depth_is_that_of_the_model():
    for model in (RankFusion(models=[A], depth=1), ScoreFusion(models=[A], depth=2)):
        lists = model.fit(X).recommend([0], k=5, candidates=[0, 1, 2, 3])
        assert lists.indices[0, :4].tolist() == [0, 1, 2, 3]


def test_z_scores_are_their_closed_form():
    scores = dense(ScoreFusion(models={"a": A, "b": B}, weights={"b": 1, "a": 3}))
    a = (np.array([5, 4, 3, 2.0]) - 3.5) / np.std([5, 4, 3, 2])
    listed = np.array([1, 2, 3.0])
    b = (listed - 2) / np.std(listed)
    np.testing.assert_allclose(scores[0, :4], 0.75 * a + 0.25 * np.append(b, b.min() - 1))


def test_unscaled_sums_are_ratings_of_rating_models(rng):
    ratings = sp.csr_array(rng.integers(1, 6, (20, 12)) * (rng.random((20, 12)) < 0.5) * 1.0)
    members = [ExplicitALS(n_factors=2, random_state=0), BaselineOnly()]
    model = ScoreFusion(models=members, scale="none", weights=[1, 3]).fit(ratings)
    assert model.predicts_ratings
    pairs = np.array([0, 3, 5]), np.array([1, 2, 7])
    own = [m.fit(ratings).predict(*pairs) for m in members]
    np.testing.assert_allclose(model.predict(*pairs), 0.25 * own[0] + 0.75 * own[1])
    plain = ScoreFusion(models=[A, B], scale="none").fit(X)
    assert not plain.predicts_ratings
    assert plain.predict([0], [2])[0] == 3.0
    assert plain.predict([0], [3])[0] == -np.inf  # needs a score of every model


def test_probabilities_are_calibrated(rng):
    groups = rng.integers(0, 4, 400)
    chance = np.where(np.arange(40) // 10 == groups[:, None], 0.4, 0.03)
    matrix = sp.csr_array((rng.random((400, 40)) < chance).astype(np.float32))
    members = {"knn": ItemKNN(n_neighbors=10), "popular": Popularity()}
    model = ScoreFusion(models=members, scale="probability").fit(matrix)
    assert model.curves_[0, 1] > model.curves_[1, 1] >= 0  # popularity says little here
    scores = dense_scores(model, matrix)
    inside = scores[scores > -np.inf]
    assert ((inside >= 0) & (inside <= 1)).all()
    z = ScoreFusion(models={"knn": members["knn"]}).fit(matrix)
    p = ScoreFusion(models={"knn": members["knn"]}, scale="probability").fit(matrix)
    item = z.recommend([0], k=1).indices[0]
    curve = expit(p.curves_[0, 0] + p.curves_[0, 1] * z.predict([0], item))
    assert p.predict([0], item) == pytest.approx(curve)


def dense_scores(model, matrix):
    lists = model.recommend(k=matrix.shape[1])
    return lists.scores


def test_fusion_of_complementary_models_is_better(rng):
    """Two models that know one half of the items each."""
    truth = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 60))
    taken = truth > np.quantile(truth, 0.7, axis=1, keepdims=True)
    test = taken & (rng.random(taken.shape) < 0.3)
    train = taken & ~test
    noisy = [rng.normal(size=60) * (np.arange(60) % 2 == half) for half in (0, 1)]

    @register("test-half-knowledge")
    class Half(Recommender):
        def __init__(self, *, half=0):
            self.half = half

        def score(self, query):
            return truth[query.users] + 2 * noisy[self.half]

    split = tuple(sp.csr_array(part.astype(np.float32)) for part in (train, test))
    models = {"even": Half(half=1), "odd": Half(half=0)}
    models["fused"] = RankFusion(models=dict(models), depth=60)
    table = evaluate(models, split, metrics=["ndcg"])
    assert table["fused"]["ndcg@10"] > max(table["even"]["ndcg@10"], table["odd"]["ndcg@10"])


# ---- bagging -------------------------------------------------------------------------------------


def test_bagging_is_the_mean_over_seeds(rng):
    matrix = sp.csr_array((rng.random((40, 15)) < 0.3).astype(np.float32))
    model = Bagging(model=BPR(n_factors=3, max_iter=5), n_estimators=3, random_state=1).fit(matrix)
    seeds = [m.random_state for m in model.models_.values()]
    assert len(set(seeds)) == 3
    users, items = np.arange(10), np.arange(10)
    own = [
        BPR(n_factors=3, max_iter=5, random_state=s).fit(matrix).predict(users, items)
        for s in seeds
    ]
    np.testing.assert_allclose(model.predict(users, items), np.mean(own, axis=0), rtol=1e-5)
    again = Bagging(model=BPR(n_factors=3, max_iter=5), n_estimators=3, random_state=1).fit(matrix)
    np.testing.assert_array_equal(again.recommend().scores, model.recommend().scores)


def test_bagging_over_samples_keeps_shape_and_seen_items(rng, tmp_path):
    matrix = sp.csr_array((rng.random((40, 15)) < 0.3).astype(np.float32))
    model = Bagging(model=ItemKNN(n_neighbors=5), n_estimators=4, share=0.5).fit(matrix)
    sizes = [m.user_items_.nnz for m in model.models_.values()]
    assert sizes == [int(np.ceil(matrix.nnz / 2))] * 4
    lists = model.recommend()
    rows, places = np.nonzero(lists.indices >= 0)
    assert (matrix.toarray()[rows, lists.indices[rows, places]] == 0).all()
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").recommend().scores, lists.scores)


def test_bagging_refuses_copies_that_are_equal():
    with pytest.raises(ValueError, match="has no random_state, so all copies would be the same"):
        Bagging(model=ItemKNN()).fit(X)
    for share in (0.0, 1.5, -1):
        with pytest.raises(ValueError, match="share must be"):
            Bagging(model=ItemKNN(), share=share).fit(X)


# ---- members, files, refusals --------------------------------------------------------------------


def test_members_by_name():
    model = RankFusion(models="item-knn + popularity").fit(X)
    assert list(model.models_) == ["item-knn", "popularity"]
    model = RankFusion(models=[ItemKNN(), ItemKNN(n_neighbors=2)]).fit(X)
    assert list(model.models_) == ["item-knn", "item-knn 2"]


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ([], ValueError, "at least one model"),
        ("item-kn", ValueError, "did you mean 'item-knn'"),
        ([ItemKNN], TypeError, "the class ItemKNN"),
        ([3], TypeError, "must be a recommender"),
        (3, TypeError, "models must be a list"),
    ],
)
def test_what_is_no_member(models, error, message):
    with pytest.raises(error, match=message):
        RankFusion(models=models).fit(X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1.0]}, "weights"),
        ({"weights": [-1.0, 1.0]}, "weights"),
        ({"weights": [0.0, 0.0]}, "at least one weight above 0"),
        ({"weights": {"a": 1.0, "c": 1.0}}, "weights must name the models a, b"),
        ({"weights": [np.nan, 1.0]}, "weights"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"method": "sum"}, "method must be one of"),
        ({"rank_constant": -1.0}, "rank_constant"),
        ({"n_votes": 0}, "n_votes"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        RankFusion(models={"a": A, "b": B}, **options).fit(X)


def test_caller_s_models_are_not_touched():
    knn = ItemKNN(n_neighbors=2)
    RankFusion(models={"knn": knn}).fit(X)
    assert not knn.__sklearn_is_fitted__()


def test_a_file_holds_the_interactions_once(rng, tmp_path):
    x = Interactions.from_csr(
        sp.csr_array((rng.random((300, 80)) < 0.5).astype(np.float32)),
        users=[f"user-{n}" for n in range(300)],
    )
    members = {"als": ImplicitALS(n_factors=2), "popular": Popularity()}
    model = RankFusion(models=members).fit(x)
    model.save(tmp_path / "fused")
    model.models_["popular"].save(tmp_path / "one")
    fused, one = (tmp_path / "fused").stat().st_size, (tmp_path / "one").stat().st_size
    assert fused < 1.5 * one
    again = load(tmp_path / "fused")
    assert again.models_["als"].recommend(["user-3"]).ids.tolist() == (
        model.models_["als"].recommend(["user-3"]).ids.tolist()
    )
    assert again.recommend().ids.tolist() == model.recommend().ids.tolist()
    np.testing.assert_array_equal(again.recommend().scores, model.recommend().scores)
    assert model.forget(["user-3"]).n_users == 1
    assert again.forget(["user-3"]).n_users == 1
    np.testing.assert_array_equal(again.recommend().scores, model.recommend().scores)


def test_fused_models_nest(tmp_path):
    inner = RankFusion(models={"a": A, "b": B})
    outer = ScoreFusion(models={"inner": inner, "a": A}).fit(X)
    outer.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").recommend().scores, outer.recommend().scores)


def test_users_without_history_get_what_a_member_has_for_them():
    empty = np.vstack([X, np.zeros(5)])
    lists = RankFusion(models=[ItemKNN(), Popularity()]).fit(empty).recommend([2], k=5)
    assert set(lists.indices[0, :2].tolist()) == {0, 4}
    assert (RankFusion(models=[ItemKNN()]).fit(empty).recommend([2]).indices == -1).all()


def test_scores_that_are_nan():
    """`Recommender` leaves such an item out; a model with its own ranking must do so itself."""

    class OwnRanking(FixedScores):
        def rank(self, query):
            indices, scores = super().rank(query)
            scores[:, 0] = np.nan
            return indices, scores

    left_out = FixedScores(scores=(float("nan"), 1.0, 2.0, 3.0, 4.0))
    assert (left_out.fit(X).recommend(k=5).indices != 0).all()
    for cls in (ScoreFusion, RankFusion):
        assert not np.isnan(dense(cls(models=[A, left_out]))).any()
        with pytest.raises(NumericalError, match="'OwnRanking' gives NaN as a score"):
            dense(cls(models=[A, OwnRanking(scores=(1.0, 2.0, 3.0, 4.0, 5.0))]))
