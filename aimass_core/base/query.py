"""The query of a fitted model: users, their profiles, filters and the cut-off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .csr import row_numbers, row_range, take_rows
from .events import group_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Query"]


@dataclass(frozen=True)
class Query:
    """Users and the conditions of their lists, in row and column numbers.

    The public calls (`Recommender.recommend` and the like) translate ids and filters into a query;
    a model answers it by `Recommender.score` or `Recommender.rank`.

    Parameters
    ----------
    profiles : csr_array of shape (n, n_items)
        Interactions of each user of the query.
    users : ndarray of int64, shape (n,), optional
        Rows of the users in the fitted matrix. Default: they were not in the fit.
    user_features : csr_array of shape (n, n_features), optional
        Features of the users of this query, for models that were fitted with them.
    item_features : csr_array of shape (n_items, n_features), optional
        Features of all items of this query, where some of them were not in the fit: these have the
        last columns. Else None, and the items are those of the fit.
    context : object, optional
        Context of the query, for models that use it.
    times : ndarray of int64, shape (nnz of profiles,), optional
        Time of each entry of the profiles, for models that use the order of the interactions of new
        users. Default: not known.
    candidates : ndarray of uint8, shape (n_items,), or csr_array of shape (n, n_items), optional
        Items that may be recommended: 1 for each such item, or the stored entries of each row.
        Default: all items.
    exclude : csr_array of shape (n, n_items), optional
        Its stored entries are items that a user must not get.
    k : int, default=10
        Length of the lists, at most n_items.
    n_threads : int, default=1
        Threads that the answer may use; they never change it.
    """

    profiles: sp.csr_array
    users: NDArray[np.int64] | None = None
    user_features: Any = None
    item_features: Any = None
    context: Any = None
    times: NDArray[np.int64] | None = None
    candidates: NDArray[np.uint8] | sp.csr_array | None = None
    exclude: sp.csr_array | None = None
    k: int = 10
    n_threads: int = 1

    def __len__(self) -> int:
        return int(self.profiles.shape[0])

    @property
    def n_items(self) -> int:
        """Number of items that scores are computed for."""
        return int(self.profiles.shape[1])

    @property
    def mask(self) -> NDArray[np.uint8] | None:
        """The candidates where they are the same for all users, else None."""
        return None if sp.issparse(self.candidates) else self.candidates

    @property
    def candidate_lists(self) -> sp.csr_array | None:
        """The candidates where each user has its own, else None."""
        return self.candidates if sp.issparse(self.candidates) else None

    def rows(self, begin: int, end: int) -> Query:
        """Return the query of some consecutive users.

        Parameters
        ----------
        begin, end : int
            First user, and the one after the last.

        Returns
        -------
        Query
            Shares memory with this one.
        """
        if begin == 0 and end >= len(self):
            return self
        return self._select(
            slice(begin, min(end, len(self))), lambda matrix: row_range(matrix, begin, end)
        )

    def take(self, rows: NDArray[np.int64]) -> Query:
        """Return the query of some of its users.

        Parameters
        ----------
        rows : ndarray of int64
            Numbers of the users within this query.

        Returns
        -------
        Query
            Holds copies of their rows.
        """
        return self._select(rows, lambda matrix: take_rows(matrix, rows))

    def _select(self, rows: Any, rows_of: Callable[[sp.csr_array], sp.csr_array]) -> Query:
        """Return the query of some users: ``rows`` indexes arrays, ``rows_of`` cuts matrices."""
        own, excluded = self.candidate_lists, self.exclude
        profiles = rows_of(self.profiles)
        if excluded is self.profiles:  # stays one object: models test whether seen items are out
            excluded = profiles
        elif excluded is not None:
            excluded = rows_of(excluded)
        return replace(
            self,
            profiles=profiles,
            times=None if self.times is None else self.times[self._entries(rows)],
            users=None if self.users is None else self.users[rows],
            user_features=rows_of(self.user_features)
            if sp.issparse(self.user_features)
            else None
            if self.user_features is None
            else self.user_features[rows],
            candidates=self.candidates if own is None else rows_of(own),
            exclude=excluded,
        )

    def _entries(self, rows: Any) -> Any:
        """Return the positions of the entries of the profiles of some users."""
        indptr = self.profiles.indptr.astype(np.int64)
        if isinstance(rows, slice):
            return slice(int(indptr[rows.start]), int(indptr[rows.stop]))
        return group_rows(indptr, rows)[1]

    def hide(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Set the scores of all items that a user must not get to -inf, in place.

        Parameters
        ----------
        scores : ndarray of float, shape (n, n_items)
            One row for each user of the query.

        Returns
        -------
        ndarray
            The same array.
        """
        if self.mask is not None:
            scores[:, self.mask == 0] = -np.inf
        if self.candidate_lists is not None:
            allowed = np.zeros(scores.shape, dtype=bool)
            own = self.candidate_lists
            allowed[row_numbers(own), own.indices] = True
            scores[~allowed] = -np.inf
        if self.exclude is not None:
            scores[row_numbers(self.exclude), self.exclude.indices] = -np.inf
        return scores
