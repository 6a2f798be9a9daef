"""Search: shared fits, no leaks, resuming, halving, samplers, failures, output."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
import types
import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from aimass_core import (
    ImplicitALS,
    Interactions,
    ItemKNN,
    Popularity,
    PureSVD,
    Recommender,
    Similarity,
    UserKNN,
    datasets,
)
from aimass_core.base.registry import model_modules
from aimass_core.data import split
from aimass_core.evaluation import evaluate
from aimass_core.tuning import (
    Choice,
    Range,
    _scoring,
    default_space,
    nested_tune,
    optuna_objective,
    search,
    tune,
)
from aimass_core.tuning._journal import plain
from aimass_core.tuning._sharing import fit_settings, shared_parameter
from aimass_core.tuning.space import as_space

ROOT = Path(__file__).parents[2]


def measure(dot, count, norm_x, norm_y, count_x, count_y):
    return dot


KEYS = [measure, np.array(["a", None], dtype=object), np.random.default_rng(3), Similarity(measure)]
OWN = [m.rpartition(".")[2].replace("_", "-") for m in model_modules().values()]


@pytest.fixture(autouse=True)
def _one_thread():
    """Matrices this small gain nothing from BLAS threads and wait for them."""
    with pytest.importorskip("threadpoolctl").threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def shop() -> Interactions:
    store = datasets.make_store(n_users=400, n_items=80, n_interactions=8000)
    return store.to_interactions()


class Counted(Popularity):
    """Counts its fits, and fails for one value."""

    fits = 0

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def fit(self, X, y=None):
        type(self).fits += 1
        if self.weight == 13:
            raise ValueError("thirteen")
        return super().fit(X)


class TestScores:
    def test_are_those_of_evaluate(self, shop):
        data = split.random(shop, random_state=0)
        inner = split.random(data.train, test_size=0.1, random_state=1)
        space = {"n_neighbors": [5, 20, 80], "similarity": ["cosine", "jaccard"]}
        result = tune("item-knn", data, space=space, method="grid", validation=[inner])
        assert len(result) == 6
        for trial in result.trials:
            model = ItemKNN(**trial.params)
            expected = evaluate({"m": model}, inner, metrics=["ndcg@10"])["m"]["ndcg@10"]
            assert trial.score == expected
        assert result.best_score_ == max(t.score for t in result.trials)
        on_test = evaluate({"m": ItemKNN(**result.best_params_)}, data, metrics=["ndcg@10"])
        assert result.test_score_ == on_test["m"]["ndcg@10"]
        assert result.test_interval_.estimate == pytest.approx(result.test_score_)
        assert result.test_interval_.lower < result.test_score_ < result.test_interval_.upper
        assert result.best_model_.user_items_.nnz == data.train.nnz
        options = {"method": "grid", "validation": [inner], "test": False}
        by_name = tune("item-knn", data, space={"item-knn": space}, **options)
        assert [t.score for t in by_name.trials] == [t.score for t in result.trials]

    def test_folds_are_averaged(self, shop):
        result = tune("popularity", shop, validation=3, test=False)
        (trial,) = result.trials
        assert len(trial.fold_scores) == 3
        assert trial.score == pytest.approx(np.mean(trial.fold_scores))
        assert np.isnan(result.test_score_)
        assert result.test_interval_ is None

    def test_default_splits_are_temporal(self, shop):
        seen = []

        class Spy(Popularity):
            def fit(self, X, y=None):
                seen.append(X.timestamps.max())
                return super().fit(X)

        tune(Spy(), shop)
        assert len(seen) == 2  # the trial, and the refit on the whole train part
        assert seen[0] < seen[1] < shop.timestamps.max()

    def test_test_rows_never_reach_a_trial(self, shop):
        data = split.random(shop, random_state=0)
        hidden = set(zip(data.test.row_indices().tolist(), data.test.matrix.indices.tolist()))

        class Spy(Popularity):
            def fit(self, X, y=None):
                shown = set(zip(X.row_indices().tolist(), X.matrix.indices.tolist()))
                assert not shown & hidden
                return super().fit(X)

        assert tune(Spy(), data).best_model_ is not None

    def test_leaking_folds_are_refused(self, shop):
        leaking = split.random(shop, random_state=0)
        leaking.test = shop
        with pytest.raises(ValueError, match="leak"):
            tune("popularity", shop, validation=[leaking])

    def test_lower_is_better_for_ratings(self, shop):
        result = tune(
            ["explicit-als", "baseline"],
            shop,
            metric="rmse",
            n_trials=2,
            space={"explicit-als": {"n_factors": [2, 4]}, "baseline": {}},
        )
        assert result.lower_is_better
        assert result.best_score_ == min(t.score for t in result.trials)
        assert result.test_interval_ is None  # no mean over users
        assert result.test_score_ > 0


class TestSharing:
    @pytest.mark.parametrize("cls", [ItemKNN, UserKNN])
    @pytest.mark.parametrize("neighbors_of", ["target", "seen"])
    @pytest.mark.parametrize("weighting", [None, "bm25"])
    def test_cut_lists_are_those_of_a_fit(self, cls, neighbors_of, weighting, shop):
        base = {"similarity": "cosine", "neighbors_of": neighbors_of, "weighting": weighting}
        settings = [{**base, "n_neighbors": n} for n in (3, 30, 7)]
        models = {}
        fit_settings(cls, settings, "n_neighbors", shop, models.__setitem__)
        for i, params in enumerate(settings):
            expected = cls(**params).fit(shop)
            for part in ("indptr", "indices", "data"):
                np.testing.assert_array_equal(
                    getattr(models[i].similarity_, part), getattr(expected.similarity_, part)
                )
            ours, theirs = (m.recommend(k=10) for m in (models[i], expected))
            np.testing.assert_array_equal(ours.indices, theirs.indices)
            np.testing.assert_allclose(ours.scores, theirs.scores, rtol=1e-5)
            part = {"k": 5, "candidates": shop.items.ids[:40], "exclude_seen": False}
            ours, theirs = (m.recommend(**part) for m in (models[i], expected))
            np.testing.assert_array_equal(ours.indices, theirs.indices)
            assert models[i].get_params() == expected.get_params()

    @pytest.mark.parametrize(
        "options",
        [
            {"solver": "cholesky"},
            {"solver": "cg"},
            {"solver": "pcg", "n_steps": 2},
            {"solver": "subspace", "block_size": 4},
            {"solver": "nonnegative"},
            {},
        ],
        ids=str,
    )
    def test_epochs_share_a_training(self, shop, monkeypatch, options):
        fits = []
        original = ImplicitALS.fit
        monkeypatch.setattr(
            ImplicitALS,
            "fit",
            lambda self, X, y=None, **o: fits.append(self.max_iter) or original(self, X, y, **o),
        )
        settings = [{"n_factors": 8, "max_iter": n, **options} for n in (2, 5, 3)]
        shared = shared_parameter(ImplicitALS, settings[0])
        assert shared == "max_iter"
        inner = split.random(shop, random_state=0)
        found = {}

        def judge(i, model):
            found[i] = copy.deepcopy(model)
            evaluate({"m": model}, inner, metrics=["ndcg@10"], fit=False)

        fit_settings(ImplicitALS, settings, shared, inner.train, judge)
        assert fits == [5]
        for i, params in enumerate(settings):
            alone = original(ImplicitALS(**params), inner.train)
            assert found[i].n_iter_ == params["max_iter"]
            for name in ("user_factors_", "item_factors_"):
                np.testing.assert_array_equal(getattr(found[i], name), getattr(alone, name))

    def test_normalised_lists_are_not_shared(self):
        assert shared_parameter(ItemKNN, {"n_neighbors": 3}) is None  # its default normalises
        assert shared_parameter(ItemKNN, {"n_neighbors": 3, "similarity": "cosine"}) is not None

    def test_random_search_takes_all_numbers_of_neighbours_from_a_fit(self, shop, monkeypatch):
        fits = []
        original = ItemKNN.fit
        monkeypatch.setattr(
            ItemKNN, "fit", lambda self, X, y=None: fits.append(1) or original(self, X, y)
        )
        result = tune("item-knn", shop, n_trials=14, refit=False)
        assert len(result) == 14
        assert len(fits) == 2  # seven numbers of neighbours each


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless a test moves it: a list of one number of seconds."""
    now = [0.0]
    standing = types.SimpleNamespace(monotonic=lambda: now[0], perf_counter=lambda: now[0])
    monkeypatch.setattr(search, "time", standing)
    monkeypatch.setattr(_scoring, "time", standing)
    monkeypatch.setattr(Slow, "clock", now)
    return now


