"""Progress on the screen and to a callback."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["Reporter"]


class Reporter:
    """Called after each pass; True ends the run."""

    def __init__(
        self,
        verbose: int,
        interval: int,
        callback: Callable[[int, float], Any] | None,
        run: str,
    ) -> None:
        self.verbose, self.interval, self.callback = verbose, interval, callback
        self.begin = self.last_time = time.perf_counter()
        self.last_bound: float | None = None
        self.run, self.stopped = run, False
        if verbose:
            print(run)  # noqa: T201

    def __call__(self, n_iter: int, bound: float) -> bool:
        if self.verbose and n_iter % self.interval == 0:
            now, text = time.perf_counter(), f"  Iteration {n_iter}"
            if self.verbose >= 2:
                change = float("inf") if self.last_bound is None else bound - self.last_bound
                text += f"\t time lapse {now - self.last_time:.5f}s\t ll change {change:.5f}"
            print(text)  # noqa: T201
            self.last_time, self.last_bound = now, bound
        stop = self.callback(n_iter, bound) if self.callback is not None else False
        self.stopped = isinstance(stop, (bool, np.bool_)) and bool(stop)
        return self.stopped

    def end(self, converged: bool) -> None:
        """The last line."""
        if self.verbose:
            seconds = time.perf_counter() - self.begin
            what = self.run.rstrip(" 0123456789")
            result = "converged" if converged else "did not converge"
            print(f"{what} {result}: {seconds:.3f}s")  # noqa: T201
