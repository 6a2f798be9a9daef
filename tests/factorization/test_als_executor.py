"""ImplicitALS on an executor: the same bits, resumed fits, damaged files and full disks."""

from __future__ import annotations

import resource
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS
from aimass_core.base.executor import ExecutorRunner
from aimass_core.exceptions import DamagedFileError, NumericalError
from aimass_core.factorization import RowBlocks
from aimass_core.factorization import _objective as objective


@pytest.fixture
def matrix(rng):
    X = sp.random_array((400, 120), density=0.08, random_state=rng, format="csr", dtype=np.float32)
    X.data = rng.integers(-1, 6, X.nnz).astype(np.float32)
    return X


class AnyOrder(ThreadPoolExecutor):
    """Finishes tasks in an order of chance."""

    def __init__(self, n_workers, seed=0):
        super().__init__(n_workers)
        self.n_workers, self.rng, self.n_submitted = n_workers, np.random.default_rng(seed), 0

    def submit(self, fn, /, *args, **kwargs):
        self.n_submitted += 1
        return super().submit(self._late, self.rng.random() * 0.002, fn, args)

    @staticmethod
    def _late(seconds, fn, args):
        time.sleep(seconds)
        return fn(*args)


def blocks_of(X, folder, block_nnz=300):
    return RowBlocks.from_matrix(X, folder, dtype=X.dtype, block_nnz=block_nnz)


def assert_same(found, expected):
    np.testing.assert_array_equal(found.user_factors_, expected.user_factors_)
    np.testing.assert_array_equal(found.item_factors_, expected.item_factors_)


