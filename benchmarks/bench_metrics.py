"""Ranking metrics of many lists: the metric functions beside plain NumPy and ranx."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from peers import require

from aimass_core.evaluation import average_precision, ndcg, recall

USERS = {"small": 300, "medium": 6_040, "full": 138_493}
N_ITEMS, N_RELEVANT, K = 26_744, 10, 10
METRICS = {"recall": recall, "ndcg": ndcg, "map": average_precision}


@cache
def judged(scale: str) -> tuple[np.ndarray, sp.csr_array]:
    """Return lists of K items, of which about a third are relevant, and the relevant items."""
    rng, n = np.random.default_rng(0), USERS[scale]
    draws = np.sort(rng.integers(0, N_ITEMS - N_RELEVANT, (n, N_RELEVANT)), axis=1)
    relevant = (draws + np.arange(N_RELEVANT)).astype(np.int32)  # distinct and ascending
    indptr = np.arange(n + 1, dtype=np.int64) * N_RELEVANT
    truth = sp.csr_array(
        (np.ones(relevant.size, np.float32), relevant.ravel(), indptr), shape=(n, N_ITEMS)
    )
    hit = rng.random((n, K)) < 1 / 3
    lists = np.where(hit, rng.permuted(relevant, axis=1), rng.integers(0, N_ITEMS, (n, K)))
    return np.ascontiguousarray(lists), truth


@cache
def of_ranx(scale: str) -> tuple[Any, Any]:
    """Return the same as ranx has it; making it is not timed."""
    ranx = require("ranx")
    lists, truth = judged(scale)
    names = [f"u{u:07d}" for u in range(len(lists))]
    scores = np.arange(K, 0, -1, dtype=np.float64).tolist()
    qrels = ranx.Qrels(
        {
            name: {f"i{i}": 1 for i in truth.indices[N_RELEVANT * u : N_RELEVANT * (u + 1)]}
            for u, name in enumerate(names)
        }
    )
    run = ranx.Run(
        {
            name: dict(zip((f"i{i}" for i in row), scores, strict=True))
            for name, row in zip(names, lists.tolist(), strict=True)
        }
    )
    return qrels, run


def plain_hits(scale: str) -> np.ndarray:
    """Return which ranks hold a relevant item, by membership in sorted keys."""
    lists, truth = judged(scale)
    keys = np.arange(len(lists))[:, None] * N_ITEMS
    relevant = (keys + truth.indices.reshape(-1, N_RELEVANT)).ravel()
    place = np.minimum(np.searchsorted(relevant, keys + lists), len(relevant) - 1)
    return relevant[place] == keys + lists


def plain_recall(hits: np.ndarray) -> float:
    """Return the recall; like the others it knows that all users have equally many items."""
    return float(hits.sum(axis=1).mean() / N_RELEVANT)


def plain_ndcg(hits: np.ndarray) -> float:
    """Return the NDCG."""
    discounts = 1 / np.log2(np.arange(2, K + 2))
    return float((hits * discounts).sum(axis=1).mean() / discounts[: min(K, N_RELEVANT)].sum())


def plain_map(hits: np.ndarray) -> float:
    """Return the mean average precision."""
    precision = np.cumsum(hits, axis=1) / np.arange(1, K + 1)
    return float((precision * hits).sum(axis=1).mean() / N_RELEVANT)


PLAIN = {"recall": plain_recall, "ndcg": plain_ndcg, "map": plain_map}


def plain(scale: str) -> dict[str, float]:
    """Return all metrics of one table of hits."""
    hits = plain_hits(scale)
    return {name: function(hits) for name, function in PLAIN.items()}


@pytest.mark.parametrize("member", ["native", "peer:numpy"])
@pytest.mark.parametrize("name", list(METRICS))
def bench_one_metric(measure: Callable[..., Any], name: str, member: str, scale: str) -> None:
    """One metric of the same lists, as a function."""
    lists, truth = judged(scale)
    calls: dict[str, Callable[[], Any]] = {
        "native": lambda: METRICS[name](lists, truth, k=K),
        "peer:numpy": lambda: PLAIN[name](plain_hits(scale)),
    }
    expected = calls["native"]()

    def check(result: float) -> None:
        assert result == pytest.approx(expected, rel=0.02)  # as in bench_metrics

    rounds = 300 if scale == "small" else 20
    measure(f"{name} at {K} of {len(lists):,} lists", member, calls[member], check, rounds=rounds)


@pytest.mark.parametrize("member", ["native", "peer:numpy", "peer:ranx"])
def bench_metrics(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    """Recall, NDCG and average precision at 10 of the same lists."""
    lists, truth = judged(scale)

    def native() -> dict[str, float]:
        return {name: function(lists, truth, k=K) for name, function in METRICS.items()}

    def by_ranx() -> dict[str, float]:
        qrels, run = of_ranx(scale)
        names = {f"recall@{K}": "recall", f"ndcg@{K}": "ndcg", f"map@{K}": "map"}
        found = require("ranx").evaluate(qrels, run, list(names), threads=n_threads)
        return {names[name]: value for name, value in found.items()}

    calls: dict[str, Callable[[], Any]] = {
        "native": native,
        "peer:numpy": functools.partial(plain, scale),
        "peer:ranx": by_ranx,
    }
    expected = native()
    # A repeated item counts once here, and again at each rank elsewhere: few lists have one.
    tolerance = 0.02

    def check(result: dict[str, float]) -> None:
        for name, value in expected.items():
            assert result[name] == pytest.approx(value, rel=tolerance)

    measure(f"recall, ndcg, map at {K} of {len(lists):,} lists", member, calls[member], check)