class Slow(Popularity):
    """Popularity that takes ten steps of some seconds."""

    clock: ClassVar[list[float]] = [0.0]

    def __init__(self, *, step: float = 1.0) -> None:
        super().__init__()
        self.step = step

    def _learn(self, n_threads):
        progress = self._progress(10)
        for number in range(1, 11):
            self.clock[0] += self.step
            progress.step(number)
        super()._learn(n_threads)


class TestTimeLimit:
    def test_a_slow_model_takes_its_share_and_the_others_theirs(self, shop, clock, tmp_path):
        models = {"slow": Slow(step=2.0), "popularity": Popularity(), "knn": ItemKNN()}
        path = tmp_path / "journal"
        result = tune(
            models, shop, time_limit=12, space=nothing_to_try(models), journal=path, refit=False
        )
        states = {t.model: (t.state, t.seconds) for t in result.trials}
        assert states == {"slow": ("stopped", 4), "popularity": ("done", 0), "knn": ("done", 0)}
        assert "3 trials, 0 failed, 1 stopped by the time limit" in repr(result)
        assert "slow" not in path.read_text()  # a longer search tries it again
        again = tune(
            models, shop, time_limit=90, space=nothing_to_try(models), journal=path, refit=False
        )
        assert [t.state for t in again.trials] == ["done"] * 3

    @pytest.mark.parametrize("method", ["grid", "tpe"])
    def test_the_limit_ends_a_running_trial(self, shop, clock, method):
        if method == "tpe":
            pytest.importorskip("optuna")
        space = {"step": Range(1.0, 1.0 + 1e-6)}
        result = tune(Slow, shop, time_limit=25, method=method, space=space, refit=False)
        assert [t.state for t in result.trials] == ["done", "done", "stopped"]
        assert clock[0] == pytest.approx(25, abs=1)

    def test_one_trial_is_completed_whatever_it_takes(self, shop, clock):
        models = {"a": Slow(step=5.0), "b": Slow(step=6.0)}
        result = tune(models, shop, time_limit=9, space=nothing_to_try(models))
        assert [(t.model, t.state) for t in result.trials] == [("a", "stopped"), ("b", "done")]
        assert tune(Slow, shop, time_limit=1e-9, space={"step": [1.0, 2.0]}).best_params_["step"]

    def test_time_is_divided_equally(self, shop, clock):
        models = {"a": Slow(), "b": Slow()}
        space = {"a": {"step": Range(0.1, 0.11)}, "b": {"step": Range(1.0, 1.1)}}
        result = tune(models, shop, time_limit=100, space=space, refit=False)
        taken = {m: sum(t.seconds for t in result.trials if t.model == m) for m in models}
        assert 40 < taken["a"] < 60
        assert 40 < taken["b"] < 60

    def test_epochs_that_were_reached_count(self, shop, clock, monkeypatch):
        looks = iter(range(1000))
        monkeypatch.setattr(_scoring, "time", types.SimpleNamespace(monotonic=lambda: next(looks)))
        models = {"popularity": Popularity(), "als": ImplicitALS(n_factors=4)}
        space = {"popularity": {}, "als": {"max_iter": [2, 50]}}
        result = tune(models, shop, time_limit=20, method="grid", space=space, refit=False)
        states = {(t.model, t.params.get("max_iter")): t.state for t in result.trials}
        assert states["als", 2] == "done"
        assert states["als", 50] == "stopped"

    def test_models_that_fail_end_at_the_limit(self, shop, clock):
        with pytest.raises(ValueError, match=r"every trial failed; the first one: .*cannot be"):
            tune(Fails, shop, time_limit=9, space={"step": Range(1.0, 2.0)})
        assert clock[0] < 12

    @pytest.mark.parametrize("names", [("bad", "slow"), ("slow", "bad")])
    def test_a_failure_is_no_completed_trial(self, shop, clock, names):
        models = {name: {"bad": Fails(), "slow": Slow(step=5.0)}[name] for name in names}
        result = tune(models, shop, time_limit=9, space=nothing_to_try(models), refit=False)
        assert {t.model: t.state for t in result.trials} == {"bad": "failed", "slow": "done"}

    def test_models_that_were_not_tried_are_named(self, shop, clock):
        models = {"knn": Popularity(), "ease": Popularity()}
        ends = {"callback": lambda event: True}
        result = tune(models, shop, space=nothing_to_try(models), refit=False, **ends)
        assert result.untried == ["ease"]
        assert "not tried: ease" in repr(result)

    def test_evaluations_of_one_fit_end_at_the_limit(self, shop, clock, monkeypatch):
        def slow_score(*given):
            clock[0] += 4
            return 0.5

        monkeypatch.setattr(_scoring, "score_of", slow_score)
        models = {"popularity": Popularity(), "knn": ItemKNN(similarity="cosine")}
        space = {"popularity": {}, "knn": {"n_neighbors": [5, 10, 20, 40]}}
        result = tune(models, shop, time_limit=20, method="grid", space=space, refit=False)
        states = [t.state for t in result.trials if t.model == "knn"]
        assert states == ["stopped", "done", "done", "done"]


