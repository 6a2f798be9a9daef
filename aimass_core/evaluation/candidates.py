"""Metrics from scores: AUC over all items, and the rank of one item among given candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.csr import row_numbers
from ..base.validation import as_choice, as_csr, as_int
from ._judged import average

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._judged import Floats

__all__ = ["auc", "rank_among", "rank_metrics"]


def _scores(scores: Any) -> Floats:
    array = np.asarray(scores)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"scores must be numbers, got dtype {array.dtype}")
    if array.ndim != 2:
        raise ValueError(f"scores must be 2-D (users x candidates), got {array.ndim}-D")
    if np.isnan(array).any():
        raise ValueError("scores holds NaN: give every candidate a score (-inf for never)")
    return array.astype(np.float64)


def _mask(which: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=bool)
    if which is None:
        return mask
    matrix = as_csr(which, name)
    if matrix.shape != shape:
        raise ValueError(f"{name} has shape {matrix.shape}, scores {shape}: they must be equal")
    mask[row_numbers(matrix), matrix.indices] = matrix.data > 0 if name == "relevant" else True
    return mask


def auc(scores: Any, relevant: Any, *, exclude: Any = None, mean: bool = True) -> Any:
    """Return the chance that a relevant item scores above an irrelevant one; ties count one half.

    Parameters
    ----------
    scores : array of shape (n_users, n_candidates)
        Scores of a block of users over all items (full AUC) or over sampled candidates.
    relevant : CSR, Interactions or 2-D array of the same shape
        Values above 0 mark the relevant candidates.
    exclude : CSR, Interactions or 2-D array of the same shape, optional
        Stored entries are no candidates (the items of train); wins over `relevant`.
    mean : bool, default True
        The mean over users, or the value of each user (NaN where relevant or irrelevant
        candidates are missing).

    Returns
    -------
    float or ndarray of float64, shape (n_users,)
        Area under the ROC curve of each user.

    Raises
    ------
    ValueError
        For NaN scores, unequal shapes, or when no user has both kinds of candidates.

    Notes
    -----
    Rank-sum form: time O(n_users n_candidates log n_candidates), memory a few arrays of the
    shape of `scores`; call it block by block and collect ``mean=False``.

    References
    ----------
    .. [1] S. Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.

    Examples
    --------
    >>> from aimass_core.evaluation import auc
    >>> auc([[0.9, 0.1, 0.5]], [[1, 0, 0]])
    1.0
    """
    from scipy.stats import rankdata  # slow to import, and needed nowhere else

    values = _scores(scores)
    excluded = _mask(exclude, "exclude", values.shape)
    positive = _mask(relevant, "relevant", values.shape) & ~excluded
    # Excluded candidates rank below everything, also below candidates with -inf.
    values = np.maximum(values, np.finfo(np.float64).min)
    values[excluded] = -np.inf
    n_excluded = excluded.sum(axis=1)
    n_positive = positive.sum(axis=1)
    n_negative = values.shape[1] - n_excluded - n_positive
    ranks = rankdata(values, axis=1) - n_excluded[:, None]
    above = (ranks * positive).sum(axis=1) - n_positive * (n_positive + 1) / 2
    n_pairs = (n_positive * n_negative).astype(np.float64)
    n_pairs[n_pairs == 0] = np.nan
    return average(above / n_pairs, mean, "no user has both relevant and irrelevant candidates")


def rank_among(
    scores: Any, target: Any = 0, *, ties: str = "mean", candidates: Any = None
) -> Floats:
    """Return the rank (from 1) of one candidate of each user among given ones (NCF protocol).

    Parameters
    ----------
    scores : array of shape (n_users, n_candidates)
        Scores of the item under test and of its negatives.
    target : int or array of int, shape (n_users,), default 0
        Column of the item under test.
    ties : {"mean", "optimistic", "pessimistic", "index"}, default "mean"
        Rank among candidates of equal score: the middle, the first, the last, or by item number
        (lower first: the order of all lists in this package), which needs `candidates`.
    candidates : array of int, shape (n_users, n_candidates), optional
        The items. Where given, columns that repeat the item under test are left out, so that it
        counts once even if the negatives contain it.

    Returns
    -------
    ndarray of float64, shape (n_users,)
        Ranks; with ties="mean" they may end in .5.

    Notes
    -----
    Time and memory O(n_users n_candidates). A model that gives all candidates one score gets
    rank 1 under "optimistic": prefer any other rule.

    References
    ----------
    .. [1] X. He et al., "Neural Collaborative Filtering", WWW 2017.
    .. [2] W. Krichene, S. Rendle, "On Sampled Metrics for Item Recommendation", KDD 2020.

    Examples
    --------
    >>> from aimass_core.evaluation import rank_among
    >>> rank_among([[0.5, 0.9, 0.5, 0.1]], ties="pessimistic").tolist()
    [3.0]
    """
    ties = as_choice(ties, "ties", ("mean", "optimistic", "pessimistic", "index"))
    values = _scores(scores)
    n_users, n_candidates = values.shape
    columns = np.broadcast_to(np.asarray(target), (n_users,))
    if columns.dtype.kind not in "iu":
        raise TypeError(f"target must be column numbers, got dtype {columns.dtype}")
    if n_users and not (columns.min() >= 0 and columns.max() < n_candidates):
        raise ValueError(f"target must be columns within [0, {n_candidates})")
    rows = np.arange(n_users)
    own = values[rows, columns][:, None]
    rival = np.ones(values.shape, dtype=bool)
    rival[rows, columns] = False
    if candidates is None:
        if ties == "index":
            raise ValueError("ties='index' needs candidates, the items that the scores belong to")
    else:
        items = np.asarray(candidates)
        if items.shape != values.shape:
            raise ValueError(f"candidates has shape {items.shape}, scores {values.shape}")
        tested = items[rows, columns][:, None]
        rival &= items != tested
    higher = ((values > own) & rival).sum(axis=1)
    equal = (values == own) & rival
    if ties == "index":
        before = (equal & (items < tested)).sum(axis=1).astype(np.float64)
    else:
        share = {"mean": 0.5, "optimistic": 0.0, "pessimistic": 1.0}[ties]
        before = equal.sum(axis=1) * share
    return np.asarray(1.0 + higher + before)


def rank_metrics(ranks: Any, *, k: int = 10, mean: bool = True) -> dict[str, Any]:
    """Return hit rate, NDCG and reciprocal rank at `k` from the rank of the one relevant item.

    Parameters
    ----------
    ranks : array of shape (n_users,)
        Ranks from 1, as `rank_among` gives them.
    k : int, default 10
        Cut-off.
    mean : bool, default True
        Means over users, or values of each user.

    Returns
    -------
    dict
        "hit_rate" (rank <= k), "ndcg" (1 / log2(1 + rank)) and "reciprocal_rank" (1 / rank), the
        latter two 0 beyond `k`.

    Examples
    --------
    >>> from aimass_core.evaluation import rank_metrics
    >>> rank_metrics([1, 3, 11])["ndcg"]
    0.5
    """
    k = as_int(k, "k", minimum=1)
    values = np.asarray(ranks, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"ranks must be a 1-D array with an entry, got shape {values.shape}")
    if not (values >= 1).all():
        raise ValueError("ranks must be at least 1")
    hit = values <= k
    metrics = {
        "hit_rate": hit.astype(np.float64),
        "ndcg": hit / np.log2(1 + values),
        "reciprocal_rank": hit / values,
    }
    return {name: average(one, mean) for name, one in metrics.items()}
