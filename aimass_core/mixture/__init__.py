"""Gaussian mixtures: soft segments of customers."""

from __future__ import annotations

from .gaussian_mixture import GaussianMixture

__all__ = ["GaussianMixture"]
