"""The value of a policy from the logs of another one (off-policy evaluation).

The logs hold, for each impression, the reward of the action that was shown and the probability
(propensity) with which the logging policy showed it. With the target policy's probability of the
same action, the importance weight is w = target / propensity, and the estimators are

- dm         mean of q_target: predicted reward of the target policy (direct method)
- ips        mean of w r (Horvitz & Thompson 1952)
- clipped_ips  mean of min(w, clip) r (Ionides 2008)
- snips      sum of w r / sum of w (Swaminathan & Joachims 2015)
- dr         mean of q_target + w (r - q_logged) (Dudik, Langford & Li 2011)
- sndr       mean of q_target + sum of w (r - q_logged) / sum of w
- switch_dr  mean of q_target + w 1[w <= switch] (r - q_logged) (Wang, Agarwal & Dudik 2017)

The effective sample size (sum of w)^2 / (sum of w^2) and the largest weight tell whether the logs
can answer the question at all; they are part of every result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri, stdtrit

from ..base.arrays import LARGEST, as_labels, as_vector
from ..base.caller import warn_caller
from ..base.clusters import warn_few_clusters
from ..base.html import results
from ..base.text import aligned, interval_text, short_number
from ..base.validation import as_choice, as_float

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "EffectiveSampleSizeError",
    "EffectiveSampleSizeWarning",
    "OffPolicyReport",
    "PolicyValue",
    "off_policy_value",
]

ESTIMATORS = ("dm", "ips", "clipped_ips", "snips", "dr", "sndr", "switch_dr")
NEED_MODEL = ("dm", "dr", "sndr", "switch_dr")


class EffectiveSampleSizeWarning(UserWarning):
    """The effective sample size is too small for the estimates to mean anything."""


class EffectiveSampleSizeError(ValueError):
    """The effective sample size is too small, and ``on_small_sample="raise"``."""


@dataclass(frozen=True, repr=False)
class PolicyValue:
    """An estimate of the mean reward per impression under the target policy.

    Parameters
    ----------
    estimator : str
        Name of the estimator.
    value : float
        The estimate.
    standard_error : float
        From the influence values of the impressions; it does not hold the bias of a biased
        estimator.
    lower, upper : float
        Confidence limits; NaN where the estimator is biased, the effective sample too small, or no
        impression with a positive weight has a reward.
    note : str
        Why there is no interval; empty where there is one.
    """

    estimator: str
    value: float
    standard_error: float
    lower: float
    upper: float
    note: str = ""

    def __repr__(self) -> str:
        text = f"{self.estimator} {interval_text(self.value, self.lower, self.upper)}"
        return f"{text} ({self.note})" if self.note else text

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary.

        Returns
        -------
        dict
        """
        return asdict(self)


