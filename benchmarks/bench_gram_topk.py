"""Top-k similar columns: `gram_topk` beside implicit, sparse_dot_topn, SciPy and others.

The peers get a matrix whose columns already have length one, and so does the native kernel; every
result is compared on a sample of columns with the exact product by SciPy in float64.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from data import SIZES, power_law
from memory import peak_mib
from peers import KNN_PEERS, Lists, assert_same_lists, lists, normalized_columns, prepared, require
from peers import surprise_similarities as surprise

from aimass_core import _core, reference

SHAPES = {
    "tiny": (600, 400, 12_000),
    "ml1m-like": SIZES["ml1m"],
    "ml20m-like": SIZES["ml20m"],
    "wide": SIZES["wide"],
}
CASES = {"small": ["tiny"], "medium": ["ml1m-like"], "full": ["ml1m-like", "ml20m-like", "wide"]}
LARGE = {"ml20m-like", "wide"}
MEMBERS = ["native", "reference", *(f"peer:{name}" for name in KNN_PEERS)]
# Members that form the whole product or run in NumPy: minutes and gigabytes on the large cases.
SLOW = {"reference", "peer:scipy", "peer:sklearn", "peer:surprise"}
NEUTRAL: dict[str, Any] = {
    "row_scale": None,
    "col_scale": None,
    "formula": "product",
    "p": None,
    "q": None,
    "total": 0.0,
    "weight": (0.0, 0.0),
    "shrink": 0.0,
    "min_support": 0,
    "support_shrink": 0.0,
    "support_offset": 0.0,
    "significance": 0.0,
    "amplification": 1.0,
    "threshold": -np.inf,
    "function": 0,
}


def gram(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    n_cols: int,
    k: int,
    n_threads: int,
    kernel: Callable[..., Any] = _core.gram_topk,
    **options: Any,
) -> Any:
    """`gram_topk` with plain dot products as the score unless `options` say otherwise."""
    return kernel(
        indptr=indptr,
        indices=indices,
        data=data,
        n_cols=n_cols,
        k=k,
        n_threads=n_threads,
        **(NEUTRAL | options),
    )


@cache
def ratings(case: str, side: str = "item") -> sp.csr_array:
    """Users x items (side "item") or items x users (side "user")."""
    X = power_law(*SHAPES[case])
    return sp.csr_array(X if side == "item" else X.T.tocsr())


@cache
def problem(case: str, side: str = "item") -> tuple[sp.csr_matrix, np.ndarray]:
    """The matrix with columns of length one, and its row pointers as the kernels take them."""
    weighted = normalized_columns(ratings(case, side))
    return weighted, weighted.indptr.astype(np.int64)


@cache
def truth(case: str, side: str, k: int) -> tuple[np.ndarray, Lists]:
    """A sample of columns and their k nearest others, by SciPy in float64."""
    weighted, _ = problem(case, side)
    n = weighted.shape[1]
    sample = np.sort(np.random.default_rng(0).permutation(n)[:200])
    exact = weighted.astype(np.float64).tocsc()
    product = sp.coo_array(exact[:, sample].T @ exact)
    rows, columns = product.coords
    other = sample[rows] != columns
    kept = (product.data[other], (rows[other], columns[other]))
    return sample, lists(sp.csr_array(kept, shape=product.shape), k)


every_case = pytest.mark.parametrize("case", CASES[os.environ.get("AIMASS_BENCH_SCALE", "medium")])
every_member = pytest.mark.parametrize("member", MEMBERS)


def small_case(scale: str) -> str:
    """The smallest shape of a scale."""
    return CASES[scale][0]


def rounds(member: str, case: str = "") -> dict[str, Any]:
    """One round, checked itself, for members that take long; two native ones of the large cases."""
    large = case in LARGE
    if member == "native" or not (large or member in SLOW):
        return {"rounds": 2} if large else {}
    return {"rounds": 1, "warm_up": not large}


def knn(member: str, case: str, side: str, k: int, n_threads: int) -> Callable[[], Any]:
    """The call that a member is timed on."""
    weighted, indptr = problem(case, side)
    if member.startswith("peer:"):
        peer = KNN_PEERS[member[5:]]
        ready = prepared(member[5:], weighted)
        return lambda: peer(ready, k, n_threads)
    kernel = _core.gram_topk if member == "native" else reference.gram_topk
    parts = indptr, weighted.indices, weighted.data, weighted.shape[1]
    return lambda: gram(*parts, k, n_threads, kernel=kernel)


def checked(case: str, side: str, k: int) -> Callable[[Any], None]:
    """The comparison of a member's result with `truth`."""

    def check(result: Any) -> None:
        sample, want = truth(case, side, k)
        if not sp.issparse(result):
            indptr, indices, scores = result
            result = sp.csr_array((scores, indices, indptr), shape=(len(indptr) - 1,) * 2)
        assert_same_lists(lists(result.tocsr()[sample], k, drop=sample), want)

    return check


