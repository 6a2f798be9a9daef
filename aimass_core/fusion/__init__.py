"""Models made of several models: fused rankings, bagging, and a second stage over candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .bagging import Bagging
    from .candidates import CandidateTable, candidate_table
    from .rank_fusion import RankFusion
    from .score_fusion import ScoreFusion
    from .stacking import Stacking

MODELS = {
    "Bagging": "bagging",
    "RankFusion": "rank_fusion",
    "ScoreFusion": "score_fusion",
    "Stacking": "stacking",
}
_NAMES = {**MODELS, "CandidateTable": "candidates", "candidate_table": "candidates"}

__all__ = [
    "Bagging",
    "CandidateTable",
    "RankFusion",
    "ScoreFusion",
    "Stacking",
    "candidate_table",
]

__getattr__ = lazy_attributes(__name__, _NAMES)
