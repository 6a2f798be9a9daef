"""A customer table as quantities, categories, and notes on the columns that are left out.

Which columns can form segments is decided by type, number of values, and name. Numbers that are
codes or identifiers (post codes, store numbers, row numbers) have no meaningful distances, so they
are left out unless the caller includes them.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import suggest
from ..data._column import Column
from ..data.idmap import IdMap
from ..data.readers.frames import is_pandas
from ..data.tables import column_names, read_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "Category",
    "CustomerTable",
    "match_names",
    "meaning_of_name",
    "move_unknown_features",
    "named_table",
    "read_customers",
    "read_rows",
]

_MAX_WORDS = 1000  # a text column with more different values describes rows, not groups
_MAX_LABELS = 12  # of a category; rarer values are counted together
_MAX_CODE_VALUES = 50  # of a column of whole numbers that is named as a category
_MIN_ROW_NUMBERS = 20  # rows: with fewer, consecutive whole numbers may be a coincidence
_MIN_KNOWN = 10  # known values of a column in a sample of rows: with fewer, a sample may have none

# The last word of a column's name says what its whole numbers mean.
_ID_WORDS = {
    "barcode",
    "ean",
    "email",
    "fax",
    "guid",
    "hash",
    "iban",
    "id",
    "ids",
    "idx",
    "index",
    "isin",
    "key",
    "phone",
    "rownum",
    "sku",
    "ssn",
    "tel",
    "telephone",
    "unnamed",
    "uuid",
}
_CODE_WORDS = {
    "code",
    "codes",
    "pincode",
    "plz",
    "postal",
    "postalcode",
    "postcode",
    "zip",
    "zipcode",
}
_NUMBER_WORDS = {"nr", "no", "number"}  # after another word: "store number"
_CATEGORY_WORDS = {
    "branch",
    "brand",
    "category",
    "channel",
    "city",
    "class",
    "cluster",
    "country",
    "county",
    "currency",
    "department",
    "dept",
    "district",
    "gender",
    "group",
    "industry",
    "label",
    "language",
    "plan",
    "region",
    "sector",
    "segment",
    "sex",
    "shop",
    "state",
    "status",
    "store",
    "type",
    "weekday",
}
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_NUMBER_TEXT = re.compile(r"\s*[-+(]?\s*[€$£]?\s*\d[\d.,' ]*\s*[%€$£]?\)?\s*")


@dataclass(frozen=True)
class Category:
    """The value of each row as the number of its label; -1 for a null."""

    codes: NDArray[np.int32]
    labels: list[str]


@dataclass
class CustomerTable:
    """The usable columns of a table.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    features : dict of str to ndarray of float64
        Quantities that form the segments; NaN is null.
    category_features : dict of str to Category
        Categories that form the segments.
    numbers : dict of str to ndarray of float64
        Other columns of numbers, for the profiles.
    categories : dict of str to Category
        Other columns of words, for the profiles.
    notes : list of str
        One for each column that is not used, and why.
    """

    n_rows: int
    features: dict[str, Floats] = field(default_factory=dict)
    category_features: dict[str, Category] = field(default_factory=dict)
    numbers: dict[str, Floats] = field(default_factory=dict)
    categories: dict[str, Category] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


# ---- names ---------------------------------------------------------------------------------------


def named_table(table: Any, id: str | None) -> tuple[Any, dict[str, Any]]:
    """Return the table with named columns, and the name of each column by its text.

    An index of pandas whose name is ``id`` becomes a column.
    """
    if isinstance(table, np.ndarray) and table.dtype.names is None:
        if table.ndim != 2:
            raise ValueError(
                f"table must have rows and columns, got an array of {table.ndim} dimensions"
            )
        table = {f"x{j}": table[:, j] for j in range(table.shape[1])}
    elif (
        id is not None
        and is_pandas(table)
        and id in getattr(table.index, "names", ())
        and id not in getattr(table, "columns", ())
    ):
        table = table.reset_index()
    names = column_names(table)
    by_text = {str(name): name for name in names}
    if len(by_text) < len(names):
        texts = [str(name) for name in names]
        repeated = next(name for name in texts if texts.count(name) > 1)
        raise ValueError(
            f"the table has {texts.count(repeated)} columns named {repeated!r}: rename or drop one"
        )
    return table, by_text


def match_names(wanted: Iterable[str] | None, names: Iterable[str], argument: str) -> list[str]:
    """Return the columns that names and patterns (``"f*"``) match, in the order given, each once.

    Raises
    ------
    TypeError
        If ``wanted`` is not a list.
    ValueError
        If it matches nothing.
    """
    if wanted is None:
        return []
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        raise TypeError(f"{argument} must be a list of column names, got {wanted!r}")
    names = list(names)
    chosen: dict[str, None] = {}
    for entry in wanted:
        name = str(entry)
        matches = [name] if name in names else []
        if not matches and any(sign in name for sign in "*?["):
            matches = [other for other in names if fnmatch.fnmatchcase(other, name)]
        if not matches:
            listed = ", ".join(repr(c) for c in names[:20]) + (", ..." if len(names) > 20 else "")
            raise ValueError(
                f"{argument}: the table has no column {name!r}{suggest(name, names)}; it has "
                f"{listed or 'no columns'}"
            )
        chosen.update(dict.fromkeys(matches))
    if not chosen:
        raise ValueError(f"{argument} must name at least one column, got an empty list")
    return list(chosen)


def meaning_of_name(name: str) -> str:
    """Return what the name of a column says of its whole numbers.

    Returns
    -------
    str
        "id", "code", "category" or, where the name says nothing, "".
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return ""
    last = words[-1]
    if last in _ID_WORDS:
        return "id"
    if last in _CODE_WORDS or (last in _NUMBER_WORDS and len(words) > 1):
        return "code"
    return "category" if last in _CATEGORY_WORDS else ""


