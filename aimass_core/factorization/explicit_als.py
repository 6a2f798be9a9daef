"""Explicit alternating least squares: ratings from biases and factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.baselines import global_mean, rating_range
from ..base.csr import row_numbers, transpose
from ..base.random import as_generator
from ..base.registry import register
from ..base.validation import as_bool, as_float, as_int, csr_parts, wrap_csr
from ._als import MAX_FACTORS, random_factors
from ._rating_model import OBSERVED, RatingModel, deviations, solve_ratings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["ExplicitALS"]


@dataclass(frozen=True)
class _Settings:
    """The parameters of a fit that decide what a row's least-squares problem is."""

    biases: bool
    regularization: dict[str, float]  # by side
    constant: float
    bias_share: float
    nu: float

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> _Settings:
        common = as_float(parameters["regularization"], "regularization", minimum=0.0)
        by_side = {}
        for side in ("user", "item"):
            name = f"regularization_{side}"
            own = parameters[name]
            by_side[side] = common if own is None else as_float(own, name, minimum=0.0)
        return cls(
            as_bool(parameters["biases"], "biases"),
            by_side,
            as_float(parameters["constant_regularization"], "constant_regularization", minimum=0.0),
            as_float(parameters["bias_share"], "bias_share", above=0.0),
            as_float(parameters["nu"], "nu", minimum=0.0),
        )

    @property
    def _column(self) -> float:
        """Value of the column whose coefficient, times this value, is the bias of a row.

        A coefficient c has the penalty of a factor; the bias c v then has 1 / v^2 of it.
        """
        return float(self.bias_share**-0.5)

    def augment(self, factors: Array) -> Array:
        """Return factors with a constant column where there are biases."""
        if not self.biases:
            return factors
        column = np.full((len(factors), 1), self._column, dtype=factors.dtype)
        return np.hstack([factors, column])

    def solve(
        self,
        rows: sp.csr_array,
        augmented: Array,
        column_bias: Array,
        mean: float,
        side: str,
        n_threads: int,
    ) -> tuple[Array, Array]:
        """Return factors and biases of rows, given the augmented factors of their columns."""
        counts = np.diff(rows.indptr).astype(np.float64)
        factors, biases = solve_ratings(
            rows,
            deviations(rows, mean, column_bias),
            augmented,
            self.regularization[side] * counts**self.nu + self.constant,
            side,
            n_threads,
            biases=self.biases,
        )
        if self.biases:
            biases *= factors.dtype.type(self._column)
        return factors, biases


