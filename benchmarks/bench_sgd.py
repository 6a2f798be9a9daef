"""Epochs of the kernels for pairs and ratings beside implicit (BPR) and Surprise (SVD, SVD++, NMF).

`rating_epoch`, `implicit_rating_epoch` and `rating_nmf_epoch` are compared with Surprise from the
same initial factors and in the same order of the ratings, so that the parameters themselves must
agree. implicit draws other pairs than `pairwise_epoch`; there the share of ordered training pairs
is asserted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from data import SIZES, power_law
from peers import require

from aimass_core import _core, reference
from aimass_core.jit.rating_nmf_epoch import rating_nmf_epoch

# Users, items, ratings; factors are multiples of 16, as the kernels store them.
SHAPES = {"small": (300, 200, 6_000), "medium": SIZES["ml1m"], "full": SIZES["ml1m"]}
FACTORS = {"small": 16, "medium": 64, "full": 64}
IMPLICIT_FACTORS = 16  # of SVD++, whose epoch takes Surprise a minute and more
LISTWISE_NEGATIVES = 64
NMF_FACTORS = 15
BPR_EPOCHS, SVD_EPOCHS, SVDPP_EPOCHS, NMF_EPOCHS = 10, 5, 1, 10
N_STRATA = {"small": 1, "medium": 15, "full": 15}  # as the models choose them for these shapes
BPR_RATE, RATE, REGULARIZATION, INIT_STD, SEED = 0.05, 0.007, 0.02, 0.1, 4
LEAST_ORDERED = 0.55  # share of training pairs in the right order; random factors: 0.5

Parameters = tuple[np.ndarray, ...]


@cache
def ratings(scale: str) -> sp.csr_array:
    """Return the ratings, which no member changes."""
    return power_law(*SHAPES[scale])


def csr_parts(X: sp.csr_array, dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the arrays of a matrix in the types of the kernels."""
    return X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data.astype(dtype)


def reference_or_skip(scale: str) -> None:
    """Skip the references where they take minutes."""
    if scale != "small":
        pytest.skip("the reference takes minutes: only at AIMASS_BENCH_SCALE=small")


# --- BPR ---


def bpr(kernel: Callable[..., Any], scale: str, n_threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return user and item factors after the epochs; the item biases are the last column."""
    X, f = ratings(scale), FACTORS[scale]
    indptr, indices, _ = csr_parts(X, np.float32)
    rng = np.random.default_rng(SEED)
    sides = []
    for n, n_biases in ((X.shape[0], 0), (X.shape[1], X.shape[1])):
        factors = rng.normal(0, INIT_STD, (n, f)).astype(np.float32)
        none = np.zeros((0, n, f), np.float32), np.zeros((0, n_biases), np.float32)
        sides.append((factors, np.zeros(n_biases, np.float32), *none, np.zeros(0, np.int32)))
    for epoch in range(BPR_EPOCHS):
        kernel(
            indptr,
            indices,
            *sides,
            steps=("sgd", BPR_RATE, BPR_RATE, 0.0, 0.0, 1e-10),
            penalties=(0.01, 0.01, 0.01, 0.01),
            weights=np.zeros(0),
            loss="bpr",
            n_candidates=1,
            n_positives=1,
            k_positive=1,
            margin=1.0,
            n_strata=N_STRATA[scale],
            seed=SEED,
            epoch=epoch,
            n_threads=n_threads,
        )
    users, items = sides
    ones = np.ones((X.shape[0], 1), np.float32)
    return np.hstack([users[0], ones]), np.hstack([items[0], items[1][:, None]])


@cache
def narrow_ratings(scale: str) -> sp.csr_matrix:
    """Return the ratings with the int32 indices that implicit needs; not timed."""
    X = ratings(scale)
    indptr, indices = X.indptr.astype(np.int32), X.indices.astype(np.int32)
    return sp.csr_matrix((X.data, indices, indptr), shape=X.shape)


def implicit_bpr(scale: str, n_threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the same from implicit, whose initialisation is part of the time."""
    module = require("implicit.cpu.bpr", "implicit")
    model = module.BayesianPersonalizedRanking(
        factors=FACTORS[scale],
        learning_rate=BPR_RATE,
        regularization=0.01,
        iterations=BPR_EPOCHS,
        num_threads=n_threads,
        random_state=SEED,
    )
    model.fit(narrow_ratings(scale), show_progress=False)
    return model.user_factors, model.item_factors


def share_ordered(scale: str, users: np.ndarray, items: np.ndarray) -> float:
    """Return the share of training entries that score above a random item without a rating."""
    X = ratings(scale)
    rng = np.random.default_rng(0)
    entries = rng.permutation(X.nnz)[:20_000]
    u = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[entries]
    i, j = X.indices[entries], rng.integers(0, X.shape[1], len(entries))
    stored = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)) * X.shape[1] + X.indices
    is_negative = ~np.isin(u * X.shape[1] + j, stored)
    u, i, j = u[is_negative], i[is_negative], j[is_negative]
    return float((np.einsum("ef,ef->e", users[u], items[i] - items[j]) > 0).mean())


