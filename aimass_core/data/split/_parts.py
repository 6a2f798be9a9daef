"""The result of a split, and its check for leaks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.validation import as_choice, as_float
from ..interactions import Interactions

__all__ = ["REPEATS", "Split", "by_repeats", "cut", "ratio"]

REPEATS = ("exclude", "include", "only")


class Split:
    """Parts for training and for judging a model; made only if nothing leaks.

    Parameters
    ----------
    train : Interactions
        What the model may see.
    test : Interactions
        What it is judged on.
    fold_in, holdout : Interactions, optional
        For users whom the model does not know: what it is shown of them, and what it must
        predict (then ``test`` is ``holdout``).
    order : {"none", "user", "global"}, default "none"
        What the split guarantees about time: nothing; no user's train entry is newer than the same
        user's test entry; no train entry at all is newer than a test entry.
    repeats : {"exclude", "include", "only"}, default "exclude"
        Pairs of user and item in both parts: there are none; there may be some; every pair of
        ``test`` is in ``train``, too. `evaluate` uses this rule.
    """

    def __init__(
        self,
        train: Interactions,
        test: Interactions,
        fold_in: Interactions | None = None,
        holdout: Interactions | None = None,
        order: str = "none",
        repeats: str = "exclude",
    ) -> None:
        self.train = train
        self.test = test
        self.fold_in = fold_in
        self.holdout = holdout
        self.order = as_choice(order, "order", ("none", "user", "global"))
        self.repeats = as_choice(repeats, "repeats", REPEATS)
        self.check()

    def check(self) -> None:
        """Check again what was checked when the split was made.

        Raises
        ------
        ValueError
            If train and test share a pair of user and item, have different id maps, share a user
            that should be unknown, or are not in the order of time that the split promises.
        """
        shown = self.train if self.fold_in is None else self.fold_in
        if shown.items != self.test.items or shown.users != self.test.users:
            raise ValueError("the parts of a split must have the same id maps")
        is_shared = _shared(shown, self.test)
        if self.repeats == "only" and not is_shared.all():
            raise ValueError(
                f"{int((~is_shared).sum())} pairs of user and item of test are not in train, "
                "although repeats='only'"
            )
        shared = np.flatnonzero(is_shared)
        if len(shared) and self.repeats == "exclude":
            position = shared[0]
            user = self.test.users.ids.item(self.test.row_indices()[position])
            item = self.test.items.ids.item(self.test.matrix.indices[position])
            raise ValueError(
                f"leak: {len(shared)} pairs of user and item are in both parts, e.g. user "
                f"{user!r} with item {item!r}: aggregate the rows of a pair before splitting, or "
                "pass repeats='include' to Split where the same purchase may come again"
            )
        if self.fold_in is not None:
            known = self.train.users.get(self.fold_in.users.ids) >= 0
            if known.any():
                raise ValueError(
                    f"leak: {int(known.sum())} test users are in train, e.g. "
                    f"{self.fold_in.users.ids[known].item(0)!r}"
                )
        if self.order != "none":
            self._check_time()

    def _check_time(self) -> None:
        if self.train.timestamps is None or self.test.timestamps is None:
            raise ValueError("a split in time needs timestamps in both parts")
        before, after = self.train.single_events(), self.test.single_events()
        n = self.train.n_users
        rows = self.train.row_indices()[before.entries()]
        test_rows = self.test.row_indices()[after.entries()]
        if self.order == "global":
            n, rows, test_rows = 1, np.zeros_like(rows), np.zeros_like(test_rows)
        newest = np.full(n, np.iinfo(np.int64).min)
        oldest = np.full(n, np.iinfo(np.int64).max)
        np.maximum.at(newest, rows, before.times)
        np.minimum.at(oldest, test_rows, after.times)
        if (newest > oldest).any():
            raise ValueError("leak: train holds entries newer than some of test")

    def drop_unknown(self) -> Split:
        """Leave out of test what no model could know.

        Returns
        -------
        Split
            The test entries whose user and item both occur in train (or fold-in).
        """
        shown = self.train if self.fold_in is None else self.fold_in
        known_users = np.diff(shown.matrix.indptr) > 0
        known_items = np.bincount(self.train.matrix.indices, minlength=self.train.n_items) > 0
        keep = known_users[self.test.row_indices()] & known_items[self.test.matrix.indices]
        test = self.test.keep_entries(keep)
        holdout = None if self.holdout is None else test
        return Split(self.train, test, self.fold_in, holdout, self.order, self.repeats)

    def __repr__(self) -> str:
        if self.fold_in is None:
            return f"Split(train {self.train.nnz}, test {self.test.nnz} interactions)"
        return (
            f"Split(train {self.train.nnz}, fold_in {self.fold_in.nnz}, "
            f"holdout {self.test.nnz} interactions)"
        )


def _shared(a: Interactions, b: Interactions) -> NDArray[np.bool_]:
    """Return which stored entries of b are stored in a too."""
    width = max(a.n_items, 1)
    keys_a = a.row_indices().astype(np.int64) * width + a.matrix.indices
    keys_b = b.row_indices().astype(np.int64) * width + b.matrix.indices
    positions = np.searchsorted(keys_a, keys_b)
    positions[positions == len(keys_a)] = 0
    return np.zeros(len(keys_b), dtype=bool) if len(keys_a) == 0 else keys_a[positions] == keys_b


def ratio(value: Any, name: str) -> float:
    """Return a share between 0 and 1, both excluded."""
    share = as_float(value, name)
    if not 0.0 < share < 1.0:
        raise ValueError(f"{name} must be between 0 and 1 (both excluded), got {share}")
    return share


def cut(x: Interactions, test: NDArray[np.bool_], *, order: str = "none") -> Split:
    """Return the split of the stored entries by a mask."""
    return Split(x.keep_entries(~test), x.keep_entries(test), order=order)


def by_repeats(train: Interactions, test: Interactions, *, order: str, repeats: str) -> Split:
    """Return the split of two parts in time, with the rule for pairs of user and item in both."""
    if repeats != "include":
        is_repeat = _shared(train, test)
        test = test.keep_entries(is_repeat if repeats == "only" else ~is_repeat)
    return Split(train, test, order=order, repeats=repeats)
