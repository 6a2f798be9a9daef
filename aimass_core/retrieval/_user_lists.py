"""Users of each item, as lists of different lengths: users whose top-k contains it, audiences."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.caller import warn_caller
from ..base.export import Exportable
from ..base.optional import import_optional
from ..base.text import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..data import IdMap

__all__ = ["Audience", "ReverseTopK", "UserLists"]

_SHOWN_LISTS, _SHOWN_USERS = 10, 10


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class UserLists(Exportable):
    """Users of each item: score descending, then row number ascending.

    The users of the i-th item are those from ``indptr[i]`` to before ``indptr[i + 1]``.

    Parameters
    ----------
    item_rows : ndarray of int64, shape (n,)
        Row numbers of the items, in the order of the call.
    indptr : ndarray of int64, shape (n + 1,)
        Where the users of each item begin.
    user_rows : ndarray of int32
        Row numbers of the users.
    scores : ndarray of float
        Their scores.
    item_map, user_map : IdMap, optional
        Ids of items and users. Default: they are known by row number only.
    item_name, user_name : str, default="item", "user"
        Column names in tables.
    """

    item_rows: NDArray[np.int64]
    indptr: NDArray[np.int64]
    user_rows: NDArray[np.int32]
    scores: NDArray[Any]
    item_map: IdMap | None = None
    user_map: IdMap | None = None
    item_name: str = "item"
    user_name: str = "user"

    @cached_property
    def items(self) -> NDArray[Any]:
        """Ids of the items, of shape (n,); without an id map row numbers."""
        return self.item_rows if self.item_map is None else self.item_map.ids[self.item_rows]

    @cached_property
    def users(self) -> NDArray[Any]:
        """Ids of the users of all items, one after another; without an id map row numbers."""
        return self.user_rows if self.user_map is None else self.user_map.ids[self.user_rows]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of users of each item, of shape (n,)."""
        return np.diff(self.indptr)

    def __len__(self) -> int:
        return len(self.item_rows)

    def __iter__(self) -> Iterator[tuple[list[Any], list[float]]]:
        """Yield the ids and the scores of each item's users as Python scalars."""
        for begin, end in zip(self.indptr[:-1].tolist(), self.indptr[1:].tolist(), strict=True):
            yield self.users[begin:end].tolist(), self.scores[begin:end].tolist()

    def __getitem__(self, positions: Any) -> Self:
        """Return the lists of some items: a position, a slice, or an array of either kind."""
        return self.take(np.atleast_1d(np.arange(len(self))[positions]))

    def take(self, positions: NDArray[np.int64]) -> Self:
        """Return the lists of some items, in this order.

        Parameters
        ----------
        positions : ndarray of int64
            Positions of the items in ``items``.

        Returns
        -------
        Self
            With copies of their lists.
        """
        sizes = self.sizes[positions]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        entries = np.arange(indptr[-1]) + np.repeat(self.indptr[positions] - indptr[:-1], sizes)
        return replace(
            self,
            item_rows=self.item_rows[positions],
            indptr=indptr,
            user_rows=self.user_rows[entries],
            scores=self.scores[entries],
        )

    def of(self, item: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the users of one item and their scores.

        Parameters
        ----------
        item : id
            One of ``items``.

        Returns
        -------
        users : ndarray
            Ids, best first.
        scores : ndarray of float
            Their scores.

        Raises
        ------
        KeyError
            For an item that is not in ``items``.
        """
        row = item if self.item_map is None else self.item_map.get([item])[0]
        positions = np.flatnonzero(self.item_rows == row)
        if not len(positions):
            shown = ", ".join(map(repr, self.items[:5].tolist()))
            raise KeyError(f"item {item!r} is not in this result; its items begin with {shown}")
        part = slice(self.indptr[positions[0]], self.indptr[positions[0] + 1])
        return self.users[part], self.scores[part]

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return one row for each user of each item, as arrays.

        Returns
        -------
        dict of str to ndarray
            The items, the users, ``rank`` (int32, from 1) and ``score``, under the names that
            tables and files use: those of the columns that the data were read from, else "item"
            and "user".
        """
        positions = np.repeat(np.arange(len(self)), self.sizes)
        rank = np.arange(len(positions)) - self.indptr[positions] + 1
        return {
            self.item_name: self.items[positions],
            self.user_name: self.users,
            "rank": rank.astype(np.int32),
            "score": self.scores,
        }

    def join(self, attributes: Any, *, on: str | None = None) -> Any:
        """Return the table of `columns` with attributes of the users.

        Parameters
        ----------
        attributes : pandas.DataFrame, polars.DataFrame, polars.LazyFrame or pyarrow.Table
            One row for each user; users that are not in the lists are left out.
        on : str, optional
            Column with the users' ids. Default: the name of the users' column.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or pyarrow.Table
            Of the same library; attributes of users without a row are null. An attribute that has
            the name of a column of the lists, such as "score", gets the name of the users' column
            in front: "user_score".

        Raises
        ------
        ValueError
            For a missing column, a user that has several rows, or names that are not unique.
        TypeError
            For another kind of table, or ids of another type than those of the lists.

        Warns
        -----
        UserWarning
            If no user of the lists has a row.

        Examples
        --------
        >>> import pandas as pd
        >>> from aimass_core.retrieval import AudienceIndex, audience
        >>> index = AudienceIndex([[2.0], [1.0]], [[1.0]], user_ids=["ann", "bob"])
        >>> customers = pd.DataFrame({"user": ["bob", "ann"], "city": ["Rome", "Oslo"]})
        >>> audience(index, [0], size=2).join(customers)[["user", "city"]].values.tolist()
        [['ann', 'Oslo'], ['bob', 'Rome']]
        """
        on = self.user_name if on is None else on
        if hasattr(attributes, "collect_schema") and hasattr(attributes, "collect"):  # polars
            attributes = attributes.collect()
        library = type(attributes).__module__.partition(".")[0]
        names = list(getattr(attributes, "column_names", getattr(attributes, "columns", ())))
        if library not in ("pandas", "polars", "pyarrow") or not names:
            is_path = isinstance(attributes, (str, os.PathLike))
            hint = ": read the file first, such as by pandas.read_parquet" if is_path else ""
            raise TypeError(
                "attributes must be a table of pandas, polars or pyarrow, got "
                f"{type(attributes).__name__}{hint}"
            )
        if on not in names:
            raise ValueError(
                f"attributes has no column {on!r}; it has {', '.join(map(str, names))}"
            )
        rows = _rows_of_users(self.users, attributes[on], on)
        kept = [name for name in names if name != on]
        taken = list(self.columns())
        new_names = [f"{self.user_name}_{name}" if name in taken else name for name in kept]
        if len({*taken, *new_names}) < len(taken) + len(kept):
            every = ", ".join(map(str, [*taken, *new_names]))
            raise ValueError(
                f"the names of columns are not unique: {every}; rename columns of attributes"
            )
        if library == "pandas":
            pd = import_optional("pandas")
            own = attributes[kept].set_axis(new_names, axis=1).reset_index(drop=True)
            if (rows < 0).any():
                own = own.astype(_nullable_types(own))
            own = own.reindex(rows).reset_index(drop=True)
            return pd.concat([self.to_pandas(), own], axis=1)
        pa = import_optional("pyarrow")
        table = attributes if library == "pyarrow" else attributes.to_arrow()
        own = table.select(kept).take(pa.array(rows, mask=rows < 0))
        joined = self.to_arrow() if library == "pyarrow" else self.to_polars().to_arrow()
        for name, new_name in zip(kept, new_names, strict=True):
            joined = joined.append_column(new_name, own[name])
        return joined if library == "pyarrow" else import_optional("polars").from_arrow(joined)

    def with_hashed_users(
        self, algorithm: str = "sha256", *, salt: str = "", normalize: bool = True
    ) -> Self:
        """Return the same lists with the hash of each user's id in place of the id.

        Advertising platforms match such lists with their own customers.

        Parameters
        ----------
        algorithm, salt, normalize
            As in `HashedIds`.

        Returns
        -------
        Self
            Ids of users are hexadecimal strings; ``user_rows`` number them anew.

        Examples
        --------
        >>> from aimass_core.retrieval import AudienceIndex, audience
        >>> index = AudienceIndex([[1.0]], [[1.0]], user_ids=["ann@example.com"])
        >>> audience(index, [0], size=1).with_hashed_users().users[0][:16]
        '71d4f55f72fa128d'
        """
        from ..data import IdMap
        from ._hashed_ids import hash_ids

        rows, inverse = np.unique(self.user_rows, return_inverse=True)
        ids = rows if self.user_map is None else self.user_map.ids[rows]
        hashes = hash_ids(ids, algorithm, salt=salt, normalize=normalize)
        user_map, codes = IdMap.from_values(np.array(hashes, dtype=np.str_))
        return replace(self, user_rows=codes[inverse].astype(np.int32), user_map=user_map)

    def __repr__(self) -> str:
        name = type(self).__name__
        size = f"lists: {len(self):,}, of: {self.user_name}, entries: {len(self.scores):,}"
        return f"{name}({size})"

    def _repr_html_(self) -> str:
        """Return a table of the first lists for a notebook."""
        rows = []
        for item, (users, scores) in zip(
            self.items[:_SHOWN_LISTS].tolist(), self[:_SHOWN_LISTS], strict=True
        ):
            cells = "".join(
                f"<td>{html.escape(str(user))}<br><small>{score:.4g}</small></td>"
                for user, score in zip(users[:_SHOWN_USERS], scores[:_SHOWN_USERS], strict=True)
            )
            rows.append(f"<tr><th>{html.escape(str(item))}</th><td>{len(users):,}</td>{cells}</tr>")
        n_hidden = len(self) - len(rows)
        more = f"<p>and {n_hidden:,} more lists</p>" if n_hidden > 0 else ""
        head = f"<th>{html.escape(self.item_name)}</th><th>{html.escape(self.user_name)}</th>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"


def _nullable_types(frame: Any) -> dict[Any, str]:
    """Return the types that hold a null and whole numbers, or a null and truth values."""
    names = {"i": "Int", "u": "UInt"}
    types = {}
    for name, dtype in frame.dtypes.items():
        if isinstance(dtype, np.dtype) and dtype.kind in "iu":
            types[name] = f"{names[dtype.kind]}{8 * dtype.itemsize}"
        elif dtype == np.bool_:
            types[name] = "boolean"
    return types


def _plain(value: Any) -> Any:
    """Return a scalar of NumPy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value


def _rows_of_users(users: NDArray[Any], ids: Any, name: str) -> NDArray[np.int64]:
    """Return the position of each user among the ids of a table, -1 where it has no row."""
    from ..data import IdMap

    known, codes = IdMap.from_values(ids)
    if len(known) < len(codes):
        repeated = known.ids[int(np.bincount(codes).argmax())]
        raise ValueError(
            f"attributes has several rows for {counted(len(codes) - len(known), 'user')}, such as "
            f"{_plain(repeated)!r} in column {name!r}: keep one row for each user"
        )
    row_of_code = np.empty(len(known), dtype=np.int64)
    row_of_code[codes] = np.arange(len(codes))
    rows = known.get(users) if len(users) else np.empty(0, dtype=np.int64)
    if len(rows) and (rows < 0).all():
        user = _plain(users[0])
        twin = known._twin(user)
        if twin is not None:
            raise TypeError(
                f"attributes: column {name!r} holds {twin!r} of type {type(twin).__name__}, but "
                f"the lists hold {user!r} of type {type(user).__name__}: convert the column"
            )
        warn_caller(f"attributes: column {name!r} holds no user of the lists, such as {user!r}")
    return np.where(rows >= 0, row_of_code[rows] if len(known) else -1, -1)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ReverseTopK(UserLists):
    """Users whose top-k contains an item, for each of some items; see `UserLists`.

    Parameters
    ----------
    item_rows, indptr, user_rows, scores, item_map, user_map, item_name, user_name
        As in `UserLists`.

    Examples
    --------
    >>> from aimass_core.retrieval import AudienceIndex
    >>> index = AudienceIndex([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]], k=1)
    >>> index.reverse_topk([1]).of(1)[0].tolist()
    [1]
    """


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Audience(UserLists):
    """The target audience of each of some items.

    Parameters
    ----------
    item_rows, indptr, user_rows, scores, item_map, user_map, item_name, user_name
        As in `UserLists`.
    value : float
        Sum over all pairs of score times item value, each above ``floor``.
    bound : float
        Upper bound on the optimal total value under the same limits.
    floor : float
        0, or the lowest score times item value of a candidate if that is negative.
    cost : float
        Total cost of all contacts.
    dropped : ndarray
        Ids of the items without an audience because it would be smaller than ``min_size``.

    Examples
    --------
    >>> from aimass_core.retrieval import AudienceIndex, audience
    >>> index = AudienceIndex([[3.0], [2.0], [1.0]], [[1.0]], user_ids=["ann", "bob", "eve"])
    >>> chosen = audience(index, [0], size=2, exclude=["ann"])
    >>> chosen.of(0)[0].tolist(), chosen.value
    (['bob', 'eve'], 3.0)
    """

    value: float
    bound: float
    floor: float
    cost: float
    dropped: NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __repr__(self) -> str:
        return (
            f"{super().__repr__()[:-1]}, value {self.value:.6g} of at most {self.bound:.6g}, "
            f"cost {self.cost:.6g})"
        )
