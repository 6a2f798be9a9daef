"""field_aware_epoch against its reference, which adds up pairs of columns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from _interrupts import stops_within_half_a_second
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference

CHANGED = ("intercept", "linear", "factors")


def problem(n_rows, n_columns, n_fields, n_factors, seed, *, weighted=False, logistic=False):
    rng = np.random.default_rng(seed)
    dense = np.where(
        rng.random((n_rows, n_columns)) < 0.4, rng.normal(size=(n_rows, n_columns)), 0.0
    )
    x = sp.csr_matrix(dense)
    y = rng.normal(size=n_rows)
    shape = (2, n_columns, n_fields * n_factors)
    factors = rng.normal(0, 0.3, shape)
    factors[1] = 1
    return {
        "indptr": x.indptr.astype(np.int64),
        "indices": x.indices.astype(np.int32),
        "data": x.data,
        "fields": rng.integers(0, n_fields, n_columns).astype(np.int32),
        "order": rng.permutation(n_rows).astype(np.int64),
        "targets": (y > 0).astype(float) if logistic else y,
        "weights": rng.integers(0, 3, n_rows).astype(float) if weighted else np.empty(0),
        "intercept": np.array([0.2, 1.0]),
        "linear": np.vstack([rng.normal(size=n_columns), np.ones(n_columns)]),
        "factors": factors,
        "n_fields": n_fields,
        "learning_rate": 0.1,
        "regularization": 0.01,
        "is_logistic": logistic,
    }


def run(function, arguments):
    own = {**arguments, **{name: arguments[name].copy() for name in CHANGED}}
    return function(**own), [own[name] for name in CHANGED]


def check(arguments):
    loss, ours = run(_core.field_aware_epoch, arguments)
    expected, theirs = run(reference.field_aware_epoch, arguments)
    np.testing.assert_allclose(loss, expected, rtol=1e-9)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("logistic", [False, True])
def test_equals_reference(logistic, weighted):
    check(problem(40, 12, 3, 5, 0, weighted=weighted, logistic=logistic))


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 12), st.integers(1, 9), st.integers(1, 5), st.integers(0, 9), st.integers(0, 99)
)
def test_any_shape(n_rows, n_columns, n_fields, n_factors, seed):
    check(problem(n_rows, n_columns, n_fields, n_factors, seed, logistic=seed % 2 == 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factors": np.ones((2, 9, 7))}, "factors must have the shape"),
        ({"linear": np.ones((2, 8))}, "linear must have shape"),
        ({"indptr": np.zeros(3, np.int64)}, "indptr must be 1-D of length 21"),
        ({"n_fields": 0}, "n_fields must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        _core.field_aware_epoch(**problem(20, 9, 2, 4, 0) | change)


PREPARE = """
import numpy as np
from aimass_core import _core

n, width, f = 1_000_000, 16, 16
rng = np.random.default_rng(0)
indices = np.tile(np.arange(width, dtype=np.int32), n)
factors = np.ones((2, width, f * 8))
"""

CALL = """
_core.field_aware_epoch(
    np.arange(n + 1) * width, indices, np.ones(n * width), np.arange(width, dtype=np.int32),
    np.arange(n), np.zeros(n), np.empty(0), np.ones(2), np.ones((2, width)), factors,
    n_fields=f, learning_rate=0.1, regularization=0.0, is_logistic=False,
)
"""


def test_is_interrupted_among_the_rows():
    assert stops_within_half_a_second(PREPARE, CALL, share=0.3)
