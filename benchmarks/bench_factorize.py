"""Ids to codes: `factorize_int64` and `factorize_bytes`, alone and up to the CSR, beside pandas."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from bench_coo_to_csr import SHAPES, canonical, equals, triplets
from peers import require

from aimass_core import _core, reference

MEMBERS = ["native", "reference", "peer:pandas", "peer:pandas-arrow"]


@cache
def integers(scale: str, kind: str) -> np.ndarray:
    """A column of int64 ids: row numbers, widely spread ones, or all of them different."""
    if kind == "all distinct":
        n = SHAPES[scale][2]
        return np.random.default_rng(2).permutation(n) * np.int64(1_000_003)
    return triplets(scale)[0].astype(np.int64) * (1 if kind == "dense" else 7_919_191_919)


@cache
def strings(scale: str, column: int) -> Any:
    """A column of string ids as Arrow has it; in bytewise order they go like the row numbers."""
    pa = require("pyarrow")
    names = np.array([f"{'ui'[column]}{i:07d}" for i in range(SHAPES[scale][column])])
    return pa.array(names).take(pa.array(triplets(scale)[column]))


@cache
def objects(scale: str, column: int) -> np.ndarray:
    """The same ids as Python strings, as pandas has them by default."""
    names = np.array([f"{'ui'[column]}{i:07d}" for i in range(SHAPES[scale][column])], object)
    return names[triplets(scale)[column]]


def buffers(array: Any) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and bytes of an Arrow string column, without a copy."""
    _, offsets, data = array.buffers()
    return np.frombuffer(offsets, np.int32), np.frombuffer(data, np.uint8)


def same_partition(expected: np.ndarray) -> Callable[[Any], None]:
    """Check codes up to renumbering: pandas numbers by appearance, the kernels by rank."""

    def check(result: Any) -> None:
        codes = np.asarray(result[0])
        n = int(codes.max()) + 1
        number = np.empty(n, expected.dtype)
        number[codes] = expected
        np.testing.assert_array_equal(number[codes], expected)
        assert len(np.unique(number)) == n

    return check


@pytest.mark.parametrize("kind", ["dense", "spread", "all distinct"])
@pytest.mark.parametrize("member", MEMBERS[:3])
def bench_factorize_int64(
    measure: Callable[..., Any], member: str, kind: str, scale: str, n_threads: int
) -> None:
    values = integers(scale, kind)
    pd = require("pandas")
    calls = {
        "native": lambda: _core.factorize_int64(values, n_threads),
        "reference": lambda: reference.factorize_int64(values, n_threads),
        "peer:pandas": lambda: pd.factorize(values),
    }
    group = f"factorize_int64: {len(values):,} rows, {kind}"
    measure(group, member, calls[member], same_partition(values), rows=len(values))


@pytest.mark.parametrize("member", MEMBERS)
def bench_factorize_bytes(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    pd = require("pandas")
    column = strings(scale, 0)
    series = pd.Series(column, dtype=pd.ArrowDtype(column.type))
    python = objects(scale, 0) if member == "peer:pandas" else None
    calls = {
        "native": lambda: _core.factorize_bytes(*buffers(column), n_threads),
        "reference": lambda: reference.factorize_bytes(*buffers(column), n_threads),
        "peer:pandas": lambda: pd.factorize(python),
        "peer:pandas-arrow": lambda: pd.factorize(series),
    }
    group = f"factorize_bytes: {len(column):,} rows"
    measure(group, member, calls[member], same_partition(triplets(scale)[0]), rows=len(column))


@pytest.mark.parametrize("member", MEMBERS)
def bench_string_ids_to_csr(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    pd = require("pandas")
    columns = [strings(scale, column) for column in (0, 1)]
    series = [pd.Series(column, dtype=pd.ArrowDtype(column.type)) for column in columns]
    if member == "peer:pandas":
        series = [objects(scale, column) for column in (0, 1)]
    values = triplets(scale)[2]

    def kernels(home: Any) -> Any:
        (rows, users), (cols, items) = (
            home.factorize_bytes(*buffers(column), n_threads) for column in columns
        )
        return home.coo_to_csr(rows, cols, values, None, len(users), len(items), "sum", n_threads)

    def pandas() -> sp.csr_array:
        (rows, users), (cols, items) = (pd.factorize(s, sort=False) for s in series)
        matrix = sp.coo_array((values, (rows, cols)), shape=(len(users), len(items))).tocsr()
        matrix.sum_duplicates()
        return matrix

    calls = {
        "native": lambda: kernels(_core),
        "reference": lambda: kernels(reference),
        "peer:pandas": pandas,
        "peer:pandas-arrow": pandas,
    }

    def check(result: Any) -> None:
        X = canonical(scale)
        if member.startswith("peer"):  # ids numbered by appearance: compare what that leaves
            assert (result.nnz, result.sum()) == (X.nnz, X.sum())
            return
        present = np.diff(X.indptr) > 0, np.bincount(X.indices, minlength=X.shape[1]) > 0
        equals(X[present[0]][:, present[1]])(result)

    measure(f"string ids to CSR: {len(values):,} rows", member, calls[member], check)
