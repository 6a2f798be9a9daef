"""Mixtures of rows that lie on another device, or in an array of another library than NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from aimass_core import GaussianMixture
from aimass_core.mixture._sources import source_of

strict = pytest.importorskip("array_api_strict")
pytest.importorskip("array_api_compat")
if np.lib.NumpyVersion(np.__version__) < "2.0.0":
    pytest.skip("array_api_strict moves no arrays with NumPy 1", allow_module_level=True)

COVARIANCE_TYPES = ("full", "tied", "diag", "tied_diag", "spherical")


def on_device(X):
    return strict.asarray(np.asarray(X), device=strict.Device("device1"))


def back(X):
    return np.asarray(X.to_device(strict.Device("CPU_DEVICE")))


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 900], [8, 0, 905], [0, 9, 890]])
    return centres[rng.integers(3, size=600)] + rng.normal(size=(600, 3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_fit_is_that_of_the_host(X, covariance_type, dtype):
    X = X.astype(dtype)
    host, device = (
        GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(rows)
        for rows in (X, on_device(X))
    )
    tolerance = 1e-7 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(device.means_, host.means_, rtol=tolerance)
    np.testing.assert_allclose(device.covariances_, host.covariances_, rtol=tolerance, atol=1e-3)
    assert device.n_iter_ == host.n_iter_
    labels = device.predict(on_device(X))
    assert isinstance(labels, type(on_device(X)))
    assert labels.device == strict.Device("device1")
    np.testing.assert_array_equal(back(labels), host.predict(X))
    np.testing.assert_allclose(
        back(device.predict_proba(on_device(X))), host.predict_proba(X), atol=1e-3
    )
    np.testing.assert_allclose(
        back(device.score_samples(on_device(X))), host.score_samples(X), rtol=1e-3, atol=1e-3
    )
    assert device.bic(on_device(X)) == pytest.approx(host.bic(X), rel=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"noise": 0.05},
        {"noise": 0.05, "covariance_type": "tied"},
        {"accelerate": True},
        {"init_params": "random", "max_iter": 200},
        {"init_params": "k-means++", "n_init": 2},
        {"weight_concentration_prior": "mml", "n_components": 6},
        {"split_merge": 1},
    ],
    ids=str,
)
def test_options(X, options):
    weight = np.random.default_rng(1).integers(0, 3, len(X))
    host, device = (
        GaussianMixture(**{"n_components": 3, "random_state": 0} | options).fit(
            rows, sample_weight=weight
        )
        for rows in (X, on_device(X))
    )
    np.testing.assert_allclose(device.means_, host.means_, rtol=1e-6)
    np.testing.assert_array_equal(back(device.predict(on_device(X))), host.predict(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_of_rows_stay_on_the_device(X, dtype, monkeypatch):
    monkeypatch.setattr(
        "aimass_core.mixture._dense_rows.block_ranges",
        lambda n_rows, n_columns: [(0, n_rows // 3), (n_rows // 3, n_rows)],
    )
    weight = np.random.default_rng(1).integers(0, 3, len(X))
    X = X.astype(dtype)
    host, device = (
        GaussianMixture(3, init_params="random", random_state=0, max_iter=200).fit(
            rows, sample_weight=weight
        )
        for rows in (X, on_device(X))
    )
    np.testing.assert_allclose(device.means_, host.means_, rtol=1e-3)


def test_outliers_are_marked(X):
    model = GaussianMixture(2, noise=0.1, random_state=0).fit(on_device(X))
    far = on_device([[1e160, 0, 0], [0, 0, 900]])
    assert back(model.predict(far)).tolist()[0] == -1
    assert back(model.predict_proba(far))[0, -1] == 1


def test_batches_are_learnt(X):
    host, device = GaussianMixture(3, random_state=0), GaussianMixture(3, random_state=0)
    for begin in range(0, 600, 200):
        host.partial_fit(X[begin : begin + 200])
        device.partial_fit(on_device(X[begin : begin + 200]))
    np.testing.assert_allclose(device.means_, host.means_, rtol=1e-6)


def test_the_caller_is_told_what_is_wrong(X):
    wrong = X.copy()
    wrong[7, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN in row 7, column 1"):
        GaussianMixture().fit(on_device(wrong))
    with pytest.raises(TypeError, match="rows in the memory of the host"):
        GaussianMixture(missing="marginalize").fit(on_device(wrong))
    with pytest.raises(ValueError, match="must be 2-D"):
        GaussianMixture().fit(on_device(X[:, 0]))
    with pytest.raises(ValueError, match="3 features as input"):
        GaussianMixture().fit(X).predict(on_device(X[:, :2]))
    with pytest.raises(ValueError, match="must hold real numbers"):
        GaussianMixture().fit(on_device(X.astype(complex)))
    with pytest.raises(TypeError, match="executor computes on processors"):
        GaussianMixture().fit(on_device(X), executor="processes:1")
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        GaussianMixture().fit(on_device(X[:0]))


def test_integers_are_float64(X):
    codes = np.arange(30).reshape(10, 3) ** 2
    host, device = (GaussianMixture(random_state=0).fit(rows) for rows in (codes, on_device(codes)))
    np.testing.assert_allclose(device.covariances_, host.covariances_, rtol=1e-12)


def test_arrays_in_the_memory_of_the_host_use_the_kernels(X):
    rows = strict.asarray(X)
    source = source_of(rows, None, 1, "full", "error")
    assert type(source).__name__ == "DenseRows"
    model = GaussianMixture(3, random_state=0).fit(rows)
    np.testing.assert_array_equal(model.means_, GaussianMixture(3, random_state=0).fit(X).means_)
    assert isinstance(model.predict(rows), type(rows))


def test_tensors(X):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(X)
    model = GaussianMixture(3, random_state=0).fit(tensor)
    labels = model.predict(tensor)
    assert isinstance(labels, torch.Tensor)
    np.testing.assert_array_equal(labels.numpy(), model.predict(X))
