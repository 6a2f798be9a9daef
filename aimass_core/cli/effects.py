"""``aimass effects``: from a table of customers of a campaign to effects with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Reporter
from .files import check_names, check_picture, open_input, shown_name
from .groups import with_option_groups
from .options import (
    ConfidenceOption,
    GeneralOptions,
    OptionalOutputOptions,
    TableOptions,
    _number,
    _pairs,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..effects import CampaignReport

__all__ = ["effects"]

_PANEL = "Campaign"


@dataclass(frozen=True, kw_only=True)
class CampaignOptions:
    """The columns of a campaign, and how its effects are estimated."""

    treatment: Annotated[
        str,
        typer.Option(
            "--treatment",
            metavar="COL",
            help="Column of the arm of each customer.",
            rich_help_panel=_PANEL,
        ),
    ]
    outcome: Annotated[
        list[str],
        typer.Option(
            "--outcome",
            metavar="COL",
            help="Column of an outcome, such as conversion or spend; may be repeated.",
            rich_help_panel=_PANEL,
        ),
    ]
    control: Annotated[
        str | None,
        typer.Option(
            "--control",
            metavar="ARM",
            help="The control arm. Default: False or 0, where that is an arm.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    covariate: Annotated[
        list[str] | None,
        typer.Option(
            "--covariate",
            metavar="COL",
            help="Numbers known before the campaign, which narrow the intervals; may be repeated.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    adjustment: Annotated[
        str | None,
        typer.Option(
            "--adjustment",
            metavar="NAME",
            help="none, cuped or regression. Default: regression with --covariate.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="COL",
            help="Column of households or stores that were assigned together.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    expected: Annotated[
        str | None,
        typer.Option(
            "--expected",
            metavar="ARM=SHARE,...",
            help="Planned shares of the arms for the sample-ratio test, as in mail=0.5,none=0.5.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    correction: Annotated[
        str,
        typer.Option(
            "--correction",
            metavar="NAME",
            help="Of the p-values: holm, benjamini-hochberg, bonferroni or none.",
            rich_help_panel=_PANEL,
        ),
    ] = "holm"
    confidence: ConfidenceOption = 0.95

    def shares(self) -> dict[str, float] | None:
        """Return the planned shares by arm, as it is written."""
        if self.expected is None:
            return None
        words = self.expected.split(",")
        pairs = _pairs(words, "--expected")
        if len(pairs) < len(words):
            raise ValueError(f"--expected: {self.expected!r} names an arm a second time")
        return {arm: _number(share, f"--expected {arm}") for arm, share in pairs.items()}


@with_option_groups
def effects(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="Table with one row for each customer of the campaign; '-' is standard input.",
            show_default=False,
        ),
    ],
    *,
    campaign: CampaignOptions,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Draw the effects with their intervals."),
    ] = None,
    output: OptionalOutputOptions,
    tables: TableOptions,
    general: GeneralOptions,
) -> None:
    """Estimate the effect of each arm of a randomised campaign on each outcome.

    The table shows the difference to the control arm and the relative lift, both with confidence
    intervals, and p-values corrected for the number of tests.
    """
    from ..effects import campaign_effect
    from .output import Output

    reporter = Reporter(general, output.out)
    inputs = [] if table == "-" else [Path(table)]
    target = None if output.out is None else Output(output, inputs, "effects")
    if picture is not None:
        others = [*inputs, *([] if output.out in (None, "-") else [Path(str(output.out))])]
        check_picture(picture, "--picture", others)
    planned: dict[Any, float] | None = campaign.shares()
    with reporter.steps() as steps:
        steps.begin(f"reading {shown_name(table)}")
        arms, outcomes, covariates, clusters = _columns(table, campaign, tables)
        control = None if campaign.control is None else _arm(campaign.control, arms)
        if planned is not None:
            planned = _shares_of_arms(planned, arms)
        steps.begin("estimating")
        report = campaign_effect(
            arms,
            outcomes,
            control=control,
            covariates=covariates or None,
            adjustment=campaign.adjustment,
            clusters=clusters,
            expected=planned,
            correction=campaign.correction,
            confidence=campaign.confidence,
        )
        if target is not None:
            rows = report.to_arrow()
            with target.writer(rows.schema) as writer:
                writer.write(rows)
        if picture is not None:
            _draw(report, picture)
    if reporter.is_json:
        reporter.json({"customers": len(arms), **report.to_dict(), "out": output.out})
        return
    reporter.text(f"{shown_name(table)}: {len(arms):,} customers")
    reporter.text(str(report))
    if planned is None:
        _note_unequal_shares(reporter, arms)


def _note_unequal_shares(reporter: Reporter, arms: NDArray[Any]) -> None:
    """Print a note where the sizes of the arms are no chance result of equal shares."""
    from ..base.text import p_value_text
    from ..effects import sample_ratio_test

    ratio = sample_ratio_test(arms)
    if ratio.is_mismatch:
        sizes = ", ".join(f"{arm} {n:,}" for arm, n in ratio.counts.items())
        reporter.text(
            f"The arms do not have equal shares (p {p_value_text(ratio.p_value)}): {sizes}. Give "
            "the planned shares with --expected to test the assignment."
        )


def _columns(
    table: str, campaign: CampaignOptions, tables: TableOptions
) -> tuple[NDArray[Any], dict[str, Any], dict[str, Any], NDArray[Any] | None]:
    """Return the arms, outcomes, covariates and clusters of a table."""
    opened = open_input(table, "TABLE", tables.as_arguments())
    outcomes, covariates = campaign.outcome, campaign.covariate or []
    for option, names in (("--outcome", outcomes), ("--covariate", covariates)):
        for name in names:
            check_names(opened, table, {option: name})
    check_names(opened, table, {"--treatment": campaign.treatment, "--cluster": campaign.cluster})
    arms = _labels(opened, campaign.treatment, "--treatment")
    if arms.dtype.kind == "U":
        is_true = _truth(arms)
        arms = arms if is_true is None else is_true
    clusters = None if campaign.cluster is None else _labels(opened, campaign.cluster, "--cluster")
    return (
        arms,
        {name: _numbers(opened, name, "--outcome") for name in outcomes},
        {name: _numbers(opened, name, "--covariate") for name in covariates},
        clusters,
    )


def _labels(opened: Any, name: str, option: str) -> NDArray[Any]:
    """Return a column of labels; a missing one is refused."""
    from ..data.idmap import IdMap

    column = opened.read({"context": name})["context"]
    codes, labels = IdMap._number(column, f"{option}: column {name!r}", 1)
    missing = (codes < 0).nonzero()[0]
    if len(missing):
        raise ValueError(
            f"{option}: column {name!r} has no value in {len(missing):,} rows, the first of them "
            f"row {int(missing[0]) + 1}: leave these rows out or name the label"
        )
    labels_of_rows: NDArray[Any] = labels.ids[codes]
    if labels_of_rows.dtype.kind == "O":
        return labels_of_rows.astype(str)
    return labels_of_rows


def _numbers(opened: Any, name: str, option: str) -> NDArray[Any]:
    """Return a column of numbers, of booleans, or of the words true and false."""
    import numpy as np

    from ..data._values import column_values

    column = opened.read({"value": name})["value"]
    where = f"{option}: column {name!r}"
    if column.kind == "str":
        is_true = _truth(_labels(opened, name, option))
        if is_true is not None:
            return is_true.astype(np.float64)
    return np.asarray(column_values(column, None, where, opened.options), dtype=np.float64)


def _truth(words: NDArray[Any]) -> NDArray[Any] | None:
    """Return the words true and false as booleans; None where there are others."""
    import numpy as np

    lower = np.char.lower(words.astype(str))
    if not np.isin(lower, ("true", "false")).all():
        return None
    return np.asarray(lower == "true")


def _arm(word: str, arms: NDArray[Any]) -> Any:
    """Return an arm as a value of its column, where the word can be read as one."""
    if arms.dtype.kind == "b" and word.lower() in ("true", "false"):
        return word.lower() == "true"
    if arms.dtype.kind in "iuf":
        for read in (int, float):
            try:
                return read(word)
            except ValueError:
                continue
    return word


def _shares_of_arms(shares: dict[str, float], arms: NDArray[Any]) -> dict[Any, float]:
    """Return planned shares with the arms as values of their column."""
    by_arm: dict[Any, float] = {}
    for word, share in shares.items():
        arm = _arm(word, arms)
        if arm in by_arm:
            raise ValueError(f"--expected: {word!r} names the arm {arm} a second time")
        by_arm[arm] = share
    return by_arm


def _draw(report: CampaignReport, path: Path) -> None:
    """Draw the effects on each outcome into one picture."""
    from matplotlib.figure import Figure

    outcomes = list(dict.fromkeys(effect.outcome for effect in report.effects))
    n_arms = len(report.effects) // len(outcomes)
    figure = Figure(figsize=(4.5 * len(outcomes), 1.5 + 0.5 * n_arms), layout="constrained")
    for axes, outcome in zip(figure.subplots(1, len(outcomes), squeeze=False)[0], outcomes):
        report.plot(outcome, ax=axes)
    figure.savefig(path, dpi=120)
