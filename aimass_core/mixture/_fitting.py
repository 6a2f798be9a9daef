"""The fit itself: starts, runs of EM, and what is kept of the best one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.threads import resolve_n_threads
from ._answers import Answers
from ._em import Problem, Result, iterate
from ._forms import Parameters
from ._gauge import Gauge, gauge_of
from ._intake import names_of, rows_of
from ._moves import improved
from ._online import Online
from ._report import Reporter
from ._seeding import first_parameters, without_outliers
from ._settings import Settings

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Fitting"]


class Fitting(Answers):
    """From rows to parameters."""

    accelerate: bool
    warm_start: bool
    verbose: int
    verbose_interval: int
    callback: Callable[[int, float], Any] | None
    learning_decay: float
    learning_offset: float
    min_learning_rate: float
    _online: Online | None = None

    def partial_fit(self, X: Any, y: None = None, sample_weight: Any = None) -> Self:
        """Learn from one more batch of rows: stepwise EM.

        The first batch is fitted as by `fit` and fixes the number of components; each further one
        is read once. After `fit` or loading, it begins anew from the fitted parameters.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        Self
            The object itself; ``lower_bounds_`` holds the mean log-likelihood of each batch before
            it was learnt.

        References
        ----------
        O. Cappé, E. Moulines, "On-line Expectation-Maximization Algorithm for Latent Data Models",
        2009.
        """
        settings = Settings.of(self)
        threads = resolve_n_threads(self.n_threads)
        online = self._online
        d = None if online is None else self.n_features_in_
        source: Any = rows_of(
            X, sample_weight, threads, settings.covariance_type, self.missing, n_columns=d,
            what=type(self).__name__,
        )  # fmt: skip
        if online is None or self._covariance_type != settings.covariance_type:
            best, problem = self._best(settings, source, warm=hasattr(self, "weights_"))
            online = Online.begin(problem, best.parameters)
            self._learn(best.parameters, problem.gauge, best)
        else:
            bound = online.learn(
                source, self.learning_decay, self.learning_offset, self.min_learning_rate
            )
            bounds = [*self.lower_bounds_, bound]
            result = Result(online.parameters, bounds, self.n_iter_ + 1, False)
            self._learn(online.parameters, online.problem.gauge, result)
        self._note_columns(names_of(X, source), source.d)
        self._online = online
        return self

    def _best(self, settings: Settings, source: Any, warm: bool = False) -> tuple[Result, Problem]:
        if source.n < settings.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = "
                f"{settings.n_components}, n_samples = {source.n} sample(s)"
            )
        gauge = gauge_of(source, common=settings.covariance_type == "spherical")
        problem = Problem(
            source, gauge, settings.covariance_type, settings.regularization(gauge),
            settings.prior(source.d), settings.noise(source, gauge),
        )  # fmt: skip
        rng = settings.rng()
        known = (self.warm_start or warm) and hasattr(self, "weights_")
        warm = known and self._fits(settings, source.d)
        results, stopped = [], False
        source = problem.source  # of the starts
        if problem.noise is not None and not warm:
            source = without_outliers(source, gauge, problem.noise, settings.n_components, rng)
        for start in range(1 if warm else settings.n_init):
            if warm:
                begin = self._parameters(gauge)
                if problem.noise is not None:  # the box is that of these rows
                    begin.noise = replace(problem.noise, weight=self.noise_weight_)
            else:
                begin = self._start(settings, problem, source, rng)
            result, ended = self._run(settings, problem, begin, rng, f"Initialization {start}")
            results.append(result)
            stopped |= ended
        best = max(results, key=problem.merit)
        if settings.split_merge > 0 and not stopped:

            def move(begin: Parameters) -> Result | None:
                found, stopped = self._run(settings, problem, begin, rng, "Split and merge")
                return None if stopped else found

            best = improved(problem, best, settings.split_merge, rng, move)
        return best, problem

    def _run(
        self,
        settings: Settings,
        problem: Problem,
        begin: Parameters,
        rng: np.random.Generator,
        name: str,
    ) -> tuple[Result, bool]:
        """EM from given parameters, and whether the callback stopped it."""
        reporter = Reporter(self.verbose, self.verbose_interval, self.callback, name)
        result = iterate(
            problem, begin, tol=settings.tol, max_iter=settings.max_iter,
            accelerate=self.accelerate, rng=rng, report=reporter,
        )  # fmt: skip
        reporter.end(result.converged)
        return result, reporter.stopped

    def _fits(self, settings: Settings, d: int) -> bool:
        return (
            self.means_.shape == (settings.n_components, d)
            and self._covariance_type == settings.covariance_type
            and (self._noise is None) == (settings.model.noise == 0)
        )

    def _start(
        self, settings: Settings, problem: Problem, source: Any, rng: np.random.Generator
    ) -> Parameters:
        k, d, kind = settings.n_components, problem.source.d, settings.covariance_type
        weights, means, covariances = settings.start(d)
        if weights is None or means is None or covariances is None:
            total, outliers = problem.total, 0.0
            if problem.noise is not None:
                total = source.products(problem.gauge) if kind == "tied" else None
                outliers = min(2 * problem.noise.weight, 0.5)  # who knows how many are left
            begin = first_parameters(
                source, problem.gauge, kind, k, settings.init_params, problem.regularization,
                problem.prior, total, rng, outliers,
            )  # fmt: skip
            found_means, found_covariances, _ = begin.unscaled(problem.gauge)
            weights = begin.weights if weights is None else weights
            means = found_means if means is None else means
            covariances = found_covariances if covariances is None else covariances
        begin = Parameters.rescaled(kind, weights, means, covariances, problem.gauge)
        if problem.noise is not None:
            begin.noise, begin.weights = problem.noise, begin.weights * (1 - problem.noise.weight)
        return begin

    def _learn(self, parameters: Parameters, gauge: Gauge, result: Result) -> None:
        means, covariances, roots = parameters.unscaled(gauge)
        noise = parameters.noise
        noise = None if noise is None else noise.rescaled(1 / gauge.scale)
        self._set(parameters.covariance_type, parameters.weights, means, covariances, roots, noise)
        self._fitted_with = self.get_params(deep=False)
        self.converged_ = result.converged
        self.n_iter_ = result.n_iter
        self.lower_bound_ = result.lower_bounds[-1]
        self.lower_bounds_ = result.lower_bounds
