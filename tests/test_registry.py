"""The registry: one decorator gives a class its public name, file format and command."""

from __future__ import annotations

import inspect
import sys

import numpy as np
import pytest

import aimass_core
from aimass_core import Interactions, Recommender, as_recommender, load, register
from aimass_core.base import registry
from aimass_core.evaluation import evaluate


@pytest.mark.parametrize("name", registry.model_names())
def test_a_registered_name_is_the_name_of_its_module(name: str) -> None:
    cls = registry.find(name)
    if not cls.__module__.startswith("aimass_core."):
        return
    assert cls.__module__.rpartition(".")[2] == name.replace("-", "_")
    assert registry.name_of(cls) == name
    assert getattr(aimass_core, cls.__name__) is cls
    assert cls.__name__ in aimass_core.__all__


def test_listing_the_models_imports_none() -> None:
    import subprocess

    code = (
        "import sys; from aimass_core.base.registry import model_names; model_names(); "
        "print([m for m in sys.modules if m.startswith('aimass_core.neighbors.')])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_unknown_and_taken_names() -> None:
    with pytest.raises(KeyError, match="did you mean 'item-knn'"):
        registry.find("item-kn")
    with pytest.raises(ValueError, match="lower-case"):
        register("Item KNN")
    registry.find("item-knn")
    with pytest.raises(ValueError, match="belongs to aimass_core"):
        register("item-knn")(type("Other", (), {}))


# ---- a model of another author, as CONTRIBUTING.md describes -------------------------------------


@register("toy-recency")
class Recency(Recommender):
    """Recommend the items with the highest number: a complete model in few lines."""

    def __init__(self, *, power: float = 1.0) -> None:
        self.power = power

    def score(self, query):
        return np.tile(np.arange(query.n_items, dtype=float) ** self.power, (len(query), 1))


@register("toy-counts")
class Counts:
    """A model with ``fit`` and ``score`` only, which knows nothing of this package."""

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def fit(self, X):
        matrix = getattr(X, "matrix", X)
        self.counts_ = np.bincount(matrix.indices, minlength=matrix.shape[1]) * self.weight
        return self

    def score(self, query):
        return np.tile(self.counts_, (len(query), 1))


@pytest.fixture
def x() -> Interactions:
    return Interactions.from_arrays(
        list("aabbccd"), ["tea", "pie", "tea", "nut", "pie", "nut", "nut"]
    )


@pytest.mark.parametrize("make", [Recency, lambda: as_recommender(Counts())])
def test_a_model_with_a_score_has_the_whole_contract(make, x, tmp_path) -> None:
    model = make().fit(x)
    lists = model.recommend(["a", "d"], k=2)
    assert lists.ids[0].tolist() == ["nut", None]
    assert model.recommend(["d"], candidates=["tea"]).ids[0, 0] == "tea"
    assert model.recommend(["d"], exclude={"d": ["tea"]}).ids[0, 0] == "pie"
    assert model.predict(["a"], ["nut"]).shape == (1,)
    new = Interactions.from_arrays(["new"], ["nut"])
    assert model.recommend_new(new, k=3).ids[0, 2] is None
    file = tmp_path / "model.safetensors"
    model.save(file)
    again = load(file).recommend(["a", "d"], k=2)
    np.testing.assert_array_equal(again.ids, lists.ids)
    np.testing.assert_array_equal(again.scores, lists.scores)


def test_foreign_models_are_evaluated(x) -> None:
    table = evaluate(
        {"own": Recency(), "foreign": Counts()}, (x, x), metrics=["recall"], k=2, exclude_seen=False
    )
    assert set(table.to_dict()) >= {"own", "foreign"} or "recall@2" in str(table.to_dict())


def test_foreign_models_in_the_command(x, tmp_path) -> None:
    typer = pytest.importorskip("typer.testing")
    pytest.importorskip("pyarrow")
    from aimass_core.cli.app import app

    (tmp_path / "in.csv").write_text("user,item\na,tea\na,pie\nb,tea\nb,nut\n")
    for name in ("toy-recency:power=2", "toy-counts"):
        out = tmp_path / "out.csv"
        words = ["recommend", str(tmp_path / "in.csv"), "--model", name, "--out", str(out)]
        result = typer.CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        assert "a,nut" in out.read_text().replace('"', "")


def test_what_is_no_model(x) -> None:
    with pytest.raises(TypeError, match=r"fit\(X\) and score\(query\)"):
        as_recommender(object())
    with pytest.raises(TypeError, match="the class Recency"):
        as_recommender(Recency)
    with pytest.raises(NotImplementedError, match="must define score"):
        type("Nothing", (Recommender,), {})().fit(x).recommend(["a"])
    wrong = type("Wrong", (Recommender,), {"score": lambda self, query: np.zeros(3)})
    with pytest.raises(ValueError, match=r"score\(query\) must return an array of shape"):
        wrong().fit(x).recommend(["a"])


def test_a_model_that_is_not_registered_is_not_saved(x, tmp_path) -> None:
    class Own(Recommender):
        def score(self, query):
            return np.zeros((len(query), query.n_items))

    with pytest.raises(TypeError, match=r"@aimass_core.register"):
        Own().fit(x).save(tmp_path / "own")


def test_blocks_of_users_have_their_own_filters(x, monkeypatch) -> None:
    from aimass_core.base import ranking

    model = Recency().fit(x)
    own = {"a": ["nut", "pie"], "b": ["tea"], "c": ["pie"], "d": ["tea", "pie"]}
    expected = [model.recommend([u], k=2, candidates=own[u]).ids[0].tolist() for u in own]
    monkeypatch.setattr(ranking, "_BLOCK", 3)  # one user in a block
    assert model.recommend(list(own), k=2, candidates=own).ids.tolist() == expected


@pytest.mark.parametrize(
    "name",
    [n for n in registry.model_names() if registry.find(n).__module__.startswith("aimass_core.")],
)
def test_parameters_of_a_wrong_type_are_refused_by_name(name: str) -> None:
    """In ``fit``, and with the parameter in the message; the command prints it as one line."""
    model = registry.find(name)
    parameters = inspect.signature(model).parameters
    members = {"models": [registry.find("popularity")()] * 2} if "models" in parameters else {}
    X = np.random.default_rng(0).integers(0, 3, (12, 8)).astype(float)
    features = dict.fromkeys(getattr(model, "needs_features", ()), np.eye(8))
    for parameter in parameters:
        if parameter in ("models", "metric", "similarity"):  # read where there is a validation part
            continue
        for value in ("abc", object()):
            with pytest.raises((ValueError, TypeError), match=parameter):
                model(**{**members, parameter: value}).fit(X, **features)
