"""Ranked lists: the one result type of every call that returns lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .export import Exportable, json_values
from .figures import draw_bars, new_axes
from .html import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import IdMap

__all__ = ["Explanation", "TopK", "column_names_of_lists"]

_SHOWN_LISTS, _SHOWN_ITEMS = 10, 10


def column_names_of_lists(users: IdMap | None, items: IdMap | None) -> tuple[str, str]:
    """Return the column names of users and items in tables of lists.

    Parameters
    ----------
    users, items : IdMap or None
        Their names are those of the columns that the interactions were read from.

    Returns
    -------
    tuple of str
        These names; "user" and "item" where there are none, or where they clash with "rank",
        "score" or each other.
    """
    user = getattr(users, "name", None) or "user"
    item = getattr(items, "name", None) or "item"
    return ("user", "item") if len({user, item, "rank", "score"}) < 4 else (user, item)


@dataclass(frozen=True, eq=False, repr=False)
class TopK(Exportable):
    """Ranked lists, one for each query: score descending, then row number ascending.

    Parameters
    ----------
    queries : ndarray of shape (n,)
        Users or items that the lists are for: ids, or row numbers where the model has no ids.
    indices : ndarray of int32, shape (n, k)
        Row numbers of the ranked items (or users), -1 after the end of a shorter list.
    scores : ndarray of float, shape (n, k)
        Their scores, -inf after the end of a shorter list.
    id_map : IdMap, optional
        Ids of the ranked items. Default: they are known by row number only.
    query_name, item_name : str, default="user", "item"
        Column names in tables and files.
    titles : mapping of id to str, optional
        Titles shown beside the ids in notebooks.
    reasons : ndarray of str, shape (n,), optional
        What each list is based on: "history", "features", "popular in country=DE", "popular", or
        "none" for an empty list. Set by models that use features, and for ``unknown="popular"``.

    Attributes
    ----------
    ids : ndarray of shape (n, k)
        Ids of the ranked items, None after the end of a shorter list; without an id map
        ``indices``.

    Examples
    --------
    >>> from aimass_core import Interactions, ItemKNN
    >>> x = Interactions.from_arrays(["eve", "eve", "bob"], ["a", "b", "a"])
    >>> lists = ItemKNN(n_neighbors=1).fit(x).recommend(["bob"], k=1)
    >>> lists.ids.tolist()
    [['b']]
    >>> for items, scores in lists:
    ...     print(items, [round(score, 3) for score in scores])
    ['b'] [1.0]
    >>> lists.to_dict()["item"]
    ['b']
    """

    queries: NDArray[Any]
    indices: NDArray[np.int32]
    scores: NDArray[Any]
    id_map: IdMap | None = None
    query_name: str = "user"
    item_name: str = "item"
    titles: Mapping[Any, str] | None = field(default=None, repr=False)
    reasons: NDArray[Any] | None = None

    @cached_property
    def ids(self) -> NDArray[Any]:
        """Ids of the ranked items, of shape (n, k)."""
        return self.indices if self.id_map is None else self.id_map.to_ids(self.indices)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each list without padding, of shape (n,)."""
        lengths: NDArray[np.int64] = np.count_nonzero(self.indices >= 0, axis=1)
        return lengths

    def __len__(self) -> int:
        return len(self.queries)

    def __iter__(self) -> Iterator[tuple[list[Any], list[float]]]:
        """Yield the ids and the scores of each list, without padding, as Python scalars."""
        for row, n in enumerate(self.lengths.tolist()):
            yield self.ids[row, :n].tolist(), self.scores[row, :n].tolist()

    def __getitem__(self, rows: Any) -> TopK:
        """Return the lists of some queries: a row number, a slice, or an array of either kind."""
        if isinstance(rows, (int, np.integer)):
            rows = np.arange(len(self))[rows : rows + 1 or None]
            if not len(rows):
                raise IndexError(f"there are {len(self)} lists")
        return replace(
            self,
            queries=self.queries[rows],
            indices=self.indices[rows],
            scores=self.scores[rows],
            reasons=None if self.reasons is None else self.reasons[rows],
        )

    def __repr__(self) -> str:
        shown = "; ".join(
            f"{query!r}: {items[:3]}{'...' if len(items) > 3 else ''}"
            for query, (items, _) in zip(self.queries[:3].tolist(), self[:3], strict=True)
        )
        more = "; ..." if len(self) > 3 else ""
        size = f"lists: {len(self)}, k: {self.indices.shape[1]}, of: {self.item_name}"
        return f"TopK({size}; {shown}{more})"

    def with_titles(self, titles: Mapping[Any, str]) -> TopK:
        """Return the same lists with titles for display.

        Parameters
        ----------
        titles : mapping of id to str
            Ids without a title are shown alone.

        Returns
        -------
        TopK
            Shares all arrays with this one.
        """
        return replace(self, titles=dict(titles))

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return one row for each rank of each list, without padding, as arrays.

        Returns
        -------
        dict of str to ndarray
            The queries, the ranked ids, ``rank`` (int32, from 1) and ``score``. The first two are
            named by ``query_name`` and ``item_name``.
        """
        rows, ranks = np.nonzero(self.indices >= 0)
        items = self.indices[rows, ranks]
        return {
            self.query_name: self.queries[rows],
            self.item_name: items if self.id_map is None else self.id_map.ids[items],
            "rank": (ranks + 1).astype(np.int32),
            "score": self.scores[rows, ranks],
        }

    def plot(self, row: int = 0, *, ax: Any = None) -> Any:
        """Draw one list as bars: titles or ids, and their scores.

        Parameters
        ----------
        row : int, default=0
            Number of the list.
        ax : matplotlib.axes.Axes, optional
            Axes to draw into. Default: those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install 'aimass_core[plot]'``).
        IndexError
            Where there is no such list.
        """
        items, scores = next(iter(self[int(row)]))
        names = [str((self.titles or {}).get(item, item)) for item in items]
        size = (6.4, 1.2 + 0.28 * max(len(names), 1))
        ax = draw_bars(new_axes(ax, size=size), names, scores, "score")
        ax.set_title(f"{self.query_name} {self.queries[row]}")
        return ax

    def _repr_html_(self) -> str:
        """Return a table of the first lists for a notebook."""
        from html import escape  # importing it takes long

        rows = []
        for query, (items, scores) in zip(
            self.queries[:_SHOWN_LISTS].tolist(), self[:_SHOWN_LISTS], strict=True
        ):
            largest = max((abs(s) for s in scores), default=0.0) or 1.0
            cells = "".join(
                _cell(item, score, abs(score) / largest, self.titles)
                for item, score in zip(items[:_SHOWN_ITEMS], scores[:_SHOWN_ITEMS], strict=True)
            )
            rows.append(f"<tr><th>{escape(str(query))}</th>{cells}</tr>")
        width = min(self.indices.shape[1], _SHOWN_ITEMS)
        head = "".join(f"<th>{rank + 1}</th>" for rank in range(width))
        n_hidden = len(self) - len(rows)
        more = f"<p>and {n_hidden:,} more lists</p>" if n_hidden > 0 else ""
        return (
            f"<table><thead><tr><th>{escape(self.query_name)}</th>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>{more}"
        )


def _cell(item: Any, score: float, share: float, titles: Mapping[Any, str] | None) -> str:
    """Return a table cell with id, title, score, and a bar that fills a share of the width."""
    from html import escape

    title = (titles or {}).get(item)
    text = escape(str(item)) + (f"<br><small>{escape(str(title))}</small>" if title else "")
    bar = (
        f'<div style="height:4px;width:{100 * share:.0f}%;background:#4c78a8;margin-top:2px"></div>'
    )
    style = "text-align:left;vertical-align:top"
    return f'<td style="{style}">{text}<br><small>{score:.4g}</small>{bar}</td>'


@dataclass(frozen=True, eq=False)
class Explanation:
    """The parts of the score that a model gives to a pair of a user and an item.

    ``offset + contributions.sum()`` is the score when all contributions are requested
    (``k=None``); otherwise the k largest in absolute value are listed.

    Parameters
    ----------
    score : float
        The model's score or predicted rating (before it is clipped to the rating scale).
    offset : float
        The part that no contributor adds: a mean or baseline, 0 for ranking models.
    of : {"items", "users", "features"}
        What contributes: items of the user, similar users, or features of the item.
    indices : ndarray of int64, shape (n,)
        Row numbers of the contributors, or numbers of the features.
    ids : ndarray of shape (n,)
        Their ids, or names of the features; without ids: ``indices``.
    contributions : ndarray of float64, shape (n,)
        What each adds to the score, largest absolute value first.
    """

    score: float
    offset: float
    of: str
    indices: NDArray[np.int64]
    ids: NDArray[Any]
    contributions: NDArray[np.float64]

    @classmethod
    def of_parts(
        cls,
        score: float,
        offset: float,
        of: str,
        rows: NDArray[Any],
        parts: NDArray[Any],
        *,
        k: int | None,
        id_map: IdMap | None,
    ) -> Explanation:
        """Rank contributions by absolute value and keep the k largest.

        Parameters
        ----------
        score, offset : float
            The score, and the part that no contributor adds.
        of : {"items", "users"}
            What contributes.
        rows, parts : ndarray of shape (n,)
            Row numbers of the contributors and what each adds.
        k : int or None
            Contributions to keep; None keeps all.
        id_map : IdMap or None
            Ids of the contributors.

        Returns
        -------
        Explanation
            Largest absolute value first.
        """
        largest = np.lexsort((rows, -np.abs(parts)))[:k]
        indices = np.asarray(rows, dtype=np.int64)[largest]
        ids = indices if id_map is None else id_map.ids[indices]
        contributions = np.asarray(parts, dtype=np.float64)[largest]
        return cls(score, offset, of, indices, ids, contributions)

    def _repr_html_(self) -> str:
        """Return the score and a table of the contributors for a notebook."""
        shown = zip(self.ids.tolist(), self.contributions.tolist(), strict=True)
        offset = f", {self.offset:.4g} of it without any of them" if self.offset else ""
        head = f"<p>score <b>{self.score:.4g}</b>{offset}</p>"
        rows = [(name, f"{part:.4g}") for name, part in shown]
        return head + table((self.of, "contribution"), rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as Python scalars that ``json.dumps`` accepts.

        Returns
        -------
        dict
            ``score``, ``offset``, ``of``, ``ids`` and ``contributions``.
        """
        return {
            "score": self.score,
            "offset": self.offset,
            "of": self.of,
            "ids": json_values(self.ids),
            "contributions": self.contributions.tolist(),
        }
