"""Exact top-k similarity between the rows of any sparse matrix: users, items, texts, SKUs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.arguments import unknown_argument
from ..base.array_files import ArrayFile, opened, stored
from ..base.baselines import baseline_of, entity_offsets
from ..base.csr import as_lists, row_ranges, spgemm_topk, transpose, with_scipy_indices
from ..base.executor import open_runner
from ..base.progress import Progress, log_duration
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, as_csr, as_int, csr_parts, wrap_csr
from ..kernels import cuda
from ._compare import epilogue, features_of, gram_topk, prepare
from ._measures import MEASURES, Measure
from .similarity import Similarity, as_measure

if TYPE_CHECKING:
    from ..base.array_files import Shared
    from ..base.progress import Event

__all__ = ["measures", "topk"]

_RANGE_NNZ = 1 << 20  # entries of the rows that a task compares
_STEPS = 100  # that a search reports


def measures() -> list[str]:
    """List the names that `topk` and the neighbourhood models take as ``similarity``.

    Returns
    -------
    list of str
        In the order of the table in `topk`.

    Examples
    --------
    >>> from aimass_core import similarity
    >>> "jaccard" in similarity.measures()
    True
    """
    return list(MEASURES)


def topk(
    X: Any,
    Y: Any = None,
    *,
    measure: str | Callable[..., float] | Similarity = "cosine",
    k: int = 100,
    sort_by: str = "index",
    n_threads: int | None = None,
    device: str = "cpu",
    executor: Any = None,
    place: Any = None,
    callback: Callable[[Event], Any] | None = None,
    verbose: bool = False,
    **options: Any,
) -> sp.csr_array:
    """Find the k most similar rows for every row of a sparse matrix.

    Parameters
    ----------
    X : sparse matrix, 2-D array or Interactions of shape (n, n_features)
        The rows are compared. For items of a users x items matrix pass its transpose ``X.T``.
    Y : the same, of shape (m, n_features), optional
        The rows in which to search. By default those of ``X``, each row without itself.
    measure : str, callable or Similarity, default="cosine"
        A name of the table below, a Numba function, or a `Similarity`, which holds either with
        its options.
    k : int, default=100
        Neighbours kept of each row, at least 1; fewer where there are not so many candidates.
    sort_by : {"index", "score"}, default="index"
        Order within a row of the result. "score": best first, equal scores by index; such a matrix
        is not in SciPy's canonical form, some of its methods sort it in place.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. The result's bits do not
        depend on it.
    device : str, default="cpu"
        "cuda" or "cuda:1" is an NVIDIA GPU, for one matrix and a measure of the table. It needs a
        build with ``AIMASS_CUDA``. Scores agree to rounding, and are the same bits in every run.
    executor : str or concurrent.futures.Executor, optional
        Where ranges of rows are compared: "processes:N", "dask://host:port", "ray://host:port", or
        an object with the method ``submit``. The bits do not depend on the number of workers. Where
        ``Y`` is not given they differ from those of one process by rounding, since the sums of a
        pair run in another order, and the work is twice that of one process. A task uses
        `n_threads` threads; by default those of the executor's workers, or 1. Default: this
        process.
    place : path-like or URL, optional
        Folder for the files of an executor, which all workers see under this name, or the URL of
        one that they reach through fsspec. Default: a temporary folder.
    callback : callable, optional
        Called with an `Event` for each hundredth of the comparisons, at most ten times in a second,
        and at the end. What it raises ends the search; its result has no effect.
    verbose : bool, default=False
        Show a progress bar on standard error once the search has taken two seconds.
    **options
        Options of the measure, as in `Similarity`: ``shrink``, ``alpha``, ``min_support``, ...

    Returns
    -------
    csr_array of shape (n, n) or (n, m)
        Row r holds the neighbours of row r; float64 for float64 input or a function, else float32.

    Raises
    ------
    ValueError
        For an unknown measure or an option out of range, broken or non-finite input, unequal
        numbers of columns, values whose products overflow.
    TypeError
        For arguments of a wrong type, or a function as the measure on an executor.
    RuntimeError
        If the device is not there; the message says what is missing.

    Notes
    -----
    Candidates are pairs with a common entry (dot, cosine and the like: whose dot product is not
    0). ``sum`` runs over common entries, ``|x|`` over all entries of a row; ``n`` counts common
    entries, ``a`` and ``b`` those of the two rows, ``N`` the features. Measures with counts
    look at non-zero entries; co-rated ones at stored entries, zeros included.

    ========================  ===================================================================
    dot                       sum x y
    cosine                    sum x y / (\\|x\\| \\|y\\|)
    cosine_corated            the same, norms over common entries only
    adjusted_cosine           cosine after subtracting each feature's mean [1]_
    adjusted_cosine_corated   the same, norms over common entries only
    asymmetric_cosine         sum x y / (\\|x\\|^(2 alpha) \\|y\\|^(2 - 2 alpha)) [2]_
    pearson                   cosine after subtracting each row's mean
    pearson_corated           correlation of the common entries alone
    constrained_pearson       cosine_corated after subtracting ``midpoint`` [3]_
    pearson_baseline          cosine_corated of what a baseline leaves, shrunk by support [4]_
    msd                       1 / (1 + mean squared difference of the common entries)
    jaccard, dice             n / (a + b - n), 2 n / (a + b)
    tversky                   n / (n + alpha (a - n) + beta (b - n))
    tanimoto                  sum x y / (\\|x\\|^2 + \\|y\\|^2 - sum x y)
    log_likelihood_ratio      Dunning's G2 of positive association [5]_
    conditional_probability   n / a: how often y occurs where x does
    lift                      n N / (a b)
    pmi, ppmi, npmi           log of lift; only where positive; divided by -log(n / N)
    p3alpha                   random walk x -> feature -> y, probabilities ** alpha [6]_
    rp3beta                   the same, divided by b ** beta [7]_
    ========================  ===================================================================

    With two matrices, means and degrees of features are those of ``Y``.

    Cost: O(sum of squared row lengths of the transposed matrix) time, half of it where ``Y`` is
    not given; co-rated measures about three times that. Memory beyond the input and its
    transpose: O(n k) for the result and O(n) per thread; never n x n.

    References
    ----------
    .. [1] B. Sarwar et al., "Item-based collaborative filtering recommendation algorithms", 2001.
    .. [2] F. Aiolli, "Efficient top-n recommendation for very large scale binary rated datasets",
       2013.
    .. [3] U. Shardanand, P. Maes, "Social information filtering", 1995.
    .. [4] Y. Koren, "Factor in the neighbors", 2010.
    .. [5] T. Dunning, "Accurate methods for the statistics of surprise and coincidence", 1993.
    .. [6] C. Cooper et al., "Random walks in recommender systems", 2014.
    .. [7] B. Paudel et al., "Updatable, accurate, diverse, and scalable recommendations for
       interactive applications", 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import similarity
    >>> X = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=np.float32)
    >>> similarity.topk(X, measure="jaccard", k=1).toarray().round(3)
    array([[0.   , 0.667, 0.   ],
           [0.667, 0.   , 0.   ],
           [0.   , 0.333, 0.   ]], dtype=float32)
    """
    _refuse_unknown_options(options)
    if isinstance(measure, Similarity):
        if options:
            raise TypeError(
                f"options belong into the Similarity itself: set {', '.join(options)} there"
            )
        m = as_measure(measure)
    else:
        m = as_measure(Similarity(measure, **options))
    k = as_int(k, "k", minimum=1)
    as_choice(sort_by, "sort_by", ("index", "score"))
    threads = resolve_n_threads(n_threads)
    shown = as_bool(verbose, "verbose")
    progress = Progress("similarity", _STEPS, callback=callback, verbose=shown)
    gpu = _number_of_gpu(device, Y)
    if gpu is not None and executor is not None:
        raise ValueError("device and executor exclude each other: an executor has processors only")
    if executor is not None and m.function is not None:
        raise TypeError("executor needs a named measure: workers cannot get a compiled function")
    A = _features_by_rows(X, "X", threads)
    B = A if Y is None else _features_by_rows(Y, "Y", threads)
    if A.shape[0] != B.shape[0]:
        raise ValueError(
            f"Y has {B.shape[0]} columns, but X has {A.shape[0]}: both must have the same features "
            "as columns; is one of them transposed?"
        )
    if A.dtype != B.dtype:
        A, B = A.astype(np.float64), B.astype(np.float64)
    if 0 in A.shape or 0 in B.shape:
        progress.step(_STEPS)
        return sp.csr_array((A.shape[1], B.shape[1]), dtype=A.dtype)
    shape = (A.shape[1], B.shape[1], A.shape[0])
    with (
        progress,
        log_duration("similarity.topk: %d x %d rows of %d features, %s", *shape, m.name),
        open_runner(executor, place, "similarity", n_threads, takes_url=True) as runner,
    ):
        lists = _search(A, None if Y is None else B, m, k, threads, gpu, runner, progress)
        if sort_by == "index":
            lists = transpose(transpose(lists, threads), threads)
        progress.step(_STEPS)
    return with_scipy_indices(lists)


def _refuse_unknown_options(options: dict[str, Any]) -> None:
    """Raise TypeError for options that neither `topk` nor `Similarity` has."""
    known = {
        name: parameter
        for function in (topk, Similarity)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    for name in options:
        if name not in known:
            raise unknown_argument(None, "topk", name, list(known))


def _number_of_gpu(device: str, Y: Any) -> int | None:
    """Return the number of the GPU that a parameter ``device`` names; None for "cpu"."""
    gpu = cuda.required_number_of(device)
    if gpu is not None and Y is not None:
        raise ValueError("device='cuda' compares the rows of one matrix: leave Y out, or use 'cpu'")
    return gpu


def _search(
    A: sp.csr_array,
    B: sp.csr_array | None,
    m: Measure,
    k: int,
    threads: int,
    gpu: int | None,
    runner: Any,
    progress: Progress,
) -> sp.csr_array:
    """Return ranked lists of the columns of A among themselves, or of those of B."""
    is_same = B is None
    of_y = None
    if m.name == "pearson_baseline":
        of_y = baseline_of(A if B is None else B)
    if B is None:
        x = y = prepare(A, m, baseline=of_y)
        if runner.is_local:
            return gram_topk(x, m, k, threads, gpu, progress.within(0, _STEPS))
    else:
        of_x = None if of_y is None else entity_offsets(A, of_y)
        y = prepare(B, m, baseline=of_y)
        x = prepare(A, m, features=features_of(B), baseline=of_x)
    rows, columns = transpose(x.scaled(), threads), y.scaled()
    report = progress.within(0, _STEPS)
    n, n_columns = rows.shape[0], columns.shape[1]
    score = epilogue(m, x, y)
    common = _Compared(
        tuple(runner.share(part) for part in csr_parts(rows)),
        tuple(runner.share(part) for part in csr_parts(columns)),
        rows.shape[1],
        n_columns,
        min(k, max(n_columns - is_same, 1)),
        {name: runner.share(v) if isinstance(v, np.ndarray) else v for name, v in score.items()},
        is_same,
        runner.n_threads,
        runner.target("lists"),
        report if runner.is_local else None,
    )
    ranges = [(0, n)] if runner.is_local else list(row_ranges(rows.indptr, _RANGE_NNZ))
    files = []
    for pair in runner.map(_lists_of_range, ranges, common):
        files.append(pair)
        report(len(files), len(ranges))
    shape = n, common.k
    indices = runner.concatenate((pair[0] for pair in files), shape, np.int32)
    scores = runner.concatenate((pair[1] for pair in files), shape, columns.dtype)
    return as_lists(indices, scores, n_columns)


@dataclass(frozen=True)
class _Compared:
    """What the ranges of rows of a search have in common."""

    rows: tuple[Shared, ...]
    columns: tuple[Shared, ...]
    n_features: int
    n_columns: int
    k: int
    score: dict[str, Any]
    is_same: bool
    n_threads: int
    target: str | None
    report: Callable[[int, int], None] | None


def _lists_of_range(rows: tuple[int, int], common: _Compared) -> tuple[Shared, Shared]:
    """Return the padded lists of some rows."""
    begin, end = rows
    indptr, indices, data = (opened(part) for part in common.rows)
    entries = slice(int(indptr[begin]), int(indptr[end]))
    shape = end - begin, common.n_features
    X = wrap_csr(indptr[begin : end + 1] - indptr[begin], indices[entries], data[entries], shape)
    columns = [opened(part) for part in common.columns]
    Y = wrap_csr(columns[0], columns[1], columns[2], (common.n_features, common.n_columns))
    score = {name: opened(v) if isinstance(v, ArrayFile) else v for name, v in common.score.items()}
    if score["p"] is not None:
        score["p"] = score["p"][begin:end]
    own = None
    if common.is_same:
        n = end - begin
        own = wrap_csr(
            np.arange(n + 1, dtype=np.int64),
            np.arange(begin, end, dtype=np.int32),
            np.ones(n, dtype=Y.dtype),
            (n, common.n_columns),
        )
    best, scores = spgemm_topk(
        X, Y, common.k, common.n_threads, exclude=own, score=score, report=common.report
    )
    if common.target is None:
        return best, scores
    names = (f"{common.target}.{begin}.{part}.npy" for part in ("indices", "scores"))
    return stored(best, next(names)), stored(scores, next(names))


def _features_by_rows(X: Any, name: str, n_threads: int) -> sp.csr_array:
    """Return the transposed matrix as canonical CSR; a CSC matrix is one already."""
    if sp.issparse(X) and X.format == "csc" and len(X.shape) == 2:
        return as_csr(X.T, name, n_threads=n_threads)
    return transpose(as_csr(X, name, n_threads=n_threads), n_threads)
