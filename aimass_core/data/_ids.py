"""Ids in the order of their rows, and the way from ids to rows and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._column import Column
from ._convert import from_any
from ._factorize import Lookup

__all__ = ["Ids", "checked_entries"]


class Ids:
    """The part of `IdMap` that answers questions.

    Parameters
    ----------
    kind : str
        Type of the ids.
    values : ndarray
        Distinct ids, or the bytes of all strings.
    offsets : ndarray of int64, optional
        Where each string begins and ends.
    """

    __slots__ = ("_ids", "_kind", "_lookup", "_offsets", "_values")

    def __init__(
        self, kind: str, values: NDArray[Any], offsets: NDArray[np.int64] | None = None
    ) -> None:
        self._kind = kind
        self._values = values
        self._offsets = offsets
        self._ids: NDArray[Any] | None = None
        self._lookup: Lookup | None = None
        values.flags.writeable = False

    def _column(self) -> Column:
        if self._kind == "range":
            return Column("int", np.arange(len(self), dtype=np.int64))
        return Column(self._kind, self._values, self._offsets)

    @property
    def kind(self) -> str:
        """Type of the ids, as in the constructor."""
        return self._kind

    @property
    def ids(self) -> NDArray[Any]:
        """The ids in row order, read-only.

        int64, float64, bool or datetime64; object array of str or bytes for strings (made at the
        first use).
        """
        if self._ids is None:
            column = self._column()
            if column.offsets is not None:
                ids = np.empty(len(self), dtype=object)
                ids[:] = list(column.strings())
            elif column.kind == "bool":
                ids = column.values.astype(bool)
            elif column.kind.startswith("datetime64"):
                ids = column.values.view(column.kind)
            else:
                ids = column.values
            ids.flags.writeable = False
            self._ids = ids
        return self._ids

    def __len__(self) -> int:
        if self._kind == "range":
            return int(self._values[0])
        return len(self._values) if self._offsets is None else len(self._offsets) - 1

    def _find(self, column: Column) -> NDArray[np.int64]:
        """The row of each row of a column, -1 where there is none."""
        if self._kind == "range":
            n = len(self)
            rows = Lookup.exact_ints(column)
            rows = np.where((rows >= 0) & (rows < n), rows, -1)
        else:
            if self._lookup is None:
                self._lookup = Lookup(self._column())
            rows = self._lookup.find(column)
        if column.codes is not None:
            rows = rows[column.codes]
        return rows if column.null is None else np.where(column.null, -1, rows)

    def get(self, ids: Any) -> NDArray[np.int64]:
        """The rows of ids, -1 for those that are unknown.

        Parameters
        ----------
        ids : id or array-like of ids
            A single id counts as a list of one. Numbers match by value (``2.0`` finds ``2``), a
            string never matches a number.

        Returns
        -------
        ndarray of int64, shape (n,)
            Rows in this map, or -1.
        """
        return self._find(_as_column(ids))

    def index(self, ids: Any, *, what: str = "id") -> NDArray[np.int64]:
        """The rows of ids, all of which must be known.

        Parameters
        ----------
        ids : id or array-like of ids
            A single id counts as a list of one.
        what : str, default "id"
            What the ids stand for, for the message.

        Returns
        -------
        ndarray of int64, shape (n,)
            Rows in this map.

        Raises
        ------
        KeyError
            Naming the first id that is unknown.
        """
        column = _as_column(ids)
        rows = self._find(column)
        if len(rows) and rows.min() < 0:
            place = int((rows < 0).argmax())
            first = ids if _is_scalar(ids) else list(ids)[place]
            first = first.item() if isinstance(first, np.generic) else first
            raise KeyError(
                f"unknown {what} {first!r} (at position {place}; "
                f"{int((rows < 0).sum())} of {len(rows)} are unknown; the known ones are "
                f"{len(self)} ids of kind {self._kind!r})"
            )
        return rows

    def __contains__(self, value: object) -> bool:
        try:
            return bool(self.get([value])[0] >= 0)
        except (TypeError, ValueError):
            return False

    def to_ids(self, indices: ArrayLike, *, missing: Any = None) -> NDArray[Any]:
        """The ids of rows.

        Parameters
        ----------
        indices : array-like of int, any shape
            Rows of this map; -1 stands for "nothing here".
        missing : object, default None
            What stands where the row is -1. None gives an object array if there is such a place;
            anything else must fit the type of the ids.

        Returns
        -------
        ndarray
            Of the shape of ``indices``.

        Raises
        ------
        IndexError
            For rows outside of the map.
        """
        indices = np.asarray(indices)
        if indices.size and (indices.min() < -1 or indices.max() >= len(self)):
            raise IndexError(f"rows must be -1 or within [0, {len(self)})")
        nowhere = indices < 0
        ids = self.ids if len(self) else np.zeros(1, dtype=self.ids.dtype)
        out: NDArray[Any] = ids[np.where(nowhere, 0, indices)]
        if not nowhere.any():
            return out
        if missing is None:
            out = out.astype(object)
        out[nowhere] = missing
        return out


def checked_entries(kind: str, arrays: Mapping[str, NDArray[Any]]) -> Column:
    """The arrays of a map out of a file, refused if they cannot be those of its kind."""
    values = np.asarray(arrays["values"])
    base = kind.partition("[")[0]
    offsets = None
    if base in ("str", "bytes"):
        offsets = np.asarray(arrays["offsets"])
        good = (
            values.dtype == np.uint8
            and offsets.dtype == np.int64
            and offsets.ndim == values.ndim == 1
            and len(offsets) > 0
            and offsets[0] == 0
            and offsets[-1] == len(values)
            and bool((np.diff(offsets) >= 0).all())
        )
    else:
        good = (
            base in ("int", "float", "bool", "datetime64", "range")
            and values.dtype == (np.float64 if base == "float" else np.int64)
            and values.ndim == 1
            and (base != "range" or (len(values) == 1 and values[0] >= 0))
        )
    if not good:
        raise ValueError(f"the arrays of the id map are not those of kind {kind!r}")
    return Column(kind, values.view(), offsets)


def _is_scalar(ids: Any) -> bool:
    return isinstance(ids, (str, bytes)) or not hasattr(ids, "__len__") or np.ndim(ids) == 0


def _as_column(ids: Any) -> Column:
    return from_any([ids] if _is_scalar(ids) else ids, "ids")
