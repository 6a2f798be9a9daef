"""ALS by the bodies of the GPU kernels, emulated on the processor; see `test_cuda_similarity`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _als import SOLVERS, WEIGHTS, problem

from aimass_core import ImplicitALS, reference
from aimass_core.exceptions import NumericalError
from aimass_core.kernels import cuda

pytestmark = pytest.mark.usefixtures("emulated")
DTYPES = [np.float32, np.float64]


def check(arguments, devices=range(12), **options):
    expected = reference.als_solve(**arguments, **options, n_threads=1)
    dtype = arguments["factors"].dtype
    tolerance = 5e-4 if dtype == np.float32 else 1e-9
    first = None
    for device in devices:
        result = cuda.als_solve(**arguments, **options, device=device)
        if first is None:
            first = result
            assert result.dtype == dtype
            np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(result, first)  # any schedule: the same bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_equals_reference(weights, solver, dtype):
    arguments = problem(21, 17, 13, dtype, 1, weights=weights, linear=weights == "values")
    check(arguments, solver=solver, n_steps=2, block_size=1, devices=(0, 4, 8, 11))


@pytest.mark.parametrize("f", [1, 3, 4, 5, 16, 17, 35])
@pytest.mark.parametrize("solver", ["cholesky", "pcg"])
def test_sizes_that_do_not_fill_tiles(f, solver):
    arguments = problem(9, 30, f, np.float64, 2, density=0.4)
    check(arguments, solver=solver, n_steps=2, block_size=8, devices=(1, 5, 8, 9))


def test_the_matrix_in_shared_and_in_global_memory():
    for f in (22, 23):  # 22 * 22 * 8 bytes fit into the shared memory of the emulated device
        check(problem(6, 40, f, np.float64, 3), solver="cholesky", n_steps=1, block_size=8)


def test_a_row_of_many_entries():
    arguments = problem(3, 700, 5, np.float32, 4, density=0.9)
    check(arguments, solver="cholesky", n_steps=1, block_size=8, devices=(2, 6, 10))


def test_rows_without_entries_and_no_rows():
    arguments = problem(8, 6, 4, np.float64, 5, density=0.05)
    check(arguments, solver="cg", n_steps=2, block_size=8)
    arguments |= {
        "indptr": np.zeros(1, np.int64),
        "indices": np.zeros(0, np.int32),
        "data": np.zeros(0),
        "start": np.zeros((0, 4)),
        "ridge": np.zeros(0),
    }
    result = cuda.als_solve(**arguments, solver="cg", n_steps=2, block_size=8, device=0)
    assert result.shape == (0, 4)


def test_rows_in_blocks_on_two_streams(emulated):
    arguments = problem(40, 12, 5, np.float32, 6)
    options = {"solver": "subspace", "n_steps": 2, "block_size": 16}
    whole = cuda.als_solve(**arguments, **options, device=0)
    emulated.set_free_memory(4_000)  # a few rows travel at a time
    for device in range(12):
        result = cuda.als_solve(**arguments, **options, device=device)
        np.testing.assert_array_equal(result, whole)


def test_what_does_not_fit_is_refused(emulated):
    arguments = problem(4, 50, 8, np.float32, 7)
    emulated.set_free_memory(1_000)
    with pytest.raises(MemoryError, match=r"ALS needs 1 MiB .* compute with device='cpu'"):
        cuda.als_solve(**arguments, solver="cholesky", n_steps=1, block_size=8, device=0)


@pytest.mark.parametrize("device", [0, 4, 8])
def test_the_row_of_a_singular_system_is_named(device):
    arguments = problem(5, 6, 3, np.float64, 8, density=0.6)
    arguments |= {"factors": np.zeros((6, 3)), "gramian": np.zeros((3, 3)), "ridge": np.ones(5)}
    arguments["ridge"][2] = 0
    with pytest.raises(NumericalError, match="no finite solution") as raised:
        cuda.als_solve(**arguments, solver="cholesky", n_steps=1, block_size=8, device=device)
    assert raised.value.row == 2


@pytest.mark.parametrize("solver", ["auto", "cholesky", "subspace", "nonnegative"])
def test_a_model_learns_the_same_factors(solver):
    X = sp.random_array((60, 40), density=0.1, random_state=0, format="csr")
    there, here = (
        ImplicitALS(n_factors=18, solver=solver, dtype="float64", max_iter=2, device=d).fit(X)
        for d in ("cuda:7", "cpu")
    )
    np.testing.assert_allclose(there.item_factors_, here.item_factors_, atol=1e-8)
    np.testing.assert_allclose(there.user_factors_, here.user_factors_, atol=1e-8)


def test_a_device_that_is_not_there():
    with pytest.raises(RuntimeError, match=r"'cuda:99' needs an NVIDIA GPU .*'cpu' computes"):
        ImplicitALS(device="cuda:99").fit(sp.csr_array(np.eye(4)))
