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
    n_groups=st.integers(1, 3),
    budget=st.sampled_from([0.0, 3.0, 10.0, np.inf]),
    seed=st.integers(0, 999),
)
def test_equals_the_reference_and_keeps_the_limits(
    n_pairs, n_users, n_items, n_groups, budget, seed
):
    rng = np.random.default_rng(seed)
    users = rng.integers(0, n_users, n_pairs).astype(np.int32)
    items = rng.integers(0, n_items, n_pairs).astype(np.int32)
    is_last = rng.random(n_pairs) < 0.1
    groups = rng.integers(0, n_groups, n_users).astype(np.int32)
    costs = rng.integers(1, 4, n_items).astype(float)
    limits = rng.integers(0, 4, n_users), rng.integers(0, 6, n_items), rng.integers(0, 9, n_groups)
    answers = []
    for kernel in (assign_greedy, reference.assign_greedy):
        of_user, of_item, of_group = (limit.copy() for limit in limits)
        left, taken = np.array([budget]), np.zeros(n_pairs, bool)
        n = kernel(users, items, is_last, of_user, of_item, groups, of_group, costs, left, taken)
        answers.append((of_user, of_item, of_group, left, taken, n))
    for a, b in zip(*answers, strict=True):
        np.testing.assert_array_equal(a, b)
    of_user, of_item, of_group, left, taken, n = answers[0]
    for rest in (of_user, of_item, of_group, left):
        assert (rest >= 0).all()
    assert not taken[n:].any()
    for limit, rest, rows in (
        (limits[0], of_user, users),
        (limits[1], of_item, items),
        (limits[2], of_group, groups[users]),
    ):
        np.testing.assert_array_equal(limit - rest, np.bincount(rows[taken], minlength=len(limit)))
    if np.isfinite(budget):
        assert left[0] == budget - costs[items[taken]].sum()
    # No processed pair that still fits was left out.
    fits = (of_user[users] > 0) & (of_item[items] > 0) & (of_group[groups[users]] > 0)
    fits &= costs[items] <= left[0]
    assert not (fits & ~taken)[:n].any()
    if n < n_pairs:
        assert is_last[n - 1]
        assert of_item[items[n - 1]] > 0
