"""What the factorization machines on a design matrix share: checks, the fit, predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.arrays import as_vector
from ..base.estimator import Estimator
from ..base.progress import Progress, log_duration
from ..base.random import as_generator
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, as_float, as_int
from ..exceptions import NumericalError
from ._design_matrix import NamedColumns
from ._fm_chain import Draws, Settings, run_chain
from ._fm_design import Design

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event
    from ._fm_targets import Target
    from .relation import RelationBlock

    Array = NDArray[Any]

__all__ = [
    "FactorizationMachineEstimator",
    "as_case_weights",
    "as_groups",
    "determination",
    "share_of_hits",
]

_MAX_FACTORS = 1 << 10


def as_groups(labels: Any, n_columns: int, name: str = "groups") -> NDArray[np.int32]:
    """Return the number of the group of each column; one group for None.

    Raises
    ------
    ValueError
        Where there is not one label for each column.
    TypeError
        For labels of several kinds.
    """
    if labels is None:
        return np.zeros(n_columns, dtype=np.int32)
    labels = np.asarray(labels)
    if labels.shape != (n_columns,):
        raise ValueError(
            f"{name} must have one label for each of the {n_columns} columns of X (and of all "
            f"relations), got shape {labels.shape}"
        )
    try:
        codes = np.unique(labels, return_inverse=True)[1]
    except TypeError:
        raise TypeError(f"{name} must hold labels of one kind, none of them missing") from None
    return codes.reshape(-1).astype(np.int32)


def share_of_hits(predicted: NDArray[Any], y: Any, sample_weight: Any) -> float:
    """Return the weighted share of labels that are predicted.

    Raises
    ------
    ValueError
        Where there is not one label for each prediction.
    """
    true = np.asarray(y)
    if true.shape != predicted.shape:
        raise ValueError(
            f"y must have one label for each of the {len(predicted)} rows of X, got shape "
            f"{true.shape}"
        )
    return float(np.average(predicted == true, weights=sample_weight))


def determination(predicted: NDArray[np.float64], y: Any, sample_weight: Any) -> float:
    """Return the coefficient of determination R^2 of predictions.

    Raises
    ------
    ValueError
        Where there is not one target, or one weight, for each prediction.
    """
    values = as_vector(y, "y", length=len(predicted))
    weights = None
    if sample_weight is not None:
        weights = as_vector(sample_weight, "sample_weight", length=len(values), minimum=0.0)
    mean = np.average(values, weights=weights)
    total = np.average((values - mean) ** 2, weights=weights)
    left = np.average((values - predicted) ** 2, weights=weights)
    return float(1 - left / total) if total > 0 else float(left == 0)


def as_case_weights(sample_weight: Any, n: int) -> NDArray[np.float64]:
    """Return weights above or equal to 0; none for None."""
    if sample_weight is None:
        return np.empty(0)
    weights = np.asarray(sample_weight)
    if weights.dtype.kind not in "biuf" or weights.shape != (n,):
        raise ValueError(
            f"sample_weight must have one number for each of the {n} rows, got shape "
            f"{weights.shape} of dtype {weights.dtype}"
        )
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError("sample_weight must be finite and at least 0, and not 0 everywhere")
    return weights


class FactorizationMachineEstimator(NamedColumns, Estimator):
    """Base of the factorization machines on a design matrix.

    A subclass defines ``_target(y)``, which also sets what depends on the classes, and the
    predictions from draws.
    """

    _state: ClassVar[tuple[str, ...]] = (
        "intercepts_",
        "linear_",
        "factors_",
        "losses_",
        "column_counts_",
        "_column_names",
    )
    _solvers: ClassVar[tuple[str, ...]] = ("mcmc", "als")

    intercepts_: NDArray[np.float64]
    linear_: NDArray[np.float32]
    factors_: NDArray[np.float32]
    losses_: NDArray[np.float64]
    column_counts_: NDArray[np.int64]
    solver: str
    n_threads: int | None

    # ---- learning ----------------------------------------------------------------------------

    def _settings(self) -> Settings:
        params = self.get_params(deep=False)
        solver = as_choice(params.get("solver", "mcmc"), "solver", self._solvers)
        if solver == "mcmc":
            self._refuse_idle(("regularization", "tol"), "solver='mcmc'")
        else:
            self._refuse_idle(("n_burn_in", "thin"), f"solver={solver!r}")
        settings = Settings(
            n_factors=as_int(params["n_factors"], "n_factors", minimum=0, maximum=_MAX_FACTORS),
            solver=solver,
            max_iter=as_int(params["max_iter"], "max_iter", minimum=1),
            n_burn_in=as_int(params["n_burn_in"], "n_burn_in", minimum=0),
            thin=as_int(params["thin"], "thin", minimum=1),
            regularization=as_float(
                params.get("regularization", 1.0), "regularization", minimum=1e-12
            ),
            init_scale=as_float(params["init_scale"], "init_scale", minimum=0.0),
            tol=as_float(params.get("tol", 0.0), "tol", minimum=0.0),
        )
        if solver == "mcmc" and settings.n_burn_in >= settings.max_iter:
            raise ValueError(
                f"n_burn_in={settings.n_burn_in} leaves no draw of max_iter={settings.max_iter} "
                "sweeps: lower n_burn_in or raise max_iter"
            )
        return settings

    def _target(self, y: Any, n: int) -> Target:
        raise NotImplementedError

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        relations: Sequence[RelationBlock] = (),
        groups: Any = None,
        sample_weight: Any = None,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Learn from rows of features and their targets.

        Parameters
        ----------
        X : sparse matrix or 2-D array of shape (n, n_columns), or None
            Features. None: those of ``relations`` alone.
        y : array-like of shape (n,)
            Targets.
        relations : sequence of RelationBlock, default=()
            Features of repeated things, which need not be repeated in X.
        groups : array-like of shape (n_columns of X and of all relations,), optional
            Label of each column. Columns with one label share the mean and the precision of the
            prior, such as all users. Default: one group.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        callback : callable, optional
            Called with an `Event` after each sweep. A true result ends the fit.
        verbose : bool, default=False
            Show a progress bar on standard error once the fit has taken two seconds.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        ValueError
            For values that are not finite and for lengths that do not match.
        TypeError
            For targets that are not numbers; a classifier also takes text and booleans.
        MemoryError
            Where the draws would not fit into the memory; nothing is allocated.
        NumericalError
            Where the coefficients overflow.
        """
        fresh = type(self)(**self.get_params(deep=False))
        fresh._learn(X, y, relations, groups, sample_weight, callback, verbose)
        return self._adopt_state(fresh)

    def _learn(
        self,
        X: Any,
        y: Any,
        relations: Sequence[RelationBlock],
        groups: Any,
        sample_weight: Any,
        callback: Any,
        verbose: bool,
    ) -> None:
        settings = self._settings()
        n_threads = resolve_n_threads(self.n_threads)
        design = Design(X, relations, n_threads)
        if design.n_cases == 0:
            raise ValueError("X has 0 rows, while a minimum of 1 is required")
        if design.n_columns == 0:
            raise ValueError("X and relations have 0 columns, while a minimum of 1 is required")
        labels = as_groups(groups, design.n_columns)
        weights = as_case_weights(sample_weight, design.n_cases)
        self.column_counts_ = np.array([-1 if X is None else 0, *design.shapes])
        target = self._target(y, design.n_cases)
        rng = as_generator(self._random_state())
        progress = Progress(
            "fit", settings.max_iter, callback=callback, verbose=as_bool(verbose, "verbose")
        )

        def model_of(draws: Draws) -> Any:
            model = type(self)(**self.get_params(deep=False))
            vars(model).update(vars(self))
            model._keep(draws.copy(), np.empty(0))
            return model

        with progress, log_duration("%s.fit", type(self).__name__):
            draws, losses = run_chain(
                design,
                target,
                labels,
                weights,
                settings,
                rng,
                progress,
                n_threads,
                callback is not None,
                model_of,
            )
        self._keep(draws, losses)
        if X is not None:
            self.n_features_in_ = design.shapes[0]
        self._note_names(X)

    def _random_state(self) -> Any:
        return self.get_params(deep=False)["random_state"]

    def _keep(self, draws: Draws, losses: Array) -> None:
        """Set the learned attributes."""
        self.intercepts_, self.linear_ = draws.intercepts, draws.linear
        self.factors_, self.losses_ = draws.factors, losses

    def _restore(self) -> None:
        """Check a model whose ``_state`` came from a file."""
        n, d = self.linear_.shape
        if self.factors_.shape[:2] != (n, d) or self.intercepts_.shape != (n,) or n == 0:
            raise ValueError("coefficients that do not fit together")
        if self.column_counts_[1:].sum() != d:
            raise ValueError(f"{d} columns instead of {self.column_counts_[1:].sum()}")
        for values in (self.intercepts_, self.linear_, self.factors_):
            if not np.isfinite(values).all():
                raise ValueError("coefficients that are not finite numbers")
        if self.column_counts_[0] == 0:
            self.n_features_in_ = int(self.column_counts_[1])
            self._check_n_names(self.n_features_in_)
        self._fitted_with = self.get_params(deep=False)

    # ---- predictions -------------------------------------------------------------------------

    def _draws(self) -> Draws:
        _, d, f = self.factors_.shape
        draws = Draws.empty(0, d, f)
        draws.intercepts, draws.linear = self.intercepts_, self.linear_
        draws.factors = self.factors_
        return draws

    def _matrices(self, X: Any, relations: Sequence[RelationBlock]) -> list[tuple[Any, Any]]:
        """Return the features of new rows, with the columns of the fit."""
        self._check_fitted()
        self._check_names(X)
        design = Design(X, relations, 1, is_training=False)
        has_matrix = self.column_counts_[0] == 0
        expected = self.column_counts_[1:].tolist()
        if (X is not None) != has_matrix or design.shapes != expected:
            parts = (["X"] if has_matrix else []) + ["relation"] * (len(expected) - has_matrix)
            wanted = ", ".join(f"{p} of {n}" for p, n in zip(parts, expected, strict=True))
            given = (["X"] if X is not None else []) + ["relation"] * len(relations)
            got = ", ".join(f"{p} of {n}" for p, n in zip(given, design.shapes, strict=True))
            name = type(self).__name__
            if X is not None and has_matrix and len(expected) == len(design.shapes) == 1:
                raise ValueError(
                    f"X has {design.shapes[0]} features, but {name} is expecting {expected[0]} "
                    "features as input"
                )
            raise ValueError(f"{name} expects {wanted} columns, got {got} columns")
        return design.matrices

    def _predictions(self, X: Any, relations: Sequence[RelationBlock]) -> Array:
        """Return the prediction of each row by each draw, shape (n_draws, n)."""
        matrices = self._matrices(X, relations)
        with np.errstate(over="ignore", invalid="ignore"):
            predictions = self._draws().predictions(matrices)
        if not np.isfinite(predictions).all():
            raise NumericalError(
                "predictions are not finite: the values of X are too large; scale them as in the "
                "fit"
            )
        return predictions

    def _facts(self) -> dict[str, str]:
        n, d, f = self.factors_.shape
        return {"columns": f"{d:,}", "factors": f"{f:,}", "draws": f"{n:,}"}
