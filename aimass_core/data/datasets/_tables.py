"""What `make_store` returns: the tables of a shop, and the truth behind them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base.optional import import_optional
from ...base.persistence import replacing
from ..interactions import Interactions
from ._shop import EVENTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Store", "StoreTruth"]


@dataclass(frozen=True)
class StoreTruth:
    """What a model could at best find out.

    Parameters
    ----------
    user_factors : ndarray of float32, shape (n_users, n_factors)
        Taste in the middle of the time span; rows sum to 1.
    item_factors : ndarray of float32, shape (n_items, n_factors)
        Chance of each item within a factor, in the middle of the span; columns sum to 1. Where
        nothing drifts, the chance that an event of user u is item i is their inner product.
    item_cluster : ndarray of int64, shape (n_items,)
        The factor in which an item mostly is; its category is ``item_cluster // n_styles``.
    item_popularity, user_activity : ndarray of float64
        Expected number of events of each item and of each user.
    segment : ndarray of int64, shape (n_users,)
        Latent segment, which shapes tastes, features and uplift.
    purchase_rate : ndarray of float64, shape (n_users,)
        Chance that an event of the user is a purchase.
    outcome_without, outcome_with : ndarray of float64, shape (n_users,)
        Chance to convert without and with the campaign.
    parameters : dict
        The arguments of `make_store`, the seed among them.
    """

    user_factors: NDArray[np.float32]
    item_factors: NDArray[np.float32]
    item_cluster: NDArray[np.int64]
    item_popularity: NDArray[np.float64]
    user_activity: NDArray[np.float64]
    segment: NDArray[np.int64]
    purchase_rate: NDArray[np.float64]
    outcome_without: NDArray[np.float64]
    outcome_with: NDArray[np.float64]
    parameters: dict[str, Any]

    @property
    def uplift(self) -> NDArray[np.float64]:
        """What the campaign adds to each user's chance to convert."""
        return self.outcome_with - self.outcome_without


@dataclass(frozen=True)
class Store:
    """A shop: four tables as dictionaries of NumPy columns, and the truth behind them.

    Parameters
    ----------
    interactions : dict of ndarray
        In order of time: ``user_id``, ``item_id``, ``event`` (int8, index into `EVENTS`: view,
        cart, purchase), ``quantity`` (0 unless bought), ``price``, ``timestamp`` (Unix seconds).
    items : dict of ndarray
        ``item_id``, ``title``, ``category``, ``price``, ``launched`` (Unix seconds).
    customers : dict of ndarray
        ``user_id``, ``age_band``, ``region``, ``channel``, ``signup`` (Unix seconds).
    campaign : dict of ndarray
        ``user_id``, ``treatment`` (random), ``conversion``, ``spend``, ``timestamp``.
    truth : StoreTruth
        Row r of its arrays belongs to row r of `customers` or `items`.
    """

    interactions: dict[str, NDArray[Any]]
    items: dict[str, NDArray[Any]]
    customers: dict[str, NDArray[Any]]
    campaign: dict[str, NDArray[Any]]
    truth: StoreTruth

    def __repr__(self) -> str:
        return (
            f"Store({len(self.customers['user_id'])} customers, {len(self.items['item_id'])} "
            f"items, {len(self.interactions['user_id'])} interactions)"
        )

    def to_interactions(
        self, *, weights: Mapping[str, float] | None = None, time: bool = True
    ) -> Interactions:
        """Return the events as a users x items matrix.

        Parameters
        ----------
        weights : mapping of event name to weight, optional
            For example ``{"purchase": 5, "cart": 2}``; events not named are left out. Default:
            every event counts 1.
        time : bool, default True
            Whether to keep the time of each cell's latest event.

        Returns
        -------
        Interactions
            Repeated events of a user with an item are summed.
        """
        by_code = None
        if weights is not None:
            unknown = sorted(set(weights) - set(EVENTS))
            if unknown:
                raise ValueError(f"weights names {unknown}; known are {', '.join(EVENTS)}")
            by_code = {code: weights.get(name, 0.0) for code, name in enumerate(EVENTS)}
        return Interactions.from_table(
            self.interactions,
            user="user_id",
            item="item_id",
            time="timestamp" if time else None,
            event=None if by_code is None else "event",
            weights=by_code,
        )

    def to_arrow(self) -> dict[str, Any]:
        """Return the four tables as pyarrow tables; events become names.

        Returns
        -------
        dict of str to pyarrow.Table
            "interactions", "items", "customers" and "campaign".

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        pa = import_optional("pyarrow", "to_arrow")
        tables = {}
        for name in ("interactions", "items", "customers", "campaign"):
            columns = dict(getattr(self, name))
            if name == "interactions":
                codes = pa.array(columns["event"])
                columns["event"] = pa.DictionaryArray.from_arrays(codes, list(EVENTS))
            tables[name] = pa.table({key: pa.array(column) for key, column in columns.items()})
        return tables

    def write_parquet(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write one Parquet file per table.

        Parameters
        ----------
        folder : path
            Made if it does not exist. Files of the same names are replaced, each at once.

        Returns
        -------
        list of Path
            Of interactions.parquet, items.parquet, customers.parquet and campaign.parquet.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        tables = self.to_arrow()
        import pyarrow.parquet as pq

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, table in tables.items():
            path = folder / f"{name}.parquet"
            with replacing(path) as file:
                pq.write_table(table, file, compression="zstd")
            paths.append(path)
        return paths
