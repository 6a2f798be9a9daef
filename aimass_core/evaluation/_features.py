"""Features of items and users that `evaluate` hands to the models that use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..base.with_ids import MatrixWithIds
from ..data.features import Features as Encoder
from ..data.features import FeatureTable

if TYPE_CHECKING:
    from ..data import IdMap

__all__ = ["Features"]


@dataclass(frozen=True)
class Features:
    """Encoded features of items and users, each encoded once for all models.

    Parameters
    ----------
    item_features, user_features : FeatureTable, optional
        Tables with ids, or rows in the order of train.
    """

    item_features: FeatureTable | None = None
    user_features: FeatureTable | None = None

    @classmethod
    def of(cls, item_features: Any, user_features: Any, train: Any) -> Features:
        """Return the features of a call of `evaluate`.

        Parameters
        ----------
        item_features, user_features : table, FeatureTable, matrix, Interactions or None
            As given. The rows of `Interactions` are ids, its columns features.
        train : Interactions or matrix
            Whose items and users they belong to.

        Returns
        -------
        Features
            Both encoded.
        """
        items, users = getattr(train, "items", None), getattr(train, "users", None)
        return cls(_encoded(item_features, items), _encoded(user_features, users))

    def for_fit(self, model: Any) -> dict[str, FeatureTable]:
        """Return the arguments of ``fit`` of a model.

        Parameters
        ----------
        model : recommender
            Any.

        Returns
        -------
        dict of str to FeatureTable
            Those of both that are given and that the model uses.
        """
        return {
            name: table
            for name in ("item_features", "user_features")
            if (table := getattr(self, name)) is not None and getattr(model, f"uses_{name}", False)
        }

    def extend(self, model: Any) -> bool:
        """Return whether a model can rank items that train does not number.

        Parameters
        ----------
        model : recommender
            A fitted model.

        Returns
        -------
        bool
            True where it uses the features, which have ids.
        """
        return _has_learned(model, "item_features", self.item_features)

    def serve(self, model: Any) -> bool:
        """Return whether a model can serve users that train does not number.

        Parameters
        ----------
        model : recommender
            A fitted model.

        Returns
        -------
        bool
            True where it uses the features, which have ids.
        """
        return _has_learned(model, "user_features", self.user_features)


def _has_learned(model: Any, name: str, table: FeatureTable | None) -> bool:
    learned = getattr(model, f"{name}_", None)
    return table is not None and table.ids is not None and learned is not None


def _encoded(given: Any, ids: IdMap | None) -> FeatureTable | None:
    """Return features as a table."""
    if given is None or isinstance(given, FeatureTable):
        return given
    if isinstance(given, MatrixWithIds):
        if ids is None:
            return FeatureTable(None, given.matrix)
        return FeatureTable(given.users, given.matrix, [str(i) for i in given.items.ids])
    return Encoder().fit_transform(given, id_name=getattr(ids, "name", None))
