"""Matrices that are read in blocks of rows, and the loop that adds up statistics over them.

A statistic is a function of one block. `reduce_blocks` calls it for each block and combines the
results in the order of the blocks, so a matrix in memory (one block), a file larger than memory
and rows with missing values all go through the same loop, and the result is reproducible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .executor import LOCAL

if TYPE_CHECKING:
    from .executor import Runner

__all__ = ["Source", "reduce_blocks"]

BlockT = TypeVar("BlockT")
BlockT_co = TypeVar("BlockT_co", covariant=True)
StatisticT = TypeVar("StatisticT", bound=tuple[Any, ...])


class Source(Protocol[BlockT_co]):
    """A matrix that can be read in blocks of rows, as often as needed.

    Attributes
    ----------
    n_rows : int
        Number of rows of all blocks together.
    n_columns : int
        Number of columns of each block.
    """

    @property
    def n_rows(self) -> int:
        """Number of rows of all blocks together."""
        ...

    @property
    def n_columns(self) -> int:
        """Number of columns of each block."""
        ...

    def blocks(self) -> Iterator[BlockT_co]:
        """Return a new iterator over the blocks.

        Returns
        -------
        iterator
            Blocks of consecutive rows. Each pass yields the same blocks in the same order; at
            least one block.
        """
        ...


def add_statistics(total: StatisticT, more: StatisticT) -> StatisticT:
    """Return the sums of two tuples, member by member; members that are None stay None."""
    summed = (None if a is None else a + b for a, b in zip(total, more, strict=True))
    return tuple(summed)  # type: ignore[return-value]


def reduce_blocks(
    source: Source[BlockT],
    statistic: Callable[..., StatisticT],
    *arguments: Any,
    combine: Callable[[StatisticT, StatisticT], StatisticT] = add_statistics,
) -> StatisticT:
    """Combine the statistics of all blocks of a source.

    Parameters
    ----------
    source : Source
        The matrix; its blocks are read once, and only one is held at a time. If it has an attribute
        ``runner``, that computes the statistics, such as on the workers of an executor.
    statistic : callable
        Takes a block and the arguments, and returns a tuple, usually of arrays.
    *arguments
        Further arguments of the statistic.
    combine : callable, optional
        Takes the result so far and that of the next block. By default the members are added.

    Returns
    -------
    tuple
        The combined statistics.

    Raises
    ------
    ValueError
        If the source has no blocks.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.base.source import reduce_blocks
    >>> class Halves:
    ...     n_rows, n_columns = 4, 1
    ...     def blocks(self):
    ...         yield np.array([[1.0], [2.0]])
    ...         yield np.array([[3.0], [4.0]])
    >>> [float(total) for total in reduce_blocks(Halves(), lambda rows: (rows.sum(), len(rows)))]
    [10.0, 4.0]
    """
    total: StatisticT | None = None
    runner: Runner = getattr(source, "runner", LOCAL)
    for part in runner.map(_statistic_of_block, source.blocks(), statistic, arguments):
        total = part if total is None else combine(total, part)
    if total is None:
        raise ValueError("the source has no blocks of rows")
    return total


def _statistic_of_block(
    block: Any, statistic: Callable[..., Any], arguments: tuple[Any, ...]
) -> Any:
    """Return the statistic of a block, which is loaded first if it is the name of one."""
    return statistic(block.load() if hasattr(block, "load") else block, *arguments)
