"""ImplicitALS while it trains, after set_params, and from a file that was altered."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS, load
from aimass_core.exceptions import DamagedFileError


@pytest.fixture
def ratings(rng):
    X = sp.random_array((80, 50), density=0.2, random_state=rng, format="csr", dtype=np.float32)
    X.data = rng.integers(-1, 6, X.nnz).astype(np.float32)
    return X


def test_a_callback_may_use_and_save_the_model(ratings, tmp_path):
    answers = []

    def callback(event):
        model = event.model
        model.save(tmp_path / str(event.step))
        answers.append((model.recommend(k=3).scores, model.recommend_new(ratings[:2], k=3).scores))
        assert model.explain(0, 1).score == model.predict(0, 1)

    options = {"n_factors": 4, "solver": "cholesky"}
    ImplicitALS(max_iter=3, **options).fit(ratings, callback=callback)
    for number, (lists, new) in enumerate(answers, 1):
        model = ImplicitALS(max_iter=number, **options).fit(ratings)
        np.testing.assert_array_equal(lists, model.recommend(k=3).scores)
        np.testing.assert_array_equal(new, model.recommend_new(ratings[:2], k=3).scores)
        saved = load(tmp_path / str(number))
        np.testing.assert_array_equal(saved.user_factors_, model.user_factors_)


def test_set_params_changes_no_answer(ratings):
    model = ImplicitALS(n_factors=4).fit(ratings)
    want = model.recommend_new(ratings[:2], k=3).scores
    model.set_params(solver="nonnegative")
    np.testing.assert_array_equal(model.recommend_new(ratings[:2], k=3).scores, want)


@pytest.mark.parametrize("weight", [float("nan"), -1.0])
def test_a_file_with_another_weight_is_refused(ratings, tmp_path, weight):
    model = ImplicitALS(n_factors=4).fit(ratings)
    model.unobserved_weight_ = weight
    model.save(tmp_path / "m")
    with pytest.raises(DamagedFileError):
        load(tmp_path / "m")
