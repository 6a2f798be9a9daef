"""Recommended lists joined with the relevant items: the one input of all list metrics.

Every list metric is a function of two things: the value of the item at each rank of each list
(zero for a miss), and the number and values of the user's relevant items. `judge` computes both in
one vectorised pass from lists of any form, so that a metric is only a formula.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.csr import keep_entries
from ..base.threads import resolve_n_threads
from ..base.validation import as_csr, as_int, csr_parts
from ..base.with_ids import matrix_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

__all__ = ["Judged", "as_lists", "average", "judge", "list_metric", "per_user"]

_SERIAL = 1 << 18  # ranks that one thread looks up in a few milliseconds


@dataclass(frozen=True)
class Judged:
    """Lists after the join with the truth.

    Attributes
    ----------
    gains : ndarray of float64, shape (n_users, width)
        Relevance of the item at each rank; 0 for misses, missing ranks and repeated items.
    relevant : csr_array, shape (n_users, n_items)
        Relevance of each relevant item, all values positive.
    n_relevant : ndarray of int64, shape (n_users,)
        Relevant items of each user.
    k : int
        The cut-off; may be larger than the width.
    """

    gains: Floats
    relevant: sp.csr_array
    n_relevant: Ints
    k: int

    def at(self, k: int) -> Judged:
        """Return the same lists cut at a smaller or larger `k`."""
        return replace(self, gains=self.gains[:, :k], k=k)

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Which ranks hold a relevant item (its first occurrence)."""
        return self.gains > 0


def _flatten(lists: Any, name: str) -> tuple[Ints, NDArray[Any]]:
    """Return lengths and concatenated ids of a list of lists; ids are whole numbers or strings."""
    if isinstance(lists, (str, bytes, dict)) or not hasattr(lists, "__len__"):
        raise TypeError(f"{name} must be a list of lists or an array, got {type(lists).__name__}")
    columns = getattr(lists, "column_names", getattr(lists, "columns", None))
    if columns is not None and not callable(columns):
        raise TypeError(
            f"{name} must be a list of lists or an array, got a {type(lists).__name__}: give one "
            "list of items per user, for example table.groupby(user)[item].apply(list).tolist()"
        )
    try:
        lengths = np.fromiter((len(one) for one in lists), dtype=np.int64, count=len(lists))
    except TypeError:
        raise TypeError(f"{name} must hold one list of items per user, got single values") from None
    if any(isinstance(one, (str, bytes)) for one in lists):
        raise TypeError(f"{name} must hold one list of items per user, got strings")
    flat = np.array(list(chain.from_iterable(lists)))
    if flat.size == 0:
        flat = np.empty(0, dtype=np.int64)
    _check_ids(flat, name)
    if flat.ndim != 1:
        raise TypeError(f"{name} must hold one flat list of items per user")
    return lengths, flat


def _check_ids(ids: NDArray[Any], name: str) -> None:
    if ids.dtype.kind not in "iuUT":
        raise TypeError(
            f"{name} must hold item numbers or string ids, got dtype {ids.dtype}; "
            "missing ranks are -1"
        )
    if ids.dtype.kind in "iu" and ids.size and ids.min() < -1:
        raise ValueError(f"{name} holds item {ids.min()}: item numbers start at 0, padding is -1")


def _pad(lengths: Ints, flat: NDArray[Any], width: int | None) -> NDArray[Any]:
    """Return a ragged list of lists as an array padded with -1 (numbers) or "" (strings)."""
    longest = int(lengths.max(initial=0))
    width = longest if width is None else min(width, longest)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kept = positions < width
    filler: Any = -1 if flat.dtype.kind in "iu" else ""
    dtype = np.int64 if flat.dtype.kind in "iu" else flat.dtype
    padded = np.full((len(lengths), width), filler, dtype=dtype)
    padded[rows[kept], positions[kept]] = flat[kept]
    return padded


def as_lists(recommended: Any, k: int | None = None) -> NDArray[Any]:
    """Return lists in any accepted form as one array, cut at `k`.

    Parameters
    ----------
    recommended : (n_users, width) array of int padded with -1, list of lists, or a result with
        such an array as ``.indices``
        Best item first. Lists of string ids are accepted too.
    k : int, optional
        Cut-off, at least 1; longer than the lists is fine and costs nothing.

    Returns
    -------
    ndarray, shape (n_users, min(k, width))
        int64 padded with -1, or strings padded with "".
    """
    if k is not None:
        k = as_int(k, "k", minimum=1)
    if sp.issparse(recommended):
        raise TypeError("recommended must be lists of items (best first), got a sparse matrix")
    array = getattr(recommended, "indices", recommended)
    if not isinstance(array, np.ndarray) or array.dtype.kind == "O":
        return _pad(*_flatten(array, "recommended"), width=k)
    if array.ndim != 2:
        raise ValueError(
            f"recommended must be 2-D (users x ranks), got {array.ndim}-D; "
            "for one user write recommended[None, :]"
        )
    array = array[:, :k]
    _check_ids(array, "recommended")
    return array.astype(np.int64, copy=False) if array.dtype.kind in "iu" else array


