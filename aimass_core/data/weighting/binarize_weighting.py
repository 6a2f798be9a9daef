"""Entries that are only there or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import scipy.sparse as sp

from ...base.csr import keep_entries, with_scipy_indices
from ...base.registry import register
from ...base.validation import as_csr, as_float
from ...base.with_ids import MatrixWithIds
from ._weighting import Weightable, Weighting

if TYPE_CHECKING:
    pass

__all__ = ["Binarize", "binarize"]


@register("binarize-weighting")
class Binarize(Weighting):
    """1 for every entry, or for every entry of at least a threshold.

    Parameters
    ----------
    threshold : float, optional
        Entries below it are removed: this is the one weighting that changes which entries are
        stored. None: every stored entry becomes 1, explicit zeros too.

    Examples
    --------
    >>> from aimass_core.data.weighting import Binarize
    >>> Binarize(threshold=4).fit_transform([[5.0, 2.0], [4.0, 0.0]]).toarray().tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """

    def __init__(self, *, threshold: float | None = None) -> None:
        self.threshold = threshold

    def _check_parameters(self) -> None:
        if self.threshold is not None:
            as_float(self.threshold, "threshold")

    def _weights(self, matrix: sp.csr_array) -> Any:
        return np.ones(matrix.nnz, dtype=matrix.dtype)

    def transform(self, X: Weightable) -> Weightable:
        """Replace the stored values by 1, and remove those below the threshold.

        Parameters
        ----------
        X : Interactions or matrix of shape (n, n_items)
            Its columns are the items of the fit, its rows any users.

        Returns
        -------
        Interactions or csr_array
            Ones, of the kind and dtype (float32 or float64) of the input.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            Where the items are not those of the fit.
        """
        if self.threshold is None:
            return super().transform(X)
        self._check_fitted()
        matrix = as_csr(X)
        self._check_items(X, matrix.shape[1])
        keep = matrix.data >= as_float(self.threshold, "threshold")
        if isinstance(X, MatrixWithIds):
            kept = X.keep_entries(keep)
            return cast("Weightable", kept.with_matrix(Binarize().fit_transform(kept.matrix)))
        kept = keep_entries(matrix, keep)
        kept.data = np.ones_like(kept.data)
        return cast("Weightable", with_scipy_indices(kept))


def binarize(X: Weightable, *, threshold: float | None = None) -> Weightable:
    """Replace stored values by 1; shorthand for `Binarize`.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Any values.
    threshold : float, optional
        Entries below it are removed. None: every stored entry becomes 1, explicit zeros too.

    Returns
    -------
    Interactions or csr_array
        Ones, float32 or float64 as the input.

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.binarize([[5.0, 2.0], [4.0, 0.0]], threshold=4).toarray().tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    return Binarize(threshold=threshold).fit_transform(X)
