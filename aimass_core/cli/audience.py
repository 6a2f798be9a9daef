"""``aimass audience``: from a ratings file to the best users for some items, under limits."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pyarrow as pa
import typer

from ..base.validation import as_choice, as_int
from ..data._table_writer import TableWriter
from .console import facts, grid, print_json, set_threads, steps
from .files import check_output
from .ids import ids_from_option
from .models import parse_models
from .options import (
    DuplicatesOption,
    ItemOption,
    JsonOption,
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
    from .ratings import Columns

__all__ = ["audience"]


def audience(
    ratings: RatingsArgument,
    items: Annotated[
        str,
        typer.Option(
            "--items",
            metavar="FILE|IDS",
            help="Items to find users for: a file or ids with commas.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Where to write: .parquet, .csv or .feather."),
    ],
    size: Annotated[
        int, typer.Option("--size", metavar="N", help="Budget: at most N users for each item.")
    ] = 500,
    user: UserOption = None,
    item: ItemOption = None,
    value: ValueOption = None,
    time: TimeOption = None,
    model: Annotated[
        str,
        typer.Option("--model", metavar="MODEL", help="A model of factors: als, nmf, pure-svd."),
    ] = "implicit-als",
    in_top: Annotated[
        int | None,
        typer.Option(
            "--in-top", metavar="K", help="Only users in whose K best items the item stands."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", help="Only users with at least this score."),
    ] = None,
    max_per_user: Annotated[
        int | None,
        typer.Option("--max-per-user", metavar="N", help="Frequency cap: items for each user."),
    ] = None,
    exclude_users: Annotated[
        str | None,
        typer.Option("--exclude-users", metavar="FILE|IDS", help="Users not to be addressed."),
    ] = None,
    min_size: Annotated[
        int,
        typer.Option(
            "--min-size", metavar="N", help="Privacy: an item with fewer users gets none at all."
        ),
    ] = 0,
    method: Annotated[
        str, typer.Option("--method", metavar="WORD", help="greedy, or exact for small questions.")
    ] = "greedy",
    settings: SetOption = None,
    duplicates: DuplicatesOption = None,
    nulls: NullsOption = "error",
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Write whom to address for each of some items; who has an item already is left out.

    The output has one row for each item and rank: the item column, the user column, rank, score.
    """
    from ..retrieval import audience as choose

    as_int(size, "--size", minimum=1)
    as_choice(method, "--method", ("greedy", "exact"))
    if in_top is not None:
        as_int(in_top, "--in-top", minimum=1)
    check_output(out, "--out", [ratings])
    set_threads(threads)
    (spec,) = parse_models([model], settings, {"random_state": seed})
    columns = choose_columns(ratings, user, item, value, time)
    with steps(quiet=json) as progress:
        progress.begin(f"reading {ratings.name}")
        started = perf_counter()
        data = read_ratings(ratings, columns, duplicates=duplicates, nulls=nulls)
        asked, _ = ids_from_option(items, "--items", columns.item, data.items, must_exist=True)
        barred, no_bar = ids_from_option(exclude_users, "--exclude-users", columns.user, data.users)
        read_s = perf_counter() - started

        progress.begin(f"fitting {spec.name}")
        started = perf_counter()
        fitted = spec.build().fit(data)
        fit_s = perf_counter() - started

        progress.begin("choosing")
        started = perf_counter()
        chosen = choose(
            fitted,
            asked,
            size=size,
            in_top_k=in_top or False,
            threshold=threshold,
            max_per_user=max_per_user,
            exclude=barred,
            min_size=min_size,
            method=method,
        )
        choose_s = perf_counter() - started
        with TableWriter(out, lists_schema(ratings, columns, data, ("item", "user"))) as writer:
            writer.write(_table(chosen, writer.schema))

    summary = {
        "model": spec.label,
        **data_facts(data, columns),
        "unknown_excluded": no_bar,
        "method": method,
        "items_asked": len(chosen),
        "items_dropped": len(chosen.dropped),
        "users_addressed": len(np.unique(chosen.user_rows)),
        "rows_written": writer.rows,
        "value": chosen.value,
        "value_bound": chosen.bound,
        "read_seconds": read_s,
        "fit_seconds": fit_s,
        "choose_seconds": choose_s,
        "out": out,
    }
    shown = [
        {"item": _plain(name), "users": len(users), "least_score": scores[-1] if scores else None}
        for name, (users, scores) in zip(chosen.items, chosen, strict=True)
    ]
    if json:
        print_json({**summary, "audiences": shown})
    else:
        _show(summary, shown, columns)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _table(chosen: Any, schema: pa.Schema) -> pa.Table:
    columns = chosen.columns().values()
    arrays = [pa.array(v).cast(field.type) for v, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def _show(summary: dict[str, Any], shown: list[dict[str, Any]], columns: Columns) -> None:
    rows = facts_shown(summary)
    if summary["unknown_excluded"]:
        rows["excluded users not in the file"] = summary["unknown_excluded"]
    if summary["items_dropped"]:
        rows["items without enough users"] = summary["items_dropped"]
    rows |= {
        "users addressed": summary["users_addressed"],
        "sum of scores, and its bound": f"{summary['value']:.4g}, {summary['value_bound']:.4g}",
        "read": f"{summary['read_seconds']:.2f} s",
        "fit": f"{summary['fit_seconds']:.2f} s",
        "choose": f"{summary['choose_seconds']:.2f} s",
        "written": f"{summary['rows_written']:,} rows to {summary['out']}",
    }
    facts(f"{summary['model']}: audiences of {summary['items_asked']:,} items", rows)
    most = 20
    grid(
        "Audiences" if len(shown) <= most else f"The first {most} audiences",
        [columns.item, "users", "lowest score"],
        [[str(row["item"]), row["users"], row["least_score"]] for row in shown[:most]],
    )
