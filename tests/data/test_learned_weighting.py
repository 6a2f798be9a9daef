"""Weightings learned from one matrix and applied to another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import Interactions, load
from aimass_core.data import weighting
from aimass_core.data.weighting import BM25, Binarize, Center, Log, Normalize, TfIdf
from aimass_core.exceptions import NotFittedError

WEIGHTINGS = [
    BM25(),
    BM25(documents="users", K1=0.7, B=0.3),
    BM25(smooth=True),
    BM25(smooth=True, documents="users"),
    TfIdf(),
    TfIdf(documents="items", norm="l2"),
    TfIdf(tf="sublinear", smooth=True, norm="l2"),
    TfIdf(tf="binary", norm="l1"),
    TfIdf(tf="raw", documents="items", norm="l1"),
    Log(alpha=2.0, epsilon=0.5),
    Binarize(),
    Binarize(threshold=3),
    Center(),
    Center(axis="items"),
    Center(axis="global"),
    Normalize(),
    Normalize(axis="items", norm="l1"),
    Normalize(axis="items", norm="max"),
]
every = pytest.mark.parametrize("weight", WEIGHTINGS, ids=repr)


def parts(X: sp.csr_array) -> tuple[list[int], list[int], bytes]:
    return X.indptr.tolist(), X.indices.tolist(), X.data.tobytes()


@every
def test_rows_do_not_depend_on_each_other(weight: Any, small_ratings: sp.csr_array) -> None:
    weight.fit(small_ratings)
    complete = weight.transform(small_ratings)
    for rows in ([3], [7, 2, 3], list(range(20))):
        assert parts(weight.transform(small_ratings[rows])) == parts(complete[rows])


@every
def test_a_row_may_be_unlike_the_fit(weight: Any, small_ratings: sp.csr_array) -> None:
    weight.fit(small_ratings)
    n_items = small_ratings.shape[1]
    everything = np.full((1, n_items), 3.0)
    for other in (everything, np.zeros((2, n_items)), sp.csr_array((0, n_items))):
        assert np.isfinite(weight.transform(other).toarray()).all()


@every
def test_kinds_and_index_types(weight: Any, small_ratings: sp.csr_array) -> None:
    weight.fit(small_ratings)
    x = Interactions.from_csr(small_ratings)
    for dtype in (np.float32, np.float64):
        out = weight.transform(small_ratings.astype(dtype))
        assert out.dtype == dtype
        assert out.indptr.dtype == out.indices.dtype == np.int32
        assert str(out)
        assert len(out.nonzero()[0])
    weighted = weight.transform(x)
    assert isinstance(weighted, Interactions)
    assert parts(weighted.matrix) == parts(weight.transform(x.matrix))


@every
def test_saved_and_loaded(weight: Any, small_ratings: sp.csr_array, tmp_path: Path) -> None:
    for X in (small_ratings, Interactions.from_csr(small_ratings)):
        weight.fit(X).save(tmp_path / "weighting.safetensors")
        again = load(tmp_path / "weighting.safetensors")
        assert repr(again) == repr(weight)
        assert parts(again.transform(small_ratings)) == parts(weight.transform(small_ratings))


@every
def test_clones(weight: Any, small_ratings: sp.csr_array) -> None:
    base = pytest.importorskip("sklearn.base")
    pipeline = pytest.importorskip("sklearn.pipeline")
    clone = base.clone(weight)
    with pytest.raises(NotFittedError):
        clone.transform(small_ratings)
    piped = pipeline.make_pipeline(clone).fit(small_ratings)
    assert parts(piped.transform(small_ratings)) == parts(weight.fit_transform(small_ratings))


@pytest.mark.parametrize("tf", ["raw", "sublinear"])
@pytest.mark.parametrize("norm", [None, "l1", "l2"])
def test_scikit_learn_weights_alike(small_ratings: sp.csr_array, tf: str, norm: str | None) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    theirs = text.TfidfTransformer(norm=norm, sublinear_tf=tf == "sublinear")
    train, other = small_ratings[:20].astype(np.float64), small_ratings[20:].astype(np.float64)
    expected = theirs.fit(train).transform(other)
    ours = TfIdf(tf=tf, smooth=True, norm=norm).fit(train).transform(other)
    np.testing.assert_allclose(ours.toarray(), expected.toarray(), rtol=1e-12)


def test_statistics_of_items_are_those_of_the_fit() -> None:
    fit = np.array([[1.0, 0.0, 2.0], [1.0, 3.0, 0.0], [0.0, 0.0, 4.0], [1.0, 0.0, 0.0]])
    new = np.array([[5.0, 1.0, 1.0]])
    counts, n = (fit > 0).sum(0), len(fit)
    np.testing.assert_allclose(
        TfIdf().fit(fit).transform(new).toarray(), np.sqrt(new) * np.log(n / (1 + counts))
    )
    np.testing.assert_allclose(
        BM25(documents="users", B=0.5).fit(fit).transform(new).toarray(),
        np.log(n / (1 + counts))
        * 2.2
        * new
        / (new + 1.2 * (0.5 + 0.5 * new.sum() / fit.sum(1).mean())),
    )
    lengths = fit.sum(0)
    np.testing.assert_allclose(
        BM25(documents="items").fit(fit).transform(new).toarray(),
        np.log(3 / (1 + 3)) * 2.2 * new / (new + 1.2 * (0.25 + 0.75 * lengths / lengths.mean())),
    )
    np.testing.assert_allclose(
        BM25(smooth=True, documents="users", B=0).fit(fit).transform(new).toarray(),
        np.log(1 + (n - counts + 0.5) / (counts + 0.5)) * 2.2 * new / (new + 1.2),
    )


def test_an_item_without_ratings_has_the_global_mean() -> None:
    means = Center(axis="items").fit([[4.0, 0.0], [2.0, 0.0]])
    assert means.transform([[5.0, 5.0]]).toarray().tolist() == [[2.0, 2.0]]


def test_refusals(small_ratings: sp.csr_array) -> None:
    weight = BM25().fit(small_ratings)
    with pytest.raises(ValueError, match=r"X has 3 items, but .* fitted on \d+; is it transposed"):
        weight.transform(np.ones((2, 3)))
    with pytest.raises(ValueError, match="at least 0, got -1"):
        weight.transform(-np.ones((1, small_ratings.shape[1])))
    with pytest.raises(ValueError, match="tf must be one of"):
        TfIdf(tf="log").fit(small_ratings)
    with pytest.raises(ValueError, match="norm must be one of l1, l2"):
        TfIdf(norm="max").fit(small_ratings)
    with pytest.raises(TypeError, match="smooth must be True or False"):
        BM25(smooth=1).fit(small_ratings)
    x = Interactions.from_arrays(["a", "b"], ["x", "y"])
    other = Interactions.from_arrays(["a", "b"], ["x", "z"])
    with pytest.raises(ValueError, match="X has other item ids"):
        BM25().fit(x).transform(other)
    same = Interactions.from_arrays(["c"], ["y"], item_map=x.items)
    assert BM25().fit(x).transform(same).items == x.items


def test_a_failed_fit_changes_nothing(small_ratings: sp.csr_array) -> None:
    weight = BM25().fit(small_ratings)
    before = parts(weight.transform(small_ratings))
    with pytest.raises(ValueError, match="at least 0"):
        weight.fit(-small_ratings)
    assert parts(weight.transform(small_ratings)) == before


def test_functions_are_shorthands(small_ratings: sp.csr_array) -> None:
    for function, learned in [
        (weighting.bm25, BM25(K1=2.0, B=0.1, documents="users", smooth=True)),
        (weighting.tf_idf, TfIdf(documents="items", tf="raw", smooth=True, norm="l2")),
        (weighting.log, Log(alpha=3.0, epsilon=2.0)),
        (weighting.binarize, Binarize(threshold=2)),
        (weighting.center, Center(axis="items")),
        (weighting.normalize, Normalize(norm="max", axis="items")),
    ]:
        short = function(small_ratings, **learned.get_params())
        assert parts(short) == parts(learned.fit_transform(small_ratings))