@pytest.mark.parametrize("member", ["native", "reference", "peer:implicit"])
def bench_pairwise_epoch(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    if member == "reference":
        reference_or_skip(scale)
    elif member == "peer:implicit":
        narrow_ratings(scale)

    def check(result: tuple[np.ndarray, np.ndarray]) -> None:
        assert share_ordered(scale, *result) > LEAST_ORDERED
        if member == "reference":
            native = bpr(_core.pairwise_epoch, scale, n_threads)
            for got, want in zip(native, result, strict=True):
                np.testing.assert_allclose(got, want, rtol=0, atol=1e-3)

    calls = {
        "native": lambda: bpr(_core.pairwise_epoch, scale, n_threads),
        "reference": lambda: bpr(reference.pairwise_epoch, scale, n_threads),
        "peer:implicit": lambda: implicit_bpr(scale, n_threads),
    }
    group = f"pairwise_epoch: {BPR_EPOCHS} epochs of BPR, {FACTORS[scale]} factors"
    measure(group, member, calls[member], check)


# --- losses over lists of negatives ---


# --- sums of embeddings ---


def embedded(kernels: Any, scale: str, n_threads: int) -> Parameters:
    """Return the embeddings after a part of an epoch: sums, a step of each item, moves."""
    X, f = ratings(scale), FACTORS[scale]
    rng = np.random.default_rng(SEED)
    weights = sp.csr_array(X.T)  # the users of an item as its features
    weights.sort_indices()
    n, n_features = weights.shape
    own, own_squares = rng.normal(size=(n, f)).astype("f4"), np.ones((n, f), "f4")
    table, squares = rng.normal(size=(n_features, f)).astype("f4"), np.ones((n_features, f), "f4")
    embeddings = np.ones(n, "f4"), own, own_squares, table, squares
    parts = [csr_parts(matrix, np.float32) for matrix in (weights, X)]
    rows = np.arange(n, dtype=np.int32)
    factors, accumulators = np.zeros((2, n, f), "f4")
    kernels.embedding_sums(embeddings, parts[0], rows, factors, accumulators, n_threads)
    before = factors.copy(), accumulators.copy()
    gradients = rng.normal(size=(n, f)).astype("f4")
    accumulators += gradients**2
    factors += 0.05 * gradients / np.sqrt(accumulators)
    kernels.embedding_moves(embeddings, parts[1], rows, factors, accumulators, *before, n_threads)
    return embeddings[1:]


@pytest.mark.parametrize("member", ["native", "reference"])
def bench_embeddings(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    if member == "reference":
        reference_or_skip(scale)
    kernels = {"native": _core, "reference": reference}

    def check(result: Parameters) -> None:
        for ours, theirs in zip(result, embedded(_core, scale, n_threads), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)

    n_features = ratings(scale).nnz
    group = f"embedding_sums and embedding_moves: {n_features:,} features, {FACTORS[scale]} factors"
    measure(group, member, lambda: embedded(kernels[member], scale, n_threads), check)


@pytest.mark.parametrize("member", ["native", "reference"])
def bench_listwise_epoch(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    if member == "reference":
        reference_or_skip(scale)
    X, f = ratings(scale), FACTORS[scale]
    indptr, indices, _ = csr_parts(X, np.float32)
    rng = np.random.default_rng(SEED)
    starts = [rng.normal(0, INIT_STD, (n, f)).astype(np.float32) for n in X.shape]

    def train(kernel: Callable[..., Any]) -> tuple[np.ndarray, np.ndarray]:
        sides = [
            (
                start.copy(),
                np.zeros(0, np.float32),
                np.zeros((0, *start.shape), np.float32),
                np.zeros((0, 0), np.float32),
                np.zeros(0, np.int32),
            )
            for start in starts
        ]
        kernel(
            indptr,
            indices,
            *sides,
            steps=("sgd", 1e-3, 1e-3, 0.0, 0.0, 1e-10),
            penalties=(0.0, 0.0, 0.0, 0.0),
            weights=np.zeros(0),
            loss="softmax",
            cosine=True,
            n_negatives=LISTWISE_NEGATIVES,
            temperature=0.15,
            margin=0.0,
            negative_weight=1.0,
            n_strata=min(N_STRATA[scale], 8),
            seed=SEED,
            epoch=0,
            n_threads=n_threads,
        )
        return sides[0][0], sides[1][0]

    def check(result: tuple[np.ndarray, np.ndarray]) -> None:
        assert share_ordered(scale, *result) > 0.5

    calls = {
        "native": lambda: train(_core.listwise_epoch),
        "reference": lambda: train(reference.listwise_epoch),
    }
    group = f"listwise_epoch: {LISTWISE_NEGATIVES} negatives, {f} factors"
    measure(group, member, calls[member], check)


# --- SVD and SVD++ ---


def initial(scale: str, f: int, n_item_matrices: int) -> list[np.ndarray]:
    """Return user factors and matrices of item factors, drawn as Surprise draws them."""
    n_users, n_items, _ = SHAPES[scale]
    rng = np.random.RandomState(SEED)
    return [rng.normal(0, INIT_STD, (n, f)) for n in (n_users, *[n_items] * n_item_matrices)]


def svd(kernel: Callable[..., Any], scale: str, n_threads: int) -> Parameters:
    """Return user factors, item factors and biases after epochs in the order of the ratings."""
    parts = csr_parts(ratings(scale), np.float64)
    users, items = initial(scale, FACTORS[scale], 1)
    biases = np.zeros(len(users)), np.zeros(len(items))
    for epoch in range(SVD_EPOCHS):
        kernel(
            *parts,
            users,
            items,
            *biases,
            mean=float(parts[2].mean()),
            rates=(RATE,) * 4,
            penalties=(REGULARIZATION,) * 4,
            order="stored",
            n_strata=1,
            seed=SEED,
            epoch=epoch,
            n_threads=n_threads,
        )
    return users, items, *biases


def svdpp(kernel: Callable[..., Any], scale: str, n_threads: int) -> Parameters:
    """Return user factors, item factors, biases and implicit factors after the epochs."""
    parts = csr_parts(ratings(scale), np.float64)
    users, items, implicit = initial(scale, IMPLICIT_FACTORS, 2)
    biases = np.zeros(len(users)), np.zeros(len(items))
    for epoch in range(SVDPP_EPOCHS):
        kernel(
            *parts,
            users,
            items,
            implicit,
            np.zeros((0, IMPLICIT_FACTORS)),
            *biases,
            mean=float(parts[2].mean()),
            rates=(RATE,) * 5,
            penalties=(REGULARIZATION,) * 5,
            epoch=epoch,
            n_threads=n_threads,
        )
    return users, items, *biases, implicit


@cache
def trainset(scale: str) -> Any:
    """Return Surprise's form of the ratings; building it is not timed."""
    return trainset_of(ratings(scale))


def trainset_of(X: sp.csr_array) -> Any:
    """Return Surprise's form of a matrix of ratings."""
    surprise = require("surprise", "scikit-surprise")
    ur: dict[int, list[Any]] = {u: [] for u in range(X.shape[0])}
    ir: dict[int, list[Any]] = {i: [] for i in range(X.shape[1])}
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    values = X.data.astype(np.float64)
    for u, i, r in zip(rows.tolist(), X.indices.tolist(), values.tolist(), strict=True):
        ur[u].append((i, r))
        ir[i].append((u, r))
    return surprise.Trainset(ur, ir, *X.shape, X.nnz, (0.5, 5), {}, {})


def surprise_factors(name: str, scale: str, f: int, n_epochs: int) -> Parameters:
    """Return the parameters of Surprise's SVD or SVDpp in the order of `svd` or `svdpp`."""
    surprise = require("surprise", "scikit-surprise")
    model = getattr(surprise, name)(
        n_factors=f,
        n_epochs=n_epochs,
        init_std_dev=INIT_STD,
        lr_all=RATE,
        reg_all=REGULARIZATION,
        random_state=SEED,
    )
    model.fit(trainset(scale))
    out = model.pu, model.qi, model.bu, model.bi
    return (*out, model.yj) if name == "SVDpp" else out


def same_parameters(want: Callable[[], Parameters]) -> Callable[[Parameters], None]:
    """Return a check that all parameters equal those of `want`."""

    def check(result: Parameters) -> None:
        for got, expected in zip(result, want(), strict=True):
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-8)

    return check


@pytest.mark.parametrize("member", ["native", "reference", "peer:surprise"])
def bench_rating_epoch(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    if member == "reference":
        reference_or_skip(scale)
    elif member == "peer:surprise":
        trainset(scale)
    f = FACTORS[scale]

    def native() -> Parameters:
        return svd(_core.rating_epoch, scale, n_threads)

    calls = {
        "native": native,
        "reference": lambda: svd(reference.rating_epoch, scale, n_threads),
        "peer:surprise": lambda: surprise_factors("SVD", scale, f, SVD_EPOCHS),
    }
    rounds = {} if member == "native" else {"rounds": 1}
    group = f"rating_epoch: {SVD_EPOCHS} epochs of SVD in the stored order, {f} factors"
    measure(group, member, calls[member], same_parameters(native), **rounds)


@pytest.mark.parametrize("member", ["native", "reference", "peer:surprise"])
def bench_implicit_rating_epoch(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    if member == "reference":
        reference_or_skip(scale)
    elif member == "peer:surprise":
        trainset(scale)
    f = IMPLICIT_FACTORS

    def native() -> Parameters:
        return svdpp(_core.implicit_rating_epoch, scale, n_threads)

    calls = {
        "native": native,
        "reference": lambda: svdpp(reference.implicit_rating_epoch, scale, n_threads),
        "peer:surprise": lambda: surprise_factors("SVDpp", scale, f, SVDPP_EPOCHS),
    }
    options = {} if member == "native" else {"rounds": 1, "warm_up": False}
    group = f"implicit_rating_epoch: {SVDPP_EPOCHS} epoch of SVD++, {f} factors"
    measure(group, member, calls[member], same_parameters(native), **options)


# --- non-negative factorisation ---


@cache
def rated(scale: str) -> sp.csr_array:
    """Return the ratings of users and items that have any: Surprise divides by zero for others."""
    X = ratings(scale)
    X = sp.csr_array(X[np.diff(X.indptr) > 0])
    return sp.csr_array(X[:, np.flatnonzero(np.bincount(X.indices, minlength=X.shape[1]))])


@cache
def rated_trainset(scale: str) -> Any:
    """Return Surprise's form of the same; building it is not timed."""
    return trainset_of(rated(scale))


def nmf(kernel: Callable[..., Any], scale: str) -> Parameters:
    """Return non-negative factors of users and items after the epochs; one thread."""
    X = rated(scale)
    rng = np.random.RandomState(SEED)
    users, items = (rng.uniform(0, 1, (n, NMF_FACTORS)) for n in X.shape)
    biases = np.zeros(len(users)), np.zeros(len(items))
    settings = 0.0, (0.0, 0.0), (0.06, 0.06, 0.0, 0.0), True
    for _ in range(NMF_EPOCHS):
        kernel(*csr_parts(X, np.float64), users, items, *biases, *settings)
    return users, items


def surprise_nmf(scale: str) -> Parameters:
    """Return the same from Surprise."""
    model = require("surprise", "scikit-surprise").NMF(
        n_factors=NMF_FACTORS, n_epochs=NMF_EPOCHS, random_state=SEED
    )
    model.fit(rated_trainset(scale))
    return model.pu, model.qi


@pytest.mark.parametrize("member", ["native", "reference", "peer:surprise"])
def bench_rating_nmf_epoch(measure: Callable[..., Any], member: str, scale: str) -> None:
    if member == "reference":
        reference_or_skip(scale)
    elif member == "peer:surprise":
        rated_trainset(scale)

    def native() -> Parameters:
        return nmf(rating_nmf_epoch, scale)

    calls = {
        "native": native,
        "reference": lambda: nmf(reference.rating_nmf_epoch, scale),
        "peer:surprise": lambda: surprise_nmf(scale),
    }
    options = {} if member == "native" else {"rounds": 1, "warm_up": False}
    group = f"rating_nmf_epoch: {NMF_EPOCHS} epochs of NMF, {NMF_FACTORS} factors"
    measure(group, member, calls[member], same_parameters(native), **options)
