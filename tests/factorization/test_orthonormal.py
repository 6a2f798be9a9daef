"""Orthonormal columns: by the Gramian, by Householder's method where columns are dependent."""

from __future__ import annotations

import numpy as np
import pytest
from _interrupts import stops_within_half_a_second

from aimass_core.factorization import _orthonormal
from aimass_core.factorization._orthonormal import orthonormal


def columns(case, dtype):
    """Return 400 rows of 12 columns; all but those of "far apart" need Householder's method."""
    A = np.random.default_rng(0).standard_normal((400, 12))
    match case:
        case "far apart":
            A *= np.geomspace(1e-6, 1e6, 12)  # of different lengths
        case "near":
            A[:, 7] = A[:, 3] + 1e-5 * A[:, 7]
        case "equal":
            A[:, 7] = A[:, 3]
        case "zero":
            A[:, 7] = 0
    return A.astype(dtype)


@pytest.mark.parametrize("case", ["far apart", "near", "equal", "zero"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_are_orthonormal_and_have_the_span(dtype, case, monkeypatch):
    used = []
    householder = _orthonormal._householder
    monkeypatch.setattr(_orthonormal, "_householder", lambda A: used.append(1) or householder(A))
    A = columns(case, dtype)
    Q = orthonormal(A, 2)
    assert Q.dtype == dtype
    assert bool(used) == (case != "far apart")
    tolerance = 3e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(Q.T @ Q, np.eye(12), atol=tolerance)
    lengths = np.maximum(np.linalg.norm(A, axis=0), 1e-30)
    np.testing.assert_allclose(Q @ (Q.T @ A) / lengths, A / lengths, atol=tolerance)


def test_what_is_not_finite_is_an_error():
    A = columns("far apart", np.float32)
    A[3, 4] = np.inf
    with pytest.raises(np.linalg.LinAlgError):
        orthonormal(A, 1)


DEPENDENT = """
import numpy as np
from aimass_core.factorization._orthonormal import orthonormal
A = np.random.default_rng(0).standard_normal((60_000, 500))
A[:, 7] = A[:, 3]  # Householder's method is needed
"""


def test_ctrl_c_ends_householders_method():
    assert stops_within_half_a_second(DEPENDENT, "orthonormal(A, 1)", wait=1.0)
