"""Would other customers of the same kind give the same segments? Asked by the bootstrap.

Each time rows are drawn with replacement, clustered anew from a fresh start, and both clusterings
are compared on the same rows: the adjusted Rand index (Hubert and Arabie, 1985) for the whole, and
for each segment the Jaccard index with the new cluster most like it (Hennig, Computational
Statistics & Data Analysis 52, 2007: below 0.6 not to be trusted, above 0.85 highly stable).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._choose import drawn
from ._mixture import fit_mixture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._choose import Progress

    Floats = NDArray[np.float64]

__all__ = ["adjusted_rand", "best_jaccard", "bootstrap"]


def _table(a: NDArray[Any], b: NDArray[Any], n_a: int, n_b: int) -> Floats:
    """How many rows have label i in `a` and j in `b`."""
    return np.bincount(a * n_b + b, minlength=n_a * n_b).reshape(n_a, n_b).astype(np.float64)


def adjusted_rand(counts: Floats) -> float:
    """Adjusted Rand index out of the table of joint counts; 1 for equal partitions."""

    def pairs(n: Floats) -> float:
        return float(np.sum(n * (n - 1) / 2))

    both, a, b = pairs(counts), pairs(counts.sum(axis=1)), pairs(counts.sum(axis=0))
    total = pairs(np.array([counts.sum()]))
    expected = a * b / total if total else 0.0
    largest = (a + b) / 2
    return 1.0 if largest == expected else (both - expected) / (largest - expected)


def best_jaccard(counts: Floats) -> Floats:
    """For each row of the table its largest Jaccard index with a column; NaN for an empty one."""
    size_a, size_b = counts.sum(axis=1), counts.sum(axis=0)
    union = size_a[:, None] + size_b - counts
    best = np.max(counts / np.maximum(union, 1.0), axis=1)
    return np.where(size_a > 0, best, np.nan)


def bootstrap(
    Z: Floats,
    mixture: Any,
    n_bootstrap: int,
    seed: int,
    progress: Progress,
    options: dict[str, Any],
) -> tuple[Floats, Floats]:
    """Compare a mixture with mixtures of resampled rows.

    Parameters
    ----------
    Z : ndarray of float64, shape (n, d)
        Rows to draw from and to compare on.
    mixture : fitted mixture
        Its number of components and covariance type are kept.
    n_bootstrap : int
        How often.
    seed : int
        Of the draws.
    progress : callable
        Told a title, how many are done, and of how many.
    options : dict
        For the mixtures.

    Returns
    -------
    rand : ndarray of float64, shape (n_bootstrap,)
        Adjusted Rand index of each time.
    jaccard : ndarray of float64, shape (n_bootstrap, K), with noise (n_bootstrap, K + 1)
        Best Jaccard index of each component, and of the outliers.
    """
    k = len(mixture.weights_)
    n_labels = k if mixture._noise is None else k + 1
    labels = mixture.predict(Z) % n_labels  # outliers, -1, become the last label
    rng = np.random.default_rng(seed)
    rand, jaccard = np.empty(n_bootstrap), np.empty((n_bootstrap, n_labels))
    for again in range(n_bootstrap):
        progress("stability under the bootstrap", again, n_bootstrap)
        other = fit_mixture(
            drawn(Z, len(Z), rng, replace=True), k, mixture.covariance_type,
            **(options | {"random_state": seed + 1 + again}),
        )  # fmt: skip
        counts = _table(labels, other.predict(Z) % n_labels, n_labels, n_labels)
        rand[again], jaccard[again] = adjusted_rand(counts), best_jaccard(counts)
    return rand, jaccard
