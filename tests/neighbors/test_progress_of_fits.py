"""Fits that are one call of a kernel report while it runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from _slow_measure import slow_measure

from aimass_core import (
    EASE,
    ContextKNN,
    Interactions,
    ItemKNN,
    SparseEASE,
    UserKNN,
    similarity,
)
from aimass_core.similarity import _search

N = 30  # 435 pairs of a millisecond


@pytest.fixture
def X():
    """Enough entries in each column for many tasks of a kernel."""
    return np.random.default_rng(0).integers(1, 6, (200, N)).astype(np.float64)


@pytest.fixture
def slow(monkeypatch):
    return slow_measure(monkeypatch)


def steps_of(call):
    """Return the steps that a call reports, which must rise to the number of steps."""
    events = []
    call(events.append)
    steps = [event.step for event in events]
    assert steps == sorted(set(steps))
    assert steps[-1] == events[0].n_steps
    assert len({event.n_steps for event in events}) == 1
    assert [event.seconds for event in events] == sorted(event.seconds for event in events)
    return steps


def models(slow):
    return {
        "item": ItemKNN(similarity=slow, n_threads=1),
        "user": UserKNN(similarity=slow, n_threads=1),
    }


@pytest.mark.parametrize("kind", ["item", "user"])
def test_neighbourhood_models(X, slow, kind):
    X = X if kind == "item" else X.T
    model = models(slow)[kind]
    steps = steps_of(lambda callback: model.fit(X, callback=callback))
    assert steps[0] == 1  # weighting
    assert len(set(steps) - {1, 99, 100}) > 1  # some of the search
    quiet = models(slow)[kind].fit(X)
    np.testing.assert_array_equal(model.similarity_.data, quiet.similarity_.data)


def test_contexts(X, slow):
    parts = {name: Interactions.from_csr(X) for name in ("home", "work")}
    model = ContextKNN(base=ItemKNN(similarity=slow, n_threads=1))
    steps = steps_of(lambda callback: model.fit(parts, callback=callback))
    assert {100, 200, 201} < set(steps)
    assert len([step for step in steps if 100 < step < 200]) > 2


@pytest.mark.parametrize("is_same", [True, False])
def test_similarity(X, slow, is_same):
    X, Y = (X.T, None) if is_same else (np.tile(X, (2, 1)), X)  # 400 rows of a millisecond

    def search(callback=None):
        return similarity.topk(X, Y, measure=slow, k=3, n_threads=1, callback=callback)

    steps = steps_of(search)
    assert len(steps) > 2
    assert (search() != search(lambda event: True)).nnz == 0  # its result has no effect


def test_an_executor_reports_its_tasks(X, monkeypatch):
    monkeypatch.setattr(_search, "_RANGE_NNZ", 1000)
    with ThreadPoolExecutor(2) as pool:
        steps = steps_of(
            lambda callback: similarity.topk(X.T, k=3, executor=pool, callback=callback)
        )
    assert len(steps) > 3


def test_nothing_to_compare_is_complete_at_once():
    assert steps_of(lambda callback: similarity.topk(np.ones((0, 3)), callback=callback)) == [100]


class Stop(Exception):
    pass


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_in_the_callback_ends_the_search(X, slow, n_threads):
    seen = []

    def stop(event):
        seen.append(event.step)
        if event.step > 1:
            raise Stop

    model = ItemKNN(similarity=slow, n_threads=n_threads).fit(X[:5, :4])
    before = model.similarity_
    with pytest.raises(Stop):
        model.fit(X, callback=stop)
    assert len(seen) == 2
    assert model.similarity_ is before
    with pytest.raises(Stop):
        similarity.topk(X.T, measure=slow, k=3, n_threads=n_threads, callback=stop)


@pytest.mark.parametrize("model", [EASE(), SparseEASE(), ItemKNN()], ids=lambda m: type(m).__name__)
def test_short_fits_report_their_parts(X, model):
    steps = steps_of(lambda callback: model.fit(X, callback=callback))
    assert len(steps) >= 3


def test_verbose_shows_a_bar(X, capsys, monkeypatch):
    from aimass_core.base import progress

    monkeypatch.setattr(progress, "_BAR_AFTER", -1.0)
    similarity.topk(X.T, k=3, verbose=True)
    assert "similarity [##############################] 100/100" in capsys.readouterr().err
    similarity.topk(X.T, k=3)
    assert capsys.readouterr().err == ""


def test_refusals(X):
    with pytest.raises(TypeError, match="callback must be a function"):
        similarity.topk(X, callback=3)
    with pytest.raises(TypeError, match="verbose must be True or False"):
        similarity.topk(X, verbose="no")
