"""Items that nobody has yet: Recall@20 of models with features, and what known items lose.

A fifth of the items with at least five users is hidden from training, with all their interactions
("cold"). Models rank the hidden items for the users who have some. Another tenth of the other
interactions is held out and ranked among the known items ("warm"). Users of whom nothing is left
for training are left out of both figures. Intervals are of 95 %, over users; those of differences
to the peers are paired.

With ``--splits N`` the known items alone are compared, with and without features, over N splits.
The interval is then that of the mean over all users of all splits, the values of a user being one
cluster. ``--prior-weight`` takes other values of that parameter of `HybridALS`. With
``--validation`` the train part of each split is split again, without the hidden items, and the
figures are those of the held-out parts of that second split: parameters are compared without the
test parts.

Usage: ``python benchmarks/quality_cold_items.py lastfm|movielens|steam ... [--seed N]`` with
AIMASS_DATA naming the folder of the data sets. Seconds are of the processor, on one thread, and the
lowest of three fits where a fit is short. The peer lightfm-next is left out where it is not
installed. Exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from quality import folder

from aimass_core import (
    WARP,
    ContentBased,
    HybridALS,
    HybridBPR,
    HybridSampledSoftmax,
    HybridWARP,
    ImplicitALS,
    Interactions,
    VectorMap,
)
from aimass_core.data import Features

K, N_FACTORS, EPOCHS = 20, 64, 10
LOSS = 0.001  # of Recall@20 that known items may lose
CANDIDATES = 10  # drawn at most for a step of WARP: the default of LightFM
MIN_RATIO = 10.0  # of processor times of the same loss
SHORT = 5.0  # processor seconds up to which a fit is repeated
DECADE = re.compile(r"\((\d{3})\d\)")


@dataclass(frozen=True)
class Data:
    """Interactions and features in the order of the same items."""

    name: str
    X: sp.csr_array
    features: sp.csr_array
    als: dict[str, float]


def columns(path: Any) -> dict[str, list[Any]]:
    """Return a parquet file as lists by name."""
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pydict()


def words(title: str) -> list[str]:
    """Return the words of a title."""
    return re.findall(r"[a-z0-9]+", title.lower())


def lastfm() -> Data:
    """Artists, with the tags that users gave them."""
    root = folder("lastfm-hetrec-2k")
    x = Interactions.from_table(root / "interactions.parquet", user="user_id", item="item_id")
    tags = columns(root / "tags.parquet")
    by_item: dict[int, list[str]] = {}
    for item, tag in zip(tags["item_id"], tags["tag"], strict=True):
        by_item.setdefault(item, []).append(tag)
    cells = [by_item.get(item, []) for item in x.items.ids.tolist()]
    return data("lastfm", x, {"tags": cells}, {"regularization": 0.01})


def movielens() -> Data:
    """Films rated 4 or 5, with genres, words of the title and the decade."""
    root = folder("movielens-1m")
    x = Interactions.from_table(
        root / "interactions.parquet", user="user_id", item="item_id", value="rating"
    )
    x = x.keep_entries(x.matrix.data >= 4)
    table = columns(root / "items.parquet")
    rows = {item: n for n, item in enumerate(table["item_id"])}
    order = [rows[item] for item in x.items.ids.tolist()]
    titles = [table["title"][n] or "" for n in order]
    decades = [found[1] if (found := DECADE.search(title)) else "" for title in titles]
    cells = {
        "genres": [(table["genres"][n] or "").split("|") for n in order],
        "words": [words(title) for title in titles],
        "decade": [[decade] for decade in decades],
    }
    return data("movielens", x, cells, {"regularization": 0.003})


def steam() -> Data:
    """Games, with the words of their titles."""
    root = folder("steam-200k")
    x = Interactions.from_table(root / "interactions.parquet", user="user_id", item="item_id")
    table = columns(root / "items.parquet")
    titles = dict(zip(table["item_id"], table["title"], strict=True))
    cells = [words(titles.get(item) or "") for item in x.items.ids.tolist()]
    return data("steam", x, {"words": cells}, {"regularization": 0.01})


def data(
    name: str, x: Interactions, cells: dict[str, list[list[str]]], als: dict[str, float]
) -> Data:
    """Return binary interactions and the encoded features."""
    encoder = Features(dict.fromkeys(cells, "tags"), id_column=False, min_frequency=2)
    matrix = encoder.fit_transform(cells).matrix
    X = x.matrix.copy()
    X.data = np.ones(X.nnz, dtype=np.float32)
    return Data(name, sp.csr_array(X), matrix, als)


# ---- the split and the figures -------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """Train part, held-out parts of known and of hidden items, flags of hidden items."""

    train: sp.csr_array
    warm: sp.csr_array
    cold: sp.csr_array
    is_cold: np.ndarray


def cut(X: sp.csr_array, seed: int) -> Parts:
    """Hide a fifth of the items, and a tenth of the other interactions."""
    rng = np.random.default_rng(seed)
    counts = np.bincount(X.indices, minlength=X.shape[1])
    often = np.flatnonzero(counts >= 5)
    is_cold = np.zeros(X.shape[1], dtype=bool)
    is_cold[rng.choice(often, len(often) // 5, replace=False)] = True
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    cold = is_cold[X.indices]
    warm = ~cold & (rng.random(X.nnz) < 0.1)
    in_train = np.bincount(rows[~cold & ~warm], minlength=X.shape[0]) > 0
    known = in_train[rows]  # users whom training does not know are left out of the figures

    def part(keep: np.ndarray) -> sp.csr_array:
        entries = X.data[keep], (rows[keep], X.indices[keep])
        return sp.csr_array(sp.coo_array(entries, shape=X.shape))

    return Parts(part(~cold & ~warm), part(warm & known), part(cold & known), is_cold)


def recalls(lists: np.ndarray, test: sp.csr_array) -> np.ndarray:
    """Recall@20 of each user of the test part: hits by the smaller of 20 and the user's items."""
    rows = np.repeat(np.arange(test.shape[0]), np.diff(test.indptr))
    keys = rows.astype(np.int64) * test.shape[1] + test.indices
    listed = np.arange(len(lists))[:, None] * np.int64(test.shape[1]) + lists
    hits = (np.isin(listed, keys) & (lists >= 0)).sum(axis=1)
    n = np.diff(test.indptr)
    return (hits / np.minimum(np.maximum(n, 1), K))[n > 0]


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval."""
    return float(values.mean()), float(1.96 * values.std(ddof=1) / len(values) ** 0.5)


@dataclass(frozen=True)
class Figures:
    """What one model did."""

    name: str
    cold: np.ndarray
    warm: np.ndarray | None
    seconds: float

    def row(self) -> str:
        """A line of the markdown table."""
        cold = "{:.4f} ± {:.4f}".format(*interval(self.cold))
        warm = "" if self.warm is None else "{:.4f} ± {:.4f}".format(*interval(self.warm))
        return f"| {self.name} | {cold} | {warm} | {self.seconds:.2f} |"


def timed(fit: Callable[[], Any]) -> tuple[Any, float]:
    """Return a fitted model and its processor time: the lowest of three where a fit is short."""
    times: list[float] = []
    while len(times) < 3 and sum(times) < SHORT:
        started = time.process_time()
        model = fit()
        times.append(time.process_time() - started)
    return model, min(times)


def of_model(name: str, model: Any, case: Data, parts: Parts, **options: Any) -> Figures:
    """Fit a model and rank hidden and known items."""
    model, seconds = timed(lambda: model.fit(parts.train, **options))
    cold = model.recommend(k=K, candidates=parts.is_cold).indices
    warm = model.recommend(k=K, candidates=~parts.is_cold).indices
    return Figures(name, recalls(cold, parts.cold), recalls(warm, parts.warm), seconds)


def top(scores: Callable[[int, int], np.ndarray], parts: Parts, mask: np.ndarray) -> np.ndarray:
    """Return the best columns of dense scores, without what users have; in no order."""
    n, lists = parts.train.shape[0], []
    for begin in range(0, n, 1024):
        end = min(begin + 1024, n)
        block = np.array(scores(begin, end), dtype=np.float64)
        block[:, ~mask] = -np.inf
        own = parts.train[begin:end].tocoo()
        block[own.coords] = -np.inf
        lists.append(np.argpartition(-block, K, axis=1)[:, :K])
    return np.concatenate(lists)


def popularity_in_genre(case: Data, parts: Parts) -> Figures:
    """The mean popularity of the known items that share a feature, over the item's features."""
    started = time.process_time()
    counts = np.bincount(parts.train.indices, minlength=parts.train.shape[1]).astype(float)
    has = (case.features != 0).astype(float)
    known = has[~parts.is_cold]
    of_feature = known.T @ counts[~parts.is_cold] / np.maximum(known.sum(axis=0), 1)
    scores = has @ of_feature / np.maximum(np.asarray(has.sum(axis=1)).ravel(), 1)
    seconds = time.process_time() - started
    lists = top(lambda b, e: np.tile(scores, (e - b, 1)), parts, parts.is_cold)
    return Figures("popularity in genre", recalls(lists, parts.cold), None, seconds)


