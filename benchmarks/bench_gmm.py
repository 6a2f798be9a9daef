"""One EM step of a Gaussian mixture from the same start: kernel and M-step against the peers.

Cells: rows x columns x components, four covariance types, float64 and float32. All members begin
with the same weights, means and covariances and end with the next ones, which are compared.

Two kinds of data. Groups that overlap, and a start from the covariance of all rows: every component
matters to every row, as in the first passes of a fit. "apart": groups as far from each other as
customers' usually are (of 32 components some 9 have a share above 1e-16 in a row), and a start
from the groups, as in the later passes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from mixture_peers import STEPS, Start
from peers import require
from threadpoolctl import threadpool_limits

from aimass_core import _core, reference
from aimass_core.mixture._parameters import SCORE_FORM, SUMS_FORM, Parameters, maximize
from aimass_core.mixture._standardizer import Standardizer


class Cell(NamedTuple):
    """One size of the problem."""

    covariance_type: str
    n: int
    d: int
    k: int
    dtype: str = "float64"
    apart: bool = False

    def __str__(self) -> str:
        rows = f"{self.n // 1000}k"
        kind = "-apart" if self.apart else ""
        return f"{self.covariance_type}-{self.dtype}-{rows}-d{self.d}-K{self.k}{kind}"


TYPES = ("full", "tied", "diag", "spherical")
CELLS = {
    "small": [Cell(t, 2_000, 8, 8) for t in TYPES],
    "medium": [  # about two minutes with all peers
        *(Cell(t, 100_000, d, k) for t in TYPES for d, k in ((8, 4), (8, 32), (32, 8), (32, 32))),
        *(Cell(t, 100_000, 32, 32, "float32") for t in TYPES),
        *(Cell("full", 20_000, 64, 32, dtype) for dtype in ("float64", "float32")),
        *(Cell("full", 10_000, 128, 32, dtype) for dtype in ("float64", "float32")),
        *(
            Cell("full", n, d, 32, dtype, apart=True)
            for n, d in ((100_000, 16), (100_000, 32), (20_000, 64), (10_000, 128))
            for dtype in ("float64", "float32")
        ),
        Cell("diag", 1_000_000, 8, 4, "float32"),
    ],
}


def rows_for(kind: str, d: int, k: int) -> int:
    """100,000 where scikit-learn's step then takes less than about three seconds, else fewer."""
    work = k * d * d if kind in ("full", "tied") else k * d
    return 100_000 if work <= 100_000 else 20_000 if work <= 600_000 else 10_000


# The whole grid of columns and components. A step takes time in proportion to the rows, so the
# cells that would take minutes have fewer; 1,000,000 rows show that this is so.
CELLS["full"] = [
    *(
        Cell(t, rows_for(t, d, k), d, k, dtype)
        for t in TYPES
        for d in (8, 16, 32, 64, 128)
        for k in (4, 8, 32, 128)
        for dtype in ("float64", "float32")
        if (t, d, k) != ("full", 128, 128)  # takes 100,000 rows not to be singular: a minute a step
    ),
    *(
        Cell(t, 1_000_000, d, 8, dtype)
        for t in TYPES
        for d, dtype in ((8, "float64"), (32, "float32"))
    ),
    *(cell for cell in CELLS["medium"] if cell.apart),
]
ALL = list(dict.fromkeys(cell for cells in CELLS.values() for cell in cells))
MEMBERS = ["native", "reference", "peer:sklearn", "peer:onedal", "peer:numpy", "peer:torch"]


