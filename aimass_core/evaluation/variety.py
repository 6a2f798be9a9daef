"""How new a list is to its user, how varied in itself, and how different from others' lists.

===================== ===================================================== ======
metric                formula                                               source
===================== ===================================================== ======
novelty               mean of - log2 p_i over a list, p = share of users    [1]
popularity_complement mean of 1 - p_i over a list                           [2]
diversity             mean of 1 - cosine(i, j) over the pairs of a list     [3]
personalization       1 - mean over pairs of users of common items / k      [1]
serendipity           relevant items that the k most popular lack / k       [4]
===================== ===================================================== ======

An item repeated in a list counts once. No metric forms pairs of items or of users.

[1] T. Zhou et al., "Solving the Apparent Diversity-Accuracy Dilemma of Recommender Systems",
PNAS 107(10), 2010. [2] S. Vargas, P. Castells, "Rank and Relevance in Novelty and Diversity
Metrics for Recommender Systems", RecSys 2011. [3] C.-N. Ziegler et al., "Improving
Recommendation Lists Through Topic Diversification", WWW 2005. [4] M. Ge, C. Delgado-Battenfeld,
D. Jannach, "Beyond Accuracy: Evaluating Recommender Systems by Coverage and Serendipity", RecSys
2010.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.validation import as_csr
from ._judged import as_lists, average, judge
from .catalog import incidence

if TYPE_CHECKING:
    from ._judged import Floats

__all__ = ["diversity", "novelty", "personalization", "popularity_complement", "serendipity"]


def item_means(recommended: Any, values: Floats, k: int | None, mean: bool) -> Any:
    """Return the mean of a value per item over each list; NaN for empty lists."""
    matrix = incidence(recommended, len(values), k)
    lengths = np.diff(matrix.indptr)
    with np.errstate(invalid="ignore"):
        return average((matrix @ values) / lengths, mean, "recommended holds no item at all")


def _popularity(train: Any) -> Floats:
    """Return the share of users with each item; an item that nobody has counts as one user's."""
    train = as_csr(train, "train")
    if not train.shape[0]:
        raise ValueError("train holds no user, so popularity is not defined")
    counts = np.bincount(train.indices, minlength=train.shape[1])
    return np.asarray(np.maximum(counts, 1) / train.shape[0])


def novelty(recommended: Any, train: Any, *, k: int | None = None, mean: bool = True) -> Any:
    """Return the mean self-information -log2 p(item) of the recommended items, in bits.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first.
    train : CSR (any users x n_items) or Interactions
        Where popularity p is counted: the share of its users with a stored entry for the item.
        Items that nobody has count as one user's, so that the result is finite.
    k : int, optional
        Cut-off; default the width of the lists.
    mean : bool, default True
        The mean over users with a list, or the value of each user (NaN for empty lists).

    Returns
    -------
    float or ndarray of float64, shape (n_users,)
        0 (everybody has the items already) to log2 of the number of users.

    Raises
    ------
    ValueError
        For items outside of the table, `k` below 1, or a mean where no list counts.

    References
    ----------
    .. [1] T. Zhou et al., "Solving the Apparent Diversity-Accuracy Dilemma of Recommender
       Systems", PNAS 107(10), 2010.

    Examples
    --------
    >>> from aimass_core.evaluation import novelty
    >>> novelty([[0], [1]], [[1, 1], [1, 0], [1, 0], [1, 0]])
    1.0
    """
    return item_means(recommended, -np.log2(_popularity(train)) + 0.0, k, mean)


def popularity_complement(
    recommended: Any, train: Any, *, k: int | None = None, mean: bool = True
) -> Any:
    """Return the mean of 1 - p(item) over a list, p the share of users who have the item.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first.
    train : CSR (any users x n_items) or Interactions
        Where popularity is counted, as in `novelty`.
    k : int, optional
        Cut-off; default the width of the lists.
    mean : bool, default True
        The mean over users with a list, or the value of each user (NaN for empty lists).

    Returns
    -------
    float or ndarray of float64, shape (n_users,)
        Within [0, 1), higher for rarer items.

    Raises
    ------
    ValueError
        For items outside of the table, `k` below 1, or a mean where no list counts.

    References
    ----------
    .. [1] S. Vargas, P. Castells, "Rank and Relevance in Novelty and Diversity Metrics for
       Recommender Systems", RecSys 2011.

    Examples
    --------
    >>> from aimass_core.evaluation import popularity_complement
    >>> popularity_complement([[0], [1]], [[1, 1], [1, 0], [1, 0], [1, 0]])
    0.375
    """
    return item_means(recommended, 1 - _popularity(train), k, mean)


