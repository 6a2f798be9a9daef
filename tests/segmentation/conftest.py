"""A table of customers whose segments are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def planted(n: int = 600, seed: int = 3) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Three kinds of customers in columns of unlike scales; truth 0, 1, 2 with shares .5 .3 .2."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 2], [n // 2, 3 * n // 10, n - n // 2 - 3 * n // 10])
    spend = np.exp(rng.normal(np.array([3.0, 6.0, 6.2])[truth], 0.35))
    visits = rng.normal(np.array([20.0, 22.0, 5.0])[truth], 2.0)
    age = rng.normal(np.array([30.0, 55.0, 42.0])[truth], 5.0)
    table = {
        "customer_id": np.array([f"c{i:04d}" for i in range(n)], dtype=object),
        "spend": spend,
        "visits": visits,
        "age": age,
        "channel": np.array(["web", "shop", "phone"], dtype=object)[
            np.where(rng.random(n) < 0.8, truth, rng.integers(0, 3, n))
        ],
    }
    order = rng.permutation(n)
    return {name: values[order] for name, values in table.items()}, truth[order]


@pytest.fixture(scope="session")
def customers() -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """The table and the truth; do not change them."""
    return planted()
