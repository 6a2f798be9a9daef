"""Factor models as transformers of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS, Interactions, ItemKNN, PureSVD
from aimass_core.exceptions import NotFittedError
from aimass_core.factorization import FactorFeatures

pytest.importorskip("sklearn")

RNG = np.random.default_rng(0)
KIND = np.arange(90) % 2
X = sp.csr_array(
    (RNG.random((90, 24)) < np.where(np.arange(24) % 2 == KIND[:, None], 0.5, 0.1)) * 1.0
)


def test_in_a_pipeline_and_a_search() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(FactorFeatures(model=PureSVD(n_factors=2)), LogisticRegression())
    search = GridSearchCV(pipeline, {"factorfeatures__model__n_factors": [2, 3]}, cv=2)
    assert search.fit(X, KIND).best_score_ > 0.8


def test_transform_is_fold_in_and_the_model_stays() -> None:
    model = ImplicitALS(n_factors=3, max_iter=2, random_state=0)
    features = FactorFeatures(model=model).fit(X, KIND)
    assert not hasattr(model, "item_factors_")
    np.testing.assert_array_equal(features.transform(X[:5]), features.model_.fold_in(X[:5]))
    assert features.get_feature_names_out().tolist() == ["factor_0", "factor_1", "factor_2"]
    pd = pytest.importorskip("pandas")
    frame = features.set_output(transform="pandas").transform(X[:5])
    assert isinstance(frame, pd.DataFrame)
    assert frame.shape == (5, 3)


def test_interactions_are_matched_by_id() -> None:
    x = Interactions.from_csr(X, items=[f"i{j}" for j in range(24)])
    features = FactorFeatures(model=PureSVD(n_factors=2)).fit(x)
    new = Interactions.from_arrays(["new", "new"], ["i3", "i5"])
    assert features.transform(new).shape == (1, 2)


def test_refusals() -> None:
    with pytest.raises(TypeError, match="ItemKNN has no fold_in"):
        FactorFeatures(model=ItemKNN()).fit(X)
    with pytest.raises(TypeError, match=r"model must be an object: write PureSVD\(\)"):
        FactorFeatures(model=PureSVD).fit(X)
    with pytest.raises(NotFittedError):
        FactorFeatures(model=PureSVD()).transform(X)
