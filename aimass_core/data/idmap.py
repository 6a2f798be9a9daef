"""The ids of the caller and the rows of a matrix: `IdMap`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..base.registry import register
from ..base.text import counted
from ..base.threads import resolve_n_threads
from ..base.validation import as_collection
from ._column import Column
from ._convert import from_any
from ._factorize import Lookup, compact, factorize, n_distinct, take_entries, unsigned

__all__ = ["IdMap"]

_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


@register("idmap")
class IdMap:
    """An immutable numbering of ids: row ``i`` of a matrix belongs to ``ids[i]``.

    Build one with `from_values`, `from_range` or `from_arrays`.

    Parameters
    ----------
    kind : str
        ``"int"``, ``"uint"`` (unsigned 64-bit ids, some of which exceed 2**63 - 1), ``"float"``,
        ``"bool"``, ``"str"``, ``"bytes"``, ``"datetime64[unit]"`` or ``"range"`` (the ids are the
        row numbers themselves).
    values : ndarray
        Distinct ids as int64 or float64 (those of ``"uint"`` minus 2**63); the bytes of all
        strings as uint8.
    offsets : ndarray of int64, optional
        For strings: id ``i`` is ``values[offsets[i]:offsets[i + 1]]`` in UTF-8.
    name : str, optional
        Name of the column that the ids come from. Tables and files of lists use it again.

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

    __slots__ = ("_ids", "_kind", "_lookup", "_name", "_offsets", "_values")

    def __init__(
        self,
        kind: str,
        values: NDArray[Any],
        offsets: NDArray[np.int64] | None = None,
        name: str | None = None,
    ) -> None:
        self._kind = kind
        self._values = values
        self._offsets = offsets
        self._name = name
        self._ids: NDArray[Any] | None = None
        self._lookup: Lookup | None = None
        values.flags.writeable = False

    # ---- construction ------------------------------------------------------------------------

    @classmethod
    def from_values(
        cls, values: ArrayLike, *, n_threads: int | None = None
    ) -> tuple[IdMap, NDArray[np.int32]]:
        """Return the distinct values, numbered in ascending order.

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
        if column.null is not None and len(column.null):
            raise ValueError(
                f"values holds {counted(int(column.null.sum()), 'null')}, the first at position "
                f"{int(column.null.argmax())}: drop these rows"
            )
        codes, ids = cls._number(column, "values", resolve_n_threads(n_threads))
        return ids, codes

    @classmethod
    def from_range(cls, n: int) -> IdMap:
        """Return a map whose ids are the row numbers themselves.

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
    def from_arrays(
        cls, kind: str, arrays: Mapping[str, NDArray[Any]], name: str | None = None
    ) -> IdMap:
        """Rebuild a map from the arrays that `to_arrays` returned.

        Parameters
        ----------
        kind : str
            The `kind` of the map.
        arrays : mapping
            ``values``, for strings also ``offsets``.
        name : str, optional
            The `name` of the map.

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
        if name is not None and not isinstance(name, str):
            raise ValueError(f"the name of an id map must be text, got {name!r}")
        ids = cls._of(_checked_entries(kind, arrays), name)
        if kind != "range" and n_distinct(ids._column()) != len(ids):
            raise ValueError("the arrays of the id map hold an id twice")
        return ids

    @classmethod
    def _of(cls, column: Column, name: str | None = None) -> IdMap:
        return cls(column.kind, column.values, column.offsets, name)

    @classmethod
    def _number(cls, column: Column, name: str, n_threads: int) -> tuple[NDArray[np.int32], IdMap]:
        """Return codes (null: -1) and map of a column."""
        codes, ids = factorize(column, name, n_threads)
        return codes, cls._of(ids)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the map as plain arrays, for files.

        Returns
        -------
        dict of str to ndarray
            ``values`` (int64, float64 or uint8), for strings also ``offsets`` (int64).
        """
        arrays = {"values": self._values}
        if self._offsets is not None:
            arrays["offsets"] = self._offsets
        return arrays

    # ---- content -----------------------------------------------------------------------------

    def _column(self) -> Column:
        if self._kind == "range":
            return Column("int", np.arange(len(self), dtype=np.int64))
        return Column(self._kind, self._values, self._offsets)

    @property
    def kind(self) -> str:
        """Type of the ids, as in the constructor."""
        return self._kind

    @property
    def name(self) -> str | None:
        """Name of the column that the ids come from, None where there is none."""
        return self._name

    def named(self, name: str | None) -> IdMap:
        """Return the same map under another name.

        Parameters
        ----------
        name : str or None
            Name of the column of ids, for tables and files.

        Returns
        -------
        IdMap
            Shares all arrays with this one.
        """
        return IdMap(self._kind, self._values, self._offsets, name)

    @property
    def ids(self) -> NDArray[Any]:
        """The ids in row order, read-only.

        int64, uint64, float64, bool or datetime64; object array of str or bytes for strings (made
        at the first use).
        """
        if self._ids is None:
            column = self._column()
            if column.offsets is not None:
                ids = np.empty(len(self), dtype=object)
                ids[:] = list(column.strings())
            elif column.kind == "bool":
                ids = column.values.astype(bool)
            elif column.kind == "uint":
                ids = unsigned(column.values)
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

    # ---- look-up -----------------------------------------------------------------------------

    def _find(self, column: Column) -> NDArray[np.int64]:
        """Return the row of each row of a column, -1 where there is none."""
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
        """Return the rows of ids, -1 for those that are unknown.

        Parameters
        ----------
        ids : id or collection of ids
            A list, array, Series, set or generator. A single id counts as a list of one.
            Numbers match by value (``2.0`` finds ``2``), a string never matches a number.

        Returns
        -------
        ndarray of int64, shape (n,)
            Rows in this map, or -1.
        """
        return self._find(_as_column(ids))

    def index(self, ids: Any, *, what: str = "id") -> NDArray[np.int64]:
        """Return the rows of ids, all of which must be known.

        Parameters
        ----------
        ids : id or collection of ids
            A list, array, Series, set or generator. A single id counts as a list of one.
        what : str, default "id"
            What the ids stand for, for the message.

        Returns
        -------
        ndarray of int64, shape (n,)
            Rows in this map.

        Raises
        ------
        KeyError
            Naming up to five ids that are unknown.
        """
        ids = as_collection(ids)
        rows = self._find(_as_column(ids))
        if len(rows) and rows.min() < 0:
            unknown = np.flatnonzero(rows < 0)
            given = [ids] if _is_scalar(ids) else list(ids)
            shown = [given[position] for position in unknown[:5].tolist()]
            texts = [repr(i.item() if isinstance(i, np.generic) else i) for i in shown]
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            twin = self._twin(shown[0])
            hint = "" if twin is None else f", among them {twin!r} of type {type(twin).__name__}"
            if twin is None and len(self):
                hint = f", such as {self.take([0]).ids.item(0)!r}"
            raise KeyError(
                f"unknown {what} {', '.join(texts)}{more} (at position {unknown[0]}; "
                f"{len(unknown)} of {len(rows)} are unknown; the known ones are "
                f"{len(self)} ids of kind {self._kind!r}{hint})"
            )
        return rows

    def parse(self, text: Any) -> Any:
        """Return an id that is given as text, such as a part of a URL, in the type of these ids.

        Parameters
        ----------
        text : str
            One id. Anything else than text is returned as it is.

        Returns
        -------
        int, float, bytes, datetime64 or str
            The text itself where it is not written as ids of this type are, so that it is unknown:
            ``007`` and ``x7`` are not the number 7, and no number has more than 64 bits.

        Examples
        --------
        >>> from aimass_core import Interactions
        >>> users = Interactions.from_arrays([7, 8], ["tea", "pie"]).users
        >>> users.parse("7"), users.parse("007"), users.parse("eve")
        (7, '007', 'eve')
        """
        if not isinstance(text, str):
            return text
        if self._kind == "bytes":
            return text.encode()
        try:
            if self._kind.startswith("datetime64"):
                return np.datetime64(text) if text[:1].isdigit() else text
            if self._kind == "float":
                return float(text) if _FLOAT.fullmatch(text) else text
            if self._kind in ("int", "uint", "range") and _WHOLE.fullmatch(text):
                value = int(text)
                return value if -(2**63) <= value < 2**64 else text
        except ValueError:
            return text
        return text

    def _twin(self, value: Any) -> Any:
        """Return the known id that is written as an unknown one, but of another type, or None."""
        if isinstance(value, str):
            twin = self.parse(value)
        elif self._kind == "str" and not isinstance(value, bytes):
            is_whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
            twin = str(int(value)) if is_whole else str(value)
        else:
            return None
        return twin if type(twin) is not type(value) and twin in self else None

    def _refuse_twins(self, ids: Any, rows: NDArray[np.int64], name: str) -> None:
        """Raise TypeError where an unknown id is a known one, written in another type."""
        unknown = np.flatnonzero(rows < 0)[:100].tolist()
        if not unknown:
            return
        given = list(ids)
        for value in (given[position] for position in unknown):
            twin = self._twin(value)
            if twin is not None:
                raise TypeError(
                    f"{name} holds {value!r} of type {type(value).__name__}, but the known ids "
                    f"are of kind {self._kind!r}, {twin!r} among them: give ids of that kind "
                    "(IdMap.parse converts text)"
                )

    def __contains__(self, value: object) -> bool:
        try:
            return bool(self.get([value])[0] >= 0)
        except (TypeError, ValueError):
            return False

    def to_ids(self, indices: ArrayLike, *, missing: Any = None) -> NDArray[Any]:
        """Return the ids of rows.

        Parameters
        ----------
        indices : array-like of int, any shape
            Rows of this map; -1 stands for "nothing here".
        missing : object, default None
            What stands where the row is -1. None gives an object array if there is such a row;
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

    # ---- other maps --------------------------------------------------------------------------

    def take(self, rows: ArrayLike) -> IdMap:
        """Return the map of some of the rows.

        Parameters
        ----------
        rows : array-like of int
            Distinct rows of this map, in the order wanted.

        Returns
        -------
        IdMap
            ``ids[rows]`` as a map; of kind ``"int"`` where this one is a range.
        """
        column = take_entries(self._column(), np.asarray(rows, dtype=np.int64))
        return IdMap._of(column, self._name)

    def extend(self, values: ArrayLike) -> tuple[IdMap, NDArray[np.int32]]:
        """Append the ids that are new; known ones keep their rows.

        Parameters
        ----------
        values : array-like of shape (n,)
            Ids of the same type, known or new, repeated or not. Floats that are whole numbers
            count as whole numbers.

        Returns
        -------
        ids : IdMap
            This map's ids, then the new ones in ascending order. This map itself stays.
        codes : ndarray of int32, shape (n,)
            The row of each value in the new map.

        Raises
        ------
        TypeError
            For ids of another type.
        """
        new, codes = IdMap.from_values(values)
        rows, extended = self._merge(new)
        return extended, rows[codes].astype(np.int32)

    def _compact(self, codes: NDArray[np.int32]) -> tuple[NDArray[np.int32], IdMap]:
        """Return the map of the rows that occur among the codes, and the codes in it."""
        codes, kept = compact(codes, self._column())
        return codes, IdMap._of(kept, self._name)

    def _merge(self, other: IdMap) -> tuple[NDArray[np.int64], IdMap]:
        """Return the rows of the other's ids in this map with its new ids, and that map."""
        rows = self._find(other._column())
        new = np.flatnonzero(rows < 0)
        if len(new) == 0:
            return rows, self
        if len(self) == 0:
            return np.arange(len(other)), other.named(self._name or other._name)
        mine, added = _of_one_kind(self._column(), other.take(new)._column())
        rows[new] = len(self) + np.arange(len(new))
        values = np.concatenate([mine.values, added.values])
        if mine.offsets is None or added.offsets is None:
            return rows, IdMap(mine.kind, values, None, self._name)
        offsets = np.concatenate([mine.offsets, added.offsets[1:] + mine.offsets[-1]])
        return rows, IdMap(mine.kind, values, offsets, self._name)

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
        return IdMap.from_arrays, (self._kind, self.to_arrays(), self._name)

    def __repr__(self) -> str:
        shown = ", ".join(repr(x) for x in self.take(np.arange(min(3, len(self)))).ids.tolist())
        more = ", ..." * (len(self) > 3)
        return f"IdMap({counted(len(self), 'id')} of kind {self._kind!r}: {shown}{more})"


