"""The limits of an audience: sizes, caps, group quotas, costs and the budget, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.filters import Catalog, known_rows
from ..base.validation import as_float, as_int

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Limits", "per_item_numbers", "quotas_of", "whole_limits"]


@dataclass(frozen=True)
class Limits:
    """How many pairs an audience may have, and what each is worth.

    Parameters
    ----------
    sizes : ndarray of int64, shape (n_items,)
        Upper limit of the users of each item.
    caps : ndarray of int64, shape (n_users,)
        Upper limit of the items of each user; 0 for users who are excluded.
    groups : ndarray of int32, shape (n_users,)
        Group of each user; 0 has no quota.
    quotas : ndarray of int64, shape (n_groups,)
        Upper limit of the pairs of each group.
    costs : ndarray of float64, shape (n_items,)
        Cost of a pair of each item.
    values : ndarray of float64, shape (n_items,)
        What a score of 1 is worth for each item.
    budget : float
        Upper limit of the cost of all pairs; inf: no limit.
    min_size : int
        An item with fewer users gets none at all.
    """

    sizes: NDArray[np.int64]
    caps: NDArray[np.int64]
    groups: NDArray[np.int32]
    quotas: NDArray[np.int64]
    costs: NDArray[np.float64]
    values: NDArray[np.float64]
    budget: float
    min_size: int

    @property
    def has_budget(self) -> bool:
        """Whether the total cost is limited; then only pairs with a positive score are chosen."""
        return bool(np.isfinite(self.budget))

    @property
    def has_equal_costs(self) -> bool:
        """Whether all pairs cost the same, or the cost does not matter."""
        return not self.has_budget or len(np.unique(self.costs)) <= 1

    def priorities(self, positions: NDArray[Any], scores: NDArray[Any]) -> NDArray[np.float64]:
        """Return the order in which greedy takes pairs: by value, with a budget by value per cost.

        Parameters
        ----------
        positions : ndarray of int
            The item of each pair.
        scores : ndarray of float
            The score of each pair.
        """
        weights = self.values if self.has_equal_costs else self.values / self.costs
        return np.asarray(scores * weights[positions], dtype=np.float64)


def _as_mapping(value: Any, name: str) -> Any:
    """Return a pandas Series whose index holds ids as a mapping, and anything else as it is.

    An index holds ids where it has a name, as after ``set_index``, or is not of whole numbers.
    Whole numbers without a name are the numbers of rows where they are 0, 1, ...; others are
    refused.
    """
    index = getattr(value, "index", None)
    if type(value).__name__ != "Series" or index is None or callable(index):  # of polars: none
        return value
    if index.name is None and getattr(index.dtype, "kind", "O") in "iu":
        if not np.array_equal(np.asarray(index), np.arange(len(index))):
            raise ValueError(
                f"{name} is a Series whose index may hold ids or numbers of rows: pass "
                f"{name}.rename_axis('id') to match by id, or {name}.to_numpy() to take its order"
            )
        return value
    if not index.is_unique:
        repeated = index[index.duplicated()][0]
        raise ValueError(f"{name} has several values for {repeated!r}: keep one for each id")
    return dict(zip(index.tolist(), value.tolist(), strict=True))


def whole_limits(
    value: Any, name: str, catalog: Catalog, rows: NDArray[np.int64], maximum: int
) -> NDArray[np.int64]:
    """Return one whole number for each row from a number, an array or a mapping of ids.

    Parameters
    ----------
    value : int, array-like of int or mapping of id to int
        Rows without an entry of a mapping get ``maximum``.
    name : str
        The argument's name, for messages.
    catalog : Catalog
        What the ids of a mapping refer to.
    rows : ndarray of int64
        The rows that limits are for.
    maximum : int
        A larger number is no limit and is replaced by it.
    """
    n = len(rows)
    value = _as_mapping(value, name)
    if isinstance(value, Mapping):
        limits = np.full(catalog.size, maximum, dtype=np.int64)
        for one, number in value.items():
            limit = min(as_int(number, f"{name}[{one!r}]", minimum=0), maximum)
            limits[known_rows([one], name, catalog)] = limit
        return limits[rows]
    if np.ndim(value) == 0:
        return np.full(n, min(as_int(value, name, minimum=0), maximum), dtype=np.int64)
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers, got {array.dtype}")
    if array.shape != (n,):
        raise ValueError(f"{name} must be one number or have shape ({n},), got {array.shape}")
    if (array < 0).any():
        raise ValueError(f"{name} must be at least 0, got {array.min()}")
    return np.minimum(array.astype(np.uint64), np.uint64(maximum)).astype(np.int64)


def per_item_numbers(
    value: Any, name: str, catalog: Catalog, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return a positive number for each item from a number, an array or a mapping of ids."""
    value = _as_mapping(value, name)
    if isinstance(value, Mapping):
        by_row = np.full(catalog.size, np.nan)
        for one, number in value.items():
            by_row[known_rows([one], name, catalog)] = as_float(number, f"{name}[{one!r}]")
        numbers = by_row[rows]
        if np.isnan(numbers).any():
            row = int(rows[np.isnan(numbers)][0])
            item = row if catalog.ids is None else catalog.ids.take([row]).ids.item(0)
            raise ValueError(
                f"{name} must name every item of the call, but has nothing for item {item!r}"
            )
    else:
        numbers = np.asarray(value)
        if numbers.dtype.kind not in "iuf":
            raise TypeError(f"{name} must be numbers, got {numbers.dtype}")
        if numbers.shape not in ((), (len(rows),)):
            raise ValueError(
                f"{name} must be one number, or one for each item, of shape ({len(rows)},), got "
                f"shape {numbers.shape}"
            )
        numbers = np.broadcast_to(numbers, (len(rows),)).astype(np.float64)
    if not ((numbers > 0) & np.isfinite(numbers)).all():
        raise ValueError(f"{name} must be positive and finite, got {numbers.min()}")
    return numbers


