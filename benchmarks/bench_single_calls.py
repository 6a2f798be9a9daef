"""Single calls, as a service makes them: one user, one pair, one small table, on one thread.

Members: ``native``; ``peer:implicit`` and ``peer:pandas`` for the same question where they have
one; ``reference`` for plain NumPy. Every answer is compared before its time counts. A time is the
best of many rounds, so that other work on the machine matters little; ratios of one run are what
to look at.

    OPENBLAS_NUM_THREADS=1 pytest benchmarks/bench_single_calls.py --benchmark-json=single.json
    python benchmarks/report.py single.json
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from peers import require

from aimass_core import ImplicitALS, Interactions, ItemKNN, PureSVD, UserKNN, reference
from aimass_core.base.validation import csr_parts
from aimass_core.evaluation import ndcg, recall
from aimass_core.kernels import list_gains

ALPHA, REGULARIZATION, FACTORS = 3.0, 0.05, 64
ITEMS = {"small": (500,), "medium": (20_000, 100_000), "full": (20_000, 100_000, 1_000_000)}
USERS = {"small": 300, "medium": 5_000, "full": 5_000}
LISTS = {"small": [(50, 20)], "medium": [(943, 100), (943, 10), (6_040, 10)]}
ROWS = {"small": (500,), "medium": (2_000, 50_000), "full": (2_000, 50_000, 1_000_000)}
ROUNDS = {"small": 3, "medium": 300, "full": 300}


@cache
def ratings(n_users: int, n_items: int, nnz: int) -> sp.csr_array:
    """Return ratings from 1 to 5 of users with popular and rare items."""
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, n_users, nnz), (n_items * rng.random(nnz) ** 3).astype(int)
    X = sp.csr_array((np.ones(nnz, np.float32), (rows, columns)), shape=(n_users, n_items))
    X.sum_duplicates()
    X.data = np.minimum(X.data, 5)
    return X


@cache
def profile(n_items: int) -> sp.csr_array:
    """Return the 20 events of a new user."""
    columns = np.sort(np.random.default_rng(1).choice(n_items, 20, replace=False))
    return sp.csr_array((np.ones(20, np.float32), columns, [0, 20]), shape=(1, n_items))


@cache
def als(n_users: int, n_items: int) -> ImplicitALS:
    """Return a fitted model."""
    X = ratings(n_users, n_items, 40 * n_users)
    model = ImplicitALS(
        n_factors=FACTORS,
        alpha=ALPHA,
        regularization=REGULARIZATION,
        max_iter=3,
        nu=0.0,
        unobserved_weight=1.0,
        confidence="linear",
        n_threads=1,
    )
    return model.fit(X)


@cache
def implicit_als(n_users: int, n_items: int) -> Any:
    """Return implicit's model with the same factors."""
    package = require("implicit.cpu.als", "implicit")
    ours = als(n_users, n_items)
    model = package.AlternatingLeastSquares(
        factors=FACTORS, regularization=REGULARIZATION, alpha=ALPHA, num_threads=1
    )
    model.user_factors, model.item_factors = ours.user_factors_, ours.item_factors_
    return model


def sizes_of(scale: str, place: int) -> tuple[int, int]:
    """Return users and items of a case, or skip."""
    if place >= len(ITEMS[scale]):
        pytest.skip("not at this scale")
    return USERS[scale], ITEMS[scale][place]


@pytest.mark.parametrize("member", ["native", "peer:implicit"])
@pytest.mark.parametrize("place", range(3))
def bench_fold_in(measure: Callable[..., Any], member: str, place: int, scale: str) -> None:
    """Factors of a new user from 20 events."""
    n_users, n_items = sizes_of(scale, place)
    model, events = als(n_users, n_items), profile(n_items)
    events_of_peer = sp.csr_matrix(events)
    calls: dict[str, Callable[[], Any]] = {
        "native": lambda: model.fold_in(events, n_threads=1),
        "peer:implicit": lambda: implicit_als(n_users, n_items).recalculate_user(0, events_of_peer),
    }
    Y = model.item_factors_.astype(np.float64)
    y = Y[events.indices]
    # Confidence of an event: 1 + alpha v here; implicit's is alpha v.
    w = (1 + ALPHA if member == "native" else ALPHA) * np.ones(len(y))
    matrix = Y.T @ Y + (y.T * (w - 1)) @ y + REGULARIZATION * np.eye(FACTORS)
    expected = np.linalg.solve(matrix, y.T @ w)

    def check(factors: Any) -> None:
        np.testing.assert_allclose(np.ravel(factors), expected, rtol=2e-3, atol=1e-4)

    measure(
        f"factors of a new user, {n_items:,} items",
        member,
        calls[member],
        check,
        rounds=ROUNDS[scale],
    )


