"""Categories hashed to a fixed number of columns: no memory for the categories themselves.

References
----------
Weinberger, K. et al., "Feature hashing for large scale multitask learning", ICML 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._column import Column
from .._factorize import exact_ids
from ._blocks import OneEach
from ._encoder import ColumnEncoder, ColumnOptions, wrong_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._cells import Cells

__all__ = ["HashEncoder", "hash_entries"]

_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers whose bits all depend on all bits of the given ones (SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def hash_entries(column: Column, name: str) -> NDArray[np.uint64]:
    """Return 64-bit hashes of the entries of a column: FNV-1a of text, mixed numbers.

    The hash of a text goes over its bytes; all texts advance by one byte at a time, longest first.
    """
    if column.kind == "decimal":
        column = exact_ids(column, name)
    if column.offsets is None:
        values = column.values
        if column.kind == "float":
            values = (values.astype(np.float64) + 0.0).view(np.uint64)
        return _mixed(values.astype(np.int64).view(np.uint64) if column.kind != "float" else values)
    offsets = np.asarray(column.offsets, dtype=np.int64)
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    starts, ordered = offsets[:-1][order], lengths[order]
    hashes = np.full(len(lengths), _OFFSET)
    n_longer = len(lengths)
    for position in range(int(ordered[0]) if len(ordered) else 0):
        n_longer = int(np.searchsorted(-ordered[:n_longer], -position, side="left"))
        own = column.values[starts[:n_longer] + position].astype(np.uint64)
        hashes[:n_longer] = (hashes[:n_longer] ^ own) * _PRIME
    out = np.empty_like(hashes)
    out[order] = hashes
    return _mixed(out)


@dataclass(frozen=True)
class HashEncoder(ColumnEncoder):
    """One of n_buckets columns for each category; nulls have the last column."""

    kind: ClassVar[str] = "hash"

    n_buckets: int
    has_null: bool

    @classmethod
    def learn(cls, cells: Cells, name: str, options: ColumnOptions) -> Any:
        """Note whether there are nulls; return the encoder and the block, None for one bucket."""
        if not isinstance(cells, Column):
            raise wrong_cells(name, "one category in each cell", cells)
        if cells.kind == "null":
            return None
        encoder = cls(options.n_buckets, cells.null is not None and bool(cells.null.any()))
        block = encoder.encode(cells, name, options)
        columns = block.columns
        if not len(columns) or int(columns.min()) == int(columns.max()):
            return None
        return encoder, block

    @property
    def width(self) -> int:
        """Buckets, null."""
        return self.n_buckets + self.has_null

    def names(self, source: str) -> list[str]:
        """Return ``source#0``, ``source#1``, ..."""
        return [f"{source}#{i}" for i in range(self.n_buckets)] + (
            [f"{source}=null"] * self.has_null
        )

    def encode(self, cells: Cells, name: str, options: ColumnOptions) -> OneEach:
        """Return the bucket of each row."""
        if not isinstance(cells, Column):
            raise wrong_cells(name, "one category in each cell", cells)
        buckets = (hash_entries(cells, name) % np.uint64(self.n_buckets)).astype(np.int32)
        if cells.codes is not None:
            buckets = buckets[cells.codes]
        if cells.null is None:
            return OneEach(buckets, None, True)
        null = np.int32(self.n_buckets if self.has_null else -1)
        return OneEach(np.where(cells.null, null, buckets), None, self.has_null)

    def check(self) -> None:
        """Raise ValueError for a number of buckets below 1."""
        if self.n_buckets < 1:
            raise ValueError("a hashed column without buckets")
