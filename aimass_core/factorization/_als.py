"""Half-steps of alternating least squares over blocks of rows, and random factors to start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp

from .. import array_api, kernels
from ..base.array_files import opened, stored
from ..base.csr import row_numbers
from ..base.random import fill_rows
from ..base.validation import as_choice, as_float, as_int, csr_parts
from ..exceptions import NumericalError
from ..kernels import cuda

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.array_files import Shared
    from ..base.executor import Runner

    Array = NDArray[Any]

__all__ = [
    "MAX_FACTORS",
    "Block",
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


class Block(Protocol):
    """Some rows of a matrix."""

    @property
    def begin(self) -> int:
        """Number of the first row."""
        ...

    def load(self) -> sp.csr_array:
        """Return the rows as canonical CSR."""
        ...


class BlockSource(Protocol):
    """A users x items matrix that is read in blocks of rows and in blocks of columns."""

    def blocks(self, side: str) -> Sequence[Block]:
        """Return the blocks of "rows", or of "columns" as rows of the transpose."""
        ...


@dataclass(frozen=True)
class MemoryBlock:
    """Rows in memory."""

    begin: int
    rows: sp.csr_array

    def load(self) -> sp.csr_array:
        """Return the rows."""
        return self.rows


@dataclass(frozen=True)
class InMemory:
    """A matrix and its transpose as a source of one block each."""

    X: sp.csr_array
    T: sp.csr_array

    def blocks(self, side: str) -> list[MemoryBlock]:
        """Return all users, or all items, as one block."""
        return [MemoryBlock(0, self.X if side == "rows" else self.T)]


@dataclass(frozen=True)
class Solver:
    """The method that a half-step uses for each row's system of equations."""

    name: str
    n_steps: int = 3
    block_size: int = 64
    n_threads: int = 1
    device: array_api.Device | None = None  # None: the kernels
    gpu: int | None = None  # of the kernels for GPUs; None: those of the processor

    @classmethod
    def from_parameters(
        cls, name: Any, n_steps: Any, block_size: Any, n_threads: int, device: str = "cpu"
    ) -> Solver:
        """Return the solver of a model's parameters, which are checked."""
        gpu = cuda.number_of(device)
        return cls(
            as_choice(name, "solver", ("cholesky", "cg", "pcg", "subspace", "nonnegative")),
            as_int(n_steps, "n_steps", minimum=1, maximum=MAX_FACTORS),
            as_int(block_size, "block_size", minimum=1, maximum=MAX_FACTORS),
            n_threads,
            array_api.Device.unless_cpu(device) if gpu is None else None,
            gpu,
        )


def n_entries(X: sp.csr_array) -> NDArray[np.float64]:
    """Return the number of entries of each row; a stored zero is no entry."""
    if X.data.all():
        return np.asarray(X.indptr[1:] - X.indptr[:-1], dtype=np.float64)
    counts = np.bincount(row_numbers(X)[X.data != 0], minlength=X.shape[0])
    return counts.astype(np.float64)


def count_entries(runner: Runner, blocks: Sequence[Block]) -> NDArray[np.float64]:
    """Return the number of entries of each row of all blocks; a stored zero is no entry."""
    return np.concatenate([np.zeros(0), *runner.map(_count_of_block, blocks)])


def _count_of_block(block: Block) -> NDArray[np.float64]:
    return n_entries(block.load())


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
    fill_rows(
        factors,
        lambda shape: rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation),
    )
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
        if solver.gpu is not None:
            return cuda.als_solve(*arguments, **options, device=solver.gpu)
        solution: Array = kernels.als_solve(*arguments, **options, n_threads=solver.n_threads)
    except NumericalError as error:
        row = None if error.row is None else first_row + error.row
        raise NumericalError(error.reason, row=row, what=side) from None
    return solution


@dataclass(frozen=True)
class HalfStep:
    """What the blocks of a half-step have in common; the members are those of `solve_rows`.

    ``target`` is the start of the names of the files for the results, None for results in memory.
    """

    factors: Shared
    gramian: Shared
    start: Shared
    ridge: Shared
    linear: Shared | None
    common_ridge: float
    weights: dict[str, Any]
    solver: Solver
    side: str
    target: str | None


def half_step(
    runner: Runner,
    blocks: Sequence[Block],
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
    alone, so neither the division into blocks nor the runner changes any bit of it. Takes memory
    for the result and one block.
    """
    step = HalfStep(
        runner.share(factors),
        runner.share(gramian),
        runner.share(start),
        runner.share(ridge),
        None if linear is None else runner.share(linear),
        float(ridge.min(initial=np.inf)) if len(ridge) else 0.0,
        weights,
        solver,
        side,
        runner.target(side),
    )
    parts = runner.map(_solution_of_block, blocks, step)
    return runner.concatenate(parts, start.shape, start.dtype)


def _solution_of_block(block: Block, step: HalfStep) -> Shared:
    rows, begin = block.load(), block.begin
    part = slice(begin, begin + rows.shape[0])
    solution = solve_rows(
        rows,
        opened(step.factors),
        opened(step.gramian),
        opened(step.start)[part],
        opened(step.ridge)[part],
        step.common_ridge,
        step.weights,
        step.solver,
        step.side,
        begin,
        None if step.linear is None else opened(step.linear)[part],
    )
    return stored(solution, None if step.target is None else f"{step.target}.{begin}.npy")
