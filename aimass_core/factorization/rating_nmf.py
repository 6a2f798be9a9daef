"""Non-negative matrix factorisation of the stored ratings alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.baselines import global_mean, rating_range
from ..base.fit_options import FitOptions
from ..base.random import as_generator, fill_rows
from ..base.registry import register
from ..base.validation import as_bool, as_float, as_int, csr_parts
from ..exceptions import NumericalError
from ._als import MAX_FACTORS
from ._rating_model import RatingModel

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event

    Array = NDArray[Any]

__all__ = ["RatingNMF"]


@register("rating-nmf")
class RatingNMF(RatingModel):
    r"""Predict ratings by products of non-negative factors, from the stored ratings alone.

    Minimises :math:`\sum (r_{ui} - x_u^T y_i)^2 + \lambda_u n_u |x_u|^2 + \lambda_i n_i |y_i|^2`
    over the stored ratings by multiplicative updates of all factors at once. With ``biases`` the
    prediction is :math:`\mu + b_u + b_i + x_u^T y_i`; each epoch takes a gradient step of both
    biases for every rating, in the order of the entries. This is the model that Surprise calls NMF;
    from the same first factors it takes the same steps. `NMF` treats pairs without a value as zeros
    instead.

    Parameters
    ----------
    n_factors : int, default=15
        Length of the vectors, 1 to 16383.
    regularization_user, regularization_item : float, default=0.06
        :math:`\lambda_u` and :math:`\lambda_i`, at least 0.
    biases : bool, default=False
        Learn biases and start from the mean rating. Fits better and overfits sooner: choose
        ``n_factors`` and the penalties on validation data.
    learning_rate_user_bias, learning_rate_item_bias : float, default=0.005
        Step lengths of the biases, at least 0.
    regularization_user_bias, regularization_item_bias : float, default=0.02
        Penalties of the biases, applied in each step; at least 0.
    max_iter : int, default=50
        Epochs.
    init_low, init_high : float, default=0.0 and 1.0
        Bounds of the uniform distribution of first factors, at least 0.
    clip : bool, default=True
        Cut predictions off at the rating scale.
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those seen in training.
    dtype : {"float32", "float64"}, default="float64"
        Of factors and ratings.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first factors.
    n_threads : int, optional
        Threads of lists; ``fit`` uses one.

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        Non-negative vectors; zero for rows without ratings.
    user_bias_, item_bias_ : ndarray of shape (n_users,), (n_items,)
        Learned biases; zero without ``biases``.
    mean_ : float
        Mean of all ratings, or 0 without ``biases``.
    losses_ : ndarray of float64
        Root of the mean squared error of each epoch, every error taken before the update.
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted.

    Raises
    ------
    ValueError
        By ``fit``, for negative ratings.
    NumericalError
        By ``fit``, where ratings are so large that factors overflow.

    Notes
    -----
    An epoch takes O(nnz f) multiply-adds. Memory: the matrix and three times the factors. The
    squared error with the penalties of the present factors never rises in the update of one side
    alone; both sides move at once here. New users get as many updates of their own row, of which
    the minimum is unique where ``regularization_user`` is above 0. A factor whose divisor is not
    positive, which only ``biases`` can bring about, becomes 0.

    References
    ----------
    X. Luo, M. Zhou, Y. Xia and Q. Zhu, "An efficient non-negative matrix-factorization-based
    approach to collaborative filtering for recommender systems", IEEE Trans. Industrial Informatics
    10(2), 2014. S. Zhang, W. Wang, J. Ford and F. Makedon, "Learning from incomplete ratings using
    non-negative matrix factorization", SDM 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import RatingNMF
    >>> X = np.array([[5.0, 3.0, 1.0], [4.0, 0.0, 1.0], [1.0, 1.0, 5.0]])
    >>> model = RatingNMF(n_factors=2).fit(X)
    >>> bool((model.item_factors_ >= 0).all())
    True
    """

    _state: ClassVar[tuple[str, ...]] = (*RatingModel._state, "losses_")
    losses_: NDArray[np.float64]

    def __init__(
        self,
        *,
        n_factors: int = 15,
        regularization_user: float = 0.06,
        regularization_item: float = 0.06,
        biases: bool = False,
        learning_rate_user_bias: float = 0.005,
        learning_rate_item_bias: float = 0.005,
        regularization_user_bias: float = 0.02,
        regularization_item_bias: float = 0.02,
        max_iter: int = 50,
        init_low: float = 0.0,
        init_high: float = 1.0,
        clip: bool = True,
        rating_scale: tuple[float, float] | None = None,
        dtype: str = "float64",
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.regularization_user = regularization_user
        self.regularization_item = regularization_item
        self.biases = biases
        self.learning_rate_user_bias = learning_rate_user_bias
        self.learning_rate_item_bias = learning_rate_item_bias
        self.regularization_user_bias = regularization_user_bias
        self.regularization_item_bias = regularization_item_bias
        self.max_iter = max_iter
        self.init_low = init_low
        self.init_high = init_high
        self.clip = clip
        self.rating_scale = rating_scale
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        start: Any = None,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Learn from ratings of users x items.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            Every stored value is a rating, at least 0, zeros included. Never changed.
        y : None
            Must be None; scikit-learn passes it.
        start : pair of arrays (user_factors, item_factors), optional
            First factors, at least 0. Default: at random.
        callback : callable, optional
            Called with an `Event` after each epoch; a true result ends training.
        verbose : bool, default=False
            Show a progress bar on standard error.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        ValueError
            For negative ratings, a parameter out of its range, a broken matrix or values that are
            not finite.
        """
        return self._fit(X, y, FitOptions(X, None, start, callback, verbose))

    def _learn(self, n_threads: int) -> None:
        n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS - 1)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        if not as_bool(self.clip, "clip"):
            self._refuse_idle(("rating_scale",), "clip=False")
        if not as_bool(self.biases, "biases"):
            of_biases = [name for name in self._param_names() if name.endswith("_bias")]
            self._refuse_idle(of_biases, "biases=False")
        low = as_float(self.init_low, "init_low", minimum=0.0)
        high = as_float(self.init_high, "init_high", minimum=low)
        X = self.user_items_
        _check_not_negative(X)
        self.rating_range_ = rating_range(self.rating_scale, X)
        self.mean_ = global_mean(X) if self.biases else 0.0
        rng = as_generator(self.random_state)
        start = self._options.start
        if start is None:
            start = [np.empty((n, n_factors)) for n in X.shape]
            for factors in start:
                fill_rows(factors, lambda shape: rng.uniform(low, high, shape))
        users, items = _first_factors(start, X.shape, n_factors, self._dtype)
        counts = np.diff(X.indptr), np.bincount(X.indices, minlength=X.shape[1])
        users[counts[0] == 0], items[counts[1] == 0] = 0, 0
        self.user_factors_, self.item_factors_ = users, items
        biases = np.zeros(X.shape[0]), np.zeros(X.shape[1])
        self._set_biases(*biases)
        progress, losses = self._progress(max_iter), []
        epoch = _epoch(self.get_params(deep=False), X, self.mean_, moves_items=True)
        for number in range(1, max_iter + 1):
            losses.append(float(np.sqrt(epoch(users, items, *biases) / max(X.nnz, 1))))
            if not np.isfinite(losses[-1]):
                raise NumericalError(
                    f"epoch {number}: the factors overflow; scale the ratings, or lower the step "
                    "lengths of the biases"
                )
            if self._options.callback is not None or self._options.verbose:
                self.losses_ = np.array(losses)
                self._set_biases(*biases)
                self._prepare_to_answer()
            if progress.step(number, {"loss": losses[-1]}, self):
                break
        _check_finite(users, items, *biases)
        self.losses_ = np.array(losses)
        self._set_biases(*biases)

    def _set_biases(self, users: Array, items: Array) -> None:
        dtype = self.user_items_.dtype
        self.user_bias_, self.item_bias_ = users.astype(dtype), items.astype(dtype)

    def _solve_new(self, profiles: sp.csr_array, n_threads: int) -> tuple[Array, Array]:
        profiles = profiles.astype(self.item_factors_.dtype)
        _check_not_negative(profiles)
        fitted = self._fitted_parameters()
        items = np.require(self.item_factors_, requirements="W")  # a type that the kernel compiles
        users = np.full((profiles.shape[0], items.shape[1]), 0.5, dtype=items.dtype)
        users[np.diff(profiles.indptr) == 0] = 0
        biases = np.zeros(len(users)), self.item_bias_.astype(np.float64)
        epoch = _epoch(fitted, profiles, self.mean_, moves_items=False)
        for _ in range(fitted["max_iter"]):
            epoch(users, items, *biases)
        _check_finite(users, biases[0])
        return users, biases[0].astype(items.dtype)


