"""What a call of `fit` was given besides the data and the parameters of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..base.progress import Event

__all__ = ["FitOptions"]


@dataclass(frozen=True)
class FitOptions:
    """Arguments of a call of `fit`.

    Parameters
    ----------
    data : Interactions, sparse matrix, 2-D array, RowBlocks or None
        The training data as given.
    validation : Interactions or matrix, optional
        Held-out entries.
    start : fitted model or pair of arrays, optional
        Factors to start from.
    callback : callable, optional
        Called with an `Event` after each epoch.
    verbose : bool, default=False
        Whether to show a progress bar.
    """

    data: Any = None
    validation: Any = None
    start: Any = None
    callback: Callable[[Event], Any] | None = field(default=None, repr=False)
    verbose: bool = False