def _rows_of_keys(keys: list[Any], name: str, catalog: Catalog) -> NDArray[np.int64]:
    """Return the row of each id of a mapping, -1 for an id that the model does not know."""
    if catalog.ids is not None and keys:
        known = catalog.ids.get(keys)
        catalog.ids._refuse_twins(keys, known, name)
        return known
    rows = np.full(len(keys), -1, dtype=np.int64)
    for position, key in enumerate(keys):
        rows[position : position + 1] = [*known_rows([key], name, catalog), -1][:1]
    return rows


def quotas_of(
    groups: Any, max_per_group: Any, catalog: Catalog, maximum: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return each user's group (0: none) and the quota of each group.

    Parameters
    ----------
    groups : mapping of user id to label, array-like of labels with one for each user, or None
        Users that a mapping does not name are in no group.
    max_per_group : int, mapping of label to int, or None
        Labels that a mapping does not name have no quota.
    catalog : Catalog
        The users.
    maximum : int
        A quota that limits nothing.
    """
    if (groups is None) != (max_per_group is None):
        raise ValueError("groups and max_per_group belong together: give both or neither")
    codes = np.zeros(catalog.size, dtype=np.int32)
    groups, max_per_group = (
        _as_mapping(groups, "groups"),
        _as_mapping(max_per_group, "max_per_group"),
    )
    if groups is None:
        return codes, np.array([maximum], dtype=np.int64)
    labels: dict[Any, int] = {}
    if isinstance(groups, Mapping):
        numbers = [labels.setdefault(label, len(labels) + 1) for label in groups.values()]
        rows = _rows_of_keys(list(groups), "groups", catalog)
        codes[rows[rows >= 0]] = np.array(numbers, dtype=np.int32)[rows >= 0]
    else:
        values = groups.tolist() if hasattr(groups, "tolist") else list(groups)
        if len(values) != catalog.size:
            raise ValueError(
                f"groups must have one label for each of the {catalog.size} users, got "
                f"{len(values)}; or give a mapping of user to label"
            )
        for row, label in enumerate(values):
            codes[row] = labels.setdefault(label, len(labels) + 1)
    quotas = np.full(len(labels) + 1, maximum, dtype=np.int64)
    if isinstance(max_per_group, Mapping):
        strange = [label for label in max_per_group if label not in labels]
        if strange:
            raise ValueError(f"max_per_group names {strange[0]!r}, which no user has as its group")
        for label, quota in max_per_group.items():
            quotas[labels[label]] = min(
                as_int(quota, f"max_per_group[{label!r}]", minimum=0), maximum
            )
    else:
        quotas[1:] = min(as_int(max_per_group, "max_per_group", minimum=0), maximum)
    return codes, quotas
