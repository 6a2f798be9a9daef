r"""How well each single feature tells two classes of rows apart.

For feature values x of n_1 rows of one class and n_0 of the other, the area under the ROC curve is
the Mann-Whitney statistic :math:`(R_1 - n_1 (n_1 + 1) / 2) / (n_1 n_0)` with the sum R_1 of the
midranks of the first class. Entries that are not stored are zeros, which share one midrank, so the
cost is O(entries log entries).

References
----------
Hanley, J. A. and McNeil, B. J., "The meaning and use of the area under a receiver operating
characteristic (ROC) curve", Radiology 143(1), 1982.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

__all__ = ["areas_of_features", "classes_of"]


def classes_of(y: Any, n: int) -> NDArray[np.bool_]:
    """Return two classes of rows: those of a binary label, or those above the median.

    Raises
    ------
    ValueError
        For a target of another length, or one that is the same in all rows.
    TypeError
        For a target that is neither numeric nor of two labels.
    """
    values = np.asarray(y)
    if values.shape != (n,):
        raise ValueError(f"y must have one value for each of the {n} rows, got {values.shape}")
    if values.dtype.kind in "SUO":
        labels = set(values.tolist())
        if len(labels) != 2 or any(not isinstance(label, (str, bytes)) for label in labels):
            raise TypeError(
                f"y must hold numbers or two labels, got {len(labels)} different values of dtype "
                f"{values.dtype}: compare them with one label"
            )
        return np.asarray(values == max(labels))
    if values.dtype.kind not in "biuf":
        raise TypeError(f"y must hold numbers, got {values.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("y holds NaN or infinity: drop these rows")
    if n and values.min() == values.max():
        raise ValueError("y is the same in all rows: there is nothing to tell apart")
    distinct = np.unique(values)
    limit = distinct[0] if len(distinct) == 2 else np.median(values)
    above: NDArray[np.bool_] = values > limit
    return above if above.any() else values >= limit


def areas_of_features(matrix: sp.csr_array, is_first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the area under the ROC curve of each column, for or against the class.

    Parameters
    ----------
    matrix : csr_array of shape (n, n_features)
        The features.
    is_first : ndarray of bool, shape (n,)
        Class of each row.

    Returns
    -------
    ndarray of float64, shape (n_features,)
        At least 0.5: a feature that orders the rows the other way round tells as much.
    """
    n, n_columns = matrix.shape
    n_first = int(is_first.sum())
    rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
    is_zero = matrix.data == 0
    columns, values = matrix.indices[~is_zero].astype(np.int64), matrix.data[~is_zero]
    own = is_first[rows[~is_zero]]
    order = np.lexsort((values, columns))
    columns, values, own = columns[order], values[order], own[order]
    n_stored = np.bincount(columns, minlength=n_columns)
    n_negative = np.bincount(columns[values < 0], minlength=n_columns)
    n_zeros = n - n_stored
    begins = np.concatenate([[0], np.cumsum(n_stored)])
    ranks = np.arange(len(columns)) - begins[columns] + 1.0  # among the stored ones of the column
    ranks += np.where(values > 0, n_zeros[columns], 0)
    ties = np.flatnonzero(
        np.append(True, (columns[1:] != columns[:-1]) | (values[1:] != values[:-1]))
    )[: len(columns)]
    lengths = np.diff(np.append(ties, len(columns)))
    midranks = np.repeat(ranks[ties] + (lengths - 1) / 2, lengths) if len(columns) else ranks
    sums = np.bincount(columns, weights=np.where(own, midranks, 0.0), minlength=n_columns)
    first_zeros = n_first - np.bincount(columns[own], minlength=n_columns)
    sums += first_zeros * (n_negative + (n_zeros + 1) / 2)
    pairs = max(n_first * (n - n_first), 1)
    areas = (sums - n_first * (n_first + 1) / 2) / pairs
    areas_of_columns: NDArray[np.float64] = np.maximum(areas, 1 - areas)
    return areas_of_columns
