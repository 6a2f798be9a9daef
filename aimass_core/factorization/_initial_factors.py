"""Factors that training starts from: random ones, or known ones where there are some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import NotFittedError
from ._model import FactorModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["initial_biases", "initial_factors"]


def initial_factors(
    model: FactorModel, start: Any, random: list[NDArray[Any]]
) -> list[NDArray[Any]]:
    """Return the factors of users and items to start from.

    Parameters
    ----------
    model : FactorModel
        The model that is being fitted; it has its ids already.
    start : fitted FactorModel, pair of arrays or None
        Known factors.
    random : list of two ndarrays
        Random factors of users and items, used for rows without known ones.

    Returns
    -------
    list of two ndarrays
        Factors of users and of items.
    """
    if start is None:
        return random
    sides = ("user", "item")
    if isinstance(start, (tuple, list)):
        if len(start) != 2:
            raise ValueError(f"start must be (user_factors, item_factors), got {len(start)} arrays")
        return [
            _as_start(given, side, name)
            for given, side, name in zip(start, random, sides, strict=True)
        ]
    if not isinstance(start, FactorModel):
        raise TypeError(
            f"start must be a fitted factor model or two arrays, got {type(start).__name__}"
        )
    if not start.__sklearn_is_fitted__():
        raise NotFittedError("start is not fitted: call its fit first, or give two arrays")
    return [
        _matched_by_id(start.user_factors_, start.users_, model.users_, random[0]),
        _matched_by_id(start.item_factors_, start.items_, model.items_, random[1]),
    ]


def _as_start(given: Any, random: NDArray[Any], side: str) -> NDArray[Any]:
    array = np.asarray(given)
    if array.shape != random.shape or array.dtype.kind != "f":
        raise ValueError(
            f"start: {side} factors must be floats of shape {random.shape}, got {array.dtype} of "
            f"shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"start: {side} factors hold nan or inf")
    return np.ascontiguousarray(array, dtype=random.dtype)


def _matched_by_id(
    known: NDArray[Any], known_ids: Any, ids: Any, random: NDArray[Any]
) -> NDArray[Any]:
    """Return known factors of the ids that both models have; without ids, by row number."""
    if known.shape[1] != random.shape[1]:
        raise ValueError(
            f"start has {known.shape[1]} factors, n_factors is {random.shape[1]}: they must be "
            "equal"
        )
    if (known_ids is None) != (ids is None):
        raise TypeError("start and X must both have ids (Interactions), or neither")
    factors = random.copy()
    if ids is None:
        n = min(len(known), len(factors))
        factors[:n] = known[:n]
        return factors
    rows = known_ids.get(ids.ids)
    factors[rows >= 0] = known[rows[rows >= 0]]
    return factors


def initial_biases(
    known: NDArray[Any], known_ids: Any, ids: Any, biases: NDArray[Any]
) -> NDArray[Any]:
    """Return biases, replaced by those of the rows that a fitted model has, by id or row number."""
    return _matched_by_id(known[:, None], known_ids, ids, biases[:, None])[:, 0].copy()
