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
from ..data._time import time_point
from ._time_biases import Period, deviations, fit_time_biases, mean_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BaselineOnly"]


@register("baseline")
class BaselineOnly(Recommender):
    r"""Predict :math:`\mu + b_u + b_i`, the yardstick for every model of ratings.

    With ``n_time_bins`` or ``user_drift`` the biases change in time:
    :math:`\mu + b_u + a_u \, dev_u(t) + b_i + c_{i, bin(t)}`.

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
    n_time_bins : int, default=0
        Bins of equal length into which the period of the ratings is cut; each has a further bias
        of every item (als). 0: item biases do not change. Needs `Interactions` with times.
    user_drift : bool, default=False
        Each user's bias changes with :math:`dev_u(t) = \pm|t - t_u|^{0.4}` (als), where
        :math:`t_u` is the mean time of the user's ratings. Needs `Interactions` with times.
    reg_time : float, default=30
        Weight of the squares of what changes in time.
    now : datetime, str or number, optional
        The time of `predict` and of lists. Default: the latest time in the data.
    clip : bool, default=True
        Cut predictions off at the rating scale.
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those seen in training.

    Attributes
    ----------
    user_bias_, item_bias_ : ndarray of float64
        Learned biases that do not change; 0 for users and items without ratings.
    item_time_bias_ : ndarray of float64, shape (n_items, n_time_bins)
        What each time bin adds to the bias of an item.
    user_drift_ : ndarray of float64, shape (n_users,)
        :math:`a_u`, for times in parts of the period; 0 without ``user_drift``.
    mean_ : float
        Mean of all ratings.
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted, as float64.

    Notes
    -----
    O(max_iter nnz) time, O(nnz) memory for als, and 8 ``n_time_bins`` bytes for each item.
    `recommend` ranks unseen items by their bias. New users get the least-squares bias. Times before
    the first or after the last training rating count as the first or the last. `predict_at` rates
    pairs at given times; `evaluate` uses it where the test part has times. Gains are small where
    users rate within one day: on MovieLens compare both.

    References
    ----------
    Y. Koren, "Factor in the neighbors: scalable and accurate collaborative filtering", ACM TKDD
    4(1), 2010, section 2.1. Y. Koren, "Collaborative filtering with temporal dynamics", KDD 2009,
    section 3.

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
        "item_time_bias_",
        "user_drift_",
        "user_mean_time_",
        "period_",
        "timestamps_",
        "time_unit_",
    )
    _per_user: ClassVar[tuple[str, ...]] = ("user_bias_", "user_drift_", "user_mean_time_")
    _keeps_times: ClassVar[bool] = True
    needs_history: ClassVar[bool] = False
    needs_training = False
    predicts_ratings = True
    _dtype: ClassVar[Any] = np.float64

    user_bias_: NDArray[np.float64]
    item_bias_: NDArray[np.float64]
    mean_: float
    rating_range_: tuple[float, float]
    item_time_bias_: NDArray[np.float64]
    user_drift_: NDArray[np.float64]
    user_mean_time_: NDArray[np.float64]
    period_: tuple[int, int]
    timestamps_: NDArray[np.int64] | None
    time_unit_: str | None

    def __init__(
        self,
        *,
        method: str = "als",
        max_iter: int | None = None,
        reg_u: float = 15.0,
        reg_i: float = 10.0,
        learning_rate: float = 0.005,
        regularization: float = 0.02,
        n_time_bins: int = 0,
        user_drift: bool = False,
        reg_time: float = 30.0,
        now: Any = None,
        clip: bool = True,
        rating_scale: tuple[float, float] | None = None,
    ) -> None:
        self.method = method
        self.max_iter = max_iter
        self.reg_u = reg_u
        self.reg_i = reg_i
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.n_time_bins = n_time_bins
        self.user_drift = user_drift
        self.reg_time = reg_time
        self.now = now
        self.clip = clip
        self.rating_scale = rating_scale

    @property
    def predicts_at_times(self) -> bool:
        """Whether predictions depend on the time: `predict_at` takes it."""
        return bool(self.n_time_bins) or bool(self.user_drift)

    def _set_training_data(self, X: Any) -> None:
        super()._set_training_data(X)
        as_int(self.n_time_bins, "n_time_bins", minimum=0)
        as_bool(self.user_drift, "user_drift")
        if not self.predicts_at_times:
            self._refuse_idle(("reg_time", "now"), "n_time_bins=0 and user_drift=False")
            self.timestamps_ = self.time_unit_ = None
        elif self.timestamps_ is None:
            raise ValueError(
                "n_time_bins and user_drift need times: fit on Interactions.from_table(..., "
                "time=COLUMN)"
            )

    def _learn(self, n_threads: int) -> None:
        X = self.user_items_
        assert X is not None
        self.mean_, self.rating_range_ = global_mean(X), rating_range(self.rating_scale, X)
        als = as_choice(self.method, "method", ("als", "sgd")) == "als"
        of_als = ("reg_u", "reg_i", "n_time_bins", "user_drift", "reg_time", "now")
        idle = ("learning_rate", "regularization") if als else of_als
        self._refuse_idle(idle, f"method={self.method!r}")
        max_iter = ALS_EPOCHS if als else SGD_EPOCHS
        if self.max_iter is not None:
            max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        report = self._progress(max_iter).step
        self.period_ = (0, 0)
        self.item_time_bias_ = np.zeros((X.shape[1], 0))
        self.user_drift_ = np.zeros(X.shape[0])
        self.user_mean_time_ = np.zeros(X.shape[0])
        if als:
            reg_u = as_float(self.reg_u, "reg_u", minimum=0.0)
            reg_i = as_float(self.reg_i, "reg_i", minimum=0.0)
            if self.predicts_at_times:
                self._learn_times(max_iter, reg_u, reg_i, report)
                return
            self.user_bias_, self.item_bias_ = als_biases(
                row_numbers(X), X.indices, X.data, X.shape, max_iter, reg_u, reg_i, report
            )
        else:
            rate = as_float(self.learning_rate, "learning_rate", above=0.0)
            regularization = as_float(self.regularization, "regularization", minimum=0.0)
            self.user_bias_, self.item_bias_ = sgd_biases(X, max_iter, rate, regularization, report)

    def _learn_times(self, max_iter: int, reg_u: float, reg_i: float, report: Any) -> None:
        """Set the biases that change in time, and those that do not."""
        X, times = self.user_items_, self.timestamps_
        assert times is not None
        if len(times):
            self.period_ = (int(times.min()), int(times.max()))
        period, n_bins = Period(*self.period_), int(self.n_time_bins)
        shares = period.share(times)
        self.user_mean_time_ = mean_times(X, shares)
        biases = fit_time_biases(
            X,
            shares,
            bins=period.bins(shares, n_bins) if n_bins else None,
            n_bins=n_bins,
            drift=bool(self.user_drift),
            max_iter=max_iter,
            reg_u=reg_u,
            reg_i=reg_i,
            reg_time=as_float(self.reg_time, "reg_time", minimum=0.0),
            report=report,
        )
        self.user_bias_, self.item_bias_ = biases.user, biases.item
        self.item_time_bias_, self.user_drift_ = biases.item_time, biases.drift

    def _prepare(self, n_threads: int) -> None:
        if not as_bool(self.clip, "clip"):
            self._refuse_idle(("rating_scale",), "clip=False")
        now = self.period_[1]
        if self.predicts_at_times and self.now is not None:
            now = time_point(self.time_unit_, self.now, "now")
        share = Period(*self.period_).share(np.array([now]))
        self._item_offsets = self.item_bias_ + self._changes_of_items(
            np.arange(self.n_items), share
        )
        self._drift_now = self._changes_of_users(np.arange(self.n_users_), share)

    def _changes_of_items(self, items: Any, shares: NDArray[Any]) -> NDArray[np.float64]:
        """Return what times add to the biases of items."""
        n_bins = self.item_time_bias_.shape[1]
        if not n_bins:
            return np.zeros(len(shares))
        bins = Period(*self.period_).bins(shares, n_bins)
        changes: NDArray[np.float64] = self.item_time_bias_[items, bins]
        return changes

    def _changes_of_users(
        self, users: NDArray[Any], shares: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return what times add to the biases of users."""
        changes: NDArray[np.float64] = self.user_drift_[users] * deviations(
            shares, self.user_mean_time_[users]
        )
        return changes

    def _check_state(self) -> None:
        super()._check_state()
        if (len(self.user_bias_), len(self.item_bias_)) != (self.n_users_, self.n_items):
            raise ValueError("as many biases as users and items are needed")
        if self.item_time_bias_.ndim != 2 or len(self.item_time_bias_) != self.n_items:
            raise ValueError("biases of time bins that are not one row for each item")
        shapes = self.user_drift_.shape, self.user_mean_time_.shape
        if shapes != ((self.n_users_,), (self.n_users_,)):
            raise ValueError("as many drifts and mean times as users are needed")
        if self.predicts_at_times and self.time_unit_ not in ("ns", "raw", None):
            raise ValueError(f"times of unit {self.time_unit_!r}")

    def _user_offsets(self, query: Query) -> NDArray[np.float64]:
        """Return mean + bias of each user of a query."""
        if query.users is None:
            bias = new_user_bias(query.profiles, self.mean_ + self._item_offsets)
        else:
            bias = self.user_bias_[query.users] + self._drift_now[query.users]
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
        return self._user_offsets(query)[:, None] + self._item_offsets

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
        indices, scores = rank_shared(self._item_offsets, query)
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
        biases = self.user_bias_[users] + self._drift_now[users] + self._item_offsets[items]
        ratings = self.mean_ + biases
        return np.clip(ratings, *self.rating_range_) if self.clip else ratings

    def predict_at(self, users: Any, items: Any, times: Any) -> NDArray[np.float64]:
        """Return the predicted rating of each pair of a user and an item at a time.

        Parameters
        ----------
        users, items : array-like of ids, shape (n,)
            One of each for every pair; a single one is paired with all of the other.
        times : array-like of shape (n,), or one value
            Datetimes or whole numbers, as the times of the training data.

        Returns
        -------
        ndarray of float64, shape (n,)
            Within the rating scale, unless ``clip=False``.

        Raises
        ------
        ValueError
            Where the lengths do not match, or the model does not use times.

        Examples
        --------
        >>> from aimass_core import BaselineOnly, Interactions
        >>> x = Interactions.from_arrays(
        ...     [1, 2, 3, 4], [7, 7, 7, 7], [1.0, 1.0, 5.0, 5.0], times=[0, 1, 8, 9]
        ... )
        >>> model = BaselineOnly(n_time_bins=2, reg_time=1.0).fit(x)
        >>> (model.predict_at([1], [7], [9]) > model.predict_at([1], [7], [0])).tolist()
        [True]
        """
        self._check_fitted()
        if not self.predicts_at_times:
            raise ValueError(
                "predict_at needs a model with n_time_bins or user_drift: call predict instead"
            )
        rows, columns = self._rows(users, "users"), self._columns(items, "items")
        given = self._as_times(times)
        n = max(len(rows), len(columns), len(given))
        if any(len(part) not in (1, n) for part in (rows, columns, given)):
            raise ValueError(
                f"users, items and times must be of equal length, got {len(rows)}, {len(columns)} "
                f"and {len(given)}"
            )
        rows, columns, given = np.broadcast_arrays(rows, columns, given)
        return self._rate_at(rows, columns, given)

    def _as_times(self, times: Any) -> NDArray[np.int64]:
        """Return times in the unit of the training data."""
        values = np.atleast_1d(np.asarray(times))
        if self.time_unit_ != "raw" and values.dtype.kind == "M" and not np.isnat(values).any():
            return values.astype("datetime64[ns]").astype(np.int64)
        if self.time_unit_ == "raw" and values.dtype.kind in "iu":
            return values.astype(np.int64)
        points = [time_point(self.time_unit_, value, "times") for value in list(values)]
        return np.array(points, dtype=np.int64)

    def _rate_at(
        self, rows: NDArray[Any], columns: NDArray[Any], times: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return ratings of rows and columns at times in the unit of the training data."""
        shares = Period(*self.period_).share(times)
        ratings = self.mean_ + self.user_bias_[rows] + self.item_bias_[columns]
        ratings = ratings + self._changes_of_users(rows, shares)
        ratings = np.asarray(ratings + self._changes_of_items(columns, shares))
        return np.clip(ratings, *self.rating_range_) if self.clip else ratings
