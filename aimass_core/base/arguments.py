"""Argument names of other libraries: a call that uses one is told the name used here."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .registry import models_with
from .validation import suggest

__all__ = ["FOREIGN_NAMES", "explains_names", "features_refused", "unknown_argument"]

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
    "reg": ("regularization",),
    "regParam": ("regularization",),
    "reg_all": ("regularization",),
    "seed": ("random_state",),
    "show_progress": ("verbose",),
    "top_k": ("k",),
    "topk": ("k",),
    "user_attributes": ("user_features",),
    "item_attributes": ("item_features",),
    "userid": ("users",),
}

# Arguments of other libraries for what is a call of its own here.
OTHER_CALLS = {"recalculate_user": "recommend_new", "user_items": "recommend_new"}


def explains_names(function: F) -> F:
    """Make a function or method name its argument where a call uses another library's name."""
    known = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in known.values()):
        return function
    is_method = next(iter(known), None) == "self"
    own_names = [*known][is_method:]

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.keys() <= known.keys():
            for name in kwargs:
                if name not in known:
                    cls = type(args[0]) if is_method else None
                    raise unknown_argument(cls, function.__name__, name, own_names)
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


def unknown_argument(cls: type | None, function: str, name: str, known: list[str]) -> TypeError:
    """Return the error for an argument that a function does not have.

    Parameters
    ----------
    cls : type or None
        Class of the object whose method was called; None for a function.
    function : str
        Name of the function or method.
    name : str
        The argument of the call.
    known : list of str
        The arguments that the function has.

    Returns
    -------
    TypeError
        Its message names our argument or call where there is one, else all arguments.
    """
    is_constructor = function == "__init__"
    names = ([] if cls is None else [cls.__name__]) + ([] if is_constructor else [function])
    text = f"{'.'.join(names)}() has no argument {name!r}"
    ours = FOREIGN_NAMES.get(name, ())
    for own in ours:
        if own in known:
            return TypeError(f"{text}; here it is called {own!r}")
    fit = getattr(cls, "fit", None)
    others = {} if fit is None else inspect.signature(fit).parameters
    for own in (name, *ours):
        if is_constructor and own in others:
            return TypeError(f"{text}: pass {own!r} to fit")
    if name in ("item_features", "user_features") and cls is not None:
        return features_refused(cls.__name__, name)
    if name in OTHER_CALLS and hasattr(cls, OTHER_CALLS[name]):
        return TypeError(f"{text}: call {OTHER_CALLS[name]}")
    return TypeError(f"{text}{suggest(name, known)}; the arguments are {', '.join(known)}")


def features_refused(model: str, name: str) -> TypeError:
    """Return the error for features that a model does not use.

    Parameters
    ----------
    model : str
        Class name of the model.
    name : {"item_features", "user_features"}
        The argument.

    Returns
    -------
    TypeError
        Its message names the models that use these features.
    """
    others = models_with(f"uses_{name}")
    hint = f", or take a model that uses them: {', '.join(others)}" if others else ""
    return TypeError(f"{model} does not use {name}: leave it out{hint}")
