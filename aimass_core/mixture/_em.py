"""The EM iteration: plain, or extrapolated by SQUAREM under the guard of the likelihood."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import ConvergenceWarning, NumericalError
from ._forms import Parameters, from_sums
from ._seeding import revived
from ._squarem import extrapolated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._gauge import Gauge
    from ._noise import Noise
    from ._prior import Prior

    Array = NDArray[np.float64]

__all__ = ["Problem", "Result", "iterate"]

_DEAD = 1e-3  # rows: a component that holds less has died
_MAX_REVIVALS = 3
_SINGLE = 1e-6  # of a log-likelihood of a row: what float32 may have wrong


@dataclass
class Problem:
    """What stays the same through a fit."""

    source: Any
    gauge: Gauge
    covariance_type: str
    regularization: Any
    prior: Prior | None = None
    noise: Noise | None = None  # its box; its weight is that of the start
    total: Array | None = field(init=False, default=None)  # sums of z z', tied only
    exact: bool = field(init=False, default=False)  # float64 even where float32 seems safe

    def __post_init__(self) -> None:
        if self.covariance_type == "tied" and self.noise is None:
            self.total = self.source.products(self.gauge)

    @property
    def may_be_single(self) -> bool:
        """Whether steps may be in float32."""
        single = self.covariance_type in ("full", "diag") and not self.exact
        return single and getattr(self.source, "may_be_single", False)

    @property
    def prunes(self) -> bool:
        """Whether components may end."""
        return self.prior is not None and self.prior.concentration < 1

    def step(self, parameters: Parameters) -> tuple[Array, float]:
        """E-step: the sums, and the mean log-likelihood (plus prior) in the user's coordinates."""
        if hasattr(self.source, "em_step"):  # missing values: their statistics need more
            sums, score, self.total = self.source.em_step(self.gauge, parameters)
        else:
            step = self.source.exact_step if self.exact else self.source.step
            sums, score = step(
                self.gauge, parameters.coefficients(), parameters.form, parameters.sums_form, False
            )
            common = parameters.common()
            if common is not None:
                assert self.total is not None
                score += float(common[0, -len(self.total) :] @ self.total)
        if self.prior is not None:
            score += self.prior.log_density(parameters)
        if not np.isfinite(score):
            raise NumericalError(
                "the likelihood is not a finite number: some row is too far from every component; "
                "look for outliers beyond 1e150 standard deviations"
            )
        return sums, score / self.source.total + self.gauge.log_det

    def merit(self, result: Result) -> float:
        """What the best of several results has most of.

        Their bounds, or where components may end, and so many that survive gain by the prior
        alone, minus their message length (Figueiredo and Jain, IEEE TPAMI 24, 2002, eq. 15).
        """
        if self.prior is None or not self.prunes:
            return result.lower_bounds[-1]
        parameters, n = result.parameters, self.source.total
        likelihood = n * self.step(parameters)[1] - self.prior.log_density(parameters)
        k, free = len(parameters.weights), 2 * (1 - self.prior.concentration)
        length = 0.5 * free * np.log(n / 12 * parameters.weights).sum()
        length += 0.5 * k * (np.log(n / 12) + free + 1)
        return float((likelihood - length) / n)

    def maximize(self, sums: Array) -> Parameters:
        """M-step."""
        return from_sums(
            self.covariance_type, sums, self.total, self.regularization, self.prior, self.noise
        )


@dataclass
class Result:
    """The end of one run."""

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
    report: Callable[[int, float, Parameters], bool],
) -> Result:
    """Iterate until the mean log-likelihood changes by less than ``tol``.

    ``report(n_iter, lower_bound, parameters)`` is called after each pass; True ends the run. From
    where float32 fails, or gains no more than its own error, steps are in float64.
    """
    bounds: list[float] = []
    revivals = 0
    problem.exact = False
    cycle: list[Parameters] = []  # SQUAREM: three successive iterates
    fallback: Parameters | None = None
    for n_iter in range(1, max_iter + 1):
        anew = False  # this step is the first in float64
        try:
            sums, bound = problem.step(parameters)
            new = problem.maximize(sums)
        except NumericalError:
            if fallback is None:
                if not problem.may_be_single:
                    raise
                problem.exact = anew = True
                sums, bound = problem.step(parameters)
                new = problem.maximize(sums)
            else:
                bound = -np.inf
        if fallback is not None and not bound >= bounds[-1]:
            # The extrapolation overshot: this pass is lost, the plain iterate is as good as ever.
            parameters, fallback, cycle = fallback, None, []
            continue
        fallback = None
        if problem.may_be_single and bounds:
            error = _SINGLE * (1 + abs(bound - problem.gauge.log_det))
            # An end that is asked for within this error would be one of rounding.
            if bound - bounds[-1] < (error if tol < error else -error):
                problem.exact = anew = True
                sums, bound = problem.step(parameters)
                new = problem.maximize(sums)
        dead = sums[: len(parameters.weights), 0] < _DEAD * problem.source.total / problem.source.n
        change = bound - bounds[-1] if bounds and not anew else np.inf
        bounds.append(bound)
        if len(new.weights) < len(dead):  # some ended, by the prior's will
            cycle, change = [], np.inf
        elif (
            not problem.prunes
            and dead.any()
            and revivals < _MAX_REVIVALS
            and problem.source.n > len(dead)
        ):
            new, cycle, change = _revived(problem, new, dead, rng), [], np.inf
            revivals += 1
        if report(n_iter, bound, new) or abs(change) < tol:
            return Result(new, bounds, n_iter, bool(abs(change) < tol))
        if not accelerate or change == np.inf:  # a new beginning is no iterate to extrapolate
            parameters = new
            continue
        cycle = [*(cycle or [parameters]), new]
        parameters = new
        if len(cycle) == 3:
            parameters, fallback, cycle = extrapolated(*cycle), new, []
    return Result(fallback or parameters, bounds, max_iter, False)


def _revived(
    problem: Problem, parameters: Parameters, dead: NDArray[np.bool_], rng: np.random.Generator
) -> Parameters:
    which = ", ".join(map(str, np.flatnonzero(dead)))
    warnings.warn(
        f"component {which} lost all its rows and starts again at a random row: "
        f"n_components={len(dead)} may be too many for this data",
        ConvergenceWarning,
        stacklevel=2,
    )
    rows, _ = problem.source.sample(1000, rng)
    Z = (rows - problem.gauge.shift) * problem.gauge.scale
    return revived(parameters, dead, Z[rng.integers(len(Z), size=len(dead))])