# ---- reading -------------------------------------------------------------------------------------


def read_customers(
    table: Any,
    columns: Iterable[str] | None,
    include: Iterable[str] | None,
    categorical: Iterable[str] | None,
    id: str | None,
    n_threads: int,
) -> CustomerTable:
    """Read a table for a fit.

    Parameters
    ----------
    table : table or path
        One row for each customer.
    columns : iterable of str or None
        Quantities that form the segments, by name or pattern; None takes every column of numbers
        with at least three values that is not a code or identifier.
    include : iterable of str or None
        Columns to take as quantities besides those.
    categorical : iterable of str or None
        Columns to take as categories that form the segments.
    id : str or None
        Column of ids, which is neither feature nor profile.
    n_threads : int
        Threads that number the words.

    Returns
    -------
    CustomerTable
        Features, and for the profiles all other columns of few words or of numbers.
    """
    table, by_text = named_table(table, id)
    if id is not None:
        match_names([id], by_text, "id")
    explicit = match_names(columns, by_text, "columns")
    included = match_names(include, by_text, "include")
    as_categories = match_names(categorical, by_text, "categorical")
    both = [name for name in as_categories if name in explicit or name in included]
    if both:
        raise ValueError(
            f"categorical and columns both name {both[0]!r}: a column is a quantity or a category"
        )
    wanted = list(dict.fromkeys([*explicit, *included, *as_categories]))
    names = [name for name in by_text if name != id or name in wanted]
    if not names:
        raise ValueError("the table has no columns but the id: nothing tells customers apart")
    read = _read_all(table, by_text, names, is_lenient=True)
    sizes = [c.n_rows for c in read.values() if isinstance(c, Column)]
    if sizes and sizes[0] == 0:
        raise ValueError("the table has no rows: nothing to segment")
    out = CustomerTable(n_rows=sizes[0] if sizes else 0)
    for name in explicit:
        _add_quantity(out, name, read[name])
    for name in (n for n in names if n not in explicit):
        column = read[name]
        if name in included:
            _add_quantity(out, name, column)
        elif name in as_categories:
            _add_category_feature(out, name, column, n_threads)
        elif isinstance(column, TypeError):
            out.notes.append(f"{name}: left out, {column}")
        else:
            _add_by_rules(out, name, column, forms_segments=not explicit, n_threads=n_threads)
    if id is not None:
        _note_repeated_ids(out, table, by_text[id], id, n_threads)
    return out