def _number(lists: NDArray[Any], relevant: Any) -> tuple[NDArray[Any], sp.csr_array]:
    """Renumber lists and truth, both given as ids, by the distinct relevant ids."""
    if isinstance(relevant, np.ndarray) and relevant.ndim == 2 and relevant.dtype.kind in "iu":
        lengths = np.full(len(relevant), relevant.shape[1], dtype=np.int64)
        flat: NDArray[Any] = relevant.ravel()
        _check_ids(flat, "relevant")
    else:
        lengths, flat = _flatten(relevant, "relevant")
    rows = np.repeat(np.arange(len(lengths)), lengths)
    if flat.dtype.kind in "iu":
        rows, flat = rows[flat >= 0], flat[flat >= 0].astype(np.int64, copy=False)
    if flat.size and lists.size and (flat.dtype.kind in "iu") != (lists.dtype.kind in "iu"):
        raise TypeError(
            f"recommended holds {lists.dtype} ids and relevant {flat.dtype}: use the same kind"
        )
    distinct, codes = np.unique(flat, return_inverse=True)
    values = np.ones(len(codes), dtype=np.float32)
    # Duplicates are summed here; what is left counts once.
    matrix = sp.csr_array((values, (rows, codes)), shape=(len(lengths), max(len(distinct), 1)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    numbered = np.full(lists.shape, -1, dtype=np.int64)
    if len(distinct) and lists.size:
        at = np.minimum(np.searchsorted(distinct, lists), len(distinct) - 1)
        known = distinct[at] == lists
        numbered[known] = at[known]
    return numbered, matrix


def judge(recommended: Any, relevant: Any, k: int | None = None) -> Judged:
    """Join lists with the relevant items of the same users.

    Parameters
    ----------
    recommended : array, list of lists or result with ``.indices``
        See `as_lists`. Row i belongs to row i of `relevant`.
    relevant : CSR (n_users x n_items), Interactions, or list of lists or sets
        In a matrix, stored values above 0 are relevant and are the graded relevance.
    k : int, optional
        Cut-off; default the width of the lists.

    Returns
    -------
    Judged

    Notes
    -----
    Time O(n_users k log(nnz)), memory O(n_users min(k, width) + nnz).
    """
    lists = as_lists(recommended, k)
    if sp.issparse(matrix_of(relevant)):
        truth = as_csr(relevant, "relevant")
        if lists.size and lists.dtype.kind not in "iu":
            raise TypeError(
                "recommended must hold column numbers of relevant, which is a matrix; "
                "with string ids give relevant as a list of lists"
            )
        if lists.size and lists.max() >= truth.shape[1]:
            raise ValueError(
                f"recommended holds item {lists.max()}, but relevant has {truth.shape[1]} columns; "
                "both must number the items alike"
            )
    else:
        lists, truth = _number(lists, relevant)
    n_users = truth.shape[0]
    if len(lists) != n_users:
        raise ValueError(
            f"recommended has lists for {len(lists)} users, relevant has {n_users}: "
            "give one row per user in both, in the same order"
        )
    if truth.nnz and truth.data.min() <= 0:
        truth = keep_entries(truth, truth.data > 0)
    counts = np.asarray(truth.indptr[1:] - truth.indptr[:-1], dtype=np.int64)
    cutoff = lists.shape[1] if k is None else as_int(k, "k", minimum=1)
    return Judged(_gains(lists, truth), truth, counts, cutoff)


def _gains(lists: Ints, truth: sp.csr_array) -> Floats:
    """Return the value of each rank: one binary search per rank in the user's relevant items."""
    if not lists.size or not truth.nnz:
        return np.zeros(lists.shape)
    n_threads = 1 if lists.size < _SERIAL else resolve_n_threads(None)
    lists = np.ascontiguousarray(lists, dtype=np.int64)
    return kernels.list_gains(lists, *csr_parts(truth), truth.shape[1], n_threads)


NO_TRUTH = (
    "relevant holds no relevant item of any user, so the mean is not defined; check that "
    "recommended and relevant use the same users and items"
)


def average(values: Floats, mean: bool, none: str = NO_TRUTH) -> Any:
    """Return the per-user values, or their mean over users that have one."""
    if not mean:
        return values
    known = values[~np.isnan(values)]
    if not known.size:
        raise ValueError(none)
    return float(np.add.reduce(known) / known.size)


def list_metric(
    formula: Callable[[Judged], Floats], recommended: Any, relevant: Any, k: int | None, mean: bool
) -> Any:
    """Evaluate a formula on judged lists; users without relevant items get NaN."""
    judged = judge(recommended, relevant, k)
    if mean and judged.n_relevant.size and judged.n_relevant.all():  # nobody is left out
        values = formula(judged)
        return float(np.add.reduce(values) / values.size)
    return average(per_user(formula, judged), mean)


def per_user(formula: Callable[[Judged], Floats], judged: Judged) -> Floats:
    """Return values of a formula, NaN for users without relevant items."""
    return np.where(judged.n_relevant > 0, formula(judged), np.nan)
