"""What reaches the terminal: tables or one JSON object, and progress on standard error."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from ..base.progress import Event
    from .options import GeneralOptions

__all__ = [
    "Reporter",
    "Steps",
    "interrupt",
    "is_verbose",
    "reset_verbosity",
    "set_verbose",
    "show_warning",
    "shown_events",
    "written",
]

_LINE_EVERY = 5.0  # seconds between lines of progress without a terminal
_state = {"verbose": False, "interrupted": False}


def is_verbose() -> bool:
    """Return whether this run reports its progress and shows tracebacks."""
    return _state["verbose"]


def reset_verbosity() -> None:
    """Begin a run of the command: forget what an earlier one in this process was told."""
    _state["verbose"] = False
    logger = logging.getLogger("aimass_core")
    for handler in [h for h in logger.handlers if isinstance(h, _LogHandler)]:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def set_verbose() -> None:
    """Report progress and log records on standard error."""
    _state["verbose"] = True
    logger = logging.getLogger("aimass_core")
    if not any(isinstance(handler, _LogHandler) for handler in logger.handlers):
        logger.addHandler(_LogHandler())
        logger.setLevel(logging.INFO)


def interrupt(signum: int, frame: object) -> None:
    """Handle Ctrl-C: raise KeyboardInterrupt, also where other code swallows the first one.

    Parameters
    ----------
    signum : int
        Number of the signal.
    frame : frame
        Where it came.

    Raises
    ------
    KeyboardInterrupt
        Now, and again at the next step if the command is still running.
    """
    _state["interrupted"] = True
    raise KeyboardInterrupt


def _check_interrupt() -> None:
    if _state["interrupted"]:
        raise KeyboardInterrupt


class _LogHandler(logging.Handler):
    """Writes log records to the standard error of the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(record.getMessage(), err=True)


def show_warning(message: Any, *_: Any, **__: Any) -> None:
    """Print a Python warning as one line, in place of `warnings.showwarning`.

    Parameters
    ----------
    message : Warning
        Its text is printed.
    """
    typer.echo(f"warning: {' '.join(str(message).split())}", err=True)


# ---- progress ------------------------------------------------------------------------------------


class Steps(Protocol):
    """Where a long job reports its progress."""

    def begin(self, title: str) -> None:
        """Start a step of unknown length."""

    def at(self, done: int, total: int) -> None:
        """Report the progress of the current step."""

    def blocks(self, done: int, total: int) -> None:
        """Report the blocks of rows that are done within the current step."""


def shown_events(steps: Steps) -> Callable[[Event], None]:
    """Return a callback that shows the events of long work as steps, one for each stage.

    Parameters
    ----------
    steps : Steps
        Where they are shown.

    Returns
    -------
    callable
        For ``callback=`` of fits, evaluations and searches; it never ends the work.
    """
    return _ShownEvents(steps)


