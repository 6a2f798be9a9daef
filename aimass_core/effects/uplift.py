"""How well a score ranks customers by the effect of a treatment: uplift curves and their areas.

Each name has one definition. Customers are sorted by score, highest first; customers of equal score
enter together, so that no result depends on the order of the rows. For the first share phi of the
customers, n_T and n_C are the numbers of treated and control customers, Y_T and Y_C the sums of
their outcomes, N_T the number of all treated customers.

- uplift curve  V(phi) = phi (Y_T / n_T - Y_C / n_C): gain in outcome per customer of the complete
  population if the first share phi is treated (Gutierrez & Gerardy 2016).
- AUUC = integral of V over phi in [0, 1]; not reduced by the area of random targeting, which is
  V(1) / 2 (Rzepakowski & Jaroszewicz 2012 introduce the curve).
- Qini curve  Q(phi) = (Y_T - Y_C n_T / n_C) / N_T: incremental outcome per treated customer
  (Radcliffe 2007).
- qini = integral of Q(phi) - phi Q(1): area between the Qini curve and random targeting.
- qini coefficient = qini / (g (1 - g) / 2) with g = Q(1): divided by the area of the best possible
  curve without negative effects, min(phi, g) (q0 of Radcliffe 2007). For outcomes of 0 and 1 only.

Areas are exact for curves that are linear between the distinct scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arrays import LARGEST, as_labels, as_vector
from ..base.figures import new_axes
from ..base.html import results
from ..base.random import as_seed
from ..base.text import aligned, interval_text
from ..base.threads import resolve_n_threads
from ..base.validation import as_float, as_int
from ..evaluation.resampling import Interval, resampling_counts
from ._arms import check_two_arms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "UpliftCurve",
    "UpliftReport",
    "auuc",
    "qini",
    "qini_coefficient",
    "uplift_curve",
    "uplift_report",
]

_BLOCK_BYTES = 32 << 20


@dataclass(frozen=True, repr=False)
class UpliftCurve:
    """The points of the uplift and the Qini curve.

    Parameters
    ----------
    share : ndarray of float64, shape (n_points,)
        Share of the customers that are targeted, from 0 to 1; one point per distinct score.
    uplift : ndarray of float64, shape (n_points,)
        The uplift curve V.
    qini : ndarray of float64, shape (n_points,)
        The Qini curve Q.
    """

    share: Floats
    uplift: Floats
    qini: Floats

    def __repr__(self) -> str:
        return (
            f"UpliftCurve({len(self.share)} points, effect of treating all {self.uplift[-1]:.4f})"
        )

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the uplift curve, and the straight line of random targeting.

        Parameters
        ----------
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
        """
        ax = new_axes(ax)
        ax.plot(self.share, self.uplift, label="by score")
        ax.plot([0, 1], [0, self.uplift[-1]], "k--", lw=1, label="random targeting")
        ax.set_xlabel("share of the customers that is targeted")
        ax.set_ylabel("gain in outcome per customer of all")
        ax.legend()
        return ax


