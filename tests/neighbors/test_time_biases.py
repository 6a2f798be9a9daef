"""Biases that change in time: optimality, a known change, times in and out, files, evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from aimass_core import BaselineOnly, Interactions, load
from aimass_core.data import split
from aimass_core.evaluation import evaluate

BOTH = {"n_time_bins": 6, "user_drift": True}


def timed(n_users=60, n_items=20, seed=0, change=2.0):
    """Ratings of which the even items lose and the odd items win in the second half."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((n_users, n_items)) < 0.5)
    times = rng.integers(0, 1000, len(users))
    sign = np.where(items % 2, 1.0, -1.0) * np.where(times < 500, -1.0, 1.0)
    values = 3 + 0.5 * change * sign + rng.normal(0, 0.1, len(users))
    return Interactions.from_arrays(users, items, values=values, times=times)


def objective(model, x, *, item_time, drift):
    X, times = x.matrix, x.timestamps
    users, items = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices
    share = (times - times.min()) / (times.max() - times.min())
    means = np.bincount(users, share) / np.bincount(users)
    distance = share - means[users]
    bins = np.minimum((share * item_time.shape[1]).astype(int), item_time.shape[1] - 1)
    predicted = model.mean_ + model.user_bias_[users] + model.item_bias_[items]
    predicted = predicted + item_time[items, bins]
    predicted = predicted + drift[users] * np.sign(distance) * np.abs(distance) ** 0.4
    penalties = 15 * (model.user_bias_**2).sum() + 10 * (model.item_bias_**2).sum()
    penalties += model.reg_time * ((item_time**2).sum() + (drift**2).sum())
    return ((X.data - predicted) ** 2).sum() + penalties


def test_biases_are_a_minimum_of_the_objective():
    x = timed()
    model = BaselineOnly(**BOTH, max_iter=300).fit(x)
    found = {"item_time": model.item_time_bias_, "drift": model.user_drift_}
    best = objective(model, x, **found)
    rng = np.random.default_rng(1)
    for name, values in found.items():
        for sign in (-1, 1):
            step = sign * 1e-3 * rng.normal(size=values.shape)
            assert objective(model, x, **{**found, name: values + step}) > best


def test_a_change_is_found_and_used():
    parts = split.random(timed(), random_state=0)
    models = {"still": BaselineOnly(), "bins": BaselineOnly(n_time_bins=2, reg_time=1.0)}
    table = evaluate(models, parts, metrics=["rmse"])
    assert table["bins"]["rmse"] < 0.3 * table["still"]["rmse"]


def test_a_drift_is_found():
    rng = np.random.default_rng(0)
    users, items = np.nonzero(np.ones((40, 15)))
    times = rng.integers(0, 1000, len(users))
    slope = np.where(users < 20, 1.0, -1.0)
    values = 3 + slope * np.sign(times - 500) * np.abs((times - 500) / 1000) ** 0.4
    x = Interactions.from_arrays(users, items, values=values, times=times)
    model = BaselineOnly(user_drift=True, reg_time=0.1).fit(x)
    assert (model.user_drift_[:20] > 0.5).all()
    assert (model.user_drift_[20:] < -0.5).all()
    late, early = (model.predict_at([0], [0], [t])[0] for t in (999, 0))
    assert late > early + 0.5


def test_the_default_time_is_the_last_and_now_changes_it():
    x = timed()
    model = BaselineOnly(**BOTH).fit(x)
    users, items = x.users.ids[[0, 5]], x.items.ids[[3, 4]]
    last = x.timestamps.max()
    np.testing.assert_allclose(
        model.predict(users, items), model.predict_at(users, items, [last, last + 99])
    )
    early = BaselineOnly(**BOTH, now=10).fit(x)
    np.testing.assert_allclose(early.predict(users, items), early.predict_at(users, items, 10))
    assert set(model.recommend([0], k=3).ids[0]) != set(early.recommend([0], k=3).ids[0])
    query_scores = model.recommend(k=20, exclude_seen=False)
    row = query_scores.indices[2]
    unclipped = BaselineOnly(**BOTH, clip=False).fit(x)
    np.testing.assert_allclose(
        query_scores.scores[2], unclipped.predict([x.users.ids[2]], x.items.ids[row])
    )


def test_dates_in_dates_out():
    days = np.datetime64("2024-01-01") + np.arange(8)
    x = Interactions.from_arrays([1, 1, 1, 1, 2, 2, 2, 2], [1, 2, 3, 4] * 2, times=days)
    model = BaselineOnly(**BOTH, now="2024-01-03").fit(x)
    by_text = model.predict_at([1], [1], ["2024-01-05"])
    np.testing.assert_array_equal(by_text, model.predict_at([1], [1], np.datetime64("2024-01-05")))
    with pytest.raises(TypeError, match="times must be a datetime"):
        model.predict_at([1], [1], [3])


def test_files_updates_and_forgotten_users(tmp_path):
    x = timed()
    model = BaselineOnly(**BOTH).fit(x)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    pairs = x.users.ids[:5], x.items.ids[:5], [1, 100, 400, 600, 999]
    np.testing.assert_array_equal(again.predict_at(*pairs), model.predict_at(*pairs))
    old, new = x.matrix, Interactions.from_arrays([999], [0], values=[5.0], times=[1001])
    again.partial_fit(new)
    assert again.period_[1] == 1001
    assert again.user_items_.nnz == old.nnz + 1
    again.forget([0])
    assert len(again.timestamps_) == again.user_items_.nnz
    assert len(again.user_drift_) == again.n_users_


def test_equal_times_and_no_ratings():
    x = Interactions.from_arrays([1, 2], [1, 1], values=[2.0, 4.0], times=[7, 7])
    assert np.isfinite(BaselineOnly(**BOTH).fit(x).predict([1, 2], [1])).all()
    empty = Interactions.from_arrays([], [], values=[], times=np.array([], dtype=int))
    assert BaselineOnly(**BOTH).fit(empty).n_items == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_time_bins": -1}, "n_time_bins must be at least 0"),
        ({"n_time_bins": 3, "reg_time": -1.0}, "reg_time must be at least 0"),
        ({"reg_time": 3.0}, "reg_time=3.0 has no effect"),
        ({"method": "sgd", "n_time_bins": 3}, "n_time_bins=3 has no effect with method='sgd'"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        BaselineOnly(**options).fit(timed())


def test_without_times():
    with pytest.raises(ValueError, match="need times"):
        BaselineOnly(n_time_bins=3).fit(np.eye(3))
    with pytest.raises(ValueError, match="call predict instead"):
        BaselineOnly().fit(timed()).predict_at([0], [0], [1])
    model = BaselineOnly(n_time_bins=3).fit(timed())
    with pytest.raises(ValueError, match="equal length"):
        model.predict_at([0, 1], [0, 1], [1, 2, 3])
