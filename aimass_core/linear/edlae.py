"""EDLAE: EASE that is trained to cope with missing items, by dropout in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base.registry import register
from ..base.validation import as_float
from ._ridge import RidgeModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data.weighting._weighting import Weighting

__all__ = ["EDLAE"]


@register("edlae")
class EDLAE(RidgeModel):
    r"""Score items by EASE with dropout of the input (emphasised denoising linear autoencoder).

    Dropout of the items of a profile with probability p has the closed form of a ridge that grows
    with the popularity of the item: :math:`\lambda_i = \lambda + \frac{p}{1 - p} (X^T X)_{ii}`.
    As in `EASE` no item predicts itself.

    Parameters
    ----------
    dropout : float, default=0.3
        p, at least 0 and below 1; 0 is `EASE`.
    regularization : float, optional
        :math:`\lambda`, above 0, on the scale of the number of users of an item and of the squares
        of the values. Default: 200 times the squared median of the (weighted) values, which is
        200 where all are 1.
    n_neighbors : int, optional
        Weights kept for each scored item, the largest by absolute value. Default: all, as a dense
        matrix.
    weighting : {"bm25", "tf_idf", "log", "binarize"} or a weighting, optional
        Learned from the fitted matrix and applied to it and to the profiles of new users.
    dtype : {"float32", "float64"}, default="float32"
        Type of the Gramian, the inverse and the weights.
    n_threads : int, optional
        Threads of ``fit``. Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Attributes
    ----------
    weights_ : ndarray of shape (n_items, n_items), or csr_array with ``n_neighbors``
        Row i holds what a user's item i adds to the score of each item.
    regularization_ : float
        The :math:`\lambda` of the fit.
    precision_diagonal_ : ndarray of float64, shape (n_items,)
        Diagonal of the inverse.
    residual_ : float
        Relative residual of the inverse for 16 items, in float64.
    weighting_ : weighting or None
        What was learned by the weighting.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Raises
    ------
    MemoryError
        By ``fit``, before anything is allocated, where the dense matrix does not fit.
    NumericalError
        By ``fit``, where the residual exceeds 0.01.

    Notes
    -----
    Time and memory are those of `EASE`. `partial_fit` costs a fit.

    References
    ----------
    H. Steck, "Autoencoders that don't overfit towards the identity", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import EDLAE
    >>> X = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1.0]])
    >>> EDLAE(regularization=1.0).fit(X).recommend([0], k=1).ids.tolist()
    [[2]]
    """

    def __init__(
        self,
        *,
        dropout: float = 0.3,
        regularization: float | None = None,
        n_neighbors: int | None = None,
        weighting: str | Weighting | None = None,
        dtype: str = "float32",
        n_threads: int | None = None,
    ) -> None:
        self.dropout = dropout
        self.regularization = regularization
        self.n_neighbors = n_neighbors
        self.weighting = weighting
        self.dtype = dtype
        self.n_threads = n_threads

    def _ridge(self, squares: NDArray[np.float64]) -> NDArray[np.float64]:
        dropout = as_float(self.dropout, "dropout", minimum=0.0)
        if dropout >= 1:
            raise ValueError(f"dropout must be below 1, got {dropout}")
        return self.regularization_ + dropout / (1 - dropout) * squares
