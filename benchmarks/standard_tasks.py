"""The shared data sets as evaluation tasks: a split, metrics, and published values of that split.

``TASKS`` names them; ``of_file`` makes one of a table of the user. A published value belongs to its
split, its denominator and its treatment of ties; only values of the same protocol stand here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quality import USER_ITEM, Ncf, ncf_data

from aimass_core import EASE, SLIM, Interactions, ItemKNN, Similarity
from aimass_core.data import split
from aimass_core.evaluation import bootstrap_interval, evaluate, rank_among, rank_metrics

LISTS = ("recall@20", "ndcg@20")
VALUE = {"value": "rating", "nulls": "drop"}


@dataclass(frozen=True)
class Task:
    """A data set, how it is divided, what is computed, and what others published for it."""

    split: str  # in words
    metrics: tuple[str, ...]
    load: Callable[[], Any]  # a Split, or an `Ncf`
    published: dict[str, tuple[float | None, ...]] = field(default_factory=dict)  # by metric
    extra: dict[str, Any] = field(default_factory=dict)  # further models with their settings

    @property
    def has_ratings(self) -> bool:
        """Whether values are ratings that can be predicted."""
        return "rmse" in self.metrics


def folder(name: str) -> Path:
    """A data set under AIMASS_DATA."""
    return Path(os.environ.get("AIMASS_DATA", "")) / name


def interactions(name: str, **columns: Any) -> Interactions:
    """The interactions of a data set."""
    return Interactions.from_table(folder(name) / "interactions.parquet", **USER_ITEM, **columns)


def random_ratings(name: str) -> Callable[[], Any]:
    """A random fifth of the ratings is the test part."""
    return lambda: split.random(interactions(name, **VALUE), test_size=0.2, random_state=0)


def random_of_users(name: str) -> Callable[[], Any]:
    """A random fifth of each user's items is the test part."""
    return lambda: split.per_user(interactions(name), test_size=0.2, random_state=0)


def by_column(name: str) -> Callable[[], Any]:
    """The split of the literature, in the column ``split``."""
    path = folder(name) / "interactions.parquet"
    return lambda: split.by_column(path, column="split", **USER_ITEM)


def retail() -> Any:
    """Purchases of customers in the order of time."""
    x = Interactions.from_table(
        folder("online-retail-ii") / "transactions_2010_2011_sales.parquet",
        user="customer_id",
        item="stock_code",
        time="invoice_date",
        nulls="drop",
    )
    return split.temporal(x, test_size=0.2)


