"""The fit itself: starts, runs of EM, and what is kept of the best one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._answers import Answers
from ._em import Problem, Result, iterate
from ._forms import Parameters
from ._gauge import Gauge, gauge_of
from ._report import Reporter
from ._seeding import first_parameters

if TYPE_CHECKING:
    from ._online import Online
    from ._settings import Settings

__all__ = ["Fitting"]


class Fitting(Answers):
    """From rows to parameters."""

    accelerate: bool
    warm_start: bool
    verbose: int
    verbose_interval: int
    callback: Callable[[int, float], Any] | None
    _online: Online | None = None

    def _best(self, settings: Settings, source: Any, warm: bool = False) -> tuple[Result, Problem]:
        if source.n < settings.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = "
                f"{settings.n_components}, n_samples = {source.n} sample(s)"
            )
        gauge = gauge_of(source, common=settings.covariance_type == "spherical")
        problem = Problem(
            source, gauge, settings.covariance_type, settings.regularization(gauge),
            settings.prior(source.d),
        )  # fmt: skip
        rng = settings.rng()
        known = (self.warm_start or warm) and hasattr(self, "weights_")
        warm = known and self._fits(settings, source.d)
        results = []
        for start in range(1 if warm else settings.n_init):
            if warm:
                begin = Parameters.rescaled(
                    settings.covariance_type, self.weights_, self.means_, self.covariances_, gauge
                )
            else:
                begin = self._start(settings, problem, rng)
            reporter = Reporter(self.verbose, self.verbose_interval, self.callback, start)
            results.append(
                iterate(
                    problem, begin, tol=settings.tol, max_iter=settings.max_iter,
                    accelerate=self.accelerate, rng=rng, report=reporter,
                )
            )  # fmt: skip
            reporter.end(results[-1].converged)
        return max(results, key=lambda result: result.lower_bounds[-1]), problem

    def _fits(self, settings: Settings, d: int) -> bool:
        return (
            self.means_.shape == (settings.n_components, d)
            and self._covariance_type == settings.covariance_type
        )

    def _start(self, settings: Settings, problem: Problem, rng: np.random.Generator) -> Parameters:
        k, d, kind = settings.n_components, problem.source.d, settings.covariance_type
        weights, means, covariances = settings.start(d)
        if weights is None or means is None or covariances is None:
            begin = first_parameters(
                problem.source, problem.gauge, kind, k, settings.init_params,
                problem.regularization, problem.prior, problem.total, rng,
            )  # fmt: skip
            found_means, found_covariances, _ = begin.unscaled(problem.gauge)
            weights = begin.weights if weights is None else weights
            means = found_means if means is None else means
            covariances = found_covariances if covariances is None else covariances
        return Parameters.rescaled(kind, weights, means, covariances, problem.gauge)

    def _learn(self, parameters: Parameters, gauge: Gauge, result: Result) -> None:
        means, covariances, roots = parameters.unscaled(gauge)
        self._set(parameters.covariance_type, parameters.weights, means, covariances, roots)
        self._fitted_with = self.get_params(deep=False)
        self.converged_ = result.converged
        self.n_iter_ = result.n_iter
        self.lower_bound_ = result.lower_bounds[-1]
        self.lower_bounds_ = result.lower_bounds
