"""What `evaluate` gives every model: the parts of a split, the users to be judged, the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.csr import keep_entries, row_numbers
from ..base.validation import as_choice, as_csr, as_float, refuse_table
from ..base.with_ids import MatrixWithIds
from . import catalog, variety
from ._features import Features, leaks_of
from ._judged import as_lists, judge
from ._judged import per_user as user_values
from ._metrics import COUNT_METRICS, LIST_METRICS, SCORE_METRICS, TRAIN_METRICS, Column
from .candidates import auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._judged import Floats, Ints

__all__ = ["WARM", "Counts", "Task", "make_task", "row_blocks"]

WARM = ":warm"  # suffix of the columns of users with an entry in train

REPEATS = ("exclude", "include", "only")
FALLBACKS = ("popular", "empty", "model")
UNKNOWN_ITEMS = ("miss", "drop")
CANDIDATES = ("all", "new")
N_PAIRS = 1 << 20  # rating pairs per call of predict
N_SCORES = 1 << 24  # scores of a block of users over all items


@dataclass(frozen=True)
class Counts:
    """What the test part of an evaluation holds, and how much of it train does not know.

    Parameters
    ----------
    users : int
        Users with a relevant item.
    cold_users : int
        Those without an entry in train (or in the fold-in part).
    relevant : int
        Relevant entries.
    items : int
        Distinct relevant items.
    unknown_items : int
        Those without an entry in train.
    unknown_relevant : int
        Relevant entries of these items.
    repeats : int
        Test entries of a user and an item that train holds, too.
    """

    users: int = 0
    cold_users: int = 0
    relevant: int = 0
    items: int = 0
    unknown_items: int = 0
    unknown_relevant: int = 0
    repeats: int = 0

    @property
    def warm_users(self) -> int:
        """Users with a relevant item and an entry in train."""
        return self.users - self.cold_users


@dataclass(frozen=True)
class Task:
    """The parts of a split in common numbers, and what is to be computed.

    Rows and columns up to the shape of `train` are those of train; users and items of test that
    train does not number follow.
    """

    train: Any  # as given to fit
    users: Any  # ids of the rows, or None
    shown: sp.csr_array  # what the model may know of each row
    profiles: sp.csr_array | None  # the fold-in part, for users who are not in train
    truth: sp.csr_array  # test entries by the rule for repeats
    relevant: sp.csr_array  # those that are relevant
    rows: Ints  # users with a relevant item
    is_warm: NDArray[np.bool_]  # which of `rows` have an entry that the model may know
    counts: Counts
    popularity: Floats  # users of train who have each column
    n_items: int  # columns of train
    columns: list[Column]
    repeats: str
    fallback: str
    item_features: Any  # of the items of train, for metrics
    item_shares: Floats | None
    options: dict[str, Any]
    times: NDArray[Any] | None  # of the entries of `truth`, where test has times
    items: Any  # ids of the columns, or None
    features: Features
    candidates: str

    def _users(self, rows: Ints) -> Any:
        """Return rows in the terms in which a model fitted on `train` is queried."""
        return rows if self.users is None else self.users.to_ids(rows)

    def _items(self, columns: Ints) -> Any:
        return columns if self.items is None else self.items.to_ids(columns)

    @property
    def warm_rows(self) -> Ints:
        """Users with an entry in train."""
        return self.rows[self.is_warm]

    @property
    def cold_rows(self) -> Ints:
        """Users without one."""
        return self.rows[~self.is_warm]

    @cached_property
    def k(self) -> int:
        """Length of the lists."""
        return max((column.k for column in self.columns), default=0)

    @property
    def needs_lists(self) -> bool:
        """Whether a column needs lists up to `k`."""
        return self.k > 0

    @property
    def needs_scores(self) -> bool:
        """Whether a column needs the scores of all items."""
        return any(column.metric in SCORE_METRICS for column in self.columns)

    def lists(self, model: Any, block: Ints, k: int) -> Any:
        """Return the best items for a block of rows."""
        options: dict[str, Any] = {
            "k": k,
            "exclude_seen": self.repeats == "exclude",
            **self.options,
        }
        if self.repeats == "only":
            options["candidates"] = self.shown[block][:, : self.n_items]
        elif self.candidates == "new":
            options["candidates"] = self._items(np.flatnonzero(self.popularity == 0))
        extends = self.features.extend(model) and self.items is not None
        if extends and self.repeats != "only" and len(self.popularity) > self.n_items:
            options["item_features"] = self.features.item_features
            options.setdefault("candidates", self.items.ids)
        if self.features.serve(model) and self.users is not None:
            options["user_features"] = self.features.user_features
        if self.profiles is not None:
            if "user_features" in options:
                ids = self.users.to_ids(block)
                options["user_features"] = options["user_features"].rows_of(ids)
            lists = model.recommend_new(self.profiles[block], **options)
        else:
            if "user_features" in options:
                options["unknown"] = "popular"
            lists = model.recommend(self._users(block), **options)
        return self._in_common_numbers(lists) if "item_features" in options else lists

    def _in_common_numbers(self, lists: Any) -> Any:
        """Return lists of a model that numbers new items itself in the numbers of this task."""
        number_of = np.append(self.items._find(lists.id_map._column()), -1)
        return replace(lists, indices=number_of[lists.indices].astype(np.int32), id_map=self.items)

    @cached_property
    def popular(self) -> Ints:
        """The most popular items of train, the longest list that a column needs."""
        order = np.argsort(-self.popularity[: self.n_items], kind="stable")
        return order[self.popularity[order] > 0][: max(self.k, 1)].astype(np.int64)

    def fallback_lists(self, model: Any, block: Ints) -> Any:
        """Return lists for users without an entry in train, by the named fallback."""
        if self.fallback == "popular":
            return np.tile(self.popular, (len(block), 1))
        lists = np.full((len(block), max(self.k, 1)), -1, dtype=np.int64)
        is_known = self._is_numbered(block) | self.features.serve(model)
        queried = np.flatnonzero(is_known & (self.fallback == "model"))
        if len(queried):
            own = as_lists(self.lists(model, block[queried], self.k))
            lists[queried, : own.shape[1]] = own
        return lists

    def _is_numbered(self, block: Ints) -> NDArray[np.bool_]:
        """Return which rows train (or the fold-in part) numbers, with or without entries."""
        part = self._known_train if self.profiles is None else self.profiles
        return np.asarray(block < part.shape[0])

    def values(self, lists: Any, block: Ints) -> dict[str, Any]:
        """Return the users' values, or the items' counts, of each column that needs lists."""
        truth = self.relevant[block]
        judged = judge(lists, truth, self.k)
        of_train = np.where(lists < self.n_items, lists, -1) if lists.dtype.kind in "iu" else lists
        values: dict[str, Any] = {}
        for column in self.columns:
            name = column.metric
            if callable(name):
                of_column: Any = np.asarray(name(lists, truth, k=column.k, mean=False))
            elif name in COUNT_METRICS:
                of_column = catalog.item_counts(of_train, self.n_items, k=column.k)
            elif name in TRAIN_METRICS:
                of_column = self._train_metric(name, of_train, truth, column.k)
            elif name in LIST_METRICS:
                of_column = user_values(LIST_METRICS[name], judged.at(column.k))
            else:
                continue
            values[column.title] = of_column
        return values

    def _train_metric(self, name: str, lists: Any, truth: sp.csr_array, k: int) -> Floats:
        if name == "user_coverage":
            matrix = catalog.incidence(lists, self.n_items, k)
            return np.asarray(np.diff(matrix.indptr) > 0, dtype=np.float64)
        if name == "serendipity":
            result = variety.serendipity(lists, truth, self._known_train, k=k, mean=False)
        elif name == "diversity":
            result = variety.diversity(lists, self.item_features, k=k, mean=False)
        elif self.item_shares is not None:
            shares = self.item_shares
            values = -np.log2(shares) + 0.0 if name == "novelty" else 1 - shares
            result = variety.item_means(lists, values, k, False)
        else:
            metric = variety.novelty if name == "novelty" else variety.popularity_complement
            result = metric(lists, self._known_train, k=k, mean=False)
        return np.asarray(result)

    @cached_property
    def _known_train(self) -> sp.csr_array:
        return as_csr(self.train, "train")

    def area_under_curve(self, model: Any, block: Ints, is_cold: bool) -> Floats:
        """Return the area under the ROC curve of each user, over all items of train."""
        truth, shown = (m[block][:, : self.n_items] for m in (self.relevant, self.shown))
        scores = np.full((len(block), self.n_items), -np.inf)
        queried = np.arange(len(block))
        if is_cold and self.fallback == "popular":
            scores[:] = self.popularity[: self.n_items]
        if is_cold:
            queried = np.flatnonzero(self._is_numbered(block) & (self.fallback == "model"))
        if len(queried):
            lists = self.lists(model, block[queried], self.n_items)
            indices = as_lists(lists)
            rows, ranks = np.nonzero(indices >= 0)
            given = getattr(lists, "scores", None)
            ranked = -ranks.astype(np.float64) if given is None else np.asarray(given)[rows, ranks]
            scores[queried[rows], indices[rows, ranks]] = ranked
        if self.repeats == "only":  # only items of train are candidates
            shown = sp.csr_array(np.asarray(shown.toarray() == 0, dtype=np.float32))
        exclude = None if self.repeats == "include" else shown
        return np.asarray(auc(scores, truth, exclude=exclude, mean=False))

    def fitted_test_entries(self, model: Any) -> int:
        """Return how many test entries, other than those of train, a model was fitted on."""
        fitted = getattr(model, "user_items_", None)
        if not isinstance(fitted, sp.csr_array) or self.profiles is not None:
            return 0
        if np.shares_memory(fitted.data, self._known_train.data):  # fitted on train itself
            return 0
        rows = row_numbers(self.truth)
        new = ~_stored_in(self.truth, self.shown)
        rows, columns = rows[new], self.truth.indices[new].astype(np.int64)
        numbered = (rows < self._known_train.shape[0]) & (columns < self.n_items)
        rows, columns = rows[numbered], columns[numbered]
        if getattr(model, "users_", None) is not None and self.users is not None:
            train = self.train
            rows = model.users_.get(train.users.ids)[rows]
            columns = model.items_.get(train.items.ids)[columns]
        known = (rows >= 0) & (rows < fitted.shape[0])
        known &= (columns >= 0) & (columns < fitted.shape[1])
        ones = np.ones(int(known.sum()), dtype=np.float32)
        entries = sp.csr_array((ones, (rows[known], columns[known])), shape=fitted.shape)
        entries.sort_indices()
        return int(_stored_in(entries, fitted).sum())

    def feature_leaks(self) -> dict[str, float]:
        """Return the features that alone tell what the test part holds, with their areas.

        Known and new items are compared separately, because every feature of the age of an item
        tells them apart; so are users.
        """
        n_of_item = np.bincount(self.relevant.indices, minlength=len(self.popularity))
        is_new = self.popularity == 0
        n_of_user = np.diff(self.relevant.indptr)
        is_cold = np.diff(self.shown.indptr) == 0
        sides = (
            ("item", self.features.item_features, self.items, n_of_item, is_new),
            ("user", self.features.user_features, self.users, n_of_user, is_cold),
        )
        found: dict[str, float] = {}
        for side, table, ids, counts, is_unknown in sides:
            for numbers in (np.flatnonzero(is_unknown), np.flatnonzero(~is_unknown)):
                if table is None or not len(numbers):
                    continue
                rows = numbers
                if table.ids is not None:
                    rows = table.ids.get(numbers if ids is None else ids.to_ids(numbers))
                for name, area in leaks_of(table, rows, counts[numbers]).items():
                    label = f"{side} feature {name!r}"
                    found[label] = max(area, found.get(label, 0.0))
        return found

    def pairs(self) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Return rows and columns of all test entries, and which have a known user and item."""
        rows = row_numbers(self.truth).astype(np.int64)
        columns = self.truth.indices.astype(np.int64)
        has_entries = np.diff(self.shown.indptr) > 0
        return rows, columns, has_entries[rows] & (self.popularity[columns] > 0)

    def predictions(self, model: Any) -> Floats:
        """Return predicted ratings of all test entries; the mean of train for unknown ids."""
        rows, columns, _ = self.pairs()
        matrix = self._known_train
        mean = float(matrix.data.mean(dtype=np.float64)) if matrix.nnz else 0.0
        predicted = np.full(len(rows), mean)
        known = np.flatnonzero((rows < matrix.shape[0]) & (columns < matrix.shape[1]))
        for at in range(0, len(known), N_PAIRS):
            part = known[at : at + N_PAIRS]
            users, items = self._users(rows[part]), self._items(columns[part])
            if self.times is not None and getattr(model, "predicts_at_times", False):
                predicted[part] = model.predict_at(users, items, self.times[part])
            else:
                predicted[part] = model.predict(users, items)
        return predicted


