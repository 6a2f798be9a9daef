"""What a fit needs of its data: the protocols of blocks of rows and of their sources.

Six kinds of data fulfil them: `DenseRows` and `SparseRows` in memory, `MissingRows` with NaN,
`MixedRows` with category codes, `ParquetRows`, whose blocks are dense rows or rows with missing
values, and `ExecutorRows`, whose blocks are names of files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ..base.source import reduce_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._parameters import Parameters
    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = [
    "EmSums",
    "RowBlock",
    "RowSource",
    "best_component",
    "block_ranges",
    "centre_sums",
    "column_moments",
    "em_sums",
    "nearest_sums",
    "random_sums",
    "reduced",
    "second_moments",
]

_UNIT_ROWS = 65_280  # a multiple of the parts that the kernels work on
_BLOCK_VALUES = 1 << 23


class EmSums(NamedTuple):
    """Sufficient statistics of an E-step.

    ``sums`` has one row for each component: the weight, the sum of z, quadratic sums in the form
    of the covariance type, and the sums of the values of categorical columns. ``second_moments``
    (tied types with missing values) is the sum of z z'; where it is None, ``log_likelihood`` lacks
    the term that tied components have in common.
    """

    sums: Array
    log_likelihood: float
    second_moments: Array | None


class RowBlock(Protocol):
    """Rows in memory, and their statistics. All sums are weighted."""

    @property
    def n_rows(self) -> int: ...

    def moments(self, standardizer: Standardizer) -> Array:
        """Return the weight, the sum and the sum of squares of each column, shape (3, d)."""
        ...

    def second_moments(self, standardizer: Standardizer, form: str) -> Array:
        """Return the sums of z_i z_j for i <= j ("full") or of z_i^2 ("diag")."""
        ...

    def em_sums(self, standardizer: Standardizer, parameters: Parameters, exact: bool) -> EmSums:
        """Return the statistics of an E-step; ``exact`` computes in float64 throughout."""
        ...

    def nearest_sums(self, standardizer: Standardizer, centres: Array, form: str) -> Array:
        """Return the sums of the rows nearest to each centre."""
        ...

    def centre_sums(self, standardizer: Standardizer, centres: Array) -> Array:
        """Return weights and sums of the coordinates of the rows nearest to each centre."""
        ...

    def random_sums(
        self, standardizer: Standardizer, rng: np.random.Generator, n_components: int, form: str
    ) -> Array:
        """Return sums with random responsibilities."""
        ...


class RowSource(Protocol):
    """A `Source` of blocks of rows with weights."""

    n_threads: int
    n_values: tuple[int, ...]  # number of values of each categorical column

    @property
    def n_rows(self) -> int: ...

    @property
    def n_columns(self) -> int: ...

    @property
    def total_weight(self) -> float:
        """Weight of all rows; their number without weights."""
        ...

    @property
    def allows_float32(self) -> bool:
        """Whether E-steps may compute in float32."""
        ...

    def blocks(self) -> Iterator[Any]:
        """Return an iterator over the blocks (`RowBlock`)."""
        ...

    def measure(self, common: bool) -> Standardizer:
        """Return the standardiser of the columns; see `measure`."""
        ...

    def bounds(self) -> tuple[Array, Array]:
        """Return the smallest and largest value of each column among rows with a weight."""
        ...

    def sample(self, size: int, rng: np.random.Generator) -> Any:
        """Return at most ``size`` rows with a weight, as a block without missing values."""
        ...


def best_component(scores: Array) -> NDArray[np.int64]:
    """Return the component of the largest score of each row, -1 where no score is finite."""
    is_finite = np.isfinite(scores.max(axis=1))
    return np.where(is_finite, scores.argmax(axis=1), -1).astype(np.int64)


def block_ranges(n_rows: int, n_columns: int) -> list[tuple[int, int]]:
    """Return the ranges of rows that make the blocks of a matrix in memory.

    They depend on the shape alone, so that sums over the blocks have the same bits everywhere.
    """
    step = max(1, _BLOCK_VALUES // max(1, n_columns) // _UNIT_ROWS) * _UNIT_ROWS
    ranges = [(begin, min(begin + step, n_rows)) for begin in range(0, n_rows, step)]
    return ranges or [(0, 0)]


def reduced(source: Any, method: str, *arguments: Any) -> tuple[Any, ...]:
    """Return the sums of the statistics ``block.method(*arguments)`` over all blocks."""
    same = (np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in arguments)
    return reduce_blocks(source, _statistic, method, *same)


def _statistic(block: Any, method: str, *arguments: Any) -> tuple[Any, ...]:
    value = getattr(block, method)(*arguments)
    return tuple(value) if isinstance(value, tuple) else (value,)


def _sums(source: Any, method: str, *arguments: Any) -> tuple[Any, ...]:
    """Return the sums over all blocks, by the source itself if it keeps them."""
    if hasattr(source, "kept"):
        kept: tuple[Any, ...] = source.kept(method, arguments)
        return kept
    return reduced(source, method, *arguments)


def column_moments(source: RowSource, standardizer: Standardizer) -> Array:
    """Return the weight, the sum and the sum of squares of each column, shape (3, d)."""
    moments: Array = _sums(source, "moments", standardizer)[0]
    return moments


def em_sums(
    source: RowSource, standardizer: Standardizer, parameters: Parameters, exact: bool
) -> EmSums:
    """Return the statistics of an E-step over all blocks."""
    return EmSums(*_sums(source, "em_sums", standardizer, parameters, exact))


def second_moments(source: RowSource, standardizer: Standardizer, form: str) -> Array:
    """Return the sums of z_i z_j for i <= j ("full") or of z_i^2 ("diag") over all blocks."""
    sums: Array = _sums(source, "second_moments", standardizer, form)[0]
    return sums


def nearest_sums(source: RowSource, standardizer: Standardizer, centres: Array, form: str) -> Array:
    """Return the sums of the rows nearest to each centre over all blocks."""
    sums: Array = _sums(source, "nearest_sums", standardizer, centres, form)[0]
    return sums


def centre_sums(source: RowSource, standardizer: Standardizer, centres: Array) -> Array:
    """Return weights and sums of the coordinates of the rows nearest to each centre."""
    sums: Array = _sums(source, "centre_sums", standardizer, centres)[0]
    return sums


def random_sums(
    source: RowSource,
    standardizer: Standardizer,
    rng: np.random.Generator,
    n_components: int,
    form: str,
) -> Array:
    """Return sums with random responsibilities over all blocks.

    The generator runs through the blocks in their order, so this process does this one pass.
    """
    local: Any = getattr(source, "local", source)
    sums: Array = reduced(local, "random_sums", standardizer, rng, n_components, form)[0]
    return sums
