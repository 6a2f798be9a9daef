"""Dense kernels for arrays of any library: PyTorch, CuPy, or another of the array API standard.

Each function computes what the kernel of the same name in `aimass_core.kernels` computes, by the
functions of the Python array API standard, so on a GPU the matrix products and factorisations are
those of cuBLAS and cuSOLVER. Results agree with the kernels to rounding.
"""

from __future__ import annotations

from ._als import als_solve
from ._device import Device, array_device, is_foreign_array, is_on_host, like, to_numpy
from ._gmm import gmm_em_step, gmm_score
from ._topk import score_topk

__all__ = [
    "Device",
    "als_solve",
    "array_device",
    "gmm_em_step",
    "gmm_score",
    "is_foreign_array",
    "is_on_host",
    "like",
    "score_topk",
    "to_numpy",
]
