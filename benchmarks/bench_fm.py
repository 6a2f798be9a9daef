"""Gibbs sweeps of a factorization machine beside myFM, on the same ratings with one thread.

myFM draws other random numbers, so results are compared as chains: both must end at the same
training error. `python benchmarks/quality_fm.py` compares the errors on held-out ratings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from data import SIZES, power_law
from peers import require

from aimass_core import _core, reference
from aimass_core.base.csr import row_numbers
from aimass_core.hybrid import FactorizationMachineRegressor, RelationBlock

# Users, items, ratings.
SHAPES = {"small": (60, 40, 600), "medium": (943, 1682, 80_000), "full": SIZES["ml1m"]}
FACTORS, SWEEPS, SEED = 10, 20, 1


@cache
def cases(scale: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int]:
    """Return user, item and rating of each case, and the numbers of users and items."""
    X = power_law(*SHAPES[scale])
    return (
        row_numbers(X).astype(np.int64),
        X.indices.astype(np.int64),
        X.data.astype(float),
        *X.shape,
    )


def one_hot(rows: np.ndarray, n: int) -> sp.csr_array:
    return sp.csr_array((np.ones(len(rows)), rows, np.arange(len(rows) + 1)), (len(rows), n))


def native(scale: str, kind: str) -> float:
    """Return the last training error of a chain."""
    users, items, ratings, n_users, n_items = cases(scale)
    model = FactorizationMachineRegressor(
        n_factors=FACTORS, max_iter=SWEEPS, n_burn_in=SWEEPS - 1, random_state=SEED, n_threads=1
    )
    if kind == "relations":
        blocks = [
            RelationBlock(one_hot(np.arange(n), n), rows)
            for rows, n in ((users, n_users), (items, n_items))
        ]
        return float(model.fit(None, ratings, relations=blocks).losses_[-1])
    X = sp.hstack([one_hot(users, n_users), one_hot(items, n_items)], format="csr")
    return float(model.fit(X, ratings).losses_[-1])


def myfm(scale: str, kind: str) -> float:
    """Return the training error of the last draw of myFM's chain."""
    package = require("myfm")
    users, items, ratings, n_users, n_items = cases(scale)
    model = package.MyFMRegressor(rank=FACTORS, random_seed=SEED)
    options = {"n_iter": SWEEPS, "n_kept_samples": 1}
    if kind == "relations":
        blocks = [
            package.RelationBlock(rows, sp.csr_matrix(one_hot(np.arange(n), n)))
            for rows, n in ((users, n_users), (items, n_items))
        ]
        model.fit(None, ratings, blocks, **options)
        predicted = model.predict(None, blocks)
    else:
        stacked = sp.hstack([one_hot(users, n_users), one_hot(items, n_items)])
        X = sp.csr_matrix(stacked)
        model.fit(X, ratings, **options)
        predicted = model.predict(X)
    return float(np.sqrt(np.mean((predicted - ratings) ** 2)))


@pytest.mark.parametrize("kind", ["relations", "design"])
@pytest.mark.parametrize("member", ["native", "peer:myfm"])
def bench_gibbs_sweeps(measure: Callable[..., Any], member: str, kind: str, scale: str) -> None:
    expected = native(scale, kind)

    def check(result: float) -> None:
        assert abs(result - expected) < 0.05 * expected

    calls = {"native": lambda: native(scale, kind), "peer:myfm": lambda: myfm(scale, kind)}
    group = f"{SWEEPS} Gibbs sweeps of a factorization machine, rank {FACTORS}, {kind}, one thread"
    measure(group, member, calls[member], check)


def sweep_arguments(scale: str, kind: str) -> dict[str, Any]:
    """Return the arguments of one sweep over the columns of the users."""
    users, items, ratings, n_users, n_items = cases(scale)
    rng = np.random.default_rng(SEED)
    width, n = 16, len(users)
    columns = np.argsort(users, kind="stable").astype(np.int32)
    indptr = np.r_[0, np.bincount(users, minlength=n_users).cumsum()]
    v, y = (np.zeros((size, width)) for size in (n_users, n_items))
    for table in (v, y):
        table[:, : FACTORS + 1] = rng.normal(0, 0.1, (len(table), FACTORS + 1))
    y[:, 0] = 1
    common = {
        "runs": np.array([0, n_users]),
        "groups": np.zeros(n_users, np.int32),
        "prior": (np.zeros((1, width)), np.ones((1, width))),
        "noise": rng.normal(size=(n_users, width)),
        "alpha": 1.0,
        "weights": np.empty(0),
        "errors": ratings - ratings.mean(),
        "block_width": width,
        "n_factors": FACTORS,
        "coefficients": v,
    }
    own = v.copy()
    own[:, 0] = 1
    if kind == "design":
        sums = own[users] + y[items]
        sums[:, 0] = 1
        return {**common, "indptr": indptr, "indices": columns, "data": np.ones(n), "sums": sums}
    return {
        **common,
        "indptr": np.arange(n_users + 1),
        "indices": np.arange(n_users, dtype=np.int32),
        "data": np.ones(n_users),
        "sums": own,
        "case_indptr": indptr,
        "case_indices": columns,
        "others": [(y, items[columns].astype(np.int32))],
    }


