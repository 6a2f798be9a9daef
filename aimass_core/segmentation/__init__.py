"""Customer segments: from a table to named groups with profiles, pictures and a report."""

from __future__ import annotations

from ._rfm import rfm
from .segmentation import Segmentation, segments

__all__ = ["Segmentation", "rfm", "segments"]
