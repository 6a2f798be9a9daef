"""Effects of a randomised campaign: differences of means, relative lifts, sample-ratio check.

Every arm is compared with the control arm, for every outcome. Means, their covariance and so all
intervals follow from influence values of the customers, which serve plain, covariate-adjusted and
clustered estimates alike. Time O(n) per arm and outcome, with p covariates O(n p^2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri, stdtr, stdtrit

from ..base.arrays import LARGEST, as_labels, as_vector
from ..base.export import Exportable
from ..base.figures import new_axes
from ..base.html import results
from ..base.tested import TestedDifference
from ..base.text import aligned, interval_text, p_value_text
from ..base.validation import as_choice, as_float
from ..evaluation.resampling import CORRECTIONS, adjust_p_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["CampaignReport", "Effect", "SampleRatioTest", "campaign_effect", "sample_ratio_test"]

ADJUSTMENTS = ("none", "cuped", "regression")
_NUMBERS = (bool, int, float, np.number, np.bool_)  # labels that are equal by value


@dataclass(frozen=True, repr=False)
class Effect(TestedDifference):
    """The effect of one arm on one outcome.

    Parameters
    ----------
    arm, control, outcome : str
        Names.
    mean_treated, mean_control : float
        Means of the outcome, after the adjustment.
    difference : float
        ``mean_treated - mean_control``.
    standard_error : float
        Of the difference.
    lower, upper : float
        Confidence limits of the difference.
    p_value, adjusted_p_value : float
        Two-sided p-value of "no difference", and the same after the correction for the number of
        arms and outcomes.
    relative_lift, relative_lower, relative_upper : float
        ``difference / mean_control`` and its limits by the delta method, on the scale of the log
        ratio where both means are positive. NaN where the mean of the control arm is not positive.
    n_treated, n_control : int
        Customers.
    confidence : float
        Level of the intervals.
    interval : str
        "newcombe" (rates), "welch" (means) or "normal" (adjusted or clustered).
    variance_reduction : float
        Share of the variance of the difference that the adjustment removes.
    """

    arm: str
    control: str
    outcome: str
    mean_treated: float
    mean_control: float
    difference: float
    standard_error: float
    lower: float
    upper: float
    p_value: float
    adjusted_p_value: float
    relative_lift: float
    relative_lower: float
    relative_upper: float
    n_treated: int
    n_control: int
    confidence: float
    interval: str
    variance_reduction: float

    def __repr__(self) -> str:
        return (
            f"{self.outcome}, {self.arm} - {self.control}: "
            f"{interval_text(self.difference, self.lower, self.upper)}, "
            f"p {p_value_text(self.adjusted_p_value)}"
        )


@dataclass(frozen=True, repr=False)
class SampleRatioTest:
    """Whether the sizes of the arms fit the shares that were planned.

    Parameters
    ----------
    counts : dict of str to int
        Customers of each arm.
    expected : dict of str to float
        Planned share of each arm.
    p_value : float
        Of the chi-square test.
    alpha : float
        Level at which the sizes count as wrong.
    """

    counts: dict[str, int]
    expected: dict[str, float]
    p_value: float
    alpha: float

    @property
    def is_mismatch(self) -> bool:
        """Whether the p-value is below `alpha`: the assignment or the logging is broken."""
        return self.p_value < self.alpha

    def __repr__(self) -> str:
        total = sum(self.counts.values())
        arms = ", ".join(
            f"{name} {n:,} ({n / total:.2%}, planned {self.expected[name]:.2%})"
            for name, n in self.counts.items()
        )
        verdict = "SAMPLE RATIO MISMATCH" if self.is_mismatch else "sample ratio as planned"
        return f"{verdict}: p {p_value_text(self.p_value)}; {arms}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and `is_mismatch` as a dictionary.

        Returns
        -------
        dict
        """
        return {**asdict(self), "is_mismatch": self.is_mismatch}


