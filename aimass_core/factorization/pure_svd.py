"""PureSVD: the best low-rank approximation of the matrix, missing values being zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.random import as_generator
from ..base.registry import register
from ..base.validation import as_int
from ..exceptions import NumericalError
from ._als import MAX_FACTORS
from ._model import FactorModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["PureSVD"]


@register("pure-svd")
class PureSVD(FactorModel):
    r"""Score items by the truncated SVD :math:`X \approx U S V^T` (randomised).

    Parameters
    ----------
    n_factors : int, default=64
        Rank; at most the smaller side of the matrix counts.
    max_iter : int, default=4
        Power iterations; more come closer to the exact decomposition.
    n_oversamples : int, default=16
        Directions beside `n_factors` while iterating.
    dtype : {"float32", "float64"}, default="float32"
        Of factors and values.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first directions.

    Attributes
    ----------
    singular_values_ : ndarray of shape (rank,)
        Descending.
    item_factors_ : ndarray of shape (n_items, rank)
        V: right singular vectors, the largest entry of each positive.
    user_factors_ : ndarray of shape (n_users, rank)
        X V, so that a new user's factors follow from the profile alone (`fold_in`).
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted.

    Notes
    -----
    O(max_iter nnz f) time, O((n_users + n_items) f) memory; products are SciPy's, on one thread.

    References
    ----------
    P. Cremonesi, Y. Koren and R. Turrin, "Performance of recommender algorithms on top-N
    recommendation tasks", RecSys 2010. N. Halko, P.-G. Martinsson and J. A. Tropp, "Finding
    structure with randomness", SIAM Review 53(2), 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import PureSVD
    >>> model = PureSVD(n_factors=1).fit(np.outer([1.0, 2.0], [3.0, 4.0]))
    >>> round(float(model.singular_values_[0]), 3)
    11.18
    """

    _state = (*FactorModel._state, "singular_values_")
    singular_values_: Array

    def __init__(
        self,
        *,
        n_factors: int = 64,
        max_iter: int = 4,
        n_oversamples: int = 16,
        dtype: str = "float32",
        random_state: Any = 0,
    ) -> None:
        self.n_factors = n_factors
        self.max_iter = max_iter
        self.n_oversamples = n_oversamples
        self.dtype = dtype
        self.random_state = random_state

    def _learn(self, n_threads: int) -> None:
        X = self.user_items_
        wanted = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        more = as_int(self.n_oversamples, "n_oversamples", minimum=0, maximum=MAX_FACTORS)
        rng = as_generator(self.random_state)
        rank = max(min(wanted, *X.shape), 1)
        width = min(rank + more, *X.shape)
        if width == 0 or X.nnz == 0:
            self.singular_values_ = np.zeros(rank, dtype=X.dtype)
            self.user_factors_, self.item_factors_ = (np.zeros((n, rank), X.dtype) for n in X.shape)
            return
        basis = rng.standard_normal((X.shape[1], width), dtype=np.float32).astype(X.dtype)
        try:
            for _ in range(max_iter):  # orthonormal on both sides, so that no direction is lost
                basis = _orthonormal(X.T @ _orthonormal(X @ basis))
            _, values, right = np.linalg.svd(_gramian_root(X @ basis))
        except np.linalg.LinAlgError:
            values = right = np.array([np.nan])
        if not np.isfinite(values).all():
            raise NumericalError(
                f"the values are too large for {X.dtype}: scale them down, or use dtype='float64'"
            )
        V = basis @ right.T[:, :rank].astype(X.dtype)
        largest = V[np.abs(V).argmax(axis=0), np.arange(rank)]
        self.item_factors_ = np.ascontiguousarray(V * np.where(largest < 0, -1, 1).astype(X.dtype))
        self.singular_values_ = values[:rank].astype(X.dtype)
        self.user_factors_ = np.ascontiguousarray(X @ self.item_factors_)

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        return np.ascontiguousarray(profiles @ self.item_factors_)


def _orthonormal(A: Array) -> Array:
    return np.asarray(np.linalg.qr(A)[0])


def _gramian_root(A: Array) -> Array:
    """R of A = Q R: the same right vectors and values, but small."""
    return np.asarray(np.linalg.qr(A, mode="r")).astype(np.float64)
