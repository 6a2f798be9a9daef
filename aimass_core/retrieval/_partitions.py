"""Lists of all users in a folder of Parquet files, one file for each block of users."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.array_files import checksum_of
from ..base.csr import row_range
from ..base.executor import open_runner
from ..base.foreign import as_recommender
from ..base.optional import import_optional
from ..base.persistence import load, replacing, save
from ..base.progress import Progress
from ..base.recommender import UNKNOWN
from ..base.remote_files import (
    copy_of,
    download_object,
    is_url,
    new_copy,
    remove_file,
    upload,
)
from ..base.validation import as_bool, as_choice, as_int
from ..exceptions import DamagedFileError
from ._stream import _block_rows, _schema_of, recommend_blocks, write_topk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ["write_recommendations"]

_MARKER = "_SUCCESS"  # written last, as by Spark
_RUN = "run.json"

# The model that this process read last: (path, time of change, size) and the model.
_loaded: list[tuple[tuple[str, int, int], Any]] = []


@dataclass(frozen=True)
class _UserRange:
    """Users whose lists are one file: their number, and what `recommend` takes for them."""

    number: int
    begin: int
    end: int
    users: NDArray[Any] | None  # None: those of the model's rows
    candidates: Any
    exclude: Any


def write_recommendations(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    users: Any = None,
    k: int = 10,
    exclude_seen: bool = True,
    candidates: Any = None,
    exclude: Any = None,
    unknown: str = "error",
    block_size: int | None = None,
    schema: Any = None,
    executor: Any = None,
    place: Any = None,
    n_threads: int | None = None,
    callback: Callable[[Any], Any] | None = None,
    verbose: bool = False,
) -> int:
    """Write the lists of all users to a folder of Parquet files, on one or many processes.

    Parameters
    ----------
    model : fitted recommender
        On an executor it is saved once, and each worker maps the file.
    folder : path-like
        Holds ``part-00000.parquet`` and so on, and ``_SUCCESS``. It appears, or replaces an older
        such folder, only when it is complete. All workers see it under this name, unless `place`
        is a URL.
    users : array-like of ids, optional
        As in ``recommend``. Default: all users, in row order.
    k, exclude_seen, candidates, exclude, unknown
        As in ``recommend``; a matrix has a row for each of all queried users.
    block_size : int, optional
        Users in a file. Default: as many as have 2,600,000 list entries, but at least 256.
    schema : pyarrow.Schema, optional
        As in `write_topk`.
    executor : str or concurrent.futures.Executor, optional
        "processes:N", "dask://host:port", "ray://host:port", or an object with the method
        ``submit``. The lists are the same. Default: this process.
    place : path-like or URL, optional
        Folder for the file of the model, which all workers see, or the URL of one that they reach
        through fsspec. Then this process fetches the files of lists from there. With `place`, a
        call that was interrupted resumes: it writes the missing files only. Default: a temporary
        folder.
    n_threads : int, optional
        Threads of a task. Default: those of the executor's workers, or 1; without an executor
        ``AIMASS_NUM_THREADS``, else the CPUs of this process.
    callback : callable, optional
        Called with an `Event` after each file, in their order; a true result ends the work, and
        the folder does not appear.
    verbose : bool, default=False
        Show a progress bar on standard error once the work has taken two seconds.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    FileExistsError
        For a folder that holds other files.
    ImportError
        Without pyarrow: ``pip install aimass_core[io]``.
    KeyError
        For an unknown user.
    OSError
        Where a file cannot be written.
    TypeError
        For a model that cannot be saved, on an executor.

    Notes
    -----
    A worker takes memory for the model's mapped file and the lists of one file. Columns are those
    of `write_topk`. ``pyarrow.dataset``, DuckDB, Dask, Ray and Spark read the folder as one table.

    Examples
    --------
    >>> import tempfile
    >>> from aimass_core import ImplicitALS, datasets
    >>> from aimass_core.retrieval import write_recommendations
    >>> store = datasets.make_store(random_state=0).to_interactions()
    >>> model = ImplicitALS(n_factors=8, max_iter=2).fit(store)
    >>> folder = tempfile.mkdtemp() + "/lists"
    >>> write_recommendations(model, folder, k=5) == 5 * len(store.users)
    True
    """
    import_optional("pyarrow", "writing tables", "io")
    model = as_recommender(model)
    model._check_fitted()
    options = {
        "k": as_int(k, "k", minimum=1),
        "exclude_seen": as_bool(exclude_seen, "exclude_seen"),
        "unknown": as_choice(unknown, "unknown", UNKNOWN),
    }
    if block_size is None:
        block_size = 10 * _block_rows(max(1, min(k, model.n_items)))
    target = _as_target(folder)
    rows, queries = model._queried_users(users, unknown)
    model._filters(candidates, exclude, queries)  # raises what a block would raise
    ranges = _ranges(
        None if users is None else queries,
        len(rows),
        as_int(block_size, "block_size", minimum=1),
        candidates,
        exclude,
    )
    if schema is None:
        schema = _schema_of(model.recommend(queries[:1], k=1, exclude_seen=False, unknown="skip"))
    with open_runner(executor, place, "recommendations", n_threads, takes_url=True) as runner:
        shared: Any = model
        run = None
        if not runner.is_local:
            file = str(runner.local_folder / "model.safetensors")
            save(model, file)
            checksum = checksum_of(np.memmap(file, np.uint8, mode="r"))
            shared = runner.publish(file, f"{checksum:08x}")
            if place is not None:
                run = [checksum, repr(options)]
                run += [repr((r.begin, r.end)) for r in ranges] + [
                    repr((users, candidates, exclude))
                ]
        with _staged(target, run) as stage:
            is_remote = not runner.is_local and runner.is_remote
            parts = str(runner.folder if is_remote else stage)
            common = shared, options, schema, runner.n_threads
            # Workers on other machines cannot see which files there are.
            known = [_rows_of(stage / _name(r)) if is_remote else None for r in ranges]
            missing = [(r, n) for r, n in zip(ranges, known, strict=True) if n is None]
            work = runner.map(_write_part, [r for r, _ in missing], parts, *common)
            n_rows = 0
            with (
                contextlib.closing(work) as counts,  # ends its tasks before the folder is removed
                Progress("lists", len(ranges), callback=callback, verbose=verbose) as progress,
            ):
                for i, (block, n) in enumerate(zip(ranges, known, strict=True), 1):
                    if n is None:
                        n = next(counts)
                        if is_remote:
                            _take(f"{parts}/{_name(block)}", stage)
                    n_rows += n
                    if progress.step(i, {"rows": float(n_rows)}):
                        raise InterruptedError("the callback ended the work: no folder was written")
    return n_rows


def _ranges(
    users: NDArray[Any] | None, n: int, size: int, candidates: Any, exclude: Any
) -> list[_UserRange]:
    """Return the ranges of users, each with its rows of the filters."""

    def part(filter_: Any, begin: int, end: int) -> Any:
        return row_range(filter_.tocsr(), begin, end) if sp.issparse(filter_) else filter_

    return [
        _UserRange(
            number,
            begin,
            min(begin + size, n),
            None if users is None else users[begin : begin + size],
            part(candidates, begin, min(begin + size, n)),
            part(exclude, begin, min(begin + size, n)),
        )
        for number, begin in enumerate(range(0, max(n, 1), size))
    ]


def _write_part(
    block: _UserRange,
    folder: str,
    shared: Any,
    options: dict[str, Any],
    schema: Any,
    n_threads: int,
) -> int:
    """Write the file of some users, unless it is there; return its number of rows."""
    path = f"{folder}/{_name(block)}"
    if is_url(path):
        with new_copy(path) as file:
            n_rows = _write_lists(file, block, shared, options, schema, n_threads)
            upload(file, path)
        return n_rows
    known = _rows_of(Path(path))
    if known is not None:
        return known
    return _write_lists(Path(path), block, shared, options, schema, n_threads)


def _name(block: _UserRange) -> str:
    return f"part-{block.number:05d}.parquet"


def _rows_of(path: Path) -> int | None:
    """Return the number of rows of a file; None if there is none."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows) if path.exists() else None