class Fails(Slow):
    def _learn(self, n_threads):
        self.clock[0] += 1
        raise ValueError("cannot be fitted")


class TestJobs:
    def test_the_order_of_trials_does_not_depend_on_jobs(self, shop):
        models = {name: Slow() for name in "abc"}
        space = {name: {"step": Range(1.0, 9.0)} for name in "abc"}
        order = [
            [
                (t.model, t.params)
                for t in tune(models, shop, space=space, n_trials=4, n_jobs=n, refit=False).trials
            ]
            for n in (1, 4)
        ]
        assert order[0] == order[1]
        assert [model for model, _ in order[0]] == list("abc") * 4

    def test_a_time_limit_holds_for_all_jobs(self, shop):
        """Each fit would take two seconds; one of them may."""
        models = {"a": Sleeps(), "b": Sleeps(), "quick": Popularity()}
        result = tune(
            models, shop, time_limit=0.3, n_jobs=3, space=nothing_to_try(models), refit=False
        )
        states = {t.model: t.state for t in result.trials}
        assert states == {"a": "stopped", "b": "stopped", "quick": "done"}


class Sleeps(Popularity):
    """Popularity in a hundred steps of 20 milliseconds."""

    def __init__(self) -> None:
        super().__init__()

    def _learn(self, n_threads):
        progress = self._progress(100)
        for number in range(1, 101):
            time.sleep(0.02)
            progress.step(number)
        super()._learn(n_threads)