@dataclass(frozen=True, repr=False)
class CampaignReport(Exportable):
    """The effects of all arms on all outcomes; prints as a table.

    `to_pandas`, `to_polars` and `to_arrow` return one row for each effect.

    Parameters
    ----------
    effects : list of Effect
        By outcome and arm.
    sample_ratio : SampleRatioTest or None
        The check of the sizes of the arms, where planned shares were given.
    adjustment, correction : str
        As given to `campaign_effect`.
    """

    effects: list[Effect]
    sample_ratio: SampleRatioTest | None
    adjustment: str
    correction: str

    def __getitem__(self, key: Any) -> Effect:
        """Return the effect of ``(arm, outcome)``; an arm by its name or its value (1 is True)."""
        arm, *others = key if isinstance(key, (tuple, list)) and key else [key]
        names = (self._arm_name(arm), *map(str, others))
        known = [(effect.arm, effect.outcome) for effect in self.effects]
        if names not in known:
            raise KeyError(
                f"no effect of (arm, outcome) = {key!r}; there are {', '.join(map(str, known))}"
            )
        return self.effects[known.index(names)]

    def _arm_name(self, arm: Any) -> str:
        """Return the name of an arm, given by its value (1 is True and 1.0) or by its name."""
        names = list(dict.fromkeys(effect.arm for effect in self.effects))
        if str(arm) not in names and isinstance(arm, _NUMBERS):
            return next((name for name in names if _value_of(name) == arm), str(arm))
        return str(arm)

    def __len__(self) -> int:
        return len(self.effects)

    def __repr__(self) -> str:
        return "\n".join([aligned(self._rows()), "", *self._notes()])

    def _repr_html_(self) -> str:
        """Return the table of the effects for a notebook."""
        return results(self._rows(), self._notes(), left=(0, 1))

    def _rows(self) -> list[list[str]]:
        """Return the titles and the effects as texts."""
        rows = [["outcome", "arm", "treated", "control", "difference", "lift", "p"]]
        for e in self.effects:
            lift = f"{e.relative_lift:+.1%} [{e.relative_lower:+.1%}, {e.relative_upper:+.1%}]"
            rows.append(
                [
                    e.outcome,
                    e.arm,
                    f"{e.mean_treated:.4f}",
                    f"{e.mean_control:.4f}",
                    interval_text(e.difference, e.lower, e.upper),
                    "-" if np.isnan(e.relative_lift) else lift,
                    p_value_text(e.adjusted_p_value).removeprefix("= "),
                ]
            )
        return rows

    def _notes(self) -> list[str]:
        level = self.effects[0].confidence
        lines = [f"[ ] {level:.0%} confidence; p by {self.correction} correction"]
        if self.adjustment != "none":
            lines[-1] += f"; adjusted for covariates ({self.adjustment})"
        if self.sample_ratio is not None:
            lines.append(repr(self.sample_ratio))
        return lines

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the fields of all effects as columns.

        Returns
        -------
        dict of str to ndarray
            A row for each effect, with the names of the fields of `Effect`.
        """
        return {
            one.name: np.array(
                [getattr(effect, one.name) for effect in self.effects],
                dtype=object if one.type == "str" else None,
            )
            for one in fields(Effect)
        }

    def plot(self, outcome: str | None = None, *, ax: Any = None) -> Any:
        """Draw the difference of each arm to the control arm with its interval.

        Parameters
        ----------
        outcome : str, optional
            Name of an outcome. Default: the first one.
        ax : matplotlib.axes.Axes, optional
            Axes to draw into. Default: those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install 'aimass_core[plot]'``).
        ValueError
            For an unknown outcome.
        """
        names = list(dict.fromkeys(effect.outcome for effect in self.effects))
        name = names[0] if outcome is None else as_choice(outcome, "outcome", names)
        shown = [effect for effect in self.effects if effect.outcome == name]
        ax = new_axes(ax, size=(6.4, 1.5 + 0.5 * len(shown)))
        for row, effect in enumerate(shown):
            color = "C0" if effect.is_significant else "0.5"
            ax.plot([effect.lower, effect.upper], [row, row], color=color)
            ax.plot([effect.difference], [row], "o", color=color)
        ax.axvline(0, color="k", lw=0.8)
        # Names are plain text: "$5 or $10 off" is no formula.
        ax.set_yticks(range(len(shown)), [effect.arm for effect in shown], parse_math=False)
        ax.set_ylim(len(shown) - 0.5, -0.5)
        level = f"{shown[0].confidence:.0%} interval"
        ax.set_xlabel(f"{name}: difference to {shown[0].control}, {level}", parse_math=False)
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dictionaries and lists.

        Returns
        -------
        dict
            Keys "effects", "sample_ratio", "adjustment" and "correction".
        """
        return {
            "effects": [effect.to_dict() for effect in self.effects],
            "sample_ratio": None if self.sample_ratio is None else self.sample_ratio.to_dict(),
            "adjustment": self.adjustment,
            "correction": self.correction,
        }


