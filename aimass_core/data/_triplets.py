"""From the columns of a table to numbered (user, item, value, time) rows, every drop counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray

from .. import kernels
from ..base.text import counted
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, wrap_csr
from ._column import Column
from ._events import UngroupedEvents
from ._factorize import Lookup, exact_ids
from ._text import Where
from ._time import column_times
from ._values import column_values, event_weight_of_rows, narrow
from .idmap import IdMap
from .readers import ReadOptions
from .tables import OpenTable, Table, log_notes, opened

__all__ = [
    "RULES",
    "Triplets",
    "merge_triplets",
    "prepare",
    "read_triplets",
    "refuse_repeated",
]

_PLACEHOLDERS = (
    "",
    "-",
    "--",
    "?",
    "\\N",
    "None",
    "none",
    "nil",
    "NA",
    "N/A",
    "n/a",
    "NULL",
    "null",
    "NaN",
    "nan",
    "#N/A",
    "undefined",
    "unknown",
    "missing",
    "(null)",
    "(not set)",
)
_ARGUMENTS = (
    "user",
    "item",
    "value",
    "time",
    "event",
    "weights",
    "duplicates",
    "nulls",
    "users",
    "items",
    "unknown",
    "keep_events",
    "dtype",
    "n_threads",
)
_FREQUENT = 0.01  # share of the rows
RULES = ("sum", "last", "first", "mean", "max", "min", "count", "error")


@dataclass(slots=True)
class Triplets:
    """Rows of a table after numbering and dropping."""

    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    values: NDArray[Any]
    times: NDArray[np.int64] | None
    time_unit: str | None
    users: IdMap
    items: IdMap
    rule: str
    n_read: int
    n_threads: int
    keep_events: bool = True
    dropped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    label_codes: NDArray[np.int32] | None = None
    labels: IdMap | None = None

    def labelled(self) -> tuple[NDArray[np.int32], IdMap]:
        """Return the label of each row, as codes and their map."""
        assert self.label_codes is not None and self.labels is not None  # noqa: PT018
        return self.label_codes, self.labels

    def build(
        self, part: NDArray[np.bool_] | None = None
    ) -> tuple[sp.csr_array, NDArray[np.int64] | None, UngroupedEvents | None, dict[str, Any]]:
        """Return matrix, timestamps, single events and report of all rows or a part of them."""
        rows, cols, values, times = self.rows, self.cols, self.values, self.times
        if part is not None:
            rows, cols, values = rows[part], cols[part], values[part]
            times = None if times is None else times[part]
        matrix, last = merge_triplets(
            rows, cols, values, times, self.users, self.items, self.rule, self.n_threads
        )
        events = None
        if times is not None and self.keep_events and matrix.nnz < len(rows):
            events = UngroupedEvents(rows, cols, values, times, self.rule, self.n_threads)
        report = {
            "rows_read": self.n_read,
            "rows_dropped": dict(self.dropped),
            "rows_merged": len(rows) - matrix.nnz,
            "interactions": matrix.nnz,
            "duplicates": self.rule,
            "notes": list(self.notes),
        }
        return matrix, last, events, report


def read_triplets(
    table: Table,
    *,
    user: Any = None,
    item: Any = None,
    value: Any = None,
    time: Any = None,
    event: Any = None,
    label: Any = None,
    label_role: str = "label",
    weights: Mapping[Any, float] | None = None,
    duplicates: str | None = None,
    nulls: str = "error",
    users: IdMap | None = None,
    items: IdMap | None = None,
    unknown: str = "error",
    keep_events: bool = True,
    dtype: DTypeLike | None = None,
    n_threads: int | None = None,
    **reading: Any,
) -> Triplets:
    """Read a table by the arguments of `Interactions.from_table`, and a column of labels."""
    options = ReadOptions.of(reading, (*_ARGUMENTS, *ReadOptions.names_of_fields()))
    if user is None or item is None:
        raise TypeError("user= and item= are needed: the columns that name users and items")
    given = {"user": user, "item": item, "value": value, "time": time, "event": event}
    wanted = {role: name for role, name in given.items() if name is not None}
    if label is not None:
        wanted[label_role] = label
    source = opened(table, options)
    columns = source.read(wanted)
    labels = {role: f"{role}={name!r}" for role, name in wanted.items()}
    if label is not None:
        columns["label"], labels["label"] = columns.pop(label_role), labels.pop(label_role)
    triplets = prepare(
        columns,
        labels,
        weights=weights,
        duplicates=duplicates,
        nulls=nulls,
        users=users,
        items=items,
        unknown=unknown,
        keep_events=keep_events,
        dtype=dtype,
        n_threads=resolve_n_threads(n_threads),
        options=source.options,
        source=source,
    )
    if users is None and isinstance(user, str):
        triplets.users = triplets.users.named(user)
    if items is None and isinstance(item, str):
        triplets.items = triplets.items.named(item)
    return triplets


def merge_triplets(
    rows: NDArray[np.int32],
    cols: NDArray[np.int32],
    values: NDArray[Any],
    times: NDArray[np.int64] | None,
    users: IdMap,
    items: IdMap,
    rule: str,
    n_threads: int,
    *,
    of_two: bool = False,
) -> tuple[sp.csr_array, NDArray[np.int64] | None]:
    """Return the canonical CSR of triplets; a forbidden duplicate is named by its ids.

    ``of_two``: the triplets are those of two tables, each of which is free of duplicates.
    """
    shape = (len(users), len(items))
    try:
        indptr, indices, data, times = kernels.coo_to_csr(
            rows, cols, values, times, *shape, rule, n_threads
        )
    except ValueError:
        if rule != "error":
            raise
        keys = rows.astype(np.int64) * max(len(items), 1) + cols
        distinct, counts = np.unique(keys, return_counts=True)
        most = int(counts.argmax())
        repeated = (len(keys) - len(distinct), int(distinct[most]), int(counts[most]))
        refuse_repeated([repeated], users, items, of_two=of_two)
    if rule in ("sum", "mean") and len(data) != len(values) and not np.isfinite(data).all():
        raise ValueError("the sum of repeated rows overflows: scale the values down")
    return wrap_csr(indptr, indices, data, shape), times


def refuse_repeated(
    repeated: Sequence[Sequence[int]], users: IdMap, items: IdMap, *, of_two: bool = False
) -> None:
    """Raise ValueError where rows repeat a pair of user and item and no rule combines them.

    ``repeated`` holds, for each part of the rows, the number of surplus rows, the most frequent
    pair as user x n_items + item, and the number of its rows.
    """
    if not repeated:
        return
    n = sum(part[0] for part in repeated)
    _, key, count = max(repeated, key=lambda part: part[2])
    row, col = divmod(key, max(len(items), 1))
    pair = f"user {users.take([row]).ids.item(0)!r} with item {items.take([col]).ids.item(0)!r}"
    which = (
        f"{n} pairs of user and item are among the old rows and the new ones, e.g. {pair}"
        if of_two
        else f"{n} rows repeat a pair of user and item, e.g. {pair} in {count} rows"
    )
    # Of two tables one value each is known, not the rows: these two rules would need the rows.
    rules = [rule for rule in RULES[:-1] if not (of_two and rule in ("first", "count"))]
    raise ValueError(
        f"{which}: say by duplicates= how they are combined, one of {', '.join(rules)}"
    ) from None


def refuse_other_maps(**maps: Any) -> None:
    """Raise TypeError for maps of users or items that are no `IdMap`."""
    for name, ids in maps.items():
        if ids is not None and not isinstance(ids, IdMap):
            raise TypeError(
                f"{name} must be an IdMap, such as {name} of other interactions, got "
                f"{type(ids).__name__}: make one of a list of ids by IdMap.from_values(ids)[0]"
            )


def prepare(
    columns: dict[str, Column],
    labels: Mapping[str, str],
    *,
    weights: Mapping[Any, float] | None,
    duplicates: str | None,
    nulls: str,
    users: IdMap | None,
    items: IdMap | None,
    unknown: str,
    keep_events: bool,
    dtype: DTypeLike | None,
    n_threads: int,
    options: ReadOptions,
    source: OpenTable | None = None,
) -> Triplets:
    """Return numbered rows: ids as codes, without dropped rows, values and times as numbers."""
    as_choice(nulls, "nulls", ("error", "drop"))
    as_choice(unknown, "unknown", ("error", "drop"))
    as_bool(keep_events, "keep_events")
    refuse_other_maps(users=users, items=items)
    if duplicates is None:
        duplicates = "error" if "value" in columns else "sum"
    as_choice(duplicates, "duplicates", RULES)
    if ("event" in columns) != (weights is not None):
        raise ValueError(
            "event= (a column) and weights= (weight of each kind of event) go together"
        )
    notes = [] if source is None else source.notes
    n = columns["user"].n_rows
    drops = _Drops(n)
    _drop_nulls(columns, labels, nulls, options, source, drops)
    numbered = {}
    for role, known in (("user", users), ("item", items)):
        codes, ids, is_unknown = _number(
            columns.pop(role), labels[role], known, unknown, n_threads, notes
        )
        numbered[role] = _Ids(codes, ids, is_given=known is not None)
        if is_unknown is not None:
            drops.add(is_unknown, f"unknown {role}")
    factors = None
    if weights is not None:
        factors = event_weight_of_rows(columns.pop("event"), labels["event"], weights, n_threads)
        drops.add(factors == 0, "event of weight 0")
    if "label" in columns:
        numbered["label"] = _Ids(*IdMap._number(columns.pop("label"), labels["label"], n_threads))
    keep = drops.keep
    if keep is not None:
        numbered = {role: ids.kept(keep) for role, ids in numbered.items()}
        factors = factors if factors is None else factors[keep]
    by_user, by_item, label = numbered["user"], numbered["item"], numbered.get("label")
    values, times, time_unit = _values_and_times(
        columns, labels, keep, len(by_user.codes), options, source
    )
    if factors is not None:
        values = values * factors
    log_notes(notes)
    return Triplets(
        rows=by_user.codes,
        cols=by_item.codes,
        values=narrow(values, dtype, labels.get("value", "value")),
        times=times,
        time_unit=time_unit,
        users=by_user.ids,
        items=by_item.ids,
        rule=duplicates,
        n_read=n,
        n_threads=n_threads,
        keep_events=keep_events,
        dropped=drops.causes,
        notes=notes,
        label_codes=None if label is None else label.codes,
        labels=None if label is None else label.ids,
    )


@dataclass(frozen=True)
class _Ids:
    """The ids of one column of a table: the code of each row, and the id of each code."""

    codes: NDArray[np.int32]
    ids: IdMap
    is_given: bool = False  # by the caller, so that it keeps ids without a row

    def kept(self, keep: NDArray[np.bool_]) -> _Ids:
        """Return the ids of some rows; a map that was made of the rows loses what none has."""
        codes = self.codes[keep]
        if self.is_given:
            return _Ids(codes, self.ids, is_given=True)
        return _Ids(*self.ids._compact(codes))


def _drop_nulls(
    columns: Mapping[str, Column],
    labels: Mapping[str, str],
    nulls: str,
    options: ReadOptions,
    source: OpenTable | None,
    drops: _Drops,
) -> None:
    """Refuse nulls in any column, or drop their rows."""
    for role, column in columns.items():
        if options.null_values:
            _add_null_words(column, options.null_values)
        if column.null is not None and len(column.null):
            if nulls == "error":
                raise ValueError(_null_message(column.null, labels[role], source))
            drops.add(column.null, f"null {role}")


def _values_and_times(
    columns: dict[str, Column],
    labels: Mapping[str, str],
    keep: NDArray[np.bool_] | None,
    n_rows: int,
    options: ReadOptions,
    source: OpenTable | None,
) -> tuple[NDArray[Any], NDArray[np.int64] | None, str | None]:
    """Return values (1 without a column), times and their unit of the rows that are kept."""

    def where(role: str) -> Where:
        return lambda text: "" if source is None else source.where_text(role, text)

    values: NDArray[Any] = np.ones(n_rows, dtype=np.float32)
    if "value" in columns:
        column = columns.pop("value")
        values = column_values(column, keep, labels["value"], options, where("value"))
    times, unit = None, None
    if "time" in columns:
        column = columns.pop("time")
        times, unit = column_times(column, keep, labels["time"], options, where("time"))
    return values, times, unit


class _Drops:
    """Rows to drop, each counted under its first cause."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.keep: NDArray[np.bool_] | None = None
        self.causes: dict[str, int] = {}

    def add(self, rows: NDArray[np.bool_], cause: str) -> None:
        if self.keep is not None:
            rows = rows & self.keep
        count = int(rows.sum())
        if count:
            self.causes[cause] = count
            self.keep = ~rows if self.keep is None else self.keep & ~rows


