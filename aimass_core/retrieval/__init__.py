"""Exact retrieval from factors: the best items for users, and the best users for items."""

from __future__ import annotations

from ._audience import Audience, audience
from ._index import FactorIndex, score_topk
from ._reverse import AudienceIndex, Reached

__all__ = ["Audience", "AudienceIndex", "FactorIndex", "Reached", "audience", "score_topk"]
