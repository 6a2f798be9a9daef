"""Ratings from clusters of users and clusters of items."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.baselines import global_mean, rating_range
from ..base.csr import row_numbers
from ..base.fit_options import FitOptions
from ..base.random import as_generator
from ..base.registry import register
from ..base.validation import as_bool, as_int
from ..exceptions import NumericalError
from ._rating_model import RatingModel

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event

    Array = NDArray[Any]

__all__ = ["CoClustering"]

_MOST_CLUSTERS = 4096


@register("co-clustering")
class CoClustering(RatingModel):
    r"""Predict ratings from the means of clusters of users and of items.

    With users in cluster a and items in cluster b the prediction is

    .. math:: \mu_{ab} + (\mu_u - \mu_a) + (\mu_i - \mu_b),

    the means of the co-cluster, the user, its cluster, the item, and its cluster. Users, then
    items, move to the cluster with the least squared error, in turns. This is the model that
    Surprise calls CoClustering; from the same first clusters it finds the same ones.

    Parameters
    ----------
    n_user_clusters, n_item_clusters : int, default=3
        Numbers of clusters, 1 to 4096.
    max_iter : int, default=20
        Turns of users and items; fewer where no cluster changes.
    clip : bool, default=True
        Cut predictions off at the rating scale.
    rating_scale : tuple of two floats, optional
        Lowest and highest rating. Default: those seen in training.
    dtype : {"float32", "float64"}, default="float64"
        Of the ratings and of the result.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first clusters.
    n_threads : int, optional
        Threads of lists; ``fit`` uses one.

    Attributes
    ----------
    user_clusters_, item_clusters_ : ndarray of int32, shape (n_users,), (n_items,)
        The cluster of each row; -1 for rows without ratings.
    cluster_means_ : ndarray of float64, shape (n_user_clusters + 1, n_item_clusters + 1)
        Means of co-clusters; the last column and row hold those of user and item clusters, and the
        last element the mean of all ratings.
    user_factors_, item_factors_ : ndarray
        A row of ``cluster_means_`` for each user; for each item, which column counts.
    user_bias_, item_bias_ : ndarray of shape (n_users,), (n_items,)
        Deviations of rows from the means of their clusters.
    mean_ : float
        0.
    n_iter_ : int
        Turns taken.
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted.

    Notes
    -----
    An iteration takes O(nnz + (n_users + n_items) n_user_clusters n_item_clusters) and, for each
    user and item, memory of three values for each cluster of the other side. The prediction for a
    user without ratings is the mean of the item, that for an item without ratings the mean of the
    user, and that for both the mean of all ratings; Surprise predicts the latter for all of them.
    New users get the cluster of the least squared error.

    References
    ----------
    T. George and S. Merugu, "A scalable collaborative filtering framework based on co-clustering",
    ICDM 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import CoClustering
    >>> X = np.array([[5.0, 4.0, 1.0], [5.0, 5.0, 0.0], [1.0, 0.0, 5.0], [2.0, 1.0, 5.0]])
    >>> model = CoClustering(n_user_clusters=2, n_item_clusters=2).fit(X)
    >>> bool(model.predict([1], [2])[0] < model.predict([2], [2])[0])
    True
    """

    _state: ClassVar[tuple[str, ...]] = (
        *RatingModel._state,
        "user_clusters_",
        "item_clusters_",
        "cluster_means_",
        "n_iter_",
    )
    _per_user: ClassVar[tuple[str, ...]] = (*RatingModel._per_user, "user_clusters_")
    learns_in_epochs = False

    user_clusters_: NDArray[np.int32]
    item_clusters_: NDArray[np.int32]
    cluster_means_: NDArray[np.float64]
    n_iter_: int

    def __init__(
        self,
        *,
        n_user_clusters: int = 3,
        n_item_clusters: int = 3,
        max_iter: int = 20,
        clip: bool = True,
        rating_scale: tuple[float, float] | None = None,
        dtype: str = "float64",
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_user_clusters = n_user_clusters
        self.n_item_clusters = n_item_clusters
        self.max_iter = max_iter
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
            Every stored value is a rating, zeros included. Never changed.
        y : None
            Must be None; scikit-learn passes it.
        start : pair of int arrays of shape (n_users,), (n_items,), optional
            First clusters of users and of items. Default: at random.
        callback : callable, optional
            Called with an `Event` after each turn; a true result is ignored.
        verbose : bool, default=False
            Show a progress bar on standard error.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        NumericalError
            For ratings so large that their squares overflow.
        ValueError
            For a parameter out of its range, a broken matrix or values that are not finite.
        """
        return self._fit(X, y, FitOptions(X, None, start, callback, verbose))

    def _learn(self, n_threads: int) -> None:
        sizes = self._sizes()
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        if not as_bool(self.clip, "clip"):
            self._refuse_idle(("rating_scale",), "clip=False")
        X = self.user_items_
        self.mean_, self.rating_range_ = 0.0, rating_range(self.rating_scale, X)
        rng = as_generator(self.random_state)
        start = self._options.start
        if start is None:
            start = [rng.integers(0, k, n) for k, n in zip(sizes, X.shape, strict=True)]
        clusters = [
            _as_clusters(part, n, k, name)
            for part, n, k, name in zip(start, X.shape, sizes, ("users", "items"), strict=True)
        ]
        ratings = _Ratings(X)
        progress = self._progress(max_iter)
        for number in range(1, max_iter + 1):
            self.n_iter_ = number
            before = clusters
            profiles = ratings.profiles(0, clusters[1], sizes[1])
            means = ratings.cluster_means(clusters[0], sizes[0], profiles)
            users = profiles.nearest(ratings.deviations, _offsets(means))
            profiles = ratings.profiles(1, users, sizes[0])
            items = profiles.nearest(ratings.deviations, _offsets(means.T))
            clusters = [users, items]
            progress.step(number)
            if all(np.array_equal(*pair) for pair in zip(before, clusters, strict=True)):
                break
        profiles = ratings.profiles(0, clusters[1], sizes[1])
        self.cluster_means_ = ratings.cluster_means(clusters[0], sizes[0], profiles)
        self._set_factors(ratings, clusters)

    def _sizes(self) -> tuple[int, int]:
        names = ("n_user_clusters", "n_item_clusters")
        users, items = (
            as_int(getattr(self, name), name, minimum=1, maximum=_MOST_CLUSTERS) for name in names
        )
        return users, items

    def _set_factors(self, ratings: _Ratings, clusters: list[NDArray[np.int64]]) -> None:
        """Set factors and biases of which the sums are the predictions."""
        dtype, means = self._dtype, self.cluster_means_
        users, items = (
            np.where(ratings.counts[side] > 0, clusters[side], -1).astype(np.int32)
            for side in (0, 1)
        )
        self.user_clusters_, self.item_clusters_ = users, items
        self.user_factors_ = means[users].astype(dtype)
        self.item_factors_ = np.zeros((len(items), means.shape[1]), dtype=dtype)
        self.item_factors_[np.arange(len(items)), items] = 1
        user_bias = np.where(users < 0, 0, ratings.means[0] - means[users, -1])
        item_bias = np.where(items < 0, 0, ratings.means[1] - means[-1, items])
        self.user_bias_, self.item_bias_ = user_bias.astype(dtype), item_bias.astype(dtype)

    def _solve_new(self, profiles: sp.csr_array, n_threads: int) -> tuple[Array, Array]:
        means = self.cluster_means_
        new = _Ratings(profiles.astype(np.float64))
        owner, columns = new.rows
        items = self.item_clusters_[columns]
        items = np.where(items < 0, means.shape[1] - 1, items)  # no cluster: the margin
        deviations = new.values - new.means[0][owner] - self.item_bias_[columns]
        own = _Profiles(owner, profiles.shape[0], items, means.shape[1])
        nearest = own.nearest(deviations, means[:-1, -1:] - means[:-1])
        users = np.where(new.counts[0] > 0, nearest, -1)
        bias = np.where(users < 0, 0, new.means[0] - means[users, -1])
        return means[users].astype(self._dtype), bias.astype(self._dtype)

    def _check_state(self) -> None:
        super()._check_state()
        shape = self.cluster_means_.shape
        if len(shape) != 2 or self.item_factors_.shape[1] != shape[1]:
            raise ValueError(f"means of clusters of shape {shape} that do not fit the factors")
        for clusters, n, k in (
            (self.user_clusters_, self.n_users_, shape[0]),
            (self.item_clusters_, self.n_items, shape[1]),
        ):
            if clusters.shape != (n,) or not ((clusters >= -1) & (clusters < k - 1)).all():
                raise ValueError(f"clusters that are not {n} numbers from -1 to {k - 2}")


