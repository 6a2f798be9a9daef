"""What models of losses over lists of drawn negatives share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import kernels
from ..base.validation import as_int, csr_parts
from ._sgd_ranking import SgdRanking, as_penalties
from ._sgd_state import number_of_strata

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ._sgd_ranking import Step
    from ._sgd_state import Optimizer, SgdSide

    Array = NDArray[Any]

__all__ = ["ListwiseRanking"]

_MOST_STRATA = 8
_ITEMS_OF_A_NEGATIVE = 4  # items of a stratum for each negative of a list, at least


class ListwiseRanking(SgdRanking):
    """Base of models that compare each positive with a list of negatives in one step."""

    _is_cosine: ClassVar[bool] = False

    n_negatives: int
    regularization: float

    def _has_biases(self) -> bool:
        return not self._is_cosine and super()._has_biases()

    def _list_step(
        self,
        X: sp.csr_array,
        optimizer: Optimizer,
        n_threads: int,
        loss: str,
        *,
        temperature: float = 1.0,
        margin: float = 0.0,
        negative_weight: float = 1.0,
    ) -> Step:
        """Return the function that takes an epoch of a loss over the positives X."""
        indptr, indices, _ = csr_parts(X)
        n = as_int(self.n_negatives, "n_negatives", minimum=1, maximum=1 << 16)
        strata = min(number_of_strata(X), _MOST_STRATA, X.shape[1] // (_ITEMS_OF_A_NEGATIVE * n))
        penalties, weights = as_penalties(self), self._negative_weights()
        cosine = self._is_cosine

        def epoch(users: Any, items: Any, number: int, seed: int) -> tuple[float, int, int, int]:
            return kernels.listwise_epoch(
                indptr,
                indices,
                users,
                items,
                optimizer.steps(),
                penalties,
                weights,
                loss=loss,
                cosine=cosine,
                n_negatives=n,
                temperature=temperature,
                margin=margin,
                negative_weight=negative_weight,
                n_strata=max(strata, 1),
                seed=seed,
                epoch=number,
                n_threads=n_threads,
            )

        return epoch

    def _set_learned(self, users: SgdSide, items: SgdSide) -> None:
        super()._set_learned(users, items)
        if self._is_cosine:  # scores are then inner products
            self.user_factors_ = _unit_rows(self.user_factors_)
            self.item_factors_ = _unit_rows(self.item_factors_)


def _unit_rows(factors: Array) -> Array:
    """Return rows of length 1; rows of zeros stay."""
    lengths = np.sqrt(np.square(factors, dtype=np.float64).sum(axis=1, keepdims=True))
    scaled: Array = np.divide(factors, lengths, out=np.zeros_like(factors), where=lengths > 0)
    return scaled
