"""GaussianMixture: scikit-learn's estimator, name for name, on one fused pass per iteration."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from ..base.registry import register
from ..base.threads import resolve_n_threads
from ..exceptions import ConvergenceWarning
from ._fitting import Fitting
from ._intake import names_of, source_of
from ._settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self

__all__ = ["GaussianMixture"]


@register("gaussian-mixture")
class GaussianMixture(Fitting):
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
    split_merge : int, default=0
        Moves out of a bad optimum that are tried, one after the other without success, on the best
        start: two components merge, a third one is split, and EM goes on. A move counts only if
        the likelihood ends higher. Each costs a run of EM; needs three components or more.
    mean_precision_prior : float, default=0.0
        Rows that the prior of the means (the mean of the data) counts for.
    degrees_of_freedom_prior : float, default=0.0
        Strength of the prior of the covariances, above 0 to have one; d + 2 is usual. Its centre is
        the variance of the columns over K^(2/d), as of Fraley and Raftery.
    weight_concentration_prior : float or "mml", default=1.0
        Dirichlet prior of the weights: above 1 keeps small components alive; below 1 (or below 0)
        a component ends when fewer than 1 - prior rows are left. "mml": 1 - T/2 for T parameters
        of a component, minimum message length: start with too many, keep those that pay.
    missing : {"error", "marginalize"}, default="error"
        What NaN means: a mistake, or an unknown value that the likelihood leaves out exactly (in
        `fit`, `predict` and the others; costs a pass of NumPy per pattern of known columns).
    noise : float, default=0.0
        Above 0: a component of constant density over the box of the data takes up outliers, so
        that no Gaussian has to stretch for them. The share of the rows that it starts with, below
        1; its weight is learnt. Tied covariances then cost as much as full ones.
    learning_decay, learning_offset, min_learning_rate : float, default=0.7, 10.0, 0.0
        Batch t of `partial_fit` counts max((t + offset)^-decay, min_learning_rate); a minimum above
        0 lets old batches fade, for customers who change.
    callback : callable, optional
        ``callback(n_iter, lower_bound)`` after each pass; True stops the run.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else all CPUs of this process.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Shares of the components; they and ``noise_weight_`` sum to 1.
    means_ : ndarray of shape (n_components, n_features)
        Their means.
    covariances_, precisions_, precisions_cholesky_ : ndarray
        (K, d, d) full, (d, d) tied, (K, d) diag, (K,) spherical.
    noise_weight_ : float
        Share of the outliers, 0 without noise.
    noise_bounds_ : ndarray of shape (2, n_features) or None
        Box that their density is constant over: least and largest value of each column. It is the
        same beyond, so new rows far from every component are outliers.
    converged_ : bool
        Whether ``tol`` was reached.
    n_iter_ : int
        Passes of the best run.
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
    Convergent Methods for Accelerating the Convergence of Any EM Algorithm", 2008. M. Figueiredo,
    A. K. Jain, "Unsupervised Learning of Finite Mixture Models", 2002. J. D. Banfield,
    A. E. Raftery, "Model-Based Gaussian and Non-Gaussian Clustering", 1993. N. Ueda et al., "SMEM
    Algorithm for Mixture Models", 2000.

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
        "lower_bound_", "lower_bounds_", "_names", "noise_weight_", "noise_bounds_",
        "_noise_log_widths",
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
        split_merge: int = 0,
        mean_precision_prior: float = 0.0,
        degrees_of_freedom_prior: float = 0.0,
        weight_concentration_prior: float | str = 1.0,
        missing: str = "error",
        noise: float = 0.0,
        learning_decay: float = 0.7,
        learning_offset: float = 10.0,
        min_learning_rate: float = 0.0,
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
        self.split_merge = split_merge
        self.mean_precision_prior = mean_precision_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.weight_concentration_prior = weight_concentration_prior
        self.missing = missing
        self.noise = noise
        self.learning_decay = learning_decay
        self.learning_offset = learning_offset
        self.min_learning_rate = min_learning_rate
        self.callback = callback
        self.n_threads = n_threads

    # ---- learning ----------------------------------------------------------------------------

    def fit(self, X: Any, y: None = None, sample_weight: Any = None) -> Self:
        """Learn from rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), sparse matrix, or path
            Numbers, finite. float32 and float64 in C order are not copied. Sparse: covariance_type
            "diag" or "spherical". A ``.npy`` file is mapped, a Parquet file of numbers (none
            missing) read batch by batch in each pass.
        y : None
            Ignored; scikit-learn passes it.
        sample_weight : array-like of shape (n_samples,), optional
            How often each row counts; at least 0. For a Parquet file the name of a column.

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
        source = source_of(
            X, sample_weight, resolve_n_threads(self.n_threads), settings.covariance_type,
            self.missing,
        )  # fmt: skip
        best, problem = self._best(settings, source)
        if not best.converged and settings.max_iter > 0 and self.callback is None:
            warnings.warn(
                f"EM did not converge in {best.n_iter} passes: raise max_iter or tol, set "
                "accelerate=True, or check the data",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._learn(best.parameters, problem.gauge, best)
        self._note_columns(names_of(X, source), source.d)
        self._online = None
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
            The most probable component of each row, by the final parameters; -1: an outlier.
        """
        return self.fit(X, y, sample_weight).predict(X)
