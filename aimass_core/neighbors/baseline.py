"""Ratings from biases alone: the mean, how generous the user is, how good the item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.baselines import (
    ALS_EPOCHS,
    SGD_EPOCHS,
    als_biases,
    global_mean,
    new_user_bias,
    rating_range,
    sgd_biases,
)
from ..base.csr import row_numbers
from ..base.query import Query
from ..base.ranking import Ranked, rank_shared
from ..base.recommender import Recommender
from ..base.registry import register
from ..base.validation import as_bool, as_choice, as_float, as_int
from ..exceptions import NumericalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BaselineOnly"]


@register("baseline")
class BaselineOnly(Recommender):
    r"""Predict :math:`\mu + b_u + b_i`, the yardstick for every model of ratings.

    Parameters
    ----------
    method : {"als", "sgd"}, default="als"
        Alternating least squares, or stochastic gradient descent in the order of users and items.
    max_iter : int, optional
        Passes over the data. Default: 10 for als, 20 for sgd.
    reg_u : float, default=15
        Weight of the users' squared biases (als).
    reg_i : float, default=10
        Weight of the items' squared biases (als).
    learning_rate : float, default=0.005
        Step of sgd.
    regularization : float, default=0.02
        Weight of the squared biases in sgd.
    clip : bool, default=True
        Cut predictions off at the rating scale.
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those seen in training.

    Attributes
    ----------
    user_bias_, item_bias_ : ndarray of float64
        Learned biases; 0 for users and items without ratings.
    mean_ : float
        Mean of all ratings.
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted, as float64.

    Notes
    -----
    O(max_iter nnz) time, O(nnz) memory for als. `recommend` ranks unseen items by their bias.
    `fold_in` gives new users the least-squares bias.

    References
    ----------
    Y. Koren, "Factor in the neighbors: scalable and accurate collaborative filtering", ACM TKDD
    4(1), 2010, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import BaselineOnly
    >>> model = BaselineOnly().fit(np.array([[5.0, 3.0], [4.0, 0.0]]))
    >>> model.predict([1], [1]).round(3).tolist()
    [3.904]
    """

    _state: ClassVar[tuple[str, ...]] = (
        *Recommender._state,
        "user_bias_",
        "item_bias_",
        "mean_",
        "rating_range_",
    )
    _per_user: ClassVar[tuple[str, ...]] = ("user_bias_",)
    needs_history: ClassVar[bool] = False
    needs_training = False
    predicts_ratings = True
    _dtype: ClassVar[Any] = np.float64

    user_bias_: NDArray[np.float64]
    item_bias_: NDArray[np.float64]
    mean_: float
    rating_range_: tuple[float, float]

    def __init__(
        self,
        *,
        method: str = "als",
        max_iter: int | None = None,
        reg_u: float = 15.0,
        reg_i: float = 10.0,
        learning_rate: float = 0.005,
        regularization: float = 0.02,
        clip: bool = True,
        rating_scale: tuple[float, float] | None = None,
    ) -> None:
        self.method = method
        self.max_iter = max_iter
        self.reg_u = reg_u
        self.reg_i = reg_i
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.clip = clip
        self.rating_scale = rating_scale

    def _learn(self, n_threads: int) -> None:
        X = self.user_items_
        assert X is not None
        self.mean_, self.rating_range_ = global_mean(X), rating_range(self.rating_scale, X)
        als = as_choice(self.method, "method", ("als", "sgd")) == "als"
        idle = ("learning_rate", "regularization") if als else ("reg_u", "reg_i")
        self._refuse_idle(idle, f"method={self.method!r}")
        max_iter = ALS_EPOCHS if als else SGD_EPOCHS
        if self.max_iter is not None:
            max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        report = self._progress(max_iter).step
        if als:
            reg_u = as_float(self.reg_u, "reg_u", minimum=0.0)
            reg_i = as_float(self.reg_i, "reg_i", minimum=0.0)
            self.user_bias_, self.item_bias_ = als_biases(
                row_numbers(X), X.indices, X.data, X.shape, max_iter, reg_u, reg_i, report
            )
        else:
            rate = as_float(self.learning_rate, "learning_rate", above=0.0)
            regularization = as_float(self.regularization, "regularization", minimum=0.0)
            self.user_bias_, self.item_bias_ = sgd_biases(X, max_iter, rate, regularization, report)
            if not np.isfinite(self.item_bias_).all():
                raise NumericalError(
                    "the biases overflowed: lower learning_rate, or scale the ratings down"
                )

    def _prepare(self, n_threads: int) -> None:
        if not as_bool(self.clip, "clip"):
            self._refuse_idle(("rating_scale",), "clip=False")

    def _check_state(self) -> None:
        super()._check_state()
        if (len(self.user_bias_), len(self.item_bias_)) != (self.n_users_, self.n_items):
            raise ValueError("as many biases as users and items are needed")

    def _user_offsets(self, query: Query) -> NDArray[np.float64]:
        """Return mean + bias of each user of a query."""
        if query.users is None:
            bias = new_user_bias(query.profiles, self.mean_ + self.item_bias_)
        else:
            bias = self.user_bias_[query.users]
        offsets: NDArray[np.float64] = self.mean_ + bias
        return offsets

    def score(self, query: Query) -> NDArray[Any]:
        """Return mean + user bias + item bias of every item for each user of a query.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            Not clipped.
        """
        return self._user_offsets(query)[:, None] + self.item_bias_

    def rank(self, query: Query) -> Ranked:
        """Return the k items with the largest biases of each user of a query under its filters.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        indices, scores = rank_shared(self.item_bias_, query)
        return indices, scores + self._user_offsets(query)[:, None]

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
        ratings = self.mean_ + self.user_bias_[users] + self.item_bias_[items]
        return np.clip(ratings, *self.rating_range_) if self.clip else ratings
