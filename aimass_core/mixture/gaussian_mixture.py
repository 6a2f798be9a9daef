"""GaussianMixture: scikit-learn's estimator under the same names, with one fused pass per step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..array_api import like
from ..base.caller import warn_caller
from ..base.estimator import Estimator
from ..base.executor import open_runner
from ..base.optional import import_optional
from ..base.progress import log_duration, logger
from ..base.random import as_generator
from ..base.registry import register
from ..base.threads import resolve_n_threads
from ..base.transform_output import TransformOutput
from ..base.validation import as_float, as_int
from ..exceptions import ConvergenceWarning, NotFittedError, NumericalError
from ._em import Problem, Result
from ._executor_rows import ExecutorRows
from ._fit import Reporter, best_fit
from ._missing_rows import MissingRows, conditional_of
from ._mixed_rows import Codes, MixedRows
from ._noise import Noise
from ._online import Online
from ._parameters import (
    MATRIX_TYPES,
    TIED_TYPES,
    Parameters,
    covariance_shape,
    n_covariance_parameters,
)
from ._settings import Settings
from ._sources import category_columns, is_path, names_of, rows_in_memory, source_of
from ._sparse_rows import SparseRows
from ._standardizer import Standardizer
from ._validation import as_weights, column_names

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event
    from ._sources import RowsInMemory

    Array = NDArray[np.float64]

__all__ = ["GaussianMixture"]

# Attributes that scikit-learn's class has under the same names.
_SHARED_ATTRIBUTES = (
    "weights_",
    "means_",
    "covariances_",
    "precisions_",
    "precisions_cholesky_",
    "converged_",
    "n_iter_",
    "lower_bound_",
    "lower_bounds_",
)


@register("gaussian-mixture")
class GaussianMixture(TransformOutput, Estimator):
    """Mixture of Gaussian distributions, fitted by EM.

    Attributes, methods and defaults are those of ``sklearn.mixture.GaussianMixture``. The
    parameters from ``reg_unit`` on are additional, as are ``covariance_type="tied_diag"``,
    ``sample_weight``, `partial_fit`, `condition` and `impute`.

    Parameters
    ----------
    n_components : int, default=1
        Number of components K.
    covariance_type : {"full", "tied", "diag", "tied_diag", "spherical"}, default="full"
        One covariance matrix for each component, one for all components, one variance per column
        for each component, one variance per column for all components, or one variance for each
        component.
    tol : float, default=1e-3
        EM stops when the mean log-likelihood of a row changes by less.
    reg_covar : float, default=1e-6
        Added to each variance, in the unit that ``reg_unit`` names.
    max_iter : int, default=100
        Maximum number of passes over the data.
    n_init : int, default=1
        Number of starts; the one with the highest likelihood is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        How responsibilities start: by k-means on standardised columns, by the seeds of k-means
        alone, at random, or by the nearest of K random rows.
    weights_init, means_init, precisions_init : array-like, optional
        Starting values in place of those, shaped as ``weights_``, ``means_``, ``precisions_``.
    random_state : int, Generator, RandomState or None, default=None
        Seed. With a seed the result is reproducible and does not depend on ``n_threads``.
    warm_start : bool, default=False
        Whether to start from the parameters of the last fit.
    verbose : bool, default=False
        Show a progress bar on standard error in fits of more than two seconds.
    reg_unit : {"variance", "absolute"}, default="variance"
        Unit of ``reg_covar``: the variance of each column (a change of units then changes
        nothing), or 1 as in scikit-learn.
    accelerate : bool, default=False
        Whether to extrapolate by SQUAREM; a step that lowers the likelihood is taken back.
    split_merge : int, default=0
        Number of split-and-merge moves without success that end the search for a better optimum; 0
        makes no search. A move merges two components of the best result, splits a third one, and
        continues EM. It counts only if the likelihood ends higher. Each move costs one run of EM.
        Needs at least three components.
    mean_precision_prior : float, default=0.0
        Number of rows that the prior of the means counts for. Its centre is the mean of the data.
    degrees_of_freedom_prior : float, default=0.0
        Strength of the prior of the covariances; 0 is no prior, d + 2 is usual. Its centre is the
        variance of the columns divided by K^(2/d), as Fraley and Raftery propose.
    weight_concentration_prior : float or "mml", default=1.0
        Dirichlet prior of the weights. Above 1 it keeps small components alive. Below 1 (it may be
        negative) a component is pruned when fewer than 1 - prior rows are left to it. "mml" is
        minimum message length: start with too many components; those that do not pay for their
        parameters are pruned. After convergence the smallest component is removed and EM
        continues, down to one component, and the shortest message is kept.
    missing : {"error", "marginalize"}, default="error"
        Whether NaN (also pandas' NA) is an error, or an unknown value that the likelihood
        marginalises exactly, in `fit`, `predict` and the other methods.
    categorical_features : list of int or str, or mapping of these to int, optional
        Columns that hold category codes 0, 1, 2, ..., by position or, for a table, by name; a
        mapping also gives the number of values, otherwise the largest code decides. Given
        the component, each has a categorical distribution that is independent of all other
        columns; ``means_`` and ``covariances_`` are those of the other columns. A Dirichlet prior
        with the weight of one row keeps every probability above 0. NaN, where ``missing`` allows
        it, and codes that the fit has not seen are left out of the likelihood.
    noise : float, default=0.0
        Above 0, a component of constant density over the box of the data takes up outliers, so
        that no Gaussian has to widen for them. The value is the share of the rows that it starts
        with, below 1; its weight is learnt. Tied types then cost as much as the untied ones.
    learning_decay, learning_offset, min_learning_rate : float, default=0.7, 10.0, 0.0
        Batch t of `partial_fit` has the weight max((t + offset)^-decay, min_learning_rate). With a
        minimum above 0 old batches fade, for data that changes over time.
    callback : callable, optional
        Called with an `Event` after each pass of each run: its ``values`` hold "lower_bound" and
        "n_components", its ``model`` is the model after this pass. A true result ends the run, and
        no split-and-merge moves follow.
    n_threads : int, optional
        Number of threads; by default ``AIMASS_NUM_THREADS``, otherwise all CPUs of this process.
    device : str, default="cpu"
        Where `fit` computes its passes over dense rows. "cuda" is an NVIDIA GPU by PyTorch or
        CuPy, which needs the extra ``gpu``. Rows that already are on a device stay there.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Weights of the components; they and ``noise_weight_`` sum to 1.
    means_ : ndarray of shape (n_components, n_features)
        Means of the components; of the continuous columns if there are categorical ones.
    covariances_, precisions_, precisions_cholesky_ : ndarray
        Of shape (K, d, d) for full, (d, d) for tied, (K, d) for diag, (d,) for tied_diag, (K,) for
        spherical covariances.
    category_probabilities_ : dict of int to ndarray of shape (n_components, n_values)
        For each categorical column, by position: the probability of each code.
    noise_weight_ : float
        Share of the outliers, 0 without noise.
    noise_bounds_ : ndarray of shape (2, n_features) or None
        Smallest and largest value of each column: the box of the noise component. Its density is
        the same beyond the box, so new rows far from every component are outliers.
    converged_ : bool
        Whether ``tol`` was reached.
    n_iter_ : int
        Number of passes of the best run.
    lower_bound_ : float
        Its last mean log-likelihood (plus log prior divided by the number of rows).
    lower_bounds_ : list of float
        The same after each of its passes.
    n_features_in_, feature_names_in_
        Number of columns, and their names if all are strings.

    Notes
    -----
    Time per pass: 2 n K d (d + 3) flops for full covariances, 8 n K d for diag, 4 n K d for tied,
    tied_diag and spherical. Rows with missing values cost a pass of NumPy for each pattern of known
    columns. Memory beyond ``X``: O(n_threads x K d^2). Arithmetic is float64 on
    standardised columns. Passes over float32 rows (full covariances from 12 columns on, and diag)
    are float32 with float64 sums where that is safe. A component that loses all
    its rows is re-initialised at a random row, with a warning.

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum Likelihood from Incomplete Data via the EM
    Algorithm", JRSS B 39, 1977. C. Fraley, A. E. Raftery, "Bayesian Regularization for Normal
    Mixture Estimation and Model-Based Clustering", Journal of Classification 24, 2007. R. Varadhan,
    C. Roland, "Simple and Globally Convergent Methods for Accelerating the Convergence of Any EM
    Algorithm", Scandinavian Journal of Statistics 35, 2008. M. Figueiredo, A. K. Jain,
    "Unsupervised Learning of Finite Mixture Models", IEEE TPAMI 24, 2002. J. D. Banfield,
    A. E. Raftery, "Model-Based Gaussian and Non-Gaussian Clustering", Biometrics 49, 1993. N. Ueda
    et al., "SMEM Algorithm for Mixture Models", Neural Computation 12, 2000. L. Hunt,
    M. Jorgensen, "Mixture model clustering using the MULTIMIX program", Australian & New Zealand
    Journal of Statistics 41, 1999.

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
        "weights_",
        "means_",
        "covariances_",
        "precisions_cholesky_",
        "converged_",
        "n_iter_",
        "lower_bound_",
        "lower_bounds_",
        "_names",
        "noise_weight_",
        "noise_bounds_",
        "_noise_log_widths",
        "category_probabilities_",
    )

    weights_: Array
    means_: Array
    covariances_: Array
    precisions_cholesky_: Array
    noise_weight_: float
    noise_bounds_: Array | None
    category_probabilities_: dict[int, Array]
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    _noise_log_widths: Array | None
    _covariance_type: str  # of the fit
    _fitted_with: dict[str, Any]
    _online: Online | None = None

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
        verbose: bool = False,
        reg_unit: str = "variance",
        accelerate: bool = False,
        split_merge: int = 0,
        mean_precision_prior: float = 0.0,
        degrees_of_freedom_prior: float = 0.0,
        weight_concentration_prior: float | str = 1.0,
        missing: str = "error",
        categorical_features: Any = None,
        noise: float = 0.0,
        learning_decay: float = 0.7,
        learning_offset: float = 10.0,
        min_learning_rate: float = 0.0,
        callback: Callable[[Event], Any] | None = None,
        n_threads: int | None = None,
        device: str = "cpu",
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
        self.reg_unit = reg_unit
        self.accelerate = accelerate
        self.split_merge = split_merge
        self.mean_precision_prior = mean_precision_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.weight_concentration_prior = weight_concentration_prior
        self.missing = missing
        self.categorical_features = categorical_features
        self.noise = noise
        self.learning_decay = learning_decay
        self.learning_offset = learning_offset
        self.min_learning_rate = min_learning_rate
        self.callback = callback
        self.n_threads = n_threads
        self.device = device

    # ---- learning --------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: None = None,
        sample_weight: Any = None,
        *,
        executor: Any = None,
        place: Any = None,
    ) -> Self:
        """Fit the mixture to rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), sparse matrix, or path
            Finite numbers. float32 and float64 arrays in C order are not copied. A sparse matrix
            needs covariance_type "diag", "tied_diag" or "spherical". A ``.npy`` file is mapped
            into memory; a Parquet file of numbers is read batch by batch in each pass. Arrays of
            PyTorch or CuPy on a GPU stay there: each pass is computed on that device (complete
            rows, without categorical columns).
        y : None
            Ignored; scikit-learn passes it.
        sample_weight : array-like of shape (n_samples,), optional
            How often each row counts; at least 0. For a Parquet file, the name of a column.
        executor : str or concurrent.futures.Executor, optional
            Where the statistics of blocks of rows are computed: "processes:N",
            "dask://host:port", "ray://host:port", or an object with the method ``submit``, such as
            Dask's ``Client.get_executor()``. The parameters are the same, bit for bit. A task uses
            `n_threads` threads; by default those of the executor's workers, or 1. Rows must be
            dense, without categorical columns. Default: this process.
        place : path-like or URL, optional
            Folder for the files of an executor, which all workers see under this name, or the URL
            of one that they reach through fsspec. A fit that was interrupted resumes there after
            its last finished pass, if it is called again with the same data, parameters and integer
            `random_state`. Default: a temporary folder.

        Returns
        -------
        Self
            The estimator itself. If this raises, it keeps its former state.

        Raises
        ------
        ValueError
            If a parameter is wrong, if the rows are not finite numbers, or if there are fewer rows
            than components.
        NumericalError
            If a covariance is not positive definite in spite of ``reg_covar``.
        RuntimeError
            Where workers of the executor are lost again and again.
        """
        settings = Settings.of(self)
        if executor is not None and self.device != "cpu":
            raise ValueError(f"executor works with device='cpu' only, got {self.device!r}")
        with open_runner(
            executor, place, "gaussian-mixture", self.n_threads, keeps_place=True, takes_url=True
        ) as runner:
            source: Any = source_of(
                X,
                sample_weight,
                runner.n_threads,
                settings.covariance_type,
                self.missing,
                self.categorical_features,
                self.device,
            )
            columns = self._columns_of(X, source)
            names = names_of(X, source)
            if not runner.is_local:
                source = ExecutorRows(source, X if is_path(X) else None, runner)
            result, problem = self._best_fit(settings, source, columns, resumes=self.warm_start)
        if not result.converged and self.callback is None:
            warn_caller(
                f"EM did not converge in {result.n_iter} passes: raise max_iter or tol, set "
                "accelerate=True, or check the data",
                ConvergenceWarning,
            )
        self._adopt_result(result.parameters, problem, result, columns)
        self._note_columns(names, source.n_columns + len(columns))
        self._online = None
        return self

    def partial_fit(self, X: Any, y: None = None, sample_weight: Any = None) -> Self:
        """Learn from one more batch of rows by stepwise EM.

        The first batch is fitted as by `fit` and fixes the number of components. Each further
        batch is read once. After `fit` or loading, learning starts from the fitted parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or sparse matrix
            Rows, as in `fit`.
        y : None
            Ignored; scikit-learn passes it.
        sample_weight : array-like of shape (n_samples,), optional
            How often each row counts.

        Returns
        -------
        Self
            The estimator itself; ``lower_bounds_`` holds the mean log-likelihood of each batch
            before it was learnt.

        References
        ----------
        O. Cappé, E. Moulines, "On-line Expectation-Maximization Algorithm for Latent Data Models",
        JRSS B 71, 2009.
        """
        settings = Settings.of(self)
        online = self._online
        source = rows_in_memory(
            X,
            sample_weight,
            resolve_n_threads(self.n_threads),
            settings.covariance_type,
            self.missing,
            n_columns=None if online is None else self.n_features_in_,
            model=type(self).__name__,
            categorical_features=self.categorical_features,
            n_values=None if online is None else self._n_values,
        )
        columns = self._columns_of(X, source)
        if online is None or self._covariance_type != settings.covariance_type:
            result, problem = self._best_fit(settings, source, columns, resumes=True)
            online = Online.start(problem, result.parameters)
        else:
            bound = online.learn(
                source, self.learning_decay, self.learning_offset, self.min_learning_rate
            )
            bounds = [*self.lower_bounds_, bound]
            result = Result(online.parameters, bounds, self.n_iter_ + 1, False)
        self._adopt_result(online.parameters, online.problem, result, columns)
        self._note_columns(names_of(X, source), source.n_columns + len(columns))
        self._online = online
        return self

    def fit_predict(self, X: Any, y: None = None, sample_weight: Any = None) -> NDArray[np.int64]:
        """Fit the mixture to rows, and return the component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), sparse matrix, or path
            Rows, as in `fit`.
        y : None
            Ignored; scikit-learn passes it.
        sample_weight : array-like of shape (n_samples,), optional
            How often each row counts.

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            The most probable component of each row by the final parameters; -1 for an outlier.
        """
        return self.fit(X, y, sample_weight).predict(X)

    def _best_fit(
        self, settings: Settings, source: Any, columns: list[int], resumes: bool
    ) -> tuple[Result, Problem]:
        """Run EM from the starts of the settings, or from the parameters of the last fit."""

        def snapshot(parameters: Parameters, problem: Problem, bounds: list[float]) -> Any:
            model = type(self)(**self.get_params(deep=False))
            result = Result(parameters, list(bounds), len(bounds), False)
            model._adopt_result(parameters, problem, result, columns)
            return model

        def resumed(problem: Problem) -> Parameters:
            parameters = self._parameters(problem.standardizer)
            if problem.noise is not None:  # the box is that of these rows
                parameters.noise = replace(problem.noise, weight=self.noise_weight_)
            return parameters

        resumes = resumes and hasattr(self, "weights_") and self._fits(settings, source)
        reporter = Reporter(self.callback, bool(self.verbose), snapshot)
        logger.info(
            "GaussianMixture.fit: %d rows x %d columns, %d components, covariance %s, %d starts",
            source.n_rows,
            source.n_columns,
            settings.n_components,
            settings.covariance_type,
            1 if resumes else settings.n_init,
        )
        with log_duration("GaussianMixture.fit"):
            result, problem = best_fit(settings, source, reporter, resumed if resumes else None)
        logger.info(
            "GaussianMixture.fit: %d passes, %s, %d components, lower bound %.6g",
            result.n_iter,
            "converged" if result.converged else "not converged",
            len(result.parameters.weights),
            result.lower_bounds[-1],
        )
        return result, problem

    def _fits(self, settings: Settings, source: Any) -> bool:
        """Return whether the parameters of the last fit are of the kind that the settings name."""
        return (
            self.means_.shape == (settings.n_components, source.n_columns)
            and self._n_values == source.n_values
            and self._covariance_type == settings.covariance_type
            and (self._noise is None) == (settings.noise == 0)
        )

    def _columns_of(self, X: Any, source: Any) -> list[int]:
        """Return the positions of the categorical columns of rows and their source."""
        n_columns = source.n_columns + len(source.n_values)
        return list(category_columns(self.categorical_features, names_of(X, source), n_columns))

    def _adopt_result(
        self, parameters: Parameters, problem: Problem, result: Result, columns: list[int]
    ) -> None:
        standardizer = problem.standardizer
        categories = {}
        if parameters.categories is not None:
            n_values = problem.n_values
            parts = np.split(parameters.categories, np.cumsum(n_values)[:-1], axis=1)
            categories = dict(zip(columns, parts, strict=True))
        means, covariances, roots = parameters.unscaled(standardizer)
        noise = parameters.noise
        noise = None if noise is None else noise.rescaled(1 / standardizer.scale)
        self._adopt_parameters(
            parameters.covariance_type,
            parameters.weights,
            means,
            covariances,
            roots,
            noise,
            categories,
        )
        self._fitted_with = self.get_params(deep=False)
        self.converged_ = result.converged
        self.n_iter_ = result.n_iter
        self.lower_bound_ = result.lower_bounds[-1]
        self.lower_bounds_ = result.lower_bounds

    def _adopt_parameters(
        self,
        covariance_type: str,
        weights: Array,
        means: Array,
        covariances: Array,
        roots: Array,
        noise: Noise | None = None,
        categories: dict[int, Array] | None = None,
    ) -> None:
        """Set the learned parameters, in the units of the data."""
        self.category_probabilities_ = dict(categories or {})
        # In C order, as they come from a file: the memory order decides the order of sums.
        self.weights_, self.means_ = weights, np.ascontiguousarray(means)
        self.covariances_ = np.ascontiguousarray(covariances)
        self.precisions_cholesky_ = roots
        self._covariance_type = covariance_type
        self.n_features_in_ = means.shape[1] + len(self.category_probabilities_)
        self.noise_weight_ = 0.0 if noise is None else noise.weight
        self.noise_bounds_ = None if noise is None else noise.bounds
        self._noise_log_widths = None if noise is None else noise.log_widths

    def _note_columns(self, names: Any, d: int) -> None:
        self.n_features_in_ = d
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    # ---- answers ---------------------------------------------------------------------------------

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return the most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            Component numbers; the first of equal ones. -1 for an outlier (noise component). An
            array of the library and on the device of ``X`` where that is not NumPy, as from
            `predict_proba` and `score_samples`.
        """
        return like(X, self._evaluate(X, "labels"))

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probability of each component for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components), with noise (n_samples, n_components + 1)
            Rows sum to 1; the last column is that of the noise. float32 for dense float32 rows
            without NaN, otherwise float64. The probabilities of a float32 row may differ by
            rounding between batches.
        """
        return like(X, self._evaluate(X, "resp"))

    def fit_transform(self, X: Any, y: None = None, sample_weight: Any = None) -> Any:
        """Fit the mixture to rows, and return the probability of each component for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), sparse matrix, or path
            Rows, as in `fit`.
        y : None
            Ignored; scikit-learn passes it.
        sample_weight : array-like of shape (n_samples,), optional
            How often each row counts.

        Returns
        -------
        ndarray or DataFrame
            As from `transform`.
        """
        return self.fit(X, y, sample_weight).transform(X)

    def transform(self, X: Any) -> Any:
        """Return the same as `predict_proba`: features for the next step of a Pipeline.

        scikit-learn's class has no ``transform`` and can only be the last step.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components), with noise (n_samples, n_components + 1)
            Probability of each component; a data frame after ``set_output(transform="pandas")``.
        """
        return self._as_output(X, self.predict_proba(X))

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the columns of `transform`.

        Parameters
        ----------
        input_features : object
            Ignored; a Pipeline passes the names of the input.

        Returns
        -------
        ndarray of object, shape (n_components,), with noise (n_components + 1,)
            "gaussianmixture0", "gaussianmixture1", ..., "gaussianmixture_noise".
        """
        self._check_fitted()
        prefix = type(self).__name__.lower()
        names = [f"{prefix}{number}" for number in range(len(self.weights_))]
        if self._noise is not None:
            names.append(f"{prefix}_noise")
        return np.array(names, dtype=object)

    def score_samples(self, X: Any) -> Array:
        """Return the log-density of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of float64, shape (n_samples,)
            Natural logarithms.
        """
        return like(X, self._evaluate(X, "score"))

    def score(self, X: Any, y: None = None, sample_weight: Any = None) -> float:
        """Return the mean log-density of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored; scikit-learn passes it.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the mean.

        Returns
        -------
        float
            The mean.
        """
        scores = self._evaluate(X, "score")
        return float(np.average(scores, weights=as_weights(sample_weight, len(scores))))

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Return the Bayesian information criterion; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows; their sum counts as the number of rows.

        Returns
        -------
        float
            -2 log-likelihood + number of parameters x log(number of rows).
        """
        total, n = self._log_likelihood(X, sample_weight)
        return -2 * total + self._n_parameters() * float(np.log(n))

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Return the Akaike information criterion; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows.

        Returns
        -------
        float
            -2 log-likelihood + 2 x number of parameters.
        """
        total, _ = self._log_likelihood(X, sample_weight)
        return -2 * total + 2.0 * self._n_parameters()

    def _log_likelihood(self, X: Any, sample_weight: Any) -> tuple[float, float]:
        """Return the total log-likelihood of rows, and their number or weight."""
        scores = self._evaluate(X, "score")
        weights = as_weights(sample_weight, len(scores))
        if weights is None:
            return float(scores.sum()), float(len(scores))
        return float(scores @ weights), float(weights.sum())

    def _n_parameters(self) -> int:
        k, d = int(self.means_.shape[0]), int(self.means_.shape[1])
        n_noise = 0 if self._noise is None else 2  # weight and volume, as mclust counts
        n_categories = k * sum(n - 1 for n in self._n_values)
        n_covariances = n_covariance_parameters(self._covariance_type, k, d)
        return n_covariances + k * d + k - 1 + n_noise + n_categories

    @property
    def _n_values(self) -> tuple[int, ...]:
        """Number of values of each categorical column."""
        return tuple(table.shape[1] for table in self.category_probabilities_.values())

    def sample(self, n_samples: int = 1) -> tuple[Array, NDArray[np.int64]]:
        """Draw rows from the mixture.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows, ordered by component.
        y : ndarray of int64, shape (n_samples,)
            Their components. Those of the noise, -1, come last and are uniform over its box.
        """
        self._check_fitted()
        n = as_int(n_samples, "n_samples", minimum=1)
        rng = as_generator(self.random_state)
        weights = self.weights_
        if self._noise is not None:
            weights = np.append(weights, self.noise_weight_)
        counts = rng.multinomial(n, weights / weights.sum())
        n_outliers = n - int(counts[: len(self.weights_)].sum())
        counts = counts[: len(self.weights_)]
        y = np.repeat(np.arange(len(counts)), counts)
        X = self.means_[y] + self._deviations(counts, rng)
        if self.noise_bounds_ is not None:
            low, high = self.noise_bounds_
            outliers = low + rng.random((n_outliers, len(low))) * (high - low)
            X, y = np.concatenate([X, outliers]), np.append(y, np.full(n_outliers, -1))
        return self._with_codes(X, y, rng), y

    def _with_codes(self, X: Array, y: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """Return continuous columns of components with random codes in the categorical ones."""
        if not self.category_probabilities_:
            return X
        complete = np.empty((len(X), self.n_features_in_))
        complete[:, self._continuous_columns] = X
        for column, table in self.category_probabilities_.items():
            uniform = np.full((1, table.shape[1]), 1 / table.shape[1])  # of outliers, -1
            cumulated = np.cumsum(np.vstack([table, uniform]), axis=1)[y]
            draws = rng.random(len(X))[:, None] * cumulated[:, -1:]
            complete[:, column] = (draws >= cumulated).sum(axis=1)
        return complete

    @property
    def _continuous_columns(self) -> list[int]:
        columns = range(self.n_features_in_)
        return [column for column in columns if column not in self.category_probabilities_]

    def _deviations(self, counts: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """Return random deviations from the means, a given number for each component."""
        deviations = rng.standard_normal((int(counts.sum()), self.means_.shape[1]))
        kind = self._covariance_type
        if kind == "tied":
            deviations = deviations @ np.linalg.cholesky(self.covariances_).T
        elif kind == "full":
            ends = np.cumsum(counts)
            for k in np.flatnonzero(counts):
                rows = slice(ends[k] - counts[k], ends[k])
                deviations[rows] = deviations[rows] @ np.linalg.cholesky(self.covariances_[k]).T
        elif kind == "tied_diag":
            deviations *= np.sqrt(self.covariances_)
        else:
            scale = np.repeat(np.sqrt(self.covariances_), counts, axis=0)
            deviations *= scale if scale.ndim == 2 else scale[:, None]
        return deviations

    @property
    def precisions_(self) -> Array:
        """Inverse covariances, in the shape of the covariances."""
        root = self.precisions_cholesky_
        if self._covariance_type in MATRIX_TYPES:
            return root @ np.swapaxes(root, -1, -2)
        squared: Array = root**2
        return squared

    def _evaluate(self, X: Any, output: str) -> NDArray[Any]:
        """Return labels, responsibilities ("resp") or log-densities ("score") of rows."""
        self._check_fitted()
        source = self._source_of(X, self.missing)
        standardizer = self._scoring_standardizer(source.can_shift)
        parameters = self._parameters(standardizer)
        with np.errstate(over="ignore", invalid="ignore"):  # reported below, by row
            result = source.score(standardizer, parameters, output)
        if output == "score":
            result += standardizer.log_det
        is_wrong = result < 0 if output == "labels" else ~np.isfinite(result)
        if parameters.noise is not None and parameters.noise.weight > 0 and is_wrong.any():
            _set_outliers(result, is_wrong, source, standardizer, parameters.noise)
        elif is_wrong.any():
            row = int(np.argwhere(is_wrong)[0][0])
            raise NumericalError(
                f"row {row} of X is too far from every component (beyond 1e150 standard deviations)"
            )
        if output == "labels" and parameters.noise is not None:
            result[result == len(parameters.weights)] = -1
        return result

    def _source_of(self, X: Any, missing: str) -> RowsInMemory:
        names, fitted_names = column_names(X), getattr(self, "feature_names_in_", None)
        if names is not None and fitted_names is not None and list(names) != list(fitted_names):
            raise ValueError(
                "The feature names should match those that were passed during fit: "
                f"got {list(names)[:5]}, fitted on {list(fitted_names)[:5]}"
            )
        return rows_in_memory(
            X,
            None,
            resolve_n_threads(self.n_threads),
            self._covariance_type,
            missing,
            n_columns=self.n_features_in_,
            model=type(self).__name__,
            categorical_features=list(self.category_probabilities_) or None,
            n_values=self._n_values,
        )

    def _scoring_standardizer(self, can_shift: bool) -> Standardizer:
        """Return the standardiser in whose coordinates the components are near 0."""
        means, covariances, kind = self.means_, self.covariances_, self._covariance_type
        weights = self.weights_ / self.weights_.sum()  # the noise has its own
        shift = weights @ means
        if kind in MATRIX_TYPES:
            variance = np.diagonal(covariances, axis1=-2, axis2=-1)
        else:
            variance = covariances[:, None] if kind == "spherical" else covariances
        within = variance if kind in TIED_TYPES else weights @ variance
        with np.errstate(over="ignore", under="ignore"):
            distance = np.abs(means - shift).max(axis=0)
            deviation = np.hypot(np.sqrt(within), distance / 4)
        if kind == "spherical":
            deviation = np.full(len(shift), deviation.max())
        scale = 1 / np.broadcast_to(deviation, shift.shape)
        return Standardizer(shift if can_shift else np.zeros_like(shift), scale)

    def _parameters(self, standardizer: Standardizer) -> Parameters:
        """Return the learned parameters in standardised coordinates."""
        tables = list(self.category_probabilities_.values())
        return Parameters.rescaled(
            self._covariance_type,
            self.weights_,
            self.means_,
            self.covariances_,
            standardizer,
            self._noise,
            np.hstack(tables) if tables else None,
        )

    @property
    def _noise(self) -> Noise | None:
        widths, bounds = self._noise_log_widths, self.noise_bounds_
        if widths is None or bounds is None:
            return None
        return Noise(self.noise_weight_, widths, bounds)

    # ---- conditional distributions ---------------------------------------------------------------

    def condition(self, known: Any) -> Self:
        """Return the distribution of the other columns given the values of some.

        Parameters
        ----------
        known : mapping of column to float, or array-like of shape (n_features,)
            The known values: by column number or, after a fit on a table, by column name; or one
            row with NaN for the columns that are not known.

        Returns
        -------
        GaussianMixture
            A fitted mixture over the columns that are not known, in their order, with the same
            number of components: its weights are the probabilities of the components given the
            known values. Its covariance type is that of this one. At least one continuous column
            must stay unknown.

        Raises
        ------
        ValueError
            If no column or every continuous column is known, or if a value is not finite.
        KeyError
            If a column does not exist.

        Notes
        -----
        O(K d^3) time.

        Examples
        --------
        >>> import numpy as np
        >>> from aimass_core import GaussianMixture
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=500)
        >>> model = GaussianMixture().fit(np.column_stack([x, 2 * x + rng.normal(0, 0.1, 500)]))
        >>> given = model.condition({0: 1.0})
        >>> bool(abs(given.means_[0, 0] - 2) < 0.05)
        True
        """
        self._check_fitted()
        row = self._known_row(known)
        continuous = self._continuous_columns
        is_known = ~np.isnan(row[continuous])
        if np.isnan(row).all() or is_known.all():
            raise ValueError(
                f"known must have a value for some of the {len(row)} columns and leave out at "
                f"least one that is not categorical, got {int((~np.isnan(row)).sum())} values"
            )
        standardizer = self._scoring_standardizer(can_shift=True)
        given = self._conditional_parameters(row, standardizer)
        rest = Standardizer(standardizer.shift[~is_known], standardizer.scale[~is_known])
        columns = np.flatnonzero(np.isnan(row)).tolist()
        categories = {
            columns.index(column): table
            for column, table in self.category_probabilities_.items()
            if column in columns
        }
        start = dict.fromkeys(("weights_init", "means_init", "precisions_init"))
        sizes = {column: table.shape[1] for column, table in categories.items()}
        changed = start | {"categorical_features": sizes or None}
        model = type(self)(**(self.get_params() | changed))
        means, covariances, roots = given.unscaled(rest)
        noise = None if given.noise is None else given.noise.rescaled(1 / rest.scale)
        model._adopt_parameters(
            given.covariance_type, given.weights, means, covariances, roots, noise, categories
        )
        names = getattr(self, "feature_names_in_", None)
        model._note_columns(None if names is None else names[columns], len(columns))
        model._fitted_with = dict(self._fitted_with) | changed
        model.converged_, model.n_iter_ = self.converged_, self.n_iter_
        model.lower_bound_, model.lower_bounds_ = self.lower_bound_, list(self.lower_bounds_)
        return model

    def impute(self, X: Any) -> Array:
        """Return rows with the expected value, given the known ones, in place of each NaN.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN is unknown. A row of NaN alone gets the mean of the mixture.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_features)
            A new array. An unknown code becomes the most probable one. The noise component has no
            part in the expected values.

        Notes
        -----
        The time grows with patterns of known columns x K d^3 besides rows x K d^2.

        Examples
        --------
        >>> import numpy as np
        >>> from aimass_core import GaussianMixture
        >>> x = np.arange(100.0)
        >>> model = GaussianMixture().fit(np.column_stack([x, 3 * x + 1]))
        >>> model.impute([[10.0, np.nan]]).round(1).tolist()
        [[10.0, 31.0]]
        """
        self._check_fitted()
        source = self._source_of(X, "marginalize")
        if isinstance(source, SparseRows):
            return np.asarray(source.X.toarray(), dtype=np.float64)
        codes = None
        rows: Any = source
        if isinstance(source, MixedRows):
            rows, codes = source.continuous, source.codes
        standardizer = self._scoring_standardizer(can_shift=True)
        parameters = self._parameters(standardizer)
        if isinstance(rows, MissingRows):
            completed = rows.completed(standardizer, parameters, codes)
        else:
            completed = np.array(rows.X, dtype=np.float64)
        if codes is None:
            return completed
        result = np.empty((source.n_rows, self.n_features_in_))
        result[:, self._continuous_columns] = completed
        resp = source.score(standardizer, parameters, "resp")[:, : len(self.weights_)]
        values = codes.columns()
        for position, (column, table) in enumerate(self.category_probabilities_.items()):
            expected = (resp @ table).argmax(axis=1)
            result[:, column] = np.where(values[position] < 0, expected, values[position])
        return result

    def _known_row(self, known: Any) -> Array:
        """Return known values as one row with NaN for the others."""
        d = self.n_features_in_
        if not isinstance(known, Mapping):
            row = np.asarray(known, dtype=np.float64)
            if row.shape != (d,):
                raise ValueError(f"known must have the shape ({d},), got {row.shape}")
            if np.isinf(row).any():
                raise ValueError("known must not hold infinite values")
            return row
        names = list(getattr(self, "feature_names_in_", []))
        row = np.full(d, np.nan)
        for column, value in known.items():
            if isinstance(column, str):
                if column not in names:
                    raise KeyError(f"known: there is no column {column!r}; there are {names}")
                position = names.index(column)
            else:
                position = as_int(column, "known: a column", minimum=0)
                if position >= d:
                    raise KeyError(f"known: there is no column {position}, the mixture has {d}")
            row[position] = as_float(value, f"known: the value of column {column!r}")
        return row

    def _conditional_parameters(self, row: Array, standardizer: Standardizer) -> Parameters:
        """Return the parameters of the unknown continuous columns given a row, standardised."""
        parameters = self._parameters(standardizer)
        values = row[self._continuous_columns]
        is_known = ~np.isnan(values)
        source: Any = MissingRows(values[None], None, 1)
        if self.category_probabilities_:
            codes = np.nan_to_num(row[list(self.category_probabilities_)], nan=-1.0)
            is_seen = codes < np.array(self._n_values)
            known_codes = np.where(is_seen, codes, -1).astype(np.int32)
            source = MixedRows(source, Codes.of(known_codes[None], self._n_values))
        with np.errstate(over="ignore", invalid="ignore"):
            weights = source.score(standardizer, parameters, "resp")[0]
        if not np.isfinite(weights).all():
            raise NumericalError(
                "the known values are too far from every component (beyond 1e150 standard "
                "deviations)"
            )
        z = standardizer.apply(values)
        conditional = conditional_of(parameters, is_known)
        deviations = z[is_known] - parameters.means[:, is_known]
        means = parameters.means[:, ~is_known] + (deviations[:, None] @ conditional.gain)[:, 0]
        kind, covariances = parameters.covariance_type, parameters.covariances
        if kind in MATRIX_TYPES:
            covariances = conditional.covariance if kind == "full" else conditional.covariance[0]
        elif kind != "spherical":
            covariances = covariances[..., ~is_known]
        noise = parameters.noise
        if noise is not None:
            noise = Noise(
                float(weights[-1]), noise.log_widths[~is_known], noise.bounds[:, ~is_known]
            )
            weights = weights[:-1]
        try:
            return Parameters(kind, weights, means, covariances, noise)
        except NumericalError:
            raise NumericalError(
                "the known values are so far from the components that the conditional means lie "
                "beyond 1e6 standard deviations: give values nearer to those of the fit"
            ) from None

    # ---- to and from scikit-learn ----------------------------------------------------------------

    def to_sklearn(self) -> Any:
        """Return the same fitted model as scikit-learn's class.

        Returns
        -------
        sklearn.mixture.GaussianMixture
            With its parameters and learned attributes; it shares no array with this one.

        Raises
        ------
        ImportError
            If scikit-learn is not installed.
        ValueError
            If the model has a noise component, tied_diag covariances or categorical columns, which
            scikit-learn's class cannot hold.
        """
        sklearn_mixture = import_optional("sklearn.mixture", "to_sklearn")
        self._check_fitted()
        if self._noise is not None:
            raise ValueError(
                "to_sklearn: scikit-learn's GaussianMixture has no noise component: fit with "
                "noise=0 to convert"
            )
        if self._covariance_type == "tied_diag" or self.category_probabilities_:
            raise ValueError(
                "to_sklearn: scikit-learn's GaussianMixture has no tied_diag covariances and no "
                "categorical columns: fit with 'tied' or 'diag' and continuous columns to convert"
            )
        parameters, other = self._fitted_with, sklearn_mixture.GaussianMixture()
        shared = {name: parameters[name] for name in other.get_params() if name in parameters}
        other.set_params(**shared)
        for name in _SHARED_ATTRIBUTES:
            value = getattr(self, name)
            setattr(other, name, value.copy() if isinstance(value, np.ndarray) else value)
        other.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            other.feature_names_in_ = self.feature_names_in_.copy()
        return other

    @classmethod
    def from_sklearn(cls, model: Any) -> Self:
        """Return this package's model from a fitted one of scikit-learn.

        Parameters
        ----------
        model : sklearn.mixture.GaussianMixture
            Fitted; it is not changed, and no array is shared with it.

        Returns
        -------
        Self
            A model with the same answers.

        Raises
        ------
        ValueError
            If ``model`` is not fitted.
        """
        if not hasattr(model, "precisions_cholesky_"):
            raise ValueError(f"model must be a fitted GaussianMixture, got {model!r}: fit it first")
        own = cls()
        names = own.get_params()
        own.set_params(**{name: v for name, v in model.get_params().items() if name in names})
        own.set_params(reg_unit="absolute")
        weights, means, covariances, roots = (
            np.array(getattr(model, name), dtype=np.float64)
            for name in ("weights_", "means_", "covariances_", "precisions_cholesky_")
        )
        own._adopt_parameters(model.covariance_type, weights, means, covariances, roots)
        own._fitted_with = own.get_params(deep=False)
        for name in ("converged_", "n_iter_", "lower_bound_"):
            setattr(own, name, getattr(model, name))
        own.lower_bounds_ = [float(b) for b in getattr(model, "lower_bounds_", [])]
        own._note_columns(getattr(model, "feature_names_in_", None), own.n_features_in_)
        return own

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "density_estimator"
        tags.input_tags.sparse = False
        from sklearn.utils import TransformerTags

        tags.transformer_tags = TransformerTags(preserves_dtype=[])
        return tags

    def _check_fitted(self) -> None:
        if self.__sklearn_is_fitted__():
            return
        message = f"this {type(self).__name__} is not fitted: call fit(X) first"
        sklearn_exceptions = sys.modules.get("sklearn.exceptions")
        if sklearn_exceptions is None:
            raise NotFittedError(message)
        # scikit-learn's tools catch its own class.
        bases = (NotFittedError, sklearn_exceptions.NotFittedError)
        raise type("NotFittedError", bases, {"__module__": NotFittedError.__module__})(message)

    # ---- files -----------------------------------------------------------------------------------

    def _fitted_parameters(self) -> dict[str, Any]:
        """Return the parameters of the fit, as a file can hold them."""
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
        """Check and complete a model whose state came from a file."""
        self._fitted_with = self.get_params(deep=False)
        self.lower_bounds_ = list(self.lower_bounds_)
        kind = self.covariance_type
        k, d = self.means_.shape
        shape = covariance_shape(kind, k, d)
        shapes = {"weights_": (k,), "covariances_": shape, "precisions_cholesky_": shape}
        for name, expected in shapes.items():
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
        self.n_features_in_ = d + len(self.category_probabilities_)
        for column, table in self.category_probabilities_.items():
            if (
                not 0 <= column < self.n_features_in_
                or table.ndim != 2
                or len(table) != k
                or table.shape[1] == 0
            ):
                raise ValueError(f"category_probabilities_[{column!r}] has a wrong shape")
            if not (table > 0).all() or not np.allclose(table.sum(axis=1), 1):
                raise ValueError(f"category_probabilities_[{column!r}] must sum to 1")


def _set_outliers(
    result: NDArray[Any],
    is_wrong: NDArray[np.bool_],
    source: RowsInMemory,
    standardizer: Standardizer,
    noise: Noise,
) -> None:
    """Write the answer for rows so far off that the densities of the components overflow."""
    rows = np.flatnonzero(is_wrong.reshape(len(is_wrong), -1).any(axis=1))
    if result.ndim == 2:
        result[rows] = 0
        result[rows, -1] = 1
    elif result.dtype == np.int64:
        result[rows] = -1
    else:
        for row in rows:
            known = source.known_columns(int(row))
            result[row] = noise.log_score(known) + np.log(standardizer.scale[known]).sum()
