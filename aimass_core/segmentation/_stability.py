"""The stability of segments under the bootstrap.

Rows are drawn with replacement and clustered anew from a fresh start. Both clusterings are
compared on the same rows: by the adjusted Rand index as a whole (L. Hubert and P. Arabie,
"Comparing partitions", Journal of Classification 2, 1985), and for each segment by the Jaccard
index with the new cluster most like it (C. Hennig, "Cluster-wise assessment of cluster stability",
Computational Statistics & Data Analysis 52, 2007: below 0.6 it should not be trusted, above 0.85 it
is highly stable).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._mixture import fit_mixture
from ._rows import sample_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.progress import Progress
    from ..mixture import GaussianMixture

    Floats = NDArray[np.float64]

__all__ = ["adjusted_rand", "best_jaccard", "bootstrap"]


def _table(a: NDArray[Any], b: NDArray[Any], n_a: int, n_b: int) -> Floats:
    """Return the number of rows with label i in `a` and j in `b`."""
    return np.bincount(a * n_b + b, minlength=n_a * n_b).reshape(n_a, n_b).astype(np.float64)


def adjusted_rand(counts: Floats) -> float:
    """Return the adjusted Rand index of a table of joint counts; 1 for equal partitions."""

    def pairs(n: Floats) -> float:
        return float(np.sum(n * (n - 1) / 2))

    both, a, b = pairs(counts), pairs(counts.sum(axis=1)), pairs(counts.sum(axis=0))
    total = pairs(np.array([counts.sum()]))
    expected = a * b / total if total else 0.0
    largest = (a + b) / 2
    return 1.0 if largest == expected else (both - expected) / (largest - expected)


def best_jaccard(counts: Floats) -> Floats:
    """Return the largest Jaccard index of each row with a column; NaN for an empty row."""
    size_a, size_b = counts.sum(axis=1), counts.sum(axis=0)
    union = size_a[:, None] + size_b - counts
    best = np.max(counts / np.maximum(union, 1.0), axis=1)
    return np.where(size_a > 0, best, np.nan)


def bootstrap(
    Z: Floats,
    mixture: GaussianMixture,
    n_bootstrap: int,
    seed: int,
    progress: Progress,
    options: dict[str, Any],
) -> tuple[Floats, Floats]:
    """Return the agreement of a mixture with mixtures of resampled rows.

    Parameters
    ----------
    Z : ndarray of float64, shape (n, d)
        Rows to draw from and to compare on.
    mixture : GaussianMixture
        Fitted; its number of components and covariance type are kept.
    n_bootstrap : int
        Number of resamples.
    seed : int
        Seed of the draws.
    progress : Progress
        Reports each resample; its callback may end the work after some.
    options : dict
        Parameters of the mixtures.

    Returns
    -------
    rand : ndarray of float64, shape (n_bootstrap,)
        Adjusted Rand index of each resample.
    jaccard : ndarray of float64, shape (n_bootstrap, K), with noise (n_bootstrap, K + 1)
        Best Jaccard index of each component, and of the outliers.
    """
    k = len(mixture.weights_)
    n_labels = k if mixture._noise is None else k + 1
    labels = mixture.predict(Z) % n_labels  # outliers, -1, become the last label
    rng = np.random.default_rng(seed)
    rand, jaccard = np.empty(n_bootstrap), np.empty((n_bootstrap, n_labels))
    for number in range(n_bootstrap):
        other = fit_mixture(
            sample_rows(Z, len(Z), rng, replace=True),
            k,
            mixture.covariance_type,
            **(options | {"random_state": seed + 1 + number}),
        )
        counts = _table(labels, other.predict(Z) % n_labels, n_labels, n_labels)
        rand[number], jaccard[number] = adjusted_rand(counts), best_jaccard(counts)
        if progress.step(number + 1, {"adjusted_rand": float(rand[number])}):
            return rand[: number + 1], jaccard[: number + 1]
    return rand, jaccard
