"""Quintile scores of recency, frequency and monetary value, and the usual names of their segments.

The names and the grid of recency and frequency scores that they stand for are those in common use
in marketing. Only the score of recency is reversed: 5 is the fifth of the customers who bought
most recently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import as_int

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["rfm_scores"]

# Row: score of recency from 1 to 5. Column: score of frequency from 1 to 5.
_NAMES = (
    ("hibernating", "hibernating", "at risk", "at risk", "can't lose them"),
    ("hibernating", "hibernating", "at risk", "at risk", "can't lose them"),
    ("about to sleep", "about to sleep", "need attention", "loyal customers", "loyal customers"),
    (
        "promising",
        "potential loyalists",
        "potential loyalists",
        "loyal customers",
        "loyal customers",
    ),
    ("new customers", "potential loyalists", "potential loyalists", "champions", "champions"),
)
_N_NAMED = 5


def rfm_scores(table: Mapping[str, Any], *, n_scores: int = 5) -> dict[str, NDArray[Any]]:
    """Return the scores of recency, frequency and monetary value, and the segment of each customer.

    Customers are divided into `n_scores` parts of equal size by each quantity. Customers with the
    same value have the same score, so the parts are unequal where many share a value.

    Parameters
    ----------
    table : mapping of str to array-like
        From `rfm`: "recency", "frequency" and "monetary", of shape (n,).
    n_scores : int, default=5
        Number of parts; 5 makes quintiles. The segments have names for 5 only.

    Returns
    -------
    dict of str to ndarray
        "recency_score", "frequency_score" and "monetary_score" of int64 from 1 to `n_scores`, the
        best of which is the highest; for 5 parts also "rfm_segment" of str: "champions", "loyal
        customers", "potential loyalists", "new customers", "promising", "need attention", "about
        to sleep", "at risk", "can't lose them" or "hibernating", by recency and frequency.

    Raises
    ------
    ValueError
        For a missing column or values that are not finite.

    Notes
    -----
    A score is ``1 + floor(n_scores (rank - 1/2) / n)``, where customers with the same value share
    the mean of their ranks. Time O(n log n).

    Examples
    --------
    >>> from aimass_core.segmentation import rfm_scores
    >>> table = {
    ...     "recency": [2.0, 30.0, 200.0, 5.0, 90.0],
    ...     "frequency": [9, 4, 1, 1, 6],
    ...     "monetary": [900.0, 100.0, 20.0, 30.0, 500.0],
    ... }
    >>> scores = rfm_scores(table)
    >>> scores["recency_score"].tolist(), scores["frequency_score"].tolist()
    ([5, 3, 1, 4, 2], [5, 3, 2, 2, 4])
    >>> scores["rfm_segment"].tolist()
    ['champions', 'need attention', 'hibernating', 'potential loyalists', 'at risk']
    """
    n_scores = as_int(n_scores, "n_scores", minimum=2)
    scores: dict[str, NDArray[Any]] = {}
    for name, sign in (("recency", -1.0), ("frequency", 1.0), ("monetary", 1.0)):
        if name not in table:
            raise ValueError(f"table has no column {name!r}: pass the result of rfm")
        values = np.asarray(table[name], dtype=np.float64)
        if values.ndim != 1 or not np.isfinite(values).all():
            raise ValueError(f"column {name!r} must hold finite numbers, one for each customer")
        scores[f"{name}_score"] = _scores(sign * values, n_scores)
    if n_scores == _N_NAMED:
        names = np.array(_NAMES)
        scores["rfm_segment"] = names[scores["recency_score"] - 1, scores["frequency_score"] - 1]
    return scores


def _scores(values: NDArray[np.float64], n_scores: int) -> NDArray[np.int64]:
    _, positions, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2  # from 1
    share = (mean_rank - 0.5) / max(len(values), 1)
    by_value = 1 + np.floor(n_scores * share + 1e-9).astype(np.int64)
    scores: NDArray[np.int64] = np.minimum(by_value, n_scores)[positions]
    return scores
