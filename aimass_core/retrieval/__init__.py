"""Exact retrieval from factors: the best items for users, and the best users for items."""

from __future__ import annotations

from ._index import FactorIndex, score_topk

__all__ = ["FactorIndex", "score_topk"]
