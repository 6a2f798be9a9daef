"""Fast native core for recommendation, targeting and their evaluation.

Everything public is reachable from here and imported on first use, so that
``import aimass_core`` costs little and pulls in neither Numba nor any table library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._version import __version__
from .base.lazy import lazy_attributes
from .base.registry import model_modules

if TYPE_CHECKING:
    from . import (
        cuda,
        data,
        deep,
        effects,
        evaluation,
        factorization,
        fusion,
        hybrid,
        linear,
        mixture,
        neighbors,
        retrieval,
        segmentation,
        similarity,
        tuning,
    )
    from ._config import show_config
    from .base.feature_recommender import FeatureRecommender
    from .base.foreign import as_recommender
    from .base.lists import Explanation, TopK
    from .base.persistence import load
    from .base.query import Query
    from .base.recommender import Recommender
    from .base.registry import register
    from .data import Features, FeatureTable, IdMap, Interactions, datasets
    from .deep import GRU4Rec, SASRec, TwoTower
    from .factorization import (
        BPR,
        NMF,
        SVD,
        WARP,
        AsymmetricSVD,
        CoClustering,
        CosineContrastiveMF,
        ExplicitALS,
        ImplicitALS,
        LogisticMF,
        PureSVD,
        RatingNMF,
        SampledSoftmaxMF,
        SVDpp,
    )
    from .fusion import Bagging, ColdStart, RankFusion, ScoreFusion, Stacking
    from .hybrid import (
        ContentBased,
        FactorizationMachine,
        HybridALS,
        HybridBPR,
        HybridWARP,
        VectorMap,
    )
    from .linear import EASE, EDLAE, SLIM, SparseEASE
    from .mixture import GaussianMixture
    from .neighbors import BaselineOnly, ContextKNN, ItemKNN, Popularity, SlopeOne, UserKNN
    from .segmentation import Segmentation, rfm, segments
    from .similarity import Similarity

# Public name -> module; the models come from the registry.
_NAMES = {
    "Explanation": "base.lists",
    "FeatureRecommender": "base.feature_recommender",
    "FeatureTable": "data",
    "Features": "data",
    "GaussianMixture": "mixture",
    "IdMap": "data",
    "Interactions": "data",
    "Query": "base.query",
    "Recommender": "base.recommender",
    "Segmentation": "segmentation",
    "Similarity": "similarity",
    "TopK": "base.lists",
    "as_recommender": "base.foreign",
    "data": "data",
    "datasets": "data.datasets",
    "deep": "deep",
    "effects": "effects",
    "evaluation": "evaluation",
    "factorization": "factorization",
    "linear": "linear",
    "fusion": "fusion",
    "hybrid": "hybrid",
    "load": "base.persistence",
    "mixture": "mixture",
    "neighbors": "neighbors",
    "register": "base.registry",
    "cuda": "cuda",
    "retrieval": "retrieval",
    "rfm": "segmentation",
    "segmentation": "segmentation",
    "segments": "segmentation",
    "show_config": "_config",
    "similarity": "similarity",
    "tuning": "tuning",
    **model_modules(),
}

__all__ = ["__version__", *sorted(_NAMES)]

__getattr__ = lazy_attributes(__name__, _NAMES)


def __dir__() -> list[str]:
    return sorted(__all__)
