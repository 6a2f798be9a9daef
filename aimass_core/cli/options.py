"""Arguments and options that several commands share, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..base.registry import model_names

__all__ = [
    "DuplicatesOption",
    "ItemOption",
    "JsonOption",
    "ModelOption",
    "NullsOption",
    "RatingsArgument",
    "SeedOption",
    "SetOption",
    "ThreadsOption",
    "TimeOption",
    "UserOption",
    "ValueOption",
]

RatingsArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RATINGS",
        help="Parquet, CSV or Feather file, one row for each interaction.",
        show_default=False,
    ),
]
UserOption = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="COL",
        help="Column of user ids; may be left out when it is plainly named, such as user_id.",
    ),
]
ItemOption = Annotated[
    str | None,
    typer.Option(
        "--item",
        metavar="COL",
        help="Column of item ids; may be left out when it is plainly named, such as item_id.",
    ),
]
ValueOption = Annotated[
    str | None,
    typer.Option(
        "--value",
        metavar="COL",
        help="Column of ratings, quantities or weights; without it each row counts 1.",
    ),
]
TimeOption = Annotated[
    str | None,
    typer.Option("--time", metavar="COL", help="Column of times: a date-time or a number."),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="MODEL",
        help=f"One of {', '.join(model_names())}; with options if wanted: "
        "item-knn:n_neighbors=50,measure=jaccard.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="OPTION=VALUE",
        help="A model option, such as n_neighbors=200; may be repeated.",
        show_default=False,
    ),
]
DuplicatesOption = Annotated[
    str | None,
    typer.Option(
        "--duplicates",
        metavar="RULE",
        help="What becomes of several rows of one user and item: "
        "sum, last, first, mean, max, min, count or error. Without it: sum without a value "
        "column, which counts the rows, and error with one.",
        show_default=False,
    ),
]
NullsOption = Annotated[
    str,
    typer.Option(
        "--nulls", metavar="RULE", help="Rows with a missing id, value or time: error or drop."
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", metavar="N", help="Seed of everything that is drawn by chance.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        help="Threads to use; without it AIMASS_NUM_THREADS, else the CPUs of this process.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of tables, no progress.")
]
