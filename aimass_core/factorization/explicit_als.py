"""Explicit alternating least squares: ratings from biases and factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.baselines import global_mean, rating_range
from ..base.csr import transpose
from ..base.random import as_generator
from ..base.registry import register
from ..base.validation import as_bool, as_float, as_int, wrap_csr
from ._als import MAX_FACTORS, Solver, half_step, random_factors
from ._model import FactorModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Query
    from ..base.ranking import Ranked

    Array = NDArray[Any]

__all__ = ["ExplicitALS"]

# Every stored value counts, with weight one; pairs without one don't.
_VALUES: dict[str, Any] = {
    "alpha": 0.0,
    "weight_shift": 1.0,
    "target_shift": 0.0,
    "preferences": False,
}


@register("explicit-als")
class ExplicitALS(FactorModel):
    r"""Predict ratings as :math:`\mu + b_u + b_i + p_u^T q_i` by alternating least squares.

    Minimises over the stored ratings, zeros included,

    .. math:: \sum_{ui} (r_{ui} - \mu - b_u - b_i - p_u^T q_i)^2
              + \lambda \sum_u n_u^\nu (|p_u|^2 + b_u^2) + \lambda \sum_i n_i^\nu (|q_i|^2 + b_i^2)

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors, 1 to 16384.
    regularization : float, default=0.07
        :math:`\lambda`, at least 0.
    nu : float, default=1.0
        1: weighted by the number of ratings (ALS-WR); 0: the same for every row.
    biases : bool, default=True
        Learn :math:`b_u` and :math:`b_i`.
    max_iter : int, default=15
        Epochs: items, then users.
    init_scale : float, default=0.1
        Factors start normal with standard deviation ``init_scale / sqrt(n_factors)``.
    clip : bool, default=True
        Cut predictions off at the rating scale.
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those seen in training.
    dtype : {"float32", "float64"}, default="float32"
        Of factors and values.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first factors.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        Learned vectors; zero for rows without ratings.
    user_bias_, item_bias_ : ndarray of shape (n_users,), (n_items,)
        Learned biases; zero without ``biases``.
    mean_ : float
        Mean of all ratings.
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted.

    Notes
    -----
    An epoch takes O(nnz f^2 + (n_users + n_items) f^3) multiply-adds. Memory: the matrix, its
    transpose, one value for each entry. `recommend` is exact and does not rate every item.

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

    def __init__(
        self,
        *,
        n_factors: int = 64,
        regularization: float = 0.07,
        nu: float = 1.0,
        biases: bool = True,
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
        self.nu = nu
        self.biases = biases
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
        rng = as_generator(self.random_state)
        self.mean_, self.rating_range_ = global_mean(X), rating_range(self.rating_scale, X)
        T = transpose(X, n_threads)
        self.user_factors_, self.item_factors_ = (
            random_factors(rng, n, n_factors, self.init_scale, X.dtype) for n in X.shape
        )
        self.user_bias_, self.item_bias_ = (np.zeros(n, dtype=X.dtype) for n in X.shape)
        for _ in range(max_iter):
            others = self.user_factors_, self.user_bias_
            self.item_factors_, self.item_bias_ = self._solved(T, *others, "item", n_threads)
            others = self.item_factors_, self.item_bias_
            self.user_factors_, self.user_bias_ = self._solved(X, *others, "user", n_threads)

    def _solved(
        self, rows: sp.csr_array, factors: Array, bias: Array, side: str, n_threads: int
    ) -> tuple[Array, Array]:
        """Factors and biases of rows: a bias is the factor of a constant one."""
        biased = as_bool(self.biases, "biases")
        regularization = as_float(self.regularization, "regularization", minimum=0.0)
        nu = as_float(self.nu, "nu", minimum=0.0)
        if biased:
            factors = np.hstack([factors, np.ones((len(factors), 1), dtype=factors.dtype)])
        left = (rows.data - np.float64(self.mean_) - bias[rows.indices]).astype(rows.dtype)
        residual = wrap_csr(rows.indptr, rows.indices, left, rows.shape)
        n = rows.shape[0]
        solved = half_step(
            [(0, residual)],
            factors,
            np.zeros((factors.shape[1],) * 2),
            np.zeros((n, factors.shape[1]), dtype=factors.dtype),
            regularization * np.diff(rows.indptr).astype(np.float64) ** nu,
            _VALUES,
            Solver("cholesky", n_threads=n_threads),
            side,
        )
        if biased:
            return np.ascontiguousarray(solved[:, :-1]), solved[:, -1].copy()
        return solved, np.zeros(n, dtype=solved.dtype)

    def _prepare(self, n_threads: int) -> None:
        super()._prepare(n_threads)
        as_bool(self.clip, "clip")

    def _check_state(self) -> None:
        super()._check_state()
        shapes = self.user_bias_.shape, self.item_bias_.shape
        if shapes != tuple((n,) for n in (self.n_users_, self.n_items)):
            raise ValueError("as many biases as users and items are needed")
        if not (np.isfinite(self.user_bias_).all() and np.isfinite(self.item_bias_).all()):
            raise ValueError("biases that are not finite numbers")

    def _item_biases(self) -> Array | None:
        return self.item_bias_

    def _vectors_and_offsets(self, query: Query) -> tuple[Array, NDArray[np.float64]]:
        """Return the factors, and mean + bias, of the users of a query."""
        if query.users is not None:
            vectors, bias = self.user_factors_[query.users], self.user_bias_[query.users]
        else:
            vectors, bias = self._fitted()._solved(
                query.profiles, self.item_factors_, self.item_bias_, "user", query.n_threads
            )
        return vectors, bias + np.float64(self.mean_)

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        solved = self._fitted()._solved(
            profiles, self.item_factors_, self.item_bias_, "user", n_threads
        )
        return solved[0]

    def score(self, query: Query) -> Array:
        """Return the predicted rating of every item for each user of a query.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            Not clipped.
        """
        vectors, offsets = self._vectors_and_offsets(query)
        scores: Array = vectors @ self.item_factors_.T + self.item_bias_ + offsets[:, None]
        return scores

    def rank(self, query: Query) -> Ranked:
        """Return the k items with the highest predicted ratings of each user of a query.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf; ratings are not clipped.
        """
        vectors, offsets = self._vectors_and_offsets(query)
        indices, scores = self._index("items", "dot").topk(
            vectors,
            query.k,
            exclude=query.exclude,
            allowed=None if query.mask is None else query.mask.astype(bool),
            allowed_rows=query.candidate_lists,
            n_threads=query.n_threads,
        )
        return indices, scores + offsets[:, None]

    def _fitted(self) -> ExplicitALS:
        """With the parameters of the last fit, whatever ``set_params`` did since."""
        fitted = type(self)(**self._fitted_with)
        fitted.mean_ = self.mean_
        return fitted

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
        rated = self.mean_ + biases + super().score_pairs(users, items, n_threads)
        return np.clip(rated, *self.rating_range_) if self.clip else rated
