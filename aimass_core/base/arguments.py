"""Argument names of other libraries: a call that uses one is told the name used here."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .validation import suggest

__all__ = ["FOREIGN_NAMES", "explains_names"]

F = TypeVar("F", bound=Callable[..., Any])

# Name in implicit, LightFM, Surprise, Spark or RecTools -> name here.
FOREIGN_NAMES = {
    "K": ("k", "n_neighbors"),
    "N": ("k",),
    "epochs": ("max_iter",),
    "factors": ("n_factors",),
    "filter_already_liked_items": ("exclude_seen",),
    "filter_items": ("exclude",),
    "filter_query_items": ("exclude_seen",),
    "filter_viewed": ("exclude_seen",),
    "exclude_items": ("exclude",),
    "items_to_recommend": ("candidates",),
    "iterations": ("max_iter",),
    "learning_rate_init": ("learning_rate",),
    "lr_all": ("learning_rate",),
    "maxIter": ("max_iter",),
    "n_components": ("n_factors",),
    "n_epochs": ("max_iter",),
    "n_iter": ("max_iter",),
    "n_jobs": ("n_threads",),
    "no_components": ("n_factors",),
    "num_factors": ("n_factors",),
    "num_iterations": ("max_iter",),
    "num_threads": ("n_threads",),
    "rank": ("n_factors",),
    "recalculate_user": ("recommend_new",),
    "reg": ("regularization",),
    "regParam": ("regularization",),
    "reg_all": ("regularization",),
    "seed": ("random_state",),
    "top_k": ("k",),
    "topk": ("k",),
    "userid": ("users",),
}


def explains_names(function: F) -> F:
    """Make a function name its own argument where a call uses another library's name for it."""
    known = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in known.values()):
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.keys() <= known.keys():
            for name in kwargs:
                if name not in known:
                    raise TypeError(_message(function, name, [n for n in known if n != "self"]))
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


def _message(function: Callable[..., Any], name: str, known: list[str]) -> str:
    call = function.__qualname__.removesuffix(".__init__")
    text = f"{call}() has no argument {name!r}"
    ours = [n for n in FOREIGN_NAMES.get(name, ()) if n in known]
    if ours:
        return f"{text}; here it is called {ours[0]!r}"
    return f"{text}{suggest(name, known)}; the arguments are {', '.join(known)}"
