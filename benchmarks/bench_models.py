"""Every registered recommender: fit, and lists for users, beside the peers that have the model.

Data: ``AIMASS_BENCH_DATASET`` is ``generated:20k`` (also 100k, 1M, 20M, 100M), ``real:FOLDER`` of
AIMASS_DATA, or ``file:PATH``, a table whose first columns are user, item and perhaps value. A tenth
of the interactions is held out. Lists are checked (valid items, none seen, scores descending), and
their recall on the held-out part stands beside the times, so that a fast model that recommends
nothing useful is seen as such.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from data import power_law
from peers import require

from aimass_core.base import registry
from aimass_core.base.csr import row_numbers
from aimass_core.base.validation import as_csr

SIZES = {
    "20k": (600, 400, 20_000),
    "100k": (1_000, 1_700, 100_000),
    "1M": (6_040, 3_706, 1_000_000),
    "20M": (138_493, 26_744, 20_000_000),
    "100M": (500_000, 60_000, 100_000_000),
}
DEFAULT = {"small": "generated:20k", "medium": "generated:1M", "full": "generated:1M"}
MODELS = [  # those that PyTorch trains have benchmarks/quality_deep.py
    n
    for n in registry.model_names()
    if registry.find(n).__module__.startswith("aimass_core.") and not registry.find(n).needs_extra
]
N_USERS, K = 10_000, 10
PEERS = {
    "implicit-als": ["implicit"],
    "bpr": ["implicit"],
    "item-knn": ["implicit"],
    "pure-svd": ["sklearn"],
    "nmf": ["sklearn"],
    "svd": ["surprise"],
}
FACTORS = 32
# What the peer has as its default: both learn the same model, so that their recall can be compared.
OPTIONS_OF_PEERS: dict[str, dict[str, Any]] = {
    "bpr": {"learning_rate": 0.05, "optimizer": "sgd", "n_candidates": 1},
    "implicit-als": {"confidence": "total", "unobserved_weight": 1.0, "nu": 0.0},
    "item-knn": {
        "n_neighbors": 99,  # without the item itself
        "similarity": "cosine",
        "neighbors_of": "seen",
        "profile": "raw",
    },
    "pure-svd": {"max_iter": 5, "n_oversamples": 10},
}


def named(scale: str) -> str:
    """The data of this run."""
    return os.environ.get("AIMASS_BENCH_DATASET") or DEFAULT[scale]


@cache
def parts(name: str) -> tuple[sp.csr_array, sp.csr_array]:
    """Interactions to learn from, and a tenth that is held out."""
    kind, _, rest = name.partition(":")
    if kind == "generated":
        if rest not in SIZES:
            raise pytest.UsageError(f"generated: one of {', '.join(SIZES)}, got {rest!r}")
        matrix = power_law(*SIZES[rest])
    else:
        matrix = _table(name, kind, rest)
    rows = row_numbers(matrix)
    held = np.random.default_rng(0).random(matrix.nnz) < 0.1
    out = []
    for kept in (~held, held):
        indptr = np.concatenate(
            [[0], np.cumsum(np.bincount(rows[kept], minlength=matrix.shape[0]))]
        )
        part = sp.csr_array(matrix.shape, dtype=np.float32)
        part.indptr, part.indices = indptr.astype(np.int64), matrix.indices[kept]
        part.data = matrix.data[kept]
        out.append(as_csr(part))
    return out[0], out[1]


def _table(name: str, kind: str, rest: str) -> sp.csr_array:
    from aimass_core import Interactions

    path = Path(rest)
    if kind == "real":
        folder = os.environ.get("AIMASS_DATA")
        path = Path(folder or "") / rest / "interactions.parquet"
        if not folder or not path.exists():
            pytest.skip(f"AIMASS_DATA does not name a folder that holds {rest}")
    elif kind != "file":
        raise pytest.UsageError(f"AIMASS_BENCH_DATASET: generated:, real: or file:, got {name!r}")
    table = require("pandas")
    table = table.read_parquet(path) if path.suffix == ".parquet" else table.read_csv(path)
    columns = list(table.columns)
    values = columns[2] if len(columns) > 2 and table[columns[2]].dtype.kind in "if" else None
    read = Interactions.from_arrays(
        table[columns[0]].to_numpy(),
        table[columns[1]].to_numpy(),
        None if values is None else table[values].to_numpy(np.float32),
        duplicates="sum",
    )
    return as_csr(read.matrix, dtype=np.float32)


def model(name: str, n_threads: int) -> Any:
    """A model with settings that its peers share; fused models of two cheap members."""
    cls = registry.find(name)
    known = cls._param_names()
    wanted: dict[str, Any] = {"n_threads": n_threads, "n_factors": FACTORS, "max_iter": 10}
    if "models" in known:
        wanted["models"] = ("item-knn", "popularity")
    if name == "bagging":
        wanted |= {"model": "item-knn", "share": 0.8, "n_estimators": 2}
    wanted |= OPTIONS_OF_PEERS.get(name, {})
    if name == "fm":
        wanted |= {"n_burn_in": 5, "n_draws": 5}
    return cls(**{key: value for key, value in wanted.items() if key in known})


def asked(train: sp.csr_array) -> np.ndarray:
    """The users whose lists are timed: those with interactions, at most N_USERS."""
    return np.flatnonzero(np.diff(train.indptr))[:N_USERS]


def recall(lists: np.ndarray, users: np.ndarray, held: sp.csr_array) -> float:
    """Mean share of the held-out items of a user that are in the list, of at most K."""
    keys = row_numbers(held).astype(np.int64) * held.shape[1] + held.indices
    inside = np.isin(users[:, None] * np.int64(held.shape[1]) + lists, keys) & (lists >= 0)
    sizes = np.minimum(np.diff(held.indptr)[users], lists.shape[1])
    some = sizes > 0
    return float(np.mean(inside.sum(axis=1)[some] / sizes[some])) if some.any() else float("nan")


def check_lists(lists: np.ndarray, users: np.ndarray, train: sp.csr_array) -> None:
    """Raise where a list repeats an item, or holds one that the user has or that does not exist."""
    assert lists.min(initial=0) >= -1
    assert lists.max(initial=0) < train.shape[1]
    seen = row_numbers(train).astype(np.int64) * train.shape[1] + train.indices
    keys = users[:, None] * np.int64(train.shape[1]) + lists
    keys = keys[lists >= 0]
    assert len(np.unique(keys)) == len(keys), "a list repeats an item"
    assert not np.isin(keys, seen).any(), "a list holds a seen item"


def peer(name: str, library: str, train: sp.csr_array, n_threads: int) -> tuple[Any, Any]:
    """``fit()`` and ``lists(fitted, users)`` of another library."""
    matrix = sp.csr_matrix(
        (train.data, train.indices, train.indptr.astype(np.int32)), shape=train.shape
    )
    if library == "implicit":
        require("implicit")
        from implicit.als import AlternatingLeastSquares
        from implicit.bpr import BayesianPersonalizedRanking
        from implicit.nearest_neighbours import CosineRecommender

        def fit() -> Any:
            fitted = {
                "implicit-als": lambda: AlternatingLeastSquares(
                    FACTORS, iterations=10, num_threads=n_threads, random_state=0
                ),
                "bpr": lambda: BayesianPersonalizedRanking(
                    FACTORS, iterations=10, num_threads=n_threads, random_state=0
                ),
                "item-knn": lambda: CosineRecommender(K=100, num_threads=n_threads),
            }[name]()
            data = matrix.astype(np.float64) if name == "item-knn" else matrix
            fitted.fit(data, show_progress=False)
            return fitted

        return fit, lambda fitted, users: fitted.recommend(users, matrix[users], N=K)[0]
    if library == "sklearn":
        decomposition = require("sklearn.decomposition", "scikit-learn")
        kind = {"pure-svd": "TruncatedSVD", "nmf": "NMF"}[name]
        options = {"max_iter": 10} if kind == "NMF" else {}

        def fit() -> Any:
            fitted = getattr(decomposition, kind)(FACTORS, random_state=0, **options)
            return fitted, fitted.fit_transform(matrix)

        def dense_lists(fitted: Any, users: np.ndarray) -> np.ndarray:
            scores = fitted[1][users] @ fitted[0].components_
            scores[matrix[users].nonzero()] = -np.inf
            best = np.argpartition(-scores, K, axis=1)[:, :K]
            return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1)), 1)

        return fit, dense_lists
    surprise, pandas = require("surprise", "scikit-surprise"), require("pandas")
    table = pandas.DataFrame(
        {"u": row_numbers(train), "i": train.indices, "r": train.data.astype(np.float64)}
    )
    reader = surprise.Reader(rating_scale=(float(train.data.min()), float(train.data.max())))
    full = surprise.Dataset.load_from_df(table, reader).build_full_trainset()
    return lambda: surprise.SVD(n_factors=FACTORS, n_epochs=10, random_state=0).fit(full), None


MEMBERS = [
    (member, name)
    for name in MODELS
    for member in ["native", *(f"peer:{library}" for library in PEERS.get(name, []))]
]


@pytest.mark.parametrize("stage", ["fit", "recommend"])
@pytest.mark.parametrize(("member", "name"), MEMBERS, ids=lambda value: value)
def bench_model(
    measure: Callable[..., Any], member: str, name: str, stage: str, scale: str, n_threads: int
) -> None:
    data = named(scale)
    train, held = parts(data)
    data = f"file:{Path(data).name}" if data.startswith("file:") else data
    group = f"model {name}: {stage}, {data}"
    users = asked(train)
    if member == "native":
        cls = registry.find(name)
        if cls.requires or getattr(cls, "needs_features", ()):
            pytest.skip(f"{name} needs features")

        def fit() -> Any:
            return model(name, n_threads).fit(train)

        def lists(fitted: Any) -> np.ndarray:
            return fitted.recommend(users, k=K, n_threads=n_threads).indices
    else:
        fit, listed = peer(name, member[5:], train, n_threads)
        if listed is None and stage == "recommend":
            pytest.skip("the peer predicts pairs only")

        def lists(fitted: Any) -> np.ndarray:
            return listed(fitted, users)

    fitted = fit() if stage == "recommend" else None
    extra: dict[str, Any] = {"nnz": int(train.nnz), "dataset": data}

    def check(result: Any) -> None:
        if stage == "fit":
            assert result is not None
            return
        check_lists(np.asarray(result), users, train)
        extra["recall"] = recall(np.asarray(result), users, held)

    def call() -> Any:
        return fit() if stage == "fit" else lists(fitted)

    if stage == "recommend":
        check(call())  # the recall belongs to the record
    small = stage == "recommend" or train.nnz <= 1_000_000
    measure(group, member, call, check, warm_up=small, **extra)
