"""Computing on an NVIDIA GPU: what is there, and a check of results and speed.

``device="cuda"`` of `GaussianMixture` computes through PyTorch or CuPy (`aimass_core.array_api`),
that of `similarity.topk`, `ItemKNN`, `UserKNN` and `BPR` through kernels of this package, and that
of `ImplicitALS` and `FactorIndex` through these kernels where they are built, else through PyTorch
or CuPy. No function chooses a GPU by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from . import array_api, kernels
from ._version import __version__
from .array_api import Device
from .base.threads import resolve_n_threads
from .factorization._sgd_state import Optimizer, SgdSide, number_of_strata
from .kernels import cuda as cuda_kernels
from .retrieval import FactorIndex
from .similarity import topk as similar_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Comparison", "check", "device_info", "is_available"]

_OF_KERNELS = " by kernels"

_REPEATS = 3
_TOLERANCE = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-8}


def is_available() -> bool:
    """Return whether ``device="cuda"`` works here.

    Returns
    -------
    bool
        False without an NVIDIA GPU or its driver, and where none of these is installed: the
        extension with the kernels of this package, PyTorch for CUDA, CuPy.

    Examples
    --------
    >>> from aimass_core import cuda
    >>> cuda.is_available() in (True, False)
    True
    """
    try:
        _places("cuda")
    except (RuntimeError, ImportError):
        return False
    return True


def _places(device: str) -> tuple[Device | None, int | None]:
    """Return the device of an array library, and the number of the GPU for the kernels, or raise.

    At least one of them is not None.
    """
    gpu = cuda_kernels.number_of(device)
    try:
        return Device.of(device), gpu
    except (RuntimeError, ImportError):
        if gpu is None:
            raise
        return None, gpu


def device_info(device: str = "cuda") -> dict[str, Any]:
    """Return name, library and memory of a device.

    Parameters
    ----------
    device : str, default="cuda"
        As the parameter ``device`` of the models.

    Returns
    -------
    dict
        "device", "library", "library_version", "free_memory" and "total_memory" in bytes (None
        where they are not known), "name" of the GPU (None for other devices), "kernels" (whether
        the kernels of this package can use it). Without PyTorch and CuPy, the library is
        "aimass_core".

    Raises
    ------
    RuntimeError
        If there is no such device.
    """
    chosen, gpu = _places(device)
    if chosen is None:
        assert gpu is not None
        facts = cuda_kernels.device_info(gpu)
        return {
            "device": device,
            "library": "aimass_core",
            "library_version": __version__,
            "free_memory": facts["free_memory"],
            "total_memory": facts["total_memory"],
            "name": facts["name"],
            "kernels": "ready",
        }
    library = chosen.library.__name__.removeprefix("array_api_compat.")
    module = sys.modules[library]
    info: dict[str, Any] = {
        "device": str(chosen.place),
        "library": library,
        "library_version": str(module.__version__),
        "free_memory": chosen.free_memory(),
        "total_memory": None,
        "name": None,
        "kernels": _kernels_for(device) or "ready",
    }
    if library == "torch" and str(chosen.place).startswith("cuda"):
        properties = module.cuda.get_device_properties(chosen.place)
        info["name"], info["total_memory"] = properties.name, int(properties.total_memory)
    elif library == "cupy":
        properties = module.cuda.runtime.getDeviceProperties(chosen.place.id)
        info["name"] = properties["name"].decode()
        info["total_memory"] = int(properties["totalGlobalMem"])
    return info


def _kernels_for(device: str) -> str | None:
    """Return why the kernels for GPUs cannot use a device; None where they can."""
    if not device.startswith("cuda"):
        return "only for 'cuda'"
    try:
        cuda_kernels.device_info(int(device.partition(":")[2] or 0))
    except RuntimeError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Comparison:
    """One computation on a device and by the kernels of the processor.

    Parameters
    ----------
    name : str
        What was computed, and its size.
    dtype : str
        Type of the numbers.
    error : float
        Largest difference, relative to the largest number of the result.
    is_equal : bool
        Whether the error is within rounding.
    device_seconds, cpu_seconds : float
        Best of three runs, after one that is not counted, with moving the arguments.
    """

    name: str
    dtype: str
    error: float
    is_equal: bool
    device_seconds: float
    cpu_seconds: float

    @property
    def ratio(self) -> float:
        """How many times faster the device is."""
        return self.cpu_seconds / self.device_seconds


def check(
    device: str = "cuda", scale: float = 1.0, n_threads: int | None = None
) -> Iterator[Comparison]:
    """Compare a device with the processor: results first, then seconds.

    Parameters
    ----------
    device : str, default="cuda"
        As the parameter ``device`` of the models.
    scale : float, default=1.0
        Factor of the numbers of rows; 1 takes about a minute on two cores.
    n_threads : int, optional
        Threads of the processor's side.

    Yields
    ------
    Comparison
        Through the array library: E-steps of a mixture, half-steps of ALS and lists of the best
        items. Through the kernels for GPUs, where they are built: half-steps of ALS, lists of the
        best items, similarity, and epochs of BPR. Each in float32 and float64, small and large.

    Raises
    ------
    RuntimeError
        If there is no such device.

    Examples
    --------
    >>> from aimass_core import cuda
    >>> results = cuda.check("numpy", scale=0.001)
    >>> all(result.is_equal for result in results)
    True
    """
    (place, gpu), threads = _places(device), resolve_n_threads(n_threads)
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for share in (0.05, 1.0):
            n_users = _scaled(20_000, share * scale)
            if place is not None:
                yield _mixture(place, threads, rng, dtype, _scaled(200_000, share * scale))
                through = partial(array_api.als_solve, device=place)
                yield _als("", through, threads, rng, dtype, n_users)
                yield _topk("", _lists_of_library(place), threads, rng, dtype, n_users // 2)
            if gpu is not None:
                through = partial(cuda_kernels.als_solve, device=gpu)
                yield _als(_OF_KERNELS, through, threads, rng, dtype, n_users)
                yield _topk(_OF_KERNELS, _lists_of_kernels(gpu), threads, rng, dtype, n_users // 2)
                yield _similarity(device, threads, rng, dtype, n_users)
                yield _bpr(gpu, threads, rng, dtype, n_users)


def number_of_comparisons(device: str) -> int:
    """Return how many comparisons `check` makes.

    Parameters
    ----------
    device : str
        As the parameter ``device`` of `check`.

    Returns
    -------
    int
    """
    place, gpu = _places(device)
    return 4 * (3 * (place is not None) + 4 * (gpu is not None))


def _scaled(n: int, scale: float) -> int:
    return max(20, round(n * scale))


def _mixture(
    device: Device, n_threads: int, rng: np.random.Generator, dtype: Any, n: int
) -> Comparison:
    d, k = 32, 16
    X = rng.standard_normal((n, d)).astype(dtype)
    i, j = np.triu_indices(d)
    triangle = np.tile(np.where(i == j, 1.0, 0.01), (k, 1))
    coefficients = np.hstack([np.zeros((k, 1)), rng.standard_normal((k, d)), triangle])
    arguments: Any = (
        np.zeros(d),
        np.ones(d),
        None,
        coefficients,
        None,
        "triangular",
        "full",
        False,
    )
    em_step: Any = kernels.gmm_em_step
    rows = device.array(X)  # as in a fit, where the rows stay on the device
    return _compared(
        f"E-step, {n:,} rows x {d} columns, {k} full components",
        dtype,
        lambda: array_api.gmm_em_step(rows, *arguments)[0],
        lambda: em_step(X, *arguments, n_threads)[0],
    )


def _entries(rng: np.random.Generator, n: int, n_items: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return random rows of 60 entries on average, as indptr and indices."""
    counts = np.minimum(rng.geometric(1 / 60, n), n_items // 2)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    indices = np.concatenate(
        [np.sort(rng.choice(n_items, size, replace=False)) for size in counts]
    ).astype(np.int32)
    return indptr, indices


