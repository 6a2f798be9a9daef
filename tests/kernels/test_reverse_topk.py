"""reverse_topk against its reference, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _levels import LEVELS, at_level
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core
from aimass_core.exceptions import NumericalError
from aimass_core.reference import reverse_topk as reference
from aimass_core.retrieval import AudienceIndex

DTYPES = (np.float32, np.float64)


def call(index, asked, biases, numbers, *, exclude=None, n_threads=1):
    lists = (None, None) if exclude is None else exclude
    return _core.reverse_topk(
        asked, biases, numbers, *index._packed, index.n_users, *lists, n_threads
    )


@settings(max_examples=100, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 300), st.integers(0, 60), st.integers(0, 20)),
    k=st.integers(1, 70),
    dtype=st.sampled_from(DTYPES),
    biased=st.booleans(),
    exclude=st.booleans(),
    decay=st.booleans(),
    n_threads=st.integers(1, 3),
    level=st.sampled_from(LEVELS),
    seed=st.integers(0, 1000),
)
def test_any_shape(shape, k, dtype, biased, exclude, decay, n_threads, level, seed):
    n, m, f = shape
    rng = np.random.default_rng(seed)
    U, V = (rng.integers(-3, 4, (rows, f)).astype(dtype) for rows in (n, m))
    if decay:
        V *= 2.0 ** -rng.integers(0, 8, (m, 1)).astype(dtype)
    biases = rng.integers(-3, 4, m).astype(dtype) * (1 if biased else 0)
    seen = sp.csr_array(rng.random((n, m)) < 0.3) if exclude else None
    lists = (None, None) if seen is None else (seen.indptr, seen.indices)
    asked = np.arange(m, dtype=np.int32)
    with at_level(level):
        index = AudienceIndex(U, V, biases, k=k, exclude=seen)
        owners = None
        if seen is not None:
            owned = seen.T.tocsr()
            owners = owned.indptr.astype(np.int64), owned.indices.astype(np.int32)
        got = call(index, V, biases, asked, exclude=owners, n_threads=n_threads)
    want = reference(U, V, biases, asked, k, *lists)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.0, 1e-14, 1.0])
def test_negative_thresholds(rng, dtype, scale):
    """A score equal to its user's negative k-th score is never pruned."""
    U = np.vstack([np.tile(np.eye(1, 4), (100, 1)), rng.standard_normal((300, 4))]).astype(dtype)
    V = (scale * rng.standard_normal((3, 4))).astype(dtype)
    for offset in (-5, -1e-3, -1e6):
        index = AudienceIndex(U, V, np.full(3, offset, dtype), k=3)
        assert np.diff(index.reverse_topk([0, 1, 2]).indptr).tolist() == [400] * 3
        index = AudienceIndex(U, V, np.full(3, offset, dtype), k=1)
        for a, b in zip(index.reverse_topk([0, 1, 2]), index.reverse_topk()):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(rng, dtype):
    U = rng.standard_normal((20_000, 16)).astype(dtype)
    V = (rng.standard_normal((300, 16)) / np.arange(1, 301)[:, None] ** 0.5).astype(dtype)
    index = AudienceIndex(U, V, k=5)
    zeros, numbers = np.zeros(300, dtype), np.arange(300, dtype=np.int32)
    one = call(index, V, zeros, numbers)
    for n_threads in (2, 5):
        for a, b in zip(one, call(index, V, zeros, numbers, n_threads=n_threads)):
            np.testing.assert_array_equal(a, b)
    assert one[0][-1] == 5 * 20_000


def test_an_item_whose_scores_overflow_is_reported(rng):
    U, V = (rng.integers(-3, 4, (rows, 4)).astype(np.float32) for rows in (70, 9))
    index = AudienceIndex(U, V, k=3)
    asked = np.vstack([V, np.full((2, 4), 2e38, np.float32)])
    zeros, numbers = np.zeros(11, np.float32), np.full(11, 9, dtype=np.int32)
    with pytest.raises(NumericalError, match=r"^row 9 has scores .* use float64") as error:
        call(index, asked, zeros, numbers)
    assert error.value.row == 9
    with pytest.raises(NumericalError, match=r"^item 1 has scores"):
        index.reverse_topk(factors=asked[8:])


def test_refusals(rng):
    U, V = (rng.integers(-3, 4, (rows, 4)).astype(np.float32) for rows in (70, 9))
    index = AudienceIndex(U, V, k=3)
    zeros, numbers = np.zeros(9, np.float32), np.arange(9, dtype=np.int32)
    with pytest.raises(ValueError, match=r"queries must have shape \(n_queries, 4\)"):
        call(index, V[:, :3].copy(), zeros, numbers)
    with pytest.raises(ValueError, match="biases must be 1-D of length 9"):
        call(index, V, zeros[:4], numbers)
    lists = np.arange(10, dtype=np.int64), np.full(9, 70, np.int32)
    with pytest.raises(ValueError, match=r"exclude holds item 70, outside of \[0, 70\)"):
        call(index, V, zeros, numbers, exclude=lists)
