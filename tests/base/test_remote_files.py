"""A place that is a URL: the same bits, what is moved and kept, and the errors of a store."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import GaussianMixture, ImplicitALS
from aimass_core.base import array_files, remote_files
from aimass_core.base import executor as executor_module
from aimass_core.base.array_files import ArrayFile, checksum_of, read_entries, write_array
from aimass_core.base.executor import open_runner
from aimass_core.base.process_executor import ProcessExecutor
from aimass_core.base.remote_files import RemoteFolder, copy_of, folder_of_copies
from aimass_core.evaluation import bootstrap_interval
from aimass_core.exceptions import DamagedFileError
from aimass_core.factorization import RowBlocks
from aimass_core.retrieval import write_recommendations
from aimass_core.similarity import topk

fsspec = pytest.importorskip("fsspec")
local = pytest.importorskip("fsspec.implementations.local")


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """The folder for temporary files of this machine."""
    folder = tmp_path / "machine"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    for run in list(remote_files._folders):
        remote_files.discard_copies(run)


@pytest.fixture
def store(tmp_path):
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


@pytest.fixture
def url(store):
    return f"file://{store}"


@pytest.fixture
def matrix(rng):
    X = sp.random_array((400, 120), density=0.08, random_state=rng, format="csr", dtype=np.float32)
    X.data = rng.integers(-1, 6, X.nnz).astype(np.float32)
    return X


def assert_same(found, expected):
    np.testing.assert_array_equal(found.user_factors_, expected.user_factors_)
    np.testing.assert_array_equal(found.item_factors_, expected.item_factors_)


def left_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def set_folder(folder):
    """Let a worker process be on a machine of its own: other folders for its files and its work."""
    os.makedirs(folder, exist_ok=True)
    tempfile.tempdir = str(folder)
    os.chdir(folder)
    time.sleep(0.2)


class Machines(Executor):
    """Worker processes with different folders, to which the tasks go in turn."""

    def __init__(self, folders):
        self.pools = [ProcessExecutor(1, 1) for _ in folders]
        for pool, folder in zip(self.pools, folders, strict=True):
            pool.submit(set_folder, str(folder)).result()
        self.n_submitted, self.n_threads, self.n_workers = 0, 1, len(folders)

    def submit(self, fn, /, *args, **kwargs):
        self.n_submitted += 1
        return self.pools[self.n_submitted % len(self.pools)].submit(fn, *args, **kwargs)

    def shutdown(self, wait=True, *, cancel_futures=False):
        for pool in self.pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)


def test_machines_without_a_shared_folder_learn_the_same_bits(
    matrix, tmp_path, store, url, machine
):
    expected = ImplicitALS(n_factors=9, max_iter=3).fit(matrix)
    x = RowBlocks.from_matrix(matrix, tmp_path / "x", block_nnz=1000)
    folders = [tmp_path / "a", tmp_path / "b"]
    with Machines(folders) as pool:
        found = ImplicitALS(n_factors=9, max_iter=3).fit(x, executor=pool, place=url)
        assert_same(found, expected)
        assert left_in(store) == left_in(machine) == []
        # The workers keep their copies until they begin another run.
        first = [{path.parent for path in left_in(folder)} for folder in folders]
        assert all(len(runs) == 1 for runs in first)
        copies = left_in(folders[0])
        assert len([path for path in copies if path.name.startswith("array.")]) <= 16
        assert not [path for path in copies if path.name.startswith("tmp-")]
        found = ImplicitALS(n_factors=9, max_iter=3).fit(matrix, executor=pool, place=f"{url}/b")
        assert_same(found, expected)


@pytest.mark.parametrize("solver", ["cholesky", "cg", "pcg", "subspace", "nonnegative"])
def test_each_solver_learns_the_same_bits(matrix, tmp_path, store, url, machine, solver):
    options = {"n_factors": 9, "max_iter": 2, "solver": solver, "track_loss": True}
    x = RowBlocks.from_matrix(matrix, tmp_path / "x", block_nnz=1000)
    expected = ImplicitALS(**options).fit(x)
    with ThreadPoolExecutor(3) as pool:
        found = ImplicitALS(**options).fit(x, executor=pool, place=url)
    assert_same(found, expected)
    np.testing.assert_allclose(found.losses_, expected.losses_, rtol=1e-9)
    assert left_in(store) == left_in(machine) == []


@pytest.mark.parametrize("weighted", [False, True])
def test_mixtures(rng, tmp_path, store, url, weighted):
    X = np.concatenate([rng.normal(m, 1, (3000, 3)) for m in (0, 4)])
    weight = rng.random(len(X)) if weighted else None
    np.save(tmp_path / "rows.npy", X)
    options = {"n_components": 2, "random_state": 0, "tol": 0.1}
    expected = GaussianMixture(**options).fit(X, sample_weight=weight)
    with ThreadPoolExecutor(2) as pool:
        for data in (X, tmp_path / "rows.npy"):
            found = GaussianMixture(**options).fit(
                data, sample_weight=weight, executor=pool, place=url
            )
            np.testing.assert_array_equal(found.means_, expected.means_)
            np.testing.assert_array_equal(found.covariances_, expected.covariances_)
    assert left_in(store) == []


def test_similarity_and_bootstrap(matrix, rng, store, url):
    Y = sp.csr_array(matrix[:, ::-1])
    values = rng.random(300)
    with ThreadPoolExecutor(2) as pool:
        there = {"executor": pool, "place": url}
        found, expected = topk(matrix, Y, k=5, **there), topk(matrix, Y, k=5)
        assert (found != expected).nnz == 0
        one, two = (bootstrap_interval(values, random_state=0, **e) for e in (there, {}))
        assert one == two
    assert left_in(store) == []


class Interrupted(Exception):
    pass


class Counting(ThreadPoolExecutor):
    """Ends by an exception after a number of tasks."""

    def __init__(self, n_left):
        super().__init__(2)
        self.n_left = n_left

    def submit(self, fn, /, *args, **kwargs):
        self.n_left -= 1
        if self.n_left < 0:
            raise Interrupted
        return super().submit(fn, *args, **kwargs)


def test_lists_of_all_users(matrix, tmp_path, store, url, machine):
    pq = pytest.importorskip("pyarrow.parquet")
    model = ImplicitALS(n_factors=4, max_iter=1).fit(matrix)
    options = {"k": 3, "block_size": 90}
    write_recommendations(model, tmp_path / "here", **options)
    with Counting(10**6) as pool:
        with pytest.raises(InterruptedError):
            write_recommendations(
                model, tmp_path / "there", **options, executor=pool, place=url, callback=at_step(3)
            )
        pool.n_left = 10**6
        n = write_recommendations(model, tmp_path / "there", **options, executor=pool, place=url)
    assert (n, 10**6 - pool.n_left) == (1200, 2)
    assert pq.read_table(tmp_path / "there").equals(pq.read_table(tmp_path / "here"))
    names = [sorted(path.name for path in (tmp_path / f).iterdir()) for f in ("here", "there")]
    assert names[0] == names[1]
    assert left_in(store) == left_in(machine) == []


def at_step(step):
    return lambda event: event.step == step


def test_an_interrupted_fit_resumes(matrix, tmp_path, store, url, machine):
    options = {"n_factors": 7, "max_iter": 4}
    x = RowBlocks.from_matrix(matrix, tmp_path / "x", block_nnz=1000)
    expected = ImplicitALS(**options).fit(x)
    with Counting(10**6) as pool:
        ImplicitALS(**options).fit(x, executor=pool, place=url)
        n_all = 10**6 - pool.n_left
    with Counting(n_all // 2) as pool, pytest.raises(Interrupted):
        ImplicitALS(**options).fit(x, executor=pool, place=url)
    assert (store / "implicit-als" / "state.json").exists()
    assert left_in(machine) == []
    uploaded = {path: path.stat().st_mtime_ns for path in store.rglob("data.*")}
    assert len(uploaded) == 6
    with Counting(10**6) as pool:
        found = ImplicitALS(**options).fit(x, executor=pool, place=url)
        assert 10**6 - pool.n_left < n_all * 0.8
    assert_same(found, expected)
    assert left_in(store) == left_in(machine) == []


@pytest.mark.parametrize("part", ["indptr", "indices", "data"])
def test_a_damaged_object_is_one_clear_error(matrix, tmp_path, url, store, part, monkeypatch):
    x = RowBlocks.from_matrix(matrix, tmp_path / "x", block_nnz=1000)
    upload = remote_files.upload

    def damaging(file, target):
        upload(file, target)
        if f"columns.{part}" in str(file):
            path = target.removeprefix("file://")
            with open(path, "r+b") as stored:
                stored.seek(-3, 2)
                stored.write(b"xyz")

    monkeypatch.setattr("aimass_core.base.executor.upload", damaging)
    with (
        ThreadPoolExecutor(2) as pool,
        pytest.raises(DamagedFileError, match=r"^file://.*/data\..*\.npy was cut short or altered"),
    ):
        ImplicitALS(n_factors=4).fit(x, executor=pool, place=url)


def test_copies_are_downloaded_once_and_replaced_when_they_are_damaged(rng, url, monkeypatch):
    X = rng.random((50, 4))
    file = write_array(f"{url}/x.npy", X)
    assert file == ArrayFile(f"{url}/x.npy", checksum_of(X))
    read = []
    original = local.LocalFileSystem.get_file
    monkeypatch.setattr(
        local.LocalFileSystem,
        "get_file",
        lambda self, *args, **kwargs: (read.append(args[0]), original(self, *args, **kwargs))[1],
    )
    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(file.open) for _ in range(40)]:
            np.testing.assert_array_equal(future.result(), X)
    assert len(read) == 1
    np.testing.assert_array_equal(file.read(), X)
    (copy,) = folder_of_copies(url).glob("array.*")
    copy.write_bytes(copy.read_bytes()[:-3])
    from aimass_core.base import array_files

    array_files._open_files.clear()
    np.testing.assert_array_equal(file.open(), X)
    assert len(read) == 2

    for _ in range(2):
        part = read_entries(file.path, 7, 20, checksum_of(X[7:20]))
        np.testing.assert_array_equal(part, X[7:20])
        (copy,) = folder_of_copies(url).glob("part.*")
        copy.write_bytes(copy.read_bytes()[:-1] + b"x")
    assert read_entries(file.path, 5, 5, mapped=True).shape == (0, 4)
    with pytest.raises(DamagedFileError, match=r"x\.npy"):
        read_entries(file.path, 40, 51)
    with pytest.raises(DamagedFileError, match=r"x\.npy"):
        read_entries(file.path, 0, 9, 1)
    with pytest.raises(DamagedFileError, match=r"x\.npy"):
        ArrayFile(file.path, 1).open()


def test_only_the_last_complete_arrays_are_kept(rng, url):
    for number in range(20):
        write_array(f"{url}/{number}.npy", rng.random(9)).open()
    assert len(list(folder_of_copies(url).glob("array.*"))) == 16


class Counted(local.LocalFileSystem):
    """Files of a store; each machine writes down how many bytes it reads and writes there."""

    protocol = "counted"

    def _note(self, n_read, n_written):
        with open(os.path.join(tempfile.gettempdir(), "moved"), "a") as file:
            file.write(f"{n_read} {n_written}\n")

    def cat_file(self, path, start=None, end=None, **kwargs):
        content = super().cat_file(path, start, end, **kwargs)
        self._note(len(content), 0)
        return content

    def get_file(self, path, target, **kwargs):
        self._note(os.path.getsize(path), 0)
        return super().get_file(path, target, **kwargs)

    def put_file(self, file, path, **kwargs):
        self._note(0, os.path.getsize(file))
        return super().put_file(file, path, **kwargs)

    def pipe_file(self, path, value, **kwargs):
        self._note(0, len(value))
        return super().pipe_file(path, value, **kwargs)

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("counted://"))


# Here, so that worker processes, which import this file, know it.
fsspec.register_implementation("counted", Counted, clobber=True)


def test_the_bytes_of_an_epoch_are_those_of_the_cost_model(tmp_path, store, machine):
    rng = np.random.default_rng(0)
    X = sp.random_array((6000, 3000), density=0.005, random_state=rng, dtype=np.float32).tocsr()
    x = RowBlocks.from_matrix(X, tmp_path / "x", block_nnz=X.nnz // 4)
    options = {"n_factors": 32, "max_iter": 3, "solver": "cholesky"}
    moved = {"here": [], "there": []}

    def note(event):
        for counts, folder in zip(moved.values(), (machine, tmp_path / "a"), strict=True):
            counts.append(np.loadtxt(folder / "moved").sum(axis=0))

    with Machines([tmp_path / "a"]) as pool:
        model = ImplicitALS(**options)
        model.fit(x, executor=pool, place=f"counted://{store}", callback=note)
    assert_same(model, ImplicitALS(**options).fit(x))
    factors, ridges = sum(X.shape) * 32 * 4, sum(X.shape) * 8
    files = sum(path.stat().st_size for path in (tmp_path / "x").glob("*.npy"))
    # Read, written. This process gets results, and stores the joined factors; a worker's machine
    # gets those, and stores results.
    for counts in moved.values():
        np.testing.assert_allclose(np.diff(counts, axis=0), [[factors, factors]] * 2, rtol=0.05)
    # The first epoch also moves the blocks, the first factors and the ridges. The worker reads the
    # users' factors of an epoch in the next one.
    once, items = factors + files + ridges, X.shape[1] * 32 * 4
    first = [[factors, factors + once], [items + once, factors]]
    np.testing.assert_allclose([counts[0] for counts in moved.values()], first, rtol=0.05)


def test_folders_of_ended_runs_are_removed(url, machine):
    code = """
