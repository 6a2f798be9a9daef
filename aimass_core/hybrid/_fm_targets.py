"""What the errors of a factorization machine are taken from: values, classes or ordered classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri, ndtri_exp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._fm_gibbs import Sweeper

    Array = NDArray[np.float64]
    Random = np.random.Generator | None

__all__ = ["Binary", "Ordered", "Target", "Values"]


class Target:
    """Base of targets: what is drawn beside the coefficients in each sweep.

    Parameters
    ----------
    y : ndarray of float64 or int64, shape (n,)
        Targets as the subclass takes them.
    """

    has_intercept = True

    def __init__(self, y: NDArray[np.float64] | NDArray[np.int64]) -> None:
        self.y = y
        self.cutpoints: Array = np.empty(0)

    def reorder(self, order: NDArray[np.int64]) -> None:
        """Put the targets into another order of the cases."""
        self.y = self.y[order]

    def first(self) -> Array:
        """Return what predictions are compared with before the first sweep."""
        return self.y.astype(np.float64)

    def update(self, sweeper: Sweeper, rng: Random, number: int) -> float:
        """Redraw latent values, and return the precision of the errors for the next sweep."""
        raise NotImplementedError


class Values(Target):
    """Real numbers with normal errors, whose precision is drawn."""

    def update(self, sweeper: Sweeper, rng: Random, number: int) -> float:
        """Draw the precision of the errors; 1 where nothing is drawn."""
        return 1.0 if rng is None else sweeper.draw_noise_precision(rng)


class Binary(Target):
    """Two classes, 0 and 1: the sign of a latent normal value around the prediction (probit)."""

    def first(self) -> Array:
        """Return the middle of each half line."""
        return np.where(self.y > 0, 0.8, -0.8)

    def update(self, sweeper: Sweeper, rng: Random, number: int) -> float:
        """Draw the latent values given the predictions, or take their means."""
        present = sweeper.latent - sweeper.errors
        sign = np.where(self.y > 0, 1.0, -1.0)
        distance = sign * present
        if rng is None:  # the mean of a normal value above 0
            excess = np.exp(-0.5 * distance**2 - log_ndtr(distance)) / np.sqrt(2 * np.pi)
        else:
            uniform = rng.random(len(present))
            np.maximum(uniform, np.finfo(float).tiny, out=uniform)
            excess = -ndtri_exp(log_ndtr(distance) + np.log(uniform))
        sweeper.errors = sign * excess
        sweeper.latent = present + sweeper.errors
        return 1.0


class Ordered(Target):
    """Ordered classes 0, 1, ...: the interval between cut points that a latent value falls into.

    Cut points and latent values are drawn jointly: cut points by Metropolis steps on the
    likelihood without the latent values, then these given the cut points.
    """

    has_intercept = False  # cut points move instead
    _STEPS = 3
    _ADAPT_EVERY, _ADAPT_UNTIL = 10, 60

    def __init__(self, y: NDArray[np.int64], n_classes: int) -> None:
        super().__init__(y)
        shares = np.cumsum(np.bincount(y, minlength=n_classes))[:-1] / len(y)
        self.cutpoints = ndtri(np.clip(shares, 1e-6, 1 - 1e-6))
        self.cutpoints = np.maximum.accumulate(self.cutpoints + 1e-6 * np.arange(n_classes - 1))
        self._proposal = np.eye(n_classes - 1)

    def _bounds(self, cutpoints: Array) -> tuple[Array, Array]:
        edges = np.concatenate([[-np.inf], cutpoints, [np.inf]])
        return edges[self.y], edges[self.y + 1]

    def first(self) -> Array:
        """Return the middle of each interval, by probability."""
        low, high = self._bounds(self.cutpoints)
        return np.asarray(ndtri(0.5 * (ndtr(low) + ndtr(high))))

    def _log_likelihood(self, free: Array, present: Array) -> float:
        low, high = self._bounds(_cutpoints_of(free))
        return float(np.log(np.maximum(_between(low - present, high - present), 1e-300)).sum())

    def update(self, sweeper: Sweeper, rng: Random, number: int) -> float:
        """Draw cut points and latent values given the predictions."""
        assert rng is not None
        present = sweeper.latent - sweeper.errors
        free = _free_of(self.cutpoints)
        if number <= self._ADAPT_UNTIL and number % self._ADAPT_EVERY == 1:
            self._adapt(free, present)
        level = self._log_likelihood(free, present) + free[1:].sum()
        for _ in range(self._STEPS):
            proposed = free + self._proposal @ rng.standard_normal(len(free))
            other = self._log_likelihood(proposed, present) + proposed[1:].sum()
            if np.log(rng.random()) < other - level:
                free, level = proposed, other
        self.cutpoints = _cutpoints_of(free)
        low, high = self._bounds(self.cutpoints)
        sweeper.errors = _truncated(low - present, high - present, rng)
        sweeper.latent = present + sweeper.errors
        return 1.0

    def _adapt(self, free: Array, present: Array) -> None:
        """Set the proposal by the curvature of the log-likelihood (differences of 1e-3)."""
        d, step = len(free), 1e-3
        unit = np.eye(d) * step
        centre = self._log_likelihood(free, present)
        plus = [self._log_likelihood(free + u, present) for u in unit]
        minus = [self._log_likelihood(free - u, present) for u in unit]
        hessian = np.empty((d, d))
        for i in range(d):
            hessian[i, i] = (plus[i] - 2 * centre + minus[i]) / step**2
            for j in range(i):
                both = self._log_likelihood(free + unit[i] + unit[j], present)
                hessian[i, j] = hessian[j, i] = (both - plus[i] - plus[j] + centre) / step**2
        values, vectors = np.linalg.eigh(-hessian)
        scale = 2.4 / np.sqrt(d * np.maximum(values, 1.0))
        self._proposal = vectors * scale


def _free_of(cutpoints: Array) -> Array:
    """Return the first cut point and the logarithms of the gaps."""
    return np.concatenate([cutpoints[:1], np.log(np.diff(cutpoints))])


def _cutpoints_of(free: Array) -> Array:
    return np.cumsum(np.concatenate([free[:1], np.exp(free[1:])]))


def _between(low: Array, high: Array) -> Array:
    """Return the probability of a standard normal value between two bounds."""
    flip = low > 0  # in the tail where the distribution function has digits
    return np.asarray(
        ndtr(np.where(flip, -low, high)) - ndtr(np.where(flip, -high, low)), dtype=np.float64
    )


def _truncated(low: Array, high: Array, rng: np.random.Generator) -> Array:
    """Return standard normal values between two bounds."""
    flip = low > 0
    a, b = np.where(flip, -high, low), np.where(flip, -low, high)
    lower = ndtr(a)
    share = lower + rng.random(len(a)) * (ndtr(b) - lower)
    drawn = np.clip(ndtri(np.maximum(share, 1e-300)), a, b)
    return np.asarray(np.where(flip, -drawn, drawn))
