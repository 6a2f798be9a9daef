"""Train and test parts of interactions, each of which checks itself for leaks.

All but those by a column and `strong_generalization` split the stored entries: both parts have the
shape and the id maps of the whole, so what a model calls item 7 is item 7 in the test part too.
Cost is linear in the entries, with one sort for the splits within users.
"""

from __future__ import annotations

from ._chance import k_fold, per_user, random, strong_generalization
from ._order import by_column, folds_by_column, leave_last, temporal
from ._parts import Split

__all__ = [
    "Split",
    "by_column",
    "folds_by_column",
    "k_fold",
    "leave_last",
    "per_user",
    "random",
    "strong_generalization",
    "temporal",
]
