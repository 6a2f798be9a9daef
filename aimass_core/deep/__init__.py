"""Neural networks trained by PyTorch: models of sequences, and two towers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .gru4rec import GRU4Rec
    from .sasrec import SASRec
    from .two_tower import TwoTower

MODELS = {
    "GRU4Rec": "gru4rec",
    "SASRec": "sasrec",
    "TwoTower": "two_tower",
}

__all__ = ["GRU4Rec", "SASRec", "TwoTower"]

__getattr__ = lazy_attributes(__name__, MODELS)