def test_keys_of_a_journal_are_those_of_the_content():
    """Also in another process: no address, and no printed form that leaves something out."""
    here = plain(KEYS)
    code = "from tests.tuning.test_tune import *; print(json.dumps(plain(KEYS)))"
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(there.stdout) == here
    assert "0x" not in repr(here)
    matrices = [sp.random(50, 50, density=0.1, format="csr", random_state=s) for s in (1, 2)]
    assert plain(matrices[0]) != plain(matrices[1])
    assert plain(lambda x: x + 1) != plain(lambda x: x + 2)


def nothing_to_try(models):
    """Return a space without anything to try for each model."""
    return {name: {} for name in models}


class TestMethods:
    def test_random_is_seeded_and_independent_of_jobs(self, shop):
        space = {"n_factors": [4, 8, 16], "max_iter": [2, 3]}
        options = {"space": space, "n_trials": 5, "refit": False}
        one, two, other = (
            tune(PureSVD, shop, **options, n_jobs=jobs, random_state=seed)
            for jobs, seed in ((1, 0), (3, 0), (1, 1))
        )
        assert [(t.params, t.score) for t in one.trials] == [
            (t.params, t.score) for t in two.trials
        ]
        assert [t.params for t in one.trials] != [t.params for t in other.trials]
        assert len({repr(t.params) for t in one.trials}) == 5

    def test_a_space_that_is_exhausted_ends(self, shop):
        result = tune(PureSVD, shop, space={"n_factors": [4, 8]}, n_trials=50, refit=False)
        assert len(result) == 2

    def test_halving(self, shop):
        result = tune(
            ["item-knn", "pure-svd"],
            shop,
            method="halving",
            n_trials=9,
            space={
                "item-knn": {"n_neighbors": Range(2, 100, log=True, integer=True)},
                "pure-svd": {"n_factors": Range(2, 60, integer=True)},
            },
        )
        rounds = [t.resource for t in result.trials]
        assert [rounds.count(r) for r in (1 / 9, 1 / 3, 1.0)] == [18, 6, 2]
        assert result.best_trial.resource == 1
        assert result.best_model_.n_users_ == shop.n_users

    @pytest.mark.parametrize("method", ["tpe", "cma-es"])
    def test_optuna_samplers(self, method, shop):
        pytest.importorskip("optuna")
        if method == "cma-es":
            pytest.importorskip("cmaes")
        space = {
            "n_factors": Range(2, 40, integer=True),
            "n_oversamples": Range(4, 20, integer=True),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = [
                tune(PureSVD, shop, space=space, method=method, n_trials=6, refit=False)
                for _ in range(2)
            ]
        assert len(results[0]) == 6
        assert [t.params for t in results[0].trials] == [t.params for t in results[1].trials]

    def test_optuna_objective_prunes_by_epoch(self, shop):
        optuna = pytest.importorskip("optuna")
        optuna.logging.set_verbosity(optuna.logging.WARNING)

        class Strict(optuna.pruners.BasePruner):
            def prune(self, study, trial):
                return trial.number > 0 and trial.last_step >= 2

        study = optuna.create_study(direction="maximize", pruner=Strict())
        space = {"n_factors": [4, 8], "regularization": Range(0.01, 1, log=True), "max_iter": 4}
        study.optimize(optuna_objective(ImplicitALS, shop, space=space), n_trials=3)
        states = [t.state.name for t in study.trials]
        assert states == ["COMPLETE", "PRUNED", "PRUNED"]
        assert len(study.trials[0].intermediate_values) == 4

    def test_everything(self, shop):
        result = tune(None, shop, n_trials=1)
        names = {t.model for t in result.trials}
        assert {"item-knn", "user-knn", "implicit-als", "pure-svd", "popularity"} <= names
        plug_ins = {t.model for t in result.trials} - set(OWN)  # those of other tests
        assert all(t.state == "done" or t.model in plug_ins for t in result.trials), result

    def test_a_class_of_another_author(self, shop):
        class Counts:
            def __init__(self, power=1.0):
                self.power = power

            def fit(self, X):
                self.counts_ = np.bincount(X.matrix.indices, minlength=X.n_items) ** self.power

            def score(self, query):
                return np.tile(self.counts_, (len(query), 1))

        result = tune(Counts, shop, space={"power": [-1.0, 1.0]}, method="grid")
        assert result.best_params_ == {"power": 1.0}
        assert result.best_model_.recommend([shop.users.ids[0]], k=3).indices.shape == (1, 3)
        with pytest.raises(ValueError, match="Counts has the parameters power"):
            tune(Counts, shop, space={"weight": [1.0]})

    def test_an_instance_keeps_its_parameters(self, shop):
        result = tune(
            ItemKNN(similarity="jaccard"), shop, space={"n_neighbors": [5, 10]}, method="grid"
        )
        assert result.best_model_.similarity == "jaccard"

    def test_callback_ends_the_search(self, shop):
        events = []
        result = tune(
            PureSVD,
            shop,
            space={"n_factors": [2, 3, 4, 5, 6]},
            method="grid",
            refit=False,
            callback=lambda event: events.append(event) or event.step == 2,
        )
        assert len(result) == 2
        assert events[1].n_steps == 5
        assert "ndcg@10" in events[0].values


class TestGivenSpaces:
    def test_arrays_and_columns_are_lists_of_values(self, shop):
        pd = pytest.importorskip("pandas")
        for values in (np.array([5, 50]), pd.Series([5, 50]), range(5, 51, 45)):
            result = tune("item-knn", shop, space={"n_neighbors": values}, method="grid")
            found = [t.params["n_neighbors"] for t in result.trials]
            assert found == [5, 50]
            assert not any(isinstance(value, np.generic) for value in found)

    def test_distributions_of_scipy_are_ranges(self):
        space = as_space(
            {
                "a": stats.loguniform(0.01, 1),
                "b": stats.uniform(2, 3),
                "c": stats.randint(3, 9),
                "d": np.float32(0.5),
            }
        )
        assert space["a"] == Range(0.01, 1.0, log=True)
        assert space["b"] == Range(2.0, 5.0)
        assert space["c"] == Range(3, 8, integer=True)
        assert space["d"].values == (0.5,)
        with pytest.raises(TypeError, match="is a distribution 'norm'"):
            as_space({"a": stats.norm(0, 1)})

    def test_models_by_name(self, shop):
        models = {"few": ItemKNN(n_neighbors=5), "many": ItemKNN(n_neighbors=50)}
        space = {"few": {}, "many": {"weighting": ["bm25", None]}}
        result = tune(models, shop, space=space, method="grid")
        assert [t.model for t in result.trials] == ["few", "many", "many"]

    def test_a_table_of_halving_has_the_share_of_the_users(self, shop):
        result = tune("item-knn", shop, method="halving", n_trials=9, refit=False)
        lines = repr(result).splitlines()
        assert "users" in lines[0].split()
        assert lines[1].split()[2] == "100%"
        assert "users" not in repr(tune("popularity", shop, refit=False)).splitlines()[0]


class TestJournal:
    def search(self, shop, path, **options):
        space = {"weight": [1.0, 2.0, 13.0, 3.0]}
        return tune(Counted, shop, space=space, method="grid", journal=path, refit=False, **options)

    def test_an_interrupted_search_loses_nothing(self, shop, tmp_path):
        path = tmp_path / "sub" / "search.jsonl"
        Counted.fits = 0

        def interrupt(event):
            if event.step == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.search(shop, path, callback=interrupt)
        assert Counted.fits == 2
        with path.open("a") as file:
            file.write('{"model": "cut sho')  # a process that died while it wrote
        result = self.search(shop, path)
        assert Counted.fits == 4
        assert [t.state for t in result.trials] == ["done", "done", "failed", "done"]
        again = self.search(shop, path)
        assert Counted.fits == 4
        assert again.trials == result.trials or repr(again.trials) == repr(result.trials)

    def test_other_data_or_files_are_refused(self, shop, tmp_path):
        path = tmp_path / "search.jsonl"
        self.search(shop, path)
        with pytest.raises(ValueError, match="other data or with another metric"):
            self.search(shop, path, metric="recall@5")
        with pytest.raises(ValueError, match="other data"):
            self.search(shop.keep_entries(np.arange(shop.nnz) % 7 > 0), path)
        other = tmp_path / "text.txt"
        other.write_text("hello\n")
        with pytest.raises(ValueError, match="not the journal of a search"):
            self.search(shop, other)

    def test_a_refused_file_is_unchanged(self, shop, tmp_path):
        other = tmp_path / "table.csv"
        for content in (b"user,item\n1,2", b"\xff\xfe\x00", b'{"format": "aimass-search"}\n{"a'):
            other.write_bytes(content)
            with pytest.raises(ValueError, match=r"is (not )?the journal of"):
                self.search(shop, other)
            assert other.read_bytes() == content

    def test_damaged_entries_are_refused(self, shop, tmp_path):
        path = tmp_path / "search.jsonl"
        self.search(shop, path)
        header = path.read_text().splitlines()[0]
        path.write_text(header + '\n{"model": "Counted", "params": {}, "resource": 1.0}\n')
        with pytest.raises(ValueError, match="not the journal of a search"):
            self.search(shop, path)

    def test_trials_of_other_fixed_parameters_are_not_reused(self, shop, tmp_path):
        """The setting is the same, but the model that was given is another one."""
        options = {"space": {"n_neighbors": [5, 50]}, "method": "grid"}
        for weighting in ("bm25", "tf_idf", None):
            model = ItemKNN(weighting=weighting)
            kept = tune(model, shop, journal=tmp_path / "j", **options)
            fresh = tune(model, shop, **options)
            assert [t.score for t in kept.trials] == [t.score for t in fresh.trials]

    def test_long_arrays_among_the_parameters_are_told_apart(self):
        first, second = np.zeros(5000), np.zeros(5000)
        second[2500] = 1  # which the printed form leaves out
        assert plain(first) != plain(second)
        assert plain(first) == plain(first.copy())

    def test_other_times_are_other_data(self, shop, tmp_path):
        parts = split.random(shop, test_size=0.2, random_state=0)
        x = parts.train
        later = Interactions(x.matrix, x.users, x.items, timestamps=np.arange(x.nnz)[::-1].copy())
        first = Interactions(x.matrix, x.users, x.items, timestamps=np.arange(x.nnz))
        options = {"test": False, "refit": False, "journal": tmp_path / "j", "n_trials": 1}
        folds = [split.random(one, test_size=0.2, random_state=0) for one in (first, later)]
        tune("popularity", first, validation=[folds[0]], **options)
        with pytest.raises(ValueError, match="other data"):
            tune("popularity", later, validation=[folds[1]], **options)

    def test_halving_resumes(self, shop, tmp_path):
        options = {"method": "halving", "n_trials": 9, "journal": tmp_path / "j", "refit": False}
        space = {"weight": Range(1.0, 2.0)}
        Counted.fits = 0
        first = tune(Counted, shop, space=space, **options)
        n = Counted.fits
        second = tune(Counted, shop, space=space, **options)
        assert Counted.fits == n == 13
        assert [t.score for t in first.trials] == [t.score for t in second.trials]


class TestFailures:
    def test_are_noted_and_do_not_end_the_search(self, shop):
        result = tune(Counted, shop, space={"weight": [13.0, 1.0]}, method="grid")
        failed = result.trials[0]
        assert (failed.state, failed.error) == ("failed", "ValueError: thirteen")
        assert np.isnan(failed.score)
        assert result.best_params_ == {"weight": 1.0}
        assert json.dumps(result.to_dict()["best"])

    def test_if_all_fail_it_is_an_error(self, shop):
        with pytest.raises(ValueError, match=r"every trial failed.*thirteen"):
            tune(Counted, shop, space={"weight": [13.0]})

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"models": "itemknn"}, KeyError, "did you mean"),
            ({"models": []}, ValueError, "at least one model"),
            ({"space": {"neighbors": [1]}}, ValueError, "space has 'neighbors'"),
            ({"space": {"n_neighbors": []}}, ValueError, "at least one value"),
            ({"space": [1]}, TypeError, "space must be a dictionary"),
            ({"method": "bayes"}, ValueError, "method must be one of"),
            ({"metric": "ndgc"}, ValueError, "metrics holds 'ndgc'; known are"),
            ({"metric": ["ndcg"]}, TypeError, "the name of one metric"),
            ({"metric": len}, TypeError, "the name of one metric"),
            ({"space": {"n_neighbors": {1, 2}}}, TypeError, "no fixed order"),
            ({"space": {"n_neighbors": iter([1])}}, TypeError, "read once only"),
            ({"validation": lambda x: None}, TypeError, "a Split or several"),
            ({"n_trials": 0}, ValueError, "n_trials must be at least 1"),
            ({"time_limit": 0}, ValueError, "time_limit must be above 0"),
            ({"n_jobs": 0}, ValueError, "n_jobs must be at least 1"),
            ({"validation": 1}, ValueError, "validation must be at least 2"),
            ({"validation": "temporal"}, TypeError, "a Split or several"),
            ({"test": lambda x: (x, x)}, TypeError, "test must return a Split"),
            ({"data": np.eye(3)}, TypeError, "must be Interactions or a Split"),
            (
                {"models": ["item-knn", "popularity"], "space": {"n_neighbors": [1]}},
                ValueError,
                "for many models",
            ),
            ({"space": {"slim": {"alpha": [1.0]}}}, ValueError, "none of the models"),
            (
                {"models": ["item-knn", "popularity"], "space": {"slim": {}}},
                ValueError,
                "none of the models",
            ),
        ],
    )
    def test_refusals(self, shop, arguments, error, message):
        with pytest.raises(error, match=message):
            tune(**({"models": "item-knn", "data": shop} | arguments))


