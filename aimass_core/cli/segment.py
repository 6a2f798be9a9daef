"""``aimass segment``: from a customer table, or transactions, to segments and a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Reporter, shown_events
from .customers import Customers, TransactionOptions, load_segments, scales_of_option
from .files import shown_name
from .groups import with_option_groups
from .options import GeneralOptions, OutputOptions, SeedOption, TableOptions

if TYPE_CHECKING:
    from ..segmentation import Segmentation
    from .console import Steps

__all__ = ["segment"]

_TABLE_PANEL = "Columns and rows"
_FIT_PANEL = "Segments"
_PICTURES = ("map", "profile", "selection")


@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """The rows and columns of the table from which segments are formed."""

    id: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COL",
            help="Column of ids; may be left out if it has a usual name.",
            rich_help_panel=_TABLE_PANEL,
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAMES",
            help="Quantities that form the segments: names or patterns ('f*') with commas between. "
            "Default: every column of numbers with three values or more, except codes and ids.",
            rich_help_panel=_TABLE_PANEL,
        ),
    ] = None
    include: Annotated[
        str | None,
        typer.Option(
            "--include",
            metavar="NAMES",
            help="Columns to take as quantities although they look like codes or ids.",
            rich_help_panel=_TABLE_PANEL,
        ),
    ] = None
    categorical: Annotated[
        str | None,
        typer.Option(
            "--categorical",
            metavar="NAMES",
            help="Columns of words, flags or codes that form the segments as categories.",
            rich_help_panel=_TABLE_PANEL,
        ),
    ] = None
    unit: Annotated[
        str,
        typer.Option(
            "--unit",
            metavar="WORD",
            help="What a row stands for: customers, sessions, ...",
            rich_help_panel=_TABLE_PANEL,
        ),
    ] = "customers"
    missing: Annotated[
        str,
        typer.Option(
            "--missing",
            metavar="RULE",
            help="Nulls in quantities: error, median, drop, or marginalize (use what is known).",
            rich_help_panel=_TABLE_PANEL,
        ),
    ] = "error"
    scaling: Annotated[
        list[str] | None,
        typer.Option(
            "--scaling",
            metavar="KIND|COL=KIND",
            help="auto, standard, robust or log, for all columns or one; may be repeated.",
            show_default=False,
            rich_help_panel=_TABLE_PANEL,
        ),
    ] = None

    def as_parameters(self) -> dict[str, Any]:
        """Return the parameters of `Segmentation` that these options stand for."""
        return {
            "columns": _names(self.columns),
            "include": _names(self.include),
            "categorical": _names(self.categorical),
            "unit": self.unit,
            "scaling": scales_of_option(self.scaling),
            "missing": self.missing,
        }


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How segments are found."""

    segments: Annotated[
        int | None,
        typer.Option(
            "--segments",
            "--n-segments",
            metavar="K",
            help="Number of segments; without it the number is chosen.",
            rich_help_panel=_FIT_PANEL,
        ),
    ] = None
    max_segments: Annotated[
        int,
        typer.Option(
            "--max-segments",
            metavar="K",
            help="Largest number that is tried.",
            rich_help_panel=_FIT_PANEL,
        ),
    ] = 10
    criterion: Annotated[
        str,
        typer.Option(
            "--criterion",
            metavar="NAME",
            help="bic, or icl for less overlap.",
            rich_help_panel=_FIT_PANEL,
        ),
    ] = "bic"
    covariance_type: Annotated[
        str,
        typer.Option(
            "--covariance-type",
            "--form",
            metavar="NAME",
            help="auto, full, tied, diag, tied_diag or spherical.",
            rich_help_panel=_FIT_PANEL,
        ),
    ] = "auto"
    noise: Annotated[
        float,
        typer.Option(
            "--noise",
            metavar="SHARE",
            help="Above 0: outliers belong to no segment. The share to start with; the fit learns "
            "it.",
            rich_help_panel=_FIT_PANEL,
        ),
    ] = 0.0
    min_share: Annotated[
        float,
        typer.Option(
            "--min-share",
            metavar="SHARE",
            help="Smallest share of the rows that may be assigned to a segment.",
            rich_help_panel=_FIT_PANEL,
        ),
    ] = 0.05
    bootstrap: Annotated[
        int,
        typer.Option(
            "--bootstrap",
            "--n-bootstrap",
            metavar="N",
            help="Resamples for the stability; 0 for none.",
            rich_help_panel=_FIT_PANEL,
        ),
    ] = 20
    seed: SeedOption = 0

    def as_parameters(self) -> dict[str, Any]:
        """Return the parameters of `Segmentation` that these options stand for."""
        from ..base.validation import as_int

        for option, number, minimum in (
            ("--bootstrap", self.bootstrap, 0),
            ("--max-segments", self.max_segments, 1),
            ("--segments", 1 if self.segments is None else self.segments, 1),
        ):
            as_int(number, option, minimum=minimum)
        return {
            "n_segments": self.segments,
            "max_segments": self.max_segments,
            "criterion": self.criterion,
            "covariance_type": self.covariance_type,
            "noise": self.noise,
            "min_share": self.min_share,
            "n_bootstrap": self.bootstrap,
            "random_state": self.seed,
        }


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Pictures and the report."""

    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Also write an HTML report with pictures."),
    ] = None
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", metavar="FOLDER", help="Also write map.png, profile.png, selection.png."
        ),
    ] = None
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="Heading of the report.")
    ] = "Customer segments"

    def write(self, model: Segmentation, table: Any) -> None:
        """Write the report and the pictures of fitted segments."""
        if self.report is not None:
            model.report(self.report, table, title=self.title)
        if self.pictures is not None:
            for kind in _PICTURES:
                model.picture(kind, self.pictures / f"{kind}.png", table=table)


@with_option_groups
def segment(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="Table with one row for each customer (with --rfm: for each line of a "
            "transaction): CSV, Parquet, Feather, JSON lines or Excel file, or '-' for standard "
            "input.",
            show_default=False,
        ),
    ],
    *,
    output: OutputOptions,
    reports: ReportOptions,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Also write the fitted segments to this file."),
    ] = None,
    model_file: Annotated[
        Path | None,
        typer.Option(
            "--model-file",
            "--use",
            metavar="FILE",
            help="Fit nothing: assign the rows of TABLE to the segments of a file from --save.",
        ),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(
            "--previous",
            metavar="FILE",
            help="Segments of an earlier run, from --save. Matching segments keep their letters, "
            "and the drift is reported.",
        ),
    ] = None,
    rows: RowOptions,
    fit: FitOptions,
    transactions: TransactionOptions,
    tables: TableOptions,
    general: GeneralOptions,
) -> None:
    """Find customer segments: name, size, profile, stability, and each customer's membership.

    The output has one row for each customer: the id, segment, name, probability, and one column of
    soft membership for each segment.
    """
    parameters = rows.as_parameters() | fit.as_parameters()
    reporter = Reporter(general, output.out)
    inputs = [] if table == "-" else [Path(table)]
    inputs += [path for path in (model_file, previous) if path is not None]
    target = _outputs(output, inputs, reports, save)
    if model_file is not None and (save is not None or previous is not None):
        raise ValueError("--model-file: nothing is fitted, so leave out --save and --previous")
    with reporter.steps() as steps:
        steps.begin(f"reading {shown_name(table)}")
        started = perf_counter()
        customers = Customers(table, tables.as_arguments(), rows.id)
        customers.prepare(transactions)
        read_s = perf_counter() - started
        started = perf_counter()
        if model_file is not None:
            model = load_segments(model_file, "--model-file")
        else:
            earlier = None if previous is None else load_segments(previous, "--previous")
            model = _fit(customers, parameters, earlier, steps)
        fit_s = perf_counter() - started
        steps.begin("writing")
        written = customers.with_columns(model.to_arrow(customers.table, id=customers.id))
        with target.writer(written.schema) as writer:
            writer.write(written)
            if save is not None:
                model.save(save)
            reports.write(model, customers.table)
    summary = {
        "id": customers.id,
        "rows_written": writer.rows,
        "read_seconds": read_s,
        "fit_seconds": fit_s,
        "out": target.path,
        "report": reports.report,
        "save": save,
    }
    _show(reporter, model, summary)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name for name in text.split(",") if name]


def _outputs(
    output: OutputOptions,
    inputs: list[Path],
    reports: ReportOptions,
    save: Path | None,
) -> Any:
    """Return the output, after all paths that are written have been checked."""
    from ..base.optional import import_optional
    from .files import check_output
    from .output import Output

    report, pictures = reports.report, reports.pictures
    target = Output(output, inputs, "segment")
    others = [*inputs, *([] if output.out == "-" else [target.path])]
    for option, path in (("--report", report), ("--save", save)):
        if path is not None:
            check_output(path, option, others)
            others.append(path)
    for option, path in (("--report", report), ("--pictures", pictures)):
        if path is not None:
            import_optional("matplotlib", option, "plot")
    if pictures is not None:
        if not pictures.is_dir():
            raise FileNotFoundError(f"--pictures: there is no folder '{pictures}': make it first")
        for kind in _PICTURES:
            check_output(pictures / f"{kind}.png", "--pictures", others)
    return target


def _fit(
    customers: Any, parameters: dict[str, Any], previous: Segmentation | None, steps: Steps
) -> Segmentation:
    from ..segmentation import Segmentation

    model = Segmentation(id=customers.id, callback=shown_events(steps), **parameters)
    return model.fit(customers.table, previous=previous)


def _show(reporter: Reporter, model: Segmentation, summary: dict[str, Any]) -> None:
    from ..base.text import counted

    table = model.summary()
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    rand = model.stability_["rand"]
    facts: dict[str, Any] = {
        "form": model.covariance_type_,
        "columns": model.scaling_,
        "categories": model.category_columns_,
        "unit": model.unit,
        "adjusted_rand": float(rand.mean()) if len(rand) else None,
        "drift": {
            name: value.tolist() if hasattr(value, "tolist") else value
            for name, value in model.drift_.items()
        },
        "notes": model.notes_,
    }
    if reporter.is_json:
        reporter.json({"segments": rows, **facts, **summary})
        return
    header = ["", "segment", model.unit, "share", "certainty", "stability"]
    cells = [
        [
            row["segment"],
            row["name"],
            int(row["size"]),
            f"{row['share']:.1%}",
            float(row["certainty"]),
            None if row["stability"] != row["stability"] else float(row["stability"]),
        ]
        for row in rows
    ]
    n = int(model.sizes_.sum()) + model.n_outliers_
    reporter.grid(f"{n:,} {model.unit} in {counted(len(model.names_), 'segment')}", header, cells)
    scales: dict[str, list[str]] = {}
    for name, kind in model.scaling_.items():
        scales.setdefault(kind, []).append(name)
    lines: dict[str, Any] = {f"{kind} scale": ", ".join(names) for kind, names in scales.items()}
    if model.category_columns_:
        lines["categories"] = ", ".join(model.category_columns_)
    if facts["adjusted_rand"] is not None:
        lines["bootstrap"] = f"adjusted Rand index {facts['adjusted_rand']:.2f}"
    lines |= {f"note {i}": note for i, note in enumerate(model.notes_, 1)}
    lines["fit"] = f"{summary['fit_seconds']:.2f} s"
    lines["written"] = f"{summary['rows_written']:,} rows to {summary['out']}"
    lines |= {name: str(summary[name]) for name in ("report", "save") if summary[name] is not None}
    reporter.facts(f"{model.covariance_type_} mixture", lines)
