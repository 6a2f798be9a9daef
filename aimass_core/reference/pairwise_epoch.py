"""One epoch of a pairwise ranking loss, entry by entry."""

from __future__ import annotations

from math import exp, log, log1p
from typing import Any

import numpy as np

from ._counter_random import derived_key, random_bits, shuffle, uniform_below
from ._sgd_rule import Side
from ._sgd_strata import NegativeSampler, Tile, tiles

__all__ = ["pairwise_epoch"]

LARGEST_WEIGHT = 10.0


def pairwise_epoch(
    indptr: Any,
    indices: Any,
    users: tuple[Any, ...],
    items: tuple[Any, ...],
    steps: tuple[Any, ...],
    penalties: tuple[float, ...],
    weights: Any,
    loss: str,
    n_candidates: int,
    n_positives: int,
    k_positive: int,
    margin: float,
    n_strata: int,
    seed: int,
    epoch: int,
    n_threads: int,
) -> tuple[float, int, int, int]:
    """Raise the scores of stored entries above those of drawn negatives.

    Parameters
    ----------
    indptr, indices : ndarray
        Positives of users x items as CSR.
    users, items : tuple of ndarray
        factors (n, width), biases (n,) or (0,), state (slots, n, width), bias_state (slots, n) and
        steps (n,) or (0,); all of them are changed. The width is a multiple of 16.
    steps : tuple
        Rule ("sgd", "momentum", "adagrad" or "adam"), learning_rate, bias_learning_rate, momentum,
        decay, epsilon.
    penalties : tuple of float
        Of users, positive items, negative items and biases.
    weights : ndarray of float64, shape (n_items,) or (0,)
        Probabilities of items as negatives, up to a factor; none: uniform.
    loss : {"bpr", "warp", "kos"}
        The loss, see the kernel.
    n_candidates : int
        Negatives drawn for an entry: the best is taken by "bpr", the first violator by the others.
    n_positives, k_positive : int
        Positives drawn by "kos", and which of them in the order of scores it takes.
    margin : float
        Of "warp" and "kos".
    n_strata : int
        Parts into which users and items are cut.
    seed, epoch : int
        What all draws depend on.
    n_threads : int
        Not used here.

    Returns
    -------
    tuple
        Sum of the loss, number of pairs, of pairs in the right order, of entries skipped because
        their user has every item of the stratum.
    """
    x, y = Side(users, steps), Side(items, steps)

    def move(user: int, i: int, j: int, slope: float) -> None:
        u, p, q = x.factors[user].copy(), y.factors[i].copy(), y.factors[j].copy()
        x.move(user, slope * (p - q) - penalties[0] * u, 0.0, 0.0)
        y.move(i, slope * u - penalties[1] * p, slope, penalties[3])
        y.move(j, -slope * u - penalties[2] * q, -slope, penalties[3])

    total, n_steps, n_correct, n_skipped = 0.0, 0, 0, 0
    key = derived_key(derived_key(seed, 0), epoch)
    for tile in tiles(indptr, indices, len(y.factors), n_strata, key, by_user=loss != "bpr"):
        sampler = NegativeSampler(tile, weights)
        positives: dict[int, list[int]] = {}
        for user, item, _ in tile.entries:
            positives.setdefault(user, []).append(item)
        shuffle(derived_key(tile.key, 0), tile.entries)
        for e, (user, item, _) in enumerate(tile.entries):
            i = item
            if loss == "kos":
                drawn = _drawn_positives(tile, e, positives[user], n_positives)
                drawn.sort(key=lambda c: -_score(x, y, user, tile.items[c]))
                i = drawn[k_positive - 1]
            i = tile.items[i]
            target = _score(x, y, user, i)
            step = None
            best = -np.inf
            for c in range(n_candidates):
                j = sampler.draw(user, e * n_candidates + c)
                if j < 0:
                    n_skipped += 1
                    break
                j = tile.items[j]
                s = _score(x, y, user, j)
                if loss == "bpr":
                    if s > best:
                        best, d = s, target - s
                        step = j, 1 / (1 + exp(d)), log1p(exp(-abs(d))) - min(0.0, d), d > 0
                elif s - target + margin > 0:
                    n_negatives = len(y.factors) - (indptr[user + 1] - indptr[user])
                    rank = n_negatives // (c + 1)
                    weight = min(LARGEST_WEIGHT, log(max(1, rank)))
                    step = j, weight, weight * (s - target + margin), False
                    break
            else:
                if step is None:
                    n_steps, n_correct = n_steps + 1, n_correct + 1
            if step is not None:
                j, slope, part, correct = step
                total, n_steps, n_correct = total + part, n_steps + 1, n_correct + correct
                move(user, i, j, slope)
    x.write()
    y.write()
    return total, n_steps, n_correct, n_skipped


def _score(x: Side, y: Side, user: int, item: int) -> float:
    return float(x.factors[user] @ y.factors[item]) + y.bias(item)


def _drawn_positives(tile: Tile, e: int, own: list[int], n: int) -> list[int]:
    key = derived_key(tile.key, 2)
    return [own[uniform_below(random_bits(key, e * n + c), len(own))] for c in range(n)]
