"""The options of a similarity, spelled out once for `topk` and for the neighbourhood models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base.estimator import Estimator
from ..base.registry import register
from ._measures import Measure, make_measure

__all__ = ["Similarity", "as_measure"]


@register("similarity")
class Similarity(Estimator):
    """A similarity measure with its options.

    Wherever a ``similarity`` is an argument, the name of a measure or a function stands for
    ``Similarity(name)``.

    Parameters
    ----------
    measure : str or callable, default="cosine"
        A name of the table in `topk`, or a Numba function
        ``f(dot, count, norm_x, norm_y, count_x, count_y) -> float`` of the dot product, the number
        of common entries, and both rows' norms and numbers of entries (these in single precision).
    alpha, beta : float, optional
        Options of asymmetric_cosine (alpha, 0.5), tversky (1, 1), p3alpha (alpha, 1), rp3beta
        (1, 0.6).
    midpoint : float, optional
        The neutral rating of constrained_pearson.
    shrink : float, default=0
        Added to the denominator; refused for a measure without one.
    support_shrink : float, optional
        Multiplies the score by ``n / (n + support_shrink)``, n the number of common entries
        (``n - 1`` for pearson_baseline, where the default is 100; else 0).
    min_support : int, default=1
        Pairs with fewer common entries are no neighbours.
    significance : int, default=0
        Multiplies the score by ``min(n, significance) / significance``; 0 is off.
    amplification : float, default=1
        The score becomes ``sign(score) * |score| ** amplification``.
    threshold : float, optional
        Pairs with a lower score are no neighbours.

    Raises
    ------
    ValueError, TypeError
        In `fit` of a model or in `topk`, for an unknown measure or an option out of range.

    Examples
    --------
    >>> from aimass_core import ItemKNN, Similarity
    >>> ItemKNN(similarity=Similarity("rp3beta", alpha=0.6, beta=0.3))
    ItemKNN(similarity=Similarity(alpha=0.6, beta=0.3, measure='rp3beta'))
    """

    def __init__(
        self,
        measure: str | Callable[..., float] = "cosine",
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
    ) -> None:
        self.measure = measure
        self.alpha = alpha
        self.beta = beta
        self.midpoint = midpoint
        self.shrink = shrink
        self.support_shrink = support_shrink
        self.min_support = min_support
        self.significance = significance
        self.amplification = amplification
        self.threshold = threshold

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Similarity) and self.get_params() == other.get_params()

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))


def as_measure(similarity: Any) -> Measure:
    """Return the validated measure of a ``similarity`` argument.

    Parameters
    ----------
    similarity : str, callable or Similarity
        Name of a measure, a Numba function, or either with options.

    Returns
    -------
    Measure
        With all options checked.
    """
    if isinstance(similarity, Similarity):
        return make_measure(**similarity.get_params())
    if isinstance(similarity, str) or callable(similarity):
        return make_measure(similarity)
    raise TypeError(
        "a similarity must be the name of a measure, a function or a Similarity, got "
        f"{type(similarity).__name__}"
    )
