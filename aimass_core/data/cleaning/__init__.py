"""Cleaning of interactions: too few, too many, too large, too old.

Every function takes `Interactions` and returns new ones; the input is not changed. Those that
remove users or items renumber the rest and keep its order; those that remove single entries keep
the shape (`Interactions.drop_empty` leaves out what became empty). All are linear in the stored
entries, `k_core` in entries times rounds.
"""

from __future__ import annotations

from ._entries import clip_values, time_decay, time_window
from ._support import cap_items, cap_users, drop_bots, k_core, min_support

__all__ = [
    "cap_items",
    "cap_users",
    "clip_values",
    "drop_bots",
    "k_core",
    "min_support",
    "time_decay",
    "time_window",
]
