"""The EM iteration, plain or accelerated by SQUAREM.

A. P. Dempster, N. M. Laird and D. B. Rubin, "Maximum Likelihood from Incomplete Data via the EM
Algorithm", JRSS B 39, 1977. R. Varadhan and C. Roland, "Simple and Globally Convergent Methods for
Accelerating the Convergence of Any EM Algorithm", Scandinavian Journal of Statistics 35, 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.caller import warn_caller
from ..exceptions import ConvergenceWarning, NumericalError
from ._initialization import reinitialized
from ._parameters import SUMS_FORM, TIED_TYPES, Parameters, maximize
from ._rows import em_sums, nearest_sums, second_moments
from ._squarem import extrapolated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._noise import Noise
    from ._prior import Prior
    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = ["Problem", "Result", "iterate"]

_EMPTY = 1e-3  # rows: a component that holds less is empty
_MAX_REINITIALIZATIONS = 3
_FLOAT32_ERROR = 1e-6  # of the log-likelihood of a row


@dataclass
class Problem:
    """What stays the same during a fit."""

    source: Any
    standardizer: Standardizer
    covariance_type: str
    regularization: Any
    prior: Prior | None = None
    noise: Noise | None = None  # its box; its weight is that of the start
    n_values: tuple[int, ...] = field(init=False, default=())  # of each categorical column
    total: Array | None = field(init=False, default=None)  # tied types: sums of z z' or z^2
    exact: bool = field(init=False, default=False)  # float64 even where float32 seems safe

    def __post_init__(self) -> None:
        self.n_values = self.source.n_values
        self.total = self.second_moments(self.source) if self.noise is None else None

    def second_moments(self, source: Any) -> Array | None:
        """Return the sums of z z' (tied) or of z^2 (tied_diag) over a source, else None."""
        if self.covariance_type not in TIED_TYPES:
            return None
        form = "full" if self.covariance_type == "tied" else "diag"
        return second_moments(source, self.standardizer, form)

    @property
    def allows_float32(self) -> bool:
        """Whether passes may compute in float32."""
        has_float32_kernel = self.covariance_type in ("full", "diag")
        return has_float32_kernel and not self.exact and self.source.allows_float32

    @property
    def prunes(self) -> bool:
        """Whether the prior may prune components."""
        return self.prior is not None and self.prior.concentration < 1

    def step(self, parameters: Parameters) -> tuple[Array, float]:
        """Do an E-step: return the sums, and the mean log-likelihood (plus prior) of a row."""
        statistics = em_sums(self.source, self.standardizer, parameters, self.exact)
        bound = statistics.log_likelihood
        if statistics.second_moments is not None:
            self.total = statistics.second_moments
        elif (common := parameters.common()) is not None:
            assert self.total is not None
            bound += float(common[0, -len(self.total) :] @ self.total)
        if self.prior is not None:
            bound += self.prior.log_density(parameters)
        if parameters.categories is not None:
            bound += float((np.log(parameters.categories) @ self._category_prior).sum())
        if not np.isfinite(bound):
            raise NumericalError(
                "the likelihood is not a finite number: some row is too far from every component; "
                "look for outliers beyond 1e150 standard deviations"
            )
        return statistics.sums, bound / self.source.total_weight + self.standardizer.log_det

    def maximize(self, sums: Array) -> Parameters:
        """Do an M-step: return the parameters that belong to the sums."""
        sums, categories = self._categories(sums, has_noise=self.noise is not None)
        return maximize(
            self.covariance_type,
            sums,
            self.total,
            self.regularization,
            self.prior,
            self.noise,
            categories,
        )

    def maximize_without_noise(
        self, sums: Array, total: Array | None, prior: Prior | None
    ) -> Parameters:
        """Do the M-step of a start: without the noise, on the sums of other rows."""
        sums, categories = self._categories(sums, has_noise=False)
        return maximize(
            self.covariance_type, sums, total, self.regularization, prior, None, categories
        )

    def _categories(self, sums: Array, has_noise: bool) -> tuple[Array, Array | None]:
        """Return the sums without those of categories, and the probabilities of the categories.

        Each column of each component has a Dirichlet prior with the weight of one row, so that no
        probability is 0.
        """
        n_values = self.n_values
        if not n_values:
            return sums, None
        sums, counts = sums[:, : -sum(n_values)], sums[:, -sum(n_values) :]
        if has_noise:
            counts = counts[:-1]
        counts = counts + self._category_prior
        starts = np.cumsum([0, *n_values[:-1]])
        totals = np.add.reduceat(counts, starts, axis=1)
        return sums, counts / np.repeat(totals, n_values, axis=1)

    @property
    def _category_prior(self) -> Array:
        """Weight of the prior of each value: one row for each column."""
        n_values = self.n_values
        row_weight = self.source.total_weight / self.source.n_rows
        return np.repeat(row_weight / np.array(n_values, dtype=np.float64), n_values)

    def score(self, result: Result) -> float:
        """Return the criterion by which the best of several results is chosen.

        It is their lower bound. Where the prior prunes components, results with different numbers
        of components are compared, and it is minus the message length per row instead
        (M. Figueiredo and A. K. Jain, "Unsupervised Learning of Finite Mixture Models", IEEE TPAMI
        24, 2002, equation 15).
        """
        if self.prior is None or not self.prunes:
            return result.lower_bounds[-1]
        parameters, n = result.parameters, self.source.total_weight
        log_likelihood = n * self.step(parameters)[1] - self.prior.log_density(parameters)
        k, n_free = len(parameters.weights), 2 * (1 - self.prior.concentration)
        length = 0.5 * n_free * np.log(n / 12 * parameters.weights).sum()
        length += 0.5 * k * (np.log(n / 12) + n_free + 1)
        return float((log_likelihood - length) / n)

    def log_likelihood_of_one(self) -> float:
        """Return the mean log-likelihood of a row under a single component."""
        d = self.source.n_columns
        origin = np.zeros((1, d))
        form = SUMS_FORM[self.covariance_type]
        sums = nearest_sums(self.source, self.standardizer, origin, form)
        return self.step(self.maximize(sums))[1]


