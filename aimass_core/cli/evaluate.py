"""``aimass evaluate``: models x metrics on held-out data, with intervals and tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Reporter, Steps, shown_events
from .features import FeatureOptions, features_used_by
from .groups import with_option_groups
from .models import ModelSpec, model_class, naming_models, parse_models
from .options import (
    ColumnOptions,
    ConfidenceOption,
    GeneralOptions,
    OptionalOutputOptions,
    SeedOption,
    SettingsOption,
    TableOptions,
)
from .splits import SplitOptions

if TYPE_CHECKING:
    from ..data import Interactions

__all__ = ["evaluate"]

_METRIC_PANEL = "Metrics"


@dataclass(frozen=True, kw_only=True)
class ModelsOptions:
    """The models to compare: by name, fitted here, or from files."""

    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="A model, as for recommend; repeat it to compare several.",
            show_default=False,
        ),
    ] = None
    settings: SettingsOption = None
    model_file: Annotated[
        list[Path] | None,
        typer.Option(
            "--model-file",
            metavar="FILE",
            help="A fitted model, written by --save; may be repeated. RATINGS is then the test "
            "part, and the interactions in the file are the train part.",
            show_default=False,
        ),
    ] = None
    seed: SeedOption = 0


@dataclass(frozen=True, kw_only=True)
class MetricOptions:
    """The metrics, and which test entries and lists they count."""

    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="recall, ndcg, hit_rate, precision, map, mrr, coverage, rmse, ...; may be "
            "repeated and have a cut-off of its own, such as recall@20. Default: recall, ndcg.",
            rich_help_panel=_METRIC_PANEL,
            show_default=False,
        ),
    ] = None
    k: Annotated[
        list[int] | None,
        typer.Option(
            "--k",
            metavar="N",
            help="Cut-off, default 10; may be repeated.",
            rich_help_panel=_METRIC_PANEL,
            show_default=False,
        ),
    ] = None
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="X",
            help="Test values of at least this are relevant.",
            rich_help_panel=_METRIC_PANEL,
        ),
    ] = None
    repeats: Annotated[
        str | None,
        typer.Option(
            "--repeats",
            metavar="RULE",
            help="Test entries of a user and item that are in train, too: exclude, include or "
            "only. Default: exclude.",
            rich_help_panel=_METRIC_PANEL,
            show_default=False,
        ),
    ] = None
    exclude_seen: Annotated[
        bool | None,
        typer.Option(
            "--exclude-seen/--no-exclude-seen",
            help="The same as --repeats exclude and --repeats include.",
            rich_help_panel=_METRIC_PANEL,
            show_default=False,
        ),
    ] = None
    fallback: Annotated[
        str,
        typer.Option(
            "--fallback",
            metavar="RULE",
            help="Lists of users that are not in train: popular, empty, or model.",
            rich_help_panel=_METRIC_PANEL,
        ),
    ] = "popular"
    new_items_only: Annotated[
        bool,
        typer.Option(
            "--new-items-only",
            help="Lists hold only items without an entry in train (--split cold-items).",
            rich_help_panel=_METRIC_PANEL,
        ),
    ] = False
    intervals: Annotated[
        bool | None,
        typer.Option(
            "--intervals/--no-intervals",
            help="Confidence intervals, and tests of the differences between models. Default: for "
            "up to 10 models, if they are cheap.",
            rich_help_panel=_METRIC_PANEL,
            show_default=False,
        ),
    ] = None
    confidence: ConfidenceOption = 0.95

    def rule_of_repeats(self) -> str | None:
        """Return the rule for test entries that are in train, too."""
        if self.repeats is None and self.exclude_seen is not None:
            return "exclude" if self.exclude_seen else "include"
        return self.repeats

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments of `evaluation.evaluate` that these options stand for."""
        return {
            "metrics": self.metric or ["recall", "ndcg"],
            "k": self.k or [10],
            "threshold": self.threshold,
            "repeats": self.rule_of_repeats(),
            "fallback": self.fallback,
            "candidates": "new" if self.new_items_only else "all",
            "intervals": self.intervals,
            "confidence": self.confidence,
        }


