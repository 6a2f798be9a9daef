"""Models that combine interactions with features of users and items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .fm import FactorizationMachine
    from .fm_classifier import FactorizationMachineClassifier
    from .fm_ordered_probit import FactorizationMachineOrderedProbit
    from .fm_regressor import FactorizationMachineRegressor
    from .relation import RelationBlock

MODELS: dict[str, str] = {"FactorizationMachine": "fm"}

# Estimators on a design matrix: scikit-learn's methods, not those of a recommender.
ESTIMATORS = {
    "FactorizationMachineClassifier": "fm_classifier",
    "FactorizationMachineOrderedProbit": "fm_ordered_probit",
    "FactorizationMachineRegressor": "fm_regressor",
}

__all__ = [
    "FactorizationMachine",
    "FactorizationMachineClassifier",
    "FactorizationMachineOrderedProbit",
    "FactorizationMachineRegressor",
    "RelationBlock",
]

__getattr__ = lazy_attributes(__name__, {**MODELS, **ESTIMATORS, "RelationBlock": "relation"})