def _als(
    by: str,
    solve: Callable[..., NDArray[Any]],
    n_threads: int,
    rng: np.random.Generator,
    dtype: Any,
    n: int,
) -> Comparison:
    n_items, f = max(30, n // 4), 64
    indptr, indices = _entries(rng, n, n_items)
    V = (rng.standard_normal((n_items, f)) / 8).astype(dtype)
    solve_here: Any = kernels.als_solve
    arguments: Any = (
        indptr,
        indices,
        np.ones(len(indices), dtype),
        V,
        0.01 * (V.T.astype(np.float64) @ V),
        np.zeros((n, f), dtype),
        np.full(n, 0.5),
        V[:0],
        0.5,
        1.0,
        0.0,
        1.0,
        True,
        "cholesky",
        1,
        64,
    )
    return _compared(
        f"ALS half-step{by}, {n:,} rows, {len(indices):,} entries, {f} factors",
        dtype,
        lambda: solve(*arguments),
        lambda: solve_here(*arguments, n_threads),
    )


def _lists_of_library(device: Device) -> Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]:
    def scores(queries: NDArray[Any], items: NDArray[Any]) -> NDArray[Any]:
        return array_api.score_topk(queries, items, None, 10, device=device)[1]

    return scores


def _lists_of_kernels(gpu: int) -> Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]:
    def scores(queries: NDArray[Any], items: NDArray[Any]) -> NDArray[Any]:
        there = cuda_kernels.items_on_device(items, gpu)
        return cuda_kernels.score_topk(queries, there, None, 10)[1]

    return scores