def read_rows(
    table: Any, names: list[str], labels: dict[str, list[str]], id: str | None
) -> tuple[dict[str, Floats], dict[str, NDArray[np.int32]], Any]:
    """Read a table for an answer.

    Parameters
    ----------
    table : table or path
        Has all the columns.
    names : list of str
        Quantities.
    labels : dict of str to list of str
        Categories, and their labels in the fit.
    id : str or None
        Column of ids; None gives None for the ids.

    Returns
    -------
    numbers : dict of str to ndarray of float64
        Quantities; NaN is null.
    codes : dict of str to ndarray of int32
        Categories; -1 for a null or a value that the fit has not seen.
    ids : ndarray or None
        As the table has them.
    """
    table, by_text = named_table(table, id)
    wanted = match_names([*names, *labels], by_text, "columns")
    columns = _read_all(table, by_text, wanted, is_lenient=False)
    numbers, codes = {}, {}
    for name, column in columns.items():
        assert isinstance(column, Column)
        if name in labels:
            codes[name] = _codes_of(column, name, labels[name])
        elif column.kind == "null":
            numbers[name] = np.full(column.n_rows, np.nan)
        else:
            _check_number(column, name)
            numbers[name] = _as_numbers(column, name)
    if id is None:
        return numbers, codes, None
    (id,) = match_names([id], by_text, "id")
    column = read_columns(table, {"user": by_text[id]})["user"]
    if column.null is not None and len(column.null):
        raise ValueError(
            f"id={id!r} holds {int(column.null.sum())} nulls, the first in row "
            f"{int(column.null.argmax())}: drop these rows"
        )
    rows, ids = IdMap._number(column, f"id={id!r}", 1)
    return numbers, codes, ids.ids[rows]


def _read_all(
    table: Any, by_text: dict[str, Any], names: list[str], is_lenient: bool
) -> dict[str, Column | TypeError]:
    """Return columns by name; a lenient reading keeps the error of a column that it cannot read."""
    wanted = {f"column {number}": by_text[name] for number, name in enumerate(names)}
    try:
        columns = read_columns(table, wanted)
    except TypeError:
        if not is_lenient or isinstance(table, (str, os.PathLike)):
            raise
    else:
        return dict(zip(names, columns.values(), strict=True))
    out: dict[str, Column | TypeError] = {}
    for name in names:
        try:
            out[name] = read_columns(table, {"column": by_text[name]})["column"]
        except TypeError as error:
            out[name] = error
    sizes = {name: c.n_rows for name, c in out.items() if isinstance(c, Column)}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the columns have unequal numbers of rows: {sizes}")
    return out


def _note_repeated_ids(
    out: CustomerTable, table: Any, column_name: Any, id: str, n_threads: int
) -> None:
    column = read_columns(table, {"user": column_name})["user"]
    codes, _ = IdMap._number(column, f"id={id!r}", n_threads)
    counts = np.bincount(codes[codes >= 0])
    n_repeated = int((counts > 1).sum())
    if n_repeated:
        out.notes.append(
            f"{id}: {n_repeated:,} ids occur more than once, and each of their rows counts as one: "
            "join the rows of an id first"
        )


# ---- one column ----------------------------------------------------------------------------------


def _is_number(column: Column) -> bool:
    return column.kind in ("int", "float", "decimal")


def _as_numbers(column: Column, name: str) -> Floats:
    """Return one float64 for each row, NaN for nulls; refuse infinity."""
    values = np.array(column.numbers(), dtype=np.float64)
    if column.null is not None:
        values[column.null] = np.nan
    is_infinite = np.isinf(values)
    if is_infinite.any():
        raise ValueError(
            f"column {name!r} holds {values[is_infinite][0]} in row {int(is_infinite.argmax())} "
            f"({int(is_infinite.sum())} infinite values in all): correct these rows or drop them"
        )
    return values


def _check_number(column: Column, name: str) -> None:
    if not (_is_number(column) or column.kind == "bool"):
        kind = {"str": "text", "bytes": "bytes"}.get(column.kind, column.kind)
        raise TypeError(
            f"column {name!r} must hold numbers, not {kind}: convert it, name it in categorical, "
            "or leave it out of columns (text is used for the profiles all the same)"
        )


