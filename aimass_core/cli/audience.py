"""``aimass audience``: the best users for some items, under limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Reporter
from .features import FeatureOptions
from .fitted import ModelSource
from .groups import with_option_groups
from .options import (
    ColumnOptions,
    GeneralOptions,
    ModelOptions,
    OutputOptions,
    RatingsArgument,
    SaveModelOption,
    TableOptions,
)

if TYPE_CHECKING:
    from .fitted import FittedModel

_DECIMAL = re.compile(r"-?(0|[1-9]\d*)\.\d+")

__all__ = ["audience"]

_LIMITS_PANEL = "Limits"
_USERS_PANEL = "Users"
_MAX_SHOWN = 20
_DEFAULT_SIZE = 500  # users for each item


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """How many users are chosen, for which cost, and by which method."""

    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="N",
            help="At most N users for each item. Default: 500, or no limit with --budget.",
            rich_help_panel=_LIMITS_PANEL,
            show_default=False,
        ),
    ] = None
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="MONEY",
            help="At most so much for all contacts together; needs --cost.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = None
    cost: Annotated[
        str | None,
        typer.Option(
            "--cost",
            metavar="X|FILE",
            help="Cost of a contact: a number, or a table with the columns item and cost.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = None
    item_values: Annotated[
        str | None,
        typer.Option(
            "--item-values",
            metavar="FILE",
            help="Table with the columns item and value: what a score of 1 is worth, such as the "
            "margin. Default: 1.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = None
    max_per_user: Annotated[
        int | None,
        typer.Option(
            "--max-per-user",
            metavar="N",
            help="Frequency cap: at most so many of the items for each user.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = None
    groups: Annotated[
        str | None,
        typer.Option(
            "--groups",
            metavar="FILE",
            help="Table with the columns user and group, such as a region; needs --max-per-group.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = None
    max_per_group: Annotated[
        str | None,
        typer.Option(
            "--max-per-group",
            metavar="N|GROUP=N,...",
            help="At most so many contacts with users of each group.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = None
    min_size: Annotated[
        int,
        typer.Option(
            "--min-size",
            metavar="N",
            help="Minimum audience size: an item with fewer users gets none at all.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = 0
    in_top: Annotated[
        int | None,
        typer.Option(
            "--in-top",
            metavar="K",
            help="Only users whose K best items contain the item.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = None
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="X",
            help="Only users with at least this score.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = None
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="greedy, or exact for small campaigns.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = "greedy"

    def check(self) -> None:
        """Raise ValueError for options that contradict each other or are out of range."""
        from ..base.validation import as_choice, as_int

        if self.size is not None:
            as_int(self.size, "--size", minimum=1)
        if self.in_top is not None:
            as_int(self.in_top, "--in-top", minimum=1)
        if self.budget is not None and self.cost is None:
            raise ValueError("--budget needs --cost, the cost of a contact")
        if (self.groups is None) != (self.max_per_group is None):
            raise ValueError("--groups and --max-per-group go together")
        as_choice(self.method, "--method", ("greedy", "exact"))
        as_int(self.min_size, "--min-size", minimum=0)

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments of `retrieval.audience` that need no file."""
        size = _DEFAULT_SIZE if self.size is None and self.budget is None else self.size
        return {
            "size": size,
            "budget": self.budget,
            "in_top_k": self.in_top or False,
            "threshold": self.threshold,
            "max_per_user": self.max_per_user,
            "min_size": self.min_size,
            "method": self.method,
        }


