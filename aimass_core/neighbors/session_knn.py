"""Session-based nearest neighbours: the newest items of a user find similar histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.csr import (
    as_lists,
    dense_scores,
    keep_entries,
    row_numbers,
    spgemm_topk,
    transpose,
)
from ..base.events import group_rows
from ..base.progress import logger
from ..base.ranking import Ranked, rank_by_score
from ..base.recommender import Recommender
from ..base.registry import register
from ..base.validation import as_float, as_int, wrap_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Query

__all__ = ["SessionKNN"]


@register("session-knn")
class SessionKNN(Recommender):
    r"""Recommend the items of sessions that are like the newest items of a session.

    A session is a row of the matrix: a visit of a shop, or the history of a user. Item i of session
    s has the weight :math:`w_{si} = (1 + n_{si})^{-r}`, where :math:`n_{si}` is the number of items
    of the session with a later time. The neighbours of s are the sessions t of the fit with the
    largest cosine of :math:`w_s` and the set of the items of t,

    .. math:: s_{sj} = \sum_{t \in N_k(s),\, j \in t} \cos(w_s, t).

    Parameters
    ----------
    n_neighbors : int, default=100
        Sessions of the fit that a list is made from.
    recency : float, default=1.0
        The exponent r. With 0 all items of a session count alike, as in the SKNN of Jannach and
        Ludewig; larger values give more weight to the newest items.
    n_threads : int, optional
        Threads of ``fit``. Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Attributes
    ----------
    user_items_ : csr_array of float32, shape (n_users, n_items)
        The fitted interactions, a row for each session. Values above 0 are its items.
    timestamps_ : ndarray of int64, shape (nnz,), or None
        Their times.

    Notes
    -----
    Items of the same time, such as those of one purchase, have the same weight. Without times the
    order is not known, and all items count alike. A list costs a sparse product of the session with
    the transposed matrix, and one of the neighbours with the matrix. Ludewig and Jannach compare
    with a sample of the newest sessions; here all sessions are compared. The list of a session does
    not depend on the other sessions of the call. A session of the fit is not its own neighbour.

    References
    ----------
    D. Jannach and M. Ludewig, "When recurrent neural networks meet the neighborhood for
    session-based recommendation", RecSys 2017. M. Ludewig and D. Jannach, "Evaluation of
    session-based recommendation algorithms", User Modeling and User-Adapted Interaction 28, 2018.

    Examples
    --------
    >>> from aimass_core import Interactions, SessionKNN
    >>> x = Interactions.from_arrays(
    ...     list("aaabbbccc"),
    ...     ["tea", "pie", "jam", "ale", "pie", "nut", "tea", "ale", "nut"],
    ...     times=[1, 2, 3] * 3,
    ... )
    >>> model = SessionKNN(n_neighbors=2).fit(x)
    >>> new = Interactions.from_arrays(["eve"] * 2, ["ale", "tea"], times=[5, 6])
    >>> model.recommend_new(new, k=2).ids.tolist()
    [['nut', 'jam']]
    """

    _keeps_times: ClassVar[bool] = True
    _orders_profiles: bool = True
    _dtype: ClassVar[Any] = np.float32
    _state: ClassVar[tuple[str, ...]] = (
        *Recommender._state,
        "timestamps_",
        "time_unit_",
        "events_",
    )

    timestamps_: NDArray[np.int64] | None

    def __init__(
        self, *, n_neighbors: int = 100, recency: float = 1.0, n_threads: int | None = None
    ) -> None:
        self.n_neighbors = n_neighbors
        self.recency = recency
        self.n_threads = n_threads

    def _check_parameters(self) -> None:
        as_int(self.n_neighbors, "n_neighbors", minimum=1)
        as_float(self.recency, "recency", minimum=0.0)

    def _learn(self, n_threads: int) -> None:
        self._check_parameters()
        if self.timestamps_ is None:
            logger.info("SessionKNN: X has no times, so all items of a session count alike")

    def _prepare(self, n_threads: int) -> None:
        sessions = keep_entries(self.user_items_, self.user_items_.data > 0)
        self._sessions = wrap_csr(
            sessions.indptr,
            sessions.indices,
            np.ones(sessions.nnz, dtype=np.float32),
            sessions.shape,
        )
        lengths = np.diff(self._sessions.indptr)
        scaled = wrap_csr(
            sessions.indptr,
            sessions.indices,
            np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths).astype(np.float32),
            sessions.shape,
        )
        self._sessions_of_items = transpose(scaled, n_threads)

    def _check_state(self) -> None:
        super()._check_state()
        self._check_parameters()

    def _weighted(self, query: Query) -> sp.csr_array:
        """Return the items of each session of a query with their weights, scaled to length one."""
        profiles, times = query.profiles, query.times
        if query.users is not None and self.timestamps_ is not None:
            indptr = self.user_items_.indptr.astype(np.int64)
            times = self.timestamps_[group_rows(indptr, query.users)[1]]
        is_item = profiles.data > 0
        sessions = keep_entries(profiles, is_item)
        rows = row_numbers(sessions)
        weights = np.ones(sessions.nnz)
        if times is not None:
            n_later = later_entries(rows, sessions.indptr.astype(np.int64), times[is_item])
            weights = (1.0 + n_later) ** -float(self._fitted_parameters()["recency"])
        squares = np.bincount(rows, weights=weights * weights, minlength=len(query))
        weights /= np.sqrt(squares)[rows]
        return wrap_csr(
            sessions.indptr, sessions.indices, weights.astype(np.float32), sessions.shape
        )

    def _neighbors_of(self, query: Query) -> sp.csr_array:
        """Return the similarities of the nearest sessions of the fit, without a session itself."""
        own = None
        if query.users is not None:
            own = wrap_csr(
                np.arange(len(query) + 1, dtype=np.int64),
                query.users.astype(np.int32),
                np.ones(len(query), dtype=np.float32),
                (len(query), self.n_users_),
            )
        k = max(min(int(self._fitted_parameters()["n_neighbors"]), self.n_users_), 1)
        best = spgemm_topk(
            self._weighted(query), self._sessions_of_items, k, query.n_threads, exclude=own
        )
        return as_lists(*best, self.n_users_)

    def score(self, query: Query) -> NDArray[Any]:
        """Return the summed similarities of the neighbours that have each item.

        Parameters
        ----------
        query : Query
            Some sessions, in row numbers.

        Returns
        -------
        ndarray of float32, shape (n, n_items)
            -inf for an item that no neighbour has.
        """
        return dense_scores(self._neighbors_of(query) @ self._sessions)

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each session of a query under its filters.

        Parameters
        ----------
        query : Query
            Sessions, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        if query.candidate_lists is not None:
            return rank_by_score(query, self.score)
        return spgemm_topk(
            self._neighbors_of(query),
            self._sessions,
            query.k,
            query.n_threads,
            exclude=query.exclude,
            candidates=query.mask,
        )


def later_entries(
    rows: NDArray[np.integer[Any]], indptr: NDArray[np.int64], times: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many entries of its row have a later time than each entry.

    Parameters
    ----------
    rows : ndarray of int, shape (nnz,)
        Row of each entry, ascending.
    indptr : ndarray of int64, shape (n + 1,)
        Where the entries of each row begin and end.
    times : ndarray of int64, shape (nnz,)
        Time of each entry.

    Returns
    -------
    ndarray of int64, shape (nnz,)
    """
    order = np.lexsort((times, rows))
    ordered, of_row = times[order], rows[order]
    is_last = np.ones(len(order), dtype=bool)  # of the entries of one time
    is_last[:-1] = (np.diff(ordered) != 0) | (np.diff(of_row) != 0)
    ends = np.where(is_last, np.arange(len(order)), len(order))
    ends = np.minimum.accumulate(ends[::-1])[::-1]
    n_later = np.empty(len(order), dtype=np.int64)
    n_later[order] = indptr[of_row + 1] - 1 - ends
    return n_later
