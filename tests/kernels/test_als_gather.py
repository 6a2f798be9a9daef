"""als_solve for few rows of a large catalogue: the same bits as with all factors copied."""

from __future__ import annotations

import numpy as np
import pytest
from _als import SOLVERS, WEIGHTS, problem
from _similarity import DTYPES

from aimass_core import kernels


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_unused_columns_change_no_bit(solver, weights, dtype, rng):
    arguments = problem(5, 40, 17, dtype, 3, weights=weights)
    options = {"solver": solver, "n_steps": 2, "block_size": 16, "n_threads": 2}
    expected = kernels.als_solve(**arguments, **options)
    columns = np.sort(rng.choice(2_000, 40, replace=False)).astype(np.int32)
    factors = rng.standard_normal((2_000, 17)).astype(dtype)
    factors[columns] = arguments["factors"]
    wide = arguments | {"factors": factors, "indices": columns[arguments["indices"]]}
    np.testing.assert_array_equal(kernels.als_solve(**wide, **options), expected)
    empty = wide | {
        "indptr": np.zeros(6, dtype=np.int64),
        "indices": np.empty(0, dtype=np.int32),
        "data": np.empty(0, dtype=dtype),
    }
    assert (kernels.als_solve(**empty, **options) == 0).all()