def _add_quantity(out: CustomerTable, name: str, column: Column | TypeError) -> None:
    """Take a column that the caller wants as a quantity, or refuse it."""
    if isinstance(column, TypeError):
        raise column
    if column.kind == "null":
        raise ValueError(f"column {name!r} holds nothing but nulls: leave it out of columns")
    _check_number(column, name)
    values = _as_numbers(column, name)
    known = values[~np.isnan(values)]
    if not known.size or known.min() == known.max():
        raise ValueError(
            f"column {name!r} has the same value in every row and tells no customers apart: "
            "leave it out of columns"
        )
    out.features[name] = values


def _add_category_feature(
    out: CustomerTable, name: str, column: Column | TypeError, n_threads: int
) -> None:
    """Take a column that the caller wants as a category, or refuse it."""
    if isinstance(column, TypeError):
        raise column
    category = _as_category(column, name, n_threads)
    if category is None or len(set(category.codes[category.codes >= 0].tolist())) < 2:
        raise ValueError(
            f"categorical: column {name!r} must have from 2 to {_MAX_WORDS} different values: "
            "leave it out, or group rare values"
        )
    out.category_features[name] = category


def _add_by_rules(
    out: CustomerTable, name: str, column: Column, forms_segments: bool, n_threads: int
) -> None:
    """Take a column as a feature or for the profiles, or note why it is left out."""
    if column.kind == "null" or (column.null is not None and column.null.all()):
        out.notes.append(f"{name}: left out, it holds nothing but nulls")
    elif column.kind.startswith("datetime64"):
        out.notes.append(f"{name}: left out, it holds dates (turn them into numbers of days)")
    elif _is_number(column):
        _add_number(out, name, column, forms_segments, n_threads)
    elif column.kind == "bool":
        category = _as_category(column, name, n_threads)
        assert category is not None
        out.categories[name] = category
    else:
        _add_words(out, name, column, n_threads)


def _add_number(
    out: CustomerTable, name: str, column: Column, forms_segments: bool, n_threads: int
) -> None:
    values = _as_numbers(column, name)
    known = values[~np.isnan(values)]
    low, high = known.min(), known.max()
    is_whole = bool((known == np.floor(known)).all())
    meaning = meaning_of_name(name) if is_whole else ""
    if low == high:
        out.notes.append(f"{name}: left out, it has the same value in every row")
    elif ((known == low) | (known == high)).all():
        codes = np.where(np.isnan(values), -1, values == high).astype(np.int32)
        out.categories[name] = Category(codes, [f"{low:g}", f"{high:g}"])
        if forms_segments:
            out.notes.append(f"{name}: for profiles only, it has two values")
    elif meaning == "id":
        out.notes.append(f"{name}: left out, it is named as an id")
    elif is_whole and _are_row_numbers(known):
        out.notes.append(
            f"{name}: left out, its whole numbers are all different and nearly consecutive, as "
            "row numbers are (use include if it is a quantity)"
        )
    elif meaning == "category" and len(np.unique(known)) <= _MAX_CODE_VALUES:
        category = _as_category(column, name, n_threads)
        assert category is not None
        out.categories[name] = category
        if forms_segments:
            out.notes.append(
                f"{name}: for profiles only, its name says that its numbers stand for categories "
                "(use categorical to form segments by it, include if it is a quantity)"
            )
    elif meaning == "code":
        out.notes.append(
            f"{name}: left out, its name says that its numbers are codes (use include if it is a "
            "quantity, categorical if it is a category)"
        )
    else:
        (out.features if forms_segments else out.numbers)[name] = values


def _are_row_numbers(known: Floats) -> bool:
    """Return whether whole numbers are all different and fill most of their range."""
    if len(known) < _MIN_ROW_NUMBERS or known.max() - known.min() >= 2 * len(known):
        return False
    return len(np.unique(known)) == len(known)


