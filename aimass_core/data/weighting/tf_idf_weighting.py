"""Term frequency times inverse document frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ...base.csr import row_numbers
from ...base.registry import register
from ...base.validation import as_bool, as_choice
from ._weighting import (
    Weightable,
    Weighting,
    as_documents,
    column_sums,
    inverse_document_frequency,
    row_sums,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TfIdf", "tf_idf"]

_FREQUENCIES = ("sqrt", "raw", "sublinear", "binary")


@register("tf-idf-weighting")
class TfIdf(Weighting):
    r"""Term frequency times inverse document frequency.

    By default :math:`\sqrt{x} \cdot \ln \frac{N}{1 + n_t}`, with :math:`N` documents, :math:`n_t`
    of which hold the term.

    Parameters
    ----------
    documents : {"users", "items"}, default "users"
        With ``"users"`` popular items weigh less, with ``"items"`` the entries of active users do.
    tf : {"sqrt", "raw", "sublinear", "binary"}, default "sqrt"
        Term frequency: :math:`\sqrt x`, :math:`x`, :math:`1 + \ln x` (:math:`x` itself below 1),
        or 1.
    smooth : bool, default False
        Use :math:`\ln \frac{1 + N}{1 + n_t} + 1`, which is at least 1 (scikit-learn's default).
        Without it, a term in every document gets a weight slightly below 0.
    norm : {"l1", "l2"}, optional
        Scale each document to this norm afterwards.

    Attributes
    ----------
    n_documents_ : int
        :math:`N`, the number of documents of the fit.
    idf_ : ndarray of float64, shape (n_items,), or None
        Inverse document frequency of each item where ``documents="users"``.
    norms_ : ndarray of float64, shape (n_items,), or None
        Norm of each weighted item where ``documents="items"`` and ``norm`` is given.

    Notes
    -----
    The default is the form used by the nearest-neighbour models of Ferrari Dacrema et al. With
    ``tf="raw"`` (or ``"sublinear"``), ``smooth=True`` and ``norm="l2"`` the weights of
    ``documents="users"`` are those of scikit-learn's ``TfidfTransformer`` (with
    ``sublinear_tf=True``).

    References
    ----------
    G. Salton, C. Buckley, "Term-weighting approaches in automatic text retrieval", Information
    Processing and Management 24(5), 1988. M. Ferrari Dacrema, S. Boglio, P. Cremonesi, D. Jannach,
    "A troubling analysis of reproducibility and progress in recommender systems research",
    ACM TOIS 39(2), 2021.

    Examples
    --------
    >>> from aimass_core.data.weighting import TfIdf
    >>> weighting = TfIdf().fit([[1.0, 4.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    >>> weighting.transform([[0.0, 1.0]]).toarray().round(4).tolist()
    [[0.0, 0.6931]]
    """

    _state: ClassVar[tuple[str, ...]] = (*Weighting._state, "n_documents_", "idf_", "norms_")
    _counts_only: ClassVar[bool] = True

    n_documents_: int
    idf_: NDArray[np.float64] | None
    norms_: NDArray[np.float64] | None

    def __init__(
        self,
        *,
        documents: str = "users",
        tf: str = "sqrt",
        smooth: bool = False,
        norm: str | None = None,
    ) -> None:
        self.documents = documents
        self.tf = tf
        self.smooth = smooth
        self.norm = norm

    def _check_parameters(self) -> None:
        as_documents(self.documents)
        as_choice(self.tf, "tf", _FREQUENCIES)
        as_bool(self.smooth, "smooth")
        if self.norm is not None:
            as_choice(self.norm, "norm", ("l1", "l2"))

    def _restore(self) -> None:
        by_items = self.documents == "items"
        n = self.n_features_in_
        self._check_arrays(
            {
                "idf_": None if by_items else n,
                "norms_": n if by_items and self.norm is not None else None,
            }
        )

    def _frequency(self, x: NDArray[Any]) -> Any:
        if self.tf == "sqrt":
            return np.sqrt(x)
        if self.tf == "sublinear":
            return np.where(x < 1.0, x, 1.0 + np.log(np.maximum(x, 1.0)))
        return np.ones_like(x) if self.tf == "binary" else x

    def _idf(self, counts: NDArray[np.integer], n_documents: int) -> NDArray[np.float64]:
        smooth = "scikit-learn" if self.smooth else None
        return inverse_document_frequency(n_documents, counts, smooth)

    def _sizes(self, values: NDArray[Any]) -> Any:
        """Return what is summed for the norm."""
        return np.abs(values) if self.norm == "l1" else values * values

    def _norms(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        norms = sums if self.norm == "l1" else np.sqrt(sums)
        return np.where(norms > 0, norms, 1.0)

    def _statistics(self, matrix: sp.csr_array) -> dict[str, Any]:
        n_documents = matrix.shape[1 if self.documents == "items" else 0]
        if self.documents == "users":
            counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
            return {
                "n_documents_": n_documents,
                "idf_": self._idf(counts, n_documents),
                "norms_": None,
            }
        norms = None
        if self.norm is not None:
            idf = self._idf(np.diff(matrix.indptr), n_documents)
            weighted = self._frequency(matrix.data) * idf[row_numbers(matrix)]
            norms = self._norms(column_sums(matrix, self._sizes(weighted)))
        return {"n_documents_": n_documents, "idf_": None, "norms_": norms}

    def _weights(self, matrix: sp.csr_array) -> Any:
        frequency = self._frequency(matrix.data)
        if self.idf_ is None:
            idf = self._idf(np.diff(matrix.indptr), self.n_documents_)
            weighted = frequency * idf[row_numbers(matrix)]
            return weighted if self.norms_ is None else weighted / self.norms_[matrix.indices]
        weighted = frequency * self.idf_[matrix.indices]
        if self.norm is None:
            return weighted
        norms = self._norms(row_sums(matrix, self._sizes(weighted)))
        return weighted / norms[row_numbers(matrix)]


def tf_idf(
    X: Weightable,
    *,
    documents: str = "users",
    tf: str = "sqrt",
    smooth: bool = False,
    norm: str | None = None,
) -> Weightable:
    r"""Weight a matrix by tf-idf; shorthand for `TfIdf` learned from the same matrix.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Values of at least 0.
    documents : {"users", "items"}, default "users"
        With ``"users"`` popular items weigh less, with ``"items"`` the entries of active users do.
    tf : {"sqrt", "raw", "sublinear", "binary"}, default "sqrt"
        Term frequency, see `TfIdf`.
    smooth : bool, default False
        Whether the inverse document frequency is kept above 0, see `TfIdf`.
    norm : {"l1", "l2"}, optional
        Scale each document to this norm afterwards.

    Returns
    -------
    Interactions or csr_array
        The weighted entries, float32 or float64 as the input.

    Raises
    ------
    ValueError
        For values below 0.

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.tf_idf([[1.0, 4.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]).toarray()[:2].round(4)
    array([[0.2877, 1.3863],
           [0.2877, 0.    ]])
    """
    return TfIdf(documents=documents, tf=tf, smooth=smooth, norm=norm).fit_transform(X)
