"""The schedule of an epoch of stochastic gradient steps, and draws of negatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ._counter_random import derived_key, random_bits, shuffle, uniform_below

__all__ = ["NegativeSampler", "Tile", "tiles"]

TILE_USERS, FEWEST_TILE_USERS, TILE_PLACES = 128, 16, 1 << 18
TILE_USERS_BY_USER = 32
TRIES = 15


@dataclass
class Tile:
    """The entries of a few users in one stratum of the items.

    Parameters
    ----------
    key : int
        Key of this tile in this epoch.
    items : list of int
        Columns of the stratum.
    entries : list of (int, int, int)
        User, position of the item in the stratum, number of the entry in the matrix.
    """

    key: int
    items: list[int]
    entries: list[tuple[int, int, int]]


def _part(n: int, n_parts: int, part: int) -> range:
    return range(n * part // n_parts, n * (part + 1) // n_parts)


def tiles(
    indptr: Any, indices: Any, n_items: int, n_strata: int, key: int, by_user: bool = False
) -> Iterator[Tile]:
    """Yield the tiles of an epoch in an order of which the result is that of every order.

    Users and items are put into random order and cut into `n_strata` equal parts; the tiles of a
    part of the users in a stratum of the items are worked on in their order. With `by_user` the
    users of one tile of each part meet all strata before those of the next tile.
    """
    n_users = len(indptr) - 1
    users, items = list(range(n_users)), list(range(n_items))
    shuffle(derived_key(key, 0), users)
    shuffle(derived_key(key, 1), items)
    largest = max(-(-n_items // n_strata), 1)
    most = TILE_USERS_BY_USER if by_user else TILE_USERS
    size = min(max(TILE_PLACES // largest, FEWEST_TILE_USERS), most)
    parts = [
        [users[b : min(b + size, part.stop)] for b in range(part.start, part.stop, size)]
        for part in (_part(n_users, n_strata, p) for p in range(n_strata))
    ]
    first = np.cumsum([0, *map(len, parts)]).tolist()
    n_batches = max(map(len, parts)) if by_user else 1
    for batch, turn, p in product(range(n_batches), range(n_strata), range(n_strata)):
        s = (p + turn) % n_strata
        columns = [items[i] for i in _part(n_items, n_strata, s)]
        position = {column: i for i, column in enumerate(columns)}
        for t, some in enumerate(parts[p]):
            if by_user and t != batch:
                continue
            entries = [
                (user, position[indices[e]], e)
                for user in some
                for e in range(indptr[user], indptr[user + 1])
                if indices[e] in position
            ]
            tile_key = derived_key(key, 2 + (first[p] + t) * n_strata + s)
            if entries:
                yield Tile(tile_key, columns, entries)


class NegativeSampler:
    """Draw items of a tile's stratum that a user has not.

    Parameters
    ----------
    tile : Tile
        The tile, before its entries are shuffled.
    weights : ndarray of float64
        One for each item, or none for uniform draws.
    """

    def __init__(self, tile: Tile, weights: Any) -> None:
        self._key = derived_key(tile.key, 1)
        self._n = len(tile.items)
        self._positives: dict[int, set[int]] = {}
        for user, item, _ in tile.entries:
            self._positives.setdefault(user, set()).add(item)
        self._table = _alias_table(weights[tile.items]) if len(weights) else None

    def draw(self, user: int, number: int) -> int:
        """Return the position of a negative in the stratum, or -1 where there is none."""
        positives = self._positives[user]
        for k in range(TRIES):
            bits = random_bits(self._key, number * (TRIES + 1) + k)
            i = uniform_below(bits, self._n)
            if self._table is not None and (bits & 0xFFFFFFFF) >= self._table[0][i]:
                i = self._table[1][i]
            if i not in positives:
                return i
        negatives = [i for i in range(self._n) if i not in positives]
        if not negatives:
            return -1
        bits = random_bits(self._key, number * (TRIES + 1) + TRIES)
        return negatives[uniform_below(bits, len(negatives))]


def _alias_table(weights: Any) -> tuple[list[float], list[int]]:
    """Return Vose's tables: below the threshold a position itself is drawn, else its alias."""
    n, total = len(weights), 0.0
    for weight in weights.tolist():
        total += weight
    threshold = [w * n / total if total > 0 else 1.0 for w in weights.tolist()]
    alias = list(range(n))
    small = [i for i in range(n) if threshold[i] < 1]
    large = [i for i in range(n) if threshold[i] >= 1]
    while small and large:
        i, j = small.pop(), large[-1]
        alias[i] = j
        threshold[j] -= 1 - threshold[i]
        if threshold[j] < 1:
            small.append(large.pop())
    for i in small + large:
        threshold[i] = 1.0
        alias[i] = i
    return [t * 2.0**32 for t in threshold], alias
