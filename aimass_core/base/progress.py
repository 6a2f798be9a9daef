"""What long work reports: events for a callback, a progress bar, and log records."""

from __future__ import annotations

import contextlib
import html
import importlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Event", "Progress", "log_duration", "logger"]

logger = logging.getLogger("aimass_core")
logger.addHandler(logging.NullHandler())

_BAR_AFTER = 2.0  # seconds: shorter work shows no bar
_BAR_EVERY = 0.1
_CLOCK_EVERY = 0.5
_WIDTH = 30


@dataclass(frozen=True)
class Event:
    """One step of long work, as a callback receives it.

    Parameters
    ----------
    stage : str
        What is done, such as "fit".
    step : int
        Steps done, from 1.
    n_steps : int
        Steps there are at most.
    seconds : float
        Time since the work began.
    values : dict of str to float
        Figures of this step, such as ``{"loss": 12.3}``; empty where none are computed.
    model : object, optional
        The model as it is after this step. It can answer and be saved; do not change it.
    """

    stage: str
    step: int
    n_steps: int
    seconds: float
    values: dict[str, float] = field(default_factory=dict)
    model: Any = field(default=None, repr=False)


class Progress:
    """Reports the steps of one piece of work to a callback, a progress bar and the log.

    As a context manager it keeps the bar's clock running through long steps, and ends its line.

    Parameters
    ----------
    stage : str
        What is done; stands before the bar.
    n_steps : int
        Steps there are at most.
    callback : callable, optional
        Called with an `Event` after each step; a true result ends the work. If it has a method
        ``blocks``, that is called with the arguments of `blocks`.
    verbose : bool, default=False
        Show a progress bar once the work has taken two seconds: in the output of a notebook's cell,
        elsewhere on standard error.
    begin : float, optional
        The `time.monotonic` at which the work began, of which this stage is a part. Default: now.
    """

    def __init__(
        self,
        stage: str,
        n_steps: int,
        *,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
        begin: float | None = None,
    ) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(
                f"callback must be a function of one Event, got {type(callback).__name__}"
            )
        self._stage, self._n_steps = stage, n_steps
        self._callback, self._verbose = callback, verbose
        self._began_stage = time.monotonic()
        self._begin = self._began_stage if begin is None else begin
        self._drawn = 0.0
        self._shown = False
        self._latest: tuple[int, dict[str, float]] = (0, {})
        self._blocks = (0, 0)
        self._last_step = self._began_stage
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._clock: threading.Thread | None = None
        self._display: Any = _notebook_display() if verbose else None
        self._handle: Any = None  # of the bar in a notebook

    def step(self, number: int, values: dict[str, float] | None = None, model: Any = None) -> bool:
        """Report a finished step; return True where the callback ends the work.

        Parameters
        ----------
        number : int
            Steps done, from 1.
        values : dict, optional
            Figures of the step.
        model : object, optional
            The model as it is now.

        Returns
        -------
        bool
            Whether the callback returned a true value.
        """
        values = values or {}
        seconds = time.monotonic() - self._begin
        self._latest, self._last_step = (number, values), self._begin + seconds
        self._blocks = (0, 0)
        if self._verbose:
            self._draw(is_step=True)
        logger.debug("%s: step %d of %d, %s", self._stage, number, self._n_steps, values)
        if self._callback is None:
            return False
        event = Event(self._stage, number, self._n_steps, seconds, values, model)
        return bool(self._callback(event))

    def within(self, first: int, last: int) -> Callable[[int, int], None]:
        """Return a function that reports the steps of one call of a kernel while it runs.

        Parameters
        ----------
        first, last : int
            Steps that are done before and after the call. The function reports those between them;
            report the last one when the call has returned.

        Returns
        -------
        callable
            Takes the units of work that are complete and the number of all. A kernel with the
            argument ``report`` calls it about ten times a second; what the callback raises ends the
            kernel.
        """
        latest = first

        def report(n_done: int, n_units: int) -> None:
            nonlocal latest
            number = min(first + (last - first) * n_done // n_units, last - 1)
            if number > latest:
                latest = number
                self.step(number)

        return report

    def blocks(self, n_done: int, n_blocks: int) -> None:
        """Report the blocks of rows that are done within a step.

        Parameters
        ----------
        n_done, n_blocks : int
            Blocks that one pass over the rows has finished, and all its blocks. A step may consist
            of several passes.
        """
        self._blocks = n_done, n_blocks
        logger.debug("%s: block %d of %d", self._stage, n_done, n_blocks)
        if self._verbose:
            self._draw(is_step=False)
        report = getattr(self._callback, "blocks", None)
        if report is not None:
            report(n_done, n_blocks)

    @property
    def n_steps(self) -> int:
        """Steps there are at most."""
        return self._n_steps

    def set_n_steps(self, n_steps: int) -> None:
        """Set how many steps there are at most, before the first is reported.

        Parameters
        ----------
        n_steps : int
            Steps there are at most.
        """
        self._n_steps = n_steps

    def close(self) -> None:
        """End the line of the progress bar."""
        self._closed.set()
        if self._clock is not None:
            self._clock.join()
            self._clock = None
        if self._shown and self._display is None:
            sys.stderr.write("\n")
            sys.stderr.flush()
            self._shown = False

    def __enter__(self) -> Progress:
        if self._verbose and self._clock is None:
            self._clock = threading.Thread(target=self._run_clock, daemon=True)
            self._clock.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run_clock(self) -> None:
        """Draw the bar again while a step takes long."""
        while not self._closed.wait(_CLOCK_EVERY):
            self._draw(is_step=False)

    def _draw(self, *, is_step: bool) -> None:
        with self._lock:
            now = time.monotonic()
            number, values = self._latest
            seconds = now - self._begin
            is_last = is_step and number >= self._n_steps
            if seconds <= _BAR_AFTER or (now - self._drawn < _BAR_EVERY and not is_last):
                return
            self._drawn, self._shown = now, True
            done = int(number / max(self._n_steps, 1) * _WIDTH)
            figures = "".join(f", {name} {value:.6g}" for name, value in values.items())
            remaining = ""
            if number:
                seconds_left = max(self._end_of_steps(number) - now, 0.0)
                remaining = f", {seconds_left:.0f} s left"
            n_done, n_blocks = self._blocks
            blocks = f", block {n_done}/{n_blocks}" if n_blocks else ""
            text = f"{number}/{self._n_steps}{blocks}{figures}, {seconds:.0f} s{remaining}"
            if self._display is not None:
                self._draw_in_notebook(number, text)
                return
            bar = f"[{'#' * done}{'.' * (_WIDTH - done)}]"
            sys.stderr.write(f"\r{self._stage} {bar} {text}\x1b[K")
            sys.stderr.flush()

    def _end_of_steps(self, number: int) -> float:
        """Return when the last step ends if all steps take as long as those so far."""
        begin = self._began_stage
        return begin + (self._last_step - begin) / number * self._n_steps

    def _draw_in_notebook(self, number: int, text: str) -> None:
        bar = f'<progress value="{number}" max="{max(self._n_steps, 1)}"></progress>'
        content = {"text/html": f"{html.escape(self._stage)} {bar} {html.escape(text)}"}
        content["text/plain"] = f"{self._stage} {text}"
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _notebook_display() -> Any:
    """Return IPython's ``display`` where a notebook is the front end, else None."""
    get_ipython: Any = getattr(sys.modules.get("IPython"), "get_ipython", None)
    if get_ipython is None or not hasattr(get_ipython(), "kernel"):
        return None
    return importlib.import_module("IPython.display").display


@contextlib.contextmanager
def log_duration(text: str, *args: Any) -> Iterator[None]:
    """Log a line with the time that the body took, at level INFO.

    Parameters
    ----------
    text : str
        What is done, with ``%`` placeholders for ``args``.
    *args
        Values for the placeholders.
    """
    begin = time.monotonic()
    yield
    if logger.isEnabledFor(logging.INFO):
        logger.info(text + " in %.3f s", *args, time.monotonic() - begin)
