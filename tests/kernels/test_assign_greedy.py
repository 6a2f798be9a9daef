"""assign_greedy against its reference, and what a greedy choice must be."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import reference
from aimass_core.jit.assign_greedy import assign_greedy


@settings(deadline=None)  # the first call compiles
@given(
    n_pairs=st.integers(0, 60),
    n_users=st.integers(1, 9),
    n_items=st.integers(1, 6),
    seed=st.integers(0, 999),
)
def test_equals_the_reference_and_keeps_the_limits(n_pairs, n_users, n_items, seed):
    rng = np.random.default_rng(seed)
    users = rng.integers(0, n_users, n_pairs).astype(np.int32)
    items = rng.integers(0, n_items, n_pairs).astype(np.int32)
    limits = rng.integers(0, 4, n_users), rng.integers(0, 6, n_items)
    answers = []
    for kernel in (assign_greedy, reference.assign_greedy):
        left, taken = [limit.copy() for limit in limits], np.empty(n_pairs, bool)
        kernel(users, items, *left, taken)
        answers.append((*left, taken))
    for a, b in zip(*answers):
        np.testing.assert_array_equal(a, b)
    user_left, item_left, taken = answers[0]
    assert (user_left >= 0).all()
    assert (item_left >= 0).all()
    np.testing.assert_array_equal(
        limits[0] - user_left, np.bincount(users[taken], minlength=n_users)
    )
    # Nothing that still fits was left out.
    assert not ((user_left[users] > 0) & (item_left[items] > 0) & ~taken).any()
