"""Split-and-merge moves: out of optima in which two components share what one should have.

After Ueda, Nakano, Ghahramani and Hinton, "SMEM Algorithm for Mixture Models", Neural Computation
12, 2000. A move merges two components and splits a third, and EM goes on from there. Their criteria
depend on the units; here moves are ranked by the likelihood itself, on a sample: what the merger
loses, and what two components gain over one on the rows of the third. A move counts only if EM,
come to rest on all rows, has a higher likelihood.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..exceptions import ConvergenceWarning, NumericalError
from ._em import Problem, Result, iterate
from ._forms import SUMS_FORM, Parameters
from ._seeding import first_parameters, without_outliers
from ._sources import Dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["improved"]

_ROWS = 10_000  # of the sample
_SUCCESSES = 50  # moves at most
_PASSES = 20  # of EM on the rows of one component
_SHARE = 1e-3  # of the largest: rows that belong less to a component do not count for its split
_PAIRS = 2  # mergers that are looked at, for each component


def improved(
    problem: Problem,
    best: Result,
    tries: int,
    rng: np.random.Generator,
    run: Callable[[Parameters], Result | None],
) -> Result:
    """The best result after moves, ``tries`` of them without success being the end.

    ``run`` is EM from given parameters; None ends all.
    """
    rows, weight = problem.source.sample(_ROWS, rng)
    sample = Dense(rows, weight, problem.source.n_threads)
    merit = problem.merit(best)
    for _ in range(_SUCCESSES):
        for place, proposal in enumerate(_proposals(problem, sample, best.parameters, rng)):
            if place == tries:
                return best
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    found = run(proposal)
            except NumericalError:
                continue
            if found is None:
                return best
            if (now := problem.merit(found)) > merit:
                best, merit = found, now
                break
        else:
            return best
    return best


def _proposals(
    problem: Problem, sample: Dense, parameters: Parameters, rng: np.random.Generator
) -> Iterator[Parameters]:
    """Parameters after each move, the most promising first."""
    if len(parameters.weights) < 2:
        return
    shares, total = _shares(problem, sample, parameters)
    weight = np.ones(sample.n) if sample.weight is None else sample.weight
    mergers = _mergers(problem, sample, parameters, shares, total, weight)
    splits = _splits(problem, sample, shares * weight[:, None], rng)
    moves = [
        (loss - gain, i, j, k)
        for loss, i, j in mergers
        for k, (gain, _) in splits.items()
        if k not in (i, j)
    ]
    for _, i, j, k in sorted(moves):
        yield _moved(parameters, i, j, k, splits[k][1])


def _shares(problem: Problem, sample: Dense, parameters: Parameters) -> tuple[Array, Array]:
    """Responsibilities, the noise last, and the log-densities of the rows."""
    gauge, rows = problem.gauge, parameters.coefficients()
    arguments = (sample.X, gauge.shift, gauge.scale, rows, None, parameters.form)
    shares = kernels.gmm_score(*arguments, "resp", sample.n_threads)
    return shares, kernels.gmm_score(*arguments, "score", sample.n_threads)


def _mergers(
    problem: Problem, sample: Dense, parameters: Parameters, shares: Array, total: Array,
    weight: Array,
) -> list[tuple[float, int, int]]:  # fmt: skip
    """What merging two components loses in likelihood, for those that overlap most."""
    k, gauge = len(parameters.weights), problem.gauge
    shares = shares[:, :k]
    length = np.sqrt((shares**2).sum(axis=0))
    overlap = (shares.T @ shares) / np.maximum(np.outer(length, length), 1e-300)
    first, second = np.triu_indices(k, 1)
    order = np.argsort(-overlap[first, second], kind="stable")[: _PAIRS * k]
    found = []
    for i, j in zip(first[order].tolist(), second[order].tolist()):
        try:
            one = _merged(parameters, i, j)
        except NumericalError:
            continue
        new = kernels.gmm_score(
            sample.X, gauge.shift, gauge.scale, one.coefficients()[:1], None, one.form, "score",
            sample.n_threads,
        )  # fmt: skip
        kept = np.maximum(1 - shares[:, i] - shares[:, j], 1e-300)
        found.append((-float(weight @ np.logaddexp(np.log(kept), new - total)), i, j))
    return found


def _merged(parameters: Parameters, i: int, j: int) -> Parameters:
    """One component with the moments of two."""
    kind, pair = parameters.covariance_type, [i, j]
    weights, means = parameters.weights[pair], parameters.means[pair]
    share = weights / weights.sum()
    mean = share @ means
    apart = means - mean
    if kind == "tied":
        covariance = parameters.covariances
    else:
        between: Any = (apart.T * share) @ apart
        if kind != "full":
            between = np.diagonal(between)
        if kind == "spherical":
            between = between.mean()
        covariance = (np.tensordot(share, parameters.covariances[pair], 1) + between)[None]
    return Parameters(kind, weights.sum(keepdims=True), mean[None], covariance, parameters.noise)


def _splits(
    problem: Problem, sample: Dense, counted: Array, rng: np.random.Generator
) -> dict[int, tuple[float, Parameters]]:
    """For each component, what two would gain on its rows, and these two.

    For the noise, the last one, what a component beside it would gain. What has too few rows in the
    sample is left out.
    """
    found = {}
    least = sample.d + 1 if problem.covariance_type == "full" else 2
    kind, gauge, added = problem.covariance_type, problem.gauge, problem.regularization
    for k, weight in enumerate(counted.T):
        own = weight > _SHARE * weight.max()
        if own.sum() < least or weight.sum() < sample.total / sample.n:
            continue
        rows = Dense(sample.X[own], np.ascontiguousarray(weight[own]), sample.n_threads)
        noise = None
        if problem.noise is not None and k == counted.shape[1] - 1:
            noise = replace(problem.noise, weight=0.5)
        local = Problem(rows, gauge, kind, added, noise=noise)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                two = iterate(
                    local, _halves(local, rng), tol=1e-4, max_iter=_PASSES, accelerate=False,
                    rng=rng, report=lambda *_: False,
                )  # fmt: skip
            alone = gauge.log_det - noise.log_widths.sum() if noise is not None else _alone(local)
        except NumericalError:
            continue
        found[k] = (rows.total * (two.lower_bounds[-1] - alone), two.parameters)
    return found


def _alone(problem: Problem) -> float:
    """Mean log-density of rows under one component."""
    rows, form = problem.source, SUMS_FORM[problem.covariance_type]
    sums, _ = rows.step(problem.gauge, np.zeros((1, 1 + rows.d)), "linear", form, False)
    return problem.step(problem.maximize(sums))[1]


def _halves(problem: Problem, rng: np.random.Generator) -> Parameters:
    """Two components to start from, or one beside the noise."""
    source, noise, total = problem.source, problem.noise, problem.total
    if noise is not None:
        source = without_outliers(source, problem.gauge, noise, 1, rng)
        total = source.products(problem.gauge) if problem.covariance_type == "tied" else None
    begin = first_parameters(
        source, problem.gauge, problem.covariance_type, 2 if noise is None else 1, "kmeans",
        problem.regularization, None, total, rng,
    )  # fmt: skip
    if noise is not None:
        begin.noise, begin.weights = noise, begin.weights * (1 - noise.weight)
    return begin


def _moved(parameters: Parameters, i: int, j: int, k: int, two: Parameters) -> Parameters:
    """The merged one in the place of i, the halves of k in those of k and j."""
    kind, one, noise = parameters.covariance_type, _merged(parameters, i, j), parameters.noise
    weights, means = parameters.weights.copy(), parameters.means.copy()
    weights[i], means[i] = one.weights[0], one.means[0]
    if two.noise is None:
        at, share = [k, j], parameters.weights[k]
    else:
        assert noise is not None
        at, share = [j], noise.weight
        noise = replace(noise, weight=share * two.noise.weight)
    weights[at], means[at] = two.weights * share, two.means
    covariances = parameters.covariances
    if kind != "tied":
        covariances = covariances.copy()
        covariances[i], covariances[at] = one.covariances[0], two.covariances
    return Parameters(kind, weights, means, covariances, noise)
