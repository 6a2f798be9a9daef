"""Exact top-k from factors with the seen items left out, beside the peers; one user at a time.

``native`` is the public `FactorIndex`, its packing not counted, as the peers' set-up is not. The
reference multiplies one block and sorts. Trained factors are implicit's ALS on the suite's matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from factors import CASES, factors, seen
from peers import require

from aimass_core.reference import score_topk as reference
from aimass_core.retrieval import FactorIndex

BATCHES = {  # scale -> (case, kind, k)
    "small": [("small", "trained", 10)],
    "medium": [("ml1m f64", "trained", 10), ("ml1m f64", "gaussian", 10)],
    "full": [
        ("ml20m f64", "trained", 10),
        ("ml20m f64", "gaussian", 10),
        ("ml20m f128", "trained", 100),
        ("ml20m f128", "gaussian", 100),
        ("200k items f64", "trained", 10),
    ],
}
N_USERS = 20_000  # of the batch: peers take 100 to 1000 us for each
BLOCK = 1024  # users whose scores the peers hold at once


@cache
def problem(case: str, kind: str) -> tuple[np.ndarray, np.ndarray, sp.csr_matrix]:
    """Some users, all items, and what these users have."""
    U, V = factors(case, kind)
    X = seen(case)
    rows = np.random.default_rng(0).permutation(len(U))[:N_USERS]
    matrix = sp.csr_matrix((X.data, X.indices, X.indptr.astype(np.int32)), shape=X.shape)
    return np.ascontiguousarray(U[rows]), V, matrix[rows]


def places(X: sp.csr_matrix, begin: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of what the users of a block have."""
    indptr = X.indptr[begin : begin + BLOCK + 1]
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return rows, X.indices[indptr[0] : indptr[-1]]


def numpy_topk(U: np.ndarray, V: np.ndarray, X: sp.csr_matrix, k: int, n_threads: int) -> Any:
    """Matrix product (BLAS with its own threads), argpartition, sort of the k."""
    found = []
    for begin in range(0, len(U), BLOCK):
        scores = U[begin : begin + BLOCK] @ V.T
        scores[places(X, begin)] = -np.inf
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        best = np.take_along_axis(best, order, axis=1)
        found.append((best, np.take_along_axis(scores, best, axis=1)))
    return tuple(np.concatenate(parts) for parts in zip(*found))


def torch_topk(U: np.ndarray, V: np.ndarray, X: sp.csr_matrix, k: int, n_threads: int) -> Any:
    """Matrix product and topk."""
    torch = require("torch")
    torch.set_num_threads(n_threads)
    items, found = torch.from_numpy(V).T, []
    for begin in range(0, len(U), BLOCK):
        scores = torch.from_numpy(U[begin : begin + BLOCK]) @ items
        rows, columns = places(X, begin)
        scores[torch.from_numpy(rows), torch.from_numpy(columns.astype(np.int64))] = -torch.inf
        best = torch.topk(scores, k)
        found.append((best.indices.numpy(), best.values.numpy()))
    return tuple(np.concatenate(parts) for parts in zip(*found))


def implicit_topk(U: np.ndarray, V: np.ndarray, X: sp.csr_matrix, k: int, n_threads: int) -> Any:
    """The function behind implicit's `recommend`."""
    require("implicit")
    from implicit.cpu.topk import topk

    return topk(V, U, k, filter_query_items=X, num_threads=n_threads)


@cache
def _faiss_index(case: str, kind: str) -> Any:
    index = require("faiss", "faiss-cpu").IndexFlatIP(CASES[case][3])
    index.add(problem(case, kind)[1])
    return index


def check_against(U: np.ndarray, V: np.ndarray, X: sp.csr_matrix | None, k: int) -> Callable:
    """Every k-th best score and the order of scores agree with float64 on some users."""
    sample = np.random.default_rng(1).permutation(len(U))[:100]
    scores = U[sample].astype(np.float64) @ V.astype(np.float64).T
    if X is not None:
        scores[X[sample].nonzero()] = -np.inf
    want = -np.sort(-scores, axis=1)[:, :k]

    def check(result: Any) -> None:
        parts = result if isinstance(result, tuple) else (result.indices, result.scores)
        indices, values = (np.asarray(part)[sample] for part in parts)
        np.testing.assert_allclose(values, want, rtol=1e-3, atol=1e-5)
        found = np.take_along_axis(scores, indices.astype(np.int64), axis=1)
        np.testing.assert_allclose(found, want, rtol=1e-3, atol=1e-5)

    return check


