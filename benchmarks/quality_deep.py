"""Models of sequences and two towers against simple models: the next item of each user.

Usage: ``AIMASS_DATA=... python benchmarks/quality_deep.py [--data NAME ...] [--models NAME ...]
[--ties random] [--max-iter 30] [--n-negatives N] [--threads 1]``. Needs PyTorch. Prints a markdown
table for each data set.

The newest interaction of each user is the test part, the one before it the validation part.
Interactions of a user at the same time, such as those of one purchase, are put into a random order
first. With ``--ties columns`` they keep the order of the columns: then the test item is the one
with the highest column of a purchase, and models that count successors learn the order of columns.

Every model without a network is fitted with each of its settings below, takes the best one by
NDCG@10 on the validation part, and is fitted again on both older parts. A network trains on what is
older than the validation part, ends by early stopping on it, and answers from the complete history
before the test item (`recommend_new`); this is the protocol of the papers. Its softmax is taken
over ``--n-negatives`` items: by default over all items if there are fewer than 5,000, else over
1,000. All items that the user does not have are ranked. Seconds are those of the processor, over
all threads: of the fit whose lists are evaluated, and of everything that chose the setting.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from aimass_core import (
    GRU4Rec,
    ImplicitALS,
    Interactions,
    ItemKNN,
    Popularity,
    Recommender,
    SASRec,
    SessionKNN,
    Similarity,
    TwoTower,
)
from aimass_core.data import split
from aimass_core.evaluation import bootstrap_interval

K = 10
FULL_SOFTMAX = 5000  # items from which the softmax is taken over drawn ones
FILES = {
    "movielens-100k": ("interactions.parquet", "user_id", "item_id", "timestamp"),
    "movielens-latest-small": ("interactions.parquet", "user_id", "item_id", "timestamp"),
    "online-retail-ii": (
        "transactions_2010_2011_sales.parquet",
        "customer_id",
        "stock_code",
        "invoice_date",
    ),
}


class MarkovChain(Recommender):
    """Scores by the counts of items that followed a user's last items, distant ones counting less.

    Parameters
    ----------
    reach : int, default=1
        A pair of items at distance d in a sequence counts 1/d, up to this distance.
    n_last : int, default=1
        Last items of a user; the m-th from the end counts 1/m.
    """

    _keeps_times: ClassVar[bool] = True

    def __init__(self, *, reach: int = 1, n_last: int = 1) -> None:
        self.reach = reach
        self.n_last = n_last

    def _learn(self, n_threads: int) -> None:
        X = self.user_items_
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        order = np.lexsort((X.indices, self.timestamps_, rows))
        items, rows = X.indices[order], rows[order]
        counts = sp.csr_array((self.n_items, self.n_items))
        for d in range(1, self.reach + 1):
            same = rows[d:] == rows[:-d]
            pairs = (items[:-d][same], items[d:][same])
            weights = np.full(len(pairs[0]), 1 / d)
            counts = counts + sp.csr_array((weights, pairs), shape=counts.shape)
        totals = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1e-12)
        self.transitions_ = sp.csr_array(sp.diags_array(1 / totals) @ counts)
        ends = X.indptr[1:].astype(np.int64)
        last = []
        for m in range(1, self.n_last + 1):
            has = np.flatnonzero(np.diff(X.indptr) >= m)
            last.append((has, items[ends[has] - m], np.full(len(has), 1 / m)))
        users, columns, weights = (np.concatenate(parts) for parts in zip(*last, strict=True))
        self.last_ = sp.csr_array((weights, (users, columns)), shape=X.shape)

    def score(self, query: Any) -> Any:
        """Return the scores; popularity breaks ties."""
        scores = (self.last_[query.users] @ self.transitions_).toarray()
        return scores + 1e-9 * self.item_counts_


def settings(
    n_items: int, max_iter: int, n_negatives: int | None, threads: int
) -> dict[str, list[Any]]:
    """Return the models and the settings that each is chosen from."""
    one = {"n_threads": threads}
    if n_negatives is None and n_items >= FULL_SOFTMAX:
        n_negatives = 1000
    network = {**one, "max_iter": max_iter, "n_negatives": n_negatives, "learning_rate": 0.003}
    rp3beta = Similarity("rp3beta", alpha=0.6, beta=0.3)
    return {
        "Popularity": [Popularity()],
        "ItemKNN": [
            ItemKNN(n_neighbors=n, similarity=s, neighbors_of="seen", **one)
            for n in (20, 50, 200)
            for s in ("cosine", Similarity("cosine", shrink=20.0), rp3beta)
        ],
        "ImplicitALS": [
            ImplicitALS(n_factors=f, regularization=r, alpha=a, **one)
            for f in (32, 64, 128)
            for r in (0.01, 0.1)
            for a in (1.0, 10.0)
        ],
        "SessionKNN": [
            SessionKNN(n_neighbors=n, recency=r, **one)
            for n in (20, 50, 200)
            for r in (0.5, 1.0, 2.0, 4.0)
        ],
        "Markov chain": [
            MarkovChain(reach=reach, n_last=n) for reach in (1, 3, 10) for n in (1, 3, 10, 30)
        ],
        "GRU4Rec": [GRU4Rec(**network, batch_size=32)],
        "SASRec": [SASRec(**network, batch_size=32)],
        "TwoTower": [TwoTower(**network)],
    }


@dataclass(frozen=True)
class Parts:
    """What is older than the validation part, that part, both, and the test part."""

    old: Interactions
    validation: Interactions
    train: Interactions
    test: Interactions


def with_drawn_ties(x: Interactions) -> Interactions:
    """Return interactions whose times are ranks; those of the same time are in a random order."""
    rows = np.repeat(np.arange(x.n_users), np.diff(x.matrix.indptr))
    drawn = np.random.default_rng(0).random(x.nnz)
    ranks = np.empty(x.nnz, dtype=np.int64)
    ranks[np.lexsort((drawn, x.timestamps, rows))] = np.arange(x.nnz)
    return Interactions(x.matrix, x.users, x.items, timestamps=ranks)


def load(name: str, ties: str) -> Parts:
    """Return the parts of a data set; users have at least three interactions."""
    root = Path(os.environ.get("AIMASS_DATA", "")) / name
    if not root.is_dir():
        sys.exit(f"set AIMASS_DATA to the folder that holds {name}")
    file, user, item, when = FILES[name]
    x = Interactions.from_table(
        root / file, user=user, item=item, time=when, duplicates="sum", nulls="drop"
    )
    x = x.with_matrix((x.matrix > 0).astype(np.float32))
    if ties == "random":
        x = with_drawn_ties(x)
    newest = split.leave_last(x, min_train=2)
    older = split.leave_last(newest.train, min_train=1)
    return Parts(older.train, older.test, newest.train, newest.test)


def per_user(lists: Any, held: Interactions) -> tuple[Any, Any]:
    """Return NDCG and recall at 10 of each user with a held-out item, of which there is one."""
    users = np.flatnonzero(np.diff(held.matrix.indptr))
    targets = held.matrix.indices[held.matrix.indptr[users]]
    is_hit = lists.indices[users] == targets[:, None]
    ndcg = (is_hit / np.log2(2 + np.arange(is_hit.shape[1]))).sum(axis=1)
    return ndcg, is_hit.any(axis=1).astype(float)


def measured(parts: Parts, candidates: list[Any]) -> tuple[Any, tuple[Any, Any], float, float, Any]:
    """Return the model, both metrics of each user, and the seconds of the fit and of the choice."""
    begin = time.process_time()
    if getattr(candidates[0], "needs_extra", None) == "deep":
        (model,) = candidates
        model.fit(parts.old, validation=parts.validation, verbose=True)
        seconds = time.process_time() - begin
        return model, per_user(model.recommend_new(parts.train, k=K), parts.test), seconds, seconds
    scores = [
        per_user(model.fit(parts.old).recommend(k=K), parts.validation)[0].mean()
        for model in candidates
    ]
    model = candidates[int(np.argmax(scores))]
    start = time.process_time()
    model.fit(parts.train)
    end = time.process_time()
    return model, per_user(model.recommend(k=K), parts.test), end - start, end - begin


def cell(values: Any) -> str:
    """Return a mean with its 95 % interval over users."""
    found = bootstrap_interval(values)
    return f"{found.estimate:.4f} [{found.lower:.4f}, {found.upper:.4f}]"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument("--models", nargs="+", default=None)
    parser.add_argument("--ties", choices=("random", "columns"), default="random")
    parser.add_argument("--max-iter", type=int, default=30)
    parser.add_argument("--n-negatives", type=int, default=None)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    for name in options.data:
        parts = load(name, options.ties)
        n = np.count_nonzero(np.diff(parts.test.matrix.indptr))
        print(
            f"\n{name}: {parts.train.n_items} items, {parts.train.nnz} interactions, {n} users, "
            f"ties: {options.ties}\n"
        )
        print("| model | NDCG@10 [95 %] | recall@10 [95 %] | fit s | with choice s | chosen |")
        print("|---|---|---|---|---|---|", flush=True)
        for label, candidates in settings(
            parts.train.n_items, options.max_iter, options.n_negatives, options.threads
        ).items():
            if options.models is not None and label not in options.models:
                continue
            model, (ndcg, recall), fit_s, all_s = measured(parts, candidates)
            epochs = f", {model.n_iter_} epochs" if hasattr(model, "n_iter_") else ""
            row = [label, cell(ndcg), cell(recall), f"{fit_s:.1f}", f"{all_s:.1f}"]
            print("|", " | ".join([*row, f"`{model!r}`{epochs}"]), "|", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
