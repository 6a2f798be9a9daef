"""Gaussian mixture models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .gaussian_mixture import GaussianMixture
    from .selection import Selection, select

MODELS = {"GaussianMixture": "gaussian_mixture"}

__all__ = ["GaussianMixture", "Selection", "select"]

__getattr__ = lazy_attributes(__name__, {**MODELS, "Selection": "selection", "select": "selection"})
