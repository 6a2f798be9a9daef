"""The course of a training: options of a fit, early stopping, validation after an epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import as_float, as_int

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.progress import Event
    from ._model import FactorModel

__all__ = ["EarlyStopping", "FitOptions", "validation_score"]


@dataclass(frozen=True)
class FitOptions:
    """What a call of `fit` was given besides the parameters of the model.

    Parameters
    ----------
    data : Interactions, sparse matrix, 2-D array, RowBlocks or None
        The training data as given.
    validation : Interactions or matrix, optional
        Held-out entries.
    start : fitted model or pair of arrays, optional
        Factors to start from.
    callback : callable, optional
        Called with an `Event` after each epoch.
    """

    data: Any = None
    validation: Any = None
    start: Any = None
    callback: Callable[[Event], Any] | None = None


class EarlyStopping:
    """Decides after each epoch whether training ends, and keeps the best factors.

    Parameters
    ----------
    tol : float
        Training ends when the loss falls by less than this share of itself; 0: never.
    patience : int
        Training ends after so many epochs without a better validation score.

    Attributes
    ----------
    losses, scores : list of float
        Loss and validation score of each epoch, where they were given.
    """

    def __init__(self, *, tol: Any, patience: Any) -> None:
        self.losses: list[float] = []
        self.scores: list[float] = []
        self._tol = as_float(tol, "tol", minimum=0.0)
        self._patience = as_int(patience, "patience", minimum=1)
        self._best_epoch = 0
        self._best_factors: tuple[NDArray[Any], NDArray[Any]] | None = None

    @property
    def needs_loss(self) -> bool:
        """Whether the decision depends on the loss."""
        return self._tol > 0

    def should_stop(
        self,
        epoch: int,
        loss: float | None,
        score: float | None,
        factors: tuple[NDArray[Any], NDArray[Any]],
    ) -> bool:
        """Record an epoch and return whether training should end with it.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 1.
        loss, score : float or None
            Loss and validation score after the epoch; None where they are not computed.
        factors : tuple of two ndarrays
            Factors of users and items after the epoch. They must not be changed in place later.
        """
        stop = False
        if loss is not None:
            self.losses.append(loss)
            if self._tol and len(self.losses) > 1:
                before = self.losses[-2]
                stop = before - loss <= self._tol * abs(before)
        if score is not None:
            if not self.scores or score > max(self.scores):
                self._best_epoch, self._best_factors = epoch, factors
            self.scores.append(score)
            stop = stop or epoch - self._best_epoch >= self._patience
        return stop

    def best(
        self, epoch: int, factors: tuple[NDArray[Any], NDArray[Any]]
    ) -> tuple[int, tuple[NDArray[Any], NDArray[Any]]]:
        """Return the epoch with the best validation score and its factors.

        Parameters
        ----------
        epoch : int
            The last epoch.
        factors : tuple of two ndarrays
            Factors after the last epoch; they are returned where there is no validation.
        """
        if self._best_factors is None:
            return epoch, factors
        return self._best_epoch, self._best_factors


def validation_score(model: FactorModel, data: Any, validation: Any, metric: Any) -> float:
    """Return a metric of a model's lists on held-out entries.

    Parameters
    ----------
    model : FactorModel
        The model after an epoch.
    data, validation : Interactions or matrix
        Training data, which are left out of the lists, and held-out entries of the same users.
    metric : str
        Name of one metric.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Where the metric is not a finite number.
    """
    from ..evaluation import evaluate

    table = evaluate({"model": model}, (data, validation), metrics=[metric], fit=False)
    values = [value for name, value in table["model"].items() if not name.endswith("_s")]
    if not np.isfinite(values[0]):
        raise ValueError(
            f"validation: {metric} is {values[0]} on the validation part; it needs held-out "
            "entries of users that are in X"
        )
    return float(values[0])
