"""``aimass segment``: from a customer table, or transactions, to segments and a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
import typer

from ..base.validation import as_int
from ..data._table_writer import TableWriter
from .console import facts, grid, print_json, set_threads, steps
from .customers import (
    choose_id,
    load_segments,
    need_matplotlib,
    no_transactions,
    read_transactions,
    scales_asked,
)
from .files import check_output
from .options import JsonOption, SeedOption, ThreadsOption

if TYPE_CHECKING:
    from ..base.progress import Event
    from ..segmentation import Segmentation
    from .console import Steps

__all__ = ["segment"]


def segment(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="Parquet, CSV or Feather file, one row for each customer (with --rfm: for each "
            "line of a transaction).",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Where to write: .parquet, .csv or .feather."),
    ],
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Also write an HTML report with pictures."),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", metavar="FOLDER", help="Also write map.png, profile.png, selection.png."
        ),
    ] = None,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="Its heading.")
    ] = "Customer segments",
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", metavar="MODEL", help="Also write the fitted segments to this file."
        ),
    ] = None,
    use: Annotated[
        Path | None,
        typer.Option(
            "--use",
            metavar="MODEL",
            help="Fit nothing: put the rows of TABLE into the segments of a file from --save.",
        ),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="COL", help="Column of ids; may be left out when plainly named."
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAMES",
            help="What the segments are made of: names or patterns ('f*') with commas between. "
            "Without it every column of numbers with three values or more.",
        ),
    ] = None,
    segments: Annotated[
        int | None,
        typer.Option("--segments", metavar="K", help="How many; without it they are chosen."),
    ] = None,
    max_segments: Annotated[
        int, typer.Option("--max-segments", metavar="K", help="The most that are tried.")
    ] = 10,
    criterion: Annotated[
        str,
        typer.Option("--criterion", metavar="NAME", help="bic, or icl for less overlap."),
    ] = "bic",
    form: Annotated[
        str, typer.Option("--form", metavar="NAME", help="auto, full, tied, diag or spherical.")
    ] = "auto",
    scaling: Annotated[
        list[str] | None,
        typer.Option(
            "--scaling",
            metavar="KIND|COL=KIND",
            help="auto, standard, robust or log, for all columns or one; may be repeated.",
            show_default=False,
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            "--missing",
            metavar="RULE",
            help="Nulls in such columns: error, median, drop, or marginalize (by what is known).",
        ),
    ] = "error",
    noise: Annotated[
        float,
        typer.Option(
            "--noise",
            metavar="SHARE",
            help="Above 0: outliers get no segment; about which share they are, it is learnt.",
        ),
    ] = 0.0,
    min_share: Annotated[
        float, typer.Option("--min-share", metavar="X", help="No segment is smaller than this.")
    ] = 0.05,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", metavar="N", help="Resamples for the stability; 0: none.")
    ] = 20,
    rfm: Annotated[
        bool,
        typer.Option(
            "--rfm", help="TABLE holds transactions: segment by recency, frequency, monetary value."
        ),
    ] = False,
    user: Annotated[
        str | None, typer.Option("--user", metavar="COL", help="With --rfm: column of customers.")
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="COL", help="With --rfm: column of times.")
    ] = None,
    amount: Annotated[
        str | None,
        typer.Option(
            "--amount",
            metavar="COL|A*B",
            help="With --rfm: column of amounts, or two to be multiplied, such as quantity*price.",
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            "--order", metavar="COL", help="With --rfm: column of orders; without it days count."
        ),
    ] = None,
    now: Annotated[
        str | None,
        typer.Option(
            "--now", metavar="TIME", help="With --rfm: look back from here; else the last time."
        ),
    ] = None,
    nulls: Annotated[
        str, typer.Option("--nulls", metavar="RULE", help="With --rfm: error or drop.")
    ] = "error",
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Find customer segments: name, size, profile, stability, and each customer's membership.

    The output has one row for each customer: the id, segment, name, probability, and one column of
    soft membership for each segment.
    """
    others = [table] if use is None else [table, use]
    for option, path in (("--out", out), ("--report", report), ("--save", save)):
        if path is not None:
            check_output(path, option, others)
            others.append(path)
    for option, path in (("--report", report), ("--pictures", pictures)):
        if path is not None:
            need_matplotlib(option)
    if pictures is not None and not pictures.is_dir():
        raise FileNotFoundError(f"--pictures: there is no folder '{pictures}': make it first")
    if use is not None and save is not None:
        raise ValueError("--save: there is nothing new to save with --use")
    as_int(bootstrap, "--bootstrap", minimum=0)
    as_int(max_segments, "--max-segments", minimum=1)
    if segments is not None:
        as_int(segments, "--segments", minimum=1)
    set_threads(threads)
    wanted = None if columns is None else [name for name in columns.split(",") if name]
    transactions = {"user": user, "time": time, "amount": amount, "order": order, "now": now}
    parameters: dict[str, Any] = {
        "columns": wanted, "n_segments": segments, "max_segments": max_segments,
        "criterion": criterion, "covariance_type": form, "scaling": scales_asked(scaling),
        "missing": missing, "noise": noise, "min_share": min_share, "n_bootstrap": bootstrap,
        "random_state": seed,
    }  # fmt: skip
    with steps(quiet=json) as progress:
        progress.begin(f"reading {table.name}")
        started = perf_counter()
        people: Any = table
        if rfm:
            people, id = read_transactions(table, transactions, nulls), user
        else:
            no_transactions(transactions)
            id = choose_id(table, id)
        read_s = perf_counter() - started
        started = perf_counter()
        found = load_segments(use) if use is not None else _fit(people, id, parameters, progress)
        fit_s = perf_counter() - started
        progress.begin("writing")
        rows = found.to_arrow(people, id=id)
        if rfm:
            for name in ("recency", "frequency", "monetary"):
                rows = rows.append_column(name, pa.array(people[name]))
        if out.suffix.lower() == ".csv":  # which knows no dictionaries
            rows = _plain(rows)
        with TableWriter(out, rows.schema) as writer:
            writer.write(rows)
            if save is not None:
                found.save(save)
            if report is not None:
                found.report(report, people, title=title)
            if pictures is not None:
                for kind in ("map", "profile", "selection"):
                    found.picture(kind, pictures / f"{kind}.png", table=people)
    summary = {
        "id": id, "rows_written": writer.rows, "read_seconds": read_s, "fit_seconds": fit_s,
        "out": out, "report": report, "save": save,
    }  # fmt: skip
    _tell(found, summary, json)


