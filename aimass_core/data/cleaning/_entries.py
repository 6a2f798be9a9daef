"""Single entries: values that are too large, times that are out of the window or long ago."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.validation import as_float
from .._checked import takes_interactions
from .._time import duration, needed_times, time_point
from ..interactions import Interactions

__all__ = ["clip_values", "time_decay", "time_window"]


@takes_interactions
def clip_values(
    x: Interactions,
    *,
    low: float | None = None,
    high: float | None = None,
    quantiles: tuple[float, float] | None = None,
) -> Interactions:
    """Move outlying values to a bound.

    Parameters
    ----------
    x : Interactions
        To be clipped.
    low, high : float, optional
        Bounds.
    quantiles : (float, float), optional
        Bounds as quantiles of the stored values instead, e.g. ``(0, 0.99)`` (winsorising).

    Returns
    -------
    Interactions
        The same entries, their values within the bounds.

    Raises
    ------
    ValueError
        Without any bound, for both kinds, or bounds in the wrong order.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_csr([[1, 2, 900]])
    >>> cleaning.clip_values(x, high=5).matrix.toarray().tolist()
    [[1.0, 2.0, 5.0]]
    """
    if quantiles is not None:
        if low is not None or high is not None:
            raise ValueError("give low= and high=, or quantiles=, not both")
        below = as_float(quantiles[0], "quantiles[0]", minimum=0.0, maximum=1.0)
        above = as_float(quantiles[1], "quantiles[1]", minimum=below, maximum=1.0)
        if x.nnz == 0:
            return x
        low, high = np.quantile(x.matrix.data, [below, above]).tolist()
    elif low is None and high is None:
        raise ValueError("give low=, high= or quantiles=")
    low = -np.inf if low is None else as_float(low, "low")
    high = np.inf if high is None else as_float(high, "high", minimum=low)
    matrix = x.matrix.copy()
    matrix.data = np.clip(x.matrix.data, low, high).astype(x.matrix.dtype)
    return x.with_matrix(matrix)


@takes_interactions
def time_window(x: Interactions, *, start: Any = None, end: Any = None) -> Interactions:
    """Keep what happened from a start up to but not including an end.

    Parameters
    ----------
    x : Interactions
        With timestamps.
    start, end : datetime, str or number, optional
        Datetimes or strings like ``"2024-06-30"`` where the timestamps are datetimes (``"ns"``),
        else numbers in their unit. None: no bound.

    Returns
    -------
    Interactions
        Of the same shape.

    Notes
    -----
    An entry merged from several rows has one time (the latest, see ``duplicates``) and is kept or
    removed as a whole. To cut between the rows, filter the table before reading it.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_arrays(["a", "a"], ["x", "y"], times=[10, 20])
    >>> list(cleaning.time_window(x, start=15))
    [('a', 'y', 1.0)]
    """
    times = needed_times(x, "time_window")
    keep = np.ones(x.nnz, dtype=bool)
    if start is not None:
        keep &= times >= time_point(x, start, "start")
    if end is not None:
        keep &= times < time_point(x, end, "end")
    return x.keep_entries(keep)


@takes_interactions
def time_decay(x: Interactions, *, half_life: Any, now: Any = None) -> Interactions:
    r"""Older entries weigh less, :math:`x \cdot 2^{-(now - t) / half\_life}`.

    Parameters
    ----------
    x : Interactions
        With timestamps.
    half_life : timedelta or number
        After this time an entry counts half: a timedelta where the timestamps are datetimes, else
        a number in their unit.
    now : datetime, str or number, optional
        The point in time from which age is counted. Default: the latest timestamp.

    Returns
    -------
    Interactions
        The same entries; those older than about 149 half-lives become 0 in float32.

    Raises
    ------
    ValueError
        Without timestamps, or for timestamps after ``now`` (they would leak from the future).

    References
    ----------
    Y. Ding, X. Li, "Time weight collaborative filtering", CIKM 2005.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_arrays(["a", "a"], ["x", "y"], times=[10, 20])
    >>> cleaning.time_decay(x, half_life=5).matrix.toarray().tolist()
    [[0.25, 1.0]]
    """
    times = needed_times(x, "time_decay")
    length = duration(x, half_life, "half_life")
    if x.nnz == 0:
        return x
    latest = int(times.max())
    now = latest if now is None else time_point(x, now, "now")
    if latest > now:
        raise ValueError(
            f"{int((times > now).sum())} timestamps are later than now: take a later now, or "
            "time_window(x, end=now) first"
        )
    matrix = x.matrix.copy()
    age = (now - times).astype(np.float64)
    matrix.data = (x.matrix.data * np.exp2(-age / length)).astype(x.matrix.dtype)
    return x.with_matrix(matrix)
