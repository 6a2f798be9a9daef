"""Search spaces: which values of which parameters a search may try."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ..base.validation import as_bool, as_float

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Choice", "Range", "Space", "as_space", "grid_settings", "sample_setting"]


@dataclass(frozen=True)
class Choice:
    """One of some values.

    Parameters
    ----------
    values : sequence
        At least one; a grid takes them in this order.

    Examples
    --------
    >>> from aimass_core.tuning import Choice
    >>> Choice(["cosine", "jaccard"]).values
    ('cosine', 'jaccard')
    """

    values: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.values, (str, bytes)) or not isinstance(self.values, Sequence):
            raise TypeError(f"values must be a list of values, got {self.values!r}")
        if not self.values:
            raise ValueError("values must hold at least one value")
        object.__setattr__(self, "values", tuple(self.values))

    def sample(self, rng: np.random.Generator) -> Any:
        """Return a value at random.

        Parameters
        ----------
        rng : numpy Generator
            Source of the random numbers.

        Returns
        -------
        object
        """
        return self.values[int(rng.integers(len(self.values)))]

    def grid(self, n_points: int) -> list[Any]:
        """Return all values.

        Parameters
        ----------
        n_points : int
            Not used: a choice has its own number of values.

        Returns
        -------
        list
        """
        return list(self.values)


@dataclass(frozen=True)
class Range:
    """A number between two bounds.

    Parameters
    ----------
    low, high : float
        Bounds, both included.
    log : bool, default False
        Whether the logarithm is uniform; for scales such as regularization.
    integer : bool, default False
        Whether only whole numbers are meant.

    Examples
    --------
    >>> from aimass_core.tuning import Range
    >>> Range(0.001, 10.0, log=True).grid(5)
    [0.001, 0.01, 0.1, 1.0, 10.0]
    >>> Range(10, 80, log=True, integer=True).grid(4)
    [10, 20, 40, 80]
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        low, high = as_float(self.low, "low"), as_float(self.high, "high")
        as_bool(self.log, "log")
        as_bool(self.integer, "integer")
        if low > high:
            raise ValueError(f"low must not exceed high, got {low:g} and {high:g}")
        if self.log and low <= 0:
            raise ValueError(f"low must be above 0 where log=True, got {low:g}")
        if self.integer and (low != round(low) or high != round(high)):
            raise ValueError(f"integer bounds must be whole numbers, got {low:g} and {high:g}")

    def _at(self, position: float) -> Any:
        """Return the value at a position from 0 to 1."""
        if self.log:
            value = math.exp(
                math.log(self.low) + position * (math.log(self.high) - math.log(self.low))
            )
        else:
            value = self.low + position * (self.high - self.low)
        value = min(max(value, self.low), self.high)
        return round(value) if self.integer else value

    def sample(self, rng: np.random.Generator) -> Any:
        """Return a number at random.

        Parameters
        ----------
        rng : numpy Generator
            Source of the random numbers.

        Returns
        -------
        float or int
        """
        if self.integer and not self.log:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        return self._at(float(rng.random()))

    def grid(self, n_points: int) -> list[Any]:
        """Return numbers at equal distances (of the logarithm), the bounds among them.

        Parameters
        ----------
        n_points : int
            How many; whole numbers that coincide are given once.

        Returns
        -------
        list of float or int
        """
        if self.low == self.high or n_points == 1:
            return [self._at(0.0)]
        points = [self._at(i / (n_points - 1)) for i in range(n_points)]
        if not self.integer:  # bounds and powers of ten as they were meant
            points = [float(f"{value:.12g}") for value in points]
        return list(dict.fromkeys(points))


Space: TypeAlias = "dict[str, Choice | Range]"


def as_space(space: Any) -> Space:
    """Return a search space from what the caller wrote.

    Parameters
    ----------
    space : mapping of str to list, Choice, Range or single value
        A list, an array or a column of a data frame is a choice of its values, ``loguniform``,
        ``uniform`` and ``randint`` of ``scipy.stats`` are ranges, a single value is fixed.

    Returns
    -------
    dict of str to Choice or Range

    Raises
    ------
    TypeError
        For anything but a mapping, and for sets, generators and other distributions.

    Examples
    --------
    >>> from aimass_core.tuning.space import as_space
    >>> as_space({"n_neighbors": [50, 100], "measure": "cosine"})
    {'n_neighbors': Choice(values=(50, 100)), 'measure': Choice(values=('cosine',))}
    """
    if not isinstance(space, Mapping):
        raise TypeError(
            f"space must be a dictionary of parameter to values, got {type(space).__name__}"
        )
    result: Space = {}
    for name, values in space.items():
        if isinstance(values, (Choice, Range)):
            result[str(name)] = values
        elif hasattr(values, "rvs"):
            result[str(name)] = _range_of(values, str(name))
        elif isinstance(values, (Set, Iterator)):
            raise TypeError(
                f"space[{name!r}] must be a list of values, got {type(values).__name__}: its "
                "values have no fixed order or can be read once only"
            )
        else:
            result[str(name)] = Choice(_values_of(values))
    return result


def _values_of(values: Any) -> list[Any]:
    """Return what a list, an array or a column holds, as Python objects; else a single value."""
    if isinstance(values, (list, tuple, range)):
        return list(values)
    if hasattr(values, "tolist") or hasattr(values, "to_list"):
        plain = values.tolist() if hasattr(values, "tolist") else values.to_list()
        return plain if isinstance(plain, list) else [plain]
    return [values]


def _range_of(distribution: Any, name: str) -> Range:
    """Return a frozen distribution of scipy.stats as a range."""
    kind = getattr(getattr(distribution, "dist", None), "name", type(distribution).__name__)
    if kind not in ("loguniform", "reciprocal", "uniform", "randint"):
        raise TypeError(
            f"space[{name!r}] is a distribution {kind!r}: give a list, a Range, or loguniform, "
            "uniform or randint of scipy.stats"
        )
    low, high = (float(bound) for bound in distribution.support())
    if kind == "randint":
        return Range(int(low), int(high), integer=True)
    return Range(low, high, log=kind != "uniform")


def sample_setting(space: Space, rng: np.random.Generator) -> dict[str, Any]:
    """Return one value of each parameter at random.

    Parameters
    ----------
    space : dict of str to Choice or Range
        A search space.
    rng : numpy Generator
        Source of the random numbers.

    Returns
    -------
    dict of str to value
    """
    return {name: dimension.sample(rng) for name, dimension in space.items()}


def grid_settings(space: Space, n_points: int) -> list[dict[str, Any]]:
    """Return every combination of the values of a space.

    Parameters
    ----------
    space : dict of str to Choice or Range
        A search space.
    n_points : int
        Points of each `Range`.

    Returns
    -------
    list of dict
        The last parameter varies fastest. Without parameters one empty setting.

    Examples
    --------
    >>> from aimass_core.tuning.space import as_space, grid_settings
    >>> grid_settings(as_space({"a": [1, 2], "b": ["x"]}), 3)
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}]
    """
    values = [dimension.grid(n_points) for dimension in space.values()]
    return [dict(zip(space, combination)) for combination in itertools.product(*values)]
