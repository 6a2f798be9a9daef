"""What models of alternating least squares share: half-steps over blocks of rows, first factors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.validation import as_choice, as_float, as_int, csr_parts
from ..exceptions import NumericalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    # First row of each block, and its rows as canonical CSR.
    Blocks = Iterable[tuple[int, sp.csr_array]]

__all__ = [
    "MAX_FACTORS",
    "InMemory",
    "Solver",
    "count_entries",
    "half_step",
    "mean_size",
    "n_entries",
    "random_factors",
]

MAX_FACTORS = 1 << 14
_PIECE = 1 << 22


@dataclass(frozen=True)
class Solver:
    """How a half-step solves its rows."""

    name: str
    n_steps: int = 3
    block_size: int = 64
    n_threads: int = 1

    @classmethod
    def checked(cls, name: Any, n_steps: Any, block_size: Any, n_threads: int) -> Solver:
        """From a model's parameters."""
        return cls(
            as_choice(name, "solver", ("cholesky", "cg", "pcg", "subspace", "nonnegative")),
            as_int(n_steps, "n_steps", minimum=1, maximum=MAX_FACTORS),
            as_int(block_size, "block_size", minimum=1, maximum=MAX_FACTORS),
            n_threads,
        )


@dataclass(frozen=True)
class InMemory:
    """A matrix and its transpose as blocks: one of each."""

    X: sp.csr_array
    T: sp.csr_array

    def rows(self) -> Blocks:
        """Blocks of users."""
        return [(0, self.X)]

    def columns(self) -> Blocks:
        """Blocks of items."""
        return [(0, self.T)]


def count_entries(blocks: Blocks) -> NDArray[np.float64]:
    """Entries of each row of all blocks; a stored zero is none."""
    return np.concatenate([n_entries(block) for _, block in blocks] or [np.zeros(0)])


def mean_size(data: Array) -> tuple[int, float]:
    """How many values are not zero, and the mean of their sizes; a mapped array is read once."""
    n, total = 0, 0.0
    for begin in range(0, len(data), _PIECE):
        piece = data[begin : begin + _PIECE]
        n += int(np.count_nonzero(piece))
        total += float(np.abs(piece).sum(dtype=np.float64))
    return n, total / max(n, 1)


def random_factors(rng: np.random.Generator, n: int, n_factors: int, scale: Any, dtype: Any) -> Any:
    """Normal with standard deviation ``scale / sqrt(n_factors)`` (Rendle et al. 2021)."""
    spread = as_float(scale, "init_scale", minimum=0.0) / np.sqrt(n_factors)
    factors = np.empty((n, n_factors), dtype=np.float32)
    step = max(1, _PIECE // n_factors)  # in pieces, so that Ctrl-C is heard
    for begin in range(0, n, step):
        part = rng.standard_normal((min(step, n - begin), n_factors), dtype=np.float32)
        factors[begin : begin + step] = part * np.float32(spread)
    return factors.astype(dtype, copy=False)


def half_step(
    rows: Blocks,
    factors: Array,
    gramian: Array,
    start: Array,
    ridge: Array,
    weights: dict[str, Any],
    solver: Solver,
    what: str,
) -> Array:
    """New factors of all rows, the other side's being fixed.

    A row's result depends on that row alone, so blocks change no bit of it. Memory: the result and
    what a block takes.
    """
    solution = np.empty_like(start)
    common_ridge = float(ridge.min(initial=np.inf)) if len(ridge) else 0.0
    for begin, block in rows:
        part = slice(begin, begin + block.shape[0])
        try:
            solution[part] = kernels.als_solve(
                *csr_parts(block),
                factors,
                gramian,
                np.ascontiguousarray(start[part]),
                np.ascontiguousarray(ridge[part], dtype=np.float64),
                common_ridge,
                **weights,
                solver=solver.name,
                n_steps=solver.n_steps,
                block_size=solver.block_size,
                n_threads=solver.n_threads,
            )
        except NumericalError as error:
            row = None if error.row is None else begin + error.row
            raise NumericalError(error.reason, row=row, what=what) from None
    return solution


def n_entries(X: sp.csr_array) -> NDArray[np.float64]:
    """Entries of each row; a stored zero is none."""
    if X.data.all():
        return np.asarray(np.diff(X.indptr), dtype=np.float64)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    counts = np.bincount(rows[X.data != 0], minlength=X.shape[0])
    return counts.astype(np.float64)