class _Ratings:
    """Entries of a matrix of ratings, and the mean of each row and column."""

    def __init__(self, X: sp.csr_array) -> None:
        self.rows = row_numbers(X), X.indices
        self.values = X.data.astype(np.float64)
        _check_squares(self.values)
        self.mean = global_mean(X)
        self.counts = [np.bincount(r, minlength=n) for r, n in zip(self.rows, X.shape, strict=True)]
        self.means = [
            _means(np.bincount(r, self.values, minlength=n), count, self.mean)
            for r, n, count in zip(self.rows, X.shape, self.counts, strict=True)
        ]

    @cached_property
    def deviations(self) -> Array:
        """Each rating less the means of its row and its column."""
        user_means, item_means = (self.means[side][self.rows[side]] for side in (0, 1))
        deviations: Array = self.values - user_means - item_means
        return deviations

    def profiles(self, side: int, clusters: Array, k: int) -> _Profiles:
        """Return the entries of the rows of one side by the k clusters of the other."""
        others = clusters[self.rows[1 - side]]
        return _Profiles(self.rows[side], len(self.counts[side]), others, k)

    def cluster_means(self, users: Array, n_user_clusters: int, profiles: _Profiles) -> Array:
        """Return the means of co-clusters, with those of clusters and of all as the margins.

        Parameters
        ----------
        users : ndarray of int64, shape (n_users,)
            Cluster of each user.
        n_user_clusters : int
            Number of these clusters.
        profiles : _Profiles
            Entries of users by cluster of items.
        """
        k = profiles.counts.shape[1]
        cell = (users[:, None] * k + np.arange(k)).ravel()
        shape = n_user_clusters, k
        count, total = (
            np.bincount(cell, part.ravel(), minlength=n_user_clusters * k).reshape(shape)
            for part in (profiles.counts, profiles.sums(self.values))
        )
        means = np.full((n_user_clusters + 1, k + 1), self.mean)
        means[:-1, :-1] = _means(total, count, self.mean)
        means[:-1, -1] = _means(total.sum(axis=1), count.sum(axis=1), self.mean)
        means[-1, :-1] = _means(total.sum(axis=0), count.sum(axis=0), self.mean)
        return means


