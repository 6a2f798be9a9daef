"""Non-negative matrix factorisation by alternating least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.csr import transpose
from ..base.executor import LOCAL
from ..base.random import as_generator, fill_rows
from ..base.registry import register
from ..base.validation import as_float, as_int, csr_parts
from ._als import MAX_FACTORS, MemoryBlock, Solver, half_step
from ._model import FactorModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["NMF"]

# The squares of all pairs come from the Gramian; stored values add their targets only.
_FROBENIUS: dict[str, Any] = {
    "alpha": 0.0,
    "weight_shift": 0.0,
    "target_shift": 0.0,
    "preferences": False,
}
_SWEEPS_OF_NEW_ROWS = 100


@register("nmf")
class NMF(FactorModel):
    r"""Factorise :math:`X \approx W H^T` with non-negative factors.

    Minimises :math:`|X - W H^T|_F^2 + \lambda (|W|_F^2 + |H|_F^2)` over all pairs, a pair without a
    stored value being a zero, by alternating cyclic coordinate descent (HALS).

    Parameters
    ----------
    n_factors : int, default=32
        Length of the factor vectors, 1 to 16384.
    regularization : float, default=0.0
        :math:`\lambda`, at least 0.
    max_iter : int, default=50
        Epochs: items, then users.
    n_steps : int, default=3
        Sweeps over the coordinates of a row in each half of an epoch, 1 to 16384.
    dtype : {"float32", "float64"}, default="float32"
        Type of factors and values.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first factors.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Does not change any bit of
        the result.

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        W and H, at least 0.
    loss_ : float
        :math:`|X - W H^T|_F^2` with the penalty, at the end.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Notes
    -----
    An epoch takes O(nnz f + n_steps (n_users + n_items) f^2) multiply-adds. Memory: the matrix, its
    transpose, twice the factors. The ``values`` of the `Event` of an epoch hold "loss".

    References
    ----------
    A. Cichocki and A.-H. Phan, "Fast local algorithms for large scale nonnegative matrix and tensor
    factorizations", IEICE Transactions E92-A(3), 2009. C.-J. Hsieh and I. S. Dhillon, "Fast
    coordinate descent methods with variable selection for non-negative matrix factorization", KDD
    2011.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import NMF
    >>> model = NMF(n_factors=1, dtype="float64").fit(np.outer([1.0, 2.0], [3.0, 1.0]))
    >>> model.predict([0, 1], [0, 1]).round(3).tolist()
    [3.0, 2.0]
    """

    _state: ClassVar[tuple[str, ...]] = (*FactorModel._state, "loss_")
    loss_: float

    def __init__(
        self,
        *,
        n_factors: int = 32,
        regularization: float = 0.0,
        max_iter: int = 50,
        n_steps: int = 3,
        dtype: str = "float32",
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.regularization = regularization
        self.max_iter = max_iter
        self.n_steps = n_steps
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads

    def _set_training_data(self, X: Any) -> None:
        super()._set_training_data(X)
        if self.user_items_.nnz and self.user_items_.data.min() < 0:
            raise ValueError(
                f"X holds {self.user_items_.data.min()}, but NMF takes no negative values: shift "
                "the values, or use PureSVD"
            )

    def _learn(self, n_threads: int) -> None:
        X = self.user_items_
        n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        n_steps = as_int(self.n_steps, "n_steps", minimum=1, maximum=MAX_FACTORS)
        ridge = as_float(self.regularization, "regularization", minimum=0.0)
        rng = as_generator(self.random_state)
        mean = float(X.data.sum(dtype=np.float64)) / max(1, X.shape[0] * X.shape[1])
        scale = np.sqrt(mean / n_factors)
        W, H = (np.empty((n, n_factors), dtype=X.dtype) for n in X.shape)
        for factors in (W, H):
            fill_rows(factors, lambda shape: np.abs(rng.standard_normal(shape) * scale))
        T = transpose(X, n_threads)
        solver = Solver("nonnegative", n_steps=n_steps, n_threads=n_threads)
        progress = self._progress(max_iter)
        for epoch in range(1, max_iter + 1):
            H = _half_step(T, W, kernels.als_gramian(W, n_threads), H, ridge, solver, "item")
            W = _half_step(X, H, kernels.als_gramian(H, n_threads), W, ridge, solver, "user")
            self.user_factors_, self.item_factors_ = W, H
            values = {}
            if self._options.callback is not None or self._options.verbose or epoch == max_iter:
                self.loss_ = values["loss"] = self._loss(ridge, n_threads)
                self._prepare_to_answer()
            if progress.step(epoch, values, self):
                break

    def _loss(self, ridge: float, n_threads: int) -> float:
        W, H = self.user_factors_, self.item_factors_
        stored: float = kernels.als_loss(
            *csr_parts(self.user_items_), W, H, n_threads=n_threads, **_FROBENIUS
        )
        gramians = [kernels.als_gramian(side, n_threads) for side in (W, H)]
        penalty = ridge * sum(float(np.trace(gramian)) for gramian in gramians)
        return stored + float((gramians[0] * gramians[1]).sum()) + penalty

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        H = self.item_factors_
        return _half_step(
            profiles,
            H,
            self._cached("item gramian", lambda: kernels.als_gramian(H, n_threads)),
            np.zeros((profiles.shape[0], H.shape[1]), H.dtype),
            float(self._fitted_with["regularization"]),
            Solver("nonnegative", n_steps=_SWEEPS_OF_NEW_ROWS, n_threads=n_threads),
            "user",
        )


def _half_step(
    rows: sp.csr_array,
    factors: Array,
    gramian: NDArray[np.float64],
    start: Array,
    ridge: float,
    solver: Solver,
    side: str,
) -> Array:
    """Return the factors of all rows, given those of the columns and their Gramian."""
    ridges = np.full(rows.shape[0], ridge)
    blocks = [MemoryBlock(0, rows)]
    return half_step(LOCAL, blocks, factors, gramian, start, ridges, _FROBENIUS, solver, side)
