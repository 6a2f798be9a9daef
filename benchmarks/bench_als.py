"""Alternating least squares: an iteration of both sides, its parts, and the time to a loss.

Every member starts from the same factors with the objective of the implicit library (confidence in
place of the unobserved weight, constant regularisation); after the iteration its loss is within
1e-4 of the loss that float64 gives with the same solver.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from data import SIZES, power_law
from peers import require

from aimass_core import _core, reference

SHAPES = {"small": (300, 200, 9_000), "medium": SIZES["ml1m"], "full": SIZES["ml20m"]}
FACTORS = {"small": (16,), "medium": (64, 128), "full": (64, 128, 256)}
REGULARIZATION = 0.01
OBJECTIVE = {"alpha": 1.0, "weight_shift": -1.0, "target_shift": 0.0, "preferences": True}
ROUNDS = {"reference": 1, "peer:implicit": 1}
LOSS = 1e-4

Sides = tuple[np.ndarray, np.ndarray]


@cache
def problem(scale: str) -> tuple[Any, Any]:
    """The matrix and its transpose, each as (indptr, indices, data)."""
    X = power_law(*SHAPES[scale])
    parts = X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data
    return parts, _core.csr_transpose(*parts, X.shape[1], 2)


@cache
def start(scale: str, f: int) -> Sides:
    """Common first factors."""
    rng = np.random.default_rng(0)
    n_users, n_items, _ = SHAPES[scale]
    return tuple(  # type: ignore[return-value]
        (rng.standard_normal((n, f)) * 0.1 / np.sqrt(f)).astype(np.float32)
        for n in (n_users, n_items)
    )


def iteration(
    home: Any, scale: str, sides: Sides, solver: str, n_threads: int, dtype: Any = np.float32
) -> Sides:
    """Users, then items: as implicit does it."""
    users, items = (side.astype(dtype, copy=False) for side in sides)
    options = {**OBJECTIVE, "solver": solver, "n_steps": 1 if solver == "subspace" else 3}
    rows, columns = (
        (indptr, indices, data.astype(dtype, copy=False))
        for indptr, indices, data in problem(scale)
    )

    def half(part: Any, factors: np.ndarray, mine: np.ndarray) -> np.ndarray:
        return home.als_solve(
            *part,
            factors,
            home.als_gramian(factors, n_threads),
            mine,
            np.full(len(mine), REGULARIZATION),
            **options,
            block_size=64,
            n_threads=n_threads,
        )

    users = half(rows, items, users)
    return users, half(columns, users, items)


def loss(scale: str, sides: Sides) -> float:
    """Over all pairs, with the squared factors."""
    users, items = (np.ascontiguousarray(side, dtype=np.float64) for side in sides)
    indptr, indices, data = problem(scale)[0]
    seen = _core.als_loss(
        indptr, indices, data.astype(np.float64), users, items, **OBJECTIVE, n_threads=2
    )
    gramians = [_core.als_gramian(side, 2) for side in (users, items)]
    shrunk = REGULARIZATION * sum(np.trace(g) for g in gramians)
    return float(seen + (gramians[0] * gramians[1]).sum() + shrunk)


@cache
def expected(scale: str, f: int, solver: str) -> float:
    """The loss after an iteration in float64."""
    return loss(scale, iteration(_core, scale, start(scale, f), solver, 2, np.float64))


def implicit_iterations(scale: str, sides: Sides, solver: str, n_threads: int, n: int = 1) -> Sides:
    """implicit's solvers, called as its `fit` calls them."""
    require("implicit")
    from implicit.cpu import _als
    from threadpoolctl import threadpool_limits  # implicit asks for a BLAS of one thread

    solve = _als.least_squares_cg if solver == "cg" else _als.least_squares
    n_users, n_items, _ = SHAPES[scale]
    users, items = (side.copy() for side in sides)
    matrices = [
        sp.csr_matrix((data, indices, indptr.astype(np.int32)), shape=shape)
        for (indptr, indices, data), shape in zip(
            problem(scale), ((n_users, n_items), (n_items, n_users)), strict=True
        )
    ]
    with threadpool_limits(1, "blas"):
        for _ in range(n):
            solve(matrices[0], users, items, REGULARIZATION, num_threads=n_threads)
            solve(matrices[1], items, users, REGULARIZATION, num_threads=n_threads)
    return users, items


