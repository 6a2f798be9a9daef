"""``aimass similar``: the neighbours of one item, with titles when a file of items is given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..base.validation import as_int
from .console import grid, print_json, set_threads, steps
from .files import check_columns, read_columns
from .ids import known_ids
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
from .ratings import choose_columns, read_ratings

__all__ = ["similar"]

_TITLES = ("title", "name", "description")


def similar(
    ratings: RatingsArgument,
    wanted: Annotated[
        str,
        typer.Argument(metavar="ITEM", help="An item id of the file.", show_default=False),
    ],
    user: UserOption = None,
    item: ItemOption = None,
    value: ValueOption = None,
    time: TimeOption = None,
    model: ModelOption = "item-knn",
    k: Annotated[int, typer.Option("--k", metavar="N", help="Neighbours to show.")] = 10,
    settings: SetOption = None,
    items: Annotated[
        Path | None,
        typer.Option("--items", metavar="FILE", help="A table of items, for their titles."),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option("--title", metavar="COL", help="Its column of titles, if not plainly named."),
    ] = None,
    item_id: Annotated[
        str | None,
        typer.Option(
            "--item-id", metavar="COL", help="Its column of item ids, if named otherwise."
        ),
    ] = None,
    duplicates: DuplicatesOption = None,
    nulls: NullsOption = "error",
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Show the K items most similar to ITEM, and how similar they are."""
    as_int(k, "--k", minimum=1)
    set_threads(threads)
    (spec,) = parse_models([model], settings, {"random_state": seed})
    columns = choose_columns(ratings, user, item, value, time)
    titles = _read_titles(items, item_id or columns.item, title) if items is not None else {}
    with steps(quiet=json) as progress:
        progress.begin(f"reading {ratings.name}")
        data = read_ratings(ratings, columns, duplicates=duplicates, nulls=nulls)
        ids, _ = known_ids([wanted], "ITEM", data.items)
        progress.begin(f"fitting {spec.name}")
        fitted = spec.build().fit(data)
        if not hasattr(fitted, "similar_items"):
            raise ValueError(f"--model: {spec.name} knows no neighbours of items: use item-knn")
        lists = fitted.similar_items(ids, k=k)
    found = [
        {
            "rank": rank,
            columns.item: other,
            "title": titles.get(str(other)),
            "score": score,
        }
        for rank, (other, score) in enumerate(zip(*next(iter(lists)), strict=True), 1)
    ]
    head = ids[0].item() if hasattr(ids[0], "item") else ids[0]
    if json:
        answer: dict[str, Any] = {"item": head, "title": titles.get(str(head)), "model": spec.label}
        print_json({**answer, "neighbours": found})
        return
    shown = ["rank", columns.item, *(["title"] if titles else []), "score"]
    label = f"{head} {titles[str(head)]!r}" if str(head) in titles else str(head)
    grid(f"Most similar to {label} ({spec.label})", shown, [[r[c] for c in shown] for r in found])


def _read_titles(path: Path, item_id: str, title: str | None) -> dict[str, str]:
    """Titles by the text of the id, which is the same whatever type a file gives its ids."""
    names = check_columns(path, "--items", {"--item-id": item_id, "--title": title})
    if title is None:
        title = next((name for name in names if name.lower() in _TITLES), None)
    if title is None:
        raise ValueError(
            f"--title is needed: no column of '{path}' is plainly named as the title; "
            f"it has {', '.join(names)}"
        )
    ids, titles = read_columns(path, [item_id, title])
    pairs = zip(ids, titles, strict=True)
    return {str(key): str(text).strip() for key, text in pairs if text is not None}
