"""BPR by the bodies of the GPU kernels, emulated on the processor; see `test_cuda_similarity`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _sgd import RULES, arrays, copied, matrix, side

from aimass_core import BPR, reference
from aimass_core.exceptions import NumericalError
from aimass_core.kernels import cuda

pytestmark = pytest.mark.usefixtures("emulated")
DTYPES = [np.float32, np.float64]


def problem(dtype, rule, *, n_users=40, n_items=30, f=5, strata=3, biases=True, candidates=1):
    rng = np.random.default_rng(3)
    return {
        **matrix(n_users, n_items, 0.2, dtype, 4),
        "users": side(n_users, f, dtype, rule, rng, biases=False),
        "items": side(n_items, f, dtype, rule, rng, biases=biases),
        "steps": (rule, 0.05, 0.03, 0.9, 0.99, 1e-8),
        "penalties": (0.01, 0.02, 0.03, 0.04),
        "weights": np.zeros(0),
        "loss": "bpr",
        "n_candidates": candidates,
        "n_positives": 1,
        "k_positive": 1,
        "margin": 1.0,
        "n_strata": strata,
        "seed": 7,
        "epoch": 2,
        "n_threads": 1,
    }


def check(arguments, devices=range(12)):
    theirs = copied(arguments)
    expected = reference.pairwise_epoch(**theirs)
    tolerance = 3e-4 if arguments["users"][0].dtype == np.float32 else 1e-9
    first = None
    for device in devices:
        ours = copied(arguments)
        sums = cuda.pairwise_epoch(**ours, device=device)
        np.testing.assert_allclose(sums, expected, rtol=tolerance)
        for a, b in zip(arrays(ours), arrays(theirs), strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        first = first or ours
        for a, b in zip(arrays(ours), arrays(first), strict=True):
            np.testing.assert_array_equal(a, b)  # any schedule: the same bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("candidates", [1, 3])
def test_equals_reference(dtype, rule, candidates):
    check(problem(dtype, rule, candidates=candidates), devices=(0, 4, 8, 11))


def test_every_schedule():
    check(problem(np.float64, "adam", f=20, strata=4))


def test_no_biases_and_one_stratum():
    check(problem(np.float64, "sgd", biases=False, strata=1), devices=(0, 4, 8))


def test_negatives_by_weight_and_several_threads():
    arguments = problem(np.float64, "adagrad", strata=4) | {"n_threads": 2}
    arguments["weights"] = np.random.default_rng(0).random(30)
    check(arguments, devices=(1, 5, 9))


def test_users_without_negatives_are_skipped():
    arguments = problem(np.float64, "sgd", n_users=6, n_items=4, strata=2)
    arguments["indptr"] = np.arange(0, 28, 4).astype(arguments["indptr"].dtype)
    arguments["indices"] = np.tile(np.arange(4), 6).astype(arguments["indices"].dtype)
    check(arguments, devices=(0, 8))


def test_divergence_is_an_error():
    arguments = problem(np.float32, "sgd")
    arguments["steps"] = ("sgd", 1e30, 1e30, 0.9, 0.99, 1e-8)
    with pytest.raises(NumericalError, match="training diverged in epoch 3"):
        cuda.pairwise_epoch(**arguments, device=4)


def test_what_the_device_does_not_do(emulated):
    arguments = problem(np.float32, "sgd")
    with pytest.raises(ValueError, match="loss='warp' runs on the processor only"):
        cuda.pairwise_epoch(**arguments | {"loss": "warp"}, device=0)
    emulated.set_free_memory(1_000)
    with pytest.raises(MemoryError, match="BPR needs 1 MiB"):
        cuda.pairwise_epoch(**arguments, device=0)


def test_a_model_learns_the_same_factors():
    X = sp.random_array((60, 40), density=0.1, random_state=0, format="csr")
    there, here = (
        BPR(n_factors=6, max_iter=3, dtype="float64", device=d).fit(X) for d in ("cuda:7", "cpu")
    )
    np.testing.assert_allclose(there.item_factors_, here.item_factors_, atol=1e-9)
    np.testing.assert_allclose(there.item_bias_, here.item_bias_, atol=1e-9)
    with pytest.raises(ValueError, match="device must be 'cpu', 'cuda'"):
        BPR(device="torch:cpu").fit(X)
