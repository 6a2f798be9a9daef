"""What all fused models share: fitting the members, answering from a pool, files."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..base.query import Query
from ..base.ranking import Ranked, padding
from ..base.recommender import Recommender
from ..base.validation import as_int
from ..base.with_ids import MatrixWithIds
from ._members import Members, as_members, fresh
from ._pool import Pool, blocks_of, make_pool, rank_pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FusedModel"]


class FusedModel(Recommender):
    """Base class of models whose scores come from the scores of other models.

    A subclass defines ``_fuse(pool)``, and ``_learn_fusion(X, n_threads)`` where it learns more
    than its members do.
    """

    _state: ClassVar[tuple[str, ...]] = (
        *Recommender._state,
        "timestamps_",
        "time_unit_",
        "events_",
        "stored_models_",
    )
    _keeps_times: ClassVar[bool] = True
    _members_sharing_data = True  # whether every member was fitted on ``user_items_`` itself

    models: Any
    depth: int
    models_: Members

    @property
    def needs_training(self) -> bool:  # type: ignore[override]
        """Whether answers for users of the fit read the training matrix: always."""
        return True

    @property
    def needs_history(self) -> bool:  # type: ignore[override]
        """Whether a user without any interaction has no list: where every member needs some."""
        return all(model.needs_history for model in getattr(self, "models_", {}).values())

    @property
    def _orders_profiles(self) -> bool:  # type: ignore[override]
        return any(model._orders_profiles for model in getattr(self, "models_", {}).values())

    @property
    def _score_dtype(self) -> Any:
        return np.float64

    def _requires_training(self) -> bool:
        return any(model._requires_training() for model in self.models_.values())

    def _keeps_events(self) -> bool:
        return True  # members, and splits of the learning ones, may use the time of each event

    def _members(self) -> Members:
        """Return unfitted copies of the members."""
        return {name: fresh(model) for name, model in as_members(self.models).items()}

    def _learn(self, n_threads: int) -> None:
        data = self._options.data
        data = data if isinstance(data, MatrixWithIds) else self.user_items_
        self._check_parameters()
        self._learn_fusion(data, n_threads)
        self.models_ = self._fitted_members(data)

    def _check_parameters(self) -> None:
        as_int(self.depth, "depth", minimum=1)

    def _learn_fusion(self, X: Any, n_threads: int) -> None:
        """Set learned attributes beside the members, before these are fitted."""

    def _fitted_members(self, X: Any) -> Members:
        members = self._members()
        progress = self._progress(len(members))
        for number, model in enumerate(members.values(), 1):
            model.fit(X)
            progress.step(number)
        return members

    # ---- answers -----------------------------------------------------------------------------

    def _at_fit(self, name: str) -> Any:
        """Return a parameter of the last fit, whatever ``set_params`` did since."""
        return (getattr(self, "_fitted_with", None) or self.get_params(deep=False))[name]

    def _fuse(self, pool: Pool) -> NDArray[np.float64]:
        """Return the fused score of each candidate; -inf where it cannot be recommended."""
        raise NotImplementedError

    def score(self, query: Query) -> NDArray[Any]:
        """Return the fused score of every item for each user of a query.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            -inf for an item that no member can rank.
        """
        shape = len(query), query.n_items
        if not shape[0] or not shape[1]:
            return np.zeros(shape)
        pool = make_pool(self.models_, query, self._at_fit("depth"), complete=True)
        return self._fuse(pool).reshape(shape)

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user of a query under its filters.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf. Candidates are the ``depth`` best items of each member.
        """
        blocks = []
        depth = self._at_fit("depth")
        for part in blocks_of(query, max(depth, query.k), len(self.models_)):
            pool = make_pool(self.models_, part, depth, query.k)
            blocks.append(rank_pool(pool, self._fuse(pool), query.k))
        if not blocks:
            return padding(0, query.k)
        return (
            np.concatenate([indices for indices, _ in blocks]),
            np.concatenate([scores for _, scores in blocks]),
        )

    # ---- updates and files -------------------------------------------------------------------

    def _forget_rows(self, kept: NDArray[np.int64]) -> None:
        for model in self.models_.values():
            removed = np.setdiff1d(np.arange(model.n_users_), kept)
            ids, model.users_ = model.users_, None  # by row number
            model.forget(removed)
            model.users_ = None if ids is None else ids.take(kept)

    def _remains(self) -> str:
        parts = {model._remains() for model in self.models_.values()}
        return " ".join(sorted(parts))

    @property
    def stored_models_(self) -> Members:
        """The members as a file holds them: without the data that they share with this model."""
        stored = {}
        for name, model in self.models_.items():
            bare = copy.copy(model)
            bare.users_ = bare.items_ = None
            if self._members_sharing_data and not model._requires_training():
                bare.user_items_ = None
            if bare._keeps_times:
                bare.timestamps_ = bare.time_unit_ = bare.events_ = None
            stored[name] = bare
        return stored

    @stored_models_.setter
    def stored_models_(self, models: Any) -> None:
        self.models_ = models

    def _check_state(self) -> None:
        super()._check_state()
        models: Any = self.models_  # whatever the file holds
        if not isinstance(models, dict) or not models:
            raise ValueError("no member models")
        for model in models.values():
            if not isinstance(model, Recommender):
                raise ValueError(f"a member that is a {type(model).__name__}")
            if (model.n_users_, model.n_items) != (self.n_users_, self.n_items):
                raise ValueError("the members differ in shape")

    def _restore(self) -> None:
        super()._restore()
        for model in self.models_.values():
            model.users_, model.items_ = self.users_, self.items_
            if model.user_items_ is None and self._members_sharing_data:
                model.user_items_ = self.user_items_
            if model._keeps_times and self._members_sharing_data:
                model.timestamps_, model.time_unit_ = self.timestamps_, self.time_unit_
                model.events_ = self.events_ if model._keeps_events() else None
            model._restore()
