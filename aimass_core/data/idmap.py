"""Ids of the caller <-> rows of a matrix: int, string, float, bool, datetime, any but nested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..base.registry import register
from ..base.threads import resolve_n_threads
from ._column import Column
from ._convert import from_any
from ._factorize import compact, factorize, n_distinct, take_entries
from ._ids import Ids, checked_entries

__all__ = ["IdMap"]


@register("idmap")
class IdMap(Ids):
    """An immutable numbering of ids: row ``i`` of a matrix belongs to ``ids[i]``.

    Build one with `from_values`, `from_range` or `from_arrays`.

    Parameters
    ----------
    kind : str
        ``"int"``, ``"float"``, ``"bool"``, ``"str"``, ``"bytes"``, ``"datetime64[unit]"`` or
        ``"range"`` (the ids are the row numbers themselves).
    values : ndarray
        Distinct ids as int64 or float64; the bytes of all strings as uint8.
    offsets : ndarray of int64, optional
        For strings: id ``i`` is ``values[offsets[i]:offsets[i + 1]]`` in UTF-8.

    Notes
    -----
    Numbers take 8 bytes an id, strings their bytes and 8 more. A look-up of numbers is a binary
    search; the first look-up of strings builds a dictionary (about 150 bytes an id).

    Examples
    --------
    >>> from aimass_core import IdMap
    >>> users, rows = IdMap.from_values(["eve", "bob", "eve"])
    >>> rows.tolist(), list(users.ids)
    ([1, 0, 1], ['bob', 'eve'])
    >>> users.to_ids([1, -1]).tolist()
    ['eve', None]
    """

    __slots__ = ()

    @classmethod
    def _of(cls, column: Column) -> IdMap:
        return cls(column.kind, column.values, column.offsets)

    @classmethod
    def _number(cls, column: Column, name: str, n_threads: int) -> tuple[NDArray[np.int32], IdMap]:
        """Codes (null: -1) and map of a column."""
        codes, found = factorize(column, name, n_threads)
        return codes, cls._of(found)

    def _compact(self, codes: NDArray[np.int32]) -> tuple[NDArray[np.int32], IdMap]:
        """The map of the rows that occur among the codes, and the codes in it."""
        codes, left = compact(codes, self._column())
        return codes, IdMap._of(left)

    @classmethod
    def from_values(
        cls, values: ArrayLike, *, n_threads: int | None = None
    ) -> tuple[IdMap, NDArray[np.int32]]:
        """Number the distinct values in ascending order.

        Parameters
        ----------
        values : array-like of shape (n,)
            Array, list, Series or Arrow array; repeated values are one id, nulls are refused.
        n_threads : int, optional
            Default: the CPUs of this process.

        Returns
        -------
        ids : IdMap
            The distinct values, ascending (strings in order of their code points).
        codes : ndarray of int32, shape (n,)
            The row of each value.

        Raises
        ------
        ValueError
            For nulls (None, NaN, NaT).
        TypeError
            For values that are neither numbers, strings nor datetimes, or of several types.
        """
        column = from_any(values, "values")
        if column.null is not None:
            raise ValueError(
                f"values holds {int(column.null.sum())} nulls, the first at position "
                f"{int(column.null.argmax())}: drop these rows"
            )
        codes, found = cls._number(column, "values", resolve_n_threads(n_threads))
        return found, codes

    @classmethod
    def from_range(cls, n: int) -> IdMap:
        """The row numbers themselves as ids.

        Parameters
        ----------
        n : int
            Number of ids: 0, 1, ..., n - 1.

        Returns
        -------
        IdMap
            Of kind ``"range"``; takes no memory.
        """
        return cls("range", np.array([n], dtype=np.int64))

    @classmethod
    def from_arrays(cls, kind: str, arrays: Mapping[str, NDArray[Any]]) -> IdMap:
        """Rebuild a map from what `to_arrays` gave.

        Parameters
        ----------
        kind : str
            The `kind` of the map.
        arrays : mapping
            ``values``, for strings also ``offsets``.

        Returns
        -------
        IdMap
            Equal to the original.

        Raises
        ------
        ValueError
            For arrays that are not those of a map of this kind: repeated ids, offsets out of
            order, a wrong dtype.
        """
        ids = cls._of(checked_entries(kind, arrays))
        if kind != "range" and n_distinct(ids._column()) != len(ids):
            raise ValueError("the arrays of the id map hold an id twice")
        return ids

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The map as plain arrays, for files.

        Returns
        -------
        dict of str to ndarray
            ``values`` (int64, float64 or uint8), for strings also ``offsets`` (int64).
        """
        arrays = {"values": self._values}
        if self._offsets is not None:
            arrays["offsets"] = self._offsets
        return arrays

    def take(self, rows: ArrayLike) -> IdMap:
        """The map of a part of the rows.

        Parameters
        ----------
        rows : array-like of int
            Distinct rows of this map, in the order wanted.

        Returns
        -------
        IdMap
            ``ids[rows]`` as a map; of kind ``"int"`` where this one is a range.
        """
        return IdMap._of(take_entries(self._column(), np.asarray(rows, dtype=np.int64)))

    def extend(self, values: ArrayLike) -> tuple[IdMap, NDArray[np.int32]]:
        """Append the ids that are new; known ones keep their rows.

        Parameters
        ----------
        values : array-like of shape (n,)
            Ids of the same type, known or new, repeated or not.

        Returns
        -------
        ids : IdMap
            This map's ids, then the new ones in ascending order. This map itself stays.
        codes : ndarray of int32, shape (n,)
            The row of each value in the new map.
        """
        found, codes = IdMap.from_values(values)
        rows, extended = self._merge(found)
        return extended, rows[codes].astype(np.int32)

    def _merge(self, other: IdMap) -> tuple[NDArray[np.int64], IdMap]:
        """Rows of the other's ids in this map extended by those that are new, and that map."""
        rows = self._find(other._column())
        new = np.flatnonzero(rows < 0)
        if len(new) == 0:
            return rows, self
        mine, added = self._column(), other.take(new)._column()
        if len(self) == 0:
            return np.arange(len(other)), other
        if mine.kind != added.kind:
            raise TypeError(f"ids of kind {added.kind} cannot be added to ids of kind {mine.kind}")
        rows[new] = len(self) + np.arange(len(new))
        values = np.concatenate([mine.values, added.values])
        if mine.offsets is None or added.offsets is None:
            return rows, IdMap(mine.kind, values)
        offsets = np.concatenate([mine.offsets, added.offsets[1:] + mine.offsets[-1]])
        return rows, IdMap(mine.kind, values, offsets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IdMap):
            return NotImplemented
        if self is other:
            return True
        if len(self) != len(other):
            return False
        a, b = self._column(), other._column()
        if a.kind != b.kind or not np.array_equal(a.values, b.values):
            return False
        return a.offsets is None or np.array_equal(a.offsets, np.asarray(b.offsets))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return IdMap.from_arrays, (self._kind, self.to_arrays())

    def __repr__(self) -> str:
        shown = ", ".join(repr(x) for x in self.take(np.arange(min(3, len(self)))).ids.tolist())
        return f"IdMap({len(self)} ids of kind {self._kind!r}: {shown}{', ...' * (len(self) > 3)})"
