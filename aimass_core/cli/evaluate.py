"""``aimass evaluate``: models x metrics on one split of a ratings file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Steps, facts, grid, print_json, set_threads, steps
from .models import ModelSpec, parse_models
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
from .ratings import choose_columns, data_facts, facts_shown, read_ratings
from .splits import SPLITS, SplitRule

if TYPE_CHECKING:
    from ..data.split import Split

__all__ = ["evaluate"]


def evaluate(
    ratings: RatingsArgument,
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            metavar="MODEL",
            help="A model to judge, as for recommend; repeat it to compare several.",
            show_default=False,
        ),
    ],
    user: UserOption = None,
    item: ItemOption = None,
    value: ValueOption = None,
    time: TimeOption = None,
    split: Annotated[
        str,
        typer.Option("--split", metavar="RULE", help=f"One of {', '.join(SPLITS)}."),
    ] = "random",
    test_size: Annotated[
        float,
        typer.Option(
            "--test-size",
            metavar="SHARE",
            help="Share of the rows (random, temporal), of each user's rows (per-user) or of "
            "the users (strong) that is kept for the test.",
        ),
    ] = 0.2,
    last: Annotated[
        int, typer.Option("--last", metavar="N", help="leave-last: rows of each user to predict.")
    ] = 1,
    folds: Annotated[
        int, typer.Option("--folds", metavar="N", help="k-fold: how many; the table is their mean.")
    ] = 5,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="recall, ndcg, hit_rate, precision, average_precision, coverage, rmse, ...; may "
            "be repeated and may carry its own cut-off, such as recall@20. Default: recall, ndcg.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[
        list[int] | None,
        typer.Option("--k", metavar="N", help="Cut-off, default 10; may be repeated."),
    ] = None,
    settings: SetOption = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", help="Test values from here on are relevant."),
    ] = None,
    exclude_seen: Annotated[
        bool,
        typer.Option("--exclude-seen/--no-exclude-seen", help="Leave what is in train out."),
    ] = True,
    duplicates: DuplicatesOption = None,
    nulls: NullsOption = "error",
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Fit models on one part of a file and show how well they predict the other."""
    set_threads(threads)
    specs = parse_models(model, settings, {"random_state": seed})
    columns = choose_columns(ratings, user, item, value, time)
    rule = SplitRule(split, test_size, last, folds, seed)
    rule.check(ratings, columns)
    asked = {
        "metrics": metric or ["recall", "ndcg"],
        "k": k or [10],
        "threshold": threshold,
        "exclude_seen": exclude_seen,
    }
    with steps(quiet=json) as progress:
        progress.begin(f"reading {ratings.name}")
        rules: dict[str, Any] = {"duplicates": duplicates, "nulls": nulls}
        data = read_ratings(ratings, columns, **rules)
        parts = rule.make(data, ratings, columns, **rules)
        tables = []
        for number, part in enumerate(parts, 1):
            fold = f"fold {number} of {len(parts)}: " if len(parts) > 1 else ""
            tables.append(_judge(part, specs, asked, fold, progress))
    rows = _mean(tables)
    found = data_facts(data, columns)
    if json:
        sizes = [{"train": part.train.nnz, "test": part.test.nnz} for part in parts]
        print_json({**found, "split": split, "parts": sizes, "models": rows})
        return
    held = ", ".join(f"{part.test.nnz:,}" for part in parts)
    facts(ratings.name, facts_shown(found) | {"split": f"{split}, {held} entries to predict"})
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    body = [[label, *(row.get(name) for name in names)] for label, row in rows.items()]
    folds_shown = f", mean of {len(parts)} folds" if len(parts) > 1 else ""
    grid(f"On the test part{folds_shown}", ["model", *names], body)


def _judge(
    part: Split, specs: list[ModelSpec], asked: dict[str, Any], fold: str, progress: Steps
) -> dict[str, dict[str, float]]:
    """Model to column to value, for one split."""
    from ..evaluation import evaluate as judge

    def shown(_name: str, done: int, total: int) -> None:
        progress.at(done, total)

    rows = {}
    for spec in specs:
        progress.begin(f"{fold}{spec.label}")
        table = judge({spec.label: spec.build()}, part, progress=shown, **asked)
        rows.update(table.to_dict())
    return rows


def _mean(tables: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Mean over folds."""
    return {
        label: {name: sum(table[label][name] for table in tables) / len(tables) for name in row}
        for label, row in tables[0].items()
    }
