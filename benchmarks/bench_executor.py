"""ImplicitALS and GaussianMixture on 1, 2, 4 and 8 worker processes: same bits, CPU time, bytes.

Prints, for each number of workers, the CPU seconds of all processes over those of one process, and
the bytes that workers and coordinator read and wrote over those of the cost model. It also prints
the time of one process with two threads. Run it on a quiet machine: ``python
benchmarks/bench_executor.py --only als`` (about 5 minutes on two cores; a block takes more than a
second) and ``--only mixture`` (about 2 minutes). ``--small`` takes about 1 minute, but its blocks
are too short to judge the overhead. ``--replay`` instead records the
CPU times of the tasks on one worker, and predicts the time on up to 64 workers. That is a model: it
knows neither networks nor caches that workers share. Other load on the machine does not change it.
"""

from __future__ import annotations

import argparse
import heapq
import os
import shutil
import tempfile
import time
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from aimass_core import GaussianMixture, ImplicitALS
from aimass_core.base.process_executor import ProcessExecutor
from aimass_core.factorization import RowBlocks


def cpu_seconds(pool: ProcessExecutor | None = None) -> float:
    """Return the CPU time of this process and of the workers of a pool."""
    total = time.process_time()
    for pid in [] if pool is None else pids_of(pool):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def pids_of(pool: ProcessExecutor) -> list[int]:
    """Return the process ids of the workers."""
    processes = list(pool._pool._processes.values()) if pool._pool is not None else []
    return [p.pid for p in processes if p.pid is not None]


def started(n_workers: int) -> ProcessExecutor:
    """Return a pool whose workers have imported the package and this script."""
    pool = ProcessExecutor(n_workers, 1)
    for future in [pool.submit(time.sleep, 0.5) for _ in range(4 * n_workers)]:
        future.result()
    return pool


def io_of(pid: int | str) -> tuple[int, int]:
    """Return the bytes that a process has read and written by system calls."""
    try:
        lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    except (OSError, ValueError):
        return 0, 0
    return int(lines["rchar"]), int(lines["wchar"])


def bytes_moved(pool: ProcessExecutor) -> np.ndarray[Any, Any]:
    """Return the bytes read and written by this process and all workers."""
    return np.array([io_of(pid) for pid in ("self", *pids_of(pool))]).sum(axis=0)


