"""Settings that differ in one parameter only, evaluated from one fit.

- n_neighbors: the lists of the largest number are fitted, and cut for the smaller ones. The cut
  lists are those that a fit of the smaller number gives, bit for bit. Several ItemKNN answer from
  one pass over the data (`NestedLists`).
- max_iter, of models that learn in epochs: the model is evaluated after each of the epochs in
  question of the longest training, completed as a fit of so many epochs is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.csr import row_numbers
from ..base.foreign import as_recommender
from ..base.validation import wrap_csr
from ..neighbors.item_knn import ItemKNN
from ._nested_lists import MAX_LEVELS, NestedItemKNN, NestedLists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.progress import Event

__all__ = ["fit_settings", "shared_parameter"]


def shared_parameter(model: type, params: dict[str, Any]) -> str | None:
    """Return the parameter of which one fit serves all values, or None."""
    signature = inspect.signature(model).parameters
    if "n_neighbors" in signature and "aggregation" in signature:
        used = {name: parameter.default for name, parameter in signature.items()} | params
        # Ratings compare anew for each prediction; normalized lists depend on their length.
        normalizes = getattr(model(**params), "_normalizes", used.get("normalize"))
        if used["aggregation"] == "sum" and not normalizes and "n_neighbors" in params:
            return "n_neighbors"
    # A solver may end a fit by an exact step: the model must say what its epochs would have given.
    completes = "solver" not in signature or hasattr(model, "_model_of_epoch")
    if "max_iter" in params and getattr(model, "learns_in_epochs", False) and completes:
        return "max_iter"
    return None


def fit_settings(
    model: type,
    settings: list[dict[str, Any]],
    shared: str | None,
    train: Any,
    evaluate_model: Callable[[int, Any], None],
    features: Mapping[str, Any] | None = None,
    after_step: Callable[[Event | None], None] | None = None,
) -> None:
    """Fit settings that differ in the shared parameter only, and evaluate each fitted model.

    Parameters
    ----------
    model : class
        The model.
    settings : list of dict
        All parameters of each.
    shared : str or None
        The parameter in which they differ, as `shared_parameter` names it.
    train : Interactions
        What the models are fitted on.
    evaluate_model : callable
        Called with the number of a setting and its fitted model.
    features : dict of str to FeatureTable, optional
        Arguments of ``fit``, the same for all settings.
    after_step : callable, optional
        Called with each `Event` of a fit, and with None between evaluations of one fit. What it
        raises ends the rest.
    """
    given: dict[str, Any] = dict(features or {})
    if after_step is not None:
        given["callback"] = after_step
    if shared is None or len(settings) == 1:
        for i, params in enumerate(settings):
            evaluate_model(i, as_recommender(model(**params)).fit(train, **given))
        return
    order = sorted(range(len(settings)), key=lambda i: settings[i][shared])
    if shared == "n_neighbors":
        largest = model(**settings[order[-1]]).fit(train, **given)
        ranks = ranks_in_lists(largest.similarity_)
        nested = None
        lengths = sorted({settings[i][shared] for i in order})
        if model is ItemKNN and 1 < len(lengths) <= MAX_LEVELS:
            nested = NestedLists(largest, ranks, lengths)
        for n_evaluated, i in enumerate(reversed(order)):
            if after_step is not None and n_evaluated:
                after_step(None)
            evaluate_model(i, _with_fewer_neighbors(largest, settings[i], ranks, nested))
        return
    epochs: dict[int, list[int]] = {}
    for i in order:
        epochs.setdefault(int(settings[i][shared]), []).append(i)
    evaluated: set[int] = set()

    def after_epoch(event: Any) -> bool:
        if after_step is not None:
            after_step(event)
        number = int(event.step)
        if number in epochs and number != max(epochs):
            complete = getattr(event.model, "_model_of_epoch", lambda: event.model)
            trained = complete()
            for i in epochs[number]:
                evaluate_model(i, trained)
                evaluated.add(i)
        return False

    fitted = model(**settings[order[-1]]).fit(train, **{**given, "callback": after_epoch})
    for i in order:  # the last epoch, and those that training did not reach
        if i not in evaluated:
            evaluate_model(i, fitted)


def _with_fewer_neighbors(
    model: Any, params: dict[str, Any], ranks: NDArray[np.int64], nested: NestedLists | None
) -> Any:
    """Return the model that a fit with these parameters gives, from one with more neighbours."""
    n = params["n_neighbors"]
    if n == model.n_neighbors and nested is None:
        return model
    fewer = type(model)(**params) if nested is None else NestedItemKNN(**params)
    for name, value in vars(model).items():
        if name.endswith("_") and not name.startswith("_"):
            setattr(fewer, name, value)
    lists = model.similarity_
    kept = ranks < n
    indptr = np.zeros(len(lists.indptr), dtype=np.int64)
    np.cumsum(np.minimum(np.diff(lists.indptr), n), out=indptr[1:])
    fewer.similarity_ = wrap_csr(indptr, lists.indices[kept], lists.data[kept], lists.shape)
    fewer._restore()
    if nested is not None:
        fewer._nested, fewer._level = nested, nested.lengths.index(n)
    return fewer


def ranks_in_lists(lists: sp.csr_array) -> NDArray[np.int64]:
    """Return the rank of each entry in its row, from 0: value descending, then column ascending."""
    lengths = np.diff(lists.indptr)
    order = np.lexsort((-lists.data, row_numbers(lists)))  # stable: columns ascend within a row
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(lists.indptr[:-1], lengths)
    return ranks
