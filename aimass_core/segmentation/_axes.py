"""The axes that separate the segments best: canonical discriminant axes of a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Axes", "leading_axes"]


@dataclass(frozen=True)
class Axes:
    """A projection, and the mixture in its coordinates.

    Attributes
    ----------
    directions : ndarray of float64, shape (d, n_axes)
        ``(Z - origin) @ directions`` are the coordinates.
    origin : ndarray of float64, shape (d,)
        Mean of the mixture.
    loadings : ndarray of float64, shape (d, n_axes)
        Correlation of each column with each axis.
    share : ndarray of float64, shape (n_axes,)
        Share of the differences between segments along each axis.
    means, covariances : ndarray of float64, shape (K, n_axes) and (K, n_axes, n_axes)
        The components in these coordinates.
    """

    directions: Floats
    origin: Floats
    loadings: Floats
    share: Floats
    means: Floats
    covariances: Floats


def leading_axes(weights: Floats, means: Floats, covariances: Floats, n_axes: int) -> Axes:
    """Return at most `n_axes` axes, those that separate the components best first.

    Parameters
    ----------
    weights : ndarray of float64, shape (K,)
        Sum to 1.
    means : ndarray of float64, shape (K, d)
        Means of the components.
    covariances : ndarray of float64, shape (K, d, d)
        Their covariances, positive definite.
    n_axes : int
        Number of axes. If the components differ in fewer directions, those of the largest variance
        follow.

    Returns
    -------
    Axes
        The variance within segments is 1 along every axis. The largest loading is positive.
    """
    d = means.shape[1]
    origin = weights @ means
    within = np.einsum("k,kij->ij", weights, covariances)
    between = np.einsum("k,ki,kj->ij", weights, means - origin, means - origin)
    values, vectors = eigh(between, within)
    n_axes = min(n_axes, d)
    n_separating = int(min(n_axes, np.sum(values > 1e-9 * max(values[-1], 1e-300)), len(means) - 1))
    directions = vectors[:, ::-1][:, :n_separating]
    if n_separating < n_axes:  # then directions of large variance, uncorrelated with these
        free = np.eye(d) - directions @ directions.T @ within
        wide = free @ within @ free.T
        _, more = eigh((wide + wide.T) / 2)
        more = (free @ more[:, ::-1])[:, : n_axes - n_separating]
        length = np.sqrt(np.einsum("ij,ik,kj->j", more, within, more))
        directions = np.concatenate([directions, more / np.maximum(length, 1e-300)], axis=1)
    total = within + between
    deviation = np.sqrt(np.einsum("ij,ik,kj->j", directions, total, directions))
    loadings = (total @ directions) / np.outer(
        np.sqrt(np.diag(total)), np.maximum(deviation, 1e-300)
    )
    largest = np.abs(loadings).argmax(axis=0)
    signs = np.where(loadings[largest, np.arange(directions.shape[1])] < 0, -1.0, 1.0)
    directions, loadings = directions * signs, loadings * signs
    shown = np.zeros(n_axes)
    shown[:n_separating] = values[::-1][:n_separating] / max(values.clip(0).sum(), 1e-300)
    return Axes(
        directions,
        origin,
        loadings,
        shown,
        (means - origin) @ directions,
        np.einsum("ia,kij,jb->kab", directions, covariances, directions),
    )
