"""What to expect of a user and an item before any neighbour is used: mean + bias + bias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import NumericalError
from .csr import row_numbers
from .validation import as_float, csr_parts

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = [
    "Baseline",
    "als_biases",
    "baseline_of",
    "entity_offsets",
    "global_mean",
    "new_user_bias",
    "rating_range",
    "sgd_biases",
]


@dataclass(frozen=True)
class Baseline:
    """mean + feature + entity: what is expected before any neighbour is used."""

    mean: float
    feature: Array
    entity: Array


# Defaults of Koren (2010) as used by Surprise.
REG_U, REG_I = 15.0, 10.0
ALS_EPOCHS, SGD_EPOCHS = 10, 20


def global_mean(X: sp.csr_array) -> float:
    """Return the mean of the stored values; 0 where there are none."""
    return float(X.data.mean(dtype=np.float64)) if X.nnz else 0.0


def _mean_bias(owner: Array, residual: Array, count: Array, regularization: float) -> Array:
    sums = np.bincount(owner, weights=residual, minlength=len(count))
    return np.divide(sums, regularization + count, out=np.zeros(len(count)), where=count > 0)


def als_biases(
    users: Array,
    items: Array,
    ratings: Array,
    shape: tuple[int, int],
    max_iter: int = ALS_EPOCHS,
    reg_u: float = REG_U,
    reg_i: float = REG_I,
    report: Callable[[int], object] = bool,
) -> tuple[Array, Array]:
    """Return biases of users and items by alternating least squares; ``report`` gets each epoch."""
    centred = ratings.astype(np.float64)
    centred -= ratings.mean(dtype=np.float64) if len(ratings) else 0.0
    count_u = np.bincount(users, minlength=shape[0]).astype(np.float64)
    count_i = np.bincount(items, minlength=shape[1]).astype(np.float64)
    bu, bi = np.zeros(shape[0]), np.zeros(shape[1])
    for epoch in range(1, max_iter + 1):
        bi = _mean_bias(items, centred - bu[users], count_i, reg_i)
        bu = _mean_bias(users, centred - bi[items], count_u, reg_u)
        report(epoch)
    return bu, bi


def sgd_biases(
    X: sp.csr_array,
    max_iter: int = SGD_EPOCHS,
    learning_rate: float = 0.005,
    regularization: float = 0.02,
    report: Callable[[int], object] = bool,
) -> tuple[Array, Array]:
    """Return biases of users and items by gradient descent in the order of the entries."""
    from ..jit.baseline_sgd import baseline_sgd

    bu, bi = np.zeros(X.shape[0]), np.zeros(X.shape[1])
    mean = global_mean(X)
    for epoch in range(1, max_iter + 1):
        baseline_sgd(*csr_parts(X), bu, bi, mean, learning_rate, regularization)
        if not (np.isfinite(bu).all() and np.isfinite(bi).all()):
            raise NumericalError(
                f"the biases overflowed in epoch {epoch}: lower learning_rate, or scale the "
                "ratings down"
            )
        report(epoch)
    return bu, bi


def baseline_of(features_by_entities: sp.csr_array) -> Baseline:
    """Return the default baseline of a features x entities matrix; entities stand for users."""
    X = features_by_entities
    bu, bi = als_biases(X.indices, row_numbers(X), X.data, (X.shape[1], X.shape[0]))
    return Baseline(global_mean(X), feature=bi, entity=bu)


def entity_offsets(features_by_entities: sp.csr_array, known: Baseline) -> Baseline:
    """Return the same baseline for other entities: their biases, given those of the features."""
    X = features_by_entities
    residual = X.data - known.mean - np.repeat(known.feature, np.diff(X.indptr))
    count = np.bincount(X.indices, minlength=X.shape[1]).astype(np.float64)
    return Baseline(known.mean, known.feature, _mean_bias(X.indices, residual, count, REG_U))


def new_user_bias(profiles: sp.csr_array, expected: Array) -> Array:
    """Return biases of new users, given the expected rating of each item."""
    residual = profiles.data - expected[profiles.indices]
    count = np.diff(profiles.indptr).astype(np.float64)
    return _mean_bias(row_numbers(profiles), residual, count, REG_U)


def rating_range(scale: Any, X: sp.csr_array) -> tuple[float, float]:
    """Return the lowest and the highest rating: as given, else as in the data."""
    if scale is None:
        return (float(X.data.min()), float(X.data.max())) if X.nnz else (0.0, 0.0)
    try:
        low, high = scale
    except (TypeError, ValueError):
        raise TypeError(f"rating_scale must be (lowest, highest), got {scale!r}") from None
    low, high = as_float(low, "rating_scale[0]"), as_float(high, "rating_scale[1]")
    if low > high:
        raise ValueError(f"rating_scale must be (lowest, highest), got {scale!r}")
    return low, high
