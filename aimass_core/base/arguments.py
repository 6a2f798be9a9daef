"""Argument names of other libraries: a call that uses one is told the name used here."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from .registry import models_with
from .validation import suggest

__all__ = ["FOREIGN_NAMES", "MEMBERS", "explains_names", "features_refused", "unknown_argument"]

F = TypeVar("F", bound=Callable[..., Any])

# Name here -> names in implicit, LightFM, Surprise, scikit-learn, Spark, RecTools, LensKit, Cornac,
# RecBole and in common papers. A name of other libraries may stand for several of ours; the first
# that the called function has is the one that is named.
_FOREIGN: dict[str, str] = {
    "k": "K N at at_k cutoff limit n_items n_recs num_items num_recommendations top_k top_n topk "
    "topn",
    "n_neighbors": "K k max_nbrs n_nbrs neighborhood_size neighbors nnbrs num_neighbors",
    "min_k": "min_nbrs",
    "n_factors": "K k dim embedding_dim embedding_size factors features latent_dim n_components "
    "n_latent_factors no_components num_factors rank",
    "n_components": "K k n_clusters",
    "n_segments": "K k n_clusters n_components",
    "max_iter": "epochs iterations maxIter max_epochs n_epochs n_iter n_iterations n_iters niter "
    "num_epochs num_iterations num_iters",
    "learning_rate": "eta learning_rate_init lr lr_all",
    "regularization_item": "item_alpha reg_qi",
    "regularization_user": "user_alpha reg_pu",
    "regularization_item_bias": "reg_bi",
    "regularization_user_bias": "reg_bu",
    "regularization_implicit": "reg_yj",
    "learning_rate_item": "lr_qi",
    "learning_rate_user": "lr_pu",
    "learning_rate_item_bias": "lr_bi",
    "learning_rate_user_bias": "lr_bu",
    "learning_rate_implicit": "lr_yj",
    "regularization": "item_alpha l2 l2_reg lambda_ lambda_reg reg regParam reg_all reg_param "
    "user_alpha weight_decay",  # after those of one side: these are named where there are some
    "optimizer": "learning_schedule",
    "n_candidates": "max_sampled",
    "init_std": "init_std_dev",
    "n_item_clusters": "n_cltr_i",
    "n_user_clusters": "n_cltr_u",
    "biases": "biased use_bias",
    "random_state": "random_seed rng seed",
    "n_threads": "n_jobs n_workers nthreads num_threads num_workers threads workers",
    "verbose": "show_progress progress progress_bar",
    "X": "R coo data dataset interactions ratings train trainset user_item_matrix user_items",
    "user": "uid userCol user_col user_column user_id userid",  # before users: the first is named
    "item": "iid itemCol item_col item_column item_id itemid",
    "users": "uid user_id user_ids userid userids",
    "items": "iid item_id item_ids itemid itemids",
    "exclude_seen": "exclude_known filter_already_liked_items filter_query_items filter_seen "
    "filter_viewed remove_seen",
    "exclude": "blacklist exclude_items filter_items",
    "candidates": "item_candidates items items_to_recommend whitelist",
    "user_features": "user_attributes",
    "item_features": "item_attributes",
    "n_trials": "max_evals n_calls n_iter num_trials",
    "metrics": "measures metric",
    "metric": "metrics scoring",
    "n_splits": "cv k_folds n_folds",
    "test_size": "fraction ratio test_fraction test_percentage test_ratio test_share",
    "value": "rating ratingCol rating_col score_col value_col weight_col",
    "time": "datetime_col time_col timestamp timestamp_col",
    "values": "rating ratings scores",
    "times": "time timestamp timestamps",
    "separator": "delim delimiter sep",
    "thousands": "thousands_sep",
    "quote": "quote_char quotechar",
    "escape": "escapechar",
    "skip_rows": "skiprows",
    "header": "has_header",
    "names": "column_names new_columns",
    "date_format": "datetime_format parse_dates timestamp_format",
    "null_values": "na_values nulls_values",
    "sheet": "sheet_id sheet_name",
}


def _by_foreign_name() -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    for own, others in _FOREIGN.items():
        for other in others.split():
            names.setdefault(other, []).append(own)
    return {other: tuple(own) for other, own in names.items()}


# Name in other libraries -> names here.
FOREIGN_NAMES = _by_foreign_name()

# Arguments of other libraries for what is a call of its own here.
OTHER_CALLS = {"recalculate_user": "recommend_new", "user_items": "recommend_new"}

# Methods and attributes of other libraries, or of some models only, and what is called here.
MEMBERS = {
    "similar_users": "factor models, UserKNN and ContextKNN have it",
    "similar_items": "factor models, linear models, ItemKNN, ContextKNN and ContentBased have it",
    "explain": "ItemKNN, UserKNN, ContextKNN, ImplicitALS, linear models and ContentBased have it",
    "fold_in": "factor models have it",
    "transform": "aimass_core.factorization.FactorFeatures makes a transformer of a factor model",
    "rank_items": "call recommend(users, candidates=items)",
    "recommend_all": "call recommend() for all users",
    "partial_fit_users": "call partial_fit(new_interactions)",
    "partial_fit_items": "call partial_fit(new_interactions)",
    "fit_partial": "call partial_fit(new_interactions), or fit(x, start=model) for more epochs",
    "get_user_representations": "factor models have user_factors_ after fit",
    "get_item_representations": "factor models have item_factors_ after fit",
    "add_users": "call partial_fit(new_interactions)",
    "test": "call predict(users, items)",
    "estimate": "call predict(users, items)",
    "get_neighbors": "call similar_items or similar_users",
    "predict_rank": "call recommend(users, k=...)",
    "user_factors": "factor models have user_factors_ after fit",
    "item_factors": "factor models have item_factors_ after fit",
    "user_embeddings": "factor models have user_factors_ after fit",
    "item_embeddings": "factor models have item_factors_ after fit",
    "components_": "factor models have item_factors_ after fit",
}


# Methods that take features of items and users, in models that use these.
_TAKE_FEATURES = ("fit", "recommend", "recommend_new", "predict", "similar_items", "explain")


def explains_names(function: F) -> F:
    """Make a function or method name its argument where a call uses another library's name."""
    known = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in known.values()):
        return function
    is_method = next(iter(known), None) in ("self", "cls")
    own_names = [*known][is_method:]
    by_name = [name for name, p in known.items() if p.kind is p.KEYWORD_ONLY]
    n_by_position = len(known) - len(by_name)
    if not by_name or any(p.kind is p.VAR_POSITIONAL for p in known.values()):
        n_by_position = sys.maxsize

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) > n_by_position:
            owner = args[0] if is_method else None
            raise _too_many(owner, function.__name__, args[n_by_position], by_name)
        if not kwargs.keys() <= known.keys():
            for name in kwargs:
                if name not in known:
                    owner = args[0] if is_method else None
                    cls = owner if owner is None or isinstance(owner, type) else type(owner)
                    raise unknown_argument(cls, function.__name__, name, own_names)
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


