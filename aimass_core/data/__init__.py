"""Interaction data: ids, tables, cleaning, weighting, splits, data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from . import cleaning, datasets, split, weighting
    from .idmap import IdMap
    from .interactions import Interactions

# Registered classes -> their modules.
MODELS = {
    "BM25": "weighting.bm25_weighting",
    "Binarize": "weighting.binarize_weighting",
    "Center": "weighting.center_weighting",
    "IdMap": "idmap",
    "Interactions": "interactions",
    "Log": "weighting.log_weighting",
    "Normalize": "weighting.normalize_weighting",
    "TfIdf": "weighting.tf_idf_weighting",
}

__all__ = ["IdMap", "Interactions", "cleaning", "datasets", "split", "weighting"]

__getattr__ = lazy_attributes(
    __name__, {**MODELS, **{name: name for name in ("cleaning", "datasets", "split", "weighting")}}
)
