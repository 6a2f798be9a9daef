"""embedding_moves: steps of AdaGrad, rows that stay, arguments; parity: test_embedding_sums.py."""

from __future__ import annotations

import numpy as np
import pytest
from _embedding import PREPARED, problem
from _interrupts import stops_within_half_a_second
from _similarity import DTYPES

from aimass_core import _core


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


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_without_steps_move_nothing(dtype):
    a = problem(60, 9, 20, dtype, 8)
    weights, transposed = a.pop("weights"), a.pop("transposed")
    _core.embedding_sums(**a, weights=weights, n_threads=1)
    before = [array.copy() for array in a["embeddings"]]
    arrays = a["factors"].copy(), a["accumulators"].copy()
    _core.embedding_moves(
        **a,
        transposed=transposed,
        factors_before=arrays[0],
        accumulators_before=arrays[1],
        n_threads=2,
    )
    for one, other in zip(a["embeddings"], before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not a["factors"].any()
    assert not a["accumulators"].any()


@pytest.mark.parametrize("name", ["factors_before", "accumulators_before"])
def test_refusals(name):
    a = problem(40, 12, 16, np.float32, 9)
    weights = a.pop("weights")
    shape = a["factors"].shape
    before = {n: np.zeros(shape, np.float32) for n in ("factors_before", "accumulators_before")}
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        _core.embedding_moves(**a, **before | {name: np.zeros((1, 16), np.float32)}, n_threads=1)
    a["transposed"] = weights  # not transposed
    with pytest.raises(ValueError, match="weights must have 12 rows"):
        _core.embedding_moves(**a, **before, n_threads=1)


def test_ctrl_c():
    call = "_core.embedding_moves(embeddings, weights, rows, *arrays, 1)"
    assert stops_within_half_a_second(PREPARED, call)
