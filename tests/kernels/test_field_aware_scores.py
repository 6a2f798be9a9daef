"""field_aware_scores against its reference, which adds up pairs of columns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _interrupts import stops_within_half_a_second
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference


def problem(n_rows, n_columns, n_fields, n_factors, seed):
    rng = np.random.default_rng(seed)
    shape = n_rows, n_columns
    x = sp.csr_matrix(np.where(rng.random(shape) < 0.4, rng.normal(size=shape), 0.0))
    return {
        "indptr": x.indptr.astype(np.int64),
        "indices": x.indices.astype(np.int32),
        "data": x.data,
        "fields": rng.integers(0, n_fields, n_columns).astype(np.int32),
        "intercept": 0.2,
        "linear": rng.normal(size=n_columns).astype(np.float32),
        "factors": rng.normal(size=(n_columns, n_fields, n_factors)).astype(np.float32),
    }


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("n_fields", [1, 4, 30])
def test_equals_reference(n_fields, n_threads):
    arguments = problem(700, 30, n_fields, 5, 3)
    expected = reference.field_aware_scores(**arguments, n_threads=1)
    found = _core.field_aware_scores(**arguments, n_threads=n_threads)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(found, _core.field_aware_scores(**arguments, n_threads=1))


@given(
    st.integers(0, 8), st.integers(1, 9), st.integers(1, 4), st.integers(0, 9), st.integers(0, 999)
)
@settings(max_examples=60, deadline=None)
def test_any_size(n_rows, n_columns, n_fields, n_factors, seed):
    arguments = problem(n_rows, n_columns, n_fields, n_factors, seed)
    expected = reference.field_aware_scores(**arguments, n_threads=1)
    found = _core.field_aware_scores(**arguments, n_threads=2)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_a_row_does_not_depend_on_the_others():
    arguments = problem(50, 12, 3, 4, 0)
    together = _core.field_aware_scores(**arguments, n_threads=2)
    begin, end = arguments["indptr"][7:9]
    alone = {
        **arguments,
        "indptr": np.array([0, end - begin]),
        "indices": arguments["indices"][begin:end].copy(),
        "data": arguments["data"][begin:end].copy(),
    }
    assert _core.field_aware_scores(**alone, n_threads=1)[0] == together[7]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("linear", np.zeros(3, np.float32)),
        ("factors", np.zeros((12, 3), np.float32)),
        ("factors", np.zeros((12, 0, 3), np.float32)),
        ("fields", np.zeros((2, 2), np.int32)),
    ],
)
def test_wrong_shapes(name, value):
    arguments = {**problem(5, 12, 3, 4, 0), name: value}
    with pytest.raises(ValueError, match=name):
        _core.field_aware_scores(**arguments, n_threads=1)


PREPARE = """
import numpy as np
from aimass_core import _core
n, width = 2000, 150
indices = np.tile(np.arange(width, dtype=np.int32), n)
factors = np.ones((width, width, 8), np.float32)
"""
CALL = """
_core.field_aware_scores(
    np.arange(n + 1) * width, indices, np.ones(n * width), np.arange(width, dtype=np.int32), 0.0,
    np.ones(width, np.float32), factors, n_threads=1,
)
"""


def test_is_interrupted_among_the_rows():
    assert stops_within_half_a_second(PREPARE, CALL, share=0.3)
