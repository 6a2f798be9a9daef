"""Networks: order of time, parity of NumPy with PyTorch, answers without PyTorch, training."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import (
    ColdStart,
    GRU4Rec,
    ImplicitALS,
    Interactions,
    RankFusion,
    SASRec,
    TwoTower,
    load,
)
from aimass_core.data import split
from aimass_core.deep._sequences import Sequences
from aimass_core.evaluation import evaluate
from aimass_core.exceptions import DamagedFileError, NumericalError

torch = pytest.importorskip("torch", reason="pip install 'aimass_core[deep]'")

SMALL = {"n_factors": 8, "max_iter": 3}
SEQUENCES = [
    SASRec(**SMALL, n_heads=2, max_length=7),
    SASRec(**SMALL, n_layers=1, n_negatives=5),
    GRU4Rec(**SMALL, n_hidden=5),
    GRU4Rec(**SMALL, n_hidden=5, n_layers=2, max_length=7),
]
ALL = [*SEQUENCES, TwoTower(**SMALL, n_hidden=5), TwoTower(**SMALL, n_negatives=5)]

of_sequences = pytest.mark.parametrize("model", SEQUENCES, ids=repr)
every = pytest.mark.parametrize("model", ALL, ids=repr)


@pytest.fixture
def cycles(rng):
    """Users who take the items of a cycle of 12 in turn, from a random one on."""
    users = np.repeat(np.arange(40), 6)
    first = rng.integers(0, 12, 40)
    steps = np.tile(np.arange(6), 40)
    return Interactions.from_arrays(
        [f"u{u}" for u in users], (first[users] + steps) % 12, times=100 * users + steps
    )


@pytest.fixture
def random_events(rng):
    """Interactions without a pattern, with ties of time, users of all lengths and values of 0."""
    users, items = rng.integers(0, 25, 300), rng.integers(0, 20, 300)
    values = rng.integers(0, 3, 300).astype(float)
    return Interactions.from_arrays(
        users, items, values, rng.integers(0, 40, 300), duplicates="last"
    )


class TestSequences:
    def test_are_in_the_order_of_time_and_then_of_columns(self):
        X = sp.csr_array(np.array([[1.0, 1, 1, 0], [0, 0, 0, 0], [0, 2, -1, 1]], dtype=np.float32))
        sequences = Sequences.of(X, np.array([5, 3, 3, 9, 1, 2]))
        assert sequences.items.tolist() == [1, 2, 0, 3, 1]  # the entry of -1 is no positive
        assert sequences.indptr.tolist() == [0, 3, 3, 5]
        assert Sequences.of(X, None).items.tolist() == [0, 1, 2, 1, 3]

    @pytest.mark.parametrize("max_length", [1, 2, 3, 10])
    def test_every_item_but_the_first_is_a_target_once(self, max_length, rng):
        X = sp.csr_array((rng.random((15, 12)) < 0.4).astype(np.float32))
        sequences = Sequences.of(X, None)
        windows = sequences.windows(max_length)
        positions, is_input = windows.take(np.arange(len(windows)))
        assert is_input.sum(axis=1).max(initial=0) <= max_length
        targets = np.sort(positions[is_input] + 1)
        expected = np.setdiff1d(np.arange(X.nnz), sequences.indptr[:-1])
        np.testing.assert_array_equal(targets, expected)

    def test_only_ties_of_a_user_are_drawn(self, rng):
        X = sp.csr_array(np.ones((2, 5), dtype=np.float32))
        times = np.array([1, 1, 1, 2, 3, 3, 4, 5, 6, 7])
        sequences = Sequences.of(X, times)
        draws = np.array([sequences.drawn(rng) for _ in range(50)])
        assert (np.sort(draws[:, :3], axis=1) == [0, 1, 2]).all()
        assert len(np.unique(draws[:, :3], axis=0)) == 6
        assert (draws[:, 3:] == [3, 4, 0, 1, 2, 3, 4]).all()
        without_ties = Sequences.of(X, np.arange(10))
        assert without_ties.drawn(rng) is without_ties.items

    def test_the_newest_items_by_length(self):
        X = sp.csr_array(np.tri(4, 4, -1, dtype=np.float32))
        groups = {
            u: i
            for users, items in Sequences.of(X, None).newest(2)
            for u, i in zip(users.tolist(), items.tolist(), strict=True)
        }
        assert groups == {1: [0], 2: [0, 1], 3: [1, 2]}


@of_sequences
def test_numpy_gives_what_pytorch_gives(model, random_events, monkeypatch):
    model = copy.deepcopy(model).fit(random_events)
    network = model._network(torch)
    network.load_state_dict({n: torch.tensor(w) for n, w in model.weights_.items()})
    network.eval()
    monkeypatch.setattr(torch.nn.functional, "dropout", lambda x, *args: x)
    sequences = Sequences.of(model.user_items_, model.timestamps_)
    for users, items in sequences.newest(model.max_length):
        x = torch.tensor(model.item_factors_[items]) * model.n_factors**0.5
        x = torch.nn.functional.pad(x, (0, 0, 0, 3), value=1.0)  # padding has no effect
        if items.shape[1] + 3 > model.max_length:
            x = x[:, : items.shape[1]]
        with torch.no_grad():
            outputs = model._outputs(torch, network, x)[:, items.shape[1] - 1].numpy()
        np.testing.assert_allclose(outputs, model.user_factors_[users], atol=1e-5)
    assert {n: w.shape for n, w in model.weights_.items()} == model._shapes()


@pytest.mark.parametrize(
    "model",
    [
        SASRec(n_factors=16, n_layers=1, max_iter=60, learning_rate=0.01, dropout=0.0),
        GRU4Rec(n_factors=16, n_hidden=16, max_iter=60, learning_rate=0.02, dropout=0.0),
    ],
    ids=repr,
)
def test_the_next_item_of_a_cycle_is_found(model, cycles):
    model.fit(cycles)
    for last in range(12):
        items = [(last - 2) % 12, (last - 1) % 12, last]
        new = Interactions.from_arrays(["x"] * 3, items, times=[1, 2, 3])
        back = Interactions.from_arrays(["x"] * 3, items, times=[3, 2, 1])
        assert model.recommend_new(new, k=1).ids.tolist() == [[(last + 1) % 12]]
        assert model.recommend_new(back, k=9).scores.tolist() != (
            model.recommend_new(new, k=9).scores.tolist()
        )


@of_sequences
def test_new_users_with_the_events_of_known_ones(model, random_events):
    model = copy.deepcopy(model).fit(random_events)
    known = model.recommend(k=6)
    new = model.recommend_new(random_events, k=6)
    np.testing.assert_array_equal(new.ids, known.ids)
    np.testing.assert_array_equal(new.scores, known.scores)
    vectors = model.fold_in(random_events)
    np.testing.assert_array_equal(vectors, model.user_factors_)
    for row in range(0, random_events.n_users, 4):
        user = random_events.users.ids[row]
        alone = model.recommend_new(random_events.subset(users=[user]), k=6)
        np.testing.assert_array_equal(alone.scores[0], known.scores[row])


@of_sequences
def test_items_that_the_model_does_not_know_keep_the_order_of_the_others(model, random_events):
    model = copy.deepcopy(model).fit(random_events)
    a, b, c = random_events.items.ids[[9, 2, 5]].tolist()
    plain = Interactions.from_arrays(["x"] * 3, [a, b, c], times=[1, 2, 3])
    more = Interactions.from_arrays(["x"] * 5, [-7, a, 999, b, c], times=[0, 1, 2, 3, 4])
    with pytest.warns(UserWarning, match="2 of 5 items are unknown"):
        lists = model.recommend_new(more, k=5)
    np.testing.assert_array_equal(lists.scores, model.recommend_new(plain, k=5).scores)


def test_fused_models_keep_the_order(cycles):
    network = SASRec(n_factors=16, n_layers=1, max_iter=60, learning_rate=0.01, dropout=0.0)
    new = Interactions.from_arrays(["x"] * 3, [9, 4, 7], times=[2, 3, 1])
    own = copy.deepcopy(network).fit(cycles).recommend_new(new, k=4)
    for model in (
        ColdStart(model=network),
        RankFusion(models={"net": network, "als": ImplicitALS(n_factors=4)}, weights=[1, 0]),
    ):
        lists = model.fit(cycles).recommend_new(new, k=4)
        assert lists.ids.tolist() == own.ids.tolist()


@every
def test_answers_and_files_do_without_pytorch(model, random_events, tmp_path):
    model = copy.deepcopy(model).fit(random_events)
    model.save(tmp_path / "model")
    random_events.save(tmp_path / "x")
    np.save(tmp_path / "scores", model.recommend(k=5).scores)
    code = f"""