def _epoch(
    parameters: dict[str, Any], X: sp.csr_array, mean: float, *, moves_items: bool
) -> Callable[[Array, Array, Array, Array], float]:
    """Return the function that takes an epoch over X with the steps of a model's parameters.

    It changes user factors, item factors, user biases and item biases in place; those of items
    only where ``moves_items``. It returns the sum of squared errors.
    """
    from ..jit.rating_nmf_epoch import rating_nmf_epoch

    rates = [
        as_float(parameters[name], name, minimum=0.0)
        for name in ("learning_rate_user_bias", "learning_rate_item_bias")
    ]
    penalties = [
        as_float(parameters[name], name, minimum=0.0)
        for name in (
            "regularization_user",
            "regularization_item",
            "regularization_user_bias",
            "regularization_item_bias",
        )
    ]
    user_rate = rates[0] if parameters["biases"] else 0.0
    item_rate = rates[1] if parameters["biases"] and moves_items else 0.0
    settings = mean, (user_rate, item_rate), tuple(penalties), moves_items

    def epoch(users: Array, items: Array, user_bias: Array, item_bias: Array) -> float:
        total: float = rating_nmf_epoch(
            *csr_parts(X), users, items, user_bias, item_bias, *settings
        )
        return total

    return epoch


def _check_finite(*arrays: Array) -> None:
    if not all(np.isfinite(part).all() for part in arrays):
        raise NumericalError(
            "the factors overflow; scale the ratings, or lower the step lengths of the biases"
        )


def _check_not_negative(X: sp.csr_array) -> None:
    wrong = np.flatnonzero(X.data < 0)
    if wrong.size:
        raise ValueError(
            f"RatingNMF needs ratings of at least 0, got {X.data[wrong[0]]:g}: shift the scale, or "
            "use SVD"
        )


def _first_factors(start: Any, shape: tuple[int, int], n_factors: int, dtype: Any) -> list[Array]:
    """Return first factors as new arrays, checked."""
    sides = [np.array(part, dtype=dtype) for part in start]
    expected = [(n, n_factors) for n in shape]
    if [side.shape for side in sides] != expected:
        raise ValueError(f"start: factors must have the shapes {expected[0]} and {expected[1]}")
    if not all(np.isfinite(side).all() and (side >= 0).all() for side in sides):
        raise ValueError("start: factors must be finite and at least 0")
    return sides