def _too_many(owner: Any, function: str, extra: Any, by_name: list[str]) -> TypeError:
    """Return the error for an argument by position that must be given by name."""
    cls = owner if owner is None or isinstance(owner, type) else type(owner)
    names = [] if cls is None else [cls.__name__]
    text = ".".join(names if function == "__init__" else [*names, function])
    hint = ""
    if function == "recommend" and hasattr(cls, "recommend_new") and hasattr(extra, "shape"):
        hint = "; the model keeps the interactions of the fit, others go to recommend_new"
    return TypeError(
        f"{text}() takes fewer arguments by position: pass {_shown(extra)} by name, one of "
        f"{', '.join(by_name)}{hint}"
    )


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, (str, int, float)) else type(value).__name__
    return text if len(text) <= 40 else f"{text[:37]}..."


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
    if function == "fit" and cls is not None:
        parameters = inspect.signature(cls).parameters
        for own in (name, *ours):
            if own in parameters:
                return TypeError(f"{text}: pass {own!r} to {cls.__name__}(...)")
    if name in ("item_features", "user_features") and cls is not None:
        if not getattr(cls, f"uses_{name}", False):
            return features_refused(cls.__name__, name)
        methods = (getattr(cls, method, None) for method in _TAKE_FEATURES)
        takers = [m.__name__ for m in methods if m and name in inspect.signature(m).parameters]
        verb = "takes" if len(takers) == 1 else "take"
        return TypeError(f"{text}: {' and '.join(takers)} {verb} it")
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
