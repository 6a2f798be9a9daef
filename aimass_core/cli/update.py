"""``aimass update``: the daily job, which adds new interactions to a saved model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Reporter
from .features import FeatureOptions
from .files import check_output
from .groups import with_option_groups
from .options import (
    ColumnOptions,
    ExcludeSeenOption,
    GeneralOptions,
    KOption,
    OptionalOutputOptions,
    TableOptions,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Interactions
    from .console import Steps
    from .output import Output
    from .ratings import Ratings

__all__ = ["update"]

_RULES = ("error", "sum", "last", "mean", "max", "min")
_N_COMPARED = 2_000  # users whose lists are compared


@with_option_groups
def update(
    *,
    model_file: Annotated[
        Path,
        typer.Option(
            "--model-file",
            metavar="FILE",
            help="Fitted model, written by --save, with its interactions.",
        ),
    ],
    new: Annotated[
        str,
        typer.Option(
            "--new",
            metavar="TABLE",
            help="New interactions; '-' is standard input. Users and items may be new.",
        ),
    ],
    save: Annotated[
        Path,
        typer.Option(
            "--save",
            metavar="FILE",
            help="Where to write the updated model; may be the file of --model-file.",
        ),
    ],
    repeats: Annotated[
        str | None,
        typer.Option(
            "--repeats",
            metavar="RULE",
            help="How a new row of a user and item that the model has already is combined with "
            "the old value: sum, last, mean, max, min or error. Default: sum without --value, so "
            "that a value counts purchases, and error with it.",
            show_default=False,
        ),
    ] = None,
    output: OptionalOutputOptions,
    k: KOption = 10,
    exclude_seen: ExcludeSeenOption = True,
    changed_only: Annotated[
        bool,
        typer.Option("--changed-only", help="Write only the lists of users with new interactions."),
    ] = False,
    compare_refit: Annotated[
        bool,
        typer.Option(
            "--compare-refit",
            help="Also fit a new model on all interactions, and report how much its lists differ.",
        ),
    ] = False,
    features: FeatureOptions,
    columns: ColumnOptions,
    tables: TableOptions,
    general: GeneralOptions,
) -> None:
    """Add new interactions to a saved model, save it, and report what has changed.

    Neighbourhood models are fitted again on all interactions. Factor models compute the factors of
    users and items in the new rows and keep the others; --compare-refit measures the difference.
    """
    from ..base.validation import as_choice, as_int
    from .output import Output

    as_int(k, "--k", minimum=1)
    if repeats is not None:
        as_choice(repeats, "--repeats", _RULES)
    reporter = Reporter(general, output.out)
    job = _Job(model_file, new, columns, tables)
    features.check([job.model])
    check_output(save, "--save", [*job.ratings.paths, *features.paths])
    target = None
    if output.out is not None:
        target = Output(output, [*job.ratings.paths, save, model_file], "recommend")
    if repeats is None:
        repeats = "sum" if columns.value is None else "error"
    with reporter.steps() as steps:
        before = job.lists(k, exclude_seen)
        job.update(repeats, features, tables.encoding, steps)
        after = job.lists(k, exclude_seen)
        facts = job.facts() | {"repeats": repeats, "k": k, "users_compared": len(before)}
        facts["lists_changed"] = _share_changed(before, after)
        facts["items_kept"] = _mean_overlap(before, after)
        if compare_refit:
            facts |= _refit(job, k, exclude_seen, after, steps)
        rows_written = 0
        if target is not None:
            rows_written = job.write(target, k, exclude_seen, changed_only, steps)
        job.model.save(save)
    summary = {**facts, "rows_written": rows_written, "out": output.out, "save": save}
    if reporter.is_json:
        reporter.json(summary)
    else:
        _show(reporter, summary)


class _Job:
    """The model, the new interactions, and what the update did.

    Parameters
    ----------
    model_file : Path
        The saved model.
    new : str
        The table of new interactions.
    columns : ColumnOptions
        Its columns; by default those that the model was fitted with.
    tables : TableOptions
        Its format.
    """

    def __init__(
        self, model_file: Path, new: str, columns: ColumnOptions, tables: TableOptions
    ) -> None:
        from .fitted import load_model

        self.model: Any = load_model(model_file)
        if self.model.user_items_ is None:
            raise ValueError(
                f"--model-file: '{model_file}' was saved without its interactions "
                "(training=False), so none can be added"
            )
        if self.model.users_ is None or self.model.items_ is None:
            raise ValueError(
                f"--model-file: '{model_file}' was fitted on a matrix without ids; use "
                "partial_fit in Python"
            )
        self.ratings: Ratings = _open_new(new, columns, tables, self.model)
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._changed: NDArray[Any] | None = None
        n = self.model.n_users_
        step = max(1, -(-n // _N_COMPARED))
        self._compared = self.model.users_.ids[::step]

    def update(
        self, repeats: str, features: FeatureOptions, encoding: str | None, steps: Steps
    ) -> None:
        """Read the new interactions and add them to the model."""
        steps.begin(f"reading {self.ratings.name}")
        started = perf_counter()
        data = self.ratings.read()
        data.users = _as_ids_of(data.users, self.model.users_)
        data.items = _as_ids_of(data.items, self.model.items_)
        self._seconds["read_seconds"] = perf_counter() - started
        self._data = data
        model = self.model
        given = features.read(model.items_, model.users_, encoding, model)
        before = (model.n_users_, model.n_items, model.user_items_.nnz)
        steps.begin("updating")
        started = perf_counter()
        try:
            model.partial_fit(data, duplicates=repeats, **given)
        except ValueError as error:
            if repeats != "error" or "duplicates" not in str(error):
                raise
            raise ValueError(
                f"{str(error).partition(':')[0]}: pass --repeats with the rule for users and items "
                "that the model has already: sum, last, mean, max or min"
            ) from None
        self._seconds["update_seconds"] = perf_counter() - started
        n_pairs = model.user_items_.nnz - before[2]
        self._counts = {
            "users_before": before[0],
            "users": model.n_users_,
            "new_users": model.n_users_ - before[0],
            "users_with_new_rows": data.n_users,
            "items_before": before[1],
            "items": model.n_items,
            "new_items": model.n_items - before[1],
            "new_pairs": n_pairs,
            "repeated_pairs": data.nnz - n_pairs,
        }

    def facts(self) -> dict[str, Any]:
        """Return what was read and what has changed."""
        from .fitted import name_of_model
        from .ratings import data_facts

        read = data_facts(self._data, self.ratings.columns)
        kept = ("columns", "guessed_columns", "rows_read", "rows_dropped", "rows_merged", "notes")
        return {
            "model": name_of_model(self.model),
            **{name: read[name] for name in kept if name in read},
            "duplicates": read["duplicates"],
            **self._counts,
            **self._seconds,
        }

    def lists(self, k: int, exclude_seen: bool) -> dict[Any, list[Any]]:
        """Return the lists of some users of the old model."""
        return lists_of(self.model, self._compared, k, exclude_seen)

    def joined(self) -> Interactions:
        """Return the interactions of the updated model."""
        from ..data import Interactions

        model = self.model
        return Interactions(
            model.user_items_,
            model.users_,
            model.items_,
            timestamps=getattr(model, "timestamps_", None),
            time_unit=getattr(model, "time_unit_", None),
            events=getattr(model, "events_", None),
        )

    def write(
        self, target: Output, k: int, exclude_seen: bool, changed_only: bool, steps: Steps
    ) -> int:
        """Write the lists of the updated model; return the number of rows."""
        from ..retrieval import recommend_blocks
        from .output import lists_table
        from .ratings import lists_schema

        model = self.model
        users = self._data.users.ids if changed_only else None
        schema = lists_schema(self.ratings, model.users_, model.items_, ("user", "item"))
        n = model.n_users_ if users is None else len(users)
        steps.begin("recommending")
        done = 0
        with target.writer(schema) as writer:
            for block in recommend_blocks(model, users, k=k, exclude_seen=exclude_seen):
                writer.write(lists_table(block, schema))
                done += len(block)
                steps.at(done, n)
        rows: int = writer.rows
        return rows


def _open_new(new: str, columns: ColumnOptions, tables: TableOptions, model: Any) -> Ratings:
    """Open the new interactions; the columns have the names that they had in the fit."""
    from .files import check_names, open_input
    from .ratings import open_ratings

    table = open_input(new, "--new", tables.as_arguments())
    names = check_names(table, new, {})
    user, item = model.users_.name, model.items_.name
    columns = dataclasses.replace(
        columns,
        user=columns.user or (user if user in names else None),
        item=columns.item or (item if item in names else None),
    )
    return open_ratings(new, columns, tables, "--new", table)


def _as_ids_of(ids: Any, known: Any) -> Any:
    """Return ids as text where the model's ids are text and these happen to be numbers."""
    if known.kind != "str" or ids.kind != "int":
        return ids
    from ..data._text import text_of_numbers

    return type(ids)._of(text_of_numbers(ids._column()), ids.name)


