"""Optuna's samplers in the loop of a search."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.optional import import_optional
from ._journal import plain
from .space import Choice, Range, Space

if TYPE_CHECKING:
    from .result import Trial

__all__ = ["distributions", "run_studies", "suggest"]


def _choices(dimension: Choice) -> tuple[list[Any], dict[str, Any]]:
    """Return values as Optuna takes them (by their text where it has no type for them)."""
    texts = [
        v if isinstance(v, (bool, int, float, str)) or v is None else repr(plain(v))
        for v in dimension.values
    ]
    return texts, {repr(text): value for text, value in zip(texts, dimension.values)}


def distributions(space: Space) -> dict[str, Any]:
    """Return the space as Optuna's distributions."""
    module = import_optional("optuna.distributions")
    distributions: dict[str, Any] = {}
    for name, dimension in space.items():
        if isinstance(dimension, Choice):
            distributions[name] = module.CategoricalDistribution(_choices(dimension)[0])
        elif dimension.integer:
            distributions[name] = module.IntDistribution(
                int(dimension.low), int(dimension.high), log=dimension.log
            )
        else:
            distributions[name] = module.FloatDistribution(
                dimension.low, dimension.high, log=dimension.log
            )
    return distributions


def suggest(trial: Any, space: Space) -> dict[str, Any]:
    """Return the values that an Optuna trial suggests."""
    setting: dict[str, Any] = {}
    for name, dimension in space.items():
        if isinstance(dimension, Choice):
            texts, values = _choices(dimension)
            setting[name] = values[repr(trial.suggest_categorical(name, texts))]
        else:
            assert isinstance(dimension, Range)
            if dimension.integer:
                low, high = int(dimension.low), int(dimension.high)
                setting[name] = trial.suggest_int(name, low, high, log=dimension.log)
            else:
                setting[name] = trial.suggest_float(
                    name, dimension.low, dimension.high, log=dimension.log
                )
    return setting


def run_studies(
    search: Any,
    candidates: list[Any],
    method: str,
    n_trials: int,
    seed: int,
    evaluate_group: Callable[..., list[Trial]],
) -> None:
    """Run one study for each candidate, in turns; finished trials of the journal are not repeated.

    A sampler with a fixed seed proposes the same settings again, so that a journal serves it too.
    """
    optuna = import_optional("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler if method == "tpe" else optuna.samplers.CmaEsSampler
    direction = "minimize" if search.lower_is_better else "maximize"
    studies = [
        optuna.create_study(direction=direction, sampler=sampler(seed=(seed + i) % 2**32))
        for i in range(len(candidates))
    ]
    left = {c.name: n_trials if c.space else 1 for c in candidates}
    by_name = {c.name: (c, study) for c, study in zip(candidates, studies)}
    search.begin(left)
    failed = optuna.trial.TrialState.FAIL
    while left:
        if search.is_over and search.trials:
            return
        name = min(left, key=search.turn)
        candidate, study = by_name[name]
        left[name] -= 1
        if not left[name]:
            del left[name]
        proposed = study.ask()
        setting = suggest(proposed, candidate.space)
        number = len(search.trials)
        limit = search.start(name)
        (trial,) = evaluate_group(search, candidate, [setting], [number], 1.0, search.folds, limit)
        search.end(name, [trial])
        search.trials.append(trial)
        if np.isnan(trial.score):
            study.tell(proposed, state=failed)
        else:
            study.tell(proposed, trial.score)
        if search.progress.step(len(search.trials), {search.metric: trial.score}):
            return
