"""Starting values: k-means on the fused kernel, its seeds alone, or random ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._noise import farthest_rows
from ._parameters import MATRIX_TYPES, SUMS_FORM, TIED_TYPES, Parameters
from ._rows import centre_sums, nearest_sums, random_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._em import Problem
    from ._noise import Noise
    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = ["INIT_PARAMS", "initial_parameters", "reinitialized", "without_outliers"]

INIT_PARAMS = ("kmeans", "k-means++", "random", "random_from_data")
# Seeds are drawn from a sample: a fifth of the rows, at least 1,000 and at most 10,000, but always
# at least 100 rows for each component.
_MIN_SEED_ROWS, _MAX_SEED_ROWS, _SEED_PART, _SEED_ROWS_PER_COMPONENT = 1000, 10_000, 5, 100
_SAMPLE_PASSES, _PASSES = 50, 8  # of Lloyd's algorithm, over the sample and over all rows
_TOLERANCE = 1e-4  # mean squared move of the centres; the variance of the data is 1


def initial_parameters(
    problem: Problem,
    n_components: int,
    init_params: str,
    rng: np.random.Generator,
    *,
    source: Any = None,
    outlier_share: float = 0.0,
) -> Parameters:
    """Return parameters to start EM from, in standardised coordinates and without noise.

    Parameters
    ----------
    problem : Problem
        The fit.
    n_components : int
        Number of components.
    init_params : str
        One of `INIT_PARAMS`.
    rng : numpy.random.Generator
        Source of randomness.
    source : RowSource, optional
        Rows to take in place of those of the problem.
    outlier_share : float
        Share of the rows that do not become seeds if they lie far off.

    Returns
    -------
    Parameters
        The M-step after assigning rows to their nearest centre, or at random.
    """
    total = problem.total
    if source is None:
        source = problem.source
    else:
        total = problem.second_moments(source)
    kind, standardizer = problem.covariance_type, problem.standardizer
    form = SUMS_FORM[kind]
    prior = None if problem.prior is None else problem.prior.without_pruning()
    if init_params == "random":
        sums = random_sums(source, standardizer, rng, n_components, form)
        return problem.maximize_without_noise(sums, total, prior)
    centres = _centres(source, standardizer, n_components, init_params, rng, outlier_share)
    sums = nearest_sums(source, standardizer, centres, form)
    is_empty = sums[:, 0] <= 0
    parameters = problem.maximize_without_noise(sums, total, prior)
    return reinitialized(parameters, is_empty, centres) if is_empty.any() else parameters


def _centres(
    source: Any,
    standardizer: Standardizer,
    n_components: int,
    init_params: str,
    rng: np.random.Generator,
    outlier_share: float,
) -> Array:
    """Return centres by k-means, by its seeds alone, or from random rows."""
    sample = source.sample(_n_seed_rows(source.n_rows, n_components), rng)
    Z: Array = sample.coordinates(standardizer)
    weight = sample.weight
    if init_params == "random_from_data":
        return Z[rng.choice(len(Z), n_components, replace=len(Z) < n_components)]
    centres = k_means_seeds(Z, weight, n_components, rng, outlier_share)
    if init_params == "kmeans":
        centres = lloyd(sample, standardizer, centres, _SAMPLE_PASSES)
        sampled_weight = len(Z) if weight is None else float(weight.sum())
        if sampled_weight < source.total_weight * (1 - 1e-9):  # rows of weight 0 do not count
            centres = lloyd(source, standardizer, centres, _PASSES)
    return centres


def _n_seed_rows(n: int, n_components: int) -> int:
    """Return the size of the sample for seeds: small beside a pass of EM, also for few rows."""
    n_rows = max(min(_MAX_SEED_ROWS, n // _SEED_PART), _MIN_SEED_ROWS)
    return max(n_rows, _SEED_ROWS_PER_COMPONENT * n_components)


def k_means_seeds(
    Z: Array, weight: Array | None, k: int, rng: np.random.Generator, outlier_share: float = 0.0
) -> Array:
    """Return k rows by greedy k-means++: each is the best of some draws.

    D. Arthur and S. Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007. The
    distances of the farthest rows, a share of ``outlier_share``, count as those of the next ones.
    """
    n = len(Z)
    w = np.ones(n) if weight is None else weight
    square = np.einsum("ij,ij->i", Z, Z)
    transposed = np.ascontiguousarray(Z.T)  # long rows: this product dominates the time
    n_trials = 2 + int(np.log(k))
    chosen: list[int] = []
    nearest = np.full(n, np.inf)
    while len(chosen) < k:
        if chosen and outlier_share > 0:
            nearest = np.minimum(nearest, _upper_quantile(nearest, w, outlier_share))
        cumulated = np.cumsum(nearest * w if chosen else w)
        if not cumulated[-1] > 0:  # fewer distinct rows than components: repeat some
            chosen.append(int(rng.integers(n)))
            continue
        draws = rng.random(n_trials if chosen or outlier_share > 0 else 1)
        drawn = np.searchsorted(cumulated, draws * cumulated[-1], side="right")
        drawn = np.minimum(drawn, n - 1)
        distances = (-2 * Z[drawn]) @ transposed
        distances += square
        distances += square[drawn][:, None]
        np.clip(distances, 0, nearest, out=distances)
        best = int((distances @ w).argmin())
        chosen.append(int(drawn[best]))
        nearest = distances[best]
    return Z[chosen]


def _upper_quantile(values: Array, weight: Array, share: float) -> float:
    """Return the value that this share of the weight exceeds; the largest value where that is 0."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    quantile = float(values[order[np.searchsorted(below, (1 - share) * below[-1])]])
    return quantile if quantile > 0 else float(values.max())


