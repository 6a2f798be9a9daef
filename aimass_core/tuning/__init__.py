"""Find the best model and setting on held-out data, and say how good it is on the test part."""

from __future__ import annotations

from .default_spaces import default_space
from .optuna_adapter import optuna_objective
from .result import SearchResult, Trial
from .search import nested_tune, tune
from .space import Choice, Range

__all__ = [
    "Choice",
    "Range",
    "SearchResult",
    "Trial",
    "default_space",
    "nested_tune",
    "optuna_objective",
    "tune",
]