def _take(url: str, stage: Path) -> None:
    """Move the file of some users from the object store to the folder of this process."""
    name = url.rpartition("/")[2]
    temporary = stage / f".{name}.{secrets.token_hex(8)}.tmp"
    download_object(url, temporary)
    temporary.replace(stage / name)
    remove_file(url)


def _write_lists(
    path: Path, block: _UserRange, shared: Any, options: dict[str, Any], schema: Any, n_threads: int
) -> int:
    """Write the lists of some users to a file; return its number of rows."""
    model = _load_once(shared) if isinstance(shared, str) else shared
    users = block.users
    if users is None:
        users = np.arange(block.begin, block.end)
        users = users if model.users_ is None else model.users_.ids[users]
    filters = {"candidates": block.candidates, "exclude": block.exclude}
    lists = recommend_blocks(model, users, **filters, **options, n_threads=n_threads)
    return write_topk(lists, path, schema=schema)


def _load_once(path: str) -> Any:
    """Return the model of a file or an object; a process reads it once."""
    key = path, 0, 0  # the URL of an object holds the checksum of the model
    if not is_url(path):
        status = os.stat(path)
        key = path, status.st_mtime_ns, status.st_size
    if not _loaded or _loaded[0][0] != key:
        _loaded[:] = [(key, _load_copy(path) if is_url(path) else load(path))]
    return _loaded[0][1]


