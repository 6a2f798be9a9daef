"""Ratings from average differences between items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import kernels
from ..base.baselines import global_mean, rating_range
from ..base.csr import row_numbers, stack_rows, transpose
from ..base.query import Query
from ..base.ranking import scores_by_pairs
from ..base.recommender import Recommender
from ..base.registry import register
from ..base.validation import as_bool, csr_parts
from ._rating import with_shape

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

__all__ = ["SlopeOne"]


@register("slope-one")
class SlopeOne(Recommender):
    r"""Predict a rating from how much better an item is, on average, than those the user rated.

    :math:`\hat r_{ui} = \mu_u + \frac{1}{|R_i(u)|} \sum_{j \in R_i(u)} \text{dev}(i, j)`, where
    :math:`R_i(u)` are the items that the user and a further user of :math:`i` rated, and dev is the
    mean of :math:`r_{vi} - r_{vj}` over the users of both.

    Parameters
    ----------
    clip : bool, default=True
        Cut predictions off at the rating scale.
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those seen in training.

    Attributes
    ----------
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted, as float64.

    Notes
    -----
    Nothing but the ratings is kept: deviations are computed on demand, for an item from all users
    who rated it, never as an n_items x n_items matrix. A user or item without ratings gets the
    mean of all ratings, a pair without any common user the user's mean. `recommend` predicts
    every candidate, in blocks, and leaves out items without a deviation. For `fold_in` the new
    ratings take part in the deviations. Fitting costs O(nnz), a prediction O(ratings of the users
    who rated the item).

    References
    ----------
    D. Lemire, A. Maclachlan, "Slope one predictors for online rating-based collaborative
    filtering", 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import SlopeOne
    >>> SlopeOne(clip=False).fit(np.array([[1.0, 1.5], [2.0, 0.0]])).predict(1, 1).tolist()
    [2.5]
    """

    predicts_ratings = True
    _dtype: ClassVar[Any] = np.float64

    def __init__(
        self, *, clip: bool = True, rating_scale: tuple[float, float] | None = None
    ) -> None:
        self.clip = clip
        self.rating_scale = rating_scale

    def _prepare(self, n_threads: int) -> None:
        self._mean = global_mean(self.user_items_)
        if not as_bool(self.clip, "clip"):
            self._refuse_idle(("rating_scale",), "clip=False")
        self._scale = rating_range(self.rating_scale, self.user_items_)
        self._item_users = transpose(self.user_items_, n_threads)

    def _rate(
        self, R: sp.csr_array, T: sp.csr_array, users: Any, items: Any, n_threads: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        sums, n_used = kernels.slope_one_predict(
            *csr_parts(R),
            *csr_parts(T),
            np.ascontiguousarray(users, dtype=np.int32),
            np.ascontiguousarray(items, dtype=np.int32),
            n_threads,
        )
        count = np.diff(R.indptr)
        mean = np.bincount(row_numbers(R), weights=R.data, minlength=R.shape[0])
        mean = np.divide(mean, count, out=np.full(R.shape[0], self._mean), where=count > 0)
        known = (count[users] > 0) & (np.diff(T.indptr)[items] > 0)
        ratings = np.where(known, mean[users] + sums / np.maximum(n_used, 1), self._mean)
        return ratings, n_used > 0

    def score(self, query: Query) -> NDArray[Any]:
        """Return the predicted rating of every candidate for each user of a query.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            Not clipped; -inf for an item without a deviation from any item of the user.
        """
        R, T, rows = self.user_items_, self._item_users, query.users
        if rows is None:
            rows = self.n_users_ + np.arange(len(query))
            R = stack_rows(R, query.profiles)  # deviations come from the users of the fit alone
            T = with_shape(T, self.n_items, R.shape[0])
        return scores_by_pairs(query, rows, lambda u, i: self._rate(R, T, u, i, query.n_threads))

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the predicted rating of each pair of a row and a column.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Threads to use.

        Returns
        -------
        ndarray of float64, shape (n,)
            Within the rating scale, unless ``clip=False``.
        """
        ratings, _ = self._rate(self.user_items_, self._item_users, users, items, n_threads)
        return np.clip(ratings, *self._scale) if self.clip else ratings