def _null_message(null: NDArray[np.bool_], label: str, source: OpenTable | None) -> str:
    first, n = int(null.argmax()), int(null.sum())
    nulls = counted(n, "null")
    where = "" if source is None else source.where_row(first)
    return (
        f"{label} holds {nulls}, the first in row {first}{where}: clean the table "
        "or pass nulls='drop' to leave their rows out"
    )


def _add_null_words(column: Column, words: Sequence[str]) -> None:
    """Mark cells that are one of some words as nulls."""
    if column.kind != "str":
        return
    entries = np.zeros(column.n_entries, dtype=bool)
    for word in words:
        entries |= _equals(column, word.encode())
    if entries.any():
        null = entries if column.codes is None else entries[column.codes]
        column.null = null if column.null is None else column.null | null


def _equals(column: Column, word: bytes) -> NDArray[np.bool_]:
    """Return which entries of a column of text are a word."""
    assert column.offsets is not None
    is_word: NDArray[np.bool_] = np.diff(column.offsets) == len(word)
    if word and is_word.any():
        starts = np.asarray(column.offsets[:-1])[is_word]
        letters = column.values[starts[:, None] + np.arange(len(word))]
        is_word[is_word] = (letters == np.frombuffer(word, dtype=np.uint8)).all(axis=1)
    return is_word


