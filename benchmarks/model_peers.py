"""Fits of linear, pairwise and rating models beside those of other libraries, as a Markdown table.

Usage: ``python benchmarks/model_peers.py [TASK ...] [--scale small|full] [--threads N] [--rounds N]
[--python PEER=INTERPRETER ...] [--path PEER=FOLDER ...] [--out FILE]``. Needs AIMASS_DATA
(movielens-1m, gowalla). Libraries that exclude each other live in environments of their own: name
the interpreter of a peer by --python, or a folder of packages by --path.

Every fit runs in a process of its own, ours and the peer's in turns. The table has the least
seconds of the rounds, and the least CPU seconds of all threads together. Beside other programs
that compute, only the ratio of the CPU seconds means something: the threads of short epochs then
wait for a processor far longer than they compute. Reading and converting data is not timed.
Results are compared before a ratio counts: weights of EASE and SLIM must agree, AUC, precision@10
and RMSE on held-out ratings must be as good as the peer's up to a tolerance. A row whose check
fails says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from process_memory import PeakMemory

Arrays = dict[str, np.ndarray]
Fit = Callable[[], Arrays]  # what is timed

FACTORS, RATE, REGULARIZATION = 64, 0.05, 0.01  # of BPR and WARP
RIDGE = 500.0
SLIM_ALPHA, SLIM_L1_RATIO, SKLEARN_ITEMS = 0.005, 0.01, 20
EPOCHS = {"bpr": 10, "warp": 3, "svd": 10, "svdpp": 1, "nmf": 20, "coclustering": 10}
AGREES = {"weights": 1e-3, "slim": 0.02, "auc": 0.003, "precision": 0.003, "rmse": 0.01}
SIZES = {"small": (0.1, 300, 600), "full": (1.0, 8_000, 20_000)}  # users, SLIM and EASE items


@dataclass(frozen=True)
class Data:
    """Ratings to learn from as CSR in float32, and held-out ones; read from a file of arrays."""

    X: sp.csr_matrix
    test: tuple[np.ndarray, np.ndarray, np.ndarray]
    n_threads: int

    @classmethod
    def load(cls, path: str, n_threads: int) -> Data:
        parts = np.load(path)
        csr = parts["data"], parts["indices"].astype(np.int32), parts["indptr"].astype(np.int32)
        X = sp.csr_matrix(csr, shape=tuple(parts["shape"]))
        return cls(X, (parts["users"], parts["items"], parts["ratings"]), n_threads)

    @property
    def rows(self) -> np.ndarray:
        """Row of each entry."""
        return np.repeat(np.arange(self.X.shape[0]), np.diff(self.X.indptr))

    @property
    def triplets(self) -> list[tuple[int, int, float]]:
        """Entries as (row, column, value)."""
        parts = self.rows, self.X.indices, self.X.data
        return list(zip(*(part.tolist() for part in parts), strict=True))


# --- ours ---


def ours(task: str, data: Data) -> Fit:
    """Return the fit of this library for a task."""
    import aimass_core as core
    from aimass_core import kernels

    epochs, n = EPOCHS.get(task, 0), {"n_threads": data.n_threads}
    pairwise = {
        "n_factors": FACTORS,
        "learning_rate": RATE,
        "regularization": REGULARIZATION,
        "max_iter": epochs,
    }
    scale = {"rating_scale": (1, 5)}
    models: dict[str, Callable[[], Any]] = {
        "bpr": lambda: core.BPR(**pairwise, optimizer="sgd", n_candidates=1, **n),
        "warp": lambda: core.WARP(n_factors=FACTORS, max_iter=epochs, **n),
        "ease": lambda: core.EASE(regularization=RIDGE, **n),
        "ease-large": lambda: core.EASE(regularization=RIDGE, **n),
        "slim": lambda: core.SLIM(alpha=SLIM_ALPHA, l1_ratio=SLIM_L1_RATIO, **n),
        "svd": lambda: core.SVD(n_factors=FACTORS, max_iter=epochs, **scale, **n),
        "svdpp": lambda: core.SVDpp(n_factors=20, max_iter=epochs, **scale, **n),
        "nmf": lambda: core.RatingNMF(n_factors=15, max_iter=epochs, **scale, **n),
        "coclustering": lambda: core.CoClustering(max_iter=epochs, **scale, **n),
    }

    def fit() -> Arrays:
        if task == "gramian":
            parts = (data.X.indptr.astype(np.int64), data.X.indices, data.X.data)
            return {"weights": kernels.gram_matrix(*parts, data.X.shape[1], data.n_threads)}
        model = models[task]().fit(data.X)
        if task == "slim":
            return sparse_arrays(model.weights_)
        if task == "ease-large":
            return {"residual": np.array(model.residual_)}
        if task == "ease":
            return {"weights": model.weights_}
        if task in ("bpr", "warp"):
            return with_bias(model.user_factors_, model.item_factors_, model.item_bias_)
        return {"ratings": model.predict(*data.test[:2])}

    return fit


def sparse_arrays(W: Any) -> Arrays:
    """Return a sparse matrix of weights, columns = targets, as arrays."""
    W = sp.csc_matrix(W)
    return {"data": W.data, "indices": W.indices, "indptr": W.indptr}


def with_bias(users: np.ndarray, items: np.ndarray, bias: np.ndarray) -> Arrays:
    """Return factors with the item biases as a last column."""
    ones = np.ones((len(users), 1), users.dtype)
    return {"users": np.hstack([users, ones]), "items": np.hstack([items, bias[:, None]])}


# --- peers ---


def implicit_bpr(data: Data) -> Fit:
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    def fit() -> Arrays:
        model = BayesianPersonalizedRanking(
            factors=FACTORS,
            learning_rate=RATE,
            regularization=REGULARIZATION,
            iterations=EPOCHS["bpr"],
            num_threads=data.n_threads,
            random_state=0,
        )
        model.fit(data.X, show_progress=False)
        return {"users": model.user_factors, "items": model.item_factors}

    return fit


def cornac_data(data: Data) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return cornac's data set, and our row of each of its users and items."""
    from cornac.data import Dataset

    dataset = Dataset.from_uir(data.triplets, seed=0)
    maps = dataset.uid_map, dataset.iid_map
    users, items = (np.array(sorted(one, key=one.get)) for one in maps)
    return dataset, users, items