@dataclass(frozen=True, repr=False)
class OffPolicyReport:
    """Estimates of the value of a policy, and whether the logs allow them.

    Parameters
    ----------
    estimates : dict of str to PolicyValue
        By estimator.
    n : int
        Logged impressions.
    n_rewarded : int
        Impressions with a reward and a positive weight, on which everything rests.
    effective_sample_size : float
        ``(sum of w)**2 / (sum of w**2)``.
    max_weight, mean_weight : float
        Largest and mean weight; the mean is 1 up to chance if the propensities are right.
    mean_weight_error : float
        Standard error of the mean weight.
    logging_value : float
        Mean reward in the logs: the value of the logging policy.
    minimum_effective_size : float
        Below it there are no intervals.
    confidence : float
        Level of the intervals.
    """

    estimates: dict[str, PolicyValue]
    n: int
    n_rewarded: int
    effective_sample_size: float
    max_weight: float
    mean_weight: float
    mean_weight_error: float
    logging_value: float
    minimum_effective_size: float
    confidence: float

    @property
    def is_reliable(self) -> bool:
        """Whether the effective sample size reaches the minimum."""
        return self.effective_sample_size >= self.minimum_effective_size

    @property
    def has_suspicious_weights(self) -> bool:
        """Whether the mean weight is more than five standard errors from 1."""
        return abs(self.mean_weight - 1) > 5 * self.mean_weight_error + 1e-9

    def __getitem__(self, estimator: str) -> PolicyValue:
        """Return the estimate of one estimator."""
        return self.estimates[estimator]

    def __repr__(self) -> str:
        return "\n".join([aligned(self._rows()), "", *self._notes()])

    def _repr_html_(self) -> str:
        """Return the table of the estimates for a notebook."""
        return results(self._rows(), self._notes(), left=(0, 3))

    def _rows(self) -> list[list[str]]:
        """Return the titles and the estimates as texts."""
        rows = [["estimator", "value", "standard error", ""]]
        for e in self.estimates.values():
            value = interval_text(e.value, e.lower, e.upper)
            rows.append([e.estimator, value, f"{e.standard_error:.3g}", e.note])
        return rows

    def _notes(self) -> list[str]:
        """Return sample sizes, weights and warnings."""
        lines = [
            f"{self.n:,} impressions, {self.n_rewarded:,} with a reward and a weight above 0; "
            f"effective sample size {self.effective_sample_size:,.0f}, "
            f"largest weight {self.max_weight:,.1f}, mean weight {self.mean_weight:.3f}",
            f"logging policy {short_number(self.logging_value)}; "
            f"[ ] {self.confidence:.0%} confidence",
        ]
        if not self.is_reliable:
            lines.append(_too_small(self.effective_sample_size, self.minimum_effective_size))
        if self.has_suspicious_weights:
            lines.append(
                "WARNING: the mean weight is not 1: the target policy chooses actions that the "
                "logging policy never shows, or propensities are wrong"
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dictionaries.

        Returns
        -------
        dict
        """
        return {**asdict(self), "is_reliable": self.is_reliable}


def _too_small(size: float, minimum: float) -> str:
    return (
        f"WARNING: the effective sample size is {size:,.1f}, below {minimum:,.0f}: these logs "
        "cannot tell the value of the target policy. Collect logs of a policy that explores more, "
        "or evaluate a policy that is closer to the logged one"
    )


def off_policy_value(
    reward: Any,
    propensity: Any,
    target: Any,
    *,
    q_logged: Any = None,
    q_target: Any = None,
    estimators: Iterable[str] | None = None,
    clip: float | None = None,
    switch: float | None = None,
    clusters: Any = None,
    confidence: float = 0.95,
    minimum_effective_size: float = 100.0,
    on_small_sample: str = "warn",
) -> OffPolicyReport:
    """Estimate the mean reward of a target policy from the logs of another policy.

    Parameters
    ----------
    reward : array-like of float, shape (n_impressions,)
        For example 1 for a click.
    propensity : array-like of float, shape (n_impressions,)
        Probability with which the logging policy showed the logged action (at its position).
        Within (0, 1].
    target : array-like of float, shape (n_impressions,)
        Probability with which the target policy shows the same action. Within [0, 1].
    q_logged : array-like of float, shape (n_impressions,), optional
        Predicted reward of the logged action, from a model that did not see the impression: see
        `cross_fitted_rewards`.
    q_target : array-like of float, shape (n_impressions,), optional
        Predicted reward under the target policy: the sum over actions of its probabilities times
        the predicted rewards.
    estimators : iterable of str, optional
        Of "dm", "ips", "clipped_ips", "snips", "dr", "sndr", "switch_dr". Default: all that the
        given predictions allow.
    clip, switch : float, optional
        Largest weight of "clipped_ips", and of "switch_dr". Default: the square root of the number
        of impressions.
    clusters : array-like of labels, shape (n_impressions,), optional
        Impressions of one cluster (user, session) are dependent. Their influence values are summed
        before they are squared, whatever their actions are; the variance has the factor
        G / (G - 1) of the G clusters.
    confidence : float, default 0.95
        Level of the intervals: normal approximation, with clusters Student's t with G - 1 degrees
        of freedom.
    minimum_effective_size : float, default 100
        Below this effective sample size no interval is given.
    on_small_sample : {"warn", "raise", "ignore"}, default "warn"
        What happens below it.

    Returns
    -------
    OffPolicyReport

    Raises
    ------
    ValueError
        For propensities of 0 or above 1, probabilities out of [0, 1], missing values, no overlap at
        all, and estimators without their predictions.
    EffectiveSampleSizeError
        With ``on_small_sample="raise"``.

    Warns
    -----
    EffectiveSampleSizeWarning
        If the effective sample size is below the minimum.
    FewClustersWarning
        For fewer than 30 clusters.

    Notes
    -----
    Time and memory O(n). "dm", and "clipped_ips" and "switch_dr" where a weight was cut off, are
    biased; they have a standard error and no interval.

    References
    ----------
    .. [1] D. G. Horvitz, D. J. Thompson, JASA 47, 1952.
    .. [2] E. L. Ionides, "Truncated importance sampling", JCGS 17, 2008.
    .. [3] M. Dudik, J. Langford, L. Li, "Doubly robust policy evaluation and learning", ICML 2011.
    .. [4] A. Swaminathan, T. Joachims, "The self-normalized estimator for counterfactual
       learning", NeurIPS 2015.
    .. [5] Y.-X. Wang, A. Agarwal, M. Dudik, "Optimal and adaptive off-policy evaluation in
       contextual bandits", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.effects import off_policy_value
    >>> rng = np.random.default_rng(0)
    >>> shown = rng.integers(0, 2, 5000)  # two banners, uniformly at random
    >>> click = rng.random(5000) < np.where(shown == 1, 0.10, 0.05)
    >>> target = np.where(shown == 1, 0.9, 0.1)  # a policy that prefers the second
    >>> report = off_policy_value(click, np.full(5000, 0.5), target)
    >>> report["ips"]
    ips 0.0961 [0.0851, 0.1070]
    """
    rewards = as_vector(reward, "reward", largest=LARGEST)
    n = len(rewards)
    if n < 2:
        raise ValueError(f"reward must hold at least 2 impressions, got {n}")
    weights = _importance_weights(propensity, target, n)
    level = as_float(confidence, "confidence", above=0)
    if level >= 1:
        raise ValueError(f"confidence must be below 1, got {level}; 95 % is 0.95")
    minimum = as_float(minimum_effective_size, "minimum_effective_size", minimum=0)
    as_choice(on_small_sample, "on_small_sample", ("warn", "raise", "ignore"))
    bounds = [
        float(np.sqrt(n)) if bound is None else as_float(bound, name, above=0)
        for bound, name in ((clip, "clip"), (switch, "switch"))
    ]
    models = [
        None if q is None else as_vector(q, name, length=n, largest=LARGEST)
        for q, name in ((q_logged, "q_logged"), (q_target, "q_target"))
    ]
    names = _wanted(estimators, models)
    codes = None if clusters is None else as_labels(clusters, "clusters", length=n)[1]
    size = float(weights.sum() ** 2 / (weights**2).sum())
    if size < minimum:
        message = _too_small(size, minimum).removeprefix("WARNING: ")
        if on_small_sample == "raise":
            raise EffectiveSampleSizeError(message)
        if on_small_sample == "warn":
            warn_caller(message, EffectiveSampleSizeWarning)
    z = float(ndtri((1 + level) / 2))
    if codes is not None:
        n_clusters = int(codes.max()) + 1
        if n_clusters < 2:
            raise ValueError(f"clusters must hold at least 2 clusters, got {n_clusters}")
        warn_few_clusters(n_clusters)
        z = float(stdtrit(n_clusters - 1, (1 + level) / 2))
    n_rewarded = int(((rewards != 0) & (weights > 0)).sum())
    estimates = {}
    for name in names:
        value, influence, note = _estimated(name, rewards, weights, models, bounds)
        error = _standard_error(influence, codes)
        if not note and size < minimum:
            note = "effective sample too small"
        if not note and not n_rewarded:
            note = "no impression has a reward and a weight above 0"
        half = np.nan if note else z * error
        estimates[name] = PolicyValue(name, value, error, value - half, value + half, note)
    return OffPolicyReport(
        estimates=estimates,
        n=n,
        n_rewarded=n_rewarded,
        effective_sample_size=size,
        max_weight=float(weights.max()),
        mean_weight=float(weights.mean()),
        mean_weight_error=_standard_error(weights - weights.mean(), codes),
        logging_value=float(rewards.mean()),
        minimum_effective_size=minimum,
        confidence=level,
    )


def _importance_weights(propensity: Any, target: Any, n: int) -> Floats:
    """Return the probability of each logged action under the target over the logging policy."""
    logged = as_vector(propensity, "propensity", length=n, maximum=1.0)
    if (logged <= 0).any():
        row = int(np.flatnonzero(logged <= 0)[0])
        raise ValueError(
            f"propensity must be above 0, got {logged[row]:g} in row {row}: an action that was "
            "shown has a positive probability"
        )
    chances = as_vector(target, "target", length=n, minimum=0.0, maximum=1.0)
    with np.errstate(over="ignore"):
        weights = chances / logged
    if weights.max() > LARGEST:
        row = int(np.argmax(weights))
        raise ValueError(
            f"propensity {logged[row]:g} in row {row} gives a weight of {weights[row]:g}: the "
            "logging policy cannot have shown an action of this probability"
        )
    if not weights.any():
        raise ValueError("target is 0 for every logged action: the policies have no overlap")
    return weights


def _wanted(estimators: Iterable[str] | None, models: list[Floats | None]) -> list[str]:
    """Return the names of the estimators that can be computed, or raise for missing predictions."""
    has_dm, has_all = models[1] is not None, None not in [m if m is None else 1 for m in models]
    if estimators is None:
        return [
            name
            for name in ESTIMATORS
            if name not in NEED_MODEL or has_all or (name == "dm" and has_dm)
        ]
    names = [estimators] if isinstance(estimators, str) else list(estimators)
    for name in names:
        as_choice(name, "estimators", ESTIMATORS)
        if name in NEED_MODEL and not (has_all or (name == "dm" and has_dm)):
            needed = "q_target" if name == "dm" else "q_logged and q_target"
            raise ValueError(f"estimator {name!r} needs {needed}; see cross_fitted_rewards")
    if not names:
        raise ValueError(f"estimators must name at least one of {', '.join(ESTIMATORS)}")
    return names


def _estimated(
    name: str, rewards: Floats, weights: Floats, models: list[Any], bounds: list[float]
) -> tuple[float, Floats, str]:
    """Return the value, the influence of each impression (their mean is 0) and a note on bias."""
    clip, switch = bounds
    q_logged, q_target = models
    note = ""
    if name == "dm":
        terms, note = q_target, "biased unless the model is right"
    elif name == "ips":
        terms = weights * rewards
    elif name == "clipped_ips":
        terms = np.minimum(weights, clip) * rewards
        share = float((weights > clip).mean())
        note = f"biased: {share:.2%} of the weights clipped at {clip:.4g}" if share else ""
    elif name == "snips":
        value = float(weights @ rewards / weights.sum())
        return value, weights * (rewards - value) / weights.mean(), note
    elif name == "dr":
        terms = q_target + weights * (rewards - q_logged)
    elif name == "sndr":
        errors = rewards - q_logged
        correction = float(weights @ errors / weights.sum())
        base = float(q_target.mean())
        influence = q_target - base + weights * (errors - correction) / weights.mean()
        return base + correction, influence, note
    else:
        kept = weights <= switch
        terms = q_target + weights * kept * (rewards - q_logged)
        share = float(1 - kept.mean())
        note = f"biased: {share:.2%} of the weights above {switch:.4g}" if share else ""
    value = float(terms.mean())
    return value, terms - value, note


def _standard_error(influence: Floats, codes: NDArray[np.int64] | None) -> float:
    """Return the standard error of a mean from influence values, which clusters may share."""
    n = len(influence)
    sums = influence if codes is None else np.bincount(codes, influence)
    units = len(sums)
    return float(np.sqrt((sums @ sums) * units / (units - 1)) / n)
