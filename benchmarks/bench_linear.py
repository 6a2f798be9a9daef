"""Kernels of the linear item-item models beside SciPy, NumPy and scikit-learn.

Gramians, inverses and updates are compared with float64 arithmetic of NumPy. Coefficients of SLIM
are not compared with those of another solver: the violation of the optimality conditions is
measured for every member.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from data import SIZES, power_law
from peers import Lists, assert_same_lists, lists, require
from threadpoolctl import threadpool_limits

from aimass_core import _core, reference

SHAPES = {"small": (600, 200, 12_000), "medium": SIZES["ml1m"], "full": SIZES["ml1m"]}
RANKS = {"small": 8, "medium": 64, "full": 256}  # of the update
TARGETS = {"small": 20, "medium": 50, "full": 500}  # items with SLIM coefficients
RIDGE, L1, K = 500.0, 50.0, 10
SLIM_RIDGE, SLIM_TOL, LARGEST_VIOLATION, MAX_SWEEPS = 100.0, 1e-4, 1e-3, 1000

Csr = tuple[np.ndarray, np.ndarray, np.ndarray]


@cache
def ratings(scale: str) -> sp.csr_array:
    """Return the ratings, float32."""
    return power_law(*SHAPES[scale])


def csr_parts(X: sp.csr_array) -> Csr:
    """Return the arrays of a matrix in the types of the kernels."""
    return X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data


@cache
def exact_gramian(scale: str) -> np.ndarray:
    """Return X'X of the ratings, float64."""
    X = ratings(scale).astype(np.float64)
    product: np.ndarray = (X.T.tocsr() @ X).toarray()
    return product


@cache
def regularized(scale: str) -> np.ndarray:
    """Return X'X plus the ridge, float32: the matrix that EASE inverts."""
    G = exact_gramian(scale)
    return (G + RIDGE * np.eye(len(G))).astype(np.float32)


@cache
def exact_inverse(scale: str) -> np.ndarray:
    """Return the inverse of `regularized`, computed in float64."""
    return np.linalg.inv(regularized(scale).astype(np.float64))


def close_to(want: Callable[[], np.ndarray], tolerance: float) -> Callable[[np.ndarray], None]:
    """Return a check of the largest error relative to the largest value."""

    def check(result: np.ndarray) -> None:
        expected = want()
        largest = np.abs(expected).max()
        np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * largest)

    return check


def limited(call: Callable[[], Any], n_threads: int) -> Callable[[], Any]:
    """Return the call with as many BLAS threads as the kernels have."""

    def run() -> Any:
        with threadpool_limits(n_threads):
            return call()

    return run


def in_place(kernel: Callable[..., None], a: np.ndarray, *arguments: Any) -> np.ndarray:
    """Return a copy of `a` as the kernel leaves it; the copy is part of the time."""
    out = a.copy()
    kernel(out, *arguments)
    return out


# --- the dense matrices of EASE ---