def lists_of(model: Any, users: Any, k: int, exclude_seen: bool) -> dict[Any, list[Any]]:
    """Return the list of each of some users.

    Parameters
    ----------
    model : fitted recommender
        The model.
    users : ndarray
        Ids of users.
    k : int
        Length of the lists.
    exclude_seen : bool
        Whether items that a user has are left out.

    Returns
    -------
    dict of user id to list of item ids
    """
    lists = model.recommend(users, k=k, exclude_seen=exclude_seen)
    pairs = zip(lists.queries.tolist(), lists, strict=True)
    return {user: items for user, (items, _) in pairs}


def _share_changed(before: dict[Any, list[Any]], after: dict[Any, list[Any]]) -> float:
    changed = sum(before[user] != after.get(user) for user in before)
    return changed / max(len(before), 1)


def _mean_overlap(before: dict[Any, list[Any]], after: dict[Any, list[Any]]) -> float:
    """Return the mean share of the items of a list that are in the other list, too."""
    shares = [
        len(set(items) & set(after.get(user, []))) / len(items)
        for user, items in before.items()
        if items
    ]
    return sum(shares) / max(len(shares), 1)


def _refit(
    job: _Job, k: int, exclude_seen: bool, updated: dict[Any, list[Any]], steps: Steps
) -> dict[str, float]:
    """Fit a new model on all interactions, and compare its lists with those of the update."""
    from ..base.estimator import clone

    steps.begin("fitting a new model for comparison")
    started = perf_counter()
    fresh = clone(job.model).fit(job.joined())
    seconds = perf_counter() - started
    lists = lists_of(fresh, list(updated), k, exclude_seen)
    return {
        "refit_seconds": seconds,
        "refit_items_equal": _mean_overlap(lists, updated),
        "refit_lists_equal": 1 - _share_changed(lists, updated),
    }


