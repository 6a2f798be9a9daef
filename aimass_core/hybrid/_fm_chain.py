"""The fit of a factorization machine: a chain of Gibbs sweeps, or sweeps of least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.caller import warn_caller
from ..base.memory import available_memory
from ..exceptions import ConvergenceWarning, NumericalError
from ._fm_design import Layout, score_cases
from ._fm_gibbs import Sweeper

if TYPE_CHECKING:
    from collections.abc import Callable

    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ..base.progress import Progress
    from ._fm_design import Design
    from ._fm_targets import Target

    Array = NDArray[Any]

__all__ = ["Draws", "Settings", "run_chain"]

_REFRESH_EVERY = 250  # sweeps until errors are computed anew, against the sum of rounding errors
_GIB = 1 << 30


@dataclass(frozen=True)
class Settings:
    """Checked parameters of a fit.

    Parameters
    ----------
    n_factors : int
        Factors of each column.
    solver : {"mcmc", "als"}
        Draws of the posterior, or one estimate.
    max_iter, n_burn_in, thin : int
        Sweeps, sweeps that are not kept, and sweeps between two that are.
    regularization : float
        L2 penalty of "als".
    init_scale : float
        Standard deviation of first factors.
    tol : float
        Relative decrease of the loss at which "als" ends.
    """

    n_factors: int
    solver: str
    max_iter: int
    n_burn_in: int
    thin: int
    regularization: float
    init_scale: float
    tol: float

    @property
    def n_kept(self) -> int:
        """Draws that are kept."""
        if self.solver == "als":
            return 1
        return len(range(self.n_burn_in + 1, self.max_iter + 1, self.thin))

    def keeps(self, sweep: int) -> bool:
        """Return whether the draw of a sweep is kept: "als" keeps the latest only."""
        after = sweep - self.n_burn_in - 1
        return self.solver == "als" or (after >= 0 and after % self.thin == 0)


@dataclass
class Draws:
    """Kept draws of the parameters; one for an estimate without draws.

    Parameters
    ----------
    intercepts : ndarray of float64, shape (n_draws,)
        Constant of the prediction.
    linear : ndarray of float32, shape (n_draws, n_columns)
        Linear coefficients.
    factors : ndarray of float32, shape (n_draws, n_columns, n_factors)
        Factors.
    precisions : ndarray of float64, shape (n_draws,)
        Precision of the errors.
    cutpoints : ndarray of float64, shape (n_draws, n_classes - 1)
        Of ordered classes.
    prior_means, prior_precisions : ndarray of float64, shape (n_draws, n_groups, 1 + n_factors)
        Of the linear coefficient and the factors of each group.
    """

    intercepts: Array
    linear: Array
    factors: Array
    precisions: Array
    cutpoints: Array
    prior_means: Array
    prior_precisions: Array

    @classmethod
    def empty(
        cls, n: int, n_columns: int, n_factors: int, n_cutpoints: int = 0, n_groups: int = 0
    ) -> Draws:
        """Return arrays for n draws, or raise MemoryError before they are allocated."""
        need = 4 * n * n_columns * (n_factors + 1)
        if need > available_memory():
            raise MemoryError(
                f"{n} draws of {n_columns:,} x {n_factors + 1} coefficients need "
                f"{need / _GIB:.1f} GiB, and {available_memory() / _GIB:.1f} GiB are available: "
                "keep fewer draws with a larger thin, or lower n_factors"
            )
        return cls(
            np.zeros(n),
            np.zeros((n, n_columns), dtype=np.float32),
            np.zeros((n, n_columns, n_factors), dtype=np.float32),
            np.ones(n),
            np.zeros((n, n_cutpoints)),
            np.zeros((n, n_groups, 1 + n_factors)),
            np.ones((n, n_groups, 1 + n_factors)),
        )

    def __len__(self) -> int:
        return len(self.intercepts)

    def put(self, draw: int, sweeper: Sweeper, alpha: float, cutpoints: Array) -> None:
        """Keep the present parameters as a draw."""
        self.intercepts[draw] = sweeper.intercept
        self.linear[draw] = sweeper.coefficients[:, 0]
        layout, n = sweeper.layout, sweeper.layout.n_factors
        slots: Any = slice(1, n + 1) if n < layout.block_width else layout.factors
        self.factors[draw] = sweeper.coefficients[:, slots]
        self.precisions[draw] = alpha
        self.cutpoints[draw] = cutpoints
        used = sweeper.layout.used
        self.prior_means[draw] = sweeper.prior_mean[:, used]
        self.prior_precisions[draw] = sweeper.prior_precision[:, used]

    def first(self, n: int) -> Draws:
        """Return the first n draws; they share memory."""
        return Draws(*(part[:n] for part in vars(self).values()))

    def copy(self) -> Draws:
        """Return draws that share no memory."""
        return Draws(*(part.copy() for part in vars(self).values()))

    def rescale(self, offset: float, scale: float) -> None:
        """Make the predictions ``offset + scale *`` what they are."""
        self.intercepts *= scale
        self.intercepts += offset
        self.linear *= np.float32(scale)
        self.factors *= np.float32(scale**0.5)
        self.precisions /= scale**2
        units = np.concatenate([[scale], np.full(self.factors.shape[2], scale**0.5)])
        self.prior_means *= units
        self.prior_precisions /= units**2

    def predictions(self, matrices: list[tuple[sp.csr_array, Any]]) -> Array:
        """Return the prediction of each case by each draw, shape (n_draws, n_cases)."""
        X, rows = matrices[0]
        out = np.empty((len(self), X.shape[0] if rows is None else len(rows)))
        for draw in range(len(self)):
            scores = score_cases(matrices, self.linear[draw], self.factors[draw])
            out[draw] = scores + self.intercepts[draw]
        return out


def run_chain(
    design: Design,
    target: Target,
    groups: NDArray[np.int32],
    weights: NDArray[np.float64],
    settings: Settings,
    rng: np.random.Generator,
    progress: Progress,
    n_threads: int,
    with_values: bool,
    model_of: Callable[[Draws], Any],
) -> tuple[Draws, Array]:
    """Return the kept draws and the training loss of each sweep.

    Parameters
    ----------
    design : Design
        Features of all cases.
    target : Target
        What is predicted, in the caller's order; changed to the order of the design.
    groups : ndarray of int32, shape (n_columns,)
        Columns of one group share a prior.
    weights : ndarray of float64, shape (n_cases,) or (0,)
        Weights of the cases in the caller's order; none: all 1.
    settings : Settings
        Parameters of the fit.
    rng : Generator
        Source of all draws.
    progress : Progress
        Told of each sweep; a true answer of its callback ends the chain.
    n_threads : int
        Threads to use.
    with_values : bool
        Whether a callback wants the model after each sweep.
    model_of : callable
        Makes the model of a callback from the present draws.

    Returns
    -------
    draws : Draws
        Those kept; the last one where the chain ended before the first was kept.
    losses : ndarray of float64, shape (n_sweeps,)
        Root of the mean squared error of each sweep, of latent values for classes.
    """
    if design.order is not None:
        target.reorder(design.order)
        weights = weights[design.order] if len(weights) else weights
    sweeper = _first_state(design, groups, weights, settings, rng, n_threads)
    draws = Draws.empty(
        settings.n_kept,
        design.n_columns,
        settings.n_factors,
        len(target.cutpoints),
        int(groups.max(initial=-1)) + 1,
    )
    sweeper.start(target.first())
    source = rng if settings.solver == "mcmc" else None
    losses: list[float] = []
    n_kept, alpha = 0, 1.0
    for number in range(1, settings.max_iter + 1):
        alpha = target.update(sweeper, source, number)
        if source is not None:
            sweeper.draw_prior(source)
        if target.has_intercept:
            sweeper.move_intercept(alpha, 1e-9, source)
        sweeper.sweep(alpha, source)
        if number % _REFRESH_EVERY == 0:
            sweeper.start(sweeper.latent)
        losses.append(float(np.sqrt(sweeper.squared_error() / (sweeper.total_weight or 1.0))))
        if not np.isfinite(losses[-1]):
            raise NumericalError(
                f"the errors are not finite after sweep {number}: standardise the columns of X"
            )
        if settings.keeps(number):
            n_kept = 1 if source is None else n_kept + 1
            draws.put(n_kept - 1, sweeper, alpha, target.cutpoints)
        if with_values and n_kept == 0:  # until there is a draw to keep
            draws.put(0, sweeper, alpha, target.cutpoints)
        model = model_of(draws.first(max(n_kept, 1))) if with_values else None
        ends = progress.step(number, {"rmse": losses[-1]}, model)
        if ends or (source is None and _has_converged(losses, settings.tol)):
            break
    else:
        if source is None and settings.tol > 0:
            warn_caller(
                f"max_iter={settings.max_iter} sweeps did not reach tol={settings.tol}: raise "
                "max_iter or tol",
                ConvergenceWarning,
            )
    if n_kept == 0:
        draws.put(0, sweeper, alpha, target.cutpoints)
    return draws.first(max(n_kept, 1)), np.array(losses)


def _first_state(
    design: Design,
    groups: NDArray[np.int32],
    weights: NDArray[np.float64],
    settings: Settings,
    rng: np.random.Generator,
    n_threads: int,
) -> Sweeper:
    """Return the state before the first sweep: linear coefficients of 0 and random factors."""
    layout = Layout.of(settings.n_factors)
    coefficients = np.zeros((design.n_columns, layout.width))
    coefficients[:, layout.factors] = rng.normal(
        0, settings.init_scale, (design.n_columns, settings.n_factors)
    )
    sweeper = Sweeper(design, layout, groups, weights, coefficients, 0.0, n_threads)
    if settings.solver == "als":
        sweeper.prior_precision[:, layout.used] = settings.regularization
    return sweeper


def _has_converged(losses: list[float], tol: float) -> bool:
    return len(losses) > 1 and losses[-2] - losses[-1] <= tol * losses[-2]
