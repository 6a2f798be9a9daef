"""Ratings on real data by the public API: fit on four fifths of MovieLens 1M, predict the rest.

Needs AIMASS_DATA. Predictions equal Surprise's to 1e-6, on all pairs (at ``small`` scale on a tenth
of the users). Surprise gets its training set ready made; ours starts from the arrays of ids.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peers import require

from aimass_core import BaselineOnly, Interactions, SlopeOne, UserKNN

SCALE = (1, 5)
KNN = {"n_neighbors": 40, "similarity": "msd", "rating_scale": SCALE}
MODELS: dict[str, tuple[Callable[[int], Any], str]] = {
    "k-NN basic": (lambda n: UserKNN(aggregation="mean", n_threads=n, **KNN), "KNNBasic"),
    "k-NN with means": (
        lambda n: UserKNN(aggregation="centered", n_threads=n, **KNN),
        "KNNWithMeans",
    ),
    "k-NN baseline": (lambda n: UserKNN(aggregation="baseline", n_threads=n, **KNN), "KNNBaseline"),
    "baseline only": (lambda n: BaselineOnly(rating_scale=SCALE), "BaselineOnly"),
    "Slope One": (lambda n: SlopeOne(rating_scale=SCALE), "SlopeOne"),
}

Triplets = tuple[np.ndarray, np.ndarray, np.ndarray]


@cache
def fold(scale: str) -> tuple[Triplets, Triplets]:
    """Users, items and ratings to learn from, in order of the ids, and those to predict."""
    folder = os.environ.get("AIMASS_DATA")
    if not folder or not (Path(folder) / "movielens-1m").is_dir():
        pytest.skip("AIMASS_DATA does not name a folder that holds movielens-1m")
    table = require("pyarrow.parquet", "pyarrow").read_table(
        Path(folder) / "movielens-1m" / "interactions.parquet",
        columns=["user_id", "item_id", "rating"],
    )
    users, items, ratings = (column.to_numpy() for column in table.columns)
    order = np.lexsort((items, users))
    if scale == "small":
        order = order[users[order] % 10 == 0]
    users, items, ratings = users[order], items[order], ratings[order].astype(np.float64)
    test = np.random.default_rng(0).random(len(users)) < 0.2
    known = np.isin(users, users[~test]) & np.isin(items, items[~test])
    parts = [tuple(a[rows] for a in (users, items, ratings)) for rows in (~test, test & known)]
    return parts[0], parts[1]  # type: ignore[return-value]


@cache
def trainset(scale: str) -> Any:
    """The same ratings as Surprise has them; making it is not timed."""
    surprise, pd = require("surprise", "scikit-surprise"), require("pandas")
    frame = pd.DataFrame(dict(zip("uir", fold(scale)[0], strict=True)))
    data = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=SCALE))
    return data.build_full_trainset()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("member", ["native", "peer:surprise"])
def bench_rating_model(
    measure: Callable[..., Any], member: str, name: str, scale: str, n_threads: int
) -> None:
    train, (users, items, ratings) = fold(scale)
    ours, theirs = MODELS[name]

    def native() -> np.ndarray:
        X = Interactions.from_arrays(*train, dtype=np.float64, n_threads=n_threads)
        return ours(n_threads).fit(X).predict(users, items, n_threads=n_threads)

    group = f"{name}: fit on {len(train[0]):,} ratings of MovieLens 1M, predict {len(users):,}"
    if member == "native":

        def plausible(result: np.ndarray) -> None:  # the comparison proper is Surprise's member
            assert np.sqrt(np.mean((result - ratings) ** 2)) < 1.0

        measure(group, member, native, plausible)
        return
    data = trainset(scale)
    algorithm = getattr(require("surprise", "scikit-surprise"), theirs)
    pairs = list(zip(users.tolist(), items.tolist(), ratings.tolist(), strict=True))
    options = {"verbose": False} if theirs != "SlopeOne" else {}

    def surprise() -> np.ndarray:
        return np.array([p.est for p in algorithm(**options).fit(data).test(pairs)])

    def same(result: np.ndarray) -> None:
        np.testing.assert_allclose(result, native(), rtol=0, atol=1e-6)

    measure(group, member, surprise, same, rounds=1, warm_up=False)