import sys, os, tempfile
tempfile.tempdir = sys.argv[1]
from aimass_core.base.remote_files import folder_of_copies
(folder_of_copies(sys.argv[2]) / "copy").touch()
os.kill(os.getpid(), 9)
"""
    command = [sys.executable, "-c", code, str(machine), f"{url}/killed"]
    assert subprocess.run(command, check=False, timeout=120).returncode == -9
    root = remote_files._root()
    (left,) = root.iterdir()
    used = folder_of_copies(f"{url}/one")
    assert not left.exists()
    other = folder_of_copies(f"{url}/two")
    assert used.exists()
    assert other.exists()
    for number in range(remote_files._MAX_RUNS):
        folder_of_copies(f"{url}/{number}")
    assert not used.exists()
    assert len(list(root.iterdir())) == remote_files._MAX_RUNS


def test_a_part_is_verified_once_in_a_process(url, store, monkeypatch):
    values = np.arange(10.0)
    write_array(f"{url}/x.npy", values)
    seen = []
    monkeypatch.setattr(
        array_files, "checksum_of", lambda part: seen.append(1) or checksum_of(part)
    )
    for _ in range(3):
        found = read_entries(f"{url}/x.npy", 2, 5, checksum_of(values[2:5]))
        np.testing.assert_array_equal(found, values[2:5])
    assert len(seen) == 1


def test_the_tasks_end_before_the_folder_is_removed(url, matrix, tmp_path, monkeypatch):
    steps = []
    for owner, name in ((executor_module.ExecutorRunner, "_drop"), (RemoteFolder, "remove")):
        former = getattr(owner, name)

        def noted(*arguments, former=former, name=name, **options):
            steps.append(name)
            return former(*arguments, **options)

        monkeypatch.setattr(owner, name, noted)
    model = ImplicitALS(n_factors=4, max_iter=1).fit(matrix)
    with ThreadPoolExecutor(1) as pool, pytest.raises(InterruptedError):
        write_recommendations(
            model,
            tmp_path / "lists",
            k=2,
            block_size=5,
            executor=pool,
            place=url,
            callback=at_step(2),
        )
    assert steps.index("_drop") < steps.index("remove")


def test_a_result_stands_where_the_objects_cannot_be_removed(url, matrix, monkeypatch, caplog):
    expected = ImplicitALS(n_factors=4, max_iter=2).fit(matrix)

    def refuse(self):
        raise PermissionError("no permission to list")

    monkeypatch.setattr(RemoteFolder, "remove", refuse)
    with ThreadPoolExecutor(1) as pool:
        found = ImplicitALS(n_factors=4, max_iter=2).fit(matrix, executor=pool, place=url)
    assert_same(found, expected)
    assert "remove them: no permission to list" in caplog.text


def test_a_folder_that_is_open_to_others_is_refused(machine):
    (machine / f"aimass-copies-{os.getuid()}").mkdir()
    (machine / f"aimass-copies-{os.getuid()}").chmod(0o777)
    with pytest.raises(PermissionError, match="is open to other users: remove it"):
        folder_of_copies("file:///x")


def test_errors_of_the_store_name_the_url_and_the_remedy(url, monkeypatch):
    system = local.LocalFileSystem

    def raising(error):
        def call(*args, **kwargs):
            raise error

        return call

    with pytest.raises(FileNotFoundError, match=r"there is no file://.*/x\.npy: the bucket must"):
        ArrayFile(f"{url}/x.npy", 0).open()
    for error, expected, text in (
        (PermissionError("Forbidden"), PermissionError, r"no permission for file://.*credentials"),
        (RuntimeError("no route"), OSError, r"cannot be reached: RuntimeError: no route"),
        (OSError(errno.ENOSPC, "No space left"), OSError, "No space left"),
    ):
        monkeypatch.setattr(system, "put_file", raising(error))
        with pytest.raises(expected, match=text):
            write_array(f"{url}/x.npy", np.ones(3))
    with pytest.raises(OSError, match=r"copies of file://.*; set TMPDIR to a folder"):
        copy_of(f"{url}/x.npy", "1", download=raising(OSError(errno.ENOSPC, "No space left")))
    assert not list(folder_of_copies(url).glob("tmp-*"))


def test_wrong_urls_and_missing_packages(monkeypatch, url):
    with pytest.raises(ValueError, match=r"'nothing://x/.*' is no URL that fsspec knows"):
        open_runner("processes:1", "nothing://x", "x", 1, takes_url=True).__enter__()
    with pytest.raises(ValueError, match="this function does not support object stores"):
        open_runner("processes:1", "s3://bucket/x", "x", 1).__enter__()
    with (
        open_runner("processes:1", url, "x", 1, takes_url=True),
        pytest.raises(RuntimeError, match="another run of this machine uses"),
    ):
        open_runner("processes:1", url, "x", 1, takes_url=True).__enter__()
    from fsspec.registry import _registry

    monkeypatch.delitem(_registry, "s3", raising=False)  # the class that another test has used
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ImportError, match=r"place: s3://bucket/x needs another package: .*s3fs"):
        open_runner("processes:1", "s3://bucket", "x", 1, takes_url=True).__enter__()
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r"pip install 'aimass_core\[fsspec\]'"):
        open_runner("processes:1", url, "x", 1, takes_url=True).__enter__()


def test_objects_that_are_missing():
    folder = RemoteFolder("memory://nothing/here")
    assert list(folder.iterdir()) == []
    assert (folder / "x").size() is None
    folder.remove()
    (folder / "x").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match="memory://nothing/here/x"):
        (folder / "x").unlink()
