"""Folds in time, and folds within folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from ...base.validation import as_choice, as_int
from .._checked import takes_interactions
from .._time import duration, needed_times, time_point
from ..interactions import Interactions
from ._order import newest_share
from ._parts import REPEATS, Split, by_repeats, ratio

__all__ = ["NestedSplit", "expanding", "nested", "rolling"]


@takes_interactions
def expanding(
    x: Interactions,
    *,
    n_splits: int = 5,
    at: Sequence[Any] | None = None,
    test_size: float | None = None,
    horizon: Any = None,
    repeats: str = "exclude",
) -> Iterator[Split]:
    """Cross-validate in time: train on everything before each of several consecutive periods.

    Parameters
    ----------
    x : Interactions
        With timestamps.
    n_splits : int, default 5
        Number of periods, at least 1, without ``at``.
    at : sequence of datetime, str or number, optional
        First moment of each test period, ascending. A period ends where the next one begins, or
        after ``horizon``; the last one ends with the data.
    test_size : float in (0, 1), optional
        Without ``at`` and ``horizon``: share of the events in all test periods together (default
        0.5). The periods hold about equally many events.
    horizon : timedelta or number, optional
        Length of each test period, in the unit of the timestamps. Without ``at`` the periods end
        with the newest event.
    repeats : {"exclude", "include", "only"}, default "exclude"
        As in `temporal`.

    Returns
    -------
    iterator of Split
        In the order of time. No part of the future of a period is in its train part.

    Raises
    ------
    ValueError
        Without timestamps, or for periods without train or test events.

    References
    ----------
    R. J. Hyndman, G. Athanasopoulos, "Forecasting: principles and practice", 2021 (evaluation on a
    rolling forecasting origin).

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_arrays([1] * 6, range(6), times=range(6))
    >>> list(split.expanding(x, at=[2, 4]))
    [Split(train 2, test 2 interactions), Split(train 4, test 2 interactions)]
    """
    periods = _periods(x, "expanding", n_splits, at, test_size, horizon)
    as_choice(repeats, "repeats", REPEATS)
    return (_fold(x, None, start, end, repeats) for start, end in periods)


@takes_interactions
def rolling(
    x: Interactions,
    *,
    window: Any = None,
    n_splits: int = 5,
    at: Sequence[Any] | None = None,
    test_size: float | None = None,
    horizon: Any = None,
    repeats: str = "exclude",
) -> Iterator[Split]:
    """Cross-validate in time: train on a window of one length before each of several periods.

    Parameters
    ----------
    x : Interactions
        With timestamps.
    window : timedelta or number, optional
        Length of the train part, in the unit of the timestamps. Default: the time from the oldest
        event to the first test period.
    n_splits, at, test_size, horizon, repeats
        As in `expanding`.

    Returns
    -------
    iterator of Split
        In the order of time. With ``repeats="exclude"`` an item counts as new to the user if it is
        not in the window.

    Raises
    ------
    ValueError
        Without timestamps, or for periods without train or test events.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_arrays([1] * 6, range(6), times=range(6))
    >>> list(split.rolling(x, window=2, at=[2, 4]))
    [Split(train 2, test 2 interactions), Split(train 2, test 2 interactions)]
    """
    periods = _periods(x, "rolling", n_splits, at, test_size, horizon)
    as_choice(repeats, "repeats", REPEATS)
    if window is None:
        length: float = periods[0][0] - int(x.single_events().times.min())
    else:
        length = duration(x.time_unit, window, "window")
    return (_fold(x, start - int(length), start, end, repeats) for start, end in periods)


def _periods(
    x: Interactions, name: str, n_splits: Any, at: Any, test_size: Any, horizon: Any
) -> list[tuple[int, int | None]]:
    """Return the first time of each test period and the first one after it (None: to the end)."""
    needed_times(x, name)
    n_splits = as_int(n_splits, "n_splits", minimum=1)
    times = x.single_events().times
    if not len(times):
        raise ValueError("there are no entries to split")
    length = None if horizon is None else duration(x.time_unit, horizon, "horizon")
    if test_size is not None and (at is not None or horizon is not None):
        raise ValueError("give test_size= or at= and horizon=, not both")
    if at is not None:
        starts = [time_point(x.time_unit, one, "at") for one in at]
        if not starts or (np.diff(starts) <= 0).any():
            raise ValueError("at must hold at least one point in time, in ascending order")
    elif length is not None:
        newest = int(times.max())
        starts = [newest + 1 - int((n_splits - i) * length) for i in range(n_splits)]
    else:
        share = ratio(0.5 if test_size is None else test_size, "test_size")
        shares = [share * (n_splits - i) / n_splits for i in range(n_splits)]
        starts = sorted({newest_share(times, one) for one in shares})
    ends: list[int | None] = [*starts[1:], None]
    if at is not None and length is not None:
        ends = [
            start + ceil(length) if end is None else min(start + ceil(length), end)
            for start, end in zip(starts, ends)
        ]
    return list(zip(starts, ends))


def _fold(x: Interactions, begin: int | None, start: int, end: int | None, repeats: str) -> Split:
    """Train from `begin` to before `start`, test from `start` to before `end`."""
    times = x.single_events().times
    is_train = times < start
    if begin is not None:
        is_train &= times >= begin
    is_test = times >= start
    if end is not None:
        is_test &= times < end
    for mask, part in ((is_train, "train"), (is_test, "test")):
        if not mask.any():
            raise ValueError(
                f"the period from {start} leaves its {part} part empty; the timestamps go from "
                f"{times.min()} to {times.max()}"
            )
    return by_repeats(
        x.keep_events(is_train), x.keep_events(is_test), order="global", repeats=repeats
    )


@dataclass(frozen=True)
class NestedSplit:
    """An outer split, and inner splits of its train part for choosing among models.

    Parameters
    ----------
    outer : Split
        Its test part judges the model that was chosen.
    inner : list of Split
        Splits of ``outer.train``; nothing of ``outer.test`` is in them.
    """

    outer: Split
    inner: list[Split]

    @property
    def train(self) -> Interactions:
        """The train part of the outer split."""
        return self.outer.train

    @property
    def test(self) -> Interactions:
        """The test part of the outer split."""
        return self.outer.test

    @property
    def fold_in(self) -> Interactions | None:
        """The fold-in part of the outer split."""
        return self.outer.fold_in

    @property
    def holdout(self) -> Interactions | None:
        """The holdout part of the outer split."""
        return self.outer.holdout

    @property
    def repeats(self) -> str:
        """The rule for repeats of the outer split."""
        return self.outer.repeats


@takes_interactions
def nested(
    x: Interactions,
    *,
    outer: Callable[[Interactions], Split | Iterable[Split] | Mapping[Any, Split]],
    inner: Callable[[Interactions], Split | Iterable[Split]],
) -> Iterator[NestedSplit]:
    """Split for nested validation: choose on the inner splits, judge once on the outer test part.

    Parameters
    ----------
    x : Interactions
        To be split.
    outer : callable
        Gives one split or several of ``x``, such as ``lambda x: split.expanding(x, n_splits=3)``.
    inner : callable
        Gives one split or several of the train part of each outer split.

    Returns
    -------
    iterator of NestedSplit
        `evaluate` takes them as folds: it judges on the outer splits.

    Raises
    ------
    TypeError
        If a callable gives something else.

    References
    ----------
    G. C. Cawley, N. L. C. Talbot, "On over-fitting in model selection and subsequent selection bias
    in performance evaluation", JMLR 11, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr(np.ones((4, 10)))
    >>> folds = split.nested(
    ...     x,
    ...     outer=lambda part: split.random(part, test_size=0.5, random_state=0),
    ...     inner=lambda part: split.k_fold(part, n_splits=2, random_state=0),
    ... )
    >>> for fold in folds:
    ...     print(fold.outer, fold.inner[0])
    Split(train 20, test 20 interactions) Split(train 10, test 10 interactions)
    """
    for name, function in (("outer", outer), ("inner", inner)):
        if not callable(function):
            raise TypeError(f"{name} must be a function of Interactions, got {function!r}")
    return (
        NestedSplit(part, list(_splits(inner(part.train), "inner")))
        for part in _splits(outer(x), "outer")
    )


def _splits(splits: Any, name: str) -> Iterator[Split]:
    parts = [splits] if isinstance(splits, Split) else splits
    for part in parts.values() if isinstance(parts, Mapping) else parts:
        if not isinstance(part, Split):
            raise TypeError(f"{name} must give a Split or several, got {type(part).__name__}")
        yield part
