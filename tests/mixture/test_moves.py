"""Split-and-merge: bad optima that EM can't leave are left, and nothing ever gets worse."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from _interrupts import stops_within_half_a_second

from aimass_core import GaussianMixture
from aimass_core.exceptions import ConvergenceWarning

TYPES = ["full", "tied", "diag", "spherical"]
every_type = pytest.mark.parametrize("kind", TYPES)
CENTRES = np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 14.0]])


def groups(n=1500, seed=0):
    """Three groups far apart."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    return CENTRES[label] + rng.normal(size=(n, 2)), label


def bad_start(kind):
    """Two components on the first group, one between the two others."""
    return {
        "n_components": 3,
        "covariance_type": kind,
        "weights_init": [0.17, 0.16, 0.67],
        "means_init": [[-0.7, -0.3], [0.6, 0.4], [6.0, 7.0]],
        "precisions_init": {
            "full": [np.eye(2), np.eye(2), np.eye(2) / 30],
            "tied": np.eye(2),
            "diag": [[1, 1], [1, 1], [0.03, 0.03]],
            "spherical": [1, 1, 0.03],
        }[kind],
        "tol": 1e-6,
        "max_iter": 2000,
    }


def fit(X, weight=None, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(**{"random_state": 0} | parameters).fit(X, sample_weight=weight)


def right(model):
    """Whether each of the three groups has its component."""
    distances = np.linalg.norm(model.means_[:, None] - CENTRES, axis=2)
    return (distances.min(axis=0) < 0.5).all()


@every_type
def test_a_bad_start_is_left(kind):
    X, label = groups()
    stuck, moved = fit(X, **bad_start(kind)), fit(X, **bad_start(kind), split_merge=2)
    assert not right(stuck)
    assert right(moved)
    assert moved.lower_bound_ > stuck.lower_bound_ + 0.1
    found = moved.predict(X)
    assert all(
        (found[label == k] == np.bincount(found[label == k]).argmax()).mean() > 0.99
        for k in range(3)
    )
    assert (np.diff(moved.lower_bounds_) > -1e-9).all()


@every_type
@pytest.mark.parametrize("source", ["weights", "parquet", "missing", "sparse", "noise", "float32"])
def test_every_source(kind, source, tmp_path):
    X, _ = groups()
    more, weight = {}, None
    if source == "weights":
        weight = np.random.default_rng(5).integers(0, 3, len(X))
    elif source == "missing":
        X[np.random.default_rng(5).random(X.shape) < 0.05] = np.nan
        more = {"missing": "marginalize"}
    elif source == "sparse":
        if kind in ("full", "tied"):
            pytest.skip("sparse rows have diagonal covariances")
        X = sp.csr_array(X)
    elif source == "noise":
        X[::50] = np.random.default_rng(5).uniform(-60, 60, (len(X[::50]), 2))
        more = {"noise": 0.02}
    elif source == "float32":
        X = X.astype(np.float32)
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1]}), tmp_path / "x.parquet")
        X = tmp_path / "x.parquet"
    more |= {"tol": 1e-4, "max_iter": 100}
    stuck = fit(X, weight, **bad_start(kind) | more)
    moved = fit(X, weight, **bad_start(kind) | more, split_merge=3)
    assert right(moved)
    assert moved.lower_bound_ > stuck.lower_bound_


@every_type
def test_never_worse_and_the_same_again(kind):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = rng.normal(0, 3, (6, 3))[rng.integers(0, 6, 800)] + rng.normal(size=(800, 3))
        parameters = {
            "n_components": 6,
            "covariance_type": kind,
            "random_state": seed,
            "init_params": "random_from_data",
        }
        plain, moved = fit(X, **parameters), fit(X, **parameters, split_merge=3)
        assert moved.lower_bound_ >= plain.lower_bound_
        again = fit(X, **parameters, split_merge=3, n_threads=3)
        assert again.lower_bounds_ == moved.lower_bounds_
        assert (again.means_ == moved.means_).all()


