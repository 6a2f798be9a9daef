"""Neighbourhoods that depend on the situation: by context, and with old events fading."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.query import Query
from ..base.ranking import Ranked
from ..base.recommender import Recommender
from ..base.registry import register
from ..base.validation import as_choice, as_csr
from ..base.with_ids import matrix_of
from ..data.cleaning import time_decay
from .item_knn import ItemKNN
from .user_knn import UserKNN

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.lists import Explanation, TopK
    from ..base.progress import Event

__all__ = ["ContextKNN"]

_STEPS = 100  # of the fit of a context


@register("context-knn")
class ContextKNN(Recommender):
    r"""Item- or user-based neighbourhoods for each context, with events that lose weight in time.

    Pre-filtering: in each context (weekday, device, season, ...) a neighbourhood model sees that
    context's interactions alone. What a user has in any context counts as seen. With a half-life h,
    an event of age a has the weight :math:`2^{-a/h}`.

    Parameters
    ----------
    base : {"item", "user"}, ItemKNN or UserKNN, default="item"
        The neighbourhood model of each context; "item" and "user" stand for one with cosine
        similarity. Its weighting comes after the decay, and its profile "raw" is the decayed
        values. With a half-life, a model without ``similarity`` uses cosine, because the default of
        `ItemKNN` does not see values.
    half_life : timedelta or number, optional
        After this time an interaction counts half; needs `Interactions` with times. A timedelta
        where the times are datetimes, else a number in their unit.
    now : datetime, str or number, optional
        The moment from which age is counted. Default: the latest time in the data.

    Attributes
    ----------
    models_ : dict
        The neighbourhood model of each context; of the context None where there is one only.
    user_items_ : csr_array of shape (n_users, n_items)
        All interactions of all contexts.

    Notes
    -----
    Fitting costs what a fit of `base` on the interactions of each context costs, and O(nnz) for the
    decay. Memory: the neighbours of all contexts.

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
        "events_",
        "models_",
    )
    _keeps_times: ClassVar[bool] = True

    models_: dict[Any, ItemKNN | UserKNN]

    def __init__(
        self, *, base: str | ItemKNN | UserKNN = "item", half_life: Any = None, now: Any = None
    ) -> None:
        self.base = base
        self.half_life = half_life
        self.now = now

    def _base_model(self) -> ItemKNN | UserKNN:
        """Return a fresh, unfitted model of one context."""
        if isinstance(self.base, str):
            kind = as_choice(self.base, "base", ("item", "user"))
            return ItemKNN(similarity="cosine") if kind == "item" else UserKNN()
        if not isinstance(self.base, (ItemKNN, UserKNN)):
            raise TypeError(
                f"base must be 'item', 'user', an ItemKNN or a UserKNN, got {self.base!r}"
            )
        params = self.base.get_params(deep=False)
        if self.half_life is not None and self.base._uses_defaults:
            params["similarity"] = "cosine"
        return type(self.base)(**params)

    @property
    def needs_training(self) -> bool:  # type: ignore[override]
        """Whether answers for users of the fit read the training matrix: always."""
        return True

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Learn one neighbourhood model for each context.

        Parameters
        ----------
        X : Interactions, matrix, or dict of context to Interactions
            The dict as `Interactions.by_context` makes it: all with the same users and items.
        y : None
            Must be None.
        callback : callable, optional
            Called with an `Event` for each hundredth of the neighbours of a context, at most ten
            times in a second, and after each context.
        verbose : bool, default=False
            Show a progress bar on standard error once the fit has taken two seconds.

        Returns
        -------
        Self
            The object itself; where ``fit`` raises, it stays what it was.
        """
        return super().fit(X, y, callback=callback, verbose=verbose)

    def _set_training_data(self, X: Any) -> None:
        parts = dict(X) if isinstance(X, Mapping) else {None: X}
        if not parts:
            raise ValueError("X holds no context: give at least one, or Interactions")
        first = next(iter(parts.values()))
        if any(p.users != first.users or p.items != first.items for p in list(parts.values())[1:]):
            raise ValueError(
                "the contexts in X must share users and items: use Interactions.by_context"
            )
        super()._set_training_data(first)
        if len(parts) > 1:
            total = sum((p.matrix for p in list(parts.values())[1:]), start=first.matrix)
            self.user_items_ = as_csr(total)
            self._count_items()
            self.timestamps_ = self.time_unit_ = self.events_ = None

    def _keeps_events(self) -> bool:
        return self.half_life is not None

    def _learn(self, n_threads: int) -> None:
        data = self._options.data
        parts = dict(data) if isinstance(data, Mapping) else {None: data}
        progress = self._progress(_STEPS * len(parts))
        if self.half_life is None:
            self._refuse_idle(("now",), "half_life=None")
        self.models_ = {}
        for step, (context, part) in enumerate(parts.items(), 1):
            if self.half_life is not None:
                if getattr(part, "timestamps", None) is None:
                    raise ValueError(
                        "half_life needs times: fit on Interactions.from_table(..., time=COLUMN)"
                    )
                part = time_decay(part, half_life=self.half_life, now=self.now)
            report = progress.within(_STEPS * (step - 1), _STEPS * step)

            def tell(event: Event, report: Callable[[int, int], None] = report) -> None:
                report(event.step, event.n_steps)

            self.models_[context] = self._base_model().fit(matrix_of(part), callback=tell)
            progress.step(_STEPS * step)

    def _prepare(self, n_threads: int) -> None:
        self._active = next(iter(self.models_.values())) if len(self.models_) == 1 else None

    def _check_state(self) -> None:
        super()._check_state()
        for model in self.models_.values():
            if (model.n_users_, model.n_items) != (self.n_users_, self.n_items):
                raise ValueError("the contexts' models differ in shape")

    def partial_fit(self, X: Any, y: None = None, *, duplicates: str = "error") -> Self:
        """Add new interactions, where there is one context only.

        Parameters
        ----------
        X, y, duplicates
            As in `ItemKNN.partial_fit`. ValueError is raised by a model of several contexts. With
            ``half_life`` each old and new event decays by its own time.

        Returns
        -------
        Self
            The object itself.
        """
        if len(getattr(self, "models_", ())) > 1 or isinstance(X, Mapping):
            raise ValueError("a model of several contexts is not extended: call fit on everything")
        return super().partial_fit(X, duplicates=duplicates)

    def _forget_rows(self, kept: NDArray[np.int64]) -> None:
        for model in self.models_.values():
            removed = np.setdiff1d(np.arange(model.n_users_), kept)
            model.forget(removed)

    def at(self, context: Any) -> ContextKNN:
        """Return the model of one context; it shares all data with this one.

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

    def _model(self) -> ItemKNN | UserKNN:
        self._check_fitted()
        if self._active is None:
            known = ", ".join(map(repr, self.models_))
            raise ValueError(f"the model knows the contexts {known}: say which by .at(context)")
        return self._active

    def _in_context(self, query: Query) -> Query:
        """Return the query with the profiles that users of the fit have in this context."""
        if query.users is None:
            return query
        return replace(query, profiles=self._model()._profiles_of(query.users))

    def score(self, query: Query) -> NDArray[Any]:
        """Return the scores of the model of this context.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float, shape (n, n_items)
            As from `ItemKNN.score` or `UserKNN.score`.
        """
        return self._model().score(self._in_context(query))

    def rank(self, query: Query) -> Ranked:
        """Return the k best items in this context of each user of a query.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        return self._model().rank(self._in_context(query))

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the score in this context of each pair of a row and a column.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Threads to use.

        Returns
        -------
        ndarray of float64, shape (n,)
            As from the model of this context.
        """
        return self._model().score_pairs(users, items, n_threads)

    def _similar_in_context(
        self, side: str, rows: NDArray[np.int64], options: dict[str, Any]
    ) -> TopK:
        """Return neighbours from the model of this context, under this model's ids."""
        model = copy.copy(self._model())
        model.users_, model.items_ = self.users_, self.items_
        if model._entities != side:
            other = "items" if side == "users" else "users"
            raise ValueError(f"this model compares {other}: call similar_{other}")
        return model._similar(rows, **options)

    def similar_items(
        self,
        items: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the neighbours of items in this context; for a base model of items only.

        Parameters
        ----------
        items, k, candidates, exclude, n_threads
            As in `ItemKNN.similar_items`.

        Returns
        -------
        TopK
            One list for each item.
        """
        options = {"k": k, "candidates": candidates, "exclude": exclude, "n_threads": n_threads}
        self._check_fitted()
        return self._similar_in_context("items", self._columns(items, "items"), options)

    def similar_users(
        self,
        users: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the neighbours of users in this context; for a base model of users only.

        Parameters
        ----------
        users, k, candidates, exclude, n_threads
            As in `UserKNN.similar_users`.

        Returns
        -------
        TopK
            One list for each user.
        """
        options = {"k": k, "candidates": candidates, "exclude": exclude, "n_threads": n_threads}
        self._check_fitted()
        return self._similar_in_context("users", self._rows(users, "users"), options)

    def explain(self, user: Any, item: Any, *, k: int | None = 10) -> Explanation:
        """Return which of the user's items (or similar users) contribute to a score here.

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
        row, column = self._one_pair(self._rows(user, "user"), self._columns(item, "item"))
        result = self._model().explain(row, column, k=k)
        ids = self.items_ if result.of == "items" else self.users_
        return result if ids is None else replace(result, ids=ids.ids[result.indices])
