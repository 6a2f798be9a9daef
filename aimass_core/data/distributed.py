"""`Interactions` from partitions that lie on several processes or machines.

The problem: number the ids of all partitions in one order, and combine the rows of each user and
item, while no process holds all rows.

1. Each partition is read where it lies. Its distinct ids and its rows, numbered by them, become
   files of ``place``.
2. The distinct ids of the partitions are united in groups of eight until one map is left.
3. Each partition replaces its numbers by those of the map, sorts its rows by (user, item), and
   returns a sample of these keys.
4. The samples give ranges of keys with about the same number of rows. A user with very many rows is
   divided between ranges; the rows of one pair are never divided. Each range is read from the
   sorted files of all partitions, in their order, and combined by the rule for duplicates.

Time O(n log n) for n rows, shared by the workers. A worker holds one partition or one range, and
the distinct ids. The process that calls holds the id maps, the samples and its result. The ranges
are those of sample sort (Frazer and McKellar, "Samplesort: a sampling approach to minimal storage
tree sorting", Journal of the ACM 17, 1970).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.array_files import ArrayFile, read_entries, write_array
from ..base.executor import LocalRunner, as_folder, open_runner
from ..base.persistence import load, save
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, wrap_csr
from ._column import Column, concat
from ._dataset import engine_executor, map_partitions
from ._events import UngroupedEvents
from ._factorize import factorize
from ._triplets import RULES, read_triplets, refuse_other_maps, refuse_repeated
from .idmap import IdMap
from .interactions import Interactions

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from ..base.executor import Runner

    Array = NDArray[Any]

__all__ = ["read_partitions"]

_SIDES = ("users", "items")
_GROUP = 8  # maps of ids that a task unites
_ROWS_OF_RANGE = 2_000_000
_EXACT = 2**53  # whole numbers up to here are exact in float64
_UNITS = ("datetime64[ns]", "datetime64[us]", "datetime64[ms]", "datetime64[s]")


def read_partitions(
    dataset: Any,
    *,
    user: str,
    item: str,
    value: str | None = None,
    time: str | None = None,
    event: str | None = None,
    weights: Mapping[Any, float] | None = None,
    duplicates: str | None = None,
    nulls: str = "error",
    users: IdMap | None = None,
    items: IdMap | None = None,
    unknown: str = "error",
    keep_events: bool = True,
    dtype: DTypeLike | None = None,
    date_format: str | None = None,
    executor: Any = None,
    place: Any = None,
    n_threads: int | None = None,
) -> Interactions:
    """Read interactions from the partitions of Dask, Ray, Spark or a folder of files.

    Parameters
    ----------
    dataset : DataFrame of Dask or Spark, Dataset of Ray, path, or iterable of tables and paths
        A path names a folder of Parquet files. A table or file is one partition.
    user, item, value, time, event : str
        Columns, as in `Interactions.from_table`.
    weights, duplicates, nulls, users, items, unknown, keep_events, dtype, date_format
        As in `Interactions.from_table`.
    executor : str or concurrent.futures.Executor, optional
        Where ids are united and rows combined, as in `ImplicitALS.fit`. Default: the Dask client
        or the Ray session that holds the data set; else this process.
    place : path-like, optional
        Folder for the intermediate files, which all workers see under this name: about 30 bytes a
        row. Default: a temporary folder of this machine.
    n_threads : int, optional
        Threads of a task. Default: those of the executor's workers, or 1; without an executor
        ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Returns
    -------
    Interactions
        Bit-identical to that of `Interactions.from_table` for the concatenated partitions. The
        notes of ``report`` are those of single partitions.

    Raises
    ------
    ValueError, TypeError, KeyError
        As `Interactions.from_table`; the message names the number of the partition.
    FileNotFoundError
        For a folder without Parquet files.
    ImportError
        Where the library of the data set is not installed.
    OSError
        Where the disk of ``place`` is full.

    Notes
    -----
    A partition must fit in the memory of its worker. Spark must return the rows of a partition in
    the same order each time, because a lost task is repeated.

    Examples
    --------
    >>> from aimass_core.data.distributed import read_partitions
    >>> monday = {"user": ["eve", "bob"], "item": [7, 7]}
    >>> tuesday = {"user": ["eve", "ann"], "item": [9, 7]}
    >>> x = read_partitions([monday, tuesday], user="user", item="item")
    >>> list(x)
    [('ann', 7, 1.0), ('bob', 7, 1.0), ('eve', 7, 1.0), ('eve', 9, 1.0)]
    """
    options = {
        "user": user,
        "item": item,
        "value": value,
        "time": time,
        "event": event,
        "weights": weights,
        "duplicates": duplicates,
        "nulls": nulls,
        "unknown": unknown,
        "dtype": dtype,
        "date_format": date_format,
    }
    keep_events = as_bool(keep_events, "keep_events")
    with merge_partitions(
        dataset, options, {"users": users, "items": items}, executor, place, n_threads
    ) as merged:
        return merged.interactions(keep_events=keep_events)


@dataclass(frozen=True)
class _Spec:
    """What each partition is read by: options of `read_triplets`, files of given maps."""

    options: dict[str, Any]
    given: dict[str, str]
    folder: str


@dataclass(frozen=True)
class _Range:
    """Rows with keys from ``begin`` to before ``end``, by partition, and how they are combined."""

    number: int
    begin: int
    end: int
    files: tuple[dict[str, ArrayFile], ...]


@dataclass(frozen=True)
class _Settings:
    """What the ranges have in common."""

    shape: tuple[int, int]
    rule: str
    dtype: str
    folder: str
    n_threads: int


@dataclass
class MergedPartitions:
    """Combined entries in files, in ranges of (user, item), and their id maps.

    Parameters
    ----------
    users, items : IdMap
        Of all partitions.
    ranges : list of dict
        Of each range: its number of entries, and the files of its keys, values and times.
    parts : list of dict
        Of each partition: the numbers of its rows, and the files of its sorted rows.
    settings : _Settings
        Shape, rule, type of the values.
    """

    users: IdMap
    items: IdMap
    ranges: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    settings: _Settings

    @property
    def time_unit(self) -> str | None:
        """Unit of the times, None without times."""
        return next((p["time_unit"] for p in self.parts if p["n_rows"]), None)

    @property
    def nnz(self) -> int:
        """Number of combined entries."""
        return sum(r["nnz"] for r in self.ranges)

    def __iter__(self) -> Iterator[tuple[Array, Array, Array]]:
        for r in self.ranges:
            keys = _file(r, "keys").read()
            rows, columns = np.divmod(keys, max(len(self.items), 1))
            yield rows, columns, _file(r, "values").read()

    def interactions(self, *, keep_events: bool) -> Interactions:
        """Return the entries in memory."""
        shape, nnz = self.settings.shape, self.nnz
        counts = np.zeros(shape[0] + 1, dtype=np.int64)
        indices, data = np.empty(nnz, np.int32), np.empty(nnz, self.settings.dtype)
        times = None if self.time_unit is None else np.empty(nnz, np.int64)
        begin = 0
        for r, (rows, columns, values) in zip(self.ranges, self, strict=True):
            part = slice(begin, begin + len(rows))
            counts[1:] += np.bincount(rows, minlength=shape[0])
            indices[part], data[part] = columns, values
            if times is not None:
                times[part] = _file(r, "times").read()
            begin = part.stop
        matrix = wrap_csr(np.cumsum(counts), indices, data, shape)
        n_rows = sum(p["n_rows"] for p in self.parts)
        events = None
        if times is not None and keep_events and nnz < n_rows:
            events = self._events()
        return Interactions._made(
            matrix, self.users, self.items, times, self.time_unit, events, self._report(n_rows)
        )

    def _events(self) -> UngroupedEvents:
        """Return the single rows; those of an entry are in the order of the partitions."""
        filled = [p for p in self.parts if p["n_rows"]]
        keys, values, times = (
            np.concatenate([_file(p, name).read() for p in filled])
            for name in ("keys", "values", "times")
        )
        rows, columns = (a.astype(np.int32) for a in np.divmod(keys, max(len(self.items), 1)))
        values = values.astype(self.settings.dtype, copy=False)
        threads = resolve_n_threads(None)
        return UngroupedEvents(rows, columns, values, times, self.settings.rule, threads)

    def _report(self, n_rows: int) -> dict[str, Any]:
        dropped: Counter[str] = Counter()
        for part in self.parts:
            dropped.update(part["dropped"])
        return {
            "rows_read": sum(p["n_read"] for p in self.parts),
            "rows_dropped": dict(dropped),
            "rows_merged": n_rows - self.nnz,
            "interactions": self.nnz,
            "duplicates": self.settings.rule,
            "notes": list(dict.fromkeys(note for p in self.parts for note in p["notes"])),
        }


@contextlib.contextmanager
def merge_partitions(
    dataset: Any,
    options: dict[str, Any],
    given: dict[str, IdMap | None],
    executor: Any,
    place: Any,
    n_threads: int | None,
) -> Iterator[MergedPartitions]:
    """Return the combined entries of all partitions in files, which are removed at the end.

    Parameters
    ----------
    dataset, executor, place, n_threads
        As in `read_partitions`.
    options : dict
        Options of `read_triplets`.
    given : dict of str to IdMap or None
        Maps of users and items that are known.

    Returns
    -------
    context manager
        Its value is a `MergedPartitions`.
    """
    rule = options["duplicates"] or ("sum" if options.get("value") is None else "error")
    as_choice(rule, "duplicates", RULES)
    refuse_other_maps(**given)
    for role in ("user", "item"):
        if options[role] is None:
            raise TypeError("user= and item= are needed: the columns that name users and items")
    executor = engine_executor(dataset) if executor is None else executor
    with _open(executor, place, n_threads) as (runner, folder):
        spec = _Spec(options, _written_maps(given, folder), str(folder))
        roles = ("user", "item", "value", "time", "event")
        names = list(dict.fromkeys(options[r] for r in roles if options.get(r) is not None))
        parts = map_partitions(dataset, names, _write_part, spec, runner)
        if not parts:
            raise ValueError("dataset holds no rows")
        _check_times(parts)
        maps = {
            side: _joined(parts, side, given.get(side), runner, folder, options[side[:-1]])
            for side in _SIDES
        }
        settings = _Settings(
            (len(maps["users"][0]), len(maps["items"][0])),
            rule,
            "float64" if any(p["dtype"] == "float64" for p in parts) else "float32",
            str(folder),
            runner.n_threads,
        )
        filled = [p for p in parts if p["n_rows"]]
        files = {side: path for side, (_, path) in maps.items()}
        for part, result in zip(filled, runner.map(_sort_part, filled, files, settings)):
            part.update(result)
            for name in ("rows", "cols"):  # not by the task, which may be repeated
                Path(part.pop(name)[0]).unlink()
        ranges = _ranges(filled)
        merged = list(runner.map(_merge_range, ranges, settings))
        users, items = (maps[side][0] for side in _SIDES)
        refuse_repeated([r["repeated"] for r in merged if "repeated" in r], users, items)
        yield MergedPartitions(users, items, merged, parts, settings)


@contextlib.contextmanager
def _open(executor: Any, place: Any, n_threads: int | None) -> Iterator[tuple[Runner, Path]]:
    if executor is not None:
        with open_runner(executor, place, "interactions", n_threads) as runner:
            yield runner, runner.folder
        return
    if place is not None:
        place = as_folder(place)
    with tempfile.TemporaryDirectory(prefix="aimass-", dir=place) as folder:
        yield LocalRunner(resolve_n_threads(n_threads)), Path(folder)


# ---- 1: partitions ---------------------------------------------------------------------------


def _write_part(table: Any, number: int, spec: _Spec) -> dict[str, Any] | None:
    """Write the distinct ids and the numbered rows of a partition; return what they are."""
    known: dict[str, Any] = {side: _map_of(path) for side, path in spec.given.items()}
    try:
        rows = read_triplets(table, **spec.options, **known, n_threads=1)
    except (ValueError, TypeError, KeyError) as error:
        error.args = (f"partition {number}: {error.args[0] if error.args else error}",)
        raise
    part: dict[str, Any] = {
        "n_read": rows.n_read,
        "n_rows": len(rows.rows),
        "dropped": rows.dropped,
        "notes": rows.notes,
        "time_unit": rows.time_unit,
        "dtype": str(rows.values.dtype),
        "number": number,
    }
    if not part["n_rows"]:
        return part
    for side, ids in (("users", rows.users), ("items", rows.items)):
        if side not in spec.given:
            part[side] = f"{spec.folder}/part-{number}.{side}.safetensors"
            save(ids, part[side])
    for name in ("rows", "cols", "values", "times"):
        array = getattr(rows, name)
        if array is not None:
            part[name] = _write(spec.folder, f"part-{number}.{name}", array)
    return part


def _write(folder: str, name: str, array: Array) -> list[Any]:
    """Write an array; return the name of its file and its checksum as plain values."""
    file = write_array(f"{folder}/{name}.npy", array)
    return [file.path, file.checksum]


def _file(part: dict[str, Any], name: str) -> ArrayFile:
    return ArrayFile(*part[name])


def _check_times(parts: list[dict[str, Any]]) -> None:
    units = {p["time_unit"]: p["number"] for p in parts if p["n_rows"]}
    if len(units) > 1:
        raise TypeError(
            f"time: partition {units['ns']} holds dates and partition {units['raw']} whole "
            "numbers: convert the column to one kind"
        )


# ---- 2: ids ----------------------------------------------------------------------------------


def _written_maps(given: dict[str, IdMap | None], folder: Path) -> dict[str, str]:
    files = {}
    for side, ids in given.items():
        if ids is not None:
            files[side] = str(folder / f"given.{side}.safetensors")
            save(ids, files[side])
    return files


@lru_cache(maxsize=4)
def _cached_map(path: str, version: tuple[int, ...]) -> IdMap:
    ids: IdMap = load(path)
    return ids


def _map_of(path: str) -> IdMap:
    """Return the map of a file; a process reads each version of a file once."""
    status = Path(path).stat()
    return _cached_map(path, (status.st_mtime_ns, status.st_ino, status.st_size))


def _joined(
    parts: list[dict[str, Any]],
    side: str,
    given: IdMap | None,
    runner: Runner,
    folder: Path,
    name: str,
) -> tuple[IdMap, str | None]:
    """Return the map of all partitions and its file; None: rows have its numbers already."""
    if given is not None:
        return given, None
    files = [p[side] for p in parts if p["n_rows"]]
    level = 0
    while len(files) > 1 or not level:
        groups = [
            (files[i : i + _GROUP], str(folder / f"joined-{level}-{i}.{side}.safetensors"))
            for i in range(0, max(len(files), 1), _GROUP)
        ]
        files = list(runner.map(_unite, groups))
        level += 1
    ids: IdMap = load(files[0])
    return ids.named(name), files[0]


def _unite(group: tuple[list[str], str]) -> str:
    """Write the map of the ids of several maps, in ascending order; return its file."""
    files, target = group
    columns = [load(file)._column() for file in files]
    united, _ = _numbered(columns)
    save(IdMap._of(united), target)
    return target


def _numbered(columns: list[Column]) -> tuple[Column, Array]:
    """Return the distinct ids of several columns, ascending, and the number of each."""
    columns = [c for c in columns if c.n_entries] or columns[:1]
    if not columns:
        return Column("int", np.zeros(0, np.int64)), np.zeros(0, np.int32)
    codes, ids = factorize(concat(_of_one_kind(columns)), "ids", 1)
    return ids, codes


def _of_one_kind(columns: list[Column]) -> list[Column]:
    """Return ids as one kind, the one that the concatenated partitions would have."""
    kinds = {c.kind for c in columns}
    if len(kinds) == 1 or kinds == {"int", "uint"}:
        return columns
    if kinds == {"int", "float"} and all(
        c.kind == "float" or np.abs(c.values).max(initial=0) <= _EXACT for c in columns
    ):
        return [Column("float", c.values.astype(np.float64)) for c in columns]
    if kinds <= set(_UNITS):
        finest = min(kinds, key=_UNITS.index)
        return [
            Column(finest, c.values.view(c.kind).astype(finest).view(np.int64)) for c in columns
        ]
    raise TypeError(
        f"ids are of several kinds in several partitions ({', '.join(sorted(kinds))}): convert "
        "the column to one"
    )


# ---- 3: rows in order ------------------------------------------------------------------------


def _sort_part(
    part: dict[str, Any], maps: dict[str, str | None], settings: _Settings
) -> dict[str, Any]:
    """Write the rows of a partition, sorted by key, and return their files and a sample."""
    numbers = []
    for side, name in zip(_SIDES, ("rows", "cols"), strict=True):
        codes: Array = _file(part, name).read()
        path = maps[side]
        if path is not None:
            codes = _numbers_in(_map_of(path), load(part[side]))[codes]
        numbers.append(codes)
    keys = numbers[0].astype(np.int64) * max(settings.shape[1], 1) + numbers[1]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    name = f"sorted-{part['number']}"
    result: dict[str, Any] = {"keys": _write(settings.folder, f"{name}.keys", keys)}
    for array in ("values", "times"):
        if array in part:
            content = _file(part, array).read()[order]
            if array == "values":
                content = content.astype(settings.dtype, copy=False)
            result[array] = _write(settings.folder, f"{name}.{array}", content)
    n_samples = min(len(keys), max(64, 16 * len(keys) // _ROWS_OF_RANGE))
    at = np.linspace(0, len(keys) - 1, n_samples).astype(np.int64)
    result["sample"] = [keys[at].tolist(), len(keys) / max(n_samples, 1)]
    return result


def _numbers_in(ids: IdMap, mine: IdMap) -> Array:
    """Return the number that a map has for each id of another one, which it holds."""
    if ids.kind in ("str", "bytes"):  # no dictionary of all ids
        return _numbered([ids._column(), mine._column()])[1][len(ids) :]
    return ids._find(mine._column()).astype(np.int32)


def _ranges(parts: list[dict[str, Any]]) -> list[_Range]:
    """Return ranges of keys with about as many rows each, from the samples of the partitions."""
    if not parts:
        return []
    keys = np.concatenate([np.array(p["sample"][0], dtype=np.int64) for p in parts])
    rows = np.concatenate([np.full(len(p["sample"][0]), p["sample"][1]) for p in parts])
    order = np.argsort(keys, kind="stable")
    keys, ends = keys[order], np.cumsum(rows[order])
    n_ranges = max(1, round(ends[-1] / _ROWS_OF_RANGE))
    wanted = ends[-1] * np.arange(1, n_ranges) / n_ranges
    splits = np.unique(keys[np.searchsorted(ends, wanted)])
    bounds = [0, *splits[splits > 0].tolist(), int(np.iinfo(np.int64).max)]
    names: list[str] = [n for n in ("keys", "values", "times") if n in parts[0]]
    files = tuple({name: _file(p, name) for name in names} for p in parts)
    return [_Range(i, *pair, files) for i, pair in enumerate(pairwise(bounds))]


# ---- 4: ranges -------------------------------------------------------------------------------


def _merge_range(range_: _Range, settings: _Settings) -> dict[str, Any]:
    """Write the combined entries of a range of keys; return their files and number."""
    parts: dict[str, list[Array]] = {name: [] for name in range_.files[0]}
    for files in range_.files:
        keys = files["keys"].open()
        begin, end = np.searchsorted(keys, [range_.begin, range_.end]).tolist()
        for name, file in files.items():
            parts[name].append(read_entries(file.path, begin, end))
    keys, values = np.concatenate(parts["keys"]), np.concatenate(parts["values"])
    times = np.concatenate(parts["times"]) if "times" in parts else None
    n_items = max(settings.shape[1], 1)
    rows, columns = np.divmod(keys, n_items)
    first = int(rows.min()) if len(rows) else 0
    n_rows = int(rows.max(initial=first)) - first + 1
    rows, columns = (rows - first).astype(np.int32), columns.astype(np.int32)
    if settings.rule == "error" and len(keys):
        distinct, counts = np.unique(keys, return_counts=True)
        if len(distinct) < len(keys):
            most = int(counts.argmax())
            repeated = [len(keys) - len(distinct), int(distinct[most]), int(counts[most])]
            return {"nnz": 0, "repeated": repeated}
    indptr, indices, data, last = kernels.coo_to_csr(
        rows, columns, values, times, n_rows, n_items, settings.rule, settings.n_threads
    )
    if not np.isfinite(data).all():
        raise ValueError("the sum of repeated rows overflows: scale the values down")
    owner = np.repeat(np.arange(first, first + n_rows), np.diff(indptr))
    result: dict[str, Any] = {"nnz": len(data)}
    arrays = {"keys": owner * n_items + indices, "values": data, "times": last}
    for name, array in arrays.items():
        if array is not None:
            result[name] = _write(settings.folder, f"range-{range_.number}.{name}", array)
    return result
