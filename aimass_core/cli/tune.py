"""``aimass tune``: search for the best model and setting on held-out data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Reporter, shown_events
from .features import FeatureOptions
from .files import check_output, check_picture
from .groups import with_option_groups
from .options import (
    ColumnOptions,
    GeneralOptions,
    OptionalOutputOptions,
    SeedOption,
    TableOptions,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from ..tuning import SearchResult

__all__ = ["tune"]

_METHODS = ("random", "grid", "halving", "tpe", "cma-es")
_DEFAULT_MINUTES = 10.0


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What is searched, how, and for how long."""

    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="A model to try; may be repeated. Default: every model that suits the metric.",
            show_default=False,
        ),
    ] = None
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Metric of `aimass evaluate`.")
    ] = "ndcg@10"
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="X",
            help="End the search after so many minutes. Default: 10, or no limit with "
            "--trials or --method grid.",
            show_default=False,
        ),
    ] = None
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", help="Settings of each model.", show_default=False),
    ] = None
    method: Annotated[
        str,
        typer.Option("--method", metavar="NAME", help=f"One of {', '.join(_METHODS)}."),
    ] = "random"
    try_values: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="[MODEL.]OPTION=V1,V2,...",
            help="Values to try for an option, in place of the default space of this option; may "
            "be repeated.",
            show_default=False,
        ),
    ] = None
    validation: Annotated[
        int | None,
        typer.Option(
            "--folds",
            metavar="N",
            help="Score each trial on so many random folds. Default: on the newest 10 % of the "
            "train part (at random without --time).",
            show_default=False,
        ),
    ] = None
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            metavar="FILE",
            help="File with every finished trial. The same command continues from it after an "
            "interruption.",
        ),
    ] = None
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Trials at the same time.")] = 1
    seed: SeedOption = 0

    def as_arguments(self, features: FeatureOptions) -> dict[str, Any]:
        """Return the arguments of `tuning.tune` beside the data.

        Parameters
        ----------
        features : FeatureOptions
            Which tables of features the command has.
        """
        from ..base.validation import as_choice

        as_choice(self.method, "--method", _METHODS)
        minutes = self.minutes
        if minutes is None and self.trials is None and self.method != "grid":
            minutes = _DEFAULT_MINUTES
        names = _models(self.model, self.metric, features)
        return {
            "models": names,
            "space": _space(names, self.try_values, self.metric),
            "metric": self.metric,
            "method": self.method,
            "n_trials": self.trials,
            "time_limit": None if minutes is None else 60 * minutes,
            "validation": self.validation,
            "journal": self.journal,
            "n_jobs": self.jobs,
            "random_state": self.seed,
        }


@with_option_groups
def tune(
    ratings: Annotated[
        str,
        typer.Argument(
            metavar="RATINGS",
            help="Table with one row for each interaction; '-' is standard input.",
            show_default=False,
        ),
    ],
    *,
    options: SearchOptions,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="FILE",
            help="Write the best setting, fitted on all interactions, to this file.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Draw the scores of the trials."),
    ] = None,
    output: OptionalOutputOptions,
    columns: ColumnOptions,
    tables: TableOptions,
    features: FeatureOptions,
    general: GeneralOptions,
) -> None:
    """Search for the best model and setting, and judge it on data that the search never saw.

    The newest 20 % of the interactions (20 % at random without --time) are the test part, on which
    the best setting is judged once. The score of a trial is that on the validation part.
    """
    from ..tuning import tune as search
    from .output import Output
    from .ratings import data_facts, open_ratings

    arguments = options.as_arguments(features)
    reporter = Reporter(general, output.out)
    source = open_ratings(ratings, columns, tables)
    inputs = [*source.paths, *features.paths]
    target = None if output.out is None else Output(output, inputs, "tune")
    others = [*inputs, *([] if output.out in (None, "-") else [Path(str(output.out))])]
    for option, path in (("--save", save), ("--picture", picture), ("--journal", options.journal)):
        if path is not None:
            check = check_picture if option == "--picture" else check_output
            check(path, option, others)
            others.append(path)
    with reporter.steps() as steps:
        steps.begin(f"reading {source.name}")
        data = source.read()
        encoded: dict[str, Any] = dict(features.read(data.items, data.users, tables.encoding))
        steps.begin("searching")
        result = search(data=data, callback=shown_events(steps), **encoded, **arguments)
        if save is not None:
            steps.begin("fitting the best setting on all interactions")
            _refitted(result, data, encoded).save(save)
        if target is not None:
            rows = _table(result)
            with target.writer(rows.schema) as writer:
                writer.write(rows)
        if picture is not None:
            result.picture(picture)
    spec = _spec_text(result.best_trial.model, result.best_params_)
    if reporter.is_json:
        facts = data_facts(data, source.columns)
        reporter.json({**facts, **result.to_dict(), "spec": spec, "out": output.out, "save": save})
        return
    reporter.text(repr(result))
    reporter.text(f"best setting: --model {spec}")
    if save is not None:
        reporter.text(f"saved, fitted on all interactions: {save}")


