"""Training data of a second stage: candidates, their features, and which of them were taken.

The scores in such a table must come from models that did not see the interactions to be predicted.
A model ranks what it was fitted on far too high, and a second stage that learns from such scores
trusts the model that memorises best. `candidate_table` therefore refuses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.csr import row_numbers, take_rows
from ..base.query import Query
from ..base.random import as_generator
from ..base.recommender import Recommender
from ..base.threads import resolve_n_threads
from ..base.validation import as_csr, as_int
from ..base.with_ids import MatrixWithIds, matrix_of
from ._entries import keep_entries
from ._members import Members, fresh
from ._pool import Pool, blocks_of, make_pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["CandidateTable", "candidate_table"]

_LARGEST_RANK = 4.0  # in lengths of the reference list


@dataclass(frozen=True, repr=False)
class CandidateTable:
    """Candidates of some users with their features and labels.

    Parameters
    ----------
    users, items : ndarray of int64, shape (n,)
        Row and column of each candidate.
    features : ndarray of float64, shape (n, n_features)
        What a second stage learns from.
    labels : ndarray of bool, shape (n,)
        Whether the user took the item.
    names : tuple of str
        Names of the features.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    features: Floats
    labels: NDArray[np.bool_]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return (
            f"CandidateTable({len(self):,} candidates of {len(np.unique(self.users)):,} users, "
            f"{int(self.labels.sum()):,} taken, {len(self.names)} features)"
        )

    def standardized(self, model: int) -> Floats:
        """Return the z-scores of one model.

        Parameters
        ----------
        model : int
            Its number in the order of the models.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        return self.features[:, 2 * model]

    def to_dict(self) -> dict[str, NDArray[Any]]:
        """Return the table as columns.

        Returns
        -------
        dict of str to ndarray
            "user", "item", the features by name, and "label".
        """
        columns: dict[str, NDArray[Any]] = {"user": self.users, "item": self.items}
        columns.update(zip(self.names, self.features.T, strict=True))
        return {**columns, "label": self.labels}


def feature_names(members: Members) -> tuple[str, ...]:
    """Return the names of the features of a table."""
    own = [name for m in members for name in (f"{m} z-score", f"{m} log rank")]
    return (*own, "log item count", "log user count")


def features_of(pool: Pool, item_counts: NDArray[Any]) -> Floats:
    """Return the features of the candidates of a pool, of shape (n, n_features)."""
    n_models, n = pool.scores.shape
    features = np.empty((n, 2 * n_models + 2))
    largest = _LARGEST_RANK * max(pool.references.shape[2], 1)
    for m in range(n_models):
        features[:, 2 * m] = pool.standardized(m)
        features[:, 2 * m + 1] = np.log(np.minimum(pool.ranks(m), largest))
    features[:, -2] = np.log1p(item_counts[pool.items])
    features[:, -1] = np.log1p(pool.history[pool.rows])
    return features


def candidate_table(
    models: Any,
    test: Any,
    *,
    depth: int = 200,
    max_rows: int = 1_000_000,
    random_state: int = 0,
    n_threads: int | None = None,
) -> CandidateTable:
    """Return candidates of fitted models, labelled by interactions that the models did not see.

    Parameters
    ----------
    models : mapping of str to fitted model
        All fitted on the same users and items.
    test : Interactions or matrix of shape (n_users, n_items)
        Later or held-out interactions: every stored entry is an item that the user took.
    depth : int, default=200
        Each model contributes its `depth` best items that the user did not have at its fit.
    max_rows : int, default=1_000_000
        Bound on the number of candidates; a sample of the users keeps to it.
    random_state : int, default=0
        Seed of that sample.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Returns
    -------
    CandidateTable
        Of the users with interactions in `test`. Items that no model proposes are not in it.

    Raises
    ------
    ValueError
        For interactions that a model was fitted on: its scores of these are made on its own
        training rows. Also for a model without its training data, and for unequal shapes or ids.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import ItemKNN, Popularity
    >>> from aimass_core.fusion import candidate_table
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 1], [0, 1, 1, 0]], dtype=float)
    >>> later = np.array([[0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=float)
    >>> models = {"knn": ItemKNN().fit(X), "popular": Popularity().fit(X)}
    >>> candidate_table(models, later)
    CandidateTable(5 candidates of 3 users, 3 taken, 6 features)
    >>> candidate_table(models, X)
    Traceback (most recent call last):
        ...
    ValueError: test holds 10 of the interactions that 'knn' was fitted on, e.g. user 0 with \
item 0: scores made on a model's own training rows mislead a second stage. Fit the models without \
the interactions of test, or let Stacking do so
    """
    members = _fitted(models)
    first = next(iter(members.values()))
    answers = as_csr(test, "test")
    for name, model in members.items():
        _check_unseen(name, model, test, answers, first)
    depth = as_int(depth, "depth", minimum=1)
    rows = np.flatnonzero(np.diff(answers.indptr))
    width = max(1, min(depth * len(members), first.n_items))
    n_users = max(1, as_int(max_rows, "max_rows", minimum=1) // width)
    if len(rows) > n_users:
        rng = as_generator(random_state)
        rows = np.sort(rng.permutation(rows)[:n_users])
    threads = resolve_n_threads(n_threads)
    taken = row_numbers(answers).astype(np.int64) * first.n_items + answers.indices
    profiles = take_rows(first.user_items_, rows)
    query = Query(profiles, rows, exclude=profiles, k=min(depth, first.n_items), n_threads=threads)
    parts = []
    at = 0
    for part in blocks_of(query, depth, len(members)):
        pool = make_pool(members, part, depth)
        users = rows[at + pool.rows]
        labels = np.isin(users * first.n_items + pool.items, taken)
        features = features_of(pool, first.item_counts_)
        parts.append((users, pool.items, features, labels))
        at += len(part)
    names = feature_names(members)
    if not parts:
        empty = np.empty(0, dtype=np.int64)
        return CandidateTable(empty, empty, np.empty((0, len(names))), empty.astype(bool), names)
    users, items, features, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    return CandidateTable(users, items, features, labels, names)


def _fitted(models: Any) -> Members:
    if not isinstance(models, Mapping) or not models:
        raise TypeError("models must be a dict of name to fitted model, with at least one")
    members = {str(name): model for name, model in models.items()}
    for name, model in members.items():
        if not isinstance(model, Recommender):
            raise TypeError(f"models: {name!r} must be a recommender, got {type(model).__name__}")
        model._check_fitted()
        if model.user_items_ is None:
            raise ValueError(
                f"models: {name!r} was saved without its training data (training=False), so it "
                "cannot be shown that its scores were not made on its own training rows: save it "
                "with its training data, or fit it"
            )
    return members


def _check_unseen(
    name: str, model: Recommender, test: Any, answers: Any, first: Recommender
) -> None:
    """Refuse interactions that a model was fitted on, and other users or items."""
    shape = model.n_users_, model.n_items
    if answers.shape != shape or first.user_items_.shape != shape:
        raise ValueError(
            f"test has shape {answers.shape}, but {name!r} was fitted on shape {shape}: both parts "
            "of a split have the same shape"
        )
    has_ids = isinstance(test, MatrixWithIds) and model.users_ is not None
    if has_ids and (test.users != model.users_ or test.items != model.items_):
        raise ValueError(f"test and {name!r} must have the same ids in the same order")
    width = np.int64(max(model.n_items, 1))
    keys = [
        row_numbers(x).astype(np.int64) * width + x.indices for x in (model.user_items_, answers)
    ]
    shared = keys[1][np.isin(keys[1], keys[0], assume_unique=True)]
    if len(shared):
        user, item = int(shared[0] // width), int(shared[0] % width)
        users, items = model.users_, model.items_
        shown = user if users is None else users.ids[[user]].tolist()[0]
        which = item if items is None else items.ids[[item]].tolist()[0]
        raise ValueError(
            f"test holds {len(shared)} of the interactions that {name!r} was fitted on, e.g. user "
            f"{shown!r} with item {which!r}: scores made on a model's own training rows mislead a "
            "second stage. Fit the models without the interactions of test, or let Stacking do so"
        )


def out_of_fold_table(
    members: Members,
    X: Any,
    *,
    depth: int,
    n_folds: int,
    random_state: int,
    n_threads: int,
    validation: str = "folds",
    max_rows: int = 1_000_000,
) -> CandidateTable:
    """Return the candidates of each fold of the interactions, by models fitted without it."""
    n = matrix_of(X).nnz
    rng = as_generator(random_state)
    if validation == "latest":
        times = getattr(X, "timestamps", None)
        if times is None:
            raise ValueError(
                "validation='latest' needs times: fit on Interactions.from_table(..., time=COLUMN)"
            )
        newest = np.sort(times)[min(n - 1, int(n * (1 - 1 / n_folds)))] if n else 0
        tests = [times >= newest]
    else:
        fold = rng.permutation(n) % n_folds
        tests = [fold == number for number in range(n_folds)]
    tables = []
    for is_test in tests:
        train, test = keep_entries(X, ~is_test), keep_entries(X, is_test)
        fitted = {name: fresh(model).fit(train) for name, model in members.items()}
        tables.append(
            candidate_table(
                fitted,
                test,
                depth=depth,
                max_rows=max(1, max_rows // len(tests)),
                random_state=random_state,
                n_threads=n_threads,
            )
        )
    return CandidateTable(
        np.concatenate([t.users for t in tables]),
        np.concatenate([t.items for t in tables]),
        np.concatenate([t.features for t in tables]),
        np.concatenate([t.labels for t in tables]),
        tables[0].names,
    )
