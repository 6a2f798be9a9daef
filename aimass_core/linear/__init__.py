"""Linear item-item models: a score is a sum of learned weights over the items that a user has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .ease import EASE
    from .edlae import EDLAE
    from .slim import SLIM
    from .sparse_ease import SparseEASE

MODELS = {
    "EASE": "ease",
    "EDLAE": "edlae",
    "SLIM": "slim",
    "SparseEASE": "sparse_ease",
}

__all__ = ["EASE", "EDLAE", "SLIM", "SparseEASE"]

__getattr__ = lazy_attributes(__name__, MODELS)
