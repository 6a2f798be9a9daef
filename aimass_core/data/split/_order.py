"""Splits by time, or by a column of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.validation import as_choice, as_int
from .._checked import takes_interactions
from .._time import needed_times, time_point
from .._triplets import read_triplets
from ..cleaning._support import rank_within
from ..interactions import Interactions
from ..tables import Table
from ._parts import REPEATS, Split, by_repeats, ratio

__all__ = ["by_column", "folds_by_column", "leave_last", "newest_share", "temporal"]


@takes_interactions
def leave_last(
    x: Interactions, *, n: int = 1, min_train: int = 1, repeats: str = "exclude"
) -> Split:
    """Keep the newest entries of each user for the test part.

    Parameters
    ----------
    x : Interactions
        With timestamps.
    n : int, default 1
        Entries (with ``repeats="include"`` or ``"only"``: single events) of each user in test.
    min_train : int, default 1
        Users who would keep fewer entries in train stay entirely in train.
    repeats : {"exclude", "include", "only"}, default "exclude"
        What counts as an entry of the test part where a user has events of one item at several
        times: "exclude" the items that the user bought for the first time, "include" every event,
        "only" events of an item that the user has already. Train holds what the user did before.

    Returns
    -------
    Split
        Of events of a user at the same time, those in higher columns count as newer. Events of the
        user after the first one of the test part, other than those of its items, are in no part.

    Raises
    ------
    ValueError
        Without timestamps, or if no user has enough entries.

    Notes
    -----
    In time it leaks between users: one user's last entry may be older than another's first. Use
    `temporal` where that matters.

    Columns are in the order of the ids. Where many events have the same time, as the lines of an
    invoice have, the test item is the one with the highest id. This flatters sequence models that
    break ties by column, too. Give interactions of the same time a random order first: see "Leave
    last out with equal times" in the guide on evaluation.

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
    needed_times(x, "leave_last")
    n = as_int(n, "n", minimum=1)
    min_train = as_int(min_train, "min_train", minimum=0)
    as_choice(repeats, "repeats", REPEATS)
    events = x.single_events()
    entries = events.entries()
    rows = x.row_indices()[entries]
    position = np.empty(len(entries), dtype=np.int64)  # of an event among those of its user
    position[np.lexsort((entries, events.times, rows))] = np.arange(len(entries))
    first = np.full(x.nnz, len(entries), dtype=np.int64)
    np.minimum.at(first, entries, position)
    is_first = position == first[entries]
    may_be_test = {"exclude": is_first, "include": np.ones_like(is_first), "only": ~is_first}
    candidates = may_be_test[repeats]
    counts = np.bincount(rows[candidates], minlength=x.n_users)
    chosen = np.zeros(len(entries), dtype=bool)
    ranks = rank_within(rows[candidates], position[candidates])
    chosen[candidates] = ranks >= (counts - n)[rows[candidates]]
    start = np.full(x.n_users, len(entries), dtype=np.int64)
    np.minimum.at(start, rows[chosen], position[chosen])
    n_train = np.bincount(rows[is_first & (position < start[rows])], minlength=x.n_users)
    is_split = (counts >= n) & (n_train >= min_train)
    if not is_split.any():
        raise ValueError(
            f"no user has the {n + min_train} entries that n={n} and min_train={min_train} need"
        )
    chosen &= is_split[rows]
    start[~is_split] = len(entries)
    if repeats == "exclude":  # all events of the chosen items
        in_test = np.zeros(x.nnz, dtype=bool)
        in_test[entries[chosen]] = True
        chosen = in_test[entries]
    train = x.keep_events(position < start[rows])
    return by_repeats(train, x.keep_events(chosen), order="user", repeats=repeats)


@takes_interactions
def temporal(
    x: Interactions, *, at: Any = None, test_size: float | None = None, repeats: str = "exclude"
) -> Split:
    """Use everything before a point in time for training, and the rest for the test.

    Parameters
    ----------
    x : Interactions
        With timestamps.
    at : datetime, str or number, optional
        First moment of the test part: a datetime or a string like ``"2024-06-30"`` where the
        timestamps are datetimes, else a number in their unit.
    test_size : float in (0, 1), optional
        Instead: the newest events make up this share (default 0.2). Events at the very moment of
        the cut all go to test, so the share may be a little larger.
    repeats : {"exclude", "include", "only"}, default "exclude"
        Whether test holds purchases of items that the user has in train: no, yes, or only these.
        Train always holds everything before the cut.

    Returns
    -------
    Split
        Test may hold users and items that train does not know: `evaluate` judges these users apart,
        and `Split.drop_unknown` leaves them out.

    Raises
    ------
    ValueError
        Without timestamps, for both ``at`` and ``test_size``, or if one part would be empty.

    Notes
    -----
    An entry merged from several rows is cut between its single events. Interactions that were
    made with ``keep_events=False`` have one time for each entry (the latest), and the entry goes
    to one part as a whole: then the future chooses what is in train.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_arrays(["a", "a", "b"], ["x", "y", "x"], times=[2, 1, 3])
    >>> list(split.temporal(x, at=3).test)
    [('b', 'x', 1.0)]
    """
    needed_times(x, "temporal")
    as_choice(repeats, "repeats", REPEATS)
    if at is not None and test_size is not None:
        raise ValueError("give at= or test_size=, not both")
    times = x.single_events().times
    if at is not None:
        first = time_point(x.time_unit, at, "at")
    else:
        share = ratio(0.2 if test_size is None else test_size, "test_size")
        if x.nnz == 0:
            raise ValueError("there are no entries to split")
        first = newest_share(times, share)
    is_test = times >= first
    if is_test.all() or not is_test.any():
        span = f"; the timestamps go from {times.min()} to {times.max()}" if x.nnz else ""
        raise ValueError(f"a cut at {first} leaves one part empty{span}")
    return by_repeats(
        x.keep_events(~is_test), x.keep_events(is_test), order="global", repeats=repeats
    )


def newest_share(times: NDArray[np.int64], share: float) -> int:
    """Return the earliest time of the newest events that make up a share of all."""
    position = min(max(int(np.floor(len(times) * (1.0 - share))), 0), len(times) - 1)
    return int(np.partition(times, position)[position])


def by_column(
    table: Table, *, column: str, test: Any = "test", train: Any = None, **options: Any
) -> Split:
    """Return the official split that a column of the table names.

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
    """Return official folds, each of which is the test part in turn.

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
