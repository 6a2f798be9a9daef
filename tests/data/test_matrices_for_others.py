"""Every matrix that is handed out works in SciPy, scikit-learn and implicit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS, Interactions, ItemKNN, Popularity, UserKNN, load
from aimass_core.data import cleaning, split, weighting


def ratings() -> Any:
    rng = np.random.default_rng(0)
    return rng.integers(1, 6, (40, 30)) * (rng.random((40, 30)) < 0.3) * 1.0


def handed_out() -> dict[str, Any]:
    dense = ratings()
    users, items = np.nonzero(dense)
    x = Interactions.from_arrays(users, items, dense[users, items], np.arange(len(users)))
    found = {
        "matrix": x.matrix,
        "transposed": x.T.matrix,
        "part": x.take([3, 1, 2], [4, 0]).matrix,
        "merged": x.merge(x, duplicates="sum").matrix,
        "k_core": cleaning.k_core(x, users=2, items=2).matrix,
        "time_decay": cleaning.time_decay(x, half_life=10).matrix,
        "train": split.temporal(x).train.matrix,
        "fold_in": split.strong_generalization(x, random_state=0).fold_in.matrix,  # type: ignore[union-attr]
    }
    for name in ("tf_idf", "bm25", "log", "binarize", "center", "normalize"):
        found[name] = getattr(weighting, name)(x.matrix)
    for model in (ItemKNN(), UserKNN(), ImplicitALS(n_factors=2, max_iter=1), Popularity()):
        model.fit(x)
        for name, value in vars(model).items():
            if sp.issparse(value) and name.endswith("_"):
                found[f"{type(model).__name__}.{name}"] = value
    return found


MATRICES = handed_out()


@pytest.mark.parametrize("name", sorted(MATRICES))
def test_every_function_of_scipy_takes_it(name: str) -> None:
    X = MATRICES[name]
    assert X.indptr.dtype == X.indices.dtype == np.int32
    dense = X.toarray()
    assert str(X)
    np.testing.assert_array_equal(X.tocoo().toarray(), dense)
    np.testing.assert_array_equal(X.tocsc().toarray(), dense)
    np.testing.assert_array_equal(np.asarray(X.nonzero()), np.nonzero(dense))
    np.testing.assert_allclose((X @ X.T).toarray(), dense @ dense.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(sp.vstack([X, X]).toarray(), np.vstack([dense, dense]))
    np.testing.assert_array_equal(sp.csr_matrix(X)[[0, 1]].toarray(), dense[:2])
    np.testing.assert_array_equal(X.maximum(X.copy()).toarray(), np.where(dense, dense, 0))


@pytest.mark.parametrize("name", ["matrix", "bm25", "ItemKNN.similarity_", "ItemKNN.user_items_"])
def test_estimators_of_scikit_learn_take_it(name: str) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    from sklearn.cluster import KMeans
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics.pairwise import cosine_similarity

    X = MATRICES[name]
    labels = np.arange(X.shape[0]) % 2
    for estimator in (
        decomposition.TruncatedSVD(2, random_state=0),
        KMeans(2, n_init=1, random_state=0),
        SGDClassifier(max_iter=5, tol=None, random_state=0),
        RandomForestClassifier(3, random_state=0),
    ):
        estimator.fit(X, labels)
    np.testing.assert_allclose(cosine_similarity(X), cosine_similarity(X.toarray()), atol=1e-5)


@pytest.mark.filterwarnings("ignore:Method expects CSR")  # of its own COO matrix
def test_implicit_takes_it() -> None:
    nearest = pytest.importorskip("implicit.nearest_neighbours")
    model = nearest.CosineRecommender(K=5)
    model.fit(sp.csr_matrix(MATRICES["matrix"]), show_progress=False)
    assert model.similarity.shape == (30, 30)


@pytest.mark.filterwarnings("ignore:Method expects CSR")  # of its own COO matrix
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CosineRecommender", {"similarity": "cosine"}),
        ("TFIDFRecommender", {"similarity": "cosine", "weighting": "tf_idf"}),
        ("BM25Recommender", {"similarity": "dot", "weighting": "bm25"}),
    ],
)
def test_options_that_give_the_lists_of_implicit(name: str, options: dict[str, Any]) -> None:
    nearest = pytest.importorskip("implicit.nearest_neighbours")
    rng = np.random.default_rng(5)
    X = sp.csr_array(rng.random((80, 40)) * (rng.random((80, 40)) < 0.2))
    theirs = getattr(nearest, name)(K=41, num_threads=1)
    theirs.fit(sp.csr_matrix(X), show_progress=False)
    ids, scores = theirs.recommend(np.arange(80), sp.csr_matrix(X), N=5)
    ours = ItemKNN(n_neighbors=40, neighbors_of="seen", profile="raw", **options).fit(X)
    lists = ours.recommend(np.arange(80), k=5)
    np.testing.assert_array_equal(lists.indices, ids)
    np.testing.assert_allclose(lists.scores, scores, rtol=1e-4)


def test_loaded_and_forgetful_models_hand_out_the_same(tmp_path: Any) -> None:
    model = ItemKNN().fit(ratings())
    model.save(tmp_path / "m.safetensors")
    for other in (load(tmp_path / "m.safetensors"), model):
        if other is model:
            other.forget([0])
        for X in (other.user_items_, other.similarity_):
            assert X.indptr.dtype == X.indices.dtype == np.int32


def test_the_matrix_of_the_caller_stays_as_it_is() -> None:
    X = sp.csr_array(ratings())
    X.indptr, X.indices = X.indptr.astype(np.int64), X.indices.astype(np.int64)
    ItemKNN().fit(X)
    Interactions.from_csr(X)
    assert X.indptr.dtype == X.indices.dtype == np.int64
