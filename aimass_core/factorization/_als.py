"""Half-steps of alternating least squares over blocks of rows, and random factors to start from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp

from .. import array_api, kernels
from ..base.csr import row_numbers
from ..base.validation import as_choice, as_float, as_int, csr_parts
from ..exceptions import NumericalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    # First row of each block, and its rows as canonical CSR.
    Blocks = Iterable[tuple[int, sp.csr_array]]

__all__ = [
    "MAX_FACTORS",
    "BlockSource",
    "InMemory",
    "Solver",
    "count_entries",
    "half_step",
    "mean_absolute_value",
    "n_entries",
    "random_factors",
    "solve_rows",
]

MAX_FACTORS = 1 << 14
_CHUNK = 1 << 22  # values handled at once


class BlockSource(Protocol):
    """A users x items matrix that is read in blocks of rows and in blocks of columns."""

    def rows(self) -> Blocks:
        """Return blocks of users."""
        ...

    def columns(self) -> Blocks:
        """Return blocks of items, as rows of the transpose."""
        ...


@dataclass(frozen=True)
class InMemory:
    """A matrix and its transpose as a source of one block each."""

    X: sp.csr_array
    T: sp.csr_array

    def rows(self) -> Blocks:
        """Return all users as one block."""
        return [(0, self.X)]

    def columns(self) -> Blocks:
        """Return all items as one block."""
        return [(0, self.T)]


@dataclass(frozen=True)
class Solver:
    """The method that a half-step uses for each row's system of equations."""

    name: str
    n_steps: int = 3
    block_size: int = 64
    n_threads: int = 1
    device: array_api.Device | None = None  # None: the kernels

    @classmethod
    def from_parameters(
        cls, name: Any, n_steps: Any, block_size: Any, n_threads: int, device: str = "cpu"
    ) -> Solver:
        """Return the solver of a model's parameters, which are checked."""
        return cls(
            as_choice(name, "solver", ("cholesky", "cg", "pcg", "subspace", "nonnegative")),
            as_int(n_steps, "n_steps", minimum=1, maximum=MAX_FACTORS),
            as_int(block_size, "block_size", minimum=1, maximum=MAX_FACTORS),
            n_threads,
            array_api.Device.unless_cpu(device),
        )


def n_entries(X: sp.csr_array) -> NDArray[np.float64]:
    """Return the number of entries of each row; a stored zero is no entry."""
    if X.data.all():
        return np.asarray(np.diff(X.indptr), dtype=np.float64)
    counts = np.bincount(row_numbers(X)[X.data != 0], minlength=X.shape[0])
    return counts.astype(np.float64)


def count_entries(blocks: Blocks) -> NDArray[np.float64]:
    """Return the number of entries of each row of all blocks; a stored zero is no entry."""
    return np.concatenate([n_entries(block) for _, block in blocks] or [np.zeros(0)])


def mean_absolute_value(data: Array) -> tuple[int, float]:
    """Return how many values are not zero, and the mean of their absolute values."""
    n, total = 0, 0.0
    for begin in range(0, len(data), _CHUNK):  # a memory-mapped array is read once
        chunk = data[begin : begin + _CHUNK]
        n += int(np.count_nonzero(chunk))
        total += float(np.abs(chunk).sum(dtype=np.float64))
    return n, total / max(n, 1)


def random_factors(rng: np.random.Generator, n: int, n_factors: int, scale: Any, dtype: Any) -> Any:
    """Return normal factors with standard deviation ``scale / sqrt(n_factors)`` (Rendle 2021)."""
    deviation = as_float(scale, "init_scale", minimum=0.0) / np.sqrt(n_factors)
    factors = np.empty((n, n_factors), dtype=np.float32)
    step = max(1, _CHUNK // n_factors)  # in chunks, so that Ctrl-C ends the work soon
    for begin in range(0, n, step):
        part = rng.standard_normal((min(step, n - begin), n_factors), dtype=np.float32)
        factors[begin : begin + step] = part * np.float32(deviation)
    return factors.astype(dtype, copy=False)


def solve_rows(
    rows: sp.csr_array,
    factors: Array,
    gramian: Array,
    start: Array,
    ridge: NDArray[np.float64],
    common_ridge: float,
    weights: dict[str, Any],
    solver: Solver,
    side: str,
    first_row: int = 0,
    linear: Array | None = None,
) -> Array:
    """Return the factors of rows, given the factors of their columns.

    Parameters
    ----------
    rows : csr_array of shape (n, n_columns)
        Canonical.
    factors : ndarray of shape (n_columns, f)
        Factors of the columns.
    gramian : ndarray of float64, shape (f, f)
        Part of the matrix of every row.
    start : ndarray of shape (n, f)
        Where iterative solvers start.
    ridge : ndarray of float64, shape (n,)
        Added to the diagonal of each row's matrix.
    common_ridge : float
        The smallest ridge of all rows, used in the preconditioner.
    weights : dict
        How entries become weights and targets, as the kernel's arguments.
    solver : Solver
        The method.
    side : {"user", "item"}
        What a row is, for error messages.
    first_row : int, default=0
        Number of the first of these rows, for error messages.
    linear : ndarray of shape (n, f), optional
        Added to the right-hand side of each row's system. Default: nothing.

    Returns
    -------
    ndarray of shape (n, f)

    Raises
    ------
    NumericalError
        Where a row's system has no finite solution; the message names the row.
    """
    arguments = (
        *csr_parts(rows),
        factors,
        gramian,
        np.ascontiguousarray(start),
        np.ascontiguousarray(ridge, dtype=np.float64),
        factors[:0] if linear is None else linear,
        common_ridge,
    )
    options = {
        **weights,
        "solver": solver.name,
        "n_steps": solver.n_steps,
        "block_size": solver.block_size,
    }
    try:
        if solver.device is not None:
            return array_api.als_solve(*arguments, **options, device=solver.device)
        solution: Array = kernels.als_solve(*arguments, **options, n_threads=solver.n_threads)
    except NumericalError as error:
        row = None if error.row is None else first_row + error.row
        raise NumericalError(error.reason, row=row, what=side) from None
    return solution


def half_step(
    blocks: Blocks,
    factors: Array,
    gramian: Array,
    start: Array,
    ridge: NDArray[np.float64],
    weights: dict[str, Any],
    solver: Solver,
    side: str,
    linear: Array | None = None,
) -> Array:
    """Return the factors of all rows of one side, given the factors of the other side.

    The arguments are those of `solve_rows`, for all rows. A row's result depends on that row
    alone, so the division into blocks does not change any bit of it. Takes memory for the result
    and one block.
    """
    solution = np.empty_like(start)
    common_ridge = float(ridge.min(initial=np.inf)) if len(ridge) else 0.0
    for begin, block in blocks:
        part = slice(begin, begin + block.shape[0])
        solution[part] = solve_rows(
            block,
            factors,
            gramian,
            start[part],
            ridge[part],
            common_ridge,
            weights,
            solver,
            side,
            begin,
            None if linear is None else linear[part],
        )
    return solution