def _models(names: list[str] | None, metric: str, features: FeatureOptions) -> list[str]:
    """Return the names of the models to try; refuse features that none of them uses."""
    from ..base.registry import model_names
    from ..tuning.default_spaces import RATINGS
    from ..tuning.search import suits_search
    from .models import model_class

    if not names:
        is_rating = metric.partition("@")[0] in RATINGS
        given = features.given
        names = [n for n in model_names() if suits_search(model_class(n), is_rating, given)]
    features.check([model_class(name) for name in names])
    return names


def _space(names: list[str], words: list[str] | None, metric: str) -> dict[str, Any] | None:
    """Return the search space, with the values of ``--try`` in place of the default ones."""
    from ..tuning import default_space
    from .models import model_class, parsed_value

    if not words:
        return None
    space: dict[str, dict[str, Any]] = {
        name: dict(default_space(model_class(name), name, metric=metric)) for name in names
    }
    for word in words:
        target, equals, values = word.partition("=")
        chosen, dot, option = target.rpartition(".")
        if not equals or not values or not option.strip():
            raise ValueError(f"--try: expected OPTION=VALUE,VALUE,..., got {word!r}")
        if dot and chosen not in names:
            raise ValueError(f"--try: {chosen!r} is none of the models {', '.join(names)}")
        owners = [
            name
            for name in ([chosen] if dot else names)
            if option in model_class(name)._param_names()
        ]
        if not owners:
            raise ValueError(f"--try: no model has the option {option!r}")
        for name in owners:
            space[name][option] = [parsed_value(value) for value in values.split(",")]
    return space if len(names) > 1 else space[names[0]]


def _refitted(result: SearchResult, data: Any, features: dict[str, Any]) -> Any:
    """Return the best setting fitted on all interactions, the test part included."""
    from ..base.estimator import clone

    model = clone(result.best_model_)
    used = {name: t for name, t in features.items() if getattr(model, f"uses_{name}", False)}
    return model.fit(data, **used)


def _table(result: SearchResult) -> pa.Table:
    """Return the trials as a table, the best first, then those without a score."""
    import pyarrow as pa

    ranked = result.ranking()
    rest = [trial for trial in result.trials if trial.state != "done"]
    rows = [trial.to_dict() for trial in [*ranked, *rest]]
    names = ("number", "model", "score", "seconds", "resource", "state", "error")
    table = pa.table({name: [row[name] for row in rows] for name in names})
    settings = [json.dumps(row["params"]) for row in rows]
    return table.append_column("setting", pa.array(settings, pa.string()))


def _spec_text(name: str, params: dict[str, Any]) -> str:
    """Return a model and its setting as ``--model`` takes them."""
    from ..data.weighting._by_name import WEIGHTINGS
    from ..data.weighting._weighting import Weighting
    from ..similarity import Similarity
    from .models import weighting_options

    parts: dict[str, Any] = {}
    for option, value in params.items():
        if isinstance(value, Weighting):
            own = value.get_params(deep=False)
            parts[option] = next(n for n, c in WEIGHTINGS.items() if type(value) is c)
            fresh = type(value)().get_params(deep=False)
            parts |= {n: v for n, v in own.items() if n in weighting_options() and v != fresh[n]}
        elif isinstance(value, Similarity):
            own = value.get_params(deep=False)
            fresh = Similarity(own["measure"]).get_params(deep=False)
            parts |= {n: v for n, v in own.items() if n == "measure" or v != fresh[n]}
        elif value is not None:
            parts[option] = value
    texts = [f"{option}={value}" for option, value in parts.items()]
    return f"{name}:{','.join(texts)}" if texts else name