def _fit(people: Any, id: str | None, parameters: dict[str, Any], progress: Steps) -> Segmentation:
    from ..segmentation import Segmentation

    return Segmentation(id=id, callback=_reporter(progress), **parameters).fit(people)


def _reporter(progress: Steps) -> Callable[[Event], None]:
    current = ""

    def show(event: Event) -> None:
        nonlocal current
        if event.stage != current:
            progress.begin(event.stage)
            current = event.stage
        progress.at(event.step, event.n_steps)

    return show


def _plain(rows: pa.Table) -> pa.Table:
    """Dictionaries as their values."""
    arrays = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in rows.columns
    ]
    return pa.table(arrays, names=rows.column_names)


def _tell(found: Segmentation, summary: dict[str, Any], json: bool) -> None:
    table = found.summary()
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    rand = found.stability_["rand"]
    how = {
        "form": found.covariance_type_,
        "columns": found.scaling_,
        "adjusted_rand": float(rand.mean()) if len(rand) else None,
        "notes": found.notes_,
    }
    if json:
        print_json({"segments": rows, **how, **summary})
        return
    header = ["", "segment", "customers", "share", "certainty", "stability"]
    cells = [
        [r["segment"], r["name"], int(r["size"]), f"{r['share']:.1%}", float(r["certainty"]),
         None if r["stability"] != r["stability"] else float(r["stability"])]
        for r in rows
    ]  # fmt: skip
    n = int(found.sizes_.sum()) + found.n_outliers_
    grid(f"{n:,} customers in {len(found.names_)} segments", header, cells)
    scales: dict[str, list[str]] = {}
    for name, kind in found.scaling_.items():
        scales.setdefault(kind, []).append(name)
    lines: dict[str, Any] = {f"{kind} scale": ", ".join(names) for kind, names in scales.items()}
    if how["adjusted_rand"] is not None:
        lines["bootstrap"] = f"adjusted Rand index {how['adjusted_rand']:.2f}"
    lines |= {f"note {i}": note for i, note in enumerate(found.notes_, 1)}
    lines["fit"] = f"{summary['fit_seconds']:.2f} s"
    lines["written"] = f"{summary['rows_written']:,} rows to {summary['out']}"
    lines |= {name: str(summary[name]) for name in ("report", "save") if summary[name] is not None}
    facts(f"{found.covariance_type_} mixture", lines)
