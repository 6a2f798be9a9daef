"""The result of `evaluate`: models x metrics, with intervals, tests, folds and counts."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.figures import draw_points, new_axes
from ..base.optional import import_optional
from ..base.text import aligned, interval_text
from ._intervals import IntervalOptions, Sample, compare
from ._task import WARM, Counts
from .resampling import Interval, ModelComparison, PairedTest

if TYPE_CHECKING:
    from ._judged import Floats, Ints

__all__ = ["EvaluationTable"]

# Metrics of the lists as a whole: not how good they are, but how different.
_OF_LISTS = (
    "coverage",
    "user_coverage",
    "gini",
    "gini_normalized",
    "entropy",
    "novelty",
    "popularity_complement",
    "diversity",
    "personalization",
    "serendipity",
)
_FALLBACK_TEXT = {
    "popular": "the most popular items of train",
    "empty": "empty lists",
    "model": "the model's own lists",
}
_REPEATS_TEXT = {
    "exclude": "left out",
    "include": "counted",
    "only": "the only ones that count",
}


@dataclass
class EvaluationTable:
    """Metrics by model, in the order given; prints as an aligned table.

    Parameters
    ----------
    rows : dict of str to dict of str to float
        Values by model name and column: the metrics, then "fit_s" and "recommend_s" (seconds).
        Columns ":warm" are of users (for ratings: users and items) with an entry in train, the
        others of all users.
    users : ndarray of int64 or None
        Rows of the evaluated users. Users whom train does not number follow its rows. None for
        folds.
    per_user : dict of str to dict of str to ndarray
        By model and column the value of each of `users`, NaN where the user does not count; empty
        unless requested by ``evaluate(..., per_user=True)``.
    counts : Counts
        Users and items of the test part, and how many of them train does not know. For folds: their
        sums.
    fallback : str
        Lists of users without an entry in train.
    repeats : str
        Rule for test entries of a user and item that train holds, too.
    folds : dict of label to EvaluationTable
        Result of each fold; empty for a single split. The rows are the means over folds.
    leaks : dict of str to int
        Test entries that a model was fitted on, by name of the model, where there are any.
    feature_leaks : dict of str to float
        Features that alone tell which items or users have many test entries, and their area under
        the ROC curve, at least 0.99.

    Attributes
    ----------
    comparison : ModelComparison or None
        Confidence intervals and paired tests, computed at the first access. None where the values
        of single users were not kept, or no column is a mean over at least two users.
    intervals : dict of str to dict of str to Interval
        By model and column.
    tests : list of PairedTest
        Differences of the pairs of models, corrected over the pairs of each column.
    spread : dict of str to dict of str to float
        Standard deviation over the folds, by model and column; empty for a single split.

    Examples
    --------
    >>> from aimass_core.evaluation import EvaluationTable
    >>> print(EvaluationTable({"Popularity": {"recall@10": 0.25, "fit_s": 0.5}}))
    model       recall@10  fit_s
    Popularity     0.2500   0.50
    """

    rows: dict[str, dict[str, float]]
    users: Ints | None = None
    per_user: dict[str, dict[str, Floats]] = field(default_factory=dict, repr=False)
    counts: Counts = field(default_factory=Counts)
    fallback: str = "popular"
    repeats: str = "exclude"
    folds: dict[Any, EvaluationTable] = field(default_factory=dict, repr=False)
    leaks: dict[str, int] = field(default_factory=dict)
    feature_leaks: dict[str, float] = field(default_factory=dict)
    _samples: list[Sample] = field(default_factory=list, init=False, repr=False)
    _options: IntervalOptions | None = field(default=None, init=False, repr=False)

    @classmethod
    def mean_of(cls, folds: Mapping[Any, EvaluationTable]) -> EvaluationTable:
        """Return the means over folds.

        Parameters
        ----------
        folds : mapping of label to EvaluationTable
            Results of the same models and metrics.

        Returns
        -------
        EvaluationTable
            In a fold without cold users the column ":warm" is that of all users.

        Raises
        ------
        ValueError
            Without any fold.
        """
        tables = dict(folds)
        if not tables:
            raise ValueError("split must hold at least one fold, got none")
        parts = list(tables.values())
        rows: dict[str, dict[str, float]] = {}
        for model in parts[0].rows:
            titles = dict.fromkeys(t for part in parts for t in part.rows[model])
            ordered = sorted(titles, key=lambda t: (t.endswith("_s"), t.endswith(WARM)))
            rows[model] = {
                title: _nan_mean([_value(part.rows[model], title) for part in parts])
                for title in ordered
            }
        sums = {name: sum(asdict(part.counts)[name] for part in parts) for name in asdict(Counts())}
        kept = [part._samples for part in parts]
        samples = [
            Sample.joined([of[i] for of in kept]) for i in range(min(len(of) for of in kept))
        ]
        first = parts[0]
        areas: dict[str, float] = {}
        for part in parts:
            for name, area in part.feature_leaks.items():
                areas[name] = max(area, areas.get(name, 0.0))
        table = cls(
            rows,
            counts=Counts(**sums),
            fallback=first.fallback,
            repeats=first.repeats,
            folds=tables,
            feature_leaks=areas,
        )
        table._samples, table._options = samples, first._options
        return table

    # ---- values ------------------------------------------------------------------------------

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(dict.fromkeys(name for row in self.rows.values() for name in row))

    def __getitem__(self, model: str) -> dict[str, float]:
        """Return the values of one model."""
        if model not in self.rows:
            raise KeyError(f"the table has no model {model!r}; it has {', '.join(self.rows)}")
        return self.rows[model]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def comparison(self) -> ModelComparison | None:
        """Confidence intervals of columns that are means over users, and tests of the models."""
        if self._options is None or not self._samples:
            return None
        return compare(self._samples, self._options)

    @property
    def intervals(self) -> dict[str, dict[str, Interval]]:
        """Confidence intervals by model and column."""
        return {} if self.comparison is None else self.comparison.intervals

    @property
    def tests(self) -> list[PairedTest]:
        """Paired differences of the models, by column."""
        return [] if self.comparison is None else self.comparison.tests

    @property
    def spread(self) -> dict[str, dict[str, float]]:
        """Standard deviation over the folds by model and column."""
        if len(self.folds) < 2:
            return {}
        parts = self.folds.values()
        return {
            model: {
                title: float(np.std([_value(part.rows[model], title) for part in parts], ddof=1))
                for title in row
            }
            for model, row in self.rows.items()
        }

    def best(self, column: str) -> list[str]:
        """Return the model with the best value, then those that do not differ significantly.

        Parameters
        ----------
        column : str
            A column with intervals, such as "ndcg@10".

        Returns
        -------
        list of str
            Names of models.

        Raises
        ------
        ValueError
            Where the column has no intervals.
        """
        if self.comparison is None:
            raise ValueError(self._why_no_intervals())
        if column not in self.comparison.metrics:
            raise ValueError(
                f"column {column!r} has no intervals; those that have some are "
                f"{', '.join(self.comparison.metrics)}"
            )
        return self.comparison.best(column)

    def plot(self, x: str | None = None, y: str | None = None, *, ax: Any = None) -> Any:
        """Draw one column against another, a point for each model: score against coverage.

        Parameters
        ----------
        x : str, optional
            Column of the horizontal axis. Default: the first column of the whole lists (coverage,
            novelty, diversity, ...), else the second column.
        y : str, optional
            Column of the vertical axis. Default: the first other column.
        ax : matplotlib.axes.Axes, optional
            Axes to draw into. Default: those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install 'aimass_core[plot]'``).
        ValueError
            For an unknown column, or where there are fewer than two columns.
        """
        columns = [name for name in self.columns if not name.endswith(("_s", WARM))]
        for name in (x, y):
            if name is not None and name not in self.columns:
                raise ValueError(f"no column {name!r}; the columns are {', '.join(self.columns)}")
        if len(columns) < 2 and (x is None or y is None):
            raise ValueError(f"a plot needs two columns, and there is {', '.join(columns)} only")
        of_lists = [name for name in columns if name.split("@")[0] in _OF_LISTS]
        across = x or next((name for name in of_lists if name != y), None)
        across = across or next(name for name in reversed(columns[:2]) if name != y)
        up = y or next(name for name in columns if name != across)
        models = list(self.rows)
        at, above = (
            [_value(self.rows[model], title) for model in models] for title in (across, up)
        )
        return draw_points(new_axes(ax), models, at, above, (across, up))

    # ---- text --------------------------------------------------------------------------------

    @property
    def _shown(self) -> ModelComparison | None:
        """The comparison where the printed table shows it, else None."""
        if self._options is None or not self._options.are_shown(self._samples):
            return None
        return self.comparison

    def _best_cells(self) -> set[tuple[str, str]]:
        """Return models and columns to be marked: the best, and what does not differ from it."""
        if self._shown is None or len(self.rows) < 2:
            return set()
        tested = {test.metric for test in self._shown.tests}
        return {(model, title) for title in tested for model in self._shown.best(title)}

    def _cells(self) -> list[list[str]]:
        """Return values as text, by model and column, without the marks."""
        intervals = {} if self._shown is None or self.folds else self._shown.intervals
        spread = self.spread

        def shown(model: str, name: str, value: float | None) -> str:
            if value is None:
                return ""
            if name.endswith("_s"):
                return f"{value:.2f}"
            if name in intervals.get(model, {}):
                interval = intervals[model][name]
                return interval_text(value, interval.lower, interval.upper)
            if name in spread.get(model, {}):
                return f"{value:.4f} ± {spread[model][name]:.4f}"
            return f"{value:.4f}"

        return [
            [model, *(shown(model, name, row.get(name)) for name in self.columns)]
            for model, row in self.rows.items()
        ]

    def notes(self) -> list[str]:
        """Return what the values are of, in sentences: folds, users, unknown items, intervals.

        Returns
        -------
        list of str
            The lines below the printed table.
        """
        leaks = [
            f"WARNING: {model} was fitted on {n:,} of the test entries: its values are too high."
            for model, n in self.leaks.items()
        ]
        leaks += [
            f"WARNING: the {name} alone tells where the test part has many entries "
            f"(AUC {area:.3f}): leave it out if it was not known before the test period."
            for name, area in self.feature_leaks.items()
        ]
        return [*leaks, *self._interval_notes(), *self._count_notes()]

    def _interval_notes(self) -> list[str]:
        notes = []
        if self.folds:
            spread = " ± standard deviation" if len(self.folds) > 1 else ""
            notes.append(f"Mean{spread} over {len(self.folds)} folds; the counts are their sums.")
        if self._shown is not None:
            option = self._options
            level = f"{option.confidence:.0%}" if option is not None else ""
            if not self.folds:
                notes.append(f"[ ] {level} confidence interval over users.")
            if self._shown.tests:
                test = self._shown.tests[0]
                notes.append(
                    "* best model, or not significantly different from it (paired "
                    f"{test.method} test, {self._shown.correction.capitalize()} correction)."
                )
        elif self._options is not None and self._options.wanted:
            notes.append(self._why_no_intervals())
        elif self._samples:
            notes.append("Confidence intervals: pass intervals=True, or read .comparison.")
        return notes

    def _why_no_intervals(self) -> str:
        """Return the reason why no column has intervals."""
        if self._samples:
            return "No confidence intervals: they need two users with a relevant item."
        if self._options is None or not self._options.keeps_values(len(self.rows)):
            return "No confidence intervals: pass intervals=True to evaluate."
        names = [name for name in self.columns if not name.endswith(("_s", WARM))]
        if len(names) == 1:
            return f"{names[0]} has no intervals: it is not a mean over users."
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        return f"{listed} have no intervals: they are not means over users."

    def _count_notes(self) -> list[str]:
        n = self.counts
        notes = []
        if n.users:
            if not n.cold_users:
                notes.append(f"{_number(n.users, 'test user')}, all with entries in train.")
            else:
                notes.append(
                    f"{_number(n.users, 'test user')}, {n.cold_users:,} of them cold (not in "
                    f"train). Columns '{WARM}': the {n.warm_users:,} warm users."
                )
                notes.append(
                    f"Other columns: all users, cold ones with {_FALLBACK_TEXT[self.fallback]} "
                    "(fallback)."
                )
        if n.unknown_items:
            notes.append(
                f"{n.unknown_items:,} of {n.items:,} relevant items are not in train "
                f"({n.unknown_relevant:,} relevant entries)."
            )
        if n.repeats:
            notes.append(f"{n.repeats:,} test entries repeat train: {_REPEATS_TEXT[self.repeats]}.")
        return notes

    def __str__(self) -> str:
        best = self._best_cells()
        cells = [["model", *self.columns]]
        marked = {title for _, title in best}
        for line in self._cells():
            shown = [line[0]]
            for name, cell in zip(self.columns, line[1:], strict=True):
                mark = "*" if (line[0], name) in best else " " if name in marked else ""
                shown.append(cell + mark)
            cells.append(shown)
        notes = self.notes()
        return "\n".join([aligned(cells), *([""] if notes else []), *notes])

    def _repr_html_(self) -> str:
        """Return the table for a notebook; the best model of a column is bold."""
        best = self._best_cells()
        style = 'style="text-align:right;white-space:nowrap"'
        head = "".join(f"<th {style}>{html.escape(name)}</th>" for name in self.columns)
        lines = []
        for line in self._cells():
            cells = [f'<th style="text-align:left">{html.escape(line[0])}</th>']
            for name, cell in zip(self.columns, line[1:], strict=True):
                value, bracket, interval = html.escape(cell).partition(" [")
                text = f"<b>{value}</b>" if (line[0], name) in best else value
                text += f"<br><small>[{interval}</small>" if bracket else ""
                cells.append(f"<td {style}>{text}</td>")
            lines.append(f"<tr>{''.join(cells)}</tr>")
        notes = "<br>".join(
            html.escape(note.replace("* best", "Bold: best")) for note in self.notes()
        )
        return (
            f'<table><thead><tr><th style="text-align:left">model</th>{head}</tr></thead>'
            f"<tbody>{''.join(lines)}</tbody></table><p>{notes}</p>"
        )

    # ---- export ------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return the values as plain dictionaries: ``{model: {column: value}}``.

        Returns
        -------
        dict
            Independent of this table. `details` has counts, intervals, tests and folds, too.
        """
        return {model: dict(row) for model, row in self.rows.items()}

    def details(self) -> dict[str, Any]:
        """Return everything as plain numbers, strings, lists and dictionaries, for JSON.

        Returns
        -------
        dict
            Keys "models", "counts", "fallback", "repeats", "leaks" and "feature_leaks";
            "intervals" and "tests" where there are any; "spread" and "folds" for folds.
        """
        details: dict[str, Any] = {
            "models": self.to_dict(),
            "counts": {**asdict(self.counts), "warm_users": self.counts.warm_users},
            "fallback": self.fallback,
            "repeats": self.repeats,
            "leaks": dict(self.leaks),
            "feature_leaks": dict(self.feature_leaks),
        }
        if self._shown is not None:
            details.update(self._shown.to_dict())
        if self.folds:
            details["spread"] = self.spread
            details["folds"] = {str(label): fold.to_dict() for label, fold in self.folds.items()}
        return details

    def _as_columns(self, intervals: bool, folds: bool) -> dict[str, list[Any]]:
        tables = self.folds if folds and self.folds else {None: self}
        lines: list[dict[str, Any]] = []
        for label, table in tables.items():
            for model, row in table.rows.items():
                line: dict[str, Any] = {"model": model}
                if folds and self.folds:
                    line["fold"] = label
                for name, value in row.items():
                    line[name] = value
                    interval = table.intervals.get(model, {}).get(name) if intervals else None
                    if interval is not None:
                        line[f"{name} lower"], line[f"{name} upper"] = (
                            interval.lower,
                            interval.upper,
                        )
                lines.append(line)
        names = dict.fromkeys(name for line in lines for name in line)
        return {name: [line.get(name) for line in lines] for name in names}

    def to_arrow(self, *, intervals: bool = False, folds: bool = False) -> Any:
        """Return the values as a pyarrow table with a column "model" first.

        Parameters
        ----------
        intervals : bool, default False
            Add the columns "... lower" and "... upper".
        folds : bool, default False
            One row per fold and model, with a column "fold", instead of the means.

        Returns
        -------
        pyarrow.Table
            One row per model.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        return import_optional("pyarrow", "to_arrow").table(self._as_columns(intervals, folds))

    def to_pandas(self, *, intervals: bool = False, folds: bool = False) -> Any:
        """Return the values as a pandas data frame with the models as index.

        Parameters
        ----------
        intervals : bool, default False
            Add the columns "... lower" and "... upper".
        folds : bool, default False
            One row per fold and model, with a column "fold", instead of the means.

        Returns
        -------
        pandas.DataFrame
            One row per model. ``attrs["counts"]`` says how many users and items are unknown.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        frame = import_optional("pandas", "to_pandas").DataFrame(self._as_columns(intervals, folds))
        frame = frame.set_index("model")
        frame.attrs["counts"] = asdict(self.counts)
        return frame


def _value(row: Mapping[str, float], title: str) -> float:
    """Return a column of one fold; in a fold without cold users all users are warm."""
    return row.get(title, row.get(title.removesuffix(WARM), float("nan")))


def _nan_mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _number(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
