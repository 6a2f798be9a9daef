"""``aimass similar``: the items most similar to one item, with titles from a table of items."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .console import Reporter
from .features import FeatureOptions
from .fitted import ModelSource
from .groups import with_option_groups
from .options import ColumnOptions, GeneralOptions, ModelOptions, TableOptions, TitleOptions

__all__ = ["similar", "split_words"]


@with_option_groups
def similar(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[RATINGS] ITEM",
            help="Table of interactions, and the id of an item; with --model-file the id alone.",
            show_default=False,
        ),
    ],
    *,
    k: Annotated[int, typer.Option("--k", metavar="N", help="Number of similar items.")] = 10,
    titles: TitleOptions,
    features: FeatureOptions,
    model: ModelOptions,
    columns: ColumnOptions,
    tables: TableOptions,
    general: GeneralOptions,
) -> None:
    """Show the K items most similar to ITEM, by default by cosine, and how similar they are.

    With --item-features and a model that uses them, items of that table without interactions are
    known, too.
    """
    from ..base.validation import as_int
    from .ids import known_ids
    from .titles import title_of

    as_int(k, "--k", minimum=1)
    reporter = Reporter(general)
    ratings, (wanted,) = split_words(words, ["ITEM"], model)
    given = {text.partition("=")[0] for text in model.settings or []}
    default = "item-knn" if "similarity" in given else "item-knn:similarity=cosine"
    if features.are_given and model.model is None:
        default = "content"
    source = ModelSource(ratings, columns, tables, model, default=default, features=features)
    with reporter.steps() as steps:
        fitted = source.get(steps)
        if not hasattr(fitted.model, "similar_items"):
            raise ValueError(
                f"--model: {fitted.label} has no similarity of items; use item-knn or implicit-als"
            )
        item_name = fitted.names[1]
        title_by_id = titles.read(item_name, tables.encoding)
        ids, _ = known_ids([wanted], "ITEM", fitted.items)
        new_items = fitted.features.get("item_features")
        options = {} if new_items is None else {"item_features": new_items}
        lists = fitted.model.similar_items(ids, k=k, **options)
    neighbors = [
        {"rank": rank, item_name: other, "title": title_by_id.get(str(other)), "score": score}
        for rank, (other, score) in enumerate(zip(*next(iter(lists)), strict=True), 1)
    ]
    (head,) = ids.tolist()
    if reporter.is_json:
        answer: dict[str, Any] = {
            "item": head,
            "title": title_by_id.get(str(head)),
            "model": fitted.label,
            "neighbours": neighbors,
        }
        reporter.json(answer)
        return
    shown = ["rank", item_name, *(["title"] if title_by_id else []), "score"]
    label = f"{head} {title_of(head, title_by_id)!r}" if str(head) in title_by_id else str(head)
    rows = [[row["rank"], str(row[item_name]), *(row[c] for c in shown[2:])] for row in neighbors]
    reporter.grid(f"Most similar to {label} ({fitted.label})", shown, rows)


def split_words(
    words: list[str], names: list[str], model: ModelOptions
) -> tuple[str | None, list[str]]:
    """Return the table of interactions and the other arguments.

    Parameters
    ----------
    words : list of str
        The arguments as they were given.
    names : list of str
        What the arguments after the table are called.
    model : ModelOptions
        With a model file there is no table.

    Returns
    -------
    ratings : str or None
        The table.
    others : list of str
        The arguments after it.

    Raises
    ------
    ValueError
        For another number of arguments.
    """
    if model.model_file is not None and len(words) == len(names):
        return None, words
    if len(words) == len(names) + 1:
        return words[0], words[1:]
    expected = " ".join(names)
    raise ValueError(
        f"expected RATINGS {expected}, or {expected} with --model-file; got {' '.join(words)!r}"
    )
