"""Weights that look at one value, or at the values of one user or item."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ...base.validation import _wrap_csr, as_choice, as_csr, as_float
from ._shared import SIDES, Weightable, entry_rows, like, refuse_negative

__all__ = ["binarize", "center", "log", "normalize"]


def log(X: Weightable, *, alpha: float = 1.0, epsilon: float = 1.0) -> Weightable:
    r"""Logarithmic damping of counts, :math:`\alpha \ln(1 + x / \epsilon)`.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Values of at least 0.
    alpha : float, default 1.0
        Factor.
    epsilon : float, default 1.0
        Counts well below it stay linear.

    Returns
    -------
    Interactions or csr_array
        The damped entries, float32 or float64 as the input.

    Raises
    ------
    ValueError
        For values below 0, or ``epsilon`` not above 0.

    References
    ----------
    Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit feedback datasets",
    ICDM 2008, equation 6 (there plus 1, as a confidence).

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.log([[1.0, 3.0]]).toarray().round(4).tolist()
    [[0.6931, 1.3863]]
    """
    alpha = as_float(alpha, "alpha")
    epsilon = as_float(epsilon, "epsilon", above=0.0)
    matrix = as_csr(X)
    refuse_negative(matrix, "log")
    return like(X, matrix, alpha * np.log1p(matrix.data / matrix.dtype.type(epsilon)))


def binarize(X: Weightable, *, threshold: float | None = None) -> Weightable:
    """1 for every entry, or for every entry of at least a threshold.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Any values.
    threshold : float, optional
        Entries below it are removed (the one case where places change). None: every stored entry
        becomes 1, explicit zeros too.

    Returns
    -------
    Interactions or csr_array
        Of ones, float32 or float64 as the input.

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.binarize([[5.0, 2.0], [4.0, 0.0]], threshold=4).toarray().tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    matrix = as_csr(X)
    if threshold is None:
        return like(X, matrix, np.ones(matrix.nnz))
    keep = matrix.data >= as_float(threshold, "threshold")
    if hasattr(X, "keep_entries"):
        kept = X.keep_entries(keep)
        return cast("Weightable", kept.with_matrix(binarize(kept.matrix)))
    before = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
    indices = matrix.indices[keep]
    ones = np.ones(len(indices), dtype=matrix.dtype)
    return cast("Weightable", _wrap_csr(before[matrix.indptr], indices, ones, matrix.shape))


def center(X: Weightable, *, axis: str = "users") -> Weightable:
    """Subtract the mean rating of each user, of each item, or of all.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Ratings; the means are over stored entries.
    axis : {"users", "items", "global"}, default "users"
        Whose mean is subtracted.

    Returns
    -------
    Interactions or csr_array
        The differences, float32 or float64 as the input. A user whose ratings are all equal gets
        explicit zeros.

    Notes
    -----
    Centred by user, the cosine of items is the adjusted cosine; centred by item, it is the Pearson
    correlation over all entries with absent ones at the mean.

    References
    ----------
    B. Sarwar, G. Karypis, J. Konstan, J. Riedl, "Item-based collaborative filtering recommendation
    algorithms", WWW 2001.

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.center([[5.0, 3.0], [2.0, 0.0]]).toarray().tolist()
    [[1.0, -1.0], [0.0, 0.0]]
    """
    as_choice(axis, "axis", (*SIDES, "global"))
    matrix = as_csr(X)
    if axis == "global":
        mean: Any = matrix.data.mean(dtype=np.float64) if matrix.nnz else 0.0
        return like(X, matrix, matrix.data - mean)
    groups, n = (
        (entry_rows(matrix), matrix.shape[0])
        if axis == "users"
        else (matrix.indices, matrix.shape[1])
    )
    sums = np.bincount(groups, weights=matrix.data, minlength=n)
    counts = np.bincount(groups, minlength=n)
    mean = sums / np.maximum(counts, 1)
    return like(X, matrix, matrix.data - mean[groups])


def normalize(X: Weightable, *, norm: str = "l2", axis: str = "users") -> Weightable:
    """Scale every user, or every item, to norm 1.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Any values.
    norm : {"l1", "l2", "max"}, default "l2"
        Sum of absolute values, Euclidean length, or largest absolute value.
    axis : {"users", "items"}, default "users"
        Which side is scaled.

    Returns
    -------
    Interactions or csr_array
        The scaled entries, float32 or float64 as the input. What has norm 0 stays 0.

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.normalize([[3.0, 4.0]]).toarray().round(4).tolist()
    [[0.6, 0.8]]
    """
    as_choice(norm, "norm", ("l1", "l2", "max"))
    as_choice(axis, "axis", SIDES)
    matrix = as_csr(X)
    groups, n = (
        (entry_rows(matrix), matrix.shape[0])
        if axis == "users"
        else (matrix.indices, matrix.shape[1])
    )
    size = np.abs(matrix.data.astype(np.float64))
    largest = np.zeros(n)
    np.maximum.at(largest, groups, size)
    largest[largest == 0] = 1.0
    scaled = size / largest[groups]  # within [0, 1]: squares neither overflow nor vanish
    if norm == "l1":
        total = largest * np.bincount(groups, weights=scaled, minlength=n)
    elif norm == "l2":
        total = largest * np.sqrt(np.bincount(groups, weights=scaled**2, minlength=n))
    else:
        total = largest
    total[total == 0] = 1.0
    return like(X, matrix, matrix.data / total[groups])