class _ShownEvents:
    """Shows events, and the blocks within a step."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._stage = ""

    def __call__(self, event: Event) -> None:
        if event.stage != self._stage:
            self._steps.begin(event.stage)
            self._stage = event.stage
        self._steps.at(event.step, event.n_steps)

    def blocks(self, n_done: int, n_blocks: int) -> None:
        self._steps.blocks(n_done, n_blocks)


class _Quiet:
    def begin(self, title: str) -> None:
        _check_interrupt()

    def at(self, done: int, total: int) -> None:
        _check_interrupt()

    def blocks(self, done: int, total: int) -> None:
        _check_interrupt()


class _Lines:
    """Progress as lines, for logs and pipes."""

    def __init__(self) -> None:
        self._title = ""
        self._steps = ""
        self._last = time.monotonic()

    def begin(self, title: str) -> None:
        _check_interrupt()
        self._title, self._steps = title, ""
        self._last = time.monotonic()
        typer.echo(title, err=True)

    def at(self, done: int, total: int) -> None:
        self._steps = f": {done:,} of {total:,}"
        self._print("")

    def blocks(self, done: int, total: int) -> None:
        self._print(f", block {done:,} of {total:,}")

    def _print(self, blocks: str) -> None:
        _check_interrupt()
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY:
            self._last = now
            typer.echo(f"{self._title}{self._steps}{blocks}", err=True)


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: Any = None
        self._title = ""

    def begin(self, title: str) -> None:
        _check_interrupt()
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._title = title
        self._task = self._progress.add_task(title, total=None)

    def at(self, done: int, total: int) -> None:
        _check_interrupt()
        self._progress.update(self._task, completed=done, total=total, description=self._title)

    def blocks(self, done: int, total: int) -> None:
        _check_interrupt()
        if self._task is not None:
            description = f"{self._title}, block {done:,} of {total:,}"
            self._progress.update(self._task, description=description)


# ---- results -------------------------------------------------------------------------------------


class Reporter:
    """Prints the results of one run of the command, and its progress.

    Parameters
    ----------
    general : GeneralOptions
        Options of the run; ``--threads`` and ``--verbose`` take effect.
    out : str, optional
        Where lists go: with "-" they take standard output, and everything else standard error.
    """

    def __init__(self, general: GeneralOptions, out: str | None = None) -> None:
        if general.verbose:
            set_verbose()
        if general.threads is not None:
            from ..base.threads import resolve_n_threads

            os.environ["AIMASS_NUM_THREADS"] = str(resolve_n_threads(general.threads))
        self.is_json = general.json
        self._is_quiet = general.quiet
        self._to_error = out == "-"

    @contextmanager
    def steps(self) -> Iterator[Steps]:
        """Show progress on standard error while the block runs.

        Yields
        ------
        Steps
            A bar on a terminal; lines with ``--verbose`` where there is none; else nothing.
        """
        if self._is_quiet or (self.is_json and not is_verbose()):
            yield _Quiet()
            return
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield _Lines() if is_verbose() else _Quiet()
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            yield _Bar(progress)

    def json(self, value: dict[str, Any]) -> None:
        """Print one JSON object; infinity and not-a-number become null, as JSON has neither.

        Parameters
        ----------
        value : dict
            Values may be paths and NumPy scalars.
        """
        text = json.dumps(_json_values(value), ensure_ascii=False, indent=2)
        typer.echo(text, err=self._to_error)

    def facts(self, title: str, rows: dict[str, Any]) -> None:
        """Print a two-column table of names and values.

        Parameters
        ----------
        title : str
            Above the table.
        rows : dict
            Name to value, in order.
        """
        if self._is_quiet:
            return
        from rich.table import Table

        table = Table(title=title, title_justify="left", show_header=False)
        table.add_column(style="bold")
        table.add_column()
        for name, value in rows.items():
            table.add_row(name, written(value))
        self._print(table)

    def grid(self, title: str, header: list[str], rows: list[list[Any]]) -> None:
        """Print a table with a header; columns of numbers are aligned to the right.

        Parameters
        ----------
        title : str
            Above the table.
        header : list of str
            Column names.
        rows : list of list
            One list for each row.
        """
        if self._is_quiet:
            return
        from rich.table import Table

        table = Table(title=title, title_justify="left")
        for number, name in enumerate(header):
            numeric = bool(rows) and all(isinstance(row[number], (int, float)) for row in rows)
            table.add_column(name, justify="right" if numeric else "left", no_wrap=numeric)
        for row in rows:
            table.add_row(*(written(value) for value in row))
        self._print(table)

    def text(self, line: str) -> None:
        """Print a line.

        Parameters
        ----------
        line : str
            Without the line break.
        """
        if not self._is_quiet:
            typer.echo(line, err=self._to_error)

    def _print(self, table: Table) -> None:
        from rich.console import Console

        console = Console(markup=False, highlight=False, emoji=False, stderr=self._to_error)
        console.on_broken_pipe = _raise_broken_pipe  # type: ignore[method-assign]
        # A pipe has no width: do not wrap what goes into a file.
        if not console.is_terminal and "COLUMNS" not in os.environ:
            wide = console.options.update(max_width=10_000)
            console.width = max(80, console.measure(table, options=wide).maximum)
        console.print(table)


def _raise_broken_pipe() -> None:
    """Let the command end as for every closed pipe; rich would make exit code 1 of it."""
    raise BrokenPipeError


def _json_values(part: Any) -> Any:
    if isinstance(part, dict):
        return {str(key): _json_values(inner) for key, inner in part.items()}
    if isinstance(part, (list, tuple)):
        return [_json_values(inner) for inner in part]
    if isinstance(part, Path):
        return str(part)
    if hasattr(part, "item"):
        part = part.item()
    return None if isinstance(part, float) and not math.isfinite(part) else part


def written(value: Any) -> str:
    """Return a number or name as it is shown in a table.

    Parameters
    ----------
    value : object
        Any value.

    Returns
    -------
    str
    """
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
