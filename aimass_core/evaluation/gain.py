"""Normalised discounted cumulative gain, with binary (`ndcg`) or graded (`ndcg_graded`) relevance.

The discount of rank p (from 1) is 1 / log2(1 + p); the ideal list has min(k, number of relevant)
items. Time O(n_users k log(nnz) + nnz log(nnz)), memory O(n_users k + nnz).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arguments import explains_names
from ..base.validation import as_choice
from ._judged import Judged, list_metric

if TYPE_CHECKING:
    from ._judged import Floats, Ints

__all__ = ["ndcg", "ndcg_graded"]

LARGEST_GRADE = 500.0  # sums of 2**500 stay finite


@lru_cache(maxsize=32)
def _discounts(n: int) -> Floats:
    """Return the discounts of the first n ranks."""
    discounts = np.asarray(1.0 / np.log2(np.arange(2, n + 2)))
    discounts.flags.writeable = False
    return discounts


@lru_cache(maxsize=32)
def _ideal_gains(n: int) -> Floats:
    """Return the gain of a list with i hits at its first i ranks, for i up to n; 1 for no hit."""
    gains = np.concatenate([[1.0], np.cumsum(_discounts(n))])
    gains.flags.writeable = False
    return gains


def _ndcg(lists: Judged) -> Floats:
    gain = lists.hits @ _discounts(lists.gains.shape[1])
    n_ideal = np.minimum(lists.n_relevant, lists.k)
    return np.asarray(gain / _ideal_gains(int(n_ideal.max(initial=0)))[n_ideal])


def _sorted_ranks(values: Floats, rows: Ints, starts: Ints) -> Ints:
    """Return the rank (from 0) of each entry within its row, by value descending."""
    order = np.lexsort((-values, rows))
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values)) - starts[rows[order]]
    return ranks


def _ndcg_graded(lists: Judged, gain: str = "linear") -> Floats:
    truth = lists.relevant
    if gain == "exponential" and truth.nnz and truth.data.max() > LARGEST_GRADE:
        raise ValueError(
            f"relevant holds {truth.data.max()}, too large for gain 'exponential' (2**r - 1): "
            "use gain='linear' or smaller grades"
        )

    def value(grades: Floats) -> Floats:
        return grades if gain == "linear" else np.exp2(grades) - 1

    total = value(lists.gains) @ _discounts(lists.gains.shape[1])
    rows = np.repeat(np.arange(len(lists.n_relevant)), lists.n_relevant)
    grades = truth.data.astype(np.float64)
    ranks = _sorted_ranks(grades, rows, truth.indptr[:-1].astype(np.int64))
    counted = ranks < lists.k
    discounts = _discounts(min(lists.k, int(lists.n_relevant.max(initial=0))))
    ideal = np.bincount(
        rows[counted],
        value(grades[counted]) * discounts[ranks[counted]],
        minlength=len(lists.n_relevant),
    )
    return np.asarray(total / np.where(ideal > 0, ideal, 1.0))


@explains_names
def ndcg(recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True) -> Any:
    """Return the normalised discounted cumulative gain with binary relevance.

    Each hit at rank p (from 1) gains 1 / log2(1 + p); the sum is divided by that of an ideal
    list of min(k, number of relevant) hits.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Best item first. A repeated item counts once, at its first position.
    relevant : CSR (n_users x n_items), Interactions, or list of lists or sets
        Relevant items of the same users; in a matrix the stored values above 0.
    k : int, optional
        Cut-off; default the width of the lists. The missing positions of a shorter list are misses.
    mean : bool, default True
        The mean over users with a relevant item, or the value of each user (NaN without one).

    Returns
    -------
    float or ndarray of float64, shape (n_users,)
        NDCG within [0, 1].

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    Notes
    -----
    Equals scikit-learn's ``ndcg_score`` on 0/1 relevance without ties.

    References
    ----------
    .. [1] K. Jarvelin, J. Kekalainen, "Cumulated Gain-Based Evaluation of IR Techniques",
       ACM TOIS 20(4), 2002.

    Examples
    --------
    >>> from aimass_core.evaluation import ndcg
    >>> round(ndcg([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]]), 4)
    0.1934
    """
    return list_metric(_ndcg, recommended, relevant, k, mean)


@explains_names
def ndcg_graded(
    recommended: Any,
    relevant: Any,
    *,
    k: int | None = None,
    mean: bool = True,
    gain: str = "linear",
) -> Any:
    """Return the normalised discounted cumulative gain with graded relevance.

    The grades are the values of the matrix `relevant` (lists of items have grade 1).

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Best item first. A repeated item counts once, at its first position.
    relevant : CSR (n_users x n_items), Interactions, or list of lists or sets
        Relevant items of the same users; in a matrix the stored values above 0.
    k : int, optional
        Cut-off; default the width of the lists. The missing positions of a shorter list are misses.
    mean : bool, default True
        The mean over users with a relevant item, or the value of each user (NaN without one).
    gain : {"linear", "exponential"}, default "linear"
        An item of grade r gains r, or 2**r - 1.

    Returns
    -------
    float or ndarray of float64, shape (n_users,)
        NDCG within [0, 1].

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, a mean where nobody has a relevant item, or
        grades above 500 with the exponential gain.

    Notes
    -----
    The linear gain is the original definition [1]_ and scikit-learn's ``ndcg_score``; the
    exponential one [2]_ is usual in learning to rank.

    References
    ----------
    .. [1] K. Jarvelin, J. Kekalainen, "Cumulated Gain-Based Evaluation of IR Techniques",
       ACM TOIS 20(4), 2002.
    .. [2] C. Burges et al., "Learning to Rank using Gradient Descent", ICML 2005.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from aimass_core.evaluation import ndcg_graded
    >>> grades = sp.csr_array([[0, 3, 1, 2]])
    >>> round(ndcg_graded([[1, 0, 3]], grades), 4)
    0.84
    """
    gain = as_choice(gain, "gain", ("linear", "exponential"))
    return list_metric(lambda lists: _ndcg_graded(lists, gain), recommended, relevant, k, mean)
