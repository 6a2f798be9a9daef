"""Rows of continuous columns and category codes: a location mixture with local independence.

Given the component, the continuous columns are normal, and each categorical column has a
categorical distribution that is independent of all other columns (L. Hunt and M. Jorgensen,
"Mixture model clustering using the MULTIMIX program", Australian & New Zealand Journal of
Statistics 41, 1999). An unknown code is left out of the likelihood.

The log-probabilities of the codes are a sparse product of one-hot rows with the table of all
log-probabilities, and their sufficient statistics are the transposed product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ._dense_rows import DenseRows, distance_scores, sampled_rows
from ._missing_rows import MissingRows
from ._rows import EmSums, best_component
from ._standardizer import Standardizer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._parameters import Parameters

    Array = NDArray[np.float64]

__all__ = ["Codes", "MixedRows", "split_codes"]

_PART_ROWS = 9600  # rows at a time where responsibilities come from Python
_MAX_VALUES = 1000  # of a categorical column


def split_codes(
    X: NDArray[Any], columns: list[int], n_values: Sequence[int | None], *, refuses: bool
) -> tuple[NDArray[Any], Codes]:
    """Return the continuous columns of a matrix, and the codes of the categorical ones.

    ``n_values`` has the number of values of each column, None where the largest code decides.
    Larger codes count as unknown, or are an error if ``refuses``.
    """
    continuous = np.delete(X, columns, axis=1)
    if continuous.shape[1] == 0:
        raise ValueError("categorical_features: at least one column must be continuous")
    codes = np.empty((len(X), len(columns)), np.int32)
    sizes = []
    for position, column in enumerate(columns):
        values = X[:, column].astype(np.float64)
        is_known = ~np.isnan(values)
        known = values[is_known]
        if (known < 0).any() or (known != np.floor(known)).any():
            raise ValueError(
                f"categorical_features: column {column} must hold whole numbers from 0, got "
                f"{known[(known < 0) | (known != np.floor(known))][0]:g}"
            )
        size = n_values[position]
        n_seen = int(known.max(initial=0)) + 1
        if size is not None and refuses and n_seen > size:
            raise ValueError(
                f"categorical_features: column {column} has the code {n_seen - 1}, but {size} "
                "values: give the larger number of values"
            )
        size = n_seen if size is None else size
        if size > _MAX_VALUES:
            raise ValueError(
                f"categorical_features: column {column} has codes up to {size - 1}, at most "
                f"{_MAX_VALUES - 1} is possible: group rare values"
            )
        codes[:, position] = -1
        codes[is_known, position] = np.where(known < size, known, -1)
        sizes.append(size)
    return np.ascontiguousarray(continuous), Codes.of(codes, tuple(sizes))


class Codes:
    """Codes of rows as one-hot rows: a sparse matrix of shape (n, total number of values).

    Parameters
    ----------
    one_hot : csr_array of shape (n, sum of n_values)
        A 1 for each known code.
    n_values : tuple of int
        Number of values of each column.
    """

    def __init__(self, one_hot: sp.csr_array, n_values: tuple[int, ...]) -> None:
        self.one_hot, self.n_values = one_hot, n_values

    @classmethod
    def of(cls, codes: NDArray[np.int32], n_values: tuple[int, ...]) -> Codes:
        """Make them from an array of shape (n, m), where -1 is unknown."""
        offsets = np.cumsum([0, *n_values[:-1]])
        rows, columns = np.nonzero(codes >= 0)
        positions = codes[rows, columns] + offsets[columns]
        shape = (len(codes), sum(n_values))
        one_hot = sp.csr_array((np.ones(len(rows)), (rows, positions)), shape=shape)
        return cls(one_hot, n_values)

    def take(self, rows: Any) -> Codes:
        """Return the codes of some rows."""
        return Codes(self.one_hot[rows], self.n_values)

    def log_probabilities(self, parameters: Parameters) -> Array:
        """Return the log-probability of each row's codes by each component, the noise last."""
        assert parameters.categories is not None
        table = np.log(parameters.categories)
        if parameters.noise is not None:
            uniform = np.repeat(-np.log(self.n_values), self.n_values)
            table = np.vstack([table, uniform])
        return np.asarray(self.one_hot @ table.T)

    def columns(self) -> list[NDArray[np.int64]]:
        """Return the codes of each column, -1 where unknown."""
        codes = []
        for begin, size in zip(np.cumsum([0, *self.n_values[:-1]]), self.n_values, strict=True):
            part = self.one_hot[:, begin : begin + size].toarray()
            codes.append(np.where(part.any(axis=1), part.argmax(axis=1), -1))
        return codes

    def sums(self, resp: Array) -> Array:
        """Return the sums of the one-hot rows by component."""
        return np.asarray((self.one_hot.T @ resp).T)


