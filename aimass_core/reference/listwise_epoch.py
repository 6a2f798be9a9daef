"""One epoch of a ranking loss over lists, entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._counter_random import derived_key, shuffle
from ._sgd_rule import Side
from ._sgd_strata import NegativeSampler, tiles

__all__ = ["listwise_epoch"]

SMALLEST = 1e-12  # squared norm of a vector


def listwise_epoch(
    indptr: Any,
    indices: Any,
    users: tuple[Any, ...],
    items: tuple[Any, ...],
    steps: tuple[Any, ...],
    penalties: tuple[float, ...],
    weights: Any,
    loss: str,
    cosine: bool,
    n_negatives: int,
    temperature: float,
    margin: float,
    negative_weight: float,
    n_strata: int,
    seed: int,
    epoch: int,
    n_threads: int,
) -> tuple[float, int, int, int]:
    """Raise the score of each stored entry in a list of drawn negatives.

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
    loss : {"softmax", "logistic", "contrastive"}
        The loss, see the kernel.
    cosine : bool
        Whether scores are cosines; there are then no biases.
    n_negatives : int
        Negatives drawn for an entry.
    temperature : float
        What scores are divided by.
    margin : float
        Of "contrastive".
    negative_weight : float
        Weight of the mean over the negatives; not of "softmax".
    n_strata : int
        Parts into which users and items are cut.
    seed, epoch : int
        What all draws depend on.
    n_threads : int
        Not used here.

    Returns
    -------
    tuple
        Sum of the loss, number of lists, of lists that the positive leads, of entries skipped
        because their user has every item of the stratum.
    """
    x, y = Side(users, steps), Side(items, steps)
    total, n_steps, n_correct, n_skipped = 0.0, 0, 0, 0
    key = derived_key(derived_key(seed, 0), epoch)
    for tile in tiles(indptr, indices, len(y.factors), n_strata, key):
        sampler = NegativeSampler(tile, weights)
        shuffle(derived_key(tile.key, 0), tile.entries)
        for e, (user, item, _) in enumerate(tile.entries):
            drawn = [sampler.draw(user, e * n_negatives + c) for c in range(n_negatives)]
            if min(drawn) < 0:
                n_skipped += 1
                continue
            list_items = [tile.items[k] for k in (item, *drawn)]
            u, Y = x.factors[user].copy(), y.factors[list_items]
            scores = Y @ u
            if cosine:
                size = 1 / np.sqrt(max(u @ u, SMALLEST))
                sizes = 1 / np.sqrt(np.maximum((Y**2).sum(axis=1), SMALLEST))
                scores *= size * sizes
            else:
                scores += [y.bias(i) for i in list_items]
            scores /= temperature
            part, slopes = _loss(scores, loss, margin, negative_weight / n_negatives)
            total, n_steps = total + part, n_steps + 1
            n_correct += bool((scores[1:] < scores[0]).all())
            slopes /= temperature
            own, self_items, self_user = slopes, np.zeros(len(slopes)), 0.0
            if cosine:
                cosines = scores * temperature
                own = slopes * size * sizes
                self_items = -slopes * cosines * sizes**2
                self_user = -float(slopes @ cosines) * size**2
            direction = (self_user - penalties[0]) * u
            for k, i in enumerate(list_items):
                now = y.factors[i].copy()
                direction += own[k] * now
                penalty = penalties[1] if k == 0 else penalties[2]
                y.move(i, own[k] * u + (self_items[k] - penalty) * now, slopes[k], penalties[3])
            x.move(user, direction, 0.0, 0.0)
    x.write()
    y.write()
    return total, n_steps, n_correct, n_skipped


def _loss(scores: Any, loss: str, margin: float, share: float) -> tuple[float, Any]:
    """Return the loss of a list and minus its derivatives by the scores."""
    if loss == "softmax":
        shares = np.exp(scores - scores.max())
        slopes = -shares / shares.sum()
        slopes[0] += 1
        return float(np.log(shares.sum()) + scores.max() - scores[0]), slopes
    if loss == "logistic":
        signs = np.where(np.arange(len(scores)) == 0, -1.0, 1.0)
        parts = np.where(signs < 0, 1.0, share)
        value = float(parts @ np.logaddexp(0, signs * scores))
        return value, -signs * parts / (1 + np.exp(-signs * scores))
    excess = np.maximum(scores[1:] - margin, 0)
    slopes = np.concatenate([[1.0], -share * (excess > 0)])
    return float(1 - scores[0] + share * excess.sum()), slopes
