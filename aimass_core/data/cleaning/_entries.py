"""Single entries: values that are too large, times that are out of the window or long ago."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...base.validation import as_float
from .._checked import takes_interactions
from .._events import Events
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
    """Move values beyond a bound to the bound.

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
    """Keep the events from a start up to but not including an end.

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
    Of an entry that was merged from several rows, the rows within the window are kept and combined
    again, unless the interactions were read with ``keep_events=False``.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_arrays(["a", "a"], ["x", "y"], times=[10, 20])
    >>> list(cleaning.time_window(x, start=15))
    [('a', 'y', 1.0)]
    """
    needed_times(x, "time_window")
    times = x.single_events().times
    keep = np.ones(len(times), dtype=bool)
    if start is not None:
        keep &= times >= time_point(x.time_unit, start, "start")
    if end is not None:
        keep &= times < time_point(x.time_unit, end, "end")
    return x.keep_events(keep)


@takes_interactions
def time_decay(x: Interactions, *, half_life: Any, now: Any = None) -> Interactions:
    r"""Weigh older events less, :math:`x \cdot 2^{-(now - t) / half\_life}`.

    Parameters
    ----------
    x : Interactions
        With timestamps.
    half_life : timedelta or number
        After this time an event counts half: a timedelta where the timestamps are datetimes, else
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

    Notes
    -----
    Repeated events that were summed or counted decay each by its own time, unless the interactions
    were read with ``keep_events=False``. Under the other rules for duplicates an entry decays by
    its timestamp.

    References
    ----------
    Y. Ding, X. Li, "Time weight collaborative filtering", CIKM 2005.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_arrays(["a", "a", "a"], ["x", "y", "y"], times=[10, 15, 20])
    >>> cleaning.time_decay(x, half_life=5).matrix.toarray().tolist()
    [[0.25, 1.5]]
    """
    times = needed_times(x, "time_decay")
    length = duration(x.time_unit, half_life, "half_life")
    if x.nnz == 0:
        return x
    events = x.single_events()
    if events.rule != "sum":
        events = Events(np.arange(x.nnz + 1), x.matrix.data, times, "sum")
    latest = int(events.times.max())
    now = latest if now is None else time_point(x.time_unit, now, "now")
    if latest > now:
        raise ValueError(
            f"{int((events.times > now).sum())} timestamps are later than now: take a later now, "
            "or time_window(x, end=now) first"
        )
    age = (now - events.times).astype(np.float64)
    decayed = events.values * np.exp2(-age / length)
    matrix = x.matrix.copy()
    matrix.data = np.add.reduceat(decayed, events.indptr[:-1]).astype(x.matrix.dtype)
    out = x.with_matrix(matrix)
    if x.events is not None and x.events.rule == "sum":
        out._events = replace(x.events, values=decayed.astype(x.matrix.dtype))
    return out
