"""Ratios of sums over users, and their values in bootstrap and permutation replicates.

Every statistic of `resampling` is a ratio of two sums over users (or its square root): a mean, a
weighted mean, a mean over the users of some clusters. The replicates of such a ratio follow from
weighted sums, which the kernel computes for all columns and all replicates in one call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from ..base.array_files import opened
from ..kernels import resampled_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.array_files import Shared
    from ..base.executor import Runner

    Floats = NDArray[np.float64]

__all__ = ["RatioColumns", "confidence_limits", "law_of", "sign_flip_sums"]

# Up to this number of rows the counts are multinomial, as in the textbook; above it they are
# independent Poisson counts, which need no array of n_rows counts per replicate.
MAX_MULTINOMIAL_ROWS = 4096
_REPLICATES_OF_TASK = 500  # on an executor


def law_of(scheme: str, n_rows: int) -> str:
    """Return the law of the row weights that a scheme means for this number of rows."""
    if scheme != "auto":
        return scheme
    return "multinomial" if n_rows <= MAX_MULTINOMIAL_ROWS else "poisson"


@dataclass(frozen=True)
class RatioColumns:
    """Statistics ``sum(numerator) / sum(denominator)`` over rows, or square roots of them.

    Attributes
    ----------
    numerators : ndarray of float64, shape (n_columns, n_rows)
    denominators : ndarray of float64, shape (n_denominators, n_rows)
    which : ndarray of int64, shape (n_columns,)
        The denominator of each column.
    is_root : ndarray of bool, shape (n_columns,)
        Whether the statistic is the square root of the ratio.
    """

    numerators: Floats
    denominators: Floats
    which: NDArray[np.int64]
    is_root: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        values: list[Floats],
        weights: list[Floats | None],
        is_root: list[bool],
        clusters: NDArray[np.int64] | None,
    ) -> RatioColumns:
        """Return columns of per-user values; NaN marks users that do not count.

        Rows that count in no column are dropped; with `clusters` a row is one cluster.
        """
        numerators: list[Floats] = []
        parts: list[Floats] = []
        which: list[int] = []
        index: dict[bytes, int] = {}
        for value, weight in zip(values, weights):
            counts = ~np.isnan(value)
            denominator = counts.astype(np.float64) if weight is None else weight * counts
            key = denominator.tobytes()
            if key not in index:
                index[key] = len(parts)
                parts.append(denominator)
            which.append(index[key])
            product = np.where(counts, value, 0.0)
            numerators.append(product if weight is None else product * denominator)
        matrix = np.stack([*numerators, *parts])
        if clusters is not None:
            n_clusters = int(clusters.max(initial=-1)) + 1
            matrix = np.stack([np.bincount(clusters, row, n_clusters) for row in matrix])
        n_columns = len(numerators)
        matrix = matrix[:, (matrix[n_columns:] != 0).any(axis=0)]
        return cls(
            np.ascontiguousarray(matrix[:n_columns]),
            np.ascontiguousarray(matrix[n_columns:]),
            np.array(which),
            np.array(is_root),
        )

    @property
    def n_rows(self) -> int:
        """Number of independent rows: users or clusters that count."""
        return int(self.numerators.shape[1])

    def _ratios(self) -> Floats:
        return np.asarray(self.numerators.sum(axis=1) / self.denominators.sum(axis=1)[self.which])

    def _transformed(self, ratios: Floats) -> Floats:
        return np.where(self.is_root, np.sqrt(np.maximum(ratios, 0.0)), ratios)

    def estimates(self) -> Floats:
        """Return the statistic of each column."""
        return self._transformed(self._ratios())

    def replicates(self, law: str, n_resamples: int, seed: int, runner: Runner) -> Floats:
        """Return the statistics of all bootstrap replicates, (n_resamples, n_columns)."""
        ratios = self._ratios()
        # Deviations from the ratio, so that a large mean does not hide a small spread.
        centred = self.numerators - ratios[:, None] * self.denominators[self.which]
        matrix = np.concatenate([centred, self.denominators])
        sums = sums_of_replicates(matrix, seed, n_resamples, law, runner)
        n_columns = len(ratios)
        with np.errstate(divide="ignore", invalid="ignore"):
            deviations = sums[:, :n_columns] / sums[:, n_columns:][:, self.which]
        return self._transformed(ratios + deviations)

    def influence(self, column: int) -> Floats:
        """Return the influence of each row on the statistic of a column (up to a factor)."""
        denominator = self.denominators[self.which[column]]
        total = denominator.sum()
        ratio = self.numerators[column].sum() / total
        values = (self.numerators[column] - ratio * denominator) / total
        if self.is_root[column]:
            return np.asarray(values / (2 * np.sqrt(ratio)) if ratio > 0 else np.zeros_like(values))
        return np.asarray(values)


def sums_of_replicates(
    matrix: Floats, seed: int, n_resamples: int, law: str, runner: Runner
) -> Floats:
    """Return weighted sums of the columns of all replicates, by ranges of replicates.

    A replicate draws its weights from its own number, so the ranges change no bit.
    """
    size = n_resamples if runner.is_local else _REPLICATES_OF_TASK
    ranges = [(a, min(a + size, n_resamples)) for a in range(0, n_resamples, size)]
    matrix = np.ascontiguousarray(matrix)
    shared = runner.share(matrix)
    parts = list(runner.map(_sums_of_range, ranges, shared, seed, law, runner.n_threads))
    runner.forget(matrix)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _sums_of_range(
    range_: tuple[int, int], matrix: Shared, seed: int, law: str, n_threads: int
) -> Floats:
    begin, end = range_
    return np.asarray(resampled_sums(opened(matrix), seed, begin, end - begin, law, n_threads))


def sign_flip_sums(columns: Floats, n_resamples: int, seed: int, runner: Runner) -> Floats:
    """Return sums of the columns under random signs of the rows, or under all signs if fewer."""
    n_rows = columns.shape[1]
    if n_rows < 63 and 2**n_rows <= n_resamples:
        codes = np.arange(2**n_rows)[:, None] >> np.arange(n_rows)
        return np.asarray((1.0 - 2.0 * (codes & 1)) @ columns.T)
    return sums_of_replicates(columns, seed, n_resamples, "signs", runner)


def confidence_limits(
    method: str, estimate: float, replicates: Floats, influence: Any, confidence: float
) -> tuple[float, float]:
    """Return percentile or BCa limits of one statistic; NaN replicates are left out.

    `influence` (ndarray or a function that returns it) gives the acceleration of BCa.
    """
    known = replicates[np.isfinite(replicates)]
    if not known.size or not np.isfinite(estimate):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    shares = np.array([tail, 1 - tail])
    if method == "bca":
        tolerance = 1e-12 * float(np.abs(known - estimate).max())
        below = float(
            (known < estimate - tolerance).mean()
            + 0.5 * (np.abs(known - estimate) <= tolerance).mean()
        )
        if 0 < below < 1:
            values = influence() if callable(influence) else influence
            squares = values * values
            total = float(squares.sum())
            acceleration = float(squares @ values) / (6 * total**1.5) if total > 0 else 0.0
            bias = ndtri(below)
            z = bias + ndtri(shares)
            scale = 1 - acceleration * z
            if (scale > 0).all():
                shares = ndtr(bias + z / scale)
    lower, upper = np.quantile(known, shares)
    return float(lower), float(upper)