@dataclass(frozen=True, kw_only=True)
class UserOptions:
    """Which users may be chosen, and what is written about them."""

    candidates: Annotated[
        str | None,
        typer.Option(
            "--candidates",
            metavar="FILE|IDS",
            help="Only these users.",
            rich_help_panel=_USERS_PANEL,
        ),
    ] = None
    exclude_users: Annotated[
        str | None,
        typer.Option(
            "--exclude-users",
            metavar="FILE|IDS",
            help="Opt-out list: these users are not chosen. Ids of strangers have no effect.",
            rich_help_panel=_USERS_PANEL,
        ),
    ] = None
    hash: Annotated[
        str | None,
        typer.Option(
            "--hash",
            metavar="NAME",
            help="--candidates and --exclude-users hold hashes of ids: sha256, sha512, sha1 or "
            "md5.",
            rich_help_panel=_USERS_PANEL,
        ),
    ] = None
    hash_output: Annotated[
        str | None,
        typer.Option(
            "--hash-output",
            metavar="NAME",
            help="Write hashes of the users' ids, as advertising platforms take them.",
            rich_help_panel=_USERS_PANEL,
        ),
    ] = None
    salt: Annotated[
        str,
        typer.Option(
            "--salt",
            metavar="TEXT",
            help="Text before each id in --hash and --hash-output.",
            rich_help_panel=_USERS_PANEL,
        ),
    ] = ""
    join: Annotated[
        str | None,
        typer.Option(
            "--join",
            metavar="FILE",
            help="Table with one row for each user; its columns are added to the output.",
            rich_help_panel=_USERS_PANEL,
        ),
    ] = None

    def check(self) -> None:
        """Raise ValueError for a hash of the output that does not exist."""
        from ..base.validation import as_choice

        if self.hash_output is not None:
            as_choice(self.hash_output, "--hash-output", ("sha256", "sha512", "sha1", "md5"))


@with_option_groups
def audience(
    ratings: RatingsArgument = None,
    *,
    items: Annotated[
        str,
        typer.Option(
            "--items",
            metavar="FILE|IDS",
            help="Items to find users for: a file, or ids with commas between.",
        ),
    ],
    output: OutputOptions,
    limits: LimitOptions,
    users: UserOptions,
    features: FeatureOptions,
    save: SaveModelOption = None,
    model: ModelOptions,
    columns: ColumnOptions,
    tables: TableOptions,
    general: GeneralOptions,
) -> None:
    """Write the target audience of each of some items; users who have an item are left out.

    The output has one row for each item and rank: the item column, the user column, rank, score.
    With --item-features, --items may name items of that table without interactions.
    """
    from ..retrieval import audience as choose
    from .output import Output

    limits.check()
    users.check()
    reporter = Reporter(general, output.out)
    source = ModelSource(ratings, columns, tables, model, default="implicit-als", features=features)
    target = Output(output, source.paths, "audience")
    source.check_save(save, [] if output.out == "-" else [target.path])
    with reporter.steps() as steps:
        fitted = source.get(steps)
        campaign = _Campaign(fitted, users)
        targets = campaign.items(items)
        arguments = limits.as_arguments() | campaign.limits(limits) | campaign.filters()
        attributes = campaign.attributes()
        steps.begin("choosing")
        started = perf_counter()
        new_items = fitted.features.get("item_features")
        chosen = choose(fitted.model, targets, item_features=new_items, **arguments)
        choose_s = perf_counter() - started
        table = campaign.table(chosen, attributes)
        with target.writer(table.schema) as writer:
            writer.write(table)
            if save is not None:
                fitted.model.save(save)
    summary = {
        **fitted.facts(),
        "unknown_excluded": campaign.n_unknown["--exclude-users"],
        "method": limits.method,
        "target_items": len(chosen),
        "items_dropped": len(chosen.dropped),
        "distinct_users": len(set(chosen.user_rows.tolist())),
        "rows_written": writer.rows,
        "value": chosen.value,
        "value_bound": chosen.bound,
        "cost": chosen.cost,
        "read_seconds": fitted.read_seconds,
        "fit_seconds": fitted.fit_seconds,
        "choose_seconds": choose_s,
        "out": target.path,
    }
    shown = [
        {"item": name, "users": len(users), "lowest_score": scores[-1] if scores else None}
        for name, (users, scores) in zip(chosen.items.tolist(), chosen, strict=True)
    ]
    if reporter.is_json:
        reporter.json({**summary, "audiences": shown})
    else:
        _show(reporter, summary, shown, fitted.names[1])


