"""Features of items and users that `evaluate` hands to the models that use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.with_ids import MatrixWithIds
from ..data.features import Features as Encoder
from ..data.features import FeatureTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import IdMap

__all__ = ["Features", "leaks_of"]

LEAK = 0.99  # area under the ROC curve from which a single feature is reported
_MIN_CLASS = 20  # rows of each class: fewer are told apart by chance where there are many features
_MAX_ROWS = 10_000  # rows that are compared


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

    @property
    def given(self) -> list[str]:
        """Return the names of those of both that are given."""
        names = ("item_features", "user_features")
        return [name for name in names if getattr(self, name) is not None]

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
            name: getattr(self, name)
            for name in self.given
            if getattr(model, f"uses_{name}", False)
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


def leaks_of(
    table: FeatureTable, rows: NDArray[np.int64], n_entries: NDArray[np.int64]
) -> dict[str, float]:
    """Return the features that alone tell often used rows of the test part from the others.

    Parameters
    ----------
    table : FeatureTable
        Features of items or users.
    rows : ndarray of int64, shape (n,)
        Rows of the table to compare; numbers outside of the table are left out.
    n_entries : ndarray of int64, shape (n,)
        Number of relevant test entries of each.

    Returns
    -------
    dict of str to float
        Name of the feature to its area under the ROC curve, at least 0.99. Rows with more entries
        than the median are told from the others; a random 10,000 rows are compared. Empty where
        one of both classes has fewer than 20 rows.
    """
    has_row = (rows >= 0) & (rows < len(table))
    rows, counts = rows[has_row], n_entries[has_row]
    if len(rows) > _MAX_ROWS:
        drawn = np.sort(np.random.default_rng(0).choice(len(rows), _MAX_ROWS, replace=False))
        rows, counts = rows[drawn], counts[drawn]
    is_often = counts > np.median(counts) if len(counts) else counts > 0
    if min(int(is_often.sum()), int((~is_often).sum())) < _MIN_CLASS:
        return {}
    compared = FeatureTable(None, table.matrix[rows], encoder=table.encoder)
    return compared.leaks(is_often, threshold=LEAK)


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
