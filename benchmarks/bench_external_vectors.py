"""Exact search of external vectors by cosine: embeddings of 384 numbers, beside NumPy's batch.

``native`` is the public `FactorIndex`, its packing not counted, as the peer's scaling is not. The
peer multiplies blocks of queries with all vectors and takes the best by partition. Vectors are
mixtures of topics, as embeddings of texts are, scaled to length one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from aimass_core.retrieval import FactorIndex

SIZES = {"small": 20_000, "medium": 100_000, "full": 1_000_000}
N_QUERIES = (1, 16, 64, 256)  # of a call
N_NUMBERS, N_TOPICS, K, BLOCK = 384, 400, 10, 64


@cache
def vectors(scale: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of items and of queries, of length one."""
    rng = np.random.default_rng(0)
    topics = rng.standard_normal((N_TOPICS, N_NUMBERS), dtype=np.float32)

    def draw(count: int) -> np.ndarray:
        rows = np.empty((count, N_NUMBERS), dtype=np.float32)
        for begin in range(0, count, 100_000):
            part = rows[begin : begin + 100_000]
            part[:] = 0.6 * rng.standard_normal(part.shape, dtype=np.float32)
            part += topics[rng.integers(0, N_TOPICS, len(part))]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    return draw(SIZES[scale]), draw(max(N_QUERIES))


def numpy_topk(queries: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of queries times all vectors (BLAS), argpartition, sort of the k."""
    found = []
    for begin in range(0, len(queries), BLOCK):
        scores = queries[begin : begin + BLOCK] @ items.T
        best = np.argpartition(scores, -K, axis=1)[:, -K:]
        values = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-values, axis=1)
        found.append((np.take_along_axis(best, order, axis=1), -np.sort(-values, axis=1)))
    indices, scores = zip(*found, strict=True)
    return np.concatenate(indices), np.concatenate(scores)


@cache
def index_of(scale: str) -> FactorIndex:
    """The packed items."""
    return FactorIndex(vectors(scale)[0])


@pytest.mark.parametrize("n_queries", N_QUERIES)
@pytest.mark.parametrize("member", ["native", "peer:numpy"])
def bench_external_vectors(
    measure: Callable[..., Any], scale: str, n_threads: int, member: str, n_queries: int
) -> None:
    """At least three times the speed of NumPy's batch on a million vectors."""
    items, queries = vectors(scale)
    queries, index = queries[:n_queries], index_of(scale)

    def check(found: Any) -> None:
        """The lists are those of NumPy but for the order of scores that rounding makes equal."""
        indices, scores = (found.indices, found.scores) if hasattr(found, "indices") else found
        expected = numpy_topk(queries[:BLOCK], items)[1]
        np.testing.assert_allclose(scores[:BLOCK], expected, rtol=1e-5)
        own = np.einsum("qd,qkd->qk", queries[:BLOCK], items[indices[:BLOCK]])
        np.testing.assert_allclose(own, expected, rtol=1e-5)

    def native() -> Any:
        return index.topk(queries, K, n_threads=n_threads)

    measure(
        f"{len(items):,} vectors of {N_NUMBERS} numbers, {len(queries)} queries, k {K}",
        member,
        native if member == "native" else lambda: numpy_topk(queries, items),
        check,
    )
