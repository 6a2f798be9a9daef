"""The two filters of a query, ``candidates`` and ``exclude``, from any collection of ids."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from .csr import keep_entries, patterns_union, renumber_columns, take_rows_or_empty
from .progress import logger
from .validation import as_csr, column_like, refuse_table, wrap_csr
from .with_ids import MatrixWithIds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import IdMap

__all__ = ["Catalog", "Filter", "as_filter", "as_filters", "combine_filters", "known_rows"]

# A mask over all columns, a matrix with a row for each query, or no filter.
Filter: TypeAlias = "NDArray[np.uint8] | sp.csr_array | None"


@dataclass(frozen=True)
class Catalog:
    """The items (or users) that the ids in a filter refer to.

    Parameters
    ----------
    ids : IdMap or None
        Ids of the columns; None: columns are known by number.
    size : int
        Number of columns.
    name : str
        What a column is, for messages: "item" or "user".
    features : csr_array of shape (size, n_features), optional
        Features of all columns, where some of them were not in the fit.
    """

    ids: IdMap | None
    size: int
    name: str = "item"
    features: sp.csr_array | None = None


def known_rows(values: Any, name: str, catalog: Catalog) -> NDArray[np.int64]:
    """Return the columns of ids, without those that the model does not know.

    The number of unknown ids is logged.

    Parameters
    ----------
    values : id or collection of ids
        A list, set, generator, array, Series or a single id.
    name : str
        The argument's name, for messages.
    catalog : Catalog
        The known ids.

    Returns
    -------
    ndarray of int64
        In the order given, without the unknown ones.

    Raises
    ------
    TypeError
        For ids of another kind than the known ones, and for the path of a file.
    """
    _refuse_path(values, name, catalog)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        values = [values]
    elif not hasattr(values, "__array__") and not hasattr(values, "__arrow_c_array__"):
        values = list(values)
    if hasattr(values, "__len__") and len(values) == 0:
        return np.empty(0, dtype=np.int64)
    if catalog.ids is not None:
        rows = _rows_of_ids(values, name, catalog, catalog.ids)
    else:
        rows = _as_numbers(values, name, catalog)
    unknown = rows < 0
    if unknown.any():
        logger.info(
            "%s: %d of %d %ss are unknown to the model and have no effect",
            name,
            np.count_nonzero(unknown),
            len(rows),
            catalog.name,
        )
        rows = rows[~unknown]
    return rows


_TABLE_SUFFIXES = (".csv", ".txt", ".tsv", ".parquet", ".feather", ".json", ".jsonl", ".xlsx")


def _refuse_path(values: Any, name: str, catalog: Catalog) -> None:
    """Raise TypeError for the path of a file, which would pass for an unknown id without effect."""
    if isinstance(values, str):
        if catalog.ids is not None and values in catalog.ids:
            return
        if not values.lower().endswith(_TABLE_SUFFIXES):
            return
    elif not isinstance(values, os.PathLike):
        return
    raise TypeError(
        f"{name} must be ids of {catalog.name}s, got the path {str(values)!r}: read the file and "
        "pass its column of ids"
    )


def _rows_of_ids(values: Any, name: str, catalog: Catalog, ids: IdMap) -> NDArray[np.int64]:
    """Return the rows of ids, -1 for unknown ones; raise TypeError for ids of another kind."""
    try:
        rows = ids.get(values)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must hold ids of {catalog.name}s for all queries, or be a dict of query id to "
            f"ids, a sparse matrix or Interactions with a row for each query: {error}"
        ) from None
    if rows.max() < 0:
        first = np.asarray(values)[:1].tolist()[0]
        if first is not None and isinstance(first, str) != (ids.kind == "str"):
            raise TypeError(
                f"{name} holds {first!r} of type {type(first).__name__}, but the known "
                f"{catalog.name}s have ids of kind {ids.kind!r}: give ids of that kind, or a mask "
                "as an array of bool"
            )
    return rows


def _as_numbers(values: Any, name: str, catalog: Catalog) -> NDArray[np.int64]:
    """Return column numbers as an array, -1 for those outside the catalogue."""
    array = np.atleast_1d(np.asarray(values))
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must hold whole numbers in [0, {catalog.size}) (one or a 1-D collection), got "
            f"{array.ndim}-D of {array.dtype}; to use your own ids, fit on Interactions"
        )
    known = (array >= 0) & (array < catalog.size)
    rows = np.where(known, array, 0).astype(np.int64)  # -1 is no value of an unsigned type
    rows[~known] = -1
    return rows


def as_filter(values: Any, name: str, catalog: Catalog, query_ids: NDArray[Any]) -> Filter:
    """Return a filter as a mask over all columns, or as a matrix with a row for each query.

    Parameters
    ----------
    values : collection of ids, mask, sparse matrix, Interactions or mapping; or None
        A collection or a boolean array with a flag for each column holds for all queries. A sparse
        matrix or a 2-D boolean array has a row for each query. `Interactions`, and a mapping of
        query id to collection of ids, are matched by id.
    name : str
        The argument's name, for messages.
    catalog : Catalog
        The columns.
    query_ids : ndarray of shape (n,)
        Ids of the queries, or their row numbers where they have no ids.

    Returns
    -------
    ndarray of uint8, csr_array or None
        None where ``values`` is None.
    """
    if values is None:
        return None
    shape = (len(query_ids), catalog.size)
    columns = getattr(values, "column_names", getattr(values, "columns", None))
    if callable(columns):  # lists or an audience of this package
        ids = "users" if hasattr(values, "users") else "ids"
        raise TypeError(
            f"{name} is of type {type(values).__name__}: pass its ids, such as {name}=lists.{ids}"
        )
    if columns is not None:
        _refuse_table(values, [str(column) for column in columns], name, catalog)
    if isinstance(values, MatrixWithIds):
        return _matrix_by_id(values, name, catalog, query_ids)
    if sp.issparse(values):
        if values.shape != shape:
            raise ValueError(
                f"{name} must have shape {shape} (a row for each query), got {values.shape}"
            )
        return as_csr(values, name)
    if isinstance(values, Mapping):
        return _matrix_of_mapping(values, name, catalog, query_ids)
    array = np.asarray(values) if hasattr(values, "__array__") else values
    if isinstance(array, list) and array and all(isinstance(v, (bool, np.bool_)) for v in array):
        array = np.array(array)
    if isinstance(array, np.ndarray) and array.dtype == np.bool_:
        if array.shape == (catalog.size,):
            return array.astype(np.uint8)
        if array.shape == shape:
            return as_csr(sp.csr_array(array.astype(np.float32)), name)
        raise ValueError(
            f"{name} as an array of bool must have shape ({catalog.size},) or {shape}, got "
            f"{array.shape}"
        )
    mask = np.zeros(catalog.size, dtype=np.uint8)
    mask[known_rows(array if isinstance(array, np.ndarray) else values, name, catalog)] = 1
    return mask


def _refuse_table(table: Any, names: list[str], name: str, catalog: Catalog) -> None:
    """Raise TypeError for a table, with the call for its column of ids or its pairs."""
    column = names[0] if len(names) == 1 else column_like(catalog.name, names)
    query = "user" if catalog.name == "item" else "item"
    if column is not None and column_like(query, [n for n in names if n != column]) is None:
        raise TypeError(f"{name} is a table: pass its column of ids, {name}=table[{column!r}]")
    refuse_table(table, name)


def _matrix_by_id(
    values: Any, name: str, catalog: Catalog, query_ids: NDArray[Any]
) -> sp.csr_array:
    """Return `Interactions` as a matrix filter: their users are the queries."""
    if catalog.ids is None:
        raise TypeError(
            f"{name}: Interactions are matched by id, but the model was fitted on a matrix and has "
            f"no ids; give a sparse matrix of shape {(len(query_ids), catalog.size)}"
        )
    by_column = renumber_columns(
        as_csr(values, name), catalog.ids.get(values.items.ids), catalog.size
    )
    return take_rows_or_empty(by_column, values.users.get(query_ids))


def _matrix_of_mapping(
    values: Mapping[Any, Any], name: str, catalog: Catalog, query_ids: NDArray[Any]
) -> sp.csr_array:
    """Return a filter from a mapping of query id to items, such as ``{"ann": ["tea", "pie"]}``."""
    queries = query_ids.tolist()
    if values and queries and not any(query in values for query in queries):
        key, query = next(iter(values)), queries[0]
        if isinstance(key, str) != isinstance(query, str):
            raise TypeError(
                f"{name} has keys such as {key!r} of type {type(key).__name__}, but the queries "
                f"have ids of type {type(query).__name__}: give keys of that type"
            )
    nothing = np.empty(0, dtype=np.int64)
    lists = [
        np.unique(known_rows(values[query], name, catalog)) if query in values else nothing
        for query in queries
    ]
    indptr = np.concatenate([[0], np.cumsum([len(own) for own in lists])]).astype(np.int64)
    indices = np.concatenate([nothing, *lists]).astype(np.int32)
    shape = (len(query_ids), catalog.size)
    return wrap_csr(indptr, indices, np.ones(len(indices), dtype=np.float32), shape)


def combine_filters(
    candidates: Filter,
    exclude: Filter,
    seen: sp.csr_array | None,
) -> tuple[Filter, sp.csr_array | None]:
    """Return (candidates, exclude) of a `Query` from both filters and the seen items."""
    if exclude is None or sp.issparse(exclude):
        return candidates, patterns_union(seen, exclude)
    allowed = (1 - exclude).astype(np.uint8)
    if candidates is None:
        return allowed, seen
    if isinstance(candidates, np.ndarray):
        return candidates & allowed, seen
    kept = allowed[candidates.indices] != 0
    return keep_entries(candidates, kept), seen


def as_filters(
    candidates: Any,
    exclude: Any,
    catalog: Catalog,
    query_ids: NDArray[Any],
    seen: sp.csr_array | None = None,
) -> tuple[Filter, sp.csr_array | None]:
    """Return the arguments ``candidates`` and ``exclude`` of a call as those of a `Query`.

    Parameters
    ----------
    candidates, exclude : as in `as_filter`
        The filters of the call.
    catalog : Catalog
        The columns.
    query_ids : ndarray of shape (n,)
        Ids of the queries, or their row numbers where they have no ids.
    seen : csr_array of shape (n, catalog.size), optional
        Entries that are excluded, too.

    Returns
    -------
    candidates : ndarray of uint8, csr_array or None
        As in `Query`.
    exclude : csr_array or None
        As in `Query`.
    """
    if candidates is None and exclude is None:
        return None, seen
    return combine_filters(
        as_filter(candidates, "candidates", catalog, query_ids),
        as_filter(exclude, "exclude", catalog, query_ids),
        seen,
    )