@pytest.mark.parametrize("member", ["native", "peer:implicit"])
@pytest.mark.parametrize("place", range(3))
def bench_recommend(measure: Callable[..., Any], member: str, place: int, scale: str) -> None:
    """The ten best items of a known user by row number, without those already seen."""
    n_users, n_items = sizes_of(scale, place)
    model = als(n_users, n_items)
    assert model.user_items_ is not None
    X = sp.csr_matrix(model.user_items_)
    scores = model.user_factors_[3] @ model.item_factors_.T
    scores[X[3].indices] = -np.inf
    best = np.sort(scores)[::-1][:10]

    def check(lists: Any) -> None:
        found = lists[0] if isinstance(lists, tuple) else lists.indices[0]
        np.testing.assert_allclose(scores[found], best, rtol=1e-4)

    calls: dict[str, Callable[[], Any]] = {
        "native": lambda: model.recommend([3], k=10, n_threads=1),
        "peer:implicit": lambda: implicit_als(n_users, n_items).recommend(3, X[3], N=10),
    }
    measure(
        f"recommend to one user, {n_items:,} items",
        member,
        calls[member],
        check,
        rounds=ROUNDS[scale],
    )


@cache
def neighbors(kind: str, scale: str) -> Any:
    """Return a fitted neighbourhood model."""
    n_items = ITEMS[scale][0]
    if kind == "item":
        return ItemKNN(n_neighbors=50, similarity="cosine").fit(
            ratings(n_items, n_items, 50 * n_items)
        )
    return UserKNN(n_neighbors=50).fit(ratings(n_items // 4, n_items // 5, 20 * n_items))


@pytest.mark.parametrize("call", ["predict", "explain", "recommend"])
@pytest.mark.parametrize("kind", ["item", "user"])
def bench_neighbors(measure: Callable[..., Any], kind: str, call: str, scale: str) -> None:
    """Calls of the neighbourhood models for one user and item."""
    model = neighbors(kind, scale)
    everything = model.recommend([3], k=model.n_items, exclude_seen=False, n_threads=1)
    item, score = int(everything.indices[0, 0]), float(everything.scores[0, 0])
    calls: dict[str, Callable[[], Any]] = {
        "predict": lambda: model.predict([3], [item], n_threads=1)[0],
        "explain": lambda: model.explain(3, item).score,
        "recommend": lambda: model.recommend([3], k=1, exclude_seen=False, n_threads=1).scores[
            0, 0
        ],
    }

    def check(result: Any) -> None:
        assert result == pytest.approx(score, rel=1e-4)

    name = {"item": "ItemKNN", "user": "UserKNN"}[kind]
    measure(f"{name}.{call}, one user", "native", calls[call], check, rounds=ROUNDS[scale])


@cache
def rating_neighbors(kind: str, aggregation: str, scale: str) -> Any:
    """Return a fitted neighbourhood model that predicts ratings."""
    n_items = ITEMS[scale][0]
    if kind == "item":
        X = ratings(n_items // 4, n_items, 12 * n_items)
        return ItemKNN(n_neighbors=50, aggregation=aggregation).fit(X)
    X = ratings(n_items // 4, n_items // 5, 20 * n_items)
    return UserKNN(n_neighbors=50, aggregation=aggregation).fit(X)


@pytest.mark.parametrize("aggregation", ["mean", "centered", "zscore", "baseline"])
@pytest.mark.parametrize("kind", ["item", "user"])
def bench_rating_neighbors(
    measure: Callable[..., Any], kind: str, aggregation: str, scale: str
) -> None:
    """The ten items of one user with the highest predicted ratings."""
    model = rating_neighbors(kind, aggregation, scale)

    def check(lists: Any) -> None:
        found = lists.indices[0]
        predicted = [model.predict([3], [item], n_threads=1)[0] for item in found[:3]]
        np.testing.assert_allclose(lists.scores[0, :3], predicted, rtol=1e-12)

    measure(
        f"{type(model).__name__}({aggregation}).recommend, one user",
        "native",
        lambda: model.recommend([3], k=10, n_threads=1),
        check,
        rounds=max(3, ROUNDS[scale] // 30),
    )


@pytest.mark.parametrize("call", ["predict", "recommend", "similar_items"])
def bench_factor_model(measure: Callable[..., Any], call: str, scale: str) -> None:
    """Calls of a factor model for one user or item."""
    n_items = ITEMS[scale][0]
    model = _pure_svd(n_items)
    scores = model.user_factors_[3] @ model.item_factors_.T
    item = int(scores.argmax())
    calls: dict[str, Callable[[], Any]] = {
        "predict": lambda: model.predict([3], [item], n_threads=1)[0],
        "recommend": lambda: model.recommend([3], k=10, exclude_seen=False, n_threads=1).scores[
            0, 0
        ],
        "similar_items": lambda: model.similar_items([item], k=10, n_threads=1),
    }

    def check(result: Any) -> None:
        if call != "similar_items":
            assert result == pytest.approx(scores[item], rel=1e-4)
            return
        V = model.item_factors_.astype(np.float64)
        norms = np.linalg.norm(V, axis=1)
        with np.errstate(invalid="ignore"):
            cosine = V @ V[item] / (norms * norms[item])
        cosine[item] = -np.inf
        best = np.sort(np.nan_to_num(cosine, nan=-2))[:-11:-1]
        np.testing.assert_allclose(result.scores[0], best, rtol=1e-4)

    measure(f"PureSVD.{call}, one user", "native", calls[call], check, rounds=ROUNDS[scale])


@cache
def _pure_svd(n_items: int) -> PureSVD:
    return PureSVD(n_factors=FACTORS).fit(ratings(n_items // 4, n_items, 20 * n_items))


# ---- metrics -----------------------------------------------------------------------------------


@cache
def judged(n_users: int, k: int) -> tuple[np.ndarray, sp.csr_array]:
    """Return lists of k of 1682 or 3706 items, and relevant items, of users."""
    rng = np.random.default_rng(0)
    n_items = 1682 if n_users < 1000 else 3706
    lists = np.argsort(rng.random((n_users, n_items)), axis=1)[:, :k].astype(np.int32)
    truth = sp.random_array(
        (n_users, n_items), density=10 / n_items, rng=rng, format="csr", dtype=np.float32
    )
    truth.data[:] = 1
    return np.ascontiguousarray(lists), truth


def plain_metric(lists: np.ndarray, truth: sp.csr_array, name: str) -> float:
    """Return the mean of a metric by a dense table of the relevant items."""
    relevant = truth.toarray() > 0
    hits = np.take_along_axis(relevant, lists.astype(np.int64), axis=1)
    n_relevant = relevant.sum(axis=1)
    known = n_relevant > 0
    if name == "recall":
        return float((hits.sum(axis=1)[known] / n_relevant[known]).mean())
    discounts = 1 / np.log2(np.arange(2, lists.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(n_relevant, len(discounts)) - 1]
    return float(((hits * discounts).sum(axis=1)[known] / ideal[known]).mean())


@pytest.mark.parametrize("member", ["native", "reference"])
@pytest.mark.parametrize("name", ["ndcg", "recall"])
@pytest.mark.parametrize("place", range(3))
def bench_metric(
    measure: Callable[..., Any], place: int, name: str, member: str, scale: str
) -> None:
    """A metric as a function, and as people write it with NumPy."""
    cases = LISTS.get(scale, LISTS["medium"])
    if place >= len(cases):
        pytest.skip("not at this scale")
    n_users, k = cases[place]
    lists, truth = judged(n_users, k)
    function = {"ndcg": ndcg, "recall": recall}[name]
    calls: dict[str, Callable[[], Any]] = {
        "native": lambda: function(lists, truth),
        "reference": lambda: plain_metric(lists, truth, name),
    }

    def check(result: Any) -> None:
        assert result == pytest.approx(plain_metric(lists, truth, name), rel=1e-12)

    measure(f"{name}, {n_users} lists of {k}", member, calls[member], check, rounds=ROUNDS[scale])


@pytest.mark.parametrize("member", ["native", "reference"])
def bench_list_gains(measure: Callable[..., Any], member: str, scale: str) -> None:
    """list_gains."""
    lists, truth = judged(*LISTS.get(scale, LISTS["medium"])[0])
    arguments = (lists.astype(np.int64), *csr_parts(truth), truth.shape[1], 1)
    kernel = {"native": list_gains, "reference": reference.list_gains}[member]
    expected = reference.list_gains(*arguments)
    check = functools.partial(np.testing.assert_array_equal, expected)
    measure("list_gains", member, lambda: kernel(*arguments), check, rounds=ROUNDS[scale] // 3)


# ---- tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", ["native", "peer:pandas"])
@pytest.mark.parametrize("place", range(3))
def bench_small_table(measure: Callable[..., Any], member: str, place: int, scale: str) -> None:
    """A table with string ids to a matrix."""
    pd = require("pandas")
    if place >= len(ROWS[scale]):
        pytest.skip("not at this scale")
    n = ROWS[scale][place]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user": pd.Series([f"user-{i}" for i in rng.integers(0, n // 20, n)], dtype="str"),
            "item": pd.Series([f"item-{i}" for i in rng.integers(0, n // 10, n)], dtype="str"),
            "value": np.ones(n, np.float32),
        }
    ).drop_duplicates(["user", "item"], ignore_index=True)

    def pandas_and_scipy() -> sp.csr_array:
        users, user_ids = pd.factorize(frame["user"], sort=True)
        items, item_ids = pd.factorize(frame["item"], sort=True)
        shape = (len(user_ids), len(item_ids))
        return sp.coo_array((frame["value"].to_numpy(), (users, items)), shape=shape).tocsr()

    calls: dict[str, Callable[[], Any]] = {
        "native": lambda: Interactions.from_table(
            frame, user="user", item="item", value="value", n_threads=1
        ),
        "peer:pandas": pandas_and_scipy,
    }
    expected = pandas_and_scipy()

    def check(result: Any) -> None:
        matrix = getattr(result, "matrix", result)
        assert matrix.shape == expected.shape
        assert abs(matrix - expected).sum() == 0

    rounds = max(3, ROUNDS[scale] // (1 + n // 2_000))
    measure(f"table of {n:,} rows, string ids", member, calls[member], check, rounds=rounds)
