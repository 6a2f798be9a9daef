"""User and item biases by stochastic gradient descent (a Numba kernel), beside Surprise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from data import power_law
from peers import require

from aimass_core import reference
from aimass_core.jit.baseline_sgd import baseline_sgd

SHAPES = {
    "small": (300, 200, 6_000),
    "medium": (6_040, 3_706, 1_000_000),
    "full": (6_040, 3_706, 1_000_000),
}
EPOCHS, RATE, REGULARIZATION = 20, 0.005, 0.02


def biases(
    kernel: Callable[..., None], parts: tuple[Any, ...], shape: tuple[int, int]
) -> np.ndarray:
    """All biases after the epochs, users before items."""
    bu, bi = np.zeros(shape[0]), np.zeros(shape[1])
    mean = float(parts[2].mean(dtype=np.float64))
    for _ in range(EPOCHS):
        kernel(*parts, bu, bi, mean, RATE, REGULARIZATION)
    return np.concatenate([bu, bi])


@pytest.mark.parametrize("member", ["native", "reference", "peer:surprise"])
def bench_baseline_sgd(measure: Callable[..., Any], member: str, scale: str) -> None:
    if member == "reference" and scale != "small":
        pytest.skip("the reference takes minutes: only at AIMASS_BENCH_SCALE=small")
    X = power_law(*SHAPES[scale])
    parts = X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data.astype(np.float64)
    extra = {} if member == "native" else {"rounds": 1}

    def by_surprise() -> Callable[[], np.ndarray]:
        surprise = require("surprise", "scikit-surprise")
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        ur: dict[int, list[Any]] = {u: [] for u in range(X.shape[0])}
        for u, i, r in zip(*(a.tolist() for a in (rows, *parts[1:])), strict=True):
            ur[u].append((i, r))
        trainset = surprise.Trainset(ur, {}, *X.shape, X.nnz, (0.5, 5), {}, {})
        options = {"method": "sgd", "n_epochs": EPOCHS, "learning_rate": RATE}

        def fit() -> np.ndarray:
            model = surprise.BaselineOnly(
                bsl_options=options | {"reg": REGULARIZATION}, verbose=False
            )
            model.trainset = trainset
            return np.concatenate(model.fit(trainset).compute_baselines())

        return fit

    def check(result: np.ndarray) -> None:
        np.testing.assert_allclose(result, biases(baseline_sgd, parts, X.shape), rtol=0, atol=1e-9)

    if member == "peer:surprise":
        call = by_surprise()
    else:
        kernel = baseline_sgd if member == "native" else reference.baseline_sgd
        call = lambda: biases(kernel, parts, X.shape)  # noqa: E731
    measure(f"baseline_sgd: {EPOCHS} epochs of {X.nnz:,} ratings", member, call, check, **extra)
