"""Faults during a fit on an executor: the same bits or one clear error, and nothing left behind.

``python benchmarks/executor_faults.py`` runs each of these and prints what happened:

- ``kill``: ``kill -9`` of a worker process every few seconds (``--every 0.5``);
- ``disk``: the disk of the place is full (a small tmpfs, which needs the right to mount);
- ``damage``: a byte of a block file is altered between two iterations;
- ``scheduler``: ``kill -9`` of the Dask scheduler (where Dask is installed).

After ``disk``, ``damage`` and ``scheduler`` the fit is called again with the same place, where it
resumes. ``--only kill`` runs one of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_executor import matrix, pids_of, started

from aimass_core import ImplicitALS
from aimass_core.exceptions import DamagedFileError
from aimass_core.factorization import RowBlocks

OPTIONS: dict[str, Any] = {"n_factors": 64, "max_iter": 12, "solver": "cholesky", "n_threads": 1}


def assert_same(model: ImplicitALS, expected: ImplicitALS) -> None:
    """Raise AssertionError where two models differ in a bit."""
    np.testing.assert_array_equal(model.user_factors_, expected.user_factors_)
    np.testing.assert_array_equal(model.item_factors_, expected.item_factors_)


def assert_nothing_left(place: Path, pids: set[int]) -> None:
    """Raise AssertionError where files of a run are left, or a worker process lives."""
    assert not list(place.iterdir()), list(place.iterdir())
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not alive, alive


class Blocks:
    """A callback that counts the blocks that are done."""

    def __init__(self) -> None:
        self.n_done = 0

    def __call__(self, event: Any) -> None:
        pass

    def blocks(self, n_done: int, n_blocks: int) -> None:
        """Count a block."""
        self.n_done += 1


def kill(blocks: RowBlocks, expected: ImplicitALS, place: Path, every: float) -> str:
    """Kill a worker every few seconds, if a block was done since the last time.

    A new worker must start and import the package before it does any block. Six workers that are
    lost without a block between them are an error.
    """
    n_killed, ended, counted, last = 0, threading.Event(), Blocks(), 0
    pids: set[int] = set()
    with started(2) as pool:

        def kill_one() -> None:
            nonlocal n_killed, last
            rng = np.random.default_rng(0)
            while not ended.wait(every):
                alive = pids_of(pool)
                pids.update(alive)
                if alive and counted.n_done > last:
                    last = counted.n_done
                    os.kill(alive[rng.integers(len(alive))], signal.SIGKILL)
                    n_killed += 1

        killer = threading.Thread(target=kill_one)
        killer.start()
        try:
            model = ImplicitALS(**OPTIONS).fit(blocks, executor=pool, place=place, callback=counted)
        finally:
            ended.set()
            killer.join()
        pids.update(pids_of(pool))
    assert_same(model, expected)
    assert_nothing_left(place, pids)
    return f"{n_killed} workers were killed; same bits"


def disk(blocks: RowBlocks, expected: ImplicitALS, place: Path, every: float) -> str:
    """Fill the disk of the place, then make it larger and resume."""
    size = sum(blocks.shape) * OPTIONS["n_factors"] * 4
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size * 3 // 2}", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        return "skipped: mounting a small file system is not allowed here"
    try:
        pids: set[int] = set()
        with started(2) as pool:
            pids.update(pids_of(pool))
            try:
                ImplicitALS(**OPTIONS).fit(blocks, executor=pool, place=place)
            except OSError as error:
                message = str(error)
            else:
                raise AssertionError("the disk was not full")
            pids.update(pids_of(pool))
        assert not list(place.rglob("*.tmp")), "incomplete files are left"
        remount = ["mount", "-o", f"remount,size={size * 20}", str(place)]
        subprocess.run(remount, check=True)
        model = ImplicitALS(**OPTIONS).fit(blocks, executor="processes:2", place=place)
        assert_same(model, expected)
        assert_nothing_left(place, pids)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)
    return f"OSError: {message}; the next call resumed: same bits"


def damage(blocks: RowBlocks, expected: ImplicitALS, place: Path, every: float) -> str:
    """Alter a byte of a block file between two iterations, then restore it and resume."""
    file = next(blocks.folder.glob("rows.indices.*"))
    content = file.read_bytes()

    def alter(event: Any) -> None:
        if event.step == 1:
            file.write_bytes(content[:-7] + bytes([content[-7] ^ 1]) + content[-6:])

    try:
        with started(2) as pool:
            ImplicitALS(**OPTIONS).fit(blocks, executor=pool, place=place, callback=alter)
    except DamagedFileError as error:
        message = str(error).replace(str(file.parent), "FOLDER")
    else:
        raise AssertionError("the altered byte was not found")
    finally:
        file.write_bytes(content)
    model = ImplicitALS(**OPTIONS).fit(blocks, executor="processes:2", place=place)
    assert_same(model, expected)
    assert_nothing_left(place, set())
    return f"DamagedFileError: {message}; the next call resumed: same bits"


def _cluster(folder: Path) -> list[subprocess.Popen[bytes]]:
    """Start a Dask scheduler and two workers."""
    file = str(folder / "scheduler.json")
    Path(file).unlink(missing_ok=True)
    dask = [sys.executable, "-m"]
    scheduler = [*dask, "distributed.cli.dask_scheduler", "--no-dashboard", "--port", "0"]
    worker = [*dask, "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny"]
    options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*scheduler, "--scheduler-file", file], **options)]
    while not Path(file).exists():
        time.sleep(0.2)
    processes += [
        subprocess.Popen([*worker, "--scheduler-file", file, "--no-dashboard"], **options)
        for _ in range(2)
    ]
    return processes


def scheduler(blocks: RowBlocks, expected: ImplicitALS, place: Path, every: float) -> str:
    """Kill the Dask scheduler between two iterations, then start a new cluster and resume."""
    if importlib.util.find_spec("distributed") is None:
        return "skipped: distributed is not installed (pip install 'aimass_core[dask]')"
    from distributed import Client

    folder = Path(tempfile.mkdtemp(prefix="aimass-dask-"))
    cluster = _cluster(folder)

    def fit(callback: Any = None) -> ImplicitALS:
        with Client(scheduler_file=str(folder / "scheduler.json"), timeout=20) as client:
            client.wait_for_workers(2)
            executor = client.get_executor(pure=False)
            return ImplicitALS(**OPTIONS).fit(
                blocks, executor=executor, place=place, callback=callback
            )

    try:
        try:
            fit(lambda event: event.step == 2 and cluster[0].kill())
        except RuntimeError as error:
            message = str(error)
        else:
            raise AssertionError("the loss of the scheduler was not noticed")
        for process in cluster:
            process.wait(60)  # workers end by themselves
        cluster = _cluster(folder)
        assert_same(fit(), expected)
        assert_nothing_left(place, set())
    finally:
        for process in cluster:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return f"RuntimeError: {message}; the workers ended, and the next call resumed: same bits"


FAULTS = {"kill": kill, "disk": disk, "damage": damage, "scheduler": scheduler}


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(FAULTS))
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two kills")
    parser.add_argument("--interactions", type=int, default=600_000)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="aimass-faults-"))
    try:
        X = matrix(10_000, 2_000, arguments.interactions)
        blocks = RowBlocks.from_matrix(X, folder / "x", block_nnz=X.nnz // 20)
        expected = ImplicitALS(**OPTIONS).fit(blocks)
        for name in [arguments.only] if arguments.only else FAULTS:
            place = folder / f"place-{name}"
            place.mkdir()
            print(f"{name}: {FAULTS[name](blocks, expected, place, arguments.every)}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
