"""Rows of a Parquet file, batch by batch: one pass over the disk for each pass of EM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.progress import logger
from ..data.readers.parquet import parquet_batches, parquet_schema
from ..data.readers.protocol import unnamed_index_of
from ._dense_rows import DenseRows
from ._missing_rows import MissingRows
from ._standardizer import measure_shifted
from ._validation import as_weights, check_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = ["ParquetRows"]

_BATCH_ROWS = 65_280  # a multiple of the parts that the kernels work on


class ParquetRows:
    """A Parquet file of numbers, as a source of dense blocks or blocks with missing values.

    Parameters
    ----------
    path : path-like
        The file. An index of pandas without a name in it is no column of the data.
    weight : str or None
        Name of the column that holds the weights.
    n_threads : int
        Threads of the kernels.
    allows_missing : bool
        Whether nulls and NaN may occur.
    """

    can_shift = True
    n_values: tuple[int, ...] = ()  # no categorical columns

    def __init__(
        self, path: Any, weight: str | None, n_threads: int, allows_missing: bool = False
    ) -> None:
        if weight is not None and not isinstance(weight, str):
            raise TypeError("for a Parquet file, sample_weight must be the name of a column")
        self.schema, self.n_rows = parquet_schema(path)
        self.path = path
        names = self.schema.names
        if weight is not None and weight not in names:
            raise ValueError(f"sample_weight: no column {weight!r}, there are {', '.join(names)}")
        no_data = [name for name in unnamed_index_of(self.schema) if name != weight]
        for name in no_data:
            logger.info("column %r is left out: the index of pandas, without name", name)
        self.columns = [name for name in names if name != weight and name not in no_data]
        self.weight_column, self.n_threads = weight, n_threads
        self.allows_missing = allows_missing
        self.n_columns = len(self.columns)
        if self.n_rows == 0 or self.n_columns == 0:
            raise ValueError(f"{path} holds no rows or no columns")
        self._scan()

    @property
    def allows_float32(self) -> bool:
        """Whether E-steps may compute in float32: where all columns are float32 or narrower."""
        return not self.allows_missing and self.is_float32

    @property
    def is_float32(self) -> bool:
        """Whether all columns are float32 or narrower."""
        types = {str(self.schema.field(name).type) for name in self.columns}
        return types <= {"float", "halffloat"}

    def batches(self) -> Iterator[tuple[NDArray[Any], Array | None]]:
        """Return an iterator over rows and weights, in the order of the file."""
        names = self.columns + ([] if self.weight_column is None else [self.weight_column])
        for batch in parquet_batches(
            self.path, names, schema=self.schema, batch_rows=_BATCH_ROWS, read_ahead=False
        ):
            if not len(batch):
                continue
            columns = []
            for name in self.columns:
                column = batch.column(name)
                if column.null_count and not self.allows_missing:
                    raise ValueError(
                        f"column {name!r} holds nulls: fill or drop these rows, or set "
                        "missing='marginalize' to leave them out of the likelihood"
                    )
                columns.append(column.to_numpy(zero_copy_only=False))
            kinds = {column.dtype for column in columns}
            dtype = np.float32 if kinds <= {np.dtype("f4"), np.dtype("f2")} else np.float64
            X = np.empty((len(batch), self.n_columns), dtype)
            for j, (name, column) in enumerate(zip(self.columns, columns, strict=True)):
                if column.dtype.kind not in "biuf":
                    raise ValueError(f"column {name!r} holds {column.dtype}, numbers are needed")
                X[:, j] = column
            weight = None
            if self.weight_column is not None:
                weight = batch.column(self.weight_column).to_numpy(zero_copy_only=False)
                weight = np.ascontiguousarray(weight, dtype=np.float64)
            yield X, weight

    def blocks(self) -> Iterator[DenseRows | MissingRows]:
        """Return an iterator over the batches as blocks."""
        for X, weight in self.batches():
            if self.allows_missing:
                yield MissingRows(X, weight, self.n_threads, self.known_means)
            else:
                yield DenseRows(X, weight, self.n_threads)

    def _scan(self) -> None:
        """Read the file once: check its values, and measure weights, bounds and means."""
        d, begin = self.n_columns, 0
        self.total_weight, self._n_weighted = 0.0, 0
        self._low, self._high = np.full(d, np.inf), np.full(d, -np.inf)
        known_weight, known_sum = np.zeros(d), np.zeros(d)
        for X, weight in self.batches():
            check_finite(X, self.allows_missing, first_row=begin)
            begin += len(X)
            if weight is not None:
                as_weights(weight + (not weight.any()), len(X))  # all rows of a batch may weigh 0
            w = np.ones(len(X)) if weight is None else weight
            self.total_weight += float(w.sum())
            self._n_weighted += int(np.count_nonzero(w))
            if not w.any():
                continue
            block: DenseRows | MissingRows = DenseRows(X, weight, self.n_threads)
            if self.allows_missing:
                is_known = ~np.isnan(X)
                known_weight += w @ is_known
                known_sum += w @ np.where(is_known, X, 0)
                block = MissingRows(X, weight, self.n_threads)
            low, high = block.bounds()
            self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        self.known_means = known_sum / np.maximum(known_weight, 1e-300)
        if not self.total_weight > 0:
            raise ValueError("sample_weight is zero for every row: at least one must be above 0")

    def bounds(self) -> tuple[Array, Array]:
        """Return the smallest and largest value of each column among rows with a weight."""
        return self._low, self._high

    def measure(self, common: bool) -> Standardizer:
        """Return the standardiser of the columns."""
        return measure_shifted(self, common)

    def sample(self, size: int, rng: np.random.Generator) -> DenseRows:
        """Return at most ``size`` rows with a weight, with means in place of NaN."""
        size = min(size, self._n_weighted)
        chosen = np.sort(rng.choice(self._n_weighted, size, replace=False))
        rows, weights, begin = [], [], 0
        for X, weight in self.batches():
            weighted = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
            end = begin + len(weighted)
            first, last = np.searchsorted(chosen, begin), np.searchsorted(chosen, end)
            here = weighted[chosen[first:last] - begin]
            part = X[here].astype(np.float64)
            rows.append(np.where(np.isnan(part), self.known_means, part))
            weights.append(np.ones(len(here)) if weight is None else weight[here])
            begin = end
        weight = None if self.weight_column is None else np.concatenate(weights)
        return DenseRows(np.concatenate(rows), weight, self.n_threads)
