"""Models that combine interactions with features of users and items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from ._text import text_vectors
    from .content import ContentBased
    from .external_vectors import VectorMap
    from .field_aware_fm_classifier import FieldAwareFactorizationMachineClassifier
    from .field_aware_fm_regressor import FieldAwareFactorizationMachineRegressor
    from .fm import FactorizationMachine
    from .fm_classifier import FactorizationMachineClassifier
    from .fm_ordered_probit import FactorizationMachineOrderedProbit
    from .fm_regressor import FactorizationMachineRegressor
    from .hybrid_als import HybridALS
    from .hybrid_bpr import HybridBPR
    from .hybrid_sampled_softmax import HybridSampledSoftmax
    from .hybrid_warp import HybridWARP
    from .relation import RelationBlock

MODELS: dict[str, str] = {
    "ContentBased": "content",
    "FactorizationMachine": "fm",
    "HybridALS": "hybrid_als",
    "HybridBPR": "hybrid_bpr",
    "HybridSampledSoftmax": "hybrid_sampled_softmax",
    "HybridWARP": "hybrid_warp",
    "VectorMap": "external_vectors",
}

# Estimators on a design matrix: scikit-learn's methods, not those of a recommender.
ESTIMATORS = {
    "FactorizationMachineClassifier": "fm_classifier",
    "FactorizationMachineOrderedProbit": "fm_ordered_probit",
    "FactorizationMachineRegressor": "fm_regressor",
    "FieldAwareFactorizationMachineClassifier": "field_aware_fm_classifier",
    "FieldAwareFactorizationMachineRegressor": "field_aware_fm_regressor",
}

__all__ = [
    "ContentBased",
    "FactorizationMachine",
    "FactorizationMachineClassifier",
    "FactorizationMachineOrderedProbit",
    "FactorizationMachineRegressor",
    "FieldAwareFactorizationMachineClassifier",
    "FieldAwareFactorizationMachineRegressor",
    "HybridALS",
    "HybridBPR",
    "HybridSampledSoftmax",
    "HybridWARP",
    "RelationBlock",
    "VectorMap",
    "text_vectors",
]

__getattr__ = lazy_attributes(
    __name__,
    {**MODELS, **ESTIMATORS, "RelationBlock": "relation", "text_vectors": "_text"},
)
