"""The course of a training: epochs, early stopping, what a caller hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import as_float, as_int

if TYPE_CHECKING:
    from ._model import FactorModel
    from .blocks import RowBlocks

__all__ = ["Epoch", "Training", "Watch"]


@dataclass(frozen=True)
class Epoch:
    """What a callback is told after each epoch.

    Parameters
    ----------
    number : int
        From 1.
    max_iter : int
        Epochs there will be at most.
    loss : float or None
        Loss over all pairs, where it is tracked.
    score : float or None
        Metric on the validation part, where there is one.
    model : FactorModel
        The model as it is now: it can be asked and saved, not changed.
    """

    number: int
    max_iter: int
    loss: float | None
    score: float | None
    model: FactorModel = field(repr=False)


@dataclass(frozen=True)
class Training:
    """What `fit` was given besides the data."""

    validation: Any = None
    start: Any = None
    callback: Callable[[Epoch], Any] | None = None
    data: Any = None
    blocks: RowBlocks | None = None


class Watch:
    """Decides after each epoch whether to go on; remembers the best factors."""

    def __init__(
        self, model: FactorModel, training: Training, max_iter: int, metric: Any, patience: Any
    ) -> None:
        self.losses: list[float] = []
        self.scores: list[float] = []
        self._model, self._training = model, training
        self._n_iter, self._metric = max_iter, metric
        self._patience = as_int(patience, "patience", minimum=1)
        self._tol = as_float(getattr(model, "tol", 0.0), "tol", minimum=0.0)
        self._best: tuple[float, Any, Any] | None = None
        self._best_epoch = 0

    @property
    def wants_loss(self) -> bool:
        """Whether the loss decides anything here."""
        return self._tol > 0

    def stops(self, number: int, loss: float | None) -> bool:
        """Note an epoch; True where training should end with it."""
        model = self._model
        if loss is not None:
            self.losses.append(loss)
        score = self._validated() if self._training.validation is not None else None
        stop = False
        if score is not None:
            self.scores.append(score)
            if self._best is None or score > self._best[0]:
                self._best = score, model.user_factors_, model.item_factors_
                self._best_epoch = number
            stop = number - self._best_epoch >= self._patience
        if self._tol and len(self.losses) > 1:
            before, now = self.losses[-2:]
            stop |= before - now <= self._tol * abs(before)
        if self._training.callback is not None:
            model._prepare(1)  # nothing packed of an earlier epoch answers
            model._fitted_with = model.get_params(deep=False)
            for name, value in (
                ("losses_", np.array(self.losses)),
                ("scores_", np.array(self.scores)),
                ("n_iter_", number),
            ):
                setattr(model, name, value)
            epoch = Epoch(number, self._n_iter, loss, score, model)
            stop |= bool(self._training.callback(epoch))
        return stop

    def finish(self, number: int) -> int:
        """Put the best factors back; returns the epoch they are of."""
        if self._best is None or self._best_epoch == number:
            return number
        _, self._model.user_factors_, self._model.item_factors_ = self._best
        return self._best_epoch

    def _validated(self) -> float:
        from ..evaluation import evaluate

        self._model._prepare(1)
        how = self._training
        data = how.data if how.blocks is None else self._model.user_items_
        table = evaluate(
            {"model": self._model},
            (data, how.validation),
            metrics=[self._metric],
            fit=False,
        )
        values = [v for name, v in table["model"].items() if not name.endswith("_s")]
        if not np.isfinite(values[0]):
            raise ValueError(f"validation: {self._metric} is {values[0]} on this part")
        return float(values[0])
