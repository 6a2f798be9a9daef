"""Neighbourhood models and the similarities they stand on."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "BaselineOnly": "baseline",
    "ContextKNN": "context_knn",
    "Explanation": "_topk",
    "ItemKNN": "item_knn",
    "Popularity": "popularity",
    "SlopeOne": "slope_one",
    "TopK": "_topk",
    "UserKNN": "user_knn",
}

__all__ = [*_HOMES, "similarity"]


def __getattr__(name: str) -> Any:
    if name == "similarity":
        return importlib.import_module(".similarity", __name__)
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
