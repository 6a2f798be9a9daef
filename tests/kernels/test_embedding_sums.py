"""Kernels of rows that are sums of embeddings against their references, for any input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
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


def problem(n, n_features, width, dtype, seed, *, density=0.3, share_of_rows=0.6):
    """Embeddings, their weights, and some rows with the arrays that steps move."""
    rng = np.random.default_rng(seed)
    mask = rng.random((n, n_features)) < density
    mask[: n // 5] = False  # rows without features
    if n_features:
        mask[:, n_features // 2 :][:, :1] = True  # a feature of all rows
    dense = np.where(mask, rng.normal(0.2, 0.5, mask.shape), 0).astype(dtype)
    csr = sp.csr_array(dense)
    rows = np.flatnonzero(rng.random(n) < share_of_rows).astype(np.int32)
    own_weights = rng.choice([0.0, 0.7, 1.0], n).astype(dtype)
    arrays = [rng.normal(0, 0.5, (size, width)).astype(dtype) for size in (n, n_features)]
    squares = [1 + rng.gamma(1.0, 3.0, (size, width)).astype(dtype) for size in (n, n_features)]
    shape = (len(rows), width)
    return {
        "embeddings": (own_weights, arrays[0], squares[0], arrays[1], squares[1]),
        "weights": parts(csr, dtype),
        "transposed": parts(sp.csr_array(csr.T), dtype),
        "rows": rows,
        "factors": np.full(shape, np.nan, dtype),
        "accumulators": np.full(shape, np.nan, dtype),
    }


def parts(csr, dtype):
    """The arrays of a matrix as kernels take them."""
    csr.sort_indices()
    return csr.indptr.astype(np.int64), csr.indices.astype(np.int32), csr.data.astype(dtype)


def steps(factors, accumulators, seed):
    """Move some of the rows as AdaGrad would, the others not at all."""
    rng = np.random.default_rng(seed)
    moved = rng.random(len(factors)) < 0.7
    gradients = rng.normal(0, 1, factors.shape) * moved[:, None]
    accumulators += (gradients**2).astype(factors.dtype)
    factors += (0.1 * gradients / np.sqrt(accumulators)).astype(factors.dtype)


def copied(value):
    if isinstance(value, tuple):
        return tuple(part.copy() for part in value)
    return value.copy()


def run(module, arguments, seed, n_threads=1):
    """Sums, steps and moves; returns every array that may have changed after each kernel."""
    a = {name: copied(value) for name, value in arguments.items()}
    transposed, weights = a.pop("transposed"), a.pop("weights")
    module.embedding_sums(**a, weights=weights, n_threads=n_threads)
    before = a["factors"].copy(), a["accumulators"].copy()
    steps(a["factors"], a["accumulators"], seed)
    module.embedding_moves(
        **a,
        transposed=transposed,
        factors_before=before[0],
        accumulators_before=before[1],
        n_threads=n_threads,
    )
    return [*before, a["factors"], a["accumulators"], *a["embeddings"]]


def check(arguments, seed):
    tolerance = 2e-4 if arguments["factors"].dtype == np.float32 else 1e-10
    results = run(_core, arguments, seed), run(reference, arguments, seed)
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 5, 16, 64, 83])
def test_equals_reference_at_every_level(dtype, width, level):
    check(problem(40, 12, width, dtype, width), 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("n", "n_features", "density"),
    [(30, 0, 0.0), (30, 1, 1.0), (30, 500, 0.4), (0, 4, 0.5), (400, 3, 1.0)],
    ids=["none", "one", "many", "no rows", "features of many rows"],
)
def test_numbers_of_features(dtype, n, n_features, density):
    check(problem(n, n_features, 16, dtype, 2, density=density), 3)


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
    check(problem(n, n_features, width, np.float64, seed, **options), seed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype):
    arguments = problem(700, 90, 33, dtype, 4, density=0.1)
    first = run(_core, arguments, 5)
    for n_threads in (2, 3, 7):
        for one, other in zip(first, run(_core, arguments, 5, n_threads), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_alone_takes_steps_of_adagrad(dtype):
    """One row with features of its own: each embedding moves as AdaGrad would move it."""
    rng = np.random.default_rng(6)
    width, w = 16, np.array([0.5, 0.6], dtype)
    squares = 1 + rng.random((3, width))
    vectors = rng.normal(0, 1, (3, width))
    weights = np.array([0.6244998, *w])  # of the row itself, and of both features
    embeddings = (
        weights[:1].astype(dtype),
        *(a[:1].astype(dtype) for a in (vectors, squares)),
        *(a[1:].astype(dtype) for a in (vectors, squares)),
    )
    row = np.zeros(1, np.int32)
    factors, accumulators = np.empty((2, 1, width), dtype)
    csr = (np.array([0, 2]), np.array([0, 1], np.int32), w)
    by_feature = (np.array([0, 1, 2]), np.zeros(2, np.int32), w)
    _core.embedding_sums(embeddings, csr, row, factors, accumulators, 1)
    before = factors.copy(), accumulators.copy()
    gradient, rate = rng.normal(0, 1, width), 0.05
    factors[0] += (rate * gradient / np.sqrt(accumulators[0])).astype(dtype)
    accumulators[0] += (gradient**2).astype(dtype)
    _core.embedding_moves(embeddings, by_feature, row, factors, accumulators, *before, 1)
    moved = np.concatenate([embeddings[1], embeddings[3]])
    grown = np.concatenate([embeddings[2], embeddings[4]])
    expected = vectors + rate * weights[:, None] * gradient / np.sqrt(squares)
    tolerance = 1e-4 if dtype == np.float32 else 1e-6
    np.testing.assert_allclose(moved, expected, atol=tolerance)
    np.testing.assert_allclose(grown, squares + weights[:, None] ** 2 * gradient**2, atol=1e-4)


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


PREPARED = """
import numpy as np
from aimass_core import _core
n, entries, width = 20_000, 100, 64
embeddings = (np.ones(n, "f4"), *np.ones((4, n, width), "f4"))
indptr = np.arange(n + 1) * entries
indices = np.random.default_rng(0).integers(0, n, n * entries).astype(np.int32)
weights = indptr, indices, np.full(n * entries, 0.1, "f4")
rows = np.arange(n, dtype=np.int32)
arrays = np.ones((4, n, width), "f4")
"""


@pytest.mark.parametrize("name", ["embedding_sums", "embedding_moves"])
def test_ctrl_c(name):
    taken = "*arrays[:2]" if name == "embedding_sums" else "*arrays"
    call = f"_core.{name}(embeddings, weights, rows, {taken}, 1)"
    assert stops_within_half_a_second(PREPARED, call)
