"""The kernels for NVIDIA GPUs; the only module that imports the optional extension ``_cuda``.

The extension is built with ``-DAIMASS_CUDA=ON``. Each function has the arguments of the kernel of
the same name in `aimass_core.kernels`, but for ``device``, the number of a GPU, in place of
``n_threads``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import csr_transpose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["device_info", "gram_topk"]


def device_info(device: int) -> dict[str, Any]:
    """Return the name, the bytes of memory and the number of multiprocessors of a GPU.

    Parameters
    ----------
    device : int
        Number of the GPU, from 0.

    Returns
    -------
    dict
        "name", "free_memory", "total_memory", "n_multiprocessors".

    Raises
    ------
    RuntimeError
        If the extension is not built, or if there is no such GPU or no driver.
    """
    info: dict[str, Any] = _extension().device_info(device)
    return info


def gram_topk(
    indptr: Array,
    indices: Array,
    data: Array,
    n_cols: int,
    k: int,
    row_scale: Array | None,
    col_scale: Array | None,
    formula: str,
    p: Array | None,
    q: Array | None,
    total: float,
    weight: tuple[float, float],
    shrink: float,
    min_support: int,
    support_shrink: float,
    support_offset: float,
    significance: float,
    amplification: float,
    threshold: float,
    function: int,
    device: int,
    report: Callable[[int, int], None] | None = None,
) -> tuple[Array, Array, Array]:
    """Return the k best other columns of every column of a CSR matrix, computed on a GPU.

    Parameters
    ----------
    indptr, indices, data, n_cols, k, row_scale, col_scale, formula, p, q, total, weight, shrink
        As in the kernel `aimass_core.kernels.gram_topk`.
    min_support, support_shrink, support_offset, significance, amplification, threshold, function
        As in the kernel; a function of the caller cannot run on a GPU.
    device : int
        Number of the GPU, from 0.
    report : callable, optional
        Called with the number of columns that are complete and of all while the GPU computes.

    Returns
    -------
    indptr, indices, scores : ndarray
        As the kernel's.

    Raises
    ------
    ValueError
        If ``formula`` is "custom".
    RuntimeError
        If the extension is not built, or if there is no such GPU or no driver.
    MemoryError
        If the matrix does not fit on the GPU.
    """
    if function:
        raise ValueError("a function as measure runs on the processor only: set device='cpu'")
    extension = _extension()
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    scaled = data.astype(np.float64)
    if row_scale is not None:
        scaled *= row_scale[rows]
    if col_scale is not None:
        scaled *= col_scale[indices]
    scaled = scaled.astype(data.dtype)
    columns = csr_transpose(indptr, indices, scaled, n_cols, 1)
    places, lengths, neighbors, scores = extension.gram_topk(
        indptr,
        indices,
        scaled,
        *columns,
        k=k,
        device=device,
        formula=formula,
        p=p,
        q=q,
        total=total,
        weight=weight,
        shrink=shrink,
        min_support=min_support,
        support_shrink=support_shrink,
        support_offset=support_offset,
        significance=significance,
        amplification=amplification,
        threshold=threshold,
        function=0,
        n_threads=1,
        report=report,
    )
    is_used = np.arange(places) < lengths[:, None]
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    used = is_used.reshape(-1)
    return ends, neighbors[used], scores[used]


def _extension() -> Any:
    """Return the extension, or say how to get it."""
    try:
        return importlib.import_module("aimass_core._cuda")
    except ImportError as error:
        raise RuntimeError(
            f"this installation has no kernels for GPUs ({error}): build it where nvcc is, with "
            "pip install . -C cmake.define.AIMASS_CUDA=ON; device='cpu' computes the same"
        ) from None
