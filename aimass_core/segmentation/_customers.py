"""A customer table as numbers and categories, with a note on every column that is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data._column import Column
from ..data.idmap import IdMap
from ._columns import as_numbers, check_number, chosen_names, is_number, named, read_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Category", "Customers", "read_customers", "without_the_unknown"]

_MOST_VALUES = 1000  # a text column with more different values describes rows, not groups
_KNOWN = 10  # values of a column in a sample of rows: with fewer, one may have none
_SHOWN_VALUES = 12  # of a category; the rarer ones are counted together


@dataclass(frozen=True)
class Category:
    """The value of each row as a place among few labels; -1 for a null."""

    codes: NDArray[np.int32]
    labels: list[str]


@dataclass
class Customers:
    """What can be used of a table.

    Attributes
    ----------
    n : int
        Number of rows.
    features : dict of str to ndarray of float64
        Columns that tell customers apart; NaN is null.
    numbers : dict of str to ndarray of float64
        Other columns of numbers, for the profiles.
    categories : dict of str to Category
        Columns of words, for the profiles.
    notes : list of str
        One for each column that is not used, and why.
    """

    n: int
    features: dict[str, Floats] = field(default_factory=dict)
    numbers: dict[str, Floats] = field(default_factory=dict)
    categories: dict[str, Category] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_customers(
    table: Any, columns: Iterable[str] | None, id: str | None, n_threads: int
) -> Customers:
    """Read a table for a fit.

    Parameters
    ----------
    table : table or path
        One row for each customer.
    columns : iterable of str or None
        Features, by name or pattern; ``None`` takes every column of numbers with three values or
        more that is not named as an id.
    id : str or None
        Column of ids, which is neither feature nor profile.
    n_threads : int
        For the numbering of words.

    Returns
    -------
    Customers
        Features, and for the profiles all else that has few values or is a number.
    """
    table, found = named(table)
    if id is not None:
        chosen_names([id], found, "id")
    explicit = chosen_names(columns, found, "columns")
    names = [name for name in found if name != id or name in explicit]
    if not names:
        raise ValueError("the table has no columns but the id: nothing tells customers apart")
    read = read_all(table, found, names, lenient=True)
    sizes = [c.n_rows for c in read.values() if isinstance(c, Column)]
    if sizes and sizes[0] == 0:
        raise ValueError("the table has no rows: nothing to segment")
    out = Customers(n=sizes[0] if sizes else 0)
    for name in [*explicit, *(n for n in names if n not in explicit)]:
        column = read[name]
        if name in explicit:
            _take_asked(out, name, column)
        elif isinstance(column, TypeError):
            out.notes.append(f"{name}: left out, {column}")
        else:
            _take(out, name, column, as_feature=not explicit, n_threads=n_threads)
    return out


def _take_asked(out: Customers, name: str, column: Column | TypeError) -> None:
    """A column that the caller wants as a feature: used, or refused."""
    if isinstance(column, TypeError):
        raise column
    if column.kind == "null":
        raise ValueError(f"column {name!r} holds nothing but nulls: leave it out of columns")
    check_number(column, name)
    values = as_numbers(column, name)
    seen = values[~np.isnan(values)]
    if not seen.size or seen.min() == seen.max():
        raise ValueError(
            f"column {name!r} has the same value in every row and tells no customers apart: "
            "leave it out of columns"
        )
    out.features[name] = values


def _take(out: Customers, name: str, column: Column, as_feature: bool, n_threads: int) -> None:
    """A column that comes with the table: feature, profile or a note."""
    if column.kind == "null" or (column.null is not None and column.null.all()):
        out.notes.append(f"{name}: left out, it holds nothing but nulls")
    elif column.kind.startswith("datetime64"):
        out.notes.append(f"{name}: left out, it holds dates (turn them into numbers of days)")
    elif is_number(column):
        values = as_numbers(column, name)
        seen = values[~np.isnan(values)]
        low, high = seen.min(), seen.max()
        if low == high:
            out.notes.append(f"{name}: left out, it has the same value in every row")
        elif ((seen == low) | (seen == high)).all():
            codes = np.where(np.isnan(values), -1, values == high).astype(np.int32)
            out.categories[name] = Category(codes, [f"{low:g}", f"{high:g}"])
            if as_feature:
                out.notes.append(f"{name}: for profiles only, it has two values")
        elif _is_id_name(name):
            out.notes.append(f"{name}: left out, it is named as an id")
        else:
            (out.features if as_feature else out.numbers)[name] = values
    elif column.kind == "bool":
        codes = column.numbers().astype(np.int32)
        codes = codes if column.null is None else np.where(column.null, -1, codes).astype(np.int32)
        out.categories[name] = Category(codes, ["no", "yes"])
    else:
        _take_words(out, name, column, n_threads)


def _is_id_name(name: str) -> bool:
    plain = name.lower()
    return plain == "id" or plain.endswith(("_id", " id")) or name.endswith(("Id", "ID"))


def _take_words(out: Customers, name: str, column: Column, n_threads: int) -> None:
    codes, words = IdMap._number(column, f"column {name!r}", n_threads)
    if len(words) > min(_MOST_VALUES, max(_SHOWN_VALUES, out.n // 2)):
        out.notes.append(f"{name}: left out, it is text with {len(words):,} different values")
        return
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    texts = [
        w.decode("utf-8", "replace") if isinstance(w, bytes) else str(w) for w in words.ids.tolist()
    ]
    order = np.argsort(-counts, kind="stable")
    places = np.empty(len(words) + 1, dtype=np.int32)
    places[order] = np.minimum(np.arange(len(words)), _SHOWN_VALUES)
    places[-1] = -1
    labels = [texts[i] for i in order[:_SHOWN_VALUES]]
    if len(words) > _SHOWN_VALUES:
        labels.append(f"({len(words) - _SHOWN_VALUES} others)")
    out.categories[name] = Category(places[codes], labels)


def without_the_unknown(people: Customers, n_sampled: int, asked: bool) -> None:
    """Features need enough known values to be in every sample: the others are left to profiles."""
    known = {name: ~np.isnan(values) for name, values in people.features.items()}
    n = int(np.any(list(known.values()), axis=0).sum()) if known else 0
    least = int(np.ceil(min(_KNOWN * max(1.0, n / n_sampled), n / 2)))
    for name, here in known.items():
        count = int(here.sum())
        if count >= least:
            continue
        why = f"{count:,} known values in {n:,} rows, and missing='marginalize' needs {least:,}"
        if asked:
            raise ValueError(
                f"column {name!r} has {why}: leave it out of columns, or pass missing='median'"
            )
        people.numbers[name] = people.features.pop(name)
        people.notes.append(f"{name}: for profiles only, it has {why}")
