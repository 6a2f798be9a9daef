"""The files of `RowBlocks`: entries of a stream, checked and sorted on disk, and their manifest.

A folder holds six arrays (indptr, indices and data of the matrix and of its transpose) and a
manifest that names them. Every build writes files of new names; the manifest is replaced last, in
one step. So a folder always opens as the last complete build, and arrays that are mapped stay as
they are: their files are removed from the folder only, not changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..base.array_files import read_entries, reserve_array, write_array
from ..base.csr import row_ranges, transpose
from ..base.persistence import replacing, save
from ..base.threads import resolve_n_threads
from ..base.validation import _as_values, wrap_csr

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ..data import IdMap

    Array: TypeAlias = NDArray[Any]
    Triplets: TypeAlias = Iterable[tuple[Array, Array, Array]]

__all__ = [
    "PARTS",
    "SIDES",
    "CsrBlock",
    "Manifest",
    "Parquet",
    "Writer",
    "checksum",
    "write_matrix",
]

SIDES, PARTS = ("rows", "columns"), ("indptr", "indices", "data")
MANIFEST = "row_blocks.json"
FORMAT, VERSION = "aimass_core.RowBlocks", 1
_SORTED_AT_ONCE = 4_000_000  # entries
_HASHED_AT_ONCE = 1 << 20  # bytes
_CHANGED = "triplets gave other entries in another pass: they must not change while they are read"


@dataclass(frozen=True)
class CsrBlock:
    """Some rows of a matrix in files: what a task needs to read them.

    Parameters
    ----------
    begin, end : int
        Rows.
    first, last : int
        Their entries.
    n_columns : int
        Columns of the matrix.
    files : tuple of str
        Files or URLs of indptr, indices and data.
    checksums : tuple of int
        CRC-32 of the three arrays of these rows.
    """

    begin: int
    end: int
    first: int
    last: int
    n_columns: int
    files: tuple[str, ...]
    checksums: tuple[int, ...]

    def load(self) -> sp.csr_array:
        """Return the rows, read into memory and verified."""
        entries = (self.begin, self.end + 1), (self.first, self.last), (self.first, self.last)
        indptr, indices, data = (
            read_entries(file, begin, end, checksum)
            for file, (begin, end), checksum in zip(
                self.files, entries, self.checksums, strict=True
            )
        )
        return wrap_csr(indptr - self.first, indices, data, (self.end - self.begin, self.n_columns))


def write_matrix(X: sp.csr_array, folder: Path) -> None:
    """Write a canonical matrix and its transpose as row blocks, unless the folder holds them."""
    folder.mkdir(parents=True, exist_ok=True)
    matrices = (X, transpose(X, resolve_n_threads(None)))
    arrays = {
        f"{side}.{part}": np.asarray(array, dtype=dtype)
        for side, matrix in zip(SIDES, matrices, strict=True)
        for part, array, dtype in (
            ("indptr", matrix.indptr, np.int64),
            ("indices", matrix.indices, np.int32),
            ("data", matrix.data, matrix.dtype),
        )
    }
    checksums = {name: checksum(array) for name, array in arrays.items()}
    shape = (int(X.shape[0]), int(X.shape[1]))
    older: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        manifest = Manifest.read(folder)
        if (manifest.shape, manifest.checksums, manifest.ids) == (shape, checksums, {}):
            return
        older = manifest.all_files()
    token = secrets.token_hex(8)
    files = {name: f"{name}.{token}.npy" for name in arrays}
    try:
        for name, array in arrays.items():
            write_array(str(folder / files[name]), array)
        Manifest(shape, files, checksums).write(folder)
    except BaseException:
        for file in files.values():
            (folder / file).unlink(missing_ok=True)
        raise
    for file in older:
        (folder / file).unlink(missing_ok=True)


class Parquet:
    """A Parquet file as triplets, read batch by batch in every iteration."""

    def __init__(self, path: Any, user: str, item: str, value: str | None) -> None:
        from ..data.readers.parquet import parquet_schema

        self._path = path
        self._schema, _ = parquet_schema(path)
        self._names = [user, item] + ([] if value is None else [value])
        known = self._schema.names
        for name in self._names:
            if name not in known:
                raise ValueError(f"{path} has no column {name!r}; it has {', '.join(known)}")

    def __iter__(self) -> Iterator[tuple[Array, Array, Array]]:
        from ..data.readers.parquet import parquet_batches

        names = list(dict.fromkeys(self._names))
        for batch in parquet_batches(self._path, names, schema=self._schema, read_ahead=False):
            columns = [self._column(batch, name) for name in self._names]
            values = columns[2] if len(columns) > 2 else np.ones(len(batch), np.float32)
            yield columns[0], columns[1], values

    def _column(self, batch: Any, name: str) -> Array:
        column = batch.column(name)
        if column.null_count:
            raise ValueError(f"{self._path}: column {name!r} holds nulls: drop these rows")
        array: Array = column.to_numpy(zero_copy_only=False)
        return array


def checksum(array: Array) -> str:
    """Return the hash of an array's bytes; a mapped array is read once, in small parts."""
    digest = hashlib.blake2b(digest_size=32)
    data = array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")
    for begin in range(0, len(data), _HASHED_AT_ONCE):
        digest.update(data[begin : begin + _HASHED_AT_ONCE])
    return digest.hexdigest()


