"""Lists of ids given on the command line or in a file, in the type of the known ids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import check_names, open_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import IdMap

__all__ = ["ids_of_option", "known_ids", "parsed_ids", "words_of_option"]

_MAX_SUGGESTED = 200_000  # with more ids, looking for a close match takes too long
_TABLES = (
    ".parquet",
    ".pq",
    ".csv",
    ".tsv",
    ".feather",
    ".arrow",
    ".jsonl",
    ".json",
    ".xlsx",
    ".gz",
    ".zip",
)


def words_of_option(text: str, option: str, column: str) -> list[Any]:
    """Read the ids that an option names.

    Parameters
    ----------
    text : str
        Path (table, or text with one id on each line) or ids with commas between.
    option : str
        Its name, for messages.
    column : str
        Column to take from a table that has more than one.

    Returns
    -------
    list
        Texts, or values of the column.

    Raises
    ------
    OSError, ValueError
        For a file that does not exist or cannot be read.
    """
    path = Path(text)
    if path.is_file():
        return _words_of_file(path, option, column)
    if path.suffix.lower() in (*_TABLES, ".txt"):
        raise FileNotFoundError(f"{option}: there is no file '{path}': check the path")
    return text.split(",")


def ids_of_option(
    text: str | None,
    option: str,
    column: str,
    known: IdMap,
    *,
    unknown: str = "error",
    of: str = "in the ratings",
) -> tuple[NDArray[Any] | None, int]:
    """Return the known ids among those that an option names.

    Parameters
    ----------
    text : str or None
        As for `words_of_option`.
    option, column : str
        As for `words_of_option`.
    known : IdMap
        The ids of the data.
    unknown : {"error", "some", "skip"}, default="error"
        Unknown ids raise; raise only if no id is known; or are left out.
    of : str, default="in the ratings"
        Where an unknown id was looked for, for the message.

    Returns
    -------
    ids : ndarray or None
        Known ids in the order given; ``None`` when the option was not.
    n_unknown : int
        How many were left out.

    Raises
    ------
    KeyError
        For unknown ids.
    ValueError
        For ids of the wrong type, or a file that cannot be read.
    """
    if text is None:
        return None, 0
    words = words_of_option(text, option, column)
    return known_ids(words, option, known, unknown=unknown, of=of)


def known_ids(
    words: list[Any],
    option: str,
    known: IdMap,
    *,
    unknown: str = "error",
    of: str = "in the ratings",
) -> tuple[NDArray[Any], int]:
    """Return the known ones of some ids.

    Parameters
    ----------
    words : list
        Texts, or values of a column.
    option : str
        Where they come from, for messages.
    known : IdMap
        The ids of the data.
    unknown, of
        As for `ids_of_option`.

    Returns
    -------
    ids : ndarray
        Known ids in the order given.
    n_unknown : int
        How many were left out.

    Raises
    ------
    KeyError
        For unknown ids.
    ValueError
        For a word that is no number although the ids are numbers.
    """
    import numpy as np

    from ..base.validation import suggest

    ids = parsed_ids(words, option, known, skip_other_types=unknown == "skip")
    rows = known.get(ids) if len(ids) else np.empty(0, dtype=np.int64)
    is_unknown = rows < 0
    n_unknown = int(is_unknown.sum()) + len(words) - len(ids)
    if n_unknown and (unknown == "error" or (unknown == "some" and n_unknown == len(words))):
        first = words[int(is_unknown.argmax())]
        close = suggest(str(first), map(str, known.ids)) if len(known) <= _MAX_SUGGESTED else ""
        which = f"{n_unknown} of {len(words)} ids are" if len(words) > 1 else "this id is"
        rule = "; see --unknown" if option == "--users" else ""
        raise KeyError(f"{option}: {which} not {of}: {first!r}{close}{rule}")
    return ids[~is_unknown], n_unknown


def parsed_ids(
    words: list[Any], option: str, known: IdMap, *, skip_other_types: bool = False
) -> NDArray[Any]:
    """Return words as an array of the type of the known ids.

    Parameters
    ----------
    words : list
        Texts, or values of a column.
    option : str
        Where they come from, for messages.
    known : IdMap
        The ids of the data.
    skip_other_types : bool, default=False
        Leave out words that are no number although the ids are numbers, in place of an error.

    Returns
    -------
    ndarray
        In the order given.

    Raises
    ------
    ValueError
        For a word that is no number although the ids are numbers.
    """
    import numpy as np

    kind = known.ids.dtype.kind
    if kind not in "iuf":
        return np.array([str(word) for word in words], dtype=object)
    number = float if kind == "f" else _whole_number
    ids = []
    for word in words:
        try:
            ids.append(number(word))
        except (TypeError, ValueError):
            if skip_other_types:
                continue
            raise ValueError(
                f"{option}: {word!r} is not an id of these data, whose ids are numbers "
                f"such as {known.ids[0] if len(known) else 0}"
            ) from None
    return np.array(ids, dtype=known.ids.dtype)


def _whole_number(word: Any) -> int:
    if isinstance(word, float) and not word.is_integer():
        raise ValueError(word)
    return int(word)


def _words_of_file(path: Path, option: str, column: str) -> list[Any]:
    if path.suffix.lower() not in _TABLES:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
        return [line.strip() for line in text.splitlines() if line.strip()]
    from ..data.idmap import IdMap

    table = open_input(str(path), option, {})
    names = check_names(table, str(path), {})
    if column not in names and len(names) != 1:
        raise ValueError(
            f"{option}: '{path}' needs a column {column!r} or just one column; "
            f"it has {', '.join(names)}"
        )
    name = column if column in names else table.names()[0]
    codes, ids = IdMap._number(table.read({"item": name})["item"], option, 1)
    words: list[Any] = ids.ids[codes[codes >= 0]].tolist()
    return words