def matrix(n_users: int, n_items: int, nnz: int) -> sp.csr_array:
    """Return a matrix with popular items, float32."""
    rng = np.random.default_rng(0)
    items = (n_items * rng.random(nnz) ** 2).astype(np.int64)
    keys = np.unique(rng.integers(0, n_users, nnz) * n_items + items)
    data = rng.integers(1, 6, len(keys)).astype(np.float32)
    X = sp.csr_array((data, (keys // n_items, keys % n_items)), shape=(n_users, n_items))
    return X


def als_bytes(blocks: RowBlocks, n_factors: int) -> tuple[float, float]:
    """Return the bytes that the cost model says an epoch reads and writes by system calls.

    Each half-step reads its blocks (8 bytes an entry and 8 a row), and the results of the tasks
    once; it writes each factor twice: the results, and the file that joins them. Factors that
    tasks use are mapped: their pages are read once on each machine, and are not in these numbers.
    """
    rows = sum(blocks.shape)
    factors = rows * n_factors * 4
    return 2 * blocks.nnz * 8 + rows * 8 + factors, 2 * factors


def measure_als(folder: Path, small: bool) -> None:
    """Fit on different numbers of workers, and print CPU seconds and bytes."""
    size = (20_000, 4_000, 1_000_000) if small else (60_000, 10_000, 6_000_000)
    f = 64 if small else 256
    options = {"n_factors": f, "max_iter": 2, "solver": "cholesky", "n_threads": 1}
    X = matrix(*size)
    blocks = RowBlocks.from_matrix(X, folder / "x", block_nnz=X.nnz // 8)
    begin, start = cpu_seconds(), time.perf_counter()
    expected = ImplicitALS(**options).fit(blocks)
    one, wall = cpu_seconds() - begin, time.perf_counter() - start
    start = time.perf_counter()
    ImplicitALS(**{**options, "n_threads": 2}).fit(blocks)
    print(
        f"ImplicitALS, {X.shape[0]:,} x {X.shape[1]:,}, {X.nnz:,} entries, {f} factors: {one:.2f} "
        f"CPU s here, {wall:.2f} s; with two threads {time.perf_counter() - start:.2f} s"
    )
    for n_workers in (1, 2, 4, 8):
        with started(n_workers) as pool:
            begin, start = cpu_seconds(pool), time.perf_counter()
            totals: dict[int, Any] = {}

            def note(event: Any, pool: Any = pool, totals: Any = totals) -> None:
                totals[event.step] = bytes_moved(pool)

            model = ImplicitALS(**options).fit(
                blocks, executor=pool, place=folder / "place", callback=note
            )
            seconds, wall = cpu_seconds(pool) - begin, time.perf_counter() - start
        np.testing.assert_array_equal(model.user_factors_, expected.user_factors_)
        np.testing.assert_array_equal(model.item_factors_, expected.item_factors_)
        steps = sorted(totals)
        read, written = (totals[steps[-1]] - totals[steps[0]]) / max(len(steps) - 1, 1)
        model_read, model_written = als_bytes(blocks, f)
        print(
            f"{n_workers} workers: {seconds:.2f} CPU s ({seconds / one:.3f} of one process), "
            f"{wall:.2f} s; an epoch reads {read / 1e6:.1f} MB ({read / model_read:.3f} of the "
            f"model) and writes {written / 1e6:.1f} MB ({written / model_written:.3f}); same bits"
        )


def measure_mixture(folder: Path, small: bool) -> None:
    """Fit a mixture on different numbers of workers, and print CPU seconds."""
    n, d, k = (300_000, 12, 8) if small else (2_000_000, 24, 16)
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(k, d)) * 0.5  # they overlap: every iteration moves the parameters
    path = folder / "rows.npy"
    np.save(path, centres[rng.integers(0, k, n)] + rng.normal(size=(n, d)))
    options = {"n_components": k, "random_state": 0, "max_iter": 8, "tol": 0.0, "n_threads": 1}
    options["callback"] = lambda event: False
    begin, start = cpu_seconds(), time.perf_counter()
    expected = GaussianMixture(**options).fit(path)
    one, wall = cpu_seconds() - begin, time.perf_counter() - start
    start = time.perf_counter()
    GaussianMixture(**{**options, "n_threads": 2}).fit(path)
    print(
        f"GaussianMixture, {n:,} x {d}, {k} components: {one:.2f} CPU s here, {wall:.2f} s; with "
        f"two threads {time.perf_counter() - start:.2f} s"
    )
    for n_workers in (1, 2, 4, 8):
        with started(n_workers) as pool:
            begin, start = cpu_seconds(pool), time.perf_counter()
            model = GaussianMixture(**options).fit(path, executor=pool)
            seconds, wall = cpu_seconds(pool) - begin, time.perf_counter() - start
        np.testing.assert_array_equal(model.means_, expected.means_)
        np.testing.assert_array_equal(model.covariances_, expected.covariances_)
        print(
            f"{n_workers} workers: {seconds:.2f} CPU s ({seconds / one:.3f} of one process), "
            f"{wall:.2f} s; same bits"
        )


class Recorder(Executor):
    """Passes tasks on to a pool, and notes when each was submitted, and how long it ran.

    Times are CPU seconds of this process and the worker together, which work in turn.
    """

    def __init__(self, pool: ProcessExecutor) -> None:
        self._pool, self.n_threads, self.n_workers = pool, 1, 1
        self.tasks: list[dict[str, float]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function on a worker."""
        task = {"submitted": cpu_seconds(self._pool)}
        self.tasks.append(task)
        inner = self._pool.submit(_timed, fn, args, kwargs)
        outer: Future[Any] = Future()

        def pass_on(done: Future[Any]) -> None:
            task["finished"] = cpu_seconds(self._pool)
            if (error := done.exception()) is not None:
                outer.set_exception(error)
                return
            result, task["seconds"] = done.result()
            outer.set_result(result)

        inner.add_done_callback(pass_on)
        return outer

    def phases(self) -> list[list[dict[str, float]]]:
        """Return the tasks of each pass: a pass begins when no task is pending."""
        phases: list[list[dict[str, float]]] = []
        last = -np.inf
        for task in self.tasks:
            if task["submitted"] >= last:
                phases.append([])
            phases[-1].append(task)
            last = max(last, task["finished"])
        return phases


def _timed(fn: Any, args: Any, kwargs: Any) -> tuple[Any, float]:
    begin = time.process_time()
    return fn(*args, **kwargs), time.process_time() - begin


def predicted_seconds(phases: list[list[dict[str, float]]], total: float, n_workers: int) -> float:
    """Return the time of a fit on some workers, by the recorded times of its tasks on one.

    Each pass is replayed: a free worker takes the next task, and the pass ends with its last task.
    The time between two passes, in which the calling process works alone, stays what it was. The
    time that a task took beside its work delays its worker, and the calling process spends it for
    one task after the other, so a pass takes at least that time for all its tasks.
    """
    busy = sum(max(t["finished"] for t in p) - p[0]["submitted"] for p in phases)
    seconds = total - busy
    for tasks in phases:
        span = max(t["finished"] for t in tasks) - tasks[0]["submitted"]
        overhead = max(span - sum(t["seconds"] for t in tasks), 0.0) / len(tasks)
        free = [0.0] * n_workers
        for number, task in enumerate(tasks, 1):
            start = max(heapq.heappop(free), (number - 1) * overhead)
            heapq.heappush(free, start + overhead + task["seconds"])
        seconds += max(free)
    return seconds


def replay(folder: Path, small: bool) -> None:
    """Record the tasks of a fit on one worker, and predict its time on 2 to 64 workers."""
    size = (20_000, 4_000, 1_000_000) if small else (60_000, 10_000, 6_000_000)
    f = 64 if small else 128
    options = {"n_factors": f, "max_iter": 2, "solver": "cholesky", "n_threads": 1}
    X = matrix(*size)
    blocks = RowBlocks.from_matrix(X, folder / "x", block_nnz=X.nnz // 64)
    with started(1) as pool:
        recorder = Recorder(pool)
        begin = cpu_seconds(pool)
        ImplicitALS(**options).fit(blocks, executor=recorder, place=folder / "place")
        total = cpu_seconds(pool) - begin
    phases = recorder.phases()
    print(
        f"ImplicitALS, {X.shape[0]:,} x {X.shape[1]:,}, {X.nnz:,} entries, {len(recorder.tasks)} "
        f"tasks in {len(phases)} passes on 1 worker: {total:.2f} CPU s, measured"
    )
    for n_workers in (1, 2, 4, 8, 16, 32, 64):
        seconds = predicted_seconds(phases, total, n_workers)
        print(
            f"n = {n_workers}: {seconds:.2f} s, {total / seconds:.1f} times as fast as 1 worker "
            "(model, not measurement)"
        )


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--only", choices=("als", "mixture"), help="Default: both")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="aimass-bench-"))
    try:
        if arguments.replay:
            replay(folder, arguments.small)
        if not arguments.replay and arguments.only != "mixture":
            measure_als(folder, arguments.small)
        if not arguments.replay and arguments.only != "als":
            measure_mixture(folder, arguments.small)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
