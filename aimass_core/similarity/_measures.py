"""The table of similarity measures: the values compared, their scaling, and the kernel's formula.

Written for a matrix whose *entities* (what is compared) are its columns and whose *features* are
its rows; `prepare` turns one such matrix into the arguments of the native kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import as_choice, as_float, as_int
from ._custom import packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["MEASURES", "Measure", "Sums", "make_measure"]


@dataclass(frozen=True)
class Sums:
    """Statistics of each entity that a measure may use: entries, Euclidean norm and sum."""

    count: Array
    norm: Array
    total: Array
    n_features: int


def _none(_sums: Sums, _m: Measure) -> Array | None:
    return None


@dataclass(frozen=True)
class Spec:
    """One row of the table of measures."""

    values: str = "raw"  # raw | ones | own_mean | feature_mean | midpoint | residual | power
    formula: str = "product"
    unit: bool = False  # entities are scaled to unit norm first (where shrink is 0)
    p: Callable[[Sums, Measure], Array | None] = _none
    q: Callable[[Sums, Measure], Array | None] = _none
    weight: Callable[[Measure], tuple[float, float]] = lambda _m: (0.0, 0.0)  # of "ratio"
    denominator: bool = False  # shrink can be added to it
    alpha: float | None = None  # default; None: the measure has no such option
    beta: float | None = None


@dataclass(frozen=True)
class Measure:
    """A measure with all its options, validated."""

    name: str
    alpha: float = 0.0
    beta: float = 0.0
    midpoint: float = 0.0
    shrink: float = 0.0
    support_shrink: float = 0.0
    support_offset: float = 0.0
    min_support: int = 1
    significance: float = 0.0
    amplification: float = 1.0
    threshold: float = -np.inf
    function: Callable[..., float] | None = None

    @property
    def spec(self) -> Spec:
        """Its row of the table (looked up, so that a measure can be pickled)."""
        return MEASURES.get(self.name, _CUSTOM)

    @property
    def corated(self) -> bool:
        """Whether only common entries enter the score."""
        return self.spec.formula.startswith("corated")


def _norm(s: Sums, _m: Measure) -> Array:
    return s.norm


def _count(s: Sums, _m: Measure) -> Array:
    return s.count


def _packed(s: Sums, _m: Measure) -> Array:
    return packed(s.norm, s.count)


_PMI: dict[str, Any] = {"values": "ones", "p": _count, "q": _count}
_COSINE: dict[str, Any] = {"unit": True, "p": _norm, "q": _norm, "denominator": True}
_SET: dict[str, Any] = {
    "values": "ones",
    "formula": "ratio",
    "p": _count,
    "q": _count,
    "denominator": True,
}

MEASURES: dict[str, Spec] = {
    "dot": Spec(),
    "cosine": Spec(**_COSINE),
    "cosine_corated": Spec(formula="corated_cosine"),
    "adjusted_cosine": Spec(values="feature_mean", **_COSINE),
    "adjusted_cosine_corated": Spec(values="feature_mean", formula="corated_cosine"),
    "asymmetric_cosine": Spec(
        p=lambda s, m: s.norm ** (2 * m.alpha),
        q=lambda s, m: s.norm ** (2 - 2 * m.alpha),
        denominator=True,
        alpha=0.5,
    ),
    "pearson": Spec(values="own_mean", **_COSINE),
    "pearson_corated": Spec(formula="corated_pearson"),
    "constrained_pearson": Spec(values="midpoint", formula="corated_cosine"),
    "pearson_baseline": Spec(values="residual", formula="corated_cosine"),
    "msd": Spec(formula="corated_msd"),
    "jaccard": Spec(weight=lambda _m: (1.0, 1.0), **_SET),
    "dice": Spec(weight=lambda _m: (0.5, 0.5), **_SET),
    "tversky": Spec(weight=lambda m: (m.alpha, m.beta), alpha=1.0, beta=1.0, **_SET),
    "tanimoto": Spec(
        formula="ratio",
        p=lambda s, _m: s.norm**2,
        q=lambda s, _m: s.norm**2,
        weight=lambda _m: (1.0, 1.0),
        denominator=True,
    ),
    "log_likelihood_ratio": Spec(formula="llr", **_PMI),
    "conditional_probability": Spec(values="ones", p=_count, denominator=True),
    "lift": Spec(
        values="ones", p=_count, q=lambda s, _m: s.count / max(s.n_features, 1), denominator=True
    ),
    "pmi": Spec(formula="pmi", **_PMI),
    "ppmi": Spec(formula="pmi", **_PMI),
    "npmi": Spec(formula="npmi", **_PMI),
    "p3alpha": Spec(values="power", p=lambda s, m: s.total**m.alpha, alpha=1.0),
    "rp3beta": Spec(
        values="power",
        p=lambda s, m: s.total**m.alpha,
        q=lambda s, m: s.count**m.beta,
        alpha=1.0,
        beta=0.6,
    ),
}
_CUSTOM = Spec(formula="custom", p=_packed, q=_packed)


def _option(value: float | None, name: str, measure: str, default: float | None) -> float:
    """Return an option or its default; raise ValueError where the measure does not have it."""
    if default is None:
        if value is not None:
            raise ValueError(f"{name} is no option of measure {measure!r}: leave it out")
        return 0.0
    upper = 1.0 if measure == "asymmetric_cosine" else None
    return default if value is None else as_float(value, name, minimum=0.0, maximum=upper)


def make_measure(
    measure: str | Callable[..., float],
    *,
    alpha: float | None = None,
    beta: float | None = None,
    midpoint: float | None = None,
    shrink: float = 0.0,
    support_shrink: float | None = None,
    min_support: int = 1,
    significance: int = 0,
    amplification: float = 1.0,
    threshold: float | None = None,
) -> Measure:
    """Return a measure with its options checked; `Similarity` documents the options."""
    if callable(measure):
        name, spec = "custom", _CUSTOM
    else:
        name = as_choice(measure, "similarity", MEASURES)
        spec = MEASURES[name]
    shrink = as_float(shrink, "shrink", minimum=0.0)
    if shrink and not spec.denominator:
        raise ValueError(
            f"measure {name!r} has no denominator that shrink could be added to: use "
            "support_shrink, which multiplies any score by n / (n + support_shrink)"
        )
    if (midpoint is None) == (name == "constrained_pearson"):
        raise ValueError(
            "midpoint, the neutral value of the rating scale, must be given for measure "
            f"'constrained_pearson' and for no other, got midpoint={midpoint!r} for {name!r}"
        )
    baseline = name == "pearson_baseline"
    if support_shrink is None:
        support_shrink = 100.0 if baseline else 0.0
    minimum = as_int(min_support, "min_support", minimum=0)
    limit = -np.inf if threshold is None else as_float(threshold, "threshold")
    return Measure(
        name=name,
        alpha=_option(alpha, "alpha", name, spec.alpha),
        beta=_option(beta, "beta", name, spec.beta),
        midpoint=0.0 if midpoint is None else as_float(midpoint, "midpoint"),
        shrink=shrink / 2 if name == "dice" else shrink,  # 2n / (a + b + s) = n / (a/2 + b/2 + s/2)
        support_shrink=as_float(support_shrink, "support_shrink", minimum=0.0),
        support_offset=float(baseline),
        min_support=max(minimum, 2) if baseline else minimum,
        significance=float(as_int(significance, "significance", minimum=0)),
        amplification=as_float(amplification, "amplification", above=0.0),
        # ppmi is max(pmi, 0), and a pair without positive association is no neighbour
        threshold=max(limit, float(np.finfo(np.float32).tiny)) if name == "ppmi" else limit,
        function=measure if callable(measure) else None,
    )
