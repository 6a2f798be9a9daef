"""Starting values: k-means on the fused kernel, its seeds alone, or chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._forms import SUMS_FORM, Parameters, from_sums
from ._noise import outlying
from ._sources import Dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._gauge import Gauge
    from ._noise import Noise
    from ._prior import Prior

    Array = NDArray[np.float64]

__all__ = ["INIT_PARAMS", "first_parameters", "revived", "without_outliers"]

INIT_PARAMS = ("kmeans", "k-means++", "random", "random_from_data")
_SEED_ROWS, _SEED_PART = 10_000, 5  # rows that seeds are drawn from: so many, or a fifth of all,
_SEED_ROWS_EACH = 100  # but at least these for each component
_SAMPLE_PASSES, _PASSES = 50, 8  # of Lloyd's algorithm over the sample and over all rows
_TOLERANCE = 1e-4  # mean squared move of the centres, the variance of the data being 1


def spread_seeds(
    Z: Array, weight: Array | None, k: int, rng: np.random.Generator, outliers: float = 0.0
) -> Array:
    """k rows by greedy k-means++ (Arthur and Vassilvitskii 2007): the best of some draws each.

    The distances of the farthest rows, a share of ``outliers``, count as those of the next ones.
    """
    n = len(Z)
    w = np.ones(n) if weight is None else weight
    square = np.einsum("ij,ij->i", Z, Z)
    transposed = np.ascontiguousarray(Z.T)  # long rows: this is the time of a start on few rows
    trials = 2 + int(np.log(k))
    chosen: list[int] = []
    nearest = np.full(n, np.inf)
    while len(chosen) < k:
        if chosen and outliers > 0:
            nearest = np.minimum(nearest, _upper(nearest, w, outliers))
        cumulated = np.cumsum(nearest * w if chosen else w)
        if not cumulated[-1] > 0:  # fewer distinct rows than components: repeat some
            chosen.append(int(rng.integers(n)))
            continue
        draws = rng.random(trials if chosen or outliers > 0 else 1)
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


def _upper(values: Array, weight: Array, share: float) -> float:
    """The value that this share of the weight exceeds; the largest where that is 0."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    found = float(values[order[np.searchsorted(below, (1 - share) * below[-1])]])
    return found if found > 0 else float(values.max())


def nearest_scores(centres: Array) -> Array:
    """Coefficients whose best component is the nearest centre."""
    return np.hstack([-0.5 * (centres**2).sum(axis=1, keepdims=True), centres])


def lloyd(source: Any, gauge: Gauge, centres: Array, passes: int) -> Array:
    """Lloyd's algorithm; a centre without rows stays where it is."""
    for _ in range(passes):
        sums, _ = source.step(gauge, nearest_scores(centres), "linear", "linear", True)
        counts = sums[:, :1]
        moved = np.where(counts > 0, sums[:, 1:] / np.maximum(counts, 1e-300), centres)
        change = ((moved - centres) ** 2).sum() / centres.size
        centres = moved
        if change <= _TOLERANCE:
            break
    return centres


def _seed_rows(n: int, n_components: int) -> int:
    """Rows of the sample: seeds are to cost little beside a fit, of few rows too."""
    return max(min(_SEED_ROWS, n // _SEED_PART), 1000, _SEED_ROWS_EACH * n_components)


def without_outliers(
    source: Any, gauge: Gauge, noise: Noise, n_components: int, rng: np.random.Generator
) -> Dense:
    """A sample to start from: seeds and shapes are not to be those of the outliers."""
    rows, weight = source.sample(max(_SEED_ROWS, _SEED_ROWS_EACH * n_components), rng)
    out = outlying((rows - gauge.shift) * gauge.scale, weight, noise.weight, n_components)
    return Dense(rows[~out], None if weight is None else weight[~out], source.n_threads)


def first_parameters(
    source: Any,
    gauge: Gauge,
    covariance_type: str,
    n_components: int,
    init_params: str,
    regularization: Any,
    prior: Prior | None,
    total: Array | None,
    rng: np.random.Generator,
    outliers: float = 0.0,
) -> Parameters:
    """Parameters to start EM from, in the coordinates of ``gauge``.

    ``outliers``: share of the rows that are not to become seeds, if they lie far off.
    """
    form = SUMS_FORM[covariance_type]
    prior = None if prior is None else prior.keeping()
    if init_params == "random":
        sums = source.random_step(gauge, rng, n_components, form)
        return from_sums(covariance_type, sums, total, regularization, prior)
    rows, weight = source.sample(_seed_rows(source.n, n_components), rng)
    Z = (rows - gauge.shift) * gauge.scale
    if init_params == "random_from_data":
        centres = Z[rng.choice(len(Z), n_components, replace=len(Z) < n_components)]
    else:
        centres = spread_seeds(Z, weight, n_components, rng, outliers)
    if init_params == "kmeans":
        centres = lloyd(Dense(rows, weight, source.n_threads), gauge, centres, _SAMPLE_PASSES)
        seen = len(Z) if weight is None else float(weight.sum())
        if seen < source.total * (1 - 1e-9):  # rows without weight are none
            centres = lloyd(source, gauge, centres, _PASSES)
    sums, _ = source.step(gauge, nearest_scores(centres), "linear", form, True)
    empty = sums[:, 0] <= 0
    parameters = from_sums(covariance_type, sums, total, regularization, prior)
    return revived(parameters, empty, centres) if empty.any() else parameters


def revived(parameters: Parameters, dead: NDArray[np.bool_], centres: Array) -> Parameters:
    """The dead components take an even share of the weight, new centres and the widest shape."""
    kind = parameters.covariance_type
    weights, means = parameters.weights.copy(), parameters.means.copy()
    covariances = parameters.covariances
    whole, share = weights.sum(), 1 / len(weights)
    weights[dead] = share
    means[dead] = centres[dead]
    if kind != "tied":
        covariances = covariances.copy()
        # The variance of all rows is 1 in these coordinates.
        covariances[dead] = np.eye(means.shape[1]) if kind == "full" else 1.0
    weights *= whole / weights.sum()
    return Parameters(kind, weights, means, covariances, parameters.noise)
