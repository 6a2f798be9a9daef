"""Conjugate priors of a mixture: normal-inverse-Wishart and Dirichlet.

C. Fraley and A. E. Raftery, "Bayesian Regularization for Normal Mixture Estimation and Model-Based
Clustering", Journal of Classification 24, 2007.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._parameters import Parameters

    Array = NDArray[np.float64]

__all__ = ["Prior"]


@dataclass(frozen=True)
class Prior:
    """Conjugate prior in standardised coordinates.

    ``scatter`` is the diagonal of the inverse Wishart's scale matrix. A concentration below 1
    takes rows from every component and prunes those that have none left. ``searches_fewer`` says
    whether a fit that has converged is continued with one component less (minimum message length).
    """

    mean_precision: float = 0.0
    degrees_of_freedom: float = 0.0
    scatter: float = 0.0
    concentration: float = 1.0
    searches_fewer: bool = False

    def without_pruning(self) -> Prior:
        """Return the same prior, but one that keeps all components."""
        return replace(self, concentration=max(self.concentration, 1.0), searches_fewer=False)

    def moments(
        self, covariance_type: str, counts: Array, means: Array, covariances: Array
    ) -> tuple[Array, Array]:
        """Return the posterior mode of means and covariances (Fraley and Raftery, section 3)."""
        d, strength = means.shape[1], self.mean_precision
        n = counts[:, None]
        posterior_precision = np.maximum(strength + n, 1e-300)  # 0 for a component without rows
        pull = strength * n / posterior_precision
        new_means = n * means / posterior_precision
        freedom = self.degrees_of_freedom
        if covariance_type == "full":
            outer = means[:, :, None] * means[:, None, :] * pull[:, :, None]
            scatter = covariances * n[:, :, None] + outer + self.scatter * np.eye(d)
            return new_means, scatter / (n[:, :, None] + freedom + d + 2)
        if covariance_type == "tied":
            total = counts.sum()
            scatter = covariances * total + (means * pull).T @ means + self.scatter * np.eye(d)
            return new_means, scatter / (total + freedom + d + 1 + len(means))
        if covariance_type == "diag":
            scatter = covariances * n + pull * means**2 + self.scatter
            return new_means, scatter / (n + freedom + 3)
        if covariance_type == "tied_diag":
            total = counts.sum()
            scatter = covariances * total + (pull * means**2).sum(axis=0) + self.scatter
            return new_means, scatter / (total + freedom + 2 + len(means))
        scatter = covariances * counts * d + (pull * means**2).sum(axis=1) + self.scatter
        return new_means, scatter / (counts * d + freedom + d + 2)

    def log_density(self, parameters: Parameters) -> float:
        """Return the log-density of the parameters up to a constant: what EM maximises besides."""
        weights, means = parameters.weights, parameters.means
        k, d = means.shape
        value = (self.concentration - 1) * np.log(np.maximum(weights, 1e-300)).sum()
        root, log_det = parameters.precision_roots, parameters.log_det
        freedom = self.degrees_of_freedom
        pulled = self.mean_precision * parameters.distances_from_origin()
        kind = parameters.covariance_type
        if kind == "full":
            terms = (freedom + d + 2) * 2 * log_det - self.scatter * (root**2).sum(axis=(1, 2))
        elif kind == "tied":
            terms = (freedom + d + 1 + k) * 2 * log_det - self.scatter * (root**2).sum()
            return float(value + 0.5 * (terms - pulled.sum()))
        elif kind == "tied_diag":
            terms = (freedom + 2 + k) * 2 * log_det - self.scatter * (root**2).sum()
            return float(value + 0.5 * (terms - pulled.sum()))
        elif kind == "diag":
            terms = (freedom + 3) * 2 * log_det - self.scatter * (root**2).sum(axis=1)
        else:
            terms = (freedom + d + 2) * 2 * log_det / d - self.scatter * root**2
        return float(value + 0.5 * (terms - pulled).sum())
