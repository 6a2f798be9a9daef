"""Where rows come from. Each source gives the same sums, in whatever way suits its data.

A source has ``n``, ``d``, ``total`` (weight of all rows) and the methods of `Dense`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._gauge import Gauge

    Array = NDArray[np.float64]

__all__ = ["Dense", "best_component"]

_PART = 9600  # rows at a time where responsibilities come from Python


def best_component(scores: Array) -> NDArray[np.int64]:
    """The component of the largest score in each row, -1 where no number says which."""
    answered = np.isfinite(scores.max(axis=1))
    return np.where(answered, scores.argmax(axis=1), -1).astype(np.int64)


class Dense:
    """A matrix in memory or mapped from a file.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (n, d)
        C-contiguous, finite.
    weight : ndarray of float64, shape (n,), or None
        Weights of the rows.
    n_threads : int
        For the kernels.
    """

    def __init__(self, X: NDArray[Any], weight: Array | None, n_threads: int) -> None:
        self.X, self.weight, self.n_threads = X, weight, n_threads
        self.n, self.d = X.shape
        self.total = float(self.n if weight is None else weight.sum())

    @property
    def may_be_single(self) -> bool:
        """Whether `step` may be in float32."""
        return bool(self.X.dtype == np.float32)

    def bounds(self) -> tuple[Array, Array]:
        """Smallest and largest value of each column among the rows that have a weight."""
        used = True if self.weight is None else (self.weight > 0)[:, None]
        low = self.X.min(axis=0, initial=np.inf, where=used)
        high = self.X.max(axis=0, initial=-np.inf, where=used)
        return low.astype(np.float64), high.astype(np.float64)

    def moments(self, gauge: Gauge) -> Array:
        """Sums of weight * (1, z, z_i^2)."""
        sums: Array = self.step(gauge, np.zeros((1, 1 + self.d)), "linear", "diag", False)[0][0]
        return sums

    def products(self, gauge: Gauge) -> Array:
        """Sums of weight * z_i z_j for i <= j."""
        sums = self.step(gauge, np.zeros((1, 1 + self.d)), "linear", "full", False)[0]
        return sums[0, 1 + self.d :]

    def step(
        self, gauge: Gauge, coefficients: Array, score_form: str, sums_form: str, hard: bool
    ) -> tuple[Array, float]:
        """The kernel `gmm_em_step` over all rows."""
        return kernels.gmm_em_step(
            self.X, gauge.shift, gauge.scale, self.weight, coefficients, None, score_form,
            sums_form, hard, self.n_threads,
        )  # fmt: skip

    def exact_step(
        self, gauge: Gauge, coefficients: Array, score_form: str, sums_form: str, hard: bool
    ) -> tuple[Array, float]:
        """As `step`, in float64 even where float32 seems safe."""
        if not self.may_be_single:
            return self.step(gauge, coefficients, score_form, sums_form, hard)
        total: Any = 0
        log_likelihood = 0.0
        for begin in range(0, self.n, _PART):
            rows = slice(begin, begin + _PART)
            weight = None if self.weight is None else self.weight[rows]
            part = Dense(self.X[rows].astype(np.float64), weight, self.n_threads)
            sums, score = part.step(gauge, coefficients, score_form, sums_form, hard)
            total, log_likelihood = total + sums, log_likelihood + score
        return np.asarray(total), log_likelihood

    def random_step(
        self, gauge: Gauge, rng: np.random.Generator, n_components: int, sums_form: str
    ) -> Array:
        """Sums with random responsibilities."""
        total: Any = 0
        for begin in range(0, self.n, _PART):
            rows = slice(begin, begin + _PART)
            X = self.X[rows]
            resp = rng.random((len(X), n_components))
            resp /= resp.sum(axis=1, keepdims=True)
            weight = None if self.weight is None else self.weight[rows]
            total = total + kernels.gmm_em_step(
                X, gauge.shift, gauge.scale, weight, None, resp, sums_form, sums_form, False,
                self.n_threads,
            )[0]  # fmt: skip
        return np.asarray(total)

    def sample(self, size: int, rng: np.random.Generator) -> tuple[Array, Array | None]:
        """At most ``size`` rows in the user's coordinates and their weights, none of weight 0."""
        if self.weight is None:
            rows = np.arange(self.n)
        else:
            rows = np.flatnonzero(self.weight)
        if len(rows) > size:
            rows = np.sort(rng.choice(rows, size, replace=False))
        weight = None if self.weight is None else self.weight[rows]
        return self.X[rows].astype(np.float64), weight
