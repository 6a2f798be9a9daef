"""Runners: order of results, lost workers, damaged files, full disks, nothing left behind."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aimass_core.base.array_files import (
    ArrayFile,
    checksum_of,
    read_entries,
    reserve_array,
    write_array,
    write_parts,
)
from aimass_core.base.executor import (
    LOCAL,
    ExecutorRunner,
    LocalRunner,
    open_executor,
    open_runner,
)
from aimass_core.base.process_executor import ProcessExecutor
from aimass_core.exceptions import DamagedFileError


def late(number, seconds):
    time.sleep(seconds[number])
    return number, os.getpid()


def die_once(number, folder):
    path = Path(folder) / f"died.{number}"
    if number % 3 == 0 and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number):
    if number == 2:
        raise ValueError("the third block is wrong")
    time.sleep(0.01)
    return number


def threads(number):
    return os.environ["AIMASS_NUM_THREADS"] + os.environ["OPENBLAS_NUM_THREADS"]


@pytest.mark.parametrize("n_workers", [1, 3, 8])
def test_results_come_in_the_order_of_the_blocks(tmp_path, n_workers):
    seconds = [0.001 * random.Random(3).random() for _ in range(200)]
    with ThreadPoolExecutor(n_workers) as pool:
        runner = ExecutorRunner(pool, tmp_path, 1)
        assert [n for n, _ in runner.map(late, range(200), seconds)] == list(range(200))
    assert [n for n, _ in LOCAL.map(late, range(3), [0, 0, 0])] == [0, 1, 2]


def test_lost_workers_are_replaced(tmp_path):
    with ProcessExecutor(2) as pool:
        runner = ExecutorRunner(pool, tmp_path, 1)
        assert list(runner.map(die_once, range(7), str(tmp_path))) == [n**2 for n in range(7)]
        assert runner.n_lost >= 1
        processes = list(pool._pool._processes.values())
    assert all(process.exitcode is not None for process in processes)


def test_workers_that_always_die_are_an_error(tmp_path):
    with (
        ProcessExecutor(1) as pool,
        pytest.raises(RuntimeError, match="6 workers were lost without a finished task"),
    ):
        list(ExecutorRunner(pool, tmp_path, 1).map(die, range(3)))


def test_the_error_of_a_task_is_raised(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with ProcessExecutor(2) as pool:
        runner = ExecutorRunner(pool, tmp_path, 1)
        with pytest.raises(ValueError, match="the third block is wrong"):
            list(runner.map(fail, range(100)))
        assert list(runner.map(abs, [-1, -2])) == [1, 2]  # the pool is usable again
        assert pool.n_threads >= 1
        assert "OPENBLAS_NUM_THREADS" not in os.environ
        assert set(runner.map(threads, range(3))) == {2 * str(pool.n_threads)}


class Lossy(Executor):
    """Loses every third task in the manner of a library that replaces its workers by itself."""

    class KilledWorker(Exception):
        pass

    def __init__(self):
        self.n = 0

    def submit(self, fn, /, *args, **kwargs):
        self.n += 1
        future = Future()
        if self.n % 3 == 0:
            future.set_exception(self.KilledWorker())
        else:
            future.set_result(fn(*args, **kwargs))
        return future


class Broken(Executor):
    def submit(self, fn, /, *args, **kwargs):
        raise BrokenExecutor("no more workers")


def test_executors_of_other_libraries(tmp_path):
    assert list(ExecutorRunner(Lossy(), tmp_path, 1).map(abs, range(-9, 0))) == [*range(9, 0, -1)]
    with pytest.raises(RuntimeError, match="Broken cannot replace it"):
        list(ExecutorRunner(Broken(), tmp_path, 1).map(abs, range(3)))


class Disconnected(Executor):
    """Cancels all tasks once, as the client of Dask does when its scheduler is lost."""

    def __init__(self, *statuses):
        self._client, self.statuses, self.n = self, [*statuses], 0

    @property
    def status(self):
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def submit(self, fn, /, *args, **kwargs):
        self.n += 1
        future = Future()
        if self.n <= 30:
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_lost_scheduler(tmp_path):
    back = ExecutorRunner(Disconnected("connecting", "connecting", "running"), tmp_path, 1)
    assert list(back.map(abs, range(-30, 0))) == [*range(30, 0, -1)]
    assert back.n_lost == 1
    gone = ExecutorRunner(Disconnected("connecting", "closed"), tmp_path, 1)
    with pytest.raises(RuntimeError, match="connection to the Dask scheduler was lost"):
        list(gone.map(abs, range(-30, 0)))


def test_blocks_are_reported(tmp_path):
    for runner in (ExecutorRunner(Lossy(), tmp_path, 1), LocalRunner()):
        reported = []
        runner.on_block = lambda *numbers, reported=reported: reported.append(numbers)
        assert list(runner.map(abs, [-1, -2, -3])) == [1, 2, 3]
        assert reported == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("executor", ["processes:0", "processes:x", "dask:x", "spark", ""])
def test_unknown_executors(executor):
    with pytest.raises(ValueError, match="executor must be 'processes:N'"), open_executor(executor):
        pass


def test_wrong_arguments(tmp_path):
    with pytest.raises(TypeError, match="object with the method submit, got int"):
        open_executor(3).__enter__()
    with pytest.raises(ValueError, match="place has no effect without executor"):
        open_runner(None, tmp_path, "x", 1).__enter__()
    with pytest.raises(ValueError, match="does not support object stores"):
        open_runner("processes:1", "s3://bucket/x", "x", 1).__enter__()
    with pytest.raises(TypeError, match="place must be a path"):
        open_runner("processes:1", 3, "x", 1).__enter__()
    with (
        open_runner("processes:1", tmp_path, "x", 1),
        pytest.raises(RuntimeError, match="another run uses"),
        open_runner("processes:1", tmp_path, "x", 1),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_incomplete_files_are_removed_after_an_error(tmp_path):
    def run():
        with open_runner("processes:1", tmp_path, "x", 1, keeps_place=True) as runner:
            (runner.folder / "state.json").touch()
            (runner.folder / ".shared.npy.0123.tmp").touch()
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run()
    assert {path.name for path in (tmp_path / "x").iterdir()} == {"lock", "state.json"}


def test_shared_arrays_are_files_while_they_are_used(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        runner = ExecutorRunner(pool, tmp_path, 1)
        arrays = [np.arange(5.0) + i for i in range(40)]
        first = runner.share(arrays[0])
        assert runner.share(arrays[0]) == first
        np.testing.assert_array_equal(first.open(), arrays[0])
        for array in arrays:
            runner.share(array)
        assert len(list(tmp_path.iterdir())) == len(runner.own_files()) < 20
        for array in arrays:
            runner.forget(array)
        assert list(tmp_path.iterdir()) == []


def test_array_files(tmp_path, rng):
    path = str(tmp_path / "x.npy")
    X = rng.random((100, 3)).astype(np.float32)
    file = write_array(path, X)
    assert file == ArrayFile(path, checksum_of(X))
    np.testing.assert_array_equal(np.load(path), X)
    np.testing.assert_array_equal(file.read(), X)
    assert not file.open().flags.writeable
    for mapped in (False, True):
        part = read_entries(path, 7, 20, checksum_of(X[7:20]), mapped=mapped)
        np.testing.assert_array_equal(part, X[7:20])
    assert write_parts(path, [X[:40], X[40:]], X.shape, X.dtype) == file
    empty = write_array(str(tmp_path / "empty.npy"), np.zeros((0, 4)))
    assert empty.open().shape == (0, 4)
    assert reserve_array(path, (0,), np.int32).shape == (0,)
    reserved = reserve_array(path, (5,), np.int32)
    reserved[:] = 3
    reserved.flush()
    assert np.load(path).tolist() == [3] * 5


def test_damaged_files_are_found(tmp_path, rng):
    path = tmp_path / "x.npy"
    X = rng.random(1000)
    file = write_array(str(path), X)
    file.open()
    read_entries(str(path), 0, 500, checksum_of(X[:500]))
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    content[300] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    for read in (
        file.open,
        file.read,
        lambda: read_entries(str(path), 0, 500, checksum_of(X[:500])),
    ):
        with pytest.raises(DamagedFileError, match="cut short or altered"):
            read()
    for length in (0, 60, 1000):
        path.write_bytes(content[:length])
        for read in (file.open, file.read, lambda: read_entries(str(path), 0, 1000)):
            with pytest.raises(DamagedFileError, match="cut short or altered"):
                read()
    path.unlink()
    with pytest.raises(FileNotFoundError, match="all workers must see the folder"):
        file.open()


def test_a_full_disk_leaves_no_file(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_array(str(tmp_path / "x.npy"), np.zeros(5000))
        with pytest.raises(OSError, match="File too large"):
            reserve_array(str(tmp_path / "y.npy"), (5000,), np.float64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (tmp_path / "y.npy").unlink(missing_ok=True)
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import sys, time
from aimass_core.base.process_executor import ProcessExecutor
if __name__ == "__main__":
    pool = ProcessExecutor(2)
    [pool.submit(time.sleep, 0.01).result() for _ in range(3)]
    pool.submit(time.sleep, 600)
    print(*[p.pid for p in pool._pool._processes.values()], flush=True)
    time.sleep(600)
"""


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_no_worker_outlives_a_killed_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        pids = process.stdout.readline().split()
        assert pids
        process.kill()
    deadline = time.monotonic() + 60
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, pids))
