"""Layers of networks on NumPy arrays, for answers that need no PyTorch.

Every function computes each sequence by itself: products of matrices run over stacks of one small
matrix for each sequence, never over the rows of several. So a sequence has the same bits alone and
among others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["attention", "dense", "gru", "layer_norm", "relu"]

Array = NDArray[Any]
Weights = Mapping[str, Array]

_EPSILON = 1e-5  # of PyTorch's layer normalisation


def dense(x: Array, weights: Weights, name: str) -> Array:
    """Return the affine map of the last axis.

    Parameters
    ----------
    x : ndarray of shape (n, length, n_in)
        Stacks of rows.
    weights : mapping of str to ndarray
        Has ``{name}weight`` of shape (n_out, n_in), and ``{name}bias`` of shape (n_out,) unless the
        map is linear.
    name : str
        Prefix of both.

    Returns
    -------
    ndarray of shape (n, length, n_out)
    """
    product: Array = np.matmul(x, weights[f"{name}weight"].T)
    bias = weights.get(f"{name}bias")
    return product if bias is None else product + bias


def relu(x: Array) -> Array:
    """Return the positive part."""
    positive: Array = np.maximum(x, 0)
    return positive


def layer_norm(x: Array, weights: Weights, name: str) -> Array:
    """Return the last axis standardised, then scaled and shifted.

    Parameters
    ----------
    x : ndarray of shape (n, length, d)
        Rows.
    weights : mapping of str to ndarray
        Has ``{name}weight`` and ``{name}bias`` of shape (d,).
    name : str
        Prefix of both.

    Returns
    -------
    ndarray of shape (n, length, d)
    """
    centered = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centered).mean(axis=-1, keepdims=True)
    scaled: Array = centered / np.sqrt(variance + np.float32(_EPSILON))
    return scaled * weights[f"{name}weight"] + weights[f"{name}bias"]


def attention(x: Array, weights: Weights, name: str, n_heads: int, *, last_only: bool) -> Array:
    """Return causal self-attention: each position sees itself and those before it.

    Parameters
    ----------
    x : ndarray of shape (n, length, d)
        Sequences.
    weights : mapping of str to ndarray
        As ``torch.nn.MultiheadAttention`` names them, after the prefix.
    name : str
        The prefix.
    n_heads : int
        Divides d.
    last_only : bool
        Compute the last position alone, which sees all.

    Returns
    -------
    ndarray of shape (n, length or 1, d)
    """
    n, length, d = x.shape
    inputs = {"weight": weights[f"{name}in_proj_weight"], "bias": weights[f"{name}in_proj_bias"]}
    parts = [
        {kind: values[begin : begin + d] for kind, values in inputs.items()}
        for begin in (0, d, 2 * d)
    ]
    asking = x[:, -1:] if last_only else x

    def heads(values: Array) -> Array:
        return values.reshape(n, -1, n_heads, d // n_heads).transpose(0, 2, 1, 3)

    query, key, value = (
        heads(dense(of, part, "")) for of, part in zip((asking, x, x), parts, strict=True)
    )
    scores = np.matmul(query, key.transpose(0, 1, 3, 2)) * np.float32((d // n_heads) ** -0.5)
    if not last_only:
        scores[:, :, ~np.tri(length, dtype=bool)] = -np.inf
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    mixed = np.matmul(shares, value).transpose(0, 2, 1, 3).reshape(n, -1, d)
    return dense(mixed, weights, f"{name}out_proj.")


def _sigmoid(x: Array) -> Array:
    """Return the logistic function, which does not overflow in this form."""
    half = np.float32(0.5)
    value: Array = half * (np.tanh(half * x) + 1)
    return value


def gru(x: Array, weights: Weights, n_layers: int) -> Array:
    """Return the last hidden state of gated recurrent units.

    Parameters
    ----------
    x : ndarray of shape (n, length, d)
        Sequences.
    weights : mapping of str to ndarray
        As ``torch.nn.GRU`` names them, after the prefix ``gru.``.
    n_layers : int
        Layers, the output of each being the input of the next.

    Returns
    -------
    ndarray of shape (n, 1, n_hidden)
    """
    for layer in range(n_layers):
        own = {
            part: {kind: weights[f"gru.{kind}_{part}_l{layer}"] for kind in ("weight", "bias")}
            for part in ("ih", "hh")
        }
        inputs = dense(x, own["ih"], "")
        n, length, width = inputs.shape
        h = np.zeros((n, 1, width // 3), dtype=inputs.dtype)
        states = np.empty((n, length, width // 3), dtype=inputs.dtype)
        for step in range(length):
            of_input = np.split(inputs[:, step : step + 1], 3, axis=-1)
            of_state = np.split(dense(h, own["hh"], ""), 3, axis=-1)
            reset = _sigmoid(of_input[0] + of_state[0])
            update = _sigmoid(of_input[1] + of_state[1])
            new = np.tanh(of_input[2] + reset * of_state[2])
            h = (1 - update) * new + update * h
            states[:, step : step + 1] = h
        x = states
    return x[:, -1:]
