"""How one step moves a row of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Side"]


class Side:
    """Parameters of users or of items in float64, and the state of the rule that moves them.

    Parameters
    ----------
    arrays : tuple of ndarray
        factors (n, width), biases (n,) or (0,), state (slots, n, width), bias_state (slots, n) and
        steps (n,) or (0,).
    steps : tuple
        rule, learning_rate, bias_learning_rate, momentum, decay, epsilon.
    """

    def __init__(self, arrays: tuple[Any, ...], steps: tuple[Any, ...]) -> None:
        self._arrays = arrays
        self.factors, self.biases, self._state, self._bias_state = (
            a.astype(np.float64) for a in arrays[:4]
        )
        self._counts = arrays[4].copy()
        self._rule, self._rate, self._bias_rate, self._momentum, self._decay, self._epsilon = steps

    def bias(self, row: int) -> float:
        """Return the bias of a row, 0 where there are none."""
        return float(self.biases[row]) if len(self.biases) else 0.0

    def move(self, row: int, direction: Any, bias_direction: float, penalty: float) -> None:
        """Take a step along a direction, less a penalty of the bias."""
        correction = 1.0
        if self._rule == "adam":
            self._counts[row] += 1
            n = int(self._counts[row])
            correction = (1 - self._decay**n) ** 0.5 / (1 - self._momentum**n)
        self.factors[row] += self._step(direction, self._state[:, row], self._rate * correction)
        if len(self.biases):
            state = self._bias_state[:, row : row + 1]
            step = np.array([bias_direction - penalty * self.biases[row]])
            self.biases[row] += self._step(step, state, self._bias_rate * correction)[0]

    def _step(self, d: Any, state: Any, rate: float) -> Any:
        if self._rule == "sgd":
            return rate * d
        if self._rule == "momentum":
            state[0] = self._momentum * state[0] + d
            return rate * state[0]
        if self._rule == "adagrad":
            state[0] += d**2
            return rate * d / np.sqrt(state[0] + self._epsilon)
        state[0] = self._momentum * state[0] + (1 - self._momentum) * d
        state[1] = self._decay * state[1] + (1 - self._decay) * d**2
        return rate * state[0] / (np.sqrt(state[1]) + self._epsilon)

    def write(self) -> None:
        """Put the result into the arrays that were given."""
        new = (self.factors, self.biases, self._state, self._bias_state, self._counts)
        for array, values in zip(self._arrays, new, strict=True):
            array[...] = values
