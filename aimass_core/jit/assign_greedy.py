"""Greedy assignment: pairs of a user and an item in order of value, each taken if both have room.

Problem: choose pairs of the largest total value, with at most so many of each user and of each
item. Serial, because every choice uses the ones before. O(pairs) time, no memory. The pairs taken
are worth at least half of the best choice (an intersection of two partition matroids).
T. A. Jenkyns, The efficacy of the "greedy" algorithm, 1976.
"""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["assign_greedy"]


@njit(cache=True, nogil=True)
def assign_greedy(users: Any, items: Any, user_room: Any, item_room: Any, taken: Any) -> None:
    """Mark the pairs taken and lower the room of their users and items.

    Parameters
    ----------
    users, items : ndarray of int32, shape (n_pairs,)
        Pairs, the most valuable first.
    user_room : ndarray of int64, shape (n_users,)
        How many items each user may get, changed.
    item_room : ndarray of int64, shape (n_items,)
        How many users each item may get, changed.
    taken : ndarray of bool, shape (n_pairs,)
        The answer, written.
    """
    for pair in range(len(users)):
        user, item = users[pair], items[pair]
        fits = user_room[user] > 0 and item_room[item] > 0
        taken[pair] = fits
        if fits:
            user_room[user] -= 1
            item_room[item] -= 1
