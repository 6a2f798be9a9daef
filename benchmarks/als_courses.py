"""Alternating least squares by this library and others, iteration by iteration from given factors.

All minimise what Hu, Koren and Volinsky do with confidence 1 + value and a constant weight of the
squared factors: each library gets the values in the form that gives it this objective. The peers'
solvers are called as their own `fit` calls them, without what it does besides (losses, progress,
reading from files).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from peers import require

from aimass_core import _core

OBJECTIVE = {"alpha": 1.0, "weight_shift": 0.0, "target_shift": 1.0, "preferences": True}
REGULARIZATION = 0.01
STEPS = {"cholesky": 1, "cg": 3, "pcg": 2, "subspace": 1}

Sides = tuple[np.ndarray, np.ndarray]
Part = tuple[np.ndarray, np.ndarray, np.ndarray]  # indptr, indices, data


class Problem(NamedTuple):
    """Values of users x items, by users and by items."""

    rows: Part
    columns: Part

    @classmethod
    def of(cls, X: sp.csr_array) -> Problem:
        """Of a canonical matrix."""
        parts = X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data.astype(np.float32)
        return cls(parts, _core.csr_transpose(*parts, X.shape[1], 2))

    @property
    def shape(self) -> tuple[int, int]:
        """Users, items."""
        return len(self.rows[0]) - 1, len(self.columns[0]) - 1

    def matrices(self, added: float = 0.0) -> list[sp.csr_matrix]:
        """Both as SciPy's matrices with int32 indices, `added` to every value."""
        return [
            sp.csr_matrix((data + np.float32(added), indices, indptr.astype(np.int32)), shape=shape)
            for (indptr, indices, data), shape in (
                (self.rows, self.shape),
                (self.columns, self.shape[::-1]),
            )
        ]


class Course(NamedTuple):
    """A training under way: an iteration improves the users, then the items."""

    iterate: Callable[[], Any]
    sides: Callable[[], Sides]


def start(problem: Problem, n_factors: int) -> Sides:
    """Common first factors."""
    rng = np.random.default_rng(0)
    spread = 0.1 / np.sqrt(n_factors)
    users, items = (
        (rng.standard_normal((n, n_factors)) * spread).astype(np.float32) for n in problem.shape
    )
    return users, items


def iteration(
    home: Any, problem: Problem, sides: Sides, solver: str, n_threads: int, dtype: Any = np.float32
) -> Sides:
    """Users, then items, as implicit does it; `home` is the kernels or their references.

    A solver's name may end in its steps, as in "pcg-1".
    """
    users, items = (side.astype(dtype, copy=False) for side in sides)
    name, _, steps = solver.partition("-")
    options = {**OBJECTIVE, "solver": name, "n_steps": int(steps or STEPS[name])}

    def half(part: Part, factors: np.ndarray, mine: np.ndarray) -> np.ndarray:
        indptr, indices, data = part
        return home.als_solve(
            indptr,
            indices,
            data.astype(dtype, copy=False),
            factors,
            home.als_gramian(factors, n_threads),
            mine,
            np.full(len(mine), REGULARIZATION),
            factors[:0],
            REGULARIZATION,
            **options,
            block_size=64,
            n_threads=n_threads,
        )

    users = half(problem.rows, items, users)
    return users, half(problem.columns, users, items)


def loss(problem: Problem, sides: Sides) -> float:
    """Over all pairs, with the squared factors."""
    users, items = (np.ascontiguousarray(side, dtype=np.float64) for side in sides)
    indptr, indices, data = problem.rows
    seen = _core.als_loss(
        indptr, indices, data.astype(np.float64), users, items, **OBJECTIVE, n_threads=2
    )
    gramians = [_core.als_gramian(side, 2) for side in (users, items)]
    shrunk = REGULARIZATION * sum(np.trace(g) for g in gramians)
    return float(seen + (gramians[0] * gramians[1]).sum() + shrunk)


def native_course(problem: Problem, begin: Sides, solver: str, n_threads: int) -> Course:
    """This library: every solver."""
    sides = [begin]

    def iterate() -> None:
        sides[0] = iteration(_core, problem, sides[0], solver, n_threads)

    return Course(iterate, lambda: sides[0])


