"""Rows with missing values (NaN), which the likelihood marginalises exactly.

The density of a row is that of its known columns. In the sufficient statistics a missing value
counts with its conditional mean and variance given the known ones under each component
(Z. Ghahramani and M. I. Jordan, "Supervised Learning from Incomplete Data via an EM Approach",
NIPS 1994). Rows with the same pattern of known columns share their matrices, so the time grows
with patterns x components x d^3 besides rows x K x d^2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._dense_rows import DenseRows, column_bounds
from ._parameters import full_covariances, triangle
from ._rows import EmSums, best_component, block_ranges
from ._standardizer import measure_shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._mixed_rows import Codes
    from ._parameters import Parameters
    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = ["Conditional", "MissingRows", "conditional_of"]

_MAX_NUMBERS = 1 << 19  # of a part of the rows: rows x components x columns


class Conditional(NamedTuple):
    """For each component: how the unknown columns depend on the known ones.

    Attributes
    ----------
    inverse_root : ndarray of shape (K, n_known, n_known)
        Inverse of the Cholesky factor of the covariance of the known columns.
    half_log_det : ndarray of shape (K,)
        Half the log-determinant of that covariance.
    gain : ndarray of shape (K, n_known, n_unknown)
        Regression coefficients of the unknown columns.
    covariance : ndarray of shape (K, n_unknown, n_unknown)
        Covariance of the unknown columns given the known ones.
    """

    inverse_root: Array
    half_log_det: Array
    gain: Array
    covariance: Array


def conditional_of(parameters: Parameters, known: NDArray[np.bool_]) -> Conditional:
    """Return the conditional distributions of the columns that are not known."""
    k, d = parameters.means.shape
    covariances = full_covariances(parameters.covariances, parameters.covariance_type, k, d)
    inside, across = covariances[:, known][:, :, known], covariances[:, known][:, :, ~known]
    lower = np.linalg.cholesky(inside)
    inverse = np.linalg.inv(lower)
    gain = np.swapaxes(inverse, 1, 2) @ (inverse @ across)
    covariance = covariances[:, ~known][:, :, ~known] - np.swapaxes(across, 1, 2) @ gain
    half_log_det = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
    return Conditional(inverse, half_log_det, gain, covariance)


class MissingRows:
    """A matrix with NaN, as a source of blocks of consecutive rows.

    Starting values come from the rows with the column means filled in.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (n, d)
        Without infinite values.
    weight : ndarray of float64, shape (n,), or None
        Weights of the rows.
    n_threads : int
        Threads of the kernels that find starting values.
    fill : ndarray of float64, shape (d,), optional
        Values to fill in for the start; by default the means of the known values.
    filled : ndarray of shape (n, d), optional
        The rows with these values filled in, if they are known.
    """

    can_shift = True
    allows_float32 = False
    n_values: tuple[int, ...] = ()  # no categorical columns

    def __init__(
        self,
        X: NDArray[Any],
        weight: Array | None,
        n_threads: int,
        fill: Array | None = None,
        filled: NDArray[Any] | None = None,
    ) -> None:
        is_known = ~np.isnan(X)
        self.patterns, pattern_of = np.unique(is_known, axis=0, return_inverse=True)
        pattern_of = pattern_of.reshape(-1)
        order = np.argsort(pattern_of, kind="stable")
        ends = np.cumsum(np.bincount(pattern_of))
        self.rows_by_pattern = np.split(order, ends[:-1])
        self.X_missing, self.weight, self.n_threads = X, weight, n_threads
        self.n_rows, self.n_columns = X.shape
        with np.errstate(invalid="ignore"):
            w = np.ones(len(X)) if weight is None else weight
            self.known_weight = w @ is_known
            if fill is None:
                fill = np.where(is_known, X, 0).T @ w / np.maximum(self.known_weight, 1e-300)
        if filled is None:
            filled = np.where(is_known, X, fill).astype(X.dtype)
        self.fill, self.filled = np.asarray(fill), DenseRows(filled, weight, n_threads)
        self._blocks: list[MissingRows] | None = None
        self.total_weight = self.filled.total_weight

    def blocks(self) -> Iterator[MissingRows]:
        """Return an iterator over blocks of consecutive rows; see `block_ranges`."""
        if self._blocks is None:
            ranges = block_ranges(self.n_rows, self.n_columns)
            self._blocks = [] if len(ranges) == 1 else [self._part(*part) for part in ranges]
        return iter(self._blocks or [self])

    def _part(self, begin: int, end: int) -> MissingRows:
        weight = None if self.weight is None else self.weight[begin:end]
        filled = self.filled.X[begin:end]
        return MissingRows(self.X_missing[begin:end], weight, self.n_threads, self.fill, filled)

    def measure(self, common: bool) -> Standardizer:
        """Return mean and deviation of the known values."""
        return measure_shifted(self, common)

    def bounds(self) -> tuple[Array, Array]:
        """Return the smallest and largest known value of each column among rows with a weight."""
        used = ~np.isnan(self.X_missing)
        if self.weight is not None:
            used &= (self.weight > 0)[:, None]
        return column_bounds(self.X_missing, used)

    def moments(self, standardizer: Standardizer) -> Array:
        """Return the weight, the sum and the sum of squares of the known values."""
        totals = np.zeros((2, self.n_columns))
        for known, rows in self._used_patterns():
            weight = np.ones(len(rows)) if self.weight is None else self.weight[rows]
            Z = self._standardized(standardizer, known, rows)
            totals[:, known] += weight @ Z, weight @ Z**2
        return np.stack([self.known_weight, *totals])

    def second_moments(self, standardizer: Standardizer, form: str) -> Array:
        """Return those of the rows with means filled in: for the start only."""
        return self.filled.second_moments(standardizer, form)

    def nearest_sums(self, standardizer: Standardizer, centres: Array, form: str) -> Array:
        """Return the sums of the filled rows nearest to each centre."""
        return self.filled.nearest_sums(standardizer, centres, form)

    def random_sums(
        self, standardizer: Standardizer, rng: np.random.Generator, n_components: int, form: str
    ) -> Array:
        """Return sums of the filled rows with random responsibilities."""
        return self.filled.random_sums(standardizer, rng, n_components, form)

    def centre_sums(self, standardizer: Standardizer, centres: Array) -> Array:
        """Return weights and sums of the filled rows nearest to each centre."""
        return self.filled.centre_sums(standardizer, centres)

    def sample(self, size: int, rng: np.random.Generator) -> DenseRows:
        """Return at most ``size`` of the filled rows that have a weight."""
        return self.filled.sample(size, rng)

    def em_sums(
        self,
        standardizer: Standardizer,
        parameters: Parameters,
        exact: bool,
        codes: Codes | None = None,
    ) -> EmSums:
        """Return the statistics of an E-step, always in float64; with those of codes last."""
        k, d = parameters.means.shape
        value_sums: Any = 0
        noise_weight, log_likelihood = 0.0, 0.0
        counts, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
        for known, conditional, rows, weight in self._parts(parameters):
            Z = self._standardized(standardizer, known, rows)
            deviations, scores = _scores(parameters, conditional, known, Z)
            if codes is not None:
                scores += codes.take(rows).log_probabilities(parameters)
            best = scores.max(axis=1, keepdims=True)
            resp = np.exp(scores - best)
            norm = resp.sum(axis=1, keepdims=True)
            log_likelihood += float(weight @ (best + np.log(norm))[:, 0])
            resp *= weight[:, None] / norm
            if codes is not None:
                value_sums = value_sums + codes.take(rows).sums(resp)
            if parameters.noise is not None:
                noise_weight += resp[:, k].sum()
                resp = resp[:, :k]
            counts += resp.sum(axis=0)
            completed = np.empty((k, len(rows), d))
            completed[:, :, known] = Z
            completed[:, :, ~known] = (
                parameters.means[:, None, ~known] + deviations @ conditional.gain
            )
            weighted = completed * resp.T[:, :, None]
            first += weighted.sum(axis=1)
            second += np.swapaxes(weighted, 1, 2) @ completed
            unknown = np.flatnonzero(~known)
            added = resp.sum(axis=0)[:, None, None] * conditional.covariance
            second[:, unknown[:, None], unknown] += added
        sums, total = _arranged(parameters, counts, first, second)
        if parameters.noise is not None:  # of the outliers only their weight matters
            sums = np.concatenate([sums, np.zeros((1, sums.shape[1]))])
            sums[k, 0] = noise_weight
        if codes is not None:
            sums = np.hstack([sums, value_sums])
        # The scale of a column counts for its known values only.
        known_log_det = float(self.known_weight @ np.log(standardizer.scale))
        known_log_det -= self.total_weight * standardizer.log_det
        return EmSums(sums, log_likelihood + known_log_det, total)

    def score(
        self,
        standardizer: Standardizer,
        parameters: Parameters,
        output: str,
        codes: Codes | None = None,
    ) -> NDArray[Any]:
        """Return what the kernel `gmm_score` does for rows without missing values."""
        k = len(parameters.weights) + (parameters.noise is not None)
        shape = {"labels": (self.n_rows,), "score": (self.n_rows,), "resp": (self.n_rows, k)}
        result = np.empty(shape[output], np.int64 if output == "labels" else np.float64)
        for known, conditional, rows, _ in self._parts(parameters):
            Z = self._standardized(standardizer, known, rows)
            _, scores = _scores(parameters, conditional, known, Z)
            if codes is not None:
                scores += codes.take(rows).log_probabilities(parameters)
            if output == "labels":
                result[rows] = best_component(scores)
                continue
            best = scores.max(axis=1, keepdims=True)
            resp = np.exp(scores - best)
            norm = resp.sum(axis=1, keepdims=True)
            if output == "resp":
                result[rows] = resp / norm
            else:
                unknown_log_det = float(np.log(standardizer.scale[~known]).sum())
                result[rows] = (best + np.log(norm))[:, 0] - unknown_log_det
        return result

    def completed(
        self, standardizer: Standardizer, parameters: Parameters, codes: Codes | None = None
    ) -> Array:
        """Return the rows with expected values, given the known ones, in place of NaN."""
        result = self.X_missing.astype(np.float64)
        for known, conditional, rows, _ in self._parts(parameters):
            if known.all():
                continue
            Z = self._standardized(standardizer, known, rows)
            deviations, scores = _scores(parameters, conditional, known, Z)
            if codes is not None:
                scores += codes.take(rows).log_probabilities(parameters)
            scores = scores[:, : len(parameters.weights)]
            resp = np.exp(scores - scores.max(axis=1, keepdims=True))
            resp /= resp.sum(axis=1, keepdims=True)
            means = parameters.means[:, None, ~known] + deviations @ conditional.gain
            expected = np.einsum("nk,knj->nj", resp, means)
            unknown = np.flatnonzero(~known)
            result[np.ix_(rows, unknown)] = (
                standardizer.shift[unknown] + expected / standardizer.scale[unknown]
            )
        return result

    def known_columns(self, row: int) -> NDArray[np.bool_]:
        """Return which columns of a row have a value."""
        known: NDArray[np.bool_] = ~np.isnan(self.X_missing[row])
        return known

    def _used_patterns(self) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
        """Yield each pattern of known columns, and its rows that have a weight."""
        for known, rows in zip(self.patterns, self.rows_by_pattern, strict=True):
            used = rows if self.weight is None else rows[self.weight[rows] > 0]
            if len(used):
                yield known, used

    def _parts(self, parameters: Parameters) -> Iterator[tuple[Any, Conditional, Any, Array]]:
        """Yield pattern, conditional distributions, rows and weights, one part at a time."""
        step = max(64, _MAX_NUMBERS // parameters.means.size)
        for known, all_rows in self._used_patterns():
            conditional = conditional_of(parameters, known)
            for begin in range(0, len(all_rows), step):
                rows = all_rows[begin : begin + step]
                weight = np.ones(len(rows)) if self.weight is None else self.weight[rows]
                yield known, conditional, rows, weight

    def _standardized(
        self, standardizer: Standardizer, known: NDArray[np.bool_], rows: NDArray[np.intp]
    ) -> Array:
        part = self.X_missing[np.ix_(rows, np.flatnonzero(known))].astype(np.float64)
        standardized: Array = (part - standardizer.shift[known]) * standardizer.scale[known]
        return standardized


def _scores(
    parameters: Parameters, conditional: Conditional, known: NDArray[np.bool_], Z: Array
) -> tuple[Array, Array]:
    """Return the rows minus the means (K, n, n_known), and log(weight * density) (n, K)."""
    deviations = Z - parameters.means[:, None, known]
    whitened = deviations @ np.swapaxes(conditional.inverse_root, 1, 2)
    with np.errstate(divide="ignore"):
        constant = np.log(parameters.weights) - 0.5 * known.sum() * np.log(2 * np.pi)
    constant = constant - conditional.half_log_det
    scores = constant - 0.5 * np.einsum("knj,knj->nk", whitened, whitened)
    if parameters.noise is not None:
        noise = np.full(len(scores), parameters.noise.log_score(known))
        scores = np.column_stack([scores, noise])
    return deviations, scores


def _arranged(
    parameters: Parameters, counts: Array, first: Array, second: Array
) -> tuple[Array, Array | None]:
    """Return the sums in the form of the covariance type, and for tied types their total."""
    i, j, _ = triangle(second.shape[1])
    form = parameters.sums_form
    quadratic = second[:, i, j] if form == "full" else np.diagonal(second, axis1=1, axis2=2)
    if form == "spherical":
        quadratic = quadratic.sum(axis=1, keepdims=True)
    total = None
    if form == "linear":
        quadratic = quadratic[:, :0]
        total = second.sum(axis=0)
        total = total[i, j] if parameters.covariance_type == "tied" else np.diagonal(total).copy()
    return np.hstack([counts[:, None], first, quadratic]), total