def sample_ratio_test(
    treatment: Any, *, expected: Any = None, alpha: float = 0.001
) -> SampleRatioTest:
    """Test whether the sizes of the arms fit the planned shares (chi-square test).

    A mismatch means that customers were lost or assigned in a way that depends on the arm. The
    effects of such a campaign cannot be trusted.

    Parameters
    ----------
    treatment : array-like of labels, shape (n_customers,)
        The arm of each customer.
    expected : dict of label to float or pandas Series, optional
        Planned shares, or numbers in proportion to them. Default: equal shares of the arms that
        occur.
    alpha : float, default 0.001
        Level of the test; small, because it is made for every campaign.

    Returns
    -------
    SampleRatioTest

    Raises
    ------
    ValueError
        For fewer than two arms, an arm that was not planned, or shares that are not positive.

    References
    ----------
    .. [1] A. Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments",
       KDD 2019.

    Examples
    --------
    >>> from aimass_core.effects import sample_ratio_test
    >>> sample_ratio_test(["mail"] * 5210 + ["none"] * 4790)
    SAMPLE RATIO MISMATCH: p < 0.0001; mail 5,210 (52.10%, planned 50.00%), none 4,790 (47.90%, \
planned 50.00%)
    """
    level = as_float(alpha, "alpha", above=0, maximum=1)
    labels, codes = as_labels(treatment, "treatment")
    names = [str(label) for label in labels.tolist()]
    counts = dict(zip(names, np.bincount(codes, minlength=len(labels)).tolist()))
    if expected is None:
        shares = dict.fromkeys(names, 1.0)
    else:
        shares = _planned_shares(labels, names, expected)
        unplanned = sorted(counts.keys() - shares.keys())
        if unplanned:
            raise ValueError(f"expected has no share of {', '.join(unplanned)}; name every arm")
        counts = {name: counts.get(name, 0) for name in shares}
    if len(shares) < 2:
        raise ValueError(f"treatment must have at least two arms, got {len(shares)}")
    total, weight = sum(counts.values()), sum(shares.values())
    shares = {name: share / weight for name, share in shares.items()}
    statistic = sum((counts[n] - total * s) ** 2 / (total * s) for n, s in shares.items())
    return SampleRatioTest(counts, shares, float(chdtrc(len(shares) - 1, statistic)), level)


def _planned_shares(labels: NDArray[Any], names: list[str], expected: Any) -> dict[str, float]:
    """Return the planned share of each arm by name, those included that do not occur."""
    if not hasattr(expected, "items"):
        raise TypeError(
            "expected must be a dictionary of arm to share, such as {'mail': 0.5, 'none': 0.5}, "
            f"got {type(expected).__name__}"
        )
    shares: dict[str, float] = {}
    for key, share in expected.items():
        code = _code_of(key, labels, names)
        name = str(key) if code is None else names[code]
        if name in shares:
            raise ValueError(f"expected names the arm {name} twice")
        shares[name] = as_float(share, f"expected[{key!r}]", above=0)
    return shares


def _code_of(label: Any, labels: NDArray[Any], names: list[str]) -> int | None:
    """Return the number of a label, given by its value (0 is False and 0.0) or by its name."""
    if isinstance(label, _NUMBERS) and labels.dtype.kind in "biuf":
        equal = np.flatnonzero(labels == label)
        return int(equal[0]) if len(equal) else None
    return names.index(str(label)) if str(label) in names else None


