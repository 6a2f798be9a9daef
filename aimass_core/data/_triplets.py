"""From the columns of a table to numbered (user, item, value, time) rows, every drop counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray

from .. import kernels
from ..base.threads import resolve_n_threads
from ..base.validation import _wrap_csr, as_choice
from ._column import Column
from ._time import column_times
from ._values import column_values, event_weight_of_rows, narrow
from .idmap import IdMap
from .tables import Table, read_columns

__all__ = ["RULES", "Triplets", "merge_triplets", "prepare", "read_triplets"]

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
    dropped: dict[str, int] = field(default_factory=dict)
    label_codes: NDArray[np.int32] | None = None
    labels: IdMap | None = None

    def labelled(self) -> tuple[NDArray[np.int32], IdMap]:
        """The label of each row, as codes and their map."""
        assert self.label_codes is not None and self.labels is not None  # noqa: PT018
        return self.label_codes, self.labels

    def build(
        self, part: NDArray[np.bool_] | None = None
    ) -> tuple[sp.csr_array, NDArray[np.int64] | None, dict[str, Any]]:
        """Matrix, timestamps and report of all rows or a part of them."""
        rows, cols, values, times = self.rows, self.cols, self.values, self.times
        if part is not None:
            rows, cols, values = rows[part], cols[part], values[part]
            times = None if times is None else times[part]
        matrix, times = merge_triplets(
            rows, cols, values, times, self.users, self.items, self.rule, self.n_threads
        )
        report = {
            "rows_read": self.n_read,
            "rows_dropped": dict(self.dropped),
            "rows_merged": len(rows) - matrix.nnz,
            "interactions": matrix.nnz,
            "duplicates": self.rule,
        }
        return matrix, times, report


def read_triplets(
    table: Table,
    *,
    user: str,
    item: str,
    value: str | None = None,
    time: str | None = None,
    event: str | None = None,
    label: str | None = None,
    label_role: str = "label",
    event_weights: Mapping[Any, float] | None = None,
    duplicates: str | None = None,
    nulls: str = "error",
    users: IdMap | None = None,
    items: IdMap | None = None,
    unknown: str = "error",
    dtype: DTypeLike | None = None,
    n_threads: int | None = None,
) -> Triplets:
    """The arguments of `Interactions.from_table`, and a column that tells parts of it apart."""
    given = {"user": user, "item": item, "value": value, "time": time, "event": event}
    wanted = {role: name for role, name in given.items() if name is not None}
    if label is not None:
        wanted[label_role] = label
    columns = read_columns(table, wanted)
    labels = {role: f"{role}={name!r}" for role, name in wanted.items()}
    if label is not None:
        columns["label"], labels["label"] = columns.pop(label_role), labels.pop(label_role)
    return prepare(
        columns, labels, event_weights=event_weights, duplicates=duplicates, nulls=nulls,
        users=users, items=items, unknown=unknown, dtype=dtype,
        n_threads=resolve_n_threads(n_threads),
    )  # fmt: skip


def merge_triplets(
    rows: NDArray[np.int32],
    cols: NDArray[np.int32],
    values: NDArray[Any],
    times: NDArray[np.int64] | None,
    users: IdMap,
    items: IdMap,
    rule: str,
    n_threads: int,
) -> tuple[sp.csr_array, NDArray[np.int64] | None]:
    """The canonical CSR of triplets; a forbidden duplicate is named by its ids."""
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
        row, col = divmod(int(distinct[counts.argmax()]), max(len(items), 1))
        raise ValueError(
            f"{len(keys) - len(distinct)} rows repeat a pair of user and item, e.g. user "
            f"{users.take([row]).ids.item(0)!r} with item {items.take([col]).ids.item(0)!r} in "
            f"{counts.max()} rows: say by duplicates= what becomes of them, one of "
            f"{', '.join(RULES[:-1])}"
        ) from None
    if rule in ("sum", "mean") and len(data) != len(values) and not np.isfinite(data).all():
        raise ValueError("the sum of repeated rows overflows: scale the values down")
    return _wrap_csr(indptr, indices, data, shape), times


def prepare(
    columns: dict[str, Column],
    labels: Mapping[str, str],
    *,
    event_weights: Mapping[Any, float] | None,
    duplicates: str | None,
    nulls: str,
    users: IdMap | None,
    items: IdMap | None,
    unknown: str,
    dtype: DTypeLike | None,
    n_threads: int,
) -> Triplets:
    """Number the ids, drop what is to be dropped, make values and times plain numbers."""
    as_choice(nulls, "nulls", ("error", "drop"))
    as_choice(unknown, "unknown", ("error", "drop"))
    if duplicates is None:
        duplicates = "error" if "value" in columns else "sum"
    as_choice(duplicates, "duplicates", RULES)
    if ("event" in columns) != (event_weights is not None):
        raise ValueError("event= (a column) and event_weights= (weight of each event) go together")
    n = columns["user"].n_rows
    drops = _Drops(n)
    for role, column in columns.items():
        if column.null is None:
            continue
        if nulls == "error":
            raise ValueError(
                f"{labels[role]} holds {int(column.null.sum())} nulls, the first in row "
                f"{int(column.null.argmax())}: clean the table or pass nulls='drop'"
            )
        drops.add(column.null, f"null {role}")
    rows, user_map, new = _number(columns.pop("user"), labels["user"], users, unknown, n_threads)
    if new is not None:
        drops.add(new, "unknown user")
    cols, item_map, new = _number(columns.pop("item"), labels["item"], items, unknown, n_threads)
    if new is not None:
        drops.add(new, "unknown item")
    weights = None
    if event_weights is not None:
        weights = event_weight_of_rows(
            columns.pop("event"), labels["event"], event_weights, n_threads
        )
        drops.add(weights == 0, "event of weight 0")
    extra, extra_map = None, None
    if "label" in columns:
        extra, extra_map = IdMap._number(columns.pop("label"), labels["label"], n_threads)
    keep = drops.keep
    if keep is not None:
        rows, cols = rows[keep], cols[keep]
        if users is None:
            rows, user_map = user_map._compact(rows)
        if items is None:
            cols, item_map = item_map._compact(cols)
        if extra is not None and extra_map is not None:
            extra, extra_map = extra_map._compact(extra[keep])
        weights = weights if weights is None else weights[keep]
    values: NDArray[Any]
    if "value" in columns:
        values = column_values(columns.pop("value"), keep, labels["value"])
    else:
        values = np.ones(len(rows), dtype=np.float32)
    if weights is not None:
        values = values * weights
    times, time_unit = None, None
    if "time" in columns:
        times, time_unit = column_times(columns.pop("time"), keep, labels["time"])
    return Triplets(
        rows, cols, narrow(values, dtype, labels.get("value", "value")), times, time_unit,
        user_map, item_map, duplicates, n, n_threads, drops.causes, extra, extra_map,
    )  # fmt: skip


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


def _number(
    column: Column, name: str, known: IdMap | None, unknown: str, n_threads: int
) -> tuple[NDArray[np.int32], IdMap, NDArray[np.bool_] | None]:
    """Codes, their map, and with a given map which rows hold an id that is not in it."""
    codes, found = IdMap._number(column, name, n_threads)
    if known is None:
        return codes, found, None
    rows = known._find(found._column()).astype(np.int32)
    strange = np.flatnonzero(rows < 0)
    if len(strange) and unknown == "error":
        raise KeyError(
            f"{name} holds {len(strange)} ids that the given map lacks, e.g. "
            f"{found.take(strange[:1]).ids.item(0)!r}: pass unknown='drop' to leave their rows out"
        )
    codes = np.append(rows, np.int32(-1))[codes]
    return codes, known, codes < 0
