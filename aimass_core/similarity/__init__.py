"""Exact top-k similarity between the rows of any sparse matrix: users, items, texts, SKUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from ._search import measures, topk
    from .similarity import Similarity

MODELS = {"Similarity": "similarity"}

__all__ = ["Similarity", "measures", "topk"]

__getattr__ = lazy_attributes(__name__, {**MODELS, "measures": "_search", "topk": "_search"})
