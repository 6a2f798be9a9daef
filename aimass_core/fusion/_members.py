"""The member models of a fused model: their names, fresh copies, and their weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arrays import as_vector
from ..base.estimator import clone
from ..base.foreign import AdaptedModel, as_recommender
from ..base.recommender import Recommender
from ..base.registry import find, name_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Members", "as_members", "as_weights", "fresh"]

Members = dict[str, Recommender]


def _as_model(value: Any) -> Recommender:
    if not isinstance(value, str):
        return as_recommender(value)
    try:
        return as_recommender(find(value)())
    except KeyError as error:
        raise ValueError(f"models: {error.args[0]}") from None


def _label(model: Recommender) -> str:
    inner = model.model if isinstance(model, AdaptedModel) else model
    return name_of(type(inner)) or type(inner).__name__


def as_members(models: Any, *, hands_on_features: bool = False) -> Members:
    """Return the member models by name.

    Parameters
    ----------
    models : mapping of str to model, list of models, or str
        A model is a recommender, or a registered name. A string holds names joined by "+".
    hands_on_features : bool, default=False
        Whether the members are fitted with the features of items and users that `fit` is given.

    Returns
    -------
    dict of str to Recommender
        At least one.

    Raises
    ------
    TypeError
        For anything that is no model.
    ValueError
        For an unknown name, no model, or a model that needs features.
    """
    if isinstance(models, str):
        models = [name.strip() for name in models.split("+")]
    if isinstance(models, Mapping):
        members = {str(name): _as_model(model) for name, model in models.items()}
    elif isinstance(models, Iterable):
        members = {}
        for model in map(_as_model, models):
            name, n = _label(model), 1
            while name in members:
                n += 1
                name = f"{_label(model)} {n}"
            members[name] = model
    else:
        raise TypeError(
            "models must be a list of models, a dict of name to model, or names joined by '+', got "
            f"{type(models).__name__}"
        )
    if not members:
        raise ValueError("models must hold at least one model")
    for name, model in members.items():
        if model.requires:
            raise ValueError(
                f"models: {name!r} needs {', '.join(model.requires)}, which a fused model does not "
                "hand on: leave it out"
            )
        if model.needs_features and not hands_on_features:
            raise ValueError(
                f"models: {name!r} needs {', '.join(model.needs_features)}, which a fused model "
                "does not hand on to its members: leave it out, or fit the models yourself, and "
                "learn a second stage from the scores that fusion.candidate_table makes of them"
            )
    return members


def fresh(model: Recommender) -> Recommender:
    """Return an unfitted copy of a model."""
    if isinstance(model, AdaptedModel):
        return copy.deepcopy(model)
    copied: Recommender = clone(model)
    return copied


def as_weights(weights: Any, members: Members) -> NDArray[np.float64]:
    """Return one weight for each member, summing to 1.

    Parameters
    ----------
    weights : array-like of float, mapping of str to float, or None
        Not negative, some above 0; None gives equal weights.
    members : dict of str to Recommender
        The models.

    Returns
    -------
    ndarray of float64, shape (n_models,)

    Raises
    ------
    ValueError
        For a wrong number of weights, unknown names, or weights that are negative or all 0.
    """
    if weights is None:
        return np.full(len(members), 1.0 / len(members))
    if isinstance(weights, Mapping):
        if set(weights) != set(members):
            raise ValueError(
                f"weights must name the models {', '.join(members)}, got {', '.join(weights)}"
            )
        weights = [weights[name] for name in members]
    values = as_vector(weights, "weights", length=len(members), minimum=0.0)
    total = float(values.sum())
    if total <= 0:
        raise ValueError("weights must hold at least one weight above 0")
    return values / total
