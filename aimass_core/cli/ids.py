"""Lists of ids given on the command line or in a file, in the type of the ratings' ids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..base.validation import suggest
from .files import check_columns, read_columns

if TYPE_CHECKING:
    from ..data import IdMap

__all__ = ["ids_from_option", "known_ids"]

_MOST_SUGGESTED = 200_000  # beyond, looking for a close match takes too long

_TABLES = (".parquet", ".pq", ".csv", ".tsv", ".feather", ".arrow")


def ids_from_option(
    text: str | None, option: str, column: str, known: IdMap, *, must_exist: bool = False
) -> tuple[NDArray[Any] | None, int]:
    """Read the ids that an option names.

    Parameters
    ----------
    text : str or None
        A path (table file, or text with one id a line) or ids with commas between.
    option : str
        Its name, for messages.
    column : str
        The column to take from a table file that has more than one.
    known : IdMap
        The ids of the ratings.
    must_exist : bool, default=False
        Raise for an unknown id instead of leaving it out.

    Returns
    -------
    ids : numpy.ndarray or None
        Known ids in the order given; ``None`` when the option was not.
    n_unknown : int
        How many were left out.

    Raises
    ------
    KeyError
        An id is unknown and must exist, or none of them is known.
    ValueError
        The ids do not parse, or the file cannot be read.
    """
    if text is None:
        return None, 0
    path = Path(text)
    if path.is_file():
        words = _from_file(path, option, column)
    elif path.suffix.lower() in (*_TABLES, ".txt"):
        raise FileNotFoundError(f"{option}: there is no file '{path}': check the path")
    else:
        words = text.split(",")
    return known_ids(words, option, known, must_exist=must_exist)


def known_ids(
    words: list[Any], option: str, known: IdMap, *, must_exist: bool = True
) -> tuple[NDArray[Any], int]:
    """Turn words into ids of the ratings.

    Parameters
    ----------
    words : list
        Text, or values of a table column.
    option : str
        Where they come from, for messages.
    known : IdMap
        The ids of the ratings.
    must_exist : bool, default=True
        Raise for an unknown id instead of leaving it out.

    Returns
    -------
    ids : numpy.ndarray
        Known ids in the order given.
    n_unknown : int
        How many were left out.

    Raises
    ------
    KeyError
        An id is unknown and must exist, or none of them is known.
    ValueError
        A word is no number although the ids are numbers.
    """
    ids = _parsed(words, known, option)
    rows = known.get(ids)
    missing = np.flatnonzero(rows < 0)
    if len(missing) and (must_exist or len(missing) == len(ids)):
        first = words[missing[0]]
        close = suggest(str(first), map(str, known.ids)) if len(known) <= _MOST_SUGGESTED else ""
        which = f"{len(missing)} of {len(ids)} ids are" if len(ids) > 1 else "this id is"
        raise KeyError(f"{option}: {which} not in the ratings: {first!r}{close}")
    return ids[rows >= 0], len(missing)


def _from_file(path: Path, option: str, column: str) -> list[Any]:
    if path.suffix.lower() not in _TABLES:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    names = check_columns(path, option, {})
    if column not in names and len(names) != 1:
        raise ValueError(
            f"{option}: '{path}' needs a column {column!r} or just one column; "
            f"it has {', '.join(names)}"
        )
    name = column if column in names else names[0]
    return read_columns(path, [name])[0]


def _parsed(words: list[Any], known: IdMap, option: str) -> NDArray[Any]:
    """Words as an array of the type of a map's ids."""
    kind = known.ids.dtype.kind
    if kind not in "iuf":
        return np.array([str(word) for word in words], dtype=object)
    number = float if kind == "f" else int
    ids = []
    for word in words:
        try:
            ids.append(number(word))
        except (TypeError, ValueError):
            raise ValueError(
                f"{option}: {word!r} is not an id of this file, whose ids are numbers "
                f"such as {known.ids[0] if len(known) else 0}"
            ) from None
    return np.array(ids, dtype=known.ids.dtype)
