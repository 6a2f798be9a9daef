"""Models that combine interactions with features of users and items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .relation import RelationBlock

MODELS: dict[str, str] = {}

__all__ = ["RelationBlock"]

__getattr__ = lazy_attributes(__name__, {**MODELS, "RelationBlock": "relation"})