def _number(
    column: Column, name: str, known: IdMap | None, unknown: str, n_threads: int, notes: list[str]
) -> tuple[NDArray[np.int32], IdMap, NDArray[np.bool_] | None]:
    """Return codes, their map, and with a given map which rows hold an id that is not in it."""
    column = _as_whole_ids(column, name, notes)
    codes, ids = IdMap._number(column, name, n_threads)
    if ids.kind == "str":
        notes.extend(_frequent_placeholders(codes, ids._column(), name))
        notes.extend(_blanks_around(ids._column(), name))
    if known is None:
        return codes, ids, None
    rows = known._find(ids._column()).astype(np.int32)
    strange = np.flatnonzero(rows < 0)
    if len(strange) and unknown == "error":
        raise KeyError(
            f"{name} holds {len(strange)} ids that the given map lacks, e.g. "
            f"{ids.take(strange[:1]).ids.item(0)!r}: pass unknown='drop' to leave their rows out"
        )
    codes = np.append(rows, np.int32(-1))[codes]
    return codes, known, codes < 0


def _as_whole_ids(column: Column, name: str, notes: list[str]) -> Column:
    """Return floats that are all whole as whole numbers: pandas writes 1.0 beside a null."""
    if column.kind == "decimal":
        return exact_ids(column, name)
    if column.kind != "float" or not column.n_entries:
        return column
    values = column.values
    if column.null is not None and column.codes is None:
        values = np.where(column.null, 0.0, values)
    integers = Lookup.exact_ints(Column("float", values))
    if not (integers == values).all():
        return column
    notes.append(f"{name}: ids such as 1.0 are read as the whole number 1")
    return Column("int", integers, None, column.codes, column.null)


