"""Rating predictions from the triplets of a fold: `knn_predict`, `slope_one_predict`, Surprise."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from data import SIZES, power_law
from peers import require

from aimass_core import UserKNN, _core, reference

# Users, items, ratings; and how many of the test fifth are asked for.
SHAPES = {"small": (300, 200, 9_000), "medium": SIZES["ml1m"], "full": SIZES["ml1m"]}
QUERIES = {"small": 500, "medium": 20_000, "full": 200_000}
MEASURES = {"msd": "corated_msd", "pearson": "corated_pearson", "cosine": "corated_cosine"}
OURS = {"msd": "msd", "pearson": "pearson_corated", "cosine": "cosine_corated"}
K = 40
MEMBERS = ["native", "reference", "peer:surprise"]
# Minutes per call: timed once; the reference only where it does not take hours.
ROUNDS = {"peer:surprise": 1, "reference": 1}

Fold = tuple[np.ndarray, np.ndarray, np.ndarray]


@cache
def fold(scale: str) -> tuple[Fold, tuple[np.ndarray, np.ndarray]]:
    """Train triplets, in order of users, and the test pairs asked for."""
    X = power_law(*SHAPES[scale])
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(X.shape[0], dtype=np.int32), np.diff(X.indptr))
    ratings = np.ceil(X.data.astype(np.float64))  # 1 to 5
    test = rng.random(X.nnz) < 0.2
    known = np.bincount(users[~test], minlength=X.shape[0])[users] > 0
    known &= np.bincount(X.indices[~test], minlength=X.shape[1])[X.indices] > 0
    asked = rng.permutation(np.flatnonzero(test & known))[: QUERIES[scale]]
    train = users[~test], X.indices[~test], ratings[~test]
    return train, (users[asked], X.indices[asked])


def fit_and_predict(home: Any, scale: str, formula: str | None, n_threads: int) -> Any:
    """From triplets to (sum, weight, count) of every query; `formula` None: Slope One."""
    train, pairs = fold(scale)
    shape = SHAPES[scale][:2]
    X = home.coo_to_csr(*train, None, *shape, "error", n_threads)[:3]
    T = home.csr_transpose(*X, shape[1], n_threads)
    if formula is None:
        return home.slope_one_predict(*X, *T, *pairs, n_threads)
    options = {
        "p": None,
        "q": None,
        "total": 0.0,
        "weight": (0.0, 0.0),
        "shrink": 0.0,
        "min_support": 1,
        "support_shrink": 0.0,
        "support_offset": 0.0,
        "significance": 0.0,
        "amplification": 1.0,
        "threshold": -np.inf,
        "function": 0,
        "positive_only": True,
    }
    return home.knn_predict(
        *X, *T, *X, *T, *pairs, k=K, min_k=1, formula=formula, n_threads=n_threads, **options
    )


@cache
def trainset(scale: str) -> Any:
    """Surprise's form of the ratings; building it is not timed."""
    surprise = require("surprise", "scikit-surprise")
    (users, items, ratings), _ = fold(scale)
    n_users, n_items = SHAPES[scale][:2]
    ur: dict[int, list[Any]] = {u: [] for u in range(n_users)}
    ir: dict[int, list[Any]] = {i: [] for i in range(n_items)}
    for u, i, r in zip(users.tolist(), items.tolist(), ratings.tolist(), strict=True):
        ur[u].append((i, r))
        ir[i].append((u, r))
    return surprise.Trainset(ur, ir, n_users, n_items, len(users), (1, 5), {}, {})


def by_surprise(scale: str, algorithm: Callable[[], Any]) -> np.ndarray:
    """Estimates of every query, NaN where there is none."""
    surprise = require("surprise", "scikit-surprise")
    model = algorithm()
    model.trainset = trainset(scale)
    model.fit(trainset(scale))
    out = []
    for u, i in zip(*(a.tolist() for a in fold(scale)[1]), strict=True):
        try:
            estimate = model.estimate(u, i)
        except surprise.PredictionImpossible:
            estimate = np.nan
        out.append(estimate[0] if isinstance(estimate, tuple) else estimate)
    return np.array(out)


def equals(expected: Callable[[], Any], estimate: Callable[[Any], np.ndarray]) -> Any:
    """Check that compares estimates to 1e-6, so with Surprise exactly as the kernels."""

    def check(result: Any) -> None:
        got = result if isinstance(result, np.ndarray) else estimate(result)
        np.testing.assert_allclose(got, estimate(expected()), rtol=0, atol=1e-6)

    return check


