"""select: the planted number of groups and type win; its table and its picture."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import GaussianMixture
from aimass_core.exceptions import NumericalError
from aimass_core.mixture import select


def blobs(kind, n=3000, d=3, k=3):
    rng = np.random.default_rng(1)
    label = rng.integers(0, k, n)
    noise = rng.normal(size=(n, d))
    if kind == "full":
        mixes = rng.normal(0, 1, (k, d, d)) + np.eye(d)
        noise = np.einsum("nd,nde->ne", noise, mixes[label])
    elif kind == "tied":
        noise = noise @ (rng.normal(0, 1, (d, d)) + np.eye(d))
    elif kind == "diag":
        noise *= rng.uniform(0.3, 3, (k, d))[label]
    else:
        noise *= rng.uniform(0.5, 2, k)[label][:, None]
    return rng.normal(0, 12, (k, d))[label] + noise


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("criterion", ["bic", "icl"])
def test_the_planted_model_wins(kind, criterion):
    chosen = select(
        blobs(kind), n_components=range(1, 6), criterion=criterion, random_state=0, n_init=3
    )
    assert (chosen.best.n_components, chosen.best.covariance_type) == (3, kind)
    assert len(chosen.table["bic"]) == 20


def test_the_table_says_what_the_models_say():
    X = blobs("diag")
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(X))
    chosen = select(
        X, n_components=[2], covariance_types=["diag"], sample_weight=weight, random_state=0
    )
    model = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X, sample_weight=weight)
    assert chosen.table["bic"][0] == pytest.approx(model.bic(X, sample_weight=weight))
    assert chosen.table["aic"][0] == pytest.approx(model.aic(X, sample_weight=weight))
    resp = model.predict_proba(X)
    entropy = -(weight[:, None] * resp * np.log(np.maximum(resp, 1e-300))).sum()
    assert chosen.table["icl"][0] == pytest.approx(model.bic(X, sample_weight=weight) + 2 * entropy)


def test_the_picture_is_written(tmp_path):
    pytest.importorskip("matplotlib")
    chosen = select(blobs("tied", 300), n_components=[1, 2, 3], random_state=0)
    chosen.plot(tmp_path / "bic.png")
    assert (tmp_path / "bic.png").read_bytes().startswith(b"\x89PNG")


def test_failed_fits_are_noted_and_wrong_words_refused():
    X = np.column_stack([blobs("full")[:, 0]] * 2)
    chosen = select(X, n_components=[1], reg_covar=0.0, random_state=0)
    assert np.isnan(chosen.table["bic"][0])  # full: the columns are equal
    assert chosen.best.covariance_type in ("diag", "spherical")
    with pytest.raises(NumericalError, match="no fit succeeded"):
        select(X, n_components=[1], covariance_types=["full"], reg_covar=0.0)
    with pytest.raises(ValueError, match="criterion"):
        select(X, criterion="BIC")
    with pytest.raises(ValueError, match="at least one"):
        select(X, n_components=[])
    with pytest.raises(ValueError, match="covariance_types"):
        select(X, covariance_types=["banana"])


def test_more_components_than_rows_are_left_out():
    rng = np.random.default_rng(0)
    chosen = select(rng.normal(size=(8, 2)), covariance_types=["diag"], random_state=0)
    assert chosen.table["n_components"] == list(range(1, 9))
    with pytest.raises(ValueError, match="X has only 3 rows"):
        select(np.eye(3), n_components=[4, 5])


def test_the_best_knows_its_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(blobs("diag", n=300), columns=list("abc"))
    best = select(frame, n_components=[2], covariance_types=["diag"], random_state=0).best
    assert list(best.feature_names_in_) == list("abc")
    with pytest.raises(ValueError, match="feature names"):
        best.predict(frame[["b", "a", "c"]])


def test_sparse_rows():
    X = blobs("spherical", n=600)
    kinds = ["diag", "spherical"]
    one, two = (
        select(table, n_components=[2, 3], covariance_types=kinds, random_state=0, tol=1e-6)
        for table in (X, sp.csr_array(X))
    )
    assert one.best.n_components == two.best.n_components
    np.testing.assert_allclose(one.table["bic"], two.table["bic"], rtol=1e-2)
    with pytest.raises(TypeError, match="diag and spherical can"):
        select(sp.csr_array(X))
