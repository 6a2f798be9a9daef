"""Fast native core for recommendation, targeting and their evaluation.

Everything public is reachable from here and imported on first use, so that
``import aimass_core`` costs little and pulls in neither Numba nor any table library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import data, evaluation, factorization, mixture, neighbors, retrieval, segmentation
    from ._config import show_config
    from .data import IdMap, Interactions, datasets
    from .factorization import NMF, ExplicitALS, ImplicitALS, PureSVD
    from .mixture import GaussianMixture
    from .neighbors import (
        BaselineOnly,
        ContextKNN,
        ItemKNN,
        Popularity,
        SlopeOne,
        UserKNN,
        similarity,
    )
    from .persistence import load
    from .segmentation import Segmentation, rfm, segments

_HOMES = {
    "BaselineOnly": "neighbors",
    "ContextKNN": "neighbors",
    "ExplicitALS": "factorization",
    "GaussianMixture": "mixture",
    "IdMap": "data",
    "ImplicitALS": "factorization",
    "Interactions": "data",
    "ItemKNN": "neighbors",
    "NMF": "factorization",
    "Popularity": "neighbors",
    "PureSVD": "factorization",
    "Segmentation": "segmentation",
    "SlopeOne": "neighbors",
    "UserKNN": "neighbors",
    "data": "",
    "datasets": "data",
    "evaluation": "",
    "factorization": "",
    "load": "persistence",
    "mixture": "",
    "neighbors": "",
    "retrieval": "",
    "rfm": "segmentation",
    "segmentation": "",
    "segments": "segmentation",
    "show_config": "_config",
    "similarity": "neighbors",
}

__all__ = [
    "NMF",
    "BaselineOnly",
    "ContextKNN",
    "ExplicitALS",
    "GaussianMixture",
    "IdMap",
    "ImplicitALS",
    "Interactions",
    "ItemKNN",
    "Popularity",
    "PureSVD",
    "Segmentation",
    "SlopeOne",
    "UserKNN",
    "__version__",
    "data",
    "datasets",
    "evaluation",
    "factorization",
    "load",
    "mixture",
    "neighbors",
    "retrieval",
    "rfm",
    "segmentation",
    "segments",
    "show_config",
    "similarity",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'aimass_core' has no attribute {name!r}")
    if home == "" or name in ("datasets", "similarity"):
        value: Any = importlib.import_module(f"aimass_core.{home}.{name}".replace("..", "."))
    else:
        value = getattr(importlib.import_module(f"aimass_core.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
