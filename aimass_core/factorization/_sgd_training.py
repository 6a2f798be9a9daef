"""The epochs of models trained by stochastic steps: figures, callbacks, early stopping."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.progress import logger
from ._early_stopping import EarlyStopping

if TYPE_CHECKING:
    from ._model import FactorModel

__all__ = ["run_epochs"]


def run_epochs(
    model: Any,
    take_epoch: Callable[[int], dict[str, float]],
    set_learned: Callable[[], None],
    max_iter: int,
    n_threads: int,
) -> None:
    """Take epochs until training ends and set the learned attributes of the best one.

    Parameters
    ----------
    model : FactorModel
        Its ``_learned_arrays`` are what early stopping keeps; ``losses_``, ``scores_`` and
        ``n_iter_`` are set.
    take_epoch : callable
        Takes epoch number n, from 1, and returns its figures, "loss" among them.
    set_learned : callable
        Sets the learned attributes from the parameters as they are.
    max_iter : int
        Epochs at most.
    n_threads : int
        Threads to use.
    """
    options = model._options
    stopping = EarlyStopping(
        model,
        options.data,
        options.validation,
        metric=model.metric,
        patience=model.patience,
        interval=model.validation_interval,
        attributes=model._learned_arrays,
    )
    losses: list[float] = []
    number, ends = 0, False
    progress = model._progress(max_iter)
    for number in range(1, max_iter + 1):
        values = take_epoch(number)
        losses.append(values["loss"])
        due = stopping.is_due(number, max_iter)
        if due or options.callback is not None:
            set_learned()
            _set_course(model, losses, stopping.scores, number)
            model._prepare(n_threads)
            model._fitted_with = model.get_params(deep=False)
        if due:
            values[str(model.metric)], ends = stopping.update(number)
        if progress.step(number, values, model) or ends:
            break
    set_learned()
    best = stopping.restore(number)
    _set_course(model, losses, stopping.scores, best)
    logger.info(
        "%s: %d epochs, parameters of epoch %d, loss %.6g",
        type(model).__name__,
        number,
        best,
        losses[-1] if losses else np.nan,
    )


def _set_course(model: FactorModel, losses: list[float], scores: list[float], number: int) -> None:
    learned = {"losses_": np.array(losses), "scores_": np.array(scores), "n_iter_": number}
    vars(model).update(learned)
