"""Customer segments: from a table to named groups with profiles, pictures and a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from ._rfm import rfm
    from ._rfm_scores import rfm_scores
    from .segmentation import Segmentation, segments

MODELS = {"Segmentation": "segmentation"}

__all__ = ["Segmentation", "rfm", "rfm_scores", "segments"]

__getattr__ = lazy_attributes(
    __name__,
    {**MODELS, "rfm": "_rfm", "rfm_scores": "_rfm_scores", "segments": "segmentation"},
)
