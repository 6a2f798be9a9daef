"""The plane in which the segments lie farthest apart: canonical discriminant axes of a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Axes", "full_covariances", "leading_axes"]


@dataclass(frozen=True)
class Axes:
    """A projection, and what it makes of the mixture.

    Attributes
    ----------
    directions : ndarray of float64, shape (d, n_axes)
        ``(Z - origin) @ directions`` are the coordinates.
    origin : ndarray of float64, shape (d,)
        Mean of the mixture.
    loadings : ndarray of float64, shape (d, n_axes)
        Correlation of each column with each axis.
    share : ndarray of float64, shape (n_axes,)
        Of the differences between segments that the axis shows.
    means, covariances : ndarray of float64, shape (K, n_axes) and (K, n_axes, n_axes)
        The components in these coordinates.
    """

    directions: Floats
    origin: Floats
    loadings: Floats
    share: Floats
    means: Floats
    covariances: Floats


def full_covariances(covariances: Floats, covariance_type: str, k: int, d: int) -> Floats:
    """Covariances of any type as matrices, shape (k, d, d)."""
    if covariance_type == "full":
        return covariances
    if covariance_type == "tied":
        return np.broadcast_to(covariances, (k, d, d))
    if covariance_type == "diag":
        return np.asarray(np.eye(d) * covariances[:, None, :])
    return np.asarray(np.eye(d) * covariances[:, None, None])


def leading_axes(weights: Floats, means: Floats, covariances: Floats, n_axes: int) -> Axes:
    """At most `n_axes` axes, those that separate the components first.

    Parameters
    ----------
    weights : ndarray of float64, shape (K,)
        Sum to 1.
    means : ndarray of float64, shape (K, d)
        Of the components.
    covariances : ndarray of float64, shape (K, d, d)
        Positive definite.
    n_axes : int
        Where the components differ in fewer directions, the widest directions follow.

    Returns
    -------
    Axes
        The spread within segments is 1 along every axis. Signs are fixed by the largest loading.
    """
    d = means.shape[1]
    origin = weights @ means
    within = np.einsum("k,kij->ij", weights, covariances)
    between = np.einsum("k,ki,kj->ij", weights, means - origin, means - origin)
    values, vectors = eigh(between, within)
    n_axes = min(n_axes, d)
    telling = int(min(n_axes, np.sum(values > 1e-9 * max(values[-1], 1e-300)), len(means) - 1))
    directions = vectors[:, ::-1][:, :telling]
    if telling < n_axes:  # the rest: widest directions that are uncorrelated with these
        free = np.eye(d) - directions @ directions.T @ within
        wide = free @ within @ free.T
        _, more = eigh((wide + wide.T) / 2)
        more = (free @ more[:, ::-1])[:, : n_axes - telling]
        length = np.sqrt(np.einsum("ij,ik,kj->j", more, within, more))
        directions = np.concatenate([directions, more / np.maximum(length, 1e-300)], axis=1)
    total = within + between
    spread = np.sqrt(np.einsum("ij,ik,kj->j", directions, total, directions))
    loadings = (total @ directions) / np.outer(np.sqrt(np.diag(total)), np.maximum(spread, 1e-300))
    largest = np.abs(loadings).argmax(axis=0)
    signs = np.where(loadings[largest, np.arange(directions.shape[1])] < 0, -1.0, 1.0)
    directions, loadings = directions * signs, loadings * signs
    shown = np.zeros(n_axes)
    shown[:telling] = values[::-1][:telling] / max(values.clip(0).sum(), 1e-300)
    return Axes(
        directions,
        origin,
        loadings,
        shown,
        (means - origin) @ directions,
        np.einsum("ia,kij,jb->kab", directions, covariances, directions),
    )
