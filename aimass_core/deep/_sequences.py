"""The interactions of each user in the order of time, and the windows that training reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.csr import row_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import scipy.sparse as sp
    from numpy.typing import NDArray

__all__ = ["Sequences", "Windows"]


@dataclass(frozen=True)
class Windows:
    """Consecutive parts of sequences: the items before each target, and the target.

    Parameters
    ----------
    starts : ndarray of int64, shape (n,)
        Position of the first input among all items of the sequences. The target of the input at
        position p is the item at p + 1.
    lengths : ndarray of int64, shape (n,)
        Number of inputs, at least 1.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the positions of the inputs of some windows, padded at the end.

        Parameters
        ----------
        numbers : ndarray of int64, shape (m,)
            Numbers of windows.

        Returns
        -------
        positions : ndarray of int64, shape (m, length of the longest)
            Padding repeats the last input.
        is_input : ndarray of bool, of the same shape
            False for padding.
        """
        lengths = self.lengths[numbers][:, None]
        steps = np.arange(int(lengths.max(initial=0)))[None]
        positions = self.starts[numbers][:, None] + np.minimum(steps, lengths - 1)
        return positions, steps < lengths


@dataclass(frozen=True)
class Sequences:
    """The items of each user, oldest first.

    Parameters
    ----------
    indptr : ndarray of int64, shape (n_users + 1,)
        Where the items of each user begin and end.
    items : ndarray of int64, shape (n,)
        Columns. Items of the same time are in the order of columns.
    times : ndarray of int64, shape (n,), or None
        None: no times are known.
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.int64] | None

    @classmethod
    def of(cls, X: sp.csr_array, times: NDArray[np.int64] | None) -> Sequences:
        """Return the sequences of the positive entries of a matrix.

        Parameters
        ----------
        X : csr_array of shape (n_users, n_items)
            Canonical.
        times : ndarray of int64, shape (nnz,), or None
            Times of the entries.

        Returns
        -------
        Sequences
            Without times, in the order of columns.
        """
        kept = np.flatnonzero(X.data > 0)
        rows = row_numbers(X)[kept]
        counts = np.bincount(rows, minlength=X.shape[0])
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        items = X.indices[kept].astype(np.int64)
        if times is None:
            return cls(indptr, items, None)
        order = np.lexsort((items, times[kept], rows))
        return cls(indptr, items[order], times[kept][order])

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the items with those of the same time of a user in a random order.

        Parameters
        ----------
        rng : numpy.random.Generator
            Advanced.

        Returns
        -------
        ndarray of int64, shape (n,)
            Without times, every item of a user may be anywhere.
        """
        rows = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        keys: tuple[Any, ...] = (rng.random(len(self.items)),)
        if self.times is not None:
            is_tied = (np.diff(self.times) == 0) & (np.diff(rows) == 0)
            if not is_tied.any():
                return self.items
            keys = (*keys, self.times)
        return self.items[np.lexsort((*keys, rows))]

    def windows(self, max_length: int) -> Windows:
        """Return windows in which each item but the first of a user is a target once.

        Parameters
        ----------
        max_length : int
            Longest window. Longer sequences are cut from their end, so the first window of a user
            may be a short one.

        Returns
        -------
        Windows
            In the order of users, the newest window of each first.
        """
        n_targets = np.maximum(np.diff(self.indptr) - 1, 0)
        n_windows = -(-n_targets // max_length)
        users = np.repeat(np.arange(len(self)), n_windows)
        first = np.cumsum(n_windows) - n_windows
        age = np.arange(len(users)) - first[users]  # 0: the newest window of the user
        ends = n_targets[users] - age * max_length
        begins = np.maximum(ends - max_length, 0)
        return Windows(self.indptr[users] + begins, ends - begins)

    def n_inputs(self, n_windows: int, max_length: int) -> int:
        """Return how many inputs some windows have on average.

        Parameters
        ----------
        n_windows : int
            Windows of a batch.
        max_length : int
            Longest window.

        Returns
        -------
        int
        """
        windows = self.windows(max_length)
        total = int(windows.lengths.sum())
        return min(n_windows, len(windows)) * total // max(len(windows), 1)

    def newest(self, max_length: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the last items of users, those of one length together.

        Parameters
        ----------
        max_length : int
            Items of a user at most.

        Yields
        ------
        users : ndarray of int64, shape (n,)
            Rows; users without an item are in no group.
        items : ndarray of int64, shape (n, length)
            Oldest first.
        """
        counts = np.diff(self.indptr)
        lengths = np.minimum(counts, max_length)
        for length in np.unique(lengths[lengths > 0]):
            users = np.flatnonzero(lengths == length)
            positions = (self.indptr[users + 1] - length)[:, None] + np.arange(length)
            yield users, self.items[positions]
