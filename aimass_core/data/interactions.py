"""Who did what: a sparse matrix of users x items that remembers the caller's ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..base.registry import register
from ..base.threads import resolve_n_threads
from ..base.validation import as_csr
from . import _export
from ._convert import from_any
from ._id_matrix import IdMatrix
from ._triplets import Triplets, prepare, read_triplets
from .idmap import IdMap
from .tables import Table

__all__ = ["Interactions"]


@register("interactions")
class Interactions(IdMatrix):
    """Users x items, as a canonical CSR with the ids of both sides.

    Build one with `from_table`, `from_arrays` or `from_csr`. Nothing in it is ever changed:
    every method returns a new object, and the objects share what is the same.

    Parameters
    ----------
    matrix : sparse array of shape (n_users, n_items)
        Anything `scipy.sparse` has.
    users, items : IdMap
        The ids of its rows and of its columns.
    timestamps : ndarray of int64, shape (nnz,), optional
        The time of each stored entry, aligned with ``matrix.data``.
    time_unit : {"ns", "raw"}, optional
        Nanoseconds since 1970 (from datetime columns), or whole numbers as they were given.
    report : dict, optional
        What happened to the rows: ``rows_read``, ``rows_dropped`` (by cause), ``rows_merged``,
        ``interactions`` and the rule for ``duplicates``.

    Attributes
    ----------
    matrix : csr_array of shape (n_users, n_items)
        ``indptr`` int64, ``indices`` int32, ``data`` float32 or float64; rows sorted.

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

    @classmethod
    def from_table(
        cls,
        table: Table,
        *,
        user: str,
        item: str,
        value: str | None = None,
        time: str | None = None,
        event: str | None = None,
        event_weights: Mapping[Any, float] | None = None,
        duplicates: str | None = None,
        nulls: str = "error",
        users: IdMap | None = None,
        items: IdMap | None = None,
        unknown: str = "error",
        dtype: DTypeLike | None = None,
        n_threads: int | None = None,
    ) -> Interactions:
        """Read a table with one row per event.

        Parameters
        ----------
        table : table or path
            Frame of pandas or polars, pyarrow table, DuckDB relation or anything else with
            ``__arrow_c_stream__``; a mapping of names to arrays or lists; a structured array; or
            the path of a ``.parquet``, ``.csv``, ``.csv.gz``, ``.tsv``, ``.feather`` or ``.arrow``
            file. Only the named columns are read. Never changed.
        user, item : str
            Columns of ids: whole numbers, strings, categoricals, floats, booleans or datetimes
            (those with a time zone become UTC). Ids are numbered in ascending order, so the order
            of the rows does not matter.
        value : str, optional
            Column of numbers; without it every row counts 1.
        time : str, optional
            Column of datetimes or whole numbers.
        event : str, optional
            Column that names the kind of each event; needs ``event_weights``.
        event_weights : mapping, optional
            Weight of each kind of event, multiplied with the value. Rows of weight 0 are left out.
        duplicates : {"sum", "last", "first", "mean", "max", "min", "count", "error"}, optional
            What several rows of one user and item become. ``last`` and ``first`` go by time, or
            by the order of the rows where there is no time. By default ``"sum"`` without a value
            column (so that a cell counts its rows) and ``"error"`` with one: a rating given twice
            has no one right answer. The merged entry has the latest time (for ``first`` the
            earliest).
        nulls : {"error", "drop"}, default "error"
            Whether a null (None, NA, NaN, NaT) in any of the columns is an error, or its row is
            dropped and counted in ``report``.
        users, items : IdMap, optional
            Number the ids as these do, e.g. test data as the training data.
        unknown : {"error", "drop"}, default "error"
            What becomes of rows whose id is not in ``users`` or ``items``.
        dtype : {float32, float64}, optional
            By default float32 if that is exact for every value, else float64.
        n_threads : int, optional
            Default: the CPUs of this process. The result does not depend on it.

        Returns
        -------
        Interactions
            Of shape (distinct users, distinct items).

        Raises
        ------
        ValueError
            For columns that are missing or not unique, nulls, infinite values, duplicates
            without a rule, unknown events.
        TypeError
            For columns that hold neither numbers, strings nor datetimes, or of several types.
        KeyError
            For ids that are not in ``users`` or ``items``.

        Notes
        -----
        Time is linear in the rows. Memory above the columns themselves is about 24 bytes a row;
        columns held in one Arrow chunk or NumPy array are not copied.

        Examples
        --------
        >>> from aimass_core import Interactions
        >>> shop = {"who": ["a", "a", "b"], "what": ["x", "x", "y"], "did": ["view", "buy", "view"]}
        >>> x = Interactions.from_table(
        ...     shop, user="who", item="what", event="did", event_weights={"view": 1, "buy": 5}
        ... )
        >>> list(x)
        [('a', 'x', 6.0), ('b', 'y', 1.0)]
        """
        triplets = read_triplets(
            table, user=user, item=item, value=value, time=time, event=event,
            event_weights=event_weights, duplicates=duplicates, nulls=nulls, users=users,
            items=items, unknown=unknown, dtype=dtype, n_threads=n_threads,
        )  # fmt: skip
        return cls._of(triplets)

    @classmethod
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
        dtype: DTypeLike | None = None,
        n_threads: int | None = None,
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
        dtype : {float32, float64}, optional
            As in `from_table`.
        n_threads : int, optional
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
            columns, labels, event_weights=None, duplicates=duplicates, nulls=nulls,
            users=user_map, items=item_map, unknown=unknown, dtype=dtype,
            n_threads=resolve_n_threads(n_threads),
        )  # fmt: skip
        return cls._of(triplets)

    @classmethod
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

    def merge_onto(
        self,
        matrix: Any,
        users: IdMap,
        items: IdMap,
        timestamps: NDArray[np.int64] | None,
        time_unit: str | None,
        duplicates: str,
    ) -> Interactions:
        """Return the interactions of a fitted model with these added; for `partial_fit`.

        Parameters
        ----------
        matrix : csr_array
            The model's interactions.
        users, items : IdMap
            Its ids, which keep their rows and columns; new ids come after them.
        timestamps, time_unit : ndarray of int64 and str, or None
            Its times, where it uses them.
        duplicates : {"error", "sum", "last", "mean", "max", "min"}
            How a user and item that already have a value are combined.

        Returns
        -------
        Interactions
            New; neither side is changed.
        """
        mine = self
        if timestamps is None:
            mine = Interactions(self.matrix, self.users, self.items, report=self.report)
        elif self.timestamps is None or self.time_unit != time_unit:
            raise ValueError(
                f"X must have times of unit {time_unit!r}, because the model uses those it was "
                f"fitted on; got {self.time_unit!r}"
            )
        old = Interactions(matrix, users, items, timestamps=timestamps, time_unit=time_unit)
        return old.merge(mine, duplicates=duplicates)

    @classmethod
    def _of(cls, triplets: Triplets, part: NDArray[np.bool_] | None = None) -> Interactions:
        matrix, times, report = triplets.build(part)
        return cls(
            matrix, triplets.users, triplets.items,
            timestamps=times, time_unit=triplets.time_unit, report=report,
        )  # fmt: skip

    to_arrow = _export.to_arrow
    to_pandas = _export.to_pandas
    to_polars = _export.to_polars
    save = _export.save


def _ordered(ids: Any, n: int, name: str) -> IdMap:
    """The map of ids given in the order of the rows."""
    if ids is None:
        return IdMap.from_range(n)
    if isinstance(ids, IdMap):
        found = ids
    else:
        found, codes = IdMap.from_values(ids)
        if len(found) != len(codes):
            raise ValueError(f"{name} must be distinct: {len(codes) - len(found)} are repeated")
        found = found.take(codes)
    if len(found) != n:
        raise ValueError(f"{name} has {len(found)} ids, but the matrix has {n}")
    return found
