"""The splits of ``aimass evaluate`` by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .files import check_names

if TYPE_CHECKING:
    from ..data import Interactions
    from ..data.split import Split
    from .ratings import Ratings

__all__ = ["SPLITS", "SplitRule"]

SPLITS = (
    "random",
    "per-user",
    "leave-last",
    "temporal",
    "expanding",
    "rolling",
    "strong",
    "k-fold",
    "k-fold-per-user",
    "k-fold-items",
    "column:NAME",
)
_BY_TIME = ("leave-last", "temporal", "expanding", "rolling")
_MAX_LABELS = 20


@dataclass(frozen=True)
class SplitRule:
    """The options of the split.

    Parameters
    ----------
    name : str
        One of `SPLITS`.
    test_size : float
        Share of the test part.
    at : str or None
        First moment of the test part, for "temporal".
    last : int
        Rows of each user in the test part, for "leave-last".
    folds : int
        Number of folds.
    repeats : str or None
        What happens to test entries that train holds, too; None is the default of `evaluate`.
    seed : int
        Seed of the draws.
    """

    name: str
    test_size: float
    at: str | None
    last: int
    folds: int
    repeats: str | None
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
        if self.at is not None and self.name != "temporal":
            raise ValueError(f"--at is the moment of --split temporal, not of {self.name}")
        if self.name in _BY_TIME and ratings.columns.time is None:
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
        from ..data import split

        if self.name.startswith("column:"):
            return _official(ratings, self.name.partition(":")[2])
        by_time: dict[str, Any] = {} if self.repeats is None else {"repeats": self.repeats}
        folds: dict[str, Any] = {"n_splits": self.folds}
        seed = {"random_state": self.seed}
        size = self.test_size
        makers: dict[str, Callable[[], Any]] = {
            "random": lambda: split.random(data, test_size=size, **seed),
            "per-user": lambda: split.per_user(data, test_size=size, **seed),
            "leave-last": lambda: split.leave_last(data, n=self.last, **by_time),
            "temporal": lambda: split.temporal(data, **self._moment(), **by_time),
            "expanding": lambda: split.expanding(data, **folds, **by_time),
            "rolling": lambda: split.rolling(data, **folds, **by_time),
            "strong": lambda: split.strong_generalization(data, test_users=size, **seed),
            "k-fold": lambda: split.k_fold(data, **folds, **seed),
            "k-fold-per-user": lambda: split.k_fold_per_user(data, **folds, **seed),
            "k-fold-items": lambda: split.k_fold_items(data, **folds, **seed),
        }
        made = makers[self.name]()
        return [made] if hasattr(made, "train") else list(made)

    def _moment(self) -> dict[str, Any]:
        """Return the arguments of `split.temporal` that say where the test part begins."""
        if self.at is None:
            return {"test_size": self.test_size}
        try:
            return {"at": float(self.at)}
        except ValueError:
            return {"at": self.at}


def _official(ratings: Ratings, column: str) -> list[Split]:
    """Return the split of the label "test" where there is one, else the folds of all labels."""
    from ..data import split
    from ..data.idmap import IdMap

    _, labels = IdMap._number(ratings.table.read({"column": column})["column"], "--split", 1)
    if "test" in labels:
        return [split.by_column(ratings.table, column=column, **ratings.arguments())]
    if not 2 <= len(labels) <= _MAX_LABELS:
        raise ValueError(
            f"--split column:{column}: it has {len(labels)} labels; expected 'test' among them, or "
            f"2 to {_MAX_LABELS} folds each of which is the test part in turn"
        )
    found = split.folds_by_column(ratings.table, column=column, **ratings.arguments())
    return list(found.values())
