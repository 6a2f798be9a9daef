"""Dense rows in memory or mapped from a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ._rows import EmSums, block_ranges
from ._standardizer import measure_shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._parameters import Parameters
    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = ["DenseRows"]


class DenseRows:
    """A matrix without missing values, as a source of blocks of consecutive rows.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (n, d)
        C-contiguous and finite.
    weight : ndarray of float64, shape (n,), or None
        Weights of the rows.
    n_threads : int
        Threads of the kernels.
    """

    can_shift = True
    n_values: tuple[int, ...] = ()  # no categorical columns

    def __init__(self, X: NDArray[Any], weight: Array | None, n_threads: int) -> None:
        self.X, self.weight, self.n_threads = X, weight, n_threads
        self.n_rows, self.n_columns = X.shape
        self.total_weight = float(self.n_rows if weight is None else weight.sum())

    @property
    def allows_float32(self) -> bool:
        """Whether E-steps may compute in float32."""
        return bool(self.X.dtype == np.float32)

    def blocks(self) -> Iterator[Self]:
        """Return an iterator over blocks of consecutive rows; see `block_ranges`."""
        ranges = block_ranges(self.n_rows, self.n_columns)
        if len(ranges) == 1:
            yield self
            return
        for begin, end in ranges:
            yield self._rows(begin, end)

    def measure(self, common: bool) -> Standardizer:
        """Return the standardiser of the columns."""
        return measure_shifted(self, common)

    def bounds(self) -> tuple[Array, Array]:
        """Return the smallest and largest value of each column among rows with a weight."""
        return column_bounds(self.X, True if self.weight is None else (self.weight > 0)[:, None])

    def moments(self, standardizer: Standardizer) -> Array:
        """Return the weight, the sum and the sum of squares of each column."""
        d = self.n_columns
        sums = self._sums_of_one(standardizer, "diag")
        return np.stack([np.full(d, sums[0]), sums[1 : 1 + d], sums[1 + d :]])

    def second_moments(self, standardizer: Standardizer, form: str) -> Array:
        """Return the sums of z_i z_j for i <= j ("full") or of z_i^2 ("diag")."""
        return self._sums_of_one(standardizer, form)[1 + self.n_columns :]

    def em_sums(self, standardizer: Standardizer, parameters: Parameters, exact: bool) -> EmSums:
        """Return the statistics of an E-step."""
        arguments = (
            standardizer,
            parameters.coefficients(),
            parameters.form,
            parameters.sums_form,
            False,
        )
        step = self.exact_step if exact else self.step
        sums, log_likelihood = step(*arguments)
        return EmSums(sums, log_likelihood, None)

    def nearest_sums(self, standardizer: Standardizer, centres: Array, form: str) -> Array:
        """Return the sums of the rows nearest to each centre."""
        return self.step(standardizer, distance_scores(centres), "linear", form, True)[0]

    def random_sums(
        self, standardizer: Standardizer, rng: np.random.Generator, n_components: int, form: str
    ) -> Array:
        """Return sums with random responsibilities."""
        total: Any = 0
        for part in self._parts():
            responsibilities = rng.random((part.n_rows, n_components))
            responsibilities /= responsibilities.sum(axis=1, keepdims=True)
            total = (
                total
                + part._em_step(standardizer, None, responsibilities, form, form, hard=False)[0]
            )
        return np.asarray(total)

    def step(
        self,
        standardizer: Standardizer,
        coefficients: Array,
        score_form: str,
        sums_form: str,
        hard: bool,
    ) -> tuple[Array, float]:
        """Return the sums of an E-step over all rows."""
        return self._em_step(standardizer, coefficients, None, score_form, sums_form, hard)

    def exact_step(
        self,
        standardizer: Standardizer,
        coefficients: Array,
        score_form: str,
        sums_form: str,
        hard: bool,
    ) -> tuple[Array, float]:
        """Do the same as `step`, in float64 even where float32 seems safe."""
        arguments = (standardizer, coefficients, score_form, sums_form, hard)
        if not self.allows_float32:
            return self.step(*arguments)
        total: Any = 0
        log_likelihood = 0.0
        for part in self._parts():
            sums, score = part._as_float64().step(*arguments)
            total, log_likelihood = total + sums, log_likelihood + score
        return np.asarray(total), log_likelihood

    def centre_sums(self, standardizer: Standardizer, centres: Array) -> Array:
        """Return weights and sums of the coordinates of the rows nearest to each centre."""
        return self.nearest_sums(standardizer, centres, "linear")

    def sample(self, size: int, rng: np.random.Generator) -> DenseRows:
        """Return at most ``size`` rows with a weight, as float64."""
        rows, weight = sampled_rows(self.n_rows, self.weight, size, rng)
        return DenseRows(self.X[rows].astype(np.float64), weight, self.n_threads)

    def select(self, is_kept: NDArray[np.bool_]) -> DenseRows:
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[is_kept]
        return DenseRows(self.X[is_kept], weight, self.n_threads)

    def coordinates(self, standardizer: Standardizer) -> Array:
        """Return the rows in the coordinates of the centres of k-means."""
        return standardizer.apply(self.X)

    def score(
        self, standardizer: Standardizer, parameters: Parameters, output: str
    ) -> NDArray[Any]:
        """Return labels, responsibilities or log-densities by the kernel `gmm_score`."""
        coefficients, common, form = parameters.scoring(output)
        result: NDArray[Any] = kernels.gmm_score(
            self.X,
            standardizer.shift,
            standardizer.scale,
            coefficients,
            common,
            form,
            output,
            self.n_threads,
        )
        return result

    def log_joint(
        self, standardizer: Standardizer, parameters: Parameters, is_complete: bool = False
    ) -> Array:
        """Return log(weight * density) of each component, the noise last.

        Without ``is_complete`` it lacks the term that tied components have in common.
        """
        coefficients, form = parameters.coefficients(), parameters.form
        arguments = (self.X, standardizer.shift, standardizer.scale)
        resp = kernels.gmm_score(*arguments, coefficients, None, form, "resp", self.n_threads)
        common = None
        if is_complete:
            coefficients, common, form = parameters.scoring("score")
        score = kernels.gmm_score(*arguments, coefficients, common, form, "score", self.n_threads)
        with np.errstate(divide="ignore"):
            joint: Array = np.log(resp) + score[:, None]
        return joint

    def known_columns(self, row: int) -> NDArray[np.bool_]:
        """Return which columns of a row have a value."""
        return np.ones(self.n_columns, dtype=bool)

    def _sums_of_one(self, standardizer: Standardizer, form: str) -> Array:
        """Return the sums over all rows, which are those of a single component."""
        coefficients = np.zeros((1, 1 + self.n_columns))
        sums: Array = self.step(standardizer, coefficients, "linear", form, False)[0][0]
        return sums

    def _em_step(
        self,
        standardizer: Standardizer,
        coefficients: Array | None,
        resp: Array | None,
        score_form: str,
        sums_form: str,
        hard: bool,
    ) -> tuple[Array, float]:
        """Call the kernel `gmm_em_step` on all rows."""
        return kernels.gmm_em_step(
            self.X,
            standardizer.shift,
            standardizer.scale,
            self.weight,
            coefficients,
            resp,
            score_form,
            sums_form,
            hard,
            self.n_threads,
        )

    def _as_float64(self) -> Self:
        """Return the same rows in float64."""
        return type(self)(self.X.astype(np.float64), self.weight, self.n_threads)

    def _rows(self, begin: int, end: int) -> Self:
        """Return some consecutive rows, which share the memory of these."""
        weight = None if self.weight is None else self.weight[begin:end]
        return type(self)(self.X[begin:end, :], weight, self.n_threads)

    def _part_size(self) -> int:
        """Return the number of rows at a time where Python makes arrays beside them."""
        return 9600

    def _parts(self) -> Iterator[Self]:
        """Yield all rows, a limited number at a time."""
        size = self._part_size()
        for begin in range(0, self.n_rows, size):
            yield self._rows(begin, min(begin + size, self.n_rows))


def column_bounds(X: NDArray[Any], used: Any) -> tuple[Array, Array]:
    """Return the smallest and largest value of each column among the used entries."""
    low = X.min(axis=0, initial=np.inf, where=used)
    high = X.max(axis=0, initial=-np.inf, where=used)
    return low.astype(np.float64), high.astype(np.float64)


def distance_scores(centres: Array) -> Array:
    """Return linear coefficients whose best component is the nearest centre."""
    return np.hstack([-0.5 * (centres**2).sum(axis=1, keepdims=True), centres])


def sampled_rows(
    n_rows: int, weight: Array | None, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], Array | None]:
    """Draw at most ``size`` of the rows that have a weight, without replacement, in order."""
    rows = np.arange(n_rows) if weight is None else np.flatnonzero(weight)
    if len(rows) > size:
        rows = np.sort(rng.choice(rows, size, replace=False))
    return rows, None if weight is None else weight[rows]
