"""Features of items and users, matched to the columns and rows of a model by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .csr import stack_rows, take_rows, take_rows_or_empty
from .filters import Catalog
from .progress import logger
from .registry import find
from .validation import as_csr, as_indices, wrap_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Features, FeatureTable, IdMap

__all__ = [
    "check_features",
    "columns_of",
    "encoded_features",
    "extended_catalog",
    "features_of_queries",
    "features_of_rows",
    "joined_features",
    "learned_features",
    "no_features",
]


def _is_feature_table(given: Any) -> bool:
    return hasattr(given, "rows_of") and hasattr(given, "encoder")


def _is_matrix(given: Any) -> bool:
    """Return whether features come as a matrix whose rows are in the order of the model."""
    if sp.issparse(given):
        return True
    if isinstance(given, (list, tuple)):
        return bool(given) and not isinstance(given[0], str) and np.ndim(given[0]) == 1
    return isinstance(given, np.ndarray) and given.dtype.names is None and given.ndim == 2


def no_features(n: int, n_features: int) -> sp.csr_array:
    """Return n rows without features.

    Parameters
    ----------
    n, n_features : int
        Shape of the matrix.

    Returns
    -------
    csr_array of float32, shape (n, n_features)
        Without entries.
    """
    indptr, indices = np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
    return wrap_csr(indptr, indices, np.empty(0, dtype=np.float32), (n, n_features))


def encoded_features(given: Any, name: str, encoder: Features, id_name: str | None) -> FeatureTable:
    """Return features of a call, encoded as those of the fit were.

    Parameters
    ----------
    given : FeatureTable, table or matrix
        The argument.
    name : str
        Its name, for messages.
    encoder : Features
        Learned by the fit of the model.
    id_name : str or None
        Name of the column of ids in the interactions.

    Returns
    -------
    FeatureTable
        With the columns of the encoder.

    Raises
    ------
    ValueError
        For a `FeatureTable` of other columns.
    """
    if not _is_feature_table(given):
        table: FeatureTable = encoder.transform(given, id_name=id_name)
        return table
    if given.encoder is not encoder and given.names != encoder.names:
        raise ValueError(
            f"{name} has {len(given.names)} columns that are not the {len(encoder.names)} of the "
            f"fit: encode the table by model.{name[:4]}_encoder_.transform(table), or give the "
            "table itself"
        )
    checked: FeatureTable = given
    return checked


def _why_empty(table: FeatureTable) -> str:
    """Return why a table has no features, and what to do."""
    if not len(table):
        return "has no rows: give the features of the fit"
    skipped = getattr(table.encoder, "skipped_", {})
    shown = ", ".join(f"{column!r} ({why})" for column, why in list(skipped.items())[:5])
    left_out = f"; left out: {shown}" if shown else ""
    return (
        f"has no column that tells rows apart{left_out}. Give columns that "
        "differ between rows; one with a different value in each row is used where "
        "Features({'column': 'text'}) gives its kind"
    )


def learned_features(
    given: Any, name: str, ids: IdMap | None, n: int
) -> tuple[sp.csr_array | None, Features | None]:
    """Return the features of all rows of a fit, and how they were encoded.

    Parameters
    ----------
    given : FeatureTable, table, matrix or None
        The argument of `fit`. A table is encoded by `Features` with its defaults.
    name : str
        The argument's name, for messages: "item_features" or "user_features".
    ids : IdMap or None
        Ids of the rows; None: rows are known by number.
    n : int
        Number of rows.

    Returns
    -------
    features : csr_array of float32, shape (n, n_features), or None
        Rows without features are empty.
    encoder : Features or None
        Fitted.

    Raises
    ------
    ValueError
        Where there are no features, no row of the fit has some, or a matrix has another number of
        rows.
    """
    if given is None:
        return None, None
    if _is_feature_table(given):
        table = given
    else:
        table = find("features")().fit_transform(given, id_name=getattr(ids, "name", None))
    encoder = table.encoder
    if not table.n_features:
        raise ValueError(f"{name} {_why_empty(table)}")
    if table.ids is None:
        _check_n_rows(table, name, n, "rows in the order of the fit")
        return table.matrix, encoder
    rows = table.ids.get(np.arange(n)) if ids is None else table.ids._find(ids._column())
    n_known = int(np.count_nonzero(rows >= 0))
    if n and len(table) and not n_known:
        shown = ", ".join(
            repr(i) for i in table.ids.take(np.arange(min(3, len(table)))).ids.tolist()
        )
        kind = "row numbers" if ids is None else f"of kind {ids.kind!r}"
        raise ValueError(
            f"{name}: none of its {len(table)} ids (such as {shown}) is one of the {n} of the fit "
            f"({kind}): give the column of the same ids, Features(id_column=...)"
        )
    logger.info(
        "%s: %d of %d rows of the fit have features; %d rows of the table are not in the fit",
        name,
        n_known,
        n,
        len(table) - n_known,
    )
    return take_rows_or_empty(table.matrix, rows), encoder


def _check_n_rows(table: FeatureTable, name: str, n: int, expected: str) -> None:
    if len(table) != n:
        raise ValueError(
            f"{name} has {len(table)} rows, but there must be {n} ({expected}): give a table with "
            "a column of ids, which are matched by id"
        )


def extended_catalog(
    given: Any, ids: IdMap | None, known: sp.csr_array, encoder: Features
) -> Catalog:
    """Return the items of the fit, and after them the new ones that a call has features of.

    Parameters
    ----------
    given : FeatureTable, table or matrix
        The argument ``item_features``. Rows of items of the fit have no effect.
    ids : IdMap or None
        Ids of the items of the fit.
    known : csr_array of shape (n_items, n_features)
        Their features.
    encoder : Features
        Learned by the fit.

    Returns
    -------
    Catalog
        Its features are None where no item is new.

    Raises
    ------
    TypeError
        For a matrix, where the model knows items by id, and the other way round.
    """
    n = known.shape[0]
    table = encoded_features(given, "item_features", encoder, getattr(ids, "name", None))
    if (table.ids is None) != (ids is None):
        raise TypeError(
            "item_features must be a table with a column of ids: the model knows items by id"
            if table.ids is None
            else f"item_features must be a matrix, whose rows are new items numbered on from {n}: "
            "the model was fitted on a matrix and has no ids"
        )
    if ids is None or table.ids is None:
        return Catalog(None, n + len(table), "item", stack_rows(known, table.matrix))
    rows, extended = ids._merge(table.ids)
    new = np.flatnonzero(rows >= n)
    if not len(new):
        return Catalog(ids, n)
    if len(new) < len(rows):
        logger.info(
            "item_features: %d of %d items are in the fit and keep their features",
            len(rows) - len(new),
            len(rows),
        )
    in_order = new[np.argsort(rows[new], kind="stable")]
    stacked = stack_rows(known, take_rows(table.matrix, in_order))
    return Catalog(extended.named(ids.name), len(extended), "item", stacked)


def columns_of(catalog: Catalog, items: Any, n_fitted: int) -> NDArray[np.int64]:
    """Return the columns of items that are in the fit or have features in a call.

    Parameters
    ----------
    catalog : Catalog
        From `extended_catalog`.
    items : id or array-like of ids
        Column numbers where the model was fitted on a matrix.
    n_fitted : int
        Number of items of the fit, for messages.

    Returns
    -------
    ndarray of int64, shape (n,)
        Columns of the catalog.

    Raises
    ------
    KeyError
        For another item.
    """
    counts = f"{n_fitted} items of the fit and {catalog.size - n_fitted} new ones of item_features"
    remedy = "give the features of further new items in item_features"
    if catalog.ids is not None:
        try:
            return catalog.ids.index(items, what="item")
        except KeyError as error:
            raise KeyError(f"{error.args[0]}: these are the {counts}; {remedy}") from None
    columns = as_indices(items, "items", None, what="items")
    outside = columns[(columns < 0) | (columns >= catalog.size)]
    if len(outside):
        shown = ", ".join(map(str, outside[:5]))
        more = f" and {len(outside) - 5} more" if len(outside) > 5 else ""
        raise KeyError(f"items holds {shown}{more}, but there are {counts}: {remedy}")
    return columns


def features_of_rows(known: sp.csr_array | None, rows: NDArray[np.int64]) -> sp.csr_array | None:
    """Return the features of users of the fit; none for row -1.

    Parameters
    ----------
    known : csr_array of shape (n_users, n_features) or None
        Features of the fit.
    rows : ndarray of int64, shape (n,)
        Row numbers.

    Returns
    -------
    csr_array of shape (n, n_features) or None
        None for a model that was fitted without them.
    """
    return None if known is None else take_rows_or_empty(known, rows)


def features_of_queries(
    table: FeatureTable,
    queries: NDArray[Any],
    rows: NDArray[np.int64] | None,
    known: sp.csr_array | None,
) -> sp.csr_array:
    """Return the features of the users of a query, of whom some were not in the fit.

    Parameters
    ----------
    table : FeatureTable
        From `encoded_features`. Rows of users of the fit have no effect.
    queries : ndarray of shape (n,)
        Ids of the users.
    rows : ndarray of int64, shape (n,), optional
        Their rows in the fit, -1 for others. Default: none of them was in the fit.
    known : csr_array of shape (n_users, n_features) or None
        Features of the fit.

    Returns
    -------
    csr_array of shape (n, n_features)
        Rows of users without features are empty.
    """
    if table.ids is None:
        _check_n_rows(table, "user_features", len(queries), "one for each user of the call")
        own = table.matrix
    else:
        own = table.rows_of(queries)
    if rows is None or known is None or not (rows >= 0).any():
        return own
    both = stack_rows(known, own)
    return take_rows(both, np.where(rows >= 0, rows, known.shape[0] + np.arange(len(rows))))


def joined_features(
    given: Any,
    name: str,
    known: sp.csr_array | None,
    encoder: Features | None,
    before: IdMap | None,
    after: IdMap | None,
    n_after: int,
) -> Any:
    """Return old and new features as one table, as `fit` takes it.

    Parameters
    ----------
    given : FeatureTable, table, matrix or None
        New features; a row of an id that has features already replaces them. A matrix has the
        rows that are added.
    name : str
        "item_features" or "user_features".
    known : csr_array or None
        Features of the fit.
    encoder : Features or None
        Learned by the fit.
    before, after : IdMap or None
        Ids of the rows of the fit, and of the joined rows.
    n_after : int
        Number of the joined rows.

    Returns
    -------
    FeatureTable or None
        None where there were no features and there are none.
    """
    if known is None or encoder is None:
        return given
    make = find("feature-table")
    n = known.shape[0]
    if given is None:
        rows = np.where(np.arange(n_after) < n, np.arange(n_after), -1)
        if before is not None and after is not None:
            rows = before._find(after._column())
        return make(after, take_rows_or_empty(known, rows), encoder=encoder)
    table = encoded_features(given, name, encoder, getattr(before, "name", None))
    if before is None or after is None or table.ids is None:
        if table.ids is not None or before is not None or len(table) != n_after - n:
            raise ValueError(
                f"{name} has {len(table)} rows, but {n_after - n} rows are new: give a row for "
                "each of them, in their order"
                if before is None and table.ids is None
                else f"{name} and the model must both have ids, or neither"
            )
        return make(None, stack_rows(known, table.matrix), encoder=encoder)
    both = stack_rows(known, table.matrix)
    old, new = before._find(after._column()), table.ids._find(after._column())
    return make(after, take_rows_or_empty(both, np.where(new >= 0, n + new, old)), encoder=encoder)


def check_features(features: Any, encoder: Any, n: int, side: str) -> None:
    """Raise ValueError where features of a file do not fit the model.

    Parameters
    ----------
    features : csr_array or None
        As learned.
    encoder : Features or None
        As learned.
    n : int
        Number of rows of the model.
    side : {"item", "user"}
        Whose features they are, for the message.
    """
    if features is None:
        return
    if encoder is None or as_csr(features).shape != (n, encoder.n_features):
        raise ValueError(f"features of {side}s of shape {features.shape} that do not fit the model")
