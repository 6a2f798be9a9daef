"""Data sets: a generated shop with known truth, and public ones from their publishers."""

from __future__ import annotations

from ._fetch import Dataset
from ._movielens import fetch_movielens
from ._retail import clean_transactions, fetch_online_retail
from ._shop import EVENTS
from ._store import make_store
from ._tables import Store, StoreTruth

__all__ = [
    "EVENTS",
    "Dataset",
    "Store",
    "StoreTruth",
    "clean_transactions",
    "fetch_movielens",
    "fetch_online_retail",
    "make_store",
]
