"""``aimass recommend``: the best items for every user, from interactions or a saved model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Reporter, shown_events
from .features import FeatureOptions, features_of
from .fitted import ModelSource
from .groups import with_option_groups
from .options import (
    ColumnOptions,
    ExcludeSeenOption,
    ExecutorOptions,
    GeneralOptions,
    KOption,
    ModelOptions,
    OutputOptions,
    RatingsArgument,
    SaveModelOption,
    TableOptions,
    TitleOptions,
)
from .titles import DEFAULT_REASON

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from ..base.lists import TopK
    from ..data import FeatureTable, IdMap
    from .console import Steps
    from .fitted import FittedModel

__all__ = ["recommend"]

_LISTS_PANEL = "Lists"
_REASONS_PANEL = "Reasons"


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """The lists that are written: length, users and filters."""

    k: KOption = 10
    users: Annotated[
        str | None,
        typer.Option(
            "--users",
            metavar="FILE|IDS",
            help="Only these users, each once: a file of ids, or ids with commas between. Users "
            "with a row in --user-features count as known.",
            rich_help_panel=_LISTS_PANEL,
        ),
    ] = None
    unknown: Annotated[
        str,
        typer.Option(
            "--unknown",
            metavar="RULE",
            help="Users of --users that the model does not know: error, skip, or popular for the "
            "most popular items.",
            rich_help_panel=_LISTS_PANEL,
        ),
    ] = "error"
    exclude_seen: ExcludeSeenOption = True
    candidates: Annotated[
        str | None,
        typer.Option(
            "--candidates",
            "--allow",
            metavar="FILE|IDS",
            help="Recommend only these items.",
            rich_help_panel=_LISTS_PANEL,
        ),
    ] = None
    exclude: Annotated[
        str | None,
        typer.Option(
            "--exclude",
            "--deny",
            metavar="FILE|IDS",
            help="Do not recommend these items.",
            rich_help_panel=_LISTS_PANEL,
        ),
    ] = None

    def check(self) -> None:
        """Raise ValueError for a length or a rule that does not exist."""
        from ..base.validation import as_choice, as_int

        as_int(self.k, "--k", minimum=1)
        as_choice(self.unknown, "--unknown", ("error", "skip", "popular"))


@dataclass(frozen=True, kw_only=True)
class ReasonOptions:
    """The sentences that say why an item is recommended."""

    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Write a reason for each item as a column 'reason'.",
            rich_help_panel=_REASONS_PANEL,
        ),
    ] = False
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Sentence of --explain; {items} becomes the titles of the items behind it, or the "
            "names of the features, and {item} the title of the recommended one.",
            rich_help_panel=_REASONS_PANEL,
        ),
    ] = DEFAULT_REASON
    reasons: Annotated[
        int,
        typer.Option(
            "--reasons",
            metavar="N",
            help="Items or features that a sentence of --explain names at most.",
            rich_help_panel=_REASONS_PANEL,
        ),
    ] = 2


@with_option_groups
def recommend(
    ratings: RatingsArgument = None,
    *,
    output: OutputOptions,
    lists: ListOptions,
    titles: TitleOptions,
    sentences: ReasonOptions,
    features: FeatureOptions,
    save: SaveModelOption = None,
    model: ModelOptions,
    workers: ExecutorOptions,
    columns: ColumnOptions,
    tables: TableOptions,
    general: GeneralOptions,
) -> None:
    """Write the best K items for every user, in the ids and column names of the file.

    The output has one row for each user and rank: the user column, the item column, rank, score.
    With --model-file and RATINGS, the lists are for the users of RATINGS by their interactions
    there, whether or not the model knows them. With --item-features, items of that table without
    interactions are ranked, too. With --user-features, users of that table without interactions get
    lists by their features after the other users. An --out that ends in / is a folder of Parquet
    files.
    """
    from ..base.validation import as_int

    lists.check()
    as_int(sentences.reasons, "--reasons", minimum=1)
    reporter = Reporter(general, output.out)
    source = ModelSource(
        ratings,
        columns,
        tables,
        model,
        default="item-knn",
        ratings_with_file=True,
        features=features,
    )
    target = _output(output, source)
    source.check_save(save, [] if output.out == "-" else [target.path])
    executor = workers.arguments
    with reporter.steps() as steps:
        fitted = source.get(steps, executor)
        started = perf_counter()
        job = _Lists(fitted, lists)
        job.set_filters()
        job.set_texts(titles, sentences, tables.encoding)
        steps.begin("recommending")
        if isinstance(target, OutputFolder):
            if save is not None:
                fitted.model.save(save)
            n_rows = job.write_folder(target.path, executor, steps)
        else:
            with target.writer(job.schema) as writer:
                for block in job.blocks():
                    writer.write(job.table(block, steps))
                    steps.at(job.n_done, job.n_users)
                if save is not None:  # so that an output file means that everything is written
                    fitted.model.save(save)
            n_rows = writer.rows
        recommend_s = perf_counter() - started
    summary = {
        **fitted.facts(),
        **{f"unknown_{name}": n for name, n in job.n_unknown.items()},
        "repeated_users": job.n_repeated,
        "users_by_features": job.n_by_features,
        "lists_written": job.n_users,
        "rows_written": n_rows,
        "read_seconds": fitted.read_seconds,
        "fit_seconds": fitted.fit_seconds,
        "recommend_seconds": recommend_s,
        "users_per_second": job.n_users / max(recommend_s, 1e-9),
        "out": target.path,
        "save": save,
    }
    if reporter.is_json:
        reporter.json(summary)
    else:
        _show(reporter, summary)


def _output(options: OutputOptions, source: ModelSource) -> Any:
    from .output import Output

    if options.out.endswith("/"):
        if options.out_format not in (None, "parquet") or options.out_table is not None:
            raise ValueError("--out: a folder is written as Parquet files only")
        return OutputFolder(Path(options.out))
    return Output(options, source.paths, "recommend")


@dataclass(frozen=True)
class OutputFolder:
    """A folder of Parquet files as the output."""

    path: Path


class _Lists:
    """The lists that are written: their users, filters and texts.

    Parameters
    ----------
    fitted : FittedModel
        The model; a loaded one with interactions ranks for these.
    options : ListOptions
        Length, users and filters.
    """

    def __init__(self, fitted: FittedModel, options: ListOptions) -> None:
        from .ratings import lists_schema

        self._fitted = fitted
        self._is_new = fitted.is_loaded and fitted.data is not None
        self._given = options
        self._options: dict[str, Any] = {
            "k": options.k,
            "exclude_seen": options.exclude_seen,
            **fitted.features,
        }
        self._texts: dict[str, Any] | None = None
        self._titles: dict[str, str] = {}
        self._chosen: Any = None  # None: all users of the fit or of RATINGS
        self.n_unknown = {"users": 0, "candidates": 0, "exclude": 0}
        self.n_repeated = 0
        self.n_by_features = 0
        self.n_done = 0
        known = fitted.data if self._is_new else None
        model = fitted.model
        self._known: IdMap = fitted.users if known is None else known.users
        self._users = self._known
        self._featured: FeatureTable | None = fitted.table_of_new_users(self._known)
        if self._featured is not None:  # its users are named and listed after the others
            self._users = _joined_ids(self._known, self._featured)
            self._chosen = self._users.ids
        self.n_users = len(self._users)
        ids = model.users_ if known is None else known.users
        self.schema: pa.Schema = lists_schema(fitted.ratings, ids, model.items_, ("user", "item"))

    def set_filters(self) -> None:
        """Read the options that name users and items."""
        import numpy as np

        from .ids import ids_of_option, parsed_ids, words_of_option

        user_name, item_name = self.schema.names[:2]
        users, unknown = self._given.users, self._given.unknown
        if users is not None and unknown == "popular" and not self._is_new:
            words = words_of_option(users, "--users", user_name)
            self._chosen = parsed_ids(words, "--users", self._users)
            self.n_unknown["users"] = int((self._users.get(self._chosen) < 0).sum())
        elif users is not None:
            rule = "error" if unknown == "error" else "skip"
            has_features = "user_features" in self._fitted.features
            of = "in the ratings or in --user-features" if has_features else "in the ratings"
            self._chosen, self.n_unknown["users"] = ids_of_option(
                users, "--users", user_name, self._users, unknown=rule, of=of
            )
        if users is not None:
            n_given = len(self._chosen)
            self._chosen = self._chosen[np.sort(np.unique(self._chosen, return_index=True)[1])]
            self.n_users = len(self._chosen)
            self.n_repeated = n_given - self.n_users
        for name, text in (
            ("candidates", self._given.candidates),
            ("exclude", self._given.exclude),
        ):
            ids, self.n_unknown[name] = ids_of_option(
                text, f"--{name}", item_name, self._fitted.items, unknown="some"
            )
            self._options[name] = ids

    def set_texts(
        self, titles: TitleOptions, sentences: ReasonOptions, encoding: str | None
    ) -> None:
        """Read titles, and prepare the columns of texts."""
        import pyarrow as pa

        if titles.items is not None:
            self._titles = titles.read(self.schema.names[1], encoding)
            self.schema = self.schema.append(pa.field("title", pa.string()))
        if sentences.explain:
            if self._is_new:
                raise ValueError(
                    "--explain: reasons are given for users of the fit; leave out RATINGS"
                )
            self._texts = {
                "n": sentences.reasons,
                "template": sentences.reason,
                "titles": self._titles,
            }
            self.schema = self.schema.append(pa.field("reason", pa.string()))

    def blocks(self) -> Iterator[TopK]:
        """Yield the lists of some users after the others."""
        from ..retrieval import recommend_blocks

        if not self._is_new:
            blocks = recommend_blocks(
                self._fitted.model, self._chosen, unknown=self._given.unknown, **self._options
            )
        else:
            blocks = self._blocks_of_new_users()
        for lists in blocks:
            self.n_done += len(lists)
            self.n_by_features += self._count_by_features(lists)
            yield lists

    def _count_by_features(self, lists: TopK) -> int:
        """Return how many of some lists are those of users known by their features alone."""
        import numpy as np

        if self._featured is None or not len(lists):
            return 0
        ids: Any = self._featured.ids
        by_features = np.asarray(ids.get(lists.queries)) >= 0
        if lists.reasons is not None:
            by_features &= ~np.isin(lists.reasons.astype(str), ("none", "popular"))
        return int(by_features.sum())

    def _blocks_of_new_users(self) -> Iterator[TopK]:
        import numpy as np

        data: Any = self._fitted.data
        rule = "popular" if self._given.unknown == "popular" else "skip"
        recommend_new = self._fitted.model.recommend_new
        lists = recommend_new(data, unknown=rule, **self._options)
        if self._chosen is None:
            yield lists
            return
        rows = np.asarray(data.users.get(self._chosen))
        yield lists[rows[rows >= 0]]
        if self._featured is not None and (rows < 0).any():
            table = features_of(self._featured, self._chosen[rows < 0])
            yield recommend_new(None, unknown=rule, **{**self._options, "user_features": table})

    def write_folder(self, path: Path, executor: dict[str, Any], steps: Steps) -> int:
        """Write the lists to a folder, by workers if there are some; return the rows written."""
        from ..retrieval import write_recommendations

        if self._is_new:
            raise ValueError(
                "--out: lists of a saved model for the users of RATINGS go to a file, not a folder"
            )
        if self._fitted.features:
            raise ValueError("--item-features and --user-features go with a file as --out")
        if len(self.schema) > 4:
            raise ValueError("--items and --explain go with a file as --out, not with a folder")
        return write_recommendations(
            self._fitted.model,
            path,
            users=self._chosen,
            unknown=self._given.unknown,
            schema=self.schema,
            callback=shown_events(steps),
            **self._options,
            **executor,
        )

    def table(self, lists: TopK, steps: Steps) -> pa.Table:
        """Return lists as a table, with titles and reasons."""
        import numpy as np
        import pyarrow as pa

        from .output import append_texts, lists_table
        from .titles import reasons

        table = lists_table(lists, pa.schema(list(self.schema)[:4]))
        columns = lists.columns()
        users, items = (list(values.tolist()) for values in list(columns.values())[:2])
        texts: dict[str, list[str | None]] = {}
        if "title" in self.schema.names[4:]:
            texts["title"] = [self._titles.get(str(item)) for item in items]
        if self._texts is not None:
            of_pair = np.repeat(np.arange(len(lists)), lists.lengths)
            sources = None if lists.reasons is None else lists.reasons[of_pair].tolist()
            model = self._fitted.model
            texts["reason"] = reasons(model, users, items, sources, steps=steps, **self._texts)
        return append_texts(table, texts)


def _joined_ids(known: IdMap, table: FeatureTable) -> IdMap:
    assert table.ids is not None
    try:
        return known._merge(table.ids)[1]
    except TypeError as error:
        raise ValueError(f"--user-features: {error}") from None


def _show(reporter: Reporter, summary: dict[str, Any]) -> None:
    from ..base.text import counted
    from .ratings import facts_shown

    rows = facts_shown(summary)
    for name, title in (
        ("unknown_candidates", "items of --candidates not in the data"),
        ("unknown_exclude", "items of --exclude not in the data"),
        ("unknown_users", "unknown users of --users"),
        ("repeated_users", "repeated users of --users, listed once"),
        ("users_by_features", "users by their features"),
    ):
        if summary[name]:
            rows[title] = summary[name]
    rows |= {
        "read": f"{summary['read_seconds']:.2f} s",
        "fit": f"{summary['fit_seconds']:.2f} s",
        "recommend and write": f"{summary['recommend_seconds']:.2f} s",
        "users/s": int(summary["users_per_second"]),
        "written": f"{summary['rows_written']:,} rows to {summary['out']}",
    }
    if summary["save"] is not None:
        rows["model saved"] = str(summary["save"])
    reporter.facts(f"{summary['model']} for {counted(summary['lists_written'], 'user', ',')}", rows)
