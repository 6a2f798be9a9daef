"""Factor models: each user and each item has a vector, and a score is their inner product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.lazy import lazy_attributes

if TYPE_CHECKING:
    from .asymmetric_svd import AsymmetricSVD
    from .blocks import RowBlocks
    from .bpr import BPR
    from .explicit_als import ExplicitALS
    from .implicit_als import ImplicitALS
    from .implicit_files import from_implicit, to_implicit
    from .nmf import NMF
    from .pure_svd import PureSVD
    from .svd import SVD
    from .svdpp import SVDpp
    from .warp import WARP

MODELS = {
    "AsymmetricSVD": "asymmetric_svd",
    "BPR": "bpr",
    "ExplicitALS": "explicit_als",
    "ImplicitALS": "implicit_als",
    "NMF": "nmf",
    "PureSVD": "pure_svd",
    "SVD": "svd",
    "SVDpp": "svdpp",
    "WARP": "warp",
}

__all__ = [
    "BPR",
    "NMF",
    "SVD",
    "WARP",
    "AsymmetricSVD",
    "ExplicitALS",
    "ImplicitALS",
    "PureSVD",
    "RowBlocks",
    "SVDpp",
    "from_implicit",
    "to_implicit",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        **MODELS,
        "RowBlocks": "blocks",
        "from_implicit": "implicit_files",
        "to_implicit": "implicit_files",
    },
)
