"""The kernels for NVIDIA GPUs; the only module that imports the optional extension ``_cuda``.

The extension is built with ``-DAIMASS_CUDA=ON``. Each function has the arguments of the kernel of
the same name in `aimass_core.kernels`, but for ``device``, the number of a GPU, in place of
``n_threads``.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import csr_transpose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = [
    "als_solve",
    "device_info",
    "gram_topk",
    "items_on_device",
    "number_of",
    "pairwise_epoch",
    "preconditioner",
    "required_number_of",
    "score_topk",
]


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


def number_of(device: Any) -> int | None:
    """Return the number of the GPU that a parameter ``device`` names, for these kernels.

    Parameters
    ----------
    device : str
        "cuda" is GPU 0, "cuda:1" is the second one.

    Returns
    -------
    int or None
        None for other names, and where the extension is not built.

    Raises
    ------
    RuntimeError
        If the extension is built, and there is no such GPU or no driver.
    """
    match = re.fullmatch(r"cuda(?::(\d{1,4}))?", device) if isinstance(device, str) else None
    if match is None:
        return None
    try:
        extension = _extension()
    except RuntimeError:
        return None
    number = int(match[1] or 0)
    try:
        extension.device_info(number)
    except RuntimeError as error:
        raise RuntimeError(
            f"device={device!r} needs an NVIDIA GPU with its driver ({error}); device='cpu' "
            "computes the same here"
        ) from None
    return number


def required_number_of(device: Any) -> int | None:
    """Return the number of the GPU that a parameter ``device`` names, where kernels are needed.

    Parameters
    ----------
    device : str
        "cpu", "cuda" for GPU 0, "cuda:1" for the second one.

    Returns
    -------
    int or None
        None for "cpu".

    Raises
    ------
    ValueError
        If the name is none of these.
    TypeError
        If it is no string.
    RuntimeError
        If the extension is not built, or there is no such GPU or no driver.
    """
    if not isinstance(device, str):
        raise TypeError(f"device must be a string such as 'cpu' or 'cuda', got {device!r}")
    if device == "cpu":
        return None
    if not re.fullmatch(r"cuda(:\d{1,4})?", device):
        raise ValueError(f"device must be 'cpu', 'cuda', 'cuda:1' and so on, got {device!r}")
    _extension()
    return number_of(device)


def als_solve(
    indptr: Array,
    indices: Array,
    data: Array,
    factors: Array,
    gramian: NDArray[np.float64],
    start: Array,
    ridge: NDArray[np.float64],
    linear: Array,
    common_ridge: float,
    alpha: float,
    weight_shift: float,
    target_shift: float,
    preferences: bool,
    solver: str,
    n_steps: int,
    block_size: int,
    device: int,
) -> Array:
    """Return the factors of every row, with those of the other side fixed, computed on a GPU.

    Parameters
    ----------
    indptr, indices, data, factors, gramian, start, ridge, linear, common_ridge
        As in the kernel `aimass_core.kernels.als_solve`.
    alpha, weight_shift, target_shift, preferences, solver, n_steps, block_size
        As in the kernel.
    device : int
        Number of the GPU, from 0.

    Returns
    -------
    ndarray of shape (n_rows, f)
        As the kernel's, to rounding.

    Raises
    ------
    NumericalError
        Where a system has no finite solution; ``row`` is its number.
    RuntimeError
        If the extension is not built, or if there is no such GPU or no driver.
    MemoryError
        If the factors, or the entries of the longest row, do not fit on the GPU.

    Notes
    -----
    The normal equations of every row are formed, whatever the solver: O(nnz f^2) multiply-adds.
    """
    dtype = factors.dtype
    inverse, resolved = preconditioner(gramian, common_ridge, solver, dtype)
    pad = 64 // dtype.itemsize
    solution: Array = _extension().als_solve(
        indptr,
        indices,
        data,
        factors,
        np.ascontiguousarray(gramian, dtype=dtype),
        start,
        np.ascontiguousarray(ridge, dtype=dtype),
        linear,
        inverse,
        resolved,
        alpha,
        weight_shift,
        target_shift,
        preferences,
        solver,
        n_steps,
        -(-block_size // pad) * pad,
        device,
    )
    return solution


def preconditioner(
    gramian: NDArray[np.float64], common_ridge: float, solver: str, dtype: np.dtype[Any]
) -> tuple[Array | None, float]:
    """Return the preconditioner of conjugate gradients, and the least curvature of a step.

    Parameters
    ----------
    gramian : ndarray of float64, shape (f, f)
        What all rows have in common.
    common_ridge : float
        What all rows have on the diagonal at least.
    solver : str
        As in the kernel `aimass_core.kernels.als_solve`.
    dtype : dtype
        Of the factors.

    Returns
    -------
    inverse : ndarray of shape (f, f), or None
        Symmetric, of ``dtype``; None unless the solver is "pcg".
    resolved : float
        Steps end at a direction with less curvature, relative to its squared length.
    """
    epsilon = float(np.finfo(dtype).eps)
    largest = float(np.diag(gramian).max(initial=0.0))
    resolved = 8 * epsilon * largest
    if solver != "pcg":
        return None, resolved
    smallest = epsilon**0.5 * largest
    shift = max(common_ridge, smallest) or 1.0
    if common_ridge < smallest:
        resolved = max(resolved, shift / 64)
    inverse = np.linalg.inv(gramian + shift * np.eye(len(gramian)))
    return ((inverse + inverse.T) / 2).astype(dtype), resolved


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


def items_on_device(items: Array, device: int) -> Any:
    """Return items that stay on a GPU, for `score_topk`.

    Parameters
    ----------
    items : ndarray of shape (n_items, f)
        Float32 or float64, finite.
    device : int
        Number of the GPU, from 0.

    Returns
    -------
    object
        They are freed with it.

    Raises
    ------
    RuntimeError
        If the extension is not built, or if there is no such GPU or no driver.
    MemoryError
        If the items do not fit on the GPU.
    """
    return _extension().items_on_device(np.ascontiguousarray(items.T), device)


def score_topk(
    queries: Array,
    items: Any,
    biases: Array | None,
    k: int,
    exclude_indptr: Array | None = None,
    exclude_indices: Array | None = None,
    allow_indptr: Array | None = None,
    allow_indices: Array | None = None,
) -> tuple[Array, Array]:
    """Return the k best items of every query, computed on the GPU that has the items.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, f)
        Of the dtype of the items, finite.
    items : object
        From `items_on_device`.
    biases : ndarray of shape (n_items,), or None
        Added to the scores; -inf: no candidate. None: 0.
    k : int
        Items kept per query, at least 1.
    exclude_indptr, exclude_indices, allow_indptr, allow_indices : ndarray or None
        As in `aimass_core.reference.score_topk`; int64 and int32, columns of a row sorted.

    Returns
    -------
    indices : ndarray of int32, shape (n_queries, k)
        Best first, ties: lower index first; missing places are -1.
    scores : ndarray, shape (n_queries, k)
        Their scores; missing places are -inf.

    Raises
    ------
    MemoryError
        If a single query does not fit on the GPU.
    """
    lists: tuple[Array, Array] = _extension().score_topk(
        queries, items, biases, k, exclude_indptr, exclude_indices, allow_indptr, allow_indices
    )
    return lists


def pairwise_epoch(
    indptr: Array,
    indices: Array,
    users: tuple[Array, ...],
    items: tuple[Array, ...],
    steps: tuple[Any, ...],
    penalties: tuple[float, ...],
    weights: NDArray[np.float64],
    loss: str,
    n_candidates: int,
    n_positives: int,
    k_positive: int,
    margin: float,
    n_strata: int,
    seed: int,
    epoch: int,
    n_threads: int,
    device: int,
) -> tuple[float, int, int, int]:
    """Take one epoch of a pairwise ranking loss on a GPU; the parameters are changed.

    Parameters
    ----------
    indptr, indices, users, items, steps, penalties, weights
        As in the kernel `aimass_core.kernels.pairwise_epoch`.
    loss : {"bpr"}
        The other losses are computed on the processor only.
    n_candidates, n_positives, k_positive, margin, n_strata, seed, epoch
        As in the kernel; the steps are the same ones in the same order.
    n_threads : int
        Threads that draw the steps.
    device : int
        Number of the GPU, from 0.

    Returns
    -------
    tuple
        As the kernel's.

    Raises
    ------
    ValueError
        For another loss.
    NumericalError
        Where training diverges.
    RuntimeError
        If the extension is not built, or if there is no such GPU or no driver.
    MemoryError
        If the parameters and the steps of two rounds do not fit on the GPU.
    """
    if loss != "bpr":
        raise ValueError(f"loss={loss!r} runs on the processor only: set device='cpu'")
    sums: tuple[float, int, int, int] = _extension().bpr_epoch(
        indptr,
        indices,
        users,
        items,
        steps,
        penalties,
        weights,
        n_candidates,
        n_strata,
        seed,
        epoch,
        n_threads,
        device,
    )
    return sums


def _extension() -> Any:
    """Return the extension, or say how to get it."""
    try:
        return importlib.import_module("aimass_core._cuda")
    except ImportError as error:
        raise RuntimeError(
            f"this installation has no kernels for GPUs ({error}): build it where nvcc is, with "
            "pip install . -C cmake.define.AIMASS_CUDA=ON; device='cpu' computes the same"
        ) from None
