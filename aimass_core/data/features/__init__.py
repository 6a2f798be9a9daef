"""Features of items and users: tables of attributes as sparse matrices that models take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .feature_table import FeatureTable
    from .features import Features

__all__ = ["FeatureTable", "Features"]

__getattr__ = lazy_attributes(__name__, {"FeatureTable": "feature_table", "Features": "features"})
