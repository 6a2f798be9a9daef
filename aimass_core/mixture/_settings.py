"""The checked parameters of one fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import as_bool, as_choice, as_float, as_int
from ._forms import COVARIANCE_TYPES, n_covariance_parameters
from ._input import as_start
from ._noise import Noise
from ._prior import Prior
from ._seeding import INIT_PARAMS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._gauge import Gauge

    Array = NDArray[np.float64]

__all__ = ["Settings", "as_rng"]


def as_rng(random_state: Any) -> np.random.Generator:
    """A generator from a seed, a generator, a RandomState or None."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 2**32, size=4, dtype=np.uint32))
    if random_state is None:
        return np.random.default_rng()
    return np.random.default_rng(as_int(random_state, "random_state", minimum=0))


@dataclass(frozen=True)
class Settings:
    """Parameters of a model after their check."""

    n_components: int
    covariance_type: str
    tol: float
    reg_covar: float
    relative: bool
    max_iter: int
    n_init: int
    init_params: str
    split_merge: int
    model: Any

    @classmethod
    def of(cls, model: Any) -> Settings:
        """Check the parameters of a model."""
        as_bool(model.warm_start, "warm_start")
        as_bool(model.accelerate, "accelerate")
        verbose = model.verbose  # scikit-learn's callers also pass a boolean
        verbose = int(verbose) if isinstance(verbose, (bool, np.bool_)) else verbose
        as_int(verbose, "verbose", minimum=0)
        as_int(model.verbose_interval, "verbose_interval", minimum=1)
        for name in ("mean_precision_prior", "degrees_of_freedom_prior"):
            as_float(getattr(model, name), name, minimum=0)
        if model.weight_concentration_prior != "mml":
            as_float(model.weight_concentration_prior, "weight_concentration_prior")
        if as_float(model.noise, "noise", minimum=0) >= 1:
            raise ValueError(f"noise must be below 1, the share of all rows, got {model.noise}")
        as_choice(model.missing, "missing", ("error", "marginalize"))
        as_float(model.learning_decay, "learning_decay", above=0, maximum=1)
        as_float(model.learning_offset, "learning_offset", minimum=0)
        as_float(model.min_learning_rate, "min_learning_rate", minimum=0, maximum=1)
        if model.callback is not None and not callable(model.callback):
            raise TypeError(f"callback must be callable, got {type(model.callback).__name__}")
        return cls(
            as_int(model.n_components, "n_components", minimum=1),
            as_choice(model.covariance_type, "covariance_type", COVARIANCE_TYPES),
            as_float(model.tol, "tol", minimum=0),
            as_float(model.reg_covar, "reg_covar", minimum=0),
            as_choice(model.reg_unit, "reg_unit", ("variance", "absolute")) == "variance",
            as_int(model.max_iter, "max_iter", minimum=1),
            as_int(model.n_init, "n_init", minimum=1),
            as_choice(model.init_params, "init_params", INIT_PARAMS),
            as_int(model.split_merge, "split_merge", minimum=0),
            model,
        )

    def rng(self) -> np.random.Generator:
        """The source of chance for this fit."""
        return as_rng(self.model.random_state)

    def regularization(self, gauge: Gauge) -> Any:
        """What is added to the variances in the coordinates of ``gauge``."""
        if self.relative:
            return self.reg_covar
        scaled = self.reg_covar * gauge.scale**2
        return float(scaled[0]) if self.covariance_type == "spherical" else scaled

    def prior(self, d: int) -> Prior | None:
        """The prior, None where its parameters say that there is none."""
        m = self.model
        if m.mean_precision_prior == m.degrees_of_freedom_prior == 0 and (
            m.weight_concentration_prior == 1
        ):
            return None
        scatter = float(self.n_components) ** (-2 / d) if m.degrees_of_freedom_prior > 0 else 0.0
        concentration = m.weight_concentration_prior
        if concentration == "mml":
            own = 0 if self.covariance_type == "tied" else 1
            free = d + own * n_covariance_parameters(self.covariance_type, 1, d)
            concentration = 1 - free / 2
        return Prior(
            float(m.mean_precision_prior), float(m.degrees_of_freedom_prior), scatter,
            float(concentration),
        )  # fmt: skip

    def noise(self, source: Any, gauge: Gauge) -> Noise | None:
        """The component of the outliers, None where none is wanted."""
        if self.model.noise == 0:
            return None
        return Noise.over(
            float(self.model.noise), source.bounds(), gauge, self.covariance_type,
            self.regularization(gauge),
        )  # fmt: skip

    def start(self, d: int) -> tuple[Array | None, Array | None, Array | None]:
        """Starting weights, means and covariances, None where the user gave none."""
        k, m = self.n_components, self.model
        weights = means = covariances = None
        if m.weights_init is not None:
            weights = as_start(m.weights_init, "weights_init", (k,))
            if (weights < 0).any() or (weights > 1).any():
                raise ValueError("weights_init must be in the range [0, 1]")
            if not np.isclose(weights.sum(), 1.0, atol=1e-6):
                raise ValueError(f"weights_init must sum to 1, got {weights.sum()}")
        if m.means_init is not None:
            means = as_start(m.means_init, "means_init", (k, d))
        if m.precisions_init is not None:
            shape = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}
            precisions = as_start(m.precisions_init, "precisions_init", shape[self.covariance_type])
            covariances = _inverse(precisions, self.covariance_type)
        return weights, means, covariances


def _inverse(precisions: Array, covariance_type: str) -> Array:
    if covariance_type in ("diag", "spherical"):
        if (precisions <= 0).any():
            raise ValueError("precisions_init must be positive")
        return np.asarray(1 / precisions, np.float64)
    symmetric = np.allclose(precisions, np.swapaxes(precisions, -1, -2))
    if not symmetric or (np.linalg.eigvalsh(precisions) <= 0).any():
        raise ValueError("precisions_init must be symmetric, positive-definite")
    inverse = np.linalg.inv(precisions)
    return np.asarray((inverse + np.swapaxes(inverse, -1, -2)) / 2, np.float64)