def lightfm(case: Data, parts: Parts, loss: str, seed: int) -> Figures:
    """The peer: identity and features, rows scaled to a sum of one as by its `Dataset`."""
    from lightfm import LightFM

    n = case.features.shape[0]
    both = sp.hstack([sp.eye_array(n), abs(case.features)]).tocsr()
    rows = sp.csr_matrix(sp.diags_array(1 / np.asarray(both.sum(axis=1)).ravel()) @ both)
    item_features = sp.csr_matrix(
        (rows.data.astype(np.float32), rows.indices.astype(np.int32), rows.indptr.astype(np.int32)),
        shape=rows.shape,
    )
    coo = parts.train.tocoo()
    pairs = tuple(c.astype(np.int32) for c in coo.coords)
    interactions = sp.coo_matrix((coo.data, pairs), shape=coo.shape)

    def fit() -> Any:
        model = LightFM(
            no_components=N_FACTORS, loss=loss, max_sampled=CANDIDATES, random_state=seed
        )
        return model.fit(interactions, item_features=item_features, epochs=EPOCHS, num_threads=1)

    model, seconds = timed(fit)
    biases, items = model.get_item_representations(item_features)
    users = model.get_user_representations()[1]

    def scores(begin: int, end: int) -> np.ndarray:
        return users[begin:end] @ items.T + biases

    cold, warm = (top(scores, parts, mask) for mask in (parts.is_cold, ~parts.is_cold))
    name = f"lightfm-next {loss}, {EPOCHS} epochs"
    return Figures(name, recalls(cold, parts.cold), recalls(warm, parts.warm), seconds)