def _load_copy(url: str) -> Any:
    """Return the model of an object; a copy that was lost or altered is replaced."""
    with contextlib.suppress(DamagedFileError, FileNotFoundError):
        return load(copy_of(url, "model"))
    try:
        return load(copy_of(url, "model", again=True))
    except DamagedFileError as error:
        raise DamagedFileError(f"{url}: {error}") from None


def _as_target(folder: Any) -> Path:
    """Return the folder as a path, refused where it holds anything but lists."""
    target = Path(folder).absolute()
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"folder: there is no folder '{target.parent}': make it first or write elsewhere"
        )
    if target.exists():
        if not target.is_dir():
            raise FileExistsError(f"folder: '{target}' is a file: give the name of a folder")
        others = [p.name for p in target.iterdir() if not _is_ours(p.name)]
        if others:
            raise FileExistsError(
                f"folder: '{target}' holds {others[0]!r}, which is not a file of lists: give a new "
                "or empty folder"
            )
    return target


def _is_ours(name: str) -> bool:
    return name == _MARKER or (name.startswith("part-") and name.endswith(".parquet"))


@contextlib.contextmanager
def _staged(target: Path, run: Any) -> Iterator[Path]:
    """Yield a folder that takes the name of the target when the body ends without an error.

    It stays after an error where ``run`` tells which call it belongs to.
    """
    stage = target.with_name(f".{target.name}.partial")
    with contextlib.suppress(OSError, ValueError):
        if run is None or json.loads((stage / _RUN).read_text()) != run:
            shutil.rmtree(stage, ignore_errors=True)
    if not (stage / _RUN).exists():
        shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(exist_ok=True)
    try:
        if run is not None and not (stage / _RUN).exists():
            with replacing(stage / _RUN) as file:
                file.write(json.dumps(run).encode())
        yield stage
        for path in stage.iterdir():  # those of workers that were lost
            if not _is_ours(path.name):
                path.unlink()
        (stage / _MARKER).touch()
    except BaseException:
        if run is None:
            shutil.rmtree(stage, ignore_errors=True)
        raise
    older = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    if target.exists():
        target.rename(older)
    stage.rename(target)
    shutil.rmtree(older, ignore_errors=True)