@pytest.mark.parametrize("member", ["native", "reference", "peer:scipy"])
def bench_gram_matrix(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    X = ratings(scale)
    parts, n_items = csr_parts(X), X.shape[1]
    calls = {
        "native": lambda: _core.gram_matrix(*parts, n_items, n_threads),
        "reference": lambda: reference.gram_matrix(*parts, n_items, n_threads),
        "peer:scipy": lambda: (X.T.tocsr() @ X).toarray(),
    }
    group = f"gram_matrix: {n_items:,} items, {X.nnz:,} ratings"
    measure(group, member, calls[member], close_to(lambda: exact_gramian(scale), 1e-6))


@pytest.mark.parametrize("member", ["native", "reference", "peer:numpy", "peer:scipy"])
def bench_spd_inverse(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    A = regularized(scale)

    def by_cholesky() -> np.ndarray:
        factor = scipy.linalg.cho_factor(A, lower=True)
        inverse: np.ndarray = scipy.linalg.cho_solve(factor, np.eye(len(A), dtype=A.dtype))
        return inverse

    calls = {
        "native": lambda: in_place(_core.spd_inverse, A, n_threads),
        "reference": lambda: in_place(reference.spd_inverse, A, n_threads),
        "peer:numpy": lambda: np.linalg.inv(A),
        "peer:scipy": by_cholesky,
    }
    check = close_to(lambda: exact_inverse(scale), 1e-3)
    group = f"spd_inverse: {len(A):,} items, float32"
    measure(group, member, limited(calls[member], n_threads), check)


@pytest.mark.parametrize("member", ["native", "reference", "peer:numpy"])
def bench_symmetric_update(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    A = regularized(scale)
    v = np.random.default_rng(1).normal(size=(len(A), RANKS[scale])).astype(np.float32)
    u = -v

    def want() -> np.ndarray:
        v64 = v.astype(np.float64)
        return A.astype(np.float64) - v64 @ v64.T

    def by_numpy() -> np.ndarray:
        out = u @ v.T
        out += A
        return out

    calls = {
        "native": lambda: in_place(_core.symmetric_update, A, u, v, n_threads),
        "reference": lambda: in_place(reference.symmetric_update, A, u, v, n_threads),
        "peer:numpy": by_numpy,
    }
    group = f"symmetric_update: {len(A):,} items, rank {RANKS[scale]}, float32"
    measure(group, member, limited(calls[member], n_threads), close_to(want, 1e-5))


# --- SLIM ---


@cache
def targets(scale: str) -> np.ndarray:
    """Return the items whose coefficients are computed."""
    rng = np.random.default_rng(2)
    return np.sort(rng.permutation(SHAPES[scale][1])[: TARGETS[scale]]).astype(np.int32)


def slim_arguments(scale: str, n_threads: int) -> tuple[Any, ...]:
    """Return what `slim_dense` and `slim_sparse` take after the matrices."""
    none = (None,) * 5
    ridge = np.full(SHAPES[scale][1], SLIM_RIDGE)
    settings = (L1, True, SHAPES[scale][1], SLIM_TOL, MAX_SWEEPS, n_threads)
    return ridge, targets(scale), *none, *settings


def elastic_nets(scale: str, columns: sp.csc_matrix) -> np.ndarray:
    """Return scikit-learn's coefficients, targets x items; one regression per target."""
    linear_model = require("sklearn.linear_model", "scikit-learn")
    n_users, n_items = columns.shape
    model = linear_model.ElasticNet(
        alpha=(L1 + SLIM_RIDGE) / n_users,
        l1_ratio=L1 / (L1 + SLIM_RIDGE),
        fit_intercept=False,
        positive=True,
        max_iter=MAX_SWEEPS,
        tol=1e-6,
        copy_X=False,
    )
    out = np.zeros((TARGETS[scale], n_items))
    for t, j in enumerate(targets(scale)):
        entries = slice(columns.indptr[j], columns.indptr[j + 1])
        values = columns.data[entries].copy()
        column = np.zeros(n_users)
        column[columns.indices[entries]] = values
        columns.data[entries] = 0  # an item has no coefficient of itself
        out[t] = model.fit(columns, column).coef_
        columns.data[entries] = values
    return out


def optimal(scale: str) -> Callable[[Any], None]:
    """Return a check of the violation of optimality, relative to the largest |G_ij|."""

    def check(result: Any) -> None:
        G, rows = exact_gramian(scale), np.arange(TARGETS[scale])
        shape = len(rows), len(G)
        if isinstance(result, np.ndarray):
            w = result
        else:
            indptr, indices, values = result[:3]
            w = sp.csr_array((values.astype(np.float64), indices, indptr), shape=shape).toarray()
        scores = G[targets(scale)]
        curvature = np.diag(G) + SLIM_RIDGE
        best = np.maximum(scores - w @ G + np.diag(G) * w - L1, 0) / curvature
        violation = np.abs(best - w) * curvature
        scores[rows, targets(scale)] = violation[rows, targets(scale)] = 0
        assert (w[rows, targets(scale)] == 0).all()
        assert (violation.max(axis=1) / scores.max(axis=1)).max() <= LARGEST_VIOLATION

    return check


SLIM_MEMBERS = ["native", "reference", "peer:sklearn"]


def run_slim(
    measure: Callable[..., Any],
    kernels: tuple[Callable[..., Any], ...],
    member: str,
    scale: str,
    first: tuple[Any, ...],
    n_threads: int,
) -> None:
    """Measure one member: `kernels` are the native one and its reference, `first` the matrices."""
    if member == "reference" and scale != "small":
        pytest.skip("the reference takes minutes: only at AIMASS_BENCH_SCALE=small")
    if member == "peer:sklearn":
        require("sklearn.linear_model", "scikit-learn")  # the import is not timed
    native, plain = kernels
    columns = sp.csc_matrix(ratings(scale).astype(np.float64))
    columns.indices, columns.indptr = (
        a.astype(np.int32) for a in (columns.indices, columns.indptr)
    )
    arguments = *first, *slim_arguments(scale, n_threads)
    calls = {
        "native": lambda: native(*arguments),
        "reference": lambda: plain(*arguments),
        "peer:sklearn": limited(lambda: elastic_nets(scale, columns), n_threads),
    }
    rounds = {} if member == "native" else {"rounds": 1, "warm_up": False}
    group = f"{plain.__name__}: {TARGETS[scale]} targets of {columns.shape[1]:,} items"
    measure(group, member, calls[member], optimal(scale), **rounds)


@pytest.mark.parametrize("member", SLIM_MEMBERS)
def bench_slim_dense(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    """The Gramian is given to the kernel and is not part of its time."""
    first = (exact_gramian(scale).astype(np.float32),)
    run_slim(measure, (_core.slim_dense, reference.slim_dense), member, scale, first, n_threads)


@pytest.mark.parametrize("member", SLIM_MEMBERS)
def bench_slim_sparse(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    X = ratings(scale)
    first = *csr_parts(X), *csr_parts(X.T.tocsr())
    run_slim(measure, (_core.slim_sparse, reference.slim_sparse), member, scale, first, n_threads)


# --- ridge regression on lists of items: sparse EASE ---


@cache
def nearest(scale: str, length: int) -> np.ndarray:
    """Return the items with the largest co-occurrence of each target, without itself."""
    G = exact_gramian(scale)[targets(scale)]
    G[np.arange(len(G)), targets(scale)] = -np.inf
    best: np.ndarray = np.argsort(-G, axis=1, kind="stable")[:, :length]
    return np.ascontiguousarray(best, dtype=np.int32)


@pytest.mark.parametrize("member", ["native", "reference", "peer:numpy"])
def bench_ridge_lists(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    """Every target on the whole list; the Gramian is given to all and is not part of the time."""
    X = ratings(scale)
    n_users, n_items = X.shape
    length = min(200, n_items - 1)
    chosen = nearest(scale, length)
    G = exact_gramian(scale)
    indptr = np.arange(len(chosen) + 1, dtype=np.int64) * length
    columns = csr_parts(X.T.tocsr())

    def native(kernel: Callable[..., Any]) -> np.ndarray:
        ridge = np.full(n_items, RIDGE)
        weights: np.ndarray = kernel(
            *columns,
            n_users,
            G.astype(np.float32),
            ridge,
            targets(scale),
            indptr,
            chosen.ravel(),
            length,
            n_threads,
        )
        return weights.reshape(chosen.shape)

    def by_numpy() -> np.ndarray:
        out = np.empty(chosen.shape)
        for t, items in enumerate(chosen):
            system = G[np.ix_(items, items)] + RIDGE * np.eye(length)
            out[t] = np.linalg.solve(system, G[items, targets(scale)[t]])
        return out

    calls = {
        "native": lambda: native(_core.ridge_lists),
        "reference": lambda: native(reference.ridge_lists),
        "peer:numpy": by_numpy,
    }
    group = f"ridge_lists: {len(chosen)} targets on {length} items"
    measure(group, member, limited(calls[member], n_threads), close_to(by_numpy, 1e-3))


# --- recommendations from a dense item-item matrix ---


@pytest.mark.parametrize("member", ["native", "reference", "peer:scipy"])
def bench_spmm_topk(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    X = ratings(scale)
    parts = csr_parts(X)
    inverse = exact_inverse(scale)
    weights = (-inverse / np.diag(inverse)).astype(np.float32)  # of EASE
    np.fill_diagonal(weights, 0)
    weights = np.ascontiguousarray(weights)

    def native(kernel: Callable[..., Any]) -> Any:
        return kernel(*parts, weights, K, parts[0], parts[1], None, n_threads)

    def by_scipy() -> Lists:
        score = X @ weights
        score[np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices] = -np.inf
        best = np.argpartition(-score, K, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(score, best, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        return Lists(best, np.take_along_axis(score, best, axis=1))

    def check(result: Any) -> None:
        sample = np.random.default_rng(0).permutation(X.shape[0])[:200]
        sample = sample[np.diff(X.indptr)[sample] > 0]  # users without ratings get no list
        chosen = X[sample]
        product = chosen.astype(np.float64) @ weights.astype(np.float64)
        product[chosen.toarray() != 0] = -np.inf
        best = np.argsort(-product, axis=1, kind="stable")[:, :K]
        want = Lists(best, np.take_along_axis(product, best, axis=1))
        got = lists(result, K)
        got = Lists(got.indices[sample], got.scores[sample])
        assert_same_lists(got, want, rtol=1e-3)

    calls = {
        "native": lambda: native(_core.spmm_topk),
        "reference": lambda: native(reference.spmm_topk),
        "peer:scipy": by_scipy,
    }
    group = f"spmm_topk: top-{K} of {X.shape[1]:,} items for {X.shape[0]:,} users"
    measure(group, member, calls[member], check)