@dataclass
class Result:
    """The end of one run of EM."""

    parameters: Parameters
    lower_bounds: list[float]
    n_iter: int
    converged: bool


def iterate(
    problem: Problem,
    parameters: Parameters,
    *,
    tol: float,
    max_iter: int,
    accelerate: bool,
    rng: np.random.Generator,
    report: Callable[[list[float], Parameters], bool] = lambda bounds, parameters: False,
) -> Result:
    """Iterate until the mean log-likelihood of a row changes by less than ``tol``.

    ``report(lower_bounds, parameters)`` is called after each pass; True ends the run. From where
    float32 fails, or gains no more than its own error, passes compute in float64.
    """
    problem.exact = False
    run = _Run(problem, parameters, tol, accelerate, rng)
    for n_iter in range(1, max_iter + 1):
        if not run.advance():
            continue
        converged = bool(abs(run.change) < tol)
        if report(run.bounds, run.next) or converged:
            return Result(run.next, run.bounds, n_iter, converged)
        run.choose_next()
    return Result(run.fallback or run.parameters, run.bounds, max_iter, False)


class _Run:
    """The state of EM between two passes.

    ``parameters`` are those of the coming pass. ``next`` are those that follow from the last one.
    ``fallback`` is the plain iterate where ``parameters`` are extrapolated.
    """

    def __init__(
        self,
        problem: Problem,
        parameters: Parameters,
        tol: float,
        accelerate: bool,
        rng: np.random.Generator,
    ) -> None:
        self.problem, self.tol, self.accelerate, self.rng = problem, tol, accelerate, rng
        self.parameters = self.next = parameters
        self.fallback: Parameters | None = None
        self.cycle: list[Parameters] = []  # SQUAREM: up to three successive iterates
        self.bounds: list[float] = []
        self.change = np.inf
        self.n_reinitialized = 0

    def advance(self) -> bool:
        """Do one pass. Return False where it only showed that an extrapolation went too far."""
        problem = self.problem
        restarted = False  # whether this pass is the first in float64
        try:
            sums, bound = self._step()
        except NumericalError:
            if self.fallback is not None:
                self._reject_extrapolation()
                return False
            if not problem.allows_float32:
                raise
            problem.exact = restarted = True
            sums, bound = self._step()
        if self.fallback is not None and not bound >= self.bounds[-1]:
            self._reject_extrapolation()
            return False
        self.fallback = None
        if problem.allows_float32 and self._is_lost_in_rounding(bound):
            problem.exact = restarted = True
            sums, bound = self._step()
        self.change = bound - self.bounds[-1] if self.bounds and not restarted else np.inf
        self.bounds.append(bound)
        self._replace_empty(sums)
        return True

    def _step(self) -> tuple[Array, float]:
        sums, bound = self.problem.step(self.parameters)
        self.next = self.problem.maximize(sums)
        return sums, bound

    def _reject_extrapolation(self) -> None:
        """Go back to the plain iterate; this pass is lost."""
        assert self.fallback is not None
        self.parameters, self.fallback, self.cycle = self.fallback, None, []

    def _is_lost_in_rounding(self, bound: float) -> bool:
        """Return whether the gain of a float32 pass is rounding, and convergence needs less."""
        if not self.bounds:
            return False
        error = _FLOAT32_ERROR * (1 + abs(bound - self.problem.standardizer.log_det))
        return bound - self.bounds[-1] < (error if self.tol < error else -error)

    def _replace_empty(self, sums: Array) -> None:
        """Re-initialise components that lost their rows, or note that they were pruned."""
        source = self.problem.source
        k = len(self.parameters.weights)
        is_empty = sums[:k, 0] < _EMPTY * source.total_weight / source.n_rows
        if len(self.next.weights) < k:
            self.cycle, self.change = [], np.inf
        elif (
            not self.problem.prunes
            and is_empty.any()
            and self.n_reinitialized < _MAX_REINITIALIZATIONS
            and source.n_rows > k
        ):
            self.next = self._reinitialize(is_empty)
            self.cycle, self.change = [], np.inf
            self.n_reinitialized += 1

    def _reinitialize(self, is_empty: NDArray[np.bool_]) -> Parameters:
        names = ", ".join(map(str, np.flatnonzero(is_empty)))
        warn_caller(
            f"component {names} lost all its rows and is re-initialised at a random row: "
            f"n_components={len(is_empty)} may be too many for this data",
            ConvergenceWarning,
        )
        Z = self.problem.source.sample(1000, self.rng).coordinates(self.problem.standardizer)
        return reinitialized(self.next, is_empty, Z[self.rng.integers(len(Z), size=len(is_empty))])

    def choose_next(self) -> None:
        """Set the parameters of the coming pass: the next iterate, or an extrapolation."""
        if self.accelerate and self.change != np.inf:  # inf: this iterate is a new beginning
            self.cycle = [*(self.cycle or [self.parameters]), self.next]
        self.parameters = self.next
        if len(self.cycle) == 3:
            first, second, third = self.cycle
            further = extrapolated(first, second, third, self.problem.n_values)
            self.parameters, self.fallback = further, self.next
            self.cycle = []
