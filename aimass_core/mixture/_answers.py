"""What a fitted mixture answers: labels, shares, densities, samples, information criteria."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import as_int
from ._base import MixtureBase
from ._forms import n_covariance_parameters
from ._input import as_weights
from ._settings import as_rng

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    Array = NDArray[np.float64]

__all__ = ["Answers"]

_SHARED = (
    "weights_", "means_", "covariances_", "converged_", "n_iter_", "lower_bound_", "lower_bounds_",
)  # fmt: skip


class Answers(MixtureBase):
    """The public questions, under scikit-learn's names."""

    @property
    def precisions_(self) -> Array:
        """Inverse covariances, in their shape."""
        root = self.precisions_cholesky_
        if self._covariance_type in ("full", "tied"):
            return root @ np.swapaxes(root, -1, -2)
        squared: Array = root**2
        return squared

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            Component numbers; of equals, the first. -1: an outlier, for the noise component.
        """
        return self._ask(X, "labels")

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Share of each component in each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components), with noise (n_samples, n_components + 1)
            Rows sum to 1, the last column is that of the noise; float32 for dense float32 rows
            without NaN, else float64. Shares of a float32 row may differ between batches by
            rounding.
        """
        return self._ask(X, "resp")

    def score_samples(self, X: Any) -> Array:
        """Log-density of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of float64, shape (n_samples,)
            Natural logarithms.
        """
        return self._ask(X, "score")

    def score(self, X: Any, y: None = None, sample_weight: Any = None) -> float:
        """Mean log-density of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the mean.

        Returns
        -------
        float
            The mean.
        """
        scores = self.score_samples(X)
        return float(np.average(scores, weights=as_weights(sample_weight, len(scores))))

    def sample(self, n_samples: int = 1) -> tuple[Array, NDArray[np.int64]]:
        """Draw rows from the mixture.

        Parameters
        ----------
        n_samples : int, default=1
            How many.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows, by component.
        y : ndarray of int64, shape (n_samples,)
            Their components; those of the noise, -1, come last and are spread over its box.
        """
        self._check_fitted()
        n = as_int(n_samples, "n_samples", minimum=1)
        rng = as_rng(self.random_state)
        kind = self._covariance_type
        shares = self.weights_
        if self._noise is not None:
            shares = np.append(shares, self.noise_weight_)
        counts = rng.multinomial(n, shares / shares.sum())
        outliers = n - int(counts[: len(self.weights_)].sum())
        n, counts = n - outliers, counts[: len(self.weights_)]
        y = np.repeat(np.arange(len(counts)), counts)
        noise = rng.standard_normal((n, self.n_features_in_))
        if kind == "tied":
            noise = noise @ np.linalg.cholesky(self.covariances_).T
        elif kind == "full":
            ends = np.cumsum(counts)
            for k in np.flatnonzero(counts):
                rows = slice(ends[k] - counts[k], ends[k])
                noise[rows] = noise[rows] @ np.linalg.cholesky(self.covariances_[k]).T
        else:
            deviation = np.sqrt(self.covariances_)[y]
            noise *= deviation if deviation.ndim == 2 else deviation[:, None]
        X = self.means_[y] + noise
        if self.noise_bounds_ is None:
            return X, y
        low, high = self.noise_bounds_
        box = low + rng.random((outliers, self.n_features_in_)) * (high - low)
        return np.concatenate([X, box]), np.append(y, np.full(outliers, -1))

    def _n_parameters(self) -> int:
        k, d = int(self.means_.shape[0]), int(self.means_.shape[1])
        noise = 0 if self._noise is None else 2  # weight and volume, as mclust counts
        return n_covariance_parameters(self._covariance_type, k, d) + k * d + k - 1 + noise

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Bayesian information criterion; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        sample_weight : array-like of shape (n_samples,), optional
            Their weights; their sum is the number of rows.

        Returns
        -------
        float
            -2 log-likelihood + parameters x log(rows).
        """
        return self._criterion(X, sample_weight, None)

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Akaike information criterion; lower is better.

        Parameters
        ----------
        X, sample_weight
            As in `bic`.

        Returns
        -------
        float
            -2 log-likelihood + 2 x parameters.
        """
        return self._criterion(X, sample_weight, 2.0)

    def _criterion(self, X: Any, sample_weight: Any, price: float | None) -> float:
        scores = self.score_samples(X)
        weights = as_weights(sample_weight, len(scores))
        n = len(scores) if weights is None else float(weights.sum())
        total = float(scores.sum() if weights is None else scores @ weights)
        return -2 * total + self._n_parameters() * (np.log(n) if price is None else price)

    # ---- to and from scikit-learn ------------------------------------------------------------

    def to_sklearn(self) -> Any:
        """The same fitted model as scikit-learn's class.

        Returns
        -------
        sklearn.mixture.GaussianMixture
            With its parameters and learned attributes; it shares no array with this one.

        Raises
        ------
        ImportError
            Without scikit-learn.
        ValueError
            For a model with a noise component, which scikit-learn's class can't hold.
        """
        try:
            from sklearn.mixture import GaussianMixture as Theirs
        except ImportError:
            raise ImportError("to_sklearn needs scikit-learn: pip install scikit-learn") from None
        self._check_fitted()
        if self._noise is not None:
            raise ValueError(
                "to_sklearn: scikit-learn's GaussianMixture has no noise component: fit with "
                "noise=0 to convert"
            )
        ours, other = self._fitted_with, Theirs()
        other.set_params(**{name: ours[name] for name in other.get_params() if name in ours})
        for name in (*_SHARED, "precisions_", "precisions_cholesky_"):
            value = getattr(self, name)
            setattr(other, name, value.copy() if isinstance(value, np.ndarray) else value)
        other.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            other.feature_names_in_ = self.feature_names_in_.copy()
        return other

    @classmethod
    def from_sklearn(cls, model: Any) -> Self:
        """This package's model from a fitted one of scikit-learn.

        Parameters
        ----------
        model : sklearn.mixture.GaussianMixture
            Fitted; it is not changed, and no array is shared with it.

        Returns
        -------
        Self
            It answers like `model`.

        Raises
        ------
        ValueError
            If `model` is not fitted.
        """
        if not hasattr(model, "precisions_cholesky_"):
            raise ValueError(f"model must be a fitted GaussianMixture, got {model!r}: fit it first")
        own = cls()
        known = own.get_params()
        own.set_params(**{n: v for n, v in model.get_params().items() if n in known})
        own.set_params(reg_unit="absolute")
        arrays = [
            np.array(getattr(model, name), dtype=np.float64)
            for name in ("weights_", "means_", "covariances_", "precisions_cholesky_")
        ]
        own._set(model.covariance_type, arrays[0], arrays[1], arrays[2], arrays[3])
        own._fitted_with = own.get_params(deep=False)
        for name in ("converged_", "n_iter_", "lower_bound_"):
            setattr(own, name, getattr(model, name))
        own.lower_bounds_ = [float(b) for b in getattr(model, "lower_bounds_", [])]
        own._note_columns(getattr(model, "feature_names_in_", None), own.n_features_in_)
        return own
