"""Power of a test and the sample size it needs, by simulation from pilot data.

Simulated samples are drawn from the pilot values, so that zeros, skewness and ties of the metric or
of the outcome are those of the real data. The simulated test is Welch's t-test of two groups, or
the t-test of paired differences, which the resampling tests agree with at these sample sizes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaincinv, ndtri, stdtr

from ..base.arrays import LARGEST, as_seed, as_vector
from ..base.validation import as_bool, as_choice, as_float, as_int

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["PowerEstimate", "power", "sample_size"]

DESIGNS = ("two-sample", "paired")
MAX_ROWS = 1 << 40
_MAX_DISTINCT = 2000  # pilot values up to which samples are drawn as counts of distinct values


@dataclass(frozen=True, repr=False)
class PowerEstimate:
    """The simulated power of a test, and the sample size it holds for.

    Parameters
    ----------
    n : int
        Sample size in total: users in both groups together, or pairs.
    power : float
        Share of simulated samples in which the test rejects.
    lower, upper : float
        95 % limits of the power, by the finite number of simulations (Clopper-Pearson).
    effect : float
        Difference of means that was simulated.
    alpha : float
        Level of the two-sided test.
    design : str
        "two-sample" or "paired".
    n_simulations : int
        Simulated samples.
    share : float, default 0.5
        Share of treated users.

    Examples
    --------
    >>> from aimass_core.evaluation import PowerEstimate
    >>> PowerEstimate(1000, 0.8, 0.78, 0.82, 0.05, 0.05, "paired", 2000)
    power 0.800 [0.780, 0.820] with n = 1,000 (paired, effect 0.05, alpha 0.05)
    """

    n: int
    power: float
    lower: float
    upper: float
    effect: float
    alpha: float
    design: str
    n_simulations: int
    share: float = 0.5

    @property
    def n_per_group(self) -> list[int]:
        """Users of the control group and of the treated group; the pairs of a paired design."""
        return _group_sizes(self.n, self.design, self.share)

    def __repr__(self) -> str:
        groups = ""
        if self.design != "paired":
            control, treated = self.n_per_group
            groups = f"{control:,} control + {treated:,} treated, "
        return (
            f"power {self.power:.3f} [{self.lower:.3f}, {self.upper:.3f}] with n = {self.n:,} "
            f"({groups}{self.design}, effect {self.effect:g}, alpha {self.alpha:g})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and `n_per_group` as a dictionary.

        Returns
        -------
        dict
        """
        return {**asdict(self), "n_per_group": self.n_per_group}


def _group_sizes(n: int, design: str, share: float) -> list[int]:
    """Return users of each group of a sample of `n`."""
    if design == "paired":
        return [n]
    treated = min(max(2, round(n * share)), n - 2)
    return [n - treated, treated]


