"""Greedy assignment, pair by pair."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign_greedy"]


def assign_greedy(
    users: NDArray[Any],
    items: NDArray[Any],
    is_last: NDArray[np.bool_],
    user_capacity: NDArray[np.int64],
    item_capacity: NDArray[np.int64],
    groups: NDArray[Any],
    group_capacity: NDArray[np.int64],
    costs: NDArray[np.float64],
    budget: NDArray[np.float64],
    taken: NDArray[np.bool_],
) -> int:
    """Mark the pairs that are taken, lower the capacities, and return how many were processed.

    Parameters
    ----------
    users, items : ndarray of int32, shape (n_pairs,)
        Pairs, the most valuable first.
    is_last : ndarray of bool, shape (n_pairs,)
        Whether an item has more pairs than are given and this is the last one given. The pass ends
        after such a pair where the item could take another user.
    user_capacity : ndarray of int64, shape (n_users,)
        How many items each user may get, changed.
    item_capacity : ndarray of int64, shape (n_items,)
        How many users each item may get, changed.
    groups : ndarray of int32, shape (n_users,)
        Group of each user.
    group_capacity : ndarray of int64, shape (n_groups,)
        How many pairs each group may get, changed.
    costs : ndarray of float64, shape (n_items,)
        Cost of a pair of each item.
    budget : ndarray of float64, shape (1,)
        What is left to spend, changed.
    taken : ndarray of bool, shape (n_pairs,)
        The result, written up to the last processed pair.

    Returns
    -------
    int
        Number of pairs processed.
    """
    for pair, (user, item) in enumerate(zip(users, items, strict=True)):
        affordable = item_capacity[item] > 0 and costs[item] <= budget[0]
        allowed = user_capacity[user] > 0 and group_capacity[groups[user]] > 0
        taken[pair] = affordable and allowed
        if taken[pair]:
            user_capacity[user] -= 1
            item_capacity[item] -= 1
            group_capacity[groups[user]] -= 1
            budget[0] -= costs[item]
        if is_last[pair] and item_capacity[item] > 0 and costs[item] <= budget[0]:
            return pair + 1
    return len(users)
