"""Interaction data: ids, tables, cleaning, weighting, splits, data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from . import cleaning, datasets, features, split, weighting
    from .features import Features, FeatureTable
    from .idmap import IdMap
    from .interactions import Interactions

# Registered classes -> their modules.
MODELS = {
    "BM25": "weighting.bm25_weighting",
    "Binarize": "weighting.binarize_weighting",
    "Center": "weighting.center_weighting",
    "FeatureTable": "features.feature_table",
    "Features": "features.features",
    "IdMap": "idmap",
    "Interactions": "interactions",
    "Log": "weighting.log_weighting",
    "Normalize": "weighting.normalize_weighting",
    "TfIdf": "weighting.tf_idf_weighting",
}

_PACKAGES = ("cleaning", "datasets", "features", "split", "weighting")

__all__ = [
    "FeatureTable",
    "Features",
    "IdMap",
    "Interactions",
    "cleaning",
    "datasets",
    "features",
    "split",
    "weighting",
]

__getattr__ = lazy_attributes(__name__, {**MODELS, **{name: name for name in _PACKAGES}})
