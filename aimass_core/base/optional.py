"""Libraries that are not needed to run: imported when asked for."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["import_optional"]


def import_optional(name: str) -> Any:
    """The library, or an error that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(f"this needs {name}: pip install {name}") from None
