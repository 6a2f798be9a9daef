"""Models made of models: fused rankings, bagging, fallbacks, a second stage over candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .bagging import Bagging
    from .candidates import CandidateTable, candidate_table
    from .cold_start import ColdStart
    from .rank_fusion import RankFusion
    from .score_fusion import ScoreFusion
    from .stacking import Stacking

MODELS = {
    "Bagging": "bagging",
    "ColdStart": "cold_start",
    "RankFusion": "rank_fusion",
    "ScoreFusion": "score_fusion",
    "Stacking": "stacking",
}
_NAMES = {**MODELS, "CandidateTable": "candidates", "candidate_table": "candidates"}

__all__ = [
    "Bagging",
    "CandidateTable",
    "ColdStart",
    "RankFusion",
    "ScoreFusion",
    "Stacking",
    "candidate_table",
]

__getattr__ = lazy_attributes(__name__, _NAMES)