def make_task(
    split: Any,
    columns: list[Column],
    *,
    threshold: float | None = None,
    repeats: str | None = None,
    fallback: str = "popular",
    unknown_items: str = "miss",
    item_features: Any = None,
    user_features: Any = None,
    candidates: str = "all",
    popularity: Any = None,
    n_threads: int | None = None,
) -> Task:
    """Join the parts of a split, and find out which users and items train knows."""
    train, test, fold_in = _parts(split)
    repeats = getattr(split, "repeats", "exclude") if repeats is None else repeats
    as_choice(repeats, "repeats", REPEATS)
    as_choice(fallback, "fallback", FALLBACKS)
    as_choice(unknown_items, "unknown_items", UNKNOWN_ITEMS)
    as_choice(candidates, "candidates", CANDIDATES)
    seen = as_csr(train, "train")
    n_items = seen.shape[1]
    profiles = None if fold_in is None else as_csr(fold_in, "split.fold_in")
    (users, items), shown, truth, order = _joined(train if fold_in is None else fold_in, test)
    times = _times(test, order)
    item_counts = np.bincount(seen.indices, minlength=truth.shape[1]).astype(np.float64)
    is_repeat = _stored_in(truth, shown)
    if repeats != "include":
        counted = ~is_repeat if repeats == "exclude" else is_repeat
        truth = keep_entries(truth, counted)
        times = None if times is None else times[counted]
    is_relevant = _relevant(truth, threshold)
    of_items = np.bincount(truth.indices[is_relevant], minlength=truth.shape[1])
    if unknown_items == "drop":
        is_relevant &= item_counts[truth.indices] > 0
    relevant = keep_entries(truth, is_relevant)
    rows = np.flatnonzero(np.diff(relevant.indptr))
    is_warm = np.diff(shown.indptr)[rows] > 0
    of_unknown = of_items * (item_counts == 0)
    counts = Counts(
        users=len(rows),
        cold_users=int(np.count_nonzero(~is_warm)),
        relevant=relevant.nnz,
        items=int(np.count_nonzero(of_items)),
        unknown_items=int(np.count_nonzero(of_unknown)),
        unknown_relevant=int(of_unknown.sum()),
        repeats=int(is_repeat.sum()),
    )
    needs_features = any(column.metric == "diversity" for column in columns)
    features = Features.of(item_features, user_features, train)
    return Task(
        train=train,
        users=users,
        items=items,
        shown=shown,
        profiles=profiles,
        truth=truth,
        times=times,
        relevant=relevant,
        rows=rows,
        is_warm=is_warm,
        counts=counts,
        popularity=item_counts,
        n_items=n_items,
        columns=columns,
        repeats=repeats,
        fallback=fallback,
        item_features=_item_features(features.item_features, train, n_items, needs_features),
        item_shares=_shares(popularity, n_items),
        options={} if n_threads is None else {"n_threads": n_threads},
        features=features,
        candidates=candidates,
    )


