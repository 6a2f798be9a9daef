"""The registry: one decorator gives a class its public name, file format and command."""

from __future__ import annotations

import ast
import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _trees import environment_of

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


def names_for_type_checkers(package: str) -> set[str]:
    """Return the names that the ``__init__.py`` of a package imports for type checkers only."""
    path = Path(aimass_core.__file__).parent / package / "__init__.py"
    (block,) = (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name
        for node in block.body
        for alias in node.names  # type: ignore[attr-defined]
    }


def test_type_checkers_know_the_public_names() -> None:
    assert names_for_type_checkers("") == set(aimass_core.__all__) - {"__version__"}
    for package in (*registry._MODEL_PACKAGES, "mixture"):
        assert names_for_type_checkers(package) == set(getattr(aimass_core, package).__all__)


def test_listing_the_models_imports_none() -> None:
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


# ---- a model of this package, in the places that CONTRIBUTING.md names ---------------------------

ALPHABETICAL = """
from __future__ import annotations

import numpy as np

from ..base.recommender import Recommender
from ..base.registry import register


@register("alphabetical")
class Alphabetical(Recommender):
    \"\"\"Recommend the items in the order of the matrix.\"\"\"

    def __init__(self, *, step: float = 1.0) -> None:
        self.step = step

    def score(self, query):
        return np.tile(-self.step * np.arange(query.n_items), (len(query), 1))
"""
USED = """
import sys
import aimass_core
from aimass_core import Alphabetical, Interactions, load
from aimass_core.base.registry import model_names
from aimass_core.cli.app import app
from typer.testing import CliRunner

assert aimass_core.__file__.startswith(sys.argv[1]), aimass_core.__file__
assert "alphabetical" in model_names()
x = Interactions.from_arrays(list("aab"), ["pie", "tea", "nut"])
Alphabetical(step=2.0).fit(x).save("model.safetensors")
print(load("model.safetensors").recommend(["a"], k=1).ids.tolist())
open("in.csv", "w").write("user,item\\na,pie\\na,tea\\nb,nut\\n")
for words in ("models alphabetical", "recommend in.csv --model alphabetical:step=3 --out out.csv"):
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 0, result.output
print(open("out.csv").read())
"""


def test_a_model_added_in_the_places_of_contributing(tmp_path: Path) -> None:
    pytest.importorskip("typer.testing")
    pytest.importorskip("pyarrow")
    tests = Path(__file__).resolve().parent
    root = tmp_path / "tree"
    package = root / "aimass_core"
    shutil.copytree(
        Path(aimass_core.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "neighbors" / "alphabetical.py").write_text(ALPHABETICAL)  # place 1
    for path, old, new in (  # place 2
        ("neighbors", "    from .item_knn", "    from .alphabetical import Alphabetical\n"),
        ("neighbors", '    "ItemKNN": ', '    "Alphabetical": "alphabetical",\n'),
        ("neighbors", '    "ItemKNN",\n', '    "Alphabetical",\n'),
        (
            "",
            "    from .neighbors import ItemKNN",
            "    from .neighbors import Alphabetical as Alphabetical\n",
        ),
    ):
        file = package / path / "__init__.py"
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new + old))
    environment = environment_of(root)
    script = tmp_path / "used.py"
    script.write_text(USED)
    done = subprocess.run(
        [sys.executable, str(script), str(root)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[['nut']]" in done.stdout
    assert '"a","nut"' in done.stdout or "a,nut" in done.stdout
    # Places 3 and 4 are asked for by name.
    contract = "test_recommender_contract.py::test_every_registered_model_is_tested"
    choice = "test_site.py::test_each_model_is_in_the_table_of_choice[alphabetical]"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", str(tests / contract), str(tests / choice)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "skipped" not in done.stdout:  # the documentation is not beside the tests
        assert "2 failed" in done.stdout, done.stdout
        assert "add a row for alphabetical to the table" in done.stdout
        assert "aimass_core.neighbors.alphabetical.Alphabetical" in done.stdout


# ---- a model of another author -------------------------------------------------------------------


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
    with pytest.raises(TypeError, match=r"got the name 'item-knn': write ItemKNN\(\)"):
        as_recommender("item-knn")
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
