"""Warnings that point to the line of the caller's code: `warn_caller`."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn_caller"]

_PACKAGE = __name__.partition(".")[0]


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the line outside of this package that led to it.

    Python shows a warning once for each line, so a line within the package would hide all later
    ones.

    Parameters
    ----------
    message : str
        Its text.
    category : type of Warning, default=UserWarning
        Its class.
    """
    frame = sys._getframe(1)
    level = 2
    while frame.f_back is not None and _is_own(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _is_own(module: str) -> bool:
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
