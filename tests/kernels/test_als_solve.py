"""als_solve against its reference, its optimality, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from _als import SOLVERS, WEIGHTS, problem
from _interrupts import stops_within_half_a_second
from _levels import LEVELS, at_level
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.exceptions import NumericalError

OPTIONS = {"n_steps": 2, "block_size": 16, "n_threads": 1}


@pytest.fixture(params=LEVELS)
def level(request):
    with at_level(request.param):
        yield request.param


def check(arguments, solver, **options):
    options = OPTIONS | options
    kept = {name: a.copy() for name, a in arguments.items() if isinstance(a, np.ndarray)}
    got = _core.als_solve(**arguments, solver=solver, **options)
    expected = reference.als_solve(**arguments, solver=solver, **options)
    dtype = arguments["data"].dtype
    assert got.dtype == dtype
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    tolerance = (2e-4 if dtype == np.float32 else 1e-9) * scale
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    for name, before in kept.items():
        np.testing.assert_array_equal(arguments[name], before)
    return got


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_reference_at_every_level(solver, weights, dtype, level):
    for f in (1, 7, 16, 33, 64):
        check(problem(40, 60, f, dtype, f, weights=weights), solver)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_linear_term_equals_the_reference(solver, weights, dtype, level):
    for f in (1, 7, 33):
        arguments = problem(40, 60, f, dtype, f, weights=weights, linear=True)
        counts = np.diff(arguments["indptr"])
        counts[::5] = 0  # rows without an entry have their linear term alone
        keep = np.repeat(np.arange(40) % 5 != 0, np.diff(arguments["indptr"]))
        arguments |= {
            "indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            "indices": arguments["indices"][keep],
            "data": arguments["data"][keep],
        }
        check(arguments, solver)


def test_a_linear_term_moves_what_the_ridge_pulls_to():
    a = problem(50, 40, 12, np.float64, 4)
    mean = np.random.default_rng(1).standard_normal((50, 12))
    pulled = a | {"linear": a["ridge"][:, None] * mean}
    x = _core.als_solve(**pulled, solver="cholesky", **OPTIONS)
    # With weights and targets of zero what is left is (gramian + ridge) x = ridge mean.
    flat = pulled | {"gramian": np.zeros((12, 12)), "data": 0 * a["data"]}
    got = _core.als_solve(**flat, solver="cholesky", **OPTIONS)
    np.testing.assert_allclose(got, mean, atol=1e-12)
    strong = pulled | {"ridge": 1e9 * a["ridge"], "linear": 1e9 * pulled["linear"]}
    near = _core.als_solve(**strong, solver="cholesky", **OPTIONS)
    assert np.abs(near - mean).max() < 1e-6 < np.abs(x - mean).max()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("f", [100, 129, 200])
def test_more_factors_than_columns(solver, f):
    check(problem(12, 50, f, np.float64, 1), solver, block_size=64)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 12),
    st.integers(0, 30),
    st.integers(1, 40),
    st.floats(0, 1),
    st.sampled_from(SOLVERS),
    st.sampled_from(list(WEIGHTS)),
    st.integers(1, 50),
    st.integers(0, 2**32 - 1),
)
def test_any_shape(n_rows, n_cols, f, density, solver, weights, block_size, seed):
    arguments = problem(n_rows, n_cols, f, np.float64, seed, density=density, weights=weights)
    check(arguments, solver, block_size=block_size)


@pytest.mark.parametrize("solver", SOLVERS)
def test_long_rows(solver, level):
    # Longer than the panels: chunks, and vectors gathered anew in every pass.
    arguments = problem(3, 9_000, 20, np.float32, 5, density=0.9)
    got = check(arguments, solver)
    check(problem(3, 9_000, 20, np.float64, 5, density=0.9), solver)
    assert np.isfinite(got).all()


@pytest.mark.parametrize("weights", ["hu", "total", "values"])
def test_the_gradient_vanishes(weights):
    a = problem(80, 50, 12, np.float64, 3, weights=weights)
    x = _core.als_solve(**a, solver="cholesky", **OPTIONS)
    for row in range(80):
        part = slice(a["indptr"][row], a["indptr"][row + 1])
        y = a["factors"][a["indices"][part]]
        weight, target = reference.als_solve.__globals__["als_weights"](
            a["data"][part],
            *(a[n] for n in ("alpha", "weight_shift", "target_shift")),
            a["preferences"],
        )
        gradient = (a["gramian"] + a["ridge"][row] * np.eye(12)) @ x[row]
        gradient += y.T @ (weight * (y @ x[row]) - target)
        if target.any():
            np.testing.assert_allclose(gradient, 0, atol=1e-9)


@pytest.mark.parametrize("solver", ["cg", "pcg", "subspace"])
def test_iterations_reach_the_exact_solution(solver):
    a = problem(50, 40, 24, np.float64, 4)
    exact = _core.als_solve(**a, solver="cholesky", **OPTIONS)
    got = _core.als_solve(**a, solver=solver, **OPTIONS | {"n_steps": 200})
    np.testing.assert_allclose(got, exact, atol=1e-7)


def test_preconditioning_saves_steps():
    """Where directions differ in size, as in trained factors, one step does more than three."""
    a = problem(200, 150, 24, np.float64, 5, density=0.3)
    a["factors"] *= np.geomspace(1, 0.03, 24)
    a["gramian"] = a["factors"].T @ a["factors"]
    exact = _core.als_solve(**a, solver="cholesky", **OPTIONS)
    start = a | {"start": np.zeros_like(exact), "common_ridge": float(a["ridge"].min())}
    short = {}
    for solver, n_steps in (("cg", 3), ("pcg", 1), ("pcg", 3)):
        got = _core.als_solve(**start, solver=solver, **OPTIONS | {"n_steps": n_steps})
        error = got - exact  # in the norm that the steps minimise, but for the entries' part
        short[solver, n_steps] = np.einsum("ij,jk,ik->", error, a["gramian"], error)
    assert short["pcg", 1] < short["cg", 3]
    assert short["pcg", 3] < 0.02 * short["cg", 3]


def test_nonnegative_meets_the_optimality_conditions():
    a = problem(50, 40, 10, np.float64, 4)
    x = _core.als_solve(**a, solver="nonnegative", **OPTIONS | {"n_steps": 3000})
    assert (x >= 0).all()
    assert (x == 0).any()
    free = _core.als_solve(**a, solver="cholesky", **OPTIONS)
    inside = (free > 0).all(axis=1)
    np.testing.assert_allclose(x[inside], free[inside], atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_bits_do_not_depend_on_threads(solver, dtype):
    a = problem(700, 90, 33, dtype, 6, density=0.4)
    one = _core.als_solve(**a, solver=solver, **OPTIONS)
    for n_threads in (2, 3, 7):
        more = _core.als_solve(**a, solver=solver, **OPTIONS | {"n_threads": n_threads})
        np.testing.assert_array_equal(one, more)


def rows_of(a, begin, end):
    """The same problem with some of its rows."""
    first, last = a["indptr"][begin], a["indptr"][end]
    return a | {
        "indptr": a["indptr"][begin : end + 1] - first,
        "indices": a["indices"][first:last].copy(),
        "data": a["data"][first:last].copy(),
        "start": a["start"][begin:end].copy(),
        "ridge": a["ridge"][begin:end].copy(),
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_row_does_not_depend_on_the_others(solver, dtype, level):
    """Groups of every size, at either end of which rows are left out."""
    for f, common_ridge in ((20, 0.5), (70, 0.0)):
        a = problem(60, 50, f, dtype, 7, density=0.08) | {"common_ridge": common_ridge}
        complete = _core.als_solve(**a, solver=solver, **OPTIONS)
        for begin, end in ((20, 31), (0, 1), (1, 3), (7, 11), (30, 35), (41, 48), (3, 60)):
            part = _core.als_solve(**rows_of(a, begin, end), solver=solver, **OPTIONS)
            np.testing.assert_array_equal(part, complete[begin:end])


def test_rows_that_cannot_be_solved_leave_their_group_alone(level):
    a = problem(40, 50, 20, np.float32, 7, density=0.1)
    expected = _core.als_solve(**a, solver="pcg", **OPTIONS)
    begin, end = a["indptr"][17:19]
    assert end > begin
    a["data"][begin:end] = 3e38
    with pytest.raises(NumericalError, match="row 17 "):
        _core.als_solve(**a, solver="pcg", **OPTIONS)
    a["data"][begin:end] = 0  # nothing to solve for
    got = _core.als_solve(**a, solver="pcg", **OPTIONS)
    assert (got[17] == 0).all()
    others = np.arange(40) != 17
    np.testing.assert_array_equal(got[others], expected[others])


@pytest.mark.parametrize("n_threads", [1, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_singular_row_is_named(dtype, n_threads):
    a = problem(400, 50, 20, dtype, 8, density=0.9, weights="values")
    a["ridge"][:] = 0  # no row is deficient: each has far more entries than factors
    _core.als_solve(**a, solver="cholesky", **OPTIONS)
    a["factors"][:, 7] = a["factors"][:, 3]
    a["ridge"][:] = 1
    a["ridge"][[311, 144, 390]] = 0
    for _ in range(5):
        with pytest.raises(NumericalError, match=r"^row 144 .* raise regularization") as error:
            _core.als_solve(**a, solver="cholesky", **OPTIONS | {"n_threads": n_threads})
        assert error.value.row == 144


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_overflows_is_named(solver):
    a = problem(50, 40, 8, np.float32, 9, density=0.5)
    row = 17
    a["data"][a["indptr"][row] : a["indptr"][row + 1]] = 3e38
    with pytest.raises(NumericalError, match=r"row 17 .* scale the values down"):
        _core.als_solve(**a, solver=solver, **OPTIONS)


@pytest.mark.parametrize("solver", SOLVERS)
def test_stored_zeros_and_denormals(solver):
    a = problem(30, 40, 8, np.float32, 10)
    a["data"][:] = 0
    assert (_core.als_solve(**a, solver=solver, **OPTIONS) == 0).all()
    a["data"][:] = 1e-42
    assert np.isfinite(_core.als_solve(**a, solver=solver, **OPTIONS)).all()
    a["data"][:] = -1e6
    assert (_core.als_solve(**a, solver=solver, **OPTIONS) == 0).all()


def test_a_stored_zero_is_no_preference():
    a = problem(30, 40, 8, np.float64, 11, weights="total")
    keep = a["data"] != 0
    assert not keep.all()
    rows = np.repeat(np.arange(30), np.diff(a["indptr"]))[keep]
    without = a | {
        "indptr": np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=30))]),
        "indices": a["indices"][keep],
        "data": a["data"][keep],
    }
    np.testing.assert_allclose(
        _core.als_solve(**a, solver="cholesky", **OPTIONS),
        _core.als_solve(**without, solver="cholesky", **OPTIONS),
        atol=1e-12,
    )


def test_read_only_input():
    a = problem(30, 40, 8, np.float32, 12)
    for array in a.values():
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    check(a, "cholesky")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gramian": np.zeros((3, 3))}, r"gramian must have shape \(8, 8\)"),
        ({"start": np.zeros((2, 8), np.float32)}, r"start must have shape \(30, 8\)"),
        ({"ridge": np.zeros(3)}, "ridge must be 1-D of length 30"),
        ({"linear": np.zeros((3, 8), np.float32)}, r"linear must have shape \(30, 8\)"),
        ({"linear": np.zeros((0, 7), np.float32)}, r"linear must have shape \(0, 8\)"),
        (
            {"solver": "lu"},
            "solver must be one of cholesky, cg, pcg, subspace, nonnegative, got lu",
        ),
        ({"n_steps": 0}, "n_steps must be at least 1"),
        ({"block_size": 0}, "block_size must be within"),
        ({"factors": np.zeros((40, 0), np.float32)}, "factors must be 2-D"),
    ],
)
def test_refusals(change, message):
    a = problem(30, 40, 8, np.float32, 13) | {"solver": "cg"} | OPTIONS
    with pytest.raises(ValueError, match=message):
        _core.als_solve(**a | change)
    with pytest.raises(TypeError):
        _core.als_solve(**a | {"factors": a["factors"].astype(np.float64)})


@pytest.mark.parametrize(
    ("solver", "n_steps"), [("cholesky", 1), ("cg", 130), ("pcg", 60), ("nonnegative", 90)]
)
def test_long_work_in_pieces(solver, n_steps):
    """So much for a row that the kernel stops between to listen, and goes on."""
    check(problem(1, 60, 1100, np.float64, 3, density=0.5), solver, n_steps=n_steps)


# A row in one of two ways: little data and many steps, or so many entries that one pass over them
# takes long (they repeat a few columns, which the kernel does not mind).
LONG_ROW = """
import numpy as np
from aimass_core import _core
f, n = 1024, {n}
rng = np.random.default_rng(0)
root = rng.standard_normal((f, f))
columns = min(n, 500)
indices = np.sort(rng.integers(0, columns, n, dtype=np.int32))
row = np.array([0, n]), indices, np.ones(n, np.float32)
y = rng.standard_normal((columns, f)).astype(np.float32)
gramian, start = root @ root.T, abs(y[:1])
"""
LONG_SOLVE = """
_core.als_solve(
    *row, y, gramian, start.copy(), np.ones(1), y[:0], 0.0, alpha=float(n > 1), weight_shift=0.0,
    target_shift=0.0, preferences=n > 1, solver="{solver}", n_steps=10**6, block_size=64,
    n_threads=1,
)
"""


@pytest.mark.parametrize(
    ("solver", "n"),
    [("nonnegative", 1), ("subspace", 1), *((solver, 4_000_000) for solver in SOLVERS)],
)
def test_ctrl_c_within_a_row(solver, n):
    prepare, call = LONG_ROW.format(n=n), LONG_SOLVE.format(solver=solver)
    assert stops_within_half_a_second(prepare, call, wait=0.5)