def implicit_course(problem: Problem, begin: Sides, solver: str, n_threads: int) -> Course:
    """implicit: confidence in place of values; "cholesky" or "cg" (three steps)."""
    require("implicit")
    from implicit.cpu import _als
    from threadpoolctl import threadpool_limits  # implicit asks for a BLAS of one thread

    solve = _als.least_squares_cg if solver == "cg" else _als.least_squares
    rows, columns = problem.matrices(1.0)
    users, items = (side.copy() for side in begin)

    def iterate() -> None:
        with threadpool_limits(1, "blas"):
            solve(rows, users, items, REGULARIZATION, num_threads=n_threads)
            solve(columns, items, users, REGULARIZATION, num_threads=n_threads)

    return Course(iterate, lambda: (users, items))


def irspack_course(problem: Problem, begin: Sides, solver: str, n_threads: int) -> Course:
    """irspack: "cholesky", "cg" (three steps) or "subspace" (iALS++ in blocks of 64)."""
    core = require("irspack.recommenders._ials_core", "irspack (for Python 3.12 or newer)")
    name = {"cholesky": "CHOLESKY", "cg": "CG", "subspace": "IALSPP"}[solver]
    settings = {
        "K": begin[0].shape[1],
        "alpha0": 1.0,
        "reg": REGULARIZATION,
        "nu": 0.0,
        "init_stdev": 0.0,
        "random_seed": 0,
        "loss_type": core.LossType.ORIGINAL,
    }
    config = core.IALSModelConfigBuilder()
    for key, value in settings.items():
        config = getattr(config, f"set_{key}")(value)
    trainer = core.IALSTrainer(config.build(), problem.matrices()[0])
    trainer.user, trainer.item = begin
    how = (
        core.IALSSolverConfigBuilder()
        .set_n_threads(n_threads)
        .set_solver_type(getattr(core.SolverType, name))
        .set_max_cg_steps(3)
        .set_ialspp_iteration(1)
        .set_ialspp_subspace_dimension(64)
        .build()
    )
    return Course(lambda: trainer.step(how), lambda: (trainer.user, trainer.item))


def buffalo_course(problem: Problem, begin: Sides, solver: str, n_threads: int) -> Course:
    """Buffalo: "cholesky", its form of "cg", and its "subspace", three CG steps in blocks of 64.

    From 128 factors on version 2.0.6 takes the last, whatever it is asked for.
    """
    how = "buffalo, on Python 3.11 or older with NumPy 1.26 or older"  # hence in no extra
    module = require("buffalo.algo._als", "buffalo", how)
    from buffalo.algo.options import ALSOption

    n_factors = begin[0].shape[1]
    if n_factors >= 128 and solver != "subspace (own)":
        pytest.skip("Buffalo has no such solver from 128 factors on")
    options = ALSOption().get_default_option()
    options.update(
        d=n_factors,
        num_workers=n_threads,
        alpha=1.0,
        compute_loss_on_training=False,
        optimizer={"cholesky": "llt", "cg (own)": "manual_cg", "subspace (own)": "ialspp"}[solver],
        reg_u=REGULARIZATION,
        reg_i=REGULARIZATION,
        block_size=64,
    )
    model = module.CyALS()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "options.json"
        path.write_text(json.dumps(options))
        if not model.init(str(path).encode()):
            raise RuntimeError("Buffalo refuses its options")
    users, items = (side.copy() for side in begin)
    model.initialize_model(users, items)

    def iterate() -> None:
        for axis, (indptr, indices, data) in enumerate((problem.rows, problem.columns)):
            model.precompute(axis)
            model.partial_update(0, len(indptr) - 1, indptr[1:], indices, data, axis)

    return Course(iterate, lambda: (users, items))


COURSES = {
    "native": native_course,
    "implicit": implicit_course,
    "irspack": irspack_course,
    "buffalo": buffalo_course,
}
# The solvers of each; those whose iteration is the same in exact arithmetic have one name, and
# Buffalo's two others are its own.
SOLVERS = {
    "native": ("pcg", "cg", "cholesky", "subspace"),
    "implicit": ("cg", "cholesky"),
    "irspack": ("cg", "cholesky", "subspace"),
    "buffalo": ("cholesky", "cg (own)", "subspace (own)"),
}