import sys
sys.modules["torch"] = None
import numpy as np
from aimass_core import load
model, x = load({str(tmp_path / "model")!r}), load({str(tmp_path / "x")!r})
expected = np.load({str(tmp_path / "scores.npy")!r})
np.testing.assert_array_equal(model.recommend(k=5).scores, expected)
np.testing.assert_array_equal(model.recommend_new(x, k=5).scores, expected)
model.similar_items(x.items.ids[:2])
try:
    model.fit(x)
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = f"{type(model).__name__}.fit needs torch: pip install 'aimass_core[deep]'"
    assert run.stdout.strip() == expected


@every
def test_a_fit_is_reproducible_and_leaves_pytorch_as_it_was(model, random_events):
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    first = copy.deepcopy(model).fit(random_events)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    second = copy.deepcopy(model).fit(random_events)
    np.testing.assert_array_equal(first.user_factors_, second.user_factors_)
    other = copy.deepcopy(model).set_params(random_state=1).fit(random_events)
    assert (other.user_factors_ != first.user_factors_).any()
    torch.set_rng_state(state)


@every
def test_parts_of_a_batch_have_its_gradient(model, random_events, monkeypatch):
    model = copy.deepcopy(model).set_params(dropout=0.0)
    complete = copy.deepcopy(model).fit(random_events)
    monkeypatch.setattr("aimass_core.deep._training._LOGITS", 300)
    in_parts = copy.deepcopy(model).fit(random_events)
    np.testing.assert_allclose(in_parts.losses_, complete.losses_, rtol=1e-4)
    np.testing.assert_allclose(in_parts.item_factors_, complete.item_factors_, atol=1e-3)


