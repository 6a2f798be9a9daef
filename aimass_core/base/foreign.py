"""Models of other authors that define ``fit`` and ``score`` only, as recommenders."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from . import registry
from .fit_options import FitOptions
from .recommender import Recommender

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from typing_extensions import Self

    from .progress import Event
    from .query import Query

__all__ = ["AdaptedModel", "as_recommender"]


class AdaptedModel(Recommender):
    """A recommender that takes its scores from another object; see `as_recommender`."""

    def __init__(self, *, model: Any) -> None:
        self.model = model

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
    ) -> Self:
        """Fit the other object on X and remember ids and interactions.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            Given to ``model.fit`` as it is.
        y : None
            Must be None.
        callback : callable, optional
            Called with one `Event` when the fit is complete.
        verbose : bool, default=False
            Show a progress bar on standard error once the fit has taken two seconds.

        Returns
        -------
        Self
            The object itself.
        """
        return self._fit(X, y, FitOptions(X, callback=callback, verbose=verbose))

    def _learn(self, n_threads: int) -> None:
        self.model.fit(self._options.data)

    def score(self, query: Query) -> NDArray[Any]:
        """Return the scores of ``model.score(query)``.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float, shape (n, n_items)
            Higher is better.
        """
        return np.asarray(self.model.score(query))

    @property
    def _score_dtype(self) -> Any:
        return np.float64

    def __repr__(self) -> str:
        return f"as_recommender({self.model!r})"

    def _foreign_parameters(self) -> dict[str, Any]:
        """Return the constructor's arguments of the other object."""
        names = inspect.signature(type(self.model)).parameters
        return {name: getattr(self.model, name) for name in names}

    def _foreign_state(self) -> dict[str, Any]:
        """Return the learned attributes of the other object: those that end in one underscore."""
        return {
            name: value
            for name, value in vars(self.model).items()
            if name.endswith("_") and not name.startswith("_")
        }


def as_recommender(model: Any) -> Recommender:
    """Return a model with the full contract of `Recommender`.

    Parameters
    ----------
    model : Recommender, or an object with ``fit(X)`` and ``score(query)``
        ``score`` returns an array of shape (n, n_items) for the n users of a `Query`. To be saved,
        its class needs the decorator `register`, constructor arguments that are attributes of the
        same names, and learned attributes that end in an underscore.

    Returns
    -------
    Recommender
        The model itself where it is one.

    Raises
    ------
    TypeError
        For anything without ``fit`` and ``score``.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import as_recommender
    >>> class LastItems:
    ...     def fit(self, X):
    ...         return self
    ...     def score(self, query):
    ...         return np.tile(np.arange(query.n_items, dtype=float), (len(query), 1))
    >>> as_recommender(LastItems()).fit(np.eye(3)).recommend([0], k=2).ids.tolist()
    [[2, 1]]
    """
    if isinstance(model, Recommender):
        return model
    missing = [name for name in ("fit", "score") if not callable(getattr(model, name, None))]
    if missing or isinstance(model, type):
        raise TypeError(
            "model must be a recommender such as Popularity(), or an object with fit(X) and "
            f"score(query); got {_shown(model)}"
        )
    return AdaptedModel(model=model)


def _shown(model: Any) -> str:
    if isinstance(model, str) and model in registry.model_names():
        return f"the name {model!r}: write {registry.find(model).__name__}()"
    if isinstance(model, type):
        return f"the class {model.__name__}: write {model.__name__}()"
    return repr(model) if isinstance(model, str) else type(model).__name__
