"""Weight and target of the entries of alternating least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["als_weights"]


def als_weights(
    data: NDArray[Any], alpha: float, weight_shift: float, target_shift: float, preferences: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights and targets of entries; see ``cpp/kernels/als_problem.hpp``."""
    values = data.astype(np.float64)
    if not preferences:
        return np.full(len(values), weight_shift), values
    scaled = alpha * np.abs(values)
    weight = np.where(values != 0, scaled + weight_shift, 0)
    return weight, np.where(values > 0, scaled + target_shift, 0)
