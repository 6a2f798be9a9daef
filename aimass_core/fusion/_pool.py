"""Candidate pools: the union of the best items of several models, with every model's score of each.

For each user of a query, the *reference list* of a model holds the scores of its ``depth`` best
items among those that the user does not have. It does not depend on the filters of the query. Ranks
and standardised scores refer to it, so that the fused score of a user and an item is one number,
whichever other items the query excludes.

All scores of a pool, those of the reference lists included, are computed on one path (candidate
lists of each user), so that equal items have equal scores bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.ranking import Ranked, padding, top_of_rows
from ..base.validation import wrap_csr
from ..exceptions import NumericalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Query
    from ._members import Members

    Floats = NDArray[np.float64]

__all__ = ["Pool", "blocks_of", "make_pool", "rank_pool"]

_ENTRIES = 1 << 20  # pool entries handled at once


@dataclass(frozen=True)
class Pool:
    """Candidates of some users and what each model says about them.

    Parameters
    ----------
    n_users : int
        Number of users.
    rows, items : ndarray of int64, shape (n,)
        User (within the query) and item of each candidate; by user, then item.
    history : ndarray of int, shape (n_users,)
        Number of interactions of each user.
    scores : ndarray of float64, shape (n_models, n)
        Score of each model; -inf where the model cannot rank the item.
    references : ndarray of float64, shape (n_models, n_users, depth)
        Reference lists in descending order, padded with -inf.
    is_answer : ndarray of bool, shape (n,)
        Whether the candidate passes the filters of the query.
    """

    n_users: int
    rows: NDArray[np.int64]
    items: NDArray[np.int64]
    history: NDArray[Any]
    scores: Floats
    references: Floats
    is_answer: NDArray[np.bool_]

    def ranks(self, model: int) -> Floats:
        """Return 1 + the number of better items in a model's reference list, of each candidate.

        Beyond the end of a complete list the rank goes on linearly in the score, so that the order
        of the candidates stays that of the model. It is infinity for -inf.
        """
        reference, scores = self.references[model], self.scores[model]
        inside = reference > -np.inf
        lengths = inside.sum(axis=1)
        ranks = (1 + _n_better(reference, self.rows, scores)).astype(np.float64)
        if reference.shape[1]:
            last = np.where(lengths > 0, np.where(inside, reference, np.inf).min(axis=1), 0.0)
            span = np.where(lengths > 0, reference[:, 0] - last, 0.0)
            below = (scores < last[self.rows]) & (scores > -np.inf) & (span[self.rows] > 0)
            rows = self.rows[below]
            ranks[below] += (last[rows] - scores[below]) / span[rows] * lengths[rows]
        ranks[scores == -np.inf] = np.inf
        return ranks

    def standardized(self, model: int) -> Floats:
        """Return scores minus the mean of the reference list, over its standard deviation.

        Scores below the list approach 1 below the value of its last entry; items that the model
        cannot rank have exactly that. A user without a reference list has zeros.
        """
        reference, scores = self.references[model], self.scores[model]
        inside = reference > -np.inf
        n = np.maximum(inside.sum(axis=1), 1)
        mean = np.where(inside, reference, 0.0).sum(axis=1) / n
        deviations = np.where(inside, reference - mean[:, None], 0.0)
        sd = np.sqrt((deviations**2).sum(axis=1) / n)
        sd = np.where(sd > 0, sd, 1.0)
        last = np.where(inside.any(axis=1), np.where(inside, reference, np.inf).min(axis=1), mean)
        rows = self.rows
        ranked = scores > -np.inf
        safe = np.where(ranked, scores, last[rows])
        z: Floats = (safe - mean[rows]) / sd[rows]
        floor = ((last - mean) / sd)[rows]
        gap = np.maximum(floor - z, 0.0)
        z = np.where(gap > 0, floor - gap / (1.0 + gap), z)
        z = np.where(ranked, z, floor - 1.0)
        standardized: Floats = np.where(inside.any(axis=1)[rows], z, 0.0)
        return standardized

    @property
    def is_ranked(self) -> NDArray[np.bool_]:
        """Whether any model can rank the candidate."""
        known: NDArray[np.bool_] = np.any(self.scores > -np.inf, axis=0)
        return known


def blocks_of(query: Query, depth: int, n_models: int) -> Iterator[Query]:
    """Yield the users of a query in blocks that bound the memory of their pools."""
    size = max(1, _ENTRIES // max(1, 2 * depth * n_models))
    for begin in range(0, len(query), size):
        yield query.rows(begin, min(begin + size, len(query)))


def _n_better(reference: Floats, rows: NDArray[np.int64], scores: Floats) -> NDArray[np.int64]:
    """Return how many entries of row ``rows[i]`` of descending lists are above ``scores[i]``."""
    n, depth = reference.shape
    width = 1 << depth.bit_length()  # more than depth, so that the search may end behind the list
    padded = np.full((n, width), -np.inf)
    padded[:, :depth] = reference
    flat, begin = padded.ravel(), rows * np.int64(width)
    at = begin.copy()
    step = width // 2
    while step:  # binary search of all scores at once
        at += step * (flat[at + (step - 1)] > scores)
        step //= 2
    better: NDArray[np.int64] = at - begin
    return better


def _keys(indices: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """Return row x n_items + column of each entry of padded lists."""
    listed = indices >= 0
    begin = np.repeat(np.arange(len(indices)) * np.int64(n_items), listed.sum(axis=1))
    keys: NDArray[np.int64] = begin + indices[listed].astype(np.int64)
    return keys


def _union(lists: list[NDArray[np.int32]], n_items: int) -> NDArray[np.int64]:
    """Return the distinct keys of padded lists of the same rows, ascending."""
    items = np.sort(np.concatenate(lists, axis=1), axis=1)
    items[:, 1:][items[:, 1:] == items[:, :-1]] = -1
    return _keys(items, n_items)


def _scores_at(keys: NDArray[np.int64], ranked: Ranked, n_items: int) -> Floats:
    """Return the scores of sorted keys from ranked lists; -inf where they hold none."""
    ranked_keys = _keys(ranked[0], n_items)
    out = np.full(len(keys), -np.inf)
    out[np.searchsorted(keys, ranked_keys)] = ranked[1][ranked[0] >= 0]
    return out


def make_pool(
    members: Members, query: Query, depth: int, n_answers: int = 0, *, complete: bool = False
) -> Pool:
    """Return the candidates of the users of a query.

    Parameters
    ----------
    members : dict of str to Recommender
        Fitted models of one shape.
    query : Query
        The users and their filters.
    depth : int
        Length of the reference lists.
    n_answers : int, default=0
        Length of each model's list of candidates under the filters, if it is above `depth`.
    complete : bool, default=False
        Take all items as candidates.

    Returns
    -------
    Pool

    Raises
    ------
    NumericalError
        If a model gives NaN as a score.
    """
    n_items, n = query.n_items, len(query)
    depth = min(depth, n_items)
    unseen = replace(query, candidates=None, exclude=query.profiles, k=depth)
    lists = [model._ranked(unseen, False)[0] for model in members.values()]
    if complete:
        keys = answer_keys = np.arange(n * np.int64(n_items))
    elif query.candidates is None and query.exclude is query.profiles and n_answers <= depth:
        keys = answer_keys = _union(lists, n_items)
    else:
        allowed = replace(query, k=min(max(depth, n_answers), n_items))
        answers = [model._ranked(allowed, False)[0] for model in members.values()]
        answer_keys = _union(answers, n_items)
        keys = _union([*answers, *lists], n_items)
    rows, items = np.divmod(keys, np.int64(max(n_items, 1)))
    indptr = np.searchsorted(rows, np.arange(n + 1)).astype(np.int64)
    own = wrap_csr(
        indptr, items.astype(np.int32), np.ones(len(keys), dtype=np.float32), (n, n_items)
    )
    width = int(np.diff(indptr).max(initial=0))
    scores = np.full((len(members), len(keys)), -np.inf)
    references = np.full((len(members), n, depth), -np.inf)
    if width:
        all_candidates = replace(query, candidates=own, exclude=None, k=width)
        for m, (name, model) in enumerate(members.items()):
            scores[m] = _scores_at(keys, model._ranked(all_candidates, False), n_items)
            if np.isnan(scores[m]).any():
                raise NumericalError(
                    f"model {name!r} gives NaN as a score, which has no rank: give every item a "
                    "number, or -inf where the model cannot rank it"
                )
            listed = lists[m] >= 0
            references[m][listed] = scores[m][np.searchsorted(keys, _keys(lists[m], n_items))]
        references = -np.sort(-references, axis=2)
    is_answer: NDArray[np.bool_] = np.ones(len(keys), dtype=bool)
    if len(answer_keys) < len(keys):
        is_answer = np.isin(keys, answer_keys, assume_unique=True)
    return Pool(n, rows, items, np.diff(query.profiles.indptr), scores, references, is_answer)


def rank_pool(pool: Pool, fused: Floats, k: int) -> Ranked:
    """Return the k best candidates of each user by their fused scores; -inf is no candidate."""
    kept = np.flatnonzero(pool.is_answer & (fused > -np.inf))
    rows, items, values = pool.rows[kept], pool.items[kept], fused[kept]
    lengths = np.bincount(rows, minlength=pool.n_users)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    shape = pool.n_users, max(int(lengths.max(initial=0)), k)
    columns, dense = padding(*shape)
    columns[rows, offsets], dense[rows, offsets] = items, values
    best, scores = top_of_rows(dense, k)  # among equal scores the first column, so the first item
    return np.where(best < 0, -1, np.take_along_axis(columns, best, axis=1)), scores
