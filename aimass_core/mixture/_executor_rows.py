"""Rows in files, whose statistics are computed by the workers of an executor.

The blocks are those of the rows in memory, and their statistics are added up in the same order, so
a fit has the same bits. The result of each pass is kept in the folder of the run: a fit that was
killed and is called again reads the passes that are done.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.array_files import (
    checksum_of,
    read_entries,
    write_array,
    write_parts,
)
from ..base.remote_files import is_url
from ._dense_rows import DenseRows
from ._device_rows import DeviceRows
from ._missing_rows import MissingRows
from ._parquet_rows import ParquetRows
from ._rows import block_ranges, reduced
from ._standardizer import measure_shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.executor import ExecutorRunner
    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = ["ExecutorRows", "NamedRows"]

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class NamedRows:
    """Some rows of files: what a task needs to read them.

    Parameters
    ----------
    files : tuple of str
        Files of the rows, and of their weights if there are some.
    begin, end : int
        Rows.
    checksums : tuple of int
        CRC-32 of these rows, and of their weights.
    n_threads : int
        Threads of the kernels.
    fill : ndarray of float64, shape (d,), or None
        Column means where values may be missing.
    """

    files: tuple[str, ...]
    begin: int
    end: int
    checksums: tuple[int, ...]
    n_threads: int
    fill: Array | None

    def load(self) -> DenseRows | MissingRows:
        """Return the rows, mapped from the files and verified."""
        arrays = [
            read_entries(file, self.begin, self.end, checksum, mapped=True)
            for file, checksum in zip(self.files, self.checksums, strict=True)
        ]
        weight = arrays[1] if len(arrays) > 1 else None
        if self.fill is None:
            return DenseRows(arrays[0], weight, self.n_threads)
        return MissingRows(arrays[0], weight, self.n_threads, self.fill)


class ExecutorRows:
    """A source whose blocks are named files.

    Parameters
    ----------
    local : DenseRows, MissingRows or ParquetRows
        The rows as this process reads them.
    path : path-like or None
        The ``.npy`` file of the rows, where they were given as one.
    runner : ExecutorRunner
        Where statistics are computed.

    Raises
    ------
    TypeError
        For sparse rows and rows with categorical columns.
    """

    n_values: tuple[int, ...] = ()
    can_shift = True

    def __init__(self, local: Any, path: Any, runner: ExecutorRunner) -> None:
        if isinstance(local, DeviceRows):
            raise TypeError("executor computes on processors: leave it out for rows on a device")
        if not isinstance(local, (DenseRows, MissingRows, ParquetRows)):
            raise TypeError(
                "executor needs dense rows without categorical columns: leave executor out"
            )
        self.local, self.runner = local, runner
        self.n_rows, self.n_columns = local.n_rows, local.n_columns
        self.n_threads, self.total_weight = runner.n_threads, local.total_weight
        self._blocks = _written(local, path, runner)
        checksums = [(block.begin, block.checksums) for block in self._blocks]
        self._identity = repr((self.n_rows, self.n_columns, checksums))

    @property
    def allows_float32(self) -> bool:
        """Whether E-steps may compute in float32."""
        return bool(self.local.allows_float32)

    def blocks(self) -> Iterator[NamedRows]:
        """Return an iterator over the names of the blocks."""
        return iter(self._blocks)

    def measure(self, common: bool) -> Standardizer:
        """Return the standardiser of the columns."""
        return measure_shifted(self, common)

    def bounds(self) -> tuple[Array, Array]:
        """Return the smallest and largest value of each column among rows with a weight."""
        bounds: tuple[Array, Array] = self.local.bounds()
        return bounds

    def sample(self, size: int, rng: np.random.Generator) -> DenseRows:
        """Return at most ``size`` rows with a weight, read by this process."""
        sample: DenseRows = self.local.sample(size, rng)
        return sample

    def kept(self, method: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the statistics of a pass, from the folder of the run if they are there."""
        digest = hashlib.blake2b(self._identity.encode(), digest_size=24)
        _hash((method, arguments), digest)
        name = f"pass.{digest.hexdigest()}.npz"
        with contextlib.suppress(*_UNREADABLE):
            content = io.BytesIO(self.runner.read(name))
            with np.load(content, allow_pickle=False) as archive:
                known = {name: archive[name] for name in archive.files}
            return tuple(_as_member(known.get(f"m{i}")) for i in range(int(known["n"])))
        statistics = reduced(self, method, *arguments)
        members = {f"m{i}": m for i, m in enumerate(statistics) if m is not None}
        output = io.BytesIO()
        np.savez(output, n=np.array(len(statistics)), **members)
        self.runner.write(name, output.getvalue())
        return statistics


def _as_member(array: NDArray[Any] | None) -> Any:
    """Return a member of statistics as it was: an array, a number or None."""
    return float(array) if array is not None and array.ndim == 0 else array


def _written(local: Any, path: Any, runner: ExecutorRunner) -> list[NamedRows]:
    """Write rows and weights to the folder of the run, and return the names of the blocks."""
    folder = runner.folder
    files = [str(folder / "rows.npy")]
    fill: Array | None = None
    if isinstance(local, ParquetRows):
        ranges, checksums, weight = _copied(local, files[0])
        fill = local.known_means if local.allows_missing else None
    else:
        X = local.X if isinstance(local, DenseRows) else local.X_missing
        fill = None if isinstance(local, DenseRows) else local.fill
        ranges = block_ranges(*X.shape)
        checksums = [checksum_of(X[begin:end]) for begin, end in ranges]
        weight = local.weight
        if path is None or is_url(files[0]):
            write_array(files[0], X)
        else:  # workers read the file itself
            files[0] = str(Path(path).absolute())
    sums: list[tuple[int, ...]] = [(c,) for c in checksums]
    if weight is not None:
        files.append(write_array(str(folder / "weights.npy"), weight).path)
        sums = [
            (c, checksum_of(weight[begin:end]))
            for c, (begin, end) in zip(checksums, ranges, strict=True)
        ]
    return [
        NamedRows(tuple(files), begin, end, checksum, runner.n_threads, fill)
        for (begin, end), checksum in zip(ranges, sums, strict=True)
    ]


def _copied(local: ParquetRows, path: str) -> tuple[list[tuple[int, int]], list[int], Array | None]:
    """Write the rows of a Parquet file; return the ranges of its batches, checksums, weights."""
    ranges: list[tuple[int, int]] = []
    checksums: list[int] = []
    weights: list[Array] = []

    def rows() -> Iterator[NDArray[Any]]:
        begin = 0
        for X, weight in local.batches():
            ranges.append((begin, begin + len(X)))
            checksums.append(checksum_of(X))
            if weight is not None:
                weights.append(weight)
            begin += len(X)
            yield X

    dtype = np.float32 if local.is_float32 else np.float64
    write_parts(path, rows(), (local.n_rows, local.n_columns), dtype)
    return ranges, checksums, np.concatenate(weights) if weights else None


def _hash(value: Any, digest: Any) -> None:
    """Add a value to a digest: arrays, numbers, texts, None, tuples and objects of these."""
    if isinstance(value, np.ndarray):
        digest.update(repr(("array", value.shape, value.dtype.str)).encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (tuple, list)):
        digest.update(f"{type(value).__name__} {len(value)}".encode())
        for member in value:
            _hash(member, digest)
    elif value is None or isinstance(value, (str, bool, int, float, np.generic)):
        digest.update(repr(value).encode() + b";")
    else:
        digest.update(type(value).__name__.encode())
        for name, member in sorted(vars(value).items()):
            digest.update(name.encode())
            _hash(member, digest)
