"""The warning for intervals that rest on few clusters: `warn_few_clusters`."""

from __future__ import annotations

from ..exceptions import FewClustersWarning
from .caller import warn_caller

__all__ = ["ENOUGH_CLUSTERS", "warn_few_clusters"]

ENOUGH_CLUSTERS = 30


def warn_few_clusters(n_clusters: int) -> None:
    """Warn the caller if an interval rests on fewer than 30 clusters.

    Parameters
    ----------
    n_clusters : int
        Clusters of the interval.

    Warns
    -----
    FewClustersWarning
        For fewer than 30.
    """
    if n_clusters < ENOUGH_CLUSTERS:
        warn_caller(
            f"the intervals rest on only {n_clusters} clusters: below {ENOUGH_CLUSTERS} a standard "
            "error is uncertain itself, and intervals may be too narrow or too wide. Give the "
            "units that were assigned together (households, stores), or leave clusters out if the "
            "rows were assigned one by one",
            FewClustersWarning,
        )
