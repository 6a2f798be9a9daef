"""PureSVD: the best low-rank approximation of the matrix, missing values being zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.csr import transpose
from ..base.random import as_generator
from ..base.registry import register
from ..base.validation import as_int
from ..exceptions import NumericalError
from ._als import MAX_FACTORS, random_factors
from ._model import FactorModel
from ._orthonormal import gramian, multiply, orthonormal, right_factor

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
        Rank; at most the smaller side of the matrix is used.
    max_iter : int, default=4
        Power iterations; with more the result is closer to the exact decomposition.
    n_oversamples : int, default=16
        Directions in addition to `n_factors` while iterating.
    dtype : {"float32", "float64"}, default="float32"
        Type of factors and values.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first directions.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Products of dense matrices
        use the threads of NumPy's BLAS.

    Attributes
    ----------
    singular_values_ : ndarray of shape (rank,)
        Descending.
    item_factors_ : ndarray of shape (n_items, rank)
        V: right singular vectors, the largest entry of each positive.
    user_factors_ : ndarray of shape (n_users, rank)
        X V, so that a new user's factors follow from the profile alone (`fold_in`).
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Notes
    -----
    Takes O(max_iter (nnz f + (n_users + n_items) f^2)) time and O((n_users + n_items) f) memory.
    Columns are made orthonormal through their Gramian, summed in float64 (Cholesky QR); where
    their condition does not allow this, by Householder QR of blocks of rows.

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

    _state: ClassVar[tuple[str, ...]] = (*FactorModel._state, "singular_values_")
    learns_in_epochs = False  # its iterations only sharpen the subspace that the factors come from
    singular_values_: Array

    def __init__(
        self,
        *,
        n_factors: int = 64,
        max_iter: int = 4,
        n_oversamples: int = 16,
        dtype: str = "float32",
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.max_iter = max_iter
        self.n_oversamples = n_oversamples
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads

    def _learn(self, n_threads: int) -> None:
        X = self.user_items_
        n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        more = as_int(self.n_oversamples, "n_oversamples", minimum=0, maximum=MAX_FACTORS)
        rng = as_generator(self.random_state)
        rank = max(min(n_factors, *X.shape), 1)
        width = min(rank + more, MAX_FACTORS, *X.shape)
        if width == 0 or X.nnz == 0:
            self.singular_values_ = np.zeros(rank, dtype=X.dtype)
            self.user_factors_, self.item_factors_ = (np.zeros((n, rank), X.dtype) for n in X.shape)
            return
        try:
            basis = self._basis(rng, width, max_iter, n_threads)
            values, right = _right_singular_vectors(multiply(X, basis), n_threads)
        except np.linalg.LinAlgError:
            raise NumericalError(
                f"the values are too large for {X.dtype}: scale them down, or use dtype='float64'"
            ) from None
        V = multiply(basis, right[:, :rank].astype(X.dtype))
        largest = V[np.abs(V).argmax(axis=0), np.arange(rank)]
        self.item_factors_ = np.ascontiguousarray(V * np.where(largest < 0, -1, 1).astype(X.dtype))
        self.singular_values_ = values[:rank].astype(X.dtype)
        self.user_factors_ = multiply(X, self.item_factors_)

    def _basis(
        self,
        rng: np.random.Generator,
        width: int,
        max_iter: int,
        n_threads: int,
    ) -> Array:
        """Return orthonormal columns that span the leading right singular vectors."""
        X = self.user_items_
        T = transpose(X, n_threads)
        basis = random_factors(rng, X.shape[1], width, np.sqrt(width), X.dtype)
        progress = self._progress(max_iter)
        for iteration in range(1, max_iter + 1):
            # Orthonormal on both sides, so that no direction is lost.
            users = orthonormal(multiply(X, basis), n_threads)
            basis = orthonormal(multiply(T, users), n_threads)
            if progress.step(iteration):
                break
        return orthonormal(basis, n_threads)  # again: to the last bit

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        return np.ascontiguousarray(profiles @ self.item_factors_)


def _right_singular_vectors(B: Array, n_threads: int) -> tuple[Array, Array]:
    """Return singular values, descending, and right singular vectors (as columns), in float64.

    The Gramian in float64 resolves singular values down to 1e-8 of the largest one, which is below
    the rounding of float32. For float64 they come from the triangular factor.
    """
    if B.dtype == np.float64:
        _, values, right = np.linalg.svd(right_factor(B))
        return values, right.T
    squares, vectors = np.linalg.eigh(gramian(B, n_threads))
    return np.sqrt(np.maximum(squares[::-1], 0)), vectors[:, ::-1]
