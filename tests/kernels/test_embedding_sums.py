"""embedding_sums, and embedding_moves after steps, against their references for any input."""

from __future__ import annotations

import numpy as np
import pytest
from _embedding import PREPARED, assert_parity, problem, run_kernels
from _interrupts import stops_within_half_a_second
from _levels import LEVELS, at_level
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference


@pytest.fixture(params=LEVELS)
def level(request):
    with at_level(request.param):
        yield request.param


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 5, 16, 64, 83])
def test_equals_reference_at_every_level(dtype, width, level):
    assert_parity(_core, reference, problem(40, 12, width, dtype, width), 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("n", "n_features", "density"),
    [(30, 0, 0.0), (30, 1, 1.0), (30, 500, 0.4), (0, 4, 0.5), (400, 3, 1.0)],
    ids=["none", "one", "many", "no rows", "features of many rows"],
)
def test_numbers_of_features(dtype, n, n_features, density):
    assert_parity(_core, reference, problem(n, n_features, 16, dtype, 2, density=density), 3)


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 30),
    st.integers(0, 20),
    st.integers(1, 40),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_any_shape(n, n_features, width, density, share_of_rows, seed):
    options = {"density": density, "share_of_rows": share_of_rows}
    arguments = problem(n, n_features, width, np.float64, seed, **options)
    assert_parity(_core, reference, arguments, seed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype):
    arguments = problem(700, 90, 33, dtype, 4, density=0.1)
    first = run_kernels(_core, arguments, 5)
    for n_threads in (2, 3, 7):
        for one, other in zip(first, run_kernels(_core, arguments, 5, n_threads), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": np.array([3, 3], np.int32)}, "rows must ascend within"),
        ({"rows": np.array([40], np.int32)}, "rows must ascend within"),
        ({"rows": np.array([-1], np.int32)}, "rows must ascend within"),
        ({"factors": np.zeros((2, 16), np.float32)}, "factors must have shape"),
        ({"weights": 3}, "weights must have 40 rows"),
    ],
)
def test_refusals(change, message):
    a = problem(40, 12, 16, np.float32, 7)
    del a["transposed"]
    if change == {"weights": 3}:
        indptr, indices, data = a["weights"]
        change = {"weights": (np.append(indptr, indptr[-1]), indices, data)}
    if "rows" in change:
        change |= {n: np.zeros((len(change["rows"]), 16), np.float32) for n in ("factors",)}
        change |= {"accumulators": change["factors"].copy()}
    with pytest.raises(ValueError, match=message):
        _core.embedding_sums(**a | change, n_threads=1)


def test_ctrl_c():
    call = "_core.embedding_sums(embeddings, weights, rows, *arrays[:2], 1)"
    assert stops_within_half_a_second(PREPARED, call)