RANDOM = "a random fifth of the ratings"
RP3BETA = {
    "similarity": Similarity("rp3beta", alpha=0.7, beta=0.2),
    "n_neighbors": 200,
    "neighbors_of": "seen",
}
NCF_ITEM = {
    "n_neighbors": 111,
    "similarity": Similarity(shrink=298.0),
    "weighting": "bm25",
    "profile": "raw",
}
TASKS: dict[str, Task] = {
    "movielens-latest-small": Task(
        RANDOM, (*LISTS, "rmse"), random_ratings("movielens-latest-small")
    ),
    "movielens-100k": Task(
        RANDOM,
        (*LISTS, "rmse"),
        random_ratings("movielens-100k"),
        {
            "Surprise, SVD++ (5 random folds)": (None, None, 0.919),
            "Surprise, SVD (5 random folds)": (None, None, 0.934),
            "Surprise, k-NN baseline (5 random folds)": (None, None, 0.931),
            "Surprise, baseline only (5 random folds)": (None, None, 0.944),
        },
    ),
    "movielens-1m": Task(
        RANDOM,
        (*LISTS, "rmse"),
        random_ratings("movielens-1m"),
        {
            "Surprise, SVD++ (5 random folds)": (None, None, 0.862),
            "Surprise, SVD (5 random folds)": (None, None, 0.873),
            "Surprise, k-NN baseline (5 random folds)": (None, None, 0.895),
            "Surprise, baseline only (5 random folds)": (None, None, 0.909),
        },
    ),
    "movielens-1m-ncf": Task(
        "leave-one-out, 99 published negatives",
        ("hit_rate@10", "ndcg@10"),
        lambda: ncf_data(folder("movielens-1m")),
        {
            "EASE": (0.7192, 0.4494),
            "SLIM": (0.7162, 0.4468),
            "iALS": (0.7109, 0.4382),
            "NeuMF": (0.7093, 0.4349),
            "PureSVD": (0.6937, 0.4303),
            "user-kNN": (0.6768, 0.4100),
            "RP3beta": (0.6758, 0.4011),
            "item-kNN": (0.6694, 0.3979),
            "popularity": (0.4533, 0.2542),
        },
        {
            "ease, published setting": EASE(regularization=1320.0),
            "slim, published setting": SLIM(alpha=0.0788, l1_ratio=1.19e-5, n_neighbors=544),
            "item-knn, published setting": ItemKNN(**NCF_ITEM),
        },
    ),
    "online-retail-ii": Task("the newest fifth of the purchases", LISTS, retail),
    "steam-200k": Task("a random fifth of each user", LISTS, random_of_users("steam-200k")),
    "lastfm-hetrec-2k": Task(
        "a random fifth of each user", LISTS, random_of_users("lastfm-hetrec-2k")
    ),
    "gowalla": Task(
        "of LightGCN",
        LISTS,
        by_column("gowalla"),
        {
            "SimpleX": (0.1872, 0.1557),
            "UltraGCN": (0.1862, 0.1580),
            "MF-CCL": (0.1837, 0.1493),
            "LightGCN": (0.1830, 0.1554),
            "EASE": (0.1765, 0.1467),
            "SLIM": (0.1699, 0.1382),
            "MF-BPR": (0.1627, 0.1378),
            "NGCF": (0.1570, 0.1327),
        },
        {
            "item-knn, rp3beta .7 / .2, tuned": ItemKNN(**RP3BETA),
            "ease, published setting": EASE(regularization=80.0),
            "slim, published setting": SLIM(alpha=0.005, l1_ratio=1e-6, n_candidates=500),
        },
    ),
    "amazon-book-kgat": Task(
        "of KGAT",
        LISTS,
        by_column("amazon-book-kgat"),
        {
            "RKGnet": (0.1592, None),
            "KGAT": (0.1489, None),
            "BPR-MF": (0.1336, 0.0694),
        },
        {
            "item-knn, rp3beta .6 / .3": ItemKNN(
                similarity=Similarity("rp3beta", alpha=0.6, beta=0.3),
                n_neighbors=200,
                neighbors_of="seen",
            )
        },
    ),
}


def is_there(name: str) -> bool:
    """Whether the files of a task are on this machine."""
    return folder(name.removesuffix("-ncf")).is_dir()


def of_file(path: Path, user: str, item: str, value: str | None, when: str | None) -> Task:
    """A task of a table of the user: split in time where there are times, else at random."""
    columns = {"user": user, "item": item, "value": value, "time": when, "nulls": "drop"}

    def load() -> Any:
        x = Interactions.from_table(path, **{k: v for k, v in columns.items() if v is not None})
        return split.temporal(x) if when else split.random(x, random_state=0)

    metrics = LISTS if value is None else (*LISTS, "rmse")
    return Task("the newest fifth" if when else "a random fifth", metrics, load)


def measured(task: Task, parts: Any, model: Any) -> dict[str, Any]:
    """Metrics with 95 % intervals, and the seconds of fit and lists, of one model."""
    if isinstance(parts, Ncf):
        return _measured_ncf(parts, model)
    rates = bool(getattr(model, "predicts_ratings", False))
    metrics = [m for m in task.metrics if m != "rmse" or rates]
    table = evaluate({"model": model}, parts, metrics=metrics, intervals=True)
    row, intervals = table["model"], table.intervals["model"]
    values = {}
    for metric in metrics:
        found = intervals.get(metric)
        ends = (None, None) if found is None else (found.lower, found.upper)
        values[metric] = [row[metric], *ends]
    return {"values": values, "fit_s": row["fit_s"], "recommend_s": row["recommend_s"]}


def _measured_ncf(data: Ncf, model: Any) -> dict[str, Any]:
    began = time.perf_counter()
    fitted = model.fit(data.train)
    fit_s = time.perf_counter() - began
    pairs = data.users.repeat(data.candidates.shape[1]), data.candidates.ravel()
    scores = fitted.predict(*pairs).reshape(data.candidates.shape)
    ranks = rank_among(scores, candidates=data.candidates, ties="index")
    found = rank_metrics(ranks, k=10, mean=False)
    values = {}
    for metric in ("hit_rate", "ndcg"):
        interval = bootstrap_interval(found[metric])
        values[f"{metric}@10"] = [float(found[metric].mean()), interval.lower, interval.upper]
    recommend_s = time.perf_counter() - began - fit_s
    return {"values": values, "fit_s": fit_s, "recommend_s": recommend_s}
