"""Exact retrieval from factors: the best items for users, and the best users for items."""

from __future__ import annotations

from ._approximate import ApproximateIndex
from ._assignment import Audience
from ._audience import audience
from ._index import FactorIndex, score_topk
from ._reached import Reached
from ._reverse import AudienceIndex
from ._stream import recommend_blocks, write_topk

__all__ = [
    "ApproximateIndex",
    "Audience",
    "AudienceIndex",
    "FactorIndex",
    "Reached",
    "audience",
    "recommend_blocks",
    "score_topk",
    "write_topk",
]