@every
def test_a_validation_part_ends_training(model, random_events):
    parts = split.leave_last(random_events, min_train=2)
    model = copy.deepcopy(model).set_params(max_iter=40, patience=2, learning_rate=0.05)
    model.fit(parts.train, validation=parts.test)
    assert len(model.scores_) < 40
    assert model.scores_[model.n_iter_ - 1] == model.scores_.max()
    table = evaluate({"model": model}, parts, metrics=["ndcg@10"], fit=False, intervals=False)
    assert table["model"]["ndcg@10"] == pytest.approx(model.scores_.max())


@every
def test_a_learning_rate_that_diverges(model, random_events):
    model = copy.deepcopy(model).set_params(learning_rate=1e30, max_iter=20)
    with pytest.raises(NumericalError, match=r"diverged in epoch \d+.*Lower learning_rate"):
        model.fit(random_events)


@every
def test_parameters_out_of_range(model, random_events):
    wrong = {
        "n_factors": 0,
        "dropout": 1.0,
        "n_negatives": 0,
        "learning_rate": 0.0,
        "batch_size": 0,
        "device": "gpu",
        "n_layers": 65,
        "n_heads": 3,
        "id_dropout": 1.5,
    }
    for name, value in wrong.items():
        if name in model.get_params():
            with pytest.raises(ValueError, match=name):
                copy.deepcopy(model).set_params(**{name: value}).fit(random_events)
    with pytest.raises(RuntimeError, match="device='cpu' trains here"):
        copy.deepcopy(model).set_params(device="cuda:99").fit(random_events)


@of_sequences
def test_a_warning_where_no_user_has_two_items(model):
    x = Interactions.from_arrays(["a", "b", "c"], ["tea", "pie", "tea"], times=[1, 2, 3])
    with pytest.warns(UserWarning, match="learns nothing, because no user has two items"):
        model = copy.deepcopy(model).fit(x)
    assert model.recommend(["a"], k=1).ids.tolist() == [["pie"]]


