"""Interaction data: ids, tables, cleaning, weighting, splits, data sets."""

from __future__ import annotations

import importlib
from typing import Any

from .idmap import IdMap
from .interactions import Interactions

__all__ = ["IdMap", "Interactions", "cleaning", "datasets", "split", "weighting"]

_MODULES = ("cleaning", "datasets", "split", "weighting")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
