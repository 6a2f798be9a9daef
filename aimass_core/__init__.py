"""Fast native core for recommendation, targeting and their evaluation.

Everything public is reachable from here and imported on first use, so that
``import aimass_core`` costs little and pulls in neither Numba nor any table library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._version import __version__ as __version__
from .base.lazy import lazy_attributes
from .base.registry import model_modules

if TYPE_CHECKING:  # for type checkers, to which a name with an alias is public
    from . import cuda as cuda
    from . import data as data
    from . import deep as deep
    from . import effects as effects
    from . import evaluation as evaluation
    from . import factorization as factorization
    from . import fusion as fusion
    from . import hybrid as hybrid
    from . import linear as linear
    from . import mixture as mixture
    from . import neighbors as neighbors
    from . import retrieval as retrieval
    from . import segmentation as segmentation
    from . import similarity as similarity
    from . import tuning as tuning
    from ._config import show_config as show_config
    from .base.feature_recommender import FeatureRecommender as FeatureRecommender
    from .base.foreign import as_recommender as as_recommender
    from .base.lists import Explanation as Explanation
    from .base.lists import TopK as TopK
    from .base.persistence import load as load
    from .base.query import Query as Query
    from .base.recommender import Recommender as Recommender
    from .base.registry import register as register
    from .data import Features as Features
    from .data import FeatureTable as FeatureTable
    from .data import IdMap as IdMap
    from .data import Interactions as Interactions
    from .data import datasets as datasets
    from .deep import GRU4Rec as GRU4Rec
    from .deep import SASRec as SASRec
    from .deep import TwoTower as TwoTower
    from .factorization import BPR as BPR
    from .factorization import NMF as NMF
    from .factorization import SVD as SVD
    from .factorization import WARP as WARP
    from .factorization import AsymmetricSVD as AsymmetricSVD
    from .factorization import CoClustering as CoClustering
    from .factorization import CosineContrastiveMF as CosineContrastiveMF
    from .factorization import ExplicitALS as ExplicitALS
    from .factorization import ImplicitALS as ImplicitALS
    from .factorization import LogisticMF as LogisticMF
    from .factorization import PureSVD as PureSVD
    from .factorization import RatingNMF as RatingNMF
    from .factorization import SampledSoftmaxMF as SampledSoftmaxMF
    from .factorization import SVDpp as SVDpp
    from .fusion import Bagging as Bagging
    from .fusion import ColdStart as ColdStart
    from .fusion import RankFusion as RankFusion
    from .fusion import ScoreFusion as ScoreFusion
    from .fusion import Stacking as Stacking
    from .hybrid import ContentBased as ContentBased
    from .hybrid import FactorizationMachine as FactorizationMachine
    from .hybrid import HybridALS as HybridALS
    from .hybrid import HybridBPR as HybridBPR
    from .hybrid import HybridSampledSoftmax as HybridSampledSoftmax
    from .hybrid import HybridWARP as HybridWARP
    from .hybrid import VectorMap as VectorMap
    from .linear import EASE as EASE
    from .linear import EDLAE as EDLAE
    from .linear import SLIM as SLIM
    from .linear import SparseEASE as SparseEASE
    from .mixture import GaussianMixture as GaussianMixture
    from .neighbors import BaselineOnly as BaselineOnly
    from .neighbors import ContextKNN as ContextKNN
    from .neighbors import ItemKNN as ItemKNN
    from .neighbors import Popularity as Popularity
    from .neighbors import SessionKNN as SessionKNN
    from .neighbors import SlopeOne as SlopeOne
    from .neighbors import UserKNN as UserKNN
    from .segmentation import Segmentation as Segmentation
    from .segmentation import rfm as rfm
    from .segmentation import segments as segments
    from .similarity import Similarity as Similarity

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