class _Profiles:
    """Numbers and sums of the entries of each row, by the k clusters of their columns.

    Parameters
    ----------
    owner : ndarray of int, shape (nnz,)
        Row of each entry.
    n : int
        Number of rows.
    clusters : ndarray of int64, shape (nnz,)
        Cluster of the column of each entry.
    k : int
        Number of these clusters.
    """

    def __init__(self, owner: Array, n: int, clusters: Array, k: int) -> None:
        self._cell, self._shape = owner * np.int64(k) + clusters, (n, k)
        self.counts = np.bincount(self._cell, minlength=n * k).reshape(self._shape)

    def sums(self, values: Array) -> Array:
        """Return the sum of the values of the entries of each row and cluster."""
        n, k = self._shape
        sums: Array = np.bincount(self._cell, values, minlength=n * k).reshape(self._shape)
        return sums

    def nearest(self, values: Array, offsets: Array) -> NDArray[np.int64]:
        """Return for each row the number of the offsets with the least squared error.

        The error of the offsets d of cluster a is the sum of (value + d[a, cluster])^2; the sum of
        squared values is the same for all of them and left out.
        """
        errors = 2 * self.sums(values) @ offsets.T + self.counts @ np.square(offsets).T
        nearest: NDArray[np.int64] = np.argmin(errors, axis=1)
        return nearest


def _offsets(means: Array) -> Array:
    """Return what a deviation is too low by in each co-cluster, without the margins."""
    offsets: Array = means[-1, :-1] - means[:-1, :-1] + means[:-1, -1:]
    return offsets


def _check_squares(ratings: Array) -> None:
    """Raise NumericalError where sums of squared deviations of ratings would overflow."""
    largest = np.abs(ratings).max(initial=0.0)
    if largest > np.sqrt(np.finfo(np.float64).max / (64 * max(len(ratings), 1))):
        raise NumericalError(
            f"sums of squared ratings overflow, as the largest is {largest:.3g}: scale the values "
            "of X down"
        )


def _means(total: Array, count: Array, default: float) -> Array:
    """Return totals by counts; the default where there is nothing."""
    means: Array = np.full(total.shape, default)
    np.divide(total, count, out=means, where=count > 0)
    return means


def _as_clusters(clusters: Any, n: int, k: int, name: str) -> NDArray[np.int64]:
    """Return first clusters as int64, checked."""
    values = np.asarray(clusters)
    if values.shape != (n,) or values.dtype.kind not in "iu":
        raise ValueError(f"start: clusters of {name} must be {n} whole numbers")
    if n and (values.min() < 0 or values.max() >= k):
        raise ValueError(f"start: clusters of {name} must be within 0 and {k - 1}")
    return values.astype(np.int64)
