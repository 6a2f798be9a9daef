"""Balance of covariates between the arms of a campaign: a test that the assignment was random.

A randomised treatment cannot depend on what was known before the campaign, so the means of a
covariate differ between arms by chance only. A difference beyond chance means that the covariate
was measured after the campaign, or that the assignment was not random. An adjustment for such a
covariate removes a part of the effect itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from ..base.text import p_value_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["CovariateBalance", "CovariateImbalanceWarning", "covariate_balance"]

ALPHA = 0.001  # as in the sample-ratio test; made for every campaign


class CovariateImbalanceWarning(UserWarning):
    """A covariate differs between the arms more than a random assignment explains."""


@dataclass(frozen=True, repr=False)
class CovariateBalance:
    """The test that a covariate has the same mean in an arm and in the control arm.

    Parameters
    ----------
    covariate, arm, control : str
        Names.
    mean_treated, mean_control : float
        Means of the covariate.
    standardised_difference : float
        Difference of the means, in standard deviations of the customers of both arms.
    p_value, adjusted_p_value : float
        Two-sided p-value of "no difference", and the same multiplied by the number of covariates
        and arms (Bonferroni).
    alpha : float
        Level at which the covariate counts as unbalanced.
    """

    covariate: str
    arm: str
    control: str
    mean_treated: float
    mean_control: float
    standardised_difference: float
    p_value: float
    adjusted_p_value: float
    alpha: float

    @property
    def is_imbalanced(self) -> bool:
        """Whether the adjusted p-value is below `alpha`."""
        return self.adjusted_p_value < self.alpha

    def __repr__(self) -> str:
        return (
            f"covariate {self.covariate!r} differs between the arms {self.arm} and {self.control} "
            f"({self.mean_treated:.4g} and {self.mean_control:.4g}), "
            f"p {p_value_text(self.adjusted_p_value)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and `is_imbalanced` as a dictionary.

        Returns
        -------
        dict
        """
        return {**asdict(self), "is_imbalanced": self.is_imbalanced}


def covariate_balance(
    codes: NDArray[np.int64],
    names: list[str],
    reference: int,
    covariates: Mapping[Any, Floats],
    groups: NDArray[np.int64] | None = None,
) -> list[CovariateBalance]:
    """Test every covariate in every arm against the control arm (score test).

    The variance of the difference is that under equal means, and at least the pooled one, so that
    the test does not reject too often in small arms, for rare or skewed values and with few
    clusters. Time O(n) per covariate and arm.

    Parameters
    ----------
    codes : ndarray of int64, shape (n_customers,)
        Number of the arm of each customer.
    names : list of str
        Names of the arms.
    reference : int
        Number of the control arm.
    covariates : mapping of label to ndarray, shape (n_customers,)
        By name.
    groups : ndarray of int64, shape (n_customers,), optional
        Number of the cluster of each customer.

    Returns
    -------
    list of CovariateBalance
        By covariate and arm.
    """
    arms = [code for code in range(len(names)) if code != reference]
    n_tests = len(arms) * len(covariates)
    tests = []
    for name, column in covariates.items():
        for code in arms:
            rows = np.flatnonzero((codes == code) | (codes == reference))
            treated, values = codes[rows] == code, column[rows]
            n_treated, n_control = int(treated.sum()), int((~treated).sum())
            centred = values - values.mean()
            terms = np.where(treated, centred / n_treated, -centred / n_control)
            if groups is not None:
                terms = np.bincount(groups[rows], terms)
            deviation = float(centred.std())
            pooled = deviation * np.sqrt(1 / n_treated + 1 / n_control)
            error = max(float(np.sqrt(terms @ terms)), float(pooled))
            is_constant = bool(np.ptp(values) == 0)
            difference = 0.0 if is_constant else float(terms.sum())
            p_value = 1.0 if error == 0 else float(2 * ndtr(-abs(difference) / error))
            tests.append(
                CovariateBalance(
                    covariate=str(name),
                    arm=names[code],
                    control=names[reference],
                    mean_treated=float(values[treated].mean()),
                    mean_control=float(values[~treated].mean()),
                    standardised_difference=0.0 if is_constant else difference / deviation,
                    p_value=p_value,
                    adjusted_p_value=min(1.0, n_tests * p_value),
                    alpha=ALPHA,
                )
            )
    return tests