@cache
def groups(d: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and square roots of the covariances of groups that lie apart."""
    rng = np.random.default_rng(d + k)
    mixes = rng.normal(0, 0.4 / np.sqrt(d), (k, d, d)) + np.eye(d)
    return rng.normal(0, 6.2 / np.sqrt(d), (k, d)), mixes


@cache
def data(cell: Cell) -> np.ndarray:
    """Rows of the groups of a cell."""
    n, d, k = cell.n, cell.d, cell.k
    if not cell.apart:
        return overlapping(n, d, cell.dtype)
    centres, mixes = groups(d, k)
    rng = np.random.default_rng(n + d)
    labels, rows = rng.integers(0, k, n), rng.normal(size=(n, d))
    for group in range(k):
        rows[labels == group] = centres[group] + rows[labels == group] @ mixes[group]
    return rows.astype(cell.dtype)


@cache
def overlapping(n: int, d: int, dtype: str) -> np.ndarray:
    """Ten overlapping groups with correlated columns."""
    rng = np.random.default_rng(n + d)
    centres, mix = rng.normal(0, 2, (10, d)), rng.normal(0, 0.4, (d, d)) + np.eye(d)
    return (centres[rng.integers(0, 10, n)] + rng.normal(size=(n, d)) @ mix).astype(dtype)


@cache
def start(cell: Cell) -> Start:
    """Means at rows, the covariance of all rows for every component; or those of the groups."""
    X = data(cell)
    if cell.apart:
        assert cell.covariance_type == "full"
        centres, mixes = groups(cell.d, cell.k)
        covariances = mixes.transpose(0, 2, 1) @ mixes
        return Start("full", np.full(cell.k, 1 / cell.k), centres, covariances)
    rng = np.random.default_rng(cell.k)
    means = X[rng.choice(cell.n, cell.k, replace=False)].astype(np.float64)
    covariance = np.cov(X[:20_000].T.astype(np.float64)).reshape(cell.d, cell.d)
    covariances = {
        "full": np.repeat(covariance[None], cell.k, axis=0),
        "tied": covariance,
        "diag": np.repeat(np.diag(covariance)[None], cell.k, axis=0),
        "spherical": np.full(cell.k, np.trace(covariance) / cell.d),
    }[cell.covariance_type]
    return Start(cell.covariance_type, np.full(cell.k, 1 / cell.k), means, covariances)


def step(home: Any, X: np.ndarray, begin: Start, n_threads: int, total: Any = None) -> Start:
    """One step by the kernel of this name in `home`; the tied total is made once per fit."""
    kind = begin.covariance_type
    d = X.shape[1]
    standardizer = Standardizer(begin.means.mean(axis=0), np.ones(d))
    parameters = Parameters.rescaled(
        kind, begin.weights, begin.means, begin.covariances, standardizer
    )
    sums, _ = home.gmm_em_step(
        X,
        standardizer.shift,
        standardizer.scale,
        None,
        parameters.coefficients(),
        None,
        SCORE_FORM[kind],
        SUMS_FORM[kind],
        False,
        n_threads,
    )
    new = maximize(kind, sums, total, 1e-6, None)
    means, covariances, _ = new.unscaled(standardizer)
    return Start(kind, new.weights, means, covariances)


@cache
def tied_total(cell: Cell) -> Any:
    """Sums of z z' over all rows, which do not change from step to step."""
    if cell.covariance_type != "tied":
        return None
    X, shift = data(cell), start(cell).means.mean(axis=0)
    one = np.zeros((1, 1 + cell.d))
    sums, _ = _core.gmm_em_step(
        X, shift, np.ones(cell.d), None, one, None, "linear", "full", False, 2
    )
    return sums[0, 1 + cell.d :]


@cache
def expected(cell: Cell) -> Start:
    """The step of the native kernel, itself checked against NumPy in float64."""
    X = data(cell)
    found = step(_core, X, start(cell), 1, tied_total(cell))
    few = X[:500]
    for home in (_core, reference):
        assert np.isfinite(
            home.gmm_em_step(
                few,
                np.zeros(cell.d),
                np.ones(cell.d),
                None,
                np.zeros((1, 1 + cell.d)),
                None,
                "linear",
                "linear",
                False,
                1,
            )[0]
        ).all()
    return found


def check(cell: Cell) -> Callable[[Start], None]:
    """Equal next parameters; float32 peers have float32 errors."""
    tolerance = 1e-7 if cell.dtype == "float64" else 2e-2

    def equal(found: Start) -> None:
        right = expected(cell)
        spread = np.sqrt(np.abs(right.covariances).max())
        np.testing.assert_allclose(found.weights, right.weights, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(found.means, right.means, rtol=0, atol=tolerance * spread)
        # oneDAL adds its regularisation of 1e-6 only to covariances that need it.
        np.testing.assert_allclose(
            found.covariances, right.covariances, rtol=0, atol=tolerance * spread**2 + 1.1e-6
        )

    return equal


@cache
def warm(member: str, kind: str, dtype: str, n_threads: int) -> None:
    """Imports and thread pools of a peer, before its first time counts."""
    small = Cell(kind, 2_000, 8, 8, dtype)
    with threadpool_limits(n_threads):
        STEPS[member](data(small), start(small), n_threads)


def _selected(cell: Cell, member: str, scale: str) -> None:
    if cell not in CELLS[scale]:
        pytest.skip("another scale's cell")
    if member == "reference" and scale != "small":
        pytest.skip("the reference holds n x K d^2 / 2 numbers: only at small")
    if member == "peer:onedal" and cell.covariance_type in ("tied", "spherical"):
        pytest.skip("oneDAL has full and diagonal covariances")


@pytest.mark.parametrize("cell", ALL, ids=str)
@pytest.mark.parametrize("member", MEMBERS)
def bench_gmm_em_step(
    measure: Callable[..., Any], member: str, cell: Cell, scale: str, n_threads: int
) -> None:
    _selected(cell, member, scale)
    X, begin = data(cell), start(cell)

    def call() -> Start:
        if member == "native":
            return step(_core, X, begin, n_threads, tied_total(cell))
        if member == "reference":
            return step(reference, X, begin, n_threads, tied_total(cell))
        try:
            with threadpool_limits(n_threads):
                return STEPS[member](X, begin, n_threads)
        except ValueError as error:  # scikit-learn's float32 where a component has few rows
            pytest.skip(f"{member} gives up: {error}")

    options: dict[str, Any] = {"rounds": 2} if member != "native" else {}
    if scale == "full" and member != "native":  # seconds each: the timed call is the checked one
        warm(member, cell.covariance_type, cell.dtype, n_threads)
        options = {"rounds": 1, "warm_up": False}
    measure(f"gmm_em_step: {cell}", member, call, check(cell), **options)


@pytest.mark.parametrize("cell", ALL, ids=str)
@pytest.mark.parametrize("member", ["native", "reference", "peer:sklearn"])
def bench_gmm_score(
    measure: Callable[..., Any], member: str, cell: Cell, scale: str, n_threads: int
) -> None:
    _selected(cell, member, scale)
    if scale == "full" and (cell.k, cell.dtype) != (32, "float64"):
        pytest.skip("a column of the grid is enough")
    X, begin = data(cell), start(cell)
    standardizer = Standardizer(begin.means.mean(axis=0), np.ones(cell.d))
    parameters = Parameters.rescaled(*begin, standardizer)
    form = SCORE_FORM[cell.covariance_type]

    def by(home: Any) -> Callable[[], Any]:
        coefficients = parameters.coefficients()
        return lambda: home.gmm_score(
            X, standardizer.shift, standardizer.scale, coefficients, None, form, "resp", n_threads
        )

    def sklearn() -> Any:
        mixture = require("sklearn.mixture", "scikit-learn").GaussianMixture(
            cell.k, covariance_type=cell.covariance_type
        )
        mixture.weights_, mixture.means_ = begin.weights, begin.means
        mixture.covariances_ = begin.covariances
        mixture.precisions_cholesky_ = parameters.unscaled(standardizer)[2]
        with threadpool_limits(n_threads):
            return mixture.predict_proba(X)

    calls = {"native": by(_core), "reference": by(reference), "peer:sklearn": sklearn}
    native = calls["native"]
    measure(
        f"gmm_score: predict_proba, {cell}",
        member,
        calls[member],
        lambda found: np.testing.assert_allclose(found, native(), atol=1e-4),
    )