def _value_of(name: str) -> float | None:
    """Return the number that the name of a label stands for; None where it is none."""
    if name in ("False", "True"):
        return name == "True"
    for read in (int, float):
        try:
            return read(name)
        except ValueError:
            continue
    return None


def campaign_effect(
    treatment: Any,
    outcomes: Any,
    *,
    control: Any = None,
    covariates: Any = None,
    adjustment: str | None = None,
    clusters: Any = None,
    expected: Any = None,
    correction: str = "holm",
    confidence: float = 0.95,
) -> CampaignReport:
    """Return the effect of each arm of a randomised campaign on each outcome.

    Parameters
    ----------
    treatment : array-like of labels, shape (n_customers,)
        The arm of each customer.
    outcomes : array-like of float, shape (n_customers,), dict of str to array-like, or data frame
        For example ``{"conversion": ..., "spend": ...}``. A customer without an event has 0.
    control : label, optional
        The control arm. Default: False or 0, where that is an arm.
    covariates : array-like, shape (n_customers,) or (n_customers, n_covariates), optional
        Or a dictionary or data frame of columns. Numbers that were known before the campaign, for
        example spend of the year before.
    adjustment : {"none", "cuped", "regression"}, optional
        "cuped": one slope per covariate for both arms. "regression": slopes of each arm. Default:
        "regression" with covariates, else "none".
    clusters : array-like of labels, shape (n_customers,), optional
        Customers of one cluster (household, store) were assigned together.
    expected : dict of label to float or pandas Series, optional
        Planned shares of the arms; the report then has their check.
    correction : {"holm", "benjamini-hochberg", "bonferroni", "none"}, default "holm"
        Correction of the p-values for the number of arms and outcomes.
    confidence : float, default 0.95
        Level of the intervals.

    Returns
    -------
    CampaignReport

    Raises
    ------
    ValueError
        For a treatment of one arm only, arms with fewer than two customers (or clusters), missing
        or infinite values, and arrays of unequal length.

    Notes
    -----
    Rates (outcomes of 0 and 1 only) have Newcombe's score interval and the p-value of the pooled
    z-test, means those of Welch's t-test, adjusted and clustered effects those of the normal
    approximation with influence values. An adjustment is consistent for any covariates as long as
    the treatment is random.

    References
    ----------
    .. [1] R. G. Newcombe, "Interval estimation for the difference between independent
       proportions", Statistics in Medicine 17, 1998.
    .. [2] A. Deng et al., "Improving the sensitivity of online controlled experiments by utilizing
       pre-experiment data", WSDM 2013 (CUPED).
    .. [3] W. Lin, "Agnostic notes on regression adjustments to experimental data", Annals of
       Applied Statistics 7, 2013.

    Examples
    --------
    >>> from aimass_core.data.datasets import make_store
    >>> from aimass_core.effects import campaign_effect
    >>> table = make_store(n_users=20_000, n_items=50, n_interactions=20_000).campaign
    >>> report = campaign_effect(table["treatment"], {"conversion": table["conversion"]})
    >>> report.effects[0]
    conversion, True - False: 0.0412 [0.0329, 0.0496], p < 0.0001
    """
    level = as_float(confidence, "confidence", above=0)
    if level >= 1:
        raise ValueError(f"confidence must be below 1, got {level}; 95 % is 0.95")
    correction = as_choice(correction, "correction", CORRECTIONS)
    labels, codes = as_labels(treatment, "treatment")
    n = len(codes)
    names = [str(label) for label in labels.tolist()]
    reference = _control_code(labels, names, control)
    named = _named_outcomes(outcomes, n)
    matrix = _covariate_matrix(covariates, n)
    if adjustment is None:
        adjustment = "none" if matrix is None else "regression"
    adjustment = as_choice(adjustment, "adjustment", ADJUSTMENTS)
    if adjustment != "none" and matrix is None:
        raise ValueError(f"adjustment {adjustment!r} needs covariates")
    groups = None if clusters is None else as_labels(clusters, "clusters", length=n)[1]
    effects = []
    for name, values in named.items():
        for code, arm in enumerate(names):
            if code == reference:
                continue
            rows = np.flatnonzero((codes == code) | (codes == reference))
            effect = _effect(
                codes[rows] == code,
                values[rows],
                None if matrix is None else matrix[rows],
                adjustment,
                None if groups is None else groups[rows],
                level,
                (arm, names[reference], name),
            )
            effects.append(effect)
    adjusted = adjust_p_values([e.p_value for e in effects], method=correction)
    effects = [replace(e, adjusted_p_value=float(p)) for e, p in zip(effects, adjusted)]
    ratio = None if expected is None else sample_ratio_test(treatment, expected=expected)
    return CampaignReport(effects, ratio, adjustment, correction)


