"""Titles of items from a table, and reasons for recommendations as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .files import check_names, open_input, read_pairs

if TYPE_CHECKING:
    from .console import Steps

__all__ = ["DEFAULT_REASON", "read_titles", "reasons", "title_of"]

DEFAULT_REASON = "because you bought {items}"
_USUAL_TITLES = ("title", "name", "description", "product_name", "item_name")
_SOURCES = {"history": None, "features": "by the features of the customer"}
_OF_FEATURES = "because of {items} in your items"  # in place of the default for items
_OF_USERS = "because customers with similar purchases chose it"


def read_titles(
    source: str | None, item_id: str, title: str | None, encoding: str | None = None
) -> dict[str, str]:
    """Read the titles of items.

    Parameters
    ----------
    source : str or None
        A table of items; None gives no titles.
    item_id : str
        Its column of ids.
    title : str or None
        Its column of titles; None takes a column with a usual name.
    encoding : str, optional
        Of a text file.

    Returns
    -------
    dict of str to str
        Title by the text of the id, which does not depend on the type of ids in the file.

    Raises
    ------
    ValueError
        For columns that are missing.
    """
    if source is None:
        return {}
    table = open_input(source, "--items", {"encoding": encoding})
    names = check_names(table, source, {"--item-id": item_id, "--title": title})
    if title is None:
        title = next((name for name in names if name.lower() in _USUAL_TITLES), None)
    if title is None:
        raise ValueError(
            f"--title is needed: no column of '{source}' has a usual name of titles; "
            f"it has {', '.join(names)}"
        )
    ids, titles = read_pairs(table, item_id, title)
    return {str(key): str(text).strip() for key, text in zip(ids.tolist(), titles, strict=True)}


def title_of(item: Any, titles: dict[str, str]) -> str:
    """Return the title of an item, or its id where there is none.

    Parameters
    ----------
    item : object
        Its id.
    titles : dict of str to str
        From `read_titles`.

    Returns
    -------
    str
    """
    return titles.get(str(item), str(item))


def reasons(
    model: Any,
    users: list[Any],
    items: list[Any],
    sources: list[str] | None = None,
    *,
    n: int,
    template: str,
    titles: dict[str, str],
    steps: Steps | None = None,
) -> list[str | None]:
    """Return a sentence for each pair of a user and a recommended item.

    Parameters
    ----------
    model : fitted recommender
        With ``explain``.
    users, items : list
        Ids of the pairs.
    sources : list of str, optional
        What the list of each pair is based on (`TopK.reasons`); "history" by default.
    n : int
        Largest number of items or features that a sentence names.
    template : str
        Sentence with "{items}", where the titles or the names of features are put in, and "{item}"
        for the recommended one. The default for items is replaced for models that name features.
    titles : dict of str to str
        Titles of items.
    steps : Steps, optional
        Where progress is reported.

    Returns
    -------
    list of str or None
        None where nothing speaks for the item.

    Raises
    ------
    ValueError
        For a model that gives no reasons, or a template with other names in braces.
    """
    if not hasattr(model, "explain") and sources is None:
        raise ValueError(
            "--explain: this model gives no reasons; use item-knn, user-knn or implicit-als"
        )
    try:
        template.format(items="", item="")
    except (KeyError, IndexError, ValueError):
        raise ValueError(
            f"--reason: write {{items}} and {{item}} in braces and nothing else, got {template!r}"
        ) from None
    import numpy as np

    sentences: list[str | None] = []
    is_new = np.zeros(len(items), dtype=bool)
    if items and model.items_ is not None:
        is_new = model.items_.get(items) < 0
    for number, (user, item) in enumerate(zip(users, items, strict=True), 1):
        source = "history" if sources is None else sources[number - 1]
        if source != "history" or is_new[number - 1] or not hasattr(model, "explain"):
            text = "new: by its features" if is_new[number - 1] else _SOURCES.get(source, source)
            sentences.append(text)
            continue
        explanation = model.explain(user, item, k=n)
        if explanation.of == "users":
            positive = any(part > 0 for part in explanation.contributions.tolist())
            sentences.append(_OF_USERS if positive else None)
        else:
            sentences.append(_sentence(explanation, title_of(item, titles), template, titles))
        if steps is not None and number % 100 == 0:
            steps.at(number, len(users))
    return sentences


def _sentence(explanation: Any, item: str, template: str, titles: dict[str, str]) -> str | None:
    """Return the sentence about items or features; None where none of them adds to the score."""
    pairs = zip(explanation.ids.tolist(), explanation.contributions.tolist(), strict=True)
    chosen = [other for other, part in pairs if part > 0]
    if not chosen:
        return None
    if explanation.of == "features":
        template = _OF_FEATURES if template == DEFAULT_REASON else template
        return template.format(items=_enumeration([str(name) for name in chosen]), item=item)
    return template.format(items=_enumeration([title_of(x, titles) for x in chosen]), item=item)


def _enumeration(words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
