"""Neighbourhoods that depend on the situation: by context, and with old events fading."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.csr import take_rows
from ..base.query import Ask, one_pair
from ..base.recommender import Recommender
from ..base.registry import register
from ..base.validation import as_choice, as_csr
from ..data.cleaning import time_decay
from ._knn import Neighborhood
from .item_knn import ItemKNN
from .user_knn import UserKNN

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.lists import Explanation, TopK

__all__ = ["ContextKNN"]


@register("context-knn")
class ContextKNN(Recommender):
    """Item- or user-based neighbourhoods for each context, with events that lose weight in time.

    Pre-filtering: in each context (weekday, device, season, ...) a neighbourhood model sees that
    context's interactions alone. What a user has in any context counts as seen.

    Parameters
    ----------
    base : {"item", "user"}, default="item"
        Kind of neighbourhood: `ItemKNN` or `UserKNN`.
    half_life : timedelta or number, optional
        After this time an interaction counts half; needs `Interactions` with times. A timedelta
        where the times are datetimes, else a number in their unit.
    now : datetime, str or number, optional
        The moment from which age is counted. Default: the latest time in the data.
    n_neighbors : int, default=100
        Neighbours kept of each item or user.
    measure, alpha, beta, midpoint, shrink, support_shrink, min_support, amplification, threshold
        As in `similarity.topk`.
    weighting, profile, n_threads
        As in `ItemKNN`; the weighting comes after the decay, and profile "raw" is the decayed
        values.

    Attributes
    ----------
    models_ : dict
        The neighbourhood model of each context; of the context None where there is one only.
    user_items_ : csr_array of shape (n_users, n_items)
        All interactions of all contexts.

    References
    ----------
    G. Adomavicius, A. Tuzhilin, "Context-aware recommender systems", 2011. Y. Ding, X. Li, "Time
    weight collaborative filtering", 2005.

    Examples
    --------
    >>> from aimass_core import ContextKNN, Interactions
    >>> table = {
    ...     "who": [1, 1, 2, 2, 1, 1, 2, 2, 3, 3],
    ...     "what": ["tea", "pie", "tea", "pie", "tea", "ale", "tea", "ale", "tea", "tea"],
    ...     "when": ["noon"] * 4 + ["night"] * 4 + ["noon", "night"],
    ... }
    >>> model = ContextKNN().fit(
    ...     Interactions.by_context(table, context="when", user="who", item="what")
    ... )
    >>> [model.at(c).recommend([3], k=1).ids.tolist() for c in ("noon", "night")]
    [[['pie']], [['ale']]]
    """

    _state: ClassVar[tuple[str, ...]] = (
        *Recommender._state,
        "timestamps_",
        "time_unit_",
        "models_",
    )
    _keeps_times: ClassVar[bool] = True

    models_: dict[Any, Neighborhood]

    def __init__(
        self,
        *,
        base: str = "item",
        half_life: Any = None,
        now: Any = None,
        n_neighbors: int = 100,
        measure: str | Callable[..., float] = "cosine",
        alpha: float | None = None,
        beta: float | None = None,
        midpoint: float | None = None,
        shrink: float = 0.0,
        support_shrink: float | None = None,
        min_support: int = 1,
        amplification: float = 1.0,
        threshold: float | None = None,
        weighting: str | None = None,
        profile: str = "weighted",
        n_threads: int | None = None,
    ) -> None:
        self.base = base
        self.half_life = half_life
        self.now = now
        self.n_neighbors = n_neighbors
        self.measure = measure
        self.alpha = alpha
        self.beta = beta
        self.midpoint = midpoint
        self.shrink = shrink
        self.support_shrink = support_shrink
        self.min_support = min_support
        self.amplification = amplification
        self.threshold = threshold
        self.weighting = weighting
        self.profile = profile
        self.n_threads = n_threads

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn one neighbourhood model for each context.

        Parameters
        ----------
        X : Interactions, matrix, or dict of context to Interactions
            The dict as `Interactions.by_context` makes it: all with the same users and items.
        y : None
            Ignored.

        Returns
        -------
        Self
            The object itself; where ``fit`` raises, it stays what it was.
        """
        return super().fit(X)

    def _take(self, X: Any) -> None:
        parts = dict(X) if isinstance(X, Mapping) else {None: X}
        if not parts:
            raise ValueError("X holds no context: give at least one, or Interactions")
        first = next(iter(parts.values()))
        if any(p.users != first.users or p.items != first.items for p in list(parts.values())[1:]):
            raise ValueError(
                "the contexts in X must share users and items: use Interactions.by_context"
            )
        super()._take(first)
        if len(parts) > 1:
            total = sum((p.matrix for p in list(parts.values())[1:]), start=first.matrix)
            self.user_items_ = as_csr(total)
            self.timestamps_ = self.time_unit_ = None
        as_choice(self.base, "base", ("item", "user"))
        options = {
            name: value
            for name, value in self.get_params().items()
            if name not in ("base", "half_life", "now")
        }
        kind = ItemKNN if self.base == "item" else UserKNN
        self.models_ = {}
        for context, part in parts.items():
            if self.half_life is not None:
                if getattr(part, "timestamps", None) is None:
                    raise ValueError(
                        "half_life needs times: fit on Interactions.from_table(..., time=COLUMN)"
                    )
                part = time_decay(part, half_life=self.half_life, now=self.now)
            self.models_[context] = kind(**options).fit(getattr(part, "matrix", part))

    def _prepare(self, n_threads: int) -> None:
        self._active = next(iter(self.models_.values())) if len(self.models_) == 1 else None

    def _check_state(self) -> None:
        super()._check_state()
        for model in self.models_.values():
            if model.user_items_.shape != self.user_items_.shape:
                raise ValueError("the contexts' models differ in shape")

    def partial_fit(self, X: Any, y: None = None, *, duplicates: str = "error") -> Self:
        """Add new interactions, where there is one context only.

        Parameters
        ----------
        X, y, duplicates
            As in `ItemKNN.partial_fit`; a model of several contexts raises ValueError.

        Returns
        -------
        Self
            The object itself.
        """
        if len(getattr(self, "models_", ())) > 1 or isinstance(X, Mapping):
            raise ValueError("a model of several contexts is not extended: call fit on everything")
        return super().partial_fit(X, duplicates=duplicates)

    def at(self, context: Any) -> ContextKNN:
        """The model in one context; it shares everything with this one.

        Parameters
        ----------
        context : object
            One of the contexts it was fitted on.

        Returns
        -------
        ContextKNN
            Its `recommend`, `fold_in`, `predict` and so on answer for this context.

        Raises
        ------
        KeyError
            For a context that it was not fitted on.
        """
        self._check_fitted()
        if context not in self.models_:
            known = ", ".join(map(repr, self.models_))
            raise KeyError(f"unknown context {context!r}: there are {known}")
        view = copy.copy(self)
        view._active = self.models_[context]
        return view

    def _model(self) -> Neighborhood:
        self._check_fitted()
        if self._active is None:
            known = ", ".join(map(repr, self.models_))
            raise ValueError(f"the model knows the contexts {known}: say which by .at(context)")
        return self._active

    def _rank(self, ask: Ask) -> tuple[NDArray[np.int32], NDArray[Any]]:
        model = self._model()
        if ask.users is None:
            return model._rank(ask)
        return model._rank(replace(ask, profiles=take_rows(model.user_items_, ask.users)))

    def _score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        return self._model()._score_pairs(users, items, n_threads)

    def similar_items(self, items: Any, *, k: int = 10) -> TopK:
        """The neighbours of items in this context; base "item" only.

        Parameters
        ----------
        items, k
            As in `ItemKNN.similar_items`.

        Returns
        -------
        TopK
            One list for each item.
        """
        if self.base != "item":
            raise ValueError("similar_items needs base='item'; use similar_users")
        return self._model()._similar(self._columns(items, "items"), self.items_, k, None)

    def similar_users(self, users: Any, *, k: int = 10) -> TopK:
        """The neighbours of users in this context; base "user" only.

        Parameters
        ----------
        users, k
            As in `UserKNN.similar_users`.

        Returns
        -------
        TopK
            One list for each user.
        """
        if self.base != "user":
            raise ValueError("similar_users needs base='user'; use similar_items")
        return self._model()._similar(self._rows(users, "users"), self.users_, k, None)

    def explain(self, user: Any, item: Any, *, k: int | None = 10) -> Explanation:
        """Which of the user's items (or similar users) led to this item in this context.

        Parameters
        ----------
        user, item : id
            One of each.
        k : int or None, default=10
            Largest contributions listed; None: all.

        Returns
        -------
        Explanation
            As `ItemKNN.explain` or `UserKNN.explain` give it.
        """
        row, column = one_pair(self._rows(user, "user"), self._columns(item, "item"))
        found: Explanation = self._model().explain(row, column, k=k)  # type: ignore[attr-defined]
        ids = self.items_ if found.of == "items" else self.users_
        return found if ids is None else replace(found, ids=ids.ids[found.indices])
