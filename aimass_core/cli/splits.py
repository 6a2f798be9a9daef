"""The splits of ``aimass evaluate`` by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .files import check_names

if TYPE_CHECKING:
    from ..data import Interactions
    from ..data.split import Split
    from .ratings import Ratings

__all__ = ["SPLITS", "SplitOptions"]

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
    "cold-items",
    "cold-users",
    "column:NAME",
)
_BY_TIME = ("leave-last", "temporal", "expanding", "rolling")
_MAX_LABELS = 20
_PANEL = "Split"


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How interactions are split into train and test parts."""

    split: Annotated[
        str,
        typer.Option(
            "--split",
            metavar="RULE",
            help=f"One of {', '.join(SPLITS)}.",
            rich_help_panel=_PANEL,
        ),
    ] = "random"
    test_size: Annotated[
        float,
        typer.Option(
            "--test-size",
            metavar="SHARE",
            help="Share of the rows (random, temporal), of each user's rows (per-user), of "
            "the users (strong, cold-users) or of the items (cold-items) in the test part.",
            rich_help_panel=_PANEL,
        ),
    ] = 0.2
    last: Annotated[
        int,
        typer.Option(
            "--last",
            metavar="N",
            help="leave-last: rows of each user in the test part.",
            rich_help_panel=_PANEL,
        ),
    ] = 1
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="temporal: first moment of the test part, in place of --test-size.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    folds: Annotated[
        int,
        typer.Option(
            "--folds",
            metavar="N",
            help="Number of folds (expanding, rolling, k-fold, ...).",
            rich_help_panel=_PANEL,
        ),
    ] = 5

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

        kind, _, column = self.split.partition(":")
        if kind == "column":
            check_names(ratings.table, ratings.source, {"--split": column})
            return
        as_choice(self.split, "--split", SPLITS)
        if self.at is not None and self.split != "temporal":
            raise ValueError(f"--at is the moment of --split temporal, not of {self.split}")
        if self.split in _BY_TIME and ratings.columns.time is None:
            raise ValueError(
                f"--split {self.split} goes by time: name the column of times with --time"
            )

    def make(
        self, data: Interactions, ratings: Ratings, *, repeats: str | None, seed: int
    ) -> list[Split]:
        """Split the data, once or into folds.

        Parameters
        ----------
        data : Interactions
            The interactions; not used where a column of the table tells the parts apart.
        ratings : Ratings
            The open table.
        repeats : str or None
            What happens to test entries that train holds, too; None is the default of `evaluate`.
        seed : int
            Seed of the draws.

        Returns
        -------
        list of Split
            One, or one for each fold.
        """
        from ..data import split

        if self.split.startswith("column:"):
            return _official(ratings, self.split.partition(":")[2])
        by_time: dict[str, Any] = {} if repeats is None else {"repeats": repeats}
        folds: dict[str, Any] = {"n_splits": self.folds}
        draws = {"random_state": seed}
        size = self.test_size
        makers: dict[str, Callable[[], Any]] = {
            "random": lambda: split.random(data, test_size=size, **draws),
            "per-user": lambda: split.per_user(data, test_size=size, **draws),
            "leave-last": lambda: split.leave_last(data, n=self.last, **by_time),
            "temporal": lambda: split.temporal(data, **self._moment(), **by_time),
            "expanding": lambda: split.expanding(data, **folds, **by_time),
            "rolling": lambda: split.rolling(data, **folds, **by_time),
            "strong": lambda: split.strong_generalization(data, test_users=size, **draws),
            "k-fold": lambda: split.k_fold(data, **folds, **draws),
            "k-fold-per-user": lambda: split.k_fold_per_user(data, **folds, **draws),
            "cold-items": lambda: split.cold_items(data, test_size=size, **draws),
            "cold-users": lambda: split.cold_users(data, test_size=size, **draws),
            "k-fold-items": lambda: split.k_fold_items(data, **folds, **draws),
        }
        result = makers[self.split]()
        return [result] if hasattr(result, "train") else list(result)

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
    folds = split.folds_by_column(ratings.table, column=column, **ratings.arguments())
    return list(folds.values())
