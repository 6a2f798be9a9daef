"""The result of a search: its trials, the best model, a table and a picture."""

from __future__ import annotations

import math
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.html import results
from ..base.optional import import_optional
from ..base.text import aligned, interval_text, short_number
from ._journal import plain

if TYPE_CHECKING:
    import os

    from ..evaluation import Interval

__all__ = ["SearchResult", "Trial"]

_COLUMNS = 4  # of a picture
_CHARACTERS = 56  # that fit side by side below the axes of a picture


@dataclass(frozen=True)
class Trial:
    """One setting and its score.

    Parameters
    ----------
    number : int
        Order of the settings, from 0.
    model : str
        Name of the model.
    params : dict
        The setting.
    score : float
        Mean of the metric over the folds; NaN for a trial that failed.
    fold_scores : tuple of float
        The metric on each fold.
    resource : float
        Share of the users that the trial was fitted on; 1 outside of successive halving.
    seconds : float
        Time of fit and evaluation. Settings that share a fit share its time.
    state : str
        "done", "pruned" (ended early by its first folds), "stopped" (ended by the time limit) or
        "failed".
    error : str
        Why it failed or was stopped.
    """

    number: int
    model: str
    params: dict[str, Any]
    score: float
    fold_scores: tuple[float, ...]
    resource: float
    seconds: float
    state: str = "done"
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary; parameters that JSON has no type for by their text.

        Returns
        -------
        dict
        """
        return {**asdict(self), "params": plain(self.params)}


class SearchResult:
    """What a search found.

    Parameters
    ----------
    trials : list of Trial
        In the order of the settings.
    metric : str
        The metric.
    lower_is_better : bool
        Whether a smaller score is better.
    best_trial : Trial
        The best trial on all users.

    Attributes
    ----------
    untried : list of str
        Models without any trial, because the time limit or the callback ended the search.
    best_model_ : Recommender or None
        The best setting, fitted on everything but the test part. None with ``refit=False``.
    best_params_ : dict
        The best setting.
    best_score_ : float
        Its score on the validation part. It is the largest of many, so it is too good on average.
    test_score_ : float
        The metric of `best_model_` on the test part, which no trial saw; NaN without one.
    test_interval_ : Interval or None
        The same with its interval over users. None without a test part or for metrics that are no
        mean over users.
    """

    def __init__(
        self, trials: list[Trial], metric: str, lower_is_better: bool, best_trial: Trial
    ) -> None:
        self.trials = trials
        self.metric = metric
        self.lower_is_better = lower_is_better
        self.best_trial = best_trial
        self.best_params_: dict[str, Any] = best_trial.params
        self.best_score_ = best_trial.score
        self.untried: list[str] = []
        self.best_model_: Any = None
        self.test_score_ = math.nan
        self.test_interval_: Interval | None = None

    def ranking(self) -> list[Trial]:
        """Return the finished trials, the best first; those on more users before the others.

        Returns
        -------
        list of Trial
        """
        done = [t for t in self.trials if t.state == "done"]
        sign = 1 if self.lower_is_better else -1
        return sorted(done, key=lambda t: (-t.resource, sign * t.score, t.number))

    def __len__(self) -> int:
        return len(self.trials)

    def __repr__(self) -> str:
        rows = self._rows()
        width = max(len(row[-1]) for row in rows)
        table = aligned([[*row[:-1], row[-1].ljust(width)] for row in rows])
        return "\n".join([table, "", *self._notes()])

    def _repr_html_(self) -> str:
        """Return the table of the best trials for a notebook."""
        rows = self._rows()
        return results(rows, self._notes(), left=(0, len(rows[0]) - 1))

    def _rows(self) -> list[list[str]]:
        """Return the titles and the ten best trials as texts."""
        is_halving = any(trial.resource != 1 for trial in self.trials)
        rows = [["model", self.metric, *(["users"] * is_halving), "seconds", "setting"]]
        for trial in self.ranking()[:10]:
            setting = ", ".join(
                f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
                for key, value in trial.params.items()
            )
            users = [f"{trial.resource:.0%}"] if is_halving else []
            score, seconds = short_number(trial.score), f"{trial.seconds:.2f}"
            rows.append([trial.model, score, *users, seconds, setting])
        return rows

    def _notes(self) -> list[str]:
        failed = sum(t.state == "failed" for t in self.trials)
        stopped = sum(t.state == "stopped" for t in self.trials)
        text = f"{len(self.trials)} trials, {failed} failed"
        lines = [text + (f", {stopped} stopped by the time limit" if stopped else "")]
        if self.untried:
            lines.append(f"not tried: {', '.join(self.untried)}")
        if self.test_interval_ is not None:
            i = self.test_interval_
            lines.append(
                f"best on the test part: {interval_text(i.estimate, i.lower, i.upper)} "
                f"({i.confidence:.0%} confidence)"
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return trials and best setting as plain dictionaries and lists.

        Returns
        -------
        dict
            Keys "metric", "best" (a trial), "trials" and "test_interval".
        """
        interval = self.test_interval_
        return {
            "metric": self.metric,
            "best": self.best_trial.to_dict(),
            "trials": [trial.to_dict() for trial in self.trials],
            "test_interval": None if interval is None else interval.to_dict(),
        }

    def picture(self, path: str | os.PathLike[str]) -> Path:
        """Draw the scores in the order of the trials and over each parameter of the best model.

        Trials on a part of the users (successive halving) are pale: their scores are not
        comparable with those on all users.

        Parameters
        ----------
        path : str or path-like
            Image file; its ending gives the format.

        Returns
        -------
        Path

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        import_optional("matplotlib")
        from matplotlib.figure import Figure

        done = [t for t in self.trials if t.state == "done"]
        own = [t for t in done if t.model == self.best_trial.model]
        names = [n for n in own[0].params if len({repr(t.params[n]) for t in own}) > 1]
        n_columns = min(1 + len(names), _COLUMNS)
        n_rows = -(-(1 + len(names)) // n_columns)
        figure = Figure(figsize=(4 * n_columns + 1, 4 * n_rows), layout="constrained")
        axes = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False).ravel()
        looks = _looks(list(dict.fromkeys(t.model for t in done)))
        for model, look in looks.items():
            part = [t for t in done if t.model == model]
            _draw_trials(axes[0], [t.number for t in part], part, {**look, "label": model})
        complete = [t for t in done if t.resource == self.best_trial.resource]
        better = np.fmin if self.lower_is_better else np.fmax
        course = better.accumulate([t.score for t in complete])
        axes[0].step(
            [t.number for t in complete], course, "k-", where="post", lw=1, label="best so far"
        )
        axes[0].set(xlabel="trial", ylabel=self.metric)
        axes[0].xaxis.get_major_locator().set_params(integer=True)
        figure.legend(loc="outside right upper", fontsize="small")
        for axis, name in zip(axes[1:], names):
            _draw_parameter(axis, name, own, self.best_trial, looks[self.best_trial.model])
            axis.set_title(self.best_trial.model, fontsize="medium")
        for axis in axes[1 + len(names) :]:
            axis.set_axis_off()
        path = Path(path)
        figure.savefig(path, dpi=120)
        return path


def _looks(models: list[str]) -> dict[str, dict[str, Any]]:
    """Return color and marker of each model; forty models look different."""
    return {
        model: {"color": f"C{i % 10}", "marker": "os^D"[i // 10 % 4], "linestyle": "", "ms": 4}
        for i, model in enumerate(models)
    }


def _draw_trials(axis: Any, x: list[Any], trials: list[Trial], look: dict[str, Any]) -> None:
    """Draw the scores of trials as points; those on a part of the users are pale."""
    label = look.get("label")
    for is_complete in (True, False):
        chosen = [i for i, t in enumerate(trials) if (t.resource == 1) is is_complete]
        if chosen:
            alpha = 1.0 if is_complete else 0.3
            points = [x[i] for i in chosen], [trials[i].score for i in chosen]
            axis.plot(*points, **{**look, "alpha": alpha, "label": label})
            label = None  # one entry of the legend for each model


def _draw_parameter(
    axis: Any, name: str, trials: list[Trial], best: Trial, look: dict[str, Any]
) -> None:
    """Draw scores over the values of one parameter; numbers on a scale, others side by side."""
    values = [t.params[name] for t in trials]
    is_number = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    if is_number:
        x = [float(v) for v in values]
        position = float(best.params[name])
        if min(x) > 0 and max(x) / min(x) > 20:
            axis.set_xscale("log")
    else:
        labels = list(dict.fromkeys(str(v) for v in values))
        x = [float(labels.index(str(v))) for v in values]
        position = float(labels.index(str(best.params[name])))
        shown = [_wrapped(label) for label in labels]
        width = sum(max(map(len, label.split("\n"))) for label in shown)
        turned = 90 if width > _CHARACTERS else 0
        axis.set_xticks(range(len(labels)), shown, rotation=turned, fontsize="small")
        axis.margins(x=0.5 / len(labels))
    _draw_trials(axis, x, trials, look)
    axis.plot([position], [best.score], "o", ms=9, mfc="none", mec="k")
    axis.set_xlabel(name)


def _wrapped(label: str) -> str:
    """Return a label in at most three lines, which break between its parts."""
    lines = textwrap.wrap(label, 24, break_long_words=False)
    return "\n".join(line if len(line) <= 32 else line[:31] + "…" for line in lines[:3])
