"""Biases that change in time: item biases in time bins, and a drift of each user.

Problem: r ~ mean + b_u + a_u dev_u(t) + b_i + c_{i, bin(t)}, with
dev_u(t) = sign(t - t_u) |t - t_u|^0.4, where t_u is the mean time of the user's ratings, and times
are measured in parts of the period of the training data. Alternating least squares: each group of
parameters is the exact minimum given the others, so the penalised error never rises. Cost of an
epoch: O(nnz). Memory: 3 values for each entry and n_items x n_bins.
Y. Koren, Collaborative filtering with temporal dynamics, KDD 2009 (equations 6 to 10).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.baselines import global_mean
from ..base.csr import row_numbers

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Period", "TimeBiases", "deviations", "fit_time_biases", "mean_times"]

_EXPONENT = 0.4  # of the distance to the mean time; Koren's value for Netflix


@dataclass(frozen=True)
class Period:
    """The time from the first to the last training rating, cut into bins of equal length."""

    first: int
    last: int

    @property
    def length(self) -> float:
        """Length in the unit of the timestamps; 1 where all are equal."""
        return float(self.last) - float(self.first) or 1.0

    def share(self, times: Ints) -> Floats:
        """Return times as parts of the period, 0 to 1; those outside are its nearest end."""
        since_first = np.clip(times, self.first, self.last).astype(np.float64) - float(self.first)
        shares: Floats = np.clip(since_first / self.length, 0.0, 1.0)
        return shares

    def bins(self, shares: Floats, n_bins: int) -> Ints:
        """Return the number of the bin of each share of the period."""
        numbers: Ints = np.minimum((shares * n_bins).astype(np.int64), n_bins - 1)
        return numbers


@dataclass(frozen=True)
class TimeBiases:
    """All biases of a fit.

    Parameters
    ----------
    user, item : ndarray of float64, shape (n_users,), (n_items,)
        Biases that do not change.
    item_time : ndarray of float64, shape (n_items, n_bins)
        What the time bins add to the item bias; no column: nothing.
    drift : ndarray of float64, shape (n_users,)
        Factor of the deviation of a time from the user's mean time.
    """

    user: Floats
    item: Floats
    item_time: Floats
    drift: Floats


def mean_times(X: sp.csr_array, shares: Floats) -> Floats:
    """Return the mean time of each row's entries, as a part of the period; 0 without entries."""
    sums = np.bincount(row_numbers(X), weights=shares, minlength=X.shape[0])
    means: Floats = sums / np.maximum(np.diff(X.indptr), 1)
    return means


def deviations(shares: Floats, means: Floats) -> Floats:
    """Return the signed power of the distance of each time to a mean time."""
    distance = shares - means
    powers: Floats = np.sign(distance) * np.abs(distance) ** _EXPONENT
    return powers


def fit_time_biases(
    X: sp.csr_array,
    shares: Floats,
    *,
    bins: Ints | None,
    n_bins: int,
    drift: bool,
    max_iter: int,
    reg_u: float,
    reg_i: float,
    reg_time: float,
    report: Callable[[int], Any] = bool,
) -> TimeBiases:
    """Return the biases of users and items that fit the ratings and their times best.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Ratings.
    shares : ndarray of float64, shape (nnz,)
        Time of each entry, as a part of the period.
    bins : ndarray of int64, shape (nnz,), or None
        Time bin of each entry.
    n_bins : int
        Bins of the period; 0: item biases do not change.
    drift : bool
        Whether user biases change.
    max_iter : int
        Epochs.
    reg_u, reg_i, reg_time : float
        Penalties of squared biases of users, of items, and of what changes in time.
    report : callable
        Called with the number of each epoch.

    Returns
    -------
    TimeBiases
    """
    users, items = row_numbers(X).astype(np.int64), X.indices.astype(np.int64)
    (n_users, n_items), left = X.shape, X.data.astype(np.float64)
    left -= global_mean(X)
    groups = [_Group(items, n_items, reg_i)]
    if bins is not None:
        groups.append(_Group(items * n_bins + bins, n_items * n_bins, reg_time))
    groups.append(_Group(users, n_users, reg_u))
    if drift:
        change = deviations(shares, mean_times(X, shares)[users])
        groups.append(_Group(users, n_users, reg_time, change))
    for epoch in range(1, max_iter + 1):
        for group in groups:
            group.minimise(left)
        report(epoch)
    values = [group.values for group in groups]
    return TimeBiases(
        user=values[1 if bins is None else 2],
        item=values[0],
        item_time=np.zeros((n_items, 0)) if bins is None else values[1].reshape(n_items, n_bins),
        drift=values[-1] if drift else np.zeros(n_users),
    )


class _Group:
    """Parameters of which each entry has one, times a known factor.

    Parameters
    ----------
    owner : ndarray of int64, shape (nnz,)
        Number of the parameter of each entry.
    n : int
        Parameters.
    penalty : float
        Weight of the squared parameters.
    factor : ndarray of float64, shape (nnz,), optional
        Default: 1.
    """

    def __init__(self, owner: Ints, n: int, penalty: float, factor: Floats | None = None) -> None:
        self._owner, self._factor = owner, factor
        squares = None if factor is None else factor**2
        curvature = np.bincount(owner, weights=squares, minlength=n)
        self._curvature: Floats = curvature.astype(np.float64)
        self._divisor = self._curvature + penalty
        self.values = np.zeros(n)

    def minimise(self, left: Floats) -> None:
        """Set the parameters to the minimum, given what the others leave; change that in place."""
        weights = left if self._factor is None else left * self._factor
        gradient = np.bincount(self._owner, weights=weights, minlength=len(self.values))
        sums: Floats = gradient + self._curvature * self.values
        new = np.divide(sums, self._divisor, out=np.zeros_like(sums), where=self._divisor > 0)
        change = (new - self.values)[self._owner]
        left -= change if self._factor is None else change * self._factor
        self.values = new
