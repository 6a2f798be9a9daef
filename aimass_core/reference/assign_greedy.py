"""Greedy assignment, pair by pair."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign_greedy"]


def assign_greedy(
    users: NDArray[Any],
    items: NDArray[Any],
    user_room: NDArray[np.int64],
    item_room: NDArray[np.int64],
    taken: NDArray[np.bool_],
) -> None:
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
    for pair, (user, item) in enumerate(zip(users, items, strict=True)):
        taken[pair] = user_room[user] > 0 and item_room[item] > 0
        user_room[user] -= taken[pair]
        item_room[item] -= taken[pair]