@pytest.mark.parametrize("k", [10, 100, 1000])
@every_case
@every_member
def bench_item_item_cosine(
    measure: Callable[..., Any], member: str, case: str, k: int, n_threads: int
) -> None:
    if member in SLOW and case in LARGE:
        pytest.skip(f"{member} needs minutes and gigabytes on {case}")
    extra = rounds(member, case)
    if member.startswith("peer:"):
        require(member[5:])  # before another process needs it
    if k == 100 and member in ("native", "peer:implicit", "peer:sparse_dot_topn"):
        extra["peak_mib"] = peak_mib(member.split(":")[-1], problem(case)[0], k, n_threads)
    group = f"gram_topk: item-item cosine top-{k}, {case}"
    measure(
        group, member, knn(member, case, "item", k, n_threads), checked(case, "item", k), **extra
    )


@every_member
def bench_user_user_cosine(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    case = small_case(scale)
    call, check = knn(member, case, "user", 100, n_threads), checked(case, "user", 100)
    group = f"gram_topk: user-user cosine top-100, {case}"
    measure(group, member, call, check, **rounds(member))


@pytest.mark.parametrize("member", ["native", "peer:surprise"])
def bench_user_user_corated_cosine(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    case = small_case(scale)
    users = ratings(case, "user")  # items x users
    by_user, by_item = sp.csr_array(users.T.tocsr()), users.indptr.astype(np.int64)

    def native() -> Any:
        parts = by_item, users.indices.astype(np.int32), users.data, users.shape[1]
        return gram(*parts, 100, n_threads, formula="corated_cosine")

    def check(result: Any) -> None:
        rows = by_user[[0, 1, 2]].toarray().astype(np.float64)
        everyone = by_user.toarray().astype(np.float64)
        both = (rows != 0) @ (everyone != 0).T > 0
        sxx, syy = rows**2 @ (everyone != 0).T, (rows != 0) @ (everyone**2).T
        want = np.where(both, rows @ everyone.T / np.sqrt(np.maximum(sxx * syy, 1e-300)), 0)
        want[np.arange(3), np.arange(3)] = 0
        if isinstance(result, tuple):
            got = lists(result, 100).scores[:3]
            np.testing.assert_allclose(got, -np.sort(-want, axis=1)[:, :100], rtol=1e-4)
        else:
            np.fill_diagonal(result, 0)
            np.testing.assert_allclose(result[:3], want, rtol=1e-6)

    call = native if member == "native" else lambda: surprise(by_user, "cosine")
    group = f"gram_topk: user-user co-rated cosine top-100, {case}"
    measure(group, member, call, check, **rounds(member))


@pytest.mark.parametrize("formula", ["product", "corated_pearson", "corated_msd"])
def bench_cost_of_corated_measures(
    measure: Callable[..., Any], formula: str, scale: str, n_threads: int
) -> None:
    case = small_case(scale)
    X = ratings(case)
    parts = X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data, X.shape[1]

    def check(result: Any) -> None:
        other = gram(*parts, 100, n_threads, kernel=reference.gram_topk, formula=formula)
        assert_same_lists(lists(result, 100, drop_zero=False), lists(other, 100, drop_zero=False))

    member = "native" if formula == "product" else formula
    group = f"gram_topk: co-rated measures against a plain product, top-100, {case}"
    measure(group, member, lambda: gram(*parts, 100, n_threads, formula=formula), check)


@pytest.mark.parametrize("threads", ["native", "1 thread"])
def bench_threads(measure: Callable[..., Any], threads: str, scale: str, n_threads: int) -> None:
    case = CASES[scale][-1 if scale != "full" else 1]
    call = knn("native", case, "item", 100, n_threads if threads == "native" else 1)
    group = f"gram_topk: item-item cosine top-100 by {n_threads} threads, {case}"
    measure(group, threads, call, checked(case, "item", 100))