class _Pilot:
    """Distinct pilot values of each group, with the effect in the second one, and their shares."""

    def __init__(self, values: Any, effect: Any, design: Any, share: Any, relative: Any) -> None:
        self.design = as_choice(design, "design", DESIGNS)
        distinct, shares = self._distribution(values)
        mean = float(shares @ distinct)
        self.effect = as_float(effect, "effect")
        if as_bool(relative, "relative"):
            if self.design == "paired" or mean <= 0:
                raise ValueError(
                    "relative=True needs design='two-sample' and values with a mean above 0: give "
                    "effect as a difference"
                )
            self.effect *= mean
        if self.effect == 0:
            raise ValueError("effect must not be 0: the power would be the level of the test")
        self.share = as_float(share, "share", above=0)
        if self.share >= 1:
            raise ValueError(f"share must be below 1, got {self.share}")
        self.groups = self._groups(distinct, shares, mean)

    def _distribution(self, values: Any) -> tuple[Floats, Floats]:
        """Return the distinct pilot values and their shares; a number is the rate of a 0/1 one."""
        if isinstance(values, (int, float, np.number)) and self.design != "paired":
            rate = as_float(values, "values", above=0)
            if rate >= 1:
                raise ValueError(f"values as a number is a rate below 1, got {rate:g}; 5 % is 0.05")
            return np.array([0.0, 1.0]), np.array([1 - rate, rate])
        array = as_vector(values, "values", allow_nan=True, largest=LARGEST)
        array = array[~np.isnan(array)]
        if len(array) < 2 or array.min() == array.max():
            raise ValueError("values must hold at least two different values of a pilot sample")
        distinct, counts = np.unique(array, return_counts=True)
        return distinct, counts / counts.sum()

    def _groups(self, values: Floats, shares: Floats, mean: float) -> list[tuple[Floats, Floats]]:
        """Return the values and shares of each group, with the effect in the last one."""
        if self.design == "paired":
            return [(values - mean + self.effect, shares)]
        if np.array_equal(values, [0.0, 1.0]):
            if not 0 < mean + self.effect < 1:
                raise ValueError(
                    f"effect {self.effect:g} takes the rate {mean:g} out of (0, 1); "
                    "give an absolute difference, for example 0.01"
                )
            changed = values, np.array([1 - mean - self.effect, mean + self.effect])
        elif values[0] >= 0:
            if mean + self.effect <= 0:
                raise ValueError(
                    f"effect {self.effect:g} takes the mean {mean:g} of non-negative values to 0 "
                    "or below; give a smaller reduction"
                )
            changed = values * (1 + self.effect / mean), shares
        else:
            changed = values + self.effect, shares
        return [(values, shares), changed]

    def sizes(self, n: int) -> list[int]:
        """Return users of each group of a sample of `n`."""
        return _group_sizes(n, self.design, self.share)

    def rejections(self, n: int, alpha: float, n_simulations: int, seed: int) -> int:
        """Return in how many simulated samples of size `n` the two-sided test rejects."""
        rng = np.random.default_rng([seed, n])
        difference = np.zeros(n_simulations)
        variances = []
        for (values, shares), size in zip(self.groups, self.sizes(n)):
            mean, variance = _sample_moments(values, shares, size, n_simulations, rng)
            difference = mean - difference
            variances.append(variance / size)
        variance = np.sum(variances, axis=0)
        degrees = variance**2 / np.maximum(
            sum(v**2 / (size - 1) for v, size in zip(variances, self.sizes(n))), 1e-300
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(difference) / np.sqrt(variance)
            p_values = 2 * stdtr(np.maximum(degrees, 1.0), -t)
        # A sample without any variance has no test statistic: it does not reject.
        return int((p_values <= alpha).sum())

    def approximate_size(self, alpha: float, target: float) -> int:
        """Return the sample size of the normal approximation."""
        variances = [
            float(shares @ values**2 - (shares @ values) ** 2) for values, shares in self.groups
        ]
        parts = [1.0] if self.design == "paired" else [1 - self.share, self.share]
        per_row = sum(v / part for v, part in zip(variances, parts))
        needed = per_row * float(ndtri(1 - alpha / 2) + ndtri(target)) ** 2
        if needed > MAX_ROWS * self.effect**2:
            return MAX_ROWS + 1
        return max(4, int(np.ceil(needed / self.effect**2)))


def _sample_moments(
    values: Floats, shares: Floats, size: int, n_samples: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return means and variances of samples with replacement."""
    centre = float(shares @ values)  # for sums of squares that do not cancel
    shifted = values - centre
    sums, squares = np.empty(n_samples), np.empty(n_samples)
    by_counts = len(values) <= _MAX_DISTINCT or size > 50 * len(values)
    step = max(1, (1 << 22) // (len(values) if by_counts else size))
    cumulative = np.cumsum(shares)
    for first in range(0, n_samples, step):
        block = slice(first, min(first + step, n_samples))
        n = block.stop - first
        if by_counts:
            counts = rng.multinomial(size, shares / shares.sum(), n)
            sums[block], squares[block] = counts @ shifted, counts @ shifted**2
        else:
            rows = np.searchsorted(cumulative, rng.random((n, size)), side="right")
            drawn = shifted[np.minimum(rows, len(values) - 1)]
            sums[block], squares[block] = drawn.sum(axis=1), (drawn**2).sum(axis=1)
    means = sums / size
    variances = np.maximum(squares - size * means**2, 0.0) / (size - 1)
    return means + centre, variances


def _estimate(pilot: _Pilot, n: int, alpha: float, n_simulations: int, seed: int) -> PowerEstimate:
    hits = pilot.rejections(n, alpha, n_simulations, seed)
    misses = n_simulations - hits
    lower = 0.0 if hits == 0 else float(betaincinv(hits, misses + 1, 0.025))
    upper = 1.0 if misses == 0 else float(betaincinv(hits + 1, misses, 0.975))
    return PowerEstimate(
        n,
        hits / n_simulations,
        lower,
        upper,
        pilot.effect,
        alpha,
        pilot.design,
        n_simulations,
        pilot.share,
    )


def _level(value: Any, name: str) -> float:
    level = as_float(value, name, above=0)
    if level >= 1:
        raise ValueError(f"{name} must be below 1, got {level}")
    return level


def power(
    values: Any,
    n: int,
    *,
    effect: float,
    relative: bool = False,
    design: str = "two-sample",
    share: float = 0.5,
    alpha: float = 0.05,
    n_simulations: int = 2000,
    random_state: Any = 0,
) -> PowerEstimate:
    """Return the simulated power of a two-sided test with a sample of size `n`.

    Parameters
    ----------
    values : array-like of float, or float
        Pilot data, NaN left out. "two-sample": outcomes without treatment, for example
        conversions (0 or 1) or spend; a single number is a rate, for example 0.009. "paired":
        per-user differences of two models.
    n : int
        Sample size in total: users of both groups together, or pairs.
    effect : float
        Difference of means to be detected. A 0/1 outcome changes its rate, a non-negative one is
        scaled, any other is shifted. Paired differences are shifted to this mean.
    relative : bool, default False
        Whether `effect` is a share of the mean of `values`: 0.1 is a lift of 10 %.
    design : {"two-sample", "paired"}, default "two-sample"
        Two independent groups, or one sample of differences.
    share : float, default 0.5
        Share of treated users.
    alpha : float, default 0.05
        Level of the test.
    n_simulations : int, default 2000
        Simulated samples.
    random_state : int, Generator or None, default 0
        Seed.

    Returns
    -------
    PowerEstimate

    Raises
    ------
    ValueError
        For constant pilot data, an effect of 0, one that takes a rate out of (0, 1) or the mean of
        non-negative values to 0 or below, and options out of range.

    Notes
    -----
    Time O(n_simulations min(n, distinct values)).

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.evaluation import power
    >>> conversions = np.arange(1000) < 50  # a rate of 5 %
    >>> power(conversions, 10_000, effect=0.01)
    power 0.584 [0.562, 0.605] with n = 10,000 (5,000 control + 5,000 treated, two-sample, effect \
0.01, alpha 0.05)
    """
    pilot = _Pilot(values, effect, design, share, relative)
    smallest = 2 if pilot.design == "paired" else 4
    n = as_int(n, "n", minimum=smallest, maximum=MAX_ROWS)
    n_simulations = as_int(n_simulations, "n_simulations", minimum=100, maximum=10_000_000)
    return _estimate(pilot, n, _level(alpha, "alpha"), n_simulations, as_seed(random_state))


def sample_size(
    values: Any,
    *,
    effect: float,
    relative: bool = False,
    power: float = 0.8,
    design: str = "two-sample",
    share: float = 0.5,
    alpha: float = 0.05,
    n_simulations: int = 2000,
    random_state: Any = 0,
) -> PowerEstimate:
    """Return a sample size at which a two-sided test has the wanted power.

    Parameters
    ----------
    values : array-like of float, or float
        Pilot data or a rate, as in `power`.
    effect : float
        Difference of means to be detected, as in `power`.
    relative : bool, default False
        Whether `effect` is a share of the mean of `values`: 0.1 is a lift of 10 %.
    power : float, default 0.8
        Wanted power.
    design : {"two-sample", "paired"}, default "two-sample"
        Two independent groups, or one sample of differences.
    share : float, default 0.5
        Share of treated users.
    alpha : float, default 0.05
        Level of the test.
    n_simulations : int, default 2000
        Simulated samples for each size that is tried.
    random_state : int, Generator or None, default 0
        Seed.

    Returns
    -------
    PowerEstimate
        ``n`` is the sample size in total, ``n_per_group`` that of each group. The power simulated
        at it differs from the wanted one by no more than the error of the simulation.

    Raises
    ------
    ValueError
        For arguments that `power` refuses, and for effects so small that more than 2**40 users
        would be needed.

    Notes
    -----
    The normal approximation gives the first size. Up to six simulations correct it, each by the
    ratio of the wanted and the found non-centrality.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.evaluation import sample_size
    >>> conversions = np.arange(1000) < 50  # a rate of 5 %
    >>> sample_size(conversions, effect=0.01).n
    16310
    >>> sample_size(0.05, effect=0.2, relative=True).n_per_group  # 5 % + 20 % of it
    [8155, 8155]
    """
    pilot = _Pilot(values, effect, design, share, relative)
    alpha, target = _level(alpha, "alpha"), _level(power, "power")
    if target <= alpha:
        raise ValueError(f"power must be above alpha, got {target} and {alpha}")
    n_simulations = as_int(n_simulations, "n_simulations", minimum=100, maximum=10_000_000)
    seed = as_seed(random_state)
    n = pilot.approximate_size(alpha, target)
    tried: list[PowerEstimate] = []
    for _ in range(6):
        if n > MAX_ROWS:
            raise ValueError(f"effect {pilot.effect:g} needs more than {MAX_ROWS} users")
        tried.append(_estimate(pilot, n, alpha, n_simulations, seed))
        if tried[-1].lower <= target <= tried[-1].upper:
            return tried[-1]
        estimate = float(np.clip(tried[-1].power, 0.01, 0.999))
        ratio = (ndtri(1 - alpha / 2) + ndtri(target)) / (ndtri(1 - alpha / 2) + ndtri(estimate))
        n = max(4, int(np.ceil(n * float(np.clip(ratio, 0.5, 2.0)) ** 2)))
    return min(tried, key=lambda one: abs(one.power - target))
