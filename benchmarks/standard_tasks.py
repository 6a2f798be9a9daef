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

from quality import USER_ITEM, Ncf, ncf_data, rating_models
from quality_als import NCF as NCF_ALS

from aimass_core import EASE, SLIM, ImplicitALS, Interactions, ItemKNN, Similarity
from aimass_core.data import Features, split
from aimass_core.evaluation import bootstrap_interval, evaluate, rank_among, rank_metrics

LISTS = ("recall@20", "ndcg@20")
VALUE = {"value": "rating", "nulls": "drop"}


@dataclass(frozen=True)
class Published:
    """Values that others published for the split and the metrics of a task."""

    source: str  # who, where, and what differs
    values: dict[str, tuple[float | None, ...]]  # of each model, in the order of the metrics


@dataclass(frozen=True)
class Task:
    """A data set, how it is divided, what is computed, and what others published for it."""

    split: str  # in words
    metrics: tuple[str, ...]
    load: Callable[[], Any]  # a Split, or an `Ncf`
    published: tuple[Published, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)  # further models with their settings
    item_features: Callable[[], Any] | None = None  # given to the models that use them

    @property
    def has_ratings(self) -> bool:
        """Whether values are ratings that can be predicted."""
        return "rmse" in self.metrics

    @property
    def has_lists(self) -> bool:
        """Whether lists of items are evaluated."""
        return self.metrics != ("rmse",)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features that models can be given."""
        return () if self.item_features is None else ("item_features",)


def folder(name: str) -> Path:
    """A data set under AIMASS_DATA."""
    return Path(os.environ.get("AIMASS_DATA", "")) / name


def interactions(name: str, **columns: Any) -> Interactions:
    """The interactions of a data set."""
    return Interactions.from_table(folder(name) / "interactions.parquet", **USER_ITEM, **columns)


def random_ratings(name: str) -> Callable[[], Any]:
    """A random fifth of the ratings is the test part."""
    return lambda: split.random(interactions(name, **VALUE), test_size=0.2, random_state=0)


def genres(name: str) -> Callable[[], Any]:
    """The genres of films, as features of items."""

    def load() -> Any:
        import pyarrow.parquet as pq

        table = pq.read_table(folder(name) / "items.parquet", columns=["item_id", "genres"])
        return Features({"genres": "tags"}).fit_transform(table)

    return load


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
OF_USERS = "a random fifth of the items of each user"
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


SURPRISE = (
    "k-NN basic",
    "k-NN with means",
    "k-NN baseline",
    "baseline only",
    "Slope One",
    "co-clustering",
    "NMF",
    "SVD",
    "SVD++",
)


def surprise(*rmse: float) -> tuple[Published, ...]:
    """RMSE of the models of `SURPRISE`; metrics of lists are not published."""
    values = {name: (None, None, value) for name, value in zip(SURPRISE, rmse, strict=True)}
    return (Published("README of Surprise, mean of 5 random folds, default settings", values),)


def surprise_settings() -> dict[str, Any]:
    """Our models of the table of Surprise whose default settings are others."""
    models = rating_models()
    return {f"user-knn, as Surprise's {name}": models[name] for name in SURPRISE[:3]}


TASKS: dict[str, Task] = {
    "movielens-latest-small": Task(
        RANDOM,
        (*LISTS, "rmse"),
        random_ratings("movielens-latest-small"),
        item_features=genres("movielens-latest-small"),
    ),
    "movielens-100k": Task(
        RANDOM,
        (*LISTS, "rmse"),
        random_ratings("movielens-100k"),
        surprise(0.980, 0.951, 0.931, 0.944, 0.946, 0.963, 0.963, 0.934, 0.919),
        surprise_settings(),
        genres("movielens-100k"),
    ),
    "movielens-1m": Task(
        RANDOM,
        (*LISTS, "rmse"),
        random_ratings("movielens-1m"),
        surprise(0.923, 0.929, 0.895, 0.909, 0.907, 0.915, 0.916, 0.873, 0.862),
        surprise_settings(),
        genres("movielens-1m"),
    ),
    "movielens-1m-ncf": Task(
        "leave-one-out, among 99 published negatives",
        ("hit_rate@10", "ndcg@10"),
        lambda: ncf_data(folder("movielens-1m")),
        (
            Published(
                "Ferrari Dacrema et al., TOIS 2021, tuned settings",
                {
                    "EASE": (0.7192, 0.4494),
                    "SLIM": (0.7162, 0.4468),
                    "iALS": (0.7109, 0.4382),
                    "NeuMF": (0.7093, 0.4349),
                    "PureSVD": (0.6937, 0.4303),
                    "user-kNN, asymmetric cosine": (0.6768, 0.4100),
                    "RP3beta": (0.6758, 0.4011),
                    "item-kNN, cosine": (0.6694, 0.3979),
                    "popularity": (0.4533, 0.2542),
                },
            ),
            Published(
                "Rendle et al., RecSys 2022 (iALS revisited), 192 factors",
                {"iALS, tuned": (0.731, 0.452)},
            ),
        ),
        {
            "ease, published setting": EASE(regularization=1320.0),
            "slim, published setting": SLIM(alpha=0.0788, l1_ratio=1.19e-5, n_neighbors=544),
            "item-knn, published setting": ItemKNN(**NCF_ITEM),
            "implicit-als, published setting": ImplicitALS(**NCF_ALS),
        },
    ),
    "online-retail-ii": Task("the newest fifth of the purchases", LISTS, retail),
    "steam-200k": Task(OF_USERS, LISTS, random_of_users("steam-200k")),
    "lastfm-hetrec-2k": Task(OF_USERS, LISTS, random_of_users("lastfm-hetrec-2k")),
    "book-crossing": Task(OF_USERS, LISTS, random_of_users("book-crossing")),
    "insteval": Task(RANDOM, (*LISTS, "rmse"), random_ratings("insteval")),
    "jester-1": Task(RANDOM, ("rmse",), random_ratings("jester-1")),
    "gowalla": Task(
        "that of the LightGCN split",
        LISTS,
        by_column("gowalla"),
        (
            Published(
                "Mao et al., CIKM 2021 (SimpleX)",
                {"SimpleX": (0.1872, 0.1557), "MF-CCL": (0.1837, 0.1493)},
            ),
            Published(
                "Mao et al., CIKM 2021 (UltraGCN)",
                {
                    "UltraGCN": (0.1862, 0.1580),
                    "LightGCN": (0.1830, 0.1554),
                    "NGCF": (0.1570, 0.1327),
                },
            ),
            Published(
                "Zhu et al., SIGIR 2022 (BARS)",
                {
                    "EASE, l2 80": (0.1765, 0.1467),
                    "SLIM, alpha .005, l1 1e-6": (0.1699, 0.1382),
                    "MF-BPR": (0.1627, 0.1378),
                    "item-kNN, k 100": (0.1570, 0.1214),
                },
            ),
        ),
        {
            "item-knn, rp3beta .7 / .2, tuned": ItemKNN(**RP3BETA),
            "ease, published setting": EASE(regularization=80.0),
            "slim, published setting": SLIM(alpha=0.005, l1_ratio=1e-6, n_candidates=500),
        },
    ),
    "amazon-book-kgat": Task(
        "that of the KGAT split",
        LISTS,
        by_column("amazon-book-kgat"),
        (
            Published("Wang et al., KDD 2019, with a knowledge graph", {"KGAT": (0.1489, None)}),
            Published(
                "Scientific Reports 2025, doi 10.1038/s41598-025-31109-8, with a knowledge graph",
                {"RKGnet": (0.1592, None)},
            ),
            Published(
                "README of LunaBlack/KGAT-pytorch",
                {"BPR-MF": (0.1336, 0.0694), "KGAT in PyTorch": (0.1412, 0.0753)},
            ),
        ),
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
    # Neighbourhood models predict ratings with a mean, which they say after the fit only.
    rates = (
        getattr(model, "predicts_ratings", False) or getattr(model, "aggregation", "sum") != "sum"
    )
    metrics = [m for m in task.metrics if m != "rmse" or rates]
    features = {"item_features": task.item_features()} if task.item_features else {}
    table = evaluate({"model": model}, parts, metrics=metrics, intervals=True, **features)
    row, intervals = table["model"], table.intervals["model"]
    values = {}
    for metric in metrics:
        found = intervals.get(metric)
        ends = (None, None) if found is None else (found.lower, found.upper)
        values[metric] = [row[metric], *ends]
    recommend_s = row["recommend_s"] if task.has_lists else 0.0
    return {"values": values, "fit_s": row["fit_s"], "recommend_s": recommend_s}


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