MEMBERS = ["native", "reference", "peer:numpy", "peer:torch", "peer:implicit", "peer:faiss"]
BATCH_PEERS = {"numpy": numpy_topk, "torch": torch_topk, "implicit": implicit_topk}


@pytest.mark.parametrize("place", range(max(map(len, BATCHES.values()))))
@pytest.mark.parametrize("member", MEMBERS)
def bench_score_topk(
    measure: Callable[..., Any], member: str, place: int, scale: str, n_threads: int
) -> None:
    if place >= len(BATCHES[scale]):
        pytest.skip("no such case at this scale")
    case, kind, k = BATCHES[scale][place]
    U, V, X = problem(case, kind)
    # Once is enough where a peer takes minutes; what it gave then is checked all the same.
    rounds = 1 if member.startswith("peer") and len(U) * len(V) > 10**9 else 3
    check = check_against(U, V, X, k)
    if member == "native":
        index = FactorIndex(V)
        exclude = sp.csr_array(X)
        call = lambda: index.topk(U, k, exclude=exclude, n_threads=n_threads)  # noqa: E731
    elif member == "reference":
        rounds = 1
        if len(U) * len(V) > 10**8:
            pytest.skip("the reference sorts all scores: minutes")
        call = lambda: reference(U, V, None, k, X.indptr, X.indices)  # noqa: E731
    elif member == "peer:faiss":  # has no filter by user
        index, check = _faiss_index(case, kind), check_against(U, V, None, k)
        require("faiss").omp_set_num_threads(n_threads)
        call = lambda: index.search(U, k)[::-1]  # noqa: E731
    else:
        peer = BATCH_PEERS[member.removeprefix("peer:")]
        call = lambda: peer(U, V, X, k, n_threads)  # noqa: E731
    group = f"score_topk: {len(U):,} users, {case}, {kind} factors, k {k}"
    measure(group, member, call, check, rounds=rounds, warm_up=rounds > 1, users=len(U))


@pytest.mark.parametrize("kind", ["trained", "gaussian"])
@pytest.mark.parametrize("member", MEMBERS[:1] + MEMBERS[2:])
def bench_single_user(benchmark: Any, member: str, kind: str, scale: str, n_threads: int) -> None:
    """One user a call, filtered (faiss: not): the median over users is the p50 of serving."""
    case = BATCHES[scale][0][0]
    U, V, X = problem(case, kind)
    n, k = 300, 10
    rows = [X[[i]] for i in range(n)]
    name = member.removeprefix("peer:")
    if member == "native":
        index, lists = FactorIndex(V), [sp.csr_array(row) for row in rows]
        ask = lambda i: index.topk(U[i : i + 1], k, exclude=lists[i], n_threads=1)  # noqa: E731
    elif name == "faiss":
        index = _faiss_index(case, kind)
        require("faiss").omp_set_num_threads(1)
        ask = lambda i: index.search(U[i : i + 1], k)[::-1]  # noqa: E731
    else:
        ask = lambda i: BATCH_PEERS[name](U[i : i + 1], V, rows[i], k, 1)  # noqa: E731
    answers = [ask(i) for i in range(n)]
    pairs = [a if isinstance(a, tuple) else (a.indices, a.scores) for a in answers]
    merged = tuple(np.concatenate([np.asarray(a[j]) for a in pairs]) for j in (0, 1))
    every = sp.csr_matrix(sp.vstack(rows)) if name != "faiss" else None
    expected = U[:n].astype(np.float64) @ V.T.astype(np.float64)
    if every is not None:
        expected[every.nonzero()] = -np.inf
    want = -np.sort(-expected, axis=1)[:, :k]
    np.testing.assert_allclose(merged[1], want, rtol=1e-3, atol=1e-5)
    benchmark.group = f"score_topk: one user, {case}, {kind} factors, k {k}"
    benchmark.extra_info.update(member=member)
    turn = iter(range(10**9))
    benchmark.pedantic(lambda: ask(next(turn) % n), rounds=n, iterations=1)
