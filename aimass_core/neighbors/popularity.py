"""What most people have: the baseline of every ranking, in a time window and by category too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.lists import TopK
from ..base.query import Query
from ..base.ranking import Ranked, rank_shared
from ..base.recommender import Recommender
from ..base.registry import register
from ..base.validation import as_choice, as_int
from ..data import IdMap, Interactions
from ..data.cleaning import time_window

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Popularity"]


@register("popularity")
class Popularity(Recommender):
    r"""Recommend the most popular items that a user does not have yet.

    The score of an item is the same for every user: :math:`s_i = |U_i|`, the number of users who
    have it, or the sum or the mean of its values.

    Parameters
    ----------
    by : {"count", "sum", "mean"}, default="count"
        Popularity is the number of users of an item, the sum or the mean of its values.
    start, end : datetime, str or number, optional
        Only interactions with ``start <= time < end`` count; needs `Interactions` with times.
        Datetimes or strings such as "2024-06-30" where the times are datetimes, else numbers.

    Attributes
    ----------
    item_scores_ : ndarray of float64, shape (n_items,)
        Popularity; -inf for items without an interaction that counts.
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted; all of it counts as seen.

    Notes
    -----
    O(nnz) to fit. `recommend` costs O(k + items of the user) for each user, not O(n_items).

    References
    ----------
    P. Cremonesi, Y. Koren and R. Turrin, "Performance of recommender algorithms on top-N
    recommendation tasks", RecSys 2010, section 4 ("TopPop").

    Examples
    --------
    >>> from aimass_core import Interactions, Popularity
    >>> x = Interactions.from_arrays([1, 2, 3, 3], ["tea", "tea", "tea", "pie"])
    >>> model = Popularity().fit(x)
    >>> model.recommend([1, 3], k=1).ids.tolist()
    [['pie'], [None]]
    >>> model.top_by_category(["food", "drink"], k=1).ids.tolist()  # of pie and of tea
    [['tea'], ['pie']]
    """

    _state: ClassVar[tuple[str, ...]] = (
        *Recommender._state,
        "item_scores_",
        "timestamps_",
        "time_unit_",
        "events_",
    )
    _keeps_times: ClassVar[bool] = True
    needs_history: ClassVar[bool] = False
    needs_training = False

    item_scores_: NDArray[np.float64]

    def __init__(self, *, by: str = "count", start: Any = None, end: Any = None) -> None:
        self.by = by
        self.start = start
        self.end = end

    def _keeps_events(self) -> bool:
        return self.start is not None or self.end is not None

    def _set_training_data(self, X: Any) -> None:
        super()._set_training_data(X)
        if self._keeps_events() and self.timestamps_ is None:
            raise ValueError(
                "start and end need times: fit on Interactions.from_table(..., time=COLUMN)"
            )
        as_choice(self.by, "by", ("count", "sum", "mean"))
        self._score_items()

    def _score_items(self) -> None:
        """Set the scores from the interactions that count."""
        counted = self.user_items_
        n_users, n = counted.shape
        if self._keeps_events():
            x = Interactions(
                counted,
                IdMap.from_range(n_users),
                IdMap.from_range(n),
                timestamps=self.timestamps_,
                time_unit=self.time_unit_,
                events=self.events_,
            )
            counted = time_window(x, start=self.start, end=self.end).matrix
        count = np.bincount(counted.indices, minlength=n).astype(np.float64)
        score = count
        if self.by != "count":
            score = np.bincount(counted.indices, weights=counted.data, minlength=n).astype(float)
        if self.by == "mean":
            score = score / np.maximum(count, 1)
        self.item_scores_ = np.where(count > 0, score, -np.inf)

    def _forget_rows(self, kept: NDArray[np.int64]) -> None:
        if self.user_items_ is not None:
            self._score_items()

    def _remains(self) -> str:
        if self.user_items_ is None:
            return "item_scores_, to which the forgotten users contributed: call fit to remove it."
        return super()._remains()

    def _check_state(self) -> None:
        super()._check_state()
        if self.item_scores_.shape != (self.n_items,):
            raise ValueError("one score for each item is needed")

    def score(self, query: Query) -> NDArray[Any]:
        """Return the popularity of every item for each user of a query.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            The same in each row.
        """
        return np.tile(self.item_scores_, (len(query), 1))

    def rank(self, query: Query) -> Ranked:
        """Return the k most popular items of each user of a query under its filters.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        return rank_shared(self.item_scores_, query)

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the popularity of the item of each pair.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Not used.

        Returns
        -------
        ndarray of float64, shape (n,)
            -inf for items without an interaction that counts.
        """
        return self.item_scores_[items]

    def top_by_category(self, categories: Any, *, k: int = 10) -> TopK:
        """Return the most popular items of each category.

        Parameters
        ----------
        categories : array-like of shape (n_items,)
            Category of each item, in the order of the columns (of ``items_.ids``).
        k : int, default=10
            At least 1.

        Returns
        -------
        TopK
            Its queries are the categories in ascending order.

        Raises
        ------
        ValueError
            Where there is not one category for each item.
        """
        self._check_fitted()
        labels, codes = np.unique(np.asarray(categories), return_inverse=True)
        if codes.shape != self.item_scores_.shape:
            raise ValueError(
                f"categories must name one for each of the {len(self.item_scores_)} items, got "
                f"shape {codes.shape}"
            )
        k = min(as_int(k, "k", minimum=1), len(codes))
        # Items by category, then popularity; the place within the category follows from the start.
        order = np.lexsort((-self.item_scores_, codes))
        sizes = np.bincount(codes, minlength=len(labels))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        kept = (rank < k) & (self.item_scores_[order] > -np.inf)
        indices = np.full((len(labels), k), -1, dtype=np.int32)
        scores = np.full((len(labels), k), -np.inf)
        where = codes[order][kept], rank[kept]
        indices[where] = order[kept]
        scores[where] = self.item_scores_[order[kept]]
        return TopK(labels, indices, scores, self.items_, "category", self._names[1])
