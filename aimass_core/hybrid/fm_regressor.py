"""Factorization machine that predicts numbers, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import ndtr, ndtri

from ..base.arrays import as_vector
from ..base.registry import register
from ..base.validation import as_bool, as_float
from ._fm_estimator import FactorizationMachineEstimator, determination
from ._fm_targets import Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ._fm_chain import Draws
    from ._fm_targets import Target
    from .relation import RelationBlock

    Array = NDArray[np.float64]

__all__ = ["FactorizationMachineRegressor"]

_NEWTON_STEPS = 6
_BLOCK = 1 << 22  # numbers handled at once


@register("fm-regressor")
class FactorizationMachineRegressor(FactorizationMachineEstimator):
    r"""Predict numbers by linear terms and products of factors of all pairs of features.

    .. math:: \hat y(x) = w_0 + \sum_j w_j x_j + \sum_{j < l} v_j^T v_l \, x_j x_l

    With columns for users and items this is a biased matrix factorisation; further columns (age,
    genre, time, the items that a user has seen) add their own products.

    Parameters
    ----------
    n_factors : int, default=10
        Length of the vectors v_j, 0 to 1024; 0 is a linear model.
    solver : {"mcmc", "als"}, default="mcmc"
        "mcmc": draws of the posterior by Gibbs sampling; predictions are means over the draws, and
        penalties need no choice, because they are drawn. "als": one estimate by sweeps of least
        squares with a fixed penalty.
    max_iter : int, default=200
        Sweeps over all coefficients.
    n_burn_in : int, default=20
        First sweeps of "mcmc" that are not kept.
    thin : int, default=1
        Every how many sweeps a draw is kept. Memory and predictions cost in proportion to the
        number of draws.
    regularization : float, default=1.0
        L2 penalty of "als" on all coefficients, with targets in units of their standard deviation.
    tol : float, default=1e-4
        "als" ends when a sweep lowers the training error by less, relatively.
    init_scale : float, default=0.1
        Standard deviation of first factors.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of first factors and of all draws.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    intercepts_ : ndarray of float64, shape (n_draws,)
        Constant of each draw.
    linear_ : ndarray of float32, shape (n_draws, n_columns)
        Linear coefficients of each draw, of the columns of X and then of all relations.
    factors_ : ndarray of float32, shape (n_draws, n_columns, n_factors)
        Factors of each draw.
    noise_precisions_ : ndarray of float64, shape (n_draws,)
        Precision (inverse of the variance) of the errors; for "als" that of the training errors.
    losses_ : ndarray of float64, shape (n_sweeps,)
        Root of the mean squared training error of each sweep.
    n_features_in_ : int
        Columns of X, where it was given.
    feature_names_in_ : ndarray of object, shape (n_features_in_,)
        Names of the columns of X, where X is a table with names.

    Notes
    -----
    A sweep draws linear coefficient and factors of a column jointly (in blocks of 15 factors),
    given all other columns: O(nnz b) multiply-adds for each factor in blocks of b. With
    `RelationBlock` nnz is that of the tables, plus the number of cases once for each relation.
    Memory: 8 n_factors bytes for each row of X and each row of a table, and the draws. Priors are
    those of libFM: normal, with mean and precision of each group drawn. Targets are standardised
    before.

    References
    ----------
    S. Rendle, "Factorization machines", ICDM 2010. S. Rendle, "Factorization machines with
    libFM", ACM TIST 3(3), 2012. C. Freudenthaler, L. Schmidt-Thieme and S. Rendle, "Bayesian
    factorization machines", NIPS workshop 2011. S. Rendle, "Scaling factorization machines to
    relational data", VLDB 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.hybrid import FactorizationMachineRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = 2 + X[:, 0] * X[:, 1] + 0.1 * rng.normal(size=400)
    >>> model = FactorizationMachineRegressor(n_factors=2, max_iter=100).fit(X, y)
    >>> model.predict(np.array([[1.0, 1.0, 0.0]])).round(1).tolist()
    [3.0]
    >>> mean, low, high = model.predict(X[:1], interval=0.9)
    >>> bool(low[0] < mean[0] < high[0])
    True
    """

    _state: ClassVar[tuple[str, ...]] = (
        *FactorizationMachineEstimator._state,
        "noise_precisions_",
    )

    noise_precisions_: Array

    def __init__(
        self,
        *,
        n_factors: int = 10,
        solver: str = "mcmc",
        max_iter: int = 200,
        n_burn_in: int = 20,
        thin: int = 1,
        regularization: float = 1.0,
        tol: float = 1e-4,
        init_scale: float = 0.1,
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.solver = solver
        self.max_iter = max_iter
        self.n_burn_in = n_burn_in
        self.thin = thin
        self.regularization = regularization
        self.tol = tol
        self.init_scale = init_scale
        self.random_state = random_state
        self.n_threads = n_threads

    def _target(self, y: Any, n: int) -> Target:
        values = as_vector(y, "y", length=n)
        with np.errstate(over="ignore", invalid="ignore"):
            offset, scale = float(values.mean()), float(values.std())
        if not np.isfinite(offset + scale):
            raise ValueError("y holds values too large to be averaged: divide them by a constant")
        self._units = offset, scale or 1.0
        return Values((values - offset) / self._units[1])

    def _keep(self, draws: Draws, losses: Array) -> None:
        if self.solver == "als" and len(losses):
            draws.precisions[:] = 1 / max(float(losses[-1]) ** 2, np.finfo(float).tiny)
        draws.rescale(*self._units)
        super()._keep(draws, losses * self._units[1])
        self.noise_precisions_ = draws.precisions

    def _learn(self, *arguments: Any) -> None:
        super()._learn(*arguments)
        del self._units

    def _restore(self) -> None:
        super()._restore()
        precisions = self.noise_precisions_
        if precisions.shape != self.intercepts_.shape or not (precisions > 0).all():
            raise ValueError("precisions of the errors that are not above 0")

    def predict(
        self,
        X: Any,
        *,
        relations: Sequence[RelationBlock] = (),
        return_std: bool = False,
        interval: float | None = None,
    ) -> Any:
        """Return the prediction of each row, with its uncertainty on request.

        Parameters
        ----------
        X : sparse matrix or 2-D array of shape (n, n_columns), or None
            Features, as in `fit`.
        relations : sequence of RelationBlock, default=()
            As in `fit`; rows of the tables may be new.
        return_std : bool, default=False
            Also return the standard deviation of a new target: that of the errors and that of the
            predictions between the draws.
        interval : float, optional
            Also return bounds between which a new target lies with this probability, such as 0.9.

        Returns
        -------
        mean : ndarray of float64, shape (n,)
            Mean over the draws.
        std : ndarray of float64, shape (n,)
            Only with ``return_std``.
        low, high : ndarray of float64, shape (n,)
            Only with ``interval``: quantiles of the mixture of the normal distributions of all
            draws.

        Raises
        ------
        ValueError
            For another number of columns than in the fit.
        NotFittedError
            Before ``fit``.
        """
        with_std = as_bool(return_std, "return_std")
        level = None if interval is None else as_float(interval, "interval", minimum=0.0)
        if level is not None and not 0 < level < 1:
            raise ValueError(f"interval must be above 0 and below 1, got {interval}")
        predictions = self._predictions(X, relations)
        mean = predictions.mean(axis=0)
        result = [mean]
        variance = predictions.var(axis=0) + (1 / self.noise_precisions_).mean()
        if with_std:
            result.append(np.sqrt(variance))
        if level is not None:
            for share in (0.5 - level / 2, 0.5 + level / 2):
                first = mean + ndtri(share) * np.sqrt(variance)
                result.append(_quantile(predictions, self.noise_precisions_, share, first))
        return result[0] if len(result) == 1 else tuple(result)

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, relations: Sequence[RelationBlock] = ()
    ) -> float:
        """Return the coefficient of determination R^2 of the predictions.

        Parameters
        ----------
        X : as in `predict`
            Features.
        y : array-like of shape (n,)
            True targets.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        relations : sequence of RelationBlock, default=()
            As in `predict`.

        Returns
        -------
        float
            1 for perfect predictions, 0 for those of the mean.
        """
        return determination(self.predict(X, relations=relations), y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True),
            input_tags=InputTags(sparse=True),
            regressor_tags=RegressorTags(),
        )


def _quantile(predictions: Array, precisions: Array, share: float, first: Array) -> Array:
    """Return quantiles of mixtures of normal distributions, by Newton's method from a start.

    Parameters
    ----------
    predictions : ndarray of shape (n_draws, n)
        Means of the parts of each mixture.
    precisions : ndarray of shape (n_draws,)
        Their precisions.
    share : float
        Probability below the quantile.
    first : ndarray of shape (n,)
        Where the search starts.
    """
    root = np.sqrt(precisions)[:, None]
    quantiles = np.empty_like(first)
    step = max(1, _BLOCK // len(predictions))
    for begin in range(0, len(first), step):
        part, x = predictions[:, begin : begin + step], first[begin : begin + step].copy()
        for _ in range(_NEWTON_STEPS):
            z = (x - part) * root
            below = ndtr(z).mean(axis=0)
            density = (np.exp(-0.5 * z**2) * root).mean(axis=0) / np.sqrt(2 * np.pi)
            move = (share - below) / np.maximum(density, 1e-300)
            limit = 0.5 / root.min()
            x += np.clip(move, -limit, limit)
        quantiles[begin : begin + step] = x
    return quantiles