def _control_code(labels: NDArray[Any], names: list[str], control: Any) -> int:
    """Return the number of the control arm among the labels."""
    if len(labels) < 2:
        raise ValueError(
            f"treatment must have at least two arms, got {names}: the effect of a treatment that "
            "everybody or nobody had cannot be measured"
        )
    if control is None:
        is_number = labels.dtype.kind in "biuf"
        zero = np.flatnonzero(labels == 0) if is_number else np.empty(0, dtype=np.int64)
        if len(zero) != 1:
            raise ValueError(f"control must name the control arm, one of {', '.join(names)}")
        return int(zero[0])
    code = _code_of(control, labels, names)
    if code is None:
        raise ValueError(f"control must be one of the arms {', '.join(names)}, got {control!r}")
    return code


def _as_mapping(columns: Any) -> Any:
    """Return the columns of a data frame by name, and anything else as it is."""
    names = getattr(columns, "column_names", getattr(columns, "columns", None))
    if names is None or callable(names):
        return columns
    return {name: columns[name] for name in names}


def _named_outcomes(outcomes: Any, n: int) -> dict[str, Floats]:
    outcomes = _as_mapping(outcomes)
    if not isinstance(outcomes, Mapping):
        outcomes = {"outcome": outcomes}
    if not outcomes:
        raise ValueError("outcomes must hold at least one outcome")
    return {
        str(name): as_vector(values, f"outcome {name!r}", length=n, largest=LARGEST)
        for name, values in outcomes.items()
    }


def _covariate_matrix(covariates: Any, n: int) -> Floats | None:
    """Return covariates as standardised columns; constant columns are left out."""
    if covariates is None:
        return None
    covariates = _as_mapping(covariates)
    if isinstance(covariates, Mapping):
        named = {f"covariate {name!r}": column for name, column in covariates.items()}
    else:
        array = np.asarray(covariates)
        named = {"covariates": array}
        if array.ndim == 2:
            named = {f"covariates[:, {j}]": column for j, column in enumerate(array.T)}
    scaled = []
    for name, values in named.items():
        column = as_vector(values, name, length=n, largest=LARGEST)
        if len(column) and np.ptp(column) > 0:
            scaled.append((column - column.mean()) / column.std())
    return np.stack(scaled, axis=1) if scaled else np.empty((n, 0))


def _within_arms(centred: Floats, arms: list[NDArray[np.bool_]]) -> Floats:
    """Return covariates minus their means in the arm; exactly 0 where an arm has one value only.

    Rounding errors of a constant would have a slope of any size.
    """
    within = centred.copy()
    for arm in arms:
        part = centred[arm]
        varies = np.ptp(part, axis=0) > 1e-12 * np.abs(centred).max(axis=0)
        within[arm] = np.where(varies, part - part.mean(axis=0), 0.0)
    return within


