"""Models of ratings from a mean, biases and the product of factors: predictions and rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.executor import LOCAL
from ..base.validation import wrap_csr
from ._als import MemoryBlock, Solver, half_step
from ._model import FactorModel

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["OBSERVED", "RatingModel", "deviations", "solve_ratings", "with_ones"]

# Weights of `solve_rows`: every stored value counts once; pairs without a stored value do not.
OBSERVED: dict[str, Any] = {
    "alpha": 0.0,
    "weight_shift": 1.0,
    "target_shift": 0.0,
    "preferences": False,
}


def deviations(rows: sp.csr_array, mean: float, column_bias: Array) -> NDArray[np.float64]:
    """Return the stored values less the mean and the biases of their columns."""
    residuals: NDArray[np.float64] = rows.data - np.float64(mean) - column_bias[rows.indices]
    return residuals


def with_ones(factors: Array) -> Array:
    """Return factors with a constant one, whose factor on the other side is the bias."""
    return np.hstack([factors, np.ones((len(factors), 1), dtype=factors.dtype)])


def solve_ratings(
    rows: sp.csr_array,
    targets: Array,
    factors: Array,
    ridge: NDArray[np.float64],
    side: str,
    n_threads: int,
    *,
    biases: bool,
) -> tuple[Array, Array]:
    """Return factors and biases of rows that fit targets of their stored values best.

    Parameters
    ----------
    rows : csr_array of shape (n, n_columns)
        Canonical; its values are not read.
    targets : ndarray of shape (nnz,)
        What factors and biases approximate.
    factors : ndarray of shape (n_columns, f)
        Factors of the columns, with a column of ones at the end where there are biases.
    ridge : ndarray of float64, shape (n,)
        L2 penalty of each row.
    side : {"user", "item"}
        What a row is, for error messages.
    n_threads : int
        Threads to use.
    biases : bool
        Whether rows have a bias.

    Returns
    -------
    factors : ndarray of shape (n, f) or (n, f - 1)
        Zero for rows without a stored value, as their biases.
    biases : ndarray of shape (n,)
        Zero without ``biases``.
    """
    n, width = rows.shape[0], factors.shape[1]
    rated = wrap_csr(rows.indptr, rows.indices, targets.astype(factors.dtype), rows.shape)
    solution = half_step(
        LOCAL,
        [MemoryBlock(0, rated)],
        factors,
        np.zeros((width, width)),
        np.zeros((n, width), dtype=factors.dtype),
        ridge,
        OBSERVED,
        Solver("cholesky", n_threads=n_threads),
        side,
    )
    if biases:
        return np.ascontiguousarray(solution[:, :-1]), solution[:, -1].copy()
    return solution, np.zeros(n, dtype=solution.dtype)


class RatingModel(FactorModel):
    """Base of models that predict ``mean + user bias + item bias + x_u'y_i``.

    A subclass defines ``_solve_new``, which returns the factors and the biases of new users.
    """

    _state: ClassVar[tuple[str, ...]] = (
        *FactorModel._state,
        "user_bias_",
        "item_bias_",
        "mean_",
        "rating_range_",
    )
    _per_user: ClassVar[tuple[str, ...]] = (*FactorModel._per_user, "user_bias_")
    predicts_ratings = True

    user_bias_: Array
    item_bias_: Array
    mean_: float
    rating_range_: tuple[float, float]
    clip: bool

    def _solve_new(self, profiles: sp.csr_array, n_threads: int) -> tuple[Array, Array]:
        """Return factors and biases of users that the model does not know."""
        raise NotImplementedError

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        return self._solve_new(profiles, n_threads)[0]

    def _item_biases(self) -> Array | None:
        return self.item_bias_

    def _check_state(self) -> None:
        super()._check_state()
        for name, bias, n in (
            ("user", self.user_bias_, self.n_users_),
            ("item", self.item_bias_, self.n_items),
        ):
            if bias.shape != (n,) or not np.isfinite(bias).all():
                raise ValueError(f"{name} biases that are not {n} finite numbers")

    def _vectors_and_offsets(
        self, users: NDArray[np.int64] | None, profiles: sp.csr_array | None, n_threads: int
    ) -> tuple[Array, NDArray[np.float64] | None]:
        if users is not None:
            vectors, bias = self.user_factors_[users], self.user_bias_[users]
        else:
            assert profiles is not None
            vectors, bias = self._solve_new(profiles, n_threads)
        return vectors, bias.astype(np.float64) + self.mean_

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the predicted rating of each pair of a row and a column.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Not used.

        Returns
        -------
        ndarray of float64, shape (n,)
            Within the rating scale, unless ``clip=False``.
        """
        biases = self.user_bias_[users].astype(np.float64) + self.item_bias_[items]
        ratings = self.mean_ + biases + super().score_pairs(users, items, n_threads)
        return np.clip(ratings, *self.rating_range_) if self.clip else ratings