# ---- the table -----------------------------------------------------------------------------------


def run(case: Data, seed: int) -> list[str]:
    """Print the table of one data set and return the bars that were missed."""
    parts = cut(case.X, seed)
    als = {"n_factors": N_FACTORS, "n_threads": 1, "random_state": seed, **case.als}
    sgd = {"n_factors": N_FACTORS, "max_iter": EPOCHS, "n_threads": 1, "random_state": seed}
    as_lightfm = {"learning_rate": 0.05, "regularization": 1e-5, "n_candidates": 1}
    softmax = {"temperature": 0.3, "regularization": 1e-5}
    with_features = {"item_features": case.features}
    print(
        f"\n{case.name}: {case.X.shape[0]} users, {case.X.shape[1]} items of which "
        f"{parts.is_cold.sum()} are hidden, {case.features.shape[1]} features\n"
    )
    print("| model | Recall@20 of hidden items | Recall@20 of known items | fit, s |")
    print("|---|---|---|---|")
    figures = [popularity_in_genre(case, parts)]
    print(figures[0].row(), flush=True)
    peers = [figures[0]]
    if importlib.util.find_spec("lightfm"):
        for loss in ("warp", "bpr"):
            peers.append(lightfm(case, parts, loss, seed))
            print(peers[-1].row(), flush=True)
    own = {}
    for name, model, options in (
        ("ImplicitALS", ImplicitALS(**als), {}),
        ("HybridALS", HybridALS(**als), with_features),
        ("VectorMap", VectorMap(**als, penalty=1.0), with_features),
        ("ContentBased", ContentBased(), with_features),
        ("WARP", WARP(**sgd), {}),
        ("HybridWARP", HybridWARP(**sgd), with_features),
        ("HybridWARP, as lightfm", HybridWARP(**sgd, n_candidates=CANDIDATES), with_features),
        ("HybridBPR", HybridBPR(**sgd, **as_lightfm), with_features),
        ("HybridSampledSoftmax", HybridSampledSoftmax(**sgd, **softmax), with_features),
    ):
        own[name] = of_model(name, model, case, parts, **options)
        print(own[name].row(), flush=True)
    return missed(own, peers)


