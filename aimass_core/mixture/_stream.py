"""Rows of Parquet files, batch by batch: one pass over the disk for each pass of EM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._input import as_weights, check_finite
from ._sources import Dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._gauge import Gauge

    Array = NDArray[np.float64]

__all__ = ["Parquet"]

_ARRAY = ", or read the file and give the array with missing='marginalize'"
_BATCH_ROWS = 65_280  # a multiple of the kernel's parts


class Parquet:
    """A Parquet file as a source of rows (see `_sources`); all columns are numbers.

    Parameters
    ----------
    path : path-like
        The file.
    weight : str or None
        Name of the column that holds the weights.
    n_threads : int
        For the kernels.
    """

    def __init__(self, path: Any, weight: str | None, n_threads: int) -> None:
        try:
            import pyarrow.parquet as pq
            from pyarrow import ArrowInvalid
        except ImportError:
            raise ImportError("Parquet files need pyarrow: pip install aimass_core[io]") from None
        if weight is not None and not isinstance(weight, str):
            raise TypeError("for a Parquet file, sample_weight must be the name of a column")
        try:
            self.file = pq.ParquetFile(Path(path), pre_buffer=False)
        except ArrowInvalid as error:
            raise ValueError(f"{path} cannot be read as a Parquet file: {error}") from None
        names = self.file.schema_arrow.names
        if weight is not None and weight not in names:
            raise ValueError(f"sample_weight: no column {weight!r}, there are {', '.join(names)}")
        self.columns = [name for name in names if name != weight]
        self.weight_column, self.n_threads = weight, n_threads
        self.n, self.d = self.file.metadata.num_rows, len(self.columns)
        if self.n == 0 or self.d == 0:
            raise ValueError(f"{path} holds no rows or no columns")
        self.total, self._bounds, self._n_heavy = self._check()

    may_be_single = True  # as its columns are

    def batches(self) -> Iterator[tuple[NDArray[Any], Array | None]]:
        """Rows and weights, in the order of the file."""
        for batch in self.file.iter_batches(_BATCH_ROWS, use_threads=False):
            if not len(batch):
                continue
            columns = []
            for name in self.columns:
                column = batch.column(name)
                if column.null_count:
                    raise ValueError(f"column {name!r} holds nulls: fill or drop these rows")
                columns.append(column.to_numpy(zero_copy_only=False))
            kinds = {column.dtype for column in columns}
            dtype = np.float32 if kinds <= {np.dtype("f4"), np.dtype("f2")} else np.float64
            X = np.empty((len(batch), self.d), dtype)
            for j, (name, column) in enumerate(zip(self.columns, columns)):
                if column.dtype.kind not in "biuf":
                    raise ValueError(f"column {name!r} holds {column.dtype}, numbers are needed")
                X[:, j] = column
            weight = None
            if self.weight_column is not None:
                weight = batch.column(self.weight_column).to_numpy(zero_copy_only=False)
                weight = np.ascontiguousarray(weight, dtype=np.float64)
            yield X, weight

    def _check(self) -> tuple[float, tuple[Array, Array], int]:
        """Weight of all rows, bounds of the columns, number of rows with a weight above 0."""
        total, low, high = 0.0, np.full(self.d, np.inf), np.full(self.d, -np.inf)
        begin = heavy = 0
        for X, weight in self.batches():
            check_finite(X, first_row=begin, remedy=_ARRAY)
            begin += len(X)
            if weight is not None:
                as_weights(weight + (not weight.any()), len(X))  # a batch, not all, may weigh 0
            total += len(X) if weight is None else float(weight.sum())
            heavy += len(X) if weight is None else int(np.count_nonzero(weight))
            if weight is None or weight.any():
                below, above = Dense(X, weight, self.n_threads).bounds()
                low, high = np.minimum(low, below), np.maximum(high, above)
        if not total > 0:
            raise ValueError("sample_weight is zero for every row: at least one must be above 0")
        return total, (low, high), heavy

    def bounds(self) -> tuple[Array, Array]:
        """Smallest and largest value of each column."""
        return self._bounds

    def _each(self, call: Any) -> Any:
        """Sum over the batches of what ``call`` gives for each."""
        total: Any = None
        for X, weight in self.batches():
            part = call(Dense(X, weight, self.n_threads))
            total = part if total is None else tuple(a + b for a, b in zip(total, part))
        return total

    def moments(self, gauge: Gauge) -> Array:
        """Sums of weight * (1, z, z_i^2)."""
        sums: Array = self._each(lambda rows: (rows.moments(gauge),))[0]
        return sums

    def products(self, gauge: Gauge) -> Array:
        """Sums of weight * z_i z_j for i <= j."""
        sums: Array = self._each(lambda rows: (rows.products(gauge),))[0]
        return sums

    def step(
        self, gauge: Gauge, coefficients: Array, score_form: str, sums_form: str, hard: bool
    ) -> tuple[Array, float]:
        """The kernel `gmm_em_step` over all rows."""
        sums, score = self._each(
            lambda rows: rows.step(gauge, coefficients, score_form, sums_form, hard)
        )
        return sums, score

    def exact_step(
        self, gauge: Gauge, coefficients: Array, score_form: str, sums_form: str, hard: bool
    ) -> tuple[Array, float]:
        """As `step`, in float64 even where float32 seems safe."""
        sums, score = self._each(
            lambda rows: rows.exact_step(gauge, coefficients, score_form, sums_form, hard)
        )
        return sums, score

    def random_step(
        self, gauge: Gauge, rng: np.random.Generator, n_components: int, sums_form: str
    ) -> Array:
        """Sums with random responsibilities."""
        sums: Array = self._each(
            lambda rows: (rows.random_step(gauge, rng, n_components, sums_form),)
        )[0]
        return sums

    def sample(self, size: int, rng: np.random.Generator) -> tuple[Array, Array | None]:
        """At most ``size`` rows of the file and their weights, none of weight 0."""
        wanted = np.sort(rng.choice(self._n_heavy, min(size, self._n_heavy), replace=False))
        rows, weights, begin = [], [], 0
        for X, weight in self.batches():
            heavy = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
            end = begin + len(heavy)
            numbers = wanted[np.searchsorted(wanted, begin) : np.searchsorted(wanted, end)]
            here = heavy[numbers - begin]
            rows.append(X[here].astype(np.float64))
            weights.append(np.ones(len(here)) if weight is None else weight[here])
            begin = end
        return np.concatenate(rows), None if self.weight_column is None else np.concatenate(weights)
