"""Memory of this process, and the peak of a block of code above what was held before it.

The figures come from ``/proc/self`` of Linux. Where the system does not tell them they are NaN:
a peak of the whole process in place of the peak of the block would be a wrong figure.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import math
from pathlib import Path
from typing import Any

_SELF = Path("/proc/self")


def memory_mib(field: str) -> float:
    """A field of the memory of this process, such as VmRSS or VmHWM, in MiB; NaN if unknown."""
    try:
        lines = (_SELF / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
    except (OSError, StopIteration):
        return math.nan


def return_freed_memory() -> None:
    """Return freed memory to the system.

    A call that reuses memory that an earlier step has freed would otherwise seem to need none.
    """
    gc.collect()
    with contextlib.suppress(ImportError):
        import pyarrow as pa

        pa.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # no C library of GNU
        ctypes.CDLL(None).malloc_trim(0)


class PeakMemory:
    """Peak memory of a block above what the process held before it.

    ``with PeakMemory() as peak: ...``, then ``peak.mib``: MiB, at least 0, or NaN where the system
    does not tell.
    """

    def __init__(self) -> None:
        self.mib = math.nan

    def __enter__(self) -> PeakMemory:
        return_freed_memory()
        self._before = memory_mib("VmRSS")
        try:
            (_SELF / "clear_refs").write_text("5")  # the peak starts from the present size
        except OSError:
            self._before = math.nan
        return self

    def __exit__(self, *error: Any) -> None:
        above = memory_mib("VmHWM") - self._before
        self.mib = above if math.isnan(above) else max(0.0, above)


def shown_mib(value: float | None) -> str:
    """A number of MiB for a table; a dash where it is unknown."""
    return "-" if value is None or math.isnan(value) else f"{value:.0f}"
