"""Lists for more users than fit in memory, computed and written block by block."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..base.csr import row_range
from ..base.foreign import as_recommender
from ..base.lists import TopK
from ..base.optional import import_optional
from ..base.recommender import UNKNOWN
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, as_int
from ._user_lists import UserLists

__all__ = ["recommend_blocks", "write_topk"]


def recommend_blocks(
    model: Any,
    users: Any = None,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    candidates: Any = None,
    exclude: Any = None,
    unknown: str = "error",
    item_features: Any = None,
    user_features: Any = None,
    block_size: int | None = None,
    n_threads: int | None = None,
) -> Iterator[TopK]:
    """Yield the lists of ``model.recommend`` in blocks of users, in memory for one block at a time.

    Parameters
    ----------
    model : fitted recommender
        Or another object with ``fit`` and ``score``.
    users : array-like of ids, optional
        As in ``recommend``. Default: all users, in row order.
    k, exclude_seen, candidates, exclude, unknown
        As in ``recommend``; a matrix has a row for each of all queried users.
    item_features, user_features : FeatureTable or table, optional
        As in ``recommend``, matched by id.
    block_size : int, optional
        Users in a block. Default: as many as have 260,000 list entries, but at least 256.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Returns
    -------
    iterator of TopK
        The lists of the next users; at least one block, which is empty if there are no users.

    Raises
    ------
    KeyError
        For an unknown user.
    NotFittedError
        Before ``fit``.
    TypeError
        For a model without ``fit`` and ``score``.

    Examples
    --------
    >>> from aimass_core import ImplicitALS, datasets
    >>> from aimass_core.retrieval import recommend_blocks, write_topk
    >>> store = datasets.make_store(random_state=0)
    >>> model = ImplicitALS(random_state=0).fit(store.to_interactions())
    >>> rows = write_topk(recommend_blocks(model, k=20), "lists.parquet")  # doctest: +SKIP
    """
    model = as_recommender(model)
    model._check_fitted()
    options = {"k": as_int(k, "k", minimum=1), "n_threads": resolve_n_threads(n_threads)}
    as_bool(exclude_seen, "exclude_seen")
    empty = model.recommend([], k=k, exclude_seen=exclude_seen)  # raises what a block would raise
    catalog = model._catalog(item_features)
    if block_size is None:
        size = _block_rows(max(1, min(k, catalog.size)))
    else:
        size = as_int(block_size, "block_size", minimum=1)
    encoded = None if user_features is None else model._encoded_users(user_features)
    rows, queries = model._queried_users(users, as_choice(unknown, "unknown", UNKNOWN), encoded)
    n = len(rows)
    filters = model._filters(candidates, exclude, queries, catalog)
    if not n:
        return iter([replace(empty, queries=_no_ids(model.users_))])

    def blocks() -> Iterator[TopK]:
        for begin in range(0, n, size):
            part = slice(begin, min(begin + size, n))
            yield model._recommend_rows(
                rows[part],
                queries[part],
                exclude_seen=exclude_seen,
                filters=[
                    row_range(f, part.start, part.stop) if sp.issparse(f) else f for f in filters
                ],
                popular=unknown == "popular",
                features=model._query_features(encoded, queries[part], rows[part], catalog),
                catalog=catalog,
                **options,
            )

    return blocks()


def _no_ids(users: Any) -> Any:
    """Return an empty array of the type of the ids."""
    if users is None:
        return np.empty(0, dtype=np.int64)
    ids = users.ids[:0]
    return ids.astype({"str": "U", "bytes": "S"}.get(users.kind, ids.dtype))


def _block_rows(k: int) -> int:
    """Return the users of a block that takes a few MiB and hides a call's fixed cost."""
    return max(256, (1 << 18) // k)


def write_topk(
    blocks: Iterable[Any],
    path: str | os.PathLike[str],
    *,
    schema: Any = None,
    table: str = "lists",
) -> int:
    """Write lists to one table file, block by block: a row for each user and rank.

    Parameters
    ----------
    blocks : TopK, iterable of TopK, Audience or ReverseTopK
        From `recommend_blocks`, `FactorIndex.topk_blocks`, `audience`, or a model's `recommend`.
    path : path-like
        Ends in ``.parquet``, ``.csv``, ``.jsonl`` (both also ``.gz``), ``.feather``, ``.sqlite`` or
        ``.duckdb``. The file appears, or replaces an older one, only when it is complete; in a
        database, one table is made or replaced, and the others stay.
    schema : pyarrow.Schema, optional
        Names and types of the four columns, in this order. Default: the names of the first block's
        `TopK.columns` and the types of its ids, ``rank`` (from 1) int32, ``score`` in the first
        block's precision.
    table : str, default="lists"
        Name of the table in a SQLite or DuckDB file. Other formats have no names of tables.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    ImportError
        Without pyarrow: ``pip install aimass_core[io]``.
    OSError
        Where the folder of ``path`` is missing, or ``path`` is a folder.
    TypeError
        For other lists, or another schema than pyarrow's.
    ValueError
        For an unknown suffix, an empty name of a table, or ids or scores that do not fit the
        schema.

    Notes
    -----
    Memory is that of one block.
    """
    pa = import_optional("pyarrow", "writing tables", "io")
    from ..data._table_writer import TableWriter, output_format

    target = Path(path)
    output_format(target, "path")
    if target.is_dir():
        raise IsADirectoryError(f"path: '{target}' is a folder: give a file name")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"path: there is no folder '{target.parent}': make it first or write elsewhere"
        )
    if schema is not None and not isinstance(schema, pa.Schema):
        raise TypeError(f"schema must be a pyarrow.Schema, got {type(schema).__name__}")
    if type(table) is not str or table == "":
        raise ValueError(f"table must be the name of a table, got {table!r}")
    if schema is not None and len(schema) != 4:
        raise ValueError(
            f"schema must have 4 columns (user, item, rank and score), got {len(schema)}"
        )
    lists = _as_lists(blocks)
    first = next(lists, None)
    if schema is None:
        schema = _schema_of(first) if first is None or isinstance(first, TopK) else _types_of(first)
    with TableWriter(target, schema, table=table) as writer:
        for block in chain([] if first is None else [first], lists):
            columns = list(block.columns().values())
            typed = [_typed(c, field) for c, field in zip(columns, schema, strict=True)]
            _check_finite(columns[3], typed[3], schema.field(3))
            writer.write(pa.table(typed, schema=schema))
    return writer.rows


