"""Factor models: each user and each item has a vector, and a score is their inner product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .asymmetric_svd import AsymmetricSVD
    from .blocks import RowBlocks
    from .bpr import BPR
    from .co_clustering import CoClustering
    from .cosine_contrastive_mf import CosineContrastiveMF
    from .explicit_als import ExplicitALS
    from .factor_features import FactorFeatures
    from .implicit_als import ImplicitALS
    from .implicit_files import from_implicit, to_implicit
    from .logistic_mf import LogisticMF
    from .nmf import NMF
    from .pure_svd import PureSVD
    from .rating_nmf import RatingNMF
    from .sampled_softmax_mf import SampledSoftmaxMF
    from .svd import SVD
    from .svdpp import SVDpp
    from .warp import WARP

MODELS = {
    "AsymmetricSVD": "asymmetric_svd",
    "BPR": "bpr",
    "CoClustering": "co_clustering",
    "CosineContrastiveMF": "cosine_contrastive_mf",
    "ExplicitALS": "explicit_als",
    "ImplicitALS": "implicit_als",
    "LogisticMF": "logistic_mf",
    "NMF": "nmf",
    "PureSVD": "pure_svd",
    "RatingNMF": "rating_nmf",
    "SVD": "svd",
    "SVDpp": "svdpp",
    "SampledSoftmaxMF": "sampled_softmax_mf",
    "WARP": "warp",
}

__all__ = [
    "BPR",
    "NMF",
    "SVD",
    "WARP",
    "AsymmetricSVD",
    "CoClustering",
    "CosineContrastiveMF",
    "ExplicitALS",
    "FactorFeatures",
    "ImplicitALS",
    "LogisticMF",
    "PureSVD",
    "RatingNMF",
    "RowBlocks",
    "SVDpp",
    "SampledSoftmaxMF",
    "from_implicit",
    "to_implicit",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        **MODELS,
        "FactorFeatures": "factor_features",
        "RowBlocks": "blocks",
        "from_implicit": "implicit_files",
        "to_implicit": "implicit_files",
    },
)
