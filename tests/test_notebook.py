"""What a notebook shows: HTML of models and results, plots, and progress."""

from __future__ import annotations

import sys
import types
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import aimass_core
from aimass_core import ImplicitALS, Interactions, ItemKNN, UserKNN
from aimass_core.base import registry
from aimass_core.base.progress import Progress
from aimass_core.data import split
from aimass_core.evaluation import evaluate

VOID = {"br", "progress", "img", "hr"}


class Balanced(HTMLParser):
    """Fails where tags are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag != "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(thing: Any) -> str:
    """Return the text of a valid HTML representation."""
    parser = Balanced()
    parser.feed(thing._repr_html_())
    assert not parser.open
    return parser.text


@pytest.fixture
def x() -> Interactions:
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((40, 12)) < 0.3)
    names = np.array([f"<item {i}>" for i in range(12)])
    times = np.datetime64("2024-01-01", "s") + rng.integers(0, 10**6, len(users))
    return Interactions.from_arrays(users, names[items], times=times)


@pytest.mark.parametrize("name", registry.model_names())
def test_models(name: str) -> None:
    cls = registry.find(name)
    if not cls.__module__.startswith("aimass_core."):
        return
    try:
        model = cls()
    except TypeError:
        pytest.skip("a combination needs its parts")
    assert f"{cls.__name__} (not fitted)" in " ".join(shown(model).split())


def test_a_fitted_model(x: Interactions, tmp_path: Any) -> None:
    model = ImplicitALS(n_factors=4, max_iter=3, track_loss=True).fit(x)
    text = shown(model)
    assert "(fitted)" in text
    assert "3 of them not the default" in text
    assert "user_factors_ndarray of float32, 39 x 4" in text
    model.save(tmp_path / "model", training=False)
    assert "not kept" in shown(aimass_core.load(tmp_path / "model"))
    assert "12" in shown(ItemKNN().fit(x))


def test_other_estimators() -> None:
    model = aimass_core.GaussianMixture(n_components=2)
    assert "not fitted" in shown(model)
    X = np.random.default_rng(0).normal(size=(50, 2))
    assert "(fitted)" in shown(model.fit(X))
    assert "'cosine'" in shown(aimass_core.Similarity("cosine"))


def test_interactions(x: Interactions) -> None:
    text = shown(x)
    assert "39" in text
    assert "<item 1>" in text  # escaped in the source
    assert "<item" not in x._repr_html_()
    assert "2024-01-01" in text
    assert "interactions0" in shown(x.keep_entries(np.zeros(x.nnz, bool))).replace(" ", "")
    assert "rows_read" in shown(Interactions.from_table({"u": [1], "i": [2]}, user="u", item="i"))


def test_lists_and_explanations(x: Interactions) -> None:
    model = ItemKNN().fit(x)
    lists = model.recommend([0, 1], k=3)
    assert "<item" in shown(lists.with_titles({lists.ids[0, 0]: "a <b>title</b>"}))
    why = model.explain(0, lists.ids[0, 0])
    assert "contribution" in shown(why)


# ---- plots ---------------------------------------------------------------------------------------


@pytest.fixture
def pyplot(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MPLBACKEND", "agg")
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    yield plt
    plt.close("all")


def test_learning_curve(x: Interactions, pyplot: Any) -> None:
    parts = split.random(x, test_size=0.3, random_state=0)
    model = ImplicitALS(n_factors=2, max_iter=4, track_loss=True, metric="recall@2")
    ax = model.fit(parts.train, validation=parts.test).plot()
    assert len(ax.lines[0].get_xdata()) == len(model.losses_)
    assert len(ax.figure.axes) == 2
    ax.figure.canvas.draw()
    own = pyplot.subplots()[1]
    assert ImplicitALS(n_factors=2, max_iter=2, track_loss=True).fit(x).plot(ax=own) is own
    with pytest.raises(ValueError, match=r"track_loss=True or fit\(X, validation"):
        ImplicitALS(n_factors=2).fit(x).plot()
    with pytest.raises(ValueError, match=r"no learning curve$"):
        aimass_core.PureSVD(n_factors=2).fit(x).plot()


def test_score_against_coverage(x: Interactions, pyplot: Any) -> None:
    parts = split.random(x, test_size=0.3, random_state=0)
    models = [aimass_core.Popularity(), ItemKNN()]
    table = evaluate(models, parts, metrics=["recall", "coverage"], k=3)
    assert "ItemKNN" in shown(table)
    ax = table.plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("coverage@3", "recall@3")
    assert [text.get_text() for text in ax.texts] == ["Popularity", "ItemKNN"]
    assert table.plot(y="coverage@3").get_xlabel() == "recall@3"
    with pytest.raises(ValueError, match="no column 'ndcg'"):
        table.plot("ndcg")
    with pytest.raises(ValueError, match="two columns"):
        evaluate(models, parts, metrics="recall", k=3).plot()


def test_plot_of_a_list(x: Interactions, pyplot: Any) -> None:
    lists = ItemKNN().fit(x).recommend([0, 1], k=3)
    ax = lists.with_titles({lists.ids[1, 0]: "first"}).plot(1)
    assert ax.get_yticklabels()[0].get_text() == "first"
    assert len(ax.patches) == 3
    with pytest.raises(IndexError):
        lists.plot(7)


@pytest.mark.parametrize(
    "model", [ItemKNN(), UserKNN(n_neighbors=5), ItemKNN(aggregation="mean", similarity="msd")]
)
def test_neighbourhood(model: Any, x: Interactions, pyplot: Any) -> None:
    model.fit(x)
    entity = 3 if isinstance(model, UserKNN) else "<item 3>"
    ax = model.plot(entity, k=4, titles={entity: "centre"})
    assert ax.texts[0].get_text() == "centre"
    assert 1 < len(ax.texts) <= 5
    ax.figure.canvas.draw()
    with pytest.raises(KeyError):
        model.plot("nobody")


def test_plots_without_matplotlib(x: Interactions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'aimass_core\[plot\]'"):
        ItemKNN().fit(x).recommend([0]).plot()


# ---- progress ------------------------------------------------------------------------------------


def test_progress_in_a_notebook(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    calls: list[Any] = []

    def display(content: Any, **options: Any) -> Any:
        calls.append(content)
        return types.SimpleNamespace(update=lambda content, raw: calls.append(content))

    shell = types.SimpleNamespace(kernel=object())
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    inner = types.ModuleType("IPython.display")
    inner.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", inner)
    monkeypatch.setattr("aimass_core.base.progress._BAR_AFTER", -1.0)
    with Progress("fit", 2, verbose=True) as progress:
        progress.step(1, {"loss": 2.5})
        progress.step(2)
    assert len(calls) == 2
    assert '<progress value="1" max="2">' in calls[0]["text/html"]
    assert "loss 2.5" in calls[0]["text/plain"]
    assert capsys.readouterr().err == ""
    del shell.kernel  # IPython in a terminal
    with Progress("fit", 2, verbose=True) as progress:
        progress.step(2)
    assert "2/2" in capsys.readouterr().err


def test_labels_of_points_do_not_cover_each_other(pyplot: Any) -> None:
    from aimass_core.base.figures import draw_points, new_axes

    names = ["a model with a long name", "item-kNN", "another long name", "ALS"]
    ax = draw_points(new_axes(), names, [0.1, 0.4, 0.42, 1.0], [0.4, 0.39, 0.4, 0.1], ("x", "y"))
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == names
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


def test_labels_of_neighbors_keep_what_differs(pyplot: Any) -> None:
    from aimass_core.base.figures import draw_neighborhood, new_axes

    names = [f"a product with a very long title, size {n}" for n in range(5)]
    ax = draw_neighborhood(new_axes(), names, np.ones((5, 5)))
    assert len({text.get_text() for text in ax.texts}) == 5
