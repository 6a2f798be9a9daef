"""Gaussian mixtures: soft segments of customers."""

from __future__ import annotations

from .gaussian_mixture import GaussianMixture
from .selection import Selection, select

__all__ = ["GaussianMixture", "Selection", "select"]