@with_option_groups
def evaluate(
    ratings: Annotated[
        str,
        typer.Argument(
            metavar="RATINGS",
            help="Table with one row for each interaction; '-' is standard input. With "
            "--model-file: the interactions to predict.",
            show_default=False,
        ),
    ],
    *,
    models: ModelsOptions,
    rule: SplitOptions,
    metrics: MetricOptions,
    features: FeatureOptions,
    output: OptionalOutputOptions,
    columns: ColumnOptions,
    tables: TableOptions,
    general: GeneralOptions,
) -> None:
    """Fit models on one part of a table and show how well they predict the other part.

    The table shows each metric with its confidence interval over users. A star marks the best
    model and those that do not differ from it significantly.
    """
    from ..evaluation import evaluate as judge
    from .output import Output
    from .ratings import data_facts, facts_shown, open_ratings

    reporter = Reporter(general, output.out)
    seed, files = models.seed, models.model_file
    specs = parse_models(models.model or [], models.settings, {"random_state": seed})
    if not specs and not files:
        raise ValueError("--model is needed, or --model-file with a fitted model")
    source = open_ratings(ratings, columns, tables)
    if not files:
        rule.check(source)
        features.check([model_class(spec.name) for spec in specs])
    target = None
    if output.out is not None:
        inputs = [*source.paths, *(files or ()), *features.paths]
        target = Output(output, inputs, "evaluate")
    with reporter.steps() as steps:
        steps.begin(f"reading {source.name}")
        data = source.read()
        if files:
            named, parts = _of_files(files, specs, data, steps)
        else:
            named = {spec.label: spec.build() for spec in specs}
            parts = rule.make(data, source, repeats=metrics.rule_of_repeats(), seed=seed)
        given = _features(features, named, data, tables.encoding, fitted=bool(files))
        with naming_models(specs):
            table = judge(
                named,
                parts if len(parts) > 1 else parts[0],
                fit=not files,
                **given,
                random_state=seed,
                callback=shown_events(steps),
                **metrics.as_arguments(),
            )
        text, details = str(table), table.details()
        if target is not None:
            rows = table.to_arrow(intervals=True)
            with target.writer(rows.schema) as writer:
                writer.write(rows)
    facts = data_facts(data, source.columns)
    sizes = [_sizes(part) for part in parts]
    rule_name = "model file" if files else rule.split
    if reporter.is_json:
        reporter.json({**facts, "split": rule_name, "parts": sizes, **details, "out": output.out})
        return
    held = ", ".join(f"{size['test']:,}" for size in sizes)
    shown = facts_shown(facts) | {"split": f"{rule_name}, {held} entries to predict"}
    without = [s.label for s in specs if features_used_by(model_class(s.name))]
    if without and not files and not features.are_given:
        shown["features"] = f"none given for {', '.join(without)}"
    if target is not None:
        shown["written"] = str(target)
    reporter.facts(source.name, shown)
    reporter.text(text)


def _features(
    features: FeatureOptions, named: dict[str, Any], data: Any, encoding: str | None, fitted: bool
) -> dict[str, Any]:
    """Return the features of the command line, encoded once; as in the fit of a loaded model."""
    if not features.are_given:
        return {}
    if not fitted:
        return dict(features.read(data.items, data.users, encoding))
    features.check(list(named.values()))
    encoders = {id(getattr(model, "item_encoder_", None)) for model in named.values()}
    if len(encoders) > 1:
        raise ValueError(
            "--model-file: with features, evaluate one file at a time: each encodes them itself"
        )
    model = next(iter(named.values()))
    return dict(features.read(data.items, data.users, encoding, model))


def _sizes(part: Any) -> dict[str, int]:
    train, test = part if isinstance(part, tuple) else (part.train, part.test)
    return {"train": train.nnz, "test": test.nnz}


def _of_files(
    files: list[Path], specs: list[ModelSpec], test: Interactions, steps: Steps
) -> tuple[dict[str, Any], list[Any]]:
    """Return fitted models of files and of names, and the train part that they share."""
    from .fitted import load_model

    models: dict[str, Any] = {}
    train = None
    for path in files:
        steps.begin(f"reading {path.name}")
        fitted = load_model(path)
        own = _training_data(fitted, path)
        if train is not None and not _is_same(own, train):
            raise ValueError(
                f"--model-file: '{path}' was fitted on other interactions than '{files[0]}'; "
                "evaluate them one by one"
            )
        train = own if train is None else train
        models[str(path)] = fitted
    assert train is not None
    for spec in specs:
        steps.begin(f"fitting {spec.label}")
        with naming_models([spec]):
            models[spec.label] = spec.build().fit(train)
    return models, [(train, test)]


def _training_data(model: Any, path: Path) -> Interactions:
    from ..data import Interactions

    if model.user_items_ is None:
        raise ValueError(
            f"--model-file: '{path}' was saved without its interactions (training=False)"
        )
    if model.users_ is None or model.items_ is None:
        raise ValueError(
            f"--model-file: '{path}' was fitted on a matrix without ids; evaluate it in Python"
        )
    return Interactions(model.user_items_, model.users_, model.items_)


def _is_same(a: Interactions, b: Interactions) -> bool:
    return a.users == b.users and a.items == b.items and a.nnz == b.nnz