@pytest.mark.parametrize("member", ["native", "reference", "peer:implicit"])
@pytest.mark.parametrize("solver", ["cholesky", "cg", "subspace"])
@pytest.mark.parametrize("place", [0, 1, 2])
def bench_iteration(
    measure: Callable[..., Any], place: int, solver: str, member: str, scale: str, n_threads: int
) -> None:
    """als_solve on both sides, Gramians included."""
    if place >= len(FACTORS[scale]):
        pytest.skip("not at this scale")
    f = FACTORS[scale][place]
    if member == "reference" and (scale == "full" or f > 64):
        pytest.skip("the reference would take hours")
    if member == "peer:implicit" and (solver == "subspace" or (solver == "cholesky" and f > 128)):
        pytest.skip("implicit has no such solver, or takes minutes")

    def check(sides: Sides) -> None:
        assert loss(scale, sides) == pytest.approx(expected(scale, f, solver), rel=LOSS)

    calls = {
        "native": lambda: iteration(_core, scale, start(scale, f), solver, n_threads),
        "reference": lambda: iteration(reference, scale, start(scale, f), solver, n_threads),
        "peer:implicit": lambda: implicit_iterations(scale, start(scale, f), solver, n_threads),
    }
    rounds = {"rounds": ROUNDS[member]} if member in ROUNDS else {}
    measure(f"als iteration, {solver}, f = {f}", member, calls[member], check, **rounds)


@pytest.mark.parametrize("member", ["native:cg", "native:cholesky", "peer:implicit"])
def bench_time_to_loss(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    """From common factors to the loss that 15 CG iterations of implicit end with."""
    f = FACTORS[scale][0]
    goal = loss(scale, implicit_iterations(scale, start(scale, f), "cg", n_threads, 15))

    def needed(solver: str) -> int:
        sides, n = start(scale, f), 0
        while n < 40:
            sides, n = iteration(_core, scale, sides, solver, n_threads), n + 1
            if loss(scale, sides) <= goal * (1 + 1e-6):
                return n
        raise AssertionError(f"{solver} does not reach the loss")

    def native(solver: str, n: int) -> Sides:
        sides = start(scale, f)
        for _ in range(n):
            sides = iteration(_core, scale, sides, solver, n_threads)
        return sides

    def check(sides: Sides) -> None:
        assert loss(scale, sides) <= goal * (1 + 1e-6)

    kind, _, solver = member.partition(":")
    if kind == "native":
        n = needed(solver)
        call, extra = (lambda: native(solver, n)), {"iterations": n}
    else:
        call = lambda: implicit_iterations(scale, start(scale, f), "cg", n_threads, 15)  # noqa: E731
        extra = {"iterations": 15}
    group = f"als to the loss of 15 CG iterations of implicit, f = {f}"
    measure(group, member, call, check, rounds=1, **extra)


@pytest.mark.parametrize("member", ["native", "reference"])
def bench_loss(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    """als_loss."""
    f = FACTORS[scale][0]
    if member == "reference" and scale == "full":
        pytest.skip("the reference holds two vectors for each entry")
    home = {"native": _core, "reference": reference}[member]
    users, items = start(scale, f)

    def call() -> float:
        rows = problem(scale)[0]
        return home.als_loss(*rows, users, items, **OBJECTIVE, n_threads=n_threads)

    sample = slice(0, 50)
    indptr, indices, data = problem(scale)[0]
    part = indptr[:51], indices[: indptr[50]], data[: indptr[50]]

    def check(result: float) -> None:
        got = home.als_loss(*part, users[sample], items, **OBJECTIVE, n_threads=n_threads)
        want = 0.0
        for row, (begin, end) in enumerate(pairwise(indptr[:51])):
            s = items[indices[begin:end]].astype(np.float64) @ users[row]
            c = data[begin:end].astype(np.float64)
            want += float(((c - 1) * s**2 - 2 * c * s + c).sum())
        assert got == pytest.approx(want, rel=1e-4)
        assert np.isfinite(result)

    measure(f"als_loss, f = {f}", member, call, check)


@pytest.mark.parametrize("member", ["native", "reference"])
def bench_gramian(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    """als_gramian of the users."""
    f = FACTORS[scale][0]
    home = {"native": _core, "reference": reference}[member]
    users = start(scale, f)[0]
    want = users.astype(np.float64).T @ users.astype(np.float64)

    def check(result: np.ndarray) -> None:
        np.testing.assert_allclose(result, want, rtol=1e-9, atol=1e-12)

    measure(f"als_gramian, f = {f}", member, lambda: home.als_gramian(users, n_threads), check)