def lloyd(source: Any, standardizer: Standardizer, centres: Array, max_passes: int) -> Array:
    """Return the centres after Lloyd's algorithm; a centre without rows does not move."""
    for _ in range(max_passes):
        sums = centre_sums(source, standardizer, centres)
        counts = sums[:, :1]
        moved = np.where(counts > 0, sums[:, 1:] / np.maximum(counts, 1e-300), centres)
        change = ((moved - centres) ** 2).sum() / centres.size
        centres = moved
        if change <= _TOLERANCE:
            break
    return centres


def without_outliers(
    source: Any,
    standardizer: Standardizer,
    noise: Noise,
    n_components: int,
    rng: np.random.Generator,
) -> Any:
    """Return a sample without its farthest rows, so that no component starts on outliers."""
    size = max(_MAX_SEED_ROWS, _SEED_ROWS_PER_COMPONENT * n_components)
    sample = source.sample(size, rng)
    Z = sample.coordinates(standardizer)[:, : source.n_columns]
    is_far = farthest_rows(Z, sample.weight, noise.weight, n_components)
    return sample.select(~is_far)


def reinitialized(
    parameters: Parameters, is_empty: NDArray[np.bool_], centres: Array
) -> Parameters:
    """Return parameters in which empty components have an even weight, new means and unit shape."""
    kind = parameters.covariance_type
    weights, means = parameters.weights.copy(), parameters.means.copy()
    covariances = parameters.covariances
    total_weight = weights.sum()
    weights[is_empty] = 1 / len(weights)
    means[is_empty] = centres[is_empty, : means.shape[1]]
    if kind not in TIED_TYPES:
        covariances = covariances.copy()
        # The variance of all rows is 1 in these coordinates.
        covariances[is_empty] = np.eye(means.shape[1]) if kind in MATRIX_TYPES else 1.0
    categories = parameters.categories
    if categories is not None:
        categories = categories.copy()
        categories[is_empty] = parameters.weights @ categories / max(total_weight, 1e-300)
    weights *= total_weight / weights.sum()
    return Parameters(kind, weights, means, covariances, parameters.noise, categories)
