"""Models of factors: every user and item a short vector, a score their product."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Epoch": "_training",
    "ExplicitALS": "explicit_als",
    "ImplicitALS": "implicit_als",
    "NMF": "nmf",
    "PureSVD": "pure_svd",
    "RowBlocks": "blocks",
    "from_implicit": "implicit_files",
    "to_implicit": "implicit_files",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
