"""A complete fit: starting values, runs of EM, and the best result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.progress import Event, Progress
from ._em import Problem, Result, iterate
from ._initialization import initial_parameters, without_outliers
from ._parameters import TIED_TYPES, Parameters
from ._split_merge import improved
from ._standardizer import measure

if TYPE_CHECKING:
    from ._settings import Settings

__all__ = ["Reporter", "best_fit"]

_EVIDENCE = 5.0  # nats of message length that more components must save


class Reporter:
    """Reports the passes of all runs of a fit to a callback and a progress bar.

    Parameters
    ----------
    callback : callable or None
        Takes an `Event`; a true result ends the fit.
    verbose : bool
        Whether to show a progress bar.
    snapshot : callable
        Makes a model from parameters, their problem and the lower bounds of the run.
    """

    def __init__(
        self,
        callback: Callable[[Event], Any] | None,
        verbose: bool,
        snapshot: Callable[[Parameters, Problem, list[float]], Any],
    ) -> None:
        self.callback, self.verbose, self.snapshot = callback, verbose, snapshot
        self.stopped = False
        self._begin = time.monotonic()

    def run(
        self,
        settings: Settings,
        problem: Problem,
        start: Parameters,
        rng: np.random.Generator,
        stage: str,
    ) -> Result:
        """Run EM from given parameters, and report its passes as those of a stage."""
        with Progress(
            stage,
            settings.max_iter,
            callback=self.callback,
            verbose=self.verbose,
            begin=self._begin,
        ) as progress:
            runner = getattr(problem.source, "runner", None)
            if runner is not None:
                runner.on_block = progress.blocks

            def report(bounds: list[float], parameters: Parameters) -> bool:
                model = None
                if self.callback is not None:
                    model = self.snapshot(parameters, problem, bounds)
                values = {"lower_bound": bounds[-1], "n_components": float(len(parameters.weights))}
                self.stopped = progress.step(len(bounds), values, model)
                return self.stopped

            return iterate(
                problem,
                start,
                tol=settings.tol,
                max_iter=settings.max_iter,
                accelerate=settings.accelerate,
                rng=rng,
                report=report,
            )


def best_fit(
    settings: Settings,
    source: Any,
    reporter: Reporter,
    resumed: Callable[[Problem], Parameters] | None = None,
) -> tuple[Result, Problem]:
    """Run EM from one or several starts, and return the best result.

    Parameters
    ----------
    settings : Settings
        Parameters of the fit.
    source : RowSource
        Rows.
    reporter : Reporter
        Reports the passes.
    resumed : callable, optional
        Makes the start from the problem, in place of those of the settings: a warm start.

    Returns
    -------
    Result
        The result with the highest score.
    Problem
        The problem that it solves.
    """
    if source.n_rows < settings.n_components:
        raise ValueError(
            f"Expected n_samples >= n_components but got n_components = "
            f"{settings.n_components}, n_samples = {source.n_rows} sample(s)"
        )
    standardizer = measure(source, common=settings.covariance_type == "spherical")
    problem = Problem(
        source,
        standardizer,
        settings.covariance_type,
        settings.regularization(standardizer),
        prior=settings.prior(source.n_columns, source.n_values),
        noise=settings.noise_component(source, standardizer),
    )
    rng = settings.rng()
    start_source = None
    if problem.noise is not None and resumed is None:
        start_source = without_outliers(
            source, standardizer, problem.noise, settings.n_components, rng
        )
    results, is_stopped = [], False
    n_starts = 1 if resumed is not None else settings.n_init
    for number in range(n_starts):
        if resumed is not None:
            start = resumed(problem)
        else:
            start = _start(settings, problem, start_source, rng)
        stage = f"EM from start {number + 1} of {n_starts}"
        results.append(_run(settings, problem, start, rng, reporter, stage))
        is_stopped |= reporter.stopped
    best = max(results, key=problem.score)
    if settings.split_merge > 0 and not is_stopped:

        def run_from(start: Parameters) -> Result | None:
            result = _run(settings, problem, start, rng, reporter, "EM after a split and a merger")
            return None if reporter.stopped else result

        best = improved(problem, best, settings.split_merge, rng, run_from)
    return best, problem


def _run(
    settings: Settings,
    problem: Problem,
    start: Parameters,
    rng: np.random.Generator,
    reporter: Reporter,
    stage: str,
) -> Result:
    """Run EM from given parameters; with minimum message length also with fewer components.

    In the latter case EM continues without the component of the smallest weight, and so on down to
    one component (Figueiredo and Jain 2002, section 5.3): EM alone stops where a further component
    would vanish only after many passes without a visible gain. The result with the fewest
    components is returned whose message is about as short as the shortest. More components must
    shorten the message by 5 nats, which is "very strong" evidence (R. Kass and A. Raftery, "Bayes
    Factors", JASA 90, 1995).
    """
    result = reporter.run(settings, problem, start, rng, stage)
    if problem.prior is None or not problem.prior.searches_fewer:
        return result
    results, scores = [result], [problem.score(result)]
    while len(result.parameters.weights) > 1 and not reporter.stopped:
        start = _without_smallest(result.parameters)
        stage = f"EM with {len(start.weights)} components"
        result = reporter.run(settings, problem, start, rng, stage)
        results.append(result)
        scores.append(problem.score(result))
    enough = max(scores) - _EVIDENCE / problem.source.total_weight
    return next(r for r, s in zip(results[::-1], scores[::-1], strict=True) if s >= enough)


def _without_smallest(parameters: Parameters) -> Parameters:
    """Return the parameters without the component of the smallest weight."""
    weights, noise = parameters.weights, parameters.noise
    is_kept = np.arange(len(weights)) != int(weights.argmin())
    covariances = parameters.covariances
    if parameters.covariance_type not in TIED_TYPES:
        covariances = covariances[is_kept]
    kept = weights[is_kept] * (weights.sum() / weights[is_kept].sum())
    categories = parameters.categories
    return Parameters(
        parameters.covariance_type,
        kept,
        parameters.means[is_kept],
        covariances,
        noise,
        None if categories is None else categories[is_kept],
    )


def _start(
    settings: Settings, problem: Problem, source: Any, rng: np.random.Generator
) -> Parameters:
    """Return the caller's starting values, completed by those that the data give."""
    d, kind, noise = problem.source.n_columns, settings.covariance_type, problem.noise
    weights, means, covariances = settings.start(d)
    categories = None
    if weights is None or means is None or covariances is None or problem.source.n_values:
        # The sample has been freed of its farthest rows, but some outliers may be left.
        outlier_share = 0.0 if noise is None else min(2 * noise.weight, 0.5)
        measured = initial_parameters(
            problem,
            settings.n_components,
            settings.init_params,
            rng,
            source=source,
            outlier_share=outlier_share,
        )
        measured_means, measured_covariances, _ = measured.unscaled(problem.standardizer)
        weights = measured.weights if weights is None else weights
        means = measured_means if means is None else means
        covariances = measured_covariances if covariances is None else covariances
        categories = measured.categories
    start = Parameters.rescaled(
        kind, weights, means, covariances, problem.standardizer, None, categories
    )
    if noise is not None:
        start.noise, start.weights = noise, start.weights * (1 - noise.weight)
    return start