@dataclass(frozen=True)
class Manifest:
    """Names and checksums of the six files of a build.

    Parameters
    ----------
    shape : tuple of int
        Users, items.
    files : dict of str to str
        File of each array, such as "rows.indptr".
    checksums : dict of str to str
        Hash of each array's bytes.
    ids : dict of str to str
        Files of the id maps of "users" and "items", where the matrix has ids.
    """

    shape: tuple[int, int]
    files: dict[str, str]
    checksums: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return the manifest of a folder, checked."""
        path = folder / MANIFEST
        if not path.exists():
            raise FileNotFoundError(
                f"{folder} holds no complete row blocks: there is no {MANIFEST}; build them with "
                "RowBlocks.from_triplets or RowBlocks.from_parquet"
            )
        names = {f"{side}.{part}" for side in SIDES for part in PARTS}
        try:
            content = json.loads(path.read_text())
            is_known = content["format"] == FORMAT and content["version"] == VERSION
            shape = tuple(int(n) for n in content["shape"])
            files, checksums = dict(content["files"]), dict(content["checksums"])
            ids = dict(content.get("ids", {}))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ValueError(f"{path} is damaged: build the row blocks again") from None
        has_names = set(files) == set(checksums) == names and len(shape) == 2
        has_names &= set(ids) in (set(), {"users", "items"})
        if not is_known or not has_names or not _are_file_names([*files.values(), *ids.values()]):
            raise ValueError(f"{path} is damaged or of another version: build the blocks again")
        return cls((shape[0], shape[1]), files, checksums, ids)

    def all_files(self) -> list[str]:
        """Return the names of all files of the build."""
        return [*self.files.values(), *self.ids.values()]

    def write(self, folder: Path) -> None:
        """Replace the manifest of a folder in one step."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "shape": list(self.shape),
            "files": self.files,
            "checksums": self.checksums,
            **({"ids": self.ids} if self.ids else {}),
        }
        with replacing(folder / MANIFEST) as file:
            file.write(json.dumps(content, indent=1).encode())