class _Campaign:
    """The options of a campaign that name users and items, as the model knows them.

    Parameters
    ----------
    fitted : FittedModel
        The model.
    options : UserOptions
        The users who may be chosen, and what is written about them.
    """

    def __init__(self, fitted: FittedModel, options: UserOptions) -> None:
        self._fitted = fitted
        self._user_name, self._item_name = fitted.names
        self._options = options
        self.n_unknown = {"--exclude-users": 0, "--candidates": 0}

    def items(self, text: str) -> Any:
        """Return the items to find users for; all of them must be known."""
        from .ids import ids_of_option

        return ids_of_option(text, "--items", self._item_name, self._fitted.items)[0]

    def filters(self) -> dict[str, Any]:
        """Return the users who may be chosen, and those who may not."""
        options = self._options
        return {
            "candidates": self._users(options.candidates, "--candidates"),
            "exclude": self._users(options.exclude_users, "--exclude-users"),
        }

    def _users(self, text: str | None, option: str) -> Any:
        """Return the known users of a list, or the hashes of a list."""
        from ..retrieval import HashedIds
        from .ids import ids_of_option, words_of_option

        if text is None:
            return None
        if self._options.hash is not None:
            hashes = words_of_option(text, option, self._user_name)
            return HashedIds(hashes, algorithm=self._options.hash, salt=self._options.salt)
        ids, self.n_unknown[option] = ids_of_option(
            text, option, self._user_name, self._fitted.users, unknown="skip"
        )
        return ids

    def limits(self, options: LimitOptions) -> dict[str, Any]:
        """Return the limits that are read from files."""
        cost, item_values, groups = options.cost, options.item_values, options.groups
        limits: dict[str, Any] = {}
        if cost is not None:
            number = _as_number(cost)
            limits["cost"] = self._numbers(cost, "--cost", "cost") if number is None else number
        if item_values is not None:
            limits["item_values"] = self._numbers(item_values, "--item-values", "value")
        if groups is not None and options.max_per_group is not None:
            limits["groups"] = self._groups(groups)
            labels = set(limits["groups"].values())
            limits["max_per_group"] = _quotas(options.max_per_group, labels)
        return limits

    def _numbers(self, source: str, option: str, name: str) -> dict[Any, float]:
        """Return a number for each known item of a table."""
        import numpy as np

        from ..data._values import column_values

        item, column = self._pair(source, option, self._item_name, name)
        read = self._opened.read({"item": item, "value": column})
        ids, keep = self._known(read["item"], option, self._fitted.items)
        values = np.asarray(column_values(read["value"], None, f"{option}: column {column!r}"))
        return dict(zip(ids, values[keep].tolist(), strict=True))

    def _groups(self, source: str) -> dict[Any, Any]:
        from ..data.idmap import IdMap

        user, column = self._pair(source, "--groups", self._user_name, "group")
        read = self._opened.read({"user": user, "label": column})
        ids, keep = self._known(read["user"], "--groups", self._fitted.users)
        codes, labels = IdMap._number(read["label"], f"column {column!r}", 1)
        words = [str(label) for label in labels.ids.tolist()]
        return {
            key: words[code]
            for key, code in zip(ids, codes[keep].tolist(), strict=True)
            if code >= 0
        }

    def _pair(self, source: str, option: str, id_name: str, name: str) -> tuple[Any, Any]:
        """Open a table, and return its columns of ids and of a further thing."""
        from .files import check_names, open_input

        self._opened = open_input(source, option, {})
        names = check_names(self._opened, source, {})
        id_column = id_name if id_name in names else names[0]
        others = [other for other in names if other != id_column]
        if name in others:
            return id_column, name
        if len(others) != 1:
            raise ValueError(
                f"{option}: '{source}' needs the columns {id_name} and {name}; it has "
                f"{', '.join(names)}"
            )
        return id_column, others[0]

    @staticmethod
    def _known(column: Any, option: str, known: Any) -> tuple[list[Any], Any]:
        """Return the known ids of a column, and the rows that have one."""
        import numpy as np

        from ..data.idmap import IdMap

        codes, ids = IdMap._number(column, option, 1)
        rows = np.full(len(ids) + 1, -1, dtype=np.int64)
        values = ids.ids.tolist()
        if ids.kind == "str" != known.kind:  # one id that is no number makes text of all
            values = [known.parse(text) for text in values]
            usable = [i for i, value in enumerate(values) if not isinstance(value, str)]
        else:
            values = values if known.kind != "str" else [str(value) for value in values]
            usable = list(range(len(values)))
        if usable:
            rows[usable] = known.get([values[i] for i in usable])
        rows = rows[codes]
        keep = np.flatnonzero(rows >= 0)
        return known.ids[rows[keep]].tolist(), keep

    def attributes(self) -> Any:
        """Return the table of ``--join`` as Arrow, with the ids of the model; None without."""
        import pyarrow as pa

        from ..data.idmap import IdMap
        from ..data.readers.text import TextReader
        from .files import check_names, open_input

        source = self._options.join
        if source is None:
            return None
        table = open_input(source, "--join", {})
        names = check_names(table, source, {"--join": self._user_name})
        read = table.read({"user": self._user_name})
        ids, keep = self._known(read["user"], "--join", self._fitted.users)
        arrays = {self._user_name: pa.array(ids)}
        is_text = all(isinstance(reader, TextReader) for reader in table.readers)
        for name in (other for other in names if other != self._user_name):
            column = table.read({"context": name})["context"]
            codes, values = IdMap._number(column, f"column {name!r}", 1)
            taken = [None if code < 0 else code for code in codes[keep].tolist()]
            distinct = pa.array(values.ids.tolist())
            if is_text:
                distinct = _decimals(distinct)
            arrays[name] = distinct.take(pa.array(taken, pa.int64()))
        return pa.table(arrays)

    def table(self, chosen: Any, attributes: Any) -> Any:
        """Return the audiences as the table that is written."""
        import pyarrow as pa

        from .output import lists_table
        from .ratings import lists_schema

        model = self._fitted.model
        schema = lists_schema(self._fitted.ratings, model.users_, model.items_, ("item", "user"))
        joined = None if attributes is None else chosen.join(attributes, on=self._user_name)
        if self._options.hash_output is not None:
            # The order of the rows is that of the lists, so the attributes still belong to them.
            chosen = chosen.with_hashed_users(self._options.hash_output, salt=self._options.salt)
            schema = schema.set(1, schema.field(1).with_type(pa.string()))
        table = lists_table(chosen, schema)
        if joined is not None:
            for name in joined.column_names[len(chosen.columns()) :]:
                table = table.append_column(name, joined[name])
        return table


