"""Pairwise and linear models on the splits of LightGCN and KGAT, compared with RP3beta.

Usage: ``python benchmarks/quality_pairwise.py gowalla|amazon-book-kgat [--models NAME ...]`` with
AIMASS_DATA naming the folder of the data sets. Fits the recorded settings on the train part, ranks
all items except those of train, and prints two markdown tables: the metrics with 95 % intervals and
seconds, and the differences from RP3beta on the same users with paired 95 % intervals. Exits with 1
if a model misses its target.

``--search`` computes the same metrics on a validation part instead: a fifth of the train items of
each user. It fits every setting that was compared. The first one of a model, marked "chosen", is
the recorded setting. It was chosen by the validation part; figures of some default settings on the
test part of Gowalla were known before.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from quality import USER_ITEM, folder

from aimass_core import (
    BPR,
    SLIM,
    CosineContrastiveMF,
    ItemKNN,
    SampledSoftmaxMF,
    Similarity,
    SparseEASE,
)
from aimass_core.data import split
from aimass_core.data.weighting import Normalize
from aimass_core.evaluation import compare_models, evaluate

BASELINE = "RP3beta"
METRICS = ("recall@20", "ndcg@20")


def rp3beta(alpha: float, beta: float) -> ItemKNN:
    """RP3beta with 200 neighbours of the items that a user has."""
    similarity = Similarity("rp3beta", alpha=alpha, beta=beta)
    return ItemKNN(n_neighbors=200, similarity=similarity, neighbors_of="seen")


def bpr(**settings: Any) -> BPR:
    """BPR against the hardest of several sampled negatives, with steps scaled by AdaGrad."""
    common = {"regularization": 0.01, "max_iter": 60}
    return BPR(**{**common, **settings})


def contrastive(**settings: Any) -> CosineContrastiveMF:
    """The loss with the weight and, unless it is given, the margin that were compared first."""
    common = {"margin": 0.9, "negative_weight": 150.0, "max_iter": 8}
    return CosineContrastiveMF(**{**common, **settings})


def softmax(**settings: Any) -> SampledSoftmaxMF:
    """The softmax loss with a small step."""
    return SampledSoftmaxMF(**{"learning_rate": 0.02, **settings})


def slim(alpha: float, **settings: Any) -> SLIM:
    """Non-negative regressions on the nearest items, almost without a penalty of L1."""
    return SLIM(alpha=alpha, **{"l1_ratio": 1e-6, "n_candidates": 200, **settings})


def sparse_ease(regularization: float | None = None, **settings: Any) -> SparseEASE:
    """Regressions on the hundred nearest items."""
    return SparseEASE(regularization=regularization, n_neighbors=100, n_checked=0, **settings)


# Settings by data set and model: the recorded one, then the others that were compared with it.
SETTINGS: dict[str, dict[str, list[Any]]] = {
    "gowalla": {
        BASELINE: [rp3beta(0.7, 0.2)],
        "BPR": [
            bpr(n_factors=128, n_candidates=16),
            bpr(n_candidates=8),
            bpr(n_candidates=8, regularization=0.002),
            bpr(
                n_factors=128,
                n_candidates=4,
                learning_rate=0.2,
                regularization=0.03,
                max_iter=40,
            ),
            bpr(
                n_candidates=4,
                optimizer="adam",
                learning_rate=0.002,
                regularization=0.001,
                max_iter=30,
            ),
            bpr(optimizer="sgd", learning_rate=0.05, n_candidates=1),
        ],
        "CosineContrastiveMF": [
            contrastive(n_factors=128, margin=0.7, max_iter=40),
            contrastive(n_factors=128, margin=0.7, max_iter=24),
            contrastive(margin=0.7, learning_rate=0.1),
            contrastive(margin=0.5),
            contrastive(),
            contrastive(learning_rate=0.02),
            contrastive(learning_rate=0.15),
            contrastive(init_scale=1.0),
            contrastive(n_negatives=256, negative_weight=300.0, learning_rate=0.1),
        ],
        "SampledSoftmaxMF": [
            softmax(n_factors=256, max_iter=8),
            softmax(max_iter=16),
            softmax(temperature=0.1, learning_rate=0.01, max_iter=16),
            softmax(temperature=0.2, learning_rate=0.05, max_iter=16),
            softmax(temperature=0.2, n_negatives=256, max_iter=8),
            softmax(temperature=0.2, negatives="popularity", popularity_power=0.5, max_iter=8),
        ],
        "SLIM": [
            slim(0.002, n_candidates=600),
            slim(0.002),
            slim(0.0025, n_candidates=2000),
            slim(0.002, n_candidates=50),
            slim(0.005),
            slim(0.001),
            slim(0.0005),
            slim(0.002, l1_ratio=0.01),
            slim(0.0003, weighting=Normalize()),
            slim(0.0001, weighting=Normalize()),
            slim(0.01, weighting="tf_idf"),
        ],
        "SparseEASE": [
            sparse_ease(80.0),
            sparse_ease(20.0),
            sparse_ease(300.0),
            sparse_ease(3.0, weighting=Normalize()),
            sparse_ease(10.0, weighting=Normalize()),
            sparse_ease(weighting="tf_idf"),
        ],
    },
    "amazon-book-kgat": {
        BASELINE: [rp3beta(0.6, 0.3)],
        "BPR": [bpr(n_factors=128, n_candidates=16, max_iter=40)],
        "SLIM": [SLIM(alpha=0.005, l1_ratio=1e-6, n_candidates=100)],
        "SparseEASE": [SparseEASE(regularization=50.0, n_neighbors=100)],
    },
}
# Smallest Recall@20 and NDCG@20 by data set and model.
TARGETS: dict[str, dict[str, tuple[float, ...]]] = {
    "gowalla": {"BPR": (0.1627, 0.1378)},
    "amazon-book-kgat": {"BPR": (0.1395,)},
}
# Smallest values that one model other than the baseline reaches.
BEST: dict[str, tuple[float, ...]] = {"gowalla": (0.1837, 0.1493)}


def load(data: str) -> Any:
    """The split of the literature."""
    path = folder(data) / "interactions.parquet"
    return split.by_column(path, column="split", **USER_ITEM)


def measured(models: dict[str, Any], parts: Any) -> Any:
    """The evaluation of models with the values of each user, each fit reported as it ends."""
    table = None
    for name, model in models.items():
        one = evaluate({name: model}, parts, metrics=list(METRICS), intervals=False, per_user=True)
        values = ", ".join(f"{metric} {one[name][metric]:.4f}" for metric in METRICS)
        print(f"{name}: {values}, fit {one[name]['fit_s']:.0f} s", file=sys.stderr, flush=True)
        if table is None:
            table = one
        else:
            table.rows[name] = one[name]
            table.per_user[name] = one.per_user[name]
    return table


def print_metrics(models: dict[str, Any], table: Any, comparison: Any) -> None:
    """The table of the metrics."""
    print("| model | setting | Recall@20 [95 %] | NDCG@20 [95 %] | fit s | lists s |")
    print("|---|---|---|---|---:|---:|")
    for name, model in models.items():
        row = table[name]
        cells = [name, f"`{model!r}`"]
        for metric in METRICS:
            interval = comparison.intervals[name][metric]
            cells.append(f"{row[metric]:.4f} [{interval.lower:.4f}, {interval.upper:.4f}]")
        print(f"| {' | '.join(cells)} | {row['fit_s']:.0f} | {row['recommend_s']:.0f} |")


def print_differences(comparison: Any) -> None:
    """The table of the paired differences from the baseline."""
    print(f"\n| model minus {BASELINE} | metric | difference [95 %] | adjusted p |")
    print("|---|---|---|---:|")
    for test in comparison.tests:
        sign = 1 if test.b == BASELINE else -1
        name = test.a if sign == 1 else test.b
        ends = sorted((sign * test.lower, sign * test.upper))
        value = f"{sign * test.difference:+.4f} [{ends[0]:+.4f}, {ends[1]:+.4f}]"
        print(f"| {name} | {test.metric} | {value} | {test.adjusted_p_value:.4f} |")


def missed(data: str, table: Any, names: list[str]) -> list[str]:
    """The targets that the models of a table do not reach, in words."""
    lines = []
    for name, target in TARGETS[data].items():
        if name in names:
            lines += [
                f"{name}: {metric} is {table[name][metric]:.4f}, the target is {least}"
                for metric, least in zip(METRICS, target, strict=False)
                if table[name][metric] < least
            ]
    if data in BEST and set(names) == set(SETTINGS[data]):
        pairs, others = list(zip(METRICS, BEST[data], strict=True)), set(names) - {BASELINE}
        if not any(all(table[name][m] >= least for m, least in pairs) for name in others):
            lines.append(f"no model reaches {BEST[data]}")
    return lines


def search(data: str, names: list[str]) -> None:
    """Print the metrics of every setting on the validation part."""
    parts = split.per_user(load(data).train, test_size=0.2, random_state=0)
    print("| model | setting | Recall@20 | NDCG@20 | fit s | |\n|---|---|---|---|---:|---|")
    for name in names:
        for number, model in enumerate(SETTINGS[data][name]):
            row = evaluate({name: model}, parts, metrics=list(METRICS), intervals=False)[name]
            values = " | ".join(f"{row[metric]:.4f}" for metric in METRICS)
            mark = "chosen" if number == 0 else ""
            line = f"| {name} | `{model!r}` | {values} | {row['fit_s']:.0f} | {mark} |"
            print(line, flush=True)


def main(words: list[str] | None = None) -> int:
    """Print the tables; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=list(SETTINGS))
    parser.add_argument("--models", nargs="*", default=[], help="names; default: all")
    parser.add_argument("--search", action="store_true", help="validation part, all settings")
    options = parser.parse_args(words)
    known = SETTINGS[options.data]
    if unknown := [name for name in options.models if name not in known]:
        parser.error(f"--models holds {unknown[0]!r}; the models are {', '.join(known)}")
    names = [n for n in known if n == BASELINE or not options.models or n in options.models]
    if options.search:
        search(options.data, names)
        return 0
    models = {name: known[name][0] for name in names}
    table = measured(models, load(options.data))
    comparison = compare_models(table.per_user, baseline=BASELINE)
    print_metrics(models, table, comparison)
    print_differences(comparison)
    lines = missed(options.data, table, names)
    print("".join(f"\nMissed: {line}" for line in lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
