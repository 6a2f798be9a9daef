"""A test of a campaign that may be looked at every day: an asymptotic confidence sequence.

A fixed-horizon test that is repeated every day rejects a true null hypothesis far more often than
its level says. A confidence sequence is valid at all times at once, so peeking and stopping at any
time cost nothing of the level. The price are wider intervals.

The sequence is the one of Waudby-Smith et al. for the difference of means of two arms. With the
difference d, its estimated variance v and n customers so far, it is
    d +- sqrt( v * (1 + 1 / (n rho^2)) * log((n rho^2 + 1) / alpha^2) ).
Its p-value is that of the mixture sequential probability ratio test with a normal mixture.

The variance v is the larger one of two estimates: of Welch (a variance for each arm) and of Student
(one variance for both). A small arm without any conversion, or without any of the few large orders,
has an estimated variance near 0. Welch's estimate then rejects a true null hypothesis in up to half
of the campaigns; Student's does not. Where both arms have the same size the two are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base.arrays import LARGEST, as_labels, as_vector
from ..base.tested import TestedDifference
from ..base.text import interval_text, p_value_text
from ..base.validation import as_float, as_int

__all__ = ["SequentialResult", "SequentialTest"]


@dataclass(frozen=True, repr=False)
class SequentialResult(TestedDifference):
    """The state of a sequential test after a look.

    Parameters
    ----------
    look : int
        Number of the look, from 1.
    difference : float
        Mean of the treated minus mean of the control customers so far.
    standard_error : float
        Of the difference: the larger one of Welch's and Student's.
    lower, upper : float
        The confidence sequence at this look; infinite until both arms have enough customers.
    p_value : float
        Anytime-valid p-value: the smallest of all looks so far.
    n_treated, n_control : int
        Customers so far.
    alpha : float
        Level of the test over all looks together.
    """

    look: int
    difference: float
    standard_error: float
    lower: float
    upper: float
    p_value: float
    n_treated: int
    n_control: int
    alpha: float

    @property
    def is_significant(self) -> bool:
        """Whether the test has rejected at this look or before: the campaign may be stopped."""
        return self.p_value <= self.alpha

    def __repr__(self) -> str:
        state = "significant" if self.is_significant else "not significant"
        return (
            f"look {self.look}: {interval_text(self.difference, self.lower, self.upper)}, "
            f"p {p_value_text(self.p_value)}, {state} "
            f"({self.n_treated:,} treated, {self.n_control:,} control)"
        )


class SequentialTest:
    """Test of a difference of means that is valid however often it is looked at.

    Parameters
    ----------
    expected_total : int
        Number of customers at which the intervals are to be tightest, for example those of the
        planned end. It must be fixed before the first look; the level holds for every value.
    alpha : float, default 0.05
        Chance of any false alarm over all looks.
    min_per_arm : int, default 100
        Customers that both arms need before the first decision; the guarantee is asymptotic.

    Raises
    ------
    ValueError
        For options out of range.

    Notes
    -----
    Memory O(1): counts, means and sums of squares of both arms. Time of an update O(new customers).

    References
    ----------
    .. [1] I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy, A. Ramdas, "Time-uniform central
       limit theory and asymptotic confidence sequences", Annals of Statistics 52, 2024 (arXiv
       2021).
    .. [2] R. Johari, P. Koomen, L. Pekelis, D. Walsh, "Always valid inference: continuous
       monitoring of A/B tests", Operations Research 70, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.effects import SequentialTest
    >>> rng = np.random.default_rng(0)
    >>> test = SequentialTest(expected_total=10_000)
    >>> for day in range(30):
    ...     treated = rng.random(400) < 0.5
    ...     result = test.update(treated, rng.random(400) < 0.10 + 0.04 * treated)
    ...     if result.is_significant:
    ...         break
    >>> result.look, bool(result.lower > 0)
    (10, True)
    """

    def __init__(self, expected_total: int, *, alpha: float = 0.05, min_per_arm: int = 100) -> None:
        self.expected_total = as_int(expected_total, "expected_total", minimum=2)
        self.alpha = as_float(alpha, "alpha", above=0)
        if self.alpha >= 1:
            raise ValueError(f"alpha must be below 1, got {self.alpha}")
        self.min_per_arm = as_int(min_per_arm, "min_per_arm", minimum=2)
        # Count, mean and sum of squared deviations of the control and of the treated customers.
        self._arms = [[0, 0.0, 0.0], [0, 0.0, 0.0]]
        self._look = 0
        self._p_value = 1.0

    def __repr__(self) -> str:
        return (
            f"SequentialTest(expected_total={self.expected_total}, alpha={self.alpha}, "
            f"min_per_arm={self.min_per_arm}), {self._look} looks"
        )

    @property
    def rho(self) -> float:
        """Parameter of the mixture, tightest at `expected_total` customers."""
        level = -2 * np.log(self.alpha)
        return float(np.sqrt((level + np.log(level + 1)) / self.expected_total))

    def update(self, treatment: Any, outcome: Any) -> SequentialResult:
        """Add the customers since the last look, and return the state of the test.

        Parameters
        ----------
        treatment : array-like of bool or of 0 and 1, shape (n_new,)
            Who of the new customers was treated, at random. May be empty or of one arm only.
        outcome : array-like of float, shape (n_new,)
            Their outcomes, final ones: a customer counts at one look only.

        Returns
        -------
        SequentialResult

        Raises
        ------
        ValueError
            For treatments other than 0 and 1, missing or infinite outcomes, and unequal lengths.
        """
        values = as_vector(outcome, "outcome", largest=LARGEST)
        labels, codes = as_labels(treatment, "treatment", length=len(values))
        if len(labels) and not (labels.dtype.kind in "biuf" and np.isin(labels, (0, 1)).all()):
            raise ValueError(f"treatment must hold 0 and 1 or booleans, got {labels.tolist()}")
        treated = labels.astype(bool)[codes] if len(labels) else np.empty(0, dtype=bool)
        for arm, rows in zip(self._arms, (~treated, treated)):
            _merge(arm, values[rows])
        self._look += 1
        return self.result()

    def result(self) -> SequentialResult:
        """Return the state of the test at the last look.

        Returns
        -------
        SequentialResult
        """
        (n0, m0, s0), (n1, m1, s1) = self._arms
        difference = m1 - m0 if n0 and n1 else float("nan")
        lower, upper, error = -np.inf, np.inf, float("nan")
        if min(n0, n1) >= self.min_per_arm:
            welch = s1 / (n1 - 1) / n1 + s0 / (n0 - 1) / n0
            student = (s1 + s0) / (n1 + n0 - 2) * (1 / n1 + 1 / n0)
            variance = max(welch, student)
            error = float(np.sqrt(variance))
            scale = (n0 + n1) * self.rho**2
            log_ratio = np.log(scale + 1) - 2 * np.log(self.alpha)
            bound = np.sqrt((1 + 1 / scale) * log_ratio)
            lower, upper = difference - bound * error, difference + bound * error
            if variance > 0:
                z = difference / error
                exponent = np.log(scale + 1) / 2 - z**2 * scale / (2 * (scale + 1))
                self._p_value = min(self._p_value, float(np.exp(min(exponent, 0.0))))
            else:  # no customer of an arm differs from another: nothing is known of the variance
                lower, upper = -np.inf, np.inf
        return SequentialResult(
            self._look,
            float(difference),
            error,
            float(lower),
            float(upper),
            self._p_value,
            int(n1),
            int(n0),
            self.alpha,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the complete state as a dictionary of plain numbers, to go on with tomorrow.

        Returns
        -------
        dict
            For `from_dict`.
        """
        return {
            "expected_total": self.expected_total,
            "alpha": self.alpha,
            "min_per_arm": self.min_per_arm,
            "look": self._look,
            "p_value": self._p_value,
            "control": list(self._arms[0]),
            "treated": list(self._arms[1]),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> SequentialTest:
        """Return the test whose state `to_dict` returned.

        Parameters
        ----------
        state : dict
            From `to_dict`.

        Returns
        -------
        SequentialTest

        Raises
        ------
        ValueError
            For a state that is not complete or not possible.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"state must be the dictionary that to_dict returned, got {type(state).__name__}"
            )
        try:
            test = cls(
                state["expected_total"], alpha=state["alpha"], min_per_arm=state["min_per_arm"]
            )
            test._look = as_int(state["look"], "look", minimum=0)
            test._p_value = as_float(state["p_value"], "p_value", minimum=0, maximum=1)
            arms = state["control"], state["treated"]
        except KeyError as error:
            raise ValueError(f"state has no {error}; give what to_dict returned") from None
        for arm, values, name in zip(test._arms, arms, ("control", "treated")):
            if not isinstance(values, (list, tuple)) or len(values) != 3:
                raise ValueError(
                    f"state[{name!r}] must hold a count, a mean and a sum of squares, got "
                    f"{values!r}; give what to_dict returned"
                )
            count, mean, squares = values
            arm[:] = [
                as_int(count, name, minimum=0),
                as_float(mean, name),
                as_float(squares, name, minimum=0),
            ]
        return test


def _merge(arm: list[Any], values: Any) -> None:
    """Add values to a count, a mean and a sum of squared deviations (Chan et al. 1979)."""
    if not len(values):
        return
    n, mean, squares = arm
    total = n + len(values)
    new_mean = float(values.mean())
    shift = new_mean - mean
    arm[0] = total
    arm[1] = mean + shift * len(values) / total
    arm[2] = squares + float(((values - new_mean) ** 2).sum()) + shift**2 * n * len(values) / total
