"""How much of the catalogue is recommended, and how evenly.

=============== ===================================================== ======
metric          formula                                               source
=============== ===================================================== ======
coverage        distinct recommended items / items                    [1]
user_coverage   users with at least one recommendation / users        [1]
gini            sum_i (2 i - n - 1) c_i / (n sum c), counts ascending [2]
gini_normalized gini n / (n - 1): 1 if all lists hold one item      [2]
entropy         - sum_i q_i log2 q_i, q = share of all ranks         [2]
=============== ===================================================== ======

An item repeated in a list counts once. All are functions of the items' counts, which add up over
blocks of users: O(n_users k + n_items) time and memory.

[1] M. Ge, C. Delgado-Battenfeld, D. Jannach, "Beyond Accuracy: Evaluating Recommender Systems by
Coverage and Serendipity", RecSys 2010. [2] G. Shani, A. Gunawardana, "Evaluating Recommendation
Systems", Recommender Systems Handbook, 2011.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.validation import as_int
from ._judged import as_lists

if TYPE_CHECKING:
    from ._judged import Ints

__all__ = [
    "coverage",
    "entropy",
    "gini",
    "gini_normalized",
    "item_counts",
    "user_coverage",
]


def incidence(recommended: Any, n_items: int | None, k: int | None) -> sp.csr_array:
    """Return lists as a 0/1 matrix users x items."""
    lists = as_lists(recommended, k)
    if lists.size and lists.dtype.kind not in "iu":
        raise TypeError("recommended must hold item numbers here, got string ids")
    largest = int(lists.max(initial=-1))
    n_items = largest + 1 if n_items is None else as_int(n_items, "n_items", minimum=1)
    if largest >= n_items:
        raise ValueError(f"recommended holds item {largest}, but there are {n_items} items")
    rows, positions = np.nonzero(lists >= 0)
    entries = (np.ones(len(rows)), (rows, lists[rows, positions].astype(np.int64)))
    matrix = sp.csr_array(entries, shape=(len(lists), n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def item_counts(recommended: Any, n_items: int, *, k: int | None = None) -> Ints:
    """Return the number of lists that each item is in.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Best item first. A repeated item counts once.
    n_items : int
        Items in the catalogue.
    k : int, optional
        Cut-off; default the width of the lists.

    Returns
    -------
    ndarray of int64, shape (n_items,)
        Counts, which add up over blocks of users.

    Examples
    --------
    >>> from aimass_core.evaluation import item_counts
    >>> item_counts([[0, 2], [2]], 4).tolist()
    [1, 0, 2, 0]
    """
    matrix = incidence(recommended, n_items, k)
    return np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.int64)


def _gini(counts: Ints) -> float:
    n, total = len(counts), counts.sum()
    if not total:
        raise ValueError("recommended holds no item at all, so the Gini index is not defined")
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return float(weights @ np.sort(counts) / (n * total))


def _gini_normalized(counts: Ints) -> float:
    return _gini(counts) * len(counts) / max(len(counts) - 1, 1)


def _coverage(counts: Ints) -> float:
    return float(np.count_nonzero(counts) / len(counts))


def _entropy(counts: Ints) -> float:
    if not counts.any():
        raise ValueError("recommended holds no item at all, so the entropy is not defined")
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum()) + 0.0


def coverage(recommended: Any, n_items: int, *, k: int | None = None) -> float:
    """Return the share of the catalogue that is recommended to anybody.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first. A repeated item counts once.
    n_items : int
        Items in the catalogue; those that nobody gets count too.
    k : int, optional
        Cut-off; default the width of the lists.

    Returns
    -------
    float
        Within [0, 1].

    Examples
    --------
    >>> from aimass_core.evaluation import coverage
    >>> coverage([[0, 2], [2]], 4)
    0.5
    """
    return _coverage(item_counts(recommended, n_items, k=k))


def user_coverage(recommended: Any, *, k: int | None = None) -> float:
    """Return the share of users who get at least one recommendation.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first. A repeated item counts once.
    k : int, optional
        Cut-off; default the width of the lists.

    Returns
    -------
    float
        Within [0, 1].

    Examples
    --------
    >>> from aimass_core.evaluation import user_coverage
    >>> user_coverage([[0, 2], []])
    0.5
    """
    matrix = incidence(recommended, None, k)
    if not matrix.shape[0]:
        raise ValueError("recommended holds no user")
    return float((np.diff(matrix.indptr) > 0).mean())


def gini(recommended: Any, n_items: int, *, k: int | None = None) -> float:
    """Return the Gini index of how often the items are recommended: 0 for all alike.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first. A repeated item counts once.
    n_items : int
        Items in the catalogue; those that nobody gets count too.
    k : int, optional
        Cut-off; default the width of the lists.

    Returns
    -------
    float
        Within [0, (n_items - 1) / n_items].

    Raises
    ------
    ValueError
        When nothing is recommended, or an item is not below `n_items`.

    Examples
    --------
    >>> from aimass_core.evaluation import gini
    >>> gini([[0], [0]], 4)
    0.75
    """
    return _gini(item_counts(recommended, n_items, k=k))


def gini_normalized(recommended: Any, n_items: int, *, k: int | None = None) -> float:
    """Return the Gini index times n / (n - 1), so that lists of one item only give 1.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first. A repeated item counts once.
    n_items : int
        Items in the catalogue; those that nobody gets count too.
    k : int, optional
        Cut-off; default the width of the lists.

    Returns
    -------
    float
        Within [0, 1].

    Raises
    ------
    ValueError
        When nothing is recommended, or an item is not below `n_items`.

    Examples
    --------
    >>> from aimass_core.evaluation import gini_normalized
    >>> gini_normalized([[0], [0]], 4)
    1.0
    """
    return _gini_normalized(item_counts(recommended, n_items, k=k))


def entropy(recommended: Any, n_items: int, *, k: int | None = None) -> float:
    """Return the Shannon entropy, in bits, of the distribution of recommendations over items.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a TopK result
        Item numbers, best first. A repeated item counts once.
    n_items : int
        Items in the catalogue; those that nobody gets count too.
    k : int, optional
        Cut-off; default the width of the lists.

    Returns
    -------
    float
        Within [0, log2(n_items)].

    Raises
    ------
    ValueError
        When nothing is recommended, or an item is not below `n_items`.

    Examples
    --------
    >>> from aimass_core.evaluation import entropy
    >>> entropy([[0, 1], [2, 3]], 4)
    2.0
    """
    return _entropy(item_counts(recommended, n_items, k=k))