def _types_of(lists: UserLists) -> Any:
    """Return the schema of the table of users of items."""
    import pyarrow as pa

    return pa.schema([(name, pa.array(values).type) for name, values in lists.columns().items()])


def _as_lists(blocks: Any) -> Iterator[TopK | UserLists]:
    if isinstance(blocks, (TopK, UserLists)):
        yield blocks
        return
    expected = "blocks must be TopK, such as recommend_blocks and topk_blocks yield"
    if not isinstance(blocks, Iterable):
        raise TypeError(f"{expected}; got {type(blocks).__name__}")
    for block in blocks:
        if not isinstance(block, TopK):
            raise TypeError(f"{expected}; got {type(block).__name__} for a block")
        yield block


def _typed(values: Any, field: Any) -> Any:
    """Return a column in the type of the file."""
    import pyarrow as pa

    try:
        return pa.array(values).cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise ValueError(
            f"column '{field.name}' is {field.type}, which these values do not fit: {error}"
        ) from None


def _check_finite(scores: Any, written: Any, field: Any) -> None:
    """Raise where a cast to fewer bits has made inf of a score that is too large."""
    import pyarrow as pa

    if not pa.types.is_floating(field.type):
        return
    lost = np.isfinite(scores) & np.isinf(written.to_numpy())
    if lost.any():
        raise ValueError(
            f"schema: column '{field.name}' is {field.type}, too small for the score "
            f"{scores[lost][0]}: make it float64"
        )


def _schema_of(block: TopK | None) -> Any:
    """Return the schema of a block's table; None: that of row numbers and float32 scores."""
    import pyarrow as pa

    if block is None:
        columns = [("user", pa.int64()), ("item", pa.int32()), ("rank", pa.int32())]
        return pa.schema([*columns, ("score", pa.float32())])
    items = block.indices[:1, :1].ravel() if block.id_map is None else block.id_map.ids[:1]
    user, item = (
        pa.string() if ids.dtype == object and not len(ids) else pa.array(ids).type
        for ids in (block.queries[:1], items)
    )
    return pa.schema(
        [
            (block.query_name, user),
            (block.item_name, item),
            ("rank", pa.int32()),
            ("score", pa.from_numpy_dtype(block.scores.dtype)),
        ]
    )
