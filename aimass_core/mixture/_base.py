"""The inner life of a fitted mixture: its state, its coordinates, its file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.estimator import Estimator
from ..base.threads import resolve_n_threads
from ..exceptions import NotFittedError, NumericalError
from ._forms import Parameters
from ._gauge import Gauge
from ._input import column_names
from ._intake import rows_of
from ._missing import Missing
from ._noise import Noise
from ._sources import Dense
from ._sparse import Sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["MixtureBase"]


class MixtureBase(Estimator):
    """Answers from ``weights_``, ``means_`` and ``covariances_`` alone."""

    weights_: Array
    means_: Array
    covariances_: Array
    precisions_cholesky_: Array
    noise_weight_: float
    noise_bounds_: Array | None
    _noise_log_widths: Array | None
    n_features_in_: int
    n_threads: int | None
    covariance_type: str
    missing: str
    random_state: Any
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    _covariance_type: str  # of the fit
    _fitted_with: dict[str, Any]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "density_estimator"
        tags.input_tags.sparse = False
        return tags

    def _check_fitted(self) -> None:
        if self.__sklearn_is_fitted__():
            return
        message = f"this {type(self).__name__} is not fitted: call fit(X) first"
        theirs = sys.modules.get("sklearn.exceptions")
        if theirs is None:
            raise NotFittedError(message)
        # Its own tools catch its own class.
        kinds = (NotFittedError, theirs.NotFittedError)
        raise type("NotFittedError", kinds, {"__module__": NotFittedError.__module__})(message)

    def _set(
        self,
        kind: str,
        weights: Array,
        means: Array,
        covariances: Array,
        roots: Array,
        noise: Noise | None = None,
    ) -> None:
        # In C order, as they come from a file: the order of memory is one of summation.
        self.weights_, self.means_ = weights, np.ascontiguousarray(means)
        self.covariances_ = np.ascontiguousarray(covariances)
        self.precisions_cholesky_ = roots
        self._covariance_type = kind
        self.n_features_in_ = means.shape[1]
        self.noise_weight_ = 0.0 if noise is None else noise.weight
        self.noise_bounds_ = None if noise is None else noise.bounds
        self._noise_log_widths = None if noise is None else noise.log_widths

    @property
    def _noise(self) -> Noise | None:
        widths, bounds = self._noise_log_widths, self.noise_bounds_
        if widths is None or bounds is None:
            return None
        return Noise(self.noise_weight_, widths, bounds)

    def _note_columns(self, names: Any, d: int) -> None:
        self.n_features_in_ = d
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _scorer(self) -> tuple[Gauge, Parameters]:
        """Coordinates in which the components are near 0, and the parameters there."""
        means, covariances, kind = self.means_, self.covariances_, self._covariance_type
        weights = self.weights_ / self.weights_.sum()  # the noise has its own
        shift = weights @ means
        if kind in ("full", "tied"):
            variance = np.diagonal(covariances, axis1=-2, axis2=-1)
        else:
            variance = covariances if covariances.ndim == 2 else covariances[:, None]
        within = variance if kind == "tied" else weights @ variance
        with np.errstate(over="ignore", under="ignore"):
            spread = np.abs(means - shift).max(axis=0)
            deviation = np.hypot(np.sqrt(within), spread / 4)
        if kind == "spherical":
            deviation = np.full(len(shift), deviation.max())
        gauge = Gauge(shift, 1 / np.broadcast_to(deviation, shift.shape))
        return gauge, self._parameters(gauge)

    def _parameters(self, gauge: Gauge) -> Parameters:
        return Parameters.rescaled(
            self._covariance_type, self.weights_, self.means_, self.covariances_, gauge, self._noise
        )

    def _ask(self, X: Any, output: str) -> NDArray[Any]:
        self._check_fitted()
        threads = resolve_n_threads(self.n_threads)
        source = self._rows(X, threads)
        gauge, parameters = self._scorer()
        found: NDArray[Any]
        if isinstance(source, Missing):
            found = source.ask(gauge, parameters, output)
        elif isinstance(source, Sparse):
            gauge = Gauge(np.zeros(source.d), gauge.scale)
            parameters = self._parameters(gauge)
            found = source.ask(gauge, parameters.coefficients(), parameters.form, output)
        else:
            found = kernels.gmm_score(
                source.X, gauge.shift, gauge.scale, parameters.coefficients(),
                parameters.common() if output == "score" else None, parameters.form, output,
                threads,
            )  # fmt: skip
        if output == "score":
            found += gauge.log_det
        wrong = found < 0 if output == "labels" else ~np.isfinite(found)
        if parameters.noise is not None and wrong.any():
            wrong = _as_outliers(found, wrong, source, gauge, parameters.noise)
        if wrong.any():
            row = int(np.argwhere(wrong)[0][0])
            raise NumericalError(
                f"row {row} of X is too far from every component (beyond 1e150 standard deviations)"
            )
        if output == "labels" and parameters.noise is not None:
            found[found == len(parameters.weights)] = -1
        return found

    def _rows(self, X: Any, n_threads: int) -> Dense | Sparse:
        names, known = column_names(X), getattr(self, "feature_names_in_", None)
        if names is not None and known is not None and list(names) != list(known):
            raise ValueError(
                "The feature names should match those that were passed during fit: "
                f"got {list(names)[:5]}, fitted on {list(known)[:5]}"
            )
        return rows_of(
            X, None, n_threads, self._covariance_type, self.missing,
            n_columns=self.n_features_in_, what=type(self).__name__,
        )  # fmt: skip

    def _fitted_parameters(self) -> dict[str, Any]:
        """The parameters of the fit as a file can hold them."""
        parameters = dict(self._fitted_with)
        parameters["callback"] = None
        if not isinstance(parameters["random_state"], (int, np.integer)):
            parameters["random_state"] = None
        for name in ("weights_init", "means_init", "precisions_init"):
            if parameters[name] is not None:
                parameters[name] = np.asarray(parameters[name]).tolist()
        return parameters

    @property
    def _names(self) -> list[str] | None:
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else list(names)

    @_names.setter
    def _names(self, names: Any) -> None:
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)

    def _restore(self) -> None:
        """Check a model that came from a file."""
        self._fitted_with = self.get_params(deep=False)
        self.lower_bounds_ = list(self.lower_bounds_)
        kind = self.covariance_type
        k, d = self.means_.shape
        shape = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}[kind]
        for name, expected in (
            ("weights_", (k,)), ("covariances_", shape), ("precisions_cholesky_", shape),
        ):  # fmt: skip
            if getattr(self, name).shape != expected:
                raise ValueError(f"{name} has a wrong shape")
        bounds, widths = self.noise_bounds_, self._noise_log_widths
        if (bounds is None) != (widths is None):
            raise ValueError("noise_bounds_ has a wrong shape")
        if bounds is not None and widths is not None:
            Noise(self.noise_weight_, widths, bounds).check(d)
        elif self.noise_weight_ != 0:
            raise ValueError(f"noise_weight_ is {self.noise_weight_} without noise_bounds_")
        self._covariance_type = kind
        self.n_features_in_ = d


def _as_outliers(
    found: NDArray[Any], wrong: NDArray[np.bool_], source: Dense | Sparse, gauge: Gauge,
    noise: Noise,
) -> NDArray[np.bool_]:  # fmt: skip
    """Answer for rows so far off that the components' densities overflow; which are left wrong."""
    rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
    if noise.weight == 0:
        return wrong
    if found.ndim == 2:
        found[rows] = 0
        found[rows, -1] = 1
    elif found.dtype == np.int64:
        found[rows] = -1
    else:
        for row in rows:
            known = np.ones(source.d, dtype=bool)
            if isinstance(source, Missing):
                known = ~np.isnan(source.holed[row])
            found[row] = noise.log_score(known) + np.log(gauge.scale[known]).sum()
    return np.zeros(1, dtype=bool)
