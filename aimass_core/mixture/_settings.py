"""The checked parameters of one fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.random import as_generator
from ..base.validation import as_bool, as_choice, as_float, as_int
from ._initialization import INIT_PARAMS
from ._noise import Noise
from ._parameters import (
    COVARIANCE_TYPES,
    MATRIX_TYPES,
    TIED_TYPES,
    covariance_shape,
    n_covariance_parameters,
)
from ._prior import Prior
from ._validation import as_start

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._rows import RowSource
    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Parameters of a `GaussianMixture`, checked."""

    n_components: int
    covariance_type: str
    tol: float
    reg_covar: float
    is_relative: bool  # reg_covar is in units of each column's variance
    max_iter: int
    n_init: int
    init_params: str
    split_merge: int
    accelerate: bool
    mean_precision_prior: float
    degrees_of_freedom_prior: float
    weight_concentration_prior: float | str
    noise: float
    random_state: Any
    weights_init: Any
    means_init: Any
    precisions_init: Any

    @classmethod
    def of(cls, model: Any) -> Settings:
        """Check the parameters of a model."""
        as_bool(model.warm_start, "warm_start")
        if not isinstance(model.verbose, (bool, np.bool_)):  # scikit-learn's callers pass numbers
            as_int(model.verbose, "verbose", minimum=0)
        concentration = model.weight_concentration_prior
        if concentration != "mml":
            concentration = as_float(concentration, "weight_concentration_prior")
        noise = as_float(model.noise, "noise", minimum=0)
        if noise >= 1:
            raise ValueError(f"noise must be below 1, the share of all rows, got {model.noise}")
        as_choice(model.missing, "missing", ("error", "marginalize"))
        if model.categorical_features is not None and model.split_merge:
            raise ValueError(
                "split_merge has no moves for categorical columns: set split_merge=0 and raise "
                "n_init instead"
            )
        as_float(model.learning_decay, "learning_decay", above=0, maximum=1)
        as_float(model.learning_offset, "learning_offset", minimum=0)
        as_float(model.min_learning_rate, "min_learning_rate", minimum=0, maximum=1)
        if model.callback is not None and not callable(model.callback):
            raise TypeError(f"callback must be callable, got {type(model.callback).__name__}")
        return cls(
            n_components=as_int(model.n_components, "n_components", minimum=1),
            covariance_type=as_choice(model.covariance_type, "covariance_type", COVARIANCE_TYPES),
            tol=as_float(model.tol, "tol", minimum=0),
            reg_covar=as_float(model.reg_covar, "reg_covar", minimum=0),
            is_relative=as_choice(model.reg_unit, "reg_unit", ("variance", "absolute"))
            == "variance",
            max_iter=as_int(model.max_iter, "max_iter", minimum=1),
            n_init=as_int(model.n_init, "n_init", minimum=1),
            init_params=as_choice(model.init_params, "init_params", INIT_PARAMS),
            split_merge=as_int(model.split_merge, "split_merge", minimum=0),
            accelerate=as_bool(model.accelerate, "accelerate"),
            mean_precision_prior=as_float(
                model.mean_precision_prior, "mean_precision_prior", minimum=0
            ),
            degrees_of_freedom_prior=as_float(
                model.degrees_of_freedom_prior, "degrees_of_freedom_prior", minimum=0
            ),
            weight_concentration_prior=concentration,
            noise=noise,
            random_state=model.random_state,
            weights_init=model.weights_init,
            means_init=model.means_init,
            precisions_init=model.precisions_init,
        )

    def rng(self) -> np.random.Generator:
        """Return the generator of random numbers for this fit."""
        return as_generator(self.random_state)

    def regularization(self, standardizer: Standardizer) -> Any:
        """Return what is added to the variances in standardised coordinates."""
        if self.is_relative:
            return self.reg_covar
        scaled = self.reg_covar * standardizer.scale**2
        return float(scaled[0]) if self.covariance_type == "spherical" else scaled

    def prior(self, d: int, n_values: tuple[int, ...] = ()) -> Prior | None:
        """Return the prior, None where the parameters name none."""
        concentration = self.weight_concentration_prior
        if self.mean_precision_prior == self.degrees_of_freedom_prior == 0 and concentration == 1:
            return None
        scatter = 0.0
        if self.degrees_of_freedom_prior > 0:
            scatter = float(self.n_components) ** (-2 / d)
        searches_fewer = concentration == "mml"
        if searches_fewer:
            n_free = d + sum(n - 1 for n in n_values)
            if self.covariance_type not in TIED_TYPES:
                n_free += n_covariance_parameters(self.covariance_type, 1, d)
            concentration = 1 - n_free / 2
        return Prior(
            self.mean_precision_prior,
            self.degrees_of_freedom_prior,
            scatter,
            float(concentration),
            searches_fewer,
        )

    def noise_component(self, source: RowSource, standardizer: Standardizer) -> Noise | None:
        """Return the noise component, None without one."""
        if self.noise == 0:
            return None
        return Noise.over(
            self.noise,
            source.bounds(),
            standardizer,
            self.covariance_type,
            self.regularization(standardizer),
        )

    def start(self, d: int) -> tuple[Array | None, Array | None, Array | None]:
        """Return starting weights, means and covariances, None where the caller gave none."""
        k = self.n_components
        weights = means = covariances = None
        if self.weights_init is not None:
            weights = as_start(self.weights_init, "weights_init", (k,))
            if (weights < 0).any() or (weights > 1).any():
                raise ValueError("weights_init must be in the range [0, 1]")
            if not np.isclose(weights.sum(), 1.0, atol=1e-6):
                raise ValueError(f"weights_init must sum to 1, got {weights.sum()}")
        if self.means_init is not None:
            means = as_start(self.means_init, "means_init", (k, d))
        if self.precisions_init is not None:
            shape = covariance_shape(self.covariance_type, k, d)
            precisions = as_start(self.precisions_init, "precisions_init", shape)
            covariances = _inverse(precisions, self.covariance_type)
        return weights, means, covariances


def _inverse(precisions: Array, covariance_type: str) -> Array:
    if covariance_type not in MATRIX_TYPES:
        if (precisions <= 0).any():
            raise ValueError("precisions_init must be positive")
        return np.asarray(1 / precisions, np.float64)
    is_symmetric = np.allclose(precisions, np.swapaxes(precisions, -1, -2))
    if not is_symmetric or (np.linalg.eigvalsh(precisions) <= 0).any():
        raise ValueError("precisions_init must be symmetric, positive-definite")
    inverse = np.linalg.inv(precisions)
    return np.asarray((inverse + np.swapaxes(inverse, -1, -2)) / 2, np.float64)
