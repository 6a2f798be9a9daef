"""Progress on the screen and to a callback."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ._forms import Parameters

__all__ = ["Reporter"]


class Reporter:
    """Called after each pass; True ends the run."""

    def __init__(
        self,
        verbose: int,
        interval: int,
        callback: Callable[[int, float], Any] | None,
        start: int,
    ) -> None:
        self.verbose, self.interval, self.callback = verbose, interval, callback
        self.begin = self.last_time = time.perf_counter()
        self.last_bound: float | None = None
        if verbose:
            print(f"Initialization {start}")  # noqa: T201

    def __call__(self, n_iter: int, bound: float, parameters: Parameters) -> bool:
        if self.verbose and n_iter % self.interval == 0:
            now, text = time.perf_counter(), f"  Iteration {n_iter}"
            if self.verbose >= 2:
                change = float("inf") if self.last_bound is None else bound - self.last_bound
                text += f"\t time lapse {now - self.last_time:.5f}s\t ll change {change:.5f}"
            print(text)  # noqa: T201
            self.last_time, self.last_bound = now, bound
        stop = self.callback(n_iter, bound) if self.callback is not None else False
        return isinstance(stop, (bool, np.bool_)) and bool(stop)

    def end(self, converged: bool) -> None:
        """The last line."""
        if self.verbose:
            seconds = time.perf_counter() - self.begin
            print(  # noqa: T201
                f"Initialization {'converged' if converged else 'did not converge'}: {seconds:.3f}s"
            )
