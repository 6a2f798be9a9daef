"""Biased matrix factorisation of ratings by stochastic gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import kernels
from ..base.registry import register
from ..base.validation import as_choice, csr_parts
from ._sgd_rating import SgdRating, group_values
from ._sgd_state import number_of_strata

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ._sgd_rating import Step

    Array = NDArray[Any]

__all__ = ["SVD"]


@register("svd")
class SVD(SgdRating):
    r"""Predict ratings as :math:`\mu + b_u + b_i + x_u^T y_i` by stochastic gradient descent.

    For each stored rating, zeros included, a step descends

    .. math:: (r_{ui} - \mu - b_u - b_i - x_u^T y_i)^2
              + \lambda (b_u^2 + b_i^2 + |x_u|^2 + |y_i|^2)

    This is the model that Surprise calls SVD. With ``order="stored"`` and ``dtype="float64"`` it
    takes the same steps in the same order.

    Parameters
    ----------
    n_factors : int, default=100
        Length of the vectors, 1 to 16383.
    learning_rate : float, default=0.005
        Length of a step, above 0.
    regularization : float, default=0.02
        L2 penalty, applied in each step to what the step moves; at least 0.
    learning_rate_user, learning_rate_item : float, optional
        Step lengths of these factors. Default: ``learning_rate``.
    learning_rate_user_bias, learning_rate_item_bias : float, optional
        Step lengths of the biases. Default: ``learning_rate``.
    regularization_user, regularization_item : float, optional
        Penalties of these factors. Default: ``regularization``.
    regularization_user_bias, regularization_item_bias : float, optional
        Penalties of the biases. Default: ``regularization``.
    biases : bool, default=True
        Learn biases and start from the mean rating; without, both are 0.
    order : {"shuffled", "stored"}, default="shuffled"
        "shuffled": a new order in each epoch, on all threads. "stored": user by user in the order
        of the entries, on one thread.
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
        Seed of the first factors and of the order of the steps.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        Learned vectors; zero for rows without ratings.
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
    An epoch takes O(nnz f) multiply-adds. Memory: the matrix and the factors, and for
    "shuffled" 12 or 16 bytes for each rating. Users and items are cut into parts anew in each
    epoch, and threads work on parts that share no rows, so the result has the same bits for any
    number of threads. New users get the exact minimum over their factors and bias.

    References
    ----------
    S. Funk, "Netflix update: try this at home", 2006. Y. Koren, R. Bell and C. Volinsky, "Matrix
    factorization techniques for recommender systems", IEEE Computer 42(8), 2009. N. Hug, "Surprise:
    a Python library for recommender systems", JOSS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import SVD
    >>> model = SVD(n_factors=2, max_iter=200).fit(np.array([[5.0, 3.0, 1.0], [4.0, 0.0, 1.0]]))
    >>> bool(3 < model.predict([0], [0])[0] <= 5)
    True
    """

    def __init__(
        self,
        *,
        n_factors: int = 100,
        learning_rate: float = 0.005,
        regularization: float = 0.02,
        learning_rate_user: float | None = None,
        learning_rate_item: float | None = None,
        learning_rate_user_bias: float | None = None,
        learning_rate_item_bias: float | None = None,
        regularization_user: float | None = None,
        regularization_item: float | None = None,
        regularization_user_bias: float | None = None,
        regularization_item_bias: float | None = None,
        biases: bool = True,
        order: str = "shuffled",
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
        self.learning_rate_user = learning_rate_user
        self.learning_rate_item = learning_rate_item
        self.learning_rate_user_bias = learning_rate_user_bias
        self.learning_rate_item_bias = learning_rate_item_bias
        self.regularization_user = regularization_user
        self.regularization_item = regularization_item
        self.regularization_user_bias = regularization_user_bias
        self.regularization_item_bias = regularization_item_bias
        self.biases = biases
        self.order = order
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
        parts, strata = csr_parts(X), number_of_strata(X)
        order = as_choice(self.order, "order", ("shuffled", "stored"))
        groups = ("user", "item", "user_bias", "item_bias")
        rates, penalties = group_values(self, groups)
        mean = self.mean_

        def epoch(arrays: dict[str, Array], number: int, seed: int) -> float:
            return kernels.rating_epoch(
                *parts,
                arrays["user_factors"],
                arrays["item_factors"],
                arrays["user_biases"],
                arrays["item_biases"],
                mean,
                rates,
                penalties,
                order=order,
                n_strata=strata,
                seed=seed,
                epoch=number,
                n_threads=n_threads,
            )

        return epoch

    def _user_vectors(self, arrays: dict[str, Array], X: sp.csr_array) -> Array:
        return arrays["user_factors"]

    def _solve_new(self, profiles: sp.csr_array, n_threads: int) -> tuple[Array, Array]:
        targets = self._residuals(profiles)
        return self._ridge(profiles, targets, self._fitted_penalty("user"), n_threads)