def _parts(split: Any) -> tuple[Any, Any, Any]:
    """Return train, the entries to be predicted, and the fold-in part or None."""
    if isinstance(split, tuple) and len(split) == 2:
        (train, test), fold_in = split, None
    elif hasattr(split, "train"):
        train, fold_in = split.train, getattr(split, "fold_in", None)
        test = split.test if fold_in is None else split.holdout
    else:
        raise TypeError(
            "split must be a Split such as split.temporal(x) of aimass_core.data, several of them, "
            f"or a pair (train, test), got {type(split).__name__}"
        )
    refuse_table(train, "train")
    refuse_table(test, "test")
    return train, test, fold_in


def _relevant(truth: sp.csr_array, threshold: float | None) -> NDArray[np.bool_]:
    """Return which test entries are relevant: above 0, and at least the threshold."""
    is_relevant = truth.data > 0
    if threshold is not None:
        is_relevant &= truth.data >= as_float(threshold, "threshold")
    return np.asarray(is_relevant)


def _times(test: Any, order: Ints | slice) -> NDArray[Any] | None:
    """Return the times of the entries of test in some order; None where it has none."""
    times = getattr(test, "timestamps", None)
    if times is None:
        return None
    stamps = times.view("datetime64[ns]") if test.time_unit == "ns" else times
    return np.asarray(stamps[order])