class Writer:
    """Writes a stream of entries as row blocks; an error leaves the folder as it was.

    Parameters
    ----------
    folder : Path
        Where to write.
    shape : tuple of int
        Users, items.
    dtype : float32 or float64
        Type of the values.
    ids : dict of str to IdMap, optional
        Of "users" and "items".
    """

    def __init__(
        self,
        folder: Path,
        shape: tuple[int, int],
        dtype: Any,
        ids: dict[str, IdMap] | None = None,
    ) -> None:
        self._folder, self._shape, self._dtype = folder, shape, dtype
        self._ids = ids or {}
        token = secrets.token_hex(8)
        self._files = {
            f"{side}.{part}": f"{side}.{part}.{token}.npy" for side in SIDES for part in PARTS
        }
        self._id_files = {side: f"{side}.{token}.safetensors" for side in self._ids}
        self._checksums: dict[str, str] = {}

    def write(self, triplets: Triplets) -> None:
        """Write all files, then the manifest, then remove the files of the build before.

        Parameters
        ----------
        triplets : iterable of (users, items, values)
            Read three times.
        """
        try:
            indptrs, fingerprint = self._count(triplets)
            for own, side in enumerate(SIDES):
                self._scatter(triplets, side, own, indptrs[own], fingerprint)
                self._sort_rows(side, own, indptrs[own])
            for side, indptr in zip(SIDES, indptrs, strict=True):
                np.save(self._path(f"{side}.indptr"), indptr)
                self._checksums[f"{side}.indptr"] = checksum(indptr)
            for side, ids in self._ids.items():
                save(ids, self._folder / self._id_files[side])
            older = self._older_files()
            manifest = Manifest(self._shape, self._files, self._checksums, self._id_files)
            manifest.write(self._folder)
        except BaseException:
            self._remove([*self._files.values(), *self._id_files.values()])
            raise
        self._remove(older)

    def _path(self, name: str) -> Path:
        return self._folder / self._files[name]

    def _older_files(self) -> list[str]:
        with contextlib.suppress(OSError, ValueError):
            return Manifest.read(self._folder).all_files()
        return []

    def _remove(self, files: Iterable[str]) -> None:
        for file in files:
            with contextlib.suppress(OSError):  # such as a mapped file on Windows
                (self._folder / file).unlink(missing_ok=True)

    def _count(self, triplets: Triplets) -> tuple[list[Array], int]:
        """Return the indptr of both sides and the fingerprint of the stream (first pass)."""
        counts = [np.zeros(n + 1, dtype=np.int64) for n in self._shape]
        fingerprint = 0
        for part in triplets:
            columns = _checked(part, self._shape, self._dtype)
            fingerprint += _fingerprint(*columns)
            for count, numbers in zip(counts, columns[:2], strict=True):
                count[1:] += np.bincount(numbers, minlength=len(count) - 1)
        return [np.cumsum(count) for count in counts], fingerprint

    def _scatter(
        self, triplets: Triplets, side: str, own: int, indptr: Array, expected: int
    ) -> None:
        """Write the entries of each row together, in any order (one pass)."""
        nnz = (int(indptr[-1]),)
        indices = reserve_array(str(self._path(f"{side}.indices")), nnz, np.int32)
        data = reserve_array(str(self._path(f"{side}.data")), nnz, self._dtype)
        next_ = indptr[:-1]
        fingerprint = 0
        for part in triplets:
            columns = _checked(part, self._shape, self._dtype)
            fingerprint += _fingerprint(*columns)
            rows, others, values = columns[own], columns[1 - own], columns[2]
            first, next_ = next_, next_ + np.bincount(rows, minlength=len(next_))
            if (next_ > indptr[1:]).any():
                raise ValueError(_CHANGED)
            order = np.argsort(rows, kind="stable")
            rows = rows[order]
            positions = first[rows] + np.arange(len(rows)) - np.searchsorted(rows, rows)
            indices[positions], data[positions] = others[order], values[order]
        if fingerprint != expected:
            raise ValueError(_CHANGED)
        indices.flush()
        data.flush()

    def _sort_rows(self, side: str, own: int, indptr: Array) -> None:
        """Sort the entries of each row by column, in ranges of rows, and take the checksums."""
        arrays = [
            np.load(self._path(f"{side}.{part}"), mmap_mode="r+") for part in ("indices", "data")
        ]
        indices, data = arrays
        for begin, end in row_ranges(indptr, _SORTED_AT_ONCE):
            ends = indptr[begin : end + 1]
            entries = slice(int(ends[0]), int(ends[-1]))
            rows = np.repeat(np.arange(end - begin), np.diff(ends))
            order = np.lexsort((indices[entries], rows))
            columns = indices[entries][order]
            is_repeated = (columns[1:] == columns[:-1]) & (rows[1:] == rows[:-1])
            if is_repeated.any():
                kind = "user" if own == 0 else "item"
                raise ValueError(
                    f"triplets hold a pair of {kind} {begin + rows[:-1][is_repeated][0]} twice: "
                    "sum them first"
                )
            indices[entries], data[entries] = columns, data[entries][order]
        for part, array in zip(("indices", "data"), arrays, strict=True):
            array.flush()
            self._checksums[f"{side}.{part}"] = checksum(array)


def _checked(part: Any, shape: tuple[int, int], dtype: Any) -> tuple[Array, Array, Array]:
    """Return one part of a stream as users and items (int64) and values."""
    users, items, values = (np.asarray(column) for column in part)
    if not (users.shape == items.shape == values.shape and users.ndim == 1):
        raise ValueError("triplets must be 1-D arrays of equal length")
    for ids, n, name in ((users, shape[0], "users"), (items, shape[1], "items")):
        if ids.dtype.kind not in "iu":
            raise TypeError(f"{name} must be whole numbers from 0, got {ids.dtype}")
        if len(ids) and not (ids.min() >= 0 and ids.max() < n):
            raise ValueError(f"{name} hold {ids.min()} to {ids.max()}, expected 0 to {n - 1}")
    values = _as_values(values, "values", dtype)
    if not np.isfinite(values).all():
        raise ValueError("values hold nan, inf or numbers that are too large: drop these rows")
    return users.astype(np.int64), items.astype(np.int64), values


def _fingerprint(users: Array, items: Array, values: Array) -> int:
    """Return a hash of entries that does not depend on their order: a sum of 64-bit hashes."""
    bits = values.view(np.uint32 if values.dtype == np.float32 else np.uint64)
    keys = users.astype(np.uint64) << np.uint64(32) | items.astype(np.uint64)
    hashes = _mixed(_mixed(keys) + bits.astype(np.uint64))
    return int(hashes.sum(dtype=np.uint64)) + (len(hashes) << 64)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the numbers mixed by the last steps of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


def _are_file_names(names: Iterable[Any]) -> bool:
    """Return whether all names are those of files in the folder itself."""
    return all(isinstance(name, str) and name == Path(name).name for name in names)
