"""The splits of ``aimass evaluate`` by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .files import check_names

if TYPE_CHECKING:
    from ..data import Interactions
    from ..data.split import Split
    from .ratings import Ratings

__all__ = ["SPLITS", "SplitRule"]

SPLITS = ("random", "per-user", "leave-last", "temporal", "strong", "k-fold", "column:NAME")
_MAX_LABELS = 20


@dataclass(frozen=True)
class SplitRule:
    """The options ``--split``, ``--test-size``, ``--last``, ``--folds`` and ``--seed``."""

    name: str
    test_size: float
    last: int
    folds: int
    seed: int

    def check(self, ratings: Ratings) -> None:
        """Refuse a split that cannot be made, before anything large is read.

        Parameters
        ----------
        ratings : Ratings
            The open table of interactions.

        Raises
        ------
        ValueError
            For a rule that does not exist, a label column that is missing, or a rule that goes
            by time where no column of times is named.
        """
        from ..base.validation import as_choice

        kind, _, column = self.name.partition(":")
        if kind == "column":
            check_names(ratings.table, ratings.source, {"--split": column})
            return
        as_choice(self.name, "--split", SPLITS)
        if self.name in ("temporal", "leave-last") and ratings.columns.time is None:
            raise ValueError(
                f"--split {self.name} goes by time: name the column of times with --time"
            )

    def make(self, data: Interactions, ratings: Ratings) -> list[Split]:
        """Split the data, once or into folds.

        Parameters
        ----------
        data : Interactions
            The interactions; not used where a column of the table tells the parts apart.
        ratings : Ratings
            The open table.

        Returns
        -------
        list of Split
            One, or one for each fold.
        """
        from ..data import Interactions, split

        size, seed = self.test_size, self.seed
        if self.name == "random":
            return [split.random(data, test_size=size, random_state=seed)]
        if self.name == "per-user":
            return [split.per_user(data, test_size=size, random_state=seed)]
        if self.name == "leave-last":
            return [split.leave_last(data, n=self.last)]
        if self.name == "temporal":
            return [split.temporal(data, test_size=size)]
        if self.name == "strong":
            return [split.strong_generalization(data, test_users=size, random_state=seed)]
        if self.name == "k-fold":
            return list(split.k_fold(data, n_splits=self.folds, random_state=seed))
        column = self.name.partition(":")[2]
        rules = ratings.arguments()
        parts = Interactions.by_context(ratings.table, context=column, **rules)
        return [
            split.by_column(ratings.table, column=column, test=label, **rules)
            for label in _test_labels(parts, column)
        ]


def _test_labels(parts: dict[Any, Interactions], column: str) -> list[Any]:
    """Return "test" where the column has this label, else every label: official folds."""
    if "test" in parts:
        return ["test"]
    if not 2 <= len(parts) <= _MAX_LABELS:
        raise ValueError(
            f"--split column:{column}: it has {len(parts)} labels; expected 'test' among them, or "
            f"2 to {_MAX_LABELS} folds each of which is the test part in turn"
        )
    return list(parts)
