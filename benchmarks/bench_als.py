"""Alternating least squares: an iteration of both sides, and its parts.

Every member starts from the same factors with the objective of als_courses.py; after the iteration
its loss is within 1e-4 of the loss that float64 gives with the same solver. als_to_loss.py follows
whole courses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from als_courses import COURSES, OBJECTIVE, SOLVERS, Problem, Sides, iteration, loss, start
from data import SIZES, power_law

from aimass_core import _core, reference

SHAPES = {"small": (300, 200, 9_000), "medium": SIZES["ml1m"], "full": SIZES["ml20m"]}
FACTORS = {"small": (16,), "medium": (64, 128), "full": (64, 127, 128, 256)}
ROUNDS = {"reference": 1, "peer:implicit": 1, "peer:irspack": 3, "peer:buffalo": 1}
LOSS = 1e-4


@cache
def problem(scale: str) -> Problem:
    """The matrix of a scale."""
    return Problem.of(power_law(*SHAPES[scale]))


@cache
def first(scale: str, f: int) -> Sides:
    """Common first factors."""
    return start(problem(scale), f)


@cache
def expected(scale: str, f: int, solver: str) -> float:
    """The loss after an iteration in float64."""
    p = problem(scale)
    return loss(p, iteration(_core, p, first(scale, f), solver, 2, np.float64))


@pytest.mark.parametrize(
    "member", ["native", "reference", "peer:implicit", "peer:irspack", "peer:buffalo"]
)
@pytest.mark.parametrize("solver", ["cholesky", "pcg", "cg", "subspace"])
@pytest.mark.parametrize("place", range(4))
def bench_iteration(
    measure: Callable[..., Any], place: int, solver: str, member: str, scale: str, n_threads: int
) -> None:
    """als_solve on both sides, Gramians included."""
    if place >= len(FACTORS[scale]):
        pytest.skip("not at this scale")
    f, (kind, _, name) = FACTORS[scale][place], member.partition(":")
    if member == "reference" and (scale == "full" or f > 64):
        pytest.skip("the reference would take hours")
    if kind == "peer" and solver not in SOLVERS[name]:
        pytest.skip(f"{name} has no such solver, or one that does not do the same")
    if f == 127 and not (solver == "cholesky" and name in ("", "buffalo")):
        pytest.skip("the most factors that Buffalo's exact solver takes")
    if f >= 127 and solver == "cholesky" and name == "implicit":
        pytest.skip("takes minutes")
    if f > 128 and solver == "cholesky" and kind == "peer":
        pytest.skip("takes minutes")
    p = problem(scale)

    def check(sides: Sides) -> None:
        assert loss(p, sides) == pytest.approx(expected(scale, f, solver), rel=LOSS)

    def native(home: Any) -> Sides:
        return iteration(home, p, first(scale, f), solver, n_threads)

    group, rounds = f"als iteration, {solver}, f = {f}", {}
    if member in ROUNDS and scale != "small":
        rounds = {"rounds": ROUNDS[member]}
    if kind != "peer":
        home = {"native": _core, "reference": reference}[member]
        measure(group, member, lambda: native(home), check, **rounds)
        return
    course = COURSES[name](p, first(scale, f), solver, n_threads)
    course.iterate()
    check(course.sides())

    def check_going_on(_: Any) -> None:  # timed are the iterations after the first
        assert loss(p, course.sides()) < expected(scale, f, solver)

    measure(group, member, course.iterate, check_going_on, warm_up=False, **rounds)


@pytest.mark.parametrize("member", ["native", "reference"])
def bench_loss(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    """als_loss."""
    f = FACTORS[scale][0]
    if member == "reference" and scale == "full":
        pytest.skip("the reference holds two vectors for each entry")
    home = {"native": _core, "reference": reference}[member]
    users, items = first(scale, f)

    def call() -> float:
        rows = problem(scale).rows
        return home.als_loss(*rows, users, items, **OBJECTIVE, n_threads=n_threads)

    sample = slice(0, 50)
    indptr, indices, data = problem(scale).rows
    part = indptr[:51], indices[: indptr[50]], data[: indptr[50]]

    def check(result: float) -> None:
        got = home.als_loss(*part, users[sample], items, **OBJECTIVE, n_threads=n_threads)
        want = 0.0
        for row, (begin, end) in enumerate(pairwise(indptr[:51])):
            s = items[indices[begin:end]].astype(np.float64) @ users[row]
            v = data[begin:end].astype(np.float64)
            want += float((v * s**2 + (1 + v) * (1 - 2 * s)).sum())
        assert got == pytest.approx(want, rel=1e-4)
        assert np.isfinite(result)

    measure(f"als_loss, f = {f}", member, call, check)


@pytest.mark.parametrize("member", ["native", "reference"])
def bench_gramian(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    """als_gramian of the users."""
    f = FACTORS[scale][0]
    home = {"native": _core, "reference": reference}[member]
    users = first(scale, f)[0]
    want = users.astype(np.float64).T @ users.astype(np.float64)

    def check(result: np.ndarray) -> None:
        np.testing.assert_allclose(result, want, rtol=1e-9, atol=1e-12)

    measure(f"als_gramian, f = {f}", member, lambda: home.als_gramian(users, n_threads), check)
