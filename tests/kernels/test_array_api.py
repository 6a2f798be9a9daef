"""The dense kernels in the array API, on several libraries, against the references."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import reference
from aimass_core.exceptions import NumericalError

pytest.importorskip("array_api_compat")
from aimass_core.array_api import (
    Device,
    als_solve,
    array_device,
    gmm_em_step,
    gmm_score,
    is_foreign_array,
    is_on_host,
    score_topk,
)

DEVICES = ["numpy", "array_api_strict", "array_api_strict:device1", "torch:cpu"]


@pytest.fixture(params=DEVICES)
def device(request):
    pytest.importorskip(request.param.partition(":")[0])
    return Device.of(request.param)


def mixture(rng, k, d, form):
    """Coefficients of components near 0: a constant, linear terms, and quadratic terms."""
    constant = rng.normal(size=(k, 1))
    linear = rng.normal(size=(k, d))
    if form == "linear":
        return np.hstack([constant, linear])
    if form == "spherical":
        return np.hstack([constant, linear, -rng.random((k, 1))])
    if form == "diag":
        return np.hstack([constant, linear, -rng.random((k, d))])
    i, j = np.triu_indices(d)
    triangle = rng.normal(size=(k, len(i))) * 0.1 + (i == j)
    if form == "full":
        triangle = -triangle / 2
    return np.hstack([constant, linear, triangle])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("score_form", ["linear", "spherical", "diag", "full", "triangular"])
@pytest.mark.parametrize("hard", [False, True])
def test_em_step(device, dtype, score_form, hard):
    rng = np.random.default_rng(3)
    n, d, k = 301, 5, 4
    X = rng.normal(2, 3, (n, d)).astype(dtype)
    shift, scale = X.mean(axis=0).astype(float), 1 / X.std(axis=0).astype(float)
    weight = rng.random(n)
    coefficients = mixture(rng, k, d, score_form)
    for sums_form in ("linear", "spherical", "diag", "full"):
        arguments = shift, scale, weight, coefficients, None, score_form, sums_form, hard
        sums, score = gmm_em_step(device.array(X), *arguments)
        expected, expected_score = reference.gmm_em_step(X, *arguments, 1)
        tolerance = 1e-10 if dtype == np.float64 else 2e-5
        np.testing.assert_allclose(sums, expected, rtol=tolerance, atol=tolerance * n)
        assert score == pytest.approx(expected_score, rel=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_given_responsibilities(device, dtype):
    rng = np.random.default_rng(0)
    X, resp = rng.normal(size=(50, 3)).astype(dtype), rng.random((50, 2))
    arguments = np.zeros(3), np.ones(3), None, None, resp, "full", "full", False
    sums, score = gmm_em_step(device.array(X), *arguments)
    expected, _ = reference.gmm_em_step(X, *arguments, 1)
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-5)
    assert score == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("score_form", ["linear", "diag", "triangular"])
@pytest.mark.parametrize("output", ["labels", "resp", "score"])
def test_scores(device, dtype, score_form, output):
    rng = np.random.default_rng(1)
    n, d, k = 140, 4, 3
    X = rng.normal(size=(n, d)).astype(dtype)
    coefficients = mixture(rng, k, d, score_form)
    common = mixture(rng, 1, d, "full") if output == "score" else None
    arguments = np.zeros(d), np.ones(d), coefficients, common, score_form, output
    rows = device.array(X)
    result = gmm_score(rows, *arguments)
    assert type(result) is type(rows)
    assert array_device(result).place == array_device(rows).place
    expected = reference.gmm_score(X, *arguments, 1)
    result = device.to_numpy(result)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["cholesky", "cg", "pcg", "subspace", "nonnegative"])
@pytest.mark.parametrize(("preferences", "has_linear"), [(True, False), (False, True)])
def test_als(device, dtype, solver, preferences, has_linear):
    rng = np.random.default_rng(5)
    X = sp.random_array((90, 60), density=0.1, random_state=rng, format="csr", dtype=dtype)
    X.data[:] = rng.integers(-1, 4, len(X.data))
    f = 20
    V = (rng.normal(size=(60, f)) / 4).astype(dtype)
    start = (rng.normal(size=(90, f)) / 4).astype(dtype)
    start = abs(start) if solver == "nonnegative" else start
    gramian = V.T.astype(float) @ V
    ridge = 0.1 + rng.random(90)
    linear = rng.normal(size=(90 if has_linear else 0, f)).astype(dtype)
    arguments = (
        X.indptr.astype(np.int64),
        X.indices.astype(np.int32),
        X.data,
        V,
        gramian,
        start,
        ridge,
        linear,
        float(ridge.min()),
        2.0,
        0.5,
        1.0,
        preferences,
        solver,
        3,
        16,
    )
    result = als_solve(*arguments, device=device)
    expected = reference.als_solve(*arguments, 1)
    assert result.dtype == dtype
    tolerance = 1e-9 if dtype == np.float64 else 2e-4
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)
    assert has_linear or not result[np.diff(X.indptr) == 0].any()


def test_als_does_not_depend_on_the_batch(device, monkeypatch):
    rng = np.random.default_rng(6)
    X = sp.random_array((40, 30), density=0.2, random_state=rng, format="csr")
    V = rng.normal(size=(30, 8))
    arguments = (
        X.indptr.astype(np.int64),
        X.indices.astype(np.int32),
        X.data,
        V,
        V.T @ V,
        np.zeros((40, 8)),
        np.ones(40),
        V[:0],
        1.0,
        1.0,
        0.0,
        1.0,
        True,
        "cholesky",
        1,
        8,
    )
    whole = als_solve(*arguments, device=device)
    monkeypatch.setattr(Device, "budget", property(lambda self: 20_000))
    np.testing.assert_allclose(als_solve(*arguments, device=device), whole, rtol=1e-12)


def test_als_names_the_row_of_a_singular_system(device):
    if device.library.__name__.endswith("strict"):
        pytest.skip("the library does not say which matrix is singular")
    V = np.zeros((2, 2), dtype=np.float64)
    arguments = (
        np.array([0, 0, 1], np.int64),
        np.array([1], np.int32),
        np.ones(1),
        V,
        V.T @ V,
        np.zeros((2, 2)),
        np.zeros(2),
        V[:0],
        0.0,
        1.0,
        0.0,
        1.0,
        True,
        "cholesky",
        1,
        8,
    )
    with pytest.raises(NumericalError, match="no finite solution"):
        als_solve(*arguments, device=device)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 7, 25, 40])
def test_topk(device, dtype, k):
    rng = np.random.default_rng(7)
    U = rng.integers(-2, 3, (31, 4)).astype(dtype)  # small integers: many ties, exact scores
    V = rng.integers(-2, 3, (25, 4)).astype(dtype)
    biases = rng.integers(0, 2, 25).astype(dtype)
    biases[3] = -np.inf
    seen = sp.random_array((31, 25), density=0.2, random_state=rng, format="csr")
    allowed = sp.random_array((31, 25), density=0.5, random_state=rng, format="csr")
    for patterns in (
        (None, None, None, None),
        (seen.indptr, seen.indices, None, None),
        (seen.indptr, seen.indices, allowed.indptr, allowed.indices),
    ):
        indices, scores = score_topk(U, V, biases, k, *patterns, device=device)
        expected, expected_scores = reference.score_topk(U, V, biases, k, *patterns)
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_array_equal(scores, expected_scores)
        assert scores.dtype == dtype


def test_topk_in_blocks(device, monkeypatch):
    rng = np.random.default_rng(8)
    U, V = (rng.normal(size=(n, 3)) for n in (20, 12))
    whole = score_topk(U, V, None, 5, device=device)
    monkeypatch.setattr(Device, "budget", property(lambda self: 1))
    parts = score_topk(U, V, None, 5, device=device)
    np.testing.assert_array_equal(whole[0], parts[0])


def test_no_queries_and_no_items(device):
    indices, scores = score_topk(np.empty((0, 2)), np.ones((3, 2)), None, 2, device=device)
    assert indices.shape == scores.shape == (0, 2)
    indices, _ = score_topk(np.ones((1, 2)), np.empty((0, 2)), None, 2, device=device)
    assert indices.tolist() == [[-1, -1]]


def test_what_is_a_foreign_array():
    assert not is_foreign_array(np.zeros(2))
    assert not is_foreign_array([1.0])
    assert not is_foreign_array(np.float64(1))
    strict = pytest.importorskip("array_api_strict")
    assert is_foreign_array(strict.zeros(2))
    assert is_on_host(strict.zeros(2))
    assert not is_on_host(strict.zeros(2, device=strict.Device("device1")))


def test_names_of_devices():
    with pytest.raises(ValueError, match="device must be 'cpu', 'cuda'"):
        Device.of("gpu")
    with pytest.raises(TypeError, match="device must be a string"):
        Device.of(0)
    pytest.importorskip("array_api_strict")
    with pytest.raises(RuntimeError, match="device9"):
        Device.of("array_api_strict:device9")


def test_what_does_not_fit_is_refused(monkeypatch):
    device = Device.of("numpy")
    monkeypatch.setattr(Device, "free_memory", lambda self: 1 << 20)
    with pytest.raises(MemoryError, match=r"the item factors take .* where 0\.0 GiB are free"):
        score_topk(np.ones((1, 64)), np.ones((9000, 64)), None, 2, device=device)
    assert device.budget == 1 << 18