@pytest.mark.parametrize("max_length", [10**15, 10_000_000])
def test_weights_that_do_not_fit_into_memory(max_length, random_events, monkeypatch):
    monkeypatch.setattr("aimass_core.deep._training.available_memory", lambda: 2.0**30)
    with pytest.raises(MemoryError, match=rf"needs about .* GiB with max_length={max_length}"):
        SASRec(**SMALL, max_length=max_length).fit(random_events)
    GRU4Rec(**SMALL, max_length=max_length).fit(random_events)  # has no weights of positions


def test_sequences_that_do_not_fit_into_memory(random_events, monkeypatch):
    """The longest sequence counts, not the longest one that the parameter would allow."""
    model = SASRec(**SMALL, max_length=20_000, n_layers=1).fit(random_events)
    monkeypatch.setattr("aimass_core.deep._training._CHECKED", 0)
    monkeypatch.setattr("aimass_core.deep._training.available_memory", lambda: 2.0**10)
    with pytest.raises(MemoryError, match=r"SASRec needs about .*lower it, or n_factors"):
        model.recommend_new(random_events, k=3)
    with pytest.raises(MemoryError, match=r"GRU4Rec needs about .*max_length=50"):
        GRU4Rec(**SMALL).fit(random_events)


@every
@pytest.mark.parametrize("change", ["shape", "name", "nan", "parameter"])
def test_files_with_other_weights_are_refused(model, random_events, tmp_path, change):
    model = copy.deepcopy(model).fit(random_events)
    name = next(iter(model.weights_))
    weights = dict(model.weights_)
    if change == "shape":
        weights[name] = weights[name][:1]
    elif change == "name":
        weights["other"] = weights.pop(name)
    elif change == "nan":
        weights[name] = np.full_like(weights[name], np.nan)
    else:
        model._fitted_with = {**model._fitted_with, "n_factors": 10}
    model.weights_ = weights
    model.save(tmp_path / "model")
    with pytest.raises(DamagedFileError):
        load(tmp_path / "model")


@of_sequences
def test_users_without_an_order(model, random_events):
    """A matrix has no times: items come in the order of columns, in training in a drawn one."""
    model = copy.deepcopy(model).fit(random_events.matrix)
    lists = model.recommend(k=5)
    shuffled = model.recommend_new(random_events.matrix, k=5)
    np.testing.assert_array_equal(lists.scores, shuffled.scores)


class TestTwoTower:
    def test_the_order_of_interactions_has_no_effect(self, random_events):
        model = TwoTower(**SMALL).fit(random_events)
        by_time = model.recommend_new(random_events, k=5)
        np.testing.assert_array_equal(
            by_time.scores, model.recommend_new(random_events.matrix, k=5).scores
        )

    def test_new_items_have_the_vectors_of_their_features(self, rng):
        X = np.kron(np.eye(2), np.ones((8, 5)))
        features = np.kron(np.eye(2), np.ones((5, 1)))
        model = TwoTower(n_factors=8, n_hidden=8, max_iter=60, learning_rate=0.02)
        model.fit(X, item_features=features)
        lists = model.recommend([0, 15], k=1, item_features=np.eye(2), candidates=[10, 11])
        assert lists.indices.tolist() == [[10], [11]]

    def test_users_known_by_their_features_alone(self, rng):
        X = np.kron(np.eye(2), np.ones((8, 5))) * (rng.random((16, 10)) < 0.8)
        features = np.kron(np.eye(2), np.ones((8, 1)))
        model = TwoTower(n_factors=8, n_hidden=8, max_iter=100, learning_rate=0.02)
        model.fit(X, user_features=features)
        lists = model.recommend_new(None, k=3, user_features=np.eye(2))
        assert (lists.indices // 5 == [[0], [1]]).all()
        assert lists.reasons.tolist() == ["features", "features"]

    def test_an_item_without_positives_has_the_vector_of_its_features(self):
        X = np.kron(np.eye(2), np.ones((8, 5)))
        X[:, 3] = 0
        features = np.kron(np.eye(2), np.ones((5, 1)))
        model = TwoTower(n_factors=4, n_hidden=4, max_iter=2).fit(X, item_features=features)
        new = model._factors_of("item", sp.csr_array(features[[3]]))
        np.testing.assert_allclose(model.item_factors_[3], new[0], rtol=1e-5)
