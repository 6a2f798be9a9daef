"""Logarithmic damping of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ...base.registry import register
from ...base.validation import as_float
from ._weighting import Weightable, Weighting

if TYPE_CHECKING:
    pass

__all__ = ["Log", "log"]


@register("log-weighting")
class Log(Weighting):
    r"""Logarithmic damping of counts, :math:`\alpha \ln(1 + x / \epsilon)`.

    Parameters
    ----------
    alpha : float, default 1.0
        Factor.
    epsilon : float, default 1.0
        Counts well below it stay linear.

    References
    ----------
    Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit feedback datasets",
    ICDM 2008, equation 6 (there plus 1, as a confidence).

    Examples
    --------
    >>> from aimass_core.data.weighting import Log
    >>> Log().fit_transform([[1.0, 3.0]]).toarray().round(4).tolist()
    [[0.6931, 1.3863]]
    """

    _counts_only: ClassVar[bool] = True

    def __init__(self, *, alpha: float = 1.0, epsilon: float = 1.0) -> None:
        self.alpha = alpha
        self.epsilon = epsilon

    def _check_parameters(self) -> None:
        as_float(self.alpha, "alpha")
        as_float(self.epsilon, "epsilon", above=0.0)

    def _weights(self, matrix: sp.csr_array) -> Any:
        return self.alpha * np.log1p(matrix.data / matrix.dtype.type(self.epsilon))


def log(X: Weightable, *, alpha: float = 1.0, epsilon: float = 1.0) -> Weightable:
    r"""Damp counts logarithmically, :math:`\alpha \ln(1 + x / \epsilon)`; shorthand for `Log`.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Values of at least 0.
    alpha : float, default 1.0
        Factor.
    epsilon : float, default 1.0
        Counts well below it stay linear.

    Returns
    -------
    Interactions or csr_array
        The damped entries, float32 or float64 as the input.

    Raises
    ------
    ValueError
        For values below 0, or ``epsilon`` not above 0.

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.log([[1.0, 3.0]]).toarray().round(4).tolist()
    [[0.6931, 1.3863]]
    """
    return Log(alpha=alpha, epsilon=epsilon).fit_transform(X)
