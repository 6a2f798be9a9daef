"""Exact top-k similarity between the rows of any sparse matrix: users, items, texts, SKUs."""

from __future__ import annotations

from ._search import measures, topk

__all__ = ["measures", "topk"]
