"""Metrics of the ranks of the hits: average precision and reciprocal rank.

Average precision has three denominators in use and so three names here: `average_precision`
divides by the number of relevant items, `average_precision_capped` by min(k, that number),
`average_precision_hits` by the number of hits.
All need O(n_users k log(nnz)) time and O(n_users k + nnz) memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arguments import explains_names
from ._judged import Judged, list_metric

if TYPE_CHECKING:
    from ._judged import Floats

__all__ = [
    "average_precision",
    "average_precision_capped",
    "average_precision_hits",
    "reciprocal_rank",
]


def _sum_precision(lists: Judged) -> Floats:
    """Return the sum of the precision at each hit."""
    hits = lists.hits
    n_users, width = hits.shape
    flat = np.flatnonzero(hits)
    rows, ranks = np.divmod(flat, max(width, 1))
    counts = np.bincount(rows, minlength=n_users)
    n_before = np.cumsum(counts) - counts  # hits of earlier users
    n_hits = np.arange(1, len(flat) + 1) - n_before[rows]  # of the list, up to each hit
    sums = np.bincount(rows, n_hits / (ranks + 1), minlength=n_users)
    return np.asarray(sums, dtype=np.float64)


def _average_precision(lists: Judged) -> Floats:
    return _sum_precision(lists) / np.maximum(lists.n_relevant, 1)


def _average_precision_capped(lists: Judged) -> Floats:
    return _sum_precision(lists) / np.clip(lists.n_relevant, 1, max(lists.k, 1))


def _average_precision_hits(lists: Judged) -> Floats:
    return np.asarray(_sum_precision(lists) / np.maximum(lists.hits.sum(axis=1), 1))


def _reciprocal_rank(lists: Judged) -> Floats:
    hits = lists.hits
    if not hits.shape[1]:
        return np.zeros(len(hits))
    return np.where(hits.any(axis=1), 1.0 / (1 + hits.argmax(axis=1)), 0.0)


@explains_names
def average_precision(
    recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True
) -> Any:
    """Return the average precision, divided by the number of relevant items.

    The precision at the rank of each hit, summed; its mean over users is MAP.

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
        Sum of precisions at hits / number of relevant items.

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    Notes
    -----
    Equals scikit-learn's ``average_precision_score`` when the list ranks every item.

    References
    ----------
    .. [1] C. Buckley, E. M. Voorhees, "Evaluating Evaluation Measure Stability", SIGIR 2000.

    Examples
    --------
    >>> from aimass_core.evaluation import average_precision
    >>> average_precision([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]])
    0.125
    """
    return list_metric(_average_precision, recommended, relevant, k, mean)


@explains_names
def average_precision_capped(
    recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True
) -> Any:
    """Return the average precision, divided by min(k, number of relevant items).

    The MAP@k of most competitions: a list full of hits scores 1 even for users with more than
    `k` relevant items.

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
        Sum of precisions at hits / min(k, number of relevant items).

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    References
    ----------
    .. [1] B. McFee et al., "The Million Song Dataset Challenge", WWW 2012 Companion.

    Examples
    --------
    >>> from aimass_core.evaluation import average_precision_capped
    >>> average_precision_capped([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]], k=1)
    0.0
    """
    return list_metric(_average_precision_capped, recommended, relevant, k, mean)


@explains_names
def average_precision_hits(
    recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True
) -> Any:
    """Return the average precision, divided by the number of hits in the list.

    It judges the order of what was found and not how much: one hit at the first rank scores 1.

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
        Sum of precisions at hits / number of hits; 0 without hits.

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    References
    ----------
    .. [1] A. Turpin, F. Scholer, "User Performance versus Precision Measures for Simple Search
       Tasks", SIGIR 2006.

    Examples
    --------
    >>> from aimass_core.evaluation import average_precision_hits
    >>> average_precision_hits([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]])
    0.25
    """
    return list_metric(_average_precision_hits, recommended, relevant, k, mean)


@explains_names
def reciprocal_rank(
    recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True
) -> Any:
    """Return one divided by the rank of the first hit; its mean over users is MRR.

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
        1 / rank of the first hit; 0 without hits.

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    References
    ----------
    .. [1] E. M. Voorhees, "The TREC-8 Question Answering Track Report", TREC 1999.

    Examples
    --------
    >>> from aimass_core.evaluation import reciprocal_rank
    >>> reciprocal_rank([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]])
    0.25
    """
    return list_metric(_reciprocal_rank, recommended, relevant, k, mean)
