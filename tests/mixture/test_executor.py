"""GaussianMixture on an executor: the same bits as in this process, and resumed fits."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import GaussianMixture
from aimass_core.base.process_executor import ProcessExecutor
from aimass_core.exceptions import DamagedFileError
from aimass_core.mixture import _rows

OPTIONS = {"n_components": 3, "tol": 0.0, "max_iter": 6, "random_state": 0, "callback": lambda e: 0}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(_rows, "_UNIT_ROWS", 100)
    monkeypatch.setattr(_rows, "_BLOCK_VALUES", 100)


@pytest.fixture
def X(rng):
    centres = rng.normal(size=(3, 4)) * 6
    return centres[rng.integers(0, 3, 1250)] + rng.normal(size=(1250, 4))


class AnyOrder(ThreadPoolExecutor):
    """Finishes tasks in an order of chance, and may end by an exception."""

    def __init__(self, n_workers, n_left=10**9):
        super().__init__(n_workers)
        self.rng, self.n_left, self.n_submitted = np.random.default_rng(n_workers), n_left, 0

    def submit(self, fn, /, *args, **kwargs):
        self.n_submitted += 1
        if self.n_submitted > self.n_left:
            raise InterruptedError("stopped by the test")
        return super().submit(self._late, self.rng.random() * 0.001, fn, args)

    @staticmethod
    def _late(seconds, fn, args):
        time.sleep(seconds)
        return fn(*args)


def assert_same(found, expected):
    assert found.lower_bounds_ == expected.lower_bounds_
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("n_workers", [1, 2, 3, 8])
@pytest.mark.parametrize("kind", ["full", "diag", "tied", "tied_diag", "spherical"])
def test_the_same_bits_for_any_number_of_workers(X, rng, kind, n_workers):
    weight = rng.integers(0, 4, len(X)).astype(np.float64)
    model = GaussianMixture(covariance_type=kind, **OPTIONS)
    expected = GaussianMixture(covariance_type=kind, **OPTIONS).fit(X, sample_weight=weight)
    with AnyOrder(n_workers) as pool:
        assert_same(model.fit(X, sample_weight=weight, executor=pool), expected)
        assert pool.n_submitted > 13 * 2


@pytest.mark.parametrize("kind", ["full", "diag", "tied", "spherical"])
def test_missing_values(X, rng, kind):
    X[rng.random(X.shape) < 0.1] = np.nan
    weight = np.ones(len(X))
    weight[:130] = 0.0  # a block without any weight
    options = {**OPTIONS, "covariance_type": kind, "missing": "marginalize", "accelerate": True}
    expected = GaussianMixture(**options).fit(X, sample_weight=weight)
    with AnyOrder(3) as pool:
        found = GaussianMixture(**options).fit(X, sample_weight=weight, executor=pool)
    assert_same(found, expected)
    assert np.isfinite(found.means_).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        {"accelerate": True, "max_iter": 12},
        {"init_params": "random", "n_init": 2},
        {"split_merge": 2},
        {"noise": 0.05},
        {"weight_concentration_prior": "mml", "n_components": 5},
    ],
    ids=lambda options: next(iter(options)),
)
def test_every_kind_of_fit(X, dtype, options):
    options = {**OPTIONS, **options}
    expected = GaussianMixture(**options).fit(X.astype(dtype))
    with AnyOrder(3) as pool:
        assert_same(GaussianMixture(**options).fit(X.astype(dtype), executor=pool), expected)


def test_files(X, tmp_path, rng):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    np.save(tmp_path / "x.npy", X)
    weight = rng.random(len(X))
    table = {**{f"c{j}": X[:, j] for j in range(4)}, "w": weight}
    pq.write_table(pa.table(table), tmp_path / "x.parquet", row_group_size=300)
    for name, weights in (("x.npy", None), ("x.parquet", "w")):
        path = tmp_path / name
        expected = GaussianMixture(**OPTIONS).fit(path, sample_weight=weights)
        with AnyOrder(2) as pool:
            found = GaussianMixture(**OPTIONS).fit(
                path, sample_weight=weights, executor=pool, place=tmp_path / "place"
            )
        assert_same(found, expected)
    assert found.feature_names_in_.tolist() == ["c0", "c1", "c2", "c3"]
    assert list((tmp_path / "place").iterdir()) == []


def test_processes(X):
    """A copy of the parameters in another process gives the same bits."""
    with ProcessExecutor(2, 1) as pool:
        for kind in ("full", "diag", "tied", "tied_diag", "spherical"):
            options = {**OPTIONS, "covariance_type": kind, "accelerate": True, "noise": 0.01}
            expected = GaussianMixture(**options).fit(X)
            assert_same(GaussianMixture(**options).fit(X, executor=pool), expected)


def test_an_interrupted_fit_resumes(X, tmp_path):
    options = {**OPTIONS, "accelerate": True}
    with AnyOrder(2) as pool:
        expected = GaussianMixture(**options).fit(X, executor=pool)
        n_all = pool.n_submitted
    with AnyOrder(2, n_all // 2) as pool, pytest.raises(InterruptedError):
        GaussianMixture(**options).fit(X, executor=pool, place=tmp_path)
    assert list((tmp_path / "gaussian-mixture").glob("pass.*.npz"))
    with AnyOrder(2) as pool:
        found = GaussianMixture(**options).fit(X, executor=pool, place=tmp_path)
        assert pool.n_submitted <= n_all // 2 + 13
    assert_same(found, expected)
    assert list(tmp_path.iterdir()) == []


def test_damage(X, tmp_path):
    with AnyOrder(2, 60) as pool, pytest.raises(InterruptedError):
        GaussianMixture(**OPTIONS).fit(X, executor=pool, place=tmp_path)
    for path in (tmp_path / "gaussian-mixture").glob("pass.*.npz"):
        path.write_bytes(path.read_bytes()[:-30])
    with AnyOrder(2) as pool:
        found = GaussianMixture(**OPTIONS).fit(X, executor=pool, place=tmp_path)
    assert_same(found, GaussianMixture(**OPTIONS).fit(X))

    def damage(event):
        path = tmp_path / "gaussian-mixture" / "rows.npy"
        content = bytearray(path.read_bytes())
        content[5000] ^= 255
        path.write_bytes(content)

    model = GaussianMixture(**{**OPTIONS, "callback": damage})
    with AnyOrder(2) as pool, pytest.raises(DamagedFileError, match=r"rows\.npy was cut short"):
        model.fit(X, executor=pool, place=tmp_path)


def test_rows_that_need_this_process(X):
    with AnyOrder(1) as pool:
        with pytest.raises(TypeError, match="executor needs dense rows"):
            GaussianMixture(covariance_type="diag").fit(sp.csr_array(X), executor=pool)
        codes = (X[:, :1] > 0).astype(float)
        with pytest.raises(TypeError, match="executor needs dense rows"):
            GaussianMixture(categorical_features=[0]).fit(np.hstack([codes, X]), executor=pool)
