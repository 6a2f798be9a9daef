"""Where the package meets Python: threads, fork, Ctrl-C, copies, scikit-learn, maps of files."""

from __future__ import annotations

import copy
import io
import multiprocessing
import os
import pickle
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp
from _interrupts import stops_within_half_a_second
from _small_models import small_models

from aimass_core import (
    ItemKNN,
    UserKNN,
    similarity,
)
from aimass_core.base.validation import as_csr

MODELS = [  # one of each registered model, and further modes of some
    *small_models(),
    ItemKNN(aggregation="baseline", similarity="pearson_baseline"),
    UserKNN(aggregation="zscore"),
]
every = pytest.mark.parametrize("model", MODELS, ids=repr)


@pytest.fixture
def heavy():
    """About a second of work on one thread."""
    rng = np.random.default_rng(1)
    return sp.random_array(
        (4000, 3000), density=0.05, random_state=rng, format="csr", dtype=np.float32
    )


def same(a, b):
    x, y = a.recommend(k=5), b.recommend(k=5)
    np.testing.assert_array_equal(x.indices, y.indices)
    np.testing.assert_array_equal(x.scores, y.scores)


def test_other_python_threads_go_on(heavy):
    ticks = 0
    done = threading.Event()

    def tick():
        nonlocal ticks
        while not done.is_set():
            time.sleep(0.005)
            ticks += 1

    watcher = threading.Thread(target=tick)
    watcher.start()
    started = time.perf_counter()
    similarity.topk(heavy.T, measure="pearson_corated", n_threads=1)
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    assert ticks > 0.2 * seconds / 0.005


@every
def test_eight_threads_ask_one_model(model, small_ratings):
    model.fit(small_ratings)
    expected = model.recommend(k=5, n_threads=1)
    found = [None] * 8

    def work(place):
        found[place] = model.recommend(k=5, n_threads=2)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for lists in found:
        np.testing.assert_array_equal(lists.indices, expected.indices)
        np.testing.assert_array_equal(lists.scores, expected.scores)


def answer_in_child(model, X, queue):
    first = model.recommend(k=5, n_threads=2).indices
    again = copy.deepcopy(model).fit(X).recommend(k=5, n_threads=2).indices
    queue.put((first, again))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@every
def test_fork_after_use(model, small_ratings):
    expected = model.fit(small_ratings).recommend(k=5, n_threads=2).indices
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=answer_in_child, args=(model, small_ratings, queue))
    child.start()
    try:
        for found in queue.get(timeout=60):
            np.testing.assert_array_equal(found, expected)
    finally:
        child.join(timeout=10)
        child.kill()


INTERRUPTED = """
import numpy as np, scipy.sparse as sp
from aimass_core import (
    EASE, SLIM, SVD, AsymmetricSVD, ImplicitALS, ItemKNN, PureSVD, SlopeOne, SparseEASE, UserKNN,
    similarity,
)
rng = np.random.default_rng(0)
X = sp.random_array(
    (20_000, 12_000), density=0.02, random_state=rng, format="csr", dtype=np.float32
)
"""
LONG = {
    "gram": ("", "similarity.topk(X.T, measure='pearson_corated', k=1000)"),
    "gram, one thread": ("", "similarity.topk(X.T, n_threads=1)"),
    "two matrices": ("", "similarity.topk(X.T, X.T)"),
    "recommend": ("m = ItemKNN(n_neighbors=3000).fit(X[:3000])", "m.recommend_new(X)"),
    "ratings": (
        "m = UserKNN(aggregation='mean', similarity='pearson_corated').fit(X)",
        "m.predict(np.arange(20_000).repeat(50), np.tile(np.arange(50), 20_000))",
    ),
    "als": ("", "ImplicitALS(n_factors=200, solver='cholesky').fit(X)"),
    "ease": ("", "EASE().fit(X)"),
    "slim": ("", "SLIM(alpha=1e-4, l1_ratio=0.0).fit(X)"),
    "sparse ease": ("", "SparseEASE(n_neighbors=1000).fit(X)"),
    "svd": ("", "SVD(n_factors=2000, n_threads=1).fit(X)"),
    "asymmetric svd": ("", "AsymmetricSVD(n_factors=500).fit(X)"),
    "als, many factors": ("", "ImplicitALS(n_factors=1500).fit(X)"),
    "pure svd": ("", "PureSVD(n_factors=1000).fit(X)"),
    "slope one": (
        "m = SlopeOne().fit(X)",
        "m.predict(np.arange(20_000).repeat(50), np.tile(np.arange(50), 20_000))",
    ),
}


@pytest.mark.parametrize("case", LONG)
def test_ctrl_c_within_half_a_second(case):
    prepare, call = LONG[case]
    assert stops_within_half_a_second(INTERRUPTED + prepare, call)


@every
def test_copies_answer_alike(model, small_ratings):
    joblib = pytest.importorskip("joblib")
    model.fit(small_ratings)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), joblib.load(file)):
        same(other, model)
        np.testing.assert_array_equal(other.predict([1, 2], [3, 4]), model.predict([1, 2], [3, 4]))


@every
def test_scikit_learn_clones_and_pipes(model, small_ratings):
    base = pytest.importorskip("sklearn.base")
    twin = base.clone(model)
    assert repr(twin.get_params()) == repr(model.get_params())  # members are copies
    assert not twin.__sklearn_is_fitted__()
    same(twin.fit(small_ratings), model.fit(small_ratings))
    name = next(iter(model.get_params()))
    with pytest.raises(ValueError, match="has no parameter"):
        twin.set_params(**{name + "x": 1})
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    piped = make_pipeline(FunctionTransformer(accept_sparse=True), base.clone(model))
    same(piped.fit(small_ratings)[-1], model)


def test_scikit_learn_searches(small_ratings):
    selection = pytest.importorskip("sklearn.model_selection")

    def score(model, X, y=None):
        return float((model.recommend_new(X, k=3).indices >= 0).mean())

    search = selection.GridSearchCV(ItemKNN(), {"n_neighbors": [2, 20]}, cv=2, scoring=score)
    search.fit(sp.csr_matrix(small_ratings))
    assert search.best_params_["n_neighbors"] == 20


@every
def test_input_is_never_changed(model, small_ratings):
    arrays = small_ratings.data, small_ratings.indices, small_ratings.indptr
    before = [a.copy() for a in arrays]
    model.fit(small_ratings).recommend(k=3)
    model.recommend_new(small_ratings, k=3)
    for old, new in zip(before, arrays, strict=True):
        np.testing.assert_array_equal(old, new)


@every
def test_read_only_and_mapped_input(model, small_ratings, tmp_path):
    expected = copy.deepcopy(model).fit(small_ratings)
    mapped = as_csr(small_ratings)
    for part in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{part}.npy", getattr(mapped, part))
        setattr(mapped, part, np.load(tmp_path / f"{part}.npy", mmap_mode="r"))
    same(model.fit(mapped), expected)
    for array in (small_ratings.data, small_ratings.indices, small_ratings.indptr):
        array.flags.writeable = False
    same(model.fit(small_ratings), expected)


def test_memory_is_given_back(small_ratings):
    psutil = pytest.importorskip("psutil")
    model = ItemKNN()
    for _ in range(20):
        model.fit(small_ratings).recommend(k=5)
    before = psutil.Process().memory_info().rss
    for _ in range(100):
        model.fit(small_ratings).recommend(k=5)
    assert psutil.Process().memory_info().rss - before < 50e6