class TestNested:
    def test_scores_each_winner_on_its_outer_part(self, shop):
        outer = list(split.k_fold(shop, n_splits=3, random_state=0))
        results, score = nested_tune(
            "item-knn", outer, space={"n_neighbors": [5, 50]}, method="grid", validation=2
        )
        assert score == pytest.approx(np.mean([r.test_score_ for r in results]))
        with pytest.raises(ValueError, match="at least one split"):
            nested_tune("item-knn", [])


class TestOutput:
    def test_text_and_picture(self, shop, tmp_path):
        result = tune(["item-knn", "popularity"], shop, n_trials=14, metric="recall", n_jobs=2)
        text = repr(result)
        assert "best on the test part" in text
        assert "15 trials, 0 failed" in text
        assert result.ranking()[0] == result.best_trial
        pytest.importorskip("matplotlib")
        path = result.picture(tmp_path / "search.png")
        assert path.stat().st_size > 5000


class TestSpaces:
    def test_default_spaces_of_all_models_are_parameters_of_theirs(self):
        from aimass_core.base.registry import find, model_names

        for name in model_names():
            cls = find(name)
            if issubclass(cls, Recommender):
                assert default_space(cls, name).keys() <= set(cls._param_names())

    def test_a_model_of_your_own(self):
        class Own(Recommender):
            def __init__(self, *, regularization=0.5, n_factors=20, verbose=True, alpha=0.0):
                pass

        assert default_space(Own) == {
            "regularization": Range(0.05, 5.0, log=True),
            "n_factors": Range(2, 200, log=True, integer=True),
        }

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Range(2, 1), "low must not exceed high"),
            (lambda: Range(0, 1, log=True), "low must be above 0"),
            (lambda: Range(0.5, 2, integer=True), "whole numbers"),
            (lambda: Range(0, np.inf), "finite"),
            (lambda: Choice([]), "at least one value"),
        ],
    )
    def test_refusals(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()

    def test_samples_are_within(self, rng):
        for dimension in (Range(1, 9, integer=True), Range(0.1, 10, log=True), Range(-1, 1)):
            values = [dimension.sample(rng) for _ in range(300)]
            assert min(values) >= dimension.low
            assert max(values) <= dimension.high
        assert {Range(1, 3, integer=True).sample(rng) for _ in range(60)} == {1, 2, 3}
        assert Range(5, 5).grid(4) == [5]
