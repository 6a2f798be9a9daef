"""The instruction levels of this machine, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aimass_core import _core

LEVELS = _core.isa_available()


@contextmanager
def at_level(level: str) -> Iterator[str]:
    """Kernels of that level inside of the block."""
    before = _core.isa()
    _core.force_isa(level)
    try:
        yield level
    finally:
        _core.force_isa(before)
