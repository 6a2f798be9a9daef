"""Random splits: of all entries, within users, into folds, or of the users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.random import as_generator
from ...base.validation import as_int
from .._checked import takes_interactions
from ..cleaning._support import rank_within
from ..interactions import Interactions
from ._parts import Split, cut, ratio

__all__ = [
    "cold_items",
    "cold_users",
    "k_fold",
    "k_fold_items",
    "k_fold_per_user",
    "k_fold_users",
    "per_user",
    "random",
    "strong_generalization",
]


@takes_interactions
def random(x: Interactions, *, test_size: float = 0.2, random_state: Any = None) -> Split:
    """Hold out a random part of all entries for the test.

    Parameters
    ----------
    x : Interactions
        To be split.
    test_size : float in (0, 1), default 0.2
        Share of the entries, rounded to the nearest number of entries.
    random_state : int or numpy.random.Generator, optional
        Seed.

    Returns
    -------
    Split
        Leaks from the future into train if behaviour changes over time: see `temporal`.

    Raises
    ------
    ValueError
        For a ratio outside of (0, 1), or if one part would be empty.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr([[1, 1, 1, 1, 1]])
    >>> split.random(x, test_size=0.4, random_state=0)
    Split(train 3, test 2 interactions)
    """
    n_test = round(ratio(test_size, "test_size") * x.nnz)
    if n_test == 0 or n_test == x.nnz:
        raise ValueError(f"test_size={test_size} of {x.nnz} entries leaves one part empty")
    test = np.zeros(x.nnz, dtype=bool)
    test[as_generator(random_state).choice(x.nnz, n_test, replace=False)] = True
    return cut(x, test)


@takes_interactions
def per_user(x: Interactions, *, test_size: float = 0.2, random_state: Any = None) -> Split:
    """Hold out a random part of each user's entries for the test.

    Parameters
    ----------
    x : Interactions
        To be split.
    test_size : float in (0, 1), default 0.2
        Share of each user's entries, rounded down: every user keeps at least one in train.
    random_state : int or numpy.random.Generator, optional
        Seed.

    Returns
    -------
    Split
        Users with fewer than ``1 / test_size`` entries are wholly in train.

    Raises
    ------
    ValueError
        For a ratio outside of (0, 1), or if no user has enough entries.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr([[1, 1, 1, 1], [1, 0, 0, 0]])
    >>> split.per_user(x, test_size=0.5, random_state=0)
    Split(train 3, test 2 interactions)
    """
    return cut(x, _share_of_each_user(x, test_size, "test_size", random_state))


def _share_of_each_user(
    x: Interactions, size: Any, name: str, random_state: Any
) -> NDArray[np.bool_]:
    share = ratio(size, name)
    rows = x.row_indices()
    key = as_generator(random_state).random(x.nnz)
    # 1e-9: a share such as 0.7 of 10 must give 7 whatever the rounding of the product
    n_test = np.floor(np.diff(x.matrix.indptr) * share + 1e-9).astype(np.int64)
    test: NDArray[np.bool_] = rank_within(rows, key) < n_test[rows]
    if not test.any():
        raise ValueError(
            f"{name}={share} of each user's entries is below one entry for every user: "
            "raise it, or use leave_last or random"
        )
    return test


@takes_interactions
def strong_generalization(
    x: Interactions,
    *,
    test_users: float | int = 0.2,
    holdout_size: float = 0.2,
    random_state: Any = None,
) -> Split:
    """Hold out users: part of their entries is shown, the rest is to be predicted.

    Parameters
    ----------
    x : Interactions
        To be split.
    test_users : float in (0, 1) or int, default 0.2
        Share or number of the users with entries.
    holdout_size : float in (0, 1), default 0.2
        Share of each test user's entries to be predicted, rounded down.
    random_state : int or numpy.random.Generator, optional
        Seed.

    Returns
    -------
    Split
        ``train`` has the other users only, and the items that occur there; ``fold_in`` and
        ``holdout`` (also ``test``) have the test users over the same items.

    Raises
    ------
    ValueError
        For a share outside of (0, 1), more users than there are, or users with too few entries
        to hold any out.

    References
    ----------
    B. Marlin, "Collaborative filtering: a machine learning perspective", 2004; D. Liang,
    R. Krishnan, M. Hoffman, T. Jebara, "Variational autoencoders for collaborative filtering",
    WWW 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr(np.ones((10, 5)))
    >>> split.strong_generalization(x, random_state=0)
    Split(train 40, fold_in 8, holdout 2 interactions)
    """
    active = np.flatnonzero(np.diff(x.matrix.indptr))
    if isinstance(test_users, (int, np.integer)) and not isinstance(test_users, bool):
        n_test = as_int(test_users, "test_users", minimum=1)
    else:
        n_test = round(ratio(test_users, "test_users") * len(active))
    if not 0 < n_test < len(active):
        raise ValueError(
            f"test_users={test_users} of {len(active)} users with entries leaves one part empty"
        )
    rng = as_generator(random_state)
    chosen = np.zeros(len(active), dtype=bool)
    chosen[rng.choice(len(active), n_test, replace=False)] = True
    return _of_users(x, active[~chosen], active[chosen], holdout_size, rng)


def _of_users(
    x: Interactions,
    train_users: NDArray[Any],
    test_users: NDArray[Any],
    holdout_size: float,
    rng: np.random.Generator,
) -> Split:
    """Return the split in which some users are unknown to the model."""
    train = x.take(train_users)
    items = np.flatnonzero(np.bincount(train.matrix.indices, minlength=x.n_items))
    train = train.take(items=items)
    others = x.take(test_users, items)
    held = _share_of_each_user(others, holdout_size, "holdout_size", rng)
    fold_in, holdout = others.keep_entries(~held), others.keep_entries(held)
    return Split(train, holdout, fold_in=fold_in, holdout=holdout)


@takes_interactions
def k_fold(x: Interactions, *, n_splits: int = 5, random_state: Any = None) -> Iterator[Split]:
    """Cross-validate: every entry is in the test part of exactly one split.

    Parameters
    ----------
    x : Interactions
        To be split.
    n_splits : int, default 5
        Number of splits, at least 2. The sizes of their test parts differ by at most 1.
    random_state : int or numpy.random.Generator, optional
        Seed.

    Returns
    -------
    iterator of Split
        Each is made when it is needed.

    Raises
    ------
    ValueError
        For fewer entries than splits.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr([[1, 1, 1, 1, 1]])
    >>> [fold.test.nnz for fold in split.k_fold(x, n_splits=2, random_state=0)]
    [3, 2]
    """
    n_splits = as_int(n_splits, "n_splits", minimum=2)
    if x.nnz < n_splits:
        raise ValueError(f"n_splits={n_splits} needs as many entries, there are {x.nnz}")
    fold = as_generator(random_state).permutation(x.nnz) % n_splits
    return (cut(x, fold == i) for i in range(n_splits))


@takes_interactions
def k_fold_per_user(
    x: Interactions, *, n_splits: int = 5, random_state: Any = None
) -> Iterator[Split]:
    """Cross-validate within users: each user's entries are dealt to the folds evenly.

    Parameters
    ----------
    x : Interactions
        To be split.
    n_splits : int, default 5
        Number of splits, at least 2.
    random_state : int or numpy.random.Generator, optional
        Seed.

    Returns
    -------
    iterator of Split
        Every entry of a user with at least 2 entries is in one test part, and the numbers of a
        user's entries in two test parts differ by at most 1. Users with one entry stay in train.

    Raises
    ------
    ValueError
        If no user has 2 entries.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr([[1, 1, 1, 1], [1, 1, 0, 0]])
    >>> [fold.test.nnz for fold in split.k_fold_per_user(x, n_splits=2, random_state=0)]
    [3, 3]
    """
    n_splits = as_int(n_splits, "n_splits", minimum=2)
    rng = as_generator(random_state)
    rows = x.row_indices()
    counts = np.diff(x.matrix.indptr)
    if not (counts >= 2).any():
        raise ValueError("no user has 2 entries, one to train on and one to predict")
    start = rng.integers(0, n_splits, x.n_users)  # so that the folds are of equal size
    fold = (rank_within(rows, rng.random(x.nnz)) + start[rows]) % n_splits
    fold[counts[rows] < 2] = -1
    present = [i for i in range(n_splits) if (fold == i).any()]
    return (cut(x, fold == i) for i in present)


@takes_interactions
def k_fold_items(
    x: Interactions, *, n_splits: int = 5, random_state: Any = None
) -> Iterator[Split]:
    """Cross-validate over items: all entries of an item are in one test part (cold items).

    Parameters
    ----------
    x : Interactions
        To be split.
    n_splits : int, default 5
        Number of splits, at least 2.
    random_state : int or numpy.random.Generator, optional
        Seed.

    Returns
    -------
    iterator of Split
        The items of a test part have no entry in train, so only models that use features of items
        can recommend them. Users with entries of test items only have none in train, either.

    Raises
    ------
    ValueError
        For fewer items with entries than splits.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr([[1, 1, 1, 1]])
    >>> [fold.test.nnz for fold in split.k_fold_items(x, n_splits=2, random_state=0)]
    [2, 2]
    """
    n_splits = as_int(n_splits, "n_splits", minimum=2)
    columns = x.matrix.indices
    fold = _dealt(columns, x.n_items, n_splits, "items", random_state)
    return (cut(x, fold[columns] == i) for i in range(n_splits))


@takes_interactions
def cold_items(x: Interactions, *, test_size: float = 0.2, random_state: Any = None) -> Split:
    """Hold out all entries of some items, as if they were new.

    Parameters
    ----------
    x : Interactions
        To be split.
    test_size : float in (0, 1), default 0.2
        Share of the items with entries that are held out, at least one.
    random_state : int or numpy.random.Generator, optional
        Seed.

    Returns
    -------
    Split
        Train keeps the ids of the held-out items, without entries. Only models that use features
        of items can recommend them: ``evaluate(..., item_features=table, candidates="new")``.

    Raises
    ------
    ValueError
        For fewer than two items with entries.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr([[1, 1, 1, 1], [0, 1, 1, 0]])
    >>> part = split.cold_items(x, test_size=0.25, random_state=0)
    >>> len(set(part.test.matrix.indices) & set(part.train.matrix.indices))
    0
    """
    columns = x.matrix.indices
    return cut(x, _drawn(columns, x.n_items, test_size, "items", random_state)[columns])


@takes_interactions
def cold_users(x: Interactions, *, test_size: float = 0.2, random_state: Any = None) -> Split:
    """Hold out all entries of some users, as if they came for the first time.

    Parameters
    ----------
    x : Interactions
        To be split.
    test_size : float in (0, 1), default 0.2
        Share of the users with entries that are held out, at least one.
    random_state : int or numpy.random.Generator, optional
        Seed.

    Returns
    -------
    Split
        Train keeps the ids of the held-out users, without entries. Models that use features of
        users serve them: ``evaluate(..., user_features=table, fallback="model")``. For users
        with a part of their history see `strong_generalization`.

    Raises
    ------
    ValueError
        For fewer than two users with entries.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr([[1, 1], [0, 1], [1, 0], [1, 1]])
    >>> part = split.cold_users(x, test_size=0.5, random_state=0)
    >>> part.train.nnz + part.test.nnz, len(set(part.test.row_indices()))
    (6, 2)
    """
    rows = x.row_indices()
    return cut(x, _drawn(rows, x.n_users, test_size, "users", random_state)[rows])


def _drawn(
    codes: NDArray[Any], n: int, test_size: float, name: str, random_state: Any
) -> NDArray[np.bool_]:
    """Return which users or items are held out."""
    share = ratio(test_size, "test_size")
    active = np.flatnonzero(np.bincount(codes, minlength=n))
    if len(active) < 2:
        raise ValueError(f"holding out {name} needs two of them with entries, got {len(active)}")
    n_held_out = min(max(round(share * len(active)), 1), len(active) - 1)
    drawn = np.zeros(n, dtype=bool)
    drawn[as_generator(random_state).choice(active, n_held_out, replace=False)] = True
    return drawn


@takes_interactions
def k_fold_users(
    x: Interactions, *, n_splits: int = 5, holdout_size: float = 0.2, random_state: Any = None
) -> Iterator[Split]:
    """Cross-validate over users: each user is unknown to the model in one split.

    Parameters
    ----------
    x : Interactions
        To be split.
    n_splits : int, default 5
        Number of splits, at least 2.
    holdout_size : float in (0, 1), default 0.2
        Share of each test user's entries to be predicted, rounded down.
    random_state : int or numpy.random.Generator, optional
        Seed.

    Returns
    -------
    iterator of Split
        As from `strong_generalization`.

    Raises
    ------
    ValueError
        For fewer users with entries than splits, or users with too few entries to hold any out.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import split
    >>> x = Interactions.from_csr(np.ones((4, 5)))
    >>> next(split.k_fold_users(x, n_splits=2, random_state=0))
    Split(train 10, fold_in 8, holdout 2 interactions)
    """
    n_splits = as_int(n_splits, "n_splits", minimum=2)
    rng = as_generator(random_state)
    fold = _dealt(x.row_indices(), x.n_users, n_splits, "users", rng)
    return (
        _of_users(
            x,
            np.flatnonzero((fold >= 0) & (fold != i)),
            np.flatnonzero(fold == i),
            holdout_size,
            rng,
        )
        for i in range(n_splits)
    )


def _dealt(
    codes: NDArray[Any], n: int, n_splits: int, name: str, random_state: Any
) -> NDArray[np.int64]:
    """Return the fold of each user or item with entries, -1 for the others."""
    active = np.flatnonzero(np.bincount(codes, minlength=n))
    if len(active) < n_splits:
        raise ValueError(
            f"n_splits={n_splits} needs as many {name} with entries, there are {len(active)}"
        )
    fold = np.full(n, -1, dtype=np.int64)
    fold[active] = as_generator(random_state).permutation(len(active)) % n_splits
    return fold
