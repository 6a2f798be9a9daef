"""Ranked lists: what every model gives back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import IdMap

__all__ = ["Explanation", "TopK", "top_of_rows"]


@dataclass(frozen=True, eq=False)
class TopK:
    """The k best for each query, by one rule: score descending, then index ascending.

    Parameters
    ----------
    queries : ndarray of shape (n,)
        Whom the lists are for: ids, or row numbers where the model knows no ids.
    indices : ndarray of int32, shape (n, k)
        Row numbers of what was found, -1 where there is nothing more.
    scores : ndarray of float, shape (n, k)
        Their scores, -inf where there is nothing more.
    id_map : IdMap or None
        Ids of what is found.

    Attributes
    ----------
    ids : ndarray of shape (n, k)
        Ids of what was found, None where there is nothing more; without ids: ``indices``.

    Examples
    --------
    >>> from aimass_core import Interactions, ItemKNN
    >>> x = Interactions.from_arrays(["eve", "eve", "bob"], ["a", "b", "a"])
    >>> lists = ItemKNN(n_neighbors=1).fit(x).recommend(["bob"], k=1)
    >>> lists.ids.tolist()
    [['b']]
    >>> [found.tolist() for found, scores in lists]
    [['b']]
    """

    queries: NDArray[Any]
    indices: NDArray[np.int32]
    scores: NDArray[Any]
    id_map: IdMap | None = field(repr=False)

    @cached_property
    def ids(self) -> NDArray[Any]:
        """Ids of what was found, of shape (n, k)."""
        return self.indices if self.id_map is None else self.id_map.to_ids(self.indices)

    def __len__(self) -> int:
        return len(self.queries)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        for row in range(len(self)):
            n = int((self.indices[row] >= 0).sum())
            yield self.ids[row, :n], self.scores[row, :n]

    def to_dict(self) -> dict[str, NDArray[Any]]:
        """Long form without padding, one entry for each place of each list.

        Returns
        -------
        dict of str to ndarray
            ``query``, ``item``, ``score`` and ``rank`` (from 1).
        """
        rows, places = np.nonzero(self.indices >= 0)
        found = self.indices[rows, places]
        return {
            "query": self.queries[rows],
            "item": found if self.id_map is None else self.id_map.ids[found],
            "score": self.scores[rows, places],
            "rank": (places + 1).astype(np.int32),
        }

    def to_arrow(self) -> Any:
        """Long form as a pyarrow Table.

        Returns
        -------
        pyarrow.Table
            Columns as in `to_dict`.
        """
        return _library("pyarrow").table(self.to_dict())

    def to_pandas(self) -> Any:
        """Long form as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns as in `to_dict`.
        """
        return _library("pandas").DataFrame(self.to_dict())

    def to_polars(self) -> Any:
        """Long form as a polars DataFrame.

        Returns
        -------
        polars.DataFrame
            Columns as in `to_dict`.
        """
        polars = _library("polars")
        columns = self.to_dict()
        return polars.DataFrame(
            {n: c.tolist() if c.dtype == object else c for n, c in columns.items()}
        )


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a model gives a user an item this score.

    ``offset + contributions.sum()`` is the score when all contributions are asked for
    (``k=None``), else the k largest in size are listed.

    Parameters
    ----------
    score : float
        The model's score or predicted rating (before it is clipped to the rating scale).
    offset : float
        The part that no neighbour brought: a mean or baseline, 0 for ranking models.
    of : {"items", "users"}
        What the contributions come from: items of the user, or similar users.
    indices : ndarray of int64, shape (n,)
        Their row numbers.
    ids : ndarray of shape (n,)
        Their ids; without ids: ``indices``.
    contributions : ndarray of float64, shape (n,)
        What each added, largest in size first.
    """

    score: float
    offset: float
    of: str
    indices: NDArray[np.int64]
    ids: NDArray[Any]
    contributions: NDArray[np.float64]


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(f"this needs {name}: pip install {name}") from None


def top_of_rows(scores: NDArray[Any], k: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """The k best of each row of a block of scores; -inf is no candidate."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    return np.where(best == -np.inf, -1, order).astype(np.int32), best