def _of_one_kind(mine: Column, added: Column) -> tuple[Column, Column]:
    """Return both columns as one kind; integers may be floats or unsigned."""
    if mine.kind == added.kind:
        return mine, added
    kinds = {mine.kind, added.kind}
    if kinds == {"int", "float"}:
        given = added if added.kind == "float" else mine
        exact = Lookup.exact_ints(given)
        if (exact == given.values).all():
            integers = Column("int", exact)
            return (mine, integers) if given is added else (integers, added)
    if kinds == {"int", "uint"}:
        given = added if added.kind == "int" else mine
        if (given.values >= 0).all():
            shifted = Column("uint", given.values ^ np.int64(np.iinfo(np.int64).min))
            return (mine, shifted) if given is added else (shifted, added)
    shown: list[Any] = IdMap._of(added).ids[:1000].tolist()
    if added.kind == "str":  # the text because of which they are no numbers
        shown.sort(key=lambda text: text.lstrip("-").isdigit())
    raise TypeError(
        f"ids of kind {added.kind}, such as {shown[0]!r}, cannot be added to ids of kind "
        f"{mine.kind}: convert the new ids to the type of the known ones"
    )


def _checked_entries(kind: str, arrays: Mapping[str, NDArray[Any]]) -> Column:
    """Return the arrays of a map out of a file, refused if they cannot be those of its kind."""
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
            base in ("int", "uint", "float", "bool", "datetime64", "range")
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
    columns = getattr(ids, "column_names", getattr(ids, "columns", None))
    if columns is not None and not callable(columns) and hasattr(ids, "__len__"):
        example = f", such as table[{columns[0]!r}]" if len(columns) else ""
        raise TypeError(f"ids must be one column or list, got a table: pass its column{example}")
    ids = as_collection(ids)
    return from_any([ids] if _is_scalar(ids) else ids, "ids")