def _decimals(values: Any) -> Any:
    """Return texts as numbers where each is a decimal number without leading zeros."""
    import pyarrow as pa

    if not pa.types.is_string(values.type) or not len(values):
        return values
    is_number = all(_DECIMAL.fullmatch(text) for text in values.to_pylist())
    return values.cast(pa.float64()) if is_number else values


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _quotas(text: str, labels: set[Any]) -> Any:
    """Return quotas: one for all groups, or one for each."""
    if "=" not in text:
        try:
            return int(text)
        except ValueError:
            raise ValueError(
                f"--max-per-group: expected a whole number or GROUP=N,..., got {text!r}"
            ) from None
    quotas = {}
    for part in text.split(","):
        label, _, number = part.partition("=")
        if not number.strip().isdecimal():
            raise ValueError(f"--max-per-group: expected GROUP=N, got {part!r}")
        if label.strip() not in labels:
            shown = ", ".join(sorted(map(str, labels))[:20])
            raise ValueError(f"--max-per-group: there is no group {label!r}; there are {shown}")
        quotas[label.strip()] = int(number)
    return quotas


def _show(
    reporter: Reporter, summary: dict[str, Any], shown: list[dict[str, Any]], item_name: str
) -> None:
    from ..base.text import counted
    from .ratings import facts_shown

    rows = facts_shown(summary)
    if summary["unknown_excluded"]:
        rows["opted-out users not in the data"] = summary["unknown_excluded"]
    if summary["items_dropped"]:
        rows["items without enough users"] = summary["items_dropped"]
    rows |= {
        "distinct users": summary["distinct_users"],
        "total value, and its bound": f"{summary['value']:.4g}, {summary['value_bound']:.4g}",
    }
    if summary["cost"]:
        rows["total cost"] = f"{summary['cost']:,.2f}"
    rows |= {
        "read": f"{summary['read_seconds']:.2f} s",
        "fit": f"{summary['fit_seconds']:.2f} s",
        "choose": f"{summary['choose_seconds']:.2f} s",
        "written": f"{summary['rows_written']:,} rows to {summary['out']}",
    }
    reporter.facts(
        f"{summary['model']}: audiences of {counted(summary['target_items'], 'item', ',')}", rows
    )
    title = "Audiences" if len(shown) <= _MAX_SHOWN else f"The first {_MAX_SHOWN} audiences"
    reporter.grid(
        title,
        [item_name, "users", "lowest score"],
        [[str(row["item"]), row["users"], row["lowest_score"]] for row in shown[:_MAX_SHOWN]],
    )
