"""Ratings from the k nearest neighbours among those who rated, for entities of either kind.

An *entity* is what has neighbours (users, or items), the *others* are the opposite side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.baselines import Baseline, global_mean
from ..base.csr import row_numbers, spgemm_topk, stack_rows, take_rows, transpose
from ..base.validation import csr_parts, wrap_csr
from ..similarity._compare import Compared, epilogue

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ..similarity._measures import Measure

    Array = NDArray[Any]

__all__ = ["AGGREGATIONS", "RatingEngine", "with_shape"]

AGGREGATIONS = ("mean", "centered", "zscore", "baseline")


def with_shape(X: sp.csr_array, n_rows: int, n_cols: int) -> sp.csr_array:
    """Return the same entries in a larger matrix."""
    more = np.full(n_rows - X.shape[0], X.indptr[-1])
    return wrap_csr(np.concatenate([X.indptr, more]), X.indices, X.data, (n_rows, n_cols))


def _moments(R: sp.csr_array, deviation: float | None = None) -> tuple[Array, Array, float]:
    """Return the mean and standard deviation of each row, and that of all values.

    Rows of equal values get the last one, which for new rows is that of the fit.
    """
    rows, n = row_numbers(R), R.shape[0]
    count = np.maximum(np.diff(R.indptr), 1)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.bincount(rows, weights=R.data, minlength=n) / count
        sigma = np.sqrt(np.bincount(rows, weights=(R.data - mean[rows]) ** 2, minlength=n) / count)
        if deviation is None:
            deviation = float(R.data.std()) if R.nnz else 0.0
    if not np.isfinite(deviation + sigma.sum()):
        raise ValueError("X holds ratings whose squares overflow; scale X down")
    deviation = deviation or 1.0
    return mean, np.where(sigma == 0.0, deviation, sigma), deviation


@dataclass(frozen=True)
class RatingEngine:
    """Everything a prediction needs; see `build`."""

    measure: Measure
    k: int
    min_k: int
    positive_only: bool
    aggregation: str
    R: sp.csr_array  # entities x others: what neighbours contribute, e.g. rating - their mean
    T: sp.csr_array
    S: sp.csr_array  # entities x features: what is compared
    ST: sp.csr_array
    score: dict[str, Any]
    offset_entity: Array
    offset_other: Array
    scale: Array  # factor of an entity for what its neighbours contribute
    mean: float
    deviation: float  # standard deviation of all ratings
    known_entity: Array  # bool: has ratings
    known_other: Array

    @classmethod
    def build(
        cls,
        ratings: sp.csr_array,
        compared: Compared,
        measure: Measure,
        *,
        k: int,
        min_k: int,
        positive_only: bool,
        aggregation: str,
        baseline: Baseline | None,
        n_threads: int,
    ) -> RatingEngine:
        """Return the engine of ratings (entities x others) and of features x entities."""
        n, n_others = ratings.shape
        rows = row_numbers(ratings)
        mean, deviation = global_mean(ratings), 1.0
        offset, offset_other, scale = np.zeros(n), np.zeros(n_others), np.ones(n)
        values = ratings.data
        if aggregation == "baseline":
            assert baseline is not None
            offset, offset_other = baseline.mean + baseline.entity, baseline.feature
            values = values - offset[rows] - offset_other[ratings.indices]
        elif aggregation != "mean":
            offset, sigma, deviation = _moments(ratings)
            values = values - offset[rows]
            if aggregation == "zscore":
                scale = sigma
                values = values / sigma[rows]
        R = wrap_csr(ratings.indptr, ratings.indices, values, ratings.shape)
        ST = compared.scaled()
        return cls(
            measure=measure,
            k=k,
            min_k=min_k,
            positive_only=positive_only,
            aggregation=aggregation,
            R=R,
            T=transpose(R, n_threads),
            S=transpose(ST, n_threads),
            ST=ST,
            score=epilogue(measure, compared, compared),
            offset_entity=offset,
            offset_other=offset_other,
            scale=scale,
            mean=mean,
            deviation=deviation,
            known_entity=np.diff(ratings.indptr) > 0,
            known_other=np.bincount(ratings.indices, minlength=n_others) > 0,
        )

    def estimate(
        self, entities: Array, others: Array, n_threads: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Return predicted ratings of pairs, and the number of neighbours behind each."""
        contributed, weight, n_used = kernels.knn_predict(
            *csr_parts(self.R),
            *csr_parts(self.T),
            *csr_parts(self.S),
            *csr_parts(self.ST),
            np.ascontiguousarray(entities, dtype=np.int32),
            np.ascontiguousarray(others, dtype=np.int32),
            k=self.k,
            min_k=self.min_k,
            positive_only=self.positive_only,
            n_threads=n_threads,
            **self.score,
        )
        enough = (n_used >= max(self.min_k, 1)) & (weight > 0)
        mean = np.divide(contributed, weight, out=np.zeros_like(contributed), where=enough)
        rating = self.offset(entities, others) + mean * self.scale[entities]
        if self.aggregation == "mean":
            rating[~enough] = self.mean
        if self.aggregation != "baseline":
            unknown = ~(self.known_entity[entities] & self.known_other[others])
            rating[unknown] = self.mean
        return rating, np.where(enough, n_used, 0)

    def offset(self, entities: Array, others: Array) -> NDArray[np.float64]:
        """Return what is predicted before any neighbour is used."""
        offset: NDArray[np.float64] = self.offset_entity[entities] + self.offset_other[others]
        return offset

    def contributions(
        self, entity: int, other: int, n_threads: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the neighbours behind one prediction and what each adds to the offset."""
        raters = self.T.indices[self.T.indptr[other] : self.T.indptr[other + 1]]
        contributed = self.T.data[self.T.indptr[other] : self.T.indptr[other + 1]]
        _, n_used = self.estimate(np.array([entity]), np.array([other]), n_threads)
        if not n_used[0]:
            return np.empty(0, np.int32), np.empty(0)
        sims = self.similarities(np.array([entity]), raters, n_threads, self.k)
        neighbors, s = sims[0][0], sims[1][0]
        kept = (neighbors >= 0) & (s > 0 if self.positive_only else np.isfinite(s))
        neighbors, s = neighbors[kept][: self.k], s[kept][: self.k]
        values = contributed[np.searchsorted(raters, neighbors)]
        return neighbors, s * values / np.abs(s).sum() * self.scale[entity]

    def similarities(
        self, entities: Array, among: Array | None, n_threads: int, k: int | None = None
    ) -> tuple[NDArray[np.int32], Array]:
        """Return the most similar other entities of each, best first."""
        allowed = None
        if among is not None:
            allowed = np.zeros(self.S.shape[0], dtype=np.uint8)
            allowed[among] = 1
        p = self.score["p"]
        score = {**self.score, "p": None if p is None else p[entities]}
        itself = wrap_csr(
            np.arange(len(entities) + 1, dtype=np.int64),
            np.asarray(entities, dtype=np.int32),
            np.ones(len(entities)),
            (len(entities), self.S.shape[0]),
        )
        return spgemm_topk(
            take_rows(self.S, np.asarray(entities)),
            self.ST,
            self.S.shape[0] if k is None else min(k, self.S.shape[0]),
            n_threads,
            exclude=itself,
            candidates=allowed,
            score=score,
        )

    def with_others(self, new: sp.csr_array, offset: Array, n_threads: int) -> RatingEngine:
        """Return the engine with further others (rows of ``new``), which change no similarity."""
        n = self.R.shape[0]
        values = new.data - self.offset_entity[new.indices] - offset[row_numbers(new)]
        if self.aggregation == "zscore":
            values = values / self.scale[new.indices]
        T = stack_rows(self.T, wrap_csr(new.indptr, new.indices, values, new.shape))
        return replace(
            self,
            T=T,
            R=transpose(T, n_threads),
            S=with_shape(self.S, n, max(self.S.shape[1], T.shape[0])),
            ST=with_shape(self.ST, max(self.ST.shape[0], T.shape[0]), n),
            offset_other=np.concatenate([self.offset_other, offset]),
            known_other=np.concatenate([self.known_other, np.diff(new.indptr) > 0]),
        )

    def with_entities(
        self,
        new: sp.csr_array,
        compared: Compared,
        offset: Array | None,
        n_threads: int,
    ) -> RatingEngine:
        """Return the engine with further entities that have neighbours but are no neighbours."""
        n = self.R.shape[0] + new.shape[0]
        S = stack_rows(self.S, transpose(compared.scaled(), n_threads))
        scale = np.ones(new.shape[0])
        if self.aggregation in ("centered", "zscore"):
            offset, sigma, _ = _moments(new, self.deviation)
            scale = sigma if self.aggregation == "zscore" else scale
        if offset is None:
            offset = np.zeros(new.shape[0])
        score = dict(self.score)
        for name, more in (("p", compared.p), ("q", compared.q)):
            if score[name] is not None:
                score[name] = np.concatenate([score[name], more])
        return replace(
            self,
            R=with_shape(self.R, n, self.R.shape[1]),
            T=with_shape(self.T, self.T.shape[0], n),
            S=S,
            ST=transpose(S, n_threads),
            score=score,
            offset_entity=np.concatenate([self.offset_entity, offset]),
            scale=np.concatenate([self.scale, scale]),
            known_entity=np.concatenate([self.known_entity, np.diff(new.indptr) > 0]),
        )