def _add_words(out: CustomerTable, name: str, column: Column, n_threads: int) -> None:
    codes, words = IdMap._number(column, f"column {name!r}", n_threads)
    if len(words) <= min(_MAX_WORDS, max(_MAX_LABELS, out.n_rows // 2)):
        out.categories[name] = _labelled(codes, _texts(words.ids))
        return
    texts = _texts(words.ids[:1000])
    if np.mean([_NUMBER_TEXT.fullmatch(text) is not None for text in texts]) > 0.9:
        out.notes.append(
            f"{name}: left out, it is text such as {texts[0]!r}: convert it to numbers to use it"
            + (", or pass decimal=','" if re.fullmatch(r"-?\d+,\d+", texts[0]) else "")
        )
    else:
        out.notes.append(f"{name}: left out, it is text with {len(words):,} different values")


# ---- categories ----------------------------------------------------------------------------------


def _as_category(column: Column, name: str, n_threads: int) -> Category | None:
    """Return the values of a column as labels, the most frequent first; None for too many."""
    codes, texts = _words_of(column, name, n_threads)
    if len(texts) > _MAX_WORDS:
        return None
    if column.kind == "bool":
        return Category(codes, texts)
    return _labelled(codes, texts)


def _words_of(column: Column, name: str, n_threads: int) -> tuple[NDArray[np.int32], list[str]]:
    """Return each row's number among the different values (-1: null), and the values as text."""
    if column.kind == "null":
        return np.full(column.n_rows, -1, np.int32), []
    if column.kind == "bool":
        codes = column.numbers().astype(np.int32)
        if column.null is not None:
            codes = np.where(column.null, -1, codes).astype(np.int32)
        return codes, ["no", "yes"]
    if _is_number(column):
        values = _as_numbers(column, name)
        is_known = ~np.isnan(values)
        distinct, known_codes = np.unique(values[is_known], return_inverse=True)
        codes = np.full(len(values), -1, np.int32)
        codes[is_known] = known_codes
        return codes, [f"{value:.15g}" for value in distinct]
    codes, words = IdMap._number(column, f"column {name!r}", n_threads)
    return codes, _texts(words.ids)


def _texts(ids: NDArray[Any]) -> list[str]:
    return [w.decode("utf-8", "replace") if isinstance(w, bytes) else str(w) for w in ids.tolist()]


def _labelled(codes: NDArray[np.int32], texts: list[str]) -> Category:
    """Return values as labels, the most frequent first and the rare ones together."""
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    order = np.argsort(-counts, kind="stable")
    ranks = np.empty(len(texts) + 1, dtype=np.int32)
    ranks[order] = np.minimum(np.arange(len(texts)), _MAX_LABELS)
    ranks[-1] = -1
    labels = [texts[i] for i in order[:_MAX_LABELS]]
    if len(texts) > _MAX_LABELS:
        labels.append(_others(len(texts) - _MAX_LABELS))
    return Category(ranks[codes], labels)


def _others(n: int) -> str:
    return f"({n} others)"


def _codes_of(column: Column, name: str, labels: list[str]) -> NDArray[np.int32]:
    """Return the number of each row's label in the fit; -1 for a null or an unknown value."""
    codes, texts = _words_of(column, name, 1)
    rest = len(labels) - 1 if len(labels) > _MAX_LABELS else -1  # the label of the rare values
    position = {label: number for number, label in enumerate(labels)}
    translation = np.array([position.get(text, rest) for text in texts] + [-1], dtype=np.int32)
    return translation[codes]


def move_unknown_features(table: CustomerTable, n_sampled: int, is_explicit: bool) -> None:
    """Move features with too few known values to be in every sample to the profiles."""
    known = {name: ~np.isnan(values) for name, values in table.features.items()}
    n = int(np.any(list(known.values()), axis=0).sum()) if known else 0
    needed = int(np.ceil(min(_MIN_KNOWN * max(1.0, n / n_sampled), n / 2)))
    for name, is_known in known.items():
        count = int(is_known.sum())
        if count >= needed:
            continue
        reason = f"{count:,} known values in {n:,} rows, and missing='marginalize' needs {needed:,}"
        if is_explicit:
            raise ValueError(
                f"column {name!r} has {reason}: leave it out of columns, or pass missing='median'"
            )
        table.numbers[name] = table.features.pop(name)
        table.notes.append(f"{name}: for profiles only, it has {reason}")
