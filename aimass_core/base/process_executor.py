"""Worker processes on this machine, as an executor that survives the loss of a worker."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

from .threads import available_cpus, resolve_n_threads
from .validation import as_int

__all__ = ["ProcessExecutor"]

# Read by the libraries when they are loaded, so a worker must start with them.
_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class ProcessExecutor(Executor):
    """A pool of worker processes on this machine.

    Workers are started by ``spawn``: they share no state with this process. A script that uses them
    needs the line ``if __name__ == "__main__":`` before its own work. Workers end with this
    process, even if it is killed.

    Parameters
    ----------
    n_workers : int
        Number of processes, at least 1.
    n_threads : int, optional
        Threads of each worker. Default: the CPUs of this process divided by the number of workers.

    Examples
    --------
    >>> from aimass_core.base.process_executor import ProcessExecutor
    >>> with ProcessExecutor(2) as executor:  # doctest: +SKIP
    ...     executor.submit(abs, -3).result()
    3
    """

    def __init__(self, n_workers: int, n_threads: int | None = None) -> None:
        self.n_workers = as_int(n_workers, "n_workers", minimum=1, maximum=1024)
        if n_threads is None:
            n_threads = max(1, available_cpus() // self.n_workers)
        self.n_threads = resolve_n_threads(n_threads)
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function on a worker.

        Parameters
        ----------
        fn : callable
            A function of a module.
        *args, **kwargs
            Its arguments.

        Returns
        -------
        concurrent.futures.Future
        """
        with self._lock, _few_threads(self.n_threads):
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    self.n_workers,
                    multiprocessing.get_context("spawn"),
                    initializer=_start_worker,
                    initargs=(self.n_threads,),
                )
            return self._pool.submit(fn, *args, **kwargs)

    def restart(self, *, is_lost: bool = False) -> None:
        """Replace all workers; their unfinished tasks are lost.

        Parameters
        ----------
        is_lost : bool, default=False
            Do it only if a worker was lost since the last start.
        """
        with self._lock:
            pool = self._pool
            if pool is None or (is_lost and not getattr(pool, "_broken", True)):
                return
            self._pool = None
        _end(pool)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers.

        Parameters
        ----------
        wait : bool, default=True
            Whether to wait for submitted tasks.
        cancel_futures : bool, default=False
            Drop the tasks that did not begin, and end the others.
        """
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if cancel_futures:
            _end(pool)
        else:
            pool.shutdown(wait=wait)


_start_lock = threading.Lock()


@contextlib.contextmanager
def _few_threads(n_threads: int) -> Iterator[None]:
    """Let processes that start in the body use this number of threads in NumPy's libraries."""
    with _start_lock:
        added = [name for name in _THREAD_VARIABLES if name not in os.environ]
        os.environ.update(dict.fromkeys(added, str(n_threads)))
        try:
            yield
        finally:
            for name in added:
                os.environ.pop(name, None)


def _end(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool, whatever they do, and wait until they are gone."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        with contextlib.suppress(OSError, ValueError):
            process.terminate()
    for process in processes:
        with contextlib.suppress(OSError, ValueError, AssertionError):
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()
    pool.shutdown(wait=True)


def _start_worker(n_threads: int) -> None:
    """Prepare a worker: its number of threads, and its end with the parent process."""
    os.environ["AIMASS_NUM_THREADS"] = str(n_threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
