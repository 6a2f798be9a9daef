"""Users x items as a sparse matrix that keeps the ids of the caller: `Interactions`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import kernels
from ..base.arguments import explains_names
from ..base.csr import keep_entries, with_scipy_indices
from ..base.html import details, named_values, table
from ..base.optional import import_optional
from ..base.registry import register
from ..base.text import counted
from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_csr, csr_parts, wrap_csr
from ..base.with_ids import MatrixWithIds
from ._convert import from_any
from ._events import Events, UngroupedEvents
from ._triplets import RULES, Triplets, merge_triplets, prepare, read_triplets
from .idmap import IdMap
from .readers import ReadOptions
from .tables import Table

if TYPE_CHECKING:
    import os

    from typing_extensions import Self

__all__ = ["Interactions"]

_SHOWN_ENTRIES = 5  # in a notebook
_KINDS_OF_TIMES = {"ns": "dates", "raw": "whole numbers", None: "no times"}  # for messages


@register("interactions")
class Interactions(MatrixWithIds):
    """Users x items in canonical CSR, with the ids of both sides.

    Build one with `from_table`, `from_arrays` or `from_csr`. An object never changes: every method
    returns a new one, and objects share the arrays that are the same.

    Parameters
    ----------
    matrix : sparse array of shape (n_users, n_items)
        Any format of `scipy.sparse`.
    users, items : IdMap
        The ids of its rows and of its columns.
    timestamps : ndarray of int64, shape (nnz,), optional
        The time of each stored entry, aligned with ``matrix.data``.
    time_unit : {"ns", "raw"}, optional
        Nanoseconds since 1970 (from datetime columns), or whole numbers as they were given.
    events : Events or mapping of arrays, optional
        The single events behind the entries, where some were merged from several rows.
    report : dict, optional
        How the rows of the table were used: ``rows_read``, ``rows_dropped`` (by cause),
        ``rows_merged``, ``interactions``, the rule for ``duplicates``, and ``notes`` on everything
        that was recognised, not given.

    Attributes
    ----------
    matrix : csr_array of shape (n_users, n_items)
        ``data`` float32 or float64, rows sorted, no duplicates. ``indptr`` and ``indices`` are
        both int32, or both int64 from 2**31 entries on, so that every SciPy and scikit-learn
        function takes it.
    timestamps : ndarray of int64 or None
        The latest time of the events of each entry (the earliest for ``duplicates="first"``).

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> x = Interactions.from_arrays(["eve", "bob", "eve"], [7, 7, 9])
    >>> x
    Interactions(2 users x 2 items, 3 interactions, float32)
    >>> x.matrix.toarray().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    >>> list(x)
    [('bob', 7, 1.0), ('eve', 7, 1.0), ('eve', 9, 1.0)]
    """

    def __init__(
        self,
        matrix: Any,
        users: IdMap,
        items: IdMap,
        *,
        timestamps: NDArray[np.int64] | None = None,
        time_unit: str | None = None,
        events: Events | UngroupedEvents | Mapping[str, Any] | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        self.matrix: sp.csr_array = with_scipy_indices(as_csr(matrix, "matrix"))
        if self.matrix.shape != (len(users), len(items)):
            raise ValueError(
                f"matrix is {self.matrix.shape[0]} x {self.matrix.shape[1]}, but there are "
                f"{len(users)} user ids and {len(items)} item ids; is it transposed?"
            )
        if timestamps is not None and timestamps.shape != self.matrix.data.shape:
            raise ValueError(
                f"timestamps must have one entry for each of the {self.matrix.nnz} stored values, "
                f"got shape {timestamps.shape}"
            )
        if timestamps is not None and not getattr(matrix, "has_canonical_format", False):
            raise ValueError(
                "matrix must be a CSR with sorted rows and without duplicates, so that timestamps "
                "can go with its entries: call matrix.sum_duplicates() first"
            )
        self.users = users
        self.items = items
        self.timestamps = timestamps
        self.time_unit = time_unit if timestamps is not None else None
        if isinstance(events, Mapping):  # out of a file
            events = Events.from_arrays(events, self.nnz, self.matrix.dtype)
        self._events = events if timestamps is not None else None
        self.report: dict[str, Any] = dict(report or {})

    # ---- construction ------------------------------------------------------------------------

    @classmethod
    @explains_names
    def from_table(
        cls,
        table: Table,
        *,
        user: Any,
        item: Any,
        value: Any = None,
        time: Any = None,
        event: Any = None,
        weights: Mapping[Any, float] | None = None,
        duplicates: str | None = None,
        nulls: str = "error",
        users: IdMap | None = None,
        items: IdMap | None = None,
        unknown: str = "error",
        keep_events: bool = True,
        dtype: DTypeLike | None = None,
        n_threads: int | None = None,
        format: str | None = None,
        separator: str | None = None,
        decimal: str = ".",
        thousands: str | None = None,
        quote: str | None = '"',
        escape: str | None = None,
        encoding: str | None = None,
        skip_rows: int = 0,
        header: bool | None = None,
        names: Sequence[str] | None = None,
        date_format: str | None = None,
        null_values: Sequence[str] = (),
        default_nulls: bool = True,
        sheet: str | int | Sequence[str | int] | None = None,
        member: str | None = None,
        query: Any = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Interactions:
        """Read a table, or several, with one row per event.

        Parameters
        ----------
        table : table, path, or list or iterator of these
            A table in memory: frame of pandas or polars, pyarrow table, reader or dataset, DuckDB
            relation or result, anything else with ``__arrow_c_stream__``, a mapping of names to
            arrays or lists, a structured array. A file: path, URL (``s3://``, ``gs://``,
            ``abfs://``, ``https://``), glob, folder, open binary file, or ``"-"`` for standard
            input. A database: file of SQLite or DuckDB, with ``query`` where it holds several
            tables; DB-API cursor, or a DB-API, ADBC or SQLAlchemy connection with ``query``. Rows
            that name their cells: dictionaries, named tuples, dataclasses, rows of ``sqlite3`` or
            SQLAlchemy. A list or iterator of tables is read as one table. Only the named columns
            are read.
        user, item : str
            Columns of ids: whole numbers, strings, categoricals, floats, decimals, UUIDs, booleans
            or datetimes (those with a time zone become UTC). Floats that are all whole numbers, as
            pandas writes them after a missing value, are read as whole numbers. Ids are numbered
            in ascending order, so the order of the rows does not matter. Columns of a file without
            header and names are numbered from 0.
        value : str, optional
            Column of numbers, also as text; without it every row counts 1.
        time : str, optional
            Column of datetimes, also as text, or of whole numbers.
        event : str, optional
            Column that names the kind of each event; needs ``weights``.
        weights : mapping, optional
            Weight of each kind of event, such as ``{"view": 1, "cart": 3, "buy": 10}``, multiplied
            with the value. Rows of weight 0 are left out.
        duplicates : {"sum", "last", "first", "mean", "max", "min", "count", "error"}, optional
            How several rows of one user and item are combined. ``last`` and ``first`` go by time,
            or by the order of the rows where there is no time. By default ``"sum"`` without a value
            column (so that an entry counts its rows) and ``"error"`` with one: a rating given
            twice has no one right value. The merged entry has the latest time (for ``first`` the
            earliest); the single events are kept in ``events``.
        nulls : {"error", "drop"}, default "error"
            Whether a null (None, NA, NaN, NaT) in any of the columns is an error, or its row is
            dropped and counted in ``report``.
        users, items : IdMap, optional
            Number the ids as these do, e.g. test data as the training data.
        unknown : {"error", "drop"}, default "error"
            Whether an id that is not in ``users`` or ``items`` is an error, or its row is dropped
            and counted.
        keep_events : bool, default True
            Keep the value and time of each single row where rows are merged and have times: 12 to
            16 bytes a row. `cleaning.time_decay` and splits by time need them to be exact.
        dtype : {float32, float64}, optional
            By default float32 if that is exact for every value, else float64.
        n_threads : int, optional
            Default: the CPUs of this process. The result does not depend on it.
        format : {"parquet", "csv", "json", "excel", "arrow"}, optional
            Format of the files. Default: by the name, then by the content.
        separator : str, optional
            Text between the cells of a text file, ``"whitespace"`` for any run of blanks and tabs.
            Default: tab for ``.tsv``, else the one of comma, semicolon, tab and ``|`` that the
            first lines agree on.
        decimal : str, default "."
            Decimal mark of numbers in text.
        thousands : str, optional
            Thousands mark of numbers in text.
        quote : str or None, default '"'
            Quotation mark of a text file; doubled inside of a quoted cell. None: there is none.
        escape : str, optional
            Character before a quotation mark inside of a quoted cell, such as a backslash.
        encoding : str, optional
            Encoding of a text file. Default: by its byte order mark, else UTF-8.
        skip_rows : int, default 0
            Lines to leave out before the header (of a text file or of a sheet).
        header : bool, optional
            Whether the first line holds the names. Default: yes, unless ``names`` is given.
        names : sequence of str, optional
            Names of the columns of a text file, in order.
        date_format : str, optional
            Format of dates in text, such as ``"%d.%m.%Y %H:%M"`` (as for `datetime.strptime`),
            ``"s"``, ``"ms"``, ``"us"`` or ``"ns"`` for numbers that count from 1970 (Unix time),
            ``"excel"`` for serial numbers of days, or ``"number"`` for whole numbers that only
            look like dates. Default: ISO 8601; whole numbers stay numbers.
        null_values : sequence of str, optional
            Words that stand for a missing value in columns of text, such as ``["-", "None"]``, in
            addition to the usual ones.
        default_nulls : bool, default True
            Whether the empty cell, ``NA``, ``N/A``, ``NULL``, ``NaN`` and the like are nulls in
            text files.
        sheet : str, int or list of these, optional
            Sheets of a workbook by name or number from 0, ``"*"`` for all. Default: the first.
        member : str, optional
            Name of the file in a zip archive that holds several.
        query : str or clause of SQLAlchemy, optional
            SQL text for a connection, the URL of a database, or a file of SQLite or DuckDB; for
            SQLAlchemy also a ``select(...)`` or ``text(...)``.
        storage_options : mapping, optional
            Options for the file system of a URL, as fsspec takes them.

        Returns
        -------
        Interactions
            Of shape (distinct users, distinct items).

        Raises
        ------
        ValueError
            For columns that are missing or not unique, nulls, infinite values, duplicates
            without a rule, unknown events, a file that cannot be read: the message names the file,
            the line, the column, the value and the option that solves it.
        TypeError
            For columns that hold neither numbers, strings nor datetimes, or of several types.
        KeyError
            For ids that are not in ``users`` or ``items``.
        ImportError
            Where a library that reads the format is not installed.

        Notes
        -----
        Time is linear in the rows. Memory above the columns themselves is about 24 bytes a row;
        columns held in one Arrow chunk or NumPy array are not copied.

        Examples
        --------
        >>> from aimass_core import Interactions
        >>> shop = {"who": ["a", "a", "b"], "what": ["x", "x", "y"], "did": ["view", "buy", "view"]}
        >>> x = Interactions.from_table(
        ...     shop, user="who", item="what", event="did", weights={"view": 1, "buy": 5}
        ... )
        >>> list(x)
        [('a', 'x', 6.0), ('b', 'y', 1.0)]
        """
        triplets = read_triplets(
            table,
            user=user,
            item=item,
            value=value,
            time=time,
            event=event,
            weights=weights,
            duplicates=duplicates,
            nulls=nulls,
            users=users,
            items=items,
            unknown=unknown,
            keep_events=keep_events,
            dtype=dtype,
            n_threads=n_threads,
            format=format,
            separator=separator,
            decimal=decimal,
            thousands=thousands,
            quote=quote,
            escape=escape,
            encoding=encoding,
            skip_rows=skip_rows,
            header=header,
            names=names,
            date_format=date_format,
            null_values=null_values,
            default_nulls=default_nulls,
            sheet=sheet,
            member=member,
            query=query,
            storage_options=storage_options,
        )
        return cls._of(triplets)

    @classmethod
    @explains_names
    def from_arrays(
        cls,
        users: ArrayLike,
        items: ArrayLike,
        values: ArrayLike | None = None,
        times: ArrayLike | None = None,
        *,
        duplicates: str | None = None,
        nulls: str = "error",
        user_map: IdMap | None = None,
        item_map: IdMap | None = None,
        unknown: str = "error",
        keep_events: bool = True,
        dtype: DTypeLike | None = None,
        n_threads: int | None = None,
        date_format: str | None = None,
    ) -> Interactions:
        """Take one array for each column.

        Parameters
        ----------
        users, items : array-like of shape (n,)
            Ids.
        values, times : array-like of shape (n,), optional
            As in `from_table`.
        duplicates, nulls : str
            As in `from_table`.
        user_map, item_map : IdMap, optional
            The ``users`` and ``items`` of `from_table`.
        unknown : {"error", "drop"}, default "error"
            As in `from_table`.
        keep_events : bool, default True
            As in `from_table`.
        dtype : {float32, float64}, optional
            As in `from_table`.
        n_threads : int, optional
            As in `from_table`.
        date_format : str, optional
            As in `from_table`.

        Returns
        -------
        Interactions
            As `from_table` would give for a table of these columns.

        Examples
        --------
        >>> from aimass_core import Interactions
        >>> Interactions.from_arrays([1, 1, 2], [5, 5, 6], [3, 4, 5], duplicates="last")
        Interactions(2 users x 2 items, 2 interactions, float32)
        """
        given = {"user": users, "item": items, "value": values, "time": times}
        labels = {"user": "users", "item": "items", "value": "values", "time": "times"}
        columns = {r: from_any(a, labels[r]) for r, a in given.items() if a is not None}
        sizes = {role: column.n_rows for role, column in columns.items()}
        if len(set(sizes.values())) > 1:
            shown = ", ".join(f"{labels[role]} {n}" for role, n in sizes.items())
            raise ValueError(f"the arrays have unequal lengths: {shown}")
        triplets = prepare(
            columns,
            labels,
            weights=None,
            duplicates=duplicates,
            nulls=nulls,
            users=user_map,
            items=item_map,
            unknown=unknown,
            keep_events=keep_events,
            dtype=dtype,
            n_threads=resolve_n_threads(n_threads),
            options=ReadOptions(date_format=date_format),
        )
        return cls._of(triplets)

    @classmethod
    @explains_names
    def from_csr(
        cls,
        X: Any,
        *,
        users: IdMap | ArrayLike | None = None,
        items: IdMap | ArrayLike | None = None,
    ) -> Interactions:
        """Wrap a matrix.

        Parameters
        ----------
        X : sparse or dense matrix of shape (n_users, n_items)
            Rows are users. Shares its memory where it is in canonical form already.
        users, items : IdMap or array-like, optional
            The id of each row and of each column, in their order. Default: their numbers.

        Returns
        -------
        Interactions
            Without timestamps.

        Raises
        ------
        ValueError
            For a matrix that is not valid, or ids that are too many, too few or not distinct.
        """
        matrix = as_csr(X)
        n_users, n_items = matrix.shape
        return cls(matrix, _ordered(users, n_users, "users"), _ordered(items, n_items, "items"))

    @classmethod
    def by_context(cls, table: Table, *, context: str, **options: Any) -> dict[Any, Interactions]:
        """Read a table into one matrix for each value of a context column.

        Parameters
        ----------
        table : table or path
            As in `from_table`.
        context : str
            Column such as weekday, device or store.
        **options
            The arguments of `from_table`.

        Returns
        -------
        dict of context to Interactions
            In ascending order of the contexts. All share the id maps of the whole table.
        """
        triplets = read_triplets(table, label=context, label_role="context", **options)
        codes, labels = triplets.labelled()
        return {
            label: cls._of(triplets, codes == code)
            for code, label in enumerate(labels.ids.tolist())
        }

    @classmethod
    def _of(cls, triplets: Triplets, part: NDArray[np.bool_] | None = None) -> Interactions:
        matrix, times, events, report = triplets.build(part)
        return cls._made(
            matrix, triplets.users, triplets.items, times, triplets.time_unit, events, report
        )

    @classmethod
    def _made(
        cls,
        matrix: sp.csr_array,
        users: IdMap,
        items: IdMap,
        timestamps: NDArray[np.int64] | None,
        time_unit: str | None,
        events: Events | UngroupedEvents | None,
        report: Mapping[str, Any],
    ) -> Self:
        """Return an object around a matrix that a kernel made, which needs no check."""
        x = cls.__new__(cls)
        x.matrix = with_scipy_indices(matrix)
        x.users = users
        x.items = items
        x.timestamps = timestamps
        x.time_unit = time_unit if timestamps is not None else None
        x._events = events if timestamps is not None else None
        x.report = dict(report)
        return x

    # ---- content -----------------------------------------------------------------------------

    @property
    def events(self) -> Events | None:
        """The single events of entries that were merged from several rows, else None."""
        if isinstance(self._events, UngroupedEvents):
            self._events = self._events.group(self.nnz, self.n_items)
        return self._events

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and number of items."""
        return len(self.users), len(self.items)

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def nnz(self) -> int:
        """Number of stored entries, explicit zeros included."""
        return int(self.matrix.nnz)

    def __repr__(self) -> str:
        times = ", with times" if self.timestamps is not None else ""
        return (
            f"Interactions({counted(self.n_users, 'user')} x {counted(self.n_items, 'item')}, "
            f"{counted(self.nnz, 'interaction')}, "
            f"{self.matrix.dtype}{times})"
        )

    def _repr_html_(self) -> str:
        """Return the size, the ranges, the first entries and the report, for a notebook."""
        n_cells = self.n_users * self.n_items
        facts = {
            "users": f"{self.n_users:,}",
            "items": f"{self.n_items:,}",
            "interactions": f"{self.nnz:,} ({self.matrix.dtype})",
        }
        if n_cells:
            facts["density"] = f"{self.nnz / n_cells:.3%}"
        if self.nnz:
            data = self.matrix.data
            facts["values"] = f"{data.min():.6g} to {data.max():.6g}"
        if self.timestamps is not None and self.nnz:
            times = self.timestamps
            if self.time_unit == "ns":
                times = times.astype("datetime64[ns]").astype("datetime64[s]")
            facts["times"] = f"{times.min()} to {times.max()}"
        entries = slice(0, _SHOWN_ENTRIES)
        users = self.users.ids[self.row_indices()[entries]].tolist()
        items = self.items.ids[self.matrix.indices[entries]].tolist()
        values = self.matrix.data[entries].tolist()
        first = table(("user", "item", "value"), zip(users, items, values, strict=True))
        parts = ["<p><strong>Interactions</strong></p>", named_values(facts)]
        parts.append(details(f"the first {len(values)} entries", first))
        if self.report:
            parts.append(details("how the table was read", named_values(self.report)))
        return f"<div>{''.join(parts)}</div>"

    def __iter__(self) -> Iterator[tuple[Any, Any, float]]:
        users = self.users.ids[self.row_indices()].tolist()
        items = self.items.ids[self.matrix.indices].tolist()
        return iter(zip(users, items, self.matrix.data.tolist(), strict=True))

    def row_indices(self) -> NDArray[np.int32]:
        """Return the row of each stored entry.

        Returns
        -------
        ndarray of int32, shape (nnz,)
            Beside ``matrix.indices`` and ``matrix.data``, the third column of the triplets.
        """
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.matrix.indptr))

    def single_events(self) -> Events:
        """Return the single events behind the entries.

        Returns
        -------
        Events
            ``events`` where rows were merged, else one event for each entry.

        Raises
        ------
        ValueError
            Without timestamps.
        """
        if self.events is not None:
            return self.events
        if self.timestamps is None:
            raise ValueError("there are no timestamps: build the interactions with time=<column>")
        indptr = np.arange(self.nnz + 1, dtype=np.int64)
        return Events(indptr, self.matrix.data, self.timestamps, "sum")

    # ---- parts -------------------------------------------------------------------------------

    @property
    def T(self) -> Self:
        """Items x users."""
        indptr, indices, data = csr_parts(self.matrix)
        order = np.arange(self.nnz, dtype=np.int64)
        columns = self.row_indices()
        indptr, indices, data, order = kernels.coo_to_csr(
            indices,
            columns,
            data,
            order,
            self.n_items,
            self.n_users,
            "error",
            resolve_n_threads(None),
        )
        matrix = wrap_csr(indptr, indices, data, (self.n_items, self.n_users))
        return self._with_entries(matrix, order, self.items, self.users)

    def _with_entries(
        self, matrix: sp.csr_array, entries: NDArray[Any], users: IdMap, items: IdMap
    ) -> Self:
        """Return a matrix whose entries are some of these, with their times and events."""
        times = None if self.timestamps is None else self.timestamps[entries]
        events = None if self.events is None else self.events.take(entries)
        return self._made(matrix, users, items, times, self.time_unit, events, self.report)

    def with_matrix(self, matrix: Any) -> Self:
        """Return the same ids around another matrix, e.g. a weighted one.

        Parameters
        ----------
        matrix : sparse matrix of the same shape
            Timestamps are kept if it stores exactly the same entries; then the values of single
            events are scaled as their entry is.

        Returns
        -------
        Interactions
            With these users and items.
        """
        out = type(self)(matrix, self.users, self.items, report=self.report)
        same = np.array_equal(out.matrix.indptr, self.matrix.indptr) and np.array_equal(
            out.matrix.indices, self.matrix.indices
        )
        if same:
            out.timestamps, out.time_unit = self.timestamps, self.time_unit
            if self.events is not None:
                out._events = self.events.rescaled(self.matrix.data, out.matrix.data)
        return out

    def keep_entries(self, keep: NDArray[np.bool_]) -> Self:
        """Return some of the stored entries; shape and ids stay.

        Parameters
        ----------
        keep : ndarray of bool, shape (nnz,)
            Aligned with ``matrix.data``.

        Returns
        -------
        Interactions
            Of the same shape.
        """
        entries = np.flatnonzero(_as_mask(keep, self.nnz))
        matrix = keep_entries(wrap_csr(*csr_parts(self.matrix), self.shape), np.asarray(keep))
        return self._with_entries(matrix, entries, self.users, self.items)

    def keep_events(self, keep: NDArray[np.bool_]) -> Self:
        """Return the interactions that some of the single events make up; shape and ids stay.

        Parameters
        ----------
        keep : ndarray of bool, shape (n_events,)
            Aligned with ``single_events().times``.

        Returns
        -------
        Interactions
            Of the same shape. The events that are left are combined by the rule for duplicates.
        """
        if self.events is None:
            return self.keep_entries(keep)
        events = self.events
        kept = np.flatnonzero(_as_mask(keep, len(events)))
        entries = events.entries()[kept]
        rows, columns = self.row_indices()[entries], csr_parts(self.matrix)[1][entries]
        return self._combined(
            rows,
            columns,
            events.values[kept],
            events.times[kept],
            self.users,
            self.items,
            events.rule,
        )

    def _combined(
        self,
        rows: NDArray[np.int32],
        columns: NDArray[np.int32],
        values: NDArray[Any],
        times: NDArray[np.int64],
        users: IdMap,
        items: IdMap,
        rule: str,
    ) -> Self:
        """Return events in numbers of rows and columns as new interactions."""
        n_threads = resolve_n_threads(None)
        matrix, last = merge_triplets(rows, columns, values, times, users, items, rule, n_threads)
        is_single = matrix.nnz == len(rows)
        events = UngroupedEvents(rows, columns, values, times, rule, n_threads)
        return self._made(
            matrix, users, items, last, self.time_unit, None if is_single else events, self.report
        )

    def take(self, users: ArrayLike | None = None, items: ArrayLike | None = None) -> Self:
        """Return some of the users and items, by their row and column numbers.

        Parameters
        ----------
        users, items : array-like of int, optional
            Distinct numbers, in the order wanted. None: all.

        Returns
        -------
        Interactions
            Of shape (len(users), len(items)).
        """
        _, indices, data = csr_parts(self.matrix)
        rows = self.row_indices()
        kept = np.ones(self.nnz, dtype=bool)
        new_rows, user_map = _renumber(users, self.users, rows, kept)
        new_columns, item_map = _renumber(items, self.items, indices, kept)
        entries = np.flatnonzero(kept)
        indptr, indices, data, entries = kernels.coo_to_csr(
            new_rows[rows[entries]],
            new_columns[indices[entries]],
            data[entries],
            entries,
            len(user_map),
            len(item_map),
            "error",
            resolve_n_threads(None),
        )
        matrix = wrap_csr(indptr, indices, data, (len(user_map), len(item_map)))
        return self._with_entries(matrix, entries, user_map, item_map)

    def subset(self, users: Any = None, items: Any = None) -> Self:
        """Return some of the users and items, by their ids.

        Parameters
        ----------
        users, items : array-like of ids, optional
            Distinct ids, in the order wanted. None: all.

        Returns
        -------
        Interactions
            Of shape (len(users), len(items)).

        Raises
        ------
        KeyError
            For an id that is not there.
        """
        rows = None if users is None else self.users.index(users, what="user")
        columns = None if items is None else self.items.index(items, what="item")
        return self.take(rows, columns)

    def drop_empty(self) -> Self:
        """Leave out users and items without a stored entry.

        Returns
        -------
        Interactions
            Of at most this shape.
        """
        rows = np.flatnonzero(np.diff(self.matrix.indptr))
        columns = np.flatnonzero(np.bincount(self.matrix.indices, minlength=self.n_items))
        if len(rows) == self.n_users and len(columns) == self.n_items:
            return self
        return self.take(rows, columns)

    # ---- newer interactions ------------------------------------------------------------------

    def merge(self, other: Interactions, *, duplicates: str | None = None) -> Self:
        """Return these interactions and newer ones together; ids may be new.

        Parameters
        ----------
        other : Interactions
            Its ids must be of the same type; it has timestamps of the same unit if this one has.
        duplicates : str, optional
            As in `from_table`, for pairs of user and item that both hold. Default: the rule that
            this object was built with (``count`` adds the counts up; a mean cannot be continued
            and is refused).

        Returns
        -------
        Interactions
            The users and items of this one keep their rows and columns, new ones follow in
            ascending order. By id it equals what building from all rows at once gives, single
            events included. Where ``duplicates`` is not the rule that an object was built with, a
            pair that both hold is one event afterwards, with the combined value and time. Single
            events are not kept where the two objects were built by different rules.

        Raises
        ------
        TypeError
            For ids of another type.
        ValueError
            For pairs that both hold where the rule is "error", or timestamps that do not match.

        Examples
        --------
        >>> from aimass_core import Interactions
        >>> monday = Interactions.from_arrays(["eve", "bob"], ["tea", "tea"])
        >>> tuesday = Interactions.from_arrays(["eve", "ann"], ["tea", "pie"])
        >>> list(monday.merge(tuesday))
        [('bob', 'tea', 1.0), ('eve', 'tea', 2.0), ('ann', 'pie', 1.0)]
        """
        if not isinstance(other, Interactions):
            raise TypeError(f"other must be Interactions, got {type(other).__name__}")
        rule = duplicates or self.report.get("duplicates", "error")
        if duplicates is None and rule in ("mean", "count"):
            if rule == "mean":
                raise ValueError(
                    "these interactions are means of their duplicates, which cannot be continued: "
                    "pass duplicates= or rebuild from all rows"
                )
            rule = "sum"
        as_choice(rule, "duplicates", RULES)
        if self.time_unit != other.time_unit:
            raise ValueError(
                f"timestamps do not match: {_KINDS_OF_TIMES[self.time_unit]} here, "
                f"{_KINDS_OF_TIMES[other.time_unit]} in other"
            )
        row_of, users = self.users._merge(other.users)
        column_of, items = self.items._merge(other.items)
        new_rows = row_of[other.row_indices()].astype(np.int32)
        new_columns = column_of[other.matrix.indices].astype(np.int32)
        rows = np.concatenate([self.row_indices(), new_rows])
        columns = np.concatenate([csr_parts(self.matrix)[1], new_columns])
        values = np.concatenate([self.matrix.data, other.matrix.data])
        times = None
        if self.timestamps is not None and other.timestamps is not None:
            times = np.concatenate([self.timestamps, other.timestamps])
        n_threads = resolve_n_threads(None)
        matrix, last = merge_triplets(
            rows, columns, values, times, users, items, rule, n_threads, of_two=True
        )
        events = self._joined_events(other, rows, columns, matrix, last, rule)
        report = {**self.report, "interactions": matrix.nnz}
        return self._made(matrix, users, items, last, self.time_unit, events, report)

    def _joined_events(
        self,
        other: Interactions,
        rows: NDArray[np.int32],
        columns: NDArray[np.int32],
        matrix: sp.csr_array,
        last: NDArray[np.int64] | None,
        rule: str,
    ) -> UngroupedEvents | None:
        """Return the single events of both, if one rule for duplicates describes them all."""
        if self.timestamps is None or last is None:
            return None
        grouped = [x.events for x in (self, other) if x.events is not None]
        is_single = not grouped and matrix.nnz == len(rows)
        if is_single or len({events.rule for events in grouped}) > 1:
            return None
        kept = grouped[0].rule if grouped else rule
        mine, theirs = self.single_events(), other.single_events()
        entries = np.concatenate([mine.entries(), self.nnz + theirs.entries()])
        rows, columns = rows[entries], columns[entries]
        values = np.concatenate([mine.values, theirs.values]).astype(matrix.dtype, copy=False)
        times = np.concatenate([mine.times, theirs.times])
        if kept != rule and matrix.nnz < self.nnz + other.nnz:
            # A pair of both that another rule combined is one event from now on.
            n_items = matrix.shape[1]
            keys = rows.astype(np.int64) * n_items + columns
            owner = entries < self.nnz
            shared = np.intersect1d(keys[owner], keys[~owner])
            indptr, indices, _ = csr_parts(matrix)
            row_of = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(indptr))
            at = np.searchsorted(row_of * n_items + indices, shared)
            is_unshared = ~np.isin(keys, shared)
            rows = np.concatenate([rows[is_unshared], (shared // n_items).astype(np.int32)])
            columns = np.concatenate([columns[is_unshared], (shared % n_items).astype(np.int32)])
            values = np.concatenate([values[is_unshared], matrix.data[at]])
            times = np.concatenate([times[is_unshared], last[at]])
        return UngroupedEvents(rows, columns, values, times, kept, resolve_n_threads(None))

    def merge_onto(
        self,
        matrix: Any,
        users: IdMap,
        items: IdMap,
        timestamps: NDArray[np.int64] | None,
        time_unit: str | None,
        duplicates: str,
        events: Mapping[str, Any] | None = None,
    ) -> Interactions:
        """Return the interactions that a model was fitted on, joined with these newer ones.

        Parameters
        ----------
        matrix : sparse matrix of shape (n_users, n_items)
            The matrix that the model keeps.
        users, items : IdMap
            Its ids.
        timestamps : ndarray of int64, shape (nnz,), or None
            Its times, where the model keeps them; else the times of this object are left out.
        time_unit : {"ns", "raw"} or None
            Their unit.
        duplicates : str
            As in `from_table`, for pairs of user and item that both hold; "last" takes the later
            one by time, or the new one where there is no time.
        events : mapping of arrays, optional
            The single events of the model's entries, where some were merged from several rows.

        Returns
        -------
        Interactions
            The model's users and items keep their rows and columns, new ones follow in ascending
            order.

        Raises
        ------
        ValueError
            Where the model keeps times and this object has none, or times of another unit, and
            where the model keeps single events and this object was built by another rule.
        """
        if timestamps is not None and self.time_unit != time_unit:
            raise ValueError(
                f"X must have times that are {_KINDS_OF_TIMES[time_unit]}, as those that the model "
                f"was fitted on; got {_KINDS_OF_TIMES[self.time_unit]}"
            )
        mine = self.events
        if events is not None and mine is not None and mine.rule != events["rule"]:
            raise ValueError(
                f"X was read with duplicates={mine.rule!r}, but the model keeps the single events "
                f"of rows that were combined by {events['rule']!r}: read X with "
                f"duplicates={events['rule']!r}"
            )
        known = Interactions(
            matrix,
            users,
            items,
            timestamps=timestamps,
            time_unit=time_unit,
            events=events,
            report=self.report,
        )
        new = self
        if timestamps is None and self.timestamps is not None:
            new = Interactions(self.matrix, self.users, self.items, report=self.report)
        return known.merge(new, duplicates=duplicates)

    # ---- tables and files --------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ids, values, times and report to one file that `aimass_core.load` reads.

        Parameters
        ----------
        path : str or path-like
            The file; an older one is replaced only once the new one is complete.
        """
        from ..base.persistence import save

        save(self, path)

    def _times(self) -> NDArray[Any] | None:
        if self.timestamps is None or self.time_unit != "ns":
            return self.timestamps
        return self.timestamps.view("datetime64[ns]")

    def _id_names(
        self, user: str | None, item: str | None, value: str, time: str
    ) -> tuple[str, str]:
        """Return the names of the exported columns of ids; no name may occur twice."""
        user = user or self.users.name or "user"
        item = item or self.items.name or "item"
        names = [user, item, value, *([] if self.timestamps is None else [time])]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(
                f"two columns would be called {twice[0]!r}: pass user=, item=, value= or time="
            )
        return user, item

    def to_arrow(
        self,
        *,
        user: str | None = None,
        item: str | None = None,
        value: str = "value",
        time: str = "time",
    ) -> Any:
        """Return the stored entries as a pyarrow Table, in row order.

        Parameters
        ----------
        user, item : str, optional
            Names of the columns of ids. Default: those of the table that was read, as in lists;
            "user" and "item" if there was none.
        value, time : str
            Names of the other columns; ``time`` is there if there are timestamps.

        Returns
        -------
        pyarrow.Table
            One row for each stored entry.

        Raises
        ------
        ImportError
            Where pyarrow is not installed.
        """
        pa = import_optional("pyarrow", "to_arrow")
        user, item = self._id_names(user, item, value, time)

        def ids(of: IdMap, rows: NDArray[Any]) -> Any:
            return pa.array(of.ids).take(pa.array(rows))

        columns = {
            user: ids(self.users, self.row_indices()),
            item: ids(self.items, self.matrix.indices),
            value: pa.array(self.matrix.data),
        }
        if self.timestamps is not None:
            columns[time] = pa.array(self._times())
        return pa.table(columns)

    def to_pandas(
        self,
        *,
        user: str | None = None,
        item: str | None = None,
        value: str = "value",
        time: str = "time",
    ) -> Any:
        """Return the stored entries as a pandas DataFrame, in row order.

        Parameters
        ----------
        user, item : str, optional
            Names of the columns of ids. Default: those of the table that was read, as in lists;
            "user" and "item" if there was none.
        value, time : str
            Names of the other columns; ``time`` is there if there are timestamps.

        Returns
        -------
        pandas.DataFrame
            One row for each stored entry.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        user, item = self._id_names(user, item, value, time)
        columns = {
            user: self.users.ids[self.row_indices()],
            item: self.items.ids[self.matrix.indices],
            value: self.matrix.data.copy(),
        }
        if self.timestamps is not None:
            columns[time] = np.array(self._times())
        return import_optional("pandas", "to_pandas").DataFrame(columns)

    def to_polars(
        self,
        *,
        user: str | None = None,
        item: str | None = None,
        value: str = "value",
        time: str = "time",
    ) -> Any:
        """Return the stored entries as a polars DataFrame, in row order.

        Parameters
        ----------
        user, item : str, optional
            Names of the columns of ids. Default: those of the table that was read, as in lists;
            "user" and "item" if there was none.
        value, time : str
            Names of the other columns; ``time`` is there if there are timestamps.

        Returns
        -------
        polars.DataFrame
            One row for each stored entry.

        Raises
        ------
        ImportError
            Where polars is not installed.
        """
        pl = import_optional("polars", "to_polars")
        user, item = self._id_names(user, item, value, time)

        def ids(name: str, of: IdMap, rows: NDArray[Any]) -> Any:
            values = of.ids.tolist() if of.ids.dtype == object else of.ids
            return pl.Series(name, values).gather(pl.Series(rows))

        columns = [
            ids(user, self.users, self.row_indices()),
            ids(item, self.items, self.matrix.indices),
            pl.Series(value, self.matrix.data),
        ]
        if self.timestamps is not None:
            columns.append(pl.Series(time, self._times()))
        return pl.DataFrame(columns)


def _as_mask(keep: Any, n: int) -> NDArray[np.bool_]:
    mask: NDArray[Any] = np.asarray(keep)
    if mask.dtype != bool or mask.shape != (n,):
        raise ValueError(
            f"keep must be a boolean array of shape ({n},), got {mask.dtype} of shape {mask.shape}"
        )
    return mask


def _renumber(
    wanted: Any, ids: IdMap, codes: NDArray[np.int32], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], IdMap]:
    """Return the new number of each old one (-1: none) and the map; narrow ``kept`` in place."""
    if wanted is None:
        return np.arange(len(ids), dtype=np.int32), ids
    wanted = np.asarray(wanted)
    wanted = wanted.astype(np.int64) if not wanted.size else wanted  # an empty list is of floats
    new = np.full(len(ids), -1, dtype=np.int32)
    new[wanted] = np.arange(len(wanted), dtype=np.int32)
    if np.count_nonzero(new >= 0) != len(wanted):
        raise ValueError("users and items must be distinct")
    kept &= new[codes] >= 0
    return new, ids.take(wanted)


def _ordered(ids: Any, n: int, name: str) -> IdMap:
    """Return the map of ids given in the order of the rows."""
    if ids is None:
        return IdMap.from_range(n)
    if isinstance(ids, IdMap):
        known = ids
    else:
        known, codes = IdMap.from_values(ids)
        if len(known) != len(codes):
            raise ValueError(f"{name} must be distinct: {len(codes) - len(known)} are repeated")
        known = known.take(codes)
    if len(known) != n:
        raise ValueError(f"{name} has {len(known)} ids, but the matrix has {n}")
    return known