def _joined(
    shown: Any, test: Any
) -> tuple[tuple[Any, Any], sp.csr_array, sp.csr_array, NDArray[np.int64] | slice]:
    """Return ids of rows and columns, both parts in one shape, and the order of test's entries.

    The parts are joined by id.
    """
    known, truth = as_csr(shown, "train"), as_csr(test, "test")
    mine, theirs = isinstance(shown, MatrixWithIds), isinstance(test, MatrixWithIds)
    if mine and theirs:
        if shown.users == test.users and shown.items == test.items:
            return (shown.users, shown.items), known, truth, slice(None)
        row_of, users = shown.users._merge(test.users)
        column_of, items = shown.items._merge(test.items)
        rows = row_numbers(truth)
        shape = (len(users), len(items))
        numbers = np.arange(truth.nnz)
        joined = sp.csr_array((numbers, (row_of[rows], column_of[truth.indices])), shape=shape)
        joined.sort_indices()
        order = joined.data
        joined.data = truth.data[order]
        return (users, items), _resized(known, shape), joined, order
    for part, has_ids, name in ((shown, mine, "train"), (test, theirs, "test")):
        if has_ids and not (part.users.kind == part.items.kind == "range"):
            other = "test" if name == "train" else "train"
            raise TypeError(
                f"{name} has ids and {other} has none, so their rows cannot be joined: give both "
                "as Interactions (Interactions.from_csr takes users= and items=), or both as "
                "matrices"
            )
    if truth.shape != known.shape:
        raise ValueError(
            f"test has shape {truth.shape}, train {known.shape}: both need the same users and "
            "items; make them with one of the split functions, or give both the full shape"
        )
    return (None, None), known, truth, slice(None)


