"""Split-and-merge moves, which leave local optima that EM cannot leave.

After N. Ueda, R. Nakano, Z. Ghahramani and G. Hinton, "SMEM Algorithm for Mixture Models", Neural
Computation 12, 2000. A move merges two components and splits a third, and EM continues from there.
The criteria of that paper depend on the units. Here moves are ranked by the likelihood itself on a
sample of the rows: what the merger loses, and what two components gain over one on the rows of the
third. A move is accepted only if EM, run to its end on all rows, has a higher likelihood.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..exceptions import ConvergenceWarning, NumericalError
from ._dense_rows import DenseRows
from ._em import Problem, Result, iterate
from ._initialization import initial_parameters, without_outliers
from ._parameters import TIED_TYPES, Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["improved"]

_SAMPLE_ROWS = 10_000
_MAX_ACCEPTED = 50
_SPLIT_PASSES = 20  # of EM on the rows of one component
_MIN_SHARE = 1e-3  # of the largest: rows that belong less to a component do not count for its split
_MERGERS_PER_COMPONENT = 2


def improved(
    problem: Problem,
    best: Result,
    max_tries: int,
    rng: np.random.Generator,
    run: Callable[[Parameters], Result | None],
) -> Result:
    """Return the best result after moves; ``max_tries`` in a row without success end the search.

    ``run`` is EM from given parameters; it returns None to end the search.
    """
    sample = problem.source.sample(_SAMPLE_ROWS, rng)
    best_score = problem.score(best)
    for _ in range(_MAX_ACCEPTED):
        for n_tried, proposal in enumerate(_proposals(problem, sample, best.parameters, rng)):
            if n_tried == max_tries:
                return best
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    result = run(proposal)
            except NumericalError:
                continue
            if result is None:
                return best
            if (score := problem.score(result)) > best_score:
                best, best_score = result, score
                break
        else:
            return best
    return best


def _proposals(
    problem: Problem, sample: DenseRows, parameters: Parameters, rng: np.random.Generator
) -> Iterator[Parameters]:
    """Return the parameters after each move, the most promising first."""
    if len(parameters.weights) < 2:
        return
    table = parameters.coefficients()
    resp = _scored(problem, sample, table, parameters.form, "resp")
    log_density = _scored(problem, sample, table, parameters.form, "score")
    weight = np.ones(sample.n_rows) if sample.weight is None else sample.weight
    mergers = _mergers(problem, sample, parameters, resp, log_density, weight)
    splits = _splits(problem, sample, resp * weight[:, None], rng)
    moves = [
        (loss - gain, i, j, k)
        for loss, i, j in mergers
        for k, (gain, _) in splits.items()
        if k not in (i, j)
    ]
    for _, i, j, k in sorted(moves):
        yield _moved(parameters, i, j, k, splits[k][1])


def _scored(
    problem: Problem, sample: DenseRows, coefficients: Array, form: str, output: str
) -> Array:
    """Return responsibilities, or log-densities without the common term of tied types."""
    standardizer = problem.standardizer
    result: Array = kernels.gmm_score(
        sample.X,
        standardizer.shift,
        standardizer.scale,
        coefficients,
        None,
        form,
        output,
        sample.n_threads,
    )
    return result


def _mergers(
    problem: Problem,
    sample: DenseRows,
    parameters: Parameters,
    resp: Array,
    log_density: Array,
    weight: Array,
) -> list[tuple[float, int, int]]:
    """Return the loss in likelihood of merging two components, for the pairs that overlap most."""
    k = len(parameters.weights)
    resp = resp[:, :k]
    length = np.sqrt((resp**2).sum(axis=0))
    overlap = (resp.T @ resp) / np.maximum(np.outer(length, length), 1e-300)
    first, second = np.triu_indices(k, 1)
    order = np.argsort(-overlap[first, second], kind="stable")[: _MERGERS_PER_COMPONENT * k]
    mergers = []
    for i, j in zip(first[order].tolist(), second[order].tolist(), strict=True):
        try:
            merged = _merged(parameters, i, j)
        except NumericalError:
            continue
        new = _scored(problem, sample, merged.coefficients()[:1], merged.form, "score")
        kept = np.maximum(1 - resp[:, i] - resp[:, j], 1e-300)
        loss = -float(weight @ np.logaddexp(np.log(kept), new - log_density))
        mergers.append((loss, i, j))
    return mergers


def _merged(parameters: Parameters, i: int, j: int) -> Parameters:
    """Return one component with the moments of two."""
    kind, pair = parameters.covariance_type, [i, j]
    weights, means = parameters.weights[pair], parameters.means[pair]
    share = weights / weights.sum()
    mean = share @ means
    deviations = means - mean
    if kind in TIED_TYPES:
        covariance = parameters.covariances
    else:
        between: Any = (deviations.T * share) @ deviations
        if kind != "full":
            between = np.diagonal(between)
        if kind == "spherical":
            between = between.mean()
        covariance = (np.tensordot(share, parameters.covariances[pair], 1) + between)[None]
    return Parameters(kind, weights.sum(keepdims=True), mean[None], covariance, parameters.noise)


def _splits(
    problem: Problem, sample: DenseRows, weighted_resp: Array, rng: np.random.Generator
) -> dict[int, tuple[float, Parameters]]:
    """Return for each component the gain in likelihood of two on its rows, and these two.

    For the noise, the last one, the gain of a component beside it. A component with too few rows
    in the sample is left out.
    """
    splits = {}
    min_rows = sample.n_columns + 1 if problem.covariance_type == "full" else 2
    kind, standardizer = problem.covariance_type, problem.standardizer
    for k, weight in enumerate(weighted_resp.T):
        is_own = weight > _MIN_SHARE * weight.max()
        too_light = weight.sum() < sample.total_weight / sample.n_rows
        if is_own.sum() < min_rows or too_light:
            continue
        rows = DenseRows(sample.X[is_own], np.ascontiguousarray(weight[is_own]), sample.n_threads)
        noise = None
        if problem.noise is not None and k == weighted_resp.shape[1] - 1:
            noise = replace(problem.noise, weight=0.5)
        local = Problem(rows, standardizer, kind, problem.regularization, noise=noise)
        try:
            two = _split(local, rng)
            if noise is not None:
                alone = standardizer.log_det - noise.log_widths.sum()
            else:
                alone = local.log_likelihood_of_one()
        except NumericalError:
            continue
        splits[k] = (rows.total_weight * (two.lower_bounds[-1] - alone), two.parameters)
    return splits


def _split(problem: Problem, rng: np.random.Generator) -> Result:
    """Run a few passes of EM with two components, or with one beside the noise."""
    noise, source = problem.noise, None
    if noise is not None:
        source = without_outliers(problem.source, problem.standardizer, noise, 1, rng)
    start = initial_parameters(problem, 2 if noise is None else 1, "kmeans", rng, source=source)
    if noise is not None:
        start.noise, start.weights = noise, start.weights * (1 - noise.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return iterate(problem, start, tol=1e-4, max_iter=_SPLIT_PASSES, accelerate=False, rng=rng)


def _moved(parameters: Parameters, i: int, j: int, k: int, two: Parameters) -> Parameters:
    """Return the parameters with i and j merged into i, and k split into k and j."""
    kind, merged, noise = parameters.covariance_type, _merged(parameters, i, j), parameters.noise
    weights, means = parameters.weights.copy(), parameters.means.copy()
    weights[i], means[i] = merged.weights[0], merged.means[0]
    if two.noise is None:
        targets, share = [k, j], parameters.weights[k]
    else:
        assert noise is not None
        targets, share = [j], noise.weight
        noise = replace(noise, weight=share * two.noise.weight)
    weights[targets], means[targets] = two.weights * share, two.means
    covariances = parameters.covariances
    if kind not in TIED_TYPES:
        covariances = covariances.copy()
        covariances[i], covariances[targets] = merged.covariances[0], two.covariances
    return Parameters(kind, weights, means, covariances, noise)
