"""What the field-aware factorization machines share: checks, gradient descent, predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import kernels
from ..base.csr import take_rows
from ..base.estimator import Estimator
from ..base.memory import available_memory
from ..base.progress import Progress, log_duration
from ..base.random import as_generator
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_float, as_int, csr_parts
from ..exceptions import NumericalError
from ._design_matrix import NamedColumns, as_design_matrix
from ._fm_estimator import as_case_weights, as_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    import scipy.sparse as sp
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event

    Array = NDArray[np.float64]

__all__ = ["FieldAwareEstimator"]

_MAX_FACTORS = 1 << 10
_GIB = 1 << 30


class FieldAwareEstimator(NamedColumns, Estimator):
    """Base of the field-aware factorization machines.

    A subclass defines ``_target(y, n)``, which returns targets and a first intercept, and
    `_row_losses`.
    """

    _state: ClassVar[tuple[str, ...]] = (
        "intercept_",
        "linear_",
        "factors_",
        "fields_",
        "losses_",
        "validation_losses_",
        "_column_names",
    )
    _is_logistic: ClassVar[bool]

    intercept_: Array
    linear_: NDArray[np.float32]
    factors_: NDArray[np.float32]
    fields_: NDArray[np.int32]
    losses_: Array
    validation_losses_: Array
    n_factors: int
    max_iter: int
    learning_rate: float
    regularization: float
    init_scale: float
    validation_fraction: float
    n_iter_no_change: int
    random_state: Any

    # ---- learning ----------------------------------------------------------------------------

    def _target(self, y: Any, n: int) -> tuple[Array, float]:
        raise NotImplementedError

    def _row_losses(self, predictions: Array, targets: Array) -> Array:
        raise NotImplementedError

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        fields: Any = None,
        sample_weight: Any = None,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Learn from rows of features and their targets.

        Parameters
        ----------
        X : sparse matrix or 2-D array of shape (n, n_columns)
            Features.
        y : array-like of shape (n,)
            Targets.
        fields : array-like of shape (n_columns,), optional
            Label of the field of each column, such as the name of the categorical feature that the
            column encodes. Default: one field, which is a plain factorization machine.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        callback : callable, optional
            Called with an `Event` after each epoch. A true result ends the fit.
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
            Where the coefficients would not fit into the memory; nothing is allocated.
        NumericalError
            Where the loss is not finite: the steps diverge.
        """
        fresh = type(self)(**self.get_params(deep=False))
        fresh._learn(X, y, fields, sample_weight, callback, verbose)
        return self._adopt_state(fresh)

    def _learn(
        self, X: Any, y: Any, fields: Any, sample_weight: Any, callback: Any, verbose: bool
    ) -> None:
        n_factors = as_int(self.n_factors, "n_factors", minimum=0, maximum=_MAX_FACTORS)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        patience = as_int(self.n_iter_no_change, "n_iter_no_change", minimum=1)
        share = as_float(self.validation_fraction, "validation_fraction", minimum=0.0)
        if share >= 1:
            raise ValueError(f"validation_fraction must be below 1, got {share}")
        matrix = as_design_matrix(X)
        n, n_columns = matrix.shape
        if n == 0 or n_columns == 0:
            raise ValueError(f"X has {n} rows and {n_columns} columns, at least 1 of each required")
        self.fields_ = as_groups(fields, n_columns, "fields")
        weights = as_case_weights(sample_weight, n)
        targets, first = self._target(y, n)
        rng = as_generator(self.random_state)
        train, held_out = _split(n, share, weights, rng)
        descent = _Descent(
            matrix,
            self.fields_,
            targets,
            weights,
            n_factors,
            first,
            as_float(self.learning_rate, "learning_rate", minimum=1e-12),
            as_float(self.regularization, "regularization", minimum=0.0),
            as_float(self.init_scale, "init_scale", minimum=0.0),
            self._is_logistic,
            rng,
        )
        progress = Progress("fit", max_iter, callback=callback, verbose=as_bool(verbose, "verbose"))
        best, best_epoch, losses, held_out_losses = descent.state(), 0, [], []
        with progress, log_duration("%s.fit", type(self).__name__):
            for epoch in range(1, max_iter + 1):
                losses.append(descent.epoch(rng.permutation(train), epoch))
                values = {"loss": losses[-1]}
                if len(held_out):
                    self._keep(*descent.state())
                    held_out_losses.append(self._mean_loss(matrix, targets, weights, held_out))
                    if not np.isfinite(held_out_losses[-1]):
                        raise NumericalError(
                            f"the validation loss of epoch {epoch} is not finite: standardise the "
                            "columns of X or lower learning_rate"
                        )
                    values["validation_loss"] = held_out_losses[-1]
                    if held_out_losses[-1] <= min(held_out_losses):
                        best, best_epoch = descent.state(), epoch
                model = self._model_of(descent) if callback is not None else None
                if progress.step(epoch, values, model) or (
                    len(held_out) and epoch - best_epoch >= patience
                ):
                    break
        self._keep(*(best if len(held_out) else descent.state()))
        self._finish()
        self.losses_, self.validation_losses_ = np.array(losses), np.array(held_out_losses)
        self.n_features_in_ = n_columns
        self._note_names(X)

    def _model_of(self, descent: _Descent) -> Any:
        """Return a fitted model with the present coefficients, for a callback."""
        model = type(self)(**self.get_params(deep=False))
        vars(model).update(vars(self))
        model._keep(*descent.state())
        model._finish()
        model.losses_ = model.validation_losses_ = np.empty(0)
        model.n_features_in_ = len(self.fields_)
        return model

    def _mean_loss(
        self, X: sp.csr_array, targets: Array, weights: Array, rows: NDArray[np.int64]
    ) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            losses = self._row_losses(self._scores(take_rows(X, rows)), targets[rows])
        return float(np.average(losses, weights=weights[rows] if len(weights) else None))

    def _keep(self, intercept: float, linear: Array, factors: Array) -> None:
        """Set the learned coefficients."""
        self.intercept_ = np.array([intercept])
        self.linear_, self.factors_ = linear.astype(np.float32), factors.astype(np.float32)

    def _finish(self) -> None:
        """Turn coefficients of internal targets into those of the targets of the caller."""

    def _restore(self) -> None:
        """Check a model whose ``_state`` came from a file."""
        d = len(self.linear_)
        n_fields = int(self.fields_.max(initial=-1)) + 1
        if d == 0 or self.fields_.shape != (d,) or self.fields_.min() < 0:
            raise ValueError("fields that do not fit the coefficients")
        if self.factors_.ndim != 3 or self.factors_.shape[:2] != (d, n_fields):
            raise ValueError("factors that do not fit the fields")
        if self.intercept_.shape != (1,):
            raise ValueError("more than one intercept")
        for values in (self.intercept_, self.linear_, self.factors_):
            if not np.isfinite(values).all():
                raise ValueError("coefficients that are not finite numbers")
        self.n_features_in_ = d
        self._check_n_names(d)
        self._fitted_with = self.get_params(deep=False)

    # ---- predictions -------------------------------------------------------------------------

    def _predictions(self, X: Any) -> Array:
        """Return the prediction of each row."""
        self._check_fitted()
        self._check_names(X)
        matrix = as_design_matrix(X)
        if matrix.shape[1] != len(self.fields_):
            raise ValueError(
                f"X has {matrix.shape[1]} features, but {type(self).__name__} is expecting "
                f"{len(self.fields_)} features as input"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            scores = self._scores(matrix)
        if not np.isfinite(scores).all():
            raise NumericalError(
                "predictions are not finite: the values of X are too large; scale them as in the "
                "fit"
            )
        return scores

    def _scores(self, X: sp.csr_array) -> Array:
        """Return the prediction of each row."""
        scores: Array = kernels.field_aware_scores(
            *csr_parts(X),
            self.fields_,
            float(self.intercept_[0]),
            np.ascontiguousarray(self.linear_),
            np.ascontiguousarray(self.factors_),
            resolve_n_threads(None),
        )
        return scores

    def _facts(self) -> dict[str, str]:
        d, n_fields, f = self.factors_.shape
        return {"columns": f"{d:,}", "fields": f"{n_fields:,}", "factors": f"{f:,}"}


class _Descent:
    """Coefficients, their sums of squared gradients, and epochs over the rows."""

    def __init__(
        self,
        X: sp.csr_array,
        fields: NDArray[np.int32],
        targets: Array,
        weights: Array,
        n_factors: int,
        intercept: float,
        learning_rate: float,
        regularization: float,
        init_scale: float,
        is_logistic: bool,
        rng: np.random.Generator,
    ) -> None:
        self._n_columns, self._n_fields = len(fields), int(fields.max()) + 1
        self._n_factors = n_factors
        width = self._n_fields * n_factors
        need = 40 * self._n_columns * (width + 1)
        if need > available_memory():
            raise MemoryError(
                f"{self._n_columns:,} columns x {self._n_fields} fields x {n_factors} factors need "
                f"{need / _GIB:.1f} GiB, and {available_memory() / _GIB:.1f} GiB are available: "
                "lower n_factors or join fields"
            )
        self._data = (*csr_parts(X), fields)
        self._targets, self._weights = targets, weights
        self._intercept = np.array([intercept, 1.0])
        self._linear = np.zeros((2, self._n_columns))
        self._factors = np.empty((2, self._n_columns, width))
        self._factors[0] = rng.normal(0, init_scale, (self._n_columns, width))
        self._linear[1] = self._factors[1] = 1.0  # as in libffm: first steps are not too long
        self._options = (self._n_fields, learning_rate, regularization, is_logistic)

    def epoch(self, order: NDArray[np.int64], number: int) -> float:
        """Make a step for each row; return the mean of the losses before the steps."""
        step: Any = kernels.field_aware_epoch
        coefficients = self._intercept, self._linear, self._factors
        loss = step(*self._data, order, self._targets, self._weights, *coefficients, *self._options)
        finite = np.isfinite(loss) and all(np.isfinite(c[0]).all() for c in coefficients)
        if not finite:
            raise NumericalError(
                f"the loss of epoch {number} is not finite: standardise the columns of X or lower "
                "learning_rate"
            )
        total = self._weights[order].sum() if len(self._weights) else len(order)
        return float(loss / total) if total > 0 else 0.0

    def state(self) -> tuple[float, Array, Array]:
        """Return copies of intercept, linear coefficients and factors."""
        shape = self._n_columns, self._n_fields, self._n_factors
        factors = self._factors[0].reshape(shape).copy()
        return float(self._intercept[0]), self._linear[0].copy(), factors


def _split(
    n: int, share: float, weights: Array, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows that are learned from, and rows held out for early stopping."""
    if share == 0:
        return np.arange(n), np.empty(0, dtype=np.int64)
    n_held_out = round(share * n)
    if not 0 < n_held_out < n:
        raise ValueError(
            f"validation_fraction={share} of {n} rows leaves a part without rows: set it to 0 or "
            "give more rows"
        )
    rows = rng.permutation(n)
    held_out, train = np.sort(rows[:n_held_out]), np.sort(rows[n_held_out:])
    if len(weights) and not (weights[train].any() and weights[held_out].any()):
        raise ValueError(
            "all weights of a part are 0: set validation_fraction to 0 or weight more rows"
        )
    return train, held_out
