"""Sweeps over the coefficients of a factorization machine: Gibbs sampling or least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.random import as_seed
from ..base.validation import csr_parts
from ..exceptions import NumericalError
from ._fm_design import score_cases

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._fm_design import Design, Layout, Part

    Array = NDArray[np.float64]

__all__ = ["Sweeper"]

# Hyperpriors, as in libFM: gamma(1/2, 1/2) of every precision; a prior mean counts for one column.
_SHAPE, _RATE, _MEAN_COUNT = 1.0, 1.0, 1.0
_NO_NOISE = np.zeros((0, 0))


class Sweeper:
    """The coefficients of a factorization machine, the errors of all cases, and sweeps over both.

    Parameters
    ----------
    design : Design
        Features of the cases.
    layout : Layout
        Where coefficients stand.
    groups : ndarray of int32, shape (n_columns,)
        Group of each column; a group shares a prior.
    weights : ndarray of float64, shape (n_cases,) or (0,)
        Weights of the cases; none: all 1.
    coefficients : ndarray of float64, shape (n_columns, width)
        First coefficients; changed.
    intercept : float
        First intercept.
    n_threads : int
        Threads to use.
    """

    def __init__(
        self,
        design: Design,
        layout: Layout,
        groups: NDArray[np.int32],
        weights: Array,
        coefficients: Array,
        intercept: float,
        n_threads: int,
    ) -> None:
        self.design, self.layout, self.groups = design, layout, groups
        self.coefficients, self.intercept = coefficients, intercept
        self._weights, self._n_threads = weights, n_threads
        self.total_weight = weights.sum() if len(weights) else float(design.n_cases)
        n_groups = int(groups.max(initial=-1)) + 1
        self.counts = np.bincount(groups, minlength=n_groups).astype(np.float64)
        shape = (n_groups, layout.width)
        self.prior_mean, self.prior_precision = np.zeros(shape), np.ones(shape)
        self.errors = self.latent = np.empty(0)
        self._sums: list[Array] = []
        self._squared_error: float | None = None  # of the present errors, where it is known
        # Bounds of runs of columns of one group, and memory for squares of coefficients.
        self._starts = np.flatnonzero(np.diff(groups, prepend=-1))
        self._squares = np.empty_like(coefficients)
        self._noise: dict[int, Array] = {}
        # Rows of the other relations in the order of each relation's cases.
        self._other_rows = [
            {
                other_part: other.rows[part.case_indices].astype(np.int32)
                for other_part, other in enumerate(design.parts)
                if other is not part and other.rows is not None
            }
            for part in design.parts
        ]

    def start(self, targets: Array) -> None:
        """Compute sums of factors and errors anew, for new targets or against rounding errors."""
        self._sums, self.latent, self._squared_error = [], targets, None
        with np.errstate(over="ignore", invalid="ignore"):
            for part in self.design.parts:
                sums = np.asarray(part.X @ self.coefficients[part.own])
                sums[:, :: self.layout.block_width] = 1.0
                self._sums.append(np.ascontiguousarray(sums))
            self.errors = targets - self.predictions()
        if not np.isfinite(self.errors).all():
            raise NumericalError(
                "predictions are not finite: the values of X are too large or too far apart; "
                "standardise its columns"
            )

    def predictions(self) -> Array:
        """Return the prediction of every case, intercept included, from the coefficients."""
        factors = self.coefficients[:, self.layout.factors]
        scores: Array = score_cases(self.design.matrices, self.coefficients[:, 0], factors)
        return scores + self.intercept

    def squared_error(self) -> float:
        """Return the weighted sum of the squared errors."""
        if self._squared_error is None:
            weighted = self.errors * self._weights if len(self._weights) else self.errors
            self._squared_error = float(np.einsum("i,i->", weighted, self.errors))  # no BLAS
        return self._squared_error

    def sweep(self, alpha: float, rng: np.random.Generator | None) -> None:
        """Draw all coefficients once; without a generator, move each to its conditional mean.

        Parameters
        ----------
        alpha : float
            Precision of an error of weight 1.
        rng : Generator or None
            Source of the draws.
        """
        self._squared_error = None
        for index, part in enumerate(self.design.parts):
            own = self.coefficients[part.own]
            noise = _NO_NOISE if rng is None else self._draw_noise(index, rng)
            arguments = (
                *csr_parts(part.columns),
                part.runs,
                self.groups[part.own],
                own,
                (self.prior_mean, self.prior_precision),
                noise,
                alpha,
                self._weights,
            )
            if part.rows is None:
                self._sweep_design(index, arguments)
            else:
                self._sweep_relation(index, part, arguments)

    def _draw_noise(self, index: int, rng: np.random.Generator) -> Array:
        """Return standard normal numbers, also in slots that hold nothing."""
        if index not in self._noise:
            n_columns = self.design.parts[index].X.shape[1]
            self._noise[index] = np.empty((n_columns, self.layout.width))
        kernels.standard_normal(as_seed(rng), self._noise[index], self._n_threads)
        return self._noise[index]

    def _sweep_design(self, index: int, arguments: tuple[Any, ...]) -> None:
        others = [
            (sums, part.rows)
            for part, sums in zip(self.design.parts, self._sums, strict=True)
            if part.rows is not None
        ]
        sums = self._sums[index]
        rest: Any = np.zeros((1, 1))
        if others:  # the sums of all features of each case
            rest = np.add.reduce([table[rows] for table, rows in others])
            sums += rest
            sums[:, :: self.layout.block_width] = 1.0
        sweep: Any = kernels.fm_design_sweep
        sweep(
            *arguments,
            sums,
            self.errors,
            self.layout.block_width,
            self.layout.n_factors,
            self._n_threads,
        )
        if others:
            sums -= rest
            sums[:, :: self.layout.block_width] = 1.0

    def _sweep_relation(self, index: int, part: Part, arguments: tuple[Any, ...]) -> None:
        others = [
            (sums, self._other_rows[index].get(number, part.case_indices))
            for number, sums in enumerate(self._sums)
            if number != index
        ]
        sweep: Any = kernels.fm_relation_sweep
        sweep(
            *arguments,
            self._sums[index],
            self.errors,
            part.case_indptr,
            part.case_indices,
            others,
            self.layout.block_width,
            self.layout.n_factors,
            self._n_threads,
        )

    def move_intercept(self, alpha: float, penalty: float, rng: np.random.Generator | None) -> None:
        """Draw the intercept from its conditional distribution, or take the mean."""
        if self.total_weight <= 0:
            return
        weighted = (self.errors * self._weights if len(self._weights) else self.errors).sum()
        precision = alpha * self.total_weight + penalty
        mean = alpha * (weighted + self.total_weight * self.intercept) / precision
        drawn = mean if rng is None else mean + rng.standard_normal() * precision**-0.5
        self._squared_error = None
        self.errors -= drawn - self.intercept
        self.intercept = float(drawn)

    def draw_noise_precision(self, rng: np.random.Generator) -> float:
        """Return a draw of the precision of the errors."""
        shape = 0.5 * (_SHAPE + self.design.n_cases)
        rate = 0.5 * (_RATE + self.squared_error())
        return float(rng.gamma(shape) / rate)

    def draw_prior(self, rng: np.random.Generator) -> None:
        """Draw mean and precision of the prior of every group and slot."""
        used = self.layout.used
        sums, squares = self._group_sums()
        count = self.counts[:, None]
        deviations = squares - 2 * self.prior_mean * sums + count * self.prior_mean**2
        shape = 0.5 * (_SHAPE + count + 1)
        rate = 0.5 * (_RATE + np.maximum(deviations, 0) + _MEAN_COUNT * self.prior_mean**2)
        precision = rng.gamma(np.broadcast_to(shape, rate.shape)) / rate
        mean = sums / (count + _MEAN_COUNT)
        mean += rng.standard_normal(mean.shape) / np.sqrt((count + _MEAN_COUNT) * precision)
        self.prior_precision = np.where(used, precision, 1.0)
        self.prior_mean = np.where(used, mean, 0.0)

    def _group_sums(self) -> tuple[Array, Array]:
        """Return sums and sums of squares of the coefficients of each group."""
        v, starts = self.coefficients, self._starts
        if len(self.counts) == 1:
            return v.sum(axis=0)[None], np.einsum("ij,ij->j", v, v)[None]
        squares = np.multiply(v, v, out=self._squares)
        totals = [np.zeros((len(self.counts), v.shape[1])) for _ in range(2)]
        for total, values in zip(totals, (v, squares), strict=True):
            np.add.at(total, self.groups[starts], np.add.reduceat(values, starts, axis=0))
        return totals[0], totals[1]