def in_our_order(values: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Return rows of a peer in our numbering; zero where it has none."""
    out = np.zeros((n, *values.shape[1:]), values.dtype)
    out[rows] = values[: len(rows)]
    return out


def cornac_bpr(data: Data) -> Fit:
    from cornac.models import BPR

    dataset, users, items = cornac_data(data)

    def fit() -> Arrays:
        model = BPR(
            k=FACTORS,
            max_iter=EPOCHS["bpr"],
            learning_rate=RATE,
            lambda_reg=REGULARIZATION,
            num_threads=data.n_threads,
            seed=0,
        ).fit(dataset)
        n_users, n_items = data.X.shape
        return with_bias(
            in_our_order(model.u_factors, users, n_users),
            in_our_order(model.i_factors, items, n_items),
            in_our_order(model.i_biases, items, n_items),
        )

    return fit


def cornac_svd(data: Data) -> Fit:
    from cornac.models import MF

    dataset, users, items = cornac_data(data)

    def fit() -> Arrays:
        model = MF(
            k=FACTORS,
            max_iter=EPOCHS["svd"],
            learning_rate=0.005,
            lambda_reg=0.02,
            use_bias=True,
            num_threads=data.n_threads,
            seed=0,
        ).fit(dataset)
        n_users, n_items = data.X.shape
        u, i = data.test[:2]
        user_factors = in_our_order(model.u_factors, users, n_users)[u]
        item_factors = in_our_order(model.i_factors, items, n_items)[i]
        ratings = float(data.X.data.mean()) + np.einsum("ij,ij->i", user_factors, item_factors)
        ratings += in_our_order(model.u_biases, users, n_users)[u]
        ratings += in_our_order(model.i_biases, items, n_items)[i]
        return {"ratings": np.clip(ratings, 1, 5)}

    return fit


def rusket_bpr(data: Data) -> Fit:
    from rusket import BPR

    def fit() -> Arrays:
        model = BPR(
            factors=FACTORS,
            learning_rate=RATE,
            regularization=REGULARIZATION,
            iterations=EPOCHS["bpr"],
            seed=0,
        ).fit(data.X)
        return {"users": np.asarray(model.user_factors), "items": np.asarray(model.item_factors)}

    return fit


def buffalo_bpr(data: Data) -> Fit:
    from buffalo import BPRMF, BPRMFOption, MatrixMarketOptions
    from scipy.io import mmwrite

    folder = tempfile.mkdtemp()
    mmwrite(f"{folder}/main.mtx", data.X)
    n_users, n_items = data.X.shape
    for name, n in (("uid", n_users), ("iid", n_items)):
        Path(folder, name).write_text("\n".join(map(str, range(n))) + "\n")
    options = MatrixMarketOptions().get_default_option()
    options.input.main, options.input.uid = f"{folder}/main.mtx", f"{folder}/uid"
    options.input.iid, options.data.path = f"{folder}/iid", f"{folder}/data.h5py"
    options.data.tmp_dir = folder
    own = BPRMFOption().get_default_option()
    own.update(
        d=FACTORS,
        num_iters=EPOCHS["bpr"],
        num_workers=data.n_threads,
        lr=RATE,
        reg_u=REGULARIZATION,
        reg_i=REGULARIZATION,
        reg_j=REGULARIZATION,
        reg_b=REGULARIZATION,
    )
    model = BPRMF(own, data_opt=options)
    model.initialize()

    def fit() -> Arrays:
        model.train()
        return with_bias(model.P, model.Q, model.Qb.ravel())

    return fit


def lightfm_warp(data: Data) -> Fit:
    from lightfm import LightFM

    entries = sp.coo_matrix(data.X, dtype=np.float32)
    entries.data[:] = 1

    def fit() -> Arrays:
        model = LightFM(no_components=FACTORS, loss="warp", random_state=0)
        model.fit(entries, epochs=EPOCHS["warp"], num_threads=data.n_threads)
        return with_bias(model.user_embeddings, model.item_embeddings, model.item_biases)

    return fit


def rectools_ease(data: Data) -> Fit:
    import pandas as pd
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import EASEModel

    names = Columns.User, Columns.Item, Columns.Weight
    table = pd.DataFrame(dict(zip(names, (data.rows, data.X.indices, data.X.data), strict=True)))
    table[Columns.Datetime] = pd.Timestamp("2020-01-01")
    dataset = Dataset.construct(table)
    items = np.asarray(dataset.item_id_map.external_ids)

    def fit() -> Arrays:
        weights = EASEModel(regularization=RIDGE).fit(dataset).weight
        out = np.zeros((data.X.shape[1],) * 2, weights.dtype)
        out[np.ix_(items, items)] = weights
        return {"weights": out}

    return fit


def scipy_gramian(data: Data) -> Fit:
    return lambda: {"weights": (data.X.T.tocsr() @ data.X).toarray()}


def numpy_ease(data: Data) -> Fit:
    X = data.X.astype(np.float64)

    def fit() -> Arrays:
        G = (X.T @ X).toarray()
        G[np.diag_indices(len(G))] += RIDGE
        P = np.linalg.inv(G)
        B = P / -np.diag(P)
        np.fill_diagonal(B, 0)
        return {"weights": B}

    return fit


def lenskit_ease(data: Data) -> Fit:
    """LensKit counts interactions without their values: ours then fits ones, too."""
    from lenskit.knn.ease import EASEScorer

    dataset, _items = lenskit_data(data)

    def fit() -> Arrays:
        model = EASEScorer(regularization=RIDGE)
        model.train(dataset)
        known = np.asarray(model.items.ids())
        out = np.zeros((data.X.shape[1],) * 2, np.float32)
        out[np.ix_(known, known)] = model.weights
        return {"weights": out}

    return fit


def lenskit_data(data: Data) -> tuple[Any, np.ndarray]:
    import pandas as pd
    from lenskit.data import from_interactions_df

    table = pd.DataFrame({"user_id": data.rows, "item_id": data.X.indices})
    dataset = from_interactions_df(table)
    return dataset, np.asarray(dataset.items.ids())


def lenskit_slim(data: Data) -> Fit:
    from lenskit.knn.slim import SLIMScorer
    from lenskit.training import TrainingOptions

    dataset, items = lenskit_data(data)
    l1, ridge = slim_penalties(data)

    def fit() -> Arrays:
        model = SLIMScorer(l1_reg=l1, l2_reg=ridge, max_iters=100)
        model.train(dataset, TrainingOptions())
        n = data.X.shape[1]
        W = sp.coo_matrix(model.weights)
        return sparse_arrays(sp.coo_matrix((W.data, (items[W.row], items[W.col])), shape=(n, n)))

    return fit


def lapack_inverse(data: Data) -> Fit:
    """The two LAPACK calls alone, on a Gramian that is not timed."""
    from scipy.linalg.lapack import spotrf, spotri

    from aimass_core import kernels

    parts = (data.X.indptr.astype(np.int64), data.X.indices, data.X.data)
    A = np.asfortranarray(kernels.gram_matrix(*parts, data.X.shape[1], data.n_threads))
    A[np.diag_indices(len(A))] += RIDGE

    def fit() -> Arrays:
        factor, _ = spotrf(A, lower=True, overwrite_a=True)
        spotri(factor, lower=True, overwrite_c=True)
        return {}

    return fit


def slim_penalties(data: Data) -> tuple[float, float]:
    """Return the absolute L1 and L2 penalties of the elastic net."""
    strength = data.X.shape[0] * SLIM_ALPHA
    return strength * SLIM_L1_RATIO, strength * (1 - SLIM_L1_RATIO)


def irspack_slim(data: Data) -> Fit:
    from irspack.recommenders.slim import SLIMRecommender

    X = data.X.astype(np.float64)

    def fit() -> Arrays:
        model = SLIMRecommender(
            X, alpha=SLIM_ALPHA, l1_ratio=SLIM_L1_RATIO, n_threads=data.n_threads
        )
        return sparse_arrays(model.learn().W)

    return fit


def fastslim_slim(data: Data) -> Fit:
    import fastslim

    X = sp.csr_matrix(data.X, dtype=np.float64)
    l1, ridge = slim_penalties(data)

    def fit() -> Arrays:
        return sparse_arrays(fastslim.fit(X, lambd=l1, beta=ridge, n_threads=data.n_threads))

    return fit


def sklearn_slim(data: Data) -> Fit:
    """A loop over some items; the seconds are scaled to all of them."""
    from sklearn.linear_model import ElasticNet

    columns = sp.csc_matrix(data.X, dtype=np.float64)
    n_users, n_items = columns.shape
    targets = np.linspace(0, n_items - 1, SKLEARN_ITEMS).astype(int)
    model = ElasticNet(
        alpha=SLIM_ALPHA,
        l1_ratio=SLIM_L1_RATIO,
        fit_intercept=False,
        positive=True,
        max_iter=1000,
        copy_X=False,
    )

    def fit() -> Arrays:
        out = np.zeros((len(targets), n_items))
        for row, j in enumerate(targets):
            entries = slice(columns.indptr[j], columns.indptr[j + 1])
            values, column = columns.data[entries].copy(), np.zeros(n_users)
            column[columns.indices[entries]] = values
            columns.data[entries] = 0  # an item has no coefficient of itself
            out[row] = model.fit(columns, column).coef_
            columns.data[entries] = values
        factor = np.array(n_items / len(targets))
        return {"targets": targets, "some": out, "factor": factor}

    return fit


def surprise_rating(name: str, **options: Any) -> Callable[[Data], Fit]:
    """Return the adapter of a model of Surprise."""

    def adapter(data: Data) -> Fit:
        import surprise

        n_users, n_items = data.X.shape
        ur: dict[int, list[Any]] = {u: [] for u in range(n_users)}
        ir: dict[int, list[Any]] = {i: [] for i in range(n_items)}
        for u, i, r in data.triplets:
            ur[u].append((i, r))
            ir[i].append((u, r))
        ids = [{str(row): row for row in range(n)} for n in (n_users, n_items)]
        trainset = surprise.Trainset(ur, ir, n_users, n_items, data.X.nnz, (1, 5), *ids)
        model = getattr(surprise, name)(random_state=0, **options)

        def fit() -> Arrays:
            model.fit(trainset)
            return {}

        def predicted() -> Arrays:
            pairs = zip(*(part.tolist() for part in data.test[:2]), strict=True)
            ratings = [np.clip(model.estimate(u, i), 1, 5) for u, i in pairs]
            return {"ratings": np.array(ratings, dtype=float)}

        fit.after = predicted  # type: ignore[attr-defined]  # Python loops that are not timed
        return fit

    return adapter


@dataclass(frozen=True)
class Comparison:
    """A task, a peer, the ratio that is aimed at, and what the results have in common."""

    task: str
    peer: str
    adapter: Callable[[Data], Fit]
    aim: float
    measure: str


_SVDPP = {"n_factors": 20, "n_epochs": EPOCHS["svdpp"], "lr_all": 0.007}
COMPARISONS = [
    Comparison("bpr", "implicit", implicit_bpr, 5, "auc"),
    Comparison("bpr", "cornac", cornac_bpr, 5, "auc"),
    Comparison("bpr", "buffalo", buffalo_bpr, 5, "auc"),
    Comparison("bpr", "rusket", rusket_bpr, 5, "auc"),
    Comparison("warp", "lightfm-next", lightfm_warp, 10, "precision"),
    Comparison("gramian", "scipy", scipy_gramian, 4, "weights"),
    Comparison("ease", "rectools", rectools_ease, 2.5, "weights"),
    Comparison("ease", "lenskit", lenskit_ease, 2.5, "weights"),
    Comparison("ease", "numpy", numpy_ease, 4.5, "weights"),
    Comparison("ease-large", "lapack", lapack_inverse, 1 / 1.3, "memory"),
    Comparison("slim", "irspack", irspack_slim, 2, "slim"),
    Comparison("slim", "fastslim", fastslim_slim, 2, "slim"),
    Comparison("slim", "lenskit", lenskit_slim, 2, "slim"),
    Comparison("slim", "scikit-learn", sklearn_slim, 20, "slim"),
    Comparison("svd", "cornac", cornac_svd, 1.5, "rmse"),
    Comparison("svdpp", "surprise", surprise_rating("SVDpp", **_SVDPP), 30, "rmse"),
    Comparison("nmf", "surprise", surprise_rating("NMF", n_epochs=EPOCHS["nmf"]), 10, "rmse"),
    Comparison(
        "coclustering",
        "surprise",
        surprise_rating("CoClustering", n_epochs=EPOCHS["coclustering"]),
        10,
        "rmse",
    ),
]


# --- one fit in a process of its own ---


def work(task: str, peer: str, path: str, out: str, n_threads: int) -> None:
    """Fit once, write the arrays and print the seconds as JSON."""
    data = Data.load(path, n_threads)
    try:
        if peer == "ours":
            small = Data(data.X[:50], data.test, n_threads)
            if task not in ("ease-large", "slim"):
                ours_warm_up(task, small)
            fit = ours(task, data)
        else:
            chosen = next(c for c in COMPARISONS if (c.task, c.peer) == (task, peer))
            fit = chosen.adapter(data)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    with PeakMemory() as peak:
        begin, begin_cpu = time.perf_counter(), time.process_time()
        arrays = fit()
        seconds, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    arrays |= getattr(fit, "after", dict)()
    factor = float(arrays.pop("factor", 1.0))
    np.savez(out, **arrays)
    result = {"seconds": seconds * factor, "cpu": cpu * factor, "peak_mib": peak.mib}
    print(json.dumps(result))


def ours_warm_up(task: str, small: Data) -> None:
    """Import and compile what a fit needs: not the algorithm's time."""
    users, items, ratings = (part[small.test[0] < small.X.shape[0]] for part in small.test)
    ours(task, Data(small.X, (users, items, ratings), small.n_threads))()


# --- the table ---


def prepare(folder: Path, scale: str) -> dict[str, Path]:
    """Write the data of each task; return their paths."""
    import pyarrow.parquet as pq
    from data import power_law

    share, slim_items, ease_items = SIZES[scale]
    root = Path(os.environ["AIMASS_DATA"])
    table = pq.read_table(root / "movielens-1m" / "interactions.parquet")
    users, items, ratings = (
        table.column(name).to_numpy() for name in ("user_id", "item_id", "rating")
    )
    kept = users <= share * users.max()
    paths = {"ratings": folder / "ratings.npz"}
    save(paths["ratings"], users[kept], items[kept], ratings[kept].astype(np.float32), 0.1)
    table = pq.read_table(root / "gowalla" / "interactions.parquet")
    train = table.column("split").combine_chunks().cast("string").to_numpy(False) == "train"
    users, items = (table.column(n).to_numpy()[train] for n in ("user_id", "item_id"))
    popular = np.argsort(-np.bincount(items), kind="stable")[:slim_items]
    kept = np.isin(items, popular)
    paths["slim"] = folder / "slim.npz"
    save(paths["slim"], users[kept], items[kept], np.ones(kept.sum(), np.float32), 0.0)
    X = power_law(5 * ease_items, ease_items, 250 * ease_items)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    paths["ease-large"] = folder / "large.npz"
    save(paths["ease-large"], rows, X.indices, np.ones(X.nnz, np.float32), 0.0)
    ones = folder / "ones.npz"
    parts = dict(np.load(paths["ratings"]))
    parts["data"] = np.ones_like(parts["data"])
    np.savez(ones, **parts)
    paths["ones"] = ones
    return paths


def save(
    path: Path, users: np.ndarray, items: np.ndarray, values: np.ndarray, test_share: float
) -> None:
    """Write the entries as CSR with numbered rows, and a random share of them as the test part.

    Every user and item keeps an entry in the train part: Surprise divides by zero for others.
    """
    is_test = np.random.default_rng(0).random(len(users)) < test_share
    rows, columns = (np.unique(part, return_inverse=True)[1] for part in (users, items))
    for part in (users, items):
        is_test[np.unique(part, return_index=True)[1]] = False
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    train = ~is_test
    X = sp.csr_matrix((values[train], (rows[train], columns[train])), shape=shape)
    np.savez(
        path,
        data=X.data,
        indices=X.indices,
        indptr=X.indptr,
        shape=np.array(shape),
        users=rows[is_test],
        items=columns[is_test],
        ratings=values[is_test],
    )


def quality(measure: str, arrays: Arrays, data: Data) -> float:
    """Return AUC, precision@10 or RMSE on the test part."""
    users, items, ratings = data.test
    if measure == "rmse":
        return float(np.sqrt(np.mean((arrays["ratings"] - ratings) ** 2)))
    seen = sp.csr_matrix(data.X, dtype=bool)
    rng = np.random.default_rng(0)
    P, Q = arrays["users"].astype(np.float64), arrays["items"].astype(np.float64)
    if measure == "auc":
        others = rng.integers(0, len(Q), len(users))
        free = ~np.asarray(seen[users, others]).ravel() & (others != items)
        u, i, j = users[free], items[free], others[free]
        return float((np.einsum("ef,ef->e", P[u], Q[i] - Q[j]) > 0).mean())
    relevant = sp.csr_matrix((np.ones(len(users), bool), (users, items)), shape=data.X.shape)
    rows = np.flatnonzero(np.diff(relevant.indptr))[:2000]
    scores = P[rows] @ Q.T
    scores[seen[rows].toarray()] = -np.inf
    best = np.argpartition(-scores, 10, axis=1)[:, :10]
    return float(np.take_along_axis(relevant[rows].toarray(), best, axis=1).mean())


def compared(one: Comparison, own: Arrays, theirs: Arrays, data: Data) -> tuple[str, bool]:
    """Return what both results have in common in words, and whether the check passes."""
    tolerance = AGREES.get(one.measure, 0.0)
    if one.measure == "memory":
        return f"residual {float(own['residual']):.1e}", True
    if one.measure == "weights":
        scale = np.abs(own["weights"]).max()
        difference = float(np.abs(own["weights"] - theirs["weights"]).max() / scale)
        return f"weights differ by {difference:.1e}", difference <= tolerance
    if one.measure == "slim":
        n = data.X.shape[1]
        W = sp.csc_matrix((own["data"], own["indices"], own["indptr"]), shape=(n, n))
        if "some" in theirs:
            W, V = W[:, theirs["targets"]].toarray().T, theirs["some"]
            difference = np.linalg.norm(W - V) / max(np.linalg.norm(V), 1e-30)
        else:
            parts = theirs["data"], theirs["indices"], theirs["indptr"]
            V = sp.csc_matrix(parts, shape=(n, n))
            difference = sp.linalg.norm(W - V) / max(sp.linalg.norm(V), 1e-30)
        return f"weights differ by {difference:.1e}", bool(difference <= tolerance)
    a, b = (quality(one.measure, part, data) for part in (own, theirs))
    lead = b - a if one.measure == "rmse" else a - b
    return f"{one.measure} {a:.4f} / {b:.4f}", lead >= -tolerance


def run(
    one: Comparison, data_path: Path, folder: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Measure one comparison and return its row."""
    least: dict[str, dict[str, float]] = {}
    chosen = dict(text.split("=", 1) for text in arguments.python)
    paths = dict(text.split("=", 1) for text in arguments.path)
    n = str(arguments.threads)
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), n)
    limits |= {"AIMASS_NUM_THREADS": n, "MKL_NUM_THREADS": n}
    for _ in range(1 if one.task == "ease-large" else arguments.rounds):
        for member in ("ours", one.peer):
            out = folder / f"{member}.npz"
            python = chosen.get(member, sys.executable)
            environment = {**os.environ, **limits}
            if member in paths:
                old = environment.get("PYTHONPATH", "")
                environment["PYTHONPATH"] = f"{paths[member]}{os.pathsep}{old}"
            words = ["--worker", one.task, member, str(data_path), str(out), n]
            done = subprocess.run(
                [python, __file__, *words],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
                return {"note": f"{member} failed: {said[-1][:100]}"}
            result = json.loads(done.stdout.strip().splitlines()[-1])
            if "missing" in result:
                return {"note": f"not installed: {result['missing'][:80]}"}
            before = least.get(member, result)
            least[member] = {name: min(result[name], before[name]) for name in result}
    data = Data.load(str(data_path), arguments.threads)
    own, theirs = (dict(np.load(folder / f"{m}.npz")) for m in ("ours", one.peer))
    text, passes = compared(one, own, theirs, data)
    row = {
        "ours": least["ours"],
        "theirs": least[one.peer],
        "results": text + ("" if passes else " **(check failed)**"),
        "passes": passes,
    }
    if one.measure == "memory":
        share = least["ours"]["peak_mib"] * 2**20 / (4 * data.X.shape[1] ** 2)
        row["results"] += f", peak {share:.2f} n^2 float32 (bar 1.6)"
    return row


def write(lines: list[str], out: str | None) -> None:
    """Print the last line, and write all lines to the file."""
    print(lines[-1], flush=True)
    if out:
        Path(out).write_text("\n".join(lines) + "\n")


def main() -> int:
    """Run the comparisons and print the table; return the exit status."""
    if sys.argv[1:2] == ["--worker"]:
        task, peer, path, out, n_threads = sys.argv[2:]
        work(task, peer, path, out, int(n_threads))
        return 0
    tasks = list(dict.fromkeys(c.task for c in COMPARISONS))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join(tasks))
    parser.add_argument("--scale", choices=list(SIZES), default="full")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--python", action="append", default=[], metavar="PEER=INTERPRETER")
    parser.add_argument("--path", action="append", default=[], metavar="PEER=FOLDER")
    parser.add_argument("--out", help="also write the table to this file")
    arguments = parser.parse_args()
    wrong = set(arguments.tasks) - set(tasks)
    if wrong:
        parser.error(f"no such task: {', '.join(sorted(wrong))}; the tasks are {', '.join(tasks)}")
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = prepare(folder, arguments.scale)
        lines = [
            "| task | peer | ours s | peer s | ratio | ours CPU s | peer CPU s | CPU ratio | aim "
            "| results: ours / peer |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
        ]
        for one in COMPARISONS:
            if arguments.tasks and one.task not in arguments.tasks:
                continue
            kind = one.task if one.task in paths else "ratings"
            path = paths["ones" if (one.task, one.peer) == ("ease", "lenskit") else kind]
            row = run(one, path, folder, arguments)
            if "note" in row:
                lines.append(
                    f"| {one.task} | {one.peer} | | | | | | | {one.aim:.3g} | {row['note']} |"
                )
            else:
                failed += not row["passes"]
                pairs = [(row["ours"][of], row["theirs"][of]) for of in ("seconds", "cpu")]
                times = " | ".join(f"{a:.3f} | {b:.3f} | {b / a:.2f}" for a, b in pairs)
                lines.append(
                    f"| {one.task} | {one.peer} | {times} | {one.aim:.3g} | {row['results']} |"
                )
            write(lines, arguments.out)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
