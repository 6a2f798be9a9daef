"""Greedy assignment: pairs of a user and an item in order of value, each taken if limits allow it.

Problem: choose pairs of the largest total value under limits for each user, each item, each group
of users and the total cost. Serial, because every choice depends on those before. O(pairs) time, no
memory. Where all costs are equal the pairs taken are worth at least half of the best choice (an
intersection of two laminar matroids). M. L. Fisher, G. L. Nemhauser and L. A. Wolsey, "An analysis
of approximations for maximizing submodular set functions II", 1978.
"""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["assign_greedy"]


@njit(cache=True, nogil=True)
def assign_greedy(
    users: Any,
    items: Any,
    is_last: Any,
    user_capacity: Any,
    item_capacity: Any,
    groups: Any,
    group_capacity: Any,
    costs: Any,
    budget: Any,
    taken: Any,
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
    for pair in range(len(users)):
        user, item = users[pair], items[pair]
        group, cost = groups[user], costs[item]
        fits = (
            user_capacity[user] > 0
            and item_capacity[item] > 0
            and group_capacity[group] > 0
            and cost <= budget[0]
        )
        taken[pair] = fits
        if fits:
            user_capacity[user] -= 1
            item_capacity[item] -= 1
            group_capacity[group] -= 1
            budget[0] -= cost
        if is_last[pair] and item_capacity[item] > 0 and cost <= budget[0]:
            return pair + 1
    return len(users)
