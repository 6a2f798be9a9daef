"""GaussianMixture: scikit-learn's estimator, name for name, on one fused pass per iteration."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._threads import resolve_n_threads
from ..exceptions import ConvergenceWarning
from ._answers import Answers
from ._em import Problem, Result, iterate
from ._forms import Parameters
from ._gauge import Gauge, gauge_of
from ._report import Reporter
from ._seeding import first_parameters
from ._settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    Array = NDArray[np.float64]

__all__ = ["GaussianMixture"]


class GaussianMixture(Answers):
    """Mixture of Gaussian distributions, fitted by EM.

    Attributes, methods and defaults are those of ``sklearn.mixture.GaussianMixture``; the
    parameters from ``missing`` on are additional, as is ``sample_weight``.

    Parameters
    ----------
    n_components : int, default=1
        Number of components K.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        One covariance matrix each, one for all, one variance per column each, one variance each.
    tol : float, default=1e-3
        EM stops when the mean log-likelihood of a row changes by less.
    reg_covar : float, default=1e-6
        Added to each variance: in units of the variance of the column, see ``reg_unit``.
    max_iter : int, default=100
        Passes over the data at most.
    n_init : int, default=1
        Starts; the one with the highest likelihood wins.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        How responsibilities start: k-means on standardised columns, only its seeds, at random, or
        the nearest of K random rows.
    weights_init, means_init, precisions_init : array-like, optional
        Starting values in place of those, shaped as ``weights_``, ``means_``, ``precisions_``.
    random_state : int, Generator, RandomState or None, default=None
        Seed; the result then does not depend on ``n_threads``.
    warm_start : bool, default=False
        Start from the last fit.
    verbose : int, default=0
        1 prints each start and every ``verbose_interval``-th pass, 2 the likelihood too.
    verbose_interval : int, default=10
        See ``verbose``.
    reg_unit : {"variance", "absolute"}, default="variance"
        What ``reg_covar`` is multiplied by: the variance of each column (so that a change of unit
        changes nothing), or 1 as in scikit-learn.
    accelerate : bool, default=False
        Extrapolate by SQUAREM; a step that lowers the likelihood is taken back.
    mean_precision_prior : float, default=0.0
        Rows that the prior of the means (the mean of the data) counts for.
    degrees_of_freedom_prior : float, default=0.0
        Strength of the prior of the covariances, above 0 to have one; d + 2 is usual. Its centre is
        the variance of the columns over K^(2/d), as of Fraley and Raftery.
    weight_concentration_prior : float, default=1.0
        Dirichlet prior of the weights: above 1 keeps small components alive, below 1 ends them.
    callback : callable, optional
        ``callback(n_iter, lower_bound)`` after each pass; True stops the run.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else all CPUs of this process.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Shares of the components.
    means_ : ndarray of shape (n_components, n_features)
        Their means.
    covariances_, precisions_, precisions_cholesky_ : ndarray
        (K, d, d) full, (d, d) tied, (K, d) diag, (K,) spherical.
    converged_ : bool
        Whether ``tol`` was reached.
    n_iter_ : int
        Passes of the best start.
    lower_bound_ : float
        Its last mean log-likelihood (plus log prior over the number of rows).
    lower_bounds_ : list of float
        After each of its passes.
    n_features_in_, feature_names_in_
        Columns, and their names where all are words.

    Notes
    -----
    Time per pass: 2 n K d (d + 3) flops full, 8 n K d diag, 4 n K d tied and spherical. Memory
    above ``X``: O(threads x K d^2). All arithmetic is float64 on standardised columns, whatever the
    dtype. A component that loses all its rows starts again at a random row, with a warning.

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum Likelihood from Incomplete Data via the EM
    Algorithm", 1977. C. Fraley, A. E. Raftery, "Bayesian Regularization for Normal Mixture
    Estimation and Model-Based Clustering", 2007. R. Varadhan, C. Roland, "Simple and Globally
    Convergent Methods for Accelerating the Convergence of Any EM Algorithm", 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> model = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> bool(model.predict([[0, 0]])[0] == model.predict([[2, 3]])[0])
    True
    >>> sorted(model.means_[:, 0].round().tolist())
    [1.0, 10.0]
    """

    _state: ClassVar[tuple[str, ...]] = (
        "weights_", "means_", "covariances_", "precisions_cholesky_", "converged_", "n_iter_",
        "lower_bound_", "lower_bounds_", "_names",
    )  # fmt: skip

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        reg_unit: str = "variance",
        accelerate: bool = False,
        mean_precision_prior: float = 0.0,
        degrees_of_freedom_prior: float = 0.0,
        weight_concentration_prior: float = 1.0,
        callback: Callable[[int, float], Any] | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.reg_unit = reg_unit
        self.accelerate = accelerate
        self.mean_precision_prior = mean_precision_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.weight_concentration_prior = weight_concentration_prior
        self.callback = callback
        self.n_threads = n_threads

    # ---- learning ----------------------------------------------------------------------------

    def fit(self, X: Any, y: None = None, sample_weight: Any = None) -> Self:
        """Learn from rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, finite. float32 and float64 in C order are not copied.
        y : None
            Ignored; scikit-learn passes it.
        sample_weight : array-like of shape (n_samples,), optional
            How often each row counts; at least 0.

        Returns
        -------
        Self
            The object itself; where this raises, it stays what it was.

        Raises
        ------
        ValueError
            For wrong parameters, or rows that are not finite numbers or fewer than components.
        NumericalError
            Where a covariance is not positive definite in spite of ``reg_covar``.
        """
        settings = Settings.of(self)
        source = self._source(X, sample_weight, resolve_n_threads(self.n_threads))
        if source.n < settings.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = "
                f"{settings.n_components}, n_samples = {source.n} sample(s)"
            )
        best, gauge = self._best(settings, source)
        if not best.converged and settings.max_iter > 0 and self.callback is None:
            warnings.warn(
                f"EM did not converge in {best.n_iter} passes: raise max_iter or tol, set "
                "accelerate=True, or check the data",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._learn(best, gauge)
        self._note_columns(X, source.d)
        return self

    def fit_predict(self, X: Any, y: None = None, sample_weight: Any = None) -> NDArray[np.int64]:
        """Learn from rows, and say which component each belongs to.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            The most probable component of each row, by the final parameters.
        """
        return self.fit(X, y, sample_weight).predict(X)

    def _best(self, settings: Settings, source: Any) -> tuple[Result, Gauge]:
        gauge = gauge_of(source, common=settings.covariance_type == "spherical")
        problem = Problem(
            source, gauge, settings.covariance_type, settings.regularization(gauge),
            settings.prior(source.d),
        )  # fmt: skip
        rng = settings.rng()
        warm = self.warm_start and hasattr(self, "weights_") and self._fits(settings, source.d)
        results = []
        for start in range(1 if warm else settings.n_init):
            if warm:
                begin = Parameters.rescaled(
                    settings.covariance_type, self.weights_, self.means_, self.covariances_, gauge
                )
            else:
                begin = self._start(settings, problem, rng)
            reporter = Reporter(self.verbose, self.verbose_interval, self.callback, start)
            results.append(
                iterate(
                    problem, begin, tol=settings.tol, max_iter=settings.max_iter,
                    accelerate=self.accelerate, rng=rng, report=reporter,
                )
            )  # fmt: skip
            reporter.end(results[-1].converged)
        return max(results, key=lambda r: r.lower_bounds[-1] if r.lower_bounds else -np.inf), gauge

    def _fits(self, settings: Settings, d: int) -> bool:
        return (
            self.means_.shape == (settings.n_components, d)
            and self._covariance_type == settings.covariance_type
        )

    def _start(self, settings: Settings, problem: Problem, rng: np.random.Generator) -> Parameters:
        k, d, kind = settings.n_components, problem.source.d, settings.covariance_type
        weights, means, covariances = settings.start(d)
        if weights is None or means is None or covariances is None:
            begin = first_parameters(
                problem.source, problem.gauge, kind, k, settings.init_params,
                problem.regularization, problem.prior, problem.total, rng,
            )  # fmt: skip
            found_means, found_covariances, _ = begin.unscaled(problem.gauge)
            weights = begin.weights if weights is None else weights
            means = found_means if means is None else means
            covariances = found_covariances if covariances is None else covariances
        return Parameters.rescaled(kind, weights, means, covariances, problem.gauge)

    def _learn(self, best: Result, gauge: Gauge) -> None:
        parameters = best.parameters
        means, covariances, roots = parameters.unscaled(gauge)
        self._set(parameters.covariance_type, parameters.weights, means, covariances, roots)
        self._fitted_with = self.get_params(deep=False)
        self.converged_ = best.converged
        self.n_iter_ = best.n_iter
        self.lower_bound_ = best.lower_bounds[-1] if best.lower_bounds else -np.inf
        self.lower_bounds_ = best.lower_bounds
