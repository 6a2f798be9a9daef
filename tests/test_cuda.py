"""The parameter ``device`` of models and indexes, and the check of a GPU, without a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import BPR, GaussianMixture, ImplicitALS, ItemKNN, cuda, load, similarity
from aimass_core.exceptions import NumericalError
from aimass_core.retrieval import AudienceIndex, FactorIndex

pytest.importorskip("array_api_compat")
pytest.importorskip("array_api_strict")
DEVICES = ["numpy"]
if np.lib.NumpyVersion(np.__version__) >= "2.0.0":  # array_api_strict moves no arrays with NumPy 1
    DEVICES.append("array_api_strict:device1")
NO_GPU = pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return sp.random_array((120, 80), density=0.1, random_state=rng, format="csr")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("solver", ["auto", "cholesky", "cg", "subspace", "nonnegative"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_als_learns_the_same_factors(X, device, solver, dtype):
    there, here = (
        ImplicitALS(n_factors=20, solver=solver, dtype=dtype, max_iter=3, device=place).fit(X)
        for place in (device, "cpu")
    )
    tolerance = 1e-3 if dtype == "float32" else 1e-8
    np.testing.assert_allclose(there.item_factors_, here.item_factors_, atol=tolerance)
    np.testing.assert_allclose(there.user_factors_, here.user_factors_, atol=tolerance)
    assert there.recommend([3], k=4).ids.tolist() == here.recommend([3], k=4).ids.tolist()


def test_the_device_stays_in_the_file(X, tmp_path):
    model = ImplicitALS(n_factors=4, max_iter=1, device="numpy").fit(X)
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").device == "numpy"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("metric", ["dot", "cosine"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lists_of_an_index(X, device, metric, dtype):
    rng = np.random.default_rng(1)
    items, queries = (rng.normal(size=(n, 6)).astype(dtype) for n in (80, 120))
    ids = [f"i{n}" for n in range(80)]
    there, here = (FactorIndex(items, metric=metric, ids=ids, device=d) for d in (device, "cpu"))
    own = sp.random_array((120, 80), density=0.3, format="csr", random_state=rng)
    for filters in (
        {},
        {"exclude": X},
        {"candidates": ids[:9]},
        {"candidates": own, "exclude": X},
        {"candidates": ids[:3], "exclude": X},
    ):
        lists, expected = (index.topk(queries, 5, **filters) for index in (there, here))
        np.testing.assert_array_equal(lists.indices, expected.indices)
        np.testing.assert_allclose(lists.scores, expected.scores, rtol=1e-5)
        blocks = list(there.topk_blocks(queries, 5, block_size=50, **filters))
        np.testing.assert_array_equal(np.vstack([b.indices for b in blocks]), expected.indices)


def test_audiences_on_a_device():
    rng = np.random.default_rng(2)
    users, items = (rng.normal(size=(n, 6)) for n in (50, 20))
    owned = sp.random_array((50, 20), density=0.2, format="csr", random_state=rng)
    there, here = (
        AudienceIndex(users, items, k=3, exclude=owned, device=device)
        for device in ("numpy", "cpu")
    )
    for chosen in (None, [4, 2]):
        result, expected = (index.reverse_topk(chosen) for index in (there, here))
        np.testing.assert_array_equal(result.user_rows, expected.user_rows)
        np.testing.assert_allclose(result.scores, expected.scores)
    result, expected = (index.best_users([3, 1], 4) for index in (there, here))
    np.testing.assert_array_equal(result.indices, expected.indices)
    new = rng.normal(size=(2, 6))
    result, expected = (index.reverse_topk(factors=new) for index in (there, here))
    np.testing.assert_array_equal(result.user_rows, expected.user_rows)


def test_biases_of_an_index():
    items, biases = np.eye(3), [0.0, 5.0, 1.0]
    index = FactorIndex(items, biases, device="numpy")
    assert index.topk(np.ones((1, 3)), 3).indices.tolist() == [[1, 2, 0]]
    assert index.topk(np.ones((1, 3)), 3, candidates=[0, 2]).indices.tolist() == [[2, 0, -1]]


def test_scores_beyond_the_range_are_refused():
    index = FactorIndex(np.full((2, 2), 1e30, np.float32), device="numpy")
    with pytest.raises(NumericalError, match="query 1 has scores that may lie beyond the range"):
        index.topk(np.array([[0, 0], [1e20, 0]], np.float32), 1)


def test_mixture_on_a_device():
    X = np.random.default_rng(0).normal(size=(200, 3))
    there = GaussianMixture(2, random_state=0, device="numpy").fit(X)
    here = GaussianMixture(2, random_state=0).fit(X)
    np.testing.assert_allclose(there.means_, here.means_, rtol=1e-7)
    with pytest.raises(TypeError, match="takes dense rows without missing values"):
        GaussianMixture(covariance_type="diag", device="numpy").fit(sp.csr_array(X))


@NO_GPU
@pytest.mark.parametrize(
    "call",
    [
        lambda: ImplicitALS(device="cuda").fit(sp.csr_array(np.eye(4))),
        lambda: FactorIndex(np.eye(2), device="cuda"),
        lambda: GaussianMixture(device="cuda").fit(np.eye(3)),
        lambda: cuda.device_info(),
        lambda: AudienceIndex(np.eye(2), np.eye(2), device="cuda").reverse_topk(),
        lambda: list(cuda.check()),
    ],
)
def test_without_a_gpu_the_caller_is_told_what_is_missing(call):
    with pytest.raises(RuntimeError, match=r"'cuda' needs an NVIDIA GPU .*device='cpu' computes"):
        call()


@pytest.mark.parametrize("device", [*DEVICES, "torch:cpu"])
def test_check(device):
    pytest.importorskip(device.partition(":")[0])
    results = list(cuda.check(device, scale=0.002, n_threads=1))
    assert len(results) == 12
    assert all(result.is_equal for result in results)
    assert all(result.error <= 1e-3 and result.ratio > 0 for result in results)
    assert cuda.device_info(device)["free_memory"] is None


def test_the_comparison_of_similarity(monkeypatch):
    from aimass_core.cuda import _similarity

    rng = np.random.default_rng(0)
    result = _similarity("cpu", 1, rng, np.float32, 200)
    assert result.is_equal
    assert result.error == 0


def test_check_finds_wrong_results(monkeypatch):
    from aimass_core import array_api

    right = array_api.score_topk

    def wrong(*arguments, **options):
        indices, scores = right(*arguments, **options)
        return indices, scores * 1.01

    monkeypatch.setattr(array_api, "score_topk", wrong)
    results = list(cuda.check("numpy", scale=0.002))
    assert [r.is_equal for r in results if r.name.startswith("best")] == [False] * 4
    assert all(r.is_equal for r in results if not r.name.startswith("best"))


@pytest.mark.parametrize(
    "call",
    [
        lambda X: similarity.topk(X, device="cuda"),
        lambda X: ItemKNN(device="cuda").fit(X),
        lambda X: BPR(device="cuda").fit(X),
    ],
)
def test_without_the_extension_the_caller_is_told_how_to_build_it(call, X, monkeypatch):
    import importlib

    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(RuntimeError, match="AIMASS_CUDA=ON; device='cpu' computes the same"):
        call(X)