@pytest.mark.parametrize("member", ["native", "reference", "peer:numpy"])
def bench_standard_normal(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    n_users, n_items, _ = SHAPES[scale]
    out, expected = (np.empty((n_users + n_items, 16)) for _ in range(2))
    reference.standard_normal(SEED, expected, 1)
    rng = np.random.default_rng(SEED)

    def right(_: Any) -> None:
        if member == "peer:numpy":
            assert abs(out.std() - 1) < 0.05
        else:
            np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-14)

    calls = {
        "native": lambda: _core.standard_normal(SEED, out, n_threads),
        "reference": lambda: reference.standard_normal(SEED, out, n_threads),
        "peer:numpy": lambda: rng.standard_normal(out=out),
    }
    measure(f"{out.size:,} standard normal numbers", member, calls[member], right)


@pytest.mark.parametrize("kind", ["relation", "design"])
@pytest.mark.parametrize("member", ["native", "reference"])
def bench_sweep(
    measure: Callable[..., Any], member: str, kind: str, scale: str, n_threads: int
) -> None:
    if member == "reference" and scale != "small":
        pytest.skip("the reference takes minutes: only at AIMASS_BENCH_SCALE=small")
    kernels = {
        ("native", "design"): _core.fm_design_sweep,
        ("native", "relation"): _core.fm_relation_sweep,
        ("reference", "design"): reference.fm_design_sweep,
        ("reference", "relation"): reference.fm_relation_sweep,
    }

    def sweep(name: str) -> np.ndarray:
        arguments = sweep_arguments(scale, kind)
        kernels[name, kind](**arguments, n_threads=n_threads)
        return arguments["coefficients"]

    def check(result: np.ndarray) -> None:
        np.testing.assert_allclose(result, sweep("native"), atol=1e-8)

    measure(f"fm_{kind}_sweep: one sweep, rank {FACTORS}", member, lambda: sweep(member), check)


def descent_arguments(scale: str) -> dict[str, Any]:
    """Return the arguments of one epoch of gradient descent, users and items as two fields."""
    users, items, ratings, n_users, n_items = cases(scale)
    rng = np.random.default_rng(SEED)
    n, n_columns = len(users), n_users + n_items
    factors = np.ones((2, n_columns, 2 * FACTORS))
    factors[0] = rng.normal(0, 0.1, factors.shape[1:])
    return {
        "indptr": np.arange(n + 1) * 2,
        "indices": np.column_stack([users, n_users + items]).ravel().astype(np.int32),
        "data": np.ones(2 * n),
        "fields": np.repeat([0, 1], [n_users, n_items]).astype(np.int32),
        "order": rng.permutation(n),
        "targets": ratings - ratings.mean(),
        "weights": np.empty(0),
        "intercept": np.array([0.0, 1.0]),
        "linear": np.vstack([np.zeros(n_columns), np.ones(n_columns)]),
        "factors": factors,
        "n_fields": 2,
        "learning_rate": 0.1,
        "regularization": 0.1,
        "is_logistic": False,
    }


@pytest.mark.parametrize("member", ["native", "reference"])
def bench_descent(measure: Callable[..., Any], member: str, scale: str) -> None:
    def epoch(name: str) -> np.ndarray:
        arguments = descent_arguments(scale)
        {"native": _core, "reference": reference}[name].field_aware_epoch(**arguments)
        return arguments["factors"]

    def check(result: np.ndarray) -> None:
        np.testing.assert_allclose(result, epoch("native"), atol=1e-8)

    group = f"field_aware_epoch: one epoch, two fields, {FACTORS} factors"
    measure(group, member, lambda: epoch(member), check)


@pytest.mark.parametrize("member", ["native", "reference"])
def bench_scores(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    epoch = descent_arguments(scale)
    arguments = {name: epoch[name] for name in ("indptr", "indices", "data", "fields")}
    arguments |= {
        "intercept": 0.0,
        "linear": epoch["linear"][0].astype(np.float32),
        "factors": epoch["factors"][0].reshape(-1, 2, FACTORS).astype(np.float32),
        "n_threads": n_threads,
    }
    members = {"native": _core.field_aware_scores, "reference": reference.field_aware_scores}

    def check(result: np.ndarray) -> None:
        expected = members["native"](**arguments)
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)

    group = f"field_aware_scores: two fields, {FACTORS} factors"
    measure(group, member, lambda: members[member](**arguments), check)