def diversity(recommended: Any, features: Any, *, k: int | None = None, mean: bool = True) -> Any:
    """Return the mean distance 1 - cosine over the pairs of items in a list.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first.
    features : (n_items, n_features) sparse matrix or 2-D array
        What items are compared by: categories as 0/1, embeddings, or ``train.T`` for users in
        common. An item without features is at distance 1 from all others.
    k : int, optional
        Cut-off; default the width of the lists.
    mean : bool, default True
        The mean over users, or the value of each user (NaN for lists of fewer than two items).

    Returns
    -------
    float or ndarray of float64, shape (n_users,)
        Within [0, 1] for non-negative features, [0, 2] in general.

    Raises
    ------
    ValueError
        For items outside of the table, `k` below 1, or a mean where no list counts.

    Notes
    -----
    The sum over pairs is that of unit vectors: (|sum f|^2 - sum |f|^2) / 2, so no pairs are
    formed: time O(n_users k n_features), memory O(n_users n_features) at most.

    References
    ----------
    .. [1] C.-N. Ziegler et al., "Improving Recommendation Lists Through Topic Diversification",
       WWW 2005.

    Examples
    --------
    >>> from aimass_core.evaluation import diversity
    >>> diversity([[0, 1, 2]], [[1, 0], [1, 0], [0, 1]], k=2)
    0.0
    """
    table = as_csr(features, "features", dtype=np.float64)
    lists = incidence(recommended, table.shape[0], k)
    peaks = np.maximum(abs(table).max(axis=1).toarray().ravel(), 1e-300)
    table = sp.diags_array(1.0 / peaks) @ table  # so that squares neither over- nor underflow
    norms = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    unit = sp.csr_array(sp.diags_array(1.0 / np.where(norms > 0, norms, 1.0)) @ table)
    sums = lists @ unit
    alone = lists @ (norms > 0).astype(np.float64)
    similarity = np.asarray(sums.multiply(sums).sum(axis=1)).ravel() - alone
    lengths = np.diff(lists.indptr).astype(np.float64)
    n_pairs = lengths * (lengths - 1)  # ordered pairs, as the similarity counts each twice
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(n_pairs > 0, np.maximum(1 - similarity / n_pairs, 0.0), np.nan)
    return average(values, mean, "recommended holds no list of two items or more")


def personalization(recommended: Any, *, k: int | None = None) -> float:
    """Return one minus the mean share of items that two users' lists have in common.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first, of at least two users.
    k : int, optional
        Cut-off, and what the overlap is divided by; default the width of the lists.

    Returns
    -------
    float
        0 when all get the same list, 1 when no two lists share an item.

    Notes
    -----
    The pairs of users are counted by item, sum_i c_i (c_i - 1) / 2: O(n_users k), not O(n_users^2).

    References
    ----------
    .. [1] T. Zhou et al., "Solving the Apparent Diversity-Accuracy Dilemma of Recommender
       Systems", PNAS 107(10), 2010.

    Examples
    --------
    >>> from aimass_core.evaluation import personalization
    >>> personalization([[0, 1], [0, 2]])
    0.5
    """
    matrix = incidence(recommended, None, k)
    n_users = matrix.shape[0]
    if n_users < 2:
        raise ValueError(f"recommended must hold at least two users' lists, got {n_users}")
    width = int(k) if k is not None else max(as_lists(recommended).shape[1], 1)
    return _personalization(np.bincount(matrix.indices), n_users, width)


def _personalization(counts: Any, n_users: int, width: int) -> float:
    if n_users < 2:
        return float("nan")
    counts = counts.astype(np.float64)
    return float(1 - (counts * (counts - 1)).sum() / (n_users * (n_users - 1.0) * width))


def serendipity(
    recommended: Any, relevant: Any, train: Any, *, k: int | None = None, mean: bool = True
) -> Any:
    """Return the share of the `k` positions that hold a relevant and unexpected item.

    An item is unexpected if it is not among the `k` items that most users of `train` have.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first. A repeated item counts once, at its first position.
    relevant : CSR (n_users x n_items) or Interactions
        Relevant items of the same users: the stored values above 0.
    train : CSR (any users x n_items) or Interactions
        Where popularity is counted: the number of users with a stored entry for the item.
    k : int, optional
        Cut-off; default the width of the lists.
    mean : bool, default True
        The mean over users with a relevant item, or the value of each user (NaN without one).

    Returns
    -------
    float or ndarray of float64, shape (n_users,)
        Within [0, precision at `k`].

    Raises
    ------
    ValueError
        For unequal numbers of users, items outside of the table, or a mean where nobody has a
        relevant item.

    Notes
    -----
    Time O(n_users k log(nnz) + n_items log(n_items)).

    References
    ----------
    .. [1] M. Ge, C. Delgado-Battenfeld, D. Jannach, "Beyond Accuracy: Evaluating Recommender
       Systems by Coverage and Serendipity", RecSys 2010.

    Examples
    --------
    >>> from aimass_core.evaluation import serendipity
    >>> train = [[1, 1, 0], [1, 0, 0], [1, 0, 1]]  # item 0 is the most popular one
    >>> relevant = [[1, 0, 1], [1, 1, 0]]
    >>> serendipity([[2], [0]], relevant, train, k=1)
    0.5
    """
    truth = as_csr(relevant, "relevant")
    judged = judge(recommended, truth, k)
    popularity = np.bincount(as_csr(train, "train").indices, minlength=truth.shape[1])
    if len(popularity) > truth.shape[1]:
        raise ValueError(
            f"train has {len(popularity)} items, relevant {truth.shape[1]}: both need the same"
        )
    is_expected = np.zeros(truth.shape[1] + 1, dtype=bool)  # the last one is the padding, -1
    is_expected[np.argsort(-popularity, kind="stable")[: judged.k]] = True
    lists = as_lists(recommended, judged.k)
    unexpected = (judged.hits & ~is_expected[lists]).sum(axis=1) / max(judged.k, 1)
    return average(np.where(judged.n_relevant > 0, unexpected, np.nan), mean)