def _blanks_around(ids: Column, name: str) -> list[str]:
    """Return a note on ids that begin or end with a blank, which makes other ids of them."""
    assert ids.offsets is not None
    filled = np.flatnonzero(np.diff(ids.offsets))
    ends = np.stack([ids.offsets[filled], ids.offsets[filled + 1] - 1])
    blank = filled[(ids.values[ends] == ord(" ")).any(axis=0)]
    if not len(blank):
        return []
    entry = int(blank[0])
    text = bytes(ids.values[ids.offsets[entry] : ids.offsets[entry + 1]]).decode()
    return [
        f"{name}: {counted(len(blank), 'id')} with blanks around, such as {text!r}, which is not "
        f"{text.strip()!r}: strip the column if they are the same"
    ]


def _frequent_placeholders(codes: NDArray[np.int32], ids: Column, name: str) -> list[str]:
    """Return notes on ids that are words for a missing value, and frequent."""
    assert ids.offsets is not None
    longest = max(map(len, _PLACEHOLDERS))
    lengths = np.bincount(np.minimum(np.diff(ids.offsets), longest + 1), minlength=longest + 1)
    notes = []
    for word in _PLACEHOLDERS:
        entries = np.flatnonzero(_equals(ids, word.encode())) if lengths[len(word)] else ()
        for entry in entries:
            share = np.count_nonzero(codes == entry) / max(len(codes), 1)
            if share >= _FREQUENT:
                notes.append(
                    f"{name}: {share:.0%} of the rows have the id {word!r}, which may stand for a "
                    f"missing value; null_values=[{word!r}] reads it so"
                )
    return notes
