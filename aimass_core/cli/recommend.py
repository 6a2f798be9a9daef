"""``aimass recommend``: from a ratings file to the best items for every user, block by block."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..base.validation import as_int
from .console import facts, print_json, set_threads, steps
from .files import check_output
from .ids import ids_from_option
from .models import parse_models
from .options import (
    DuplicatesOption,
    ItemOption,
    JsonOption,
    ModelOption,
    NullsOption,
    RatingsArgument,
    SeedOption,
    SetOption,
    ThreadsOption,
    TimeOption,
    UserOption,
    ValueOption,
)
from .ratings import choose_columns, data_facts, facts_shown, lists_schema, read_ratings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..base.lists import TopK

__all__ = ["recommend"]


def recommend(
    ratings: RatingsArgument,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Where to write: .parquet, .csv or .feather."),
    ],
    user: UserOption = None,
    item: ItemOption = None,
    value: ValueOption = None,
    time: TimeOption = None,
    model: ModelOption = "item-knn",
    k: Annotated[int, typer.Option("--k", metavar="N", help="Items for each user.")] = 10,
    settings: SetOption = None,
    duplicates: DuplicatesOption = None,
    nulls: NullsOption = "error",
    users: Annotated[
        str | None,
        typer.Option(
            "--users",
            metavar="FILE|IDS",
            help="Only these users: a file of ids, or ids with commas between.",
        ),
    ] = None,
    exclude_seen: Annotated[
        bool,
        typer.Option(
            "--exclude-seen/--no-exclude-seen", help="Leave out what the user already has."
        ),
    ] = True,
    allow: Annotated[
        str | None,
        typer.Option("--allow", metavar="FILE|IDS", help="Recommend nothing but these items."),
    ] = None,
    deny: Annotated[
        str | None,
        typer.Option("--deny", metavar="FILE|IDS", help="Never recommend these items."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="MODEL", help="Also write the fitted model to this file."),
    ] = None,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Write the best K items for every user, in the file's own ids.

    The output has one row for each user and rank: the user column, the item column, rank, score.
    """
    from ..retrieval import recommend_blocks, write_topk

    as_int(k, "--k", minimum=1)
    check_output(out, "--out", [ratings])
    if save is not None:
        check_output(save, "--save", [ratings, out])
    set_threads(threads)
    (spec,) = parse_models([model], settings, {"random_state": seed})
    columns = choose_columns(ratings, user, item, value, time)
    with steps(quiet=json) as progress:
        progress.begin(f"reading {ratings.name}")
        started = perf_counter()
        data = read_ratings(ratings, columns, duplicates=duplicates, nulls=nulls)
        chosen, _ = ids_from_option(users, "--users", columns.user, data.users, must_exist=True)
        allowed, no_allow = ids_from_option(allow, "--allow", columns.item, data.items)
        denied, no_deny = ids_from_option(deny, "--deny", columns.item, data.items)
        read_s = perf_counter() - started

        progress.begin(f"fitting {spec.name}")
        started = perf_counter()
        fitted = spec.build().fit(data)
        fit_s = perf_counter() - started

        started = perf_counter()
        wanted = data.users.ids if chosen is None else chosen
        progress.begin("recommending")

        def blocks() -> Iterator[TopK]:
            done = 0
            for lists in recommend_blocks(
                fitted,
                wanted,
                k=k,
                exclude_seen=exclude_seen,
                candidates=allowed,
                exclude=denied,
            ):
                yield lists
                done += len(lists)
                progress.at(done, len(wanted))
            if save is not None:  # so that an output file means that all went well
                fitted.save(save)

        rows_written = write_topk(
            blocks(), out, schema=lists_schema(ratings, columns, data, ("user", "item"))
        )
        recommend_s = perf_counter() - started

    summary = {
        "model": spec.label,
        **data_facts(data, columns),
        "unknown_allowed": no_allow,
        "unknown_denied": no_deny,
        "users_asked": len(wanted),
        "rows_written": rows_written,
        "read_seconds": read_s,
        "fit_seconds": fit_s,
        "recommend_seconds": recommend_s,
        "users_per_second": len(wanted) / max(recommend_s, 1e-9),
        "out": out,
    }
    if json:
        print_json(summary)
    else:
        _show(summary)


def _show(summary: dict[str, Any]) -> None:
    rows = facts_shown(summary)
    for name in ("allowed", "denied"):
        if summary[f"unknown_{name}"]:
            rows[f"{name} items not in the file"] = summary[f"unknown_{name}"]
    rows |= {
        "read": f"{summary['read_seconds']:.2f} s",
        "fit": f"{summary['fit_seconds']:.2f} s",
        "recommend and write": f"{summary['recommend_seconds']:.2f} s",
        "users/s": int(summary["users_per_second"]),
        "written": f"{summary['rows_written']:,} rows to {summary['out']}",
    }
    facts(f"{summary['model']} for {summary['users_asked']:,} users", rows)