def weighted_mean(result: Any) -> np.ndarray:
    """The basic k-NN estimate."""
    with np.errstate(invalid="ignore"):
        return np.asarray(result[0] / result[1])


@pytest.mark.parametrize("name", sorted(MEASURES))
@pytest.mark.parametrize("member", MEMBERS)
def bench_knn_predict(
    measure: Callable[..., Any], member: str, name: str, scale: str, n_threads: int
) -> None:
    if member == "reference" and scale != "small":
        pytest.skip("the reference takes minutes: only at AIMASS_BENCH_SCALE=small")
    settings = {"name": name, "user_based": True}

    def knn() -> Any:
        basic = require("surprise", "scikit-surprise").KNNBasic
        return basic(k=K, sim_options=settings, verbose=False)

    def native() -> Any:
        return fit_and_predict(_core, scale, MEASURES[name], n_threads)

    calls = {
        "native": native,
        "reference": lambda: fit_and_predict(reference, scale, MEASURES[name], n_threads),
        "peer:surprise": lambda: by_surprise(scale, knn),
    }
    group = f"knn_predict: user {name}, fit and {len(fold(scale)[1][0]):,} pairs"
    rounds = {"rounds": ROUNDS[member]} if member in ROUNDS else {}
    measure(group, member, calls[member], equals(native, weighted_mean), **rounds)


@cache
def fitted(scale: str, name: str) -> tuple[Any, Any]:
    """UserKNN and Surprise's KNNBasic, fitted on the same ratings."""
    surprise = require("surprise", "scikit-surprise")
    X = sp.csr_array(sp.coo_array((fold(scale)[0][2], fold(scale)[0][:2]), shape=SHAPES[scale][:2]))
    ours = UserKNN(
        n_neighbors=K, similarity=OURS[name], aggregation="mean", clip=False, n_threads=1
    ).fit(X)
    theirs = surprise.KNNBasic(k=K, sim_options={"name": name, "user_based": True}, verbose=False)
    theirs.trainset = trainset(scale)
    theirs.fit(trainset(scale))
    return ours, theirs


@pytest.mark.parametrize("name", sorted(MEASURES))
@pytest.mark.parametrize("member", ["native", "peer:surprise"])
def bench_fitted_predictions(
    measure: Callable[..., Any], member: str, name: str, scale: str, n_threads: int
) -> None:
    """Predictions of models that are fitted already."""
    users, items = fold(scale)[1]
    ours, theirs = fitted(scale, name)

    def native() -> np.ndarray:
        return np.asarray(ours.predict(users, items, n_threads=n_threads))

    def by_peer() -> np.ndarray:
        impossible = require("surprise", "scikit-surprise").PredictionImpossible
        out = np.full(len(users), np.nan)
        for row, (u, i) in enumerate(zip(users.tolist(), items.tolist(), strict=True)):
            with contextlib.suppress(impossible):
                out[row] = theirs.estimate(u, i)[0]
        return out

    def check(result: np.ndarray) -> None:
        known = np.isfinite(result)
        np.testing.assert_allclose(result[known], native()[known], rtol=0, atol=1e-6)

    group = f"user {name}, fitted: {len(users):,} predictions"
    rounds = {"rounds": ROUNDS[member]} if member in ROUNDS else {}
    measure(group, member, {"native": native, "peer:surprise": by_peer}[member], check, **rounds)


@pytest.mark.parametrize("member", MEMBERS)
def bench_slope_one_predict(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    if member == "reference" and scale != "small":
        pytest.skip("the reference takes minutes: only at AIMASS_BENCH_SCALE=small")
    (users, _, ratings), pairs = fold(scale)
    with np.errstate(invalid="ignore"):
        means = np.bincount(users, weights=ratings, minlength=SHAPES[scale][0]) / np.bincount(
            users, minlength=SHAPES[scale][0]
        )

    def native() -> Any:
        return fit_and_predict(_core, scale, None, n_threads)

    def estimate(result: Any) -> np.ndarray:
        return np.asarray(means[pairs[0]] + result[0] / np.maximum(result[1], 1))

    calls = {
        "native": native,
        "reference": lambda: fit_and_predict(reference, scale, None, n_threads),
        "peer:surprise": lambda: by_surprise(
            scale, require("surprise", "scikit-surprise").SlopeOne
        ),
    }
    group = f"slope_one_predict: fit and {len(pairs[0]):,} pairs"
    rounds = {"rounds": ROUNDS[member]} if member in ROUNDS else {}
    measure(group, member, calls[member], equals(native, estimate), **rounds)
