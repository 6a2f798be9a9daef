"""``aimass explain``: what a recommendation rests on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .console import Reporter
from .features import FeatureOptions
from .fitted import ModelSource
from .groups import with_option_groups
from .options import ColumnOptions, GeneralOptions, ModelOptions, TableOptions, TitleOptions
from .similar import split_words

__all__ = ["explain"]


@with_option_groups
def explain(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[RATINGS] USER ITEM",
            help="Table of interactions, the id of a user and that of an item; with --model-file "
            "the ids alone.",
            show_default=False,
        ),
    ],
    *,
    k: Annotated[
        int, typer.Option("--k", metavar="N", help="Number of contributions to show.")
    ] = 10,
    titles: TitleOptions,
    features: FeatureOptions,
    model: ModelOptions,
    columns: ColumnOptions,
    tables: TableOptions,
    general: GeneralOptions,
) -> None:
    """Show why USER gets this score for ITEM: what each item or similar user contributes.

    With --item-features and a model that uses them, items of that table without interactions are
    known, too; the content model shows what each feature contributes.
    """
    from ..base.validation import as_int
    from .ids import known_ids

    as_int(k, "--k", minimum=1)
    reporter = Reporter(general)
    ratings, (user_word, item_word) = split_words(words, ["USER", "ITEM"], model)
    default = "content" if features.are_given and model.model is None else "item-knn"
    source = ModelSource(ratings, columns, tables, model, default=default, features=features)
    with reporter.steps() as steps:
        fitted = source.get(steps)
        if not hasattr(fitted.model, "explain"):
            raise ValueError(
                f"--model: {fitted.label} gives no reasons; use item-knn, user-knn or implicit-als"
            )
        title_by_id = titles.read(fitted.names[1], tables.encoding)
        (user,) = known_ids([user_word], "USER", fitted.users)[0].tolist()
        (item,) = known_ids([item_word], "ITEM", fitted.items)[0].tolist()
        new_items = fitted.features.get("item_features")
        options = {} if new_items is None else {"item_features": new_items}
        explanation = fitted.model.explain(user, item, k=k, **options)
    is_items = explanation.of == "items"
    user_name, item_name = fitted.names
    name = {"items": item_name, "features": "feature"}.get(explanation.of, user_name)
    rows: list[dict[str, Any]] = [
        {
            name: other,
            "title": title_by_id.get(str(other)) if is_items else None,
            "contribution": part,
        }
        for other, part in zip(
            explanation.ids.tolist(), explanation.contributions.tolist(), strict=True
        )
    ]
    if reporter.is_json:
        reporter.json(
            {
                "model": fitted.label,
                "user": user,
                "item": item,
                "title": title_by_id.get(str(item)),
                "score": explanation.score,
                "offset": explanation.offset,
                "of": explanation.of,
                "contributions": rows,
            }
        )
        return
    shown = [name, *(["title"] if title_by_id and is_items else []), "contribution"]
    cells = [[str(row[name]), *(row[column] for column in shown[1:])] for row in rows]
    if explanation.offset:
        cells.insert(0, ["(offset)", *([""] * (len(shown) - 2)), explanation.offset])
    label = title_by_id.get(str(item), str(item))
    reporter.grid(
        f"{label} for {user}: score {explanation.score:.4f} ({fitted.label})", shown, cells
    )