@register("explicit-als")
class ExplicitALS(RatingModel):
    r"""Predict ratings as :math:`\mu + b_u + b_i + p_u^T q_i` by alternating least squares.

    Minimises over the stored ratings, zeros included,

    .. math:: \sum_{ui} (r_{ui} - \mu - b_u - b_i - p_u^T q_i)^2
              + \sum_u (\lambda_u n_u^\nu + c) (|p_u|^2 + s b_u^2)
              + \sum_i (\lambda_i n_i^\nu + c) (|q_i|^2 + s b_i^2)

    The part that grows with the number of ratings keeps active rows from fitting their noise. The
    constant part shrinks rows with few ratings towards the mean; it matters most on sparse data.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the factor vectors, 1 to 16383.
    regularization : float, default=0.05
        :math:`\lambda_u` and :math:`\lambda_i`, at least 0.
    regularization_user, regularization_item : float, optional
        The same of one side. Default: ``regularization``.
    constant_regularization : float, default=6.0
        :math:`c`, at least 0: how strongly rows with few ratings shrink. 0: ALS-WR.
    nu : float, default=1.0
        1: weighted by the number of ratings; 0: the same for every row.
    biases : bool, default=True
        Learn :math:`b_u` and :math:`b_i` in the same solve as the factors.
    bias_share : float, default=0.25
        :math:`s`, above 0: the penalty of biases as a share of that of factors.
    max_iter : int, default=15
        Epochs: items, then users.
    init_scale : float, default=0.1
        The first factors are normal with standard deviation ``init_scale / sqrt(n_factors)``.
    clip : bool, default=True
        Limit predictions to the rating scale.
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those of the training data.
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
        Learned factors; zero for rows without ratings.
    user_bias_, item_bias_ : ndarray of shape (n_users,), (n_items,)
        Learned biases; zero without ``biases``.
    mean_ : float
        Mean of all ratings.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted ratings.

    Notes
    -----
    An epoch takes O(nnz f^2 + (n_users + n_items) f^3) multiply-adds. Memory: the matrix, its
    transpose, one value for each entry. `recommend` is exact and does not rate every item. The
    ``values`` of the `Event` of an epoch hold "rmse", the error on the training data. The default
    penalties were chosen on a random fifth of MovieLens 100K, MovieLens 1M, MovieLens latest-small
    and Book-Crossing.

    References
    ----------
    Y. Zhou, D. Wilkinson, R. Schreiber and R. Pan, "Large-scale parallel collaborative filtering
    for the Netflix prize", AAIM 2008. Y. Koren, R. Bell and C. Volinsky, "Matrix factorization
    techniques for recommender systems", IEEE Computer 42(8), 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import ExplicitALS
    >>> model = ExplicitALS(n_factors=2).fit(np.array([[5.0, 3.0, 1.0], [4.0, 0.0, 1.0]]))
    >>> bool(3 < model.predict([0], [0])[0] <= 5)
    True
    """

    def __init__(
        self,
        *,
        n_factors: int = 64,
        regularization: float = 0.05,
        regularization_user: float | None = None,
        regularization_item: float | None = None,
        constant_regularization: float = 6.0,
        nu: float = 1.0,
        biases: bool = True,
        bias_share: float = 0.25,
        max_iter: int = 15,
        init_scale: float = 0.1,
        clip: bool = True,
        rating_scale: tuple[float, float] | None = None,
        dtype: str = "float32",
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.regularization = regularization
        self.regularization_user = regularization_user
        self.regularization_item = regularization_item
        self.constant_regularization = constant_regularization
        self.nu = nu
        self.biases = biases
        self.bias_share = bias_share
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.clip = clip
        self.rating_scale = rating_scale
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads

    def _learn(self, n_threads: int) -> None:
        X = self.user_items_
        n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS - 1)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        settings = _Settings.from_parameters(self.get_params(deep=False))
        if not settings.biases:
            self._refuse_idle(("bias_share",), "biases=False")
        rng = as_generator(self.random_state)
        self.mean_, self.rating_range_ = global_mean(X), rating_range(self.rating_scale, X)
        T = transpose(X, n_threads)
        self.user_factors_, self.item_factors_ = (
            random_factors(rng, n, n_factors, self.init_scale, X.dtype) for n in X.shape
        )
        self.user_bias_, self.item_bias_ = (np.zeros(n, dtype=X.dtype) for n in X.shape)
        progress = self._progress(max_iter)
        for epoch in range(1, max_iter + 1):
            augmented = settings.augment(self.user_factors_)
            self.item_factors_, self.item_bias_ = settings.solve(
                T, augmented, self.user_bias_, self.mean_, "item", n_threads
            )
            augmented = settings.augment(self.item_factors_)
            self.user_factors_, self.user_bias_ = settings.solve(
                X, augmented, self.item_bias_, self.mean_, "user", n_threads
            )
            values = {}
            if self._options.callback is not None or self._options.verbose:
                values["rmse"] = self._training_error(n_threads)
                self._prepare_to_answer()
            if progress.step(epoch, values, self):
                break

    def _training_error(self, n_threads: int) -> float:
        """Return the root of the mean squared error on the training data."""
        X = self.user_items_
        errors = deviations(X, self.mean_, self.item_bias_) - self.user_bias_[row_numbers(X)]
        residuals = wrap_csr(X.indptr, X.indices, errors.astype(X.dtype), X.shape)
        squares: float = kernels.als_loss(
            *csr_parts(residuals),
            self.user_factors_,
            self.item_factors_,
            n_threads=n_threads,
            **OBSERVED,
        )
        return float(np.sqrt(max(squares, 0.0) / max(X.nnz, 1)))

    def _prepare(self, n_threads: int) -> None:
        super()._prepare(n_threads)
        if not as_bool(self.clip, "clip"):
            self._refuse_idle(("rating_scale",), "clip=False")

    def _solve_new(self, profiles: sp.csr_array, n_threads: int) -> tuple[Array, Array]:
        """Return factors and biases of users that were not in the fit."""
        settings = self._cached("settings", lambda: _Settings.from_parameters(self._fitted_with))
        augmented = self._cached("augmented", lambda: settings.augment(self.item_factors_))
        solution: tuple[Array, Array] = settings.solve(
            profiles, augmented, self.item_bias_, self.mean_, "user", n_threads
        )
        return solution
