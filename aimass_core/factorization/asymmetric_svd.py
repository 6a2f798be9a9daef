"""Asymmetric SVD: ratings of users who have no parameters of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import kernels
from ..base.csr import row_numbers
from ..base.registry import register
from ..base.validation import csr_parts
from ._sgd_rating import SgdRating, group_values, scaled_sums

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ._sgd_rating import Step

    Array = NDArray[Any]

__all__ = ["AsymmetricSVD"]


@register("asymmetric-svd")
class AsymmetricSVD(SgdRating):
    r"""Predict ratings with user factors made of the items that a user rated.

    The prediction is

    .. math:: \mu + b_u + b_i + q_i^T |N_u|^{-1/2} \sum_{j \in N_u}
              \big( y_j + (r_{uj} - b_{uj}) x_j \big)

    with :math:`N_u` the items that the user rated and :math:`b_{uj} = \mu + b_u + b_j`. Users have
    a bias and no other parameter, so new users and new ratings need no training.

    Parameters
    ----------
    n_factors : int, default=20
        Length of the vectors, 1 to 16383.
    learning_rate : float, default=0.002
        Length of a step, above 0.
    regularization : float, default=0.02
        L2 penalty, applied in each step to what the step moves; at least 0.
    learning_rate_item, learning_rate_implicit : float, optional
        Step lengths of these factors. Default: ``learning_rate``.
    learning_rate_user_bias, learning_rate_item_bias : float, optional
        Step lengths of the biases. Default: ``learning_rate``.
    regularization_item, regularization_implicit : float, optional
        Penalties of these factors. Default: ``regularization``.
    regularization_user_bias, regularization_item_bias : float, optional
        Penalties of the biases. Default: ``regularization``.
    biases : bool, default=True
        Learn biases and start from the mean rating; without, both are 0.
    max_iter : int, default=20
        Epochs; each takes one step for every rating.
    init_mean, init_std : float, default=0.0 and 0.1
        Mean and standard deviation of the normal distribution of first factors.
    update_iter : int, default=5
        Epochs of `partial_fit` over the rows that change.
    metric : str, default="rmse"
        Metric on the validation part of `fit`.
    patience : int, default=3
        Computations of the metric without a better value before training ends.
    validation_interval : int, default=1
        Epochs between two computations of the metric.
    clip : bool, default=True
        Cut predictions off at the rating scale.
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those seen in training.
    dtype : {"float32", "float64"}, default="float32"
        Of factors, biases and ratings.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first factors.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        The sums, and q; zero for rows without ratings.
    implicit_factors_, residual_factors_ : ndarray of shape (n_items, n_factors)
        y and x; zero for items without ratings.
    user_bias_, item_bias_ : ndarray of shape (n_users,), (n_items,)
        Learned biases; zero without ``biases``.
    mean_ : float
        Mean of all ratings, or 0 without ``biases``.
    losses_ : ndarray of float64
        Root of the mean squared error of each epoch, every error taken before its step.
    scores_ : ndarray of float64
        The validation metric, where there is a validation part.
    n_iter_ : int
        Epoch that the parameters are of.
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted.

    Notes
    -----
    An epoch takes O(nnz f) multiply-adds, although every step moves the vectors y and x of all
    items of its user: see `SVDpp`. One thread, because every step needs the one before. Memory: the
    matrix and the factors.

    References
    ----------
    Y. Koren, "Factorization meets the neighborhood: a multifaceted collaborative filtering model",
    KDD 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import AsymmetricSVD
    >>> x = np.array([[5.0, 3.0, 1.0], [4.0, 0.0, 1.0]])
    >>> model = AsymmetricSVD(n_factors=2, max_iter=200).fit(x)
    >>> bool(3 < model.predict([0], [0])[0] <= 5)
    True
    """

    _factor_arrays: ClassVar[dict[str, str]] = {
        "item_factors": "item",
        "implicit_factors": "item",
        "residual_factors": "item",
    }
    _learned_arrays: ClassVar[tuple[str, ...]] = (
        *SgdRating._learned_arrays,
        "implicit_factors_",
        "residual_factors_",
    )
    _state: ClassVar[tuple[str, ...]] = (
        *SgdRating._state,
        "implicit_factors_",
        "residual_factors_",
    )

    implicit_factors_: Array
    residual_factors_: Array

    def __init__(
        self,
        *,
        n_factors: int = 20,
        learning_rate: float = 0.002,
        regularization: float = 0.02,
        learning_rate_item: float | None = None,
        learning_rate_implicit: float | None = None,
        learning_rate_user_bias: float | None = None,
        learning_rate_item_bias: float | None = None,
        regularization_item: float | None = None,
        regularization_implicit: float | None = None,
        regularization_user_bias: float | None = None,
        regularization_item_bias: float | None = None,
        biases: bool = True,
        max_iter: int = 20,
        init_mean: float = 0.0,
        init_std: float = 0.1,
        update_iter: int = 5,
        metric: str = "rmse",
        patience: int = 3,
        validation_interval: int = 1,
        clip: bool = True,
        rating_scale: tuple[float, float] | None = None,
        dtype: str = "float32",
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.learning_rate_item = learning_rate_item
        self.learning_rate_implicit = learning_rate_implicit
        self.learning_rate_user_bias = learning_rate_user_bias
        self.learning_rate_item_bias = learning_rate_item_bias
        self.regularization_item = regularization_item
        self.regularization_implicit = regularization_implicit
        self.regularization_user_bias = regularization_user_bias
        self.regularization_item_bias = regularization_item_bias
        self.biases = biases
        self.max_iter = max_iter
        self.init_mean = init_mean
        self.init_std = init_std
        self.update_iter = update_iter
        self.metric = metric
        self.patience = patience
        self.validation_interval = validation_interval
        self.clip = clip
        self.rating_scale = rating_scale
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads

    def _step(self, X: sp.csr_array, n_threads: int) -> Step:
        parts = csr_parts(X)
        groups = ("item", "user_bias", "item_bias", "implicit")
        (item, *rates), (item_penalty, *penalties) = group_values(self, groups)
        mean = self.mean_

        def epoch(arrays: dict[str, Array], number: int, seed: int) -> float:
            return kernels.implicit_rating_epoch(
                *parts,
                arrays["item_factors"][:0],
                arrays["item_factors"],
                arrays["implicit_factors"],
                arrays["residual_factors"],
                arrays["user_biases"],
                arrays["item_biases"],
                mean,
                (item, item, *rates),
                (item_penalty, item_penalty, *penalties),
                epoch=number,
                n_threads=n_threads,
            )

        return epoch

    def _sums(self, X: sp.csr_array, user_bias: Array) -> Array:
        """Return the vectors of users from their ratings and biases."""
        residuals = X.data.astype(np.float64) - self.mean_ - np.repeat(user_bias, np.diff(X.indptr))
        residuals -= self.item_bias_[X.indices]
        ones = np.ones(X.nnz)
        sums: Array = scaled_sums(X, ones, self.implicit_factors_)
        return sums + scaled_sums(X, residuals, self.residual_factors_)

    def _user_vectors(self, arrays: dict[str, Array], X: sp.csr_array) -> Array:
        return self._sums(X, self.user_bias_)

    def _solve_new(self, profiles: sp.csr_array, n_threads: int) -> tuple[Array, Array]:
        counts = np.diff(profiles.indptr)
        biases = np.zeros(len(counts))
        if self._fitted_parameters()["biases"]:
            residuals = self._residuals(profiles)
            totals = np.bincount(row_numbers(profiles), residuals, minlength=len(counts))
            shrunk = np.maximum(counts, 1) * (1 + self._fitted_penalty("user_bias"))
            biases = totals / shrunk
        biases = biases.astype(self.item_factors_.dtype)
        return self._sums(profiles, biases), biases

    def _check_state(self) -> None:
        super()._check_state()
        for name in ("implicit", "residual"):
            factors = getattr(self, f"{name}_factors_")
            if factors.shape != self.item_factors_.shape or not np.isfinite(factors).all():
                raise ValueError(f"{name} factors that do not fit the items, or are not finite")
