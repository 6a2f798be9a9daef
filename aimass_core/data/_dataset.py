"""The partitions of a distributed data set, and the engine that calls a function on each.

Dask, Ray and Spark call the function where a partition lies; only its small result comes back.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.optional import import_optional

if TYPE_CHECKING:
    from ..base.executor import Runner

__all__ = ["engine_executor", "engine_of", "map_partitions"]

Summary = dict[str, Any]


def engine_of(dataset: Any) -> str:
    """Return "dask", "ray", "pyspark" or "" for the partitions of a sequence."""
    for base in type(dataset).__mro__:
        library = base.__module__.partition(".")[0]
        if library in ("dask", "dask_expr", "ray", "pyspark"):
            return "dask" if library == "dask_expr" else library
    return ""


def engine_executor(dataset: Any) -> Any:
    """Return the executor of the engine that holds a data set, or None."""
    library = engine_of(dataset)
    if library == "ray":
        return "ray"
    if library == "dask":
        distributed: Any = sys.modules.get("distributed")
        if distributed is not None:
            with contextlib.suppress(ValueError):  # no client: Dask uses threads of this process
                return distributed.get_client().get_executor(pure=False)
    return None


def map_partitions(
    dataset: Any,
    columns: Sequence[Any],
    function: Callable[..., Summary | None],
    spec: Any,
    runner: Runner,
) -> list[Summary]:
    """Return ``function(table, number, spec)`` of each partition, in their order.

    Parameters
    ----------
    dataset : DataFrame of Dask or Spark, Dataset of Ray, folder, or iterable of tables and paths
        The partitions.
    columns : sequence of str
        Columns to read.
    function : callable
        A function of a module; it returns a dictionary that JSON can hold, or None for a partition
        without rows.
    spec : object
        Given to each call.
    runner : Runner
        Calls the function on tables and paths.
    """
    library = engine_of(dataset)
    if library == "dask":
        results = _on_dask(dataset, columns, function, spec)
    elif library == "ray":
        results = _on_ray(dataset, columns, function, spec)
    elif library == "pyspark":
        results = _on_spark(dataset, columns, function, spec)
    else:
        parts = list(enumerate(_listed(dataset)))
        results = list(runner.map(_call, parts, function, spec))
    return [result for result in results if result is not None]


def _call(
    part: tuple[int, Any], function: Callable[..., Summary | None], spec: Any
) -> Summary | None:
    number, table = part
    return function(table, number, spec)


def _listed(dataset: Any) -> list[Any]:
    """Return the partitions of a folder of Parquet files, or of an iterable."""
    if isinstance(dataset, (str, os.PathLike)):
        folder = Path(dataset).absolute()  # workers may have another working directory
        if not folder.is_dir():
            raise FileNotFoundError(
                f"dataset: there is no folder '{folder}': give a folder of Parquet files, a list "
                "of tables and paths, or a data set of Dask, Ray or Spark"
            )
        parts: list[Any] = sorted(folder.glob("*.parquet"))
        if not parts:
            raise FileNotFoundError(f"dataset: the folder '{folder}' holds no *.parquet file")
        return parts
    is_table = isinstance(dataset, (Mapping, np.ndarray)) or hasattr(dataset, "columns")
    if is_table or not isinstance(dataset, Iterable):
        raise TypeError(
            "dataset must be a DataFrame of Dask or Spark, a Dataset of Ray, a folder of Parquet "
            f"files, or a list of tables and paths, got {type(dataset).__name__}; "
            "Interactions.from_table reads one table"
        )
    parts = list(dataset)
    if not parts:
        raise ValueError("dataset holds no partition")
    return parts


def _on_dask(dataset: Any, columns: Sequence[Any], function: Any, spec: Any) -> list[Any]:
    dask = import_optional("dask", "a DataFrame of Dask", "dask")
    _check_columns(list(dataset.columns), columns)
    call = dask.delayed(function, pure=False)
    parts = dataset[list(columns)].to_delayed()
    return list(dask.compute(*(call(part, number, spec) for number, part in enumerate(parts))))


def _on_ray(dataset: Any, columns: Sequence[Any], function: Any, spec: Any) -> list[Any]:
    ray = import_optional("ray", "a Dataset of Ray", "ray")
    _check_columns(list(dataset.columns() or columns), columns)
    refs = dataset.select_columns(list(columns)).to_arrow_refs()
    call = ray.remote(function)
    results: list[Any] = ray.get([call.remote(ref, i, spec) for i, ref in enumerate(refs)])
    return results


def _on_spark(dataset: Any, columns: Sequence[Any], function: Any, spec: Any) -> list[Any]:
    _check_columns(list(dataset.columns), columns)

    def call(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        held = [batch for batch in batches if batch.num_rows]
        if not held:
            return
        context = importlib.import_module("pyspark").TaskContext.get()
        number = 0 if context is None else context.partitionId()
        result = function(pa.Table.from_batches(held), number, spec)
        if result is not None:
            summary = json.dumps({"number": number, **result})
            yield pa.record_batch({"summary": pa.array([summary], pa.string())})

    rows = dataset.select(*columns).mapInArrow(call, "summary string").collect()
    return sorted((json.loads(row[0]) for row in rows), key=lambda result: result["number"])


def _check_columns(known: list[Any], wanted: Sequence[Any]) -> None:
    for name in wanted:
        if name not in known:
            listed = ", ".join(map(repr, known))
            raise ValueError(f"dataset has no column {name!r}; it has {listed}")
