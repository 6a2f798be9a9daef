"""Ratings as differences from a mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ...base.csr import row_numbers
from ...base.registry import register
from ...base.validation import as_choice
from ._weighting import SIDES, Weightable, Weighting, column_sums, row_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Center", "center"]


@register("center-weighting")
class Center(Weighting):
    """Subtract the mean rating of each user, of each item, or of all ratings.

    Parameters
    ----------
    axis : {"users", "items", "global"}, default "users"
        Whose mean is subtracted. The mean of a user is over the user's row of the matrix that is
        transformed; the means of items and the global mean are those of the fit.

    Attributes
    ----------
    mean_ : float
        Mean of all stored values of the fit; also that of items without any.
    item_means_ : ndarray of float64, shape (n_items,), or None
        Mean of each item where ``axis="items"``.

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
    >>> from aimass_core.data.weighting import Center
    >>> means = Center(axis="items").fit([[5.0, 3.0], [2.0, 0.0]])
    >>> means.transform([[4.0, 4.0]]).toarray().tolist()
    [[0.5, 1.0]]
    """

    _state: ClassVar[tuple[str, ...]] = (*Weighting._state, "mean_", "item_means_")

    mean_: float
    item_means_: NDArray[np.float64] | None

    def __init__(self, *, axis: str = "users") -> None:
        self.axis = axis

    def _check_parameters(self) -> None:
        as_choice(self.axis, "axis", (*SIDES, "global"))

    def _restore(self) -> None:
        self._check_arrays({"item_means_": self.n_features_in_ if self.axis == "items" else None})

    def _statistics(self, matrix: sp.csr_array) -> dict[str, Any]:
        mean = float(matrix.data.mean(dtype=np.float64)) if matrix.nnz else 0.0
        if self.axis != "items":
            return {"mean_": mean, "item_means_": None}
        counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
        sums = column_sums(matrix, matrix.data)
        return {"mean_": mean, "item_means_": _means(sums, counts, mean)}

    def _weights(self, matrix: sp.csr_array) -> Any:
        x: NDArray[Any] = matrix.data
        if self.axis == "global":
            return x - self.mean_
        if self.item_means_ is not None:
            return x - self.item_means_[matrix.indices]
        means = _means(row_sums(matrix, x), np.diff(matrix.indptr), 0.0)
        return x - means[row_numbers(matrix)]


def _means(
    sums: NDArray[np.float64], counts: NDArray[np.integer], empty: float
) -> NDArray[np.float64]:
    return np.where(counts > 0, sums / np.maximum(counts, 1), empty)


def center(X: Weightable, *, axis: str = "users") -> Weightable:
    """Subtract the mean rating of each user, of each item, or of all; shorthand for `Center`.

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

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.center([[5.0, 3.0], [2.0, 0.0]]).toarray().tolist()
    [[1.0, -1.0], [0.0, 0.0]]
    """
    return Center(axis=axis).fit_transform(X)
