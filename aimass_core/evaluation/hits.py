"""Metrics of which items are in the list, whatever their order.

The four denominators in use have four names: `precision` divides by k, `recall` by the number of
relevant items, `recall_capped` by the smaller of the two, and `hit_rate` asks for one hit only.
All need O(n_users k log(nnz)) time and O(n_users k + nnz) memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arguments import explains_names
from ._judged import Judged, list_metric

if TYPE_CHECKING:
    from ._judged import Floats

__all__ = ["f1", "hit_rate", "precision", "recall", "recall_capped"]


def _n_hits(lists: Judged) -> Floats:
    return np.asarray(lists.hits @ np.ones(lists.gains.shape[1]))  # faster than a sum of bool


def _hit_rate(lists: Judged) -> Floats:
    return np.asarray(lists.hits.any(axis=1), dtype=np.float64)


def _precision(lists: Judged) -> Floats:
    return _n_hits(lists) / max(lists.k, 1)


def _recall(lists: Judged) -> Floats:
    return _n_hits(lists) / np.maximum(lists.n_relevant, 1)


def _recall_capped(lists: Judged) -> Floats:
    return _n_hits(lists) / np.clip(lists.n_relevant, 1, max(lists.k, 1))


def _f1(lists: Judged) -> Floats:
    # 2 p r / (p + r) with p = hits / k and r = hits / n, written without the division by zero.
    return np.asarray(2 * _n_hits(lists) / (np.maximum(lists.n_relevant, 1) + lists.k))


@explains_names
def hit_rate(recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True) -> Any:
    """Return the share of users with at least one relevant item in the list.

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
        1 for a hit, 0 for none; or the mean.

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    References
    ----------
    .. [1] X. He et al., "Neural Collaborative Filtering", WWW 2017 (HR@10).

    Examples
    --------
    >>> from aimass_core.evaluation import hit_rate
    >>> hit_rate([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]])
    0.5
    """
    return list_metric(_hit_rate, recommended, relevant, k, mean)


@explains_names
def precision(recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True) -> Any:
    """Return the share of the `k` positions that hold a relevant item.

    The missing positions of a list shorter than `k` are misses.

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
        Hits / k.

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    Notes
    -----
    The mean is over users (macro); users without relevant items are left out.

    References
    ----------
    .. [1] G. Shani, A. Gunawardana, "Evaluating Recommendation Systems", Recommender Systems
       Handbook, 2011.

    Examples
    --------
    >>> from aimass_core.evaluation import precision
    >>> precision([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]], k=2)
    0.25
    """
    return list_metric(_precision, recommended, relevant, k, mean)


@explains_names
def recall(recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True) -> Any:
    """Return the share of the relevant items that are in the list.

    With more than `k` relevant items 1 is out of reach; `recall_capped` is the variant that
    can always reach 1.

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
        Hits / number of relevant items.

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    References
    ----------
    .. [1] X. Wang et al., "Neural Graph Collaborative Filtering", SIGIR 2019 (Recall@20).

    Examples
    --------
    >>> from aimass_core.evaluation import recall
    >>> recall([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]])
    0.25
    """
    return list_metric(_recall, recommended, relevant, k, mean)


@explains_names
def recall_capped(
    recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True
) -> Any:
    """Return hits / min(k, number of relevant items): the share of the possible hits.

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
        Hits / min(k, number of relevant items).

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    References
    ----------
    .. [1] D. Liang et al., "Variational Autoencoders for Collaborative Filtering", WWW 2018.

    Examples
    --------
    >>> from aimass_core.evaluation import recall_capped
    >>> recall_capped([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]], k=1)
    0.0
    """
    return list_metric(_recall_capped, recommended, relevant, k, mean)


@explains_names
def f1(recommended: Any, relevant: Any, *, k: int | None = None, mean: bool = True) -> Any:
    """Return the harmonic mean of `precision` and `recall` of each user.

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
        2 hits / (k + number of relevant items); 0 without hits.

    Raises
    ------
    ValueError
        For unequal numbers of users, `k` below 1, or a mean where nobody has a relevant item.

    Notes
    -----
    The mean of the users' F1, not the F1 of the mean precision and recall.

    References
    ----------
    .. [1] C. J. van Rijsbergen, "Information Retrieval", Butterworths, 1979.

    Examples
    --------
    >>> from aimass_core.evaluation import f1
    >>> f1([[3, 1, 7], [2, 5, 6]], [[1, 4], [9]], k=2)
    0.25
    """
    return list_metric(_f1, recommended, relevant, k, mean)
