"""What the results of all significance tests have in common."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

__all__ = ["TestedDifference"]

_ROUNDING = 1e-12  # of 1 - confidence


class TestedDifference:
    """Base class of the result of a test; subclasses are dataclasses.

    Attributes
    ----------
    adjusted_p_value : float
        After the correction for multiple comparisons.
    confidence : float
        Level of the intervals.
    """

    adjusted_p_value: float
    confidence: float

    @property
    def is_significant(self) -> bool:
        """Whether the adjusted p-value is at most 1 - `confidence`."""
        return self.adjusted_p_value <= 1 - self.confidence + _ROUNDING

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and `is_significant` as a dictionary.

        Returns
        -------
        dict
        """
        fields: Any = self
        return {**asdict(fields), "is_significant": self.is_significant}