def test_good_optima_are_kept():
    X, _ = groups()
    plain, moved = (fit(X, n_components=3, split_merge=n, tol=1e-8) for n in (0, 5))
    assert right(plain)
    assert moved.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_few_components_and_few_rows(k):
    X, _ = groups(12)
    model = fit(X, n_components=k, split_merge=4, covariance_type="diag")
    assert model.means_.shape == (k, 2)
    assert np.isfinite(fit(np.ones((9, 2)), n_components=k, split_merge=4).lower_bound_)


@pytest.mark.parametrize("noise", [0.0, 0.01])
@every_type
def test_a_component_without_rows_in_the_sample_stays(kind, noise):
    """8 rows in 30,008, of which the moves look at 10,000."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(15_000, 2)), rng.normal([60, 60], 0.1, (8, 2)), CENTRES[1]
    X = np.concatenate([*parts[:2], parts[2] + rng.normal(size=(15_000, 2))])
    for seed in range(3):
        model = fit(
            X,
            n_components=3,
            covariance_type=kind,
            split_merge=2,
            random_state=seed,
            noise=noise,
            means_init=[[0, 0], [60, 60], [12, 0]],
            max_iter=20,
        )
        plain = fit(
            X,
            n_components=3,
            covariance_type=kind,
            random_state=seed,
            noise=noise,
            means_init=[[0, 0], [60, 60], [12, 0]],
            max_iter=20,
        )
        assert model.lower_bound_ >= plain.lower_bound_


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_ctrl_c_within_half_a_second(share):
    prepare = """
import warnings, numpy as np
from aimass_core import GaussianMixture
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(20_000, 30)) + 2 * rng.normal(size=(60, 30))[rng.integers(0, 60, 20_000)]
"""
    call = "GaussianMixture(40, max_iter=5, random_state=0, split_merge=3).fit(X)"
    assert stops_within_half_a_second(prepare, call, share=share)


def test_callback_ends_all():
    X, _ = groups()
    calls = []
    model = fit(X, **bad_start("full"), split_merge=5, callback=lambda e: calls.append(e.step))
    assert calls.count(1) > 2  # the start and at least one move, and one that failed
    plain = fit(X, **bad_start("full"), callback=lambda event: event.step == 3, split_merge=5)
    assert plain.n_iter_ == 3
    runs = []
    stopped = fit(
        X,
        **bad_start("full"),
        split_merge=5,
        callback=lambda e: e.step == 1 and (runs.append(e.step) or len(runs) == 2),
    )
    assert len(runs) == 2
    assert not right(stopped)
    assert right(model)


def test_a_callback_that_stops_one_of_several_starts_stops_moves():
    X, _ = groups()
    for last in (1, 2, 3):
        runs = []

        def stop(event, runs=runs, last=last):
            runs.extend([1] * (event.step == 1))
            return event.step == 2 and len(runs) == last

        fit(X, n_components=4, n_init=3, init_params="random", split_merge=5, callback=stop)
        assert len(runs) == 3


def test_together_with_other_options():
    X, _ = groups()
    for more in (
        {"accelerate": True},
        {"n_init": 2},
        {"degrees_of_freedom_prior": 4.0},
        {"weight_concentration_prior": "mml", "n_components": 7},
        {"init_params": "random"},
    ):
        parameters = {"n_components": 3, "tol": 1e-6} | more
        model = fit(X, **parameters, split_merge=3)
        plain = fit(X, **parameters)
        if "weight_concentration_prior" in more:  # by message length, not by the bound
            assert 3 <= len(model.weights_) <= len(plain.weights_)
        else:
            assert model.lower_bound_ >= plain.lower_bound_
        assert parameters["n_components"] > 3 or right(model), more


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (1.5, TypeError), ("a", TypeError)])
def test_refused(value, error):
    with pytest.raises(error, match="split_merge must be"):
        GaussianMixture(split_merge=value).fit(groups()[0])
