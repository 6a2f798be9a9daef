"""Where the tasks of a fit run: in this process, or on an executor.

Every fit is a loop over blocks of rows. A `Runner` calls a function on each block and yields the
results in the order of the blocks, so a result does not depend on where and in which order the
blocks were done. `LocalRunner` calls the function here, on arrays in memory. `ExecutorRunner`
submits it to workers: a task holds the names of files, and its result is a file or a small
statistic. The loops are the same for both.

Tasks are idempotent. A task whose worker is lost is submitted again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Future,
    wait,
)
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .array_files import ArrayFile, write_array, write_parts
from .optional import import_optional
from .persistence import replacing
from .progress import logger
from .remote_files import (
    RemoteFolder,
    discard_copies,
    folder_of_copies,
    is_url,
    remove_file,
    upload,
)
from .threads import resolve_n_threads
from .validation import as_int

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .array_files import Shared

    Array = NDArray[Any]

__all__ = [
    "LOCAL",
    "PUBLISHED",
    "ExecutorRunner",
    "LocalRunner",
    "Runner",
    "as_folder",
    "open_executor",
    "open_runner",
]

_WINDOW = 64  # tasks that are submitted and not yet used, at least
_MAX_LOSSES = 5  # lost workers without any finished task between
_MAX_SHARED = 16  # arrays whose files are remembered
PUBLISHED = "data"  # start of the names of objects with the content of other files
# Errors of other libraries that say that a worker was lost, not that the task is wrong.
_LOST = {"KilledWorker", "WorkerCrashedError", "NodeDiedError", "OwnerDiedError", "WorkerDiedError"}


class Runner(Protocol):
    """Calls a function on blocks.

    ``on_block``, where it is set, receives the number of blocks that a call of `map` has finished,
    and the number of all its blocks.
    """

    n_threads: int
    on_block: Callable[[int, int], None] | None

    @property
    def is_local(self) -> bool:
        """Whether tasks run in this process, on arrays in memory."""
        ...

    def map(self, function: Callable[..., Any], blocks: Iterable[Any], *common: Any) -> Any:
        """Yield ``function(block, *common)`` for each block, in the order of the blocks."""
        ...

    def share(self, array: Array) -> Shared:
        """Return what a task needs to open an array."""
        ...

    def forget(self, array: Array) -> None:
        """Remove the file of an array that no task will need."""
        ...

    def target(self, name: str) -> str | None:
        """Return the file in which a task stores an array; None: the array is returned."""
        ...

    def concatenate(self, parts: Iterable[Shared], shape: tuple[int, ...], dtype: Any) -> Array:
        """Return the stored arrays of tasks as one."""
        ...


class LocalRunner:
    """Calls functions in this process, one block after the other.

    Parameters
    ----------
    n_threads : int, default=1
        Threads of a task.
    """

    is_local = True

    def __init__(self, n_threads: int = 1) -> None:
        self.n_threads = n_threads
        self.on_block: Callable[[int, int], None] | None = None

    def map(
        self, function: Callable[..., Any], blocks: Iterable[Any], *common: Any
    ) -> Iterator[Any]:
        """Yield ``function(block, *common)`` for each block.

        Parameters
        ----------
        function : callable
            The work on one block.
        blocks : iterable
            The blocks.
        *common
            Further arguments.

        Returns
        -------
        iterator
            A block's result is used before the next block is begun.
        """
        n_blocks = len(blocks) if isinstance(blocks, Sized) else 0
        for number, block in enumerate(blocks, 1):
            yield function(block, *common)
            if self.on_block is not None and n_blocks > 1:
                self.on_block(number, n_blocks)

    def share(self, array: Array) -> Array:
        """Return the array itself.

        Parameters
        ----------
        array : ndarray
            Any array.

        Returns
        -------
        ndarray
        """
        return array

    def target(self, name: str) -> None:
        """Return None: arrays are returned by the function.

        Parameters
        ----------
        name : str
            Not used.
        """
        return

    def forget(self, array: Array) -> None:
        """Do nothing: no files are kept.

        Parameters
        ----------
        array : ndarray
            Not used.
        """

    def concatenate(self, parts: Iterable[Any], shape: tuple[int, ...], dtype: Any) -> Array:
        """Return arrays of consecutive rows as one array.

        Parameters
        ----------
        parts : iterable of ndarray
            Rows.
        shape : tuple of int
            Of the complete array.
        dtype : dtype
            Of the complete array.

        Returns
        -------
        ndarray
        """
        whole, begin = np.empty(shape, dtype=dtype), 0
        for part in parts:
            if len(part) == len(whole) and part.dtype == whole.dtype:
                return np.asarray(part)
            whole[begin : begin + len(part)] = part
            begin += len(part)
        return whole


LOCAL = LocalRunner()


class ExecutorRunner:
    """Submits tasks to an executor.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Or an object with the same ``submit``, such as Dask's ``Client.get_executor()``.
    folder : path-like or RemoteFolder
        Where shared arrays and results lie; this process and all workers see it by this name.
    n_threads : int
        Threads of a task.
    """

    is_local = False

    def __init__(
        self, executor: Any, folder: str | os.PathLike[str] | RemoteFolder, n_threads: int
    ) -> None:
        self.executor, self.n_threads = executor, n_threads
        # Of either type, which have in common what is used here.
        self.folder: Any = folder if isinstance(folder, RemoteFolder) else Path(folder)
        self.n_tasks = self.n_lost = 0
        self.on_block: Callable[[int, int], None] | None = None
        self._token, self._n_files = secrets.token_hex(4), 0
        self._shared: dict[int, tuple[Array, ArrayFile]] = {}  # by identity of the array
        self._published: dict[str, str] = {}

    def map(
        self, function: Callable[..., Any], blocks: Iterable[Any], *common: Any
    ) -> Iterator[Any]:
        """Yield ``function(block, *common)`` for each block, in the order of the blocks.

        Parameters
        ----------
        function : callable
            A function of a module; a repeated call does the same.
        blocks : iterable
            Descriptions of the blocks, with names of files.
        *common
            Further arguments of each task.

        Returns
        -------
        iterator
            Results, held while an earlier block is not done.

        Raises
        ------
        RuntimeError
            Where workers are lost again and again.
        """
        tasks = list(blocks)
        pending: dict[Future[Any], int] = {}
        early: dict[int, Any] = {}
        again: list[int] = []  # tasks whose worker was lost
        next_task = n_done = losses = 0
        window = max(_WINDOW, 4 * int(getattr(self.executor, "n_workers", 1)))
        try:
            while n_done < len(tasks):
                while len(pending) + len(early) < window and (again or next_task < len(tasks)):
                    number = again.pop() if again else next_task
                    next_task += number == next_task
                    try:
                        future = self.executor.submit(function, tasks[number], *common)
                    except BrokenExecutor as error:
                        again.append(number)
                        losses = self._recover(error, losses)
                        continue
                    pending[future] = number
                    self.n_tasks += 1
                lost: BaseException | None = None
                for future in _first_completed(pending):
                    number = pending.pop(future)
                    try:
                        early[number] = future.result()
                        losses = 0
                    except BaseException as error:
                        if not _is_loss(error):
                            raise
                        again.append(number)
                        lost = error
                # A loss may end several tasks. All those of a broken pool end before it restarts.
                if lost is not None and not (pending and isinstance(lost, BrokenExecutor)):
                    losses = self._recover(lost, losses)
                while n_done in early:
                    yield early.pop(n_done)
                    n_done += 1
                    if self.on_block is not None and len(tasks) > 1:
                        self.on_block(n_done, len(tasks))
        finally:
            if pending:
                self._drop(pending)

    def _drop(self, pending: Iterable[Future[Any]]) -> None:
        """End tasks that nobody needs: nothing is written after the folder is removed."""
        futures = list(pending)
        for future in futures:
            future.cancel()
        restart = getattr(self.executor, "restart", None)
        if restart is not None:
            restart()
        else:
            with contextlib.suppress(Exception):
                wait(futures, timeout=60)

    def _recover(self, error: BaseException, losses: int) -> int:
        """Prepare for repeating tasks after the loss of a worker; return the number of losses."""
        self.n_lost += 1
        losses += 1
        logger.warning("a worker was lost (%s): its tasks are repeated", type(error).__name__)
        if losses > _MAX_LOSSES:
            raise RuntimeError(
                f"{losses} workers were lost without a finished task between: is there too little "
                "memory for one block? Finished half-steps are kept in place"
            ) from error
        _wait_for_scheduler(self.executor)
        if isinstance(error, BrokenExecutor):
            restart = getattr(self.executor, "restart", None)
            if restart is None:
                raise RuntimeError(
                    f"a worker was lost, and {type(self.executor).__name__} cannot replace it: use "
                    "executor='processes:N', or call again with the same place to resume"
                ) from error
            restart(is_lost=True)
        return losses

    def share(self, array: Array) -> ArrayFile:
        """Return the file of an array, which is written on its first use.

        Parameters
        ----------
        array : ndarray
            It must not change afterwards.

        Returns
        -------
        ArrayFile
        """
        known = self._shared.get(id(array))
        if known is not None and known[0] is array:
            self._shared[id(array)] = self._shared.pop(id(array))  # the latest use comes last
            return known[1]
        file = write_array(self._new_path("shared"), np.ascontiguousarray(array), keeps_copy=True)
        self._remember(array, file)
        return file

    def adopt(self, file: ArrayFile) -> Array:
        """Return the array of a file of an earlier run, which `share` then knows.

        Parameters
        ----------
        file : ArrayFile
            A file in the folder.

        Returns
        -------
        ndarray
        """
        array = file.open()
        self._remember(array, file)
        return array

    def target(self, name: str) -> str:
        """Return the start of the names of the files in which the tasks of a pass store arrays.

        Parameters
        ----------
        name : str
            What is stored.

        Returns
        -------
        str
            Different for each call: a task that is late harms no later pass.
        """
        return self._new_path(name).removesuffix(".npy")

    def concatenate(self, parts: Iterable[ArrayFile], shape: tuple[int, ...], dtype: Any) -> Array:
        """Join the files that tasks stored, and remove them.

        Parameters
        ----------
        parts : iterable of ArrayFile
            Consecutive rows.
        shape : tuple of int
            Of the complete array.
        dtype : dtype
            Of the complete array.

        Returns
        -------
        ndarray
            Mapped from the file of all rows.
        """

        def rows() -> Iterator[Array]:
            for part in parts:
                yield part.read()
                remove_file(part.path)

        path = self._new_path("joined")
        return self.adopt(write_parts(path, rows(), shape, dtype, keeps_copy=True))

    @property
    def local_folder(self) -> Path:
        """Folder of this machine, which is removed at the end of the run."""
        if isinstance(self.folder, RemoteFolder):
            return folder_of_copies(self.folder.url)
        return Path(self.folder)

    def publish(self, path: str, checksum: str) -> str:
        """Return the name by which tasks read a file of this process that does not change.

        Parameters
        ----------
        path : str
            The file.
        checksum : str
            Of its content, which names the object: what an earlier run stored is used again.

        Returns
        -------
        str
            The path itself, or the URL of an object with the content of the file.
        """
        if not isinstance(self.folder, RemoteFolder):
            return path
        if path not in self._published:
            target = self.folder / f"{PUBLISHED}.{checksum}.npy"
            if target.size() != os.path.getsize(path):
                upload(path, target.url)
            self._published[path] = target.url
        return self._published[path]

    @property
    def is_remote(self) -> bool:
        """Whether the files of the run are objects, and workers share no folder."""
        return isinstance(self.folder, RemoteFolder)

    def read(self, name: str) -> bytes:
        """Return the content of a small file in the folder.

        Parameters
        ----------
        name : str
            The file.

        Returns
        -------
        bytes
        """
        content: bytes = (self.folder / name).read_bytes()
        return content

    def write(self, name: str, content: bytes) -> None:
        """Replace a small file in the folder in one step.

        Parameters
        ----------
        name : str
            The file.
        content : bytes
            What is written.
        """
        path = self.folder / name
        if isinstance(path, RemoteFolder):
            path.write_bytes(content)
            return
        with replacing(path) as file:
            file.write(content)

    def _new_path(self, kind: str) -> str:
        self._n_files += 1
        return str(self.folder / f"{kind}.{self._token}.{self._n_files}.npy")

    def _remember(self, array: Array, file: ArrayFile) -> None:
        """Note the file of an array; the oldest file is removed."""
        self._shared[id(array)] = array, file
        while len(self._shared) > _MAX_SHARED:
            oldest = next(iter(self._shared))
            self.forget(self._shared[oldest][0])

    def own_files(self) -> set[str]:
        """Return the names of the files of all shared arrays.

        Returns
        -------
        set of str
        """
        return {file.path for _, file in self._shared.values()}

    def forget(self, array: Array) -> None:
        """Remove the file of an array that no task will need.

        Parameters
        ----------
        array : ndarray
            As it was given to `share`. Maps of the file stay valid.
        """
        known = self._shared.pop(id(array), None)
        if known is not None:
            with contextlib.suppress(OSError):
                remove_file(known[1].path)


def _first_completed(pending: Iterable[Future[Any]]) -> list[Future[Any]]:
    """Wait until a future is done; return those that are, hearing Ctrl-C meanwhile."""
    futures = list(pending)
    while True:
        done = wait(futures, timeout=0.5, return_when=FIRST_COMPLETED).done
        if done or not futures:
            return [future for future in futures if future in done]


def _wait_for_scheduler(executor: Any) -> None:
    """Wait while a Dask client looks for its scheduler, which it does until its own time limit."""
    client = getattr(executor, "_client", None)
    while getattr(client, "status", "") == "connecting":
        time.sleep(0.1)
    if getattr(client, "status", "") in ("closing", "closed"):
        raise RuntimeError(
            "the connection to the Dask scheduler was lost: start the cluster again, and call "
            "again with the same place to resume"
        )


def _is_loss(error: BaseException) -> bool:
    """Return whether an error says that a worker was lost."""
    if isinstance(error, (BrokenExecutor, CancelledError)):
        return True
    return any(base.__name__ in _LOST for base in type(error).__mro__)


@contextlib.contextmanager
def open_executor(executor: Any) -> Iterator[Any]:
    """Return the executor that an ``executor`` argument means; one that is started here ends here.

    Parameters
    ----------
    executor : str or object with ``submit``
        ``"processes:N"``: N worker processes on this machine. ``"dask://host:8786"``: the workers
        of a Dask scheduler. ``"ray://host:10001"`` or ``"ray"``: those of a Ray cluster. Or a
        `concurrent.futures.Executor`.

    Returns
    -------
    context manager
        Its value is the executor.

    Raises
    ------
    ValueError
        For another text.
    TypeError
        For an object without ``submit``.
    ImportError
        Where Dask or Ray is not installed.
    """
    if not isinstance(executor, str):
        if not callable(getattr(executor, "submit", None)):
            raise TypeError(
                "executor must be 'processes:N', 'dask://host:port', 'ray://host:port' or an "
                f"object with the method submit, got {type(executor).__name__}"
            )
        yield executor
        return
    kind, _, rest = executor.partition(":")
    if kind == "processes":
        from .process_executor import ProcessExecutor

        if not rest.isdecimal() or int(rest) < 1:
            raise ValueError(f"executor must be 'processes:N' with N >= 1, got {executor!r}")
        processes = ProcessExecutor(int(rest))
        try:
            yield processes
        finally:
            processes.shutdown(cancel_futures=True)
    elif kind == "dask" and rest.startswith("//"):
        distributed = import_optional("distributed", "executor='dask://...'", "dask")
        with distributed.Client(f"tcp:{rest}", timeout=30) as client:
            yield client.get_executor(pure=False)
    elif kind == "ray" and (not rest or rest.startswith("//")):
        from .ray_executor import RayExecutor

        with RayExecutor(address=executor if rest else None) as ray_executor:
            yield ray_executor
    else:
        raise ValueError(
            "executor must be 'processes:N', 'dask://host:port', 'ray' or 'ray://host:port', got "
            f"{executor!r}"
        )


@contextlib.contextmanager
def open_runner(
    executor: Any,
    place: Any,
    name: str,
    n_threads: int | None,
    *,
    keeps_place: bool = False,
    takes_url: bool = False,
) -> Iterator[Any]:
    """Return the runner that the arguments ``executor`` and ``place`` of a fit mean.

    Parameters
    ----------
    executor : str, object with ``submit``, or None
        As in `open_executor`; None: this process.
    place : path-like, URL or None
        Folder that all workers see, or the URL of one that they reach through fsspec. Default: a
        new folder for temporary files, which is removed.
    name : str
        Name of the folder of this run in ``place``.
    n_threads : int or None
        Threads of a task. Default: those of the executor, if it has an attribute ``n_threads``,
        else 1; without an executor as in `resolve_n_threads`.
    keeps_place : bool, default=False
        Whether the run's folder in ``place`` stays after an error, so that a later call can resume.
    takes_url : bool, default=False
        Whether all files of the run may be objects. If not, a URL is refused.

    Returns
    -------
    context manager
        Its value is a `LocalRunner` or an `ExecutorRunner`.

    Raises
    ------
    ValueError, TypeError
        For a wrong executor, or a place without an executor.
    """
    if executor is None:
        if place is not None:
            raise ValueError("place has no effect without executor: leave it out")
        yield LocalRunner(resolve_n_threads(n_threads))
        return
    with contextlib.ExitStack() as stack:
        folder: Path | RemoteFolder
        if place is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aimass-")))
        elif is_url(place) and takes_url:
            remote = RemoteFolder(place) / name
            folder = stack.enter_context(_remote_run_folder(remote, keeps_place))
        else:
            folder = stack.enter_context(_run_folder(as_folder(place) / name, keeps_place))
        opened = stack.enter_context(open_executor(executor))
        if isinstance(folder, RemoteFolder):
            stack.callback(_discard_on_workers, opened, folder)
        threads = n_threads if n_threads is not None else getattr(opened, "n_threads", 1)
        yield ExecutorRunner(opened, folder, as_int(threads, "n_threads", minimum=1, maximum=256))


@contextlib.contextmanager
def _run_folder(folder: Path, keeps_place: bool) -> Iterator[Path]:
    """Make the folder of a run; remove it at the end, after an error only if nothing resumes."""
    import fcntl  # not on Windows, where everything else works

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError(
                f"another run uses {folder}: wait for its end, or give another place"
            ) from None
        try:
            yield folder
        except BaseException:
            if not keeps_place:
                shutil.rmtree(folder, ignore_errors=True)
            for path in folder.glob(".*.tmp"):  # of tasks that ended in the middle of a file
                with contextlib.suppress(OSError):
                    path.unlink()
            raise
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _remote_run_folder(folder: RemoteFolder, keeps_place: bool) -> Iterator[RemoteFolder]:
    """Make the folder of a run in an object store; remove it as `_run_folder` does."""
    import fcntl

    folder.make()
    copies = folder_of_copies(folder.url)
    with open(copies / "run", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError(
                f"another run of this machine uses {folder}: wait for its end, or give another "
                "place"
            ) from None
        try:
            yield folder
        except BaseException:
            if not keeps_place:
                with contextlib.suppress(OSError):
                    folder.remove()
            raise
        else:
            try:
                folder.remove()
            except OSError as error:  # the result is there
                logger.warning("the objects in %s are left, remove them: %s", folder, error)
        finally:
            discard_copies(folder.url)


def _discard_on_workers(executor: Any, folder: RemoteFolder) -> None:
    """Remove the copies on the machines of Dask's workers; others remove them in the next run."""
    client = getattr(executor, "_client", None)
    if client is not None:
        with contextlib.suppress(Exception):
            client.run(discard_copies, folder.url)


def as_folder(place: Any) -> Path:
    """Return the folder of a ``place``, made if it is missing.

    Parameters
    ----------
    place : path-like
        The folder.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    ValueError
        For a URL.
    TypeError
        For anything else.
    """
    if isinstance(place, str) and "://" in place:
        raise ValueError(
            f"place must be a folder that all workers see, such as one of NFS, got {place!r}: this "
            "function does not support object stores"
        )
    try:
        folder = Path(place).absolute()
    except TypeError:
        raise TypeError(f"place must be a path, got {type(place).__name__}") from None
    folder.mkdir(parents=True, exist_ok=True)
    return folder
