"""A query of some users of another one."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from aimass_core import Query
from aimass_core.base.validation import as_csr


def test_times_stay_with_their_entries(rng):
    X = as_csr(sp.csr_array((rng.random((6, 5)) < 0.5) * rng.integers(1, 99, (6, 5)).astype(float)))
    query = Query(X, times=X.data.astype(np.int64))
    for part in (query.rows(1, 4), query.rows(0, 99), query.take(np.array([5, 0, 5, 2]))):
        assert part.times is not None
        np.testing.assert_array_equal(part.times, part.profiles.data)
    assert Query(X).take(np.array([1])).times is None