class MixedRows:
    """Continuous columns and codes, as a source of a single block.

    Parameters
    ----------
    continuous : DenseRows or MissingRows
        The continuous columns.
    codes : Codes
        The categorical columns.
    shares : ndarray of float64, shape (sum of n_values,), optional
        Share of each value among the known codes of its column; measured by default.
    """

    can_shift = True
    allows_float32 = False

    def __init__(
        self, continuous: DenseRows | MissingRows, codes: Codes, shares: Array | None = None
    ) -> None:
        self.continuous, self.codes = continuous, codes
        self.n_values = codes.n_values
        self.n_rows, self.n_columns = continuous.n_rows, continuous.n_columns
        self.weight, self.total_weight = continuous.weight, continuous.total_weight
        self.n_threads = continuous.n_threads
        if shares is None:
            weight = np.ones(self.n_rows) if self.weight is None else self.weight
            counts = codes.sums(weight[:, None])[0]
            shares = counts / np.maximum(self._by_value(counts), 1e-300)
        self.shares = shares

    def blocks(self) -> Iterator[Self]:
        """Return an iterator over the only block."""
        yield self

    def measure(self, common: bool) -> Standardizer:
        """Return the standardiser of the continuous columns."""
        return self.continuous.measure(common)

    def bounds(self) -> tuple[Array, Array]:
        """Return the bounds of the continuous columns."""
        return self.continuous.bounds()

    def moments(self, standardizer: Standardizer) -> Array:
        """Return the moments of the continuous columns."""
        return self.continuous.moments(standardizer)

    def second_moments(self, standardizer: Standardizer, form: str) -> Array:
        """Return the second moments of the continuous columns."""
        return self.continuous.second_moments(standardizer, form)

    def em_sums(self, standardizer: Standardizer, parameters: Parameters, exact: bool) -> EmSums:
        """Return the statistics of an E-step; the last columns of the sums are those of values."""
        if isinstance(self.continuous, MissingRows):
            return self.continuous.em_sums(standardizer, parameters, exact, self.codes)
        total: Any = 0
        log_likelihood = 0.0
        for part, codes in self._parts():
            joint = part.log_joint(standardizer, parameters) + codes.log_probabilities(parameters)
            best = joint.max(axis=1, keepdims=True)
            resp = np.exp(joint - best)
            norm = resp.sum(axis=1, keepdims=True)
            log_density = (best + np.log(norm))[:, 0]
            weight = part.weight
            log_likelihood += float(log_density.sum() if weight is None else log_density @ weight)
            resp /= norm
            total = total + _sums(part, codes, standardizer, resp, parameters.sums_form)
        return EmSums(np.asarray(total), log_likelihood, None)

    def nearest_sums(self, standardizer: Standardizer, centres: Array, form: str) -> Array:
        """Return the sums of the rows nearest to each centre, in coordinates with codes."""
        total: Any = 0
        for part, codes in self._parts():
            resp = np.zeros((part.n_rows, len(centres)))
            mixed = MixedRows(part, codes, self.shares)
            labels = (mixed.coordinates(standardizer) @ centres.T) - 0.5 * (centres**2).sum(axis=1)
            resp[np.arange(part.n_rows), labels.argmax(axis=1)] = 1
            total = total + _sums(part, codes, standardizer, resp, form)
        return np.asarray(total)

    def centre_sums(self, standardizer: Standardizer, centres: Array) -> Array:
        """Return weights and sums of the coordinates of the rows nearest to each centre."""
        total: Any = 0
        for part, codes in self._parts():
            Z = MixedRows(part, codes, self.shares).coordinates(standardizer)
            identity = Standardizer(np.zeros(Z.shape[1]), np.ones(Z.shape[1]))
            rows = DenseRows(Z, part.weight, self.n_threads)
            total = (
                total + rows.step(identity, distance_scores(centres), "linear", "linear", True)[0]
            )
        return np.asarray(total)

    def random_sums(
        self, standardizer: Standardizer, rng: np.random.Generator, n_components: int, form: str
    ) -> Array:
        """Return sums with random responsibilities."""
        total: Any = 0
        for part, codes in self._parts():
            resp = rng.random((part.n_rows, n_components))
            resp /= resp.sum(axis=1, keepdims=True)
            total = total + _sums(part, codes, standardizer, resp, form)
        return np.asarray(total)

    def sample(self, size: int, rng: np.random.Generator) -> MixedRows:
        """Return at most ``size`` rows with a weight, with means in place of NaN."""
        rows, weight = sampled_rows(self.n_rows, self.weight, size, rng)
        X = self._filled.X[rows].astype(np.float64)
        return MixedRows(DenseRows(X, weight, self.n_threads), self.codes.take(rows), self.shares)

    def select(self, is_kept: NDArray[np.bool_]) -> MixedRows:
        """Return some of the rows; continuous ones without missing values only."""
        return MixedRows(self._filled.select(is_kept), self.codes.take(is_kept), self.shares)

    def coordinates(self, standardizer: Standardizer) -> Array:
        """Return standardised columns and, for each value, a scaled one-hot column.

        The values of a column have a total variance of 1, as a continuous column has. An unknown
        code is at the mean.
        """
        one_hot = self.codes.one_hot
        counts = one_hot @ self._membership()  # 1 for each column whose code is known
        is_known = np.repeat(np.asarray(counts.toarray()) > 0, self.n_values, axis=1)
        centred = np.where(is_known, one_hot.toarray() - self.shares, 0.0)
        variance = self._by_value(self.shares * (1 - self.shares))
        scaled = centred / np.sqrt(np.where(variance > 0, variance, 1.0))
        return np.hstack([standardizer.apply(self._filled.X), scaled])

    def score(
        self, standardizer: Standardizer, parameters: Parameters, output: str
    ) -> NDArray[Any]:
        """Return labels, responsibilities or log-densities."""
        if isinstance(self.continuous, MissingRows):
            return self.continuous.score(standardizer, parameters, output, self.codes)
        results = []
        for part, codes in self._parts():
            joint = part.log_joint(standardizer, parameters, is_complete=output == "score")
            joint += codes.log_probabilities(parameters)
            if output == "labels":
                results.append(best_component(joint))
                continue
            best = joint.max(axis=1, keepdims=True)
            resp = np.exp(joint - best)
            norm = resp.sum(axis=1, keepdims=True)
            results.append(resp / norm if output == "resp" else (best + np.log(norm))[:, 0])
        return np.concatenate(results)

    def known_columns(self, row: int) -> NDArray[np.bool_]:
        """Return which continuous columns of a row have a value."""
        return self.continuous.known_columns(row)

    @property
    def _filled(self) -> DenseRows:
        rows = self.continuous
        return rows.filled if isinstance(rows, MissingRows) else rows

    def _membership(self) -> sp.csr_array:
        """Return a matrix with a 1 for each value and its column."""
        positions = np.repeat(np.arange(len(self.n_values)), self.n_values)
        values = np.arange(len(positions))
        shape = (len(positions), len(self.n_values))
        return sp.csr_array((np.ones(len(positions)), (values, positions)), shape=shape)

    def _by_value(self, per_value: Array) -> Array:
        """Return the sum over the values of each column, repeated for each value."""
        starts = np.cumsum([0, *self.n_values[:-1]])
        return np.repeat(np.add.reduceat(per_value, starts), self.n_values)

    def _parts(self) -> Iterator[tuple[DenseRows, Codes]]:
        """Yield rows, with means in place of NaN, and codes, some thousand rows at a time."""
        X = self._filled.X
        for begin in range(0, self.n_rows, _PART_ROWS):
            rows = slice(begin, begin + _PART_ROWS)
            weight = None if self.weight is None else self.weight[rows]
            part = DenseRows(X[rows].astype(np.float64), weight, self.n_threads)
            yield part, self.codes.take(rows)


def _sums(
    part: DenseRows, codes: Codes, standardizer: Standardizer, resp: Array, form: str
) -> Array:
    """Return the sums of dense rows and of their values with given responsibilities."""
    sums, _ = kernels.gmm_em_step(
        part.X,
        standardizer.shift,
        standardizer.scale,
        part.weight,
        None,
        resp,
        form,
        form,
        False,
        part.n_threads,
    )
    weighted = resp if part.weight is None else resp * part.weight[:, None]
    return np.hstack([sums, codes.sums(weighted)])
