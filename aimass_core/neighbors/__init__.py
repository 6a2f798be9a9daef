"""Neighbourhood models, popularity and baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .baseline import BaselineOnly
    from .context_knn import ContextKNN
    from .item_knn import ItemKNN
    from .popularity import Popularity
    from .session_knn import SessionKNN
    from .slope_one import SlopeOne
    from .user_knn import UserKNN

MODELS = {
    "BaselineOnly": "baseline",
    "ContextKNN": "context_knn",
    "ItemKNN": "item_knn",
    "Popularity": "popularity",
    "SessionKNN": "session_knn",
    "SlopeOne": "slope_one",
    "UserKNN": "user_knn",
}

__all__ = [
    "BaselineOnly",
    "ContextKNN",
    "ItemKNN",
    "Popularity",
    "SessionKNN",
    "SlopeOne",
    "UserKNN",
]

__getattr__ = lazy_attributes(__name__, MODELS)