@dataclass(frozen=True, repr=False)
class UpliftReport:
    """The quality of a ranking by uplift, with bootstrap intervals.

    Parameters
    ----------
    auuc, qini : Interval
        As defined at the head of the module.
    qini_coefficient : Interval or None
        None for outcomes other than 0 and 1, and where the overall effect is not within (0, 1).
    effect : Interval
        Effect of treating all customers.
    effect_at : dict of float to Interval
        Effect among the first share of the customers, by share.
    n_customers : int
        Customers.
    """

    auuc: Interval
    qini: Interval
    qini_coefficient: Interval | None
    effect: Interval
    effect_at: dict[float, Interval]
    n_customers: int

    def __repr__(self) -> str:
        return aligned(self._rows())

    def _repr_html_(self) -> str:
        """Return the table of the metrics for a notebook."""
        customers = f"{self.n_customers:,} customers; [ ] {self.auuc.confidence:.0%} confidence"
        return results([["metric", "value"], *self._rows()], [customers])

    def _rows(self) -> list[list[str]]:
        """Return names and intervals as texts."""
        rows = [("AUUC", self.auuc), ("qini", self.qini)]
        if self.qini_coefficient is not None:
            rows.append(("qini coefficient", self.qini_coefficient))
        rows += [(f"effect in the first {s:.0%}", i) for s, i in self.effect_at.items()]
        rows.append(("effect of treating all", self.effect))
        return [[name, interval_text(i.estimate, i.lower, i.upper)] for name, i in rows]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dictionaries.

        Returns
        -------
        dict
        """
        return asdict(self)


@dataclass(frozen=True)
class _Sorted:
    """Customers in descending order of score, with the first row of each distinct score."""

    treated: NDArray[np.bool_]
    outcome: Floats
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, score: Any, treatment: Any, outcome: Any) -> _Sorted:
        values = as_vector(score, "score")
        labels, codes = as_labels(treatment, "treatment", length=len(values))
        check_two_arms(labels)
        outcomes = as_vector(outcome, "outcome", length=len(values), largest=LARGEST)
        order = np.argsort(-values, kind="stable")
        values = values[order]
        starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        return cls(codes[order].astype(bool), outcomes[order], starts)

    @property
    def is_binary(self) -> bool:
        return bool(np.isin(self.outcome, (0.0, 1.0)).all())

    def sums(self, counts: Any) -> tuple[Floats, Floats, Floats, Floats]:
        """Return n_T, n_C, Y_T, Y_C up to each distinct score; rows of counts are replicates.

        The first point, of no customer, is 0.
        """
        counts = np.atleast_2d(counts).astype(np.float64)
        parts = []
        for arm in (self.treated, ~self.treated):
            for values in (arm.astype(np.float64), np.where(arm, self.outcome, 0.0)):
                grouped = np.add.reduceat(counts * values, self.starts, axis=1)
                total = np.cumsum(grouped, axis=1)
                parts.append(np.concatenate([np.zeros((len(total), 1)), total], axis=1))
        return parts[0], parts[2], parts[1], parts[3]

    def curves(self, counts: Any) -> tuple[Floats, Floats, Floats]:
        """Return the shares, uplift curves and Qini curves of replicates.

        The curves are NaN in a replicate without any treated or without any control customer.
        """
        n_t, n_c, y_t, y_c = self.sums(counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (n_t + n_c) / (n_t[:, -1:] + n_c[:, -1:])
            # Without a treated (or control) customer so far its mean counts as 0.
            mean_t = np.where(n_t > 0, y_t / n_t, 0.0)
            mean_c = np.where(n_c > 0, y_c / n_c, 0.0)
            gain, incremental = share * (mean_t - mean_c), (y_t - mean_c * n_t) / n_t[:, -1:]
        has_both = (n_t[:, -1:] > 0) & (n_c[:, -1:] > 0)
        return share, np.where(has_both, gain, np.nan), np.where(has_both, incremental, np.nan)

    def statistics(self, counts: Any, shares: Sequence[float]) -> Floats:
        """Return AUUC, qini, its coefficient, and effects overall and at shares of replicates."""
        share, gain, incremental = self.curves(counts)
        steps = np.diff(share, axis=1)
        area, area_q = (
            (steps * (curve[:, 1:] + curve[:, :-1]) / 2).sum(axis=1)
            for curve in (gain, incremental)
        )
        overall = incremental[:, -1]
        area_q = area_q - overall / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            best = overall * (1 - overall) / 2
            coefficient = np.where(best > 0, area_q / best, np.nan)
            at = [
                [np.interp(s, x, y) / s for x, y in zip(share, gain)] for s in shares
            ]  # V is the share times the effect
        return np.stack([area, area_q, coefficient, gain[:, -1], *np.array(at)], axis=1)


def uplift_curve(score: Any, treatment: Any, outcome: Any) -> UpliftCurve:
    """Return the uplift curve and the Qini curve of a ranking of customers.

    Parameters
    ----------
    score : array-like of float, shape (n_customers,)
        Predicted uplift, or any score by which customers would be targeted, highest first.
    treatment : array-like of bool or of 0 and 1, shape (n_customers,)
        Who was treated, at random.
    outcome : array-like of float, shape (n_customers,)
        Conversion or value.

    Returns
    -------
    UpliftCurve

    Raises
    ------
    ValueError
        For a constant treatment, missing or infinite values, and arrays of unequal length.

    Notes
    -----
    Time O(n log n), memory O(n).

    Examples
    --------
    >>> from aimass_core.effects import uplift_curve
    >>> curve = uplift_curve([2, 2, 1, 1], [1, 0, 1, 0], [1, 0, 1, 1])
    >>> curve.share.tolist(), curve.uplift.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.5, 0.5])
    """
    data = _Sorted.of(score, treatment, outcome)
    share, gain, incremental = data.curves(np.ones(len(data.outcome)))
    return UpliftCurve(share[0], gain[0], incremental[0])


def _one(score: Any, treatment: Any, outcome: Any, index: int) -> float:
    data = _Sorted.of(score, treatment, outcome)
    if index == 2 and not data.is_binary:
        raise ValueError("qini_coefficient needs outcomes of 0 and 1; use qini for values")
    value = float(data.statistics(np.ones(len(data.outcome)), ())[0, index])
    if np.isnan(value):
        raise ValueError(
            "qini_coefficient needs an overall effect between 0 and 1; use qini, which needs none"
        )
    return value


def auuc(score: Any, treatment: Any, outcome: Any) -> float:
    """Return the area under the uplift curve.

    Parameters
    ----------
    score : array-like of float, shape (n_customers,)
        Score by which customers would be targeted, highest first.
    treatment : array-like of bool or of 0 and 1, shape (n_customers,)
        Who was treated, at random.
    outcome : array-like of float, shape (n_customers,)
        Conversion or value.

    Returns
    -------
    float
        Integral of V(phi) = phi (mean of the treated - mean of the control customers among the
        first share phi). Random targeting has half of the overall effect.

    Raises
    ------
    ValueError
        As `uplift_curve`.

    References
    ----------
    .. [1] P. Gutierrez, J.-Y. Gerardy, "Causal inference and uplift modelling: a review of the
       literature", PMLR 67, 2016.
    .. [2] P. Rzepakowski, S. Jaroszewicz, "Decision trees for uplift modeling with single and
       multiple treatments", Knowledge and Information Systems 32, 2012.

    Examples
    --------
    >>> from aimass_core.effects import auuc
    >>> auuc([2, 2, 1, 1], [1, 0, 1, 0], [1, 0, 1, 1])
    0.375
    """
    return _one(score, treatment, outcome, 0)


def qini(score: Any, treatment: Any, outcome: Any) -> float:
    """Return the area between the Qini curve and the straight line of random targeting.

    Parameters
    ----------
    score : array-like of float, shape (n_customers,)
        Score by which customers would be targeted, highest first.
    treatment : array-like of bool or of 0 and 1, shape (n_customers,)
        Who was treated, at random.
    outcome : array-like of float, shape (n_customers,)
        Conversion or value.

    Returns
    -------
    float
        Integral of Q(phi) - phi Q(1), in units of the outcome per treated customer; 0 for random
        targeting and for a constant score.

    Raises
    ------
    ValueError
        As `uplift_curve`.

    References
    ----------
    .. [1] N. J. Radcliffe, "Using control groups to target on predicted lift: building and
       assessing uplift models", Direct Marketing Analytics Journal, 2007.

    Examples
    --------
    >>> from aimass_core.effects import qini
    >>> qini([2, 2, 1, 1], [1, 0, 1, 0], [1, 0, 1, 1])
    0.125
    """
    return _one(score, treatment, outcome, 1)


def qini_coefficient(score: Any, treatment: Any, outcome: Any) -> float:
    """Return `qini`, divided by that of the best ranking without negative effects.

    Parameters
    ----------
    score : array-like of float, shape (n_customers,)
        Score by which customers would be targeted, highest first.
    treatment : array-like of bool or of 0 and 1, shape (n_customers,)
        Who was treated, at random.
    outcome : array-like of 0 and 1, shape (n_customers,)
        Conversion.

    Returns
    -------
    float
        ``qini / (g (1 - g) / 2)`` with the overall effect g. At most about 1, unless the treatment
        has negative effects on some customers.

    Raises
    ------
    ValueError
        As `uplift_curve`; for outcomes other than 0 and 1, and an overall effect not in (0, 1).

    References
    ----------
    .. [1] N. J. Radcliffe, "Using control groups to target on predicted lift: building and
       assessing uplift models", Direct Marketing Analytics Journal, 2007 (there q0).

    Examples
    --------
    >>> from aimass_core.effects import qini_coefficient
    >>> qini_coefficient([2, 2, 1, 1], [1, 0, 1, 0], [1, 0, 1, 1])
    1.0
    """
    return _one(score, treatment, outcome, 2)


def uplift_report(
    score: Any,
    treatment: Any,
    outcome: Any,
    *,
    shares: float | Sequence[float] = (0.1, 0.3),
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
    n_threads: int | None = None,
) -> UpliftReport:
    """Return AUUC, qini, qini coefficient and effects at some shares, with intervals.

    Parameters
    ----------
    score : array-like of float, shape (n_customers,)
        Score by which customers would be targeted, highest first. It must come from other
        customers than these, or be predicted out of fold: see `out_of_fold_uplift`.
    treatment : array-like of bool or of 0 and 1, shape (n_customers,)
        Who was treated, at random.
    outcome : array-like of float, shape (n_customers,)
        Conversion or value.
    shares : float or sequence of float, default (0.1, 0.3)
        Shares in (0, 1] at which the effect is reported.
    confidence : float, default 0.95
        Level of the percentile bootstrap intervals.
    n_resamples : int, default 1000
        Replicates, at least 100.
    random_state : int, Generator or None, default 0
        Seed.
    n_threads : int, optional
        Threads that draw the replicates; the result does not depend on them.

    Returns
    -------
    UpliftReport

    Raises
    ------
    ValueError
        As `uplift_curve`.

    Notes
    -----
    Time O(n log n + n_resamples n), memory O(n) and 32 MiB for blocks of replicates.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.effects import uplift_report
    >>> rng = np.random.default_rng(0)
    >>> score, treated = rng.random(4000), rng.random(4000) < 0.5
    >>> bought = rng.random(4000) < 0.1 + 0.4 * score * treated
    >>> uplift_report(score, treated, bought, n_resamples=200).effect_at[0.3].lower > 0.1
    True
    """
    data = _Sorted.of(score, treatment, outcome)
    given = shares if np.iterable(shares) else [shares]
    fractions = [as_float(s, "shares", above=0, maximum=1) for s in given]
    level = as_float(confidence, "confidence", above=0)
    if level >= 1:
        raise ValueError(f"confidence must be below 1, got {level}; 95 % is 0.95")
    n_resamples = as_int(n_resamples, "n_resamples", minimum=100, maximum=10_000_000)
    n, seed, threads = len(data.outcome), as_seed(random_state), resolve_n_threads(n_threads)
    estimates = data.statistics(np.ones(n), fractions)[0]
    step = max(1, _BLOCK_BYTES // (64 * n))
    blocks = resampling_counts(n, n_resamples, block=step, random_state=seed, n_threads=threads)
    replicates = np.concatenate([data.statistics(counts, fractions) for counts in blocks])

    def interval(column: int) -> Interval:
        known = replicates[:, column][np.isfinite(replicates[:, column])]
        lower, upper = np.nan, np.nan
        if len(known) >= 0.95 * n_resamples:
            lower, upper = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        error = float(known.std(ddof=1)) if len(known) > 1 else np.nan
        return Interval(
            float(estimates[column]),
            float(lower),
            float(upper),
            error,
            level,
            "percentile",
            n,
            n_resamples,
        )

    has_coefficient = data.is_binary and np.isfinite(estimates[2])
    return UpliftReport(
        interval(0),
        interval(1),
        interval(2) if has_coefficient else None,
        interval(3),
        {share: interval(4 + i) for i, share in enumerate(fractions)},
        n,
    )