@pytest.mark.parametrize("solver", ["cholesky", "cg", "pcg", "subspace", "nonnegative"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_bits_for_any_number_of_workers(matrix, tmp_path, solver, dtype, monkeypatch):
    monkeypatch.setattr(objective, "_GRAMIAN_ROWS", 50)
    X = matrix.astype(dtype)
    options = {"n_factors": 9, "max_iter": 3, "solver": solver, "dtype": dtype, "track_loss": True}
    expected = ImplicitALS(**options).fit(X)
    x = blocks_of(X, tmp_path / "x")
    losses = []
    for n_workers in (1, 2, 3, 8):
        with AnyOrder(n_workers, n_workers) as pool:
            found = ImplicitALS(**options).fit(x, executor=pool)
            assert pool.n_submitted > 100
        assert_same(found, expected)
        assert not isinstance(found.user_factors_, np.memmap)
        np.testing.assert_allclose(found.losses_, expected.losses_, rtol=1e-9)
        losses.append(found.losses_)
    assert all((one == losses[0]).all() for one in losses)


def test_processes_and_a_matrix_in_memory(matrix, tmp_path):
    expected = ImplicitALS(n_factors=5, max_iter=2).fit(matrix)
    found = ImplicitALS(n_factors=5, max_iter=2).fit(
        matrix, executor="processes:2", place=tmp_path / "place"
    )
    assert_same(found, expected)
    assert list((tmp_path / "place").iterdir()) == []
    assert (
        found.recommend([3], k=4).indices.tolist() == expected.recommend([3], k=4).indices.tolist()
    )


class Shown:
    """A callback that is told of blocks."""

    def __init__(self):
        self.steps, self.pairs = [], []

    def __call__(self, event):
        self.steps.append(event.step)

    def blocks(self, n_done, n_blocks):
        self.pairs.append((n_done, n_blocks))


def test_blocks_are_reported_to_a_callback(matrix, tmp_path):
    shown, x = Shown(), blocks_of(matrix, tmp_path / "x")
    with AnyOrder(2) as pool:
        ImplicitALS(n_factors=3, max_iter=2).fit(x, executor=pool, callback=shown)
    assert shown.steps == [1, 2]
    n_blocks = {len(x.blocks("rows")), len(x.blocks("columns"))}
    assert n_blocks <= {total for _, total in shown.pairs}
    assert all(1 <= done <= total for done, total in shown.pairs)


def test_validation_and_tolerance(matrix):
    options = {"n_factors": 5, "max_iter": 12, "patience": 2, "tol": 1e-4}
    held_out = sp.csr_array(matrix[:, ::-1])
    expected = ImplicitALS(**options).fit(matrix, validation=held_out)
    with AnyOrder(3) as pool:
        found = ImplicitALS(**options).fit(matrix, validation=held_out, executor=pool)
    assert_same(found, expected)
    assert found.scores_.tolist() == expected.scores_.tolist()
    assert found.n_iter_ == expected.n_iter_


class Interrupted(Exception):
    pass


class Counting(AnyOrder):
    """Ends by an exception after a number of tasks."""

    def __init__(self, n_left):
        super().__init__(2)
        self.n_left = n_left

    def submit(self, fn, /, *args, **kwargs):
        self.n_left -= 1
        if self.n_left < 0:
            raise Interrupted
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize("tol", [0.0, 1e-3])
def test_an_interrupted_fit_resumes_after_its_last_half_step(matrix, tmp_path, tol):
    options = {"n_factors": 7, "max_iter": 4, "track_loss": True, "tol": tol}
    x = blocks_of(matrix, tmp_path / "x")
    place = tmp_path / "place"
    with Counting(10**6) as pool:
        expected = ImplicitALS(**options).fit(x, executor=pool)
        n_all = 10**6 - pool.n_left
    for n_tasks in (0, 5, n_all // 3, n_all // 2, n_all - 1):
        for attempt in range(2):  # interrupted once, then not
            with Counting(10**6 if attempt else n_tasks) as pool:
                model = ImplicitALS(**options)
                if not attempt:
                    with pytest.raises(Interrupted):
                        model.fit(x, executor=pool, place=place)
                    assert not hasattr(model, "user_factors_")
                else:
                    model.fit(x, executor=pool, place=place)
                    n_again = 10**6 - pool.n_left
        assert_same(model, expected)
        assert model.losses_.tolist() == expected.losses_.tolist()
        assert list(place.iterdir()) == []
        assert n_again <= n_all
        if n_tasks > n_all // 3:
            assert n_again < n_all * 0.8


def test_another_fit_does_not_resume(matrix, tmp_path):
    x = blocks_of(matrix, tmp_path / "x")
    place = tmp_path / "place"
    with Counting(110) as pool, pytest.raises(Interrupted):
        ImplicitALS(n_factors=7).fit(x, executor=pool, place=place)
    assert (place / "implicit-als" / "state.json").exists()
    with AnyOrder(2) as pool:
        found = ImplicitALS(n_factors=7, max_iter=2, alpha=2.0).fit(x, executor=pool, place=place)
    assert_same(found, ImplicitALS(n_factors=7, max_iter=2, alpha=2.0).fit(x))


def test_damaged_state_is_not_used(matrix, tmp_path):
    x = blocks_of(matrix, tmp_path / "x")
    place = tmp_path / "place"
    options = {"n_factors": 7, "max_iter": 3}
    with Counting(110) as pool, pytest.raises(Interrupted):
        ImplicitALS(**options).fit(x, executor=pool, place=place)
    for path in (place / "implicit-als").glob("*.npy"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with AnyOrder(2) as pool:
        found = ImplicitALS(**options).fit(x, executor=pool, place=place)
    assert_same(found, ImplicitALS(**options).fit(x))


@pytest.mark.parametrize("part", ["indptr", "indices", "data"])
@pytest.mark.parametrize("cut", [False, True])
def test_a_damaged_block_file_is_one_clear_error(matrix, tmp_path, cut, part):
    x = blocks_of(matrix, tmp_path / "x")
    path = next((tmp_path / "x").glob(f"columns.{part}.*"))
    content = path.read_bytes()
    with AnyOrder(2) as pool:
        path.write_bytes(content[:-40] if cut else content[:-3] + b"xyz")
        with pytest.raises(DamagedFileError, match=rf"columns\.{part}.* was cut short or altered"):
            ImplicitALS(n_factors=4).fit(x, executor=pool, place=tmp_path / "place")
        path.write_bytes(content)
        found = ImplicitALS(n_factors=4, max_iter=2).fit(x, executor=pool, place=tmp_path / "place")
    assert_same(found, ImplicitALS(n_factors=4, max_iter=2).fit(x))


def test_a_full_disk_is_one_clear_error_and_the_fit_resumes(matrix, tmp_path):
    x = blocks_of(matrix, tmp_path / "x", block_nnz=10**6)
    options = {"n_factors": 8, "max_iter": 2}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with AnyOrder(2) as pool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, limits[1]))  # items fit, users do not
        try:
            with pytest.raises(OSError, match="File too large"):
                ImplicitALS(**options).fit(x, executor=pool, place=tmp_path / "place")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not list((tmp_path / "place").rglob("*.tmp"))
        found = ImplicitALS(**options).fit(x, executor=pool, place=tmp_path / "place")
    assert_same(found, ImplicitALS(**options).fit(x))


def test_an_error_of_a_row_names_it(matrix, tmp_path):
    X = matrix.copy()
    X.data[:] = 1e38
    with AnyOrder(2) as pool, pytest.raises(NumericalError, match=r"user|item") as caught:
        ImplicitALS(n_factors=4, alpha=1e30, solver="cholesky").fit(X, executor=pool)
    assert caught.value.row is not None


def test_from_matrix(matrix, tmp_path):
    x = blocks_of(matrix, tmp_path)
    assert (x.matrix() != matrix).nnz == 0
    files = sorted(tmp_path.iterdir())
    runner = ExecutorRunner(None, tmp_path, 1)
    assert len(x.blocks("rows")) == len(x.named_blocks("rows", runner)) > 1
    for mapped, named in zip(x.blocks("columns"), x.named_blocks("columns", runner), strict=True):
        assert mapped.begin == named.begin
        assert (mapped.load() != named.load()).nnz == 0
    blocks_of(matrix, tmp_path)
    assert sorted(tmp_path.iterdir()) == files  # nothing is written again
    assert (blocks_of(matrix * 2, tmp_path).matrix() != matrix * 2).nnz == 0
    assert len(list(tmp_path.iterdir())) == len(files)