def _show(reporter: Reporter, facts: dict[str, Any]) -> None:
    dropped = sum(facts["rows_dropped"].values())
    rows: dict[str, Any] = {
        "rows read": facts["rows_read"],
        "rows dropped": dropped,
        "rows merged": f"{facts['rows_merged']:,} (rule: {facts['duplicates']})",
        "users": f"{facts['users']:,}, {facts['new_users']:,} of them new",
        "users with new rows": facts["users_with_new_rows"],
        "items": f"{facts['items']:,}, {facts['new_items']:,} of them new",
        "new pairs of user and item": facts["new_pairs"],
        "repeated pairs": f"{facts['repeated_pairs']:,} (rule: {facts['repeats']})",
        "lists changed": f"{facts['lists_changed']:.1%} of {facts['users_compared']:,} old users",
        "items kept in a list": f"{facts['items_kept']:.1%} of {facts['k']}",
        "read": f"{facts['read_seconds']:.2f} s",
        "update": f"{facts['update_seconds']:.2f} s",
    }
    if "refit_seconds" in facts:
        rows["refit"] = f"{facts['refit_seconds']:.2f} s"
        rows["items in common with a refit"] = f"{facts['refit_items_equal']:.1%}"
        rows["lists identical to a refit"] = f"{facts['refit_lists_equal']:.1%}"
    if facts["out"] is not None:
        rows["written"] = f"{facts['rows_written']:,} rows to {facts['out']}"
    rows["model saved"] = str(facts["save"])
    reporter.facts(f"{facts['model']} updated", rows)
