"""Rows with missing values (NaN), left out of the likelihood exactly (Ghahramani, Jordan 1994).

A row's density is that of its known columns. In the statistics a missing value counts with its
conditional mean and variance given the known ones under each component. Rows with the same pattern
share their matrices, so time grows with patterns x components x d^3 besides rows x K x d^2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._forms import _pairs
from ._gauge import Gauge, _inverse, varies_by_rounding
from ._sources import Dense, best_component

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._forms import Parameters

    Array = NDArray[np.float64]

__all__ = ["Missing"]

_NUMBERS = 1 << 19  # of a part of the rows: rows x components x columns


class Conditionals(NamedTuple):
    """Matrices of all components for the known columns, and for the unknown given those."""

    inverse: Array  # of the Cholesky factor
    half_log_det: Array
    gain: Array
    left: Array


class Missing(Dense):
    """A matrix with NaN. Seeds come from the rows with the column means filled in.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (n, d)
        No infinite values.
    weight : ndarray of float64, shape (n,), or None
        Weights of the rows.
    n_threads : int
        For the kernels that seed.
    """

    def __init__(self, X: NDArray[Any], weight: Array | None, n_threads: int) -> None:
        known = ~np.isnan(X)
        self.patterns, which = np.unique(known, axis=0, return_inverse=True)
        order = np.argsort(which.reshape(-1), kind="stable")
        ends = np.cumsum(np.bincount(which.reshape(-1)))
        self.rows_of = np.split(order, ends[:-1])
        self.holed = X
        with np.errstate(invalid="ignore"):
            w = np.ones(len(X)) if weight is None else weight
            counts = w @ known
            means = np.where(known, X, 0).T @ w / np.maximum(counts, 1e-300)
        filled = np.where(known, X, means).astype(X.dtype)
        super().__init__(filled, weight, n_threads)
        self.known_share = counts / self.total

    @property
    def may_be_single(self) -> bool:
        """`em_step` is in float64."""
        return False

    def gauge(self, common: bool) -> Gauge:
        """Mean and deviation of the known values; only a fit needs some in every column."""
        if (self.known_share == 0).any():
            raise ValueError(
                f"column {int(self.known_share.argmin())} of X has no known value in any row that "
                "has a weight: drop it"
            )
        low, high = self.bounds()
        constant = varies_by_rounding(low, high)
        gauge = Gauge(low / 2 + high / 2, _inverse(high / 2 - low / 2, common=False))
        for _ in range(2):  # as for rows without NaN
            mean, deviation = self._moments(gauge)
            gauge = Gauge(
                gauge.shift + mean / gauge.scale, _inverse(deviation / gauge.scale, common=False)
            )
            if (deviation > 1e-3).all():
                break
        return Gauge(gauge.shift, _inverse(np.where(constant, 0.0, 1 / gauge.scale), common))

    def bounds(self) -> tuple[Array, Array]:
        """As of `Dense`, of the known values."""
        used = ~np.isnan(self.holed)
        if self.weight is not None:
            used &= (self.weight > 0)[:, None]
        low = self.holed.min(axis=0, initial=np.inf, where=used)
        high = self.holed.max(axis=0, initial=-np.inf, where=used)
        return low.astype(np.float64), high.astype(np.float64)

    def _moments(self, gauge: Gauge) -> tuple[Array, Array]:
        """Mean and deviation of the known values, in coordinates of ``gauge``."""
        totals = np.zeros((2, self.d))
        for known, rows in self._used():
            weight = np.ones(len(rows)) if self.weight is None else self.weight[rows]
            Z = self._standardised(gauge, known, rows)
            totals[:, known] += weight @ Z, weight @ Z**2
        mean, square = totals / (self.known_share * self.total)
        return mean, np.sqrt(np.maximum(square - mean**2, 0))

    @staticmethod
    def conditionals(parameters: Parameters, known: NDArray[np.bool_]) -> Conditionals:
        """Of all components for one pattern: what scores and statistics need."""
        covariances, (k, d) = parameters.covariances, parameters.means.shape
        if parameters.covariance_type == "tied":
            covariances = np.broadcast_to(covariances, (k, d, d))
        elif parameters.covariance_type != "full":
            covariances = np.eye(d) * covariances.reshape(k, 1, -1)
        inside, across = covariances[:, known][:, :, known], covariances[:, known][:, :, ~known]
        lower = np.linalg.cholesky(inside)
        inverse = np.linalg.inv(lower)
        gain = np.swapaxes(inverse, 1, 2) @ (inverse @ across)
        left = covariances[:, ~known][:, :, ~known] - np.swapaxes(across, 1, 2) @ gain
        half_log_det = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        return Conditionals(inverse, half_log_det, gain, left)

    def em_step(self, gauge: Gauge, parameters: Parameters) -> tuple[Array, float, Array]:
        """Sums in the form of the covariance type, the score, and the total of z z'."""
        k, d = parameters.means.shape
        i, j, _ = _pairs(d)
        outliers = 0.0
        counts, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
        total = 0.0
        for known, conditionals, rows, weight in self._parts(parameters):
            Z = self._standardised(gauge, known, rows)
            apart, scores = self._scores(parameters, conditionals, known, Z)
            best = scores.max(axis=1, keepdims=True)
            resp = np.exp(scores - best)
            norm = resp.sum(axis=1, keepdims=True)
            total += float(weight @ (best + np.log(norm))[:, 0])
            resp *= weight[:, None] / norm
            if parameters.noise is not None:
                outliers += resp[:, k].sum()
                resp = resp[:, :k]
            counts += resp.sum(axis=0)
            complete = np.empty((k, len(rows), d))
            complete[:, :, known] = Z
            complete[:, :, ~known] = parameters.means[:, None, ~known] + apart @ conditionals.gain
            counted = complete * resp.T[:, :, None]
            first += counted.sum(axis=1)
            second += np.swapaxes(counted, 1, 2) @ complete
            unknown = np.flatnonzero(~known)
            added = resp.sum(axis=0)[:, None, None] * conditionals.left
            second[:, unknown[:, None], unknown] += added
        quadratic = second[:, i, j]
        if parameters.sums_form != "full":
            quadratic = np.diagonal(second, axis1=1, axis2=2)
        if parameters.covariance_type == "spherical":
            quadratic = quadratic.sum(axis=1, keepdims=True)
        if parameters.sums_form == "linear":
            quadratic = quadratic[:, :0]
        sums = np.hstack([counts[:, None], first, quadratic])
        if parameters.noise is not None:  # of the outliers only their number matters
            sums = np.concatenate([sums, np.zeros((1, sums.shape[1]))])
            sums[k, 0] = outliers
        # The scale of a column counts for its known values only.
        known_scale = float(self.known_share @ np.log(gauge.scale)) - gauge.log_det
        return sums, total + self.total * known_scale, second.sum(axis=0)[i, j]

    def ask(self, gauge: Gauge, parameters: Parameters, output: str) -> NDArray[Any]:
        """As the kernel `gmm_score`, the log-density in the user's coordinates less log_det."""
        k = len(parameters.weights) + (parameters.noise is not None)
        shape = {"labels": (self.n,), "score": (self.n,), "resp": (self.n, k)}[output]
        found = np.empty(shape, np.int64 if output == "labels" else np.float64)
        for known, conditionals, rows, _ in self._parts(parameters):
            Z = self._standardised(gauge, known, rows)
            _, scores = self._scores(parameters, conditionals, known, Z)
            if output == "labels":
                found[rows] = best_component(scores)
                continue
            best = scores.max(axis=1, keepdims=True)
            resp = np.exp(scores - best)
            norm = resp.sum(axis=1, keepdims=True)
            if output == "resp":
                found[rows] = resp / norm
            else:
                missed = float(np.log(gauge.scale[~known]).sum())
                found[rows] = (best + np.log(norm))[:, 0] - missed
        return found

    def _used(self) -> Any:
        """Pattern and its rows that have a weight."""
        for known, rows in zip(self.patterns, self.rows_of):
            used = rows if self.weight is None else rows[self.weight[rows] > 0]
            if len(used):
                yield known, used

    def _parts(self, parameters: Parameters) -> Any:
        """Pattern, its matrices, rows, their weights: not too many numbers at a time."""
        step = max(64, _NUMBERS // parameters.means.size)
        for known, all_rows in self._used():
            conditionals = self.conditionals(parameters, known)
            for begin in range(0, len(all_rows), step):
                rows = all_rows[begin : begin + step]
                weight = np.ones(len(rows)) if self.weight is None else self.weight[rows]
                yield known, conditionals, rows, weight

    def _standardised(self, gauge: Gauge, known: NDArray[np.bool_], rows: Any) -> Array:
        part = self.holed[np.ix_(rows, np.flatnonzero(known))].astype(np.float64)
        standardised: Array = (part - gauge.shift[known]) * gauge.scale[known]
        return standardised

    @staticmethod
    def _scores(
        parameters: Parameters, conditionals: Conditionals, known: NDArray[np.bool_], Z: Array
    ) -> tuple[Array, Array]:
        """Rows less the means, (components, rows, columns), and the scores (rows, components)."""
        apart = Z - parameters.means[:, None, known]
        whitened = apart @ np.swapaxes(conditionals.inverse, 1, 2)
        with np.errstate(divide="ignore"):
            constant = np.log(parameters.weights) - 0.5 * known.sum() * np.log(2 * np.pi)
        constant = constant - conditionals.half_log_det
        scores = constant - 0.5 * np.einsum("knj,knj->nk", whitened, whitened)
        if parameters.noise is not None:
            scores = np.column_stack(
                [scores, np.full(len(scores), parameters.noise.log_score(known))]
            )
        return apart, scores
