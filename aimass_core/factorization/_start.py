"""Where training starts from: random factors, and in their place those that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import NotFittedError
from ._model import FactorModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["started", "started_biases"]


def started(model: FactorModel, start: Any, sides: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Random factors of users and items, replaced where ``start`` has some."""
    if start is None:
        return sides
    if isinstance(start, (tuple, list)):
        if len(start) != 2:
            raise ValueError(f"start must be (user_factors, item_factors), got {len(start)} arrays")
        return [
            _checked(given, side, name)
            for given, side, name in zip(start, sides, ("user", "item"), strict=True)
        ]
    if not isinstance(start, FactorModel):
        raise TypeError(
            f"start must be a fitted model of factors or two arrays, got {type(start).__name__}"
        )
    if not start.__sklearn_is_fitted__():
        raise NotFittedError("start is not fitted: call its fit first, or give two arrays")
    known = ((start.users_, model.users_), (start.items_, model.items_))
    found = (start.user_factors_, start.item_factors_)
    return [
        _matched(old, *ids, side, name)
        for old, ids, side, name in zip(found, known, sides, ("user", "item"), strict=True)
    ]


def _checked(given: Any, side: NDArray[Any], name: str) -> NDArray[Any]:
    array = np.asarray(given)
    if array.shape != side.shape or array.dtype.kind != "f":
        raise ValueError(
            f"start: {name} factors must be floats of shape {side.shape}, got {array.dtype} of "
            f"shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"start: {name} factors hold nan or inf")
    return np.ascontiguousarray(array, dtype=side.dtype)


def _matched(
    old: NDArray[Any], old_ids: Any, new_ids: Any, side: NDArray[Any], name: str
) -> NDArray[Any]:
    """Old factors of the ids that both know; without ids rows keep their numbers."""
    if old.shape[1] != side.shape[1]:
        raise ValueError(
            f"start has {old.shape[1]} factors, n_factors is {side.shape[1]}: they must be equal"
        )
    if (old_ids is None) != (new_ids is None):
        raise TypeError("start and X must both have ids (Interactions), or neither")
    out = side.copy()
    if new_ids is None:
        n = min(len(old), len(side))
        out[:n] = old[:n]
        return out
    rows = old_ids.get(new_ids.ids)
    out[rows >= 0] = old[rows[rows >= 0]]
    return out


def started_biases(
    old: NDArray[Any], old_ids: Any, new_ids: Any, biases: NDArray[Any]
) -> NDArray[Any]:
    """Return biases, replaced by those of the rows that a fitted model knows by id or number."""
    return _matched(old[:, None], old_ids, new_ids, biases[:, None], "bias")[:, 0].copy()
