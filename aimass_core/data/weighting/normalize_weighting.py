"""Users or items scaled to equal norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ...base.csr import row_numbers
from ...base.registry import register
from ...base.validation import as_choice
from ._weighting import SIDES, Weightable, Weighting

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Normalize", "normalize"]


@register("normalize-weighting")
class Normalize(Weighting):
    """Scale every user, or every item, to norm 1.

    Parameters
    ----------
    norm : {"l1", "l2", "max"}, default "l2"
        Sum of absolute values, Euclidean length, or largest absolute value.
    axis : {"users", "items"}, default "users"
        Which side is scaled. The norm of a user is that of the user's row of the matrix that is
        transformed; the norms of items are those of the fit.

    Attributes
    ----------
    norms_ : ndarray of float64, shape (n_items,), or None
        Norm of each item where ``axis="items"``; 1 where it is 0.

    Examples
    --------
    >>> from aimass_core.data.weighting import Normalize
    >>> Normalize(axis="items").fit([[3.0], [4.0]]).transform([[10.0]]).toarray().tolist()
    [[2.0]]
    """

    _state: ClassVar[tuple[str, ...]] = (*Weighting._state, "norms_")

    norms_: NDArray[np.float64] | None

    def __init__(self, *, norm: str = "l2", axis: str = "users") -> None:
        self.norm = norm
        self.axis = axis

    def _check_parameters(self) -> None:
        as_choice(self.norm, "norm", ("l1", "l2", "max"))
        as_choice(self.axis, "axis", SIDES)

    def _restore(self) -> None:
        self._check_arrays({"norms_": self.n_features_in_ if self.axis == "items" else None})

    def _norms(
        self, values: NDArray[Any], groups: NDArray[np.integer], n: int
    ) -> NDArray[np.float64]:
        size = np.abs(values.astype(np.float64))
        largest = np.zeros(n)
        np.maximum.at(largest, groups, size)
        largest[largest == 0] = 1.0
        if self.norm == "max":
            return largest
        scaled = size / largest[groups]  # within [0, 1]: squares neither overflow nor vanish
        if self.norm == "l1":
            total = largest * np.bincount(groups, weights=scaled, minlength=n)
        else:
            total = largest * np.sqrt(np.bincount(groups, weights=scaled**2, minlength=n))
        total[total == 0] = 1.0
        return total

    def _statistics(self, matrix: sp.csr_array) -> dict[str, Any]:
        if self.axis == "users":
            return {"norms_": None}
        return {"norms_": self._norms(matrix.data, matrix.indices, matrix.shape[1])}

    def _weights(self, matrix: sp.csr_array) -> Any:
        x: NDArray[Any] = matrix.data
        if self.norms_ is not None:
            return x / self.norms_[matrix.indices]
        rows = row_numbers(matrix)
        return x / self._norms(x, rows, matrix.shape[0])[rows]


def normalize(X: Weightable, *, norm: str = "l2", axis: str = "users") -> Weightable:
    """Scale every user, or every item, to norm 1; shorthand for `Normalize`.

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
        The scaled entries, float32 or float64 as the input. A row or column of norm 0 stays 0.

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.normalize([[3.0, 4.0]]).toarray().round(4).tolist()
    [[0.6, 0.8]]
    """
    return Normalize(norm=norm, axis=axis).fit_transform(X)
