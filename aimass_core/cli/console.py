"""What reaches the terminal: tables or one JSON object, and progress on standard error."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

__all__ = ["Steps", "facts", "grid", "print_json", "set_threads", "steps", "written"]


class Steps(Protocol):
    """Where a long job says how far it is."""

    def begin(self, title: str) -> None:
        """Start a step of unknown length."""

    def at(self, done: int, total: int) -> None:
        """Say how far the current step is."""


class _Quiet:
    def begin(self, title: str) -> None: ...

    def at(self, done: int, total: int) -> None: ...


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: Any = None

    def begin(self, title: str) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=None)

    def at(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)


@contextmanager
def steps(quiet: bool) -> Iterator[Steps]:
    """Show progress on standard error while the block runs, on a terminal only.

    Parameters
    ----------
    quiet : bool
        Show nothing at all.

    Yields
    ------
    Steps
        Where the job reports to.
    """
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield _Quiet()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=30),
               MofNCompleteColumn(), TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress)


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object; not-a-number becomes null, so that any parser takes it."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {str(key): plain(inner) for key, inner in part.items()}
        if isinstance(part, (list, tuple)):
            return [plain(inner) for inner in part]
        if isinstance(part, Path):
            return str(part)
        if hasattr(part, "item"):
            part = part.item()
        return None if isinstance(part, float) and not math.isfinite(part) else part

    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def written(value: Any) -> str:
    """A number or name as it is shown in a table."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def facts(title: str, rows: dict[str, Any]) -> None:
    """Print a two-column table of names and values.

    Parameters
    ----------
    title : str
        Above the table.
    rows : dict
        Name to value, in order.
    """
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows.items():
        table.add_row(name, written(value))
    _print(table)


def grid(title: str, header: list[str], rows: list[list[Any]]) -> None:
    """Print a table with a header; numbers are set right.

    Parameters
    ----------
    title : str
        Above the table.
    header : list of str
        Column names.
    rows : list of list
        One list for each row.
    """
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(header):
        numeric = bool(rows) and all(isinstance(row[number], (int, float)) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=numeric)
    for row in rows:
        table.add_row(*(written(value) for value in row))
    _print(table)


def _print(table: Table) -> None:
    console = Console(markup=False, highlight=False)
    # A pipe has no width: never wrap what is going to a file.
    if not console.is_terminal and "COLUMNS" not in os.environ:
        wide = console.options.update(max_width=10_000)
        console.width = max(80, console.measure(table, options=wide).maximum)
    console.print(table)


def set_threads(n_threads: int | None) -> None:
    """Make ``--threads`` the default of every call in this process."""
    from ..base.threads import resolve_n_threads

    if n_threads is not None:
        os.environ["AIMASS_NUM_THREADS"] = str(resolve_n_threads(n_threads))
