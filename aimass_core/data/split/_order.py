"""Splits that are given: by time, or by a column of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.validation import as_int
from .._checked import takes_interactions
from .._time import needed_times, time_point
from .._triplets import read_triplets
from ..cleaning._support import rank_within
from ..interactions import Interactions
from ..tables import Table
from ._parts import Split, cut, ratio

__all__ = ["by_column", "folds_by_column", "leave_last", "temporal"]


@takes_interactions
def leave_last(x: Interactions, *, n: int = 1, min_train: int = 1) -> Split:
    """The newest entries of each user are the test part.

    Parameters
    ----------
    x : Interactions
        With timestamps.
    n : int, default 1
        Entries of each user in test.
    min_train : int, default 1
        Users who would keep fewer entries in train stay wholly in train.

    Returns
    -------
    Split
        Of entries at the same time, those in higher columns count as newer.

    Raises
    ------
    ValueError
        Without timestamps, or if no user has enough entries.

    Notes
    -----
    In time it leaks between users: one user's last entry may be older than another's first. Use
    `temporal` where that matters.

    References
    ----------
    X. He et al., "Neural collaborative filtering", WWW 2017 (leave-one-out).

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_arrays(["a", "a", "b"], ["x", "y", "x"], times=[2, 1, 3])
    >>> list(split.leave_last(x).test)
    [('a', 'x', 1.0)]
    """
    times = needed_times(x, "leave_last")
    n = as_int(n, "n", minimum=1)
    min_train = as_int(min_train, "min_train", minimum=0)
    rows = x.row_indices()
    counts = np.diff(x.matrix.indptr)
    last = rank_within(rows, times) >= (counts - n)[rows]
    test = last & (counts >= n + min_train)[rows]
    if not test.any():
        raise ValueError(
            f"no user has the {n + min_train} entries that n={n} and min_train={min_train} need"
        )
    return cut(x, test, order="user")


@takes_interactions
def temporal(x: Interactions, *, at: Any = None, test_size: float | None = None) -> Split:
    """Everything before a point in time is train, the rest is test.

    Parameters
    ----------
    x : Interactions
        With timestamps.
    at : datetime, str or number, optional
        First moment of the test part: a datetime or a string like ``"2024-06-30"`` where the
        timestamps are datetimes, else a number in their unit.
    test_size : float in (0, 1), optional
        Instead: the newest entries make up this share (default 0.2). Entries at the very moment
        of the cut all go to test, so the share may be a little larger.

    Returns
    -------
    Split
        Test may hold users and items that train lacks; see `Split.drop_unknown`.

    Raises
    ------
    ValueError
        Without timestamps, for both ``at`` and ``test_size``, or if one part would be empty.

    Notes
    -----
    An entry merged from several rows has one time (the latest, see ``duplicates``) and goes to
    one part as a whole, so no pair of user and item is in both.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_arrays(["a", "a", "b"], ["x", "y", "x"], times=[2, 1, 3])
    >>> list(split.temporal(x, at=3).test)
    [('b', 'x', 1.0)]
    """
    times = needed_times(x, "temporal")
    if at is not None and test_size is not None:
        raise ValueError("give at= or test_size=, not both")
    if at is not None:
        first = time_point(x.time_unit, at, "at")
    else:
        share = ratio(0.2 if test_size is None else test_size, "test_size")
        if x.nnz == 0:
            raise ValueError("there are no entries to split")
        place = min(max(int(np.floor(x.nnz * (1.0 - share))), 0), x.nnz - 1)
        first = int(np.partition(times, place)[place])
    test = times >= first
    if test.all() or not test.any():
        span = f"; the timestamps go from {times.min()} to {times.max()}" if x.nnz else ""
        raise ValueError(f"a cut at {first} leaves one part empty{span}")
    return cut(x, test, order="global")


def by_column(
    table: Table, *, column: str, test: Any = "test", train: Any = None, **options: Any
) -> Split:
    """An official split that a column of the table names.

    Parameters
    ----------
    table : table or path
        As in `Interactions.from_table`.
    column : str
        Column of labels, such as ``split`` ("train", "test") or ``fold`` (1 to 5).
    test : object, default "test"
        Label of the test rows.
    train : object, optional
        Label of the train rows; others are left out. Default: all rows that are not test.
    **options
        The arguments of `Interactions.from_table`.

    Returns
    -------
    Split
        Both parts share the id maps of the whole table.

    Raises
    ------
    ValueError
        For a label that does not occur, or a pair of user and item in both parts.

    Examples
    --------
    >>> from aimass_core.data import split
    >>> table = {"u": [1, 1, 2], "i": [1, 2, 1], "split": ["train", "test", "train"]}
    >>> split.by_column(table, column="split", user="u", item="i")
    Split(train 2, test 1 interactions)
    """
    triplets = read_triplets(table, label=column, label_role="column", **options)
    codes, labels = triplets.labelled()

    def rows_of(label: Any, name: str) -> NDArray[np.bool_]:
        if label not in labels:
            known = ", ".join(map(repr, labels.ids[:20].tolist()))
            raise ValueError(
                f"{name}={label!r}: column {column!r} has no such label; it has {known}"
            )
        return np.asarray(codes == labels.index(label)[0])

    is_test = rows_of(test, "test")
    is_train = ~is_test if train is None else rows_of(train, "train")
    return Split(Interactions._of(triplets, is_train), Interactions._of(triplets, is_test))


def folds_by_column(table: Table, *, column: str, **options: Any) -> dict[Any, Split]:
    """Official folds, each of which is the test part in turn.

    Parameters
    ----------
    table : table or path
        As in `Interactions.from_table`; read once.
    column : str
        Column of the folds' labels, such as ``fold`` (1 to 5).
    **options
        The arguments of `Interactions.from_table`.

    Returns
    -------
    dict of label to Split
        In ascending order of the labels. All parts share the id maps of the whole table.

    Raises
    ------
    ValueError
        For fewer than two folds, or a pair of user and item in several of them.

    Examples
    --------
    >>> from aimass_core.data import split
    >>> table = {"u": [1, 1, 2], "i": [1, 2, 1], "fold": [1, 2, 2]}
    >>> split.folds_by_column(table, column="fold", user="u", item="i")
    {1: Split(train 2, test 1 interactions), 2: Split(train 1, test 2 interactions)}
    """
    triplets = read_triplets(table, label=column, label_role="column", **options)
    codes, labels = triplets.labelled()
    if len(labels) < 2:
        raise ValueError(f"column {column!r} names {len(labels)} folds, at least 2 are needed")
    return {
        label: Split(
            Interactions._of(triplets, codes != code), Interactions._of(triplets, codes == code)
        )
        for code, label in enumerate(labels.ids.tolist())
    }