def _influences(
    treated: NDArray[np.bool_], values: Floats, matrix: Floats | None, adjustment: str
) -> tuple[float, float, Floats, Floats]:
    """Return both (adjusted) means, and the influence of each customer on each of them."""
    arms = [treated, ~treated]
    sizes = [int(arm.sum()) for arm in arms]
    means = [float(values[arm].mean()) for arm in arms]
    influences = [np.where(arm, values - m, 0.0) / s for arm, m, s in zip(arms, means, sizes)]
    n_slopes = 0
    if adjustment != "none" and matrix is not None:
        matrix = matrix[:, np.ptp(matrix, axis=0) > 0]  # some vary in the arms of others only
        n_slopes = matrix.shape[1]
    if n_slopes and matrix is not None:
        needed = n_slopes + 1
        if min(sizes) <= needed if adjustment == "regression" else len(values) <= needed + 1:
            remedy = " or 'cuped'" if adjustment == "regression" else ""
            raise ValueError(
                f"adjustment={adjustment!r} has {n_slopes} covariates, but the arms have only "
                f"{sizes[0]} and {sizes[1]} customers: use fewer covariates{remedy}"
            )
        centred = matrix - matrix.mean(axis=0)
        within = _within_arms(centred, arms)
        if not within.any(axis=0).all():
            raise ValueError(
                "covariates must be known before the campaign, but one of them has a single value "
                "in each arm: it only tells the arm. Leave it out"
            )
        if adjustment == "cuped":
            residual = values - np.where(treated, *means)
            slopes = [np.linalg.lstsq(within, residual, rcond=None)[0]] * 2
        else:
            slopes = [
                np.linalg.lstsq(within[arm], values[arm] - mean, rcond=None)[0]
                for arm, mean in zip(arms, means)
            ]
        for i, (arm, slope) in enumerate(zip(arms, slopes)):
            means[i] -= float(centred[arm].mean(axis=0) @ slope)
            error = np.where(arm, values - means[i] - centred @ slope, 0.0) / sizes[i]
            influences[i] = error + centred @ slope / len(values)
    # Degrees of freedom that the means and the slopes use up; both arms share those of "cuped".
    if adjustment == "cuped":
        shared = (len(values) - 2) / (len(values) - 2 - n_slopes)
        scales = [np.sqrt(s / (s - 1) * shared) for s in sizes]
    else:
        scales = [np.sqrt(s / (s - 1 - n_slopes)) for s in sizes]
    first, second = (i * scale for i, scale in zip(influences, scales))
    return means[0], means[1], first, second


def _moments(
    treated: NDArray[np.bool_],
    values: Floats,
    matrix: Floats | None,
    adjustment: str,
    groups: NDArray[np.int64] | None,
) -> tuple[float, float, float, float, float]:
    """Return the means of treated and control customers, their variances and covariance."""
    m1, m0, first, second = _influences(treated, values, matrix, adjustment)
    if groups is not None:
        n_groups = len(np.unique(groups))
        scale = np.sqrt(n_groups / (n_groups - 1))
        first, second = (scale * np.bincount(groups, i) for i in (first, second))
    return m1, m0, float(first @ first), float(second @ second), float(first @ second)