def _resized(matrix: sp.csr_array, shape: tuple[int, int]) -> sp.csr_array:
    """Return the same entries in a larger matrix."""
    added = np.full(shape[0] - matrix.shape[0], matrix.indptr[-1], dtype=matrix.indptr.dtype)
    indptr = np.concatenate([matrix.indptr, added])
    return sp.csr_array((matrix.data, matrix.indices, indptr), shape=shape)


def _stored_in(entries: sp.csr_array, matrix: sp.csr_array) -> NDArray[np.bool_]:
    """Return which stored entries are stored in another matrix of the same shape, too."""
    width = max(matrix.shape[1], 1)

    def keys(of: sp.csr_array) -> NDArray[np.int64]:
        return np.asarray(row_numbers(of).astype(np.int64) * width + of.indices)

    mine, theirs = keys(entries), keys(matrix)
    if not len(theirs):
        return np.zeros(len(mine), dtype=bool)
    positions = np.minimum(np.searchsorted(theirs, mine), len(theirs) - 1)
    return np.asarray(theirs[positions] == mine)


def _item_features(features: Any, train: Any, n_items: int, needed: bool) -> Any:
    """Return item features with one row for each column of train."""
    if features is None:
        if needed:
            raise ValueError(
                "the metric 'diversity' compares items by their features: pass item_features=, a "
                "table of items or a matrix of shape (n_items, n_features); train.T compares them "
                "by common users"
            )
        return None
    if features.ids is not None and isinstance(train, MatrixWithIds):
        return features.rows_of(train.items.ids)
    if len(features) != n_items:
        raise ValueError(
            f"item_features has {len(features)} rows, but train has {n_items} items: give one row "
            "for each item, in the order of the columns of train"
        )
    return features.matrix


def _shares(popularity: Any, n_items: int) -> Floats | None:
    """Return the popularity of each item as a share of users within (0, 1]."""
    if popularity is None:
        return None
    shares = np.asarray(popularity, dtype=np.float64)
    if shares.shape != (n_items,):
        raise ValueError(
            f"popularity must have one share for each of the {n_items} items, got shape "
            f"{shares.shape}"
        )
    if not ((shares > 0) & (shares <= 1)).all():
        raise ValueError(
            "popularity must be the share of users who have the item, above 0 and at most 1: "
            "divide counts by the number of users, and count items without a user as one user's"
        )
    return shares


def row_blocks(rows: Ints, size: int) -> list[Ints]:
    """Return consecutive blocks of rows."""
    return [rows[at : at + size] for at in range(0, len(rows), size)]
