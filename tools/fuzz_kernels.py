"""Hold every kernel that prunes against the same kernel without pruning, on adversarial data.

Random matrices do not find a bound that is too tight. Here the data are made of near-copies of a
few rows, ties, numbers at both ends of the range, denormal numbers, signed zeros, and one hub that
every row holds. For each case:

- the k best of `gram_topk`, `spgemm_topk`, `spmm_topk` and `score_topk` equal, bit for bit, the
  first k of a call that keeps every candidate, so that no threshold can rule anything out;
- `reverse_topk` finds the users whose lists of `score_topk` hold the item, and no others;
- every number of threads gives the same bits, and so do identical calls;
- a query alone gets the list that it gets in a batch.

    python tools/fuzz_kernels.py --seconds 60 --seed 1
    python tools/fuzz_kernels.py --seconds 3600          # by hand, after a change of a bound

A failure prints the kernel, the seed of the case (run it alone with --case) and what differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aimass_core import kernels
from aimass_core.exceptions import NumericalError
from aimass_core.retrieval import AudienceIndex
from aimass_core.retrieval._packing import pack

Array: TypeAlias = NDArray[Any]
Result: TypeAlias = tuple[Array, ...]
Rng: TypeAlias = np.random.Generator

THREADS = (1, 2, 3, 5, 8, 16)
FORMULAS = (
    "product",
    "ratio",
    "llr",
    "pmi",
    "npmi",
    "corated_cosine",
    "corated_pearson",
    "corated_msd",
)


def pick(rng: Rng, *choices: Any) -> Any:
    """Return one of the choices."""
    return choices[int(rng.integers(len(choices)))]


# ---- data ----------------------------------------------------------------------------------------


def values(rng: Rng, shape: Any, dtype: Any) -> Array:
    """Return numbers of one of several kinds; all are finite, and so are sums of their products."""
    limits = np.finfo(dtype)
    high = float(limits.max) ** 0.5 / 2**12
    kind = pick(rng, "ones", "whole", "normal", "wide", "large", "denormal", "zeros", "close")
    if kind == "ones":
        out = np.ones(shape)
    elif kind == "whole":  # exact sums, many ties
        out = rng.integers(-3, 4, shape).astype(float)
    elif kind == "normal":
        out = rng.standard_normal(shape)
    elif kind == "wide":
        out = rng.standard_normal(shape) * 10.0 ** rng.integers(-12, 12, shape)
    elif kind == "large":
        out = rng.choice([high, -high, 1.0, 1 / high, high / 3], shape)
    elif kind == "denormal":
        tiny, least = float(limits.tiny), float(limits.smallest_subnormal)
        out = rng.choice([tiny, -tiny, least, tiny / 3, 3 * least, 1.0], shape)
    elif kind == "zeros":
        out = rng.choice([0.0, -0.0, 1.0, -1.0], shape)
    else:  # equal but for the last digits
        out = 1 + rng.integers(-2, 3, shape) * float(limits.eps)
    return np.asarray(out).astype(dtype)


def near_copies(rng: Rng, rows: Array) -> Array:
    """Replace most rows by copies of a few that differ in at most two places."""
    n = len(rows)
    if n == 0 or rows.shape[1] == 0:
        return rows
    few = int(rng.integers(1, 4))
    out = rows[rng.integers(0, min(few, n), n)].copy()
    for row in out:
        for _ in range(int(rng.integers(0, 3))):
            row[rng.integers(0, rows.shape[1])] = rows[rng.integers(n), rng.integers(rows.shape[1])]
    return out


def dense_rows(rng: Rng, n: int, width: int, dtype: Any) -> Array:
    """Return rows of numbers, often near-copies, multiples of one row, or of falling length."""
    rows = values(rng, (n, width), dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if rng.random() < 0.4:
            rows = near_copies(rng, rows)
        if rng.random() < 0.2 and n:
            rows = (rows[:1] * rng.integers(1, 40, (n, 1)) / 40).astype(dtype)
        if rng.random() < 0.3:
            rows = (rows * 2.0 ** -rng.integers(0, 30, (n, 1))).astype(dtype)
        if rng.random() < 0.2 and n:
            rows[rng.integers(n)] *= dtype(1000)  # a hub: one much longer than all others
    limit = float(np.finfo(dtype).max) ** 0.5 / 2**8
    return np.clip(np.nan_to_num(rows), -limit, limit)


def sparse(rng: Rng, n_rows: int, n_cols: int, dtype: Any, *, counts: bool) -> sp.csr_array:
    """Return a canonical CSR matrix with near-copies, popular columns, or one hub."""
    density = pick(rng, 0.02, 0.1, 0.3, 0.7)
    weight = 1 / np.arange(1, n_cols + 1) ** pick(rng, 0.0, 0.8, 1.5)
    mask = rng.random((n_rows, n_cols)) < np.minimum(1, weight / weight.mean() * density)
    if rng.random() < 0.4:
        mask = near_copies(rng, mask)
    if rng.random() < 0.4:
        mask = near_copies(rng, np.ascontiguousarray(mask.T)).T
    if rng.random() < 0.3 and n_cols:
        mask[:, rng.integers(n_cols)] = True
    rows, cols = np.nonzero(mask)
    data = np.ones(len(rows), dtype) if counts else values(rng, len(rows), dtype)
    indptr = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)
    out = sp.csr_array((data, cols.astype(np.int32), indptr), shape=mask.shape)
    out.indptr, out.indices = indptr, cols.astype(np.int32)
    return out


def epilogue(rng: Rng, dtype: Any, p: Array, q: Array) -> dict[str, Any]:
    """Return the arguments of a similarity."""
    formula = pick(rng, "product", "product", "ratio", "ratio", *FORMULAS)
    weight = pick(rng, (1.0, 1.0), (0.3, 1e6), (50.7, 50.7), (0.5, 0.5), (1e30, 1e-30), (0.0, 0.0))
    out = {
        "formula": formula,
        "p": p.astype(dtype),
        "q": q.astype(dtype),
        "total": 2.0 * float(max(p.max(initial=1), q.max(initial=1))),
        "weight": weight if formula == "ratio" else (0.0, 0.0),
        "shrink": pick(rng, 0.0, 0.0, 2.5),
        "min_support": 0,
        "support_shrink": 0.0,
        "support_offset": 0.0,
        "significance": 0.0,
        "amplification": 1.0,
        "threshold": pick(rng, -np.inf, -np.inf, 0.1),
        "function": 0,
    }
    if rng.random() < 0.25:
        out.update(min_support=2, support_shrink=3.0, significance=5.0, amplification=1.5)
    return out


def lists(rng: Rng, n_rows: int, n_cols: int) -> tuple[Array, Array]:
    """Return some columns of each row, in no order."""
    rows = [
        rng.permutation(n_cols)[: rng.integers(0, n_cols // 2 + 1)] if n_cols else np.empty(0)
        for _ in range(n_rows)
    ]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return indptr, np.concatenate([*rows, np.empty(0)]).astype(np.int32)


# ---- comparisons ---------------------------------------------------------------------------------


class Different(AssertionError):
    """Two results that must be equal are not."""


def same(what: str, got: Result, expected: Result) -> None:
    """Raise unless the arrays are equal bit for bit."""
    for a, b in zip(got, expected, strict=True):
        if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
            if a.shape != b.shape:
                raise Different(f"{what}: shapes {a.shape} and {b.shape}")
            raise Different(f"{what}: first difference at {np.argwhere(a != b)[:1].tolist()}")


def with_threads(rng: Rng, what: str, call: Callable[[int], Result]) -> Result:
    """Return the result of one thread; raise unless other numbers, and a second call, give it."""
    one = call(1)
    for n_threads in (1, *rng.choice(THREADS, 2, replace=False)):
        same(f"{what}, {n_threads} threads", call(int(n_threads)), one)
    return one


def first_of_each(indptr: Array, indices: Array, scores: Array, k: int) -> Result:
    """Return the first k entries of each row."""
    sizes = np.minimum(np.diff(indptr), k)
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    taken = np.arange(ends[-1]) + np.repeat(indptr[:-1] - ends[:-1], sizes)
    return ends, indices[taken], scores[taken]


# ---- kernels -------------------------------------------------------------------------------------


def some_lengths(rng: Rng, n: int) -> list[int]:
    """Return lengths of lists up to n, short ones above all."""
    return sorted({1, min(n, int(rng.integers(1, 12))), int(rng.integers(1, n + 1))})


def csr_parts(x: sp.csr_array) -> Result:
    """Return the three arrays of a matrix."""
    return x.indptr, x.indices, x.data


def fuzz_gram_topk(rng: Rng) -> None:
    """The k best columns of every column are the first k of all columns."""
    dtype = pick(rng, np.float32, np.float64)
    n_rows, n_cols = int(rng.integers(1, 200)), int(rng.integers(1, pick(rng, 40, 300, 1200)))
    counts = rng.random() < 0.5
    x = sparse(rng, n_rows, n_cols, dtype, counts=counts)
    sizes = np.bincount(x.indices, minlength=n_cols).astype(float) + (rng.random() < 0.2)
    norm = pick(rng, sizes, np.sqrt(sizes), np.ones(n_cols), np.abs(values(rng, n_cols, dtype)))
    arguments = epilogue(rng, dtype, norm, norm if rng.random() < 0.7 else sizes)

    def call(k: int, n_threads: int) -> Result:
        return kernels.gram_topk(
            *csr_parts(x),
            n_cols,
            k=k,
            row_scale=None,
            col_scale=None,
            n_threads=n_threads,
            **arguments,
        )

    everything = call(n_cols, 1)
    for k in some_lengths(rng, n_cols):
        found = with_threads(rng, f"gram_topk k={k}", lambda n, k=k: call(k, n))
        same(f"gram_topk k={k}, pruned", found, first_of_each(*everything, k))


def fuzz_spgemm_topk(rng: Rng) -> None:
    """The k best columns of a product are the first k of all columns."""
    dtype = pick(rng, np.float32, np.float64)
    n_rows, inner, n_cols = (int(n) for n in rng.integers(1, 120, 3))
    counts = rng.random() < 0.5
    x = sparse(rng, n_rows, inner, dtype, counts=counts)
    y = sparse(rng, inner, n_cols, dtype, counts=counts)
    p, q = np.diff(x.indptr) + 1.0, np.bincount(y.indices, minlength=n_cols) + 1.0
    arguments = epilogue(rng, dtype, p, q)
    exclude = lists(rng, n_rows, n_cols) if rng.random() < 0.4 else (None, None)
    allowed = (rng.random(n_cols) < 0.7).astype(np.uint8) if rng.random() < 0.3 else None

    def call(k: int, n_threads: int) -> Result:
        return kernels.spgemm_topk(
            *csr_parts(x),
            *csr_parts(y),
            n_cols,
            k=k,
            exclude_indptr=exclude[0],
            exclude_indices=exclude[1],
            allowed=allowed,
            n_threads=n_threads,
            **arguments,
        )

    everything = call(n_cols, 1)
    for k in some_lengths(rng, n_cols):
        found = with_threads(rng, f"spgemm_topk k={k}", lambda n, k=k: call(k, n))
        same(f"spgemm_topk k={k}, pruned", found, tuple(a[:, :k].copy() for a in everything))


def fuzz_spmm_topk(rng: Rng) -> None:
    """The k best columns of a sparse times a dense matrix are the first k of all columns."""
    dtype = pick(rng, np.float32, np.float64)
    n_rows, inner, n_cols = (int(n) for n in rng.integers(1, (60, 60, 300)))
    x = sparse(rng, n_rows, inner, dtype, counts=rng.random() < 0.5)
    y = dense_rows(rng, inner, n_cols, dtype)
    exclude = lists(rng, n_rows, n_cols) if rng.random() < 0.4 else (None, None)
    allowed = (rng.random(n_cols) < 0.7).astype(np.uint8) if rng.random() < 0.3 else None

    def call(k: int, n_threads: int) -> Result:
        return kernels.spmm_topk(*csr_parts(x), y, k, *exclude, allowed, n_threads)

    everything = call(n_cols, 1)
    for k in some_lengths(rng, n_cols):
        found = with_threads(rng, f"spmm_topk k={k}", lambda n, k=k: call(k, n))
        same(f"spmm_topk k={k}, pruned", found, tuple(a[:, :k].copy() for a in everything))


def factors(rng: Rng) -> tuple[Array, Array, Array | None]:
    """Return factors of queries and items, and biases of items or None."""
    dtype = pick(rng, np.float32, np.float64)
    depth = int(rng.integers(1, pick(rng, 4, 40, 140)))
    items = dense_rows(rng, int(rng.integers(1, pick(rng, 60, 600, 4000))), depth, dtype)
    queries = dense_rows(rng, int(rng.integers(1, 90)), depth, dtype)
    if rng.random() < 0.3:
        taken = rng.integers(0, len(items), len(queries))
        queries = np.where(rng.random((len(queries), 1)) < 0.5, items[taken], queries)
    biases = None
    if rng.random() < 0.4:
        biases = values(rng, len(items), dtype)
        if rng.random() < 0.5:
            biases[rng.random(len(items)) < 0.3] = -np.inf
    return queries, items, biases


def fuzz_score_topk(rng: Rng) -> None:
    """The k best items are the first k of all items, with and without codes, alone or not."""
    queries, items, biases = factors(rng)
    n_items = len(items)
    packed = pack(items, biases)
    plain = packed._replace(codes=packed.codes[:0])
    plain = plain._replace(norms=np.full_like(packed.norms, packed.norms.max(initial=0)))
    none = (None, None)
    exclude = lists(rng, len(queries), n_items) if rng.random() < 0.4 else none
    allow = lists(rng, len(queries), n_items) if rng.random() < 0.2 else none

    def call(k: int, n_threads: int, panels: Any = packed) -> Result:
        return kernels.score_topk(queries, *panels, n_items, k, *exclude, *allow, n_threads)

    try:
        everything = call(n_items, 1, plain)
    except NumericalError:
        return
    for k in some_lengths(rng, n_items):
        found = with_threads(rng, f"score_topk k={k}", lambda n, k=k: call(k, n))
        same(f"score_topk k={k}, pruned", found, tuple(a[:, :k].copy() for a in everything))
        if exclude is none and allow is none:
            row = int(rng.integers(len(queries)))
            alone = kernels.score_topk(
                queries[row : row + 1].copy(), *packed, n_items, k, *none, *none, 1
            )
            same(f"score_topk k={k}, alone", alone, tuple(a[row : row + 1].copy() for a in found))


def fuzz_reverse_topk(rng: Rng) -> None:
    """The users of an item are those whose lists hold it."""
    users, items, biases = factors(rng)
    k = int(rng.integers(1, len(items) + 1))
    none = (None, None)
    try:
        index = AudienceIndex(users, items, biases, k=k)
        shown = kernels.score_topk(users, *pack(items, biases), len(items), k, *none, *none, 1)
    except (NumericalError, ValueError):
        return  # scores beyond the range, or biases of -inf
    asked = np.unique(rng.integers(0, len(items), 20))
    offsets = np.zeros(len(items), items.dtype) if biases is None else biases
    exclude = lists(rng, len(asked), len(users)) if rng.random() < 0.3 else none

    def call(n_threads: int) -> Result:
        return kernels.reverse_topk(
            items[asked],
            offsets[asked],
            asked.astype(np.int32),
            *index._packed,
            len(users),
            *exclude,
            n_threads,
        )

    indptr, found, _ = with_threads(rng, f"reverse_topk k={k}", call)
    for row, item in enumerate(asked):
        expected = np.flatnonzero((shown[0] == item).any(axis=1))
        if exclude[0] is not None:
            expected = np.setdiff1d(expected, exclude[1][exclude[0][row] : exclude[0][row + 1]])
        got = np.sort(found[indptr[row] : indptr[row + 1]])
        same(
            f"reverse_topk k={k}, item {item}",
            (got.astype(np.int64),),
            (expected.astype(np.int64),),
        )


def fuzz_knn_predict(rng: Rng) -> None:
    """Predictions for all entities of a few columns are those of single queries."""
    dtype = pick(rng, np.float32, np.float64)
    n_entities, n_others = int(rng.integers(1, 150)), int(rng.integers(1, 60))
    counts = rng.random() < 0.5
    ratings = sparse(rng, n_entities, n_others, dtype, counts=counts)
    compared = sparse(rng, n_entities, n_others, dtype, counts=counts)
    norm = np.diff(compared.indptr) + 1.0
    arguments = epilogue(rng, dtype, norm, norm)
    matrices = [
        part
        for x in (ratings, compared)
        for part in (*csr_parts(x), *kernels.csr_transpose(*csr_parts(x), n_others, 1))
    ]
    columns = rng.integers(0, n_others, int(rng.integers(1, 4)))
    entities = np.tile(np.arange(n_entities), len(columns)).astype(np.int32)
    others = columns.repeat(n_entities).astype(np.int32)
    k, positive_only = int(rng.integers(1, n_entities + 1)), bool(rng.random() < 0.5)

    def call(rows: Any, n_threads: int) -> Result:
        return kernels.knn_predict(
            *matrices,
            entities[rows],
            others[rows],
            k,
            1,
            positive_only,
            n_threads=n_threads,
            **arguments,
        )

    found = with_threads(rng, f"knn_predict k={k}", lambda n: call(slice(None), n))
    for row in rng.integers(0, len(entities), 8):
        rows = slice(row, row + 1)
        same(f"knn_predict k={k}, alone", call(rows, 1), tuple(a[rows] for a in found))


KERNELS = {
    "gram_topk": fuzz_gram_topk,
    "spgemm_topk": fuzz_spgemm_topk,
    "spmm_topk": fuzz_spmm_topk,
    "score_topk": fuzz_score_topk,
    "reverse_topk": fuzz_reverse_topk,
    "knn_predict": fuzz_knn_predict,
}


def run_case(name: str, seed: int, level: str) -> str | None:
    """Run one case at one level; return what failed."""
    kernels.force_isa(level)
    try:
        KERNELS[name](np.random.default_rng(seed))
    except Different as error:
        return f"{name} --case {seed} --isa {level}: {error}"
    return None


def main() -> int:
    """Fuzz for some seconds, or one case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cases", type=int, help="number of cases, instead of seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--case", type=int, help="the seed of one case")
    parser.add_argument("--kernel", choices=KERNELS, help="only this one")
    parser.add_argument("--isa", choices=kernels.isa_available(), help="only this level")
    options = parser.parse_args()
    names = [options.kernel] if options.kernel else list(KERNELS)
    levels = [options.isa] if options.isa else kernels.isa_available()
    if options.case is not None:
        failures = [run_case(name, options.case, level) for name in names for level in levels]
        print(*filter(None, failures), sep="\n")
        return any(failures)
    begin, n_cases, n_failures = time.monotonic(), 0, 0
    while (
        n_cases < options.cases
        if options.cases is not None
        else time.monotonic() - begin < options.seconds
    ):
        seed = options.seed * 1_000_000 + n_cases
        failure = run_case(
            names[n_cases % len(names)], seed, levels[n_cases // len(names) % len(levels)]
        )
        n_cases += 1
        if failure is not None:
            n_failures += 1
            print(failure, flush=True)
    print(f"{n_cases} cases of {', '.join(names)} at {', '.join(levels)}: {n_failures} failures")
    return bool(n_failures)


if __name__ == "__main__":
    sys.exit(main())
