"""Exact retrieval from factors: the best items for users, and the best users for items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from ._approximate import ApproximateIndex
    from ._arrow_batches import ArrowRecommender
    from ._audience import audience
    from ._audience_index import AudienceIndex
    from ._hashed_ids import HashedIds, hash_ids
    from ._index import FactorIndex, score_topk
    from ._partitions import write_recommendations
    from ._stream import recommend_blocks, write_topk
    from ._user_lists import Audience, ReverseTopK

__all__ = [
    "ApproximateIndex",
    "ArrowRecommender",
    "Audience",
    "AudienceIndex",
    "FactorIndex",
    "HashedIds",
    "ReverseTopK",
    "audience",
    "hash_ids",
    "recommend_blocks",
    "score_topk",
    "write_recommendations",
    "write_topk",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        "ApproximateIndex": "_approximate",
        "ArrowRecommender": "_arrow_batches",
        "Audience": "_user_lists",
        "AudienceIndex": "_audience_index",
        "FactorIndex": "_index",
        "HashedIds": "_hashed_ids",
        "hash_ids": "_hashed_ids",
        "ReverseTopK": "_user_lists",
        "audience": "_audience",
        "recommend_blocks": "_stream",
        "score_topk": "_index",
        "write_recommendations": "_partitions",
        "write_topk": "_stream",
    },
)
