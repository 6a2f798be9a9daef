"""Segments of a new fit matched to those of an earlier one, and how much has changed between.

Both segmentations are applied to the customers of the new table. New segments take the letters of
the old ones so that the matched segments share as many customers as possible; a pair whose Jaccard
index is below `_MIN_JACCARD` is no match, and its new segment gets a fresh letter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .segmentation import Segmentation

__all__ = ["Match", "letters", "match_previous"]

_MIN_JACCARD = 0.2
_MIN_PSI, _LARGE_PSI = 0.1, 0.25  # the usual limits of a moderate and of a large shift


@dataclass(frozen=True)
class Match:
    """Letters of the new segments, and the drift since the earlier segmentation."""

    keys: list[str]
    drift: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def letters(n: int, taken: list[str] | None = None) -> list[str]:
    """Return the first n of A, B, ..., Z, AA, AB, ... that are not taken."""
    out: list[str] = []
    number = 0
    while len(out) < n:
        prefix = "" if number < 26 else chr(ord("A") + number // 26 - 1)
        letter = prefix + chr(ord("A") + number % 26)
        number += 1
        if letter not in (taken or ()):
            out.append(letter)
    return out


def match_previous(
    previous: Segmentation | None, table: Any, labels: NDArray[np.int64], k: int
) -> Match:
    """Match new segments to those of an earlier segmentation.

    Parameters
    ----------
    previous : Segmentation or None
        The earlier one, fitted; None gives the letters A, B, ...
    table : table or path
        The table of the new fit, which must have the columns of the earlier one.
    labels : ndarray of int64, shape (n,)
        New segment of each row, -1 for none.
    k : int
        Number of new segments.

    Returns
    -------
    Match
        ``drift`` has "changed" (share of the customers whose segment is not the match of their old
        one), "psi" (population stability index of the shares of the old segments, then and now),
        "segment", "previous_share", "share" and "jaccard" (for each old segment).
    """
    if previous is None:
        return Match(letters(k))
    old_labels = previous.predict(table)
    old_keys, n_old = list(previous.keys_), len(previous.keys_)
    both = (old_labels >= 0) & (labels >= 0)
    counts = np.zeros((n_old, k))
    np.add.at(counts, (old_labels[both], labels[both]), 1)
    union = counts.sum(axis=1)[:, None] + counts.sum(axis=0) - counts
    jaccard = counts / np.maximum(union, 1)
    matched = {
        int(new): int(old)
        for old, new in zip(*linear_sum_assignment(-jaccard), strict=True)
        if jaccard[old, new] >= _MIN_JACCARD
    }
    fresh = iter(letters(k, taken=old_keys))
    keys = [old_keys[matched[new]] if new in matched else next(fresh) for new in range(k)]
    kept = sum(counts[old, new] for new, old in matched.items())
    changed = float(1 - kept / max(counts.sum(), 1))
    shares = np.bincount(old_labels[old_labels >= 0], minlength=n_old).astype(np.float64)
    shares /= max(shares.sum(), 1)
    previous_shares = previous.sizes_ / max(previous.sizes_.sum(), 1)
    psi = population_stability(previous_shares, shares)
    new_of = {old: new for new, old in matched.items()}
    overlap = [jaccard[old, new_of[old]] if old in new_of else 0.0 for old in range(n_old)]
    drift = {
        "changed": changed,
        "psi": psi,
        "segment": tuple(old_keys),
        "previous_share": previous_shares,
        "share": shares,
        "jaccard": np.array(overlap),
    }
    return Match(keys, drift, _notes(keys, old_keys, matched, changed, psi))


def population_stability(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Return the population stability index of two distributions over the same segments."""
    p, q = np.maximum(before, 1e-6), np.maximum(now, 1e-6)
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def _notes(
    keys: list[str], old_keys: list[str], matched: dict[int, int], changed: float, psi: float
) -> list[str]:
    size = "small" if psi < _MIN_PSI else "moderate" if psi < _LARGE_PSI else "large"
    notes = [
        f"since the previous segments {changed:.1%} changed their segment; the shift of the old "
        f"segments' shares is {size} (population stability index {psi:.3f})"
    ]
    gone = [key for key in old_keys if key not in keys]
    new = [key for number, key in enumerate(keys) if number not in matched]
    if gone:
        notes.append(f"previous segments without a match: {', '.join(gone)}")
    if new:
        notes.append(f"new segments without a match: {', '.join(new)}")
    return notes
