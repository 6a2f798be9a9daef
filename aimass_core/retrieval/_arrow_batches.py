"""Lists for users that arrive as Arrow batches, such as those of Spark's ``mapInArrow``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..base.optional import import_optional
from ..base.recommender import UNKNOWN
from ..base.validation import as_bool, as_choice, as_int
from ._partitions import _load_once
from ._stream import _schema_of, recommend_blocks

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ArrowRecommender"]


class ArrowRecommender:
    """A function from batches of user ids to batches of their lists.

    It holds the name of the model's file, so it is small to send. Each worker process maps the file
    once.

    Parameters
    ----------
    path : path-like
        File of a fitted recommender, written by `save`; all workers see it under this name.
    user : str, optional
        Column of the user ids. Default: the first column.
    k : int, default=10
        Items of each list.
    exclude_seen : bool, default=True
        Leave out items that the user has already.
    unknown : {"skip", "error", "popular"}, default="skip"
        What happens to users that the model does not know.
    n_threads : int, default=1
        Threads of a call: the cores that the engine gives to a task.

    Raises
    ------
    ImportError
        Without pyarrow (``pip install 'aimass_core[io]'``).
    DamagedFileError
        For a file that is not of a fitted model.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> from aimass_core import Popularity
    >>> from aimass_core.retrieval import ArrowRecommender
    >>> path = tempfile.mkdtemp() + "/model.safetensors"
    >>> Popularity().fit([[1.0, 0.0], [1.0, 1.0]]).save(path)
    >>> recommend = ArrowRecommender(path, k=1)
    >>> batches = [pa.record_batch({"user": [0]})]
    >>> [batch["item"].to_pylist() for batch in recommend(batches)]
    [[1]]
    >>> df.select("user").mapInArrow(recommend, recommend.spark_schema)  # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        user: str | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        unknown: str = "skip",
        n_threads: int = 1,
    ) -> None:
        import_optional("pyarrow", "ArrowRecommender", "io")
        self.path = str(os.path.abspath(path))
        self.user = user
        self.options: dict[str, Any] = {
            "k": as_int(k, "k", minimum=1),
            "exclude_seen": as_bool(exclude_seen, "exclude_seen"),
            "unknown": as_choice(unknown, "unknown", UNKNOWN),
            "n_threads": as_int(n_threads, "n_threads", minimum=1),
        }
        model = _load_once(self.path)
        first = [0] if model.users_ is None else model.users_.ids[:1]
        lists = model.recommend(first, k=1, exclude_seen=False, unknown="skip")
        self.schema: pa.Schema = _schema_of(lists)

    @property
    def spark_schema(self) -> str:
        """The columns of the result as Spark's DDL text."""
        names = {"int64": "bigint", "int32": "int", "float": "float", "double": "double"}
        return ", ".join(f"`{f.name}` {names.get(str(f.type), 'string')}" for f in self.schema)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the lists of the users of each batch.

        Parameters
        ----------
        batches : iterable of pyarrow.RecordBatch
            Each with the column of user ids.

        Returns
        -------
        iterator of pyarrow.RecordBatch
            Columns user, item, rank and score; a row for each user and rank.

        Raises
        ------
        ValueError
            Where a batch lacks the column.
        """
        import pyarrow as pa

        model = _load_once(self.path)
        for batch in batches:
            name = batch.schema.names[0] if self.user is None else self.user
            if name not in batch.schema.names:
                raise ValueError(f"user: no column {name!r}; there are {batch.schema.names}")
            users = batch.column(name).to_numpy(zero_copy_only=False)
            for lists in recommend_blocks(model, users, **self.options):
                columns = [
                    pa.array(values).cast(field.type)
                    for values, field in zip(lists.columns().values(), self.schema, strict=True)
                ]
                yield pa.record_batch(columns, schema=self.schema)