def _topk(
    by: str,
    scores: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
    n_threads: int,
    rng: np.random.Generator,
    dtype: Any,
    n: int,
) -> Comparison:
    n_items, f = 2 * n, 64
    U, V = (rng.standard_normal((size, f)).astype(dtype) for size in (n, n_items))
    here = FactorIndex(V)
    return _compared(
        f"best 10 of {n_items:,} items{by} for {n:,} queries, {f} factors",
        dtype,
        lambda: scores(U, V),
        lambda: here.rank(U, 10, None, None, n_threads)[1],
    )


def _bpr(gpu: int, n_threads: int, rng: np.random.Generator, dtype: Any, n: int) -> Comparison:
    n_items, f = max(30, n // 4), 64
    indptr, indices = _entries(rng, n, n_items)
    optimizer = Optimizer.checked("sgd", 0.05, 0.9, 0.999)
    sides = [(rng.standard_normal((size, f)) / 80).astype(dtype) for size in (n, n_items)]
    shape = sp.csr_array((np.ones(len(indices), np.int8), indices, indptr), shape=(n, n_items))
    options: Any = {
        "steps": optimizer.steps(),
        "penalties": (0.01,) * 4,
        "weights": np.zeros(0),
        "loss": "bpr",
        "n_candidates": 1,
        "n_positives": 1,
        "k_positive": 1,
        "margin": 1.0,
        "n_strata": number_of_strata(shape),
        "seed": 0,
        "epoch": 0,
        "n_threads": n_threads,
    }

    def factors(epoch: Callable[..., Any]) -> NDArray[Any]:
        users = SgdSide(sides[0], None, optimizer)
        items = SgdSide(sides[1], np.zeros(n_items, dtype), optimizer)
        epoch(indptr, indices, users.arrays, items.arrays, **options)
        return items.factors()

    return _compared(
        f"epoch of BPR, {n:,} users, {len(indices):,} entries, {f} factors",
        dtype,
        lambda: factors(partial(cuda_kernels.pairwise_epoch, device=gpu)),
        lambda: factors(kernels.pairwise_epoch),
    )


def _similarity(
    device: str, n_threads: int, rng: np.random.Generator, dtype: Any, n: int
) -> Comparison:
    n_items = max(30, n // 4)
    popularity = 1 / np.arange(1.0, n_items + 1) ** 0.8
    counts = rng.poisson(np.minimum(60 * popularity / popularity.mean() * n / n_items, n / 2))
    rows = np.concatenate([rng.choice(n, min(size, n), replace=False) for size in counts])
    columns = np.repeat(np.arange(n_items), np.minimum(counts, n))
    X = sp.csr_array((np.ones(len(rows), dtype), (columns, rows)), shape=(n_items, n))

    def scores(where: str) -> NDArray[Any]:
        best = similar_rows(X, k=50, sort_by="score", n_threads=n_threads, device=where)
        return np.asarray(best.data)

    return _compared(
        f"best 50 of {n_items:,} items by cosine, {len(rows):,} entries",
        dtype,
        lambda: scores(device),
        lambda: scores("cpu"),
    )


def _compared(
    name: str,
    dtype: Any,
    on_device: Callable[[], NDArray[Any]],
    on_cpu: Callable[[], NDArray[Any]],
) -> Comparison:
    """Run both, compare their results, and time both."""
    result, expected = on_device(), on_cpu()
    error = float(np.abs(result - expected).max() / max(float(np.abs(expected).max()), 1e-300))
    return Comparison(
        name,
        str(np.dtype(dtype)),
        error,
        bool(error <= _TOLERANCE[np.dtype(dtype)]),
        *(min(_seconds(run) for _ in range(_REPEATS)) for run in (on_device, on_cpu)),
    )


def _seconds(run: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