def missed(own: dict[str, Figures], peers: list[Figures]) -> list[str]:
    """Return the bars that were missed; a bar is the best hybrid model above each peer."""
    found = []
    compared = ("HybridALS", "VectorMap", "ContentBased", "HybridWARP", "HybridWARP, as lightfm")
    print()
    for name in (*compared, "HybridBPR"):
        for peer in peers:
            loss = name[6:].partition(",")[0].lower()  # that of the model
            if loss in ("warp", "bpr") and "lightfm" in peer.name and f" {loss}," not in peer.name:
                continue
            mean, half = interval(own[name].cold - peer.cold)
            ratio = peer.seconds / max(own[name].seconds, 1e-9)
            print(
                f"{name} - {peer.name}: {mean:+.4f} ± {half:.4f} on hidden items; "
                f"fit {ratio:.1f} times as fast"
            )
            if name in ("HybridALS", "HybridWARP") and mean - half <= 0:
                found.append(f"{name} is not above {peer.name} on hidden items")
            if name in ("HybridWARP, as lightfm", "HybridBPR") and "lightfm" in peer.name:
                if mean + half < 0:
                    found.append(f"{name} is below {peer.name} on hidden items")
                if ratio < MIN_RATIO:
                    found.append(f"{name} is {ratio:.1f} times as fast as {peer.name}")
    for name, plain in (("HybridALS", "ImplicitALS"), ("VectorMap", "ImplicitALS")):
        warm, before = own[name].warm, own[plain].warm
        assert warm is not None
        assert before is not None
        mean, half = interval(warm - before)
        print(f"{name} - {plain}: {mean:+.4f} ± {half:.4f} on known items")
        if mean < -LOSS:
            found.append(f"{name} loses {-mean:.4f} on known items")
    return found


# ---- known items over several splits -------------------------------------------------------------


def with_recall(parts: Parts, model: Any, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Fit a model and return the recall of known and of hidden items of each user of the parts."""
    model.fit(parts.train, **options)
    known = model.recommend(k=K, candidates=~parts.is_cold).indices
    if not options:  # factors of hidden items need features
        return recalls(known, parts.warm), np.empty(0)
    hidden = model.recommend(k=K, candidates=parts.is_cold).indices
    return recalls(known, parts.warm), recalls(hidden, parts.cold)


def clustered(values: np.ndarray, users: np.ndarray) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval; the values of a user are one cluster."""
    totals = np.bincount(users, values - values.mean())[np.unique(users)]
    n = len(totals)
    half = 1.96 * (np.square(totals).sum() * n / (n - 1)) ** 0.5 / len(values)
    return float(values.mean()), float(half)


def compare_known(
    case: Data, seeds: range, prior_weights: list[float], *, validation: bool
) -> list[str]:
    """Print what features change for known items, over several splits, and return missed bars."""
    known: dict[str, list[np.ndarray]] = {}
    hidden: dict[str, list[np.ndarray]] = {}
    users = []
    for seed in seeds:
        parts, features = cut(case.X, seed), case.features
        if validation:
            is_known = ~parts.is_cold
            parts, features = cut(parts.train[:, is_known], seed), features[is_known]
        users.append(np.flatnonzero(np.diff(parts.warm.indptr)))
        als = {"n_factors": N_FACTORS, "n_threads": 1, "random_state": seed, **case.als}
        plain, _ = with_recall(parts, ImplicitALS(**als))
        models = {
            f"HybridALS(prior_weight={weight:g})": HybridALS(**als, prior_weight=weight)
            for weight in prior_weights
        }
        models["VectorMap"] = VectorMap(**als, penalty=1.0)
        for name, model in models.items():
            warm, cold = with_recall(parts, model, item_features=features)
            known.setdefault(name, []).append(warm - plain)
            hidden.setdefault(name, []).append(cold)
    print(f"\n{case.name}: {len(seeds)} splits{', validation parts' if validation else ''}\n")
    print("| model | known items, minus ImplicitALS | lowest and highest split | hidden items |")
    print("|---|---|---|---|")
    found = []
    for name, differences in known.items():
        mean, half = clustered(np.concatenate(differences), np.concatenate(users))
        means = [float(values.mean()) for values in differences]
        cold = float(np.concatenate(hidden[name]).mean())
        extremes = f"{min(means):+.4f}, {max(means):+.4f}"
        print(f"| {name} | {mean:+.4f} ± {half:.4f} | {extremes} | {cold:.4f} |", flush=True)
        if mean - half < -LOSS:
            found.append(f"{name} may lose {half - mean:.4f} on known items")
    return found


CASES = {"lastfm": lastfm, "movielens": movielens, "steam": steam}


def main() -> None:
    """Run the data sets named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="+", choices=CASES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--splits", type=int, default=None)
    parser.add_argument("--prior-weight", nargs="+", type=float, default=[0.2])
    parser.add_argument("--validation", action="store_true")
    arguments = parser.parse_args()
    found = []
    for name in arguments.cases:
        case = CASES[name]()
        if arguments.splits is None:
            texts = run(case, arguments.seed)
        else:
            seeds = range(arguments.seed, arguments.seed + arguments.splits)
            texts = compare_known(
                case, seeds, arguments.prior_weight, validation=arguments.validation
            )
        found += [f"{name}: {text}" for text in texts]
    if found:
        sys.exit("missed: " + "; ".join(found))


if __name__ == "__main__":
    main()
