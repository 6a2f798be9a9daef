"""What every function of `Interactions` checks: its first argument and names of arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from ..base.arguments import explains_names
from .interactions import Interactions

__all__ = ["takes_interactions"]

P = ParamSpec("P")
R = TypeVar("R")


def takes_interactions(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse other arguments than `Interactions` as ``x``, and explain names of other libraries."""

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        x: Any = args[0] if args else kwargs.get("x")
        if not isinstance(x, Interactions):
            raise TypeError(
                f"x must be Interactions, got {type(x).__name__}: make it with "
                "Interactions.from_csr, from_arrays or from_table"
            )
        return function(*args, **kwargs)

    return explains_names(checked)