def _effect(
    treated: NDArray[np.bool_],
    values: Floats,
    matrix: Floats | None,
    adjustment: str,
    groups: NDArray[np.int64] | None,
    level: float,
    names: tuple[str, str, str],
) -> Effect:
    """Return the effect of one arm, from the rows of it and of the control arm."""
    n1, n0 = int(treated.sum()), int((~treated).sum())
    units = [n1, n0]
    if groups is not None:
        units = [len(np.unique(groups[treated])), len(np.unique(groups[~treated]))]
    if min(units) < 2:
        kind = "customers" if groups is None else "clusters"
        raise ValueError(
            f"every arm needs at least 2 {kind}, got {units[0]} in {names[0]!r} and {units[1]} in "
            f"{names[1]!r}"
        )
    m1, m0, v1, v0, shared = _moments(treated, values, matrix, adjustment, groups)
    difference, variance = m1 - m0, max(v1 + v0 - 2 * shared, 0.0)
    is_plain = adjustment == "none" and groups is None
    if is_plain and np.isin(values, (0.0, 1.0)).all():
        interval = "newcombe"
        lower, upper, p_value = _difference_of_rates(m1, m0, n1, n0, level)
    else:
        interval, degrees = "normal", np.inf
        if is_plain:
            interval = "welch"
            if variance > 0:
                degrees = variance**2 / (v1**2 / (n1 - 1) + v0**2 / (n0 - 1))
        lower, upper, p_value = _difference_of_means(difference, variance, degrees, level)
    reduction = 0.0
    if adjustment != "none":
        _, _, *raw = _moments(treated, values, None, "none", groups)
        plain = raw[0] + raw[1] - 2 * raw[2]
        reduction = 1 - variance / plain if plain > 0 else 0.0
    lift, lift_lower, lift_upper = _relative_lift(m1, m0, v1, v0, shared, level)
    return Effect(
        arm=names[0],
        control=names[1],
        outcome=names[2],
        mean_treated=m1,
        mean_control=m0,
        difference=difference,
        standard_error=float(np.sqrt(variance)),
        lower=lower,
        upper=upper,
        p_value=p_value,
        adjusted_p_value=p_value,
        relative_lift=lift,
        relative_lower=lift_lower,
        relative_upper=lift_upper,
        n_treated=n1,
        n_control=n0,
        confidence=level,
        interval=interval,
        variance_reduction=reduction,
    )


def _difference_of_rates(
    p1: float, p0: float, n1: int, n0: int, level: float
) -> tuple[float, float, float]:
    """Return the limits of a difference of rates, and its p-value by the pooled rate."""
    lower, upper = _newcombe(p1, p0, n1, n0, level)
    pooled = (n1 * p1 + n0 * p0) / (n1 + n0)
    under_null = float(np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0)))
    return lower, upper, _two_sided(p1 - p0, under_null, np.inf)


def _difference_of_means(
    difference: float, variance: float, degrees: float, level: float
) -> tuple[float, float, float]:
    """Return the limits of a difference and its p-value by Student's t or the normal law."""
    error = float(np.sqrt(variance))
    tail = (1 + level) / 2
    t = float(ndtri(tail) if np.isinf(degrees) else stdtrit(degrees, tail))
    return difference - t * error, difference + t * error, _two_sided(difference, error, degrees)


def _two_sided(difference: float, error: float, degrees: float) -> float:
    """Return the p-value of a t- or z-statistic; without variance 1 for no difference, else 0."""
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    z = -abs(difference) / error
    return float(2 * (ndtr(z) if np.isinf(degrees) else stdtr(degrees, z)))


def _wilson(rate: float, n: int, z: float) -> tuple[float, float]:
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def _newcombe(p1: float, p0: float, n1: int, n0: int, level: float) -> tuple[float, float]:
    """Return limits of a difference of rates from both Wilson limits (Newcombe's method 10)."""
    z = float(ndtri((1 + level) / 2))
    (l1, u1), (l0, u0) = _wilson(p1, n1, z), _wilson(p0, n0, z)
    difference = p1 - p0
    lower = difference - np.sqrt((p1 - l1) ** 2 + (u0 - p0) ** 2)
    upper = difference + np.sqrt((u1 - p1) ** 2 + (p0 - l0) ** 2)
    return float(lower), float(upper)


def _relative_lift(
    m1: float, m0: float, v1: float, v0: float, shared: float, level: float
) -> tuple[float, float, float]:
    """Return the relative lift and its limits by the delta method."""
    if m0 <= 0:
        return float("nan"), float("nan"), float("nan")
    lift = m1 / m0 - 1
    z = float(ndtri((1 + level) / 2))
    if m1 > 0:
        error = np.sqrt(max(v1 / m1**2 + v0 / m0**2 - 2 * shared / (m1 * m0), 0.0))
        ratio = m1 / m0
        return lift, float(ratio * np.exp(-z * error) - 1), float(ratio * np.exp(z * error) - 1)
    error = np.sqrt(max(v1 / m0**2 + m1**2 * v0 / m0**4 - 2 * m1 * shared / m0**3, 0.0))
    return lift, float(lift - z * error), float(lift + z * error)
