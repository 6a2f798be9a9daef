"""Train and test parts of interactions, each of which checks itself for leaks.

All but those by a column and by users split the stored entries (those in time: the single events):
both parts have the shape and the id maps of the whole, so what a model calls item 7 is item 7 in
the test part, too. Cost is linear in the entries, with one sort for the splits within users.
"""

from __future__ import annotations

from ._chance import (
    cold_items,
    cold_users,
    k_fold,
    k_fold_items,
    k_fold_per_user,
    k_fold_users,
    per_user,
    random,
    strong_generalization,
)
from ._folds import NestedSplit, expanding, nested, rolling
from ._order import by_column, folds_by_column, leave_last, temporal
from ._parts import Split

__all__ = [
    "NestedSplit",
    "Split",
    "by_column",
    "cold_items",
    "cold_users",
    "expanding",
    "folds_by_column",
    "k_fold",
    "k_fold_items",
    "k_fold_per_user",
    "k_fold_users",
    "leave_last",
    "nested",
    "per_user",
    "random",
    "rolling",
    "strong_generalization",
    "temporal",
]
